//! What a statement cost, read from the plan that ran.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use serde::Serialize;

/// What a statement cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stats {
    /// From its admission to its last row, milliseconds.
    pub elapsed_ms: f64,
    /// Rows in the answer.
    pub rows: u64,
    /// Rows that the scans looked at.
    pub rows_scanned: u64,
    /// Bytes that the scans read from files.
    pub bytes_scanned: u64,
    /// Files that were opened.
    pub files_scanned: u64,
    /// Files of the tables that were named, before any were ruled out.
    pub files_total: u64,
    /// The most memory that was held at once.
    pub memory_bytes: u64,
    /// Bytes written to disk because memory was short.
    pub spilled_bytes: u64,
    /// Whether rows beyond the limit were left out.
    #[serde(skip)]
    pub truncated: bool,
}

/// Sums up the metrics of a plan that has run.
pub(crate) fn collect(plan: &Arc<dyn ExecutionPlan>, elapsed: Duration) -> Stats {
    let mut stats = Stats { elapsed_ms: elapsed.as_secs_f64() * 1e3, ..Stats::default() };
    let mut files = HashSet::new();
    walk(plan, &mut stats, &mut files);
    stats.files_scanned = count(Some(files.len()));
    stats.files_total = stats.files_total.max(stats.files_scanned);
    stats
}

fn walk(plan: &Arc<dyn ExecutionPlan>, stats: &mut Stats, files: &mut HashSet<String>) {
    let children = plan.children();
    if let Some(metrics) = plan.metrics() {
        stats.spilled_bytes += count(metrics.spilled_bytes());
        stats.files_total += named(&metrics, "files_total");
        if children.is_empty() {
            stats.rows_scanned +=
                count(metrics.output_rows()) + named(&metrics, "pushdown_rows_pruned");
            stats.bytes_scanned += named(&metrics, "bytes_scanned");
        }
    }
    let source = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    if let Some(memory) = source.and_then(|source| source.downcast_ref::<MemorySourceConfig>()) {
        // It has no metrics; all of it is looked at.
        let batches = memory.partitions().iter().flatten();
        stats.rows_scanned += batches.map(|batch| count(Some(batch.num_rows()))).sum::<u64>();
    }
    if let Some(config) = source.and_then(|source| source.downcast_ref::<FileScanConfig>()) {
        // A file may be read in several pieces.
        let groups = config.file_groups.iter().flat_map(FileGroup::files);
        files.extend(groups.map(|file| file.object_meta.location.to_string()));
    }
    for child in children {
        walk(child, stats, files);
    }
}

fn named(metrics: &MetricsSet, name: &str) -> u64 {
    count(metrics.sum_by_name(name).map(|value| value.as_usize()))
}

fn count(value: Option<usize>) -> u64 {
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}
