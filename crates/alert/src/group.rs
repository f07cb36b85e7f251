//! A group of rules at work.

use std::path::PathBuf;
use std::time::Duration;

use model::metric::{Batch, Float, Labels, stale_nan};
use stdx::clock::{Clock, Stopwatch};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::query::{Append, Query, QueryError};
use crate::rule::{Active, Moment, Surroundings};
use crate::rule_file;
use crate::state::GroupState;

/// A group and what its rules remember.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) interval: Duration,
    pub(crate) offset: Duration,
    limit: usize,
    pub(crate) rules: Vec<Active>,
    /// Series of rules that are no more.
    ended: Vec<Labels>,
    seconds: f64,
    evaluated_at: i64,
}

impl Group {
    pub(crate) fn new(
        file: PathBuf,
        group: rule_file::Group,
        interval: Duration,
        offset: Duration,
    ) -> Group {
        Group {
            file,
            interval: group.interval.unwrap_or(interval).max(Duration::from_millis(1)),
            offset: group.query_offset.unwrap_or(offset),
            name: group.name,
            limit: group.limit,
            rules: group.rules.into_iter().map(Active::new).collect(),
            ended: Vec::new(),
            seconds: 0.0,
            evaluated_at: 0,
        }
    }

    /// Whether evaluating it goes on as it is.
    pub(crate) fn is_same(&self, other: &Group) -> bool {
        self.file == other.file
            && self.name == other.name
            && self.interval == other.interval
            && self.offset == other.offset
            && self.limit == other.limit
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| a.rule == b.rule)
    }

    /// Takes over what an older form of the group remembers; rules that are no more end.
    pub(crate) fn take_over(&mut self, mut from: Group) {
        self.seconds = from.seconds;
        self.evaluated_at = from.evaluated_at;
        self.ended = std::mem::take(&mut from.ended);
        let mut taken = vec![false; from.rules.len()];
        for rule in &mut self.rules {
            let same = from.rules.iter().enumerate();
            let mut same = same.filter(|(at, old)| !taken[*at] && old.is_same(rule));
            let Some((at, _)) = same.next() else { continue };
            taken[at] = true;
            rule.take_over(&mut from.rules[at]);
        }
        for (rule, taken) in from.rules.iter_mut().zip(taken) {
            if !taken {
                self.ended.extend(rule.give_up());
            }
        }
    }

    /// When in each interval it is evaluated, nanoseconds: spread over the groups.
    pub(crate) fn slot(&self, seed: u64) -> i64 {
        let key = format!("{};{}", self.file.display(), self.name);
        let hash = xxh3_64_with_seed(key.as_bytes(), seed);
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        i64::try_from(hash % interval).unwrap_or(0)
    }

    /// Evaluates all rules, in order. How many samples they gave.
    pub(crate) async fn evaluate(
        &mut self,
        time: i64,
        clock: &Clock,
        query: &dyn Query,
        append: &dyn Append,
        surroundings: &Surroundings,
    ) -> Result<usize, QueryError> {
        let watch = Stopwatch::start();
        let offset = i64::try_from(self.offset.as_millis()).unwrap_or(i64::MAX);
        let moment = Moment { time, offset, limit: self.limit };
        let mut samples = 0;
        for rule in &mut self.rules {
            let rule_watch = Stopwatch::start();
            let result = rule.evaluate(moment, query, append, surroundings).await;
            rule.seconds = rule_watch.elapsed().as_secs_f64();
            rule.evaluated_at = clock.now().div_euclid(1_000_000);
            metrics::counter!("trefoil_rules_evaluations_total").increment(1);
            metrics::histogram!("trefoil_rules_evaluation_seconds").record(rule.seconds);
            match result {
                Ok(count) => samples += count,
                Err(QueryError::Canceled) => return Err(QueryError::Canceled),
                Err(error) => {
                    metrics::counter!("trefoil_rules_evaluation_failures_total").increment(1);
                    warn!(
                        group = self.name,
                        rule = rule.rule.name,
                        file = %self.file.display(),
                        %error,
                        "rule failed"
                    );
                }
            }
        }
        self.end_series(time - offset, append).await;
        self.seconds = watch.elapsed().as_secs_f64();
        self.evaluated_at = clock.now().div_euclid(1_000_000);
        metrics::histogram!("trefoil_rules_group_seconds").record(self.seconds);
        Ok(samples)
    }

    /// Marks series of rules that are no more as ended.
    async fn end_series(&mut self, time: i64, append: &dyn Append) {
        if self.ended.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        for labels in &self.ended {
            batch.begin_with(labels);
            batch.float(Float { timestamp: time, value: stale_nan(), start: 0 });
        }
        match append.append(batch).await {
            Ok(_) => self.ended.clear(),
            Err(error) => warn!(group = self.name, error, "ends of series not written"),
        }
    }

    /// The group is no more: everything that it wrote ends.
    pub(crate) async fn end(&mut self, time: i64, append: &dyn Append) {
        for rule in &mut self.rules {
            let written = rule.give_up();
            self.ended.extend(written);
        }
        self.end_series(time, append).await;
    }

    pub(crate) fn state(&self) -> GroupState {
        GroupState {
            name: self.name.clone(),
            file: self.file.clone(),
            interval: self.interval,
            limit: self.limit,
            rules: self.rules.iter().map(Active::state).collect(),
            evaluation_seconds: self.seconds,
            last_evaluation: self.evaluated_at,
        }
    }
}
