//! Functions of ranges: one window for each step slides over the columns of a series.

use std::sync::Arc;

use model::metric::Histogram;

use crate::annotations::Annotations;
use crate::ast::Extended;
use crate::eval::{Cell, Column, Look};
use crate::position::PosRange;
use crate::source::{HistogramPoint, Points};

use super::sorted::SortedWindow;
use super::{over_time, rate, trend};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeFunction {
    Absent,
    Avg,
    Changes,
    Count,
    Delta,
    Deriv,
    First,
    Idelta,
    Increase,
    Irate,
    Last,
    Mad,
    Max,
    Min,
    PredictLinear,
    Present,
    Quantile,
    Rate,
    Resets,
    Smoothing,
    Stddev,
    Stdvar,
    Sum,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMax,
    TimeOfMin,
}

impl RangeFunction {
    /// By its name.
    pub(crate) fn parse(name: &str) -> Option<RangeFunction> {
        Some(match name {
            "absent_over_time" => RangeFunction::Absent,
            "avg_over_time" => RangeFunction::Avg,
            "changes" => RangeFunction::Changes,
            "count_over_time" => RangeFunction::Count,
            "delta" => RangeFunction::Delta,
            "deriv" => RangeFunction::Deriv,
            "double_exponential_smoothing" => RangeFunction::Smoothing,
            "first_over_time" => RangeFunction::First,
            "idelta" => RangeFunction::Idelta,
            "increase" => RangeFunction::Increase,
            "irate" => RangeFunction::Irate,
            "last_over_time" => RangeFunction::Last,
            "mad_over_time" => RangeFunction::Mad,
            "max_over_time" => RangeFunction::Max,
            "min_over_time" => RangeFunction::Min,
            "predict_linear" => RangeFunction::PredictLinear,
            "present_over_time" => RangeFunction::Present,
            "quantile_over_time" => RangeFunction::Quantile,
            "rate" => RangeFunction::Rate,
            "resets" => RangeFunction::Resets,
            "stddev_over_time" => RangeFunction::Stddev,
            "stdvar_over_time" => RangeFunction::Stdvar,
            "sum_over_time" => RangeFunction::Sum,
            "ts_of_first_over_time" => RangeFunction::TimeOfFirst,
            "ts_of_last_over_time" => RangeFunction::TimeOfLast,
            "ts_of_max_over_time" => RangeFunction::TimeOfMax,
            "ts_of_min_over_time" => RangeFunction::TimeOfMin,
            _ => return None,
        })
    }

    /// Whether the result is still the same metric.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, RangeFunction::First | RangeFunction::Last)
    }
}

/// A call of a function of a range.
#[derive(Debug)]
pub(crate) struct RangeCall {
    pub(crate) function: RangeFunction,
    /// The other arguments, a number for each step.
    pub(crate) args: Vec<Vec<f64>>,
    pub(crate) look: Look,
    /// Milliseconds.
    pub(crate) range: i64,
    pub(crate) extended: Option<Extended>,
    /// Milliseconds.
    pub(crate) lookback: i64,
    /// Of the first argument.
    pub(crate) position: PosRange,
    /// Whether a metric's type is a label.
    pub(crate) type_labels: bool,
    /// Whether start timestamps say something about resets.
    pub(crate) use_starts: bool,
}

/// What a function sees at one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    /// Empty when no start timestamp is known.
    pub(crate) starts: &'a [i64],
    pub(crate) histograms: &'a [HistogramPoint],
    /// The time of the step.
    pub(crate) now: i64,
    /// The range: after this,
    pub(crate) start: i64,
    /// up to this.
    pub(crate) end: i64,
    /// Its width, milliseconds.
    pub(crate) range: i64,
    pub(crate) extended: Option<Extended>,
}

/// Whose series it is, for what has to be said about it.
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) position: PosRange,
    pub(crate) notes: &'a mut Annotations,
}

impl Window<'_> {
    /// The range in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        crate::eval::seconds(self.range)
    }

    /// Floats and histograms both.
    pub(crate) fn is_mixed(&self) -> bool {
        !self.times.is_empty() && !self.histograms.is_empty()
    }
}

/// The indices of a window: advances with the steps.
#[derive(Debug, Default, Clone, Copy)]
struct Slide {
    first: usize,
    last: usize,
}

impl Slide {
    /// Moves to what lies after `after`, up to `until`.
    #[inline]
    fn advance(&mut self, count: usize, time: impl Fn(usize) -> i64, after: i64, until: i64) {
        while self.last < count && time(self.last) <= until {
            self.last += 1;
        }
        while self.first < self.last && time(self.first) <= after {
            self.first += 1;
        }
    }
}

impl RangeCall {
    /// How far before and after the range samples are looked for, milliseconds.
    pub(crate) fn margins(&self) -> (i64, i64) {
        match self.extended {
            None => (0, 0),
            Some(Extended::Anchored) => (self.lookback, 0),
            Some(Extended::Smoothed) => (self.lookback, self.lookback),
        }
    }

    /// Computes all steps of one series. Returns how many samples were looked at.
    pub(crate) fn compute(
        &self,
        points: &Points,
        about: &mut About<'_>,
        column: &mut Column,
    ) -> Result<u64, String> {
        let plain = points.histograms.is_empty()
            && self.extended.is_none()
            && (points.starts.is_empty() || !self.use_starts);
        let seen = match self.function {
            RangeFunction::Rate | RangeFunction::Increase if plain => {
                self.rates(points, true, column)
            }
            RangeFunction::Delta if plain => self.rates(points, false, column),
            RangeFunction::Quantile if plain => self.quantiles(points, about, column),
            _ => self.windows(points, about, column)?,
        };
        if matches!(self.function, RangeFunction::Rate | RangeFunction::Increase) {
            self.doubt_counter(about, column);
        }
        Ok(seen)
    }

    /// How many samples the step's range has.
    pub(crate) fn seen_at(&self, points: &Points, step: usize) -> u64 {
        let (before, after) = self.margins();
        let (start, end) = self.bounds(step);
        let (from, until) = (start.saturating_sub(before), end.saturating_add(after));
        let before = |border: i64| {
            points.timestamps.partition_point(|&time| time <= border)
                + points.histograms.partition_point(|one| one.timestamp <= border)
        };
        u64::try_from(before(until).saturating_sub(before(from))).unwrap_or(u64::MAX)
    }

    /// The bounds of the step's range.
    #[inline]
    fn bounds(&self, step: usize) -> (i64, i64) {
        let end = self.look.at(step);
        (end.saturating_sub(self.range), end)
    }

    fn rates(&self, points: &Points, counter: bool, column: &mut Column) -> u64 {
        let resets = if counter { rate::resets_of(&points.values) } else { Vec::new() };
        let per_second = self.function == RangeFunction::Rate;
        let seconds = crate::eval::seconds(self.range);
        let (mut slide, mut first_reset, mut seen) = (Slide::default(), 0, 0);
        for step in 0..column.len() {
            let (start, end) = self.bounds(step);
            if start == end {
                continue;
            }
            slide.advance(points.times_len(), |at| points.timestamps[at], start, end);
            let Slide { first, last } = slide;
            seen += last - first;
            if last - first < 2 {
                continue;
            }
            let mut increase = points.values[last - 1] - points.values[first];
            while resets.get(first_reset).is_some_and(|&at| at <= first) {
                first_reset += 1;
            }
            for &at in resets[first_reset..].iter().take_while(|&&at| at < last) {
                increase += points.values[at - 1];
            }
            let span = rate::Span {
                start,
                end,
                first: points.timestamps[first],
                last: points.timestamps[last - 1],
                samples: last - first,
            };
            let first_value = counter.then_some(points.values[first]);
            let mut factor = span.extrapolation(increase, first_value);
            if per_second {
                factor /= seconds;
            }
            column.floats[step] = increase * factor;
        }
        u64::try_from(seen).unwrap_or(u64::MAX)
    }

    fn quantiles(&self, points: &Points, about: &mut About<'_>, column: &mut Column) -> u64 {
        let mut slide = Slide::default();
        let mut window = SortedWindow::default();
        let mut seen = 0;
        for step in 0..column.len() {
            let (start, end) = self.bounds(step);
            if start == end {
                continue;
            }
            slide.advance(points.times_len(), |at| points.timestamps[at], start, end);
            window.move_to(&points.values, slide.first, slide.last);
            if slide.first == slide.last {
                continue;
            }
            seen += slide.last - slide.first;
            let q = self.args[0][step];
            if !(0.0..=1.0).contains(&q) {
                about.notes.invalid_quantile(q, about.position);
            }
            column.floats[step] = window.quantile(q);
        }
        u64::try_from(seen).unwrap_or(u64::MAX)
    }

    fn windows(
        &self,
        points: &Points,
        about: &mut About<'_>,
        column: &mut Column,
    ) -> Result<u64, String> {
        let (before, after) = self.margins();
        let (mut floats, mut histograms) = (Slide::default(), Slide::default());
        let mut seen = 0;
        let starts = if self.use_starts { &points.starts[..] } else { &[] };
        let mut args = Vec::with_capacity(self.args.len());
        for step in 0..column.len() {
            let (start, end) = self.bounds(step);
            let (from, until) = (start.saturating_sub(before), end.saturating_add(after));
            if from == until {
                continue;
            }
            floats.advance(points.times_len(), |at| points.timestamps[at], from, until);
            let count = points.histograms.len();
            histograms.advance(count, |at| points.histograms[at].timestamp, from, until);
            if floats.first == floats.last && histograms.first == histograms.last {
                continue;
            }
            let window = Window {
                times: &points.timestamps[floats.first..floats.last],
                values: &points.values[floats.first..floats.last],
                starts: starts.get(floats.first..floats.last).unwrap_or_default(),
                histograms: &points.histograms[histograms.first..histograms.last],
                now: self.look.steps.at(step),
                start,
                end,
                range: self.range,
                extended: self.extended,
            };
            seen += window.times.len() + window.histograms.len();
            args.clear();
            args.extend(self.args.iter().map(|arg| arg.get(step).copied().unwrap_or(f64::NAN)));
            if let Some(cell) = self.apply(&window, &args, about)? {
                column.set(step, cell);
            }
        }
        Ok(u64::try_from(seen).unwrap_or(u64::MAX))
    }

    fn apply(
        &self,
        window: &Window<'_>,
        args: &[f64],
        about: &mut About<'_>,
    ) -> Result<Option<Cell>, String> {
        let use_starts = self.use_starts;
        Ok(match self.function {
            RangeFunction::Rate => rate::rate(window, true, true, use_starts, about),
            RangeFunction::Increase => rate::rate(window, true, false, use_starts, about),
            RangeFunction::Delta => rate::rate(window, false, false, use_starts, about),
            RangeFunction::Irate => rate::instant(window, true, use_starts, about),
            RangeFunction::Idelta => rate::instant(window, false, use_starts, about),
            RangeFunction::Resets => over_time::resets(window, use_starts),
            RangeFunction::Changes => over_time::changes(window),
            RangeFunction::Absent | RangeFunction::Present => Some(Cell::Float(1.0)),
            RangeFunction::Count => over_time::count(window),
            RangeFunction::Sum => over_time::sum(window, about),
            RangeFunction::Avg => over_time::avg(window, about),
            RangeFunction::First => over_time::first(window),
            RangeFunction::Last => over_time::last(window),
            RangeFunction::TimeOfFirst => over_time::time_of_first(window),
            RangeFunction::TimeOfLast => over_time::time_of_last(window),
            RangeFunction::Max => over_time::extreme(window, about, |new, old| new > old, false),
            RangeFunction::Min => over_time::extreme(window, about, |new, old| new < old, false),
            RangeFunction::TimeOfMax => {
                over_time::extreme(window, about, |new, old| new >= old, true)
            }
            RangeFunction::TimeOfMin => {
                over_time::extreme(window, about, |new, old| new <= old, true)
            }
            RangeFunction::Quantile => over_time::quantile(window, args[0], about),
            RangeFunction::Mad => over_time::mad(window, about),
            RangeFunction::Stddev => over_time::variance(window, about, f64::sqrt),
            RangeFunction::Stdvar => over_time::variance(window, about, |variance| variance),
            RangeFunction::Deriv => trend::deriv(window, about),
            RangeFunction::PredictLinear => trend::predict(window, args[0], about),
            RangeFunction::Smoothing => trend::smoothing(window, (args[0], args[1]), about)?,
        })
    }

    /// Says when the metric does not look like a counter.
    fn doubt_counter(&self, about: &mut About<'_>, column: &Column) {
        let (name, kind) = about.name.split_once('\0').unwrap_or((about.name, ""));
        if name.is_empty() || !column.floats.iter().any(|&value| crate::eval::is_present(value)) {
            return;
        }
        if self.type_labels {
            if kind != "counter" && kind != "histogram" {
                about.notes.maybe_no_counter_by_type(name, kind, about.position);
            }
        } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end)) {
            about.notes.maybe_no_counter(name, about.position);
        }
    }
}

impl Points {
    fn times_len(&self) -> usize {
        self.timestamps.len().min(self.values.len())
    }
}

/// A histogram for a cell.
pub(crate) fn histogram_cell(histogram: Histogram) -> Option<Cell> {
    Some(Cell::Histogram(Arc::new(histogram)))
}
