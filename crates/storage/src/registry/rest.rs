//! The column `rest`: attributes without a column of their own, as one JSON object a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringViewArray, builder::StringViewBuilder};
use arrow_schema::ArrowError;
use model::{AttributeColumn, AttributeType};
use serde_json::{Map, Value};

/// The column `rest` of a batch with the columns `folded` added to what is there in `rest`.
pub(super) fn fold(
    batch: &RecordBatch,
    rest: Option<usize>,
    folded: &[usize],
) -> Result<ArrayRef, ArrowError> {
    let before = rest.map(|index| batch.column(index).as_string_view());
    let columns = folded
        .iter()
        .map(|&index| Folded::new(batch, index))
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let mut builder = StringViewBuilder::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        match fold_row(before, &columns, row) {
            Some(json) => builder.append_value(json),
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The keys in a batch's `rest` that are not `known`, with the types that their values look like.
pub(super) fn keys(
    batch: &RecordBatch,
    known: &BTreeMap<String, AttributeType>,
) -> Vec<(String, AttributeType)> {
    let Some(rest) = batch.column_by_name(super::REST) else { return Vec::new() };
    let mut keys = BTreeMap::new();
    for json in rest.as_string_view().iter().flatten() {
        let Ok(object) = serde_json::from_str::<Map<String, Value>>(json) else { continue };
        for (key, value) in object {
            if !known.contains_key(&key) && AttributeColumn::parse(&key).is_some() {
                keys.entry(key).or_insert_with(|| type_of(&value));
            }
        }
    }
    keys.into_iter().collect()
}

fn type_of(value: &Value) -> AttributeType {
    match value {
        Value::String(_) => AttributeType::String,
        Value::Bool(_) => AttributeType::Bool,
        Value::Number(number) if number.is_i64() => AttributeType::Int,
        Value::Number(_) => AttributeType::Double,
        Value::Object(object) if object.contains_key("$bytes") => AttributeType::Bytes,
        Value::Null | Value::Array(_) | Value::Object(_) => AttributeType::Json,
    }
}

fn fold_row(
    before: Option<&StringViewArray>,
    columns: &[Folded<'_>],
    row: usize,
) -> Option<String> {
    let before = before.filter(|b| b.is_valid(row)).map(|b| b.value(row));
    if columns.iter().all(|c| c.array.is_null(row)) {
        return before.map(str::to_owned);
    }
    let mut object = match before.map(serde_json::from_str) {
        Some(Ok(Value::Object(object))) => object,
        _ => Map::new(),
    };
    for column in columns.iter().filter(|c| c.array.is_valid(row)) {
        object.insert(column.name.clone(), column.value(row));
    }
    Some(Value::Object(object).to_string())
}

struct Folded<'a> {
    name: String,
    attribute_type: AttributeType,
    array: &'a ArrayRef,
}

impl<'a> Folded<'a> {
    fn new(batch: &'a RecordBatch, index: usize) -> Result<Folded<'a>, ArrowError> {
        let schema = batch.schema_ref();
        let name = schema.field(index).name();
        let column = AttributeColumn::parse(name);
        let Some((column, attribute_type)) = column.and_then(|c| {
            let attribute_type = c.attribute_type?;
            Some((c, attribute_type))
        }) else {
            return Err(ArrowError::SchemaError(format!("column {name:?} has no type suffix")));
        };
        let array = batch.column(index);
        if *array.data_type() != attribute_type.data_type() {
            let found = array.data_type();
            return Err(ArrowError::SchemaError(format!("column {name:?} holds {found}")));
        }
        let name = AttributeColumn::plain_name(column.scope, &column.key);
        Ok(Folded { name, attribute_type, array })
    }

    fn value(&self, row: usize) -> Value {
        match self.attribute_type {
            AttributeType::String => self.array.as_string_view().value(row).into(),
            AttributeType::Int => self.array.as_primitive::<Int64Type>().value(row).into(),
            AttributeType::Double => double(self.array.as_primitive::<Float64Type>().value(row)),
            AttributeType::Bool => self.array.as_boolean().value(row).into(),
            AttributeType::Json => {
                let text = self.array.as_string_view().value(row);
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            AttributeType::Bytes => {
                let encoded = base64(self.array.as_binary_view().value(row));
                serde_json::json!({ "$bytes": encoded })
            }
        }
    }
}

/// JSON has no number for these three; they are written as OTLP's JSON does.
fn double(value: f64) -> Value {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    value.into()
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| group << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = group >> (18 - 6 * digit) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
