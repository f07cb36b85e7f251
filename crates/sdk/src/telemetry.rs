//! From a configuration to a running pipeline.

use std::sync::{Arc, Once};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::KeyValue;
use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatchConfig, BatchLogProcessor, SdkLoggerProvider,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatchConfig, BatchSpanProcessor, Sampler, SdkTracerProvider,
};
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use crate::config::{Config, Exporter, Protocol, Sampling};
use crate::export::{self, Failures, Quiet};
use crate::log::{Console, LogLayer};
use crate::metric::Push;
use crate::request::RequestAttributes;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint or another setting of the exporter is no good.
    #[error("cannot build the OTLP exporter")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The exporter's HTTP client could not be made.
    #[error("cannot build the HTTP client of the OTLP exporter")]
    HttpClient(#[source] reqwest::Error),
    /// A header of the exporter has characters that HTTP does not allow.
    #[error("header {0:?} of the OTLP exporter is not a valid HTTP header")]
    Header(String),
    /// The endpoint is no address.
    #[error("the OTLP endpoint is no address")]
    Endpoint(#[source] tonic::transport::Error),
    /// The exporter's thread could not be started.
    #[error("cannot start the exporter's thread")]
    Runtime(#[source] std::io::Error),
    /// The process has a global tracing subscriber already.
    #[error("a global tracing subscriber is already set")]
    AlreadySet,
}

/// Sets up traces, logs and W3C propagation for the whole process. Keep the guard until the end.
pub fn init(config: Config) -> Result<Guard, Error> {
    Telemetry::new(config)?.install()
}

/// [`init`] for a service of this name with all else from the environment.
pub fn configure_tracing(service_name: &str) -> Result<Guard, Error> {
    init(Config::from_env().service_name(service_name))
}

/// A pipeline that is running but not the process's own: for tests, and for several services in
/// one process. [`Telemetry::install`] makes it the process's own.
#[derive(Debug)]
pub struct Telemetry {
    dispatch: Dispatch,
    guard: Guard,
}

/// Sends what is left when it is dropped.
#[derive(Debug)]
pub struct Guard {
    tracers: SdkTracerProvider,
    loggers: SdkLoggerProvider,
    push: Option<Push>,
    /// Drives the exporters' sockets; one thread, so that exporting goes on whatever the
    /// service's own runtime does. `None` once shut down.
    runtime: Option<Runtime>,
    stopped: Once,
}

/// Longest that dropping the guard may take for each of traces, logs and metrics.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

impl Telemetry {
    /// Starts the pipeline.
    #[expect(clippy::needless_pass_by_value, reason = "a configuration is used once")]
    pub fn new(config: Config) -> Result<Telemetry, Error> {
        let console = Arc::new(Console::new(&config));
        let resource = resource(&config);
        let mut tracers = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(sampler(&config))
            .with_span_processor(RequestAttributes);
        let mut loggers = SdkLoggerProvider::builder().with_resource(resource.clone());
        let (mut runtime, mut push) = (None, None);
        match &config.exporter {
            Exporter::None => {}
            Exporter::Memory(memory) => {
                tracers = tracers.with_simple_exporter(memory.span_exporter());
                loggers = loggers.with_simple_exporter(memory.log_exporter());
            }
            Exporter::Otlp => {
                let own = exporter_runtime().map_err(Error::Runtime)?;
                let entered = own.enter();
                let failures = Arc::new(Failures::new(Arc::clone(&console), &config.endpoint));
                let spans = Quiet::new(export::otlp_spans(&config)?, own.handle(), &failures);
                let logs = Quiet::new(export::otlp_logs(&config)?, own.handle(), &failures);
                tracers = tracers.with_span_processor(span_batches(&config, spans));
                loggers = loggers.with_log_processor(log_batches(&config, logs));
                if let Some(interval) = config.metrics_push {
                    push = Some(Push::start(&config, interval, resource, own.handle(), &failures)?);
                }
                drop(entered);
                runtime = Some(own);
            }
        }
        let (tracers, loggers) = (tracers.build(), loggers.build());
        let dispatch = subscriber(&config, &console, &tracers, &loggers);
        let guard = Guard { tracers, loggers, push, runtime, stopped: Once::new() };
        tracing::dispatcher::with_default(&dispatch, || announce(&config));
        Ok(Telemetry { dispatch, guard })
    }

    /// The subscriber, to be used for a part of the process: `tracing::dispatcher::with_default`
    /// or `tracing::instrument::WithSubscriber`.
    #[must_use]
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Sends what is waiting.
    pub fn flush(&self) {
        self.guard.flush();
    }

    /// Makes it the whole process's.
    pub fn install(self) -> Result<Guard, Error> {
        tracing::dispatcher::set_global_default(self.dispatch).map_err(|_| Error::AlreadySet)?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        opentelemetry::global::set_tracer_provider(self.guard.tracers.clone());
        Ok(self.guard)
    }
}

impl Guard {
    /// Sends what is waiting; blocks until it is sent or the time for it has passed.
    pub fn flush(&self) {
        drop(self.tracers.force_flush());
        drop(self.loggers.force_flush());
        if let Some(push) = &self.push {
            push.flush(SHUTDOWN_TIMEOUT);
        }
    }

    /// Sends what is waiting and stops, as dropping does.
    pub fn shutdown(self) {}

    fn stop(&self) {
        self.stopped.call_once(|| {
            drop(self.tracers.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            drop(self.loggers.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
            if let Some(push) = &self.push {
                push.flush(SHUTDOWN_TIMEOUT);
            }
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn exporter_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("trefoil-sdk")
        .enable_all()
        .build()
}

fn span_batches(
    config: &Config,
    exporter: Quiet<opentelemetry_otlp::SpanExporter>,
) -> BatchSpanProcessor {
    let batch = SpanBatchConfig::default()
        .with_max_queue_size(config.batch.queue_len_max)
        .with_max_export_batch_size(config.batch.export_len_max)
        .with_scheduled_delay(config.batch.delay);
    BatchSpanProcessor::builder(exporter).with_batch_config(batch.build()).build()
}

fn log_batches(
    config: &Config,
    exporter: Quiet<opentelemetry_otlp::LogExporter>,
) -> BatchLogProcessor {
    let batch = LogBatchConfig::default()
        .with_max_queue_size(config.batch.queue_len_max)
        .with_max_export_batch_size(config.batch.export_len_max)
        .with_scheduled_delay(config.batch.delay);
    BatchLogProcessor::builder(exporter).with_batch_config(batch.build()).build()
}

fn subscriber(
    config: &Config,
    console: &Arc<Console>,
    tracers: &SdkTracerProvider,
    loggers: &SdkLoggerProvider,
) -> Dispatch {
    let scope =
        InstrumentationScope::builder("trefoil_sdk").with_version(env!("CARGO_PKG_VERSION"));
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer_with_scope(scope.build()))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(is_span));
    let logger = match config.exporter {
        Exporter::None => None,
        Exporter::Otlp | Exporter::Memory(_) => Some(loggers.logger(config.logger_name())),
    };
    let lines = LogLayer::new(Arc::clone(console), config.log_level, logger);
    Dispatch::new(tracing_subscriber::registry().with(targets(config)).with(spans).with(lines))
}

fn is_span(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span()
}

/// What is looked at at all: spans always, the exporter's own libraries never, since what they
/// say while they send would have to be sent again.
fn targets(config: &Config) -> Targets {
    let log_level = config.log_level;
    let quiet = log_level.min(LevelFilter::WARN);
    let mut targets = Targets::new().with_default(log_level.max(LevelFilter::INFO));
    for library in ["h2", "hyper", "hyper_util", "tonic", "tower", "reqwest", "rustls"] {
        targets = targets.with_target(library, quiet);
    }
    for library in &config.quiet_libraries {
        targets = targets.with_target(*library, quiet);
    }
    targets.with_target("opentelemetry", LevelFilter::OFF)
}

fn sampler(config: &Config) -> Sampler {
    let ratio = |share: f64| {
        if share >= 1.0 {
            Sampler::AlwaysOn
        } else if share <= 0.0 {
            Sampler::AlwaysOff
        } else {
            Sampler::TraceIdRatioBased(share)
        }
    };
    match (&config.exporter, config.sampling) {
        (Exporter::None, _) | (_, Sampling::AlwaysOff) => Sampler::AlwaysOff,
        (_, Sampling::AlwaysOn) => Sampler::AlwaysOn,
        (_, Sampling::Ratio(share)) => ratio(share),
        (_, Sampling::ParentBased(share)) => Sampler::ParentBased(Box::new(ratio(share))),
    }
}

fn resource(config: &Config) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    for (key, value) in
        [("service.version", &config.version), ("deployment.environment.name", &config.environment)]
    {
        if !value.is_empty() {
            attributes.push(KeyValue::new(key, value.clone()));
        }
    }
    attributes.extend(config.resource.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone())));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(attributes)
        .with_service_name(config.service_name.clone())
        .build()
}

fn announce(config: &Config) {
    let endpoint = &config.endpoint;
    let protocol = match config.protocol {
        Protocol::Grpc => "grpc",
        Protocol::HttpProtobuf => "http/protobuf",
    };
    match config.exporter {
        Exporter::Otlp => tracing::info!(
            code.function = "configure_tracing",
            "OpenTelemetry tracing configured with Tempo backend (OTLP {protocol} at {endpoint})"
        ),
        Exporter::Memory(_) => {}
        Exporter::None => tracing::info!(
            code.function = "configure_tracing",
            "OpenTelemetry tracing is switched off"
        ),
    }
    for problem in &config.problems {
        tracing::warn!(code.function = "configure_tracing", "{problem}");
    }
}
