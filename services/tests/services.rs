//! The services as others meet them: over sockets, with telemetry kept in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener as StdListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sdk::opentelemetry::trace::{SpanKind, Status};
use sdk::opentelemetry::{Array, Value};
use sdk::{Config, Exporter, LogFormat, LogWriter, MemoryExporter, MemoryLog, SpanData, Telemetry};
use serde_json::{Value as Json, json};
use services::load::{LoadOptions, Mix};
use services::options::Common;
use services::{fraud_api, preprocessing};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;

/// No time is played.
fn at_once() -> Common {
    Common { latency_scale: 0.0, ..Common::default() }
}

/// Both services, each with telemetry of its own, on ports of their own.
struct Stack {
    url: String,
    client: reqwest::Client,
    api: Observed,
    preprocessing: Observed,
    shutdown: CancellationToken,
    _model_dir: tempfile::TempDir,
}

struct Observed {
    memory: MemoryExporter,
    log: MemoryLog,
    telemetry: Telemetry,
}

impl Observed {
    fn new(service_name: &str, format: LogFormat) -> Observed {
        let (memory, log) = (MemoryExporter::default(), MemoryLog::default());
        let config = Config::new(service_name)
            .version("1.2.3")
            .environment("test")
            .exporter(Exporter::Memory(memory.clone()))
            .log_format(format)
            .log_writer(LogWriter::Memory(log.clone()));
        Observed { memory, log, telemetry: Telemetry::new(config).unwrap() }
    }

    fn spans_of(&self, trace_id: &str) -> Vec<SpanData> {
        let mut spans = self.memory.spans();
        spans.retain(|span| span.span_context.trace_id().to_string() == trace_id);
        spans
    }
}

impl Stack {
    async fn start(format: LogFormat, redis_url: Option<String>) -> Stack {
        let api = Observed::new(fraud_api::SERVICE_NAME, format);
        let preprocessing = Observed::new(preprocessing::SERVICE_NAME, format);
        let shutdown = CancellationToken::new();
        let model_dir = tempfile::tempdir().unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let preprocessing_url = format!("http://{}", listener.local_addr().unwrap());
        let config = preprocessing::Config { common: at_once(), ..Default::default() };
        let service = preprocessing::run(config, listener, shutdown.clone())
            .with_subscriber(preprocessing.telemetry.dispatch().clone());
        drop(stdx::task::spawn_to_end("preprocessing", service));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = fraud_api::Config {
            preprocessing_url,
            preprocessing_timeout_ms: 300,
            redis_url,
            model_dir: model_dir.path().to_owned(),
            common: at_once(),
            ..Default::default()
        };
        let service = fraud_api::run(config, listener, shutdown.clone())
            .with_subscriber(api.telemetry.dispatch().clone());
        drop(stdx::task::spawn_to_end("fraud api", service));

        let client = reqwest::Client::new();
        let stack = Stack { url, client, api, preprocessing, shutdown, _model_dir: model_dir };
        stack.until_ready().await;
        stack
    }

    async fn until_ready(&self) {
        let ready = async {
            while self.get("/health/ready").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.expect("the model is trained");
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        Answer { status, request_id, body: response.json().await.unwrap_or_default() }
    }

    /// The trace, once its server span has ended, which is just after the answer is out.
    async fn tree(&self, answer: &Answer) -> Trace {
        let id = answer.trace_id();
        let root = async {
            loop {
                let spans = self.api.spans_of(&id);
                if spans.iter().any(|span| span.span_kind == SpanKind::Server) {
                    break spans;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let mut spans = tokio::time::timeout(Duration::from_secs(10), root).await.unwrap();
        spans.extend(self.preprocessing.spans_of(&id));
        Trace(spans)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

struct Answer {
    status: u16,
    request_id: String,
    body: Json,
}

impl Answer {
    fn trace_id(&self) -> String {
        self.body["trace_id"].as_str().expect("the answer names its trace").to_owned()
    }
}

struct Trace(Vec<SpanData>);

impl Trace {
    /// Names, indented below their parents, in order of their starts.
    fn drawn(&self) -> String {
        let ids: Vec<_> = self.0.iter().map(|span| span.span_context.span_id()).collect();
        let mut roots: Vec<_> =
            self.0.iter().filter(|span| !ids.contains(&span.parent_span_id)).collect();
        roots.sort_by_key(|span| span.start_time);
        let mut text = String::new();
        for root in roots {
            self.draw(root, 0, &mut text);
        }
        text
    }

    fn draw(&self, span: &SpanData, depth: usize, text: &mut String) {
        text.push_str(&format!("{}{}\n", "  ".repeat(depth), span.name));
        let id = span.span_context.span_id();
        let mut children: Vec<_> =
            self.0.iter().filter(|child| child.parent_span_id == id).collect();
        children.sort_by_key(|child| child.start_time);
        for child in children {
            self.draw(child, depth + 1, text);
        }
    }

    fn span(&self, name: &str) -> &SpanData {
        self.0.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"))
    }

    fn attribute(&self, name: &str, key: &str) -> Option<Value> {
        attribute(self.span(name), key)
    }
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut found = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
    let value = found.next_back().map(|attribute| attribute.value.clone());
    assert!(found.next().is_none(), "{key} is twice on {}", span.name);
    value
}

fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "none",
        Some(Value::Bool(_)) => "bool",
        Some(Value::I64(_)) => "int",
        Some(Value::F64(_)) => "double",
        Some(Value::String(_)) => "string",
        Some(Value::Array(Array::String(_))) => "strings",
        Some(_) => "other",
    }
}

const SIX: [(&str, &str); 6] = [
    ("transaction.amount", "double"),
    ("prediction.is_fraud", "bool"),
    ("prediction.risk_level", "string"),
    ("prediction.probability", "double"),
    ("features.count", "int"),
    ("processing.duration_ms", "double"),
];

const V1_BODY: &str = r#"{
    "transaction_id": "txn_demo_001",
    "user_id": 12345,
    "amount": 149.99,
    "payment_method": "card",
    "merchant_id": "merchant_42"
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn predict_makes_the_tree_that_is_drawn_over_both_services() {
    let stack = Stack::start(LogFormat::Text, None).await;
    let headers = [("x-request-id", "abc-123"), ("x-user-id", "u-7"), ("x-tenant-id", "acme")];
    let body = r#"{"TransactionAmt": 150.0, "card1": 13926}"#;
    let answer = stack.post("/predict", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.request_id, "abc-123");
    assert_eq!(answer.body["model_version"], "1.0.0");
    assert_eq!(answer.body["is_fraud"], false, "{}", answer.body);
    let trace = stack.tree(&answer).await;
    assert_eq!(
        trace.drawn(),
        "POST /predict
  predict_fraud
    preprocess_features
      HTTP POST /engineer
        engineer_features
          feature_computation
    model_inference
  Response
"
    );
    for (key, expect) in SIX {
        for span in ["POST /predict", "predict_fraud"] {
            assert_eq!(type_name(trace.attribute(span, key).as_ref()), expect, "{key} on {span}");
        }
    }
    for (key, value) in [
        ("http.method", Value::from("POST")),
        ("http.url", Value::from(format!("{}/predict", stack.url))),
        ("http.status_code", Value::from(200_i64)),
        ("http.client_ip", Value::from("127.0.0.1")),
        ("tenant.id", Value::from("acme")),
        ("user.id", Value::from("u-7")),
        ("http.route", Value::from("/predict")),
        ("http.response.status_code", Value::from(200_i64)),
        ("request.id", Value::from("abc-123")),
        ("model.version", Value::from("1.0.0")),
    ] {
        assert_eq!(trace.attribute("POST /predict", key), Some(value), "{key}");
    }
    assert_eq!(
        type_name(trace.attribute("POST /predict", "http.response_time_ms").as_ref()),
        "double"
    );
    for span in &trace.0 {
        assert_eq!(attribute(span, "request.id"), Some(Value::from("abc-123")), "{}", span.name);
        assert_eq!(attribute(span, "tenant.id"), Some(Value::from("acme")), "{}", span.name);
    }
    assert_eq!(trace.span("HTTP POST /engineer").span_kind, SpanKind::Client);
    let engineer = trace.span("engineer_features");
    assert!(engineer.span_kind == SpanKind::Server && engineer.parent_span_is_remote);
    assert_eq!(attribute(engineer, "http.route"), Some(Value::from("/engineer")));
}

#[tokio::test(flavor = "multi_thread")]
async fn predictions_are_counted_with_their_traces() {
    let stack = Stack::start(LogFormat::Json, None).await;
    let answer = stack.post("/v1/predict", &[], V1_BODY).await;
    let card = r#"{"TransactionAmt": 150.0, "card1": 13926}"#;
    stack.post("/predict", &[], card).await;
    stack.post("/predict", &[], "{}").await;
    let request = stack.client.get(format!("{}/metrics", stack.url));
    let request = request.header("accept", "application/openmetrics-text;version=1.0.0");
    let text = request.send().await.unwrap().text().await.unwrap();
    for line in [
        r#"http_server_request_duration_seconds_count{http_request_method="POST",http_route="/predict",http_response_status_code="422"} 1"#,
        r#"prediction_latency_seconds_count{endpoint="/v1/predict"} 1"#,
        "feature_store_hits_total 0",
        "models_loaded 1",
        "# TYPE process_cpu_seconds counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for begin in [
        r#"predictions_total{endpoint="/v1/predict",decision="approve","#,
        r#"predictions_total{endpoint="/predict",decision="approve","#,
        r#"prediction_errors_total{endpoint="/predict",error_type="ValueError"} 1 # "#,
        r#"http_client_request_duration_seconds_count{http_request_method="POST","#,
    ] {
        assert!(text.lines().any(|found| found.starts_with(begin)), "{begin}\n{text}");
    }
    assert!(text.contains(&answer.trace_id()), "an exemplar leads to the request's trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_predict_answers_in_the_documented_shape_with_its_tree() {
    let stack = Stack::start(LogFormat::Json, None).await;
    let populated = stack.post("/debug/populate-cache/12345", &[], "").await;
    assert_eq!((populated.status, &populated.body["stored_in"]), (200, &json!("memory")));
    let answer = stack.post("/v1/predict", &[], V1_BODY).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let keys: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "transaction_id",
            "decision",
            "fraud_probability",
            "risk_level",
            "latency_ms",
            "model_version",
            "trace_id"
        ]
    );
    assert_eq!(answer.body["decision"], "approve", "{}", answer.body);
    assert_eq!(answer.body["risk_level"], "low");
    assert_eq!(answer.body["transaction_id"], "txn_demo_001");
    let trace = stack.tree(&answer).await;
    assert_eq!(
        trace.drawn(),
        "POST /v1/predict
  fetch_features
    feature_store.get
  model_inference
  apply_business_rules
"
    );
    for (key, expect) in SIX {
        assert_eq!(type_name(trace.attribute("POST /v1/predict", key).as_ref()), expect, "{key}");
    }
    assert_eq!(trace.attribute("POST /v1/predict", "user.id"), Some(Value::from("12345")));
    assert_eq!(trace.attribute("fetch_features", "feature_store.hit"), Some(Value::from(true)));
    assert_eq!(trace.span("POST /v1/predict").status, Status::Unset);

    let log = stack.api.log.text();
    let line = log.lines().find(|line| line.contains("Decision: approve")).expect("is logged");
    let line: Json = serde_json::from_str(line).unwrap();
    let span_id = trace.span("POST /v1/predict").span_context.span_id().to_string();
    for (key, value) in [
        ("level", json!("INFO")),
        ("logger", json!("fraud_detection_api")),
        ("message", json!("Decision: approve")),
        ("service", json!("fraud-detection-api")),
        ("environment", json!("test")),
        ("trace_id", json!(answer.trace_id())),
        ("span_id", json!(span_id)),
        ("request_id", json!(answer.request_id)),
        ("user_id", json!("12345")),
        ("amount", json!(149.99)),
        ("decision", json!("approve")),
        ("model_version", json!("1.0.0")),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    let importances: Json =
        serde_json::from_str(line["feature_importances"].as_str().unwrap()).unwrap();
    assert_eq!(importances.as_object().unwrap().len(), 3);
    let records = stack.api.memory.logs();
    let record = records
        .iter()
        .find(|log| format!("{:?}", log.record.body()).contains("Decision: approve"))
        .expect("is sent over OTLP too");
    let context = record.record.trace_context().expect("carries the trace");
    assert_eq!(context.trace_id.to_string(), answer.trace_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn text_log_lines_have_the_shape_of_the_example() {
    let stack = Stack::start(LogFormat::Text, None).await;
    let answer = stack.post("/v1/predict", &[], V1_BODY).await;
    stack.tree(&answer).await;
    let log = stack.api.log.text();
    let trace = format!("[trace_id={}]", answer.trace_id());
    let lines: Vec<&str> = log.lines().filter(|line| line.ends_with(&trace)).collect();
    assert_eq!(lines.len(), 3, "{log}");
    let message = |line: &str| {
        let parts: Vec<&str> = line.splitn(5, " - ").collect();
        let [time, logger, level, place, message] = parts[..] else { panic!("{line}") };
        assert_eq!(time.len(), "2025-11-09 03:22:54".len());
        assert_eq!((logger, level), ("fraud_detection_api", "INFO"));
        let (function, number) = place.split_once(':').unwrap();
        assert!(number.parse::<u32>().unwrap() > 0);
        (function.to_owned(), message.to_owned())
    };
    let (function, request) = message(lines[0]);
    assert_eq!(function, "log_requests");
    assert_eq!(request, format!("Request: POST /v1/predict from 127.0.0.1 {trace}"));
    let (_, response) = message(lines[2]);
    assert!(response.starts_with("Response: POST /v1/predict - Status: 200 - Duration: 0."));
    assert!(response.ends_with(&format!("s {trace}")), "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_errors_on_the_span_and_in_the_log() {
    let stack = Stack::start(LogFormat::Json, None).await;
    for (path, fault, body, status, failed_span, kind) in [
        ("/predict", "", "{}", 422, "predict_fraud", "ValueError"),
        ("/predict", "", "{", 400, "POST /predict", "MalformedRequest"),
        (
            "/predict",
            "",
            r#"{"TransactionAmt": "x", "card1": 1}"#,
            422,
            "predict_fraud",
            "ValueError",
        ),
        ("/v1/predict", "", r#"{"amount": 1}"#, 422, "POST /v1/predict", "ValueError"),
        ("/v1/predict", "model-error", V1_BODY, 500, "model_inference", "ModelError"),
        (
            "/predict",
            "preprocessing-timeout",
            r#"{"TransactionAmt": 5, "card1": 1}"#,
            503,
            "preprocess_features",
            "PreprocessingUnavailable",
        ),
    ] {
        let answer = stack.post(path, &[("x-fault", fault)], body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert_eq!(answer.body["error"], kind);
        assert_eq!(answer.body["request_id"], answer.request_id.as_str());
        let trace = stack.tree(&answer).await;
        for name in [failed_span, &format!("POST {path}")] {
            let span = trace.span(name);
            assert!(matches!(span.status, Status::Error { .. }), "{name}: {:?}", span.status);
            let event = span.events.iter().find(|event| event.name == "exception").unwrap();
            let attributes = format!("{:?}", event.attributes);
            assert!(attributes.contains("exception.type") && attributes.contains(kind));
        }
        let level = if status < 500 { "WARNING" } else { "ERROR" };
        let log = stack.api.log.text();
        let line = log
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap())
            .find(|line| {
                line["error.kind"] == kind && line["trace_id"] == answer.trace_id().as_str()
            })
            .unwrap_or_else(|| panic!("{kind} is not logged: {log}"));
        assert_eq!(line["level"], level);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_is_warned_of() {
    let stack = Stack::start(LogFormat::Json, None).await;
    let answer = stack.post("/v1/predict", &[("x-fault", "slow-model")], V1_BODY).await;
    let trace = stack.tree(&answer).await;
    let root = trace.span("POST /v1/predict");
    assert_eq!(attribute(root, "request.slow"), Some(Value::from(true)));
    assert!(root.events.iter().any(|event| event.name == "slow_request"));
    assert!(stack.api.log.text().contains("Slow request: POST /v1/predict took 0.6"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_documentation_answer() {
    let stack = Stack::start(LogFormat::Text, None).await;
    for path in ["/health", "/health/live", "/health/ready", "/health/startup", "/docs/"] {
        let (status, body) = stack.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (_, document) = stack.get("/openapi.json").await;
    let document: Json = serde_json::from_str(&document).unwrap();
    assert!(document["paths"]["/v1/predict"]["post"].is_object(), "{document}");
    assert_eq!(stack.get("/nowhere").await.0, 404);
}

/// A Redis of the test's own.
struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    /// `None` where none is installed.
    fn start() -> Option<Redis> {
        let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Redis { child, url: format!("redis://127.0.0.1:{port}") })
    }

    async fn until_up(&self) {
        let address = self.url.trim_start_matches("redis://").to_owned();
        let up = async {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), up).await.expect("redis-server starts");
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_costs_features_but_no_request() {
    let Some(mut redis) = Redis::start() else { return };
    redis.until_up().await;
    let stack = Stack::start(LogFormat::Json, Some(redis.url.clone())).await;
    let populated = stack.post("/debug/populate-cache/12345", &[], "").await;
    assert_eq!(populated.body["stored_in"], "redis");
    let source = |trace: &Trace| trace.attribute("fetch_features", "feature_store.source");
    let answer = stack.post("/v1/predict", &[], V1_BODY).await;
    let trace = stack.tree(&answer).await;
    assert_eq!(source(&trace), Some(Value::from("redis")));
    assert_eq!(trace.attribute("feature_store.get", "db.system.name"), Some(Value::from("redis")));

    redis.kill();
    for (user, expect) in
        [(12_345, "memory"), (777, "defaults"), (778, "defaults"), (779, "defaults")]
    {
        let body = V1_BODY.replace("12345", &user.to_string());
        let answer = stack.post("/v1/predict", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body["latency_ms"].as_f64().unwrap() < 100.0, "{}", answer.body);
        let trace = stack.tree(&answer).await;
        assert_eq!(source(&trace), Some(Value::from(expect)), "user {user}");
        let degraded = trace.attribute("fetch_features", "feature_store.degraded");
        assert_eq!(degraded, Some(Value::from(true)));
        assert!(matches!(trace.span("feature_store.get").status, Status::Error { .. }));
        assert_eq!(trace.span("POST /v1/predict").status, Status::Unset);
    }
    assert!(stack.api.log.text().contains("Feature store degraded"));
    let (_, ready) = stack.get("/health/ready").await;
    assert!(ready.contains("degraded"), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_generator_sends_the_mix_it_promises() {
    let stack = Stack::start(LogFormat::Text, None).await;
    let options = LoadOptions {
        target: stack.url.clone(),
        requests_per_second: 2_000.0,
        requests: Some(1_500),
        mix: Mix { slow_percent: 0.0, failing_percent: 1.0, ..Mix::default() },
        concurrency: 1_500,
        ..LoadOptions::default()
    };
    let report = services::load::run(options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.requests, 1_500);
    assert_eq!((report.unanswered, report.skipped), (0, 0));
    let decided = report.decisions.values().sum::<u64>();
    let percent = |decision: &str| report.decisions[decision] * 100 / decided;
    assert!((60..=85).contains(&percent("approve")), "{report}");
    assert!((8..=32).contains(&percent("review")), "{report}");
    assert!((3..=10).contains(&percent("block")), "{report}");
    assert!(report.statuses[&200] > 1_400 && report.passed(), "{report}");
}
