//! How each column is encoded.
//!
//! Random ids are never worth a dictionary and are stored as lengths and digits apart, so that
//! zstd finds an alphabet of sixteen letters and packs a digit in four bits. Times and counts are
//! deltas. Whether another column gets a dictionary is decided by a sample of the first rows.

use std::collections::HashSet;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use model::Table;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::ColumnPath;

use super::WriteOptions;

/// The order of the rows in every file; nulls come first.
pub(crate) const SORT_COLUMNS: [&str; 4] = ["tenant", "service", "time", "time_ns"];

/// Columns of random hexadecimal digits.
const IDS: &[&str] = &["trace_id", "span_id", "parent_span_id"];

/// Columns whose least and greatest value say nothing.
const WITHOUT_STATISTICS: &[&str] = &["body", "events", "links", "rest", "status_message"];

/// Rows that the choice of an encoding looks at.
const SAMPLE_ROWS: usize = 2_048;

/// A dictionary is tried when at most this share of the sample's values is distinct: with 2,048
/// rows that is some 20,000 distinct values.
const DISTINCT_PERCENT_MAX: usize = 95;

/// Pages of `time` are short, some 2,000 rows, so that the page index tells well where a range of
/// time is.
const TIME_PAGE_BYTES: usize = 2_500;

/// Of the Bloom filter on `trace_id`, which is there for other readers: the token filters answer
/// ours. The writer folds it to what the row group's ids need.
const BLOOM_FALSE_POSITIVES: f64 = 0.05;

pub(super) fn properties(
    table: Table,
    sample: &RecordBatch,
    options: &WriteOptions,
) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("level 1 exists");
    let mut builder = WriterProperties::builder()
        .set_created_by(format!("trefoil {}", env!("CARGO_PKG_VERSION")))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(options.row_group_rows))
        .set_data_page_row_count_limit(options.granule_rows)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(32))
        .set_sorting_columns(Some(sorting_columns(sample)));
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        builder = column_properties(builder, field.name(), column);
    }
    builder = builder.set_column_data_page_size_limit(ColumnPath::from("time"), TIME_PAGE_BYTES);
    let trace_id = ColumnPath::from("trace_id");
    if table.columns().iter().any(|column| column.name == "trace_id") {
        builder = builder.set_column_bloom_filter_fpp(trace_id, BLOOM_FALSE_POSITIVES);
    }
    builder.build()
}

fn sorting_columns(sample: &RecordBatch) -> Vec<SortingColumn> {
    SORT_COLUMNS
        .iter()
        .filter_map(|name| sample.schema().index_of(name).ok())
        .filter_map(|index| i32::try_from(index).ok())
        .map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true })
        .collect()
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    name: &str,
    column: &ArrayRef,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::new(vec![name.to_owned()]);
    let statistics = if WITHOUT_STATISTICS.contains(&name) {
        EnabledStatistics::None
    } else if IDS.contains(&name) {
        EnabledStatistics::Chunk
    } else {
        EnabledStatistics::Page
    };
    let dictionary = match column.data_type() {
        DataType::Timestamp(..) | DataType::Boolean => false,
        _ => !IDS.contains(&name) && dictionary_pays(column),
    };
    let builder = builder
        .set_column_statistics_enabled(path.clone(), statistics)
        .set_column_dictionary_enabled(path.clone(), dictionary);
    match column.data_type() {
        DataType::Timestamp(..) | DataType::Int64 | DataType::Int16 => {
            builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
        }
        DataType::Utf8View | DataType::BinaryView => {
            builder.set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY)
        }
        _ => builder,
    }
}

fn dictionary_pays(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Utf8View => {
            let values = column.as_string_view();
            few_distinct(column.as_ref(), |row| values.value(row))
        }
        DataType::BinaryView => {
            let values = column.as_binary_view();
            few_distinct(column.as_ref(), |row| values.value(row))
        }
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>();
            few_distinct(column.as_ref(), |row| values.value(row))
        }
        DataType::Float64 => {
            let values = column.as_primitive::<arrow_array::types::Float64Type>();
            few_distinct(column.as_ref(), |row| values.value(row).to_bits())
        }
        _ => true,
    }
}

/// Looks at rows that are spread over the column.
fn few_distinct<T: std::hash::Hash + Eq>(column: &dyn Array, value: impl Fn(usize) -> T) -> bool {
    let step = (column.len() / SAMPLE_ROWS).max(1);
    let mut seen = 0;
    let mut distinct: HashSet<T> = HashSet::with_capacity(SAMPLE_ROWS);
    for row in (0..column.len()).step_by(step).filter(|&row| column.is_valid(row)) {
        seen += 1;
        distinct.insert(value(row));
    }
    // Of few values nothing can be told, and a dictionary of few costs nothing.
    seen < 64 || distinct.len() * 100 <= seen * DISTINCT_PERCENT_MAX
}
