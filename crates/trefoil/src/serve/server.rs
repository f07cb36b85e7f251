//! The running server: its parts, joined and started, and how they end.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use ingest::otlp::metrics::OtlpMetrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::Tenant;
use stdx::clock::Clock;
use storage::{Location, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tsdb::Tsdb;

use super::Listeners;
use super::metrics::{Metrics, report};
use crate::config::{Config, Telemetry};
use crate::memory::Shares;
use crate::wiring::{Decoders, Place, ProcessStatus, StoreSink, StoreTables, StoreTail};

/// Requests that still run this long after the stop are cut off.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Server {
    store: Arc<Store>,
    metrics: Metrics,
    endpoints: api::Endpoints,
    stopping: CancellationToken,
    listening: Vec<JoinHandle<()>>,
    /// Sends the last telemetry when dropped.
    telemetry: sdk::Guard,
}

impl Server {
    /// Opens the store, joins the parts and serves. Ready when it returns. `quit` is cancelled when
    /// a client ends the server.
    pub(crate) async fn start(
        config: Config,
        listeners: Listeners,
        quit: CancellationToken,
    ) -> anyhow::Result<Server> {
        let stopping = CancellationToken::new();
        let endpoints = endpoints(&listeners)?;
        let own_key = format!("own-{}", uuid::Uuid::new_v4());
        let telemetry = telemetry(&config, &endpoints, &own_key)?;
        let recorder = metrics_recorder()?;
        for moved in &listeners.moved {
            tracing::warn!("{moved}");
        }
        let clock = Clock::system();
        let shares = Shares::of(config.memory_limit);
        shares.watch(stopping.clone()).context("cannot start the watch over memory")?;
        let store = Arc::new(open_store(&config, &shares, &clock).await?);
        let metrics = Metrics::open(&config, &endpoints, &shares, &clock, &stopping).await?;
        let auth = auth(&config, &own_key);
        let engine = engine(&config, &shares, &store, &metrics.tsdb, &clock)?;
        let status = Arc::new(ProcessStatus::new(
            Arc::clone(&store),
            endpoints.clone(),
            shares.clone(),
            place(&config),
            clock.clone(),
            stopping.clone(),
        ));
        observe_every_second(&status, &metrics, &recorder, &stopping);
        let tail = StoreTail { store: Arc::clone(&store), stopping: stopping.clone() };
        let own_metrics: api::Metrics = Arc::new(move || recorder.render());
        let api = api::Api {
            engine,
            status,
            tail: Arc::new(tail),
            auth: auth.clone(),
            metrics: Arc::clone(&own_metrics),
            clock: clock.clone(),
        };
        let prometheus = metrics.router(&config, &auth, &own_metrics, quit)?;
        let receiver = receiver(&config, &shares, &store, metrics.otlp(), clock);
        let listening = serve_all(listeners, api, &receiver, &prometheus, &auth, &stopping)?;
        note_addresses(&config.data_dir, &endpoints)?;
        tracing::info!(address = endpoints.main, data_dir = %config.data_dir.display(), "ready");
        Ok(Server { store, metrics, endpoints, stopping, listening, telemetry })
    }

    /// What a person is told at the start.
    pub(crate) fn greeting(&self) -> String {
        let or_off = |address: &Option<String>| address.clone().unwrap_or_else(|| "off".to_owned());
        format!(
            "Trefoil is ready: {}\n  OTLP gRPC: {}\n  OTLP HTTP: {}\n  Prometheus: {}\n",
            self.endpoints.main,
            or_off(&self.endpoints.otlp_grpc),
            or_off(&self.endpoints.otlp_http),
            or_off(&self.endpoints.prometheus)
        )
    }

    /// The addresses.
    pub(crate) fn endpoints(&self) -> &api::Endpoints {
        &self.endpoints
    }

    /// Stops taking requests, lets running ones end, writes everything to files.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Server { store, metrics, stopping, listening, telemetry, .. } = self;
        tracing::info!("stopping");
        // The last own traces are taken in while the ports are still open.
        tokio::task::spawn_blocking(move || telemetry.shutdown()).await?;
        stopping.cancel();
        let drained = futures::future::join_all(listening);
        if tokio::time::timeout(DRAIN_WITHIN, drained).await.is_err() {
            tracing::warn!("some requests did not end in time and are cut off");
        }
        metrics.stop().await?;
        store.shutdown().await.context("cannot write everything to files; it is in the log")
    }
}

fn endpoints(listeners: &Listeners) -> anyhow::Result<api::Endpoints> {
    let address = |listener: &TcpListener| -> anyhow::Result<SocketAddr> {
        let mut address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Ok(address)
    };
    let optional = |listener: &Option<TcpListener>| listener.as_ref().map(address).transpose();
    Ok(api::Endpoints {
        main: format!("http://{}", address(&listeners.main)?),
        otlp_grpc: optional(&listeners.otlp_grpc)?.map(|address| address.to_string()),
        otlp_http: optional(&listeners.otlp_http)?.map(|address| format!("http://{address}")),
        prometheus: optional(&listeners.prometheus)?.map(|address| format!("http://{address}")),
    })
}

/// The process's own log and traces.
fn telemetry(
    config: &Config,
    endpoints: &api::Endpoints,
    own_key: &str,
) -> anyhow::Result<sdk::Guard> {
    let level: LevelFilter = config.log.level.parse().with_context(|| {
        format!("log.level: {:?} is none of error, warn, info, debug, trace", config.log.level)
    })?;
    let format = if config.log.json { sdk::LogFormat::Json } else { sdk::LogFormat::Text };
    let mut telemetry = sdk::Config::new("trefoil")
        .version(env!("CARGO_PKG_VERSION"))
        .log_format(format)
        .log_level(level)
        .log_writer(sdk::LogWriter::Stderr)
        .exporter(sdk::Exporter::None);
    telemetry.quiet_libraries =
        ["buoyant_kernel", "delta_kernel", "deltalake", "datafusion", "object_store"].to_vec();
    match (&config.telemetry, &endpoints.otlp_grpc) {
        (Telemetry::Off, _) => {}
        (Telemetry::Own, Some(address)) => {
            telemetry = telemetry
                .exporter(sdk::Exporter::Otlp)
                .protocol(sdk::Protocol::Grpc)
                .endpoint(format!("http://{address}"));
            telemetry.headers.push(("authorization".to_owned(), format!("Bearer {own_key}")));
        }
        (Telemetry::Own, None) => {
            anyhow::bail!("telemetry.traces: self needs listen.otlp_grpc, which is off")
        }
        (Telemetry::Collector(url), _) => {
            telemetry = telemetry
                .exporter(sdk::Exporter::Otlp)
                .protocol(sdk::Protocol::Grpc)
                .endpoint(url.clone());
        }
    }
    sdk::init(telemetry).context("cannot set up the server's own log and traces")
}

fn metrics_recorder() -> anyhow::Result<PrometheusHandle> {
    const SECONDS: &[f64] =
        &[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()
        .context("cannot install the recorder of metrics")?;
    super::own_metrics::describe();
    Ok(recorder)
}

async fn open_store(config: &Config, shares: &Shares, clock: &Clock) -> anyhow::Result<Store> {
    let mut options = storage::Options::new(&config.data_dir);
    if let Some(url) = &config.storage.url {
        options.location =
            Location::Url { url: url.clone(), options: config.storage.options.clone() };
    }
    options.memory = shares.buffers.clone();
    options.read_cache_bytes = shares.cache_bytes;
    options.flush.buffer_bytes = config.storage.flush_bytes.unwrap_or_else(|| shares.flush_bytes());
    options.flush.buffer_age = config.storage.flush_age;
    options.columns.soft_max = config.storage.columns_soft_max;
    options.columns.hard_max = config.storage.columns_max;
    let maintenance = &mut options.maintenance;
    maintenance.interval = config.storage.compact_interval;
    maintenance.file_bytes_target = config.storage.compact_bytes;
    maintenance.memory = shares.merges.clone();
    maintenance.vacuum_grace = config.storage.vacuum_grace;
    options.retention = config
        .retention
        .iter()
        .map(|(&table, kept)| (table, storage::Retention { age: kept.age, bytes: kept.bytes }))
        .collect();
    let decoders = Arc::new(Decoders { limits: config.ingest.limits.clone() });
    Store::open(options, decoders, clock.clone()).await.context("cannot open the store")
}

fn auth(config: &Config, own_key: &str) -> api::Auth {
    let mut keys: Vec<api::Key> = config.auth_keys.iter().map(|entry| entry.key.clone()).collect();
    if !keys.is_empty()
        && let Ok(own) = api::Key::parse(own_key, Tenant::default_tenant())
    {
        keys.push(own);
    }
    api::Auth::new(keys)
}

fn engine(
    config: &Config,
    shares: &Shares,
    store: &Arc<Store>,
    tsdb: &Arc<Tsdb>,
    clock: &Clock,
) -> anyhow::Result<query::Engine> {
    let mut options = query::Options::new(shares.queries.clone());
    options.spill_directory = Some(config.data_dir.join("spill"));
    options.spill_bytes_max = config.query.spill_bytes_max;
    options.running_max = config.query.running_max;
    options.queue_max = config.query.queue_max;
    options.limits = query::Limits {
        time: config.query.timeout,
        rows: config.query.rows_max,
        memory_bytes: shares.queries.limit_bytes(),
    };
    options.clock = clock.clone();
    let tables = Arc::new(StoreTables { store: Arc::clone(store), tsdb: Arc::clone(tsdb) });
    query::Engine::new(options, tables).context("cannot start the query engine")
}

fn place(config: &Config) -> Place {
    match &config.storage.url {
        Some(url) => Place::ObjectStore(url.to_string()),
        None => Place::Directory(config.data_dir.display().to_string()),
    }
}

fn receiver(
    config: &Config,
    shares: &Shares,
    store: &Arc<Store>,
    metrics: OtlpMetrics,
    clock: Clock,
) -> ingest::Receiver {
    let sink = Arc::new(StoreSink(Arc::clone(store)));
    let mut options = ingest::ReceiverOptions::new(sink, shares.requests.clone(), clock);
    options.limits = config.ingest.limits.clone();
    options.metrics = Some(metrics);
    options.body_timeout = config.ingest.body_timeout;
    ingest::Receiver::new(options)
}

fn observe_every_second(
    status: &Arc<ProcessStatus>,
    part: &Metrics,
    metrics: &PrometheusHandle,
    stopping: &CancellationToken,
) {
    let (status, part) = (Arc::clone(status), part.clone());
    let metrics = metrics.clone();
    stdx::task::spawn("observe", stopping, async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            status.observe();
            report(&part);
            metrics.run_upkeep();
        }
    });
}

fn serve_all(
    listeners: Listeners,
    api: api::Api,
    receiver: &ingest::Receiver,
    prometheus: &Router,
    auth: &api::Auth,
    stopping: &CancellationToken,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let otlp =
        || ingest::otlp::http::router(receiver.clone()).layer(api::AuthLayer::http(auth.clone()));
    let options = sdk::ServerOptions {
        slow_request: Duration::from_secs(10),
        excluded_paths: ["/v1/", "/-/", "/assets/", "/metrics", "/api/v1/logs/tail"]
            .map(str::to_owned)
            .to_vec(),
        span_names: Vec::new(),
        log_requests: false,
        metrics: None,
    };
    let main = sdk::add_tracing_middleware(api::router(api), &options)
        .merge(otlp())
        .nest("/prometheus", prometheus.clone());
    let mut listening = vec![serve_http("main", listeners.main, main, stopping)];
    if let Some(listener) = listeners.otlp_http {
        let healthy = || async { "ok" };
        let router = otlp()
            .route("/-/healthy", axum::routing::get(healthy))
            .route("/-/ready", axum::routing::get(healthy));
        listening.push(serve_http("otlp_http", listener, router, stopping));
    }
    if let Some(listener) = listeners.prometheus {
        listening.push(serve_http("prometheus", listener, prometheus.clone(), stopping));
    }
    if let Some(listener) = listeners.otlp_grpc {
        let router =
            ingest::otlp::grpc::router(receiver.clone()).layer(api::AuthLayer::grpc(auth.clone()));
        let stopping = stopping.clone();
        listening.push(stdx::task::spawn_to_end("otlp_grpc", async move {
            let served =
                ingest::otlp::grpc::serve(listener, router, stopping.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the OTLP gRPC port stopped");
            }
        }));
    }
    Ok(listening)
}

fn serve_http(
    name: &'static str,
    listener: TcpListener,
    router: Router,
    stopping: &CancellationToken,
) -> JoinHandle<()> {
    let stopping = stopping.clone();
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        drop(stream.set_nodelay(true));
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stopping.cancelled_owned());
    stdx::task::spawn_to_end(name, async move {
        if let Err(error) = server.into_future().await {
            tracing::error!(%error, port = name, "a port stopped");
        }
    })
}

/// Writes `run.json`: where this process listens, for scripts that let it choose.
fn note_addresses(data_dir: &Path, endpoints: &api::Endpoints) -> anyhow::Result<()> {
    let bare = |url: &str| url.trim_start_matches("http://").to_owned();
    let addresses = serde_json::json!({
        "pid": std::process::id(),
        "main": bare(&endpoints.main),
        "otlp_grpc": endpoints.otlp_grpc,
        "otlp_http": endpoints.otlp_http.as_deref().map(bare),
        "prometheus": endpoints.prometheus.as_deref().map(bare),
    });
    let path = data_dir.join("run.json");
    let new = data_dir.join("run.json.new");
    std::fs::write(&new, format!("{addresses:#}\n"))
        .and_then(|()| std::fs::rename(&new, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use model::Table;

    #[test]
    fn every_table_has_a_retention() {
        let config = crate::config::RawConfig::default().parse().expect("the defaults");
        assert!(Table::ALL.iter().all(|table| config.retention.contains_key(table)));
    }
}
