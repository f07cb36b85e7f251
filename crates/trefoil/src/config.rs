//! The configuration: one YAML file, environment variables over it, a default for everything.
//!
//! [`settings::SETTINGS`] is the one list of what can be set; the file's check, the environment,
//! the reference page and the defaults all come from it. [`Config`] is what it all means, parsed
//! once. An unknown key, a wrong value or a variable that is no setting is an error that says
//! where it stands and, for names, what was probably meant.

mod document;
pub(crate) mod reference;
pub(crate) mod settings;
mod value;

pub(crate) use value::bytes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::Node;
use settings::{SETTINGS, Setting};
use value::Reader;

/// The beginning of every variable's name.
const VARIABLE_PREFIX: &str = "TREFOIL_";

/// Variables that begin like settings but are none: the client's, the tests', the benchmarks'.
const OTHER_VARIABLES: &[&str] =
    &["TREFOIL_BIN", "TREFOIL_SEED", "TREFOIL_CRASH_ROUNDS", "TREFOIL_URL", "TREFOIL_API_KEY"];

/// What one setting was given as, and where.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// `trefoil.yml:3:5`, `TREFOIL_LISTEN_MAIN`, `--insecure`.
    pub(crate) place: String,
    node: Node,
}

/// Settings by their path, before they are understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawConfig {
    given: BTreeMap<&'static str, Given>,
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct Problems(pub(crate) Vec<String>);

/// What the server is told.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: Listen,
    pub(crate) insecure: bool,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
    pub(crate) auth_keys: Vec<AuthKey>,
    pub(crate) memory_limit: usize,
    pub(crate) ingest: Ingest,
    pub(crate) storage: Storage,
    pub(crate) retention: BTreeMap<model::Table, Retention>,
    pub(crate) prometheus: Prometheus,
    pub(crate) metrics: Metrics,
    pub(crate) query: Query,
}

/// Where it listens; `None` is off.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) main: SocketAddr,
    pub(crate) otlp_grpc: Option<SocketAddr>,
    pub(crate) otlp_http: Option<SocketAddr>,
    pub(crate) prometheus: Option<SocketAddr>,
}

/// The process's own log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) json: bool,
    pub(crate) level: String,
}

/// The process's own traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Telemetry {
    /// Nowhere.
    Off,
    /// To its own OTLP port.
    Own,
    /// To that collector.
    Collector(String),
}

/// A key and whom it lets in.
#[derive(Debug, Clone)]
pub(crate) struct AuthKey {
    pub(crate) key: api::Key,
}

/// Limits of requests that bring data.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    pub(crate) limits: ingest::Limits,
    pub(crate) body_timeout: Duration,
}

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    pub(crate) url: Option<url::Url>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) flush_bytes: Option<usize>,
    pub(crate) flush_age: Duration,
    pub(crate) compact_interval: Duration,
    pub(crate) compact_bytes: u64,
    pub(crate) vacuum_grace: Duration,
    pub(crate) columns_soft_max: usize,
    pub(crate) columns_max: usize,
}

/// How long rows of a table stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) age: Option<Duration>,
    pub(crate) bytes: Option<u64>,
}

/// Prometheus's language and API.
#[derive(Debug, Clone)]
pub(crate) struct Prometheus {
    /// A `prometheus.yml`.
    pub(crate) config: Option<PathBuf>,
    /// Names of experimental PromQL.
    pub(crate) features: Vec<String>,
    pub(crate) external_url: Option<url::Url>,
    /// A regular expression.
    pub(crate) cors_origin: String,
    /// Whether the configuration is read again on request.
    pub(crate) reload: bool,
    /// Whether the server ends on request.
    pub(crate) quit: bool,
}

/// The engine of metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) series_max: usize,
    pub(crate) exemplars_max: usize,
    pub(crate) out_of_order_window: Duration,
    pub(crate) retention: Retention,
    /// Selectors and how long their series live.
    pub(crate) selectors: Vec<(String, Duration)>,
    pub(crate) five_minutes_after: Option<Duration>,
    pub(crate) one_hour_after: Option<Duration>,
}

/// Limits of questions.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) timeout: Duration,
    pub(crate) rows_max: usize,
    pub(crate) samples_max: usize,
    pub(crate) lookback: Duration,
    pub(crate) cache_bytes: Option<usize>,
    pub(crate) running_max: usize,
    pub(crate) queue_max: usize,
    pub(crate) spill_bytes_max: u64,
}

impl RawConfig {
    /// Reads a file's text; `name` is what errors call it.
    pub(crate) fn read_document(&mut self, name: &str, text: &str) -> Result<(), Problems> {
        let document = document::parse(name, text).map_err(|problem| Problems(vec![problem]))?;
        let mut problems = Vec::new();
        for entry in document::flatten(name, &document, &mut problems) {
            match Setting::find(&entry.path) {
                Some(setting) => {
                    let given = Given { place: entry.place, node: entry.node };
                    self.given.insert(setting.path, given);
                }
                None => problems.push(unknown(&entry.place, &entry.path)),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Takes the settings out of the environment: `TREFOIL_LISTEN_MAIN` is `listen.main`. Values
    /// are read as YAML, so that a list is `[a, b]`.
    pub(crate) fn read_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for (name, text) in variables {
            if !name.starts_with(VARIABLE_PREFIX) || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|s| variable_of(s.path) == name) else {
                let names = SETTINGS.iter().map(|s| variable_of(s.path));
                let nearest = nearest(&name, names).unwrap_or_default();
                problems.push(format!("{name}: no such setting; did you mean {nearest}?"));
                continue;
            };
            match document::parse_value(&name, &text) {
                Ok(node) => self.set_node(setting, &name, node),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Sets one from the command line.
    pub(crate) fn set(&mut self, path: &'static str, flag: &str, value: &str) {
        let setting = Setting::find(path).expect("a setting of the list");
        self.set_node(setting, flag, Node::text(value));
    }

    /// Sets one that nobody has said anything about.
    pub(crate) fn set_default(&mut self, path: &'static str, by: &str, value: &str) {
        if !self.given.contains_key(path) {
            self.set(path, by, value);
        }
    }

    /// The first API key that stands in the clear: what the demo's own services show.
    pub(crate) fn first_key(&self) -> Option<String> {
        value::first_key(&self.given.get("auth.keys")?.node)
    }

    fn set_node(&mut self, setting: &'static Setting, place: &str, node: Node) {
        self.given.insert(setting.path, Given { place: place.to_owned(), node });
    }

    /// Understands all of it.
    pub(crate) fn parse(&self) -> Result<Config, Problems> {
        let mut reader = Reader::new(&self.given);
        let config = read(&mut reader);
        let mut problems = reader.into_problems();
        if problems.is_empty() {
            problems.extend(contradictions(&config));
        }
        if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
    }
}

fn read(reader: &mut Reader<'_>) -> Config {
    let mut limits = ingest::Limits {
        body_bytes_max: reader.bytes("ingest.body_bytes_max"),
        decompressed_bytes_max: reader.bytes("ingest.decompressed_bytes_max"),
        attributes_per_record_max: reader.count("ingest.attributes_per_record_max"),
        attribute_value_bytes_max: reader.bytes("ingest.attribute_value_bytes_max"),
        log_body_bytes_max: reader.bytes("ingest.log_body_bytes_max"),
        ..ingest::Limits::default()
    };
    let columns_max = reader.count("storage.columns_max");
    limits.attribute_columns_per_batch_max = columns_max;
    let retention = |reader: &mut Reader<'_>, age, bytes| Retention {
        age: reader.optional_duration(age),
        bytes: reader.optional_bytes(bytes).map(|bytes| bytes as u64),
    };
    Config {
        listen: Listen {
            main: reader.address("listen.main"),
            otlp_grpc: reader.optional_address("listen.otlp_grpc"),
            otlp_http: reader.optional_address("listen.otlp_http"),
            prometheus: reader.optional_address("listen.prometheus"),
        },
        insecure: reader.switch("insecure"),
        data_dir: PathBuf::from(reader.text("data_dir")),
        log: Log { json: reader.text("log.format") == "json", level: reader.text("log.level") },
        telemetry: match reader.text("telemetry.traces").as_str() {
            "off" => Telemetry::Off,
            "self" => Telemetry::Own,
            url => Telemetry::Collector(url.to_owned()),
        },
        auth_keys: reader.auth_keys("auth.keys"),
        memory_limit: reader.bytes("memory.limit"),
        ingest: Ingest { limits, body_timeout: reader.duration("ingest.body_timeout") },
        storage: Storage {
            url: reader.optional_url("storage.url"),
            options: reader.map("storage.options"),
            flush_bytes: reader.optional_bytes("storage.flush_bytes"),
            flush_age: reader.duration("storage.flush_age"),
            compact_interval: reader.duration("storage.compact_interval"),
            compact_bytes: reader.bytes("storage.compact_bytes") as u64,
            vacuum_grace: reader.duration("storage.vacuum_grace"),
            columns_soft_max: reader.count("storage.columns_soft_max"),
            columns_max,
        },
        retention: BTreeMap::from([
            (
                model::Table::Spans,
                retention(reader, "retention.spans.age", "retention.spans.bytes"),
            ),
            (model::Table::Logs, retention(reader, "retention.logs.age", "retention.logs.bytes")),
        ]),
        prometheus: prometheus(reader),
        metrics: Metrics {
            series_max: reader.count("metrics.series_max"),
            exemplars_max: reader.count("metrics.exemplars_max"),
            out_of_order_window: reader.duration("metrics.out_of_order_window"),
            retention: retention(reader, "retention.metrics.age", "retention.metrics.bytes"),
            selectors: reader.durations("retention.metrics.selectors"),
            five_minutes_after: reader.optional_duration("retention.metrics.five_minutes_after"),
            one_hour_after: reader.optional_duration("retention.metrics.one_hour_after"),
        },
        query: Query {
            timeout: reader.duration("query.timeout"),
            rows_max: reader.count("query.rows_max"),
            samples_max: reader.count("query.samples_max"),
            lookback: reader.duration("query.lookback"),
            cache_bytes: reader.optional_bytes("query.cache_bytes"),
            running_max: reader.count("query.running_max"),
            queue_max: reader.count("query.queue_max"),
            spill_bytes_max: reader.bytes("query.spill_bytes_max") as u64,
        },
    }
}

fn prometheus(reader: &mut Reader<'_>) -> Prometheus {
    let lifecycle = reader.text("prometheus.lifecycle");
    Prometheus {
        config: reader.optional_text("prometheus.config").map(PathBuf::from),
        features: reader.words("prometheus.features"),
        external_url: reader.optional_url("prometheus.external_url"),
        cors_origin: reader.text("prometheus.cors_origin"),
        reload: lifecycle != "off",
        quit: lifecycle == "on",
    }
}

/// What is fine by itself but not together.
fn contradictions(config: &Config) -> Vec<String> {
    const MEMORY_MIN: usize = 128 << 20;
    let mut problems = Vec::new();
    let listeners = [
        ("listen.main", Some(config.listen.main)),
        ("listen.otlp_grpc", config.listen.otlp_grpc),
        ("listen.otlp_http", config.listen.otlp_http),
        ("listen.prometheus", config.listen.prometheus),
    ];
    let open = config.insecure || !config.auth_keys.is_empty();
    for (path, address) in listeners {
        if let Some(address) = address
            && !address.ip().is_loopback()
            && !open
        {
            problems.push(format!(
                "{path}: {address} can be reached from other machines, and anybody may read and \
                 write there; set auth.keys, or say insecure: true (--insecure) when that is wanted"
            ));
        }
    }
    if let Err(error) = api::prometheus::CorsOrigin::parse(&config.prometheus.cors_origin) {
        problems.push(format!("prometheus.cors_origin: {error}"));
    }
    if config.memory_limit < MEMORY_MIN {
        problems.push("memory.limit: at least 128MiB are needed".to_owned());
    }
    problems
}

fn unknown(place: &str, path: &str) -> String {
    let nearest = nearest(path, SETTINGS.iter().map(|setting| setting.path.to_owned()));
    match nearest {
        Some(nearest) => format!("{place}: unknown key {path}; did you mean {nearest}?"),
        None => format!("{place}: unknown key {path}"),
    }
}

fn nearest(name: &str, names: impl Iterator<Item = String>) -> Option<String> {
    names.min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}

/// The variable of a setting: `listen.main` is `TREFOIL_LISTEN_MAIN`.
pub(crate) fn variable_of(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// Reads the file, if there is one, and the environment.
pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<RawConfig> {
    let mut raw = RawConfig::default();
    if let Some(path) = file {
        raw = load_file(path)?;
    }
    raw.read_environment(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )?;
    Ok(raw)
}

/// What the tools of object stores read from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`), for
/// commands that read a store without being its server; names as `object_store` has them.
pub(crate) fn store_credentials() -> Vec<(String, String)> {
    const OWNERS: [&str; 3] = ["aws_", "google_", "azure_"];
    let named = std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?.to_ascii_lowercase(), value.into_string().ok()?))
    });
    named.filter(|(name, _)| OWNERS.iter().any(|owner| name.starts_with(owner))).collect()
}

/// Reads the file alone.
pub(crate) fn load_file(path: &Path) -> anyhow::Result<RawConfig> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", path.display()))?;
    let mut raw = RawConfig::default();
    raw.read_document(&path.display().to_string(), &text)?;
    Ok(raw)
}

#[cfg(test)]
mod tests;
