//! The part of the server that is about metrics: the engine, what writes to it and what asks it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::prometheus::outside::RuntimeInfo;
use api::prometheus::{CorsOrigin, Prometheus};
use axum::Router;
use ingest::forward::{Forwarder, Forwarding};
use ingest::otlp::metrics::{DeltaLimits, DeltaPolicy, OtlpMetrics, Translation};
use ingest::prometheus::Storage;
use promql::cache::ResultCache;
use promql::control::Limits;
use promql::engine::{Engine, Options as EngineOptions};
use promql::features::Features;
use stdx::clock::Clock;
use stdx::memory::Budget;
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;
use tsdb::compact::{Policy, SelectorRetention};
use tsdb::store::{BlockStore, LocalStore};

use super::flags;
use super::scraping::{Scraping, Setup, load, reload_on_hangup};
use crate::config::{Config, Metrics as MetricsSettings};
use crate::memory::Shares;
use crate::wiring::blocks::ObjectBlocks;
use crate::wiring::prometheus::{Evaluated, Process, Scraped, Store};
use crate::wiring::rules::{RuleQuery, RuleSink};
use crate::wiring::series::{MetricsSink, ReadSource};

/// The engine with its protocols.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) tsdb: Arc<Tsdb>,
    receiver: ingest::MetricReceiver,
    otlp: OtlpMetrics,
    /// For Prometheus's own path, which refuses deltas.
    prometheus_otlp: OtlpMetrics,
    scraping: Arc<Scraping>,
    engine: Engine,
    results: Arc<ResultCache>,
    limits: Limits,
    requests: Budget,
    runtime: RuntimeInfo,
    clock: Clock,
}

impl Metrics {
    /// Opens the engine, replays its log and starts what `prometheus.yml` says.
    pub(super) async fn open(
        config: &Config,
        endpoints: &api::Endpoints,
        shares: &Shares,
        clock: &Clock,
        stopping: &CancellationToken,
    ) -> anyhow::Result<Metrics> {
        let file = load(config.prometheus.config.as_ref())?;
        let settings = settings(&config.metrics, &file.storage);
        let tsdb = open_tsdb(config, &settings, shares, clock).await?;
        let features = features(config)?;
        let engine = Engine::new(EngineOptions {
            lookback: milliseconds(config.query.lookback),
            ..features.engine()
        });
        let limits = Limits {
            timeout: config.query.timeout,
            max_samples: config.query.samples_max as u64,
            memory: shares.queries.clone(),
        };
        let forwarder = Forwarder::start(&[], &forwarding_of_nothing(config, shares, clock))?;
        let sink = Arc::new(Forwarding {
            sink: Arc::new(MetricsSink(Arc::clone(&tsdb))),
            forwarder: parking_lot::RwLock::new(Arc::new(forwarder)),
        });
        let memory = shares.requests.clone();
        let query = RuleQuery {
            tsdb: Arc::clone(&tsdb),
            engine: engine.clone(),
            language: features.language,
            limits: limits.clone(),
        };
        let mut options = ingest::MetricReceiverOptions::new(
            Arc::clone(&sink) as Arc<_>,
            memory.clone(),
            clock.clone(),
        );
        options.body_timeout = config.ingest.body_timeout;
        let receiver = ingest::MetricReceiver::new(options);
        // Senders over OTLP may count in deltas; Prometheus's own path refuses these, as it does.
        let refusing = Translation::from(&file.otlp);
        let translation = Translation { deltas: DeltaPolicy::Cumulate, ..refusing.clone() };
        let otlp = OtlpMetrics::new(receiver.clone(), translation, DeltaLimits::default());
        let prometheus_otlp = otlp.with_translation(refusing);
        let setup = Setup {
            path: config.prometheus.config.clone(),
            external_url: external_url(config, endpoints),
            directory: config.data_dir.join("forward"),
            sink: Arc::clone(&sink),
            memory: memory.clone(),
            query: Arc::new(query),
            append: Arc::new(RuleSink {
                sink: Arc::clone(&sink) as Arc<_>,
                memory: memory.clone(),
            }),
            clock: clock.clone(),
            seed: u64::from(uuid::Uuid::new_v4().as_fields().0),
            otlp: vec![otlp.clone(), prometheus_otlp.clone()],
        };
        let scraping = Arc::new(Scraping::start(setup, file).await?);
        reload_on_hangup(&scraping, stopping)?;
        let runtime = runtime(config, &settings, shares, clock);
        let clock = clock.clone();
        let requests = memory;
        let results = Arc::new(ResultCache::new(kept_results(config, shares)));
        Ok(Metrics {
            tsdb,
            receiver,
            otlp,
            prometheus_otlp,
            scraping,
            engine,
            results,
            limits,
            requests,
            runtime,
            clock,
        })
    }

    /// What OTLP's receivers hand metrics to.
    pub(super) fn otlp(&self) -> OtlpMetrics {
        self.otlp.clone()
    }

    /// Prometheus's HTTP API, what takes samples in included, under whatever prefix it is mounted.
    pub(super) fn router(
        &self,
        config: &Config,
        auth: &api::Auth,
        own_metrics: &api::Metrics,
        quit: CancellationToken,
    ) -> anyhow::Result<Router> {
        let process = Process {
            flags: flags::of(config),
            quit: config.prometheus.quit.then_some(quit),
            scraping: Arc::clone(&self.scraping),
            runtime: self.runtime.clone(),
            own_metrics: Arc::clone(own_metrics),
            handle: tokio::runtime::Handle::current(),
        };
        let store = Store { tsdb: Arc::clone(&self.tsdb), clock: self.clock.clone() };
        let mut prometheus = Prometheus::new(Arc::new(store), self.clock.clone());
        prometheus.targets = Arc::new(Scraped(Arc::clone(&self.scraping)));
        prometheus.rules = Arc::new(Evaluated(Arc::clone(&self.scraping)));
        prometheus.server = Arc::new(process);
        prometheus.engine = self.engine.clone();
        prometheus.language = features(config)?.language;
        prometheus.limits = self.limits.clone();
        prometheus.results = Arc::clone(&self.results);
        prometheus.admin = true;
        prometheus.lifecycle = config.prometheus.reload;
        prometheus.cors = CorsOrigin::parse(&config.prometheus.cors_origin)?;
        prometheus.auth = auth.clone();
        let source = Arc::new(ReadSource(Arc::clone(&self.tsdb)));
        let own_metrics = Arc::clone(own_metrics);
        let closed = ingest::remote::router(self.receiver.clone())
            .merge(ingest::remote::read_router(source, self.requests.clone(), Default::default()))
            .merge(ingest::push::router(self.receiver.clone(), Default::default()))
            .merge(ingest::otlp::http::metrics_router(self.prometheus_otlp.clone()))
            .route("/metrics", axum::routing::get(move || async move { own_metrics() }))
            .layer(api::AuthLayer::http(auth.clone()));
        Ok(api::prometheus::router(prometheus).merge(closed))
    }

    /// Writes all that waits to the log. Requests are refused from here on.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.scraping.stop().await;
        tokio::task::spawn_blocking(move || self.tsdb.shutdown()).await?;
        Ok(())
    }
}

/// What is switched on.
fn features(config: &Config) -> anyhow::Result<Features> {
    Features::of(&config.prometheus.features).map_err(anyhow::Error::msg)
}

/// Where kept results are counted: among questions.
fn kept_results(config: &Config, shares: &Shares) -> Budget {
    let most = shares.queries.limit_bytes() / 8;
    let bytes = config.query.cache_bytes.unwrap_or(0).min(most);
    shares.queries.child("kept results", bytes)
}

/// Where users reach Prometheus's API.
fn external_url(config: &Config, endpoints: &api::Endpoints) -> String {
    match (&config.prometheus.external_url, &endpoints.prometheus) {
        (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
        (None, Some(own)) => own.clone(),
        (None, None) => format!("{}/prometheus", endpoints.main),
    }
}

/// Shows how the engine is among the process's own metrics.
pub(super) fn report(part: &Metrics) {
    let counts = part.results.counts();
    for (outcome, count) in
        [("hit", counts.hits), ("miss", counts.misses), ("refused", counts.refused)]
    {
        metrics::counter!("trefoil_promql_results_total", "outcome" => outcome).absolute(count);
    }
    metrics::gauge!("trefoil_promql_results_bytes").set(counts.bytes as f64);
    metrics::gauge!("trefoil_promql_results_entries").set(counts.entries as f64);
    let stats = part.tsdb.stats();
    let gauges = [
        ("trefoil_tsdb_tenants", stats.tenants),
        ("trefoil_tsdb_head_series", stats.series),
        ("trefoil_tsdb_head_bytes", stats.head_bytes),
        ("trefoil_tsdb_exemplars", stats.exemplars),
    ];
    for (name, value) in gauges {
        metrics::gauge!(name).set(value as f64);
    }
}

/// The server's own settings, with those that `prometheus.yml` has under `storage` above them: whoever
/// brings the file means what it says.
fn settings(own: &MetricsSettings, file: &Storage) -> MetricsSettings {
    let mut settings = own.clone();
    if let Some(window) = file.out_of_order_window {
        settings.out_of_order_window = window;
    }
    if let Some(age) = file.retention_time {
        settings.retention.age = Some(age).filter(|age| !age.is_zero());
    }
    if let Some(bytes) = file.retention_bytes {
        settings.retention.bytes = Some(bytes).filter(|bytes| *bytes > 0);
    }
    if let Some(exemplars) = file.exemplars_max {
        settings.exemplars_max = usize::try_from(exemplars).unwrap_or(0);
    }
    settings
}

async fn open_tsdb(
    config: &Config,
    settings: &MetricsSettings,
    shares: &Shares,
    clock: &Clock,
) -> anyhow::Result<Arc<Tsdb>> {
    let directory = config.data_dir.join("metrics");
    let mut options = tsdb::Options::new(&directory);
    options.memory = shares.metrics.clone();
    options.cache_bytes = shares.cache_bytes;
    options.late_window = settings.out_of_order_window;
    options.series_max_per_tenant = settings.series_max;
    options.exemplars_max_per_tenant = settings.exemplars_max;
    options.compaction = policy(settings)?;
    let clock = clock.clone();
    let storage = config.storage.clone();
    // The store of tables has made it.
    let node = config.data_dir.join("node_id");
    let opened = tokio::task::spawn_blocking(move || {
        let blocks: Arc<dyn BlockStore> = match &storage.url {
            None => Arc::new(LocalStore::open(directory.join("blocks"))?),
            Some(url) => {
                let node = std::fs::read_to_string(&node).context("cannot read the node's name")?;
                Arc::new(ObjectBlocks::open(url, &storage.options, node.trim())?)
            }
        };
        anyhow::Ok(Tsdb::open(options, blocks, clock)?)
    });
    Ok(Arc::new(opened.await?.context("cannot open the store of metrics")?))
}

/// How long samples stay, and from when on as fewer.
fn policy(metrics: &MetricsSettings) -> anyhow::Result<Policy> {
    let mut selectors = Vec::new();
    for (selector, keep) in &metrics.selectors {
        let matchers = promql::parser::parse_selector(selector)
            .with_context(|| format!("retention.metrics.selectors: {selector:?}"))?;
        selectors.push(SelectorRetention { matchers, keep: *keep });
    }
    let (five_minutes_after, one_hour_after) =
        thinning(metrics.five_minutes_after, metrics.one_hour_after);
    Ok(Policy {
        retention: metrics.retention.age.unwrap_or_default(),
        retention_bytes: metrics.retention.bytes.unwrap_or_default(),
        selectors,
        downsample_5m_after: five_minutes_after,
        downsample_1h_after: one_hour_after,
        raw_retention: five_minutes_after,
        retention_5m: one_hour_after,
        ..Policy::default()
    })
}

/// From which ages on there are points of five minutes and of an hour; zero for never. Points of an
/// hour are made of those of five minutes, so that these are never made later.
fn thinning(five_minutes: Option<Duration>, one_hour: Option<Duration>) -> (Duration, Duration) {
    let five = [five_minutes, one_hour].into_iter().flatten().filter(|after| !after.is_zero());
    (five.min().unwrap_or_default(), one_hour.unwrap_or_default())
}

fn forwarding_of_nothing(
    config: &Config,
    shares: &Shares,
    clock: &Clock,
) -> ingest::forward::Setup {
    ingest::forward::Setup {
        directory: config.data_dir.join("forward"),
        clock: clock.clone(),
        seed: 0,
        memory: shares.requests.clone(),
        external_labels: model::metric::Labels::empty(),
        options: ingest::forward::Options::default(),
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn runtime(
    config: &Config,
    settings: &MetricsSettings,
    shares: &Shares,
    clock: &Clock,
) -> RuntimeInfo {
    let age = settings.retention.age.map(|age| format!("{}h", age.as_secs() / 3_600));
    RuntimeInfo {
        start: clock.now(),
        directory: config.data_dir.display().to_string(),
        threads: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
        memory_bytes_limit: shares.limit_bytes as u64,
        retention: age.unwrap_or_default(),
        ..RuntimeInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_an_hour_bring_those_of_five_minutes_with_them() {
        const DAY: Duration = Duration::from_hours(24);
        for (five, hour, expect) in [
            (None, None, (0, 0)),
            (Some(2), None, (2, 0)),
            (None, Some(9), (9, 9)),
            (Some(0), Some(9), (9, 9)),
            (Some(2), Some(9), (2, 9)),
            (Some(9), Some(2), (2, 2)),
        ] {
            let days = |days: u32| DAY * days;
            let expect = (days(expect.0), days(expect.1));
            assert_eq!(thinning(five.map(days), hour.map(days)), expect);
        }
    }
}
