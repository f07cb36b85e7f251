//! The write-ahead log and what may become of it.

use std::sync::Arc;

use storage::{AppendError, Error, Store};

use crate::support::disk::{Disk, Fault};
use crate::support::*;

async fn on_disk(dir: &tempfile::TempDir, disk: &Disk) -> Store {
    let mut options = options(dir);
    options.wal.io = Arc::new(disk.clone());
    reopen(&options, clock()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_not_flushed_come_back_after_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new(1);
    let store = on_disk(&dir, &disk).await;
    append(&store, &[row("a"), row("b")]).await.expect("appended");
    store.flush().await.expect("flushed");
    append(&store, &[row("c")]).await.expect("appended");
    drop(store);
    disk.crash();
    let store = on_disk(&dir, &disk).await;
    assert_rows(&store, ["a", "b", "c"]).await;
    drop(store);
    disk.crash();
    assert_rows(&on_disk(&dir, &disk).await, ["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_or_sync_acknowledges_nothing_and_the_next_goes_to_a_new_segment() {
    let faults: [&[Fault]; 5] = [
        &[Fault::Write(0)],
        &[Fault::Write(60)],
        &[Fault::Sync],
        &[Fault::Write(150), Fault::Truncate],
        &[Fault::Sync, Fault::Truncate, Fault::Create],
    ];
    for faults in faults {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Disk::new(2);
        let store = on_disk(&dir, &disk).await;
        append(&store, &[row("a")]).await.expect("appended");
        disk.fail_next(faults);
        let mut expected = vec!["a"];
        let refused = append(&store, &[row("refused")]).await;
        assert!(matches!(refused, Err(AppendError::Unavailable { .. })), "{faults:?}: {refused:?}");
        if append(&store, &[row("b")]).await.is_ok() {
            expected.push("b");
        }
        append(&store, &[row("c")]).await.expect("the disk is well again");
        expected.push("c");
        assert_rows(&store, &expected).await;
        drop(store);
        disk.crash();
        assert_rows(&on_disk(&dir, &disk).await, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_could_not_be_begun_leaves_no_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new(5);
    let mut options = options(&dir);
    options.wal.io = Arc::new(disk.clone());
    options.wal.segment_bytes = 100;
    let store = open(&options).await;
    append(&store, &[row("a")]).await.expect("appended");
    disk.fail_next(&[Fault::Sync]);
    append(&store, &[row("refused")]).await.expect_err("the new segment is not synced");
    append(&store, &[row("b")]).await.expect("appended");
    append(&store, &[row("c")]).await.expect("appended");
    store.flush().await.expect("flushed");
    append(&store, &[row("d")]).await.expect("appended");
    drop(store);
    disk.crash();
    assert_rows(&reopen(&options, clock()).await, ["a", "b", "c", "d"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_is_refused_by_file_and_byte_and_a_torn_end_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new(3);
    let store = on_disk(&dir, &disk).await;
    append(&store, &[row("a")]).await.expect("appended");
    append(&store, &[row("b")]).await.expect("appended");
    drop(store);
    let files = disk.files();
    let (path, bytes) = files.iter().find(|(_, bytes)| bytes.len() > 32).expect("a segment");

    disk.change(path, |bytes| {
        let end = bytes.len() - 5;
        bytes.truncate(end);
    });
    let store = on_disk(&dir, &disk).await;
    assert_rows(&store, ["a"]).await;
    drop(store);

    disk.change(path, |bytes_now| {
        bytes_now.clone_from(bytes);
        bytes_now[60] ^= 1;
    });
    let mut options = options(&dir);
    options.wal.io = Arc::new(disk.clone());
    let error = loop {
        match Store::open(options.clone(), Arc::new(Ipc), clock()).await {
            Err(Error::Locked { .. }) => tokio::task::yield_now().await,
            other => break other.expect_err("the log is damaged"),
        }
    };
    assert!(matches!(&error, Error::Corrupt { path: p, offset: 32, .. } if p == path), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_go_when_their_rows_are_in_tables() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::new(4);
    let mut options = options(&dir);
    options.wal.io = Arc::new(disk.clone());
    options.wal.segment_bytes = 4_096;
    let store = open(&options).await;
    for id in 0..20 {
        append(&store, &[row(id)]).await.expect("appended");
    }
    assert!(disk.files().len() > 5);
    store.shutdown().await.expect("shut down");
    assert!(disk.files().len() <= 1, "{}", disk.files().len());
    assert_rows(&reopen(&options, clock()).await, 0..20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_holds_no_more_than_the_budget() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    let store = open(&options).await;
    for id in 0..40 {
        let rows: Vec<Row> = (0..100).map(|n| row(id * 100 + n)).collect();
        append(&store, &rows).await.expect("appended");
    }
    drop(store);
    options.memory = stdx::memory::Budget::new("buffers", 400_000);
    let store = reopen(&options, clock()).await;
    assert!(options.memory.used_bytes() <= 400_000);
    assert!(store.statistics()[1].files > 1);
    assert_rows(&store, 0..4_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_decoded_any_more_is_set_aside() {
    #[derive(Debug)]
    struct Picky;
    impl storage::Decode for Picky {
        fn decode(
            &self,
            format: u8,
            tenant: &model::Tenant,
            received_at: stdx::clock::UnixNanos,
            body: &bytes::Bytes,
        ) -> Result<arrow_array::RecordBatch, String> {
            let batch = Ipc.decode(format, tenant, received_at, body)?;
            if batch.num_rows() == 2 { Err("two rows are too many".to_owned()) } else { Ok(batch) }
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    append(&store, &[row("a"), row("b")]).await.expect("appended");
    append(&store, &[row("c")]).await.expect("appended");
    drop(store);
    drop(reopen(&options(&dir), clock()).await);
    let store = loop {
        match Store::open(options(&dir), Arc::new(Picky), clock()).await {
            Err(Error::Locked { .. }) => tokio::task::yield_now().await,
            other => break other.expect("opens"),
        }
    };
    assert_rows(&store, ["c"]).await;
    let kept = std::fs::read_dir(dir.path().join("set-aside")).expect("a directory").count();
    assert_eq!(kept, 1);
}
