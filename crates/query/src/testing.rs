//! Tables in memory with a few fixed rows, for the tests of this crate and of those above it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use model::{Table, Tenant};
use serde_json::{Value, json};
use stdx::clock::UnixNanos;

use crate::{REST_KEYS, REST_MORE, Tables};

/// Tables in memory, one set of rows for every tenant whose name stands in the rows.
#[derive(Debug, Default)]
pub struct MemoryTables {
    tables: BTreeMap<&'static str, (SchemaRef, Vec<RecordBatch>)>,
}

impl MemoryTables {
    /// No tables.
    #[must_use]
    pub fn new() -> MemoryTables {
        MemoryTables::default()
    }

    /// With a table of rows given as JSON objects by column name. Columns are the fixed ones of the
    /// table and `extra`; a time is nanoseconds under `time`.
    #[must_use]
    pub fn with(mut self, table: Table, extra: &[(&str, DataType)], rows: &[Value]) -> Self {
        let mut fields: Vec<Field> = table.columns().iter().map(model::Column::field).collect();
        fields.extend(extra.iter().map(|(name, t)| Field::new(*name, t.clone(), true)));
        let schema = Arc::new(Schema::new(fields));
        let batch = batch(&schema, rows);
        self.tables.insert(table.as_str(), (schema, vec![batch]));
        self
    }

    /// Says in a table's metadata what is in `rest`.
    #[must_use]
    pub fn with_rest(mut self, table: Table, keys: &Value, more: bool) -> Self {
        if let Some((schema, batches)) = self.tables.get_mut(table.as_str()) {
            let metadata = HashMap::from([
                (REST_KEYS.to_owned(), keys.to_string()),
                (REST_MORE.to_owned(), more.to_string()),
            ]);
            *schema = Arc::new(schema.as_ref().clone().with_metadata(metadata));
            for batch in batches {
                *batch = RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
                    .expect("the same columns");
            }
        }
        self
    }

    /// The rows of a table.
    #[must_use]
    pub fn batches(&self, table: Table) -> Vec<RecordBatch> {
        self.tables.get(table.as_str()).map(|(_, batches)| batches.clone()).unwrap_or_default()
    }
}

impl Tables for MemoryTables {
    fn names(&self) -> Vec<&'static str> {
        self.tables.keys().copied().collect()
    }

    fn table(&self, name: &str, tenant: &Tenant) -> Option<Arc<dyn TableProvider>> {
        let (schema, batches) = self.tables.get(name)?;
        let batches = batches.iter().map(|batch| of_tenant(batch, tenant)).collect();
        provider(schema, batches)
    }

    fn over(&self, name: &str, batches: Vec<RecordBatch>) -> Option<Arc<dyn TableProvider>> {
        let (schema, _) = self.tables.get(name)?;
        provider(schema, batches)
    }
}

fn provider(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Option<Arc<dyn TableProvider>> {
    let table = MemTable::try_new(Arc::clone(schema), vec![batches]).ok()?;
    Some(Arc::new(table))
}

fn of_tenant(batch: &RecordBatch, tenant: &Tenant) -> RecordBatch {
    let tenants = batch.column_by_name("tenant").expect("every table has it");
    let tenants = arrow::array::AsArray::as_string_view(tenants.as_ref());
    let mine: BooleanArray =
        tenants.iter().map(|name| Some(name == Some(tenant.as_str()))).collect();
    arrow::compute::filter_record_batch(batch, &mine).expect("lengths agree")
}

/// Rows given as JSON objects, as a batch.
#[must_use]
pub fn batch(schema: &SchemaRef, rows: &[Value]) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| column(field, rows)).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).expect("columns fit the schema")
}

fn column(field: &Field, rows: &[Value]) -> ArrayRef {
    let name = field.name().as_str();
    let values: Vec<Value> = rows.iter().map(|row| value(name, row)).collect();
    match field.data_type() {
        DataType::Utf8View => {
            Arc::new(values.iter().map(Value::as_str).collect::<StringViewArray>())
        }
        DataType::Int64 => Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>()),
        DataType::Int16 => Arc::new(
            values
                .iter()
                .map(|v| v.as_i64().and_then(|v| i16::try_from(v).ok()))
                .collect::<Int16Array>(),
        ),
        DataType::Float64 => Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Timestamp(..) => {
            let micros = values.iter().map(|v| v.as_i64().map(|ns| ns.div_euclid(1_000)));
            Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        other => new_null_array(other, rows.len()),
    }
}

/// A row's value; what must be there and is not has a default.
fn value(name: &str, row: &Value) -> Value {
    let time = row.get("time").and_then(Value::as_i64).unwrap_or_default();
    match name {
        "time_ns" | "observed_time_ns" => json!(time.rem_euclid(1_000)),
        "observed_time" => row.get(name).cloned().unwrap_or(json!(time)),
        "tenant" => row.get(name).cloned().unwrap_or(json!("default")),
        "status" => row.get(name).cloned().unwrap_or(json!("unset")),
        "kind" => row.get(name).cloned().unwrap_or(json!("internal")),
        "duration_ns" => row.get(name).cloned().unwrap_or(json!(0)),
        _ => row.get(name).cloned().unwrap_or(Value::Null),
    }
}

/// 2026-11-21T03:00:00Z: when the fixed rows begin.
pub const START: UnixNanos = 1_795_230_000_000_000_000;

/// A small set of spans and logs: two traces over two services, attributes of several types, one
/// key with two types, one key in `rest`.
#[must_use]
pub fn example() -> MemoryTables {
    let int = DataType::Int64;
    let text = DataType::Utf8View;
    let ms = 1_000_000;
    MemoryTables::new()
        .with(
            Table::Spans,
            &[
                ("attributes.http.status_code", int.clone()),
                ("attributes.http.status_code#string", text.clone()),
                ("attributes.amount", DataType::Float64),
                ("attributes.amount#int", int.clone()),
                ("attributes.user.id", text.clone()),
                ("resource.host.name", text.clone()),
            ],
            &[
                json!({"time": START, "duration_ns": 120 * ms, "service": "fraud-api", "environment": "prod",
                    "trace_id": "a".repeat(32), "span_id": "a1".repeat(8), "name": "POST /predict", "kind": "server", "status": "ok",
                    "attributes.http.status_code": 200, "attributes.amount": 12.5, "attributes.user.id": "u1", "resource.host.name": "h1"}),
                json!({"time": START + 10 * ms + 5, "duration_ns": 80 * ms, "service": "features", "environment": "prod",
                    "trace_id": "a".repeat(32), "span_id": "a2".repeat(8), "parent_span_id": "a1".repeat(8), "name": "GET features", "kind": "server",
                    "rest": "{\"attributes.retries\":3}", "resource.host.name": "h2",
                    "events": "[{\"time_unix_nano\":\"1795230000020000000\",\"name\":\"cache.miss\",\"attributes\":{\"key\":\"u1\"}}]"}),
                json!({"time": START + 60_000 * ms, "duration_ns": 900 * ms, "service": "fraud-api", "environment": "prod",
                    "trace_id": "b".repeat(32), "span_id": "b1".repeat(8), "name": "POST /predict", "kind": "server", "status": "error", "status_message": "model failed",
                    "attributes.http.status_code#string": "500", "attributes.amount#int": 7, "attributes.user.id": "u2", "resource.host.name": "h1"}),
                json!({"time": START + 60_010 * ms, "duration_ns": ms, "service": "fraud-api", "environment": "prod",
                    "trace_id": "b".repeat(32), "span_id": "b2".repeat(8), "parent_span_id": "b1".repeat(8), "name": "score", "kind": "internal", "status": "error",
                    "rest": "{\"attributes.retries\":5,\"attributes.note\":\"slow\"}"}),
                json!({"time": START, "service": "secret", "tenant": "other", "trace_id": "c".repeat(32), "span_id": "c1".repeat(8), "name": "hidden"}),
            ],
        )
        .with_rest(Table::Spans, &json!({"attributes.retries": "int", "attributes.note": "string"}), false)
        .with(
            Table::Logs,
            &[("attributes.logger", text.clone()), ("attributes.line", int), ("resource.host.name", text)],
            &[
                json!({"time": START + 1, "service": "fraud-api", "level": "info", "severity_number": 9, "severity_text": "INFO", "body": "request received user=u1",
                    "trace_id": "a".repeat(32), "span_id": "a1".repeat(8), "attributes.logger": "api", "attributes.line": 10, "resource.host.name": "h1"}),
                json!({"time": START + 2 * ms, "service": "fraud-api", "level": "info", "severity_number": 9, "severity_text": "INFO", "body": "Timeout while asking features",
                    "trace_id": "a".repeat(32), "span_id": "a1".repeat(8), "attributes.logger": "client", "attributes.line": 20}),
                json!({"time": START + 2 * ms, "service": "fraud-api", "level": "warn", "severity_number": 13, "severity_text": "WARNING", "body": "retrying features",
                    "attributes.logger": "client", "attributes.line": 21}),
                json!({"time": START + 60_500 * ms, "service": "fraud-api", "level": "error", "severity_number": 17, "severity_text": "ERROR", "body": "model failed: timeout",
                    "trace_id": "b".repeat(32), "span_id": "b2".repeat(8), "attributes.logger": "model", "rest": "{\"attributes.deep\":{\"a\":1}}"}),
                json!({"time": START + 61_000 * ms, "service": "features", "body": "{\"a\":1}", "body_type": "json"}),
                json!({"time": START, "service": "secret", "tenant": "other", "level": "info", "body": "hidden"}),
            ],
        )
        .with_rest(Table::Logs, &json!({"attributes.deep": "json"}), false)
}
