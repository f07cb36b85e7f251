//! Attributes become columns.

use model::{Table, Tenant};
use storage::registry::{REST_KEYS, REST_MORE};

use crate::support::*;

async fn names(store: &storage::Store) -> Vec<String> {
    let schema = store.snapshot(Table::Logs, &Tenant::default_tenant()).schema.clone();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.filter(|name| name.starts_with("attributes.")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_clash_gets_a_column_of_its_own_and_nothing_is_cast() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    append(&store, &[row("a").with("status", Value::Int(200))]).await.expect("appended");
    append(&store, &[row("b").with("status", Value::Text("OK".into()))]).await.expect("appended");
    append(&store, &[row("c").with("status", Value::Double(1.5))]).await.expect("appended");
    let question = "SELECT body, \"attributes.status\", \"attributes.status#string\", \
                    \"attributes.status#double\" FROM logs ORDER BY body";
    let expected = ["a|200||", "b||OK|", "c|||1.5"];
    assert_eq!(sql(&store, question).await, expected);
    store.flush().await.expect("flushed");
    assert_eq!(sql(&store, question).await, expected);
    store.shutdown().await.expect("shut down");
    let store = open(&options(&dir)).await;
    append(&store, &[row("d").with("status", Value::Text("late".into()))]).await.expect("appended");
    assert_eq!(sql(&store, question).await, ["a|200||", "b||OK|", "c|||1.5", "d||late|"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_keys_the_first_get_columns_and_the_others_stay_findable() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir);
    options.columns.soft_max = 50;
    options.columns.hard_max = 60;
    let store = open(&options).await;
    let rows: Vec<Row> = (0..1_000)
        .map(|id| {
            let row = row(id).with(format!("key{id:04}"), Value::Int(id));
            if id % 2 == 0 { row.with("often", Value::Bool(true)) } else { row }
        })
        .collect();
    for chunk in rows.chunks(100) {
        append(&store, chunk).await.expect("appended");
    }
    for _ in 0..2 {
        let rest = sql(&store, "SELECT rest FROM logs WHERE body = '999'").await;
        assert_eq!(rest, [r#"{"attributes.key0999":999}"#]);
        assert_eq!(
            sql(&store, "SELECT \"attributes.key0007\" FROM logs WHERE body = '7'").await,
            ["7"]
        );
        assert_eq!(sql(&store, "SELECT count(*) FROM logs WHERE rest IS NULL").await.len(), 1);
        assert_eq!(ids(&store).await.len(), 1_000);
        store.flush().await.expect("flushed");
    }
    let names = names(&store).await;
    assert!(names.len() <= 60, "{}", names.len());
    assert!(names.contains(&"attributes.often".to_owned()), "often enough for a column");
    let schema = store.snapshot(Table::Logs, &Tenant::default_tenant()).schema.clone();
    let listed = &schema.metadata()[REST_KEYS];
    assert!(listed.contains("\"attributes.key0999\":\"int\""));
    store.shutdown().await.expect("shut down");
    let schema =
        open(&options).await.snapshot(Table::Logs, &Tenant::default_tenant()).schema.clone();
    assert_eq!(&schema.metadata()[REST_KEYS], listed);
    assert_eq!(schema.metadata().get(REST_MORE), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_appears_late_is_null_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    append(&store, &[row("early")]).await.expect("appended");
    store.flush().await.expect("flushed");
    append(&store, &[row("late").with("k", Value::Text("v".into()))]).await.expect("appended");
    let question = "SELECT body, \"attributes.k\" FROM logs ORDER BY body";
    assert_eq!(sql(&store, question).await, ["early|", "late|v"]);
    store.flush().await.expect("flushed");
    assert_eq!(sql(&store, question).await, ["early|", "late|v"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_delta_forbids_or_others_cannot_tell_apart_go_to_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&options(&dir)).await;
    let odd = row("a")
        .with("with space", Value::Int(1))
        .with("a=b", Value::Int(2))
        .with("Case", Value::Int(3))
        .with("case", Value::Int(4))
        .with("k#int", Value::Int(5))
        .with("fine#1-ä", Value::Int(6));
    append(&store, &[odd]).await.expect("appended");
    for _ in 0..2 {
        assert_eq!(names(&store).await, ["attributes.Case", "attributes.fine#1-ä"]);
        let rest = sql(&store, "SELECT rest FROM logs").await;
        let expected = r#"{"attributes.with space":1,"attributes.a=b":2,"attributes.case":4,"attributes.k#int":5}"#;
        assert_eq!(rest, [expected]);
        assert_eq!(sql(&store, "SELECT \"attributes.fine#1-ä\" FROM logs").await, ["6"]);
        store.flush().await.expect("flushed");
    }
}
