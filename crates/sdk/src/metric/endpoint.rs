//! `GET /metrics`.

use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, header};

use super::{Format, Registry};

/// The answer to a scrape, in the format that its `Accept` asks for.
#[must_use]
pub fn metrics_response(registry: &Registry, headers: &HeaderMap) -> Response {
    let accepts = headers.get_all(header::ACCEPT).into_iter();
    let openmetrics = accepts
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| Format::accepted(accept) == Format::OpenMetrics);
    let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
    let head = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
    (head, registry.text(format)).into_response()
}

/// `GET /metrics`, to be added after the tracing middleware, so that scrapes make no spans:
/// `add_tracing_middleware(router, &options).route("/metrics", metrics_route(&registry))`.
pub fn metrics_route(registry: &Registry) -> MethodRouter {
    let registry = registry.clone();
    let answer = move |headers: HeaderMap| {
        let answer = metrics_response(&registry, &headers);
        async move { answer }
    };
    get(answer)
}
