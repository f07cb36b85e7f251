//! HTTP: the product's own API, authentication, the web pages, health and metrics.
//!
//! Every answer about data is a statement in SQL that [`query::Engine`] runs: the handlers build it
//! with parameters and shape what comes back. What is not in the tables (their sizes, addresses,
//! memory, rows as they arrive) comes through the small traits [`Status`] and [`LiveTail`].
//!
//! It promises the shapes of `docs/openapi.json`. It stores nothing, and no text of a user ever
//! becomes part of a statement except as a parameter or a quoted key.

mod answer;
pub mod auth;
mod error;
mod extract;
mod json;
mod outside;
pub mod prometheus;
mod record;
pub mod routes;
mod search;
mod time;

use std::fmt;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::{HeaderValue, Uri, header};
use query::Engine;
use stdx::clock::Clock;
use tower_http::compression::CompressionLayer;

pub use auth::{Auth, AuthLayer, Key};
pub use error::{Error, ErrorBody, ErrorDetail};
pub use outside::{
    Endpoints, LiveTail, MemoryReport, Metrics, Status, StatusReport, TableReport, TailItem,
    TailStream,
};
pub use time::format as rfc3339;

/// The most bytes of a request's body: a statement and its parameters.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the API is made of.
#[derive(Clone)]
pub struct Api {
    /// Runs the statements.
    pub engine: Engine,
    /// Tells of the process.
    pub status: Arc<dyn Status>,
    /// Rows as they arrive.
    pub tail: Arc<dyn LiveTail>,
    /// Who may ask.
    pub auth: Auth,
    /// Writes the metrics.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// Everything of the main port but the protocols that take data in: those are merged with this.
pub fn router(api: Api) -> Router {
    let auth = AuthLayer::http(api.auth.clone());
    let v1 = Router::new()
        .route("/status", get(routes::status::status))
        .route("/services", get(routes::services::services))
        .route("/services/{service}/operations", get(routes::services::operations))
        .route("/traces", get(routes::traces::traces))
        .route("/traces/histogram", get(routes::traces::histogram))
        .route("/traces/{trace_id}", get(routes::trace::trace))
        .route("/logs", get(routes::logs::logs))
        .route("/logs/histogram", get(routes::logs::histogram))
        .route("/logs/context", get(routes::logs::context))
        .route("/logs/tail", get(routes::tail::tail))
        .route("/fields", get(routes::fields::fields))
        .route("/fields/values", get(routes::fields::values))
        .route("/sql", post(routes::sql::sql))
        .route("/openapi.json", get(routes::openapi::openapi));
    let closed = Router::new()
        .nest("/api/v1", v1)
        .route("/metrics", get(routes::status::metrics))
        .method_not_allowed_fallback(routes::wrong_method)
        .route_layer(auth)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new().gzip(true).zstd(true));
    let open = Router::new()
        .route("/-/healthy", get(routes::status::healthy))
        .route("/-/ready", get(routes::status::ready));
    Router::new()
        .merge(closed)
        .merge(open)
        .with_state(api)
        .fallback(page)
        .layer(middleware::from_fn(metrics_page))
        .layer(middleware::map_response(no_sniff))
}

/// At `/metrics` is a page, and are the process's own metrics: a browser that goes there asks for
/// HTML, a scraper never does. Pages need no key.
async fn metrics_page(request: Request, next: Next) -> Response {
    if request.uri().path() != "/metrics" {
        return next.run(request).await;
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut response = if accept.is_some_and(|accept| accept.contains("text/html")) {
        page(request.uri().clone(), request).await
    } else {
        next.run(request).await
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// What no route answers: a page, or a not-found in JSON.
async fn page(uri: Uri, request: Request) -> Response {
    let path = uri.path();
    let missing = path == "/api" || path.starts_with("/api/") || path.starts_with("/v1/");
    if missing || !matches!(*request.method(), http::Method::GET | http::Method::HEAD) {
        return Error::NotFound(format!("there is nothing at {path}")).into_response();
    }
    let response = web::respond(path, request.headers());
    if response.status() == http::StatusCode::NOT_FOUND {
        return Error::NotFound(format!("there is nothing at {path}")).into_response();
    }
    response
}

async fn no_sniff(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
