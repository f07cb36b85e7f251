//! Queries: evaluated, formatted, parsed; exemplars.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use model::Tenant;
use promql::ast::Expr;
use promql::ast_json::AstJson;
use promql::cache::Question;
use promql::control::Cancel;
use promql::engine::{Outcome, Run, Value};
use promql::parser::parse as parse_query;
use promql::prettier::prettify;
use serde::Serialize;
use stdx::clock::Stopwatch;
use tokio::sync::OwnedSemaphorePermit;

use super::Prometheus;
use super::encode::{put_labels, put_result, put_time, put_value, size_of_result};
use super::envelope::{Answer, ApiError, Kind, Notes, close, envelope, json, open, success};
use super::outside::{Selection, SeriesExemplars};
use super::params::{MAX_TIME, MIN_TIME, Params, parse_duration_param};

/// The most steps of a range query.
const STEPS_MAX: i64 = 11_000;

/// Reads the query of a request.
fn expression(api: &Prometheus, params: &Params) -> Result<Expr, ApiError> {
    parse_query(params.get("query"), api.language)
        .map_err(|error| ApiError::parameter("query", error))
}

/// A request to evaluate a query.
struct Evaluation {
    tenant: Tenant,
    query: String,
    limit: Option<usize>,
    stats: bool,
    /// Statistics of each step too.
    per_step: bool,
    timeout: Duration,
    lookback: Option<i64>,
    queued: Stopwatch,
}

impl Evaluation {
    fn read(api: &Prometheus, tenant: Tenant, params: &Params) -> Result<Evaluation, ApiError> {
        let timeout = params.duration("timeout")?.map_or(api.limits.timeout, |millis| {
            let asked = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
            asked.min(api.limits.timeout)
        });
        let lookback = match params.get("lookback_delta") {
            "" => None,
            text => Some(parse_duration_param(text).map_err(|error| {
                ApiError::bad_data(format!("error parsing lookback delta duration: {error}"))
            })?),
        };
        Ok(Evaluation {
            tenant,
            query: params.get("query").to_owned(),
            limit: params.limit()?,
            stats: !params.get("stats").is_empty(),
            per_step: params.get("stats") == "all",
            timeout,
            lookback,
            queued: Stopwatch::start(),
        })
    }

    fn run(&self, api: &Prometheus, cancel: Cancel) -> Run {
        let left = self.timeout.saturating_sub(self.queued.elapsed());
        let mut limits = api.limits.clone();
        limits.timeout = left;
        Run { limits, cancel, lookback: self.lookback, per_step: self.per_step }
    }

    /// The answer as JSON.
    fn answer(&self, mut outcome: Outcome, queued: Duration, evaluated: Duration) -> Vec<u8> {
        let mut notes = Notes {
            warnings: outcome.annotations.warnings(&self.query),
            infos: outcome.annotations.infos(&self.query),
        };
        if let (Some(limit), Value::Vector(series) | Value::Matrix(series)) =
            (self.limit, &mut outcome.value)
            && series.len() > limit
        {
            series.truncate(limit);
            notes.warnings.append(&mut Notes::truncated().warnings);
        }
        let mut body = open(size_of_result(&outcome.value));
        body.push(b'{');
        put_result(&mut body, &outcome.value);
        if self.stats {
            let stats = stats(&outcome, queued, evaluated);
            body.extend_from_slice(b",\"stats\":");
            body.extend_from_slice(&serde_json::to_vec(&stats).unwrap_or_default());
        }
        body.push(b'}');
        close(body, &notes)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    total_queryable_samples_per_step: Vec<(serde_json::Number, u64)>,
    total_queryable_samples: u64,
    peak_samples: u64,
}

#[derive(Serialize)]
struct StatsJson {
    timings: Timings,
    samples: Samples,
}

fn stats(outcome: &Outcome, queued: Duration, evaluated: Duration) -> StatsJson {
    let (queued, evaluated) = (queued.as_secs_f64(), evaluated.as_secs_f64());
    StatsJson {
        timings: Timings {
            eval_total_time: evaluated,
            result_sort_time: 0.0,
            query_preparation_time: 0.0,
            inner_eval_time: evaluated,
            exec_queue_time: queued,
            exec_total_time: queued + evaluated,
        },
        samples: Samples {
            total_queryable_samples_per_step: outcome
                .stats
                .by_step
                .iter()
                .map(|&(time, samples)| (seconds(time), samples))
                .collect(),
            total_queryable_samples: outcome.stats.total_samples,
            peak_samples: outcome.stats.peak_samples,
        },
    }
}

/// A time in seconds, whole where it is.
fn seconds(millis: i64) -> serde_json::Number {
    let exact = (millis % 1_000 != 0)
        .then(|| serde_json::Number::from_f64(millis as f64 / 1_000.0))
        .flatten();
    exact.unwrap_or_else(|| (millis / 1_000).into())
}

/// Waits until the query may run.
async fn admit(api: &Prometheus, timeout: Duration) -> Result<OwnedSemaphorePermit, ApiError> {
    let permit = Arc::clone(&api.concurrency).acquire_owned();
    match tokio::time::timeout(timeout, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(ApiError::new(Kind::Unavailable, "the server is shutting down")),
        Err(_) => Err(ApiError::new(Kind::Timeout, "query timed out in query queue")),
    }
}

/// Evaluates on a thread that may block.
async fn evaluate(
    api: &Prometheus,
    evaluation: Evaluation,
    run: impl FnOnce(&Prometheus, &Evaluation, Run) -> Result<Outcome, ApiError> + Send + 'static,
) -> Answer {
    let permit = admit(api, evaluation.timeout).await?;
    let body = api
        .blocking(move |api, cancel| {
            let _permit = permit;
            let queued = evaluation.queued.elapsed();
            let outcome = run(api, &evaluation, evaluation.run(api, cancel))?;
            let evaluated = evaluation.queued.elapsed().saturating_sub(queued);
            Ok(evaluation.answer(outcome, queued, evaluated))
        })
        .await?;
    Ok(json(body))
}

/// `/api/v1/query`
pub(super) async fn instant(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let time = params.time("time", api.now())?;
    let evaluation = Evaluation::read(&api, tenant, &params)?;
    let expr = expression(&api, &params)?;
    evaluate(&api, evaluation, move |api, evaluation, run| {
        let source = api.metrics.source(&evaluation.tenant);
        Ok(api.engine.instant(&*source, &expr, time, &run)?)
    })
    .await
}

/// `/api/v1/query_range`
pub(super) async fn range(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let limits = (params.required_time("start")?, params.required_time("end")?);
    let (start, end) = limits;
    if end < start {
        let message = "end timestamp must not be before start time";
        return Err(ApiError::parameter("end", message));
    }
    let step = parse_duration_param(params.get("step"))
        .map_err(|error| ApiError::parameter("step", error))?;
    if step <= 0 {
        let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", message));
    }
    if end.saturating_sub(start) / step > STEPS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let evaluation = Evaluation::read(&api, tenant, &params)?;
    let expr = expression(&api, &params)?;
    // `nocache` is VictoriaMetrics's parameter.
    let fresh = evaluation.per_step || params.get("nocache") == "1";
    evaluate(&api, evaluation, move |api, evaluation, run| {
        let source = api.metrics.source(&evaluation.tenant);
        if fresh {
            return Ok(api.engine.range(&*source, &expr, (start, end, step), &run)?);
        }
        let (tenant, query) = (evaluation.tenant.as_str(), evaluation.query.as_str());
        let (expr, now) = (&expr, api.now());
        let question = Question { tenant, query, expr, start, end, step, now };
        Ok(api.results.range(&api.engine, &*source, &question, &run)?)
    })
    .await
}

/// `/api/v1/format_query`
pub(super) async fn format(State(api): State<Prometheus>, params: Params) -> Answer {
    success(&prettify(&expression(&api, &params)?))
}

/// `/api/v1/parse_query`
pub(super) async fn parse(State(api): State<Prometheus>, params: Params) -> Answer {
    success(&AstJson(&expression(&api, &params)?))
}

/// `[{"seriesLabels":…,"exemplars":[{"labels":…,"value":"…","timestamp":…}]}]`
fn exemplars_json(found: &[SeriesExemplars]) -> Vec<u8> {
    let mut data = vec![b'['];
    for (index, series) in found.iter().enumerate() {
        data.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        data.extend_from_slice(b"\"seriesLabels\":");
        put_labels(&mut data, &series.labels);
        data.extend_from_slice(b",\"exemplars\":[");
        for (index, exemplar) in series.exemplars.iter().enumerate() {
            data.extend_from_slice(if index == 0 { b"{" } else { b",{" });
            data.extend_from_slice(b"\"labels\":");
            put_labels(&mut data, &exemplar.labels);
            data.extend_from_slice(b",\"value\":");
            put_value(&mut data, exemplar.value);
            data.extend_from_slice(b",\"timestamp\":");
            put_time(&mut data, exemplar.timestamp);
            data.push(b'}');
        }
        data.extend_from_slice(b"]}");
    }
    data.push(b']');
    data
}

/// `/api/v1/query_exemplars`
pub(super) async fn exemplars(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let (start, end) = (params.time("start", MIN_TIME)?, params.time("end", MAX_TIME)?);
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let expr = expression(&api, &params)?;
    let matchers: Vec<_> =
        expr.selectors().iter().map(|selector| selector.matchers.clone()).collect();
    if matchers.is_empty() {
        return Ok(json(envelope(b"", &Notes::default())));
    }
    let selection = Selection { matchers, start, end, limit: usize::MAX };
    let found = api.blocking(move |api, _| Ok(api.metrics.exemplars(&tenant, &selection)?)).await?;
    Ok(json(envelope(&exemplars_json(&found), &Notes::default())))
}
