//! The fraud-detection API, service `fraud-detection-api`, port 8000.
//!
//! `POST /predict` has its features made by the preprocessing service; `POST /v1/predict` takes
//! them from the feature store. Both ask the same model. `/docs` describes all of it, `/metrics`
//! counts it.

mod health;
mod inference;
mod metrics;
mod predict;
mod predict_v1;
mod rules;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use clap::Args;
use sdk::HttpClient;
use stdx::clock::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::error::Error;
use crate::feature_store::FeatureStore;
use crate::latency::Latency;
use crate::model::FraudModel;
use crate::options::{Common, Requests};
use metrics::FraudMetrics;

/// The service's name in telemetry.
pub const SERVICE_NAME: &str = "fraud-detection-api";

/// How the service runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the preprocessing service.
    #[arg(
        long,
        env = "PREPROCESSING_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8031"
    )]
    pub preprocessing_url: String,
    /// Longest time that it may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub preprocessing_timeout_ms: u64,
    /// Address of the Redis that holds the feature store; in memory without.
    #[arg(long, env = "REDIS_URL", value_name = "URL")]
    pub redis_url: Option<String>,
    /// Directory of the model's file.
    #[arg(long, env = "MODEL_DIR", value_name = "DIR", default_value = "data/fraud-api")]
    pub model_dir: PathBuf,
    /// How requests are answered.
    #[command(flatten)]
    pub requests: Requests,
    /// What every service takes.
    #[command(flatten)]
    pub common: Common,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            preprocessing_url: "http://127.0.0.1:8031".to_owned(),
            preprocessing_timeout_ms: 1000,
            redis_url: None,
            model_dir: PathBuf::from("data/fraud-api"),
            requests: Requests::default(),
            common: Common::default(),
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
struct App {
    config: Config,
    model: OnceLock<FraudModel>,
    store: FeatureStore,
    client: HttpClient,
    latency: Latency,
    metrics: FraudMetrics,
}

/// Serves on `listener` until `shutdown`. The model is trained in the background where there is
/// none: until then `/health/ready` and predictions answer 503.
///
/// Telemetry goes to the tracing subscriber of the caller.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let latency = config.common.latency();
    let redis_url = config.redis_url.as_deref();
    let store = FeatureStore::open(redis_url, Clock::system(), latency.clone()).await?;
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_millis(250))
        .build()
        .map_err(Error::HttpClient)?;
    let client = HttpClient::new(client).with_metrics(&config.common.metrics);
    let metrics = FraudMetrics::new(&config.common.metrics);
    let app = Arc::new(App { config, model: OnceLock::new(), store, client, latency, metrics });
    let served = crate::serve::serve(router(&app), listener, shutdown.clone());
    let training = shutdown.run_until_cancelled(provide_model(Arc::clone(&app)));
    let (served, _) = tokio::join!(served, training);
    served
}

/// Loads or trains the model. Without one the service stays up and says that it is not ready.
async fn provide_model(app: Arc<App>) {
    let (directory, seed) = (app.config.model_dir.clone(), app.config.common.seed);
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let model = tokio::task::spawn_blocking(move || {
        tracing::dispatcher::with_default(&dispatch, || FraudModel::load_or_train(&directory, seed))
    });
    match model.await {
        Ok(Ok(model)) => {
            drop(app.model.set(model));
            app.metrics.model_loaded();
        }
        Ok(Err(error)) => {
            let error = &error as &(dyn std::error::Error + 'static);
            tracing::error!(error, "No model, no predictions");
        }
        Err(error) => {
            let error = &error as &(dyn std::error::Error + 'static);
            tracing::error!(error, "Training was broken off");
        }
    }
}

fn router(app: &Arc<App>) -> Router {
    let options = app.config.requests.server_options(&app.config.common.metrics);
    let router = Router::new()
        .route("/predict", post(predict::predict))
        .route("/v1/predict", post(predict_v1::predict))
        .route("/debug/populate-cache/{user}", post(health::populate_cache))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/startup", get(health::startup))
        .with_state(Arc::clone(app))
        .merge(SwaggerUi::new("/docs").url("/openapi.json", Documentation::openapi()));
    sdk::add_tracing_middleware(router, &options)
        .route("/metrics", sdk::metrics_route(&app.config.common.metrics))
}

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fraud Detection API",
        version = "1.0.0",
        description = "Scores transactions for fraud. Every answer names the trace that shows how \
                       it came about.\n\nTo see what failures look like, send the header `X-Fault` \
                       with one or more of `slow-model`, `model-error`, `slow-feature-store`, \
                       `feature-store-down`, `slow-preprocessing`, `preprocessing-timeout`, \
                       separated by commas. `X-Request-ID` is taken or made, and returned; \
                       `X-Tenant-ID` and `X-User-ID` are put on spans and log lines.",
        license(name = "Apache-2.0")
    ),
    paths(
        predict::predict,
        predict_v1::predict,
        health::populate_cache,
        health::health,
        health::live,
        health::ready,
        health::startup
    )
)]
struct Documentation;
