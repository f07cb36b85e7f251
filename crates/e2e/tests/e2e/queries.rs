//! Asking: only reading, cancelled when the client goes, fresh at once, live.

use std::time::Duration;

use e2e::otlp::{int, log, logs_request, post, post_logs, post_traces, span, text, traces_request};
use e2e::server::{Server, Setup};
use e2e::until;
use serde_json::{Value, json};

async fn send_log(server: &Server, service: &str, body: &str) {
    let request = logs_request(service, vec![log(body, vec![])]);
    let reply = post_logs(server.http(), &server.main(), &request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn an_acknowledged_row_is_visible_to_the_next_question() {
    let server = Server::start().await;
    for row in 0..20 {
        send_log(&server, "fresh", &format!("line {row}")).await;
        let found = server.sql("SELECT count(*) FROM logs WHERE service = 'fresh'").await;
        assert_eq!(found.number(), row + 1);
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let server = Server::start().await;
    send_log(&server, "kept", "a line").await;
    let elsewhere = server.scratch().join("stolen");
    let statements = [
        "DELETE FROM logs".to_owned(),
        "UPDATE logs SET body = 'x'".to_owned(),
        "INSERT INTO logs SELECT * FROM logs".to_owned(),
        "DROP TABLE logs".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "CREATE VIEW v AS SELECT 1".to_owned(),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        format!("COPY logs TO '{}'", elsewhere.display()),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELECT 1; DROP TABLE logs".to_owned(),
    ];
    for statement in statements {
        let error = server.ask(&statement).await.expect_err(&statement);
        assert!(error.to_string().starts_with("400"), "{statement}: {error:#}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM logs").await.number(), 1);
    assert!(!elsewhere.try_exists().expect("the scratch directory"));
}

#[tokio::test]
async fn a_mistake_is_explained_with_its_place() {
    let server = Server::start().await;
    send_log(&server, "s", "a line").await;
    let error = server.ask("SELECT boddy FROM logs").await.expect_err("no such column");
    let error = error.to_string();
    assert!(error.starts_with("400") && error.contains("boddy"), "{error}");
    assert!(error.contains("body"), "the nearest name is not offered: {error}");
    let error = server.ask("SELEC 1").await.expect_err("no SQL").to_string();
    assert!(error.starts_with("400") && error.contains("SELEC"), "{error}");
}

#[tokio::test]
async fn answers_come_as_json_ndjson_and_arrow() {
    let server = Server::start().await;
    send_log(&server, "shapes", "a line").await;
    let url = format!("{}/api/v1/sql", server.main());
    let sql = "SELECT service, count(*) AS n FROM logs GROUP BY 1";
    let ndjson = post(server.http(), &url, &[("accept", "application/x-ndjson")], sql).await;
    let ndjson = ndjson.expect("an answer");
    assert_eq!(ndjson.status, 200, "{}", ndjson.text());
    let text = ndjson.text();
    let row: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(row, json!({"service": "shapes", "n": 1}));
    let accept = [("accept", "application/vnd.apache.arrow.stream")];
    let arrow = post(server.http(), &url, &accept, sql).await.expect("an answer");
    assert_eq!(arrow.content_type, "application/vnd.apache.arrow.stream");
    assert!(arrow.body.starts_with(&[0xff; 4]), "no Arrow stream");
    let body = json!({"sql": "SELECT $1 + 1 AS n", "params": [41]}).to_string();
    let answer = post(server.http(), &url, &[("content-type", "application/json")], body).await;
    let answer: Value = serde_json::from_slice(&answer.expect("an answer").body).expect("JSON");
    assert_eq!(answer["rows"], json!([[42]]));
}

#[tokio::test]
async fn spans_and_logs_join_in_one_question() {
    let server = Server::start().await;
    let span = span("GET /things", vec![int("http.response.status_code", 500)]);
    let mut line = log("it broke", vec![text("code", "E42")]);
    line.trace_id.clone_from(&span.trace_id);
    line.span_id.clone_from(&span.span_id);
    let traces = traces_request("shop", vec![span]);
    let logs = logs_request("shop", vec![line]);
    assert!(post_traces(server.http(), &server.main(), &traces).await.expect("one").is_success());
    assert!(post_logs(server.http(), &server.main(), &logs).await.expect("one").is_success());
    let rows = server
        .sql(
            "SELECT s.name, l.body, l.attributes['code'] AS code \
             FROM spans s JOIN logs l ON s.trace_id = l.trace_id AND s.span_id = l.span_id \
             WHERE s.attributes['http.response.status_code'] = 500",
        )
        .await;
    assert_eq!(rows.rows, [[json!("GET /things"), json!("it broke"), json!("E42")]]);
}

/// A question that would take for ever, and that no limit on rows ends.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000) AS a(x), \
                       generate_series(1, 100000) AS b(y) WHERE x * y % 7 = 3";

#[tokio::test]
async fn a_question_ends_when_its_client_goes() {
    let server = Server::start().await;
    let answer = server
        .http()
        .post(format!("{}/api/v1/sql", server.main()))
        .body(ENDLESS)
        .timeout(Duration::from_secs(3))
        .send()
        .await;
    let gone = answer.map(|answer| answer.status()).expect_err("it cannot have ended");
    assert!(gone.is_timeout(), "{gone}");
    idle(&server).await;
}

#[tokio::test]
async fn a_question_ends_at_its_time_limit() {
    let server = Setup::new().set("query.timeout", "1s").start().await;
    let error = server.ask(ENDLESS).await.expect_err("it cannot have ended").to_string();
    assert!(error.contains("timeout"), "{error}");
    idle(&server).await;
}

/// Waits until the server uses next to no processor time.
async fn idle(server: &Server) {
    let ticks = || {
        let path = format!("/proc/{}/stat", server.pid());
        let stat = std::fs::read_to_string(path).expect("a running server");
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        fields.iter().sum::<u64>()
    };
    until("the server to rest", || async {
        let before = ticks();
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Fifty ticks of ten milliseconds: one core's all. A fifth of that is still rest.
        let used = ticks() - before;
        if used <= 10 { Ok(()) } else { Err(used) }
    })
    .await;
}

#[tokio::test]
async fn the_tail_shows_a_line_as_it_comes() {
    let server = Server::start().await;
    let mut tail = server
        .http()
        .get(format!("{}/api/v1/logs/tail?service=wanted", server.main()))
        .send()
        .await
        .expect("a stream");
    assert_eq!(tail.status(), 200);
    let mut seen = String::new();
    let mut sent = 0;
    // The stream may start a moment after its headers, so lines are sent until one shows.
    let shown = tokio::time::timeout(e2e::wait::PATIENCE, async {
        loop {
            send_log(&server, "other", "not this one").await;
            send_log(&server, "wanted", &format!("line {sent} of the tail")).await;
            sent += 1;
            let wait = Duration::from_secs(1);
            while let Ok(chunk) = tokio::time::timeout(wait, tail.chunk()).await {
                let chunk = chunk.expect("the stream goes on").expect("the stream goes on");
                seen.push_str(&String::from_utf8_lossy(&chunk));
                if seen.contains("of the tail") {
                    return;
                }
            }
        }
    });
    assert!(shown.await.is_ok(), "{sent} lines were sent; seen: {seen}");
    assert!(seen.contains("event: rows") || seen.contains("event:rows"), "{seen}");
    assert!(!seen.contains("not this one"), "{seen}");
}
