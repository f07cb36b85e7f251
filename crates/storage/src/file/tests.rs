#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use std::collections::HashMap;

use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder,
};
use arrow_array::{ArrayRef, Int16Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, TimeUnit};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::file::metadata::PageIndexPolicy;

use super::*;

/// Log rows with every type of attribute and some columns that are always null.
fn rows(count: i64) -> RecordBatch {
    let mut text = StringViewBuilder::new();
    let mut int = Int64Builder::new();
    let mut double = Float64Builder::new();
    let mut boolean = BooleanBuilder::new();
    let mut bytes = BinaryViewBuilder::new();
    for n in 0..count {
        match n % 3 {
            0 => text.append_null(),
            _ => text.append_value(format!("value-{n}")),
        }
        int.append_option((n % 5 > 0).then_some(n * 1_000_003));
        #[expect(clippy::cast_precision_loss, reason = "a test")]
        double.append_option((n % 7 > 0).then_some(n as f64 / 3.0));
        boolean.append_option((n % 2 > 0).then_some(n % 4 == 1));
        bytes.append_option((n % 11 == 0).then_some([0xff, 0x00]));
    }
    let attributes: Vec<(&str, ArrayRef)> = vec![
        ("attributes.request.id", request_id(count, 1_500)),
        ("attributes.text", Arc::new(text.finish())),
        ("attributes.int", Arc::new(int.finish())),
        ("attributes.double", Arc::new(double.finish())),
        ("attributes.bool", Arc::new(boolean.finish())),
        ("resource.bytes", Arc::new(bytes.finish())),
        ("attributes.never", arrow_array::new_null_array(&DataType::Utf8View, count as usize)),
    ];
    let given: HashMap<&str, ArrayRef> = fixed(count);
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for column in Table::Logs.columns() {
        let field = column.field();
        let null = || arrow_array::new_null_array(field.data_type(), count as usize);
        columns.push(given.get(column.name).cloned().unwrap_or_else(null));
        fields.push(field);
    }
    for (name, column) in attributes {
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("rows fit the schema")
}

fn fixed(count: i64) -> HashMap<&'static str, ArrayRef> {
    let time = |offset: i64| -> ArrayRef {
        let values = (0..count).map(|n| 1_700_000_000_000_000 + n * 10 + offset);
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let nanos: ArrayRef =
        Arc::new((0..count).map(|n| Some((n % 1_000) as i16)).collect::<Int16Array>());
    let text = |value: fn(i64) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values((0..count).map(value)))
    };
    HashMap::from([
        ("tenant", text(|n| if n < 10 { "a".to_owned() } else { "b".to_owned() })),
        ("time", time(0)),
        ("time_ns", Arc::clone(&nanos)),
        ("observed_time", time(5)),
        ("observed_time_ns", nanos),
        ("service", text(|_| "shop".to_owned())),
        (
            "trace_id",
            text(|n| format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64))),
        ),
        ("request_id", request_id(count, i64::MAX)),
        ("level", text(|n| ["info", "error"][(n % 2) as usize].to_owned())),
        ("body", text(|n| format!("request {n} took {} ms", n % 97))),
        ("severity_number", Arc::new((0..count).map(|n| Some(n % 20)).collect::<Int64Array>())),
    ])
}

/// Ids, some null; from a row on others.
fn request_id(count: i64, others_from: i64) -> ArrayRef {
    let id = |n| if n < others_from { format!("request-{n}") } else { format!("other-{n}") };
    let ids = (0..count).map(|n| (n % 13 > 0).then(|| id(n)));
    Arc::new(ids.collect::<StringViewArray>())
}

async fn written(batches: Vec<RecordBatch>, options: WriteOptions) -> (FileEntry, Bytes) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = Path::from("date=2026-11-21/part-1.parquet");
    let entry = write(Table::Logs, Arc::clone(&store), path.clone(), batches, options)
        .await
        .expect("written");
    let bytes = store.get(&path).await.expect("there").bytes().await.expect("read");
    (entry, bytes)
}

fn small_groups() -> WriteOptions {
    WriteOptions { row_group_rows: 1_000, granule_rows: 100, part_bytes: 10_000 }
}

#[tokio::test]
async fn a_file_reads_back_as_it_was_written() {
    let rows = rows(2_500);
    let batches = vec![rows.slice(0, 1_234), rows.slice(1_234, 1_266)];
    let (entry, bytes) = written(batches, small_groups()).await;
    assert_eq!(entry.rows, 2_500);
    assert_eq!(entry.size_bytes, bytes.len() as u64);
    let schema = present_columns(&rows.schema(), std::slice::from_ref(&rows));
    let options = ArrowReaderOptions::new().with_schema(Arc::clone(&schema));
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .expect("a Parquet file")
        .build()
        .expect("a reader");
    let read = reader.collect::<Result<Vec<_>, _>>().expect("rows");
    let read = arrow::compute::concat_batches(&schema, &read).expect("one batch");
    assert_eq!(read, select(&rows, &schema).expect("the same columns"));
}

#[tokio::test]
async fn other_readers_see_plain_types_and_no_empty_columns() {
    let (_, bytes) = written(vec![rows(100)], WriteOptions::default()).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
    let schema = reader.schema();
    assert!(schema.field_with_name("attributes.never").is_err());
    assert!(schema.field_with_name("environment").is_err());
    let data_type = |name| schema.field_with_name(name).expect("a column").data_type().clone();
    assert_eq!(data_type("body"), DataType::Utf8);
    assert_eq!(data_type("time_ns"), DataType::Int16);
    assert_eq!(data_type("resource.bytes"), DataType::Binary);
    assert_eq!(data_type("time"), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
}

#[tokio::test]
async fn the_entry_tells_range_tenants_and_delta_statistics() {
    let (entry, _) = written(vec![rows(2_000)], small_groups()).await;
    assert_eq!(
        (entry.time_min_us, entry.time_max_us),
        (1_700_000_000_000_000, 1_700_000_000_019_990)
    );
    assert_eq!((entry.tenant_min.as_str(), entry.tenant_max.as_str()), ("a", "b"));
    assert_eq!(entry.single_tenant(), None);
    assert!(!entry.has_rest);
    let stats: serde_json::Value = serde_json::from_str(&entry.stats_json).expect("JSON");
    let expect = serde_json::json!({
        "numRecords": 2_000,
        "minValues": {
            "tenant": "a", "time": "2023-11-14T22:13:20.000000Z", "service": "shop",
            "level": "error", "severity_number": 0,
        },
        "maxValues": {
            "tenant": "b", "time": "2023-11-14T22:13:20.019990Z", "service": "shop",
            "level": "info", "severity_number": 19,
        },
        "nullCount": {
            "tenant": 0, "time": 0, "service": 0, "level": 0, "severity_number": 0,
            "environment": 2_000,
        },
    });
    assert_eq!(stats, expect);
}

#[tokio::test]
async fn encodings_bloom_filter_and_order_are_in_the_footer() {
    let (entry, bytes) = written(vec![rows(3_000)], small_groups()).await;
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&bytes)
        .expect("a footer");
    assert_eq!(metadata.num_row_groups(), 3);
    let group = metadata.row_group(0);
    let sorting = group.sorting_columns().expect("an order");
    let names: Vec<&str> = sorting
        .iter()
        .map(|s| group.column(usize::try_from(s.column_idx).expect("small")).column_descr().name())
        .collect();
    assert_eq!(names, SORT_COLUMNS);
    let column = |name: &str| {
        group.columns().iter().find(|c| c.column_descr().name() == name).expect("a column")
    };
    assert!(column("trace_id").bloom_filter_offset().is_some());
    assert!(column("body").bloom_filter_offset().is_none());
    let encodings = |name| column(name).encodings().collect::<Vec<_>>();
    assert!(encodings("trace_id").contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY));
    assert!(encodings("body").contains(&Encoding::DELTA_LENGTH_BYTE_ARRAY));
    assert!(encodings("time").contains(&Encoding::DELTA_BINARY_PACKED));
    assert!(encodings("level").contains(&Encoding::RLE_DICTIONARY));

    let key_values = metadata.file_metadata().key_value_metadata().expect("metadata");
    let json = key_values.iter().find(|kv| kv.key == index::KEY).and_then(|kv| kv.value.as_ref());
    let index = index::TokenIndex::parse(json.expect("positions"), &[1_000; 3], entry.size_bytes)
        .expect("positions fit the file");
    assert_eq!((index.row_groups(), index.granules(2)), (3, 10));
}

#[tokio::test]
async fn an_attribute_that_is_a_copy_shares_its_values_row_group_by_row_group() {
    let (_, bytes) = written(vec![rows(3_000)], small_groups()).await;
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&bytes)
        .expect("a footer");
    let starts = |row_group: usize| {
        let group = metadata.row_group(row_group);
        ["request_id", "attributes.request.id"].map(|name| {
            let columns = group.columns();
            let column = columns.iter().find(|c| c.column_descr().name() == name);
            column.expect("a column").byte_range()
        })
    };
    let shared = [0, 1, 2].map(|row_group| starts(row_group)[0] == starts(row_group)[1]);
    assert_eq!(shared, [true, false, false]);
    for group in metadata.offset_index().expect("an index") {
        assert!(group.iter().all(|column| !column.page_locations().is_empty()));
    }
}

#[tokio::test]
async fn a_file_without_rows_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let result =
        write(Table::Logs, store, Path::from("x"), vec![rows(0)], WriteOptions::default()).await;
    assert!(matches!(result, Err(WriteError::Empty(_))), "{result:?}");
}
