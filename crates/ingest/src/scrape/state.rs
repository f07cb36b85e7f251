//! What can be seen of scraping from outside.

use std::collections::BTreeMap;

use model::metric::Metadata;
use serde::Serialize;

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// The last scrape went well.
    Up,
    /// It did not.
    Down,
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// As it was discovered.
    pub discovered_labels: BTreeMap<String, String>,
    /// After relabelling.
    pub labels: BTreeMap<String, String>,
    /// The job.
    pub scrape_pool: String,
    /// The page.
    pub scrape_url: String,
    /// How it is.
    pub health: Health,
    /// Why it is down; empty when it is not.
    pub last_error: String,
    /// When the last scrape began, milliseconds since 1970; 0 is never.
    pub last_scrape_ms: i64,
    /// How long it took, seconds.
    pub last_scrape_duration: f64,
    /// How often, as Prometheus writes durations.
    pub scrape_interval: String,
    /// How long at most.
    pub scrape_timeout: String,
}

/// A job with its targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolState {
    /// The job's name.
    pub name: String,
    /// Targets that are scraped, by their labels.
    pub active: Vec<TargetState>,
    /// Labels, before relabelling, of targets that relabelling dropped; the first few if there is a
    /// limit.
    pub dropped: Vec<BTreeMap<String, String>>,
    /// How many were dropped.
    pub dropped_count: usize,
    /// Why discovered targets cannot be scraped.
    pub errors: Vec<String>,
}

/// What a target says about a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetMetadata {
    /// The target's labels.
    pub target: BTreeMap<String, String>,
    /// What it says.
    pub metadata: Metadata,
}
