//! OTLP over HTTP: `POST /v1/traces`, `/v1/logs` and `/v1/metrics`, protobuf and JSON.
//!
//! Specification: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::Tenant;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::metrics::OtlpMetrics;
use super::response::{
    code, export_json, export_protobuf, metrics_json, metrics_protobuf, status_json,
    status_protobuf,
};
use crate::Format;
use crate::body::Encoding;
use crate::metrics::receiver::MetricRequest;
use crate::receiver::{self, Payload, Receiver};
use crate::refusal::Refusal;
use crate::report::Report;

/// The routes of OTLP over HTTP. Tenants come from the request's extensions. Browsers may send from
/// any origin: a layer for authentication around this has to let their `OPTIONS` requests pass.
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/v1/traces", post(traces).fallback(wrong_method))
        .route("/v1/logs", post(logs).fallback(wrong_method))
        .route("/v1/metrics", post(metrics).fallback(wrong_method))
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods([Method::POST])
                .allow_headers(AllowHeaders::mirror_request())
                .max_age(Duration::from_secs(3_600)),
        )
        .with_state(receiver)
}

async fn traces(State(receiver): State<Receiver>, request: Request) -> Response {
    export(receiver, Format::OtlpTraces, request).await
}

async fn logs(State(receiver): State<Receiver>, request: Request) -> Response {
    export(receiver, Format::OtlpLogs, request).await
}

async fn metrics(State(receiver): State<Receiver>, request: Request) -> Response {
    match receiver.metrics() {
        Some(metrics) => export_metrics(metrics, request).await,
        None => {
            let media_type = MediaType::of(request.headers()).unwrap_or(MediaType::JSON);
            let refusal = Refusal::NotFound(super::METRICS_MESSAGE);
            refused(media_type, StatusCode::NOT_FOUND, &refusal)
        }
    }
}

/// The route of Prometheus's own OTLP receiver, `POST /api/v1/otlp/v1/metrics`. Tenants come from
/// the request's extensions.
pub fn metrics_router(metrics: OtlpMetrics) -> Router {
    Router::new()
        .route("/api/v1/otlp/v1/metrics", post(prometheus_metrics).fallback(wrong_method))
        .with_state(metrics)
}

async fn prometheus_metrics(State(metrics): State<OtlpMetrics>, request: Request) -> Response {
    export_metrics(&metrics, request).await
}

async fn export_metrics(metrics: &OtlpMetrics, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let media_type = match MediaType::of(&parts.headers) {
        Ok(media_type) => media_type,
        Err(refusal) => return refuse(MediaType::JSON, &refusal),
    };
    let encoding = match encoding(&parts.headers) {
        Ok(encoding) => encoding,
        Err(refusal) => return refuse(media_type, &refusal),
    };
    let request = MetricRequest {
        protocol: "otlp_http",
        tenant: parts.extensions.get::<Tenant>().cloned().unwrap_or_default(),
        declared_bytes: content_length(&parts.headers),
        body,
    };
    let open = move |bytes| Ok((bytes, media_type.payload, encoding));
    match metrics.receive(request, open).await {
        Ok(written) => {
            let body = match media_type.payload {
                Payload::Protobuf => metrics_protobuf(&written),
                Payload::Json => metrics_json(&written),
            };
            response(media_type, StatusCode::OK, body)
        }
        Err(refusal) => refuse(media_type, &refusal),
    }
}

async fn wrong_method(request: Request) -> Response {
    let media_type = MediaType::of(request.headers()).unwrap_or(MediaType::JSON);
    let refusal = Refusal::Unsupported(format!("{} is not allowed, use POST", request.method()));
    let mut response = refused(media_type, StatusCode::METHOD_NOT_ALLOWED, &refusal);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn export(receiver: Receiver, format: Format, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let media_type = match MediaType::of(&parts.headers) {
        Ok(media_type) => media_type,
        Err(refusal) => return refuse(MediaType::JSON, &refusal),
    };
    let encoding = match encoding(&parts.headers) {
        Ok(encoding) => encoding,
        Err(refusal) => return refuse(media_type, &refusal),
    };
    let request = receiver::Request {
        transport: "http",
        format,
        tenant: parts.extensions.get::<Tenant>().cloned().unwrap_or_default(),
        declared_bytes: content_length(&parts.headers),
        body,
    };
    let open = |bytes| Ok((bytes, media_type.payload, encoding));
    match receiver.receive(request, open).await {
        Ok(report) => accepted(media_type, format, &report),
        Err(refusal) => refuse(media_type, &refusal),
    }
}

/// A content type, and what it means. Answers have the one that the request had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MediaType {
    name: &'static str,
    payload: Payload,
}

impl MediaType {
    const JSON: MediaType = MediaType { name: "application/json", payload: Payload::Json };
    const ALL: [MediaType; 3] = [
        MediaType { name: "application/x-protobuf", payload: Payload::Protobuf },
        MediaType { name: "application/protobuf", payload: Payload::Protobuf },
        MediaType::JSON,
    ];

    fn of(headers: &HeaderMap) -> Result<MediaType, Refusal> {
        let given = text(headers, &CONTENT_TYPE).unwrap_or("");
        let essence = given.split(';').next().unwrap_or("").trim();
        MediaType::ALL.into_iter().find(|t| t.name.eq_ignore_ascii_case(essence)).ok_or_else(|| {
            Refusal::Unsupported(format!(
                "content type {given:?} is not supported, use application/x-protobuf or \
                 application/json"
            ))
        })
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let given = text(headers, &CONTENT_ENCODING).unwrap_or("");
    Encoding::parse(given).ok_or_else(|| {
        Refusal::Unsupported(format!(
            "content encoding {given:?} is not supported, use gzip, zstd or none"
        ))
    })
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<usize> {
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn accepted(media_type: MediaType, format: Format, report: &Report) -> Response {
    let body = match media_type.payload {
        Payload::Protobuf => export_protobuf(format.table(), report),
        Payload::Json => export_json(format.table(), report),
    };
    response(media_type, StatusCode::OK, body)
}

fn refuse(media_type: MediaType, refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Malformed { .. } => StatusCode::BAD_REQUEST,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Incomplete(_) => StatusCode::REQUEST_TIMEOUT,
        Refusal::NotFound(_) => StatusCode::NOT_FOUND,
        Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refused(media_type, status, refusal)
}

fn refused(media_type: MediaType, status: StatusCode, refusal: &Refusal) -> Response {
    let body = match media_type.payload {
        Payload::Protobuf => status_protobuf(code(refusal), refusal),
        Payload::Json => status_json(code(refusal), refusal),
    };
    let mut response = response(media_type, status, body);
    if let Some(retry_after) = refusal.retry_after() {
        // Whole seconds, rounded up, or clients would come back too soon.
        let seconds = retry_after.as_millis().div_ceil(1_000).max(1).to_string();
        let seconds = HeaderValue::from_str(&seconds).expect("digits are a header's value");
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

fn response(media_type: MediaType, status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type.name));
    response
}
