//! Old rows go, and files that nobody needs any more.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use crate::error::Error;
use crate::options::Retention;
use crate::snapshot::FileEntry;
use crate::store::table::TableStore;

/// Removes files whose newest row is too old, then the oldest ones while the table is too large.
/// Returns how many.
pub(crate) async fn retain(table: &TableStore) -> Result<usize, Error> {
    let now_us = table.clock.now() / 1_000;
    let kept = table.options.retention.get(&table.table).copied().unwrap_or_default();
    let removed = expired(&table.files(), now_us, kept);
    if removed.is_empty() {
        return Ok(0);
    }
    let committing = table.committing().await;
    let view = table.log.delete(&removed).await?;
    table.install(view);
    drop(committing);
    let rows: u64 = removed.iter().map(|file| file.rows).sum();
    let name = table.table.as_str();
    metrics::counter!("trefoil_storage_retention_files_total", "table" => name)
        .increment(removed.len() as u64);
    tracing::info!(table = name, files = removed.len(), rows, "old files removed");
    Ok(removed.len())
}

fn expired(files: &[Arc<FileEntry>], now_us: i64, kept: Retention) -> Vec<Arc<FileEntry>> {
    let mut files: Vec<&Arc<FileEntry>> = files.iter().collect();
    files.sort_by_key(|file| file.time_max_us);
    let mut bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
    let oldest_us = kept.age.map_or(i64::MIN, |age| {
        now_us.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
    });
    files
        .into_iter()
        .take_while(|file| {
            let over = kept.bytes.is_some_and(|limit| bytes > limit);
            bytes -= file.size_bytes;
            over || file.time_max_us < oldest_us
        })
        .cloned()
        .collect()
}

/// Deletes objects that are not in the table: removed ones, and ones whose commit never came.
/// Each stays for the grace period, for queries that still read it and commits under way.
pub(crate) async fn vacuum(table: &TableStore) -> Result<usize, Error> {
    let grace_ms =
        i64::try_from(table.options.maintenance.vacuum_grace.as_millis()).unwrap_or(i64::MAX);
    let before_ms = (table.clock.now() / 1_000_000).saturating_sub(grace_ms);
    // Listed first: what is written from here on is not looked at.
    let store = &table.log.object_store;
    let objects: Vec<object_store::ObjectMeta> =
        store.list(None).try_collect().await.map_err(Error::files("list files", table.table))?;
    let tombstones = table.log.tombstones().await?;
    let live: HashSet<Path> =
        table.log.view().await.files.iter().map(|file| file.path.clone()).collect();
    let pending = table.pending().clone();
    let mut deleted = 0;
    for object in objects {
        let path = object.location;
        let is_data = path.as_ref().ends_with(".parquet") && !path.as_ref().starts_with("_");
        if !is_data || live.contains(&path) || pending.contains(&path) {
            continue;
        }
        let left_at_ms = tombstones
            .get(&path)
            .copied()
            .unwrap_or_else(|| object.last_modified.timestamp_millis());
        if left_at_ms > before_ms {
            continue;
        }
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => deleted += 1,
            Err(error) => return Err(Error::files("delete files", table.table)(error)),
        }
    }
    if deleted > 0 {
        let name = table.table.as_str();
        metrics::counter!("trefoil_storage_vacuumed_files_total", "table" => name)
            .increment(deleted as u64);
        tracing::debug!(table = name, files = deleted, "files that nobody needs deleted");
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_files_go_by_age_and_by_size() {
        let file = |name: &str, time_max_us: i64| {
            Arc::new(FileEntry {
                path: Path::from(name),
                size_bytes: 10,
                rows: 1,
                time_min_us: 0,
                time_max_us,
                tenant_min: String::new(),
                tenant_max: String::new(),
                has_rest: false,
                stats_json: String::new(),
            })
        };
        let files = [file("new", 3_000_000), file("old", 1_000_000), file("middle", 2_000_000)];
        let check = |age: Option<u64>, bytes: Option<u64>, expected: &[&str]| {
            let kept = Retention { age: age.map(Duration::from_secs), bytes };
            let removed = expired(&files, 4_000_000, kept);
            let removed: Vec<_> = removed.iter().map(|f| f.path.as_ref()).collect();
            assert_eq!(removed, expected);
        };
        check(None, None, &[]);
        check(Some(2), None, &["old"]);
        check(None, Some(20), &["old"]);
        check(Some(1), Some(25), &["old", "middle"]);
        check(None, Some(0), &["old", "middle", "new"]);
    }
}
