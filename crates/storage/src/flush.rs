//! From a sealed buffer to files.
//!
//! Attributes that many rows have get their columns, rows are sorted and split by day, files are
//! written. Nothing of it can be seen by others before the commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{AttributeColumn, Table};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::error::Error;
use crate::file::{self, WriteError, WriteOptions};
use crate::options::{ColumnOptions, FlushOptions};
use crate::registry::Registry;
use crate::snapshot::FileEntry;

mod sort;

use sort::{Part, Sorted};

/// Rows that are put together at once.
const CHUNK_ROWS: usize = 8_192;

/// Gives columns to attributes without one that enough of the rows have. Returns the registry to
/// write with, which is the same when there is nothing to change.
pub(crate) fn promote(
    registry: &Arc<Registry>,
    batches: &[&RecordBatch],
    options: &ColumnOptions,
) -> Arc<Registry> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for batch in batches {
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if registry.resolve(field.name()).is_none() {
                *counts.entry(field.name()).or_default() += column.len() - column.null_count();
            }
        }
    }
    let mut counts: Vec<(usize, &str)> = counts.into_iter().map(|(n, count)| (count, n)).collect();
    counts.sort_unstable_by(|left, right| right.cmp(left));
    let rows: usize = batches.iter().map(|b| b.num_rows()).sum();
    let mut promoted: Option<Registry> = None;
    for (count, name) in counts {
        let Some(AttributeColumn { scope, key, attribute_type: Some(attribute_type) }) =
            AttributeColumn::parse(name)
        else {
            continue;
        };
        let current = promoted.as_ref().unwrap_or(registry);
        let frequent = count * 1_000 >= rows * options.share_per_mille;
        if frequent && current.columns().len() < options.hard_max {
            let registry = promoted.get_or_insert_with(|| Registry::clone(registry));
            registry.register(scope, &key, attribute_type);
        }
    }
    promoted.map_or_else(|| Arc::clone(registry), Arc::new)
}

/// Writes a buffer's rows. On failure, files that were written already are removed if possible.
pub(crate) async fn write_files(
    table: Table,
    object_store: &Arc<dyn ObjectStore>,
    batches: Vec<RecordBatch>,
    registry: Arc<Registry>,
    options: &FlushOptions,
    new_path: impl Fn(Option<i64>) -> Path,
) -> Result<Vec<Arc<FileEntry>>, Error> {
    let days_max = options.days_max;
    let sorted = blocking(table, move || {
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        Sorted::new(&batches, &registry, days_max)
    })
    .await?;
    let sorted = Arc::new(sorted);
    let mut files = Vec::with_capacity(sorted.parts.len());
    for index in 0..sorted.parts.len() {
        let path = new_path(sorted.parts[index].day);
        let file = write_part(table, object_store, &sorted, index, path).await?;
        files.push(Arc::new(file));
    }
    Ok(files)
}

async fn write_part(
    table: Table,
    object_store: &Arc<dyn ObjectStore>,
    sorted: &Arc<Sorted>,
    part: usize,
    path: Path,
) -> Result<FileEntry, Error> {
    let write_error = |source| Error::Write { table, source };
    let schema = Arc::clone(&sorted.schema);
    let object_store = Arc::clone(object_store);
    let mut writer = file::Writer::new(table, object_store, path, schema, WriteOptions::default());
    let rows = sorted.parts[part].rows.len();
    for start in (0..rows).step_by(CHUNK_ROWS) {
        let sorted = Arc::clone(sorted);
        let chunk = blocking(table, move || {
            let Part { rows, .. } = &sorted.parts[part];
            sorted.rows(&rows[start..rows.len().min(start + CHUNK_ROWS)])
        })
        .await?;
        writer.write(chunk).await.map_err(write_error)?;
    }
    let entry = writer.finish().await.map_err(write_error)?;
    Ok(with_rest_count(entry))
}

/// Says in the statistics that `rest` is empty, so that it is known after a restart.
pub(crate) fn with_rest_count(mut entry: FileEntry) -> FileEntry {
    if !entry.has_rest
        && let Ok(mut stats) = serde_json::from_str::<serde_json::Value>(&entry.stats_json)
        && let Some(null_count) = stats["nullCount"].as_object_mut()
    {
        null_count.insert("rest".to_owned(), entry.rows.into());
        entry.stats_json = stats.to_string();
    }
    entry
}

async fn blocking<T: Send + 'static>(
    table: Table,
    work: impl FnOnce() -> Result<T, arrow_schema::ArrowError> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::files("sort rows", table))?
        .map_err(|error| Error::Write { table, source: WriteError::from(error) })
}
