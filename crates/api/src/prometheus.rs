//! Prometheus's HTTP API, to the letter: what Grafana, `promtool` and client libraries ask.
//!
//! It knows the language ([`promql`]) and asks everything else of the traits in [`outside`]:
//! the store, the scraper, the rules, the server. Queries run on threads that may block, as many
//! at once as [`Prometheus::concurrency`] has permits; a query whose client goes is cancelled.
//! What differs from the original is in `docs/prometheus-api.md`.

mod cardinality;
mod cors;
mod encode;
mod envelope;
mod federate;
mod labels;
pub mod notifications;
pub mod outside;
mod params;
mod query;
mod rules;
mod search;
mod server;
mod status;
mod targets;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use promql::cache::ResultCache;
use promql::control::{Cancel, Limits};
use promql::engine::Engine;
use promql::parser::Options;
use stdx::clock::Clock;
use tokio::sync::Semaphore;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

pub use self::cors::{CORS_ORIGIN_DEFAULT, CorsOrigin};
use self::envelope::{ApiError, Kind};
use self::outside::{Absent, Metrics, Rules, Server, Targets};
use crate::{Auth, AuthLayer};

/// How many queries run at once when nobody says otherwise, as in Prometheus
/// (`query.max-concurrency`).
pub const CONCURRENCY_DEFAULT: usize = 20;

/// What the API is made of.
#[derive(Clone)]
pub struct Prometheus {
    /// The store.
    pub metrics: Arc<dyn Metrics>,
    /// The scraper.
    pub targets: Arc<dyn Targets>,
    /// The rules.
    pub rules: Arc<dyn Rules>,
    /// The server.
    pub server: Arc<dyn Server>,
    /// Evaluates queries.
    pub engine: Engine,
    /// Which experimental parts of the language are on.
    pub language: Options,
    /// What a query may take.
    pub limits: Limits,
    /// Results of range queries that were asked before.
    pub results: Arc<ResultCache>,
    /// One permit for each query that may run.
    pub concurrency: Arc<Semaphore>,
    /// Whether data may be deleted through the API (`web.enable-admin-api`).
    pub admin: bool,
    /// Whether `/-/reload` and `/-/quit` do anything (`web.enable-lifecycle`).
    pub lifecycle: bool,
    /// Which web pages may ask.
    pub cors: CorsOrigin,
    /// Who may ask.
    pub auth: Auth,
    /// What time it is.
    pub clock: Clock,
}

impl Prometheus {
    /// Over a store, with everything else absent or at its default.
    #[must_use]
    pub fn new(metrics: Arc<dyn Metrics>, clock: Clock) -> Prometheus {
        Prometheus {
            metrics,
            targets: Arc::new(Absent),
            rules: Arc::new(Absent),
            server: Arc::new(Absent),
            engine: Engine::default(),
            language: Options::default(),
            limits: Limits::default(),
            results: Arc::default(),
            concurrency: Arc::new(Semaphore::new(CONCURRENCY_DEFAULT)),
            admin: false,
            lifecycle: false,
            cors: CorsOrigin::default(),
            auth: Auth::default(),
            clock,
        }
    }

    /// The time now, milliseconds.
    fn now(&self) -> i64 {
        self.clock.now().div_euclid(1_000_000)
    }

    /// Runs what may block on a thread that may, and cancels it when this future is dropped.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Prometheus, Cancel) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let cancel = Cancel::new();
        let _guard = CancelOnDrop(cancel.clone());
        let api = self.clone();
        let joined = tokio::task::spawn_blocking(move || work(&api, cancel)).await;
        joined.unwrap_or_else(|error| {
            Err(ApiError::new(Kind::Internal, format!("request failed: {error}")))
        })
    }
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").field("language", &self.language).finish_non_exhaustive()
    }
}

/// Cancels a query whose client has gone.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Everything but what takes data in (`/api/v1/write`, `/api/v1/read`, `/api/v1/otlp`,
/// `/api/v1/push`) and `/metrics`: those are merged with it. The tenant is that of the key or of
/// `X-Scope-OrgID`.
pub fn router(prometheus: Prometheus) -> Router {
    let auth = AuthLayer::http(prometheus.auth.clone());
    let v1 = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(query::parse).post(query::parse))
        .route("/series", get(labels::series).post(labels::series))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/metadata", get(labels::metadata))
        .route("/metrics/cardinality", get(cardinality::cardinality))
        .route("/search/metric_names", get(search::metric_names).post(search::metric_names))
        .route("/search/label_names", get(search::label_names).post(search::label_names))
        .route("/search/label_values", get(search::label_values).post(search::label_values))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/scrape_pools", get(targets::pools))
        .route("/scrape_pools/config", get(targets::pool_config))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/alertmanagers", get(rules::alertmanagers))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/buildinfo", get(status::build))
        .route("/status/tsdb", get(cardinality::tsdb))
        .route("/status/tsdb/blocks", get(status::blocks))
        .route("/status/walreplay", get(status::replay))
        .route("/status/self_metrics", get(status::own_metrics))
        .route("/features", get(status::features))
        .route("/notifications", get(status::notifications))
        .route("/notifications/live", get(status::notifications_live))
        .route("/openapi.yaml", get(status::openapi))
        .route("/admin/tsdb/snapshot", post(server::snapshot).put(server::snapshot))
        .route("/admin/tsdb/delete_series", post(server::delete_series).put(server::delete_series))
        .route(
            "/admin/tsdb/clean_tombstones",
            post(server::clean_tombstones).put(server::clean_tombstones),
        )
        .fallback(server::not_found)
        .layer(auth.clone())
        .layer(from_fn_with_state(prometheus.cors.clone(), cors::layer));
    let closed = Router::new()
        .route("/federate", get(federate::federate))
        .route("/version", get(status::version))
        .route("/consoles/{*path}", get(server::not_found))
        .route("/-/reload", post(server::reload).put(server::reload))
        .route("/-/quit", post(server::quit).put(server::quit))
        .layer(auth)
        .nest("/api/v1", v1)
        // Answers are long lists of numbers: the fastest level is two times larger and takes a
        // fifth of the time, which is most of what a range query costs.
        .layer(CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Fastest));
    let open = Router::new()
        .route("/-/healthy", get(server::healthy).head(server::healthy))
        .route("/-/ready", get(server::ready).head(server::ready));
    closed.merge(open).with_state(prometheus)
}

#[cfg(test)]
mod tests;
