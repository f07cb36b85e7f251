//! Questions in `PromQL`, over Prometheus's HTTP API, and their answers as a table.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Args, Column};

/// Asks the server under `/prometheus`.
pub(super) async fn ask(args: &Args) -> anyhow::Result<String> {
    let base = format!("{}/prometheus/api/v1", args.url.trim_end_matches('/'));
    let mut form = vec![("query", args.query.as_str())];
    let path = match (&args.start, &args.end) {
        (Some(start), Some(end)) => {
            form.extend([("start", start.as_str()), ("end", end), ("step", &args.step)]);
            "query_range"
        }
        _ => {
            form.extend(args.time.as_deref().map(|time| ("time", time)));
            "query"
        }
    };
    let url = format!("{base}/{path}");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.post(&url).header("content-type", FORM).body(encoded(&form));
    if let Some(key) = &args.api_key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.with_context(|| format!("cannot reach {url}"))?;
    let (status, text) = (response.status(), response.text().await?);
    if !status.is_success() {
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        let error = answer.as_ref().and_then(|answer| answer.get("error")?.as_str());
        bail!("{}", error.map_or_else(|| format!("{status}: {text}"), str::to_owned));
    }
    Ok(text)
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

#[derive(Debug, Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

/// A row for each point: the series, the time, the value.
pub(super) fn parse(text: &str) -> anyhow::Result<Answer> {
    let envelope: Envelope =
        serde_json::from_str(text).context("the server's answer is not what was expected")?;
    let columns = ["series", "time", "value"].map(|name| Column { name: name.to_owned() });
    let Data { kind, result } = envelope.data;
    let mut rows = Vec::new();
    match (kind.as_str(), result) {
        ("scalar" | "string", point) => rows.push(row(String::new(), &point)),
        (_, Value::Array(series)) => {
            for one in &series {
                let name = series_name(&one["metric"]);
                for single in ["value", "histogram"] {
                    rows.extend(one.get(single).map(|point| row(name.clone(), point)));
                }
                for many in ["values", "histograms"] {
                    let points = one.get(many).and_then(Value::as_array).into_iter().flatten();
                    rows.extend(points.map(|point| row(name.clone(), point)));
                }
            }
        }
        (kind, _) => bail!("the server answered with a {kind}, which is not known here"),
    }
    Ok(Answer { columns: columns.into(), rows, truncated: false })
}

fn row(series: String, point: &Value) -> Vec<Value> {
    vec![Value::String(series), point[0].clone(), point[1].clone()]
}

/// `up{job="api"}`.
fn series_name(metric: &Value) -> String {
    let labels = metric.as_object();
    let of = |label: &str| metric.get(label).and_then(Value::as_str).unwrap_or_default();
    let others: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    if others.is_empty() {
        return of("__name__").to_owned();
    }
    format!("{}{{{}}}", of("__name__"), others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[[&str; 3]]) {
        let answer = parse(text).expect("an answer");
        let rows: Vec<Vec<String>> = answer
            .rows
            .iter()
            .map(|row| row.iter().map(crate::command::query::cell).collect())
            .collect();
        assert_eq!(rows, expect.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn points_become_rows() {
        check(
            r#"{"status":"success","data":{"resultType":"matrix","result":[
                {"metric":{"__name__":"up","job":"a"},"values":[[1.5,"1"],[2,"NaN"]]}]}}"#,
            &[["up{job=\"a\"}", "1.5", "1"], ["up{job=\"a\"}", "2", "NaN"]],
        );
        check(
            r#"{"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"__name__":"up"},"value":[3,"0"]}]}}"#,
            &[["up", "3", "0"]],
        );
        check(
            r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#,
            &[["", "4", "2"]],
        );
    }
}
