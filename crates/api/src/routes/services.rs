//! Services and their operations: requests, errors, durations, from spans.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use futures::try_join;
use model::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

use super::ENTRY_SPANS;
use crate::answer::{Answer, ask, rate, share};
use crate::extract::Params;
use crate::search::Conditions;
use crate::time::{Buckets, Range, RangeParams, format};
use crate::{Api, Error};

/// The most services or operations of an answer.
const ROWS_MAX: usize = 500;

/// Counts and percentiles of spans. Durations are nanoseconds here.
const MEASURES: &str = "count(*) AS requests, \
    count(*) FILTER (WHERE status = 'error') AS errors, \
    approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS p50, \
    approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS p95, \
    approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY CAST(duration_ns AS DOUBLE)) AS p99";

/// Services in a range of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// The width of a bucket of the series, milliseconds. The first begins at or before `start`,
    /// at a multiple of this.
    pub step_ms: i64,
    /// Those with the most requests first.
    pub services: Vec<ServiceSummary>,
}

/// A service. Its requests are its spans of kind server or consumer, and those without parent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// One of its environments.
    #[schema(required)]
    pub environment: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Requests a second.
    pub rate: f64,
    /// 0 to 1.
    pub error_share: f64,
    /// Median of the durations, milliseconds.
    #[schema(required)]
    pub p50_ms: Option<f64>,
    /// 95th percentile, milliseconds.
    #[schema(required)]
    pub p95_ms: Option<f64>,
    /// 99th percentile, milliseconds.
    #[schema(required)]
    pub p99_ms: Option<f64>,
    /// RFC 3339.
    #[schema(required)]
    pub last_seen: Option<String>,
    /// Over time.
    pub series: Series,
}

/// A value a bucket.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Series {
    /// Requests.
    pub requests: Vec<u64>,
    /// Requests that failed.
    pub errors: Vec<u64>,
    /// 95th percentile of the durations, milliseconds; null where there were no requests.
    pub p95_ms: Vec<Option<f64>>,
}

/// Services with their request rate, errors and durations, from spans.
#[utoipa::path(get, path = "/api/v1/services", params(RangeParams), responses((status = 200, body = Services)))]
pub async fn services(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
) -> Result<Json<Services>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let buckets = range.buckets();
    let mut conditions = Conditions::new();
    conditions.within(range);
    conditions.push(ENTRY_SPANS);
    conditions.push("service IS NOT NULL");
    let totals_sql = format!(
        "SELECT service, max(environment) AS environment, {MEASURES}, \
         CAST(max(time) AS BIGINT) AS last_seen FROM spans WHERE {} \
         GROUP BY service ORDER BY requests DESC, service LIMIT {ROWS_MAX}",
        conditions.sql()
    );
    let series_sql = format!(
        "SELECT service, CAST(time AS BIGINT) / {} AS bucket, {MEASURES} FROM spans WHERE {} \
         GROUP BY service, bucket",
        buckets.step_ms * 1_000,
        conditions.sql()
    );
    let (totals, series) = try_join!(
        ask(&api, &tenant, &totals_sql, conditions.params()),
        ask(&api, &tenant, &series_sql, conditions.params())
    )?;
    let mut series = series_by_service(&series, buckets)?;
    let (names, environments) = (totals.texts("service")?, totals.texts("environment")?);
    let last_seen = totals.ints("last_seen")?;
    let measures = Measures::of(&totals)?;
    let mut services = Vec::new();
    for row in totals.rows() {
        let service = names.owned(row);
        services.push(ServiceSummary {
            environment: environments.get(row).map(str::to_owned),
            requests: measures.requests.count(row),
            rate: rate(measures.requests.count(row), range.seconds()),
            error_share: share(measures.errors.count(row), measures.requests.count(row)),
            p50_ms: measures.p50.nanos_as_ms(row),
            p95_ms: measures.p95.nanos_as_ms(row),
            p99_ms: measures.p99.nanos_as_ms(row),
            last_seen: Some(format(last_seen.get(row) * 1_000)),
            series: series.remove(&service).unwrap_or_default(),
            service,
        });
    }
    Ok(Json(Services {
        start: format(range.start),
        end: format(range.end),
        step_ms: buckets.step_ms,
        services,
    }))
}

struct Measures {
    requests: crate::answer::Ints,
    errors: crate::answer::Ints,
    p50: crate::answer::Doubles,
    p95: crate::answer::Doubles,
    p99: crate::answer::Doubles,
}

impl Measures {
    fn of(answer: &Answer) -> Result<Measures, Error> {
        Ok(Measures {
            requests: answer.ints("requests")?,
            errors: answer.ints("errors")?,
            p50: answer.doubles("p50")?,
            p95: answer.doubles("p95")?,
            p99: answer.doubles("p99")?,
        })
    }
}

fn series_by_service(answer: &Answer, buckets: Buckets) -> Result<BTreeMap<String, Series>, Error> {
    let (names, bucket) = (answer.texts("service")?, answer.ints("bucket")?);
    let measures = Measures::of(answer)?;
    let empty = Series {
        requests: vec![0; buckets.count],
        errors: vec![0; buckets.count],
        p95_ms: vec![None; buckets.count],
    };
    let mut series = BTreeMap::new();
    for row in answer.rows() {
        let Some(index) = buckets.index(bucket.get(row) * buckets.step_ms) else { continue };
        let one: &mut Series = series.entry(names.owned(row)).or_insert_with(|| empty.clone());
        one.requests[index] = measures.requests.count(row);
        one.errors[index] = measures.errors.count(row);
        one.p95_ms[index] = measures.p95.nanos_as_ms(row);
    }
    Ok(series)
}

/// Operations of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operations {
    /// Those with the most spans first.
    pub operations: Vec<Operation>,
}

/// Spans of one name and kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operation {
    /// The spans' name.
    pub name: String,
    /// Their kind.
    pub kind: String,
    /// How many.
    pub requests: u64,
    /// How many a second.
    pub rate: f64,
    /// 0 to 1.
    pub error_share: f64,
    /// Median of the durations, milliseconds.
    #[schema(required)]
    pub p50_ms: Option<f64>,
    /// 95th percentile, milliseconds.
    #[schema(required)]
    pub p95_ms: Option<f64>,
    /// 99th percentile, milliseconds.
    #[schema(required)]
    pub p99_ms: Option<f64>,
}

/// What a service does, by span name and kind.
#[utoipa::path(
    get, path = "/api/v1/services/{service}/operations",
    params(("service" = String, Path, description = "The service."), RangeParams),
    responses((status = 200, body = Operations))
)]
pub async fn operations(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Path(service): Path<String>,
    Params(range): Params<RangeParams>,
) -> Result<Json<Operations>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let mut conditions = Conditions::new();
    conditions.within(range);
    conditions.equal("service", &service);
    let sql = format!(
        "SELECT name, kind, {MEASURES} FROM spans WHERE {} \
         GROUP BY name, kind ORDER BY requests DESC, name, kind LIMIT {ROWS_MAX}",
        conditions.sql()
    );
    let answer = ask(&api, &tenant, &sql, conditions.params()).await?;
    let (names, kinds) = (answer.texts("name")?, answer.texts("kind")?);
    let measures = Measures::of(&answer)?;
    let operation = |row| Operation {
        name: names.owned(row),
        kind: kinds.owned(row),
        requests: measures.requests.count(row),
        rate: rate(measures.requests.count(row), range.seconds()),
        error_share: share(measures.errors.count(row), measures.requests.count(row)),
        p50_ms: measures.p50.nanos_as_ms(row),
        p95_ms: measures.p95.nanos_as_ms(row),
        p99_ms: measures.p99.nanos_as_ms(row),
    };
    Ok(Json(Operations { operations: answer.rows().map(operation).collect() }))
}
