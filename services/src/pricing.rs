//! The pricing service, service `pricing-service`, port 8010: prices of holiday homes that learn
//! from what guests accept. Its metrics are the catalogue of [`sdk::metric::PricingMetrics`].
//!
//! `POST /score` gives a price: half of the requests get the one that the property's demand model
//! finds best, the others the rules'. `POST /outcomes` tells which were accepted; from these the
//! models are trained again, and drift is found. Competitors' prices are fetched in the background.

mod competitors;
mod demand;
mod learning;
mod models;
mod score;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use sdk::HttpClient;
use sdk::metric::{PricingMetrics, watch_process};
use stdx::clock::{Clock, Stopwatch};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::http::Live;
use crate::latency::Latency;
use crate::options::{Common, Requests};
use competitors::Competitors;
use learning::Learning;
use models::Models;

/// The service's name in telemetry.
pub const SERVICE_NAME: &str = "pricing-service";
/// The homes that have prices.
pub const PROPERTIES: [&str; 6] =
    ["prop-101", "prop-123", "prop-204", "prop-317", "prop-550", "prop-789"];
/// The experiment that all requests take part in: models against rules.
const EXPERIMENT: &str = "ml-vs-rules";

/// How the service runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the service that knows competitors' prices; by default this one plays it.
    #[arg(long, env = "BACKEND_API_URL", value_name = "URL")]
    pub backend_api_url: Option<String>,
    /// Pause between two fetches of competitors' prices, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub competitor_interval_ms: u64,
    /// Outcomes of a property after which its model is trained again.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub retrain_after: usize,
    /// Models that are kept in memory at a time.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub model_cache: usize,
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
            backend_api_url: None,
            competitor_interval_ms: 2000,
            retrain_after: 40,
            model_cache: 4,
            requests: Requests::default(),
            common: Common::default(),
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
struct App {
    config: Config,
    models: Models,
    learning: Mutex<Learning>,
    competitors: Competitors,
    latency: Latency,
    metrics: PricingMetrics,
}

/// Serves on `listener` until `shutdown`. Telemetry goes to the tracing subscriber of the caller.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let registry = config.common.metrics.clone();
    watch_process(&registry);
    let environment = sdk::Config::from_env().environment;
    let environment = if environment.is_empty() { "development" } else { &environment };
    let version = env!("CARGO_PKG_VERSION");
    let metrics = PricingMetrics::new(&registry, SERVICE_NAME, version, environment);
    let own = listener.local_addr().map_err(Error::Serve)?;
    let url = config.backend_api_url.clone().unwrap_or_else(|| format!("http://{own}"));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(1))
        .build()
        .map_err(Error::HttpClient)?;
    let client = HttpClient::new(client).with_metrics(&registry);
    let app = Arc::new(App {
        models: Models::new(config.model_cache),
        learning: Mutex::new(Learning::new(config.common.seed)),
        competitors: Competitors::new(client, url, Clock::system()),
        latency: config.common.latency(),
        metrics,
        config,
    });
    app.start_counters();
    for property_id in PROPERTIES {
        app.retrain(property_id).await;
    }
    let served = crate::serve::serve(router(&app), listener, shutdown.clone());
    let fetching = shutdown.run_until_cancelled(app.fetch_competitors());
    let (served, _) = tokio::join!(served, fetching);
    served
}

fn router(app: &Arc<App>) -> Router {
    let options = app.config.requests.server_options(&app.config.common.metrics);
    let router = Router::new()
        .route("/score", post(score::score))
        .route("/outcomes", post(learning::outcomes))
        .route("/models", get(models::list))
        .route("/competitor-data/{property_id}", get(competitors::play))
        .route("/health", get(live))
        .route("/health/live", get(live))
        .route("/health/ready", get(live))
        .with_state(Arc::clone(app))
        .layer(from_fn_with_state(Arc::clone(app), count_request));
    sdk::add_tracing_middleware(router, &options)
        .route("/metrics", sdk::metrics_route(&app.config.common.metrics))
}

/// The catalogue's own counts of requests, beside those that every service has.
async fn count_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = route.unwrap_or_default().to_owned();
    let method = request.method().to_string();
    let active = app.metrics.active_requests.in_flight([&endpoint]);
    let stopwatch = Stopwatch::start();
    let response = next.run(request).await;
    drop(active);
    let status = response.status().as_u16();
    app.metrics.track_request(&method, &endpoint, status, stopwatch.elapsed());
    response
}

impl App {
    /// Counters that are there before the first of their kind happens: a rate needs a zero.
    fn start_counters(&self) {
        let metrics = &self.metrics;
        for property in PROPERTIES {
            for trigger in ["true", "false"] {
                metrics.drift_detected.add([property, trigger], 0.0);
            }
            for status in ["deployed", "rejected", "failed"] {
                metrics.retraining.add([property, demand::MODEL_TYPE, status], 0.0);
            }
            metrics.track_outcomes(property, 0, 0);
        }
        for endpoint in ["/score", "/outcomes"] {
            for kind in ["client_error", "server_error"] {
                metrics.errors.add([endpoint, kind], 0.0);
            }
        }
        for variant in ["ml", "rules"] {
            for accepted in ["true", "false"] {
                metrics.ab_outcomes.add([EXPERIMENT, variant, accepted], 0.0);
            }
        }
    }

    fn learning(&self) -> std::sync::MutexGuard<'_, Learning> {
        self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the process is alive; it is ready as soon as it listens, its models are trained before.
async fn live() -> Json<Live> {
    Json(Live { status: "alive", service: SERVICE_NAME })
}
