//! Columns as features of trees: numbers as they are, names as codes by their frequency in the
//! reference.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};

use crate::Error;
use crate::column::{self, Kind};
use crate::gbdt::Feature;
use crate::profile::{Binning, Edges};

/// How the columns of a reference become features.
#[derive(Debug, Clone)]
pub struct Codes {
    columns: Vec<(String, Option<Edges>)>,
}

impl Codes {
    /// Learns from a reference; columns that cannot be features are left out.
    pub fn of<'a>(reference: impl Iterator<Item = (&'a String, &'a ArrayRef)>) -> Codes {
        let known = reference.filter_map(|(name, array)| {
            let edges = match column::kind_of(array.data_type()).ok()? {
                Kind::Numeric => None,
                Kind::Embedding => return None,
                Kind::Categorical => {
                    Some(Edges::fit(&[Arc::clone(array)], &Binning::default()).ok()?)
                }
            };
            Some((name.clone(), edges))
        });
        Codes { columns: known.collect() }
    }

    /// The features of so many rows; a column that is absent is missing in all of them.
    pub fn features<'a>(
        &self,
        rows: usize,
        get: impl Fn(&str) -> Option<&'a ArrayRef>,
    ) -> Result<Vec<Feature>, Error> {
        let feature = |(name, edges): &(String, Option<Edges>)| match (edges, get(name)) {
            (None, None) => Ok(Feature::Numbers(vec![f64::NAN; rows])),
            // Names where numbers were say nothing about numbers.
            (None, Some(array)) => Ok(Feature::Numbers(
                column::dense_numbers(&[Arc::clone(array)])
                    .unwrap_or_else(|_| vec![f64::NAN; rows]),
            )),
            (Some(_), None) => Ok(Feature::Codes(vec![u8::MAX; rows])),
            (Some(edges), Some(array)) => codes(array, edges),
        };
        self.columns.iter().map(feature).collect()
    }
}

fn codes(array: &ArrayRef, edges: &Edges) -> Result<Feature, Error> {
    let texts = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    let texts = texts.as_string::<i32>();
    let mut codes = Vec::with_capacity(texts.len());
    for text in texts {
        let place = text.and_then(|text| edges.category(text));
        codes.push(place.map_or(u8::MAX, |place| u8::try_from(place).unwrap_or(u8::MAX - 1)));
    }
    Ok(Feature::Codes(codes))
}
