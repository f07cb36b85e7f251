//! Arrow to JSON, cell by cell, straight into bytes.
//!
//! Exact: 64-bit integers are JSON numbers with all their digits, floats are written so that they
//! are read back as they were, times are RFC 3339 with the digits of their unit, bytes are base64.
//! JSON has no number for NaN and the infinities: those are texts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float64Array, GenericListArray,
    Int64Array, OffsetSizeTrait, StringViewArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Error;
use crate::time;

/// A column that can be written.
pub(crate) struct Column {
    cells: Cells,
}

enum Cells {
    Null,
    Bool(BooleanArray),
    Int(Int64Array),
    UInt(UInt64Array),
    Double(Float64Array),
    Text(StringViewArray),
    Bytes(BinaryViewArray),
    Time(Int64Array, TimeUnit),
    Date(Int64Array),
    Decimal(ArrayRef),
    List { offsets: Vec<usize>, nulls: ArrayRef, items: Box<Column> },
    Struct { names: Vec<String>, columns: Vec<Column>, nulls: ArrayRef },
    Other(ArrayRef),
}

impl Column {
    pub(crate) fn new(array: &ArrayRef) -> Result<Column, Error> {
        Ok(Column { cells: cells(array)? })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, row: usize) {
        match &self.cells {
            Cells::Null => out.extend_from_slice(b"null"),
            Cells::Bool(a) => non_null(out, a, row, |out| {
                out.extend_from_slice(if a.value(row) { b"true" } else { b"false" });
            }),
            Cells::Int(a) => non_null(out, a, row, |out| write_display(out, a.value(row))),
            Cells::UInt(a) => non_null(out, a, row, |out| write_display(out, a.value(row))),
            Cells::Double(a) => non_null(out, a, row, |out| write_double(out, a.value(row))),
            Cells::Text(a) => non_null(out, a, row, |out| write_text(out, a.value(row))),
            Cells::Bytes(a) => {
                non_null(out, a, row, |out| write_text(out, &BASE64.encode(a.value(row))));
            }
            Cells::Time(a, unit) => {
                non_null(out, a, row, |out| write_time(out, a.value(row), *unit));
            }
            Cells::Date(a) => non_null(out, a, row, |out| {
                out.push(b'"');
                time::write_date(out, a.value(row));
                out.push(b'"');
            }),
            Cells::Decimal(a) => non_null(out, a, row, |out| {
                out.extend_from_slice(display(a, row).as_bytes());
            }),
            Cells::List { offsets, nulls, items } => non_null(out, nulls, row, |out| {
                out.push(b'[');
                for index in offsets[row]..offsets[row + 1] {
                    if index > offsets[row] {
                        out.push(b',');
                    }
                    items.write(out, index);
                }
                out.push(b']');
            }),
            Cells::Struct { names, columns, nulls } => non_null(out, nulls, row, |out| {
                out.push(b'{');
                for (index, (name, column)) in names.iter().zip(columns).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(out, name);
                    out.push(b':');
                    column.write(out, row);
                }
                out.push(b'}');
            }),
            Cells::Other(a) => non_null(out, a, row, |out| write_text(out, &display(a, row))),
        }
    }
}

/// The word for a column's type.
pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "null",
        DataType::Boolean => "bool",
        t if t.is_integer() => "int",
        t if t.is_floating() => "double",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "decimal",
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytes",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "list",
        DataType::Struct(_) => "struct",
        DataType::Map(..) => "map",
        DataType::Dictionary(_, values) => type_name(values),
        _ => "string",
    }
}

fn cells(array: &ArrayRef) -> Result<Cells, Error> {
    let to = |data_type: &DataType| cast(array, data_type).map_err(broken);
    Ok(match array.data_type() {
        DataType::Null => Cells::Null,
        DataType::Boolean => Cells::Bool(array.as_boolean().clone()),
        t if t.is_signed_integer() => {
            Cells::Int(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
        }
        t if t.is_unsigned_integer() => {
            Cells::UInt(to(&DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
        }
        t if t.is_floating() => {
            Cells::Double(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Cells::Text(to(&DataType::Utf8View)?.as_string_view().clone())
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            Cells::Bytes(to(&DataType::BinaryView)?.as_binary_view().clone())
        }
        DataType::FixedSizeBinary(_) => {
            let binary = to(&DataType::Binary)?;
            return cells(&binary);
        }
        DataType::Timestamp(unit, _) => {
            Cells::Time(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone(), *unit)
        }
        DataType::Date32 | DataType::Date64 => {
            let days = cast(&to(&DataType::Date32)?, &DataType::Int32).map_err(broken)?;
            let days = cast(&days, &DataType::Int64).map_err(broken)?;
            Cells::Date(days.as_primitive::<Int64Type>().clone())
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Cells::Decimal(Arc::clone(array)),
        DataType::List(_) => list(array, array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array, array.as_list::<i64>())?,
        DataType::FixedSizeList(field, _) => {
            let as_list = to(&DataType::List(Arc::clone(field)))?;
            return cells(&as_list);
        }
        DataType::Struct(fields) => Cells::Struct {
            names: fields.iter().map(|field| field.name().clone()).collect(),
            columns: array
                .as_struct()
                .columns()
                .iter()
                .map(Column::new)
                .collect::<Result<_, _>>()?,
            nulls: Arc::clone(array),
        },
        DataType::Dictionary(_, values) => {
            let plain = to(values)?;
            return cells(&plain);
        }
        _ => Cells::Other(Arc::clone(array)),
    })
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, list: &GenericListArray<O>) -> Result<Cells, Error> {
    Ok(Cells::List {
        offsets: list.value_offsets().iter().map(|offset| offset.as_usize()).collect(),
        nulls: Arc::clone(array),
        items: Box::new(Column::new(list.values())?),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "shape of map_err")]
fn broken(error: arrow::error::ArrowError) -> Error {
    Error::Internal(format!("cannot write a column: {error}"))
}

fn non_null(out: &mut Vec<u8>, array: &dyn Array, row: usize, write: impl FnOnce(&mut Vec<u8>)) {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
    } else {
        write(out);
    }
}

fn display(array: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(array.as_ref(), &options)
        .map(|formatter| formatter.value(row).to_string())
        .unwrap_or_default()
}

/// Writes a JSON text.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(&mut *out, text).expect("writing to memory");
}

/// Writes a number with all its digits.
pub(crate) fn write_display(out: &mut Vec<u8>, value: impl serde::Serialize) {
    serde_json::to_writer(&mut *out, &value).expect("writing to memory");
}

pub(crate) fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        serde_json::to_writer(&mut *out, &value).expect("writing to memory");
    } else if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

fn write_time(out: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    let (per_second, digits) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    out.push(b'"');
    time::write(out, value.div_euclid(per_second), value.rem_euclid(per_second), digits);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, Float32Array, Int16Array, ListArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn check(array: impl Array + 'static, expected: &[&str]) {
        let array: ArrayRef = Arc::new(array);
        let column = Column::new(&array).expect("a type that can be written");
        let written: Vec<String> = (0..array.len())
            .map(|row| {
                let mut out = Vec::new();
                column.write(&mut out, row);
                String::from_utf8(out).expect("JSON is text")
            })
            .collect();
        assert_eq!(written, expected);
        for text in written {
            serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        check(Int64Array::from(vec![Some(i64::MAX), None]), &["9223372036854775807", "null"]);
        check(UInt64Array::from(vec![u64::MAX]), &["18446744073709551615"]);
        check(Int16Array::from(vec![-3]), &["-3"]);
        check(
            Float64Array::from(vec![0.1, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            &["0.1", "1e+300", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""],
        );
        check(Float32Array::from(vec![0.5]), &["0.5"]);
        let decimal = Decimal128Array::from(vec![1250]).with_precision_and_scale(10, 2);
        check(decimal.expect("a scale"), &["12.50"]);
    }

    #[test]
    fn texts_times_and_bytes() {
        check(StringViewArray::from(vec!["a\"b\n\u{1}ä"]), &["\"a\\\"b\\n\\u0001ä\""]);
        let times = TimestampMicrosecondArray::from(vec![1_795_230_247_123_456, -1]);
        check(
            times.with_timezone("UTC"),
            &["\"2026-11-21T03:04:07.123456Z\"", "\"1969-12-31T23:59:59.999999Z\""],
        );
        check(BinaryArray::from(vec![b"\x00\xff".as_ref()]), &["\"AP8=\""]);
        check(Date32Array::from(vec![20_778]), &["\"2026-11-21\""]);
    }

    #[test]
    fn lists() {
        let lists = vec![Some(vec![Some(1), None]), None, Some(vec![])];
        check(
            ListArray::from_iter_primitive::<Int32Type, _, _>(lists),
            &["[1,null]", "null", "[]"],
        );
    }
}
