//! Instant vectors from a store: the last sample before each step.

use std::sync::Arc;

use model::metric::{Labels, ResetHint, is_stale};

use super::column::{Column, Steps};
use super::plan::Selector;
use super::stream::{Scratch, Stream};
use super::value::{is_metadata, without_labels};
use super::{Evaluator, Result, source_error};
use crate::ast::Extended;
use crate::control::Control;
use crate::functions::extended::between;
use crate::functions::range::About;
use crate::functions::rate::interpolate;
use crate::histogram::is_reset;
use crate::position::PosRange;
use crate::source::{HistogramPoint, Points, Select, SeriesSet};

/// What is taken from the sample that a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// Its value.
    Value,
    /// Its time, seconds (`timestamp`).
    Time,
    /// Its start timestamp, seconds (`start_timestamp`).
    Start,
    /// Its time, milliseconds (`info` compares them).
    Millis,
}

/// The times that a selector looks at: the steps moved by offset and `@`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) steps: Steps,
    pub(crate) offset: i64,
    pub(crate) at: Option<i64>,
}

impl Look {
    pub(crate) fn new(selector: &Selector<'_>, steps: Steps) -> Look {
        Look { steps, offset: selector.offset, at: selector.at }
    }

    /// The time that the step `index` looks at.
    #[inline]
    pub(crate) fn at(self, index: usize) -> i64 {
        self.at.unwrap_or_else(|| self.steps.at(index)).saturating_sub(self.offset)
    }
}

/// Series of an instant selector.
struct Instant<'a> {
    set: Box<dyn SeriesSet>,
    labels: Option<Vec<Labels>>,
    control: &'a Control,
    look: Look,
    lookback: i64,
    take: Take,
    smoothed: bool,
    drops_name: bool,
    with_starts: bool,
    statistics: bool,
    position: PosRange,
}

impl Stream for Instant<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        match &self.labels {
            Some(labels) => &labels[index],
            None => self.set.labels(index),
        }
    }

    fn drops_name(&self, _index: usize) -> bool {
        self.drops_name
    }

    fn steps(&self) -> usize {
        self.look.steps.count
    }

    fn compute(&self, index: usize, scratch: &mut Scratch, column: &mut Column) -> Result<()> {
        let points = &mut scratch.points;
        points.clear();
        self.set.read(index, points).map_err(|error| source_error(error, self.control))?;
        if self.statistics {
            tell_resets(points);
        }
        if self.smoothed {
            let name = self.set.labels(index).name().unwrap_or_default();
            let mut about = About { name, position: self.position, notes: &mut scratch.notes };
            smooth(points, (self.look, self.lookback), &mut about, column);
        } else {
            self.last_before(points, column);
        }
        let samples = u64::try_from(column.samples()).unwrap_or(u64::MAX);
        self.control.count_read(self.look.steps, samples, |at| u64::from(column.has(at)));
        Ok(())
    }
}

impl Instant<'_> {
    fn last_before(&self, points: &Points, column: &mut Column) {
        let (mut floats, mut histograms) = (0, 0);
        for step in 0..self.look.steps.count {
            let until = self.look.at(step);
            let after = until.saturating_sub(self.lookback);
            while points.timestamps.get(floats).is_some_and(|&time| time <= until) {
                floats += 1;
            }
            while points.histograms.get(histograms).is_some_and(|one| one.timestamp <= until) {
                histograms += 1;
            }
            let float = floats.checked_sub(1).map(|at| (points.timestamps[at], at));
            let histogram = histograms.checked_sub(1).map(|at| &points.histograms[at]);
            match (float, histogram) {
                (_, Some(histogram))
                    if float.is_none_or(|(time, _)| time < histogram.timestamp) =>
                {
                    if histogram.timestamp <= after || histogram.histogram.is_stale() {
                        continue;
                    }
                    match self.take {
                        // Info metrics have to be floats; whoever asks for them refuses.
                        Take::Value | Take::Millis => {
                            column.set_histogram(step, Arc::clone(&histogram.histogram));
                        }
                        Take::Start if !self.with_starts => {}
                        Take::Start => column.floats[step] = seconds(histogram.start),
                        Take::Time => column.floats[step] = seconds(histogram.timestamp),
                    }
                }
                (Some((time, at)), _) => {
                    let value = points.values[at];
                    if time <= after || is_stale(value) {
                        continue;
                    }
                    column.floats[step] = match self.take {
                        Take::Value => value,
                        Take::Time => seconds(time),
                        Take::Millis => millis(time),
                        Take::Start if !self.with_starts => continue,
                        Take::Start => seconds(points.starts.get(at).copied().unwrap_or(0)),
                    };
                }
                _ => {}
            }
        }
    }
}

fn millis(time: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times are below 2⁵³ milliseconds")]
    let time = time as f64;
    time
}

/// Milliseconds as seconds.
pub(crate) fn seconds(time: i64) -> f64 {
    millis(time) / 1000.0
}

/// Where only counts and sums are read Prometheus compares neighbours when it reads them, so that
/// their hints are known.
pub(crate) fn tell_resets(points: &mut Points) {
    for at in (1..points.histograms.len()).rev() {
        let (before, now) =
            (&points.histograms[at - 1].histogram, &points.histograms[at].histogram);
        if now.reset_hint != ResetHint::Unknown || now.is_stale() || before.is_stale() {
            continue;
        }
        let reset = if is_reset(now, before) { ResetHint::Reset } else { ResetHint::NoReset };
        Arc::make_mut(&mut points.histograms[at].histogram).reset_hint = reset;
    }
}

/// Takes stale markers out.
pub(crate) fn drop_stale(points: &mut Points) {
    if points.values.iter().any(|&value| is_stale(value)) {
        let mut kept = 0;
        for at in 0..points.values.len() {
            if is_stale(points.values[at]) {
                continue;
            }
            points.values[kept] = points.values[at];
            points.timestamps[kept] = points.timestamps[at];
            if !points.starts.is_empty() {
                points.starts[kept] = points.starts[at];
            }
            kept += 1;
        }
        points.values.truncate(kept);
        points.timestamps.truncate(kept);
        points.starts.truncate(kept);
    }
    if points.histograms.iter().any(|one| one.histogram.is_stale()) {
        points.histograms.retain(|one| !one.histogram.is_stale());
    }
}

/// The samples around a time within the lookback: the last one at or before it, the first one at
/// or after it.
fn around(
    count: usize,
    time: impl Fn(usize) -> i64,
    next: usize,
    (now, lookback): (i64, i64),
) -> (Option<usize>, Option<usize>) {
    let after = (next < count && time(next) <= now.saturating_add(lookback)).then_some(next);
    let before = next.checked_sub(1).filter(|&before| time(before) > now.saturating_sub(lookback));
    (before, after)
}

/// The value between the samples before and after each step.
fn smooth(
    points: &mut Points,
    (look, lookback): (Look, i64),
    about: &mut About<'_>,
    column: &mut Column,
) {
    drop_stale(points);
    let (times, values) = (&points.timestamps, &points.values);
    let histograms = &points.histograms;
    let (mut float, mut histogram) = (0, 0);
    for step in 0..look.steps.count {
        let now = look.at(step);
        while times.get(float).is_some_and(|&time| time < now) {
            float += 1;
        }
        while histograms.get(histogram).is_some_and(|one| one.timestamp < now) {
            histogram += 1;
        }
        let floats = around(times.len(), |at| times[at], float, (now, lookback));
        let found =
            around(histograms.len(), |at| histograms[at].timestamp, histogram, (now, lookback));
        match (floats, found) {
            ((None, None), (None, Some(at))) if histograms[at].timestamp == now => {
                column.set_histogram(step, Arc::clone(&histograms[at].histogram));
            }
            ((None, None), (Some(before), None)) => {
                column.set_histogram(step, Arc::clone(&histograms[before].histogram));
            }
            ((None, None), (Some(before), Some(after))) => {
                let counter = histograms[after].histogram.reset_hint != ResetHint::Gauge;
                let pair = (&histograms[before], &histograms[after]);
                let custom = |one: &HistogramPoint| one.histogram.has_custom_buckets();
                if custom(pair.0) != custom(pair.1) {
                    about.notes.mixed_schemas(about.name, about.position);
                    continue;
                }
                if let Some(between) = between(pair.0, pair.1, now, counter, about) {
                    column.set_histogram(step, Arc::new(between));
                }
            }
            ((None, Some(at)), (None, None)) if times[at] == now => {
                column.floats[step] = values[at];
            }
            ((Some(before), Some(after)), (None, None)) => {
                let ends = ((times[before], values[before]), (times[after], values[after]));
                column.floats[step] = if times[after] == now {
                    values[after]
                } else {
                    interpolate(ends.0, ends.1, now, false)
                };
            }
            ((Some(before), None), (None, None)) => column.floats[step] = values[before],
            ((None, None), _) | (_, (None, None)) => {}
            _ => about.notes.mixed_range(about.name, about.position),
        }
    }
}

impl Evaluator<'_> {
    /// Asks the store.
    pub(crate) fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>> {
        let set = self
            .source
            .select(select, self.control)
            .map_err(|error| source_error(error, self.control))?;
        for warning in set.warnings() {
            self.note_with(|notes| notes.store(warning));
        }
        Ok(set)
    }

    /// The series of an instant selector.
    pub(crate) fn instant_stream(
        &self,
        selector: &Selector<'_>,
        steps: Steps,
        function: Option<&str>,
    ) -> Result<Box<dyn Stream + '_>> {
        self.taking(selector, steps, Take::Value, function)
    }

    /// The series of an instant selector, or something about their samples.
    pub(crate) fn taking(
        &self,
        selector: &Selector<'_>,
        steps: Steps,
        take: Take,
        function: Option<&str>,
    ) -> Result<Box<dyn Stream + '_>> {
        let look = Look::new(selector, steps);
        let smoothed = selector.extended == Some(Extended::Smoothed);
        let (first, last) = (look.at(0), look.at(steps.count.saturating_sub(1)));
        let set = self.select(&Select {
            matchers: selector.of.matchers.clone(),
            start: first.min(last).saturating_sub(self.lookback).saturating_add(1),
            end: first.max(last).saturating_add(if smoothed { self.lookback } else { 0 }),
            step: if steps.count > 1 { steps.step } else { 0 },
            range: 0,
            function: function.map(str::to_owned),
            by: None,
        })?;
        let drops_name = take != Take::Value && take != Take::Millis;
        let labels = (drops_name && !self.options.delayed_name_removal).then(|| {
            let labels = (0..set.len()).map(|index| without_labels(set.labels(index), is_metadata));
            labels.collect()
        });
        Ok(Box::new(Instant {
            set,
            labels,
            control: self.control,
            look,
            lookback: self.lookback,
            take,
            smoothed,
            drops_name,
            with_starts: self.options.use_start_timestamps,
            statistics: selector.statistics,
            position: selector.of.position,
        }))
    }
}
