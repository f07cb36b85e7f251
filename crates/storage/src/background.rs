//! What runs by itself: flushes by size and age, compaction, retention, vacuum, checkpoints.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::store::table::TableStore;
use crate::wal::Wal;
use crate::{compact, retention};

/// How often the age of a buffer is looked at.
const AGE_TICK: Duration = Duration::from_millis(500);

/// Objects are listed in one of so many rounds of maintenance.
const VACUUM_ROUNDS: u64 = 30;

/// Starts the jobs of a table.
pub(crate) fn start(table: Arc<TableStore>, wal: Wal, end: &CancellationToken) {
    drop(stdx::task::spawn("flush", end, flush(Arc::clone(&table), wal)));
    drop(stdx::task::spawn("maintain", end, maintain(table)));
}

async fn flush(table: Arc<TableStore>, wal: Wal) {
    let mut wait = table.options.flush.retry_min;
    loop {
        tokio::select! {
            () = table.sealed.notified() => {}
            () = tokio::time::sleep(AGE_TICK) => table.seal_aged(),
        }
        loop {
            match table.flush_one().await {
                Ok(false) => break,
                Ok(true) => {
                    wait = table.options.flush.retry_min;
                    wal.trim();
                }
                Err(error) => {
                    report(&table, "flush", &error);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(table.options.flush.retry_max);
                }
            }
        }
    }
}

async fn maintain(table: Arc<TableStore>) {
    let mut checkpointed = table.log.view().await.version;
    for round in 0_u64.. {
        tokio::time::sleep(table.options.maintenance.interval).await;
        if let Err(error) = maintain_once(&table, round, &mut checkpointed).await {
            report(&table, "maintenance", &error);
        }
        let statistics = table.statistics();
        let name = table.table.as_str();
        set("trefoil_storage_buffered_bytes", name, statistics.buffered_bytes);
        set("trefoil_storage_buffered_rows", name, statistics.buffered_rows);
        set("trefoil_storage_files", name, statistics.files);
        set("trefoil_storage_file_bytes", name, statistics.file_bytes);
        set("trefoil_storage_columns", name, statistics.columns);
    }
}

async fn maintain_once(
    table: &TableStore,
    round: u64,
    checkpointed: &mut u64,
) -> Result<(), Error> {
    retention::retain(table).await?;
    while compact::compact_once(table).await? > 0 {}
    let version = table.log.view().await.version;
    let every = table.options.maintenance.checkpoint_commits.max(1);
    if version / every > *checkpointed / every {
        table.log.checkpoint().await?;
        *checkpointed = version;
    }
    if round % VACUUM_ROUNDS == VACUUM_ROUNDS - 1 {
        retention::vacuum(table).await?;
    }
    Ok(())
}

fn set(gauge: &'static str, table: &'static str, value: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    metrics::gauge!(gauge, "table" => table).set(value as f64);
}

fn report(table: &TableStore, job: &'static str, error: &Error) {
    let table = table.table.as_str();
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(table, job, %error, cause, "will be tried again");
    metrics::counter!("trefoil_storage_job_failures_total", "table" => table, "job" => job)
        .increment(1);
}
