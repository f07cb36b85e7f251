//! What can be seen of rules from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::rule_file::RuleKind;

/// How a rule's last evaluation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There was none.
    Unknown,
    /// Well.
    Ok,
    /// Not well.
    Err,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is not, or is over.
    Inactive,
    /// It waits.
    Pending,
    /// It fires.
    Firing,
}

impl State {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Inactive => "inactive",
            State::Pending => "pending",
            State::Firing => "firing",
        }
    }
}

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertState {
    /// With `alertname`.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// How far it is.
    pub state: State,
    /// Since when, milliseconds since 1970.
    pub active_at: i64,
    /// What the expression gave last.
    pub value: f64,
    /// Since when it only fires on.
    pub keep_firing_since: Option<i64>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleState {
    /// What it makes.
    pub kind: RuleKind,
    /// Its name.
    pub name: String,
    /// The expression, as the language prints it.
    pub query: String,
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep_firing: Duration,
    /// Labels, those of the group included.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The furthest of its alerts.
    pub state: State,
    /// Its alerts.
    pub alerts: Vec<AlertState>,
    /// How the last evaluation went.
    pub health: Health,
    /// What was wrong with it; empty when nothing was.
    pub last_error: String,
    /// How long it took.
    pub evaluation_seconds: f64,
    /// When it was, milliseconds since 1970; 0 is never.
    pub last_evaluation: i64,
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupState {
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub file: PathBuf,
    /// How often.
    pub interval: Duration,
    /// The most series or alerts of one rule; 0 is any number.
    pub limit: usize,
    /// Its rules.
    pub rules: Vec<RuleState>,
    /// How long the last evaluation took.
    pub evaluation_seconds: f64,
    /// When it was, milliseconds since 1970; 0 is never.
    pub last_evaluation: i64,
}
