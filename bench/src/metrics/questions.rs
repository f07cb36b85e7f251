//! What is asked, and what it costs in processor time.

use super::contestant::Running;
use super::series::now_ms;

/// A question over six hours at a minute, over 200 series.
pub(crate) struct Range {
    pub(crate) name: &'static str,
    query: &'static str,
    pub(crate) target_ms: f64,
}

pub(crate) const RANGES: [&Range; 2] = [
    &Range {
        name: "sum by(instance)(rate(m[5m]))",
        query: "sum by(instance)(rate(node_metric_3_total[5m]))",
        target_ms: 5.0,
    },
    &Range {
        name: "quantile_over_time(0.95, m[1h])",
        query: "quantile_over_time(0.95, node_metric_9_ratio[1h])",
        target_ms: 100.0,
    },
];

/// What dashboards of machines and services ask, over half an hour at 15 seconds.
pub(crate) const DASHBOARD: [&str; 24] = [
    "sum(rate(node_metric_3_total[5m]))",
    "sum by(instance)(rate(node_metric_4_total[5m]))",
    "sum by(zone)(rate(node_metric_5_total[2m]))",
    "sum without(device)(irate(node_metric_6_total[5m]))",
    "avg(node_metric_8_bytes)",
    "max by(zone)(node_metric_8_bytes)",
    "min by(zone)(node_metric_9_ratio)",
    "topk(5, rate(node_metric_13_total[5m]))",
    "bottomk(5, node_metric_18_bytes)",
    "count(node_metric_0_info)",
    "count by(zone)(node_metric_1_info == 1)",
    "node_metric_8_bytes{instance=\"host-7-GENERATION:9100\"}",
    "rate(node_metric_14_total{instance=~\"host-[12].*\"}[5m])",
    "sum(rate(node_metric_3_total[5m])) / sum(rate(node_metric_4_total[5m]))",
    "node_metric_8_bytes / on(instance, device) node_metric_18_bytes",
    "avg_over_time(node_metric_9_ratio[10m])",
    "max_over_time(node_metric_8_bytes[10m])",
    "stddev(node_metric_9_ratio)",
    "quantile(0.9, node_metric_19_ratio)",
    "quantile_over_time(0.9, node_metric_19_ratio[5m])",
    "increase(node_metric_23_total{zone=\"a\"}[10m])",
    "deriv(node_metric_28_bytes[5m])",
    "delta(node_metric_28_bytes[5m])",
    "sum by(zone)(increase(node_metric_16_total[10m]))",
];

/// What alerts ask, at one time.
pub(crate) const RULES: [&str; 30] = [
    "sum(rate(node_metric_3_total[5m])) > 1e9",
    "rate(node_metric_4_total[5m]) > 1e6",
    "sum by(instance)(rate(node_metric_5_total[5m])) > 1e6",
    "avg by(zone)(node_metric_8_bytes) > 1e9",
    "node_metric_9_ratio > 1e6",
    "max_over_time(node_metric_9_ratio[10m]) > 1e6",
    "min_over_time(node_metric_8_bytes[10m]) < -1e9",
    "absent(node_metric_0_info)",
    "count(node_metric_1_info) < 1",
    "predict_linear(node_metric_18_bytes[10m], 3600) < -1e9",
    "deriv(node_metric_18_bytes[10m]) > 1e6",
    "changes(node_metric_2_info[10m]) > 3",
    "resets(node_metric_13_total[10m]) > 3",
    "increase(node_metric_14_total[10m]) > 1e9",
    "rate(node_metric_15_total[5m]) / rate(node_metric_16_total[5m]) > 1e6",
    "sum(rate(node_metric_17_seconds_total[5m])) by(instance) > 1e6",
    "topk(1, node_metric_28_bytes) > 1e9",
    "quantile(0.99, node_metric_29_ratio) > 1e6",
    "avg_over_time(node_metric_29_ratio[5m]) > 1e6",
    "stddev_over_time(node_metric_29_ratio[5m]) > 1e6",
    "node_metric_8_bytes and on(instance) node_metric_9_ratio > 1e6",
    "node_metric_8_bytes unless on(instance) node_metric_9_ratio < -1e6",
    "sum(node_metric_10_info) by(zone) != 0 and sum(node_metric_11_info) by(zone) < 0",
    "delta(node_metric_38_bytes[5m]) > 1e9",
    "irate(node_metric_23_total[5m]) > 1e6",
    "count_over_time(node_metric_20_info[5m]) < 1",
    "present_over_time(node_metric_21_info[5m]) != 1",
    "last_over_time(node_metric_22_info[5m]) < 0",
    "histogram_quantile(0.9, node_metric_24_total) > 1",
    "sum({__name__=~\"node_metric_3.*\", zone=\"a\"}) < -1e12",
];

/// Processor seconds that one asking costs, on average of `times`.
pub(crate) async fn cpu_of(
    running: &Running,
    question: &Range,
    times: usize,
) -> anyhow::Result<f64> {
    cpu_of_range(running, question.query, 6 * 3_600, 60, times).await
}

/// How many series of one metric there are, whatever the age of their samples.
pub(crate) async fn series_of_a_metric(running: &Running) -> anyhow::Result<f64> {
    let query = "count(last_over_time(node_metric_3_total[1h]))".to_owned();
    let form = [("query", query), ("time", (now_ms() / 1_000).to_string())];
    let answer = running.ask("/api/v1/query", &form).await?;
    let count = answer["data"]["result"][0]["value"][1].as_str();
    Ok(count.unwrap_or("0").parse()?)
}

/// A range that ends a little earlier each time, so that no cache of answers can help.
pub(crate) async fn cpu_of_range(
    running: &Running,
    query: &str,
    length_seconds: i64,
    step_seconds: i64,
    times: usize,
) -> anyhow::Result<f64> {
    let end = now_ms() / 1_000 - 60;
    let before = running.cpu_seconds()?;
    for round in 0..times {
        let end = end - i64::try_from(round).unwrap_or_default() * 7;
        let form = [
            ("query", query.to_owned()),
            ("start", (end - length_seconds).to_string()),
            ("end", end.to_string()),
            ("step", step_seconds.to_string()),
            ("nocache", "1".to_owned()),
        ];
        running.ask("/api/v1/query_range", &form).await?;
    }
    each(running.cpu_seconds()? - before, times)
}

pub(crate) async fn cpu_of_instant(
    running: &Running,
    query: &str,
    times: usize,
) -> anyhow::Result<f64> {
    let end = now_ms() / 1_000 - 60;
    let before = running.cpu_seconds()?;
    for round in 0..times {
        let end = end - i64::try_from(round).unwrap_or_default() * 7;
        let form =
            [("query", query.to_owned()), ("time", end.to_string()), ("nocache", "1".to_owned())];
        running.ask("/api/v1/query", &form).await?;
    }
    each(running.cpu_seconds()? - before, times)
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn each(seconds: f64, times: usize) -> anyhow::Result<f64> {
    Ok(seconds / times as f64)
}
