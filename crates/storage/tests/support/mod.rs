//! Rows by hand, a decoder for them, a disk and an object store that fail.

pub(crate) mod disk;
pub(crate) mod objects;
pub(crate) mod s3;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use datafusion::prelude::SessionContext;
use model::{AttributeColumn, AttributeType, ColumnType, Scope, Table, Tenant};
use stdx::clock::{Clock, UnixNanos};
use stdx::memory::Budget;
use storage::{Append, AppendError, Decode, Location, Options, Store};

/// Noon of a day, in microseconds.
pub(crate) const NOON_US: i64 = 1_795_262_400_000_000;
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// An attribute's value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Value {
    fn attribute_type(&self) -> AttributeType {
        match self {
            Value::Text(_) => AttributeType::String,
            Value::Int(_) => AttributeType::Int,
            Value::Double(_) => AttributeType::Double,
            Value::Bool(_) => AttributeType::Bool,
        }
    }
}

/// A log line.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) tenant: &'static str,
    pub(crate) service: &'static str,
    pub(crate) time_us: i64,
    pub(crate) attributes: Vec<(String, Value)>,
}

/// A line with nothing special about it.
pub(crate) fn row(id: impl ToString) -> Row {
    Row {
        id: id.to_string(),
        tenant: "default",
        service: "api",
        time_us: NOON_US,
        attributes: Vec::new(),
    }
}

impl Row {
    pub(crate) fn with(mut self, key: impl ToString, value: Value) -> Row {
        self.attributes.push((key.to_string(), value));
        self
    }
}

/// The rows as a decoder makes them.
pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in Table::Logs.columns() {
        fields.push(column.field());
        arrays.push(fixed(column.name, column.column_type, rows));
    }
    let mut names: Vec<(String, String, AttributeType)> = Vec::new();
    for (key, value) in rows.iter().flat_map(|row| &row.attributes) {
        let attribute_type = value.attribute_type();
        let name = AttributeColumn::typed_name(Scope::Attributes, key, attribute_type);
        if !names.iter().any(|(known, _, _)| *known == name) {
            names.push((name, key.clone(), attribute_type));
        }
    }
    for (name, key, attribute_type) in names {
        fields.push(Field::new(name, attribute_type.data_type(), true));
        arrays.push(attribute(&key, attribute_type, rows));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns fit")
}

fn fixed(name: &str, column_type: ColumnType, rows: &[Row]) -> ArrayRef {
    match (name, column_type) {
        ("tenant", _) => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.tenant))),
        ("service", _) => {
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| r.service)))
        }
        ("body", _) => Arc::new(StringViewArray::from_iter_values(rows.iter().map(|r| &r.id))),
        (_, ColumnType::Timestamp) => {
            let times = rows.iter().map(|r| r.time_us);
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
        }
        (_, ColumnType::Short) => Arc::new(Int16Array::from(vec![0; rows.len()])),
        (_, ColumnType::Int) => Arc::new(Int64Array::from(vec![None; rows.len()])),
        (_, ColumnType::Text) => Arc::new(StringViewArray::from(vec![None::<&str>; rows.len()])),
    }
}

fn attribute(key: &str, attribute_type: AttributeType, rows: &[Row]) -> ArrayRef {
    let values = rows.iter().map(|row| {
        let found =
            row.attributes.iter().find(|(k, v)| k == key && v.attribute_type() == attribute_type);
        found.map(|(_, value)| value.clone())
    });
    match attribute_type {
        AttributeType::Int => Arc::new(Int64Array::from_iter(values.map(|v| match v {
            Some(Value::Int(int)) => Some(int),
            _ => None,
        }))),
        AttributeType::Double => Arc::new(Float64Array::from_iter(values.map(|v| match v {
            Some(Value::Double(double)) => Some(double),
            _ => None,
        }))),
        AttributeType::Bool => Arc::new(BooleanArray::from_iter(values.map(|v| match v {
            Some(Value::Bool(bool)) => Some(bool),
            _ => None,
        }))),
        _ => Arc::new(StringViewArray::from_iter(values.map(|v| match v {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }))),
    }
}

/// Bodies are Arrow's stream format.
#[derive(Debug)]
pub(crate) struct Ipc;

pub(crate) fn encode(batch: &RecordBatch) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).expect("a stream");
    writer.write(batch).expect("in memory");
    Bytes::from(writer.into_inner().expect("in memory"))
}

impl Decode for Ipc {
    fn decode(&self, _: u8, _: &Tenant, _: UnixNanos, body: &Bytes) -> Result<RecordBatch, String> {
        let mut reader = StreamReader::try_new(body.as_ref(), None).map_err(|e| e.to_string())?;
        reader.next().ok_or("no batch")?.map_err(|e| e.to_string())
    }
}

/// Options for a test: nothing runs by itself, failures are tried again at once.
pub(crate) fn options(dir: &tempfile::TempDir) -> Options {
    let mut options = Options::new(dir.path());
    options.background = false;
    options.wal.retry_after = Duration::ZERO;
    options
}

pub(crate) fn clock() -> Clock {
    Clock::manual(NOON_US * 1_000)
}

pub(crate) async fn open(options: &Options) -> Store {
    Store::open(options.clone(), Arc::new(Ipc), clock()).await.expect("store opens")
}

pub(crate) async fn append(store: &Store, rows: &[Row]) -> Result<(), AppendError> {
    let batch = batch(rows);
    let memory = Budget::new("test", usize::MAX).force(0);
    let append = Append {
        table: Table::Logs,
        format: 2,
        tenant: Tenant::default_tenant(),
        received_at: NOON_US * 1_000,
        body: encode(&batch),
        batch,
        memory,
    };
    store.append(append).await
}

/// The answer to a question about the table `logs`, as lines of text.
pub(crate) async fn sql(store: &Store, sql: &str) -> Vec<String> {
    sql_as(store, "default", sql).await
}

pub(crate) async fn sql_as(store: &Store, tenant: &str, sql: &str) -> Vec<String> {
    let tenant = Tenant::parse(tenant).expect("a tenant");
    let ctx = SessionContext::new();
    ctx.register_table("logs", store.snapshot(Table::Logs, &tenant)).expect("registers");
    let batches = ctx.sql(sql).await.expect("plans").collect().await.expect("runs");
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                arrow::util::display::array_value_to_string(column, row).expect("displays")
            });
            lines.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    lines
}

/// How often each line is there.
pub(crate) async fn ids(store: &Store) -> BTreeMap<String, i64> {
    let ctx = SessionContext::new();
    let snapshot = store.snapshot(Table::Logs, &Tenant::default_tenant());
    ctx.register_table("logs", snapshot).expect("registers");
    let sql = "SELECT body, count(*) FROM logs GROUP BY body";
    let batches = ctx.sql(sql).await.expect("plans").collect().await.expect("runs");
    let mut ids = BTreeMap::new();
    for batch in batches {
        let counts = batch.column(1).as_primitive::<Int64Type>();
        for (id, count) in batch.column(0).as_string_view().iter().zip(counts.iter()) {
            ids.insert(id.expect("has a body").to_owned(), count.expect("a count"));
        }
    }
    ids
}

pub(crate) async fn assert_rows(store: &Store, expected: impl IntoIterator<Item = impl ToString>) {
    let expected: BTreeMap<String, i64> =
        expected.into_iter().map(|id| (id.to_string(), 1)).collect();
    assert_eq!(ids(store).await, expected);
}

/// Puts the tables into a store of the test's own.
pub(crate) fn in_store(mut options: Options, store: Arc<dyn object_store::ObjectStore>) -> Options {
    let url = url::Url::parse("memory:///tables").expect("a URL");
    options.location = Location::Store { object_store: store, url };
    options
}

/// Waits for something that a background job does.
pub(crate) async fn wait_until(condition: impl Fn() -> bool) {
    let deadline = stdx::clock::Stopwatch::start();
    while !condition() {
        assert!(deadline.elapsed() < Duration::from_secs(30), "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Opens the store again after it was dropped; its threads may need a moment to end.
pub(crate) async fn reopen(options: &Options, clock: Clock) -> Store {
    let deadline = stdx::clock::Stopwatch::start();
    loop {
        match Store::open(options.clone(), Arc::new(Ipc), clock.clone()).await {
            Ok(store) => return store,
            Err(storage::Error::Locked { .. }) if deadline.elapsed() < Duration::from_secs(30) => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("store does not open: {error:?}"),
        }
    }
}
