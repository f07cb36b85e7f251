//! Rate, errors and duration of HTTP, under the names that OpenTelemetry's semantic conventions
//! have in Prometheus. <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use tower::Service;
use tracing::Span;

use super::{Context, Counter, Gauge, Histogram, LATENCY_BUCKETS, Registry};
use crate::clock;
use crate::server::{ErrorReport, Middleware, excluded, route};

/// What is counted of a server.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    duration: Histogram<3>,
    active: Gauge<1>,
    errors: Counter<3>,
}

impl ServerMetrics {
    /// Registers `http_server_request_duration_seconds` by method, route and status,
    /// `http_server_active_requests` by method, and `http_server_errors_total` by method, route
    /// and kind of error.
    #[must_use]
    pub fn new(registry: &Registry) -> ServerMetrics {
        ServerMetrics {
            duration: registry.histogram(
                "http_server_request_duration_seconds",
                "Duration of HTTP server requests.",
                ["http_request_method", "http_route", "http_response_status_code"],
                LATENCY_BUCKETS,
            ),
            active: registry.gauge(
                "http_server_active_requests",
                "Number of active HTTP server requests.",
                ["http_request_method"],
            ),
            errors: registry.counter(
                "http_server_errors_total",
                "HTTP server requests that failed, by the kind of error.",
                ["http_request_method", "http_route", "error_type"],
            ),
        }
    }
}

/// Counts each request of a server. It stands inside [`crate::TracingLayer`], so that its
/// exemplars carry the request's trace.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    metrics: ServerMetrics,
    excluded_paths: Vec<String>,
}

impl MetricsLayer {
    /// Counts all requests but those of `excluded_paths`.
    #[must_use]
    pub fn new(registry: &Registry, excluded_paths: &[String]) -> MetricsLayer {
        let metrics = ServerMetrics::new(registry);
        MetricsLayer { metrics, excluded_paths: excluded_paths.to_vec() }
    }
}

impl Middleware for MetricsLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        if excluded(&self.excluded_paths, request.uri().path()) {
            return inner.call(request).await;
        }
        let method = known_method(request.method());
        // What no route matches has no name: paths are the client's to invent.
        let route = route(&request).unwrap_or_default().to_owned();
        let active = self.metrics.active.in_flight([method]);
        let started = clock::instant();
        let result = inner.call(request).await;
        drop(active);
        let status = result.as_ref().map_or(StatusCode::INTERNAL_SERVER_ERROR, Response::status);
        let labels = [method, &route, status.as_str()];
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.duration.observe_in(labels, seconds, || Context::of(&Span::current()));
        let report =
            result.as_ref().ok().and_then(|response| response.extensions().get::<ErrorReport>());
        match report {
            Some(report) => self.metrics.errors.inc([method, &route, report.kind]),
            None if status.is_server_error() => {
                self.metrics.errors.inc([method, &route, status.as_str()]);
            }
            None => {}
        }
        result
    }
}

/// What is counted of calls to others.
#[derive(Debug, Clone)]
pub struct ClientMetrics {
    duration: Histogram<5>,
}

impl ClientMetrics {
    /// Registers `http_client_request_duration_seconds` by method, server, status and error.
    #[must_use]
    pub fn new(registry: &Registry) -> ClientMetrics {
        ClientMetrics {
            duration: registry.histogram(
                "http_client_request_duration_seconds",
                "Duration of HTTP client requests.",
                [
                    "http_request_method",
                    "server_address",
                    "server_port",
                    "http_response_status_code",
                    "error_type",
                ],
                LATENCY_BUCKETS,
            ),
        }
    }

    pub(crate) fn note(&self, call: &Call<'_>, result: Result<StatusCode, &str>, span: &Span) {
        let (status, error) = match &result {
            Ok(status) if status.is_client_error() || status.is_server_error() => {
                (status.as_str(), status.as_str())
            }
            Ok(status) => (status.as_str(), ""),
            Err(kind) => ("", *kind),
        };
        let labels = [known_method(call.method), call.host, call.port, status, error];
        self.duration.observe_in(labels, call.took.as_secs_f64(), || Context::of(span));
    }
}

/// A call that has ended.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    pub(crate) host: &'a str,
    pub(crate) port: &'a str,
    pub(crate) took: Duration,
}

/// The methods that there are; a client may write anything.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}
