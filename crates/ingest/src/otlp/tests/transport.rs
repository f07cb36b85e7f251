//! Requests through the routers, in memory.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use model::{Table, Tenant};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};
use stdx::clock::Clock;
use stdx::memory::Budget;
use tower::ServiceExt as _;

use super::RECEIVED_AT;
use crate::otlp::{grpc, http as otlp_http};
use crate::{Limits, Receiver, ReceiverOptions, Sink, SinkError, Write};

const TRACE_METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS_METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Keeps what is written, or refuses all of it.
#[derive(Debug, Default)]
struct MemorySink {
    writes: Mutex<Vec<Write>>,
    refuses_with: Option<SinkError>,
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&self, write: Write) -> Result<(), SinkError> {
        match &self.refuses_with {
            Some(error) => Err(error.clone()),
            None => {
                self.writes.lock().expect("not poisoned").push(write);
                Ok(())
            }
        }
    }
}

struct Server {
    sink: Arc<MemorySink>,
    budget: Budget,
    router: Router,
}

impl Server {
    fn new() -> Server {
        Server::with(MemorySink::default(), 64 << 20, Limits::default())
    }

    fn with(sink: MemorySink, budget_bytes: usize, limits: Limits) -> Server {
        Server::waiting(sink, budget_bytes, limits, Duration::from_secs(30))
    }

    fn waiting(
        sink: MemorySink,
        budget_bytes: usize,
        limits: Limits,
        body_timeout: Duration,
    ) -> Server {
        let sink = Arc::new(sink);
        let budget = Budget::new("ingest", budget_bytes);
        let clock = Clock::manual(RECEIVED_AT);
        let options = ReceiverOptions::new(Arc::clone(&sink) as _, budget.clone(), clock);
        let receiver = Receiver::new(ReceiverOptions { limits, body_timeout, ..options });
        let router = otlp_http::router(receiver.clone()).merge(grpc::router(receiver));
        Server { sink, budget, router }
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("in memory");
        let trailers = body.trailers().cloned().unwrap_or_default();
        Answer {
            status: parts.status,
            headers: parts.headers.into_iter().chain(trailers).fold(
                http::HeaderMap::new(),
                |mut all, (name, value)| {
                    if let Some(name) = name {
                        all.insert(name, value);
                    }
                    all
                },
            ),
            body: body.to_bytes(),
        }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(body.into()).expect("a valid request")).await
    }

    fn rows(&self) -> Vec<usize> {
        let writes = self.sink.writes.lock().expect("not poisoned");
        writes.iter().map(|write| write.batch.num_rows()).collect()
    }
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn span(trace_id: &[u8]) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: vec![2; 8],
        name: "an operation with a name".to_owned(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn good() -> Vec<u8> {
    traces(vec![span(&[1; 16]), span(&[1; 16])])
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("in memory")
}

#[tokio::test]
async fn protobuf_is_accepted_plain_and_compressed() {
    let server = Server::new();
    for (encoding, body) in [
        ("identity", good()),
        ("gzip", gzip(&good())),
        ("zstd", zstd(&good())),
        ("GZIP", gzip(&good())),
    ] {
        let answer =
            server.post("/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{encoding}");
        assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(answer.body, Bytes::new());
    }
    assert_eq!(server.rows(), [2; 4]);
    let writes = server.sink.writes.lock().expect("not poisoned");
    for write in &*writes {
        assert_eq!((write.table, write.format, write.received_at), (Table::Spans, 1, RECEIVED_AT));
        assert_eq!(write.tenant, Tenant::default());
        assert_eq!(write.body, good());
        assert!(write.memory.bytes() > write.body.len());
    }
    assert_eq!(server.budget.used_bytes(), writes.iter().map(|w| w.memory.bytes()).sum::<usize>());
}

#[tokio::test]
async fn json_is_accepted_and_stored_as_protobuf() {
    let server = Server::new();
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"body": {"stringValue": "a line"}, "traceId": "00"},
    ]}]}]});
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = server.post("/v1/logs", &headers, body.to_string()).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::OK, Some("application/json"))
    );
    assert_eq!(
        answer.json(),
        json!({"partialSuccess": {
            "rejectedLogRecords": "0",
            "errorMessage": "1 trace, span or parent ids of the wrong length dropped (first in \
                             resource_logs[0].scope_logs[0].log_records[0])",
        }})
    );
    let writes = server.sink.writes.lock().expect("not poisoned");
    assert_eq!((writes[0].table, writes[0].format), (Table::Logs, 2));
}

#[tokio::test]
async fn rejected_spans_are_a_partial_success() {
    let server = Server::new();
    let body = traces(vec![span(&[1; 16]), span(&[1; 15])]);
    let answer = server.post("/v1/traces", &[PROTOBUF], body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let response = ExportTraceServiceResponse::decode(answer.body).expect("a response");
    let partial_success = response.partial_success.expect("partial");
    assert_eq!(partial_success.rejected_spans, 1);
    assert!(partial_success.error_message.contains("trace_id is not 16 bytes"));
    assert_eq!(server.rows(), [1]);
}

#[tokio::test]
async fn an_empty_request_succeeds_and_stores_nothing() {
    let server = Server::new();
    assert_eq!(server.post("/v1/traces", &[PROTOBUF], "").await.status, StatusCode::OK);
    assert_eq!(server.post("/v1/logs", &[JSON], "{}").await.json(), json!({}));
    assert_eq!(server.rows(), [0; 0]);
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn refusals_have_their_status_and_a_body_of_the_same_type() {
    let server = Server::new();
    let check = async |headers: &[(&str, &str)], body: &[u8], status: u16, message: &str| {
        let answer = server.post("/v1/traces", headers, body.to_vec()).await;
        assert_eq!(answer.status.as_u16(), status);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(message), "{text}");
        assert_eq!(answer.header("retry-after"), None);
    };
    check(&[JSON], b"{", 400, "cannot decode traces: EOF while parsing").await;
    check(&[PROTOBUF], b"\x0a\x05", 400, "cannot decode traces: 5 bytes needed, 0 left").await;
    check(&[PROTOBUF, ("content-encoding", "gzip")], b"no", 400, "cannot decompress").await;
    check(&[PROTOBUF, ("content-encoding", "br")], b"", 415, "content encoding \"br\"").await;
    check(&[("content-type", "text/plain")], b"", 415, "text/plain").await;
    check(&[], b"", 415, "use application/x-protobuf").await;

    let answer = server.post("/v1/traces", &[JSON], r#"{"resourceSpans": 5}"#).await;
    assert_eq!(
        answer.json(),
        json!({
            "code": 3,
            "message": "cannot decode traces: resourceSpans: 5 found, an array expected at line 1 \
                        column 19",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{
                    "field": "resourceSpans",
                    "description": "cannot decode traces: resourceSpans: 5 found, an array \
                                    expected at line 1 column 19",
                }],
            }],
        })
    );
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_before_and_after_decompression() {
    let limits =
        Limits { body_bytes_max: 1_000, decompressed_bytes_max: 50_000, ..Limits::default() };
    let server = Server::with(MemorySink::default(), 64 << 20, limits);
    let status = async |encoding: &str, body: Vec<u8>| {
        let headers = [PROTOBUF, ("content-encoding", encoding)];
        server.post("/v1/traces", &headers, body).await.status.as_u16()
    };
    assert_eq!(status("identity", vec![0; 1_001]).await, 413);
    assert_eq!(status("gzip", gzip(&vec![0; 50_001])).await, 413);
    assert_eq!(status("zstd", zstd(&vec![0; 50_001])).await, 413);
    // Exactly at the limit it is read, and found to be no request.
    assert_eq!(status("gzip", gzip(&vec![0; 50_000])).await, 400);
    assert_eq!(status("zstd", zstd(&vec![0; 50_000])).await, 400);

    // A client that does not say how long its body is, or lies.
    let chunks = futures_of(vec![vec![0; 600], vec![0; 600]]);
    let answer = server.post("/v1/traces", &[PROTOBUF], chunks).await;
    assert_eq!(answer.status.as_u16(), 413);
    assert_eq!(server.budget.used_bytes(), 0);
}

fn futures_of(chunks: Vec<Vec<u8>>) -> Body {
    let chunks = chunks.into_iter().map(Ok::<_, std::io::Error>);
    Body::from_stream(tokio_stream::iter(chunks))
}

#[tokio::test]
async fn bodies_in_pieces_are_joined() {
    let server = Server::new();
    let body = traces(vec![span(&[1; 16]); 3_000]);
    let chunks = body.chunks(10_000).map(<[u8]>::to_vec).collect();
    assert_eq!(
        server.post("/v1/traces", &[PROTOBUF], futures_of(chunks)).await.status,
        StatusCode::OK
    );
    assert_eq!(server.rows(), [3_000]);
}

#[tokio::test]
async fn a_full_budget_is_answered_though_the_body_does_not_come() {
    let server = Server::with(MemorySink::default(), 10_000, Limits::default());
    let unread = Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>());
    let headers = [PROTOBUF, ("content-length", "10001")];
    let answer = server.post("/v1/traces", &headers, unread).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_client_may_send_all_of_a_body_that_finds_no_room() {
    let server = Server::with(MemorySink::default(), 10_000, Limits::default());
    let unread = Arc::new(AtomicUsize::new(20));
    let left = Arc::clone(&unread);
    let chunks = (0..20).map(move |_| {
        left.fetch_sub(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(vec![0; 1_000])
    });
    let body = Body::from_stream(tokio_stream::iter(chunks));
    let answer = server.post("/v1/traces", &[PROTOBUF], body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(unread.load(Ordering::Relaxed), 0);
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = Limits::default();
    let soon = Duration::from_millis(10);
    let server = Server::waiting(MemorySink::default(), 64 << 20, limits, soon);
    let never = Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = server.post("/v1/traces", &[PROTOBUF], never).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn back_pressure_of_the_sink_reaches_the_client() {
    let check = async |error: SinkError, status: u16, retry_after: &str, code: &str| {
        let sink = MemorySink { refuses_with: Some(error), ..MemorySink::default() };
        let server = Server::with(sink, 64 << 20, Limits::default());
        let answer = server.post("/v1/traces", &[PROTOBUF], good()).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("retry-after"), Some(retry_after));

        let answer = server.post(TRACE_METHOD, &[GRPC], frame(0, &good())).await;
        assert_eq!(answer.header("grpc-status"), Some(code));
        let details = answer.header("grpc-status-details-bin").expect("details");
        assert!(details.len() > 40, "{details}");
        assert_eq!(server.budget.used_bytes(), 0);
    };
    let retry_after = Duration::from_millis(2_500);
    check(SinkError::Full { retry_after }, 429, "3", "8").await;
    check(SinkError::Unavailable { reason: "disk".to_owned(), retry_after }, 503, "3", "14").await;
    check(SinkError::ShuttingDown, 503, "1", "14").await;
}

#[tokio::test]
async fn the_tenant_is_that_of_the_request() {
    let mut server = Server::new();
    let tenant = Tenant::parse("team-b").expect("valid");
    server.router = server.router.layer(Extension(tenant.clone()));
    server.post("/v1/traces", &[PROTOBUF], good()).await;
    server.post(TRACE_METHOD, &[GRPC], frame(0, &good())).await;
    let writes = server.sink.writes.lock().expect("not poisoned");
    assert_eq!(writes.len(), 2);
    assert!(writes.iter().all(|write| write.tenant == tenant));
}

#[tokio::test]
async fn metrics_and_wrong_methods_are_told_so() {
    let server = Server::new();
    let answer = server.post("/v1/metrics", &[JSON], "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["message"], "metrics are not stored yet, only traces and logs");

    let answer = server.call(Request::get("/v1/traces").body(Body::empty()).expect("valid")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("POST"));

    let answer = server.post(METRICS_METHOD, &[GRPC], frame(0, b"")).await;
    assert_eq!(answer.header("grpc-status"), Some("12"));
    assert_eq!(
        answer.header("grpc-message"),
        Some("metrics%20are%20not%20stored%20yet,%20only%20traces%20and%20logs")
    );
}

#[tokio::test]
async fn browsers_may_send_from_anywhere() {
    let server = Server::new();
    let preflight = Request::options("/v1/traces")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Body::empty())
        .expect("valid");
    let answer = server.call(preflight).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[flag][..], &len, message].concat()
}

#[tokio::test]
async fn grpc_is_accepted_plain_and_compressed() {
    let server = Server::new();
    let frames = [
        ("identity", frame(0, &good())),
        ("gzip", frame(1, &gzip(&good()))),
        ("zstd", frame(1, &zstd(&good()))),
        ("gzip", frame(0, &good())),
    ];
    for (encoding, frame) in frames {
        let headers = [GRPC, ("grpc-encoding", encoding)];
        let answer = server.post(TRACE_METHOD, &headers, frame).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("grpc-status"), Some("0"));
        assert_eq!(answer.header("content-type"), Some("application/grpc"));
        assert_eq!(answer.body[..], [0; 5]);
    }
    assert_eq!(server.rows(), [2; 4]);
}

#[tokio::test]
async fn grpc_refusals_have_their_code() {
    let limits = Limits { body_bytes_max: 1_000, ..Limits::default() };
    let server = Server::with(MemorySink::default(), 64 << 20, limits);
    let check = async |encoding: &str, frame: Vec<u8>, code: &str| {
        let headers = [GRPC, ("grpc-encoding", encoding)];
        let answer = server.post(TRACE_METHOD, &headers, frame).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("grpc-status"), Some(code));
        assert_eq!(answer.header("grpc-accept-encoding"), Some("identity,gzip,zstd"));
    };
    check("identity", frame(0, b"\x0a\x05"), "3").await;
    check("identity", vec![0, 0, 0], "3").await;
    check("identity", vec![0, 0, 0, 0, 9, 1], "3").await;
    check("identity", frame(2, b""), "3").await;
    check("identity", frame(1, b""), "3").await;
    check("gzip", frame(1, b"no gzip"), "3").await;
    check("snappy", frame(1, b""), "12").await;
    check("identity", frame(0, &[0; 2_000]), "8").await;
    let answer = server.post(TRACE_METHOD, &[JSON], "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
