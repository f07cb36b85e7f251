//! What Prometheus's API needs from outside, as traits that the program's wiring implements.
//!
//! All methods are plain functions that may take a while: they are called on threads that may
//! block. What a server does not have keeps its default, an empty answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::Tenant;
use model::metric::{Exemplar, Labels, Matcher, Metadata};
use promql::source::SeriesSource;
use serde::Serialize;
use stdx::clock::UnixNanos;

use super::notifications::Notifications;

/// Which series, when.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Series that satisfy all matchers of one of the sets; all series when there is no set.
    pub matchers: Vec<Vec<Matcher>>,
    /// The first time that counts, milliseconds.
    pub start: i64,
    /// The last time that counts, milliseconds.
    pub end: i64,
    /// How many to find at most.
    pub limit: usize,
}

/// Why the store has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The request cannot be carried out.
    #[error("{0}")]
    Invalid(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// Something is broken.
    #[error("{0}")]
    Failed(String),
}

/// The exemplars of one series.
#[derive(Debug, Clone)]
pub struct SeriesExemplars {
    /// The series' labels.
    pub labels: Labels,
    /// In order of time.
    pub exemplars: Vec<Exemplar>,
}

/// How many series there are of what in memory.
#[derive(Debug, Clone, Default)]
pub struct Cardinality {
    /// Series in memory.
    pub series: u64,
    /// Distinct pairs of label and value.
    pub label_pairs: u64,
    /// Chunks in memory.
    pub chunks: u64,
    /// The first time in memory, milliseconds.
    pub min_time: i64,
    /// The last time in memory, milliseconds.
    pub max_time: i64,
    /// Metrics and how many series each has, the most first.
    pub series_by_metric: Vec<(String, u64)>,
    /// Labels and how many values each has, the most first.
    pub values_by_label: Vec<(String, u64)>,
    /// Labels and how many bytes their values take, the most first.
    pub bytes_by_label: Vec<(String, u64)>,
    /// `label=value` and how many series have it, the most first.
    pub series_by_pair: Vec<(String, u64)>,
}

/// What series cost within a time, in memory and in files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Costs {
    /// Series with samples within the time.
    pub series: u64,
    /// Of these, how many are in memory.
    pub head_series: u64,
    /// What these take there, bytes, about.
    pub head_bytes: u64,
    /// Samples in files.
    pub samples: u64,
    /// What these take, bytes, about.
    pub block_bytes: u64,
    /// Distinct names of labels.
    pub label_names: u64,
    /// Distinct pairs of label and value.
    pub label_pairs: u64,
    /// All figures are estimates from one of so many series; 1: they are counted.
    pub one_in: u64,
    /// Whether there was time for all files; otherwise the oldest are left out.
    pub complete: bool,
    /// Metrics, those with the most series first.
    pub metrics: Vec<MetricCost>,
    /// Labels, those with the most values first.
    pub labels: Vec<LabelCost>,
    /// Labels with a value, those with the most series first.
    pub pairs: Vec<PairCost>,
}

/// What a metric costs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MetricCost {
    /// Its name.
    pub metric: String,
    /// Its series.
    pub series: u64,
    /// What it takes in memory, bytes, about.
    pub bytes: u64,
    /// Its samples in files.
    pub samples: u64,
    /// What these take, bytes, about.
    pub block_bytes: u64,
}

/// What a label costs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LabelCost {
    /// Its name.
    pub label: String,
    /// Its distinct values.
    pub values: u64,
    /// Their length, bytes.
    pub bytes: u64,
}

/// How many series have a label with a value.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PairCost {
    /// The label.
    pub label: String,
    /// The value.
    pub value: String,
    /// The series.
    pub series: u64,
}

/// What counting may take.
pub struct CostLimits<'a> {
    /// Bytes of memory.
    pub bytes_max: usize,
    /// Whether it is time to come to an end.
    pub give_up: &'a dyn Fn() -> bool,
}

impl fmt::Debug for CostLimits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostLimits").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

/// Samples that lie in files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// Its name.
    pub id: String,
    /// Its first time, milliseconds.
    pub min_time: i64,
    /// Its last time, milliseconds.
    pub max_time: i64,
    /// Series.
    pub series: u64,
    /// Floats.
    pub floats: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Chunks.
    pub chunks: u64,
    /// Deletions that are not carried out in its files.
    pub tombstones: u64,
    /// How often its samples were merged; 1 is not at all.
    pub level: u32,
    /// The blocks of fresh samples that are in it.
    pub sources: Vec<String>,
    /// The distance of downsampled points, milliseconds; 0 means as they came.
    pub resolution_ms: i64,
}

/// The store of metrics.
pub trait Metrics: Send + Sync {
    /// The samples of a tenant, for the evaluator.
    fn source(&self, tenant: &Tenant) -> Arc<dyn SeriesSource>;

    /// Series, sorted, none twice.
    fn series(&self, tenant: &Tenant, selection: &Selection) -> Result<Vec<Labels>, StoreError>;

    /// Names of labels, sorted, none twice.
    fn label_names(
        &self,
        tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError>;

    /// Values of a label, sorted, none twice.
    fn label_values(
        &self,
        tenant: &Tenant,
        label: &str,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError>;

    /// What is known about metrics: of one, or of at most `limit`.
    fn metadata(&self, tenant: &Tenant, metric: Option<&str>, limit: usize) -> Vec<Metadata>;

    /// Exemplars of the series that satisfy one of the sets of matchers.
    fn exemplars(
        &self,
        tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<SeriesExemplars>, StoreError>;

    /// How many series there are of what in memory; at most `limit` lines a list.
    fn cardinality(&self, tenant: &Tenant, limit: usize) -> Cardinality;

    /// What series cost; at most `selection.limit` lines a list.
    fn costs(
        &self,
        tenant: &Tenant,
        selection: &Selection,
        limits: &CostLimits<'_>,
    ) -> Result<Costs, StoreError>;

    /// Deletes the samples of series in a range of time.
    fn delete(&self, tenant: &Tenant, selection: &Selection) -> Result<(), StoreError>;

    /// Frees the space of what was deleted.
    fn clean_tombstones(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The blocks of a tenant, by time.
    fn blocks(&self, tenant: &Tenant) -> Vec<Block> {
        let _ = tenant;
        Vec::new()
    }

    /// The first and the last segment of the log that were read at the start.
    fn replayed(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Copies all data to a directory and tells its name.
    fn snapshot(&self, skip_head: bool) -> Result<String, StoreError> {
        let _ = skip_head;
        Err(StoreError::Unavailable("snapshots are not supported".to_owned()))
    }
}

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The last scrape worked.
    Up,
    /// It did not.
    Down,
    /// There was none yet.
    Unknown,
}

/// Something that is scraped.
#[derive(Debug, Clone)]
pub struct Target {
    /// As it was discovered.
    pub discovered_labels: Labels,
    /// After relabelling.
    pub labels: Labels,
    /// The job.
    pub pool: String,
    /// Where.
    pub url: String,
    /// What went wrong last.
    pub last_error: String,
    /// When the last scrape began.
    pub last_scrape: Option<UnixNanos>,
    /// How long it took, seconds.
    pub last_scrape_seconds: f64,
    /// How it is.
    pub health: Health,
    /// How often, as a duration (`15s`).
    pub interval: String,
    /// How long at most, as a duration.
    pub timeout: String,
}

/// Something that relabelling has dropped.
#[derive(Debug, Clone)]
pub struct DroppedTarget {
    /// As it was discovered.
    pub discovered_labels: Labels,
    /// The job.
    pub pool: String,
}

/// What a rule of relabelling did to labels.
#[derive(Debug, Clone)]
pub struct RelabelStep {
    /// The rule, as JSON of its fields.
    pub rule: serde_json::Value,
    /// The labels after it.
    pub labels: Labels,
    /// Whether the target is still there.
    pub keep: bool,
}

/// The scraper.
pub trait Targets: Send + Sync {
    /// What is scraped, by job.
    fn active(&self) -> Vec<Target> {
        Vec::new()
    }

    /// What was dropped.
    fn dropped(&self) -> Vec<DroppedTarget> {
        Vec::new()
    }

    /// The jobs.
    fn pools(&self) -> Vec<String> {
        Vec::new()
    }

    /// The configuration of a job as YAML, secrets hidden.
    fn pool_config(&self, pool: &str) -> Option<String> {
        let _ = pool;
        None
    }

    /// What the target with these labels says about its metrics.
    fn metadata(&self, target: &Target) -> Vec<Metadata> {
        let _ = target;
        Vec::new()
    }

    /// What the rules of a job do to labels; none when there is no such job.
    fn relabel_steps(&self, pool: &str, labels: &Labels) -> Option<Vec<RelabelStep>> {
        let _ = (pool, labels);
        None
    }
}

/// An alert that waits or fires.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// `pending`, `firing`.
    pub state: &'static str,
    /// Since when.
    pub active_at: Option<UnixNanos>,
    /// Since when it is only kept firing.
    pub keep_firing_since: Option<UnixNanos>,
    /// The value of its expression.
    pub value: f64,
}

/// What kind of rule it is.
#[derive(Debug, Clone)]
pub enum RuleKind {
    /// It records.
    Recording,
    /// It alerts.
    Alerting {
        /// `inactive`, `pending`, `firing`, `unknown`.
        state: &'static str,
        /// `for`, seconds.
        hold_seconds: f64,
        /// `keep_firing_for`, seconds.
        keep_firing_seconds: f64,
        /// Its annotations, not expanded.
        annotations: Labels,
        /// Its alerts.
        alerts: Vec<Alert>,
    },
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it records, or the alert's name.
    pub name: String,
    /// The expression.
    pub query: String,
    /// The labels that it adds.
    pub labels: Labels,
    /// `ok`, `err`, `unknown`.
    pub health: &'static str,
    /// What went wrong last.
    pub last_error: String,
    /// How long the last evaluation took, seconds.
    pub evaluation_seconds: f64,
    /// When it was.
    pub last_evaluation: Option<UnixNanos>,
    /// What kind.
    pub kind: RuleKind,
}

/// A group of rules.
#[derive(Debug, Clone)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// Where it was read from.
    pub file: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// How often, seconds.
    pub interval_seconds: f64,
    /// How many series or alerts a rule may make; 0 is any number.
    pub limit: u64,
    /// How long the last evaluation took, seconds.
    pub evaluation_seconds: f64,
    /// When it was.
    pub last_evaluation: Option<UnixNanos>,
}

/// The rules.
pub trait Rules: Send + Sync {
    /// The groups of a tenant, in order of file and place.
    fn groups(&self, tenant: &Tenant) -> Vec<RuleGroup> {
        let _ = tenant;
        Vec::new()
    }

    /// Where alerts are sent, and where not any more.
    fn alertmanagers(&self) -> (Vec<String>, Vec<String>) {
        (Vec::new(), Vec::new())
    }
}

/// How the server is, beyond its data.
#[derive(Debug, Clone, Default)]
pub struct RuntimeInfo {
    /// When it was started.
    pub start: UnixNanos,
    /// Its directory.
    pub directory: String,
    /// Its host.
    pub hostname: String,
    /// Whether the last reading of the configuration worked.
    pub config_loaded: bool,
    /// When that was.
    pub config_loaded_at: Option<UnixNanos>,
    /// Worker threads.
    pub threads: u64,
    /// Tasks that run now.
    pub tasks: u64,
    /// The memory that it may take, bytes.
    pub memory_bytes_limit: u64,
    /// How long data is kept: `15d`, `15d or 5GB`.
    pub retention: String,
}

/// The server.
pub trait Server: Send + Sync {
    /// Whether it takes requests.
    fn is_ready(&self) -> bool {
        true
    }

    /// The configuration as YAML, secrets hidden.
    fn config(&self) -> String {
        String::new()
    }

    /// The flags, by Prometheus's names where there is one.
    fn flags(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// How it is.
    fn runtime(&self) -> RuntimeInfo {
        RuntimeInfo::default()
    }

    /// Reads the configuration again.
    fn reload(&self) -> Result<(), String> {
        Err("there is no configuration to reload".to_owned())
    }

    /// Stops the server. `false` says that it does not do so on request.
    fn quit(&self) -> bool {
        false
    }

    /// What users should know; none when nobody tells.
    fn notifications(&self) -> Option<&Notifications> {
        None
    }

    /// The server's own metrics, in the text format.
    fn own_metrics(&self) -> String {
        String::new()
    }

    /// The labels that federation adds.
    fn external_labels(&self) -> Labels {
        Labels::empty()
    }
}

/// A part that is not there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Absent;

impl Targets for Absent {}
impl Rules for Absent {}
impl Server for Absent {}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Health::Up => "up",
            Health::Down => "down",
            Health::Unknown => "unknown",
        })
    }
}
