//! Rows of the tables as the API's objects: fixed columns under their names, attribute columns
//! packed into `attributes`, `resource` and `scope`, what is in `rest` merged into these.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int16Type, Int64Type, Schema, TimestampMicrosecondType};
use model::{AttributeColumn, AttributeType, Scope};
use serde_json::{Map, Value};
use stdx::clock::UnixNanos;
use xxhash_rust::xxh3::xxh3_64;

use crate::Error;
use crate::json::{Column, write_display, write_text};
use crate::time;

/// Columns of the resource that are attributes of it under their own names.
const RESOURCE: [(&str, &str); 3] = [
    ("service", "service.name"),
    ("environment", "deployment.environment.name"),
    ("release", "service.version"),
];

/// A batch of rows with every column of its table.
pub(crate) struct Rows<'a> {
    batch: &'a RecordBatch,
    scopes: [Vec<Attribute>; 3],
    rest: Option<usize>,
}

/// An attribute's column.
struct Attribute {
    key: String,
    /// Its text is JSON.
    json: bool,
    index: usize,
    column: Column,
}

impl<'a> Rows<'a> {
    /// `table` is the schema of the table, which says which columns are JSON.
    pub(crate) fn new(batch: &'a RecordBatch, table: &Schema) -> Result<Rows<'a>, Error> {
        let json = table.metadata().get(query::JSON_COLUMNS);
        let json: HashSet<String> =
            json.and_then(|names| serde_json::from_str(names).ok()).unwrap_or_default();
        let mut scopes = [const { Vec::new() }; 3];
        for (index, field) in batch.schema_ref().fields().iter().enumerate() {
            let Some(attribute) = AttributeColumn::parse(field.name()) else { continue };
            let array = batch.column(index);
            if array.null_count() == array.len() {
                continue;
            }
            let scope: &mut Vec<Attribute> = &mut scopes[position(attribute.scope)];
            scope.push(Attribute {
                key: attribute.key,
                json: attribute.attribute_type == Some(AttributeType::Json)
                    || json.contains(field.name()),
                index,
                column: Column::new(array)?,
            });
        }
        let rest = batch.schema_ref().index_of("rest").ok();
        Ok(Rows { batch, scopes, rest })
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// A text column's value.
    pub(crate) fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        let array = self.batch.column_by_name(name)?;
        let array = array.as_string_view_opt()?;
        array.is_valid(row).then(|| array.value(row))
    }

    /// An integer column's value.
    pub(crate) fn int(&self, name: &str, row: usize) -> Option<i64> {
        let array = self.batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    /// The row's time, with the nanoseconds of their own column.
    pub(crate) fn time(&self, row: usize) -> UnixNanos {
        let micros = self
            .batch
            .column_by_name("time")
            .and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>())
            .map_or(0, |array| array.value(row));
        let nanos = self
            .batch
            .column_by_name("time_ns")
            .and_then(|array| array.as_primitive_opt::<Int16Type>())
            .map_or(0, |array| array.value(row));
        micros.saturating_mul(1_000).saturating_add(i64::from(nanos))
    }

    /// Writes `"name":value` for text columns.
    pub(crate) fn write_texts(&self, out: &mut Vec<u8>, names: &[&str], row: usize) {
        for name in names {
            write_name(out, name);
            match self.text(name, row) {
                Some(text) => write_text(out, text),
                None => out.extend_from_slice(b"null"),
            }
        }
    }

    /// Writes `"name":value` for an integer.
    pub(crate) fn write_int(&self, out: &mut Vec<u8>, name: &str, column: &str, row: usize) {
        write_name(out, name);
        match self.int(column, row) {
            Some(value) => write_display(out, value),
            None => out.extend_from_slice(b"null"),
        }
    }

    /// Writes `attributes`, `resource` and `scope`.
    pub(crate) fn write_attributes(&self, out: &mut Vec<u8>, row: usize) {
        let rest = self.rest(row);
        write_name(out, "attributes");
        self.write_scope(out, Scope::Attributes, &rest, row);
        write_name(out, "resource");
        self.write_scope(out, Scope::Resource, &rest, row);
        write_name(out, "scope");
        out.push(b'{');
        write_name(out, "name");
        write_option(out, self.text("scope_name", row));
        write_name(out, "version");
        write_option(out, self.text("scope_version", row));
        write_name(out, "attributes");
        self.write_scope(out, Scope::Scope, &rest, row);
        out.push(b'}');
    }

    fn write_scope(&self, out: &mut Vec<u8>, scope: Scope, rest: &Map<String, Value>, row: usize) {
        out.push(b'{');
        if scope == Scope::Resource {
            for (column, key) in RESOURCE {
                if let Some(text) = self.text(column, row) {
                    write_name(out, key);
                    write_text(out, text);
                }
            }
        }
        for attribute in &self.scopes[position(scope)] {
            let array = self.batch.column(attribute.index);
            if array.is_null(row) {
                continue;
            }
            write_name(out, &attribute.key);
            if attribute.json {
                write_json_text(out, array.as_string_view().value(row));
            } else {
                attribute.column.write(out, row);
            }
        }
        for (name, value) in rest {
            if let Some(key) = name.strip_prefix(scope.as_str()).and_then(|k| k.strip_prefix('.')) {
                write_name(out, key);
                write_value(out, value);
            }
        }
        out.push(b'}');
    }

    fn rest(&self, row: usize) -> Map<String, Value> {
        let text = self.rest.and_then(|index| {
            let array = self.batch.column(index).as_string_view_opt()?;
            array.is_valid(row).then(|| array.value(row))
        });
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Writes a log record.
    pub(crate) fn write_log(&self, out: &mut Vec<u8>, row: usize) {
        let time = self.time(row);
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(self.id(row).as_bytes());
        out.push(b'"');
        write_name(out, "time");
        write_text(out, &time::format(time));
        write_name(out, "time_unix_ns");
        write_text(out, &time.to_string());
        self.write_texts(
            out,
            &[
                "level",
                "severity_text",
                "service",
                "environment",
                "release",
                "body",
                "body_type",
                "trace_id",
                "span_id",
                "request_id",
                "event_name",
            ],
            row,
        );
        self.write_attributes(out, row);
        out.push(b'}');
    }

    /// A name for a log record that stays: its time and a hash of what tells it from others.
    fn id(&self, row: usize) -> String {
        let mut bytes = Vec::with_capacity(256);
        for name in ["service", "trace_id", "span_id", "level", "body", "rest"] {
            bytes.extend_from_slice(self.text(name, row).unwrap_or_default().as_bytes());
            bytes.push(0);
        }
        // Only what the row has: which other columns a batch has must not matter.
        for attribute in self.scopes.iter().flatten() {
            if self.batch.column(attribute.index).is_valid(row) {
                write_text(&mut bytes, &attribute.key);
                attribute.column.write(&mut bytes, row);
            }
        }
        format!("{}-{:016x}", self.time(row), xxh3_64(&bytes))
    }

    /// Writes a span; times are counted from `start`.
    pub(crate) fn write_span(&self, out: &mut Vec<u8>, row: usize, start: UnixNanos) {
        out.push(b'{');
        self.write_texts(
            out,
            &["span_id", "parent_span_id", "name", "service", "kind", "status", "status_message"],
            row,
        );
        write_name(out, "offset_ns");
        write_display(out, self.time(row).saturating_sub(start));
        self.write_int(out, "duration_ns", "duration_ns", row);
        self.write_attributes(out, row);
        write_name(out, "events");
        write_value(out, &self.events(row, start));
        write_name(out, "links");
        write_value(out, &self.array("links", row));
        self.write_texts(out, &["trace_state", "request_id", "user_id", "model_version"], row);
        self.write_int(out, "flags", "flags", row);
        write_name(out, "dropped");
        out.push(b'{');
        self.write_int(out, "attributes", "dropped_attributes", row);
        self.write_int(out, "events", "dropped_events", row);
        self.write_int(out, "links", "dropped_links", row);
        out.extend_from_slice(b"}}");
    }

    fn array(&self, column: &str, row: usize) -> Value {
        let parsed = self.text(column, row).and_then(|text| serde_json::from_str(text).ok());
        parsed.filter(Value::is_array).unwrap_or_else(|| Value::Array(Vec::new()))
    }

    /// Events with their time as an offset.
    fn events(&self, row: usize, start: UnixNanos) -> Value {
        let mut events = self.array("events", row);
        for event in events.as_array_mut().into_iter().flatten() {
            let Some(event) = event.as_object_mut() else { continue };
            let time = event.shift_remove("time_unix_nano");
            let time = match &time {
                Some(Value::String(text)) => text.parse().ok(),
                Some(value) => value.as_i64(),
                None => None,
            };
            let offset = time.unwrap_or(start).saturating_sub(start);
            event.shift_insert(0, "offset_ns".to_owned(), Value::from(offset));
            event.entry("attributes").or_insert_with(|| Value::Object(Map::new()));
        }
        events
    }
}

fn position(scope: Scope) -> usize {
    match scope {
        Scope::Attributes => 0,
        Scope::Resource => 1,
        Scope::Scope => 2,
    }
}

/// Writes `"name":`, with a comma before it where one belongs.
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str) {
    if out.last().is_some_and(|last| *last != b'{') {
        out.push(b',');
    }
    write_text(out, name);
    out.push(b':');
}

fn write_option(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => write_text(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// Writes a text that should be JSON; one that is not, as a text.
fn write_json_text(out: &mut Vec<u8>, text: &str) {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => write_value(out, &value),
        Err(_) => write_text(out, text),
    }
}

/// Writes a value out of `rest`; bytes are the base64 that they already are.
fn write_value(out: &mut Vec<u8>, value: &Value) {
    let bytes = value
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.get("$bytes"))
        .and_then(Value::as_str);
    match bytes {
        Some(text) => write_text(out, text),
        None => write_display(out, value),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};
    use query::testing::batch;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_of_json_are_json_again_and_other_texts_stay_texts() {
        let text = |name| Field::new(name, DataType::Utf8View, true);
        let fields = vec![text("attributes.tags"), text("attributes.note"), text("scope.x#json")];
        let metadata =
            HashMap::from([(query::JSON_COLUMNS.to_owned(), r#"["attributes.tags"]"#.to_owned())]);
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let row = json!({
            "attributes.tags": "[1,{\"a\":2}]",
            "attributes.note": "[1]",
            "scope.x#json": "null",
        });
        let batch = batch(&schema, &[row]);
        let rows = Rows::new(&batch, &schema).expect("types that can be written");
        let mut out = vec![b'{'];
        rows.write_attributes(&mut out, 0);
        out.push(b'}');
        let written: Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(written["attributes"], json!({"tags": [1, {"a": 2}], "note": "[1]"}));
        assert_eq!(written["scope"]["attributes"], json!({"x": null}));
    }
}
