//! Lists of numbers as vectors: row by row as `f64`, some thousand numbers at a time, nothing kept.
//!
//! Any of Arrow's lists of variable, large or fixed size, of any integers or floats. Vectors of `f64`
//! without nulls are read where they lie.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use hashbrown::HashMap;

use crate::Error;

/// Numbers converted at once.
const BLOCK: usize = 8192;

/// Whether a column of this type holds vectors.
pub fn is_embedding(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_integer() || item.data_type().is_floating()
        }
        _ => false,
    }
}

/// A list array: where each row's numbers lie in the array of all of them.
struct Lists<'a> {
    numbers: &'a ArrayRef,
    places: Places<'a>,
    nulls: Option<&'a NullBuffer>,
    rows: usize,
}

enum Places<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
    Fixed(usize),
}

impl<'a> Lists<'a> {
    fn of(array: &'a dyn Array) -> Result<Lists<'a>, Error> {
        if !is_embedding(array.data_type()) {
            return Err(Error::Type(array.data_type().to_string()));
        }
        let (rows, nulls) = (array.len(), array.nulls());
        let (numbers, places) = if let Some(lists) = array.as_list_opt::<i32>() {
            (lists.values(), Places::Small(lists.value_offsets()))
        } else if let Some(lists) = array.as_list_opt::<i64>() {
            (lists.values(), Places::Large(lists.value_offsets()))
        } else if let Some(lists) = array.as_fixed_size_list_opt() {
            let width = usize::try_from(lists.value_length()).unwrap_or(0);
            (lists.values(), Places::Fixed(width))
        } else {
            return Err(Error::Type(array.data_type().to_string()));
        };
        Ok(Lists { numbers, places, nulls, rows })
    }

    fn range(&self, row: usize) -> Range<usize> {
        match &self.places {
            Places::Small(offsets) => place(offsets[row])..place(offsets[row + 1]),
            Places::Large(offsets) => place(offsets[row])..place(offsets[row + 1]),
            Places::Fixed(width) => row * width..(row + 1) * width,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

fn place(offset: impl TryInto<usize>) -> usize {
    offset.try_into().unwrap_or(0)
}

/// Hands each row to `each`, in order: its numbers, or nothing for a null. A null among the numbers
/// is handed as NaN.
pub(crate) fn for_each_vector(
    array: &dyn Array,
    mut each: impl FnMut(Option<&[f64]>),
) -> Result<(), Error> {
    let lists = Lists::of(array)?;
    let mut row = 0;
    while row < lists.rows {
        let first = lists.range(row).start;
        let mut end = row + 1;
        while end < lists.rows && lists.range(end).end - first <= BLOCK {
            end += 1;
        }
        let block = lists.numbers.slice(first, lists.range(end - 1).end - first);
        let floats = match block.data_type() {
            DataType::Float64 => block,
            _ => arrow_cast::cast(&block, &DataType::Float64)
                .map_err(|_| Error::Type(array.data_type().to_string()))?,
        };
        let floats = floats.as_primitive::<Float64Type>();
        let with_gaps: Vec<f64>;
        let values: &[f64] = if floats.null_count() == 0 {
            floats.values()
        } else {
            with_gaps = floats.iter().map(|number| number.unwrap_or(f64::NAN)).collect();
            &with_gaps
        };
        for row in row..end {
            let range = lists.range(row);
            let vector = values.get(range.start - first..range.end - first);
            each(vector.filter(|_| !lists.is_null(row)));
        }
        row = end;
    }
    Ok(())
}

/// The length that vectors of a column have: that of most rows, and of half of them at least.
pub fn usual_width(arrays: &[ArrayRef]) -> Result<usize, Error> {
    let mut lengths: HashMap<usize, u64> = HashMap::new();
    for array in arrays {
        let lists = Lists::of(array.as_ref())?;
        if let Places::Fixed(width) = lists.places {
            *lengths.entry(width).or_default() += lists.rows as u64;
            continue;
        }
        for row in (0..lists.rows).filter(|row| !lists.is_null(*row)) {
            *lengths.entry(lists.range(row).len()).or_default() += 1;
        }
    }
    let rows: u64 = lengths.values().sum();
    let most = lengths.iter().max_by_key(|(length, times)| (**times, **length));
    let Some((width, times)) = most.filter(|(_, times)| **times > 0) else {
        return Err(Error::Empty("the column"));
    };
    let (least, greatest) = (lengths.keys().min(), lengths.keys().max());
    if times * 2 < rows {
        let (least, greatest) = (least.unwrap_or(width), greatest.unwrap_or(width));
        return Err(Error::Type(format!(
            "lists of {least} to {greatest} numbers (vectors have one length)"
        )));
    }
    if *width == 0 {
        return Err(Error::Type("lists without numbers".to_owned()));
    }
    Ok(*width)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, Int16Builder, ListBuilder};

    fn read(array: &dyn Array) -> Vec<Option<Vec<f64>>> {
        let mut rows = Vec::new();
        for_each_vector(array, |row| rows.push(row.map(<[f64]>::to_vec))).unwrap();
        rows
    }

    #[test]
    fn every_kind_of_list_gives_its_rows() {
        let mut lists = ListBuilder::new(Int16Builder::new());
        lists.append_value([Some(1), Some(2)]);
        lists.append_null();
        lists.append_value([]);
        lists.append_value([Some(3), None]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let shown = |array: &dyn Array| format!("{:?}", read(array));
        let expected = "[Some([1.0, 2.0]), None, Some([]), Some([3.0, NaN])]";
        assert_eq!(shown(&lists), expected);
        assert_eq!(shown(&lists.slice(1, 3)), "[None, Some([]), Some([3.0, NaN])]");
        let item = Arc::new(arrow_schema::Field::new("item", DataType::Float64, true));
        let large = arrow_cast::cast(&lists, &DataType::LargeList(item)).unwrap();
        assert_eq!(shown(&large), expected);
        assert_eq!(usual_width(&[lists]), Ok(2));
        let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 2);
        for row in 0..3 {
            fixed.values().append_slice(&[row as f32, 0.5]);
            fixed.append(row != 1);
        }
        let fixed: ArrayRef = Arc::new(fixed.finish());
        assert_eq!(shown(&fixed), "[Some([0.0, 0.5]), None, Some([2.0, 0.5])]");
        assert_eq!(shown(&fixed.slice(2, 1)), "[Some([2.0, 0.5])]");
        assert_eq!(usual_width(&[fixed]), Ok(2));
    }

    #[test]
    fn lists_of_all_lengths_are_no_vectors() {
        let mut lists = ListBuilder::new(Int16Builder::new());
        (0..10_i16).for_each(|length| lists.append_value((0..length).map(Some)));
        let lists: ArrayRef = Arc::new(lists.finish());
        let error = usual_width(&[lists]).unwrap_err().to_string();
        assert!(error.contains("lists of 0 to 9 numbers"), "{error}");
    }
}
