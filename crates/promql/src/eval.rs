//! The evaluator: whole series, not samples, go from part to part of a query.
//!
//! A selector reads each series once into columns that its thread keeps ([`stream`]); functions
//! of ranges slide windows over those columns and yield the results of all steps; aggregations
//! add them up without keeping them. What is left is [`value::Vector`]: series with a cell for
//! each step ([`column::Column`]).

mod aggregate;
mod binary;
mod call;
mod column;
mod info;
mod matching;
mod plan;
mod select;
mod stream;
mod subquery;
mod topk;
mod value;

pub(crate) use column::{ABSENT, Cell, Column, Series, Steps, is_present};
pub(crate) use plan::{Node, Times, plan};
pub(crate) use select::{Look, seconds};
pub(crate) use value::{Tally, Value, Vector};

use std::sync::Mutex;

use crate::annotations::Annotations;
use crate::control::Control;
use crate::engine::{Options, QueryError};
use crate::source::{SeriesSource, SourceError};
use plan::Kind;

/// What all parts of one running query share.
pub(crate) struct Evaluator<'a> {
    pub(crate) source: &'a dyn SeriesSource,
    pub(crate) control: &'a Control,
    pub(crate) options: &'a Options,
    /// Of the whole query.
    pub(crate) times: Times,
    /// Milliseconds.
    pub(crate) lookback: i64,
    pub(crate) notes: Mutex<Annotations>,
}

pub(crate) type Result<T> = std::result::Result<T, QueryError>;

/// A failed read becomes the query's failure; a stopped one says why it stopped.
pub(crate) fn source_error(error: SourceError, control: &Control) -> QueryError {
    match error {
        SourceError::Stopped => match control.check() {
            Err(stop) => stop.into(),
            Ok(()) => QueryError::Execution("query was stopped".to_owned()),
        },
        SourceError::Invalid(text) => QueryError::Execution(format!("expanding series: {text}")),
        SourceError::Failed(text) => QueryError::Internal(format!("expanding series: {text}")),
    }
}

/// Whether a part is an extended range selector.
pub(crate) fn extended_of(node: &Node<'_>) -> Option<crate::ast::Extended> {
    match &node.unmarked().kind {
        Kind::Range(range) => range.selector.extended,
        _ => None,
    }
}

impl Evaluator<'_> {
    /// Adds what was found out about the query.
    pub(crate) fn note(&self, notes: Annotations) {
        if notes.is_empty() {
            return;
        }
        let mut all = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.merge(notes);
    }

    /// Runs `add` on what is known about the query.
    pub(crate) fn note_with(&self, add: impl FnOnce(&mut Annotations)) {
        let mut notes = Annotations::default();
        add(&mut notes);
        self.note(notes);
    }

    /// Evaluates a part at `steps`.
    pub(crate) fn eval(&self, node: &Node<'_>, steps: Steps) -> Result<Value<'_>> {
        self.control.check()?;
        match &node.kind {
            Kind::Number(value) => Ok(Value::Scalar(vec![*value; steps.count])),
            Kind::Text(text) => Ok(Value::Text((*text).to_owned())),
            Kind::Invariant(inner) => self.eval_once(inner, steps),
            Kind::Negative(inner) => self.negate(inner, steps),
            Kind::Positive(inner) => self.eval(inner, steps),
            Kind::Binary { of, left, right } => {
                self.binary(of, [left, right], steps, node.position)
            }
            Kind::Aggregate { of, expr, param } => {
                self.aggregate(of, expr, param.as_deref(), steps)
            }
            Kind::Call { function, args } => self.call(function, args, steps, node.position),
            Kind::Vector(selector) => {
                let stream = self.instant_stream(selector, steps, None)?;
                Ok(Value::Vector(self.materialize(&*stream)?))
            }
            Kind::Range(_) | Kind::Subquery(_) => Err(QueryError::Execution(
                "cannot do range evaluation of matrix selector".to_owned(),
            )),
        }
    }

    fn eval_once(&self, inner: &Node<'_>, steps: Steps) -> Result<Value<'_>> {
        if steps.count <= 1 {
            return self.eval(inner, steps);
        }
        let once = self.eval(inner, Steps { count: 1, ..steps })?;
        Ok(match once {
            Value::Scalar(values) => {
                Value::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); steps.count])
            }
            Value::Vector(vector) => {
                let series = vector
                    .into_series()
                    .into_iter()
                    .map(|series| Series { column: series.column.repeat(steps.count), ..series });
                Value::Vector(self.hold(series.collect())?)
            }
            text @ Value::Text(_) => text,
        })
    }

    fn negate(&self, inner: &Node<'_>, steps: Steps) -> Result<Value<'_>> {
        match self.eval(inner, steps)? {
            Value::Scalar(values) => {
                Ok(Value::Scalar(values.into_iter().map(|one| -one).collect()))
            }
            Value::Vector(mut vector) => {
                for series in vector.series_mut() {
                    self.drop_name(series);
                    series.column.map(|value| -value);
                    for histogram in series.column.histograms.iter_mut().flatten() {
                        let mut open = crate::histogram::Open::new(histogram);
                        open.multiply(-1.0);
                        *histogram = open.close().into();
                    }
                }
                self.merge_same_labels(vector).map(Value::Vector)
            }
            text @ Value::Text(_) => Ok(text),
        }
    }

    /// A part that is a number at each step.
    pub(crate) fn eval_scalar(&self, node: &Node<'_>, steps: Steps) -> Result<Vec<f64>> {
        match self.eval(node, steps)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(QueryError::Execution(format!(
                "expected a scalar, found {}",
                node.value_type.documented()
            ))),
        }
    }

    /// A part that is a vector.
    pub(crate) fn eval_vector(&self, node: &Node<'_>, steps: Steps) -> Result<Vector<'_>> {
        match self.eval(node, steps)? {
            Value::Vector(vector) => Ok(vector),
            _ => Err(QueryError::Execution(format!(
                "expected an instant vector, found {}",
                node.value_type.documented()
            ))),
        }
    }
}
