//! Requests that take too long.

use std::time::Duration;

use http::{Request, Response};
use opentelemetry::KeyValue;
use tower::Service;

use super::{Middleware, route};
use crate::clock;
use crate::span::{add_event, set_attribute};

/// Warns of requests that take longer than a threshold: a log line, the event `slow_request` and
/// the attribute `request.slow` on the server span.
#[derive(Debug, Clone, Copy)]
pub struct SlowRequestLayer {
    threshold: Duration,
}

impl SlowRequestLayer {
    /// With this threshold.
    #[must_use]
    pub fn new(threshold: Duration) -> SlowRequestLayer {
        SlowRequestLayer { threshold }
    }
}

impl Middleware for SlowRequestLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        let started = clock::instant();
        let method = request.method().clone();
        let route = route(&request).unwrap_or_else(|| request.uri().path()).to_owned();
        let result = inner.call(request).await;
        let elapsed = started.elapsed();
        if elapsed > self.threshold {
            warn_of_slow_request(&format!("{method} {route}"), elapsed, self.threshold);
        }
        result
    }
}

fn warn_of_slow_request(operation: &str, elapsed: Duration, threshold: Duration) {
    let (elapsed_s, threshold_s) = (elapsed.as_secs_f64(), threshold.as_secs_f64());
    set_attribute("request.slow", true);
    add_event(
        "slow_request",
        [
            KeyValue::new("duration_ms", elapsed_s * 1e3),
            KeyValue::new("threshold_ms", threshold_s * 1e3),
        ],
    );
    tracing::warn!(
        code.function = "warn_of_slow_request",
        http.server.request.duration = elapsed_s,
        "Slow request: {operation} took {elapsed_s:.3}s, threshold {threshold_s:.3}s"
    );
}
