//! Rules and alerts.

use axum::extract::{Extension, State};
use model::Tenant;
use model::metric::Matcher;
use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer};
use sha2::{Digest as _, Sha256};

use super::Prometheus;
use super::encode::LabelsJson;
use super::envelope::{Answer, ApiError, success};
use super::outside::{Alert, Rule, RuleGroup, RuleKind};
use super::params::{Params, parse_bool, whole_number};
use super::targets::{all_match, time_json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertJson<'a> {
    labels: LabelsJson<'a>,
    annotations: LabelsJson<'a>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

fn alert_json(alert: &Alert) -> AlertJson<'_> {
    AlertJson {
        labels: LabelsJson(&alert.labels),
        annotations: LabelsJson(&alert.annotations),
        state: alert.state,
        active_at: alert.active_at.map(super::params::rfc3339),
        keep_firing_since: alert.keep_firing_since.map(super::params::rfc3339),
        value: exponent(alert.value),
    }
}

/// A number as Go's `'e'`: `1e+00`.
fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return promql::number::format_plain(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[derive(Serialize)]
struct Alerts<'a> {
    alerts: Vec<AlertJson<'a>>,
}

/// `/api/v1/alerts`
pub(super) async fn alerts(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
) -> Answer {
    let groups = api.rules.groups(&tenant);
    let rules = groups.iter().flat_map(|group| &group.rules);
    let alerts = rules.flat_map(|rule| match &rule.kind {
        RuleKind::Alerting { alerts, .. } => alerts.as_slice(),
        RuleKind::Recording => &[],
    });
    success(&Alerts { alerts: alerts.map(alert_json).collect() })
}

#[derive(Serialize)]
struct Alertmanager {
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alertmanagers {
    active_alertmanagers: Vec<Alertmanager>,
    dropped_alertmanagers: Vec<Alertmanager>,
}

/// `/api/v1/alertmanagers`
pub(super) async fn alertmanagers(State(api): State<Prometheus>) -> Answer {
    let (active, dropped) = api.rules.alertmanagers();
    let list =
        |urls: Vec<String>| urls.into_iter().map(|url| Alertmanager { url }).collect::<Vec<_>>();
    success(&Alertmanagers {
        active_alertmanagers: list(active),
        dropped_alertmanagers: list(dropped),
    })
}

/// Which rules are asked for.
struct Filter {
    alerting: bool,
    recording: bool,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    matchers: Vec<Vec<Matcher>>,
    with_alerts: bool,
}

impl Filter {
    fn read(params: &Params) -> Result<Filter, ApiError> {
        let (alerting, recording) = match params.get("type").to_ascii_lowercase().as_str() {
            "" => (true, true),
            "alert" => (true, false),
            "record" => (false, true),
            other => {
                let message = format!("not supported value {other:?}");
                return Err(ApiError::parameter("type", message));
            }
        };
        let exclude = match params.get("exclude_alerts") {
            "" => false,
            text => parse_bool(text).ok_or_else(|| {
                let message = format!("error converting exclude_alerts: invalid syntax: {text:?}");
                ApiError::parameter("exclude_alerts", message)
            })?,
        };
        let all = |name: &'static str| params.all(name).map(str::to_owned).collect::<Vec<_>>();
        Ok(Filter {
            alerting,
            recording,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            matchers: params.matchers()?,
            with_alerts: !exclude,
        })
    }

    fn wants_group(&self, group: &RuleGroup) -> bool {
        let among = |list: &[String], name: &String| list.is_empty() || list.contains(name);
        among(&self.groups, &group.name) && among(&self.files, &group.file)
    }

    fn wants(&self, rule: &Rule) -> bool {
        let kind = match rule.kind {
            RuleKind::Alerting { .. } => self.alerting,
            RuleKind::Recording => self.recording,
        };
        kind && (self.names.is_empty() || self.names.contains(&rule.name))
            && (self.matchers.is_empty()
                || self.matchers.iter().any(|set| all_match(&rule.labels, set)))
    }

    /// Whether a group stays although none of its rules is wanted.
    fn keeps_empty(&self) -> bool {
        self.names.is_empty() && self.matchers.is_empty()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingJson<'a> {
    state: &'static str,
    name: &'a str,
    query: &'a str,
    duration: f64,
    keep_firing_for: f64,
    labels: LabelsJson<'a>,
    annotations: LabelsJson<'a>,
    alerts: Vec<AlertJson<'a>>,
    health: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_error: &'a str,
    evaluation_time: f64,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordingJson<'a> {
    name: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<LabelsJson<'a>>,
    health: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_error: &'a str,
    evaluation_time: f64,
    last_evaluation: String,
    r#type: &'static str,
}

/// Rules of a group that are wanted.
struct RuleList<'a>(&'a RuleGroup, &'a Filter);

impl Serialize for RuleList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for rule in self.0.rules.iter().filter(|rule| self.1.wants(rule)) {
            let last_evaluation = time_json(rule.last_evaluation);
            match &rule.kind {
                RuleKind::Recording => list.serialize_element(&RecordingJson {
                    name: &rule.name,
                    query: &rule.query,
                    labels: (!rule.labels.is_empty()).then_some(LabelsJson(&rule.labels)),
                    health: rule.health,
                    last_error: &rule.last_error,
                    evaluation_time: rule.evaluation_seconds,
                    last_evaluation,
                    r#type: "recording",
                })?,
                RuleKind::Alerting {
                    state,
                    hold_seconds,
                    keep_firing_seconds,
                    annotations,
                    alerts,
                } => list.serialize_element(&AlertingJson {
                    state,
                    name: &rule.name,
                    query: &rule.query,
                    duration: *hold_seconds,
                    keep_firing_for: *keep_firing_seconds,
                    labels: LabelsJson(&rule.labels),
                    annotations: LabelsJson(annotations),
                    alerts: if self.1.with_alerts {
                        alerts.iter().map(alert_json).collect()
                    } else {
                        Vec::new()
                    },
                    health: rule.health,
                    last_error: &rule.last_error,
                    evaluation_time: rule.evaluation_seconds,
                    last_evaluation,
                    r#type: "alerting",
                })?,
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupJson<'a> {
    name: &'a str,
    file: &'a str,
    rules: RuleList<'a>,
    interval: f64,
    limit: u64,
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Groups<'a> {
    groups: Vec<GroupJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_next_token: Option<String>,
}

/// What names a group in the next request.
fn token(group: &RuleGroup) -> String {
    let hash = Sha256::digest(format!("{};{}", group.file, group.name));
    hash.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// `/api/v1/rules`
pub(super) async fn rules(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    let filter = Filter::read(&params)?;
    let page = match params.get("group_limit") {
        "" => usize::MAX,
        text => {
            let limit =
                whole_number(text).map_err(|error| ApiError::parameter("group_limit", error))?;
            usize::try_from(limit).ok().filter(|&limit| limit > 0).ok_or_else(|| {
                let message =
                    format!("group_limit needs to be a valid number and greater than zero: {text}");
                ApiError::parameter("group_limit", message)
            })?
        }
    };
    let next = params.get("group_next_token");
    if !next.is_empty() && page == usize::MAX {
        let message = "group_limit needs to be present in order to paginate over the groups";
        return Err(ApiError::parameter("group_limit", message));
    }
    let groups = api.rules.groups(&tenant);
    let start =
        if next.is_empty() { Some(0) } else { groups.iter().position(|g| token(g) == next) };
    let start = start.ok_or_else(|| {
        let message = format!("invalid group_next_token '{next}'. were rule groups changed?");
        ApiError::parameter("group_next_token", message)
    })?;
    let wanted = |group: &&RuleGroup| {
        filter.wants_group(group)
            && (filter.keeps_empty() || group.rules.iter().any(|rule| filter.wants(rule)))
    };
    let mut rest = groups[start..].iter().filter(wanted);
    let shown = rest.by_ref().take(page).map(|group| GroupJson {
        name: &group.name,
        file: &group.file,
        rules: RuleList(group, &filter),
        interval: group.interval_seconds,
        limit: group.limit,
        evaluation_time: group.evaluation_seconds,
        last_evaluation: time_json(group.last_evaluation),
    });
    let shown = shown.collect();
    success(&Groups { groups: shown, group_next_token: rest.next().map(token) })
}
