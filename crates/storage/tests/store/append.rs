//! Appending and looking.

use std::sync::Arc;

use model::{Table, Tenant};
use stdx::memory::Budget;
use storage::{AppendError, Error, Store};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_are_seen_at_once_and_after_a_flush() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    append(&store, &[row("a"), row("b")]).await.expect("appended");
    assert_rows(&store, ["a", "b"]).await;
    store.flush().await.expect("flushed");
    append(&store, &[row("c")]).await.expect("appended");
    assert_rows(&store, ["a", "b", "c"]).await;
    let statistics = &store.statistics()[1];
    assert_eq!((statistics.rows, statistics.files, statistics.buffered_rows), (3, 1, 1));
    store.shutdown().await.expect("shut down");
    assert_rows(&open(&options(&dir)).await, ["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_snapshot_keeps_its_rows_through_flush_and_compaction() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.maintenance.compact_files_min = 2;
    let store = open(&options).await;
    append(&store, &[row("a")]).await.expect("appended");
    store.flush().await.expect("flushed");
    append(&store, &[row("b")]).await.expect("appended");
    let snapshot = store.snapshot(Table::Logs, &Tenant::default_tenant());
    store.flush().await.expect("flushed");
    assert_eq!(store.compact().await.expect("compacted"), 2);
    append(&store, &[row("c")]).await.expect("appended");
    let ctx = datafusion::prelude::SessionContext::new();
    ctx.register_table("logs", snapshot).expect("registers");
    let count = ctx.sql("SELECT * FROM logs").await.expect("plans").count().await.expect("runs");
    assert_eq!(count, 2);
    assert_rows(&store, ["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_each_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    let other = Row { tenant: "other", ..row("theirs") };
    append(&store, &[row("ours"), other]).await.expect("appended");
    for _ in 0..2 {
        assert_eq!(sql(&store, "SELECT body FROM logs").await, ["ours"]);
        assert_eq!(sql_as(&store, "other", "SELECT body FROM logs").await, ["theirs"]);
        store.flush().await.expect("flushed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appends_at_once_share_syncs_and_all_arrive() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(&options(&dir)).await);
    let rows: Vec<Row> = (0..500).map(row).collect();
    let appends = rows.iter().map(|row| append(&store, std::slice::from_ref(row)));
    for result in futures::future::join_all(appends).await {
        result.expect("appended");
    }
    assert_rows(&store, 0..500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiny_batches_cost_what_they_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    for id in 0..3_000 {
        let tiny = row(id).with("http.method", Value::Text("GET".to_owned()));
        append(&store, &[tiny]).await.expect("appended");
    }
    let bytes = store.statistics()[1].buffered_bytes;
    assert!(bytes / 3_000 < 1_000, "{} bytes a row", bytes / 3_000);
    assert_eq!(ids(&store).await.len(), 3_000);
    assert_eq!(sql(&store, "SELECT count(\"attributes.http.method\") FROM logs").await, ["3000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_buffers_refuse_rows_and_take_them_again_after_a_flush() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.memory = Budget::new("buffers", 200_000);
    let store = open(&options).await;
    let mut kept = Vec::new();
    let refused = loop {
        let id = kept.len();
        match append(&store, &[row(id)]).await {
            Ok(()) => kept.push(id),
            Err(error) => break error,
        }
        assert!(kept.len() < 100_000, "the budget has no end");
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused:?}");
    assert!(options.memory.used_bytes() <= 200_000);
    store.flush().await.expect("flushed");
    assert_eq!(options.memory.used_bytes(), 0);
    append(&store, &[row("more")]).await.expect("there is room again");
    assert_rows(&store, kept.iter().map(ToString::to_string).chain(["more".to_owned()])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    let second = Store::open(options(&dir), Arc::new(Ipc), clock()).await;
    let error = second.expect_err("the directory is in use");
    assert!(matches!(&error, Error::Locked { path } if path.ends_with("lock")), "{error}");
    store.shutdown().await.expect("shut down");
    let refused = append(&store, &[row("late")]).await;
    assert!(matches!(refused, Err(AppendError::ShuttingDown)));
    open(&options(&dir)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_no_decoders_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    let good = batch(&[row("a")]);
    let bad = good.project(&[0, 1, 2]).expect("columns");
    let append = storage::Append {
        table: Table::Logs,
        format: 2,
        tenant: Tenant::default_tenant(),
        received_at: 0,
        body: encode(&bad),
        batch: bad,
        memory: Budget::new("test", 10).force(0),
    };
    let refused = store.append(append).await;
    assert!(matches!(refused, Err(AppendError::Invalid { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_hears_every_batch_and_reads_it_with_the_tables_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    let mut tail = store.tail(Table::Logs);
    append(&store, &[row("a").with("k", Value::Int(7))]).await.expect("appended");
    let (tenant, batch) = tail.recv().await.expect("a batch");
    assert_eq!(tenant, Tenant::default_tenant());
    let ctx = datafusion::prelude::SessionContext::new();
    let provider = store.tail_provider(Table::Logs, vec![batch]);
    ctx.register_table("logs", provider).expect("registers");
    let sql = "SELECT body FROM logs WHERE \"attributes.k\" = 7";
    assert_eq!(ctx.sql(sql).await.expect("plans").count().await.expect("runs"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn buffers_are_written_by_age_and_by_size_without_being_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.background = true;
    options.flush.buffer_age = std::time::Duration::ZERO;
    let store = open(&options).await;
    append(&store, &[row("a")]).await.expect("appended");
    wait_until(|| store.statistics()[1].files == 1).await;
    options.flush.buffer_age = std::time::Duration::MAX;
    options.flush.buffer_bytes = 1;
    store.shutdown().await.expect("shut down");
    let store = open(&options).await;
    append(&store, &[row("b")]).await.expect("appended");
    wait_until(|| store.statistics()[1].files == 2).await;
    assert_rows(&store, ["a", "b"]).await;
}
