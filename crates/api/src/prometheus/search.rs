//! Search for metrics, labels and values while somebody types; answered line by line (NDJSON).

mod filter;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use model::Tenant;
use promql::text::quote;
use serde::Serialize;

use self::filter::{Algorithm, Filter};
use super::Prometheus;
use super::envelope::{Answer, ApiError};
use super::outside::Selection;
use super::params::{Params, parse_bool, parse_time, whole_number};

/// How many results, and how many a line, when nobody says otherwise.
const LIMIT_DEFAULT: usize = 100;
/// An hour, milliseconds: how far back when nobody says otherwise.
const HOUR: i64 = 3_600_000;

/// How results are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
    Score,
}

/// What is searched.
#[derive(Debug)]
struct Search {
    selection: Selection,
    filter: Filter,
    order: Order,
    with_score: bool,
    limit: usize,
    batch: usize,
}

fn bad<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::bad_data(message))
}

fn boolean(params: &Params, name: &str, default: bool) -> Result<bool, ApiError> {
    match params.get(name) {
        "" => Ok(default),
        text => match parse_bool(text) {
            Some(value) => Ok(value),
            None => bad(format!("invalid {name} {}: must be boolean", quote(text))),
        },
    }
}

fn count(params: &Params, name: &str) -> Result<usize, ApiError> {
    match params.get(name) {
        "" => Ok(LIMIT_DEFAULT),
        text => match whole_number(text).ok().and_then(|number| usize::try_from(number).ok()) {
            Some(0) => Ok(LIMIT_DEFAULT),
            Some(number) => Ok(number),
            None => bad(format!("invalid {name} {}: must be non-negative integer", quote(text))),
        },
    }
}

fn time(params: &Params, name: &str, default: i64) -> Result<i64, ApiError> {
    match params.get(name) {
        "" => Ok(default),
        text => parse_time(text).map_err(|error| {
            ApiError::bad_data(format!("invalid time value for '{name}': {error}"))
        }),
    }
}

impl Search {
    fn read(api: &Prometheus, params: &Params, endpoint: &str) -> Result<Search, ApiError> {
        let now = api.now();
        let selection = Selection {
            start: time(params, "start", now - HOUR)?,
            end: time(params, "end", now)?,
            matchers: params.matchers()?,
            limit: usize::MAX,
        };
        let threshold = match params.get("fuzz_threshold") {
            "" => 0,
            text => match text.parse::<u8>().ok().filter(|&threshold| threshold <= 100) {
                Some(threshold) => threshold,
                None => {
                    return bad(format!("invalid fuzz_threshold {}: must be 0-100", quote(text)));
                }
            },
        };
        let algorithm = match params.get("fuzz_alg") {
            "" | "subsequence" => Algorithm::Subsequence,
            "jarowinkler" => Algorithm::JaroWinkler,
            other => {
                return bad(format!(
                    "unsupported fuzz_alg {}: must be one of [subsequence jarowinkler]",
                    quote(other)
                ));
            }
        };
        let case_sensitive = boolean(params, "case_sensitive", true)?;
        let terms: Vec<&str> = params.all("search[]").collect();
        let searched = !terms.is_empty();
        let filter = Filter::new(&terms, algorithm, f64::from(threshold) / 100.0, case_sensitive);
        let with_score = boolean(params, "include_score", false)?;
        let order = order(params, searched, endpoint)?;
        let limit = count(params, "limit")?;
        let batch = count(params, "batch_size")?;
        Ok(Search { selection, filter, order, with_score, limit, batch })
    }

    /// What is accepted of `names`, in order, with its score.
    fn accepted(&self, names: Vec<String>) -> Vec<(String, f64)> {
        let mut found: Vec<(String, f64)> = names
            .into_iter()
            .filter_map(|name| {
                let score = self.filter.score(&name)?;
                Some((name, score))
            })
            .collect();
        match self.order {
            Order::Ascending => found.sort_by(|one, other| one.0.cmp(&other.0)),
            Order::Descending => found.sort_by(|one, other| other.0.cmp(&one.0)),
            Order::Score => found
                .sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0))),
        }
        found
    }
}

fn order(params: &Params, searched: bool, endpoint: &str) -> Result<Order, ApiError> {
    let (by, direction) = (params.get("sort_by"), params.get("sort_dir"));
    if !direction.is_empty() && by.is_empty() {
        return bad("sort_dir is only valid when sort_by is set");
    }
    if !direction.is_empty() && by == "score" {
        return bad("sort_dir is not supported for sort_by=score");
    }
    let order = match direction {
        "" | "asc" => Order::Ascending,
        "dsc" => Order::Descending,
        other => {
            return bad(format!("invalid sort_dir {}: must be \"asc\" or \"dsc\"", quote(other)));
        }
    };
    match by {
        "" => Ok(Order::Ascending),
        "alpha" => Ok(order),
        "score" if searched => Ok(Order::Score),
        "score" => bad("sort_by=score requires search[] to be set"),
        other => bad(format!(
            "invalid sort_by {} for {endpoint}: must be \"alpha\" or \"score\"",
            quote(other)
        )),
    }
}

#[derive(Serialize)]
struct Found {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    unit: String,
}

#[derive(Serialize)]
struct Batch<'a> {
    results: &'a [Found],
}

#[derive(Serialize)]
struct Trailer {
    status: &'static str,
    has_more: bool,
}

fn put_line(into: &mut Vec<u8>, line: &impl Serialize) {
    into.extend_from_slice(&serde_json::to_vec(line).unwrap_or_default());
    into.push(b'\n');
}

/// Lines of results and one that says whether there are more.
fn lines(found: &[Found], batch: usize, has_more: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    if found.is_empty() {
        put_line(&mut lines, &Batch { results: &[] });
    }
    for results in found.chunks(batch.max(1)) {
        put_line(&mut lines, &Batch { results });
    }
    put_line(&mut lines, &Trailer { status: "success", has_more });
    lines
}

/// Whose names are searched.
#[derive(Debug, Clone)]
enum What {
    Metrics { metadata: bool },
    Labels,
    Values(String),
}

async fn search(api: Prometheus, tenant: Tenant, search: Search, what: What) -> Answer {
    let body = api
        .blocking(move |api, _| {
            let selection = &search.selection;
            let names = match &what {
                What::Metrics { .. } => {
                    api.metrics.label_values(&tenant, model::metric::NAME_LABEL, selection)?
                }
                What::Labels => api.metrics.label_names(&tenant, selection)?,
                What::Values(label) => api.metrics.label_values(&tenant, label, selection)?,
            };
            let mut accepted = search.accepted(names);
            let has_more = accepted.len() > search.limit;
            accepted.truncate(search.limit);
            let found = accepted.into_iter().map(|(name, score)| {
                let known = match what {
                    What::Metrics { metadata: true } => {
                        api.metrics.metadata(&tenant, Some(&name), 1).into_iter().next()
                    }
                    _ => None,
                };
                let (r#type, help, unit) = known.map_or_else(Default::default, |known| {
                    (Some(known.kind.as_str()), known.help, known.unit)
                });
                Found { name, score: search.with_score.then_some(score), r#type, help, unit }
            });
            Ok(lines(&found.collect::<Vec<_>>(), search.batch, has_more))
        })
        .await?;
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson; charset=utf-8")];
    let response: Response = (headers, Body::from(body)).into_response();
    Ok(response)
}

/// `/api/v1/search/metric_names`
pub(super) async fn metric_names(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let asked = Search::read(&api, &params, "metric_names")?;
    let metadata = boolean(&params, "include_metadata", false)?;
    search(api, tenant, asked, What::Metrics { metadata }).await
}

/// `/api/v1/search/label_names`
pub(super) async fn label_names(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let asked = Search::read(&api, &params, "label_names")?;
    search(api, tenant, asked, What::Labels).await
}

/// `/api/v1/search/label_values`
pub(super) async fn label_values(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let asked = Search::read(&api, &params, "label_values")?;
    match params.get("label") {
        "" => bad("missing required parameter \"label\""),
        label => search(api, tenant, asked, What::Values(label.to_owned())).await,
    }
}
