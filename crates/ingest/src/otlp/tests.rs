//! Tests of the decoder and the transports. Rows are compared as maps of their columns that are not
//! null, so that a case shows what it is about.

mod cases;
mod hostile;
mod reference;
mod transport;

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int16Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::{Table, Tenant};
use serde_json::{Value, json};

use super::{DecodeError, Decoded, decode, transcode_json};
use crate::{Format, Limits};

pub(super) const RECEIVED_AT: i64 = 1_700_000_000_123_456_789;

pub(super) type Row = BTreeMap<String, Value>;

pub(super) fn decode_protobuf(
    format: Format,
    limits: &Limits,
    body: &Bytes,
) -> Result<Decoded, DecodeError> {
    let tenant = Tenant::parse("team-a").expect("a valid name");
    let decoded = decode(format, &tenant, RECEIVED_AT, limits, body)?;
    check_schema(format.table(), &decoded.batch);
    Ok(decoded)
}

/// Decodes a JSON request.
pub(super) fn decode_json(format: Format, limits: &Limits, request: &Value) -> Decoded {
    let body = transcode_json(format, request.to_string().as_bytes()).expect("valid JSON");
    decode_protobuf(format, limits, &body).expect("a valid request")
}

/// Every batch has the table's columns first, in their order and with their types.
fn check_schema(table: Table, batch: &RecordBatch) {
    let schema = batch.schema();
    for (column, field) in table.columns().iter().zip(schema.fields()) {
        assert_eq!(**field, column.field());
    }
    for field in &schema.fields()[table.columns().len()..] {
        let column = model::AttributeColumn::parse(field.name()).expect("an attribute's name");
        let attribute_type = column.attribute_type.expect("with its type");
        assert_eq!(*field.data_type(), attribute_type.data_type());
        assert!(field.is_nullable());
    }
}

/// The rows' columns that are not null. Columns that hold JSON are parsed, so that formatting does
/// not matter.
pub(super) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let mut rows = vec![Row::new(); batch.num_rows()];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        for (row, values) in rows.iter_mut().enumerate() {
            if column.is_null(row) {
                continue;
            }
            let value = match column.data_type() {
                DataType::Utf8View => text_value(field.name(), column.as_string_view().value(row)),
                DataType::BinaryView => json!(STANDARD.encode(column.as_binary_view().value(row))),
                DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
                DataType::Int16 => json!(column.as_primitive::<Int16Type>().value(row)),
                DataType::Float64 => double_value(column.as_primitive::<Float64Type>().value(row)),
                DataType::Boolean => json!(column.as_boolean().value(row)),
                DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => {
                    json!(column.as_primitive::<TimestampMicrosecondType>().value(row))
                }
                other => panic!("column {} is of type {other}", field.name()),
            };
            values.insert(field.name().clone(), value);
        }
    }
    rows
}

fn text_value(column: &str, text: &str) -> Value {
    if column.ends_with("#json") || ["events", "links", "rest"].contains(&column) {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{column}: {error}: {text}"))
    } else {
        json!(text)
    }
}

/// Doubles as JSON, also those that JSON has no numbers for.
pub(super) fn double_value(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// The given columns of every row; null where a row has none.
pub(super) fn picked(batch: &RecordBatch, columns: &[&str]) -> Value {
    let rows = rows_of(batch).into_iter().map(|row| {
        let values = columns.iter().map(|name| row.get(*name).cloned().unwrap_or(Value::Null));
        Value::Array(values.collect())
    });
    Value::Array(rows.collect())
}
