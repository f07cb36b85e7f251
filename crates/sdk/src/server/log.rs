//! A line for each request and each response.

use std::sync::Arc;

use http::{Request, Response};
use tower::Service;

use super::{ErrorReport, Middleware, client_ip, excluded};
use crate::clock;

/// Logs `Request: GET /metrics from 172.19.0.2` and
/// `Response: GET /metrics - Status: 200 - Duration: 0.007s`, and the [`ErrorReport`] of a
/// response that has one.
#[derive(Debug, Clone)]
pub struct RequestLogLayer {
    excluded_paths: Arc<[String]>,
}

impl RequestLogLayer {
    /// Says nothing of requests whose path begins with one of these.
    #[must_use]
    pub fn new(excluded_paths: &[String]) -> RequestLogLayer {
        RequestLogLayer { excluded_paths: excluded_paths.into() }
    }
}

impl Middleware for RequestLogLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        if excluded(&self.excluded_paths, request.uri().path()) {
            return inner.call(request).await;
        }
        let started = clock::instant();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let client = client_ip(&request);
        tracing::info!(
            code.function = "log_requests",
            http.request.method = method.as_str(),
            url.path = path,
            client.address = client.as_deref(),
            "Request: {method} {path} from {}",
            client.as_deref().unwrap_or("-"),
        );
        let response = inner.call(request).await?;
        if let Some(report) = response.extensions().get::<ErrorReport>() {
            log_error(response.status(), &format!("{method} {path}"), report);
        }
        let status = response.status().as_u16();
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(
            code.function = "log_requests",
            http.request.method = method.as_str(),
            url.path = path,
            http.response.status_code = status,
            http.server.request.duration = seconds,
            "Response: {method} {path} - Status: {status} - Duration: {seconds:.3}s",
        );
        Ok(response)
    }
}

/// The server's own failures are errors; those of the client are warnings.
fn log_error(status: http::StatusCode, operation: &str, report: &ErrorReport) {
    let ErrorReport { kind, message } = report;
    let message = &**message;
    if status.is_server_error() {
        tracing::error!(
            code.function = "log_error",
            error.kind = kind,
            error.message = message,
            http.response.status_code = status.as_u16(),
            "{kind} in {operation}: {message}"
        );
    } else {
        tracing::warn!(
            code.function = "log_error",
            error.kind = kind,
            error.message = message,
            http.response.status_code = status.as_u16(),
            "{kind} in {operation}: {message}"
        );
    }
}
