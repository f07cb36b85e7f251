//! An HTTP client whose calls are spans and carry the trace on.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::Status;
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde::Serialize;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::clock;
use crate::metric::{Call, ClientMetrics, Registry};
use crate::request::RequestContext;
use crate::span::record_failure;

/// Wraps a [`reqwest::Client`]. Each call is a span of kind client, `HTTP POST /engineer`, and
/// carries `traceparent`, `X-Request-ID` and `X-Tenant-ID` to the other side.
///
/// Meant for calls between one's own services: it tells them whose request it is.
#[derive(Debug, Clone, Default)]
pub struct HttpClient {
    client: reqwest::Client,
    metrics: Option<ClientMetrics>,
}

impl HttpClient {
    /// Uses `client` for the connections.
    #[must_use]
    pub fn new(client: reqwest::Client) -> HttpClient {
        HttpClient { client, metrics: None }
    }

    /// Counts calls in `registry`.
    #[must_use]
    pub fn with_metrics(mut self, registry: &Registry) -> HttpClient {
        self.metrics = Some(ClientMetrics::new(registry));
        self
    }

    /// Begins a `GET`.
    pub fn get(&self, url: &str) -> HttpCall {
        self.request(Method::GET, url)
    }

    /// Begins a `POST`.
    pub fn post(&self, url: &str) -> HttpCall {
        self.request(Method::POST, url)
    }

    /// Begins a call.
    pub fn request(&self, method: Method, url: &str) -> HttpCall {
        HttpCall {
            client: self.client.clone(),
            metrics: self.metrics.clone(),
            request: self.client.request(method, url),
            template: None,
        }
    }
}

/// A call that is being put together.
#[derive(Debug)]
#[must_use = "a call is made by `send`"]
pub struct HttpCall {
    client: reqwest::Client,
    metrics: Option<ClientMetrics>,
    request: reqwest::RequestBuilder,
    template: Option<String>,
}

impl HttpCall {
    /// The path with placeholders, for the span's name: `/users/{id}`. Without it the path itself
    /// is the name, which is right only where paths are few.
    pub fn template(mut self, template: &str) -> HttpCall {
        self.template = Some(template.to_owned());
        self
    }

    /// Sends `body` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> HttpCall {
        self.request = self.request.json(body);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> HttpCall {
        self.request = self.request.header(name, value);
        self
    }

    /// Longest time that the call may take.
    pub fn timeout(mut self, timeout: Duration) -> HttpCall {
        self.request = self.request.timeout(timeout);
        self
    }

    /// Makes the call. The span ends when the headers of the response are there; its status is
    /// error when there is none and for 4xx and 5xx.
    pub async fn send(self) -> Result<reqwest::Response, reqwest::Error> {
        let mut request = self.request.build()?;
        let span = client_span(&request, self.template.as_deref());
        inject(&span, request.headers_mut());
        let (method, url) = (request.method().clone(), request.url().clone());
        let started = clock::instant();
        let result = self.client.execute(request).instrument(span.clone()).await;
        match &result {
            Ok(response) => record_response(&span, response),
            Err(error) => record_failure(&span, error_kind(error), error),
        }
        if let Some(metrics) = &self.metrics {
            let port = url.port_or_known_default().map(|port| port.to_string()).unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            let call = Call { method: &method, host, port: &port, took: started.elapsed() };
            let ended = result.as_ref().map(reqwest::Response::status).map_err(error_kind);
            metrics.note(&call, ended, &span);
        }
        result
    }
}

fn client_span(request: &reqwest::Request, template: Option<&str>) -> Span {
    let (method, url) = (request.method().as_str(), request.url());
    let path = template.unwrap_or_else(|| url.path());
    tracing::info_span!(
        "http_call",
        otel.name = format!("HTTP {method} {path}"),
        otel.kind = "client",
        http.request.method = method,
        url.full = url.as_str(),
        url.template = template,
        server.address = url.host_str(),
        server.port = url.port_or_known_default(),
        http.response.status_code = Empty,
    )
}

fn inject(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
    let Some(request) = RequestContext::of(&context) else { return };
    let mut put = |name: &'static str, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
    };
    put("x-request-id", request.request_id().map(crate::RequestId::as_str));
    put("x-tenant-id", request.tenant_id());
}

fn record_response(span: &Span, response: &reqwest::Response) {
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_client_error() || status.is_server_error() {
        span.set_attribute("error.type", status.as_str().to_owned());
        span.set_status(Status::error(status.canonical_reason().unwrap_or("error")));
    }
}

fn error_kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "TimeoutError"
    } else if error.is_connect() {
        "ConnectionError"
    } else {
        "HttpError"
    }
}
