//! Tables on S3, by URL.

use std::time::Duration;

use storage::Store;

use crate::support::s3::S3;
use crate::support::*;

fn location(s3: &S3) -> storage::Location {
    let (url, options) = s3.place();
    storage::Location::Url { url: url.parse().expect("a URL"), options }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_on_s3_are_written_read_compacted_and_vacuumed() {
    let s3 = S3::start(|_, _| None).await;
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.location = location(&s3);
    options.maintenance.compact_files_min = 2;
    let clock = stdx::clock::Clock::manual(stdx::clock::Clock::system().now());
    let decode = std::sync::Arc::new(Ipc);
    let store = Store::open(options.clone(), decode, clock.clone()).await.expect("opens");
    for id in 0..5 {
        append(&store, &[row(id).with("k", Value::Int(id))]).await.expect("appended");
        store.flush().await.expect("flushed");
    }
    store.checkpoint().await.expect("checkpoint made");
    append(&store, &[row(5)]).await.expect("appended");
    assert_rows(&store, 0..6).await;
    assert_eq!(store.compact().await.expect("compacted"), 5);
    clock.advance(Duration::from_secs(40 * 86_400));
    assert_eq!(store.vacuum().await.expect("vacuumed"), 5);
    assert_eq!(sql(&store, "SELECT sum(\"attributes.k\") FROM logs").await, ["10"]);
    store.shutdown().await.expect("shut down");
    let prefix = "some/prefix/logs/_delta_log/";
    assert!(s3.keys().iter().any(|key| key.starts_with(prefix)), "{:?}", s3.keys());
    assert_rows(&reopen(&options, clock).await, 0..6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_s3_lose_nothing() {
    let s3 = S3::start(|_, _| None).await;
    let dirs =
        [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
    let mut stores = Vec::new();
    for dir in &dirs {
        let mut options = options(dir);
        options.location = location(&s3);
        stores.push(open(&options).await);
    }
    for round in 0..5 {
        let jobs = stores.iter().enumerate().map(|(node, store)| async move {
            append(store, &[row(format!("{node}/{round}"))]).await.expect("appended");
            store.flush().await.expect("flushed");
        });
        futures::future::join_all(jobs).await;
    }
    let expected: Vec<String> =
        (0..2).flat_map(|node| (0..5).map(move |round| format!("{node}/{round}"))).collect();
    for store in &stores {
        store.refresh().await.expect("refreshed");
        assert_rows(store, &expected).await;
    }
}
