//! Rules at work: recording rules make series, alerting rules make alerts.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use model::metric::{
    Batch, Float, HistogramSample, Labels, LabelsBuilder, Matcher, NAME_LABEL, stale_nan,
};

use crate::query::{Append, Query, QueryError, Sample, SampleValue};
use crate::rule_file::{Rule, RuleKind};
use crate::state::{AlertState, Health, RuleState, State};
use crate::template::{Data, Stop, Template};

/// What rules of all groups are evaluated with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `$externalLabels`.
    pub external_labels: Labels,
    /// `$externalURL`.
    pub external_url: String,
}

impl Default for Surroundings {
    fn default() -> Surroundings {
        Surroundings { external_labels: Labels::empty(), external_url: String::new() }
    }
}

/// An alert that is over is remembered for so long.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1_000;
/// The most queries that the templates of one alert may make.
const QUERIES_MAX: usize = 32;

#[derive(Debug, Clone)]
struct Alert {
    labels: Labels,
    annotations: Labels,
    state: State,
    value: f64,
    active_at: i64,
    /// 0 is not yet.
    fired_at: i64,
    resolved_at: i64,
    keep_firing_since: i64,
}

/// A rule and what it remembers from evaluation to evaluation.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) rule: Rule,
    /// What it wrote last.
    written: HashMap<Labels, ()>,
    alerts: HashMap<Labels, Alert>,
    /// Alerts are written from when their state is restored.
    pub(crate) restored: bool,
    pub(crate) health: Health,
    pub(crate) last_error: String,
    pub(crate) seconds: f64,
    pub(crate) evaluated_at: i64,
}

/// A moment of evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    /// How far before it rules look.
    pub(crate) offset: i64,
    pub(crate) limit: usize,
}

impl Moment {
    fn asked(self) -> i64 {
        self.time - self.offset
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Active {
    pub(crate) fn new(rule: Rule) -> Active {
        Active {
            rule,
            written: HashMap::new(),
            alerts: HashMap::new(),
            restored: false,
            health: Health::Unknown,
            last_error: String::new(),
            seconds: 0.0,
            evaluated_at: 0,
        }
    }

    /// Takes over what another one of the same name and labels remembers.
    pub(crate) fn take_over(&mut self, from: &mut Active) {
        self.written = std::mem::take(&mut from.written);
        self.alerts = std::mem::take(&mut from.alerts);
        self.restored = from.restored;
        self.health = from.health;
        self.last_error = std::mem::take(&mut from.last_error);
        self.seconds = from.seconds;
        self.evaluated_at = from.evaluated_at;
    }

    pub(crate) fn is_same(&self, other: &Active) -> bool {
        self.rule.kind == other.rule.kind
            && self.rule.name == other.rule.name
            && self.rule.labels == other.rule.labels
    }

    /// The series that it wrote last; after this it has none.
    pub(crate) fn give_up(&mut self) -> Vec<Labels> {
        self.written.drain().map(|(labels, ())| labels).collect()
    }

    /// Evaluates and writes; how many series, or why not.
    pub(crate) async fn evaluate(
        &mut self,
        moment: Moment,
        query: &dyn Query,
        append: &dyn Append,
        surroundings: &Surroundings,
    ) -> Result<usize, QueryError> {
        let result = match self.rule.kind {
            RuleKind::Record => self.record(moment, query).await,
            RuleKind::Alert => self.alert(moment, query, surroundings).await,
        };
        let samples = match result {
            Ok(samples) => samples,
            Err(error) => {
                self.health = Health::Err;
                self.last_error = error.to_string();
                return Err(error);
            }
        };
        self.health = Health::Ok;
        self.last_error.clear();
        let count = samples.len();
        self.write(&samples, moment.asked(), append).await.map_err(|error| {
            self.health = Health::Err;
            self.last_error.clone_from(&error);
            QueryError::Failed(error)
        })?;
        Ok(count)
    }

    async fn write(
        &mut self,
        samples: &[Sample],
        time: i64,
        append: &dyn Append,
    ) -> Result<(), String> {
        let mut batch = Batch::new();
        let mut written = HashMap::with_capacity(samples.len());
        for sample in samples {
            batch.begin_with(&sample.labels);
            match &sample.value {
                SampleValue::Float(value) => {
                    batch.float(Float { timestamp: time, value: *value, start: 0 });
                }
                SampleValue::Histogram(histogram) => batch.histogram(HistogramSample {
                    timestamp: time,
                    start: 0,
                    histogram: (**histogram).clone(),
                }),
            }
            written.insert(sample.labels.clone(), ());
        }
        for labels in self.written.keys().filter(|labels| !written.contains_key(*labels)) {
            batch.begin_with(labels);
            batch.float(Float { timestamp: time, value: stale_nan(), start: 0 });
        }
        if !batch.is_empty() {
            let rejected = append.append(batch).await?;
            if let Some(first) = rejected.first() {
                self.health = Health::Err;
                self.last_error.clone_from(&first.reason);
            }
        }
        self.written = written;
        Ok(())
    }

    async fn record(&self, moment: Moment, query: &dyn Query) -> Result<Vec<Sample>, QueryError> {
        let rule = &self.rule;
        let mut samples = query.instant(&rule.expr, moment.asked()).await?;
        let mut seen = HashMap::with_capacity(samples.len());
        for sample in &mut samples {
            let mut labels = LabelsBuilder::from_labels(&sample.labels);
            labels.set(NAME_LABEL, &rule.name);
            for (name, value) in &rule.labels {
                labels.set(name, value);
            }
            sample.labels = labels.build();
            if seen.insert(sample.labels.clone(), ()).is_some() {
                return Err(QueryError::Failed(
                    "vector contains metrics with the same labelset after applying rule labels"
                        .to_owned(),
                ));
            }
        }
        if moment.limit > 0 && samples.len() > moment.limit {
            let (limit, count) = (moment.limit, samples.len());
            return Err(QueryError::Failed(format!(
                "exceeded limit of {limit} with {count} series"
            )));
        }
        Ok(samples)
    }

    async fn alert(
        &mut self,
        moment: Moment,
        query: &dyn Query,
        surroundings: &Surroundings,
    ) -> Result<Vec<Sample>, QueryError> {
        let samples = query.instant(&self.rule.expr, moment.asked()).await?;
        let mut found: HashMap<Labels, Alert> = HashMap::with_capacity(samples.len());
        for sample in &samples {
            let alert = self.new_alert(sample, moment, query, surroundings).await?;
            if found.insert(alert.labels.clone(), alert).is_some() {
                return Err(QueryError::Failed(
                    "vector contains metrics with the same labelset after applying alert labels"
                        .to_owned(),
                ));
            }
        }
        self.advance(&mut found, moment.time);
        let active = self.alerts.values().filter(|alert| alert.state != State::Inactive).count();
        if moment.limit > 0 && active > moment.limit {
            self.alerts.clear();
            let limit = moment.limit;
            return Err(QueryError::Failed(format!(
                "exceeded limit of {limit} with {active} alerts"
            )));
        }
        if !self.restored {
            return Ok(Vec::new());
        }
        let active = self.alerts.values().filter(|alert| alert.state != State::Inactive);
        Ok(active.flat_map(|alert| self.series(alert, moment.asked())).collect())
    }

    async fn new_alert(
        &self,
        sample: &Sample,
        moment: Moment,
        query: &dyn Query,
        surroundings: &Surroundings,
    ) -> Result<Alert, QueryError> {
        let texts = |labels: &Labels| -> BTreeMap<String, String> {
            labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let value = match &sample.value {
            SampleValue::Float(value) => *value,
            SampleValue::Histogram(histogram) => histogram.count,
        };
        let mut data = Data {
            labels: texts(&sample.labels),
            external_labels: texts(&surroundings.external_labels),
            external_url: surroundings.external_url.clone(),
            value,
            time: moment.time,
            answers: HashMap::new(),
        };
        let mut labels = LabelsBuilder::from_labels(&sample.labels);
        labels.remove(NAME_LABEL);
        for (name, text) in &self.rule.labels {
            labels.set(name, &self.expand(text, &mut data, moment, query).await?);
        }
        labels.set("alertname", &self.rule.name);
        let mut annotations = LabelsBuilder::default();
        for (name, text) in &self.rule.annotations {
            annotations.set(name, &self.expand(text, &mut data, moment, query).await?);
        }
        Ok(Alert {
            labels: labels.build(),
            annotations: annotations.build(),
            state: State::Pending,
            value,
            active_at: moment.time,
            fired_at: 0,
            resolved_at: 0,
            keep_firing_since: 0,
        })
    }

    /// The text of a template; a mistake in it becomes part of the text.
    async fn expand(
        &self,
        text: &str,
        data: &mut Data,
        moment: Moment,
        query: &dyn Query,
    ) -> Result<String, QueryError> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let failed = |error: &str| format!("<error expanding template: {error}>");
        let template = match Template::parse(&format!("__alert_{}", self.rule.name), text) {
            Ok(template) => template,
            Err(error) => return Ok(failed(&error)),
        };
        loop {
            match template.expand(data) {
                Ok(text) => return Ok(text),
                Err(Stop::Error(error)) => return Ok(failed(&error)),
                Err(Stop::Query(_)) if data.answers.len() >= QUERIES_MAX => {
                    return Ok(failed(&format!("more than {QUERIES_MAX} queries")));
                }
                Err(Stop::Query(text)) => {
                    match query.instant(&text, moment.asked()).await {
                        Ok(answer) => data.answers.insert(text, answer),
                        Err(QueryError::Canceled) => return Err(QueryError::Canceled),
                        Err(error) => return Ok(failed(&format!("error calling query: {error}"))),
                    };
                }
            }
        }
    }

    /// Moves alerts on: new ones begin, old ones fire or are over.
    fn advance(&mut self, found: &mut HashMap<Labels, Alert>, now: i64) {
        for (labels, new) in found.iter() {
            match self.alerts.get_mut(labels) {
                Some(alert) if alert.state != State::Inactive => {
                    alert.value = new.value;
                    alert.annotations = new.annotations.clone();
                }
                _ => {
                    self.alerts.insert(labels.clone(), new.clone());
                }
            }
        }
        let (hold, keep) = (millis(self.rule.hold), millis(self.rule.keep_firing));
        self.alerts.retain(|labels, alert| {
            if found.contains_key(labels) {
                alert.keep_firing_since = 0;
            } else {
                let mut keeps = false;
                if alert.state == State::Firing && keep > 0 {
                    if alert.keep_firing_since == 0 {
                        alert.keep_firing_since = now;
                    }
                    keeps = now - alert.keep_firing_since < keep;
                }
                let old = alert.resolved_at != 0 && now - alert.resolved_at > RESOLVED_RETENTION_MS;
                if alert.state == State::Pending || old {
                    return false;
                }
                if !keeps && alert.state != State::Inactive {
                    alert.state = State::Inactive;
                    alert.resolved_at = now;
                }
            }
            if alert.state == State::Pending && now - alert.active_at >= hold {
                alert.state = State::Firing;
                alert.fired_at = now;
            }
            true
        });
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`.
    fn series(&self, alert: &Alert, timestamp: i64) -> [Sample; 2] {
        let mut labels = LabelsBuilder::from_labels(&alert.labels);
        labels.set("alertname", &self.rule.name);
        labels.set(NAME_LABEL, "ALERTS_FOR_STATE");
        let for_state = labels.build();
        labels.set(NAME_LABEL, "ALERTS");
        labels.set("alertstate", alert.state.as_str());
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let since = alert.active_at.div_euclid(1_000) as f64;
        [
            Sample { labels: labels.build(), timestamp, value: SampleValue::Float(1.0) },
            Sample { labels: for_state, timestamp, value: SampleValue::Float(since) },
        ]
    }

    /// Takes up the waiting time that alerts had before this program was restarted.
    pub(crate) async fn restore(
        &mut self,
        now: i64,
        outage_tolerance: Duration,
        grace: Duration,
        query: &dyn Query,
    ) -> Result<(), QueryError> {
        if self.rule.kind != RuleKind::Alert || self.restored {
            return Ok(());
        }
        // A short wait is waited anew.
        if self.rule.hold < grace || self.alerts.is_empty() {
            self.restored = true;
            return Ok(());
        }
        let matchers = [
            Matcher::equal(NAME_LABEL, "ALERTS_FOR_STATE"),
            Matcher::equal("alertname", self.rule.name.as_str()),
        ];
        let start = now - millis(outage_tolerance);
        let stored = query.newest(&matchers, start, now).await?;
        let (hold, grace) = (millis(self.rule.hold), millis(grace));
        for sample in stored {
            let SampleValue::Float(since) = sample.value else { continue };
            let mut labels = LabelsBuilder::from_labels(&sample.labels);
            labels.remove(NAME_LABEL);
            let Some(alert) = self.alerts.get_mut(&labels.build()) else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
            let since = (since * 1_000.0) as i64;
            let remaining = hold - (sample.timestamp - since);
            alert.active_at = if remaining <= 0 {
                since
            } else if remaining < grace {
                now + grace - hold
            } else {
                since + (now - sample.timestamp)
            };
        }
        self.restored = true;
        Ok(())
    }

    pub(crate) fn state(&self) -> RuleState {
        let texts = |labels: &Labels| -> BTreeMap<String, String> {
            labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let mut alerts: Vec<AlertState> = self
            .alerts
            .values()
            .filter(|alert| alert.resolved_at == 0)
            .map(|alert| AlertState {
                labels: texts(&alert.labels),
                annotations: texts(&alert.annotations),
                state: alert.state,
                active_at: alert.active_at,
                value: alert.value,
                keep_firing_since: (alert.keep_firing_since != 0)
                    .then_some(alert.keep_firing_since),
            })
            .collect();
        alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
        RuleState {
            kind: self.rule.kind,
            name: self.rule.name.clone(),
            query: self.rule.expr.clone(),
            hold: self.rule.hold,
            keep_firing: self.rule.keep_firing,
            labels: self.rule.labels.clone(),
            annotations: self.rule.annotations.clone(),
            state: alerts.iter().map(|alert| alert.state).max().unwrap_or(State::Inactive),
            alerts,
            health: self.health,
            last_error: self.last_error.clone(),
            evaluation_seconds: self.seconds,
            last_evaluation: self.evaluated_at,
        }
    }
}
