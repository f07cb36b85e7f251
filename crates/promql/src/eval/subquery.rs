//! Ranges: of a store's series or of a subquery's results, and the streams of functions of them.

use std::sync::Arc;

use hashbrown::HashSet;
use model::metric::{Histogram, Labels, ResetHint};

use super::column::{Column, Series, Steps, is_present};
use super::plan::{Kind, Node, Range, Subquery};
use super::select::{Look, drop_stale, tell_resets};
use super::stream::{Scratch, Stream};
use super::value::{TYPE_LABEL, Vector, is_metadata, without_labels};
use super::{Evaluator, Result, source_error};
use crate::control::Control;
use crate::engine::QueryError;
use crate::functions::range::{About, RangeCall};
use crate::source::{HistogramPoint, Points, Select, SeriesSet};

/// Series with ranges of samples.
pub(crate) trait RangeInput: Sync {
    fn len(&self) -> usize;
    fn labels(&self, index: usize) -> &Labels;
    /// Replaces `into` by the samples of one, stale markers left out.
    fn read(&self, index: usize, into: &mut Points) -> Result<()>;
    /// Whether the names of the series were to go already.
    fn drops_name(&self, index: usize) -> bool;
}

/// Of a store.
struct Stored<'a> {
    set: Box<dyn SeriesSet>,
    statistics: bool,
    control: &'a Control,
}

impl RangeInput for Stored<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        self.set.labels(index)
    }

    fn read(&self, index: usize, into: &mut Points) -> Result<()> {
        into.clear();
        self.set.read(index, into).map_err(|error| source_error(error, self.control))?;
        if self.statistics {
            tell_resets(into);
        }
        drop_stale(into);
        Ok(())
    }

    fn drops_name(&self, _index: usize) -> bool {
        false
    }
}

/// Of a subquery.
struct Computed<'a> {
    vector: Vector<'a>,
    steps: Steps,
}

impl RangeInput for Computed<'_> {
    fn len(&self) -> usize {
        self.vector.series().len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.vector.series()[index].labels
    }

    fn read(&self, index: usize, into: &mut Points) -> Result<()> {
        into.clear();
        let column = &self.vector.series()[index].column;
        for (step, &value) in column.floats.iter().enumerate() {
            if is_present(value) {
                into.timestamps.push(self.steps.at(step));
                into.values.push(value);
            } else if let Some(histogram) = column.histogram(step) {
                let (timestamp, histogram) = (self.steps.at(step), without_hint(histogram));
                into.histograms.push(HistogramPoint { timestamp, start: 0, histogram });
            }
        }
        Ok(())
    }

    fn drops_name(&self, index: usize) -> bool {
        self.vector.series()[index].drop_name
    }
}

/// What a store says about resets does not hold between the steps of a subquery.
fn without_hint(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    match histogram.reset_hint {
        ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
        ResetHint::Reset | ResetHint::NoReset => {
            Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..(**histogram).clone() })
        }
    }
}

/// Function calls over ranges.
pub(crate) struct RangeStream<'a> {
    pub(crate) input: Box<dyn RangeInput + 'a>,
    pub(crate) call: RangeCall,
    pub(crate) control: &'a Control,
    labels: Option<Vec<Labels>>,
    drops_name: bool,
}

impl Stream for RangeStream<'_> {
    fn len(&self) -> usize {
        self.input.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        match &self.labels {
            Some(labels) => &labels[index],
            None => self.input.labels(index),
        }
    }

    fn drops_name(&self, index: usize) -> bool {
        self.drops_name || self.input.drops_name(index)
    }

    fn steps(&self) -> usize {
        self.call.look.steps.count
    }

    fn has_same_labels(&self) -> bool {
        let Some(labels) = &self.labels else { return false };
        // Series of one metric differ in what stays, unless it is no label that stays.
        let name = |index: usize| self.input.labels(index).name();
        if !self.call.type_labels && (1..labels.len()).all(|index| name(index) == name(0)) {
            return false;
        }
        let mut known = HashSet::with_capacity(labels.len());
        !labels.iter().all(|labels| known.insert(labels))
    }

    fn compute(&self, index: usize, scratch: &mut Scratch, column: &mut Column) -> Result<()> {
        let points = &mut scratch.points;
        self.input.read(index, points)?;
        if points.is_empty() {
            return Ok(());
        }
        let labels = self.input.labels(index);
        let mut name = labels.name().unwrap_or_default().to_owned();
        if self.call.type_labels {
            name.push('\0');
            name.push_str(labels.get(TYPE_LABEL).unwrap_or_default());
        }
        let position = self.call.position;
        let mut about = About { name: &name, position, notes: &mut scratch.notes };
        let seen = self.call.compute(points, &mut about, column).map_err(QueryError::Execution)?;
        self.control.count_read(self.call.look.steps, seen, |at| self.call.seen_at(points, at));
        Ok(())
    }
}

impl Evaluator<'_> {
    /// The series of a range argument, and where its steps look.
    pub(crate) fn range_input(
        &self,
        node: &Node<'_>,
        steps: Steps,
        margins: (i64, i64),
        function: &str,
    ) -> Result<(Box<dyn RangeInput + '_>, Look, i64)> {
        match &node.unmarked().kind {
            Kind::Range(range) => self.stored_range(range, steps, margins, function),
            Kind::Subquery(subquery) => {
                let look = Look { steps, offset: subquery.offset, at: subquery.at };
                let (inner_steps, vector) = self.subquery(subquery, look)?;
                let input = Computed { vector, steps: inner_steps };
                Ok((Box::new(input), look, subquery.range))
            }
            _ => Err(QueryError::Execution("expected a range vector".to_owned())),
        }
    }

    fn stored_range(
        &self,
        range: &Range<'_>,
        steps: Steps,
        (before, after): (i64, i64),
        function: &str,
    ) -> Result<(Box<dyn RangeInput + '_>, Look, i64)> {
        let look = Look::new(&range.selector, steps);
        let (first, last) = (look.at(0), look.at(steps.count.saturating_sub(1)));
        let start = first.min(last).saturating_sub(range.range).saturating_sub(before);
        let set = self.select(&Select {
            matchers: range.selector.of.matchers.clone(),
            start: start.saturating_add(1),
            end: first.max(last).saturating_add(after),
            step: if steps.count > 1 { steps.step } else { 0 },
            range: range.range,
            function: Some(function.to_owned()),
            by: None,
        })?;
        let statistics = range.selector.statistics;
        Ok((Box::new(Stored { set, statistics, control: self.control }), look, range.range))
    }

    /// Evaluates a subquery at all its own steps that some step of `look` sees.
    pub(crate) fn subquery(
        &self,
        subquery: &Subquery<'_>,
        look: Look,
    ) -> Result<(Steps, Vector<'_>)> {
        let (first, last) = (look.at(0), look.at(look.steps.count.saturating_sub(1)));
        let step = match subquery.step {
            0 => self.options.default_step(subquery.range),
            step => step,
        };
        let begin = first.min(last).saturating_sub(subquery.range);
        let mut start = step.saturating_mul(begin / step);
        if start <= begin {
            start = start.saturating_add(step);
        }
        let steps = Steps::between(start, first.max(last), step);
        if steps.count > self.options.max_subquery_steps {
            return Err(crate::control::Stop::TooManySamples.into());
        }
        if steps.count == 0 {
            return Ok((steps, self.hold(Vec::new())?));
        }
        let vector = match self.eval(&subquery.expr, steps)? {
            super::Value::Vector(vector) => vector,
            super::Value::Scalar(floats) => {
                let column = Column { floats, histograms: Vec::new() };
                self.hold(vec![Series { labels: Labels::empty(), drop_name: false, column }])?
            }
            super::Value::Text(_) => self.hold(Vec::new())?,
        };
        Ok((steps, vector))
    }

    /// The stream of a function of a range.
    pub(crate) fn range_stream<'s>(
        &'s self,
        input: Box<dyn RangeInput + 's>,
        call: RangeCall,
    ) -> RangeStream<'s> {
        let drops_name = !call.function.keeps_name();
        let labels = (drops_name && !self.options.delayed_name_removal).then(|| {
            (0..input.len()).map(|index| without_labels(input.labels(index), is_metadata)).collect()
        });
        RangeStream { input, call, control: self.control, labels, drops_name }
    }
}
