//! What is scraped.

use std::collections::BTreeMap;

use axum::extract::State;
use model::metric::{Labels, Matcher};
use promql::parser::parse_selector;
use serde::Serialize;
use stdx::clock::UnixNanos;

use super::Prometheus;
use super::encode::LabelsJson;
use super::envelope::{Answer, ApiError, Kind, success};
use super::outside::{DroppedTarget, RelabelStep, Target};
use super::params::{Params, whole_number};

/// A time as Go writes it; no time is the beginning of its calendar.
pub(super) fn time_json(time: Option<UnixNanos>) -> String {
    time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), super::params::rfc3339)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetJson<'a> {
    discovered_labels: LabelsJson<'a>,
    labels: LabelsJson<'a>,
    scrape_pool: &'a str,
    scrape_url: &'a str,
    global_url: &'a str,
    last_error: &'a str,
    last_scrape: String,
    last_scrape_duration: f64,
    health: String,
    scrape_interval: &'a str,
    scrape_timeout: &'a str,
}

fn target_json(target: &Target) -> TargetJson<'_> {
    TargetJson {
        discovered_labels: LabelsJson(&target.discovered_labels),
        labels: LabelsJson(&target.labels),
        scrape_pool: &target.pool,
        scrape_url: &target.url,
        global_url: &target.url,
        last_error: &target.last_error,
        last_scrape: time_json(target.last_scrape),
        last_scrape_duration: target.last_scrape_seconds,
        health: target.health.to_string(),
        scrape_interval: &target.interval,
        scrape_timeout: &target.timeout,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedJson<'a> {
    discovered_labels: LabelsJson<'a>,
    scrape_pool: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetsJson<'a> {
    active_targets: Vec<TargetJson<'a>>,
    dropped_targets: Vec<DroppedJson<'a>>,
    dropped_target_counts: Option<BTreeMap<&'a str, usize>>,
}

/// `/api/v1/targets`
pub(super) async fn targets(State(api): State<Prometheus>, params: Params) -> Answer {
    let state = params.get("state").to_ascii_lowercase();
    let shows = |what: &str| state.is_empty() || state == "any" || state == what;
    let pool = params.get("scrapePool");
    let wanted = |of: &str| pool.is_empty() || of == pool;
    let mut active: Vec<Target> = if shows("active") { api.targets.active() } else { Vec::new() };
    active.retain(|target| wanted(&target.pool));
    active.sort_by(|one, other| one.pool.cmp(&other.pool));
    let mut dropped: Vec<DroppedTarget> =
        if shows("dropped") { api.targets.dropped() } else { Vec::new() };
    dropped.retain(|target| wanted(&target.pool));
    dropped.sort_by(|one, other| one.pool.cmp(&other.pool));
    let mut counts = BTreeMap::new();
    for target in &dropped {
        *counts.entry(target.pool.as_str()).or_insert(0) += 1;
    }
    success(&TargetsJson {
        active_targets: active.iter().map(target_json).collect(),
        dropped_targets: dropped
            .iter()
            .map(|target| DroppedJson {
                discovered_labels: LabelsJson(&target.discovered_labels),
                scrape_pool: &target.pool,
            })
            .collect(),
        dropped_target_counts: shows("dropped").then_some(counts),
    })
}

#[derive(Serialize)]
struct TargetMetadata<'a> {
    target: LabelsJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    r#type: &'static str,
    help: String,
    unit: String,
}

/// `/api/v1/targets/metadata`
pub(super) async fn metadata(State(api): State<Prometheus>, params: Params) -> Answer {
    let limit = match params.get("limit") {
        "" => usize::MAX,
        text => {
            let limit = whole_number(text);
            let limit = limit.map_err(|_| ApiError::bad_data("limit must be a number"))?;
            usize::try_from(limit).unwrap_or(usize::MAX)
        }
    };
    let matchers = match params.get("match_target") {
        "" => Vec::new(),
        text => parse_selector(text).map_err(|error| ApiError::parameter("match_target", error))?,
    };
    let metric = params.get("metric");
    let active = api.targets.active();
    let mut found = Vec::new();
    for target in active.iter().filter(|target| all_match(&target.labels, &matchers)) {
        if found.len() >= limit {
            break;
        }
        for known in api.targets.metadata(target) {
            if !metric.is_empty() && known.metric != metric {
                continue;
            }
            found.push(TargetMetadata {
                target: LabelsJson(&target.labels),
                r#type: known.kind.as_str(),
                help: known.help,
                unit: known.unit,
                metric: metric.is_empty().then_some(known.metric),
            });
        }
    }
    success(&found)
}

/// Whether labels satisfy all matchers.
pub(super) fn all_match(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pools {
    scrape_pools: Vec<String>,
}

/// `/api/v1/scrape_pools`
pub(super) async fn pools(State(api): State<Prometheus>) -> Answer {
    let mut scrape_pools = api.targets.pools();
    scrape_pools.sort_unstable();
    success(&Pools { scrape_pools })
}

#[derive(Serialize)]
struct Yaml {
    yaml: String,
}

/// `/api/v1/scrape_pools/config`
pub(super) async fn pool_config(State(api): State<Prometheus>, params: Params) -> Answer {
    let pool = params.get("scrapePool");
    if pool.is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    match api.targets.pool_config(pool) {
        Some(yaml) => success(&Yaml { yaml }),
        None => Err(unknown_pool(pool)),
    }
}

fn unknown_pool(pool: &str) -> ApiError {
    ApiError::new(Kind::NotFound, format!("scrape pool {pool:?} not found"))
}

#[derive(Serialize)]
struct Step<'a> {
    rule: &'a serde_json::Value,
    output: LabelsJson<'a>,
    keep: bool,
}

#[derive(Serialize)]
struct Steps<'a> {
    steps: Vec<Step<'a>>,
}

/// `/api/v1/targets/relabel_steps`
pub(super) async fn relabel_steps(State(api): State<Prometheus>, params: Params) -> Answer {
    let pool = params.get("scrapePool");
    if pool.is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    let labels: BTreeMap<String, String> = serde_json::from_str(params.get("labels"))
        .map_err(|error| ApiError::bad_data(format!("error parsing labels: {error}")))?;
    let pairs: Vec<(String, String)> = labels.into_iter().collect();
    let steps = api.targets.relabel_steps(pool, &Labels::from_pairs(&pairs));
    let steps = steps.ok_or_else(|| unknown_pool(pool))?;
    let step = |step: &RelabelStep| (step.rule.clone(), step.labels.clone(), step.keep);
    let steps: Vec<_> = steps.iter().map(step).collect();
    let steps = steps
        .iter()
        .map(|(rule, labels, keep)| Step { rule, output: LabelsJson(labels), keep: *keep })
        .collect();
    success(&Steps { steps })
}
