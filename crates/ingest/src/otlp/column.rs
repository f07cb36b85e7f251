//! Columns under construction.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, BinaryViewType, ByteViewType, Float64Type, Int16Type, Int64Type,
    StringViewType, UInt32Type,
};
use arrow_array::{
    ArrayRef, BooleanArray, GenericByteViewArray, PrimitiveArray, StringViewArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use arrow_select::take::take;
use model::AttributeType;

/// The buffers that views point into: the body and the scratch text.
pub(crate) type Buffers = Arc<[Buffer]>;

/// Values of which rows may have none. Rows are set in order, but may be left out; setting the last
/// row again replaces its value. A column that is set nowhere costs nothing.
#[derive(Debug)]
pub(crate) struct Sparse<T> {
    values: Vec<T>,
    valid: Vec<u64>,
    rows_max: usize,
}

impl<T: Copy + Default> Sparse<T> {
    pub(crate) fn new(rows_max: usize) -> Sparse<T> {
        Sparse { values: Vec::new(), valid: Vec::new(), rows_max }
    }

    #[inline]
    pub(crate) fn set(&mut self, row: usize, value: T) {
        if row == self.values.len() && row < self.values.capacity() {
            self.values.push(value);
        } else {
            self.set_apart(row, value);
        }
        let (word, bit) = (row / 64, 1 << (row % 64));
        match self.valid.get_mut(word) {
            Some(word) => *word |= bit,
            None => {
                self.valid.resize(word, 0);
                self.valid.push(bit);
            }
        }
    }

    #[inline(never)]
    fn set_apart(&mut self, row: usize, value: T) {
        if self.values.capacity() == 0 {
            self.values.reserve_exact(self.rows_max);
        }
        if row < self.values.len() {
            self.values[row] = value;
        } else {
            self.values.resize(row, T::default());
            self.values.push(value);
        }
    }

    pub(crate) fn unset(&mut self, row: usize) {
        if let Some(word) = self.valid.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.valid.iter().all(|&word| word == 0)
    }

    fn finish(mut self, rows: usize) -> (Vec<T>, Option<NullBuffer>) {
        self.values.resize(rows, T::default());
        self.valid.resize(rows.div_ceil(64), 0);
        // Arrow's bitmaps are little-endian whatever the machine is.
        self.valid.iter_mut().for_each(|word| *word = word.to_le());
        let valid = BooleanBuffer::new(Buffer::from_vec(self.valid), 0, rows);
        let nulls = NullBuffer::new(valid);
        (self.values, (nulls.null_count() > 0).then_some(nulls))
    }
}

fn primitive<T: ArrowPrimitiveType>(column: Sparse<T::Native>, rows: usize) -> ArrayRef
where
    T::Native: Default,
{
    let (values, nulls) = column.finish(rows);
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}

fn views<T: ByteViewType>(
    column: Sparse<u128>,
    rows: usize,
    buffers: &Buffers,
) -> Result<ArrayRef, ArrowError> {
    let (views, nulls) = column.finish(rows);
    views_array::<T>(views, nulls, buffers)
}

fn views_array<T: ByteViewType>(
    views: Vec<u128>,
    nulls: Option<NullBuffer>,
    buffers: &Buffers,
) -> Result<ArrayRef, ArrowError> {
    let array =
        GenericByteViewArray::<T>::try_new(ScalarBuffer::from(views), Arc::clone(buffers), nulls)?;
    Ok(Arc::new(array))
}

impl Sparse<i64> {
    pub(crate) fn into_array(self, rows: usize) -> ArrayRef {
        primitive::<Int64Type>(self, rows)
    }
}

impl Sparse<u128> {
    /// Text; fails when some of it is not UTF-8.
    pub(crate) fn into_text(self, rows: usize, buffers: &Buffers) -> Result<ArrayRef, ArrowError> {
        views::<StringViewType>(self, rows, buffers)
    }
}

impl Sparse<u32> {
    /// One of `words` for every row.
    pub(crate) fn into_choice(self, rows: usize, words: &[&str]) -> Result<ArrayRef, ArrowError> {
        let (values, nulls) = self.finish(rows);
        choose(words, &UInt32Array::new(ScalarBuffer::from(values), nulls))
    }
}

/// Text that every row has.
pub(crate) fn text(views: Vec<u128>, buffers: &Buffers) -> Result<ArrayRef, ArrowError> {
    views_array::<StringViewType>(views, None, buffers)
}

/// Integers that every row has.
pub(crate) fn ints(values: Vec<i64>) -> ArrayRef {
    Arc::new(PrimitiveArray::<Int64Type>::new(ScalarBuffer::from(values), None))
}

/// Small integers that every row has.
pub(crate) fn shorts(values: Vec<i16>) -> ArrayRef {
    Arc::new(PrimitiveArray::<Int16Type>::new(ScalarBuffer::from(values), None))
}

/// Times in microseconds that every row has.
pub(crate) fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::new(ScalarBuffer::from(values), None).with_timezone("UTC"))
}

/// `words[index]` for every index.
pub(crate) fn choose(words: &[&str], indices: &UInt32Array) -> Result<ArrayRef, ArrowError> {
    take(&StringViewArray::from_iter_values(words), indices, None)
}

/// A value of each origin, spread over the rows that come from it.
pub(crate) fn spread(
    origins: &ArrayRef,
    origin_of: &PrimitiveArray<UInt32Type>,
) -> Result<ArrayRef, ArrowError> {
    take(origins, origin_of, None)
}

/// An attribute's column: its type decides what is in it.
#[derive(Debug)]
pub(crate) enum Values {
    Text(Sparse<u128>),
    Int(Sparse<i64>),
    Double(Sparse<f64>),
    Bool(Sparse<bool>),
    Json(Sparse<u128>),
    Bytes(Sparse<u128>),
}

impl Values {
    pub(crate) fn new(attribute_type: AttributeType, rows_max: usize) -> Values {
        match attribute_type {
            AttributeType::String => Values::Text(Sparse::new(rows_max)),
            AttributeType::Int => Values::Int(Sparse::new(rows_max)),
            AttributeType::Double => Values::Double(Sparse::new(rows_max)),
            AttributeType::Bool => Values::Bool(Sparse::new(rows_max)),
            AttributeType::Json => Values::Json(Sparse::new(rows_max)),
            AttributeType::Bytes => Values::Bytes(Sparse::new(rows_max)),
        }
    }

    pub(crate) fn unset(&mut self, row: usize) {
        match self {
            Values::Text(column) | Values::Json(column) | Values::Bytes(column) => {
                column.unset(row);
            }
            Values::Int(column) => column.unset(row),
            Values::Double(column) => column.unset(row),
            Values::Bool(column) => column.unset(row),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Values::Text(column) | Values::Json(column) | Values::Bytes(column) => {
                column.is_empty()
            }
            Values::Int(column) => column.is_empty(),
            Values::Double(column) => column.is_empty(),
            Values::Bool(column) => column.is_empty(),
        }
    }

    pub(crate) fn into_array(self, rows: usize, buffers: &Buffers) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Values::Text(column) | Values::Json(column) => column.into_text(rows, buffers)?,
            Values::Bytes(column) => views::<BinaryViewType>(column, rows, buffers)?,
            Values::Int(column) => column.into_array(rows),
            Values::Double(column) => primitive::<Float64Type>(column, rows),
            Values::Bool(column) => {
                let (values, nulls) = column.finish(rows);
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;

    use super::*;

    #[test]
    fn rows_that_are_left_out_are_null_and_the_last_value_wins() {
        let mut column = Sparse::new(70);
        column.set(1, 10_i64);
        column.set(1, 11);
        column.set(3, 30);
        column.set(69, 690);
        column.unset(3);
        let array = column.into_array(70);
        let array = array.as_any().downcast_ref::<PrimitiveArray<Int64Type>>().expect("ints");
        let values: Vec<_> =
            array.iter().enumerate().filter_map(|(row, value)| Some((row, value?))).collect();
        assert_eq!(values, [(1, 11), (69, 690)]);
        assert_eq!(array.len(), 70);
    }

    #[test]
    fn a_full_column_has_no_null_buffer() {
        let mut column = Sparse::new(2);
        column.set(0, 1_i64);
        column.set(1, 2);
        assert!(column.into_array(2).nulls().is_none());
    }
}
