//! What the program's own metrics mean, as `/metrics` says it.

/// Each by its name. A test over the sources finds those that are missing.
const METRICS: &[(&str, &str)] = &[
    (
        "trefoil_api_refused_requests_total",
        "Requests refused before they reached a handler, by why.",
    ),
    ("trefoil_discovery_failures_total", "Discoveries of targets that failed, by way."),
    ("trefoil_forward_lag_seconds", "Age of the oldest sample that waits to be forwarded."),
    ("trefoil_forward_queue_bytes", "Bytes on disk that wait to be forwarded."),
    ("trefoil_forward_samples_dropped_total", "Samples that were not forwarded and never will be."),
    ("trefoil_forward_samples_retried_total", "Samples that were sent again."),
    ("trefoil_forward_samples_sent_total", "Samples that were forwarded."),
    ("trefoil_forward_shards", "Requests that are in flight at a time."),
    ("trefoil_ingest_bytes_total", "Bytes of bodies that came in."),
    ("trefoil_ingest_decode_seconds", "How long decoding a body takes."),
    ("trefoil_ingest_limited_total", "Values that were cut to a limit."),
    ("trefoil_ingest_metrics_bytes_total", "Bytes of bodies with metrics that came in."),
    ("trefoil_ingest_metrics_decode_seconds", "How long decoding a body with metrics takes."),
    ("trefoil_ingest_metrics_rejected_samples_total", "Samples that were refused, by why."),
    ("trefoil_ingest_metrics_requests_total", "Requests with metrics, by how they ended."),
    ("trefoil_ingest_metrics_samples_total", "Samples that were taken in."),
    ("trefoil_ingest_otlp_delta_streams", "Streams of deltas whose sums are kept."),
    ("trefoil_ingest_rejected_rows_total", "Rows that were refused, by why."),
    ("trefoil_ingest_requests_total", "Requests with rows, by how they ended."),
    ("trefoil_ingest_rows_total", "Rows that were taken in."),
    ("trefoil_memory_limit_bytes", "The memory that may be used, by share."),
    ("trefoil_memory_used_bytes", "The memory that is used, by share."),
    ("trefoil_prometheus_notifications_total", "Notifications told to users of the pages."),
    ("trefoil_promql_results_bytes", "Bytes of results of ranges that are kept."),
    ("trefoil_promql_results_entries", "Queries whose results are kept."),
    ("trefoil_promql_results_total", "Queries of ranges, by what the kept results had of them."),
    ("trefoil_query_bytes_scanned_total", "Bytes of files that questions read."),
    ("trefoil_query_duration_seconds", "How long questions take."),
    ("trefoil_query_rows_scanned_total", "Rows that questions read."),
    ("trefoil_query_statements_total", "Questions, by how they ended."),
    ("trefoil_rules_evaluation_failures_total", "Evaluations of rules that failed."),
    ("trefoil_rules_evaluation_seconds", "How long a rule takes."),
    ("trefoil_rules_evaluations_total", "Evaluations of rules."),
    ("trefoil_rules_group_seconds", "How long a group of rules takes."),
    (
        "trefoil_rules_iterations_missed_total",
        "Evaluations that were left out because the last one took too long.",
    ),
    ("trefoil_scrape_duration_seconds", "How long a scrape takes."),
    ("trefoil_scrape_samples_lost_total", "Scraped samples that could not be stored."),
    ("trefoil_scrape_samples_rejected_total", "Scraped samples that were refused, by why."),
    ("trefoil_scrape_samples_total", "Samples that were scraped."),
    ("trefoil_scrape_scrapes_total", "Scrapes, by how they ended."),
    ("trefoil_scrape_targets", "Targets that are scraped, by job."),
    ("trefoil_storage_buffered_bytes", "Bytes of rows in memory."),
    ("trefoil_storage_buffered_rows", "Rows in memory."),
    ("trefoil_storage_checkpoint_seconds", "How long a checkpoint of a table takes."),
    ("trefoil_storage_columns", "Columns of a table."),
    ("trefoil_storage_commit_seconds", "How long a commit takes."),
    ("trefoil_storage_commits_total", "Commits, by how they ended."),
    ("trefoil_storage_compaction_seconds", "How long merging files takes."),
    ("trefoil_storage_compactions_total", "Merges of files, by how they ended."),
    ("trefoil_storage_file_bytes", "Size of the files that are written."),
    ("trefoil_storage_files", "Files of a table."),
    ("trefoil_storage_flush_bytes_total", "Bytes that were written to files."),
    ("trefoil_storage_flush_rows_total", "Rows that were written to files."),
    ("trefoil_storage_flush_seconds", "How long writing rows to a file takes."),
    ("trefoil_storage_footer_cache_bytes", "Memory of the footers of files."),
    ("trefoil_storage_job_failures_total", "Background work that failed, by kind."),
    ("trefoil_storage_rejected_appends_total", "Appends that were refused, by why."),
    (
        "trefoil_storage_retention_files_total",
        "Files that were given up because of their age or size.",
    ),
    ("trefoil_storage_rows_total", "Rows that were stored."),
    (
        "trefoil_storage_scanned_files_total",
        "Files that questions looked at, by what was done with them.",
    ),
    ("trefoil_storage_vacuumed_files_total", "Files that were deleted because no table has them."),
    ("trefoil_storage_wal_bytes_total", "Bytes that were written to the log."),
    ("trefoil_storage_wal_failures_total", "Writes to the log that failed."),
    ("trefoil_storage_wal_fsync_seconds", "How long the log takes to be on disk."),
    ("trefoil_storage_wal_group_appends", "Appends that one sync of the log covers."),
    ("trefoil_storage_wal_segments", "Segments of the log."),
    ("trefoil_table_bytes", "Bytes of a table's files."),
    ("trefoil_table_columns", "Columns of a table."),
    ("trefoil_table_files", "Files of a table."),
    ("trefoil_table_rows", "Rows of a table."),
    ("trefoil_tsdb_background_failures_total", "Background work on metrics that failed, by kind."),
    (
        "trefoil_tsdb_block_removals_failed_total",
        "Blocks that could not be removed; it is tried again.",
    ),
    ("trefoil_tsdb_blocks", "Blocks of samples."),
    ("trefoil_tsdb_blocks_bytes", "Bytes of the blocks of samples."),
    ("trefoil_tsdb_blocks_deleted_total", "Blocks that were given up."),
    ("trefoil_tsdb_blocks_downsampled_total", "Blocks that were thinned out."),
    ("trefoil_tsdb_checkpoint_bytes", "Size of the last checkpoint of the log of metrics."),
    ("trefoil_tsdb_checkpoint_seconds", "How long a checkpoint of the log of metrics takes."),
    ("trefoil_tsdb_checkpoints_total", "Checkpoints of the log of metrics."),
    ("trefoil_tsdb_compactions_total", "Merges of blocks."),
    ("trefoil_tsdb_cut_seconds", "How long making a block of samples in memory takes."),
    ("trefoil_tsdb_cuts_total", "Blocks that were made of samples in memory."),
    ("trefoil_tsdb_exemplars", "Exemplars that are kept."),
    ("trefoil_tsdb_exemplars_total", "Exemplars that were taken in."),
    ("trefoil_tsdb_full_total", "Writes of samples that were refused because memory was full."),
    ("trefoil_tsdb_head_bytes", "Memory of the samples that are in no block yet."),
    ("trefoil_tsdb_head_series", "Series with samples that are in no block yet."),
    ("trefoil_tsdb_histograms_total", "Native histograms that were taken in."),
    ("trefoil_tsdb_metadata_refused_total", "Metadata that were refused."),
    ("trefoil_tsdb_rejected_total", "Samples that were refused, by why."),
    ("trefoil_tsdb_replay_seconds", "How long the last replay of the log of metrics took."),
    ("trefoil_tsdb_samples_total", "Samples that were taken in."),
    ("trefoil_tsdb_series_removed_total", "Series that left memory."),
    ("trefoil_tsdb_tenants", "Tenants with metrics."),
    (
        "trefoil_tsdb_wal_broken",
        "Whether the log of metrics cannot be written: 1 until the next start.",
    ),
    ("trefoil_tsdb_wal_bytes", "Bytes of the log of metrics."),
    ("trefoil_tsdb_wal_bytes_total", "Bytes that were written to the log of metrics."),
    ("trefoil_tsdb_wal_failures_total", "Writes to the log of metrics that failed."),
    ("trefoil_tsdb_wal_fsync_seconds", "How long the log of metrics takes to be on disk."),
    ("trefoil_tsdb_wal_queued_bytes", "Bytes that wait to be written to the log of metrics."),
    ("trefoil_tsdb_wal_unwritten_bytes", "Bytes that the log of metrics could not write."),
    ("process_resident_memory_bytes", "Resident memory size in bytes."),
];

/// Tells the recorder, once, when it is there. A help text goes by name, whatever the kind.
pub(super) fn describe() {
    for (name, help) in METRICS {
        if name.ends_with("_total") {
            metrics::describe_counter!(*name, *help);
        } else {
            metrics::describe_gauge!(*name, *help);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The names in quotes in the sources below `directory`.
    fn collect(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let quoted = text.split('"').filter(|word| {
                    word.starts_with("trefoil_")
                        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                });
                names.extend(quoted.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_metric_of_the_program_has_a_help_text() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut used = BTreeSet::new();
        for part in ["api", "ingest", "query", "alert", "storage", "tsdb", "trefoil", "stdx"] {
            collect(&crates.join(part).join("src"), &mut used);
        }
        used.retain(|name| name != "trefoil_");
        let known: BTreeSet<String> = METRICS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing: Vec<_> = used.difference(&known).collect();
        assert!(missing.is_empty(), "no help text: {missing:?}");
    }
}
