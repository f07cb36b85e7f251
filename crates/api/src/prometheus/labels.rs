//! What there is: series, labels and their values, metadata.

use std::collections::BTreeMap;

use axum::extract::{Extension, Path, State};
use model::Tenant;
use model::metric::Metadata;
use promql::text::quote;
use serde::Serialize;

use super::Prometheus;
use super::encode::LabelsJson;
use super::envelope::{Answer, ApiError, Notes, success, success_with};
use super::outside::{Selection, StoreError};
use super::params::{Params, whole_number};

/// Takes one more than the limit and tells whether there was one.
fn cut<T>(found: &mut Vec<T>, limit: usize) -> Notes {
    if found.len() > limit {
        found.truncate(limit);
        return Notes::truncated();
    }
    Notes::default()
}

/// Asks the store for one more than `selection` says, so that it is known whether there are more.
async fn find<T: Send + 'static>(
    api: &Prometheus,
    selection: Selection,
    ask: impl FnOnce(&Prometheus, &Selection) -> Result<Vec<T>, StoreError> + Send + 'static,
) -> Result<(Vec<T>, Notes), ApiError> {
    let limit = selection.limit;
    let more = Selection { limit: limit.saturating_add(1), ..selection };
    let mut found = api.blocking(move |api, _| Ok(ask(api, &more)?)).await?;
    let notes = cut(&mut found, limit);
    Ok((found, notes))
}

/// `/api/v1/series`
pub(super) async fn series(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let selection = params.selection()?;
    let (found, notes) =
        find(&api, selection, move |api, more| api.metrics.series(&tenant, more)).await?;
    success_with(&found.iter().map(LabelsJson).collect::<Vec<_>>(), &notes)
}

/// `/api/v1/labels`
pub(super) async fn names(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let selection = params.selection()?;
    let (found, notes) =
        find(&api, selection, move |api, more| api.metrics.label_names(&tenant, more)).await?;
    success_with(&found, &notes)
}

/// `/api/v1/label/{name}/values`
pub(super) async fn values(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {}", quote(&name))));
    }
    let selection = params.selection()?;
    let ask =
        move |api: &Prometheus, more: &Selection| api.metrics.label_values(&tenant, &name, more);
    let (found, notes) = find(&api, selection, ask).await?;
    success_with(&found, &notes)
}

/// A name with the prefix `U__` has its characters escaped: `_` is `__`, others `_hex_`. What is
/// no valid escape is taken as it is.
pub(super) fn unescape_name(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('_') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('_') {
            text.push('_');
            rest = after;
            continue;
        }
        let code = after.split_once('_').filter(|(digits, _)| digits.len() <= 6);
        let character = code.and_then(|(digits, after)| {
            let code = u32::from_str_radix(digits, 16).ok()?;
            Some((char::from_u32(code)?, after))
        });
        let Some((character, after)) = character else { return name.to_owned() };
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// What is known about a metric.
#[derive(Serialize, PartialEq, Eq)]
pub(super) struct MetadataJson {
    r#type: &'static str,
    help: String,
    unit: String,
}

impl From<Metadata> for MetadataJson {
    fn from(metadata: Metadata) -> MetadataJson {
        let Metadata { kind, help, unit, .. } = metadata;
        MetadataJson { r#type: kind.as_str(), help, unit }
    }
}

fn limit_number(params: &Params, name: &str) -> Result<Option<usize>, ApiError> {
    match params.get(name) {
        "" => Ok(None),
        text => {
            let number = whole_number(text)
                .map_err(|_| ApiError::bad_data(format!("{name} must be a number")))?;
            Ok(usize::try_from(number).ok())
        }
    }
}

/// `/api/v1/metadata`
pub(super) async fn metadata(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let limit = limit_number(&params, "limit")?;
    let per_metric = limit_number(&params, "limit_per_metric")?.filter(|&limit| limit > 0);
    let metric = Some(params.get("metric").to_owned()).filter(|metric| !metric.is_empty());
    let most = limit.unwrap_or(usize::MAX);
    let found = api
        .blocking(move |api, _| Ok(api.metrics.metadata(&tenant, metric.as_deref(), most)))
        .await?;
    let mut by_metric = BTreeMap::<String, Vec<MetadataJson>>::new();
    for metadata in found {
        if by_metric.len() >= most && !by_metric.contains_key(&metadata.metric) {
            continue;
        }
        let list = by_metric.entry(metadata.metric.clone()).or_default();
        let metadata = MetadataJson::from(metadata);
        if per_metric.is_none_or(|most| list.len() < most) && !list.contains(&metadata) {
            list.push(metadata);
        }
    }
    success(&by_metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names() {
        for (name, expect) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___263a_x", "☺x"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__", ""),
        ] {
            assert_eq!(unescape_name(name), expect);
        }
    }
}
