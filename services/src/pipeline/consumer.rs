//! The consumer: reads the queue, checks each event and inserts it into the warehouse, in the
//! trace of the request that brought it. Its port shows metrics and nothing else.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::Args;
use sdk::Registry;
use sdk::metric::{Counter, Gauge, Histogram, LATENCY_BUCKETS, watch_process};
use stdx::clock::Stopwatch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error, info, info_span, warn};

use super::{Event, Polled, Record};
use crate::error::Error;
use crate::latency::{Latency, LatencyModel};
use crate::options::Common;

/// The service's name in telemetry.
pub const SERVICE_NAME: &str = "wotr-consumer";

/// Pause after the queue had nothing, or did not answer.
const IDLE: Duration = Duration::from_millis(200);
/// The kinds of events that the warehouse has a column for.
const KINDS: [&str; 4] = ["page_view", "search", "booking", "payment"];

/// How the service runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the API, which has the queue.
    #[arg(
        long,
        env = "INGEST_API_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8020"
    )]
    pub api_url: String,
    /// What every service takes.
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug)]
struct ConsumerMetrics {
    consumed: Counter<0>,
    processed: Counter<1>,
    processing: Histogram<0>,
    insert: Histogram<0>,
    errors: Counter<1>,
    lag: Gauge<0>,
}

impl ConsumerMetrics {
    fn new(registry: &Registry) -> ConsumerMetrics {
        watch_process(registry);
        let r = registry;
        let metrics = ConsumerMetrics {
            consumed: r.counter(
                "consumer_messages_consumed_total",
                "Messages read from the queue.",
                [],
            ),
            processed: r.counter(
                "consumer_messages_processed_total",
                "Messages that were processed, by how it ended.",
                ["status"],
            ),
            processing: r.histogram(
                "consumer_processing_duration_seconds",
                "How long a message took.",
                [],
                LATENCY_BUCKETS,
            ),
            insert: r.histogram(
                "consumer_clickhouse_insert_duration_seconds",
                "How long an insert took.",
                [],
                LATENCY_BUCKETS,
            ),
            errors: r.counter(
                "consumer_errors_total",
                "Messages that failed, by the kind of error.",
                ["error_type"],
            ),
            lag: r.gauge("consumer_lag", "Messages in the queue that were not read yet.", []),
        };
        for status in ["success", "error"] {
            metrics.processed.add([status], 0.0);
        }
        metrics.errors.add(["ValidationError"], 0.0);
        metrics
    }
}

#[derive(Debug)]
struct Consumer {
    client: reqwest::Client,
    url: String,
    latency: Latency,
    metrics: ConsumerMetrics,
    /// The offset of the next record.
    next: u64,
}

/// Consumes until `shutdown`; shows its metrics on `listener`.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(Error::HttpClient)?;
    let mut consumer = Consumer {
        client,
        url: format!("{}/topic", config.api_url.trim_end_matches('/')),
        latency: config.common.latency(),
        metrics: ConsumerMetrics::new(&config.common.metrics),
        next: 0,
    };
    let router = Router::new()
        .route("/health/ready", get(|| async { "ready" }))
        .route("/metrics", sdk::metrics_route(&config.common.metrics));
    let served = crate::serve::serve(router, listener, shutdown.clone());
    let consuming = shutdown.run_until_cancelled(consumer.consume());
    let (served, _) = tokio::join!(served, consuming);
    served
}

impl Consumer {
    async fn consume(&mut self) {
        loop {
            let Some(polled) = self.poll().await else {
                tokio::time::sleep(IDLE).await;
                continue;
            };
            if polled.records.is_empty() {
                self.next = self.next.min(polled.end);
                self.metrics.lag.set([], 0.0);
                tokio::time::sleep(IDLE).await;
            }
            for record in polled.records {
                self.next = record.offset + 1;
                let behind = polled.end.saturating_sub(self.next);
                self.metrics.lag.set([], f64::from(u32::try_from(behind).unwrap_or(u32::MAX)));
                self.process(&record).await;
            }
        }
    }

    /// Asks the queue; nothing where it does not answer. One that was started anew begins anew.
    async fn poll(&self) -> Option<Polled> {
        let request = self.client.get(format!("{}?from={}", self.url, self.next));
        let polled = match request.send().await {
            Ok(response) => response.json().await,
            Err(error) => Err(error),
        };
        polled.inspect_err(|error| warn!(%error, "The queue does not answer")).ok()
    }

    async fn process(&self, record: &Record) {
        let span = info_span!(
            "process_event",
            otel.kind = "consumer",
            messaging.system = "kafka",
            messaging.kafka.offset = record.offset,
            event.id = record.event.event_id,
        );
        if let Some(traceparent) = &record.traceparent {
            sdk::continue_trace(&span, traceparent);
        }
        async {
            let stopwatch = Stopwatch::start();
            self.metrics.consumed.inc([]);
            let result = self.carry_on(&record.event).await;
            let took = stopwatch.elapsed();
            self.metrics.processing.observe_duration([], took);
            self.metrics.processed.inc([if result.is_ok() { "success" } else { "error" }]);
            match result {
                Ok(()) => {
                    info!(event_id = record.event.event_id, offset = record.offset, "Event stored");
                }
                Err(failure) => {
                    self.metrics.errors.inc([failure.kind()]);
                    sdk::record_failure(&Span::current(), failure.kind(), &failure);
                    error!(event_id = record.event.event_id, "Event left out: {failure}");
                }
            }
        }
        .instrument(span)
        .await;
    }

    async fn carry_on(&self, event: &Event) -> Result<(), Failure> {
        if !KINDS.contains(&event.kind.as_str()) {
            return Err(Failure::Kind);
        }
        if !event.payload.is_object() {
            return Err(Failure::Payload);
        }
        async {
            let stopwatch = Stopwatch::start();
            let usual = LatencyModel { usual_ms: 8.0, slow_ms: 250.0, slow_share: 0.01 };
            self.latency.spend(usual).await;
            self.metrics.insert.observe_duration([], stopwatch.elapsed());
        }
        .instrument(info_span!("clickhouse_insert", otel.kind = "client"))
        .await;
        Ok(())
    }
}

/// Why an event is left out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// No column for it.
    #[error("no such kind of event")]
    Kind,
    /// Nothing to store.
    #[error("the payload is no object")]
    Payload,
}

impl Failure {
    fn kind(&self) -> &'static str {
        match self {
            Failure::Kind => "UnknownKind",
            Failure::Payload => "ValidationError",
        }
    }
}
