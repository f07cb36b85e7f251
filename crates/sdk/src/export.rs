//! The way out: exporters over OTLP that run on a thread of their own and complain quietly.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{
    LogExporter as OtlpLogs, Protocol as OtlpProtocol, SpanExporter as OtlpSpans, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::in_memory_exporter::LogDataWithResource;
use opentelemetry_sdk::logs::{InMemoryLogExporter, LogBatch, LogExporter};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData, SpanExporter};
use tokio::runtime::Handle;

use crate::clock;
use crate::config::{Config, Protocol};
use crate::log::Console;
use crate::telemetry::Error;

/// Keeps finished spans and log records in memory, for the tests of those who use the SDK.
///
/// ```
/// use trefoil_sdk::{Config, Exporter, MemoryExporter, Telemetry};
/// let memory = MemoryExporter::default();
/// let config = Config::new("test").exporter(Exporter::Memory(memory.clone()));
/// let telemetry = Telemetry::new(config).unwrap();
/// tracing::dispatcher::with_default(telemetry.dispatch(), || {
///     tracing::info_span!("train_model").in_scope(|| trefoil_sdk::set_attribute("epochs", 3));
/// });
/// assert_eq!(memory.spans()[0].name, "train_model");
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryExporter {
    spans: InMemorySpanExporter,
    logs: InMemoryLogExporter,
}

impl MemoryExporter {
    /// The spans that have ended, in the order of their ends.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().unwrap_or_default()
    }

    /// The log records, in the order of their making.
    #[must_use]
    pub fn logs(&self) -> Vec<LogDataWithResource> {
        self.logs.get_emitted_logs().unwrap_or_default()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.spans.reset();
        self.logs.reset();
    }

    pub(crate) fn span_exporter(&self) -> InMemorySpanExporter {
        self.spans.clone()
    }

    pub(crate) fn log_exporter(&self) -> InMemoryLogExporter {
        self.logs.clone()
    }
}

/// Builds the OTLP exporter of spans. Must run inside the exporter's runtime.
pub(crate) fn otlp_spans(config: &Config) -> Result<OtlpSpans, Error> {
    let builder = OtlpSpans::builder();
    let exporter = match config.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), config)?.build(),
        Protocol::HttpProtobuf => over_http(builder.with_http(), config, "traces")?.build(),
    };
    exporter.map_err(Error::Exporter)
}

/// Builds the OTLP exporter of log records. Must run inside the exporter's runtime.
pub(crate) fn otlp_logs(config: &Config) -> Result<OtlpLogs, Error> {
    let builder = OtlpLogs::builder();
    let exporter = match config.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), config)?.build(),
        Protocol::HttpProtobuf => over_http(builder.with_http(), config, "logs")?.build(),
    };
    exporter.map_err(Error::Exporter)
}

fn over_grpc<B: WithExportConfig + WithTonicConfig>(
    builder: B,
    config: &Config,
) -> Result<B, Error> {
    Ok(builder
        .with_endpoint(&config.endpoint)
        .with_timeout(config.export_timeout)
        .with_metadata(MetadataMap::from_headers(headers(config)?)))
}

fn over_http<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    config: &Config,
    signal: &str,
) -> Result<B, Error> {
    Ok(builder
        .with_protocol(OtlpProtocol::HttpBinary)
        .with_endpoint(signal_url(&config.endpoint, signal))
        .with_timeout(config.export_timeout)
        .with_headers(config.headers.iter().cloned().collect())
        .with_http_client(http_client(config)?))
}

pub(crate) fn signal_url(endpoint: &str, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.trim_end_matches('/'))
}

pub(crate) fn http_client(config: &Config) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder().timeout(config.export_timeout).build().map_err(Error::HttpClient)
}

pub(crate) fn headers(config: &Config) -> Result<http::HeaderMap, Error> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in &config.headers {
        let invalid = || Error::Header(name.clone());
        let key = name.to_ascii_lowercase();
        let key = http::HeaderName::try_from(key).map_err(|_| invalid())?;
        headers.insert(key, http::HeaderValue::try_from(value).map_err(|_| invalid())?);
    }
    Ok(headers)
}

/// An exporter whose sockets and timers live on the SDK's own runtime, whoever polls it, and whose
/// failures are told to people instead of the batch processor.
#[derive(Debug)]
pub(crate) struct Quiet<E> {
    exporter: E,
    runtime: Handle,
    failures: Arc<Failures>,
}

impl<E> Quiet<E> {
    pub(crate) fn new(exporter: E, runtime: &Handle, failures: &Arc<Failures>) -> Quiet<E> {
        Quiet { exporter, runtime: runtime.clone(), failures: Arc::clone(failures) }
    }
}

impl<E: SpanExporter> SpanExporter for Quiet<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = within(&self.runtime, self.exporter.export(batch)).await;
        self.failures.note(count, &result);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Quiet<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let result = within(&self.runtime, self.exporter.export(batch)).await;
        self.failures.note(count, &result);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Polls `future` as if on `runtime`. The batch processors poll on threads of their own, where a
/// socket or a timer would find no reactor.
async fn within<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _entered = runtime.enter();
        future.as_mut().poll(cx)
    })
    .await
}

/// Says at most once a minute that telemetry is being lost, and that it is not any more.
pub(crate) struct Failures {
    console: Arc<Console>,
    endpoint: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told_at: Option<Instant>,
    lost: usize,
    outage_told: bool,
}

const QUIET: Duration = Duration::from_secs(60);

impl Failures {
    pub(crate) fn new(console: Arc<Console>, endpoint: &str) -> Failures {
        Failures { console, endpoint: endpoint.to_owned(), state: Mutex::default() }
    }

    pub(crate) fn note(&self, count: usize, result: &OTelSdkResult) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.note(clock::instant(), count, result, &self.endpoint) {
            drop(state);
            self.console.warn(&line);
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl State {
    fn note(
        &mut self,
        now: Instant,
        count: usize,
        result: &OTelSdkResult,
        endpoint: &str,
    ) -> Option<String> {
        let may_tell = self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= QUIET);
        let lost = self.lost;
        let line = match result {
            Err(error) => {
                self.lost += count;
                let lost = self.lost;
                self.outage_told |= may_tell;
                format!(
                    "telemetry cannot be sent to {endpoint}, {lost} records lost so far: {error}"
                )
            }
            Ok(()) if self.outage_told && may_tell => {
                (self.outage_told, self.lost) = (false, 0);
                format!("telemetry is sent to {endpoint} again, {lost} records were lost")
            }
            Ok(()) => return None,
        };
        may_tell.then(|| {
            self.told_at = Some(now);
            line
        })
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    #[test]
    fn failures_are_told_once_a_minute_and_the_end_of_them_too() {
        let start = clock::instant();
        let mut state = State::default();
        let mut note = |second, ok: bool| {
            let result =
                if ok { Ok(()) } else { Err(OTelSdkError::InternalFailure("refused".to_owned())) };
            state.note(start + Duration::from_secs(second), 10, &result, "http://c").is_some()
        };
        let told: Vec<bool> = [
            (0, false),
            (1, false),
            (59, false),
            (60, false),
            (61, true),
            (121, true),
            (122, true),
        ]
        .map(|(second, ok)| note(second, ok))
        .to_vec();
        assert_eq!(told, [true, false, false, true, false, true, false]);
    }
}
