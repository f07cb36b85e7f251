//! How the server is: configuration, flags, build, store, features, notifications.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::{StatusCode, header};
use model::Tenant;
use promql::ast::AggregateOp;
use promql::signature::FUNCTIONS;
use serde::Serialize;

use super::Prometheus;
use super::envelope::{Answer, ApiError, success};
use super::notifications::{Notification, Notifications};
use super::outside::Block;
use super::params::Params;
use super::targets::time_json;

#[derive(Serialize)]
struct Yaml {
    yaml: String,
}

/// `/api/v1/status/config`
pub(super) async fn config(State(api): State<Prometheus>) -> Answer {
    success(&Yaml { yaml: api.server.config() })
}

/// `/api/v1/status/flags`
pub(super) async fn flags(State(api): State<Prometheus>) -> Answer {
    success(&api.server.flags())
}

#[derive(Serialize)]
struct RuntimeJson {
    #[serde(rename = "startTime")]
    start_time: String,
    #[serde(rename = "CWD")]
    directory: String,
    hostname: String,
    #[serde(rename = "serverTime")]
    server_time: String,
    #[serde(rename = "reloadConfigSuccess")]
    reload_config_success: bool,
    #[serde(rename = "lastConfigTime")]
    last_config_time: String,
    #[serde(rename = "corruptionCount")]
    corruption_count: u64,
    #[serde(rename = "goroutineCount")]
    goroutine_count: u64,
    #[serde(rename = "GOMAXPROCS")]
    threads: u64,
    #[serde(rename = "GOMEMLIMIT")]
    memory_limit: u64,
    #[serde(rename = "GOGC")]
    gogc: &'static str,
    #[serde(rename = "GODEBUG")]
    godebug: &'static str,
    #[serde(rename = "storageRetention")]
    storage_retention: String,
}

/// `/api/v1/status/runtimeinfo`
pub(super) async fn runtime(State(api): State<Prometheus>) -> Answer {
    let info = api.server.runtime();
    success(&RuntimeJson {
        start_time: super::params::rfc3339(info.start),
        directory: info.directory,
        hostname: info.hostname,
        server_time: super::params::rfc3339(api.clock.now()),
        reload_config_success: info.config_loaded,
        last_config_time: time_json(info.config_loaded_at),
        corruption_count: 0,
        goroutine_count: info.tasks,
        threads: info.threads,
        memory_limit: info.memory_bytes_limit,
        gogc: "",
        godebug: "",
        storage_retention: info.retention,
    })
}

/// The version of Prometheus whose API this is: clients choose by it what they ask for.
const PROMETHEUS_VERSION: &str = "3.13.0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Build {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

const BUILD: Build = Build {
    version: PROMETHEUS_VERSION,
    revision: concat!("trefoil-", env!("CARGO_PKG_VERSION")),
    branch: "trefoil",
    build_user: "",
    build_date: "",
    go_version: "",
};

/// `/api/v1/status/buildinfo`
pub(super) async fn build() -> Answer {
    success(&BUILD)
}

/// `/version`
pub(super) async fn version() -> axum::Json<&'static Build> {
    axum::Json(&BUILD)
}

#[derive(Serialize)]
struct Blocks {
    blocks: Vec<BlockJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockJson {
    ulid: String,
    min_time: i64,
    max_time: i64,
    stats: BlockStats,
    compaction: Compaction,
    /// Not Prometheus's: the distance of downsampled points.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution_ms: Option<i64>,
    version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockStats {
    num_samples: u64,
    num_float_samples: u64,
    num_histogram_samples: u64,
    num_series: u64,
    num_chunks: u64,
    num_tombstones: u64,
}

#[derive(Serialize)]
struct Compaction {
    level: u32,
    sources: Vec<String>,
}

fn block_json(block: Block) -> BlockJson {
    BlockJson {
        ulid: block.id,
        min_time: block.min_time,
        // Prometheus's blocks end before this time.
        max_time: block.max_time.saturating_add(1),
        stats: BlockStats {
            num_samples: block.floats + block.histograms,
            num_float_samples: block.floats,
            num_histogram_samples: block.histograms,
            num_series: block.series,
            num_chunks: block.chunks,
            num_tombstones: block.tombstones,
        },
        compaction: Compaction { level: block.level, sources: block.sources },
        resolution_ms: (block.resolution_ms != 0).then_some(block.resolution_ms),
        version: 1,
    }
}

/// `/api/v1/status/tsdb/blocks`
pub(super) async fn blocks(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
) -> Answer {
    let blocks = api.blocking(move |api, _| Ok(api.metrics.blocks(&tenant))).await?;
    success(&Blocks { blocks: blocks.into_iter().map(block_json).collect() })
}

#[derive(Serialize)]
struct Replay {
    min: u64,
    max: u64,
    current: u64,
}

/// `/api/v1/status/walreplay`
pub(super) async fn replay(State(api): State<Prometheus>) -> Answer {
    // Nothing is answered before all of it is read.
    let (min, max) = api.metrics.replayed();
    success(&Replay { min, max, current: max })
}

#[derive(Serialize)]
struct OwnMetric {
    name: String,
    labels: BTreeMap<String, String>,
    value: String,
}

/// `/api/v1/status/self_metrics`: the server's own metrics, those whose names match a pattern.
pub(super) async fn own_metrics(State(api): State<Prometheus>, params: Params) -> Answer {
    let pattern = match params.get("metric_name_pattern") {
        "" => None,
        text => Some(regex::Regex::new(text).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().to_owned();
            ApiError::parameter("metric_name_pattern", reason)
        })?),
    };
    let text = api.blocking(|api, _| Ok(api.server.own_metrics())).await?;
    let metrics = text.lines().filter(|line| !line.starts_with('#')).filter_map(own_metric);
    let wanted = metrics
        .filter(|metric| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&metric.name)));
    success(&wanted.collect::<Vec<_>>())
}

/// A line of the text format: `name{label="value"} 1`.
fn own_metric(line: &str) -> Option<OwnMetric> {
    let end = line.rfind('}').map_or_else(|| line.find(' '), |at| Some(at + 1))?;
    let (series, value) = line.split_at_checked(end)?;
    let matchers = promql::parser::parse_selector(series).ok()?;
    let mut labels = BTreeMap::new();
    let mut name = String::new();
    for matcher in matchers {
        if matcher.name == model::metric::NAME_LABEL {
            name = matcher.value;
        } else {
            labels.insert(matcher.name, matcher.value);
        }
    }
    let value = value.split_whitespace().next()?.to_owned();
    Some(OwnMetric { name, labels, value })
}

/// `/api/v1/features`: what this server can do, by area.
pub(super) async fn features(State(api): State<Prometheus>) -> Answer {
    let mut features = BTreeMap::<&str, BTreeMap<String, bool>>::new();
    let mut set = |area: &'static str, name: &str, on: bool| {
        features.entry(area).or_default().insert(name.to_owned(), on);
    };
    let language = api.language;
    for (name, on) in [
        ("at_modifier", true),
        ("offset", true),
        ("subqueries", true),
        ("negative_offset", true),
        ("bool", true),
        ("per_query_lookback_delta", true),
        ("per_step_stats", true),
        ("type_and_unit_labels", api.engine.options().type_and_unit_labels),
        ("delayed_name_removal", api.engine.options().delayed_name_removal),
        ("duration_expr", language.duration_expressions),
        ("anchored", language.extended_range_selectors),
        ("smoothed", language.extended_range_selectors),
        ("fill", language.binop_fill_modifiers),
        ("fill_left", language.binop_fill_modifiers),
        ("fill_right", language.binop_fill_modifiers),
    ] {
        set("promql", name, on);
    }
    for function in FUNCTIONS {
        let on = !function.experimental || language.experimental_functions;
        set("promql_functions", function.name, on);
    }
    for op in AGGREGATIONS {
        let on = !op.is_experimental() || language.experimental_functions;
        set("promql_operators", op.as_str(), on);
    }
    for (name, on) in [
        ("admin", api.admin),
        ("lifecycle", api.lifecycle),
        ("exclude_alerts", true),
        ("label_values_match", true),
        ("query_stats", true),
        ("query_warnings", true),
        ("remote_write_receiver", true),
        ("otlp_write_receiver", true),
        ("search", true),
        ("time_range_labels", true),
        ("time_range_series", true),
        ("openapi_3.1", true),
    ] {
        set("api", name, on);
    }
    success(&features)
}

const AGGREGATIONS: [AggregateOp; 14] = [
    AggregateOp::Avg,
    AggregateOp::Bottomk,
    AggregateOp::Count,
    AggregateOp::CountValues,
    AggregateOp::Group,
    AggregateOp::LimitRatio,
    AggregateOp::Limitk,
    AggregateOp::Max,
    AggregateOp::Min,
    AggregateOp::Quantile,
    AggregateOp::Stddev,
    AggregateOp::Stdvar,
    AggregateOp::Sum,
    AggregateOp::Topk,
];

/// `/api/v1/notifications`
pub(super) async fn notifications(State(api): State<Prometheus>) -> Answer {
    success(&api.server.notifications().map(Notifications::active).unwrap_or_default())
}

fn event(notification: &Notification) -> Result<Event, Infallible> {
    Ok(Event::default().data(serde_json::to_string(notification).unwrap_or_default()))
}

/// `/api/v1/notifications/live`: those of now, then each that comes or goes, as server-sent events.
pub(super) async fn notifications_live(State(api): State<Prometheus>) -> Response {
    let Some(watched) = api.server.notifications().and_then(Notifications::watch) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let events = watched.map(|notification| event(&notification));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// `/api/v1/openapi.yaml`
pub(super) async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/yaml; charset=utf-8")];
    (headers, include_str!("openapi.yaml")).into_response()
}
