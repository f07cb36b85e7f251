//! OTLP over gRPC: the `Export` methods of the trace, logs and metrics services.
//!
//! Unary calls are simple enough to be read here: a flag, a length and the message. So bodies are
//! counted against the memory budget before they are read, and the decoder gets the bytes as they
//! came; a generated service would have read them into buffers of its own by then.
//!
//! Specification: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf as _, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Full};
use model::Tenant;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::http::{content_length, text};
use super::response::{export_protobuf, grpc_status, metrics_protobuf};
use crate::Format;
use crate::body::Encoding;
use crate::metrics::receiver::MetricRequest;
use crate::receiver::{self, Payload, Receiver};
use crate::refusal::Refusal;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The methods of OTLP over gRPC, to be mounted on any port that speaks HTTP/2. Tenants come from
/// the request's extensions.
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(traces))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(metrics))
        .with_state(receiver)
}

/// Serves gRPC on a port of its own until `shutdown` is done; calls that are under way then end
/// first. `router` is [`router`] with layers around it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    /// Connections of clients that are gone are closed after about this time.
    const KEEPALIVE: Duration = Duration::from_secs(60);
    const STREAMS_PER_CONNECTION_MAX: u32 = 256;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .add_routes(Routes::from(router.fallback(unknown)))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
}

async fn traces(State(receiver): State<Receiver>, request: Request) -> Response {
    export(receiver, Format::OtlpTraces, request).await
}

async fn logs(State(receiver): State<Receiver>, request: Request) -> Response {
    export(receiver, Format::OtlpLogs, request).await
}

async fn metrics(State(receiver): State<Receiver>, request: Request) -> Response {
    let Some(metrics) = receiver.metrics() else {
        return refuse(&Refusal::NotFound(super::METRICS_MESSAGE));
    };
    let (parts, body) = request.into_parts();
    if !is_grpc(&parts.headers) {
        return not_grpc();
    }
    let encoding = encoding(&parts.headers);
    let request = MetricRequest {
        protocol: "otlp_grpc",
        tenant: parts.extensions.get::<Tenant>().cloned().unwrap_or_default(),
        declared_bytes: content_length(&parts.headers),
        body,
    };
    match metrics.receive(request, move |bytes| unframe(bytes, &encoding)).await {
        Ok(written) => accepted(&metrics_protobuf(&written)),
        Err(refusal) => refuse(&refusal),
    }
}

async fn unknown() -> Response {
    refuse(&Refusal::NotFound(
        "there is no such method, only OTLP's exports of traces, logs and metrics",
    ))
}

async fn export(receiver: Receiver, format: Format, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_grpc(&parts.headers) {
        return not_grpc();
    }
    let encoding = encoding(&parts.headers);
    let request = receiver::Request {
        transport: "grpc",
        format,
        tenant: parts.extensions.get::<Tenant>().cloned().unwrap_or_default(),
        declared_bytes: content_length(&parts.headers),
        body,
    };
    match receiver.receive(request, |bytes| unframe(bytes, &encoding)).await {
        Ok(report) => accepted(&export_protobuf(format.table(), &report)),
        Err(refusal) => refuse(&refusal),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_TYPE).unwrap_or("").starts_with("application/grpc")
}

fn not_grpc() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let given = text(headers, &GRPC_ENCODING).unwrap_or("");
    Encoding::parse(given).ok_or_else(|| {
        Refusal::Unsupported(format!(
            "compression {given:?} is not supported, use gzip, zstd or none"
        ))
    })
}

/// Takes the message out of its frame: a byte that tells whether it is compressed, and four bytes
/// of length.
fn unframe(
    mut bytes: Bytes,
    encoding: &Result<Encoding, Refusal>,
) -> Result<(Bytes, Payload, Encoding), Refusal> {
    if bytes.len() < 5 {
        return Err(malformed("the gRPC message has no frame"));
    }
    let compressed = bytes.get_u8();
    let len = bytes.get_u32();
    if usize::try_from(len).ok() != Some(bytes.len()) {
        return Err(malformed("the gRPC frame's length is not that of the one message in it"));
    }
    let encoding = match compressed {
        0 => Encoding::Identity,
        1 => match encoding.clone()? {
            Encoding::Identity => return Err(malformed("the message is compressed, not said how")),
            encoding => encoding,
        },
        _ => return Err(malformed("the gRPC frame's flag is neither 0 nor 1")),
    };
    Ok((bytes, Payload::Protobuf, encoding))
}

fn malformed(message: &str) -> Refusal {
    Refusal::Malformed { path: String::new(), message: message.to_owned() }
}

fn accepted(message: &[u8]) -> Response {
    let len = u32::try_from(message.len()).expect("answers are short");
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.push(0);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    accept_encodings(&mut response);
    response
}

fn refuse(refusal: &Refusal) -> Response {
    let mut response = grpc_status(refusal).into_http();
    accept_encodings(&mut response);
    response
}

fn accept_encodings(response: &mut Response) {
    let encodings = HeaderValue::from_static("identity,gzip,zstd");
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, encodings);
}
