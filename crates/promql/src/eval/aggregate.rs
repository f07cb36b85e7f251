//! Aggregations: each series is added to its group's columns as soon as it is known.

use std::sync::Arc;

use hashbrown::HashMap;
use model::metric::{Histogram, Labels, NAME_LABEL, ResetHint};

use super::column::{Cell, Column, Series, Steps, is_present};
use super::plan::{Kind, Node};
use super::stream::{Scratch, Stream};
use super::value::{Tally, Value, put_labels};
use super::{Evaluator, Result};
use crate::annotations::{Annotations, Operation};
use crate::ast::{Aggregate, AggregateOp};
use crate::engine::QueryError;
use crate::functions::over_time::Mean;
use crate::functions::sorted::quantile_of;
use crate::histogram::{Added, Average, Incompatible, Open, format_histogram};
use crate::number::{Kahan, format_plain};
use crate::position::PosRange;

/// Which series belong together.
pub(crate) struct Groups {
    /// The labels of each group.
    pub(crate) labels: Vec<Labels>,
    /// The group of each series.
    pub(crate) of: Vec<usize>,
}

/// Writes the labels by which a series is grouped.
fn put_group(into: &mut Vec<u8>, labels: &Labels, grouping: &[&str], without: bool) {
    into.clear();
    put_labels(into, labels, |name| {
        let listed = grouping.contains(&name);
        if without { name != NAME_LABEL && !listed } else { listed }
    });
}

impl Groups {
    /// Groups `count` series.
    pub(crate) fn new<'l>(
        labels: impl Iterator<Item = &'l Labels>,
        grouping: &[&str],
        without: bool,
    ) -> Groups {
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut groups = Groups { labels: Vec::new(), of: Vec::new() };
        let mut key = Vec::new();
        for labels in labels {
            put_group(&mut key, labels, grouping, without);
            let at = match known.get(&key) {
                Some(&at) => at,
                None => {
                    groups.labels.push(Labels::from_canonical(&key));
                    known.insert(key.clone(), groups.labels.len() - 1);
                    groups.labels.len() - 1
                }
            };
            groups.of.push(at);
        }
        groups
    }
}

/// About what a group takes for each step, bytes.
const ACCUMULATOR_BYTES: usize = 32;

/// Series that are known already, as a stream.
pub(crate) struct Known<'a>(pub(crate) &'a [Series], pub(crate) usize);

impl Stream for Known<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index].labels
    }

    fn drops_name(&self, index: usize) -> bool {
        self.0[index].drop_name
    }

    fn steps(&self) -> usize {
        self.1
    }

    fn compute(&self, index: usize, _scratch: &mut Scratch, column: &mut Column) -> Result<()> {
        column.clone_from(&self.0[index].column);
        Ok(())
    }
}

/// Floats of one group at all steps.
enum Floats {
    Sum(Vec<Kahan>, Vec<bool>),
    Avg(Vec<Mean>, Vec<bool>),
    Best(Vec<f64>),
    Count(Vec<f64>),
    Variance(Vec<(f64, f64, f64)>),
    All(Vec<Vec<f64>>),
}

/// Native histograms of one group at one step.
enum Sum {
    Total(Box<Open>),
    Mean(Box<Average>),
    /// Exponential and custom buckets met.
    Impossible,
}

#[derive(Default)]
struct Histograms {
    sum: Option<Sum>,
    reset: bool,
    no_reset: bool,
}

/// One group in the making.
struct Accumulator {
    floats: Floats,
    histograms: Vec<Histograms>,
    drop_name: bool,
}

/// What is aggregated how.
#[derive(Clone, Copy)]
struct Job<'q> {
    op: AggregateOp,
    steps: usize,
    position: PosRange,
    q: &'q [f64],
}

impl Accumulator {
    fn new(job: Job<'_>) -> Accumulator {
        let steps = job.steps;
        let floats = match job.op {
            AggregateOp::Sum => Floats::Sum(vec![Kahan::default(); steps], vec![false; steps]),
            AggregateOp::Avg => Floats::Avg(vec![Mean::default(); steps], vec![false; steps]),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                Floats::Variance(vec![(0.0, 0.0, 0.0); steps])
            }
            AggregateOp::Quantile => Floats::All(vec![Vec::new(); steps]),
            AggregateOp::Min | AggregateOp::Max => Floats::Best(vec![super::column::ABSENT; steps]),
            _ => Floats::Count(vec![0.0; steps]),
        };
        Accumulator { floats, histograms: Vec::new(), drop_name: false }
    }

    /// Adds a series.
    fn add(&mut self, job: Job<'_>, column: &Column, name: &str, notes: &mut Annotations) {
        self.add_floats(job.op, &column.floats);
        if column.histograms.is_empty() {
            return;
        }
        for (step, histogram) in column.histograms.iter().enumerate() {
            let Some(histogram) = histogram else { continue };
            match job.op {
                AggregateOp::Sum | AggregateOp::Avg => {
                    if self.histograms.is_empty() {
                        self.histograms.resize_with(job.steps, Histograms::default);
                    }
                    self.histograms[step].add(job, histogram, name, notes);
                }
                AggregateOp::Count | AggregateOp::Group => {
                    if let Floats::Count(counts) = &mut self.floats {
                        counts[step] += 1.0;
                    }
                }
                op => notes.ignored_in_aggregation(op.as_str(), job.position),
            }
        }
    }

    fn add_floats(&mut self, op: AggregateOp, values: &[f64]) {
        let present = values.iter().enumerate().filter(|(_, value)| is_present(**value));
        match &mut self.floats {
            Floats::Sum(sums, seen) => present.for_each(|(step, &value)| {
                sums[step].add(value);
                seen[step] = true;
            }),
            Floats::Avg(means, seen) => present.for_each(|(step, &value)| {
                means[step].add(value);
                seen[step] = true;
            }),
            Floats::Best(best) => present.for_each(|(step, &value)| {
                let old = best[step];
                let better = if op == AggregateOp::Max { old < value } else { old > value };
                if !is_present(old) || better || old.is_nan() {
                    best[step] = value;
                }
            }),
            Floats::Count(counts) => present.for_each(|(step, _)| counts[step] += 1.0),
            Floats::Variance(states) => present.for_each(|(step, &value)| {
                let (count, mean, squares) = &mut states[step];
                *count += 1.0;
                if *count <= 1.0 {
                    *mean = value;
                    *squares = if value.is_finite() { 0.0 } else { f64::NAN };
                    return;
                }
                let delta = value - *mean;
                *mean += delta / *count;
                *squares += delta * (value - *mean);
            }),
            Floats::All(all) => present.for_each(|(step, &value)| all[step].push(value)),
        }
    }

    /// Joins what another thread has added up.
    fn merge(&mut self, job: Job<'_>, other: Accumulator, notes: &mut Annotations) {
        self.drop_name |= other.drop_name;
        match (&mut self.floats, other.floats) {
            (Floats::Sum(sums, seen), Floats::Sum(others, others_seen)) => {
                for (step, other) in others.into_iter().enumerate() {
                    if others_seen[step] {
                        sums[step].merge(other);
                        seen[step] = true;
                    }
                }
            }
            (Floats::Avg(means, seen), Floats::Avg(others, others_seen)) => {
                for (step, other) in others.into_iter().enumerate() {
                    means[step].merge(other);
                    seen[step] |= others_seen[step];
                }
            }
            (Floats::Count(counts), Floats::Count(others)) => {
                counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
            }
            (Floats::Variance(states), Floats::Variance(others)) => {
                for (state, other) in states.iter_mut().zip(others) {
                    merge_variance(state, other);
                }
            }
            (Floats::All(all), Floats::All(others)) => {
                all.iter_mut().zip(others).for_each(|(all, other)| all.extend(other));
            }
            (_, Floats::Best(others)) => self.add_floats(job.op, &others),
            _ => {}
        }
        if other.histograms.is_empty() {
            return;
        }
        if self.histograms.is_empty() {
            self.histograms = other.histograms;
            return;
        }
        for (mine, other) in self.histograms.iter_mut().zip(other.histograms) {
            mine.merge(other, job, notes);
        }
    }

    /// The group's column.
    fn close(self, job: Job<'_>, notes: &mut Annotations) -> Column {
        let mut column = Column::absent(job.steps);
        match self.floats {
            Floats::Sum(sums, seen) => {
                for step in (0..job.steps).filter(|&step| seen[step]) {
                    column.floats[step] = sums[step].sum + sums[step].rest;
                }
            }
            Floats::Avg(means, seen) => {
                for step in (0..job.steps).filter(|&step| seen[step]) {
                    column.floats[step] = means[step].value();
                }
            }
            Floats::Best(best) => column.floats = best,
            Floats::Count(counts) => {
                for step in (0..job.steps).filter(|&step| counts[step] > 0.0) {
                    let group = job.op == AggregateOp::Group;
                    column.floats[step] = if group { 1.0 } else { counts[step] };
                }
            }
            Floats::Variance(states) => {
                for (step, (count, _, squares)) in states.into_iter().enumerate() {
                    if count > 0.0 {
                        let variance = squares / count;
                        let root = job.op == AggregateOp::Stddev;
                        column.floats[step] = if root { variance.sqrt() } else { variance };
                    }
                }
            }
            Floats::All(all) => {
                for (step, mut values) in all.into_iter().enumerate() {
                    if !values.is_empty() {
                        column.floats[step] = quantile_of(job.q[step], &mut values);
                    }
                }
            }
        }
        for (step, histograms) in self.histograms.into_iter().enumerate() {
            let Some(sum) = histograms.sum else { continue };
            if is_present(column.floats[step]) {
                notes.mixed_aggregation(job.position);
                column.clear(step);
                continue;
            }
            let total = match sum {
                Sum::Impossible => continue,
                Sum::Total(total) => total.close(),
                Sum::Mean(mean) => mean.close(),
            };
            if histograms.reset && histograms.no_reset {
                notes.colliding_hints(Operation::Aggregation, job.position);
            }
            column.set_histogram(step, Arc::new(total));
        }
        column
    }
}

fn merge_variance(state: &mut (f64, f64, f64), other: (f64, f64, f64)) {
    if other.0 == 0.0 {
        return;
    }
    if state.0 == 0.0 {
        *state = other;
        return;
    }
    let count = state.0 + other.0;
    let delta = other.1 - state.1;
    state.1 += delta * other.0 / count;
    state.2 += other.2 + delta * delta * state.0 * other.0 / count;
    state.0 = count;
}

impl Histograms {
    fn add(&mut self, job: Job<'_>, histogram: &Histogram, name: &str, notes: &mut Annotations) {
        if matches!(self.sum, Some(Sum::Impossible)) {
            return;
        }
        self.reset |= histogram.reset_hint == ResetHint::Reset;
        self.no_reset |= histogram.reset_hint == ResetHint::NoReset;
        let added = match &mut self.sum {
            None => {
                self.sum = Some(match job.op {
                    AggregateOp::Avg => Sum::Mean(Box::new(Average::new(histogram))),
                    _ => Sum::Total(Box::new(Open::new(histogram))),
                });
                return;
            }
            Some(Sum::Total(total)) => total.add(histogram),
            Some(Sum::Mean(mean)) => mean.add(histogram),
            Some(Sum::Impossible) => return,
        };
        self.noted(added, job, name, notes);
    }

    fn noted(
        &mut self,
        added: std::result::Result<Added, Incompatible>,
        job: Job<'_>,
        name: &str,
        notes: &mut Annotations,
    ) {
        match added {
            Ok(added) if added.bounds_differ => {
                notes.bounds_reconciled(Operation::Aggregation, job.position);
            }
            Ok(_) => {}
            Err(Incompatible) => {
                notes.mixed_schemas(name, job.position);
                self.sum = Some(Sum::Impossible);
            }
        }
    }

    fn merge(&mut self, other: Histograms, job: Job<'_>, notes: &mut Annotations) {
        self.reset |= other.reset;
        self.no_reset |= other.no_reset;
        let Some(theirs) = other.sum else { return };
        let added = match (&mut self.sum, theirs) {
            (Some(Sum::Total(total)), Sum::Total(theirs)) => total.merge(*theirs),
            (Some(Sum::Mean(mean)), Sum::Mean(theirs)) => mean.merge(*theirs),
            (mine @ None, theirs) => {
                *mine = Some(theirs);
                return;
            }
            (mine, _) => {
                *mine = Some(Sum::Impossible);
                return;
            }
        };
        self.noted(added, job, "", notes);
    }
}

impl Evaluator<'_> {
    /// Evaluates an aggregation.
    pub(crate) fn aggregate(
        &self,
        of: &Aggregate,
        expr: &Node<'_>,
        param: Option<&Node<'_>>,
        steps: Steps,
    ) -> Result<Value<'_>> {
        let grouping: Vec<&str> = of.grouping.iter().map(String::as_str).collect();
        if of.op == AggregateOp::CountValues {
            return self.count_values(of, expr, param, steps);
        }
        let params = match param {
            Some(param) => self.eval_scalar(param, steps)?,
            None => Vec::new(),
        };
        if matches!(
            of.op,
            AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
        ) {
            let at = param.map_or(expr.position, |param| param.position);
            return self.choose(of, &grouping, expr, (&params, at), steps);
        }
        if of.op == AggregateOp::Quantile
            && let Some(&q) = params.iter().find(|q| !(0.0..=1.0).contains(*q))
            && let Some(param) = param
        {
            self.note_with(|notes| notes.invalid_quantile(q, param.position));
        }
        let position = expr.position;
        let job = Job { op: of.op, steps: steps.count, position, q: &params };
        let vector;
        let known;
        let stream = self.stream_of(expr, steps, of.op.as_str())?;
        let stream = match &stream {
            Some(stream) if !stream.has_same_labels() => &**stream,
            other => {
                vector = match other {
                    Some(stream) => self.materialize(&**stream)?,
                    None => self.eval_vector(expr, steps)?,
                };
                known = Known(vector.series(), steps.count);
                &known
            }
        };
        self.accumulate(job, &grouping, of.without, stream)
    }

    fn accumulate(
        &self,
        job: Job<'_>,
        grouping: &[&str],
        without: bool,
        stream: &dyn Stream,
    ) -> Result<Value<'_>> {
        let labels = (0..stream.len()).map(|index| stream.labels(index));
        let groups = Groups::new(labels, grouping, without);
        let count = groups.labels.len();
        let parts = self.in_parallel(stream, |range, scratch| {
            let mut parts: Vec<Option<Accumulator>> = Vec::new();
            parts.resize_with(count, || None);
            let mut column = Column::default();
            let mut tally = Tally::new(self.control);
            for index in range {
                self.control.check()?;
                column.reset(job.steps);
                stream.compute(index, scratch, &mut column)?;
                if column.is_empty() {
                    continue;
                }
                let part = &mut parts[groups.of[index]];
                if part.is_none() {
                    tally.add(0, job.steps * ACCUMULATOR_BYTES)?;
                }
                if job.op == AggregateOp::Quantile {
                    tally.add(column.samples(), column.samples() * 8)?;
                }
                let group = part.get_or_insert_with(|| Accumulator::new(job));
                group.drop_name |= stream.drops_name(index);
                let name = stream.labels(index).name().unwrap_or_default();
                group.add(job, &column, name, &mut scratch.notes);
            }
            Ok((parts, tally))
        })?;
        let mut notes = Annotations::default();
        let mut totals: Vec<Option<Accumulator>> = Vec::new();
        totals.resize_with(count, || None);
        for (part, _tally) in parts {
            for (total, part) in totals.iter_mut().zip(part) {
                match (total.as_mut(), part) {
                    (Some(total), Some(part)) => total.merge(job, part, &mut notes),
                    (None, part) => *total = part,
                    (Some(_), None) => {}
                }
            }
        }
        let mut series = Vec::with_capacity(count);
        for (labels, total) in groups.labels.into_iter().zip(totals) {
            let Some(total) = total else { continue };
            let drop_name = total.drop_name;
            let column = total.close(job, &mut notes);
            if !column.is_empty() {
                series.push(Series { labels, drop_name, column });
            }
        }
        self.note(notes);
        self.hold(series).map(Value::Vector)
    }

    fn count_values(
        &self,
        of: &Aggregate,
        expr: &Node<'_>,
        param: Option<&Node<'_>>,
        steps: Steps,
    ) -> Result<Value<'_>> {
        let Some(Kind::Text(label)) = param.map(|param| &param.unmarked().kind) else {
            return Err(QueryError::Execution("count_values needs a label name".to_owned()));
        };
        if !crate::functions::labels::is_valid_name(label) {
            return Err(QueryError::Execution(format!("invalid label name {label:?}")));
        }
        let vector = self.eval_vector(expr, steps)?;
        let mut grouping: Vec<&str> = of.grouping.iter().map(String::as_str).collect();
        if !of.without {
            grouping.push(label);
        }
        let mut known: HashMap<Labels, usize> = HashMap::new();
        let mut counted: Vec<Series> = Vec::new();
        for series in vector.series() {
            self.control.check()?;
            let mut last: Option<(String, usize)> = None;
            for step in 0..steps.count {
                let value = match series.column.cell(step) {
                    None => continue,
                    Some(Cell::Float(value)) => format_plain(value),
                    Some(Cell::Histogram(histogram)) => format_histogram(&histogram),
                };
                let at = match &last {
                    Some((text, at)) if *text == value => *at,
                    _ => {
                        let mut one = Series {
                            labels: series.labels.clone(),
                            drop_name: false,
                            column: Column::default(),
                        };
                        crate::functions::labels::set(&mut one, label, &value);
                        let mut key = Vec::new();
                        put_group(&mut key, &one.labels, &grouping, of.without);
                        *known.entry(Labels::from_canonical(&key)).or_insert_with_key(|labels| {
                            one.labels = labels.clone();
                            one.column = Column::absent(steps.count);
                            counted.push(one);
                            counted.len() - 1
                        })
                    }
                };
                let cell = &mut counted[at].column.floats[step];
                *cell = if is_present(*cell) { *cell + 1.0 } else { 1.0 };
                last = Some((value, at));
            }
        }
        self.hold(counted).map(Value::Vector)
    }
}
