//! The SDK against a collector that is a few lines long, and against none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::response::Response;
use axum::routing::{get, post};
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;
use tracing::{Instrument as _, info, info_span};
use trefoil_sdk::overhead::{OverheadOptions, measure};
use trefoil_sdk::{
    Batch, Config, Exporter, HttpClient, KeyValue, LogFormat, LogWriter, MemoryExporter, MemoryLog,
    Protocol, Registry, Sampling, ServerOptions, Telemetry, add_tracing_middleware,
};

/// What a collector received.
#[derive(Debug, Clone, Default)]
struct Received(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    traces: Vec<ExportTraceServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
    metrics: Vec<Vec<u8>>,
    keys: Vec<Option<HeaderValue>>,
}

impl Received {
    fn note(&self, path: &str, headers: &HeaderMap, message: &[u8]) {
        let mut inner = self.0.lock().unwrap();
        inner.keys.push(headers.get("authorization").cloned());
        if path.contains("etrics") {
            inner.metrics.push(message.to_vec());
        } else if path.contains("race") {
            inner.traces.push(ExportTraceServiceRequest::decode(message).unwrap());
        } else {
            inner.logs.push(ExportLogsServiceRequest::decode(message).unwrap());
        }
    }

    fn span_names(&self) -> Vec<String> {
        let inner = self.0.lock().unwrap();
        let resources = inner.traces.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
    }

    fn resource(&self) -> Vec<(String, String)> {
        let inner = self.0.lock().unwrap();
        let resource = inner.traces[0].resource_spans[0].resource.as_ref().unwrap();
        let text = |kv: &opentelemetry_proto::tonic::common::v1::KeyValue| {
            (kv.key.clone(), format!("{:?}", kv.value))
        };
        resource.attributes.iter().map(text).collect()
    }
}

/// OTLP over HTTP and, on the same port, over gRPC: a message is five bytes of frame and a body.
async fn collector() -> (String, Received) {
    let received = Received::default();
    let http = |State(received): State<Received>, request: Request<Body>| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        received.note(parts.uri.path(), &parts.headers, &body);
    };
    let grpc = |State(received): State<Received>, request: Request<Body>| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        received.note(parts.uri.path(), &parts.headers, &body[5..]);
        grpc_ok()
    };
    let router = Router::new()
        .route("/v1/traces", post(http))
        .route("/v1/logs", post(http))
        .route("/v1/metrics", post(http))
        .fallback(grpc)
        .with_state(received.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}

fn grpc_ok() -> Response {
    use http_body_util::BodyExt as _;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(&[0; 5]))),
        Ok(Frame::trailers(trailers)),
    ];
    let body: UnsyncBoxBody<Bytes, std::convert::Infallible> =
        StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "the SDK stands alone, stdx is not there")]
    drop(tokio::spawn(future));
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn check_export(protocol: Protocol) {
    let (endpoint, received) = collector().await;
    let mut config = Config::new("my-service")
        .version("1.2.3")
        .environment("test")
        .endpoint(endpoint)
        .protocol(protocol)
        .log_writer(LogWriter::Discard);
    config.headers = vec![("Authorization".to_owned(), "Bearer key".to_owned())];
    let telemetry = Telemetry::new(config).unwrap();
    tracing::dispatcher::with_default(telemetry.dispatch(), || {
        info_span!("train_model").in_scope(|| info!(epochs = 3, "Training"));
    });
    blocking(move || drop(telemetry)).await;
    assert_eq!(received.span_names(), ["train_model"]);
    let resource = format!("{:?}", received.resource());
    for expect in ["my-service", "1.2.3", "deployment.environment.name", "service.instance.id"] {
        assert!(resource.contains(expect), "{resource}");
    }
    let inner = received.0.lock().unwrap();
    let logs: Vec<String> = inner
        .logs
        .iter()
        .flat_map(|request| &request.resource_logs)
        .flat_map(|resource| &resource.scope_logs)
        .flat_map(|scope| &scope.log_records)
        .map(|record| format!("{record:?}"))
        .collect();
    assert!(logs.iter().any(|log| log.contains("Training") && log.contains("epochs")), "{logs:?}");
    assert!(inner.keys.iter().all(|key| key.as_ref().is_some_and(|key| key == "Bearer key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_logs_arrive_over_grpc() {
    check_export(Protocol::Grpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_logs_arrive_over_http() {
    check_export(Protocol::HttpProtobuf).await;
}

async fn check_push(protocol: Protocol) {
    let (endpoint, received) = collector().await;
    let registry = Registry::new();
    let config = Config::new("my-service")
        .endpoint(endpoint)
        .protocol(protocol)
        .metrics(&registry, Some(Duration::from_secs(3600)))
        .log_writer(LogWriter::Discard);
    let telemetry = Telemetry::new(config).unwrap();
    let seconds = registry.histogram("work_seconds", "How long", ["kind"], &[0.5, 1.0]);
    tracing::dispatcher::with_default(telemetry.dispatch(), || {
        info_span!("work").in_scope(|| seconds.observe(["a"], 0.7));
    });
    registry.counter("jobs_total", "Jobs", []).add([], 3.0);
    blocking(move || drop(telemetry)).await;
    let inner = received.0.lock().unwrap();
    let request = format!("{:?}", ExportMetricsServiceRequest::decode(&*inner.metrics[0]).unwrap());
    for expect in [
        "\"service.name\"",
        "name: \"jobs_total\"",
        "AsDouble(3.0)",
        "is_monotonic: true",
        "name: \"work_seconds\"",
        "unit: \"s\"",
        "bucket_counts: [0, 1, 0]",
        "explicit_bounds: [0.5, 1.0]",
    ] {
        assert!(request.contains(expect), "{expect}: {request}");
    }
    // The exemplar's trace is that of the span.
    let inner_span = &inner.traces[0].resource_spans[0].scope_spans[0].spans[0];
    assert!(request.contains(&format!("trace_id: {:?}", inner_span.trace_id)), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_pushed_over_grpc_when_told_so() {
    check_push(Protocol::Grpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_pushed_over_http_when_told_so() {
    check_push(Protocol::HttpProtobuf).await;
}

#[tokio::test]
async fn a_single_threaded_service_can_flush_while_it_drops_the_guard() {
    let log = MemoryLog::default();
    let config = Config::new("my-service")
        .endpoint("http://127.0.0.1:1")
        .log_writer(LogWriter::Memory(log.clone()));
    let telemetry = Telemetry::new(config).unwrap();
    tracing::dispatcher::with_default(telemetry.dispatch(), || info_span!("a").in_scope(|| {}));
    drop(telemetry);
    assert!(log.text().contains("OpenTelemetry tracing configured with Tempo backend"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_service_goes_on_and_complains_once() {
    let log = MemoryLog::default();
    let config = Config::new("my-service")
        .endpoint("http://127.0.0.1:1")
        .batch(Batch { delay: Duration::from_millis(10), ..Batch::default() })
        .log_writer(LogWriter::Memory(log.clone()));
    let telemetry = Telemetry::new(config).unwrap();
    let telemetry = blocking(move || {
        for _ in 0..3 {
            tracing::dispatcher::with_default(telemetry.dispatch(), || {
                info_span!("work").in_scope(|| info!("working"));
            });
            telemetry.flush();
        }
        telemetry
    })
    .await;
    let text = log.text();
    assert_eq!(text.matches("telemetry cannot be sent").count(), 1, "{text}");
    assert_eq!(text.matches("working").count(), 3, "{text}");
    blocking(move || drop(telemetry)).await;
}

fn memory(sampling: Sampling) -> (MemoryExporter, MemoryLog, Telemetry) {
    let (memory, log) = (MemoryExporter::default(), MemoryLog::default());
    let config = Config::new("my-service")
        .exporter(Exporter::Memory(memory.clone()))
        .sampling(sampling)
        .log_format(LogFormat::Json)
        .log_writer(LogWriter::Memory(log.clone()));
    (memory.clone(), log, Telemetry::new(config).unwrap())
}

async fn get_path(router: &Router, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_callers_trace_is_continued_and_its_decision_kept() {
    let (memory, log, telemetry) = memory(Sampling::ParentBased(1.0));
    let router = Router::new().route("/models/{id}", get(|| async { "model" }));
    let router = add_tracing_middleware(router, &ServerOptions::default());
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    async {
        let sampled = format!("00-{trace_id}-00f067aa0ba902b7-01");
        get_path(&router, "/models/7", &[("traceparent", &sampled)]).await;
        let unsampled = format!("00-{trace_id}-00f067aa0ba902b7-00");
        get_path(&router, "/models/8", &[("traceparent", &unsampled)]).await;
        get_path(&router, "/nowhere", &[("traceparent", "nonsense")]).await;
    }
    .with_subscriber(telemetry.dispatch().clone())
    .await;
    let spans = memory.spans();
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /models/{id}", "GET"]);
    assert_eq!(spans[0].span_context.trace_id().to_string(), trace_id);
    assert_eq!(spans[0].parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_ne!(spans[1].span_context.trace_id().to_string(), trace_id);
    // The log lines of a trace that is not kept carry its id nevertheless.
    assert_eq!(log.text().matches(trace_id).count(), 4, "{}", log.text());
}

#[tokio::test]
async fn excluded_paths_make_neither_spans_nor_lines() {
    let (memory, log, telemetry) = memory(Sampling::AlwaysOn);
    let router = Router::new().route("/health", get(|| async { "ok" }));
    let options =
        ServerOptions { excluded_paths: vec!["/health".to_owned()], ..Default::default() };
    let router = add_tracing_middleware(router, &options);
    let response =
        get_path(&router, "/health", &[]).with_subscriber(telemetry.dispatch().clone()).await;
    assert!(response.headers().contains_key("x-request-id"));
    assert!(memory.spans().is_empty() && log.text().is_empty());
}

#[tokio::test]
async fn helpers_write_on_the_span_one_is_in() {
    let (memory, log, telemetry) = memory(Sampling::AlwaysOn);
    async {
        let span = trefoil_sdk::trace_span("load_data", [KeyValue::new("dataset", "fraud")]);
        async {
            trefoil_sdk::set_attribute("rows", 5_i64);
            trefoil_sdk::add_event("checkpoint_saved", [KeyValue::new("epoch", 50)]);
            trefoil_sdk::record_error(&std::io::Error::other("disk is gone"));
            assert_eq!(trefoil_sdk::current_trace_id().unwrap().len(), 32);
            info!(level = "forged", user_id = 7, "Loaded\nthe data");
        }
        .instrument(span)
        .await;
    }
    .with_subscriber(telemetry.dispatch().clone())
    .await;
    let spans = memory.spans();
    let span = &spans[0];
    assert_eq!(span.name, "load_data");
    let text = format!("{:?} {:?} {:?}", span.attributes, span.events, span.status);
    for expect in ["dataset", "rows", "checkpoint_saved", "disk is gone", "exception.type"] {
        assert!(text.contains(expect), "{text}");
    }
    let line: serde_json::Value = serde_json::from_str(log.text().trim()).unwrap();
    assert_eq!((&line["level"], &line["_level"]), (&"INFO".into(), &"forged".into()));
    assert_eq!((&line["user_id"], &line["message"]), (&7.into(), &"Loaded\nthe data".into()));
    assert_eq!(trefoil_sdk::current_trace_id(), None, "outside there is none");
}

#[tokio::test]
async fn a_call_that_fails_is_an_error_of_kind_client() {
    let (memory, _, telemetry) = memory(Sampling::AlwaysOn);
    let call = HttpClient::default().get("http://127.0.0.1:1/users/7").template("/users/{id}");
    let result = call.send().with_subscriber(telemetry.dispatch().clone()).await;
    assert!(result.is_err());
    let spans = memory.spans();
    assert_eq!(spans[0].name, "HTTP GET /users/{id}");
    assert!(format!("{:?}", spans[0].events).contains("ConnectionError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn overhead_can_be_measured() {
    let options = OverheadOptions { requests: 50, rounds: 2, ..OverheadOptions::default() };
    let overhead = measure(&options).await.unwrap();
    assert!(overhead.requests_per_second_traced > 0.0 && overhead.export_us > 0.0);
}
