//! The server span.

use std::sync::Arc;

use http::{Request, Response, Uri, Version};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::Status;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tower::Service;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{ErrorReport, Middleware, ServerOptions, client_ip, excluded, route};
use crate::clock;
use crate::request::{RequestContext, RequestId};
use crate::span::record_exception;

/// Makes a span of kind server for each request, named by method and route, below the caller's
/// span if the request brings a W3C `traceparent`.
///
/// It carries the HTTP semantic conventions' attributes and beside them the older names that many
/// dashboards still use: `http.method`, `http.url`, `http.status_code`, `http.client_ip` and
/// `http.response_time_ms`. The status is error for 5xx and wherever the response has an
/// [`ErrorReport`].
#[derive(Debug, Clone)]
pub struct TracingLayer(Arc<Options>);

#[derive(Debug)]
struct Options {
    excluded_paths: Vec<String>,
    span_names: Vec<(String, String)>,
}

impl TracingLayer {
    /// With the paths to leave out and the span names of `options`.
    #[must_use]
    pub fn new(options: &ServerOptions) -> TracingLayer {
        TracingLayer(Arc::new(Options {
            excluded_paths: options.excluded_paths.clone(),
            span_names: options.span_names.clone(),
        }))
    }
}

impl Middleware for TracingLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        if excluded(&self.0.excluded_paths, request.uri().path()) {
            return inner.call(request).await;
        }
        let started = clock::instant();
        let span = self.0.span(&request);
        let result = inner.call(request).instrument(span.clone()).await;
        span.record("http.response_time_ms", started.elapsed().as_secs_f64() * 1e3);
        match &result {
            Ok(response) => record_response(&span, response),
            Err(_) => span.set_status(Status::error("the service failed")),
        }
        result
    }
}

impl Options {
    fn span<B>(&self, request: &Request<B>) -> Span {
        let method = request.method().as_str();
        let uri = request.uri();
        let route = route(request);
        let name = self.name(method, route);
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authority = header(http::header::HOST)
            .or_else(|| uri.authority().map(http::uri::Authority::as_str));
        let (host, port) = authority.map_or((None, None), split_authority);
        let client_ip = client_ip(request);
        let span = tracing::info_span!(
            "request",
            otel.name = &*name,
            otel.kind = "server",
            http.request.method = method,
            http.method = method,
            http.url = full_url(authority, uri),
            http.route = route,
            http.client_ip = client_ip.as_deref(),
            client.address = client_ip.as_deref(),
            url.scheme = "http",
            url.path = uri.path(),
            url.query = uri.query(),
            server.address = host,
            server.port = port,
            network.protocol.version = protocol_version(request.version()),
            user_agent.original = header(http::header::USER_AGENT),
            http.response.status_code = Empty,
            http.status_code = Empty,
            http.response_time_ms = Empty,
        );
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
        let request_id = request.extensions().get::<RequestId>().cloned();
        // Without a subscriber of ours there is no span to place.
        drop(span.set_parent(parent.with_value(RequestContext::new(request_id))));
        span
    }

    fn name(&self, method: &str, route: Option<&str>) -> String {
        let Some(route) = route else { return method.to_owned() };
        match self.span_names.iter().find(|(of, _)| of == route) {
            Some((_, name)) => name.clone(),
            None => format!("{method} {route}"),
        }
    }
}

fn record_response<R>(span: &Span, response: &Response<R>) {
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    span.record("http.status_code", i64::from(status.as_u16()));
    if let Some(report) = response.extensions().get::<ErrorReport>() {
        record_exception(span, report.kind, &report.message, "");
    } else if status.is_server_error() {
        span.set_attribute("error.type", status.as_str().to_owned());
        span.set_status(Status::error(status.canonical_reason().unwrap_or("server error")));
    }
}

fn full_url(authority: Option<&str>, uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{}{path}", authority.unwrap_or("-"))
}

fn split_authority(authority: &str) -> (Option<&str>, Option<i64>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (Some(host), port.parse().ok()),
        _ => (Some(authority), None),
    }
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_split_into_host_and_port() {
        for (authority, host, port) in [
            ("localhost:8000", "localhost", Some(8000)),
            ("example.org", "example.org", None),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some(80)),
        ] {
            assert_eq!(split_authority(authority), (Some(host), port));
        }
    }
}
