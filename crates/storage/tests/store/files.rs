//! Files: days, order, compaction, retention, vacuum, checkpoints.

use std::time::Duration;

use model::{Table, Tenant};
use storage::Store;

use crate::support::objects::{BEFORE, DATA, NOT, Objects};
use crate::support::*;

fn file_names(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot(Table::Logs, &Tenant::default_tenant());
    let mut names: Vec<String> = snapshot.files.iter().map(|f| f.path.to_string()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_day_has_its_file_and_wrong_clocks_share_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.flush.days_max = 2;
    let store = open(&options).await;
    let mut rows = Vec::new();
    for (day, count) in [(0, 5), (-1, 4), (-400, 1), (9_000, 1)] {
        rows.extend(
            (0..count)
                .map(|n| Row { time_us: NOON_US + day * DAY_US, ..row(format!("{day}/{n}")) }),
        );
    }
    append(&store, &rows).await.expect("appended");
    store.flush().await.expect("flushed");
    let names = file_names(&store);
    let dirs: Vec<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
    assert_eq!(dirs, ["2026-11-20", "2026-11-21", "mixed"]);
    assert_rows(&store, rows.iter().map(|row| &row.id)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_rows_order_and_columns() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.maintenance.compact_files_min = 4;
    let store = open(&options).await;
    for n in 0..12_i64 {
        let rows: Vec<Row> = (0..50)
            .map(|m| Row {
                service: ["web", "api", "db"][usize::try_from((n + m) % 3).expect("small")],
                time_us: NOON_US + (m * 7_919 + n * 31) % 1_000,
                ..row(n * 50 + m).with(format!("key{n}"), Value::Int(m))
            })
            .collect();
        append(&store, &rows).await.expect("appended");
        store.flush().await.expect("flushed");
    }
    assert_eq!(file_names(&store).len(), 12);
    assert_eq!(store.compact().await.expect("compacted"), 12);
    assert_eq!(file_names(&store).len(), 1);
    assert_rows(&store, 0..600).await;
    for n in 0..12 {
        let question =
            format!("SELECT sum(\"attributes.key{n}\"), count(\"attributes.key{n}\") FROM logs");
        assert_eq!(sql(&store, &question).await, ["1225|50"]);
    }
    let snapshot = store.snapshot(Table::Logs, &Tenant::default_tenant());
    let path = dir.path().join("tables/logs").join(snapshot.files[0].path.as_ref());
    let file = std::fs::File::open(path).expect("file is there");
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
        .expect("is Parquet")
        .build()
        .expect("can be read");
    let mut last = (String::new(), 0);
    for batch in reader {
        let batch = batch.expect("can be read");
        let text = |row, name: &str| {
            let column = batch.column_by_name(name).expect("has the column");
            arrow::util::display::array_value_to_string(column, row).expect("displays")
        };
        use arrow_array::cast::AsArray as _;
        let times = batch.column_by_name("time").expect("has the column").clone();
        let times = times.as_primitive::<arrow_array::types::TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let key = (text(row, "service"), times.value(row));
            assert!(last <= key, "{last:?} before {key:?}");
            last = key;
        }
    }
    store.shutdown().await.expect("shut down");
    assert_rows(&open(&options).await, 0..600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_to_merge_at_once_is_merged_in_parts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.maintenance.compact_files_min = 4;
    options.maintenance.memory = stdx::memory::Budget::new("merges", 4 << 20);
    let store = open(&options).await;
    for n in 0..8_i64 {
        let rows: Vec<Row> = (n * 100..n * 100 + 100)
            .map(|id| {
                row(id).with("text", Value::Text(format!("{id:08} {}", "long ".repeat(4_000))))
            })
            .collect();
        append(&store, &rows).await.expect("appended");
        store.flush().await.expect("flushed");
    }
    assert_eq!(file_names(&store).len(), 8);
    store.compact().await.expect("compacted");
    assert!(file_names(&store).len() < 4, "{:?}", file_names(&store));
    assert_rows(&store, 0..800).await;
    assert_eq!(options.maintenance.memory.used_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_files_go_by_age_and_by_size_and_then_from_the_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    let kept = storage::Retention { age: Some(Duration::from_secs(3 * 86_400)), bytes: None };
    options.retention = Table::ALL.map(|table| (table, kept)).into();
    let clock = stdx::clock::Clock::system();
    let now_us = clock.now() / 1_000;
    let clock = stdx::clock::Clock::manual(now_us * 1_000);
    let decode = std::sync::Arc::new(Ipc);
    let store = Store::open(options.clone(), decode, clock.clone()).await.expect("opens");
    for day in 0..4 {
        let aged = Row { time_us: now_us - day * DAY_US - DAY_US / 2, ..row(day) };
        append(&store, &[aged]).await.expect("appended");
        store.flush().await.expect("flushed");
    }
    assert_eq!(store.retain().await.expect("retained"), 1);
    assert_rows(&store, 0..3).await;
    assert_eq!(store.vacuum().await.expect("vacuumed"), 0, "grace has not passed");
    clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(store.vacuum().await.expect("vacuumed"), 1);
    assert_eq!(store.vacuum().await.expect("vacuumed"), 0);
    assert_rows(&store, 0..3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_a_commit_are_vacuumed_but_not_those_that_wait_for_theirs() {
    let dir = tempfile::tempdir().expect("a directory");
    let objects = Objects::new(1);
    let options = in_store(options(&dir), std::sync::Arc::new(objects.clone()));
    let clock = stdx::clock::Clock::manual(stdx::clock::Clock::system().now());
    let decode = std::sync::Arc::new(Ipc);
    let store = Store::open(options.clone(), decode.clone(), clock.clone()).await.expect("opens");
    append(&store, &[row("a")]).await.expect("appended");
    objects.fail_commits(BEFORE);
    store.flush().await.expect_err("commit fails");
    objects.fail_commits(NOT);
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(store.vacuum().await.expect("vacuumed"), 0, "the commit is still to come");
    store.flush().await.expect("flushed");
    append(&store, &[row("b")]).await.expect("appended");
    objects.fail_commits(DATA);
    store.flush().await.expect_err("the file is not written");
    objects.fail_commits(BEFORE);
    store.flush().await.expect_err("the commit is not written");
    drop(store);
    let objects = objects.reborn();
    objects.fail_commits(NOT);
    let options = in_store(options, std::sync::Arc::new(objects));
    let store = reopen(&options, clock).await;
    assert_eq!(store.vacuum().await.expect("vacuumed"), 1, "the file of the dead process");
    assert_rows(&store, ["a", "b"]).await;
    store.flush().await.expect("flushed");
    assert_rows(&store, ["a", "b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_keep_the_table_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    for id in 0..25 {
        append(&store, &[row(id).with(format!("key{id}"), Value::Int(id))])
            .await
            .expect("appended");
        store.flush().await.expect("flushed");
        if id % 10 == 9 {
            store.checkpoint().await.expect("checkpoint made");
        }
    }
    store.shutdown().await.expect("shut down");
    let log = std::fs::read_dir(dir.path().join("tables/logs/_delta_log")).expect("a log");
    let names: Vec<String> =
        log.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with(".checkpoint.parquet")), "{names:?}");
    let store = open(&options(&dir)).await;
    assert_rows(&store, 0..25).await;
    append(&store, &[row(25)]).await.expect("appended");
    store.flush().await.expect("flushed");
    assert_rows(&store, 0..26).await;
    let files = store.snapshot(Table::Logs, &Tenant::default_tenant()).files.clone();
    assert!(
        files.iter().all(|file| file.rows == 1 && file.time_min_us == NOON_US && !file.has_rest)
    );
}
