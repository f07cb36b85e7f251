//! `rate`, `increase`, `delta`, `irate`, `idelta`.

use std::sync::Arc;

use model::metric::{Histogram, ResetHint};

use super::extended;
use super::histogram_rate::{add_noted, histogram_increase, subtract_noted};
use super::range::{About, Window, histogram_cell};
use crate::eval::Cell;
use crate::histogram::{Open, is_reset};

/// The value at `time` on the line between two samples; a counter that fell began at zero.
pub(crate) fn interpolate(
    (first_time, first): (i64, f64),
    (last_time, last): (i64, f64),
    time: i64,
    counter: bool,
) -> f64 {
    let first = if counter && last < first { 0.0 } else { first };
    let (part, whole) = (time.saturating_sub(first_time), last_time.saturating_sub(first_time));
    first + (last - first) * crate::eval::seconds(part) / crate::eval::seconds(whole)
}

/// Where a counter fell: the indices of the lower samples.
pub(crate) fn resets_of(values: &[f64]) -> Vec<usize> {
    values
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[1] < pair[0])
        .map(|(at, _)| at + 1)
        .collect()
}

/// Whether start timestamps say that a counter began anew between two samples.
pub(crate) fn starts_anew((before_start, before): (i64, i64), (start, time): (i64, i64)) -> bool {
    if start == 0 || start >= time || start < before {
        return false;
    }
    if start > before {
        return true;
    }
    // It points at the sample before: a delta, unless that one's start is unknown.
    before_start <= before && before_start != 0 && before_start != before
}

/// Whether a start timestamp contradicts the sample before.
pub(crate) fn starts_overlap((before_start, before): (i64, i64), start: i64) -> bool {
    start != 0 && start < before && start != before_start
}

/// A range and what was found in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) samples: usize,
}

impl Span {
    #[expect(clippy::cast_precision_loss, reason = "a number of samples in memory")]
    fn average(self) -> f64 {
        let sampled = crate::eval::seconds(self.last.saturating_sub(self.first));
        if self.samples > 1 { sampled / (self.samples - 1) as f64 } else { 0.0 }
    }

    /// By what an increase grows when it is extrapolated to the ends of the range: to the end
    /// where a sample is near, half a sample's distance where none is, and never below zero of a
    /// counter (`first` is its first value).
    pub(crate) fn extrapolation(self, increase: f64, first: Option<f64>) -> f64 {
        let sampled = crate::eval::seconds(self.last.saturating_sub(self.first));
        let average = self.average();
        let threshold = average * 1.1;
        let mut to_start = crate::eval::seconds(self.first.saturating_sub(self.start));
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if let Some(first) = first {
            let mut to_zero = to_start;
            if increase > 0.0 && first >= 0.0 {
                to_zero = sampled * (first / increase);
            }
            to_start = to_start.min(to_zero);
        }
        if sampled == 0.0 { 1.0 } else { (sampled + to_start + self.to_end()) / sampled }
    }

    fn to_end(self) -> f64 {
        let to_end = crate::eval::seconds(self.end.saturating_sub(self.last));
        let average = self.average();
        if to_end >= average * 1.1 { average / 2.0 } else { to_end }
    }

    /// The same when the counter began at `start` within the range.
    fn extrapolation_from(self, start: i64) -> f64 {
        let sampled = crate::eval::seconds(self.last.saturating_sub(start));
        if sampled == 0.0 { 1.0 } else { (sampled + self.to_end()) / sampled }
    }
}

/// The increase of a counter, or the change of a gauge, extrapolated to the range.
pub(crate) fn rate(
    window: &Window<'_>,
    counter: bool,
    per_second: bool,
    use_starts: bool,
    about: &mut About<'_>,
) -> Option<Cell> {
    if window.is_mixed() {
        about.notes.mixed_range(about.name_only(), about.position);
        return None;
    }
    if window.extended.is_some() {
        return if window.histograms.is_empty() {
            extended::rate(window, counter, per_second).map(Cell::Float)
        } else {
            extended::histogram_rate(window, counter, per_second, about)
        };
    }
    if !window.histograms.is_empty() {
        return histogram_rate(window, counter, per_second, use_starts, about);
    }
    let (&first, &last) = (window.values.first()?, window.values.last()?);
    let mut increase = last - first;
    if counter {
        let mut overlap = false;
        for at in 1..window.values.len() {
            let before = window.values[at - 1];
            let mut reset = window.values[at] < before;
            if let (Some(&before_start), Some(&start)) =
                (window.starts.get(at - 1), window.starts.get(at))
            {
                let before = (before_start, window.times[at - 1]);
                overlap |= starts_overlap(before, start);
                reset |= starts_anew(before, (start, window.times[at]));
            }
            if reset {
                increase += before;
            }
        }
        if overlap {
            about.notes.start_time_overlap(about.name_only(), about.position);
        }
    }
    let span = Span {
        start: window.start,
        end: window.end,
        first: window.times[0],
        last: window.times[window.times.len() - 1],
        samples: window.times.len(),
    };
    let begun = window.starts.first().copied().filter(|&start| counter && begins(start, &span));
    let factor = match begun {
        Some(start) => {
            increase += first;
            span.extrapolation_from(start)
        }
        None if span.samples < 2 => return None,
        None => span.extrapolation(increase, counter.then_some(first)),
    };
    let factor = if per_second { factor / window.seconds() } else { factor };
    Some(Cell::Float(increase * factor))
}

/// Whether the counter began within the range, before its first sample.
fn begins(start: i64, span: &Span) -> bool {
    start != 0 && start > span.start && start < span.first
}

fn histogram_rate(
    window: &Window<'_>,
    counter: bool,
    per_second: bool,
    use_starts: bool,
    about: &mut About<'_>,
) -> Option<Cell> {
    let points = window.histograms;
    let (first, last) = (points.first()?, points.last()?);
    let mut increase = match points.len() {
        1 => None,
        _ => Some(histogram_increase(points, counter, use_starts, about)?),
    };
    let span = Span {
        start: window.start,
        end: window.end,
        first: first.timestamp,
        last: last.timestamp,
        samples: points.len(),
    };
    let factor = if counter && use_starts && begins(first.start, &span) {
        match &mut increase {
            Some(increase) => {
                if !add_noted(increase, &first.histogram, about) {
                    return None;
                }
            }
            None => increase = Some(Open::new(&first.histogram)),
        }
        span.extrapolation_from(first.start)
    } else {
        let increase = increase.as_ref()?;
        let count = increase.count();
        span.extrapolation(count, counter.then_some(first.histogram.count))
    };
    let mut increase = increase?;
    increase.multiply(if per_second { factor / window.seconds() } else { factor });
    histogram_cell(increase.close())
}

/// One of the last two samples.
#[derive(Clone)]
struct Late {
    time: i64,
    start: i64,
    cell: Cell,
}

/// The last two samples, floats and histograms together.
fn last_two(window: &Window<'_>) -> Option<[Late; 2]> {
    let floats = window.times.len();
    let float = |at: usize| Late {
        time: window.times[at],
        start: window.starts.get(at).copied().unwrap_or(0),
        cell: Cell::Float(window.values[at]),
    };
    let histogram = |at: usize| {
        let point = &window.histograms[at];
        let cell = Cell::Histogram(Arc::clone(&point.histogram));
        Late { time: point.timestamp, start: point.start, cell }
    };
    let mut late: Vec<Late> = (floats.saturating_sub(2)..floats).map(float).collect();
    let count = window.histograms.len();
    late.extend((count.saturating_sub(2)..count).map(histogram));
    late.sort_by_key(|one| one.time);
    let first = late.len().checked_sub(2)?;
    late.drain(..first);
    late.try_into().ok()
}

/// The change between the last two samples.
pub(crate) fn instant(
    window: &Window<'_>,
    counter: bool,
    use_starts: bool,
    about: &mut About<'_>,
) -> Option<Cell> {
    let [before, now] = last_two(window)?;
    if now.time == before.time {
        return None;
    }
    let seconds = crate::eval::seconds(now.time.saturating_sub(before.time));
    let anew = use_starts && starts_anew((before.start, before.time), (now.start, now.time));
    match (&before.cell, &now.cell) {
        (Cell::Float(first), Cell::Float(last)) => {
            let reset = counter && (last < first || anew);
            let change = if reset { *last } else { last - first };
            Some(Cell::Float(if counter { change / seconds } else { change }))
        }
        (Cell::Histogram(first), Cell::Histogram(last)) => {
            let gauge = |one: &Histogram| one.reset_hint == ResetHint::Gauge;
            if counter && (gauge(first) || gauge(last)) {
                about.notes.not_a_counter(about.name_only(), about.position);
            }
            if !counter && (!gauge(first) || !gauge(last)) {
                about.notes.not_a_gauge(about.name_only(), about.position);
            }
            let mut change = Open::new(last);
            let reset = counter && (anew || is_reset(last, first));
            if !reset && !subtract_noted(&mut change, first, about) {
                return None;
            }
            change.set_hint(ResetHint::Gauge);
            if counter {
                change.divide(seconds);
            }
            histogram_cell(change.close())
        }
        _ => {
            about.notes.mixed_range(about.name_only(), about.position);
            None
        }
    }
}

impl<'a> About<'a> {
    /// The metric's name; what follows a zero byte is its type.
    pub(crate) fn name_only(&self) -> &'a str {
        self.name.split('\0').next().unwrap_or_default()
    }
}
