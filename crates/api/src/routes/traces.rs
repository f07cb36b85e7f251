//! Search for traces, in two steps: the spans that match tell the traces, then the traces are
//! summed up by all of their spans.

use std::collections::{HashMap, HashSet};

use axum::extract::State;
use axum::{Extension, Json};
use model::{Table, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{ENTRY_SPANS, QueryStats, schema};
use crate::answer::{Answer, ask};
use crate::extract::Params;
use crate::search::{Conditions, Subject, parse};
use crate::time::{NANOS_PER_MILLI, Range, RangeParams, format};
use crate::{Api, Error};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// Spans looked at for each trace wanted, before all of them are grouped.
const SPANS_PER_TRACE: usize = 20;

/// How far the spans of a trace may lie from the one that matched.
const TRACE_NANOS_MAX: i64 = 3_600_000 * NANOS_PER_MILLI;

/// What traces are looked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TraceParams {
    /// A span of this service.
    pub service: Option<String>,
    /// A span of this name.
    pub operation: Option<String>,
    /// A span with this status: `ok`, `error` or `unset`.
    pub status: Option<String>,
    /// A span that took at least this long.
    pub min_duration_ms: Option<f64>,
    /// A request that took at most this long.
    pub max_duration_ms: Option<f64>,
    /// A search; words are looked for in the spans' names.
    pub q: Option<String>,
    /// `newest` or `slowest`.
    pub sort: Option<String>,
    /// 50 when absent, at most 500.
    pub limit: Option<usize>,
}

/// Traces that match.
#[derive(Debug, Serialize, ToSchema)]
pub struct Traces {
    /// In the order asked for.
    pub traces: Vec<TraceSummary>,
    /// Whether there are more.
    pub truncated: bool,
    /// What it cost.
    pub stats: QueryStats,
}

/// A trace in a line.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceSummary {
    /// Its id.
    pub trace_id: String,
    /// The root span's service; the first span's where the root is missing.
    #[schema(required)]
    pub root_service: Option<String>,
    /// The root span's name.
    #[schema(required)]
    pub root_name: Option<String>,
    /// RFC 3339.
    pub start: String,
    /// From the first span's start to the last one's end.
    pub duration_ms: f64,
    /// Spans.
    pub spans: u64,
    /// Spans that failed.
    pub errors: u64,
    /// Spans by service, the most first.
    pub services: Vec<ServiceSpans>,
    /// Spans that match.
    pub matched: u64,
}

/// Spans of a service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceSpans {
    /// The service.
    pub service: String,
    /// How many.
    pub spans: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Newest,
    Slowest,
}

impl Sort {
    fn read(word: Option<&str>) -> Result<Sort, Error> {
        match word {
            None | Some("" | "newest") => Ok(Sort::Newest),
            Some("slowest") => Ok(Sort::Slowest),
            Some(other) => {
                Err(Error::bad_request(format!("sort is newest or slowest, not {other:?}")))
            }
        }
    }

    fn column(self) -> &'static str {
        match self {
            Sort::Newest => "time",
            Sort::Slowest => "duration_ns",
        }
    }
}

fn conditions(
    api: &Api,
    tenant: &Tenant,
    params: &TraceParams,
    range: Range,
) -> Result<Conditions, Error> {
    let mut conditions = Conditions::new();
    conditions.within(range);
    for (column, value) in [("service", &params.service), ("name", &params.operation)] {
        if let Some(value) = given(value) {
            conditions.equal(column, value);
        }
    }
    if let Some(status) = given(&params.status) {
        if !matches!(status, "ok" | "error" | "unset") {
            return Err(Error::bad_request(format!(
                "status is ok, error or unset, not {status:?}"
            )));
        }
        conditions.equal("status", status);
    }
    for (op, millis) in [(">=", params.min_duration_ms), ("<=", params.max_duration_ms)] {
        if let Some(millis) = millis {
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            let nanos = conditions.bind((millis * 1e6).round() as i64);
            conditions.push(format!("duration_ns {op} {nanos}"));
        }
    }
    if let Some(q) = given(&params.q) {
        let schema = schema(api, Table::Spans, tenant)?;
        conditions.search(&Subject::new(Table::Spans, &schema), &parse(q)?)?;
    }
    Ok(conditions)
}

fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Traces with a span that matches.
#[utoipa::path(
    get, path = "/api/v1/traces", params(RangeParams, TraceParams),
    responses((status = 200, body = Traces), (status = 400, body = crate::ErrorBody))
)]
pub async fn traces(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
    Params(params): Params<TraceParams>,
) -> Result<Json<Traces>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let sort = Sort::read(params.sort.as_deref())?;
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let mut conditions = conditions(&api, &tenant, &params, range)?;
    if params.max_duration_ms.is_some() {
        // Nearly every trace has some span that is short.
        conditions.push(ENTRY_SPANS);
    }
    let found = matching(&api, &tenant, &conditions, sort, limit).await?;
    let truncated = found.ids.len() > limit;
    let ids = &found.ids[..found.ids.len().min(limit)];
    if ids.is_empty() {
        return Ok(Json(Traces { traces: Vec::new(), truncated, stats: found.stats.into() }));
    }
    let around = Range {
        start: found.times.start.saturating_sub(TRACE_NANOS_MAX),
        end: found.times.end.saturating_add(TRACE_NANOS_MAX),
    };
    let (mut summaries, stats) = summarize(&api, &tenant, conditions, ids, around).await?;
    let traces = ids.iter().filter_map(|id| summaries.remove(id)).map(Trace::summary).collect();
    let mut stats = QueryStats::from(stats);
    stats.elapsed_ms += found.stats.elapsed_ms;
    stats.rows_scanned += found.stats.rows_scanned;
    stats.bytes_scanned += found.stats.bytes_scanned;
    stats.files_scanned += found.stats.files_scanned;
    Ok(Json(Traces { traces, truncated, stats }))
}

struct Found {
    /// One more than wanted, if there are.
    ids: Vec<String>,
    times: Range,
    stats: query::Stats,
}

/// The traces of the matching spans, in order: from the best few spans if these make enough
/// traces, else from all of them.
async fn matching(
    api: &Api,
    tenant: &Tenant,
    conditions: &Conditions,
    sort: Sort,
    limit: usize,
) -> Result<Found, Error> {
    let spans = (limit + 1) * SPANS_PER_TRACE;
    let (filter, by) = (conditions.sql(), sort.column());
    let sql = format!(
        "SELECT trace_id, CAST(time AS BIGINT) AS micros FROM spans WHERE {filter} \
         ORDER BY {by} DESC LIMIT {spans}"
    );
    let answer = ask(api, tenant, &sql, conditions.params()).await?;
    let all = answer.batch.num_rows() < spans;
    let found = distinct(&answer, limit)?;
    if all || found.ids.len() > limit {
        return Ok(found);
    }
    let sql = format!(
        "SELECT trace_id, CAST(max(time) AS BIGINT) AS micros FROM spans WHERE {filter} \
         GROUP BY trace_id ORDER BY max({by}) DESC LIMIT {}",
        limit + 1
    );
    distinct(&ask(api, tenant, &sql, conditions.params()).await?, limit)
}

fn distinct(answer: &Answer, limit: usize) -> Result<Found, Error> {
    let (ids, micros) = (answer.texts("trace_id")?, answer.ints("micros")?);
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut times = Range { start: i64::MAX, end: i64::MIN };
    for row in answer.rows() {
        let Some(id) = ids.get(row) else { continue };
        if found.len() > limit {
            break;
        }
        let time = micros.get(row).saturating_mul(1_000);
        times.start = times.start.min(time);
        times.end = times.end.max(time);
        if seen.insert(id) {
            found.push(id.to_owned());
        }
    }
    Ok(Found { ids: found, times, stats: answer.stats })
}

/// A trace being summed up.
#[derive(Default)]
struct Trace {
    trace_id: String,
    root: Option<(bool, i64, String, String)>,
    start: i64,
    end: i64,
    spans: u64,
    errors: u64,
    matched: u64,
    services: Vec<ServiceSpans>,
}

impl Trace {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
    fn summary(mut self) -> TraceSummary {
        self.services.sort_by(|a, b| b.spans.cmp(&a.spans).then(a.service.cmp(&b.service)));
        let (root_service, root_name) = match self.root {
            Some((_, _, service, name)) => (Some(service), Some(name)),
            None => (None, None),
        };
        TraceSummary {
            trace_id: self.trace_id,
            root_service,
            root_name,
            start: format(self.start),
            duration_ms: (self.end - self.start) as f64 / 1e6,
            spans: self.spans,
            errors: self.errors,
            services: self.services,
            matched: self.matched,
        }
    }
}

async fn summarize(
    api: &Api,
    tenant: &Tenant,
    mut conditions: Conditions,
    ids: &[String],
    around: Range,
) -> Result<(HashMap<String, Trace>, query::Stats), Error> {
    let matched = conditions.sql();
    let start = conditions.bind(format(around.start));
    let end = conditions.bind(format(around.end));
    let ids: Vec<String> = ids.iter().map(|id| conditions.bind(Value::from(id.as_str()))).collect();
    let sql = format!(
        "SELECT trace_id, service, count(*) AS spans, \
         count(*) FILTER (WHERE status = 'error') AS errors, \
         count(*) FILTER (WHERE {matched}) AS matched, \
         min(CAST(time AS BIGINT) * 1000 + time_ns) AS start, \
         max(CAST(time AS BIGINT) * 1000 + time_ns + duration_ns) AS finish, \
         CAST(max(CASE WHEN parent_span_id IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS has_root, \
         first_value(name ORDER BY parent_span_id IS NOT NULL, time, time_ns) AS name \
         FROM spans WHERE time >= {start} AND time <= {end} AND trace_id IN ({}) \
         GROUP BY trace_id, service",
        ids.join(", ")
    );
    let answer = ask(api, tenant, &sql, conditions.params()).await?;
    Ok((merge(&answer)?, answer.stats))
}

/// Joins the services of each trace.
fn merge(answer: &Answer) -> Result<HashMap<String, Trace>, Error> {
    let (ids, services) = (answer.texts("trace_id")?, answer.texts("service")?);
    let (spans, errors) = (answer.ints("spans")?, answer.ints("errors")?);
    let (starts, ends) = (answer.ints("start")?, answer.ints("finish")?);
    let (matched, has_root) = (answer.ints("matched")?, answer.ints("has_root")?);
    let names = answer.texts("name")?;
    let mut traces: HashMap<String, Trace> = HashMap::new();
    for row in answer.rows() {
        let id = ids.owned(row);
        let (start, end) = (starts.get(row), ends.get(row));
        let trace = traces.entry(id.clone()).or_insert_with(|| Trace {
            trace_id: id,
            start,
            end,
            ..Trace::default()
        });
        trace.start = trace.start.min(start);
        trace.end = trace.end.max(end);
        trace.spans += spans.count(row);
        trace.errors += errors.count(row);
        trace.matched += matched.count(row);
        let service = services.owned(row);
        trace.services.push(ServiceSpans { service: service.clone(), spans: spans.count(row) });
        // A root beats none; then the earlier one.
        let candidate = (has_root.get(row) == 0, start, service, names.owned(row));
        if trace.root.as_ref().is_none_or(|best| candidate < *best) {
            trace.root = Some(candidate);
        }
    }
    Ok(traces)
}

/// Spans that match, over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceHistogram {
    /// The width of a bucket, milliseconds.
    pub step_ms: i64,
    /// Every bucket of the range.
    pub buckets: Vec<TraceBucket>,
}

/// A bucket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TraceBucket {
    /// Where it begins, milliseconds since 1970.
    pub time_ms: i64,
    /// Spans.
    pub count: u64,
    /// Spans that failed.
    pub errors: u64,
    /// Median of the durations, milliseconds.
    #[schema(required)]
    pub p50_ms: Option<f64>,
    /// 95th percentile, milliseconds.
    #[schema(required)]
    pub p95_ms: Option<f64>,
}

/// What matches over time: requests, or, when an operation or a search is given, spans.
#[utoipa::path(
    get, path = "/api/v1/traces/histogram", params(RangeParams, TraceParams),
    responses((status = 200, body = TraceHistogram))
)]
pub async fn histogram(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
    Params(params): Params<TraceParams>,
) -> Result<Json<TraceHistogram>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let buckets = range.buckets();
    let mut conditions = conditions(&api, &tenant, &params, range)?;
    if given(&params.operation).is_none() && given(&params.q).is_none() {
        conditions.push(ENTRY_SPANS);
    }
    let sql = format!(
        "SELECT CAST(time AS BIGINT) / {} AS bucket, count(*) AS spans, \
         count(*) FILTER (WHERE status = 'error') AS errors, \
         approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS p50, \
         approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS p95 \
         FROM spans WHERE {} GROUP BY bucket",
        buckets.step_ms * 1_000,
        conditions.sql()
    );
    let answer = ask(&api, &tenant, &sql, conditions.params()).await?;
    let (bucket, spans, errors) =
        (answer.ints("bucket")?, answer.ints("spans")?, answer.ints("errors")?);
    let (p50, p95) = (answer.doubles("p50")?, answer.doubles("p95")?);
    let empty = |index| TraceBucket {
        time_ms: buckets.time_ms(index),
        count: 0,
        errors: 0,
        p50_ms: None,
        p95_ms: None,
    };
    let mut all: Vec<TraceBucket> = (0..buckets.count).map(empty).collect();
    for row in answer.rows() {
        let Some(index) = buckets.index(bucket.get(row) * buckets.step_ms) else { continue };
        let one = &mut all[index];
        one.count = spans.count(row);
        one.errors = errors.count(row);
        one.p50_ms = p50.nanos_as_ms(row);
        one.p95_ms = p95.nanos_as_ms(row);
    }
    Ok(Json(TraceHistogram { step_ms: buckets.step_ms, buckets: all }))
}
