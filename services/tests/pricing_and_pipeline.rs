//! The pricing service and the ingest pipeline as others meet them: over sockets, with telemetry
//! kept in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use sdk::{Config, Exporter, LogWriter, MemoryExporter, MemoryLog, Registry, SpanData, Telemetry};
use serde_json::{Value, json};
use services::load::{run_events, run_guests};
use services::options::Common;
use services::{pipeline, pricing};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::instrument::WithSubscriber as _;

/// No time is played.
fn at_once(observed: &Observed) -> Common {
    let metrics = observed.registry.clone();
    Common { latency_scale: 0.0, metrics, ..Common::default() }
}

/// A service's telemetry, and where it listens.
struct Observed {
    url: String,
    registry: Registry,
    memory: MemoryExporter,
    telemetry: Telemetry,
    listener: Option<TcpListener>,
}

impl Observed {
    async fn new(service_name: &str) -> Observed {
        let memory = MemoryExporter::default();
        let config = Config::new(service_name)
            .exporter(Exporter::Memory(memory.clone()))
            .log_writer(LogWriter::Memory(MemoryLog::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let telemetry = Telemetry::new(config).unwrap();
        let registry = Registry::new();
        Observed { url, registry, memory, telemetry, listener: Some(listener) }
    }

    /// Waits until the service's own page shows a line that begins so, with more than zero.
    async fn until_counted(&self, line: &str) {
        let counted = async {
            while !self.page().lines().any(|found| {
                let value = found.rsplit(' ').next().and_then(|value| value.parse().ok());
                found.starts_with(line) && value.is_some_and(|value: f64| value > 0.0)
            }) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), counted).await;
        waited.unwrap_or_else(|_| panic!("no {line} in\n{}", self.page()));
    }

    fn page(&self) -> String {
        self.registry.text(sdk::metric::Format::Text)
    }

    async fn until_span(&self, wanted: impl Fn(&SpanData) -> bool) -> SpanData {
        let found = async {
            loop {
                if let Some(span) = self.memory.spans().into_iter().find(&wanted) {
                    break span;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("the span")
    }
}

async fn start_pricing(shutdown: &CancellationToken) -> Observed {
    let mut observed = Observed::new(pricing::SERVICE_NAME).await;
    let config = pricing::Config {
        competitor_interval_ms: 5,
        common: at_once(&observed),
        ..pricing::Config::default()
    };
    let service = pricing::run(config, observed.listener.take().unwrap(), shutdown.clone())
        .with_subscriber(observed.telemetry.dispatch().clone());
    drop(stdx::task::spawn_to_end("pricing", service));
    observed
}

async fn post(url: String, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let response = loop {
        match client.post(&url).json(body).send().await {
            Ok(response) => break response,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

fn ended_with_test() -> (CancellationToken, DropGuard) {
    let shutdown = CancellationToken::new();
    (shutdown.clone(), shutdown.drop_guard())
}

#[tokio::test]
async fn guests_fill_every_metric_of_the_pricing_catalogue() {
    let (shutdown, _guard) = ended_with_test();
    let pricing = start_pricing(&shutdown).await;
    let url = pricing.url.clone();
    let guests = async move { run_guests(&url, 10_000.0, shutdown).await };
    drop(stdx::task::spawn_to_end("guests", guests));
    for line in [
        "pricing_api_latency_seconds_bucket",
        "pricing_score_latency_seconds_count{pricing_method=\"ml_elasticity\"}",
        "pricing_score_latency_seconds_count{pricing_method=\"rule_based\"}",
        "pricing_requests_total{method=\"POST\",endpoint=\"/score\",status_code=\"200\"}",
        "pricing_errors_total{endpoint=\"/score\",error_type=\"client_error\"}",
        "pricing_model_prediction_seconds_count",
        "pricing_model_cache_hits_total",
        "pricing_model_cache_misses_total",
        "pricing_models_loaded",
        "pricing_outcomes_ingested_total{property_id=\"prop-123\"}",
        "pricing_outcomes_invalid_total",
        "pricing_retraining_duration_seconds_count",
        "pricing_retraining_total{property_id=\"prop-123\",model_type=\"conversion\",status=\"deployed\"}",
        "pricing_drift_detected_total",
        "pricing_ab_assignments_total{experiment_id=\"ml-vs-rules\",variant=\"ml\"}",
        "pricing_ab_outcomes_total{experiment_id=\"ml-vs-rules\",variant=\"rules\",accepted=\"true\"}",
        "pricing_competitor_fetches_total",
        "pricing_competitor_staleness_seconds",
        "pricing_service_info",
        "pricing_uptime_seconds",
    ] {
        pricing.until_counted(line).await;
    }
    assert!(pricing.page().contains("pricing_active_requests{endpoint=\"/score\"}"));
}

#[tokio::test]
async fn a_price_is_told_with_its_trace_and_its_outcome_is_taken_once() {
    let (shutdown, _guard) = ended_with_test();
    let pricing = start_pricing(&shutdown).await;
    let asked = json!({"property_id": "prop-123", "weekend": true, "lead_days": 14});
    let (status, quote) = post(format!("{}/score", pricing.url), &asked).await;
    assert_eq!(status, 200, "{quote}");
    assert!(quote["price"].as_f64().unwrap() > 0.0, "{quote}");
    let span = pricing.until_span(|span| span.name == "POST /score").await;
    assert_eq!(quote["trace_id"], span.span_context.trace_id().to_string());
    let told = json!({"outcomes": [
        {"quote_id": quote["quote_id"], "property_id": "prop-123", "accepted": true},
        {"quote_id": quote["quote_id"], "property_id": "prop-123", "accepted": true},
        {"quote_id": "q-99", "property_id": "prop-of-nobody", "accepted": true},
    ]});
    let answer = post(format!("{}/outcomes", pricing.url), &told).await;
    assert_eq!(answer, (200, json!({"ingested": 1, "invalid": 2})));
    // A name that a client made up is no label.
    assert!(!pricing.page().contains("prop-of-nobody"));
    let unknown = json!({"property_id": "prop-of-nobody"});
    assert_eq!(post(format!("{}/score", pricing.url), &unknown).await.0, 422);
}

#[tokio::test]
async fn what_the_consumer_does_stands_in_the_trace_of_the_request() {
    let (shutdown, _guard) = ended_with_test();
    let mut api = Observed::new(pipeline::api::SERVICE_NAME).await;
    let config =
        pipeline::api::Config { common: at_once(&api), ..pipeline::api::Config::default() };
    let service = pipeline::api::run(config, api.listener.take().unwrap(), shutdown.clone())
        .with_subscriber(api.telemetry.dispatch().clone());
    drop(stdx::task::spawn_to_end("ingest api", service));
    let mut consumer = Observed::new(pipeline::consumer::SERVICE_NAME).await;
    let config = pipeline::consumer::Config {
        api_url: api.url.clone(),
        common: Common { seed: 1, ..at_once(&consumer) },
    };
    let listener = consumer.listener.take().unwrap();
    let service = pipeline::consumer::run(config, listener, shutdown.clone())
        .with_subscriber(consumer.telemetry.dispatch().clone());
    drop(stdx::task::spawn_to_end("consumer", service));

    let event = json!({"event_id": "evt-1", "kind": "booking", "payload": {"nights": 3}});
    let (status, answer) = post(format!("{}/ingest", api.url), &event).await;
    assert_eq!(status, 202, "{answer}");
    let published = api.until_span(|span| span.name == "kafka_publish").await;
    let request = api.until_span(|span| span.name == "ingest_event").await;
    let processed = consumer.until_span(|span| span.name == "process_event").await;
    let trace_id = request.span_context.trace_id();
    assert_eq!(answer["trace_id"], trace_id.to_string());
    assert_eq!(processed.span_context.trace_id(), trace_id);
    assert_eq!(processed.parent_span_id, published.span_context.span_id());
    for child in ["minio_upload", "kafka_publish", "postgres_insert"] {
        let child = api.until_span(|span| span.name == child).await;
        assert_eq!(child.parent_span_id, request.span_context.span_id());
    }

    let url = api.url.clone();
    let events = async move { run_events(&url, 10_000.0, shutdown).await };
    drop(stdx::task::spawn_to_end("events", events));
    for line in [
        "consumer_messages_consumed_total",
        "consumer_messages_processed_total{status=\"success\"}",
        "consumer_messages_processed_total{status=\"error\"}",
        "consumer_processing_duration_seconds_bucket",
        "consumer_clickhouse_insert_duration_seconds_bucket",
        "consumer_errors_total{error_type=\"ValidationError\"}",
    ] {
        consumer.until_counted(line).await;
    }
    assert!(consumer.page().contains("consumer_lag "));
    for line in [
        "fastapi_requests_total",
        "fastapi_request_duration_seconds_bucket",
        "fastapi_error_total{endpoint=\"/ingest\",status_code=\"500\"}",
        "postgres_status",
        "minio_status",
    ] {
        api.until_counted(line).await;
    }
    api.until_span(|span| span.name == "clickhouse_check").await;
}
