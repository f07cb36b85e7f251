//! What the model's features mean to it, before and now, on some rows of each side.

use std::sync::Arc;

use super::rows::Table;
use super::{Monitor, Outcome};
use crate::Error;
use crate::attribution::{self, Importance, Model};
use crate::column;

/// Rows of each side that are explained, drawn evenly and always the same.
pub const EXPLAINED_ROWS: usize = 1_000;

/// The model of a monitor.
#[derive(Debug, Clone)]
pub enum ModelFile {
    /// A file that somebody else reads: this crate reads none.
    Named(String),
    /// What was in it.
    Read(Arc<Model>),
}

impl ModelFile {
    /// A model from the bytes of its file.
    pub fn of(bytes: &[u8]) -> Result<ModelFile, Error> {
        Model::read(bytes).map(|model| ModelFile::Read(Arc::new(model)))
    }
}

impl Monitor {
    /// The model, once it was read.
    fn model(&self) -> Result<Option<&Model>, Error> {
        match &self.model {
            None => Ok(None),
            Some(ModelFile::Read(model)) => Ok(Some(model)),
            Some(ModelFile::Named(file)) => {
                Err(Error::Option(format!("the model {file:?} was not read")))
            }
        }
    }

    /// The columns that the model has as features.
    pub(crate) fn model_features(&self) -> Vec<String> {
        match &self.model {
            Some(ModelFile::Read(model)) => model.features().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Adds what features mean to the model.
    pub(crate) fn attribute(
        &self,
        outcome: &mut Outcome,
        (reference, current): (&Table, &Table),
    ) -> Result<(), Error> {
        let Some(model) = self.model()? else { return Ok(()) };
        let before = columns(model, reference, "the reference")?;
        let now = columns(model, current, "the current data")?;
        let means = Model::means(&before);
        let sampled = |columns: &[Vec<f64>]| attribution::sampled(columns, EXPLAINED_ROWS);
        let (before, now) = (sampled(&before), sampled(&now));
        let sizes = (model.mean_sizes(&before, &means)?, model.mean_sizes(&now, &means)?);
        let rows = (before.len(), now.len());
        let sizes = (&sizes.0[..], &sizes.1[..]);
        let mut found = Importance::of(model.kind(), rows, model.features(), sizes);
        for feature in &mut found.features {
            let mut compared = outcome.overall.columns.iter();
            let column = compared.find(|column| column.name == feature.name);
            feature.column_drifted = column.map(|column| column.drifted);
        }
        outcome.attribution = Some(found);
        Ok(())
    }
}

fn columns(model: &Model, table: &Table, side: &str) -> Result<Vec<Vec<f64>>, Error> {
    let column = |name: &String| {
        let array = table.get(name).ok_or_else(|| {
            Error::Option(format!("the model's feature {name:?} is no column of {side}"))
        })?;
        column::dense_numbers(&[Arc::clone(array)]).map_err(|_| {
            let kind = array.data_type();
            Error::Option(format!(
                "the model's feature {name:?} is {kind} in {side}: encode it as the model had it"
            ))
        })
    };
    model.features().iter().map(column).collect()
}
