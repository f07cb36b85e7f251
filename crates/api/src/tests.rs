//! The API as a client sees it, over fixed rows in memory.

use std::sync::Arc;

use axum::body::Body;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use model::{Table, Tenant};
use query::testing::{START, example};
use query::{Engine, Options};
use serde_json::{Value, json};
use stdx::clock::Clock;
use stdx::memory::Budget;
use tower::ServiceExt as _;

use crate::{Api, Auth, Key, LiveTail, Status, StatusReport, TailItem, TailStream};

#[derive(Debug)]
struct Process;

impl Status for Process {
    fn report(&self, _: &Tenant) -> StatusReport {
        StatusReport { version: "0.1.0".to_owned(), ..StatusReport::default() }
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Gives the fixed log rows, then says that some were missed.
#[derive(Debug)]
struct Rows;

impl LiveTail for Rows {
    fn subscribe(&self, table: Table, _: &Tenant) -> TailStream {
        let rows = example().batches(table).into_iter().map(TailItem::Rows);
        let items: Vec<TailItem> = rows.chain([TailItem::Missed(3)]).collect();
        Box::pin(futures::stream::iter(items))
    }
}

fn api(auth: Auth) -> Api {
    let clock = Clock::manual(START + 120_000_000_000);
    let mut options = Options::new(Budget::new("query", 256 * 1024 * 1024));
    options.threads = 2;
    options.clock = clock.clone();
    Api {
        engine: Engine::new(options, Arc::new(example())).expect("starts"),
        status: Arc::new(Process),
        tail: Arc::new(Rows),
        auth,
        metrics: Arc::new(|| "trefoil_up 1\n".to_owned()),
        clock,
    }
}

async fn send(api: Api, request: Request<Body>) -> Response<Body> {
    crate::router(api).oneshot(request).await.expect("never fails")
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::main(flavor = "current_thread")]
async fn get(path: &str) -> Value {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = send(api(Auth::default()), request).await;
    let status = response.status();
    let body = text(response).await;
    let mut value: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}"));
    if let Some(stats) = value.get_mut("stats") {
        assert!(stats["elapsed_ms"].as_f64().expect("a number") > 0.0);
        *stats = json!("…");
    }
    if status != StatusCode::OK {
        value["status"] = status.as_u16().into();
    }
    value
}

#[tokio::main(flavor = "current_thread")]
async fn sql(body: &str, headers: &[(&str, &str)]) -> (StatusCode, Vec<u8>) {
    let mut request = Request::post("/api/v1/sql");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    let response = send(api(Auth::default()), request).await;
    let status = response.status();
    (status, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
}

fn picked(rows: &Value, keys: &[&str]) -> String {
    let rows = rows.as_array().expect("a list").iter();
    let line = |row: &Value| {
        let values: Vec<String> = keys.iter().map(|key| row[*key].to_string()).collect();
        values.join(" ")
    };
    rows.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn services_have_rates_errors_and_durations() {
    let answer = get("/api/v1/services");
    assert_eq!(answer["step_ms"], 60_000);
    insta::assert_snapshot!(
        picked(&answer["services"], &["service", "environment", "requests", "error_share", "p50_ms", "last_seen"]),
        @r#"
    "fraud-api" "prod" 2 0.5 510.0 "2026-11-21T03:01:00.000000000Z"
    "features" "prod" 1 0.0 80.0 "2026-11-21T03:00:00.010000000Z"
    "#
    );
    let series = &answer["services"][0]["series"];
    let requests = series["requests"].as_array().expect("a list");
    assert_eq!(requests.len(), 61);
    assert_eq!(requests.iter().filter_map(Value::as_u64).sum::<u64>(), 2);
    assert_eq!(series["p95_ms"].as_array().expect("a list").len(), 61);
    let operations = get("/api/v1/services/fraud-api/operations");
    insta::assert_snapshot!(
        picked(&operations["operations"], &["name", "kind", "requests", "error_share", "p95_ms"]),
        @r#"
    "POST /predict" "server" 2 0.5 900.0
    "score" "internal" 1 1.0 1.0
    "#
    );
}

#[test]
fn traces_are_found_and_summed_up() {
    let check = |query: &str| {
        let answer = get(&format!("/api/v1/traces?{query}"));
        match answer.get("error") {
            Some(error) => error.to_string(),
            None => {
                let keys = [
                    "trace_id",
                    "root_service",
                    "root_name",
                    "duration_ms",
                    "spans",
                    "errors",
                    "matched",
                    "services",
                ];
                picked(&answer["traces"], &keys)
                    .replace(&"a".repeat(32), "A")
                    .replace(&"b".repeat(32), "B")
            }
        }
    };
    insta::assert_snapshot!(check(""), @r#"
    "B" "fraud-api" "POST /predict" 900.0 2 2 2 [{"service":"fraud-api","spans":2}]
    "A" "fraud-api" "POST /predict" 120.0 2 0 2 [{"service":"features","spans":1},{"service":"fraud-api","spans":1}]
    "#);
    insta::assert_snapshot!(check("sort=slowest&limit=1"), @r#""B" "fraud-api" "POST /predict" 900.0 2 2 2 [{"service":"fraud-api","spans":2}]"#);
    insta::assert_snapshot!(check("status=error&q=score"), @r#""B" "fraud-api" "POST /predict" 900.0 2 2 1 [{"service":"fraud-api","spans":2}]"#);
    insta::assert_snapshot!(check("q=retries%3A3"), @r#""A" "fraud-api" "POST /predict" 120.0 2 0 1 [{"service":"features","spans":1},{"service":"fraud-api","spans":1}]"#);
    insta::assert_snapshot!(check("service=features&min_duration_ms=50"), @r#""A" "fraud-api" "POST /predict" 120.0 2 0 1 [{"service":"features","spans":1},{"service":"fraud-api","spans":1}]"#);
    insta::assert_snapshot!(check("max_duration_ms=100"), @r#""A" "fraud-api" "POST /predict" 120.0 2 0 1 [{"service":"features","spans":1},{"service":"fraud-api","spans":1}]"#);
    insta::assert_snapshot!(check("q=http.status_code%3E%3D500"), @r#""B" "fraud-api" "POST /predict" 900.0 2 2 1 [{"service":"fraud-api","spans":2}]"#);
    insta::assert_snapshot!(check("q=x&start=0&end=1"), @"");
    insta::assert_snapshot!(check("q=duration%3Esoon"), @r#"{"code":"bad_request","message":"\"soon\" is no duration","hint":"write 500ms, 1.5s or 2m","column":1}"#);
    insta::assert_snapshot!(check("limit=many"), @r#"{"code":"bad_request","message":"limit: invalid digit found in string"}"#);
    insta::assert_snapshot!(check("start=tomorrow"), @r#"{"code":"bad_request","message":"start is no time: \"tomorrow\"","hint":"give RFC 3339, 2026-11-21T03:44:07Z, or milliseconds since 1970"}"#);
}

#[test]
fn traces_have_a_histogram() {
    let answer = get("/api/v1/traces/histogram");
    let buckets = answer["buckets"].as_array().expect("a list");
    let full: Vec<_> = buckets.iter().filter(|bucket| bucket["count"] != 0).cloned().collect();
    insta::assert_snapshot!(picked(&json!(full), &["time_ms", "count", "errors", "p50_ms"]), @"
    1795230000000 2 0 100.0
    1795230060000 1 1 900.0
    ");
}

#[test]
fn a_trace_has_its_spans() {
    let answer = get(&format!("/api/v1/traces/{}", "a".repeat(32)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer).expect("JSON"), @r#"
    {
      "trace_id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "start": "2026-11-21T03:00:00.000000000Z",
      "start_unix_ns": "1795230000000000000",
      "duration_ns": 120000000,
      "services": [
        {
          "service": "fraud-api",
          "spans": 1
        },
        {
          "service": "features",
          "spans": 1
        }
      ],
      "spans": [
        {
          "span_id": "a1a1a1a1a1a1a1a1",
          "parent_span_id": null,
          "name": "POST /predict",
          "service": "fraud-api",
          "kind": "server",
          "status": "ok",
          "status_message": null,
          "offset_ns": 0,
          "duration_ns": 120000000,
          "attributes": {
            "http.status_code": 200,
            "amount": 12.5,
            "user.id": "u1"
          },
          "resource": {
            "service.name": "fraud-api",
            "deployment.environment.name": "prod",
            "host.name": "h1"
          },
          "scope": {
            "name": null,
            "version": null,
            "attributes": {}
          },
          "events": [],
          "links": [],
          "trace_state": null,
          "request_id": null,
          "user_id": null,
          "model_version": null,
          "flags": null,
          "dropped": {
            "attributes": null,
            "events": null,
            "links": null
          }
        },
        {
          "span_id": "a2a2a2a2a2a2a2a2",
          "parent_span_id": "a1a1a1a1a1a1a1a1",
          "name": "GET features",
          "service": "features",
          "kind": "server",
          "status": "unset",
          "status_message": null,
          "offset_ns": 10000005,
          "duration_ns": 80000000,
          "attributes": {
            "retries": 3
          },
          "resource": {
            "service.name": "features",
            "deployment.environment.name": "prod",
            "host.name": "h2"
          },
          "scope": {
            "name": null,
            "version": null,
            "attributes": {}
          },
          "events": [
            {
              "offset_ns": 20000000,
              "name": "cache.miss",
              "attributes": {
                "key": "u1"
              }
            }
          ],
          "links": [],
          "trace_state": null,
          "request_id": null,
          "user_id": null,
          "model_version": null,
          "flags": null,
          "dropped": {
            "attributes": null,
            "events": null,
            "links": null
          }
        }
      ],
      "logs": 2,
      "truncated": false
    }
    "#);
    let answer = get(&format!("/api/v1/traces/{}", "b".repeat(32)));
    assert_eq!(answer["spans"][1]["attributes"], json!({"retries": 5, "note": "slow"}));
    assert_eq!(answer["logs"], 1);
    assert_eq!(get("/api/v1/traces/00ff")["error"]["code"], "not_found");
    assert_eq!(get("/api/v1/traces/xyz")["error"]["code"], "bad_request");
    assert_eq!(
        get(&format!("/api/v1/traces/{}", "c".repeat(32)))["status"],
        404,
        "another tenant's"
    );
}

#[test]
fn logs_come_page_by_page() {
    let mut bodies = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&format!("/api/v1/logs?limit=1&cursor={cursor}"));
        for row in page["rows"].as_array().expect("a list") {
            bodies.push(row["body"].as_str().expect("a text").to_owned());
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let all = get("/api/v1/logs");
    let at_once: Vec<&str> = all["rows"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["body"].as_str())
        .collect();
    assert_eq!(bodies, at_once);
    assert_eq!(bodies.len(), 5);
    let oldest = get("/api/v1/logs?direction=oldest&limit=1");
    insta::assert_snapshot!(serde_json::to_string_pretty(&oldest).expect("JSON"), @r#"
    {
      "rows": [
        {
          "id": "1795230000000000001-300b771058d665d7",
          "time": "2026-11-21T03:00:00.000000001Z",
          "time_unix_ns": "1795230000000000001",
          "level": "info",
          "severity_text": "INFO",
          "service": "fraud-api",
          "environment": null,
          "release": null,
          "body": "request received user=u1",
          "body_type": null,
          "trace_id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "span_id": "a1a1a1a1a1a1a1a1",
          "request_id": null,
          "event_name": null,
          "attributes": {
            "logger": "api",
            "line": 10
          },
          "resource": {
            "service.name": "fraud-api",
            "host.name": "h1"
          },
          "scope": {
            "name": null,
            "version": null,
            "attributes": {}
          }
        }
      ],
      "next": "1795230000000000001.1",
      "stats": "…"
    }
    "#);
}

#[test]
fn logs_are_searched() {
    let check =
        |query: &str| picked(&get(&format!("/api/v1/logs?{query}"))["rows"], &["level", "body"]);
    insta::assert_snapshot!(check("q=timeout"), @r#"
    "error" "model failed: timeout"
    "info" "Timeout while asking features"
    "#);
    insta::assert_snapshot!(check("q=timeout+-failed"), @r#""info" "Timeout while asking features""#);
    insta::assert_snapshot!(check("q=logger%3Aclient+line%3E20"), @r#""warn" "retrying features""#);
    insta::assert_snapshot!(check("level=warn,ERROR"), @r#"
    "error" "model failed: timeout"
    "warn" "retrying features"
    "#);
    insta::assert_snapshot!(check("level=unknown"), @r#"null "{\"a\":1}""#);
    insta::assert_snapshot!(check("q=level%3E%3Dwarn"), @r#"
    "error" "model failed: timeout"
    "warn" "retrying features"
    "#);
    insta::assert_snapshot!(check("q=deep:*"), @r#""error" "model failed: timeout""#);
    insta::assert_snapshot!(check("q=body%3D~%22%5Eretry%22"), @r#""warn" "retrying features""#);
    insta::assert_snapshot!(check(&format!("trace_id={}", "A".repeat(32))), @r#"
    "info" "Timeout while asking features"
    "info" "request received user=u1"
    "#);
    assert_eq!(get("/api/v1/logs?cursor=x")["error"]["code"], "bad_request");
    let error = get("/api/v1/logs?q=body%3D~%22(%22");
    insta::assert_snapshot!(error, @r#"{"error":{"code":"bad_request","message":"the regular expression is not valid: unclosed group"},"status":400}"#);
}

#[test]
fn logs_have_a_histogram_and_context() {
    let answer = get("/api/v1/logs/histogram");
    assert_eq!(answer["total"], 5);
    let buckets = answer["buckets"].as_array().expect("a list");
    let full: Vec<_> = buckets.iter().filter(|b| b["counts"] != json!({})).cloned().collect();
    insta::assert_snapshot!(picked(&json!(full), &["time_ms", "counts"]), @r#"
    1795230000000 {"info":2,"warn":1}
    1795230060000 {"error":1,"unknown":1}
    "#);
    let time = START + 2_000_000;
    let answer =
        get(&format!("/api/v1/logs/context?service=fraud-api&time_unix_ns={time}&after=1"));
    insta::assert_snapshot!(picked(&answer["before"], &["body"]), @r#""request received user=u1""#);
    insta::assert_snapshot!(picked(&answer["after"], &["body"]), @r#"
    "Timeout while asking features"
    "retrying features"
    "#);
}

#[tokio::test]
async fn logs_are_shown_as_they_arrive() {
    let request =
        Request::get("/api/v1/logs/tail?q=timeout").body(Body::empty()).expect("a request");
    let response = send(api(Auth::default()), request).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let events = text(response).await;
    let mut lines = events.lines().filter(|line| !line.is_empty());
    assert_eq!(lines.next(), Some("event: rows"));
    let rows = lines.next().and_then(|line| line.strip_prefix("data: ")).expect("data");
    let rows: Value = serde_json::from_str(rows).expect("JSON");
    insta::assert_snapshot!(picked(&rows, &["body"]), @r#"
    "Timeout while asking features"
    "model failed: timeout"
    "#);
    assert_eq!(lines.collect::<Vec<_>>(), ["event: dropped", "data: {\"rows\":3}"]);
}

#[test]
fn fields_and_their_values_are_told() {
    let answer = get("/api/v1/fields?table=spans");
    let fields = answer["fields"].as_array().expect("a list");
    assert_eq!(fields[1]["name"], "time");
    let attributes: Vec<Value> =
        fields.iter().filter(|f| f["scope"] != "column").cloned().collect();
    insta::assert_snapshot!(picked(&json!(attributes), &["name", "type", "scope", "key"]), @r#"
    "attributes.amount" "double" "attributes" "amount"
    "attributes.http.status_code" "int" "attributes" "http.status_code"
    "attributes.note" "string" "attributes" "note"
    "attributes.retries" "int" "attributes" "retries"
    "attributes.user.id" "string" "attributes" "user.id"
    "resource.host.name" "string" "resource" "host.name"
    "#);
    let values = |query: &str| {
        let answer = get(&format!("/api/v1/fields/values?{query}"));
        match answer.get("error") {
            Some(error) => error["message"].to_string(),
            None => picked(&answer["values"], &["value", "count"]),
        }
    };
    insta::assert_snapshot!(values("table=spans&field=service"), @r#"
    "fraud-api" 3
    "features" 1
    "#);
    insta::assert_snapshot!(values("table=spans&field=name&prefix=post"), @r#""POST /predict" 2"#);
    insta::assert_snapshot!(values("table=spans&field=attributes.http.status_code"), @r#"
    "200" 1
    "500" 1
    "#);
    insta::assert_snapshot!(values("table=logs&field=attributes.logger&limit=1"), @r#""client" 2"#);
    insta::assert_snapshot!(values("table=logs&field=nope"), @r#""logs has no field \"nope\"""#);
    insta::assert_snapshot!(values("table=nope&field=x"), @r#""there is no table \"nope\"""#);
}

#[test]
fn sql_answers_in_json() {
    let body = json!({
        "sql": "SELECT name, duration_ns, time, attributes['amount'], attributes['nope'] FROM spans WHERE service = $1 ORDER BY time LIMIT 2",
        "params": ["fraud-api"],
    });
    let (status, answer) = sql(&body.to_string(), &[("content-type", "application/json")]);
    assert_eq!(status, StatusCode::OK);
    let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(answer["stats"]["rows"], 2);
    answer["stats"] = json!("…");
    insta::assert_snapshot!(answer.to_string(), @r#"{"columns":[{"name":"name","type":"string"},{"name":"duration_ns","type":"int"},{"name":"time","type":"timestamp"},{"name":"attributes.amount","type":"double"},{"name":"attributes.nope","type":"null"}],"rows":[["POST /predict",120000000,"2026-11-21T03:00:00.000000Z",12.5,null],["POST /predict",900000000,"2026-11-21T03:01:00.000000Z",7.0,null]],"truncated":false,"stats":"…"}"#);
    let (_, answer) = sql("SELECT name FROM spans WHERE false", &[]);
    let answer = String::from_utf8(answer).expect("text");
    assert!(
        answer.starts_with(
            r#"{"columns":[{"name":"name","type":"string"}],"rows":[],"truncated":false,"stats":{"#
        ),
        "{answer}"
    );
}

#[test]
fn sql_answers_in_lines_and_in_arrow() {
    let statement = "SELECT name, count(*) AS n FROM spans GROUP BY name ORDER BY n DESC, name";
    let (_, answer) = sql(statement, &[("accept", "application/x-ndjson")]);
    insta::assert_snapshot!(String::from_utf8(answer).expect("text"), @r#"
    {"name":"POST /predict","n":2}
    {"name":"GET features","n":1}
    {"name":"score","n":1}
    "#);
    let (_, answer) = sql(statement, &[("accept", "application/vnd.apache.arrow.stream")]);
    let reader = arrow::ipc::reader::StreamReader::try_new(answer.as_slice(), None).expect("Arrow");
    let rows: usize = reader.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(rows, 3);
}

#[test]
fn mistakes_in_sql_have_a_place() {
    let (status, answer) = sql("SELECT nam\nFROM spans", &[]);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(String::from_utf8(answer).expect("text"), @r#"{"error":{"code":"bad_request","message":"no field named nam","hint":"did you mean 'spans.name'?","line":1,"column":8}}"#);
    let (status, answer) = sql("{\"sql\": 1}", &[("content-type", "application/json")]);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(String::from_utf8(answer).expect("text"), @r#"{"error":{"code":"bad_request","message":"the body is no valid request: invalid type: integer `1`, expected a string at line 1 column 9"}}"#);
    let (status, _) = sql("DROP TABLE spans", &[]);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, answer) = sql(&"x".repeat(2 * 1024 * 1024), &[]);
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(String::from_utf8(answer).expect("text").contains("too_large"));
}

#[tokio::test]
async fn a_key_is_asked_for_where_data_is() {
    let key =
        Key::parse("correct-horse", Tenant::parse("other").expect("a tenant")).expect("a key");
    let auth = Auth::new(vec![key]);
    let check = async |path: &str, key: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        send(api(auth.clone()), request.body(Body::empty()).expect("a request")).await
    };
    for path in ["/api/v1/logs", "/api/v1/status", "/metrics", "/api/v1/openapi.json"] {
        let response = check(path, None).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
        assert!(text(response).await.contains("\"unauthorized\""));
        assert_eq!(check(path, Some("wrong")).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(check(path, Some("correct-horse")).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/-/healthy", "/-/ready", "/", "/logs"] {
        assert_eq!(check(path, None).await.status(), StatusCode::OK, "{path}");
    }
    let logs = text(check("/api/v1/logs", Some("correct-horse")).await).await;
    assert!(logs.contains("hidden") && !logs.contains("request received"), "{logs}");
}

#[tokio::test]
async fn other_paths_are_pages_or_not_found_in_json() {
    let check = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        let response = send(api(Auth::default()), request.expect("a request")).await;
        let status = response.status().as_u16();
        let kind = response.headers().get(header::CONTENT_TYPE).cloned();
        let kind = kind.map(|kind| kind.to_str().expect("text").to_owned()).unwrap_or_default();
        (status, kind)
    };
    let json = "application/json".to_owned();
    assert_eq!(check("GET", "/traces/abc").await, (200, "text/html; charset=utf-8".to_owned()));
    assert_eq!(check("GET", "/api/v1/nope").await, (404, json.clone()));
    assert_eq!(check("GET", "/api").await, (404, json.clone()));
    assert_eq!(check("GET", "/assets/nope.js").await, (404, json.clone()));
    assert_eq!(check("POST", "/nope").await, (404, json.clone()));
    assert_eq!(check("POST", "/api/v1/logs").await, (405, json));
    assert_eq!(check("GET", "/metrics").await.0, 200);
}

#[tokio::test]
async fn a_browser_gets_the_page_of_metrics_and_a_scraper_the_metrics() {
    let check = async |accept: &str| {
        let request = Request::get("/metrics").header("accept", accept).body(Body::empty());
        let response = send(api(Auth::default()), request.expect("a request")).await;
        response.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned()
    };
    let page = check("text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!(page, "text/html; charset=utf-8");
    let metrics = check("application/openmetrics-text;version=1.0.0,*/*;q=0.1").await;
    assert_eq!(metrics, "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn answers_are_compressed_when_asked() {
    let request = Request::get("/api/v1/fields?table=spans").header("accept-encoding", "zstd");
    let request = request.body(Body::empty()).expect("a request");
    let response = send(api(Auth::default()), request).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "zstd");
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.expect("a piece").is_ok());
}

/// `docs/openapi.json` is made from the handlers. To renew it, run this test with `TREFOIL_BLESS=1`.
#[test]
fn the_description_is_fresh() {
    use utoipa::OpenApi as _;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let made =
        crate::routes::openapi::Description::openapi().to_pretty_json().expect("JSON") + "\n";
    #[expect(clippy::disallowed_methods, reason = "a test that renews a file")]
    if std::env::var("TREFOIL_BLESS").is_ok() {
        std::fs::write(path, &made).expect("written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == made, "docs/openapi.json is stale: run this test with TREFOIL_BLESS=1");
}
