//! Federation: the newest samples of series, as another Prometheus scrapes them.

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use model::Tenant;
use model::metric::{Labels, LabelsBuilder, Matcher, NAME_LABEL, is_stale};
use promql::control::{Cancel, Control};
use promql::number::format_short;
use promql::source::{Points, Select};

use super::Prometheus;
use super::envelope::{ApiError, Kind};
use super::params::Params;

/// A series and its newest sample.
struct Newest {
    labels: Labels,
    timestamp: i64,
    value: f64,
}

/// `/federate`
pub(super) async fn federate(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Response {
    let matchers = match params.matchers() {
        Ok(matchers) => matchers,
        Err(error) => return (StatusCode::BAD_REQUEST, error.message + "\n").into_response(),
    };
    let written = api
        .blocking(move |api, cancel| {
            let newest = newest(api, &tenant, &matchers, cancel)?;
            Ok(text(&newest, &api.server.external_labels()))
        })
        .await;
    match written {
        Ok(text) => {
            let content = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";
            ([(header::CONTENT_TYPE, content)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.message + "\n").into_response(),
    }
}

/// The newest sample within the lookback of each series that satisfies a set of matchers. Native
/// histograms have no place in the text format and are left out.
fn newest(
    api: &Prometheus,
    tenant: &Tenant,
    sets: &[Vec<Matcher>],
    cancel: Cancel,
) -> Result<Vec<Newest>, ApiError> {
    let control = Control::new(api.limits.clone(), cancel);
    let source = api.metrics.source(tenant);
    let end = api.now();
    let start = end.saturating_sub(api.engine.options().lookback);
    let failed =
        |error: promql::source::SourceError| ApiError::new(Kind::Internal, error.to_string());
    let mut found = Vec::new();
    let mut points = Points::default();
    for matchers in sets {
        let select = Select {
            matchers: matchers.clone(),
            start,
            end,
            step: 0,
            range: 0,
            function: None,
            by: None,
        };
        let series = source.select(&select, &control).map_err(failed)?;
        for index in 0..series.len() {
            control.check().map_err(|stop| ApiError::new(Kind::Timeout, stop.to_string()))?;
            points.clear();
            series.read(index, &mut points).map_err(failed)?;
            let within = points.timestamps.iter().rposition(|&at| at <= end && at > start);
            let Some(at) = within.filter(|&at| !is_stale(points.values[at])) else { continue };
            found.push(Newest {
                labels: series.labels(index).clone(),
                timestamp: points.timestamps[at],
                value: points.values[at],
            });
        }
    }
    found.sort_by(|one, other| one.labels.cmp(&other.labels));
    found.dedup_by(|one, other| one.labels == other.labels);
    // By name first, so that the samples of a metric stand together.
    found.sort_by(|one, other| one.labels.name().cmp(&other.labels.name()));
    Ok(found)
}

/// The samples in the text format.
fn text(newest: &[Newest], external: &Labels) -> String {
    let mut text = String::new();
    let mut last = None;
    for sample in newest {
        let Some(name) = sample.labels.name() else { continue };
        let plain = promql::text::is_legacy_metric_name(name);
        let shown = if plain { name.to_owned() } else { quoted(name) };
        if last != Some(name) {
            text.push_str(&format!("# TYPE {shown} untyped\n"));
            last = Some(name);
        }
        let mut labels = LabelsBuilder::from_labels(&sample.labels);
        labels.remove(NAME_LABEL);
        for (name, value) in external {
            if labels.get(name).is_none() {
                labels.set(name, value);
            }
        }
        if labels.get("instance").is_none() {
            // An empty one keeps the scraper from adding its own.
            put_sample(&mut text, &shown, plain, &labels, true);
        } else {
            put_sample(&mut text, &shown, plain, &labels, false);
        }
        text.push_str(&format!(" {} {}\n", format_short(sample.value), sample.timestamp));
    }
    text
}

fn put_sample(
    text: &mut String,
    name: &str,
    plain: bool,
    labels: &LabelsBuilder,
    no_instance: bool,
) {
    let mut pairs = Vec::new();
    if !plain {
        pairs.push(name.to_owned());
    }
    for (label, value) in labels.iter() {
        let label = if promql::text::is_legacy_label_name(label) {
            label.to_owned()
        } else {
            quoted(label)
        };
        pairs.push(format!("{label}={}", quoted(value)));
    }
    if no_instance {
        pairs.push("instance=\"\"".to_owned());
    }
    if plain {
        text.push_str(name);
    }
    if !pairs.is_empty() {
        text.push_str(&format!("{{{}}}", pairs.join(",")));
    }
}

/// As the text format quotes: backslash, quote and line feed are escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_samples_as_text() {
        let newest = |pairs: &[(&str, &str)], value| Newest {
            labels: Labels::from_pairs(pairs),
            timestamp: 6_000_000,
            value,
        };
        let samples = [
            newest(&[("__name__", "a.b"), ("c.d", "e\"\n")], f64::NAN),
            newest(&[("__name__", "m"), ("instance", "i"), ("zone", "x")], 1e6),
            newest(&[("__name__", "m"), ("instance", "j")], 0.5),
        ];
        let external = Labels::from_pairs(&[("zone", "ie")]);
        assert_eq!(
            text(&samples, &external),
            "# TYPE \"a.b\" untyped\n\
             {\"a.b\",\"c.d\"=\"e\\\"\\n\",zone=\"ie\",instance=\"\"} NaN 6000000\n\
             # TYPE m untyped\n\
             m{instance=\"i\",zone=\"x\"} 1e+06 6000000\n\
             m{instance=\"j\",zone=\"ie\"} 0.5 6000000\n"
        );
    }
}
