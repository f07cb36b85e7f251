//! An Arrow array as what statistics see: blocks of numbers, or texts.
//!
//! Numbers: integers, floats, decimals, dates, times, timestamps and durations, all as `f64`.
//! `Float64` without nulls is read where it lies; everything else is converted 4,096 values at a
//! time. Texts: strings, dictionaries of them, booleans (`true`, `false`). Lists of numbers are
//! vectors, which [`crate::embedding`] reads; other lists, structs and binary columns are refused
//! with [`Error::Type`].
//!
//! Nulls are counted and left out; NaN is a value here, and whoever counts decides about it.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_schema::DataType;

use crate::Error;
use crate::embedding;

/// Values converted at once where the array is not already `f64` without nulls.
pub const BLOCK: usize = 4096;

/// What a column's statistics are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ordered values with distances: binned by edges.
    Numeric,
    /// Names: counted one by one.
    Categorical,
    /// Vectors of one length: lists of numbers.
    Embedding,
}

/// The kind of a column of this type.
pub fn kind_of(data_type: &DataType) -> Result<Kind, Error> {
    use DataType::*;
    match data_type {
        Utf8 | LargeUtf8 | Utf8View | Boolean => Ok(Kind::Categorical),
        Dictionary(_, value) => kind_of(value),
        Null => Ok(Kind::Categorical),
        numeric if numeric.is_numeric() || numeric.is_temporal() => match numeric {
            Interval(_) => Err(Error::Type(numeric.to_string())),
            _ => Ok(Kind::Numeric),
        },
        list if embedding::is_embedding(list) => Ok(Kind::Embedding),
        other => Err(Error::Type(other.to_string())),
    }
}

/// Hands the non-null numbers of `array` to `each`, block by block; returns the nulls.
pub fn for_each_number(array: &dyn Array, mut each: impl FnMut(&[f64])) -> Result<u64, Error> {
    if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
        for_each_float(floats, &mut each);
        return Ok(array.null_count() as u64);
    }
    if kind_of(array.data_type())? != Kind::Numeric {
        return Err(Error::Type(array.data_type().to_string()));
    }
    let mut nulls = 0;
    let mut start = 0;
    while start < array.len() {
        let length = BLOCK.min(array.len() - start);
        let floats = floats_of(&array.slice(start, length))?;
        for_each_float(floats.as_primitive::<Float64Type>(), &mut each);
        nulls += floats.null_count() as u64;
        start += length;
    }
    Ok(nulls)
}

fn for_each_float(floats: &Float64Array, each: &mut impl FnMut(&[f64])) {
    if floats.null_count() == 0 {
        each(floats.values());
        return;
    }
    let mut block = Vec::with_capacity(BLOCK);
    for number in floats.iter().flatten() {
        block.push(number);
        if block.len() == BLOCK {
            each(&block);
            block.clear();
        }
    }
    each(&block);
}

fn floats_of(array: &ArrayRef) -> Result<ArrayRef, Error> {
    let refuse = |_| Error::Type(array.data_type().to_string());
    // Dates and times have no direct way to a float in Arrow; they are integers inside.
    let through = match array.data_type() {
        DataType::Date32 | DataType::Time32(_) => Some(DataType::Int32),
        DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(..) => Some(DataType::Int64),
        DataType::Duration(_) => Some(DataType::Int64),
        DataType::Dictionary(_, value) => Some(value.as_ref().clone()),
        _ => None,
    };
    match through {
        Some(between) => {
            let array = arrow_cast::cast(array, &between).map_err(refuse)?;
            if matches!(between, DataType::Int32 | DataType::Int64) {
                arrow_cast::cast(&array, &DataType::Float64).map_err(refuse)
            } else {
                floats_of(&array)
            }
        }
        None => arrow_cast::cast(array, &DataType::Float64).map_err(refuse),
    }
}

/// All non-null numbers of the arrays in one vector, and the nulls. NaN and infinities stay.
pub fn collect_numbers(arrays: &[ArrayRef]) -> Result<(Vec<f64>, u64), Error> {
    let mut numbers = Vec::with_capacity(arrays.iter().map(Array::len).sum());
    let mut nulls = 0;
    for array in arrays {
        nulls += for_each_number(array, |block| numbers.extend_from_slice(block))?;
    }
    Ok((numbers, nulls))
}

/// One number per row, null as NaN: for statistics that pair columns row by row.
pub fn dense_numbers(arrays: &[ArrayRef]) -> Result<Vec<f64>, Error> {
    let mut dense = Vec::with_capacity(arrays.iter().map(Array::len).sum());
    for array in arrays {
        let array = match array.data_type() {
            DataType::Boolean => arrow_cast::cast(array, &DataType::UInt8)
                .map_err(|_| Error::Type("Boolean".to_owned()))?,
            _ => std::sync::Arc::clone(array),
        };
        if kind_of(array.data_type())? != Kind::Numeric {
            return Err(Error::Type(array.data_type().to_string()));
        }
        let floats = floats_of(&array)?;
        let floats = floats.as_primitive::<Float64Type>();
        if floats.null_count() == 0 {
            dense.extend_from_slice(floats.values());
        } else {
            dense.extend(floats.iter().map(|number| number.unwrap_or(f64::NAN)));
        }
    }
    Ok(dense)
}

/// Hands each non-null text with the number of times it stands there to `each`; returns the nulls.
/// Dictionaries are counted by key first, so that their texts are looked at once a batch.
pub fn for_each_text(array: &dyn Array, mut each: impl FnMut(&str, u64)) -> Result<u64, Error> {
    let nulls = array.logical_null_count() as u64;
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(|t| each(t, 1)),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().for_each(|t| each(t, 1)),
        DataType::Utf8View => array.as_string_view().iter().flatten().for_each(|t| each(t, 1)),
        DataType::Boolean => {
            let booleans = array.as_boolean();
            let yes = booleans.true_count() as u64;
            let no = booleans.false_count() as u64;
            for (text, count) in [("true", yes), ("false", no)] {
                if count > 0 {
                    each(text, count);
                }
            }
        }
        DataType::Dictionary(..) => for_each_entry(array, &mut each)?,
        DataType::Null => {}
        nested if nested.is_nested() => return Err(Error::Type(nested.to_string())),
        _ => {
            let texts =
                arrow_cast::cast(&arrow_array::make_array(array.to_data()), &DataType::Utf8)
                    .map_err(|_| Error::Type(array.data_type().to_string()))?;
            texts.as_string::<i32>().iter().flatten().for_each(|text| each(text, 1));
        }
    }
    Ok(nulls)
}

fn for_each_entry(array: &dyn Array, each: &mut impl FnMut(&str, u64)) -> Result<(), Error> {
    let dictionary = array.as_any_dictionary();
    let values = arrow_cast::cast(dictionary.values(), &DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    let values = values.as_string::<i32>();
    let mut counts = vec![0_u64; values.len()];
    macro_rules! count {
        ($($variant:ident => $key:ty),*) => {
            match dictionary.keys().data_type() {
                $(DataType::$variant => {
                    for key in dictionary.keys().as_primitive::<$key>().iter().flatten() {
                        if let Some(count) = usize::try_from(key).ok().and_then(|k| counts.get_mut(k)) {
                            *count += 1;
                        }
                    }
                })*
                other => return Err(Error::Type(other.to_string())),
            }
        };
    }
    count!(Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type, Int64 => Int64Type,
        UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type);
    for (index, count) in counts.into_iter().enumerate() {
        if count > 0 && values.is_valid(index) {
            each(values.value(index), count);
        }
    }
    Ok(())
}
