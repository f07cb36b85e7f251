//! OTLP requests made by hand: for load, for what no SDK would send, and for exact values.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use stdx::clock::Clock;

/// The content type of OTLP in protobuf.
pub const PROTOBUF: &str = "application/x-protobuf";

/// Nanoseconds since 1970, now.
#[must_use]
pub fn now() -> u64 {
    Clock::system().now().unsigned_abs()
}

/// An attribute.
#[must_use]
pub fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// An attribute of text.
#[must_use]
pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

/// An attribute of a whole number.
#[must_use]
pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

/// A value.
#[must_use]
pub fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// A log record of level info, happening now.
#[must_use]
pub fn log(body: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord {
        time_unix_nano: now(),
        observed_time_unix_nano: now(),
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(any(Any::StringValue(body.to_owned()))),
        attributes,
        ..LogRecord::default()
    }
}

/// A server's root span of a millisecond, with ids of its own, starting now.
#[must_use]
pub fn span(name: &str, attributes: Vec<KeyValue>) -> Span {
    let start = now();
    Span {
        trace_id: rand::random::<[u8; 16]>().to_vec(),
        span_id: rand::random::<[u8; 8]>().to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000,
        attributes,
        ..Span::default()
    }
}

/// A request of log records of one service.
#[must_use]
pub fn logs_request(service: &str, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() }];
    let resource = Some(resource(service));
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }],
    }
}

/// A request of spans of one service.
#[must_use]
pub fn traces_request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }];
    let resource = Some(resource(service));
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "e2e".to_owned(), ..InstrumentationScope::default() }
}

fn resource(service: &str) -> Resource {
    Resource { attributes: vec![text("service.name", service)], ..Resource::default() }
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text, with what is no text replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server took it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Posts a body with these headers.
///
/// # Errors
/// When there is no whole answer.
pub async fn post(
    http: &reqwest::Client,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> reqwest::Result<Reply> {
    let mut request = http.post(url).body(body).timeout(Duration::from_secs(60));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await?;
    let header = |name| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    Ok(Reply {
        status: answer.status().as_u16(),
        retry_after: header("retry-after"),
        content_type: header("content-type").unwrap_or_default(),
        body: answer.bytes().await?.to_vec(),
    })
}

/// Posts log records in protobuf to `base`.
///
/// # Errors
/// When there is no whole answer.
pub async fn post_logs(
    http: &reqwest::Client,
    base: &str,
    request: &ExportLogsServiceRequest,
) -> reqwest::Result<Reply> {
    let url = format!("{base}/v1/logs");
    post(http, &url, &[("content-type", PROTOBUF)], request.encode_to_vec()).await
}

/// Posts spans in protobuf to `base`.
///
/// # Errors
/// When there is no whole answer.
pub async fn post_traces(
    http: &reqwest::Client,
    base: &str,
    request: &ExportTraceServiceRequest,
) -> reqwest::Result<Reply> {
    let url = format!("{base}/v1/traces");
    post(http, &url, &[("content-type", PROTOBUF)], request.encode_to_vec()).await
}
