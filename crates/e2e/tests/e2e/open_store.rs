//! Others open the tables as they are: DuckDB and Polars see what our SQL sees.

use std::time::Duration;

use e2e::otlp::{
    attribute, int, log, logs_request, post_logs, post_traces, span, text, traces_request,
};
use e2e::program::{command, python, root, run};
use e2e::server::Setup;
use e2e::until;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Value, json};

#[tokio::test]
async fn duckdb_and_polars_read_what_sql_reads() {
    let mut server = Setup::new().start().await;
    for batch in 0..5 {
        let spans = (0..100).map(|row| {
            let mut span = span(
                &format!("operation {}", row % 7),
                vec![
                    int("http.status_code", 200 + row % 3),
                    text("http.route", "/things/{id}"),
                    attribute("ratio", Any::DoubleValue(0.25)),
                ],
            );
            span.end_time_unix_nano = span.start_time_unix_nano + row.unsigned_abs() * 1_000;
            span
        });
        let request = traces_request(&format!("service-{batch}"), spans.collect());
        let reply = post_traces(server.http(), &server.main(), &request).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let lines = (0..100).map(|row| log(&format!("ünïcode line {row}"), vec![int("row", row)]));
        let request = logs_request(&format!("service-{batch}"), lines.collect());
        let reply = post_logs(server.http(), &server.main(), &request).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let spans = server
        .sql(
            "SELECT service, count(*) AS rows, sum(duration_ns) AS duration, \
             sum(attributes['http.status_code']) AS codes FROM spans GROUP BY 1 ORDER BY 1",
        )
        .await;
    let logs = server
        .sql("SELECT service, count(*) AS rows, max(body) AS body FROM logs GROUP BY 1 ORDER BY 1")
        .await;
    assert_eq!(spans.rows.len(), 5);
    // A stop flushes: from then on all of it is in the tables.
    assert!(server.stop().await.success());
    let tables = server.data_dir().join("tables");

    let printed = until("other programs to read the tables", || async {
        let script = root().join("crates/e2e/clients/python/read_tables.py");
        let output =
            run(command(python()).arg(script).arg(&tables), Duration::from_secs(120)).await;
        if output.code == Some(0) { Ok(output.stdout) } else { Err(output.said()) }
    })
    .await;
    let printed: Value = serde_json::from_str(&printed).expect("JSON from the client");
    for reader in ["duckdb", "polars"] {
        assert_eq!(printed[reader]["spans"], json!(spans.rows), "{reader}");
        assert_eq!(printed[reader]["logs"], json!(logs.rows), "{reader}");
    }
}
