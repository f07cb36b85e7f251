//! The API: `POST /ingest` stores an event, publishes it and notes it; `GET /health` looks at all
//! that it stands on. `GET /topic` is the queue that the consumer reads.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use sdk::metric::{Counter, Gauge, Histogram, LATENCY_BUCKETS, watch_process};
use sdk::{Registry, ServerOptions};
use serde::{Deserialize, Serialize};
use stdx::clock::Stopwatch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, info_span};

use super::topic::Topic;
use super::{Event, Polled};
use crate::error::Error;
use crate::fault::Fault;
use crate::http::{ApiError, JsonBody};
use crate::latency::{Latency, LatencyModel};
use crate::options::{Common, Requests};

/// The service's name in telemetry.
pub const SERVICE_NAME: &str = "wotr-api";

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

#[derive(Debug)]
struct App {
    config: Config,
    topic: Topic,
    latency: Latency,
    metrics: ApiMetrics,
}

/// Names that dashboards of such services ask for.
#[derive(Debug)]
struct ApiMetrics {
    requests: Counter<3>,
    duration: Histogram<2>,
    errors: Counter<2>,
    /// 1 where it answers, by the engine.
    status: [(&'static str, Gauge<0>); 4],
}

impl ApiMetrics {
    fn new(registry: &Registry) -> ApiMetrics {
        watch_process(registry);
        let errors = registry.counter(
            "fastapi_error_total",
            "Requests that failed, by the status.",
            ["endpoint", "status_code"],
        );
        // A rate needs a zero to begin with.
        errors.add(["/ingest", "500"], 0.0);
        let status = |engine, name| (engine, registry.gauge(name, "1 while it answers.", []));
        ApiMetrics {
            requests: registry.counter(
                "fastapi_requests_total",
                "Requests.",
                ["method", "endpoint", "status_code"],
            ),
            duration: registry.histogram(
                "fastapi_request_duration_seconds",
                "How long requests took.",
                ["method", "endpoint"],
                LATENCY_BUCKETS,
            ),
            errors,
            status: [
                status("postgres", "postgres_status"),
                status("minio", "minio_status"),
                status("kafka", "kafka_status"),
                status("clickhouse", "clickhouse_status"),
            ],
        }
    }
}

/// Serves on `listener` until `shutdown`. Telemetry goes to the tracing subscriber of the caller.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let latency = config.common.latency();
    let metrics = ApiMetrics::new(&config.common.metrics);
    let app = Arc::new(App { config, topic: Topic::default(), latency, metrics });
    crate::serve::serve(router(&app), listener, shutdown).await
}

fn router(app: &Arc<App>) -> Router {
    let options = ServerOptions {
        span_names: vec![
            ("/ingest".to_owned(), "ingest_event".to_owned()),
            ("/health".to_owned(), "health_check".to_owned()),
        ],
        ..app.config.requests.server_options(&app.config.common.metrics)
    };
    let router = Router::new()
        .route("/ingest", post(ingest))
        .route("/health", get(health))
        .with_state(Arc::clone(app))
        .layer(from_fn_with_state(Arc::clone(app), count_request));
    // What the consumer asks all the time is no request of anybody.
    sdk::add_tracing_middleware(router, &options)
        .route("/health/ready", get(|| async { "ready" }))
        .route("/topic", get(poll).with_state(Arc::clone(app)))
        .route("/metrics", sdk::metrics_route(&app.config.common.metrics))
}

async fn count_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = route.unwrap_or_default().to_owned();
    let method = request.method().to_string();
    let stopwatch = Stopwatch::start();
    let response = next.run(request).await;
    let status = response.status();
    let metrics = &app.metrics;
    metrics.requests.inc([&method, &endpoint, status.as_str()]);
    metrics.duration.observe_duration([&method, &endpoint], stopwatch.elapsed());
    if status.is_client_error() || status.is_server_error() {
        metrics.errors.inc([&endpoint, status.as_str()]);
    }
    response
}

/// What became of an event.
#[derive(Debug, Serialize)]
struct Ingested {
    event_id: String,
    offset: u64,
    trace_id: Option<String>,
}

async fn ingest(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(event): JsonBody<Event>,
) -> Result<(StatusCode, Json<Ingested>), ApiError> {
    let faults = app.config.requests.faults(&headers);
    if event.event_id.is_empty() || event.event_id.len() > 128 {
        return Err(ApiError::Validation("event_id must have 1 to 128 bytes".to_owned()));
    }
    let event_id = event.event_id.clone();
    let bytes = event.payload.to_string().len();
    sdk::set_attribute("event.id", event_id.clone());
    sdk::set_attribute("event.kind", event.kind.clone());
    sdk::set_attribute("event.payload_size", i64::try_from(bytes).unwrap_or(i64::MAX));
    app.step("minio_upload", 6.0).await;
    let offset = async {
        let kafka = LatencyModel { usual_ms: 2.0, slow_ms: 30.0, slow_share: 0.01 };
        app.latency.spend(kafka).await;
        app.topic.publish(event, sdk::current_traceparent())
    }
    .instrument(info_span!("kafka_publish", otel.kind = "producer", messaging.system = "kafka"))
    .await;
    faults.delay(Fault::SlowModel, Duration::from_millis(600)).await;
    if faults.has(Fault::ModelError) {
        return Err(ApiError::Model("cannot insert into events: connection refused".to_owned()));
    }
    app.step("postgres_insert", 3.0).await;
    info!(event_id, offset, bytes, "Event ingested");
    let trace_id = sdk::current_trace_id();
    Ok((StatusCode::ACCEPTED, Json(Ingested { event_id, offset, trace_id })))
}

impl App {
    /// Something that takes its time, in a span of its own.
    async fn step(&self, name: &'static str, usual_ms: f64) {
        let usual = LatencyModel { usual_ms, slow_ms: 20.0 * usual_ms, slow_share: 0.01 };
        self.latency.spend(usual).instrument(sdk::trace_span(name, [])).await;
    }
}

/// `GET /health`: looks at everything.
async fn health(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    let mut answer = serde_json::Map::new();
    for (engine, gauge) in &app.metrics.status {
        let name = match *engine {
            "postgres" => "postgres_check",
            "minio" => "minio_check",
            "kafka" => "kafka_check",
            _ => "clickhouse_check",
        };
        app.step(name, 1.0).await;
        gauge.set([], 1.0);
        answer.insert((*engine).to_owned(), "ok".into());
    }
    Json(answer.into())
}

#[derive(Debug, Deserialize)]
struct From {
    from: u64,
}

/// `GET /topic?from=OFFSET`.
async fn poll(State(app): State<Arc<App>>, Query(From { from }): Query<From>) -> Json<Polled> {
    Json(app.topic.poll(from))
}
