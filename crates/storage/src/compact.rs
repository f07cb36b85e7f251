//! Small files become larger ones, a day at a time, without losing their order.
//!
//! Files are merged with files of about their own size, so that a row is written anew only a few
//! times in its life (the logarithm of the growth). Rows stay as they are: for Delta nothing
//! changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use datafusion::error::DataFusionError;
use futures::TryStreamExt as _;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use crate::error::Error;
use crate::file::{self, WriteOptions};
use crate::flush::with_rest_count;
use crate::options::MaintenanceOptions;
use crate::scan::{MergeOptions, merge_sorted};
use crate::snapshot::FileEntry;
use crate::store::table::TableStore;
use stdx::clock::Stopwatch;

/// Rows of a row group, as files are written; a reader holds about one of each file.
const ROW_GROUP_ROWS: u64 = 131_072;
/// Rows of all files together that are decoded at once, about.
const MERGED_ROWS: usize = 16_384;
/// Each size class is so many times the one below.
const CLASS_FACTOR_LOG2: u32 = 2;
/// Files below this are all one class.
const CLASS_BYTES_MIN: u64 = 256 << 10;

/// Merges the files that are most in need of it. Returns how many went into a larger one: 0 when
/// there is nothing to do.
pub(crate) async fn compact_once(table: &TableStore) -> Result<usize, Error> {
    let options = &table.options.maintenance;
    let files = table.files();
    let Some(mut chosen) = choose(&files, options) else { return Ok(0) };
    let watch = Stopwatch::start();
    // Merging has to get on, or files would become ever more: it makes others wait.
    let held = options.memory.force(options.memory.limit_bytes());
    let merged = merge_what_fits(table, &mut chosen).await?;
    drop(held);
    let committing = table.committing().await;
    let added = [Arc::clone(&merged)];
    let Some(view) = table.log.replace(&chosen, &added).await? else {
        drop(committing);
        table.discard(&added).await;
        return Ok(0);
    };
    table.install(view);
    drop(committing);
    table.settle(&added);
    let name = table.table.as_str();
    metrics::counter!("trefoil_storage_compactions_total", "table" => name).increment(1);
    metrics::histogram!("trefoil_storage_compaction_seconds", "table" => name)
        .record(watch.elapsed());
    tracing::debug!(
        table = name,
        files = chosen.len(),
        rows = merged.rows,
        bytes = merged.size_bytes,
        "files merged"
    );
    Ok(chosen.len())
}

/// Merges `chosen`, or as many of them from the first on as the memory is enough for, fewer rows
/// at a time where it has to be.
async fn merge_what_fits(
    table: &TableStore,
    chosen: &mut Vec<Arc<FileEntry>>,
) -> Result<Arc<FileEntry>, Error> {
    let day = chosen[0].time_min_us.div_euclid(86_400_000_000);
    let mixed = chosen[0].path.as_ref().starts_with("mixed/");
    let footers = footers(table, chosen).await?;
    chosen.truncate(decoded_at_once(&footers, table.options.maintenance.memory.limit_bytes()));
    let mut options = merge_options(chosen.len(), &table.options.maintenance);
    loop {
        let path = table.new_path((!mixed).then_some(day));
        match merge(table, chosen, path.clone(), &options).await {
            Ok(merged) => return Ok(Arc::new(with_rest_count(merged))),
            Err(error) => {
                table.pending().remove(&path);
                let least = chosen.len() <= 2 && options.batch_rows <= 1;
                if least || !is_short_of_memory(&error) {
                    return Err(error);
                }
                chosen.truncate(chosen.len().div_ceil(2).max(2));
                options.batch_rows = options.batch_rows.div_ceil(4);
            }
        }
    }
}

fn is_short_of_memory(error: &Error) -> bool {
    let cause = match error {
        Error::Files { source, .. } => source.downcast_ref::<DataFusionError>(),
        _ => None,
    };
    cause.is_some_and(|error| matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
}

async fn merge(
    table: &TableStore,
    chosen: &[Arc<FileEntry>],
    path: object_store::path::Path,
    options: &MergeOptions,
) -> Result<FileEntry, Error> {
    let name = table.table;
    let store = &table.log.object_store;
    let schema = columns_of(table, chosen).await?;
    let rows = merge_sorted(Arc::clone(store), &table.cache, Arc::clone(&schema), chosen, options);
    let mut rows = rows.map_err(Error::files("read files", name))?;
    let options = WriteOptions::default();
    let mut writer = file::Writer::new(name, Arc::clone(store), path, schema, options);
    let write_error = |source| Error::Write { table: name, source };
    while let Some(batch) = rows.try_next().await.map_err(Error::files("read files", name))? {
        writer.write(batch).await.map_err(write_error)?;
    }
    writer.finish().await.map_err(write_error)
}

/// The more files, and the less memory, the fewer rows of each at a time.
fn merge_options(files: usize, options: &MaintenanceOptions) -> MergeOptions {
    /// Decoded, generously: a merge has to have room for rows larger than usual.
    const ROW_BYTES: usize = 4 << 10;
    let memory_bytes = options.memory.limit_bytes();
    let rows = MERGED_ROWS.min(memory_bytes / ROW_BYTES);
    MergeOptions { batch_rows: (rows / files.max(1)).clamp(128, 8_192), memory_bytes }
}

/// How many files, from the first on, fit into the memory when a page of each column is decoded:
/// compressed files say little of that. Two are the least that a merge has.
fn decoded_at_once(footers: &[Arc<ParquetMetaData>], memory_bytes: usize) -> usize {
    let memory_bytes = u64::try_from(memory_bytes).unwrap_or(u64::MAX);
    let held = footers.iter().scan(0_u64, |held, footer| {
        *held = held.saturating_add(decoded_page_bytes(footer));
        Some(*held)
    });
    held.take_while(|held| *held <= memory_bytes).count().max(2)
}

/// A page of every column, decoded, where the rows are largest.
fn decoded_page_bytes(footer: &ParquetMetaData) -> u64 {
    let granule_rows = WriteOptions::default().granule_rows as u64;
    let column = |column: &ColumnChunkMetaData| {
        let fixed = column.num_values().saturating_mul(8);
        column.unencoded_byte_array_data_bytes().unwrap_or(0).max(fixed).unsigned_abs()
    };
    let row_group = |group: &RowGroupMetaData| {
        let rows = group.num_rows().unsigned_abs().max(1);
        let bytes: u64 = group.columns().iter().map(column).sum();
        bytes / rows * rows.min(granule_rows)
    };
    footer.row_groups().iter().map(row_group).max().unwrap_or(0)
}

/// What the files say of themselves.
async fn footers(
    table: &TableStore,
    files: &[Arc<FileEntry>],
) -> Result<Vec<Arc<ParquetMetaData>>, Error> {
    let mut footers = Vec::with_capacity(files.len());
    for file in files {
        let footer = table.cache.footer(&table.log.object_store, &file.path, file.size_bytes);
        let footer = footer.await.map_err(Error::files("read files", table.table))?;
        footers.push(Arc::clone(&footer.metadata));
    }
    Ok(footers)
}

/// The columns that the files have, in the table's order.
async fn columns_of(table: &TableStore, chosen: &[Arc<FileEntry>]) -> Result<SchemaRef, Error> {
    let mut names = std::collections::HashSet::new();
    for footer in footers(table, chosen).await? {
        let columns = footer.file_metadata().schema_descr().columns();
        names.extend(columns.iter().map(|column| column.name().to_owned()));
    }
    let physical = table.registry().physical_schema();
    let fields: Vec<_> = physical
        .fields()
        .iter()
        .filter(|field| !field.is_nullable() || names.contains(field.name()))
        .cloned()
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// Files of one day and about one size: enough of them, and not too many to hold.
fn choose(files: &[Arc<FileEntry>], options: &MaintenanceOptions) -> Option<Vec<Arc<FileEntry>>> {
    let mut classes: BTreeMap<(&str, u32), Vec<&Arc<FileEntry>>> = BTreeMap::new();
    for file in files {
        let large = file.size_bytes >= options.file_bytes_target / 2
            || file.rows >= options.file_rows_target / 2;
        let day = file.path.as_ref().split('/').next().unwrap_or_default();
        if !large {
            classes.entry((day, class(file.size_bytes))).or_default().push(file);
        }
    }
    let (_, mut class) =
        classes.into_iter().find(|(_, files)| files.len() >= options.compact_files_min.max(2))?;
    class.sort_by_key(|file| (file.time_min_us, file.path.as_ref()));
    let mut chosen: Vec<Arc<FileEntry>> = Vec::new();
    let held_max = u64::try_from(options.memory.limit_bytes()).unwrap_or(u64::MAX);
    let (mut rows, mut bytes, mut held) = (0, 0, 0);
    for file in class {
        rows += file.rows;
        bytes += file.size_bytes;
        held += held_bytes(file);
        let over = rows > options.file_rows_target
            || bytes > options.file_bytes_target
            || held > held_max
            || chosen.len() >= options.compact_files_max;
        if over && chosen.len() >= 2 {
            break;
        }
        chosen.push(Arc::clone(file));
    }
    Some(chosen)
}

fn class(bytes: u64) -> u32 {
    (bytes / CLASS_BYTES_MIN).max(1).ilog2() / CLASS_FACTOR_LOG2
}

/// What reading a file holds: a row group, encoded.
fn held_bytes(file: &FileEntry) -> u64 {
    file.size_bytes / file.rows.div_ceil(ROW_GROUP_ROWS).max(1)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use object_store::path::Path;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(path: &str, mib: u64) -> Arc<FileEntry> {
        Arc::new(FileEntry {
            path: Path::from(path),
            size_bytes: mib << 20,
            rows: mib * 10_000,
            time_min_us: 0,
            time_max_us: 0,
            tenant_min: String::new(),
            tenant_max: String::new(),
            has_rest: false,
            stats_json: String::new(),
        })
    }

    #[test]
    fn files_of_one_day_and_size_are_merged() {
        let options = MaintenanceOptions { compact_files_min: 3, ..MaintenanceOptions::default() };
        let check = |files: &[(&str, u64)], expected: &[&str]| {
            let files: Vec<_> = files.iter().map(|(path, mib)| file(path, *mib)).collect();
            let chosen = choose(&files, &options).unwrap_or_default();
            let chosen: Vec<_> = chosen.iter().map(|f| f.path.as_ref()).collect();
            assert_eq!(chosen, expected);
        };
        check(&[("a/1", 1), ("a/2", 1)], &[]);
        check(&[("a/1", 1), ("a/2", 1), ("b/3", 1)], &[]);
        check(&[("a/1", 1), ("a/2", 1), ("a/3", 1), ("b/4", 1)], &["a/1", "a/2", "a/3"]);
        check(&[("a/1", 1), ("a/2", 1), ("a/3", 100)], &[]);
        check(&[("a/1", 200), ("a/2", 200), ("a/3", 200)], &[]);
    }

    #[test]
    fn compressed_files_count_as_what_they_are_decoded() {
        let body = "the same words again and again ".repeat(33);
        let bodies: ArrayRef = Arc::new(StringArray::from(vec![body; 10_000]));
        let rows = RecordBatch::try_from_iter([("body", bodies)]).expect("one column");
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).expect("a writer");
        writer.write(&rows).expect("written");
        let footer = Arc::new(writer.finish().expect("a footer"));
        assert!(writer.bytes_written() < 100_000, "some ten megabytes in little");
        let footers = vec![footer; 8];
        for (memory_bytes, expected) in [(0, 2), (35 << 20, 3), (100 << 20, 8)] {
            assert_eq!(decoded_at_once(&footers, memory_bytes), expected, "{memory_bytes}");
        }
    }
}
