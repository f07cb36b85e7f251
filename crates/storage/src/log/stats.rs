//! A file as the table's log describes it.

use deltalake::kernel::LogicalFileView;
use serde_json::Value;

use crate::snapshot::FileEntry;

/// Reads a file's statistics. What is missing is assumed to be anything, so that a file from
/// another writer is never passed over.
pub(super) fn entry(file: &LogicalFileView) -> FileEntry {
    let stats_json = file.stats().unwrap_or_default();
    let stats: Value = serde_json::from_str(&stats_json).unwrap_or_default();
    let rows = stats["numRecords"].as_u64().unwrap_or(0);
    let time = |values: &str| stats[values]["time"].as_str().and_then(micros);
    let tenant = |values: &str| stats[values]["tenant"].as_str().map(str::to_owned);
    FileEntry {
        path: file.object_store_path(),
        size_bytes: u64::try_from(file.size()).unwrap_or(0),
        rows,
        time_min_us: time("minValues").unwrap_or(i64::MIN),
        // Others cut times to milliseconds; ours are exact, and then this is harmless.
        time_max_us: time("maxValues").map_or(i64::MAX, |max| max.saturating_add(999)),
        tenant_min: tenant("minValues").unwrap_or_default(),
        tenant_max: tenant("maxValues").unwrap_or_else(|| "\u{10ffff}".to_owned()),
        has_rest: stats["nullCount"]["rest"].as_u64().is_none_or(|nulls| nulls < rows),
        stats_json,
    }
}

/// `2026-11-21T04:05:06.123456Z` to microseconds since 1970.
fn micros(text: &str) -> Option<i64> {
    use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
    string_to_timestamp_nanos(text).ok().map(|nanos| nanos.div_euclid(1_000))
}
