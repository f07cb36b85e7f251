//! The files of unit tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::metric::{Labels, LabelsBuilder};
use stdx::calendar::Date;
use stdx::yaml::{Fields, Node, Problem};

#[derive(Debug)]
pub(super) struct TestFile {
    pub(super) rule_files: Vec<PathBuf>,
    /// Patterns that stand for no file.
    pub(super) missing: Vec<String>,
    pub(super) interval: Duration,
    pub(super) group_order: Vec<String>,
    pub(super) fuzzy: bool,
    pub(super) tests: Vec<TestGroup>,
}

#[derive(Debug)]
pub(super) struct TestGroup {
    pub(super) name: String,
    pub(super) interval: Option<Duration>,
    /// Milliseconds since 1970.
    pub(super) start: i64,
    pub(super) series: Vec<(String, String)>,
    pub(super) alerts: Vec<AlertTest>,
    pub(super) exprs: Vec<ExprTest>,
    pub(super) external_labels: Labels,
    pub(super) external_url: String,
}

type Texts = BTreeMap<String, String>;

#[derive(Debug)]
pub(super) struct AlertTest {
    /// Milliseconds since the start.
    pub(super) eval_time: i64,
    pub(super) alertname: String,
    /// Labels and annotations.
    pub(super) expected: Vec<(Texts, Texts)>,
}

#[derive(Debug)]
pub(super) struct ExprTest {
    pub(super) expr: String,
    /// Milliseconds since the start.
    pub(super) eval_time: i64,
    pub(super) expected: Vec<ExpectedSample>,
}

#[derive(Debug)]
pub(super) struct ExpectedSample {
    pub(super) labels: String,
    pub(super) value: f64,
    pub(super) histogram: String,
}

fn duration(fields: &mut Fields<'_>, key: &str) -> Result<Option<Duration>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(None) };
    let text = node.text()?;
    model::duration::parse(&text).map(Some).map_err(|error| node.problem(&error.to_string()))
}

fn time(fields: &mut Fields<'_>, key: &str) -> Result<i64, Problem> {
    let duration = duration(fields, key)?.unwrap_or_default();
    Ok(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

impl TestFile {
    pub(super) fn parse(text: &str, directory: &Path) -> Result<TestFile, Problem> {
        let empty = Node { line: 1, column: 1, value: stdx::yaml::Value::Null };
        let root = stdx::yaml::parse(text)?.unwrap_or(empty);
        let mut fields = Fields::of(&root, "main.unitTestFile")?;
        let mut rule_files = Vec::new();
        let mut missing = Vec::new();
        for pattern in fields.texts("rule_files")? {
            let found = stdx::glob::glob(&directory.join(&pattern));
            if found.is_empty() {
                missing.push(directory.join(&pattern).display().to_string());
            }
            rule_files.extend(found);
        }
        let interval = duration(&mut fields, "evaluation_interval")?.filter(|d| !d.is_zero());
        let mut tests = Vec::new();
        for node in fields.list("tests", "[]main.testGroup")? {
            tests.push(TestGroup::read(node)?);
        }
        let file = TestFile {
            rule_files,
            missing,
            interval: interval.unwrap_or(Duration::from_secs(60)),
            group_order: fields.texts("group_eval_order")?,
            fuzzy: fields.flag("fuzzy_compare")?.unwrap_or(false),
            tests,
        };
        fields.finish()?;
        Ok(file)
    }
}

impl TestGroup {
    fn read(node: &Node) -> Result<TestGroup, Problem> {
        let mut fields = Fields::of(node, "main.testGroup")?;
        let name = fields.text("name")?.unwrap_or_default();
        let mut series = Vec::new();
        for node in fields.list("input_series", "[]main.series")? {
            let mut inner = Fields::of(node, "main.series")?;
            let one = (
                inner.text("series")?.unwrap_or_default(),
                inner.text("values")?.unwrap_or_default(),
            );
            inner.finish()?;
            series.push(one);
        }
        let mut alerts = Vec::new();
        for node in fields.list("alert_rule_test", "[]main.alertTestCase")? {
            alerts.push(read_alert(node, &name)?);
        }
        let mut exprs = Vec::new();
        for node in fields.list("promql_expr_test", "[]main.promqlTestCase")? {
            exprs.push(read_expr(node)?);
        }
        let mut external_labels = LabelsBuilder::default();
        for (label, value) in fields.text_map("external_labels")? {
            external_labels.set(&label, &value);
        }
        let start = match fields.node("start_timestamp") {
            None => 0,
            Some(node) => read_start(&node.text()?)
                .ok_or_else(|| node.problem("cannot parse start_timestamp"))?,
        };
        let group = TestGroup {
            name,
            interval: duration(&mut fields, "interval")?.filter(|d| !d.is_zero()),
            start,
            series,
            alerts,
            exprs,
            external_labels: external_labels.build(),
            external_url: fields.text("external_url")?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(group)
    }
}

fn read_alert(node: &Node, group: &str) -> Result<AlertTest, Problem> {
    let mut fields = Fields::of(node, "main.alertTestCase")?;
    let eval_time = time(&mut fields, "eval_time")?;
    let alertname = fields.text("alertname")?.unwrap_or_default();
    if alertname.is_empty() {
        let group =
            if group.is_empty() { String::new() } else { format!(" (in TestGroup {group})") };
        return Err(node.problem(&format!(
            "an item under alert_rule_test misses required attribute alertname at eval_time \
             {eval_time}ms{group}"
        )));
    }
    let mut expected = Vec::new();
    for node in fields.list("exp_alerts", "[]main.alert")? {
        let mut inner = Fields::of(node, "main.alert")?;
        let labels = inner.text_map("exp_labels")?.into_iter().collect();
        let annotations = inner.text_map("exp_annotations")?.into_iter().collect();
        inner.finish()?;
        expected.push((labels, annotations));
    }
    fields.finish()?;
    Ok(AlertTest { eval_time, alertname, expected })
}

fn read_expr(node: &Node) -> Result<ExprTest, Problem> {
    let mut fields = Fields::of(node, "main.promqlTestCase")?;
    let expr = fields.text("expr")?.unwrap_or_default();
    let eval_time = time(&mut fields, "eval_time")?;
    let mut expected = Vec::new();
    for node in fields.list("exp_samples", "[]main.sample")? {
        let mut inner = Fields::of(node, "main.sample")?;
        let sample = ExpectedSample {
            labels: inner.text("labels")?.unwrap_or_default(),
            value: inner.number("value")?.unwrap_or(0.0),
            histogram: inner.text("histogram")?.unwrap_or_default(),
        };
        inner.finish()?;
        expected.push(sample);
    }
    fields.finish()?;
    Ok(ExprTest { expr, eval_time, expected })
}

/// Seconds since 1970, or a date with time as RFC 3339 writes it; in milliseconds.
fn read_start(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "a time of this era")]
        return (seconds.abs() < 9e12).then_some((seconds * 1_000.0).round() as i64);
    }
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone_at = clock.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = clock.split_at(zone_at);
    let mut parts = clock.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let zone_minutes = match zone {
        "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
        }
    };
    let date = Date::new(year, month, day).filter(|date| (0..=9_999).contains(&date.year))?;
    let days = date.days();
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a minute")]
    let of_minute = (seconds * 1_000.0).round() as i64;
    Some(((days * 24 + hours) * 60 + minutes - zone_minutes) * 60_000 + of_minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read() {
        for (text, expect) in [
            ("2024-01-01T00:00:00Z", Some(1_704_067_200_000)),
            ("2024-01-01T01:00:00.5+01:00", Some(1_704_067_200_500)),
            ("1609459200", Some(1_609_459_200_000)),
            ("yesterday", None),
        ] {
            assert_eq!(read_start(text), expect, "{text}");
        }
    }
}
