//! The engine: queries in, results out.

use std::sync::Mutex;

use model::metric::{Histogram, Labels};
use std::sync::Arc;

use crate::annotations::Annotations;
use crate::ast::{Expr, ValueType};
use crate::control::{Cancel, Control, Limits, Stop};
use crate::eval::{Cell, Evaluator, Series as Found, Steps, Times, Value as Evaluated, plan};
use crate::source::{HistogramPoint, Points, SeriesSource};

/// How queries are evaluated, the same for all of them.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far before a step its sample may lie, milliseconds (`query.lookback-delta`).
    pub lookback: i64,
    /// The step of subqueries that say none, milliseconds.
    pub subquery_step: i64,
    /// The most steps of a subquery.
    pub max_subquery_steps: usize,
    /// Whether names are dropped at the end of a query (`promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Whether a metric's type and unit are labels (`type-and-unit-labels`).
    pub type_and_unit_labels: bool,
    /// Whether start timestamps say where counters began (`use-start-timestamps`).
    pub use_start_timestamps: bool,
}

/// How far back when nobody says otherwise, milliseconds, as in Prometheus.
pub const LOOKBACK_DEFAULT: i64 = 300_000;

impl Default for Options {
    fn default() -> Options {
        Options {
            lookback: LOOKBACK_DEFAULT,
            subquery_step: 60_000,
            max_subquery_steps: 1_000_000,
            delayed_name_removal: false,
            type_and_unit_labels: false,
            use_start_timestamps: false,
        }
    }
}

impl Options {
    /// The step of a subquery that says none.
    pub(crate) fn default_step(&self, _range: i64) -> i64 {
        self.subquery_step.max(1)
    }
}

/// Why a query has no result; `Display` is Prometheus's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query or its parameters are wrong (`bad_data`).
    #[error("{0}")]
    BadData(String),
    /// It cannot be evaluated (`execution`).
    #[error("{0}")]
    Execution(String),
    /// Its client has gone (`canceled`).
    #[error("{0}")]
    Canceled(String),
    /// It took too long (`timeout`).
    #[error("{0}")]
    Timeout(String),
    /// The store failed (`internal`).
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    /// The `errorType` of the HTTP API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            QueryError::BadData(_) => "bad_data",
            QueryError::Execution(_) => "execution",
            QueryError::Canceled(_) => "canceled",
            QueryError::Timeout(_) => "timeout",
            QueryError::Internal(_) => "internal",
        }
    }
}

impl From<Stop> for QueryError {
    fn from(stop: Stop) -> QueryError {
        match stop {
            Stop::Cancelled => {
                QueryError::Canceled("query was canceled in expression evaluation".to_owned())
            }
            Stop::TimedOut => {
                QueryError::Timeout("query timed out in expression evaluation".to_owned())
            }
            Stop::TooManySamples => QueryError::Execution(
                "query processing would load too many samples into memory in query execution"
                    .to_owned(),
            ),
            Stop::Memory(full) => QueryError::Execution(full.to_string()),
        }
    }
}

/// A series of a result: of a vector it has one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Floats, ascending in time: milliseconds and values.
    pub floats: Vec<(i64, f64)>,
    /// Native histograms, ascending in time.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text at a time.
    String(i64, String),
    /// Series with one sample each, in the order that the query asked for.
    Vector(Vec<Series>),
    /// Series, sorted by their labels.
    Matrix(Vec<Series>),
}

/// How much was done for a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples read (`totalQueryableSamples`).
    pub total_samples: u64,
    /// The most that were held at once (`peakSamples`).
    pub peak_samples: u64,
    /// Samples read for each step, when [`Run::per_step`] asks for it: milliseconds and how many
    /// (`totalQueryableSamplesPerStep`).
    pub by_step: Vec<(i64, u64)>,
}

/// What a query has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The result.
    pub value: Value,
    /// Warnings and infos; [`Annotations::warnings`] renders them with positions.
    pub annotations: Annotations,
    /// How much was done.
    pub stats: Stats,
}

/// What belongs to one run of a query.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// What it may take.
    pub limits: Limits,
    /// Stops it.
    pub cancel: Cancel,
    /// Overrides [`Options::lookback`], milliseconds.
    pub lookback: Option<i64>,
    /// Whether samples are counted for each step too.
    pub per_step: bool,
}

/// Evaluates queries.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    options: Options,
}

impl Engine {
    /// With these options.
    #[must_use]
    pub fn new(options: Options) -> Engine {
        Engine { options }
    }

    /// How it evaluates.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Evaluates `expr` at `time`, milliseconds.
    pub fn instant(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        time: i64,
        run: &Run,
    ) -> Result<Outcome, QueryError> {
        let times = Times { start: time, end: time, step: 0 };
        self.run(source, expr, times, run, |evaluator, node| evaluator.finish_instant(node, time))
    }

    /// Evaluates `expr` from `start` to `end`, both inclusive, every `step` milliseconds.
    pub fn range(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        (start, end, step): (i64, i64, i64),
        run: &Run,
    ) -> Result<Outcome, QueryError> {
        let kind = expr.value_type();
        if !matches!(kind, ValueType::Vector | ValueType::Scalar) {
            return Err(QueryError::BadData(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.documented()
            )));
        }
        if step <= 0 {
            return Err(QueryError::BadData(
                "zero or negative query resolution step widths are not accepted. Try a positive \
                 integer"
                    .to_owned(),
            ));
        }
        let times = Times { start, end, step };
        self.run(source, expr, times, run, |evaluator, node| {
            evaluator.finish_range(node, Steps::between(start, end, step))
        })
    }

    fn run(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        times: Times,
        run: &Run,
        finish: impl FnOnce(&Evaluator<'_>, &crate::eval::Node<'_>) -> Result<Value, QueryError>,
    ) -> Result<Outcome, QueryError> {
        let steps = match times.step {
            0 => Steps::once(times.start),
            step => Steps::between(times.start, times.end, step),
        };
        let control = Control::new(run.limits.clone(), run.cancel.clone());
        let control = control.of_steps(steps, run.per_step);
        let node = plan(expr, &times).map_err(QueryError::Execution)?;
        let evaluator = Evaluator {
            source,
            control: &control,
            options: &self.options,
            times,
            lookback: run.lookback.filter(|&back| back > 0).unwrap_or(self.options.lookback),
            notes: Mutex::new(Annotations::default()),
        };
        let value = finish(&evaluator, &node)?;
        let annotations =
            evaluator.notes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let stats = Stats {
            total_samples: control.total_samples(),
            peak_samples: control.peak_samples(),
            by_step: control.samples_by_step(),
        };
        Ok(Outcome { value, annotations, stats })
    }
}

/// A column as samples.
fn samples(found: Found, steps: Steps) -> Series {
    let mut series = Series { labels: found.labels, floats: Vec::new(), histograms: Vec::new() };
    for step in 0..found.column.len() {
        match found.column.cell(step) {
            None => {}
            Some(Cell::Float(value)) => series.floats.push((steps.at(step), value)),
            Some(Cell::Histogram(histogram)) => {
                series.histograms.push((steps.at(step), histogram));
            }
        }
    }
    series
}

impl Evaluator<'_> {
    fn finish_instant(&self, node: &crate::eval::Node<'_>, time: i64) -> Result<Value, QueryError> {
        let steps = Steps::once(time);
        if node.value_type == ValueType::Matrix {
            return self.range_vector(node, steps);
        }
        match self.eval(node, steps)? {
            Evaluated::Scalar(values) => {
                Ok(Value::Scalar(time, values.first().copied().unwrap_or(f64::NAN)))
            }
            Evaluated::Text(text) => Ok(Value::String(time, text)),
            Evaluated::Vector(vector) => {
                let mut series = vector.into_series();
                self.finish_names(&mut series)?;
                Ok(Value::Vector(series.into_iter().map(|one| samples(one, steps)).collect()))
            }
        }
    }

    fn finish_range(
        &self,
        node: &crate::eval::Node<'_>,
        steps: Steps,
    ) -> Result<Value, QueryError> {
        if steps.count == 0 {
            return Ok(Value::Matrix(Vec::new()));
        }
        let mut series = match self.eval(node, steps)? {
            Evaluated::Scalar(floats) => {
                let column = crate::eval::Column { floats, histograms: Vec::new() };
                vec![Found { labels: Labels::empty(), drop_name: false, column }]
            }
            Evaluated::Text(_) => Vec::new(),
            Evaluated::Vector(vector) => vector.into_series(),
        };
        self.finish_names(&mut series)?;
        let mut series: Vec<Series> = series.into_iter().map(|one| samples(one, steps)).collect();
        series.sort_by(|one, other| one.labels.cmp(&other.labels));
        Ok(Value::Matrix(series))
    }

    /// The samples of a range selector or subquery.
    fn range_vector(
        &self,
        node: &crate::eval::Node<'_>,
        steps: Steps,
    ) -> Result<Value, QueryError> {
        let mut matrix = Vec::new();
        let extended = crate::eval::extended_of(node);
        let margin = self.lookback;
        let margins = match extended {
            None => (0, 0),
            Some(crate::ast::Extended::Anchored) => (margin, 0),
            Some(crate::ast::Extended::Smoothed) => (margin, margin),
        };
        let (input, look, range) = self.range_input(node, steps, margins, "")?;
        let end = look.at(0);
        let start = end.saturating_sub(range);
        let mut points = Points::default();
        let mut tally = crate::eval::Tally::new(self.control);
        for index in 0..input.len() {
            self.control.check()?;
            input.read(index, &mut points)?;
            let mut one = Series {
                labels: input.labels(index).clone(),
                floats: Vec::new(),
                histograms: Vec::new(),
            };
            if let Some(extended) = extended {
                one.floats = crate::functions::extended::samples(
                    &points,
                    (start, end, self.lookback),
                    extended,
                )
                .map_err(QueryError::Execution)?;
            } else {
                let inside = |time: i64| time > start && time <= end;
                let floats = points.timestamps.iter().zip(&points.values);
                one.floats = floats
                    .filter(|(time, _)| inside(**time))
                    .map(|(&time, &value)| (time, value))
                    .collect();
                one.histograms = points
                    .histograms
                    .iter()
                    .filter(|point| inside(point.timestamp))
                    .map(|HistogramPoint { timestamp, histogram, .. }| {
                        (*timestamp, Arc::clone(histogram))
                    })
                    .collect();
            }
            let found = one.floats.len() + one.histograms.len();
            let found_now = u64::try_from(found).unwrap_or(u64::MAX);
            self.control.count_read(steps, found_now, |_| found_now);
            if found > 0 {
                tally.add(found, found * 16 + 64)?;
                matrix.push(one);
            }
        }
        matrix.sort_by(|one, other| one.labels.cmp(&other.labels));
        Ok(Value::Matrix(matrix))
    }
}
