//! `info`: the labels of info metrics added to other series.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use model::metric::{Labels, LabelsBuilder, MatchOp, Matcher, NAME_LABEL};

use super::column::{Column, Series, Steps, is_present};
use super::plan::{Kind, Node, Selector};
use super::select::Take;
use super::value::Value;
use super::{Evaluator, Result};
use crate::ast::VectorSelector;
use crate::engine::QueryError;
use crate::position::PosRange;

/// The labels by which info metrics belong to others.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const DEFAULT_METRIC: &str = "target_info";

/// The second argument, taken apart.
struct Wanted {
    names: Vec<Matcher>,
    data: BTreeMap<String, Vec<Matcher>>,
}

impl Wanted {
    fn new(arg: Option<&Node<'_>>) -> Wanted {
        let mut wanted = Wanted { names: Vec::new(), data: BTreeMap::new() };
        let Some(Kind::Vector(selector)) = arg.map(|arg| &arg.unmarked().kind) else {
            wanted.names.push(Matcher::equal(NAME_LABEL, DEFAULT_METRIC));
            return wanted;
        };
        for matcher in &selector.of.matchers {
            if matcher.name == NAME_LABEL {
                wanted.names.push(matcher.clone());
            } else {
                wanted.data.entry(matcher.name.clone()).or_default().push(matcher.clone());
            }
        }
        // Of metrics that are only excluded those are meant that are named like info metrics.
        let excludes =
            |matcher: &Matcher| matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        if !wanted.names.is_empty()
            && wanted.names.iter().all(excludes)
            && let Ok(matcher) = Matcher::new(NAME_LABEL, MatchOp::Regex, ".+_info")
        {
            wanted.names.push(matcher);
        }
        wanted
    }

    /// Whether a series is itself such an info metric.
    fn is_info(&self, labels: &Labels) -> bool {
        let name = labels.name().unwrap_or_default();
        !self.names.is_empty() && self.names.iter().all(|matcher| matcher.matches(name))
    }

    /// Whether series without info metric stay.
    fn allows_nothing(&self) -> bool {
        self.data.values().flatten().all(Matcher::matches_empty)
    }

    fn takes(&self, label: &str) -> bool {
        label != NAME_LABEL && (self.data.is_empty() || self.data.contains_key(label))
    }
}

fn identity(labels: &Labels) -> Vec<Option<&str>> {
    IDENTIFYING.iter().map(|name| labels.get(name)).collect()
}

/// The first selector of an expression: its times are those of the info metrics.
fn first_selector<'n, 'q>(node: &'n Node<'q>) -> Option<&'n Selector<'q>> {
    match &node.kind {
        Kind::Vector(selector) => Some(selector),
        Kind::Range(range) => Some(&range.selector),
        Kind::Invariant(inner) | Kind::Negative(inner) | Kind::Positive(inner) => {
            first_selector(inner)
        }
        Kind::Subquery(subquery) => first_selector(&subquery.expr),
        Kind::Aggregate { expr, .. } => first_selector(expr),
        Kind::Binary { left, right, .. } => first_selector(left).or_else(|| first_selector(right)),
        Kind::Call { args, .. } => args.iter().find_map(first_selector),
        Kind::Number(_) | Kind::Text(_) => None,
    }
}

impl Evaluator<'_> {
    pub(crate) fn info(
        &self,
        args: &[Node<'_>],
        steps: Steps,
        position: PosRange,
    ) -> Result<Value<'_>> {
        let base = self.eval_vector(&args[0], steps)?.into_series();
        let wanted = Wanted::new(args.get(1));
        let ignored: Vec<bool> = base.iter().map(|series| wanted.is_info(&series.labels)).collect();
        let infos = self.info_series(&args[0], &base, (&ignored, &wanted), (steps, position))?;
        let mut by_identity: HashMap<Vec<Option<&str>>, BTreeMap<&str, Vec<&Series>>> =
            HashMap::new();
        for info in &infos {
            let name = info.labels.name().unwrap_or_default();
            let by_name = by_identity.entry(identity(&info.labels)).or_default();
            by_name.entry(name).or_default().push(info);
        }
        let mut results: Vec<Series> = Vec::new();
        for (series, ignored) in base.iter().zip(ignored) {
            self.control.check()?;
            if ignored {
                results.push(series.clone());
                continue;
            }
            let infos = by_identity.get(&identity(&series.labels));
            enrich(series, infos, &wanted, &mut results)?;
        }
        results.retain(|series| !series.column.is_empty());
        let vector = self.hold(results)?;
        self.merge_same_labels(vector).map(Value::Vector)
    }

    /// The info metrics of the same identities; their values are the times of their samples.
    fn info_series(
        &self,
        arg: &Node<'_>,
        base: &[Series],
        (ignored, wanted): (&[bool], &Wanted),
        (steps, position): (Steps, PosRange),
    ) -> Result<Vec<Series>> {
        let mut values: [BTreeSet<&str>; 2] = [BTreeSet::new(), BTreeSet::new()];
        for (series, _) in base.iter().zip(ignored).filter(|(_, ignored)| !**ignored) {
            for (name, values) in IDENTIFYING.iter().zip(&mut values) {
                values.extend(series.labels.get(name));
            }
        }
        if values.iter().all(BTreeSet::is_empty) {
            return Ok(Vec::new());
        }
        let mut matchers = Vec::new();
        for (name, values) in IDENTIFYING.iter().zip(&values).filter(|(_, one)| !one.is_empty()) {
            let escaped: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
            let matcher = Matcher::new(*name, MatchOp::Regex, escaped.join("|"))
                .map_err(|error| QueryError::Execution(error.to_string()))?;
            matchers.push(matcher);
        }
        matchers.extend(wanted.data.values().flatten().cloned());
        if wanted.names.is_empty() {
            matchers.push(Matcher::equal(NAME_LABEL, DEFAULT_METRIC));
        } else {
            matchers.extend(wanted.names.iter().cloned());
        }
        let of = VectorSelector {
            name: None,
            matchers,
            offset: crate::ast::DurationValue::Fixed(0),
            at: None,
            extended: None,
            bypass_empty_matcher_check: true,
            position,
        };
        let like = first_selector(arg);
        let selector = Selector {
            of: &of,
            offset: like.map_or(0, |like| like.offset),
            at: like.and_then(|like| like.at),
            extended: None,
            statistics: false,
        };
        let stream = self.taking(&selector, steps, Take::Millis, Some("info"))?;
        Ok(self.materialize(&*stream)?.into_series())
    }
}

/// Adds the labels of the info metrics that a series has at each step.
fn enrich(
    series: &Series,
    infos: Option<&BTreeMap<&str, Vec<&Series>>>,
    wanted: &Wanted,
    results: &mut Vec<Series>,
) -> Result<()> {
    let first = results.len();
    let mut last: Option<(Vec<*const Series>, usize)> = None;
    for step in 0..series.column.len() {
        let Some(cell) = series.column.cell(step) else { continue };
        let mut found: Vec<&Series> = Vec::new();
        for candidates in infos.into_iter().flat_map(BTreeMap::values) {
            found.extend(newest(candidates, step)?);
        }
        if found.is_empty() && !wanted.allows_nothing() {
            continue;
        }
        let key: Vec<*const Series> = found.iter().map(|&one| std::ptr::from_ref(one)).collect();
        let at = match &last {
            Some((known, at)) if *known == key => *at,
            _ => {
                let labels = enriched_labels(&series.labels, &found, wanted)?;
                let known = results[first..].iter().position(|one| one.labels == labels);
                let at = known.map_or(results.len(), |at| first + at);
                if at == results.len() {
                    let column = Column::absent(series.column.len());
                    results.push(Series { labels, drop_name: series.drop_name, column });
                }
                at
            }
        };
        results[at].column.set(step, cell);
        last = Some((key, at));
    }
    Ok(())
}

/// The info series with the newest sample at a step.
fn newest<'s>(candidates: &[&'s Series], step: usize) -> Result<Option<&'s Series>> {
    let mut best: Option<(&Series, f64)> = None;
    for &one in candidates {
        if one.column.histogram(step).is_some() {
            return Err(QueryError::Execution("info sample should be float".to_owned()));
        }
        let time = one.column.floats[step];
        if !is_present(time) {
            continue;
        }
        match best {
            #[expect(clippy::float_cmp, reason = "times in whole milliseconds")]
            Some((other, other_time)) if other_time == time => {
                return Err(QueryError::Execution(format!(
                    "found duplicate series for info metric: existing {} @ {other_time}, new {} \
                     @ {time}",
                    other.labels, one.labels
                )));
            }
            Some((_, other_time)) if other_time > time => {}
            _ => best = Some((one, time)),
        }
    }
    Ok(best.map(|(one, _)| one))
}

fn enriched_labels(base: &Labels, infos: &[&Series], wanted: &Wanted) -> Result<Labels> {
    let mut builder = LabelsBuilder::from_labels(base);
    for info in infos {
        for (name, value) in &info.labels {
            if !wanted.takes(name) || base.get(name).is_some() {
                continue;
            }
            if builder.get(name).is_some_and(|known| known != value) {
                return Err(QueryError::Execution(format!("conflicting label: {name}")));
            }
            builder.set(name, value);
        }
    }
    Ok(builder.build())
}
