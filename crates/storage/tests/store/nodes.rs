//! Several writers of one table, and commits whose outcome is not known.

use std::sync::Arc;

use crate::support::objects::{AFTER, BEFORE, DATA, NOT, Objects};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_whose_failure_is_not_known_lands_exactly_once() {
    for how in [DATA, BEFORE, AFTER] {
        let dir = tempfile::tempdir().expect("a directory");
        let objects = Objects::new(1);
        let options = in_store(options(&dir), Arc::new(objects.clone()));
        let store = open(&options).await;
        append(&store, &[row("a")]).await.expect("appended");
        objects.fail_commits(how);
        store.flush().await.expect_err("the store of objects fails");
        assert_rows(&store, ["a"]).await;
        append(&store, &[row("b")]).await.expect("appended while the store of objects fails");
        objects.fail_commits(NOT);
        store.flush().await.expect("flushed");
        assert_rows(&store, ["a", "b"]).await;
        drop(store);
        let options = in_store(options, Arc::new(objects.reborn()));
        assert_rows(&reopen(&options, clock()).await, ["a", "b"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_file_commit_and_log_leaves_every_row_once() {
    for how in [DATA, BEFORE, AFTER] {
        let dir = tempfile::tempdir().expect("a directory");
        let objects = Objects::new(1);
        let options_before = in_store(options(&dir), Arc::new(objects.clone()));
        let store = open(&options_before).await;
        append(&store, &[row("a")]).await.expect("appended");
        objects.fail_commits(how);
        store.flush().await.expect_err("the store of objects fails");
        drop(store);
        let objects = objects.reborn();
        objects.fail_commits(NOT);
        let options = in_store(options(&dir), Arc::new(objects));
        let store = reopen(&options, clock()).await;
        assert_rows(&store, ["a"]).await;
        store.flush().await.expect("flushed");
        assert_rows(&store, ["a"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_at_once_lose_nothing_and_agree_on_names() {
    let objects = Objects::new(1);
    let dirs =
        [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
    let mut stores = Vec::new();
    for dir in &dirs {
        stores.push(open(&in_store(options(dir), Arc::new(objects.clone()))).await);
    }
    for round in 0..10 {
        let jobs = stores.iter().enumerate().map(|(node, store)| async move {
            let id = format!("{node}/{round}");
            let clash = if node == 0 { Value::Int(1) } else { Value::Text("one".into()) };
            let row = row(id).with(format!("clash{}", round % 3), clash);
            append(store, &[row.with(format!("own{node}"), Value::Int(round))])
                .await
                .expect("appended");
            while let Err(error) = store.flush().await {
                assert!(format!("{error:?}").contains("onflict"), "{error:?}");
            }
        });
        futures::future::join_all(jobs).await;
    }
    let expected: Vec<String> =
        (0..2).flat_map(|n| (0..10).map(move |r| format!("{n}/{r}"))).collect();
    for store in &stores {
        store.refresh().await.expect("refreshed");
        assert_rows(store, &expected).await;
        let both = "SELECT count(\"attributes.own0\"), count(\"attributes.own1\") FROM logs";
        assert_eq!(sql(store, both).await, ["10|10"]);
    }
    let names = |store: &storage::Store| {
        let snapshot = store.snapshot(model::Table::Logs, &model::Tenant::default_tenant());
        let mut names: Vec<String> =
            snapshot.schema.fields().iter().map(|field| field.name().clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&stores[0]), names(&stores[1]));
    for round in 0..3 {
        let columns = [
            format!("attributes.clash{round}"),
            format!("attributes.clash{round}#string"),
            format!("attributes.clash{round}#int"),
        ];
        let there = names(&stores[0]).iter().filter(|name| columns.contains(name)).count();
        assert_eq!(there, 2, "a column for each type");
    }
}
