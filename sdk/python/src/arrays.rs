//! Tables and columns of Python as Arrow, without copies where the layout allows it.
//!
//! A table is anything with `__arrow_c_stream__` or `__arrow_c_array__` (Polars, pyarrow, DuckDB), or
//! a list of named columns as `python/trefoil/_frames.py` makes it: Arrow arrays, NumPy arrays (of two
//! dimensions for vectors), pairs of codes and categories or of numbers and lengths, lists of texts. Of NumPy, only booleans (a byte each there, a bit here)
//! and texts are copied.

use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi_stream::ArrowArrayStreamReader;
use arrow_array::types::{
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeListArray,
    LargeListArray, PrimitiveArray, RecordBatch, StringArray, make_array, new_empty_array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_pyarrow::FromPyArrow as _;
use arrow_schema::{Field, Schema};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// The batches of a table.
pub(crate) fn table(table: &Bound<'_, PyAny>) -> PyResult<Vec<RecordBatch>> {
    if table.hasattr("__arrow_c_stream__")? {
        let reader = ArrowArrayStreamReader::from_pyarrow_bound(table)?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        let mut batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        return Ok(batches);
    }
    if table.hasattr("__arrow_c_array__")? {
        return Ok(vec![RecordBatch::from_pyarrow_bound(table)?]);
    }
    let columns: Vec<(String, Bound<'_, PyAny>)> = table
        .extract()
        .map_err(|_| PyTypeError::new_err("a table is Arrow, or a list of names and columns"))?;
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for (name, values) in columns {
        let array = column(&values).map_err(|error| {
            let kind = error.get_type(values.py());
            PyErr::from_type(kind, format!("column {name:?}: {}", error.value(values.py())))
        })?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
    Ok(vec![batch.map_err(|error| PyValueError::new_err(error.to_string()))?])
}

fn column(values: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    if values.hasattr("__arrow_c_array__")? {
        return Ok(make_array(ArrayData::from_pyarrow_bound(values)?));
    }
    if values.hasattr("__arrow_c_stream__")? {
        return in_one(&table(values)?);
    }
    if values.hasattr("__array_interface__")? {
        return numpy(values);
    }
    if let Ok((codes, categories)) = values.extract::<(Bound<'_, PyAny>, Vec<String>)>() {
        return categorical(&numpy(&codes)?, categories);
    }
    if let Ok((numbers, lengths)) = values.extract::<(Bound<'_, PyAny>, Vec<Option<usize>>)>() {
        return vectors(numpy(&numbers)?, &lengths);
    }
    let texts: Vec<Option<String>> = values
        .extract()
        .map_err(|_| PyTypeError::new_err("values are neither Arrow, nor NumPy, nor texts"))?;
    Ok(Arc::new(StringArray::from(texts)))
}

/// The only column of a table in one piece.
fn in_one(batches: &[RecordBatch]) -> PyResult<ArrayRef> {
    let parts: Vec<ArrayData> =
        batches.iter().filter_map(|batch| batch.columns().first()).map(|c| c.to_data()).collect();
    if let [only] = parts.as_slice() {
        return Ok(make_array(only.clone()));
    }
    let rows = parts.iter().map(ArrayData::len).sum();
    let mut whole = MutableArrayData::new(parts.iter().collect(), false, rows);
    for (place, part) in parts.iter().enumerate() {
        whole.try_extend(place, 0, part.len()).map_err(|e| PyValueError::new_err(e.to_string()))?;
    }
    Ok(make_array(whole.freeze()))
}

/// Numbers one vector after the other, and how long each is; none is a null.
fn vectors(numbers: ArrayRef, lengths: &[Option<usize>]) -> PyResult<ArrayRef> {
    let item = Arc::new(Field::new_list_field(numbers.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let present = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    let lists = LargeListArray::try_new(item, offsets, numbers, Some(present));
    Ok(Arc::new(lists.map_err(|error| PyValueError::new_err(error.to_string()))?))
}

/// Codes of categories; a negative one is a null.
fn categorical(codes: &ArrayRef, categories: Vec<String>) -> PyResult<ArrayRef> {
    let codes = codes.as_any().downcast_ref::<PrimitiveArray<Int32Type>>();
    let codes = codes.ok_or_else(|| PyTypeError::new_err("codes are 32-bit integers"))?;
    let present = NullBuffer::from_iter(codes.values().iter().map(|code| *code >= 0));
    let keys = PrimitiveArray::<Int32Type>::new(codes.values().clone(), Some(present));
    let dictionary = DictionaryArray::try_new(keys, Arc::new(StringArray::from(categories)));
    Ok(Arc::new(dictionary.map_err(|error| PyValueError::new_err(error.to_string()))?))
}

/// NumPy's description of an array in memory.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Interface {
    typestr: String,
    shape: Vec<usize>,
    strides: Option<Vec<isize>>,
    data: (usize, bool),
}

/// Keeps the array alive as long as any part of it is looked at.
struct Owner {
    _array: AssertUnwindSafe<Py<PyAny>>,
}

fn numpy(array: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let interface: Interface = array.getattr("__array_interface__")?.extract()?;
    let refuse = |why: &str| PyTypeError::new_err(format!("{why} (NumPy {})", interface.typestr));
    if let [_, vector] = interface.shape[..] {
        return rows(array, vector);
    }
    let [length] = interface.shape[..] else {
        return Err(refuse("a column has one dimension, one of vectors two"));
    };
    let (kind, width) = read_type(&interface.typestr).ok_or_else(|| refuse("it is no number"))?;
    let contiguous = match interface.strides.as_deref() {
        None => true,
        Some([stride]) => usize::try_from(*stride).is_ok_and(|stride| stride == width),
        Some(_) => false,
    };
    let address = interface.data.0 as *mut u8;
    let (Some(address), true) = (NonNull::new(address), length > 0) else {
        return match kind.make(Buffer::from(Vec::<u64>::new()), 0) {
            Some(none) => Ok(new_empty_array(none.data_type())),
            None => Err(refuse("it is no number")),
        };
    };
    if !contiguous || address.addr().get() % width != 0 {
        return Err(refuse("values do not lie side by side"));
    }
    let bytes = length.checked_mul(width).ok_or_else(|| refuse("it is too long"))?;
    let owner = Arc::new(Owner { _array: AssertUnwindSafe(array.clone().unbind()) });
    // SAFETY: NumPy says that `length` values of `width` bytes lie at this address, and they stay
    // there while `owner` holds the array, which is as long as the buffer lives.
    let buffer = unsafe { Buffer::from_custom_allocation(address, bytes, owner) };
    kind.make(buffer, length).ok_or_else(|| refuse("it is no number"))
}

/// The rows of an array of two dimensions as vectors.
fn rows(array: &Bound<'_, PyAny>, vector: usize) -> PyResult<ArrayRef> {
    let numbers = numpy(&array.call_method1("reshape", (-1,))?)?;
    let refuse = |why: &str| PyTypeError::new_err(why.to_owned());
    if !numbers.data_type().is_integer() && !numbers.data_type().is_floating() {
        return Err(refuse("vectors are of numbers"));
    }
    let length = i32::try_from(vector).map_err(|_| refuse("vectors are too long"))?;
    let item = Arc::new(Field::new_list_field(numbers.data_type().clone(), true));
    let lists = FixedSizeListArray::try_new(item, length, numbers, None);
    Ok(Arc::new(lists.map_err(|error| PyValueError::new_err(error.to_string()))?))
}

/// What a value is, by NumPy's letter, and for times its unit.
struct Kind<'a> {
    letter: char,
    width: usize,
    unit: &'a str,
}

/// `<f8` is a float of 8 bytes, `<M8[ns]` a time in nanoseconds. Bytes in the other order are refused.
fn read_type(typestr: &str) -> Option<(Kind<'_>, usize)> {
    let (order, rest) = typestr.split_at_checked(1)?;
    let native = if cfg!(target_endian = "little") { "<" } else { ">" };
    if order != native && order != "|" {
        return None;
    }
    let (letter, rest) = rest.split_at_checked(1)?;
    let (width, unit) = rest.split_once('[').unwrap_or((rest, ""));
    let width: usize = width.parse().ok().filter(|width| *width > 0)?;
    let letter = letter.chars().next()?;
    Some((Kind { letter, width, unit: unit.trim_end_matches(']') }, width))
}

impl Kind<'_> {
    fn make(&self, values: Buffer, length: usize) -> Option<ArrayRef> {
        match (self.letter, self.width) {
            ('f', 8) => primitive::<Float64Type>(values, length),
            ('f', 4) => primitive::<Float32Type>(values, length),
            ('f', 2) => primitive::<Float16Type>(values, length),
            ('i', 8) => primitive::<Int64Type>(values, length),
            ('i', 4) => primitive::<Int32Type>(values, length),
            ('i', 2) => primitive::<Int16Type>(values, length),
            ('i', 1) => primitive::<Int8Type>(values, length),
            ('u', 8) => primitive::<UInt64Type>(values, length),
            ('u', 4) => primitive::<UInt32Type>(values, length),
            ('u', 2) => primitive::<UInt16Type>(values, length),
            ('u', 1) => primitive::<UInt8Type>(values, length),
            ('b', 1) => {
                let truths = values.as_slice().iter().map(|byte| Some(*byte != 0));
                Some(Arc::new(truths.collect::<BooleanArray>()))
            }
            ('M', 8) => match self.unit {
                "s" => instants::<TimestampSecondType>(values, length),
                "ms" => instants::<TimestampMillisecondType>(values, length),
                "us" => instants::<TimestampMicrosecondType>(values, length),
                "ns" => instants::<TimestampNanosecondType>(values, length),
                _ => None,
            },
            ('m', 8) => match self.unit {
                "s" => instants::<DurationSecondType>(values, length),
                "ms" => instants::<DurationMillisecondType>(values, length),
                "us" => instants::<DurationMicrosecondType>(values, length),
                "ns" => instants::<DurationNanosecondType>(values, length),
                _ => None,
            },
            _ => None,
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Buffer, length: usize) -> Option<ArrayRef> {
    Some(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(values, 0, length), None)))
}

/// Times, where the smallest number stands for none (NaT).
fn instants<T: ArrowPrimitiveType<Native = i64>>(
    values: Buffer,
    length: usize,
) -> Option<ArrayRef> {
    let values: ScalarBuffer<i64> = ScalarBuffer::new(values, 0, length);
    let present = values
        .contains(&i64::MIN)
        .then(|| NullBuffer::from_iter(values.iter().map(|value| *value != i64::MIN)));
    Some(Arc::new(PrimitiveArray::<T>::new(values, present)))
}
