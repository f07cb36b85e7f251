//! `*_over_time`, `resets`, `changes`.

use std::sync::Arc;

use model::metric::ResetHint;

use super::range::{About, Window, histogram_cell};
use super::rate::starts_anew;
use super::sorted::quantile_of;
use crate::annotations::Operation;
use crate::ast::Extended;
use crate::eval::{Cell, seconds};
use crate::histogram::{Added, Average, Incompatible, Open, is_reset, same};
use crate::number::Kahan;

#[expect(clippy::cast_precision_loss, reason = "a number of samples in memory")]
fn number(count: usize) -> f64 {
    count as f64
}

pub(crate) fn count(window: &Window<'_>) -> Option<Cell> {
    Some(Cell::Float(number(window.times.len() + window.histograms.len())))
}

/// What was noticed while histograms were added up.
#[derive(Default)]
struct Seen {
    reset: bool,
    no_reset: bool,
    bounds_differ: bool,
}

impl Seen {
    fn hint(&mut self, hint: ResetHint) {
        self.reset |= hint == ResetHint::Reset;
        self.no_reset |= hint == ResetHint::NoReset;
    }

    fn added(&mut self, added: Added) {
        self.bounds_differ |= added.bounds_differ;
    }

    fn say(&self, about: &mut About<'_>) {
        if self.reset && self.no_reset {
            about.notes.colliding_hints(Operation::Aggregation, about.position);
        }
        if self.bounds_differ {
            about.notes.bounds_reconciled(Operation::Aggregation, about.position);
        }
    }
}

pub(crate) fn sum(window: &Window<'_>, about: &mut About<'_>) -> Option<Cell> {
    if window.is_mixed() {
        about.notes.mixed_range(about.name_only(), about.position);
        return None;
    }
    if window.histograms.is_empty() {
        let mut total = Kahan::default();
        window.values.iter().for_each(|&value| total.add(value));
        return Some(Cell::Float(total.value()));
    }
    histogram_total(window, about, Open::new, Open::add)
        .and_then(|total| histogram_cell(total.close()))
}

/// Folds the histograms of a window.
fn histogram_total<T>(
    window: &Window<'_>,
    about: &mut About<'_>,
    begin: impl Fn(&model::metric::Histogram) -> T,
    add: impl Fn(&mut T, &model::metric::Histogram) -> Result<Added, Incompatible>,
) -> Option<T> {
    let (first, rest) = window.histograms.split_first()?;
    let mut seen = Seen::default();
    seen.hint(first.histogram.reset_hint);
    let mut total = begin(&first.histogram);
    for next in rest {
        seen.hint(next.histogram.reset_hint);
        match add(&mut total, &next.histogram) {
            Ok(added) => seen.added(added),
            Err(Incompatible) => {
                about.notes.mixed_schemas(about.name_only(), about.position);
                return None;
            }
        }
    }
    seen.say(about);
    Some(total)
}

pub(crate) fn avg(window: &Window<'_>, about: &mut About<'_>) -> Option<Cell> {
    if window.is_mixed() {
        about.notes.mixed_range(about.name_only(), about.position);
        return None;
    }
    if window.histograms.is_empty() {
        return Some(Cell::Float(mean(window.values)));
    }
    histogram_total(window, about, Average::new, Average::add)
        .and_then(|total| histogram_cell(total.close()))
}

/// The sum divided by the count; once the sum would overflow, the mean carried along.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let mut total = Kahan::default();
    values.iter().for_each(|&value| total.add(value));
    if total.sum.is_finite() {
        let count = number(values.len());
        return total.sum / count + total.rest / count;
    }
    let mut running = Mean::default();
    values.iter().for_each(|&value| running.add(value));
    running.value()
}

/// A mean in the making.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    total: Kahan,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count <= 1.0 {
            self.total = Kahan::new(value);
            return;
        }
        if !self.incremental {
            let mut next = self.total;
            next.add(value);
            if !next.sum.is_infinite() {
                self.total = next;
                return;
            }
            self.incremental = true;
            self.total.sum /= self.count - 1.0;
            self.total.rest /= self.count - 1.0;
        }
        let kept = (self.count - 1.0) / self.count;
        self.total.sum *= kept;
        self.total.rest *= kept;
        self.total.add(value / self.count);
    }

    /// Joins two means. Their order does not matter.
    pub(crate) fn merge(&mut self, other: Mean) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let mut total = self.total;
        total.merge(other.total);
        if self.incremental || other.incremental || total.sum.is_infinite() {
            let count = self.count + other.count;
            let (left, right) = (self.value(), other.value());
            let joined = left * (self.count / count) + right * (other.count / count);
            *self = Mean { total: Kahan::new(joined), count, incremental: true };
            return;
        }
        self.total = total;
        self.count += other.count;
    }

    pub(crate) fn value(self) -> f64 {
        if self.incremental {
            return self.total.sum + self.total.rest;
        }
        self.total.sum / self.count + self.total.rest / self.count
    }
}

pub(crate) fn first(window: &Window<'_>) -> Option<Cell> {
    match (window.times.first(), window.histograms.first()) {
        (Some(&time), Some(point)) if time < point.timestamp => {
            window.values.first().map(|&value| Cell::Float(value))
        }
        (_, Some(point)) => Some(Cell::Histogram(Arc::clone(&point.histogram))),
        (_, None) => window.values.first().map(|&value| Cell::Float(value)),
    }
}

pub(crate) fn last(window: &Window<'_>) -> Option<Cell> {
    match (window.times.last(), window.histograms.last()) {
        (Some(&time), Some(point)) if point.timestamp < time => {
            window.values.last().map(|&value| Cell::Float(value))
        }
        (_, Some(point)) => Some(Cell::Histogram(Arc::clone(&point.histogram))),
        (_, None) => window.values.last().map(|&value| Cell::Float(value)),
    }
}

pub(crate) fn time_of_first(window: &Window<'_>) -> Option<Cell> {
    let floats = window.times.first().copied();
    let first = floats.into_iter().chain(window.histograms.first().map(|one| one.timestamp)).min();
    first.map(|time| Cell::Float(seconds(time)))
}

pub(crate) fn time_of_last(window: &Window<'_>) -> Option<Cell> {
    let floats = window.times.last().copied();
    let last = floats.into_iter().chain(window.histograms.last().map(|one| one.timestamp)).max();
    last.map(|time| Cell::Float(seconds(time)))
}

/// Says that histograms were left out; false when there are no floats.
fn floats_only(window: &Window<'_>, about: &mut About<'_>) -> bool {
    if window.is_mixed() {
        about.notes.ignored_in_mixed_range(about.name_only(), about.position);
    }
    !window.values.is_empty()
}

pub(crate) fn extreme(
    window: &Window<'_>,
    about: &mut About<'_>,
    better: impl Fn(f64, f64) -> bool,
    time: bool,
) -> Option<Cell> {
    if !floats_only(window, about) {
        return None;
    }
    let mut best = window.values[0];
    let mut best_at = 0;
    for (at, &value) in window.values.iter().enumerate() {
        if better(value, best) || best.is_nan() {
            (best, best_at) = (value, at);
        }
    }
    Some(Cell::Float(if time { seconds(window.times[best_at]) } else { best }))
}

pub(crate) fn quantile(window: &Window<'_>, q: f64, about: &mut About<'_>) -> Option<Cell> {
    if window.values.is_empty() {
        return None;
    }
    if !(0.0..=1.0).contains(&q) {
        about.notes.invalid_quantile(q, about.position);
    }
    floats_only(window, about);
    Some(Cell::Float(quantile_of(q, &mut window.values.to_vec())))
}

/// The median of the distances to the median.
pub(crate) fn mad(window: &Window<'_>, about: &mut About<'_>) -> Option<Cell> {
    if !floats_only(window, about) {
        return None;
    }
    if window.values.iter().any(|value| value.is_nan()) {
        return Some(Cell::Float(f64::NAN));
    }
    let mut values = window.values.to_vec();
    let median = quantile_of(0.5, &mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    Some(Cell::Float(quantile_of(0.5, &mut values)))
}

pub(crate) fn variance(
    window: &Window<'_>,
    about: &mut About<'_>,
    finish: impl Fn(f64) -> f64,
) -> Option<Cell> {
    if !floats_only(window, about) {
        return None;
    }
    let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
    for &value in window.values {
        count += 1.0;
        let delta = value - (mean.sum + mean.rest);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.sum + mean.rest)));
    }
    Some(Cell::Float(finish((squares.sum + squares.rest) / count)))
}

/// A sample of either kind.
#[derive(Clone, Copy)]
enum Sample<'a> {
    Float(f64),
    Histogram(&'a model::metric::Histogram),
}

/// Calls `visit` with each pair of neighbours: times with start timestamps and samples. False
/// when there is nothing to look at.
fn neighbours<'a>(
    window: &Window<'a>,
    mut visit: impl FnMut((i64, i64, Sample<'a>), (i64, i64, Sample<'a>)),
) -> bool {
    let Some((mut float, mut histogram)) = begin(window) else { return false };
    let mut before = None;
    while float < window.times.len() || histogram < window.histograms.len() {
        let next_histogram = window.histograms.get(histogram);
        let is_float = window
            .times
            .get(float)
            .is_some_and(|&time| next_histogram.is_none_or(|point| time < point.timestamp));
        let now = if is_float {
            let start = window.starts.get(float).copied().unwrap_or(0);
            float += 1;
            (window.times[float - 1], start, Sample::Float(window.values[float - 1]))
        } else {
            let Some(point) = next_histogram else { break };
            histogram += 1;
            (point.timestamp, point.start, Sample::Histogram(&point.histogram))
        };
        if let Some(before) = before {
            visit(before, now);
        }
        before = Some(now);
    }
    true
}

/// The first indices that count: of anchored selectors the last sample before the range, too.
fn begin(window: &Window<'_>) -> Option<(usize, usize)> {
    if window.extended != Some(Extended::Anchored) {
        return Some((0, 0));
    }
    let floats = window.times.partition_point(|&time| time <= window.start);
    let histograms = window.histograms.partition_point(|one| one.timestamp <= window.start);
    if floats >= window.times.len() && histograms >= window.histograms.len() {
        return None;
    }
    let last_float = floats.checked_sub(1).map(|at| window.times[at]);
    let last_histogram = histograms.checked_sub(1).map(|at| window.histograms[at].timestamp);
    match (last_float, last_histogram) {
        (None, None) => Some((0, 0)),
        (Some(float), other) if other.is_none_or(|histogram| float >= histogram) => {
            Some((floats - 1, histograms))
        }
        _ => Some((floats, histograms.saturating_sub(1))),
    }
}

pub(crate) fn resets(window: &Window<'_>, use_starts: bool) -> Option<Cell> {
    let mut resets = 0;
    let found = neighbours(window, |(before_time, before_start, before), (time, start, now)| {
        let anew = use_starts && starts_anew((before_start, before_time), (start, time));
        resets += usize::from(match (before, now) {
            (Sample::Float(before), Sample::Float(now)) => anew || now < before,
            (Sample::Histogram(before), Sample::Histogram(now)) => anew || is_reset(now, before),
            _ => true,
        });
    });
    found.then(|| Cell::Float(number(resets)))
}

pub(crate) fn changes(window: &Window<'_>) -> Option<Cell> {
    let mut changes = 0;
    let found = neighbours(window, |(_, _, before), (_, _, now)| {
        changes += usize::from(match (before, now) {
            #[expect(clippy::float_cmp, reason = "any change counts")]
            (Sample::Float(before), Sample::Float(now)) => {
                now != before && !(now.is_nan() && before.is_nan())
            }
            (Sample::Histogram(before), Sample::Histogram(now)) => !same(now, before),
            _ => true,
        });
    });
    found.then(|| Cell::Float(number(changes)))
}
