//! `rate`, `increase` and `delta` of anchored and smoothed selectors: no extrapolation, but the
//! values at the very ends of the range.

use model::metric::{Histogram, ResetHint};

use super::histogram_rate::{add_noted, subtract_noted};
use super::range::{About, Window, histogram_cell};
use super::rate::interpolate;
use crate::ast::Extended;
use crate::eval::Cell;
use crate::histogram::{Open, is_reset};
use crate::source::{HistogramPoint, Points};

/// The samples that matter: the last one at or before the start of the range (or the first one),
/// and the last one (smoothed: the first at or after the end of the range).
fn ends(count: usize, time: impl Fn(usize) -> i64, window: &Window<'_>) -> Option<(usize, usize)> {
    let last = count.checked_sub(1)?;
    let search =
        |found: &dyn Fn(i64) -> bool| (0..last).find(|&at| found(time(at))).unwrap_or(last);
    let first = search(&|time| time > window.start).saturating_sub(1);
    let smoothed = window.extended == Some(Extended::Smoothed);
    let last = if smoothed { search(&|time| time >= window.end) } else { last };
    if time(last) <= window.start || (smoothed && time(first) > window.end) {
        return None;
    }
    Some((first, last))
}

/// The floats of an extended selector cut to its range, with values at both ends.
pub(crate) fn cut(
    window: &Window<'_>,
    counter: bool,
) -> Option<(f64, std::ops::Range<usize>, f64)> {
    let (times, values) = (window.times, window.values);
    let (mut first, last) = ends(times.len(), |at| times[at], window)?;
    let smoothed = window.extended == Some(Extended::Smoothed);
    let sample = |at: usize| (times[at], values[at]);
    let left = if smoothed && times[first] < window.start && first + 1 < times.len() {
        interpolate(sample(first), sample(first + 1), window.start, counter)
    } else {
        values[first]
    };
    let right = if smoothed && last > 0 && times[last] > window.end {
        interpolate(sample(last - 1), sample(last), window.end, counter)
    } else {
        values[last]
    };
    if times[first] <= window.start {
        first += 1;
    }
    let end = if times[last] >= window.end { last } else { last + 1 };
    Some((left, first..end.max(first), right))
}

/// The change of floats.
pub(crate) fn rate(window: &Window<'_>, counter: bool, per_second: bool) -> Option<f64> {
    let (left, inner, right) = cut(window, counter)?;
    let mut change = right - left;
    if counter {
        let mut before = left;
        for &value in window.values[inner].iter().chain([&right]) {
            if value < before {
                change += before;
            }
            before = value;
        }
    }
    Some(if per_second { change / window.seconds() } else { change })
}

/// The histogram at `time` between two samples.
pub(crate) fn between(
    one: &HistogramPoint,
    other: &HistogramPoint,
    time: i64,
    counter: bool,
    about: &mut About<'_>,
) -> Option<Histogram> {
    if time == one.timestamp {
        return Some((*one.histogram).clone());
    }
    if time == other.timestamp {
        return Some((*other.histogram).clone());
    }
    let part = crate::eval::seconds(time.saturating_sub(one.timestamp));
    let whole = crate::eval::seconds(other.timestamp.saturating_sub(one.timestamp));
    let mut result = Open::new(&other.histogram);
    if counter && is_reset(&other.histogram, &one.histogram) {
        result.multiply(part / whole);
        return Some(result.close());
    }
    if !subtract_noted(&mut result, &one.histogram, about) {
        return None;
    }
    result.multiply(part / whole);
    add_noted(&mut result, &one.histogram, about).then(|| result.close())
}

/// The change of native histograms.
pub(crate) fn histogram_rate(
    window: &Window<'_>,
    counter: bool,
    per_second: bool,
    about: &mut About<'_>,
) -> Option<Cell> {
    let points = window.histograms;
    let (first, last) = ends(points.len(), |at| points[at].timestamp, window)?;
    let custom = points[first].histogram.has_custom_buckets();
    for point in &points[first..=last] {
        if point.histogram.has_custom_buckets() != custom {
            about.notes.mixed_schemas(about.name_only(), about.position);
            return None;
        }
        if counter && point.histogram.reset_hint == ResetHint::Gauge {
            about.notes.not_a_counter(about.name_only(), about.position);
        }
    }
    let smoothed = window.extended == Some(Extended::Smoothed);
    let left = if smoothed && points[first].timestamp < window.start && first + 1 < points.len() {
        between(&points[first], &points[first + 1], window.start, counter, about)?
    } else {
        (*points[first].histogram).clone()
    };
    let right = if smoothed && last > 0 && points[last].timestamp > window.end {
        between(&points[last - 1], &points[last], window.end, counter, about)?
    } else {
        (*points[last].histogram).clone()
    };
    let gauge = |one: &Histogram| one.reset_hint == ResetHint::Gauge;
    if !counter && (!gauge(&left) || !gauge(&right)) {
        about.notes.not_a_gauge(about.name_only(), about.position);
    }
    let mut change = Open::new(&right);
    if !subtract_noted(&mut change, &left, about) {
        return None;
    }
    if counter {
        for lost in lost(window, (first, last), (&left, &right)) {
            if !add_noted(&mut change, lost, about) {
                return None;
            }
        }
    }
    if per_second {
        change.divide(window.seconds());
    }
    change.set_hint(ResetHint::Gauge);
    histogram_cell(change.close())
}

/// What a counter had before each of its resets.
fn lost<'a>(
    window: &Window<'a>,
    (first, last): (usize, usize),
    (left, right): (&'a Histogram, &'a Histogram),
) -> Vec<&'a Histogram> {
    let points = window.histograms;
    let mut found = Vec::new();
    let (mut before, mut from) = (left, first + 1);
    // A reset that the interpolation at the left has taken into account.
    if window.extended == Some(Extended::Smoothed)
        && points[first].timestamp < window.start
        && let Some(next) = points.get(first + 1)
        && is_reset(&next.histogram, &points[first].histogram)
    {
        before = &next.histogram;
        from += 1;
    }
    if from > last {
        return found;
    }
    for point in &points[from..last] {
        if is_reset(&point.histogram, before) {
            found.push(before);
        }
        before = &point.histogram;
    }
    if is_reset(right, before) {
        found.push(before);
    }
    found
}

/// The samples of an extended range selector as they are shown: one at each end, those between.
pub(crate) fn samples(
    points: &Points,
    (start, end, lookback): (i64, i64, i64),
    extended: Extended,
) -> Result<Vec<(i64, f64)>, String> {
    let until = if extended == Extended::Smoothed { end.saturating_add(lookback) } else { end };
    let from = points.timestamps.partition_point(|&time| time <= start.saturating_sub(lookback));
    let to = points.timestamps.partition_point(|&time| time <= until);
    if !points.histograms.is_empty() {
        let word = if extended == Extended::Smoothed { "smoothed" } else { "anchored" };
        return Err(format!("{word} modifier is not supported with histograms"));
    }
    let window = Window {
        times: points.timestamps.get(from..to).unwrap_or_default(),
        values: points.values.get(from..to).unwrap_or_default(),
        starts: &[],
        histograms: &[],
        now: end,
        start,
        end,
        range: end.saturating_sub(start),
        extended: Some(extended),
    };
    let Some((left, inner, right)) = cut(&window, false) else { return Ok(Vec::new()) };
    let mut found = vec![(start, left)];
    let between = window.times[inner.clone()].iter().zip(&window.values[inner]);
    found.extend(between.map(|(&time, &value)| (time, value)));
    found.push((end, right));
    Ok(found)
}
