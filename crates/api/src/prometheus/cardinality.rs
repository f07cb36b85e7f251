//! What series cost: Prometheus's figures of what is in memory, and our own of a time.

use std::time::Duration;

use axum::extract::{Extension, State};
use model::Tenant;
use serde::Serialize;
use stdx::clock::Stopwatch;

use super::Prometheus;
use super::envelope::{Answer, ApiError, Kind, Notes, success, success_with};
use super::outside::{CostLimits, Costs, Selection};
use super::params::{Params, whole_number};

#[derive(Serialize)]
struct Stat {
    name: String,
    value: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: u64,
    num_label_pairs: u64,
    chunk_count: u64,
    min_time: i64,
    max_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TsdbStatus {
    head_stats: HeadStats,
    series_count_by_metric_name: Vec<Stat>,
    label_value_count_by_label_name: Vec<Stat>,
    memory_in_bytes_by_label_name: Vec<Stat>,
    series_count_by_label_value_pair: Vec<Stat>,
}

/// How many lines of each list when nobody says otherwise, as in Prometheus.
const STATS_DEFAULT: usize = 10;
/// The most that can be asked for, as in Prometheus.
const STATS_MAX: usize = 10_000;

/// How many lines of each list of our own when nobody says otherwise.
const COSTS_DEFAULT: usize = 100;
/// Which time is looked at when nobody says otherwise, milliseconds.
const COSTS_BACK: i64 = 24 * 3_600_000;
/// The longest that counting takes; then the oldest blocks are left out.
const COSTS_TIME_MAX: Duration = Duration::from_secs(10);
/// The most memory that counting takes, bytes; at most half of what questions have.
const COSTS_BYTES_MAX: usize = 16 << 20;

/// `/api/v1/status/tsdb`: of what is in memory, as in Prometheus; with `start`, `end` or `match[]`
/// the lists are of that time and of those series, in memory and in blocks.
pub(super) async fn tsdb(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let limit = stats_limit(&params)?;
    let of_head = {
        let tenant = tenant.clone();
        api.blocking(move |api, _| Ok(api.metrics.cardinality(&tenant, limit))).await?
    };
    let list = |list: Vec<(String, u64)>| {
        list.into_iter().take(limit).map(|(name, value)| Stat { name, value }).collect()
    };
    let head_stats = HeadStats {
        num_series: of_head.series,
        num_label_pairs: of_head.label_pairs,
        chunk_count: of_head.chunks,
        min_time: of_head.min_time,
        max_time: of_head.max_time,
    };
    if ["start", "end", "match[]"].iter().all(|name| params.get(name).is_empty()) {
        return success(&TsdbStatus {
            head_stats,
            series_count_by_metric_name: list(of_head.series_by_metric),
            label_value_count_by_label_name: list(of_head.values_by_label),
            memory_in_bytes_by_label_name: list(of_head.bytes_by_label),
            series_count_by_label_value_pair: list(of_head.series_by_pair),
        });
    }
    let selection = Selection { limit, ..params.selection()? };
    let (costs, notes) = costs_of(&api, tenant, selection).await?;
    let Costs { metrics, labels, pairs, .. } = costs;
    let mut label_bytes: Vec<_> = labels.iter().map(|one| (one.label.clone(), one.bytes)).collect();
    label_bytes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let status = TsdbStatus {
        head_stats,
        series_count_by_metric_name: list(
            metrics.into_iter().map(|one| (one.metric, one.series)).collect(),
        ),
        label_value_count_by_label_name: list(
            labels.into_iter().map(|one| (one.label, one.values)).collect(),
        ),
        memory_in_bytes_by_label_name: list(label_bytes),
        series_count_by_label_value_pair: list(
            pairs
                .into_iter()
                .map(|one| (format!("{}={}", one.label, one.value), one.series))
                .collect(),
        ),
    };
    success_with(&status, &notes)
}

fn stats_limit(params: &Params) -> Result<usize, ApiError> {
    let text = params.get("limit");
    if text.is_empty() {
        return Ok(STATS_DEFAULT);
    }
    let limit = whole_number(text).ok().and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.filter(|&limit| limit > 0);
    let limit = limit.ok_or_else(|| ApiError::bad_data("limit must be a positive number"))?;
    if limit > STATS_MAX {
        return Err(ApiError::bad_data(format!("limit must not exceed {STATS_MAX}")));
    }
    Ok(limit)
}

/// `/api/v1/metrics/cardinality`: which metrics and labels cost most within a time, and what. Our
/// own.
pub(super) async fn cardinality(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let now = api.now();
    let asked = params.selection()?;
    let end = params.time("end", now)?;
    let selection = Selection {
        start: params.time("start", end.saturating_sub(COSTS_BACK))?,
        end,
        limit: params.limit()?.unwrap_or(COSTS_DEFAULT).min(STATS_MAX),
        ..asked
    };
    if selection.end < selection.start {
        return Err(ApiError::bad_data("end timestamp must not be before start time"));
    }
    let (costs, notes) = costs_of(&api, tenant, selection).await?;
    success_with(&costs, &notes)
}

/// Counts, with limits on time and memory.
async fn costs_of(
    api: &Prometheus,
    tenant: Tenant,
    selection: Selection,
) -> Result<(Costs, Notes), ApiError> {
    let count = move |api: &Prometheus, cancel: promql::control::Cancel| {
        let memory = &api.limits.memory;
        let bytes_max = COSTS_BYTES_MAX.min(memory.limit_bytes() / 2);
        let full = |full: stdx::memory::Full| ApiError::new(Kind::Unavailable, full.to_string());
        let _counted = memory.reserve(bytes_max).map_err(full)?;
        let begun = Stopwatch::start();
        let give_up = || cancel.is_cancelled() || begun.elapsed() > COSTS_TIME_MAX;
        let limits = CostLimits { bytes_max, give_up: &give_up };
        Ok(api.metrics.costs(&tenant, &selection, &limits)?)
    };
    let costs = api.blocking(count).await?;
    let mut notes = Notes::default();
    if !costs.complete {
        let told = "there was no time to count all blocks: the oldest are left out";
        notes.warnings.push(told.to_owned());
    }
    if costs.one_in > 1 {
        let told = format!("figures are estimated from one of {} series", costs.one_in);
        notes.infos.push(told);
    }
    Ok((costs, notes))
}
