//! Questions whose answers may not depend on where the rows are.

#![expect(clippy::cast_possible_truncation, reason = "numbers in tests are small")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringViewBuilder};
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{
    Array, ArrayRef, Int16Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use model::token::Words;
use model::{AttributeType, Scope, Table, Tenant};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use super::*;
use crate::file::{self, WriteOptions};
use crate::registry::Registry;

/// A small generator of numbers, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// How many rows of what kind.
struct Sample {
    rows: usize,
    tenants: u64,
}

const START_US: i64 = 1_700_000_000_000_000;

/// Rows as a decoder makes them: attribute columns with their types in the names.
fn sample(random: &mut Random, Sample { rows, tenants }: Sample) -> RecordBatch {
    let mut columns: HashMap<&str, ArrayRef> = HashMap::new();
    let mut text = |name, value: &mut dyn FnMut(&mut Random) -> Option<String>| {
        let mut builder = StringViewBuilder::new();
        for _ in 0..rows {
            builder.append_option(value(random));
        }
        let column: ArrayRef = Arc::new(builder.finish());
        columns.insert(name, column);
    };
    text("tenant", &mut |r| Some(format!("t{}", r.next(tenants))));
    text("service", &mut |r| (r.next(10) > 0).then(|| format!("service-{}", r.next(3))));
    text("trace_id", &mut |r| (r.next(5) > 0).then(|| format!("{:032x}", r.next(300) * 7_919)));
    text("level", &mut |r| Some(["info", "warn", "error"][r.next(3) as usize].to_owned()));
    text("body", &mut |r| {
        let verb = ["read", "wrote", "Dropped", "GRÜSSTE"][r.next(4) as usize];
        (r.next(20) > 0).then(|| format!("user {} {verb} id={:08x}.", r.next(50), r.next(2_000)))
    });
    text("attributes.url#string", &mut |r| {
        (r.next(3) > 0).then(|| format!("/api/v{}/item?id={}", r.next(3), r.next(400)))
    });
    // An attribute and its copy, which share their values in files.
    let ids =
        (0..rows).map(|_| (random.next(4) > 0).then(|| format!("r-{:05}", random.next(99_999))));
    let ids: ArrayRef = Arc::new(ids.collect::<StringViewArray>());
    columns.insert("request_id", Arc::clone(&ids));
    columns.insert("attributes.request.id#string", ids);
    let times = (0..rows).map(|_| START_US + random.next(3_600_000_000) as i64);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    columns.insert("observed_time", Arc::new(times.clone()));
    columns.insert("time", Arc::new(times));
    let nanos: ArrayRef =
        Arc::new((0..rows).map(|_| Some(random.next(1_000) as i16)).collect::<Int16Array>());
    columns.insert("time_ns", Arc::clone(&nanos));
    columns.insert("observed_time_ns", nanos);
    let mut status = Int64Builder::new();
    for _ in 0..rows {
        status.append_option((random.next(4) > 0).then(|| 200 + 100 * random.next(4) as i64));
    }
    columns.insert("attributes.status#int", Arc::new(status.finish()));
    batch(columns, rows)
}

fn batch(mut columns: HashMap<&str, ArrayRef>, rows: usize) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in Table::Logs.columns() {
        let field = column.field();
        let null = || arrow_array::new_null_array(field.data_type(), rows);
        arrays.push(columns.remove(column.name).unwrap_or_else(null));
        fields.push(field);
    }
    let mut rest: Vec<_> = columns.into_iter().collect();
    rest.sort_by_key(|(name, _)| *name);
    for (name, column) in rest {
        fields.push(Field::new(name, column.data_type().clone(), true));
        arrays.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("rows fit the schema")
}

fn registry() -> Arc<Registry> {
    let mut registry = Registry::new(Table::Logs);
    assert!(registry.register(Scope::Attributes, "url", AttributeType::String));
    assert!(registry.register(Scope::Attributes, "status", AttributeType::Int));
    assert!(registry.register(Scope::Attributes, "request.id", AttributeType::String));
    assert!(registry.register(Scope::Attributes, "late", AttributeType::String));
    Arc::new(registry)
}

/// A table in memory to which files and buffers are added.
struct Fixture {
    registry: Arc<Registry>,
    object_store: Arc<dyn ObjectStore>,
    files: Vec<Arc<FileEntry>>,
    buffers: Vec<RecordBatch>,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            registry: registry(),
            object_store: Arc::new(InMemory::new()),
            files: Vec::new(),
            buffers: Vec::new(),
        }
    }

    async fn add_file(&mut self, rows: &RecordBatch) {
        let rows = self.registry.project(rows, &self.registry.physical_schema()).expect("rows");
        let rows = sorted(&rows);
        let path = Path::from(format!("date=2026-11-21/part-{}.parquet", self.files.len()));
        let options = WriteOptions { row_group_rows: 200, granule_rows: 50, part_bytes: 1 << 20 };
        let store = Arc::clone(&self.object_store);
        let entry = file::write(Table::Logs, store, path, vec![rows], options).await;
        self.files.push(Arc::new(entry.expect("written")));
    }

    fn snapshot(&self, tenant: &str) -> Snapshot {
        Snapshot {
            table: Table::Logs,
            tenant: Tenant::parse(tenant).expect("a tenant"),
            schema: self.registry.logical_schema(),
            registry: Arc::clone(&self.registry),
            buffers: self.buffers.clone(),
            memory: Vec::new(),
            files: Arc::new(self.files.clone()),
            object_store: Arc::clone(&self.object_store),
            table_url: Url::parse("memory:///logs").expect("a URL"),
            cache: ReadCache::new(1 << 20),
        }
    }

    fn context(&self, tenant: &str) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        context.register_udf(match_text());
        context.register_table("logs", Arc::new(self.snapshot(tenant))).expect("registered");
        context
    }

    async fn ask(&self, tenant: &str, sql: &str) -> String {
        let frame = self.context(tenant).sql(sql).await.expect(sql);
        let batches = frame.collect().await.expect(sql);
        pretty_format_batches(&batches).expect("a table").to_string()
    }
}

/// Of an analysed plan.
fn files_left_out(plan: &str) -> usize {
    let (_, metric) = plan.split_once("files_ranges_pruned_statistics=").expect("the metric");
    let mut numbers = metric.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    let mut next = || numbers.next().expect("a number").parse::<usize>().expect("small");
    let total = next();
    total - next()
}

/// The rows, that many hours later.
fn later(rows: &RecordBatch, hours: i64) -> RecordBatch {
    let index = rows.schema().index_of("time").expect("there");
    let times = rows.column(index).as_primitive::<TimestampMicrosecondType>();
    let times: TimestampMicrosecondArray = times.unary(|us| us + hours * 3_600_000_000);
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(times.with_timezone("UTC"));
    RecordBatch::try_new(rows.schema(), columns).expect("the same types")
}

fn match_text() -> datafusion::logical_expr::ScalarUDF {
    use arrow_schema::DataType::{Boolean, Utf8View};
    let run = |args: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let (texts, queries) = (arrays[0].as_string_view(), arrays[1].as_string_view());
        let matches = texts.iter().zip(queries).map(|(text, query)| {
            text.zip(query).map(|(text, query)| Words::new(query).are_in(text))
        });
        Ok(ColumnarValue::Array(Arc::new(matches.collect::<arrow_array::BooleanArray>())))
    };
    let types = vec![Utf8View, Utf8View];
    create_udf("match_text", types, Boolean, Volatility::Immutable, Arc::new(run))
}

fn sorted(rows: &RecordBatch) -> RecordBatch {
    let columns: Vec<_> = file::SORT_COLUMNS
        .iter()
        .map(|name| arrow::compute::SortColumn {
            values: Arc::clone(rows.column_by_name(name).expect("a column of the order")),
            options: Some(SortOptions { descending: false, nulls_first: true }),
        })
        .collect();
    let order = arrow::compute::lexsort_to_indices(&columns, None).expect("an order");
    arrow::compute::take_record_batch(rows, &order).expect("rows")
}

/// The same rows in memory, in files, and in both.
async fn everywhere(seed: u64) -> [Fixture; 3] {
    let mut random = Random(seed);
    let (mut memory, mut files, mut both) = (Fixture::new(), Fixture::new(), Fixture::new());
    for n in 0..6 {
        // The first files have one tenant each, the others two.
        let tenants = if n < 2 { 1 } else { 2 };
        let rows = 100 + random.next(900) as usize;
        let rows = sample(&mut random, Sample { rows, tenants });
        files.add_file(&rows).await;
        if n % 2 == 0 {
            both.add_file(&rows).await;
        } else {
            both.buffers.push(rows.clone());
        }
        memory.buffers.push(rows);
    }
    [memory, files, both]
}

fn filters(random: &mut Random) -> Vec<String> {
    let id = random.next(2_000);
    let late = START_US / 1_000_000 + random.next(3_600) as i64;
    vec![
        format!("body LIKE '%id={id:08x}.%'"),
        format!("body ILIKE '%ID={id:08X}.%'"),
        format!("body LIKE '%{:x}%'", random.next(256)),
        format!("match_text(body, '{} dropped')", random.next(50)),
        "match_text(body, 'grÜsste')".to_owned(),
        format!("body ILIKE '% user {} %' OR body ILIKE 'user {} grüsste%'", id % 50, id % 50),
        format!("trace_id = '{:032x}'", random.next(400) * 7_919),
        format!(
            "trace_id IN ('{:032x}', '{:032x}')",
            random.next(400) * 7_919,
            random.next(400) * 7_919
        ),
        format!("\"attributes.url\" = '/api/v1/item?id={}'", random.next(400)),
        format!("\"attributes.url\" LIKE '/api/v_/item?id={}'", random.next(400)),
        format!("contains(\"attributes.url\", '/item?id={}')", random.next(40)),
        "\"attributes.url\" IS NULL".to_owned(),
        format!("\"attributes.request.id\" > 'r-{:05}'", 90_000 + random.next(9_999)),
        format!("request_id LIKE 'r-{:03}%' AND level = 'warn'", random.next(999)),
        "\"attributes.late\" = 'never'".to_owned(),
        "\"attributes.late\" IS NULL AND level = 'warn'".to_owned(),
        format!("time >= to_timestamp({late})"),
        format!("time < to_timestamp({late}) AND level = 'error'"),
        format!("time BETWEEN to_timestamp({late}) AND to_timestamp({})", late + 60),
        "service = 'service-1' AND \"attributes.status\" >= 400".to_owned(),
        "service IS NULL".to_owned(),
        format!("NOT (body LIKE '%id={id:08x}.%')"),
        format!("level = 'info' OR body = 'user 1 read id={id:08x}.'"),
        "tenant = 't1'".to_owned(),
        "false".to_owned(),
    ]
}

const COLUMNS: &str = "time, time_ns, service, trace_id, level, body, request_id, \
                       \"attributes.request.id\", \"attributes.url\", \"attributes.status\", \
                       \"attributes.late\", rest";
const ORDER: &str = "time, time_ns, service, trace_id, level, body, request_id, \
                     \"attributes.url\", \"attributes.status\"";

async fn agree([memory, files, both]: &[Fixture; 3], tenant: &str, sql: &str) {
    let expect = memory.ask(tenant, sql).await;
    for (place, fixture) in [("files", files), ("files and memory", both)] {
        let answer = fixture.ask(tenant, sql).await;
        assert!(answer == expect, "{sql}\nmemory:\n{expect}\n{place}:\n{answer}");
    }
}

#[tokio::test]
async fn answers_do_not_depend_on_where_rows_are() {
    for seed in [1, 2, 3] {
        let fixtures = everywhere(seed).await;
        let mut random = Random(seed + 100);
        for filter in filters(&mut random) {
            for tenant in ["t0", "t1"] {
                let rows = format!("SELECT {COLUMNS} FROM logs WHERE {filter} ORDER BY {ORDER}");
                agree(&fixtures, tenant, &rows).await;
            }
            let count = format!("SELECT count(*), count(trace_id) FROM logs WHERE {filter}");
            agree(&fixtures, "t0", &count).await;
        }
    }
}

#[tokio::test]
async fn totals_limits_and_orders_do_not_depend_on_where_rows_are() {
    let fixtures = everywhere(7).await;
    for sql in [
        "SELECT count(*) FROM logs",
        "SELECT min(time), max(time), count(*) FROM logs",
        "SELECT max(time) FROM logs WHERE level = 'error'",
        "SELECT count(*) FROM (SELECT 1 FROM logs LIMIT 7)",
        "SELECT count(*) FROM (SELECT body FROM logs LIMIT 1000)",
        "SELECT count(*) FROM (SELECT 1 FROM logs WHERE level = 'error' LIMIT 9)",
        "SELECT DISTINCT tenant FROM logs",
        "SELECT level, date_trunc('minute', time) AS m, count(*) FROM logs GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT time, body FROM logs ORDER BY time DESC, body LIMIT 20",
        "SELECT time, body FROM logs WHERE level = 'error' ORDER BY time DESC, body LIMIT 20",
        "SELECT time, body FROM logs ORDER BY time, body LIMIT 20",
        "SELECT time, body FROM logs WHERE body LIKE '%id=%' ORDER BY time DESC, body LIMIT 5 OFFSET 3",
        "SELECT sum(\"attributes.status\") FROM logs",
    ] {
        for tenant in ["t0", "t1", "nobody"] {
            agree(&fixtures, tenant, sql).await;
        }
    }
}

#[tokio::test]
async fn a_needle_leaves_all_but_its_granules_unread() {
    let mut fixture = Fixture::new();
    let mut random = Random(11);
    for _ in 0..3 {
        fixture.add_file(&sample(&mut random, Sample { rows: 1_000, tenants: 1 })).await;
    }
    let file = &fixture.files[1];
    let snapshot = fixture.snapshot("t0");
    let id = "SELECT arrow_cast(regexp_match(body, '[0-9a-f]{8}')[1], 'Utf8View') FROM logs \
              WHERE body IS NOT NULL LIMIT 1";
    let frame = fixture.context("t0").sql(id).await.expect("planned");
    let batches = frame.collect().await.expect("an id");
    let id = batches[0].column(0).as_string_view().value(0).to_owned();
    let filter =
        datafusion::prelude::col("body").like(datafusion::prelude::lit(format!("%id={id}.%")));
    let condition = Condition::of_filters(Table::Logs, &snapshot.schema, &[filter]);
    let access = snapshot.cache.prune(&snapshot.object_store, file, &condition).await;
    let granules = match access.expect("asked") {
        None => 0,
        Some(prune::Access::Some(plan)) => {
            plan.inner().iter().filter(|access| access.should_scan()).count()
        }
        Some(prune::Access::All) => 5,
    };
    assert!(granules < 5, "{granules} of 5 row groups are left");
}

#[tokio::test]
async fn latest_rows_are_found_without_opening_older_files() {
    let mut fixture = Fixture::new();
    let mut random = Random(5);
    for hour in 0..6 {
        let rows = sample(&mut random, Sample { rows: 1_000, tenants: 1 });
        fixture.add_file(&later(&rows, hour)).await;
    }
    let sql = "EXPLAIN ANALYZE SELECT body FROM logs ORDER BY time DESC LIMIT 5";
    for buffered in [false, true] {
        if buffered {
            fixture.buffers.push(sample(&mut random, Sample { rows: 10, tenants: 1 }));
        }
        let plan = fixture.ask("t0", sql).await;
        assert!(plan.contains("DynamicFilter"), "{plan}");
        assert!(plan.contains("reverse_row_groups=true"), "{plan}");
        let left_out = files_left_out(&plan);
        assert!(left_out >= 4, "{left_out} of 5 older files are left out\n{plan}");
    }
}

#[tokio::test]
async fn counts_come_from_statistics() {
    let mut fixture = Fixture::new();
    fixture.add_file(&sample(&mut Random(5), Sample { rows: 100, tenants: 1 })).await;
    fixture.buffers.push(sample(&mut Random(6), Sample { rows: 10, tenants: 1 }));
    let frame = fixture.context("t0").sql("SELECT count(*) FROM logs").await.expect("planned");
    let plan = frame.create_physical_plan().await.expect("planned");
    let plan = displayable(plan.as_ref()).indent(false).to_string();
    assert!(!plan.contains("DataSourceExec"), "{plan}");
}

#[tokio::test]
async fn merged_files_are_one_sorted_stream() {
    let mut fixture = Fixture::new();
    let mut random = Random(9);
    let mut expect = Vec::new();
    for _ in 0..4 {
        let rows = sample(&mut random, Sample { rows: 700, tenants: 3 });
        fixture.add_file(&rows).await;
        expect.push(rows);
    }
    let schema = fixture.registry.physical_schema();
    let rows: Vec<_> =
        expect.iter().map(|b| fixture.registry.project(b, &schema).expect("rows")).collect();
    let expect = sorted(&arrow::compute::concat_batches(&schema, &rows).expect("one batch"));
    let stream = merge_sorted(
        Arc::clone(&fixture.object_store),
        &ReadCache::new(0),
        Arc::clone(&schema),
        &fixture.files,
        &MergeOptions::default(),
    );
    let merged: Vec<RecordBatch> = stream.expect("a stream").try_collect().await.expect("rows");
    let merged = arrow::compute::concat_batches(&schema, &merged).expect("one batch");
    for name in file::SORT_COLUMNS {
        assert_eq!(merged.column_by_name(name), expect.column_by_name(name), "{name}");
    }
    assert_eq!(merged.num_rows(), expect.num_rows());
    assert_eq!(
        merged.column_by_name("body").map(Array::null_count),
        expect.column_by_name("body").map(Array::null_count)
    );
}

#[tokio::test]
async fn the_cache_stays_under_its_limit_and_forgets_the_oldest() {
    let mut fixture = Fixture::new();
    for seed in 0..4 {
        fixture.add_file(&sample(&mut Random(seed), Sample { rows: 500, tenants: 1 })).await;
    }
    let measured = ReadCache::new(1 << 20);
    let read = async |cache: &ReadCache, file: usize| {
        let file = &fixture.files[file];
        cache.footer(&fixture.object_store, &file.path, file.size_bytes).await.expect("a footer")
    };
    read(&measured, 0).await;
    let cache = ReadCache::new(measured.used_bytes() * 5 / 2);
    let first = read(&cache, 0).await;
    for file in [1, 0, 2, 0, 3] {
        read(&cache, file).await;
        assert!(cache.used_bytes() <= measured.used_bytes() * 5 / 2);
    }
    assert!(Arc::ptr_eq(&first, &read(&cache, 0).await), "used again and again, it stayed");
    let none = ReadCache::new(0);
    read(&none, 0).await;
    assert_eq!(none.used_bytes(), 0);
}

#[test]
fn another_tenants_rows_are_not_taken() {
    let rows = sample(&mut Random(3), Sample { rows: 50, tenants: 2 });
    let own = rows_of_tenant(&rows, "t1").expect("asked").expect("some");
    let tenants: &StringViewArray = own.column_by_name("tenant").expect("there").as_string_view();
    assert!(own.num_rows() < 50 && tenants.iter().all(|t| t == Some("t1")));
    assert!(rows_of_tenant(&rows, "t2").expect("asked").is_none());
}
