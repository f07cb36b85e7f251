//! What can be set, and the environment variables that set it: OpenTelemetry's own names first.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::export::MemoryExporter;
use crate::log::LogWriter;
use crate::metric::Registry;

/// How a service is observed. Start from [`Config::default`] or [`Config::from_env`].
#[derive(Debug, Clone)]
pub struct Config {
    /// `service.name`. Default `unknown_service`.
    pub service_name: String,
    /// `service.version`. Default empty: not sent.
    pub version: String,
    /// `deployment.environment.name`. Default empty: not sent.
    pub environment: String,
    /// More resource attributes.
    pub resource: Vec<(String, String)>,
    /// Where traces and logs go.
    pub exporter: Exporter,
    /// Base address of the collector. Default `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// How it is spoken to. Default gRPC.
    pub protocol: Protocol,
    /// Headers of each export, an API key for example.
    pub headers: Vec<(String, String)>,
    /// Longest time that one export may take. Default 10 s.
    pub export_timeout: Duration,
    /// Which traces are kept. Default all, unless the caller decided otherwise.
    pub sampling: Sampling,
    /// Queues and batches.
    pub batch: Batch,
    /// Least important log line that is written. Default INFO.
    pub log_level: LevelFilter,
    /// Libraries, by the beginning of their targets, whose spans and lines below warnings are left
    /// out.
    pub quiet_libraries: Vec<&'static str>,
    /// The shape of log lines on the console. Default text.
    pub log_format: LogFormat,
    /// Where log lines go beside OTLP. Default standard output.
    pub log_writer: LogWriter,
    /// The metrics that are pushed, where they are.
    pub metrics: Registry,
    /// How often [`Config::metrics`] are pushed over OTLP. Default never: they are scraped.
    pub metrics_push: Option<Duration>,
    /// Path prefixes whose requests make no spans.
    pub excluded_paths: Vec<String>,
    /// What was wrong in the environment; logged by `init`.
    pub problems: Vec<String>,
}

/// Where traces and logs go.
#[derive(Debug, Clone, Default)]
pub enum Exporter {
    /// To [`Config::endpoint`], in batches.
    #[default]
    Otlp,
    /// Into memory at once, for tests.
    Memory(MemoryExporter),
    /// Nowhere. Trace ids are still made, carried on and logged.
    None,
}

/// The wire of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// `grpc`.
    #[default]
    Grpc,
    /// `http/protobuf`.
    HttpProtobuf,
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// Every one, whatever the caller decided.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This share, 0 to 1, by trace id, whatever the caller decided.
    Ratio(f64),
    /// As the caller decided; this share of the traces that begin here.
    ParentBased(f64),
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling::ParentBased(1.0)
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `2025-11-09 03:22:54 - my_service - INFO - function:94 - message [trace_id=…]`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Queues and batches of the exporter, for spans and log records each.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Most that wait; what comes when it is full is dropped and counted. Default 8,192.
    pub queue_len_max: usize,
    /// Most in one export. Default 2,048.
    pub export_len_max: usize,
    /// Longest time before an export. Default 1 s.
    pub delay: Duration,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { queue_len_max: 8192, export_len_max: 2048, delay: Duration::from_secs(1) }
    }
}

/// How often metrics are pushed where the environment says only that they are.
const METRICS_PUSH: Duration = Duration::from_secs(60);

impl Default for Config {
    fn default() -> Config {
        Config {
            service_name: "unknown_service".to_owned(),
            version: String::new(),
            environment: String::new(),
            resource: Vec::new(),
            exporter: Exporter::default(),
            endpoint: "http://127.0.0.1:4317".to_owned(),
            protocol: Protocol::default(),
            headers: Vec::new(),
            export_timeout: Duration::from_secs(10),
            sampling: Sampling::default(),
            batch: Batch::default(),
            log_level: LevelFilter::INFO,
            quiet_libraries: Vec::new(),
            log_format: LogFormat::default(),
            log_writer: LogWriter::default(),
            metrics: Registry::new(),
            metrics_push: None,
            excluded_paths: Vec::new(),
            problems: Vec::new(),
        }
    }
}

impl Config {
    /// The defaults for a service of this name.
    #[must_use]
    pub fn new(service_name: impl Into<String>) -> Config {
        Config::default().service_name(service_name)
    }

    /// Reads `OTEL_SERVICE_NAME` or `SERVICE_NAME`, `SERVICE_VERSION`, `ENVIRONMENT`,
    /// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_PROTOCOL`, `…_HEADERS`,
    /// `…_TIMEOUT`, `OTEL_TRACES_SAMPLER` and `…_ARG`, `OTEL_BSP_MAX_QUEUE_SIZE`,
    /// `…_MAX_EXPORT_BATCH_SIZE`, `…_SCHEDULE_DELAY`, `OTEL_METRICS_EXPORTER` (`otlp` pushes) and
    /// `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_SDK_DISABLED`, `TRACING_ENABLED`,
    /// `OTEL_EXCLUDED_URLS`, `LOG_LEVEL` and `LOG_FORMAT`.
    ///
    /// A value that cannot be read leaves the default and is told in [`Config::problems`]:
    /// a typing mistake there must not keep a service from starting.
    #[must_use]
    pub fn from_env() -> Config {
        #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
        Config::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`Config::from_env`], from any source of variables.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Config {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let mut config = Config::default();
        config.read_resource(&lookup);
        config.read_exporter(&lookup);
        config.read_sampling(&lookup);
        config.read_batch(&lookup);
        config.read_metrics(&lookup);
        config.read_log(&lookup);
        config
    }

    /// Sets `service.name`.
    #[must_use]
    pub fn service_name(mut self, name: impl Into<String>) -> Config {
        self.service_name = name.into();
        self
    }

    /// Sets `service.name` where none was given.
    #[must_use]
    pub fn default_service_name(mut self, name: &str) -> Config {
        if self.service_name == Config::default().service_name {
            name.clone_into(&mut self.service_name);
        }
        self
    }

    /// Sets `service.version`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Config {
        self.version = version.into();
        self
    }

    /// Sets `deployment.environment.name`.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Config {
        self.environment = environment.into();
        self
    }

    /// Sets the collector's address.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Config {
        self.endpoint = endpoint.into();
        self
    }

    /// Sets the collector's protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Config {
        self.protocol = protocol;
        self
    }

    /// Sets where traces and logs go.
    #[must_use]
    pub fn exporter(mut self, exporter: Exporter) -> Config {
        self.exporter = exporter;
        self
    }

    /// Sets which traces are kept.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Config {
        self.sampling = sampling;
        self
    }

    /// Sets queues and batches.
    #[must_use]
    pub fn batch(mut self, batch: Batch) -> Config {
        self.batch = batch;
        self
    }

    /// Sets which metrics are pushed over OTLP, and how often; never where `every` is `None`.
    #[must_use]
    pub fn metrics(mut self, registry: &Registry, every: Option<Duration>) -> Config {
        self.metrics = registry.clone();
        self.metrics_push = every;
        self
    }

    /// Sets the shape of log lines.
    #[must_use]
    pub fn log_format(mut self, format: LogFormat) -> Config {
        self.log_format = format;
        self
    }

    /// Sets the least important log line.
    #[must_use]
    pub fn log_level(mut self, level: LevelFilter) -> Config {
        self.log_level = level;
        self
    }

    /// Sets where log lines go beside OTLP.
    #[must_use]
    pub fn log_writer(mut self, writer: LogWriter) -> Config {
        self.log_writer = writer;
        self
    }

    /// The name that log lines carry: `fraud-detection-api` logs as `fraud_detection_api`.
    #[must_use]
    pub fn logger_name(&self) -> String {
        self.service_name.replace('-', "_")
    }

    fn read_resource(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        if let Some(attributes) = lookup("OTEL_RESOURCE_ATTRIBUTES") {
            for (key, value) in self.pairs("OTEL_RESOURCE_ATTRIBUTES", &attributes) {
                match key.as_str() {
                    "service.name" => self.service_name = value,
                    "service.version" => self.version = value,
                    "deployment.environment.name" | "deployment.environment" => {
                        self.environment = value;
                    }
                    _ => self.resource.push((key, value)),
                }
            }
        }
        if let Some(name) = lookup("OTEL_SERVICE_NAME").or_else(|| lookup("SERVICE_NAME")) {
            self.service_name = name;
        }
        if let Some(version) = lookup("SERVICE_VERSION") {
            self.version = version;
        }
        if let Some(environment) = lookup("ENVIRONMENT") {
            self.environment = environment;
        }
        if let Some(paths) = lookup("OTEL_EXCLUDED_URLS") {
            self.excluded_paths = paths
                .split(',')
                .map(|path| format!("/{}", path.trim().trim_start_matches('/')))
                .collect();
        }
    }

    fn read_exporter(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        if let Some(endpoint) = lookup("OTEL_EXPORTER_OTLP_ENDPOINT") {
            self.endpoint = endpoint;
        }
        match lookup("OTEL_EXPORTER_OTLP_PROTOCOL").as_deref() {
            None | Some("grpc") => {}
            Some("http/protobuf") => self.protocol = Protocol::HttpProtobuf,
            Some(other) => self.problem("OTEL_EXPORTER_OTLP_PROTOCOL", other),
        }
        if let Some(headers) = lookup("OTEL_EXPORTER_OTLP_HEADERS") {
            self.headers = self.pairs("OTEL_EXPORTER_OTLP_HEADERS", &headers);
        }
        if let Some(timeout) = self.number(lookup, "OTEL_EXPORTER_OTLP_TIMEOUT") {
            self.export_timeout = Duration::from_millis(timeout);
        }
        let on = self.boolean(lookup, "TRACING_ENABLED").unwrap_or(true);
        let disabled = self.boolean(lookup, "OTEL_SDK_DISABLED").unwrap_or(false);
        if !on || disabled {
            self.exporter = Exporter::None;
        }
    }

    fn read_sampling(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        let argument = lookup("OTEL_TRACES_SAMPLER_ARG").and_then(|text| {
            let ratio = text.trim().parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
            if ratio.is_none() {
                self.problem("OTEL_TRACES_SAMPLER_ARG", &text);
            }
            ratio
        });
        let ratio = argument.unwrap_or(1.0);
        match lookup("OTEL_TRACES_SAMPLER").as_deref() {
            None => {}
            Some("always_on") => self.sampling = Sampling::AlwaysOn,
            Some("always_off") => self.sampling = Sampling::AlwaysOff,
            Some("traceidratio") => self.sampling = Sampling::Ratio(ratio),
            Some("parentbased_always_on") => self.sampling = Sampling::ParentBased(1.0),
            Some("parentbased_always_off") => self.sampling = Sampling::ParentBased(0.0),
            Some("parentbased_traceidratio") => self.sampling = Sampling::ParentBased(ratio),
            Some(other) => self.problem("OTEL_TRACES_SAMPLER", other),
        }
    }

    fn read_batch(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        if let Some(n) = self.number(lookup, "OTEL_BSP_MAX_QUEUE_SIZE") {
            self.batch.queue_len_max = size(n);
        }
        if let Some(n) = self.number(lookup, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE") {
            self.batch.export_len_max = size(n);
        }
        if let Some(n) = self.number(lookup, "OTEL_BSP_SCHEDULE_DELAY") {
            self.batch.delay = Duration::from_millis(n);
        }
    }

    fn read_metrics(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        let interval = self.number(lookup, "OTEL_METRIC_EXPORT_INTERVAL");
        match lookup("OTEL_METRICS_EXPORTER").as_deref() {
            // Scraping needs no telling.
            None | Some("none" | "prometheus") => {}
            Some("otlp") => {
                let interval = interval.filter(|ms| *ms > 0).map(Duration::from_millis);
                self.metrics_push = Some(interval.unwrap_or(METRICS_PUSH));
            }
            Some(other) => self.problem("OTEL_METRICS_EXPORTER", other),
        }
    }

    fn read_log(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        if let Some(level) = lookup("LOG_LEVEL") {
            match level.trim().to_ascii_lowercase().as_str() {
                "trace" => self.log_level = LevelFilter::TRACE,
                "debug" => self.log_level = LevelFilter::DEBUG,
                "info" => self.log_level = LevelFilter::INFO,
                "warn" | "warning" => self.log_level = LevelFilter::WARN,
                "error" | "critical" | "fatal" => self.log_level = LevelFilter::ERROR,
                "off" => self.log_level = LevelFilter::OFF,
                _ => self.problem("LOG_LEVEL", &level),
            }
        }
        if let Some(format) = lookup("LOG_FORMAT") {
            match format.trim().to_ascii_lowercase().as_str() {
                "json" => self.log_format = LogFormat::Json,
                "text" => self.log_format = LogFormat::Text,
                _ => self.problem("LOG_FORMAT", &format),
            }
        }
    }

    fn number(&mut self, lookup: &impl Fn(&str) -> Option<String>, name: &str) -> Option<u64> {
        let text = lookup(name)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.problem(name, &text);
        }
        number
    }

    fn boolean(&mut self, lookup: &impl Fn(&str) -> Option<String>, name: &str) -> Option<bool> {
        let text = lookup(name)?;
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                self.problem(name, &text);
                None
            }
        }
    }

    /// `a=1,b=two%20words`, as in W3C baggage.
    fn pairs(&mut self, name: &str, text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) => {
                    pairs.push((key.trim().to_owned(), percent_decoded(value.trim())));
                }
                None => self.problem(name, pair),
            }
        }
        pairs
    }

    fn problem(&mut self, name: &str, value: &str) {
        self.problems.push(format!("{name} is ignored: {value:?} is not understood"));
    }
}

/// Undoes `%20`. What is no such sequence stays as it is, so that a bare `%` in a key is no error.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                let (high, low) = (digit(*high).unwrap_or(0), digit(*low).unwrap_or(0));
                bytes.push(high * 16 + low);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        Config::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_documented_variables_are_read() {
        let config = config(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,service.version=2,host.name=h"),
            ("OTEL_SERVICE_NAME", "fraud-detection-api"),
            ("ENVIRONMENT", "production"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer k"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
            ("OTEL_EXCLUDED_URLS", "health,/metrics"),
            ("LOG_LEVEL", "WARNING"),
            ("LOG_FORMAT", "json"),
        ]);
        assert_eq!(config.problems, Vec::<String>::new());
        assert_eq!(config.service_name, "fraud-detection-api");
        assert_eq!(config.logger_name(), "fraud_detection_api");
        assert_eq!(config.version, "2");
        assert_eq!(config.environment, "production");
        assert_eq!(config.resource, [("host.name".to_owned(), "h".to_owned())]);
        assert_eq!(config.endpoint, "http://collector:4318");
        assert_eq!(config.protocol, Protocol::HttpProtobuf);
        assert_eq!(config.headers, [("authorization".to_owned(), "Bearer k".to_owned())]);
        assert_eq!(config.sampling, Sampling::ParentBased(0.1));
        assert_eq!(config.excluded_paths, ["/health", "/metrics"]);
        assert_eq!(config.log_level, LevelFilter::WARN);
        assert_eq!(config.log_format, LogFormat::Json);
    }

    #[test]
    fn a_value_that_is_not_understood_leaves_the_default_and_is_told() {
        let config = config(&[
            ("LOG_LEVEL", "loud"),
            ("OTEL_TRACES_SAMPLER_ARG", "7"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ]);
        assert_eq!(config.log_level, LevelFilter::INFO);
        assert_eq!(config.problems.len(), 3, "{:?}", config.problems);
    }

    #[test]
    fn values_of_lists_are_percent_decoded() {
        for (text, expect) in [
            ("Bearer%20k", "Bearer k"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%C3%A4", "ä"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(percent_decoded(text), expect);
        }
        let config = config(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20k,x=1")]);
        assert_eq!(config.headers[0].1, "Bearer k");
        assert_eq!(config.headers.len(), 2);
    }

    #[test]
    fn tracing_can_be_switched_off() {
        assert!(matches!(config(&[("TRACING_ENABLED", "false")]).exporter, Exporter::None));
        assert!(matches!(config(&[("OTEL_SDK_DISABLED", "true")]).exporter, Exporter::None));
        assert!(matches!(config(&[("TRACING_ENABLED", "true")]).exporter, Exporter::Otlp));
    }
}
