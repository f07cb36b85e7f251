//! The preprocessing service, service `preprocessing-service`, port 8031: makes the model's
//! features out of a raw card transaction, `POST /engineer`. `/metrics` counts it.

mod engineer;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use sdk::ServerOptions;
use sdk::metric::{Counter, Histogram, LATENCY_BUCKETS, watch_process};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::SwaggerUi;

use crate::error::Error;
use crate::http::Live;
use crate::latency::Latency;
use crate::options::{Common, Requests};

/// The service's name in telemetry.
pub const SERVICE_NAME: &str = "preprocessing-service";

/// How the service runs.
#[derive(Debug, Clone, Default, Args)]
pub struct Config {
    /// How requests are answered.
    #[command(flatten)]
    pub requests: Requests,
    /// What every service takes.
    #[command(flatten)]
    pub common: Common,
}

/// A raw card transaction, fields named as in the IEEE-CIS data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transaction {
    /// Amount.
    #[serde(rename = "TransactionAmt")]
    #[schema(example = 150.0)]
    pub amount: f64,
    /// The card.
    #[schema(example = 13926)]
    pub card1: u64,
    /// Seconds since some midnight.
    #[serde(rename = "TransactionDT", default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Product: `W`, `C`, `R`, `H`, `S`.
    #[serde(rename = "ProductCD", default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Kind of card: `credit`, `debit`, `prepaid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card6: Option<String>,
    /// Domain of the purchaser's email address.
    #[serde(rename = "P_emaildomain", default, skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<String>,
    /// How many transactions the card made in the last 24 hours.
    #[serde(rename = "C1", default, skip_serializing_if = "Option::is_none")]
    pub recent_count: Option<f64>,
    /// Days since the card was first seen.
    #[serde(rename = "D1", default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<f64>,
    /// Whether the device is new to the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_device: Option<bool>,
}

/// The features of a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Engineered {
    /// Each by its name.
    pub features: BTreeMap<String, f64>,
    /// How many.
    pub features_count: usize,
}

#[derive(Debug)]
struct App {
    config: Config,
    latency: Latency,
    /// How long the features of a transaction take.
    engineering: Histogram<0>,
    /// Features made.
    engineered: Counter<0>,
}

/// Serves on `listener` until `shutdown`. Telemetry goes to the tracing subscriber of the caller.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let latency = config.common.latency();
    let registry = &config.common.metrics;
    watch_process(registry);
    let engineering = registry.histogram(
        "feature_engineering_seconds",
        "How long the features of a transaction took.",
        [],
        LATENCY_BUCKETS,
    );
    let engineered = registry.counter("features_engineered_total", "Features made.", []);
    let app = Arc::new(App { config, latency, engineering, engineered });
    crate::serve::serve(router(&app), listener, shutdown).await
}

fn router(app: &Arc<App>) -> Router {
    let options = ServerOptions {
        // The operation and the request are the same thing here, so they are one span.
        span_names: vec![("/engineer".to_owned(), "engineer_features".to_owned())],
        ..app.config.requests.server_options(&app.config.common.metrics)
    };
    let router = Router::new()
        .route("/engineer", post(engineer::engineer))
        .route("/health", get(live))
        .route("/health/live", get(live))
        .route("/health/ready", get(live))
        .route("/health/startup", get(live))
        .with_state(Arc::clone(app))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", Documentation::openapi()));
    sdk::add_tracing_middleware(router, &options)
        .route("/metrics", sdk::metrics_route(&app.config.common.metrics))
}

/// Whether the process is alive; it is ready as soon as it is.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Live)))]
async fn live() -> Json<Live> {
    Json(Live { status: "alive", service: SERVICE_NAME })
}

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Preprocessing Service",
        version = "1.0.0",
        description = "Makes the fraud model's features out of raw card transactions.",
        license(name = "Apache-2.0")
    ),
    paths(engineer::engineer, live)
)]
struct Documentation;
