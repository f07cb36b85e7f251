//! `POST /api/v1/write`.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use axum::routing::post;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use model::Tenant;

use super::{EXEMPLARS_WRITTEN, HISTOGRAMS_WRITTEN, SAMPLES_WRITTEN, Version, decode};
use crate::body::{self, Encoding, Rules};
use crate::metric_sink::{Rejection, Written};
use crate::metrics::MetricReceiver;
use crate::metrics::receiver::MetricRequest;
use crate::otlp::http::{content_length, text};
use crate::refusal::Refusal;

/// The route of remote write. Tenants come from the request's extensions.
pub fn router(receiver: MetricReceiver) -> Router {
    Router::new()
        .route("/api/v1/write", post(write))
        .layer(DefaultBodyLimit::disable())
        .with_state(receiver)
}

async fn write(State(receiver): State<MetricReceiver>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let version = match message(&parts.headers).and_then(|version| {
        encoding(&parts.headers)?;
        Ok(version)
    }) {
        Ok(version) => version,
        Err(refusal) => return refuse(&refusal),
    };
    let request = MetricRequest {
        protocol: version.protocol(),
        tenant: parts.extensions.get::<Tenant>().cloned().unwrap_or_default(),
        declared_bytes: content_length(&parts.headers),
        body,
    };
    let written = receiver.receive(request, move |held, context| {
        let rules = Rules {
            bytes_max: context.limits.decompressed_bytes_max,
            timeout: std::time::Duration::ZERO,
            retry_after: context.retry_after,
        };
        let held = body::decompress(held, Encoding::Snappy, &rules)?;
        decode::decode(version, &held.bytes, held.memory, context)
    });
    match written.await {
        Ok(written) => accepted(&written),
        Err(refusal) => refuse(&refusal),
    }
}

/// Which message a body is, by its content type; none means 1.0, as it does for Prometheus.
fn message(headers: &HeaderMap) -> Result<Version, Refusal> {
    let given = text(headers, &CONTENT_TYPE).unwrap_or("").trim();
    if given.is_empty() {
        return Ok(Version::V1);
    }
    let mut parts = given.split(';');
    let essence = parts.next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-protobuf") {
        return Err(Refusal::Unsupported(format!(
            "expected application/x-protobuf as the first (media) part, got {given} content-type"
        )));
    }
    let proto = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
    });
    match proto {
        None | Some("prometheus.WriteRequest") => Ok(Version::V1),
        Some("io.prometheus.write.v2.Request") => Ok(Version::V2),
        Some(other) => Err(Refusal::Unsupported(format!(
            "got {given} content type; unknown type for remote write protobuf message {other}, \
             supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
        ))),
    }
}

fn encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = text(headers, &CONTENT_ENCODING).unwrap_or("");
    if given.is_empty() || given.eq_ignore_ascii_case("snappy") {
        return Ok(());
    }
    Err(Refusal::Unsupported(format!(
        "{given} encoding (compression) is not accepted by this server; only snappy is acceptable"
    )))
}

fn accepted(written: &Written) -> Response {
    let mut response = if written.rejected.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        plain(StatusCode::BAD_REQUEST, &rejections(&written.rejected))
    };
    for (name, count) in [
        (SAMPLES_WRITTEN, written.floats),
        (HISTOGRAMS_WRITTEN, written.histograms),
        (EXEMPLARS_WRITTEN, written.exemplars),
    ] {
        response.headers_mut().insert(name, HeaderValue::from(count));
    }
    response
}

/// One line a reason: `out of order sample for series {…} (3 samples)`.
pub(crate) fn rejections(rejected: &[Rejection]) -> String {
    let lines = rejected.iter().map(|Rejection { reason, count, example }| {
        let series =
            if example.is_empty() { String::new() } else { format!(" for series {example}") };
        let more = if *count > 1 { format!(" ({count} samples)") } else { String::new() };
        format!("{reason}{series}{more}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The answer to a request of which nothing was taken.
pub(crate) fn refuse(refusal: &Refusal) -> Response {
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
    let mut response = plain(status, &refusal.to_string());
    if let Some(retry_after) = refusal.retry_after() {
        // Whole seconds, rounded up, or clients would come back too soon.
        let seconds = retry_after.as_millis().div_ceil(1_000).max(1);
        let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// Text, as Go's `http.Error` writes it.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
