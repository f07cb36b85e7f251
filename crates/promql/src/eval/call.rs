//! Calls of functions.

use model::metric::Labels;

use super::column::{ABSENT, Column, Series, Steps, is_present};
use super::plan::{Kind, Node};
use super::select::{Take, seconds};
use super::stream::Stream;
use super::value::{Value, Vector};
use super::{Evaluator, Result};
use crate::ast::{Extended, Function, ValueType};
use crate::engine::QueryError;
use crate::functions::histograms::{Histograms, Question};
use crate::functions::range::{RangeCall, RangeFunction};
use crate::functions::{histograms, labels, math, sorting};
use crate::number::format_open_metrics;
use crate::position::PosRange;

/// Functions that know what to do with anchored selectors, as the error lists them.
const ANCHORED: &[&str] = &["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED: &[&str] = &["delta", "increase", "rate"];

fn text<'q>(node: &Node<'q>) -> &'q str {
    match node.unmarked().kind {
        Kind::Text(text) => text,
        _ => "",
    }
}

impl Evaluator<'_> {
    /// Evaluates a call.
    pub(crate) fn call(
        &self,
        function: &Function,
        args: &[Node<'_>],
        steps: Steps,
        position: PosRange,
    ) -> Result<Value<'_>> {
        let name = function.name;
        if let Some(values) = self.scalar_call(name, args, steps)? {
            return Ok(Value::Scalar(values));
        }
        if let Some(kind) = RangeFunction::parse(name) {
            return self.range_call(kind, function, args, steps).map(Value::Vector);
        }
        if let Some(change) = math::simple(name) {
            return self.map_floats(&args[0], steps, |_, value| change(value));
        }
        if let Some(part) = math::date(name) {
            return match args.first() {
                Some(arg) => self.map_floats(arg, steps, |_, value| part(value)),
                None => self.unnamed(
                    (0..steps.count).map(|step| part(seconds(steps.at(step)).floor())).collect(),
                ),
            };
        }
        if let Some(number) = histograms::simple(name) {
            let mut vector = self.eval_vector(&args[0], steps)?;
            for series in vector.series_mut() {
                let column = &mut series.column;
                for step in 0..column.len() {
                    column.floats[step] = match column.histogram(step) {
                        Some(histogram) => number(histogram),
                        None => ABSENT,
                    };
                }
                column.only_floats();
                self.drop_name(series);
            }
            return self.tidied(vector);
        }
        match name {
            "clamp" | "clamp_min" | "clamp_max" => self.clamp(name, args, steps),
            "round" => {
                let nearest = match args.get(1) {
                    Some(arg) => self.eval_scalar(arg, steps)?,
                    None => vec![1.0; steps.count],
                };
                self.map_floats(&args[0], steps, |step, value| math::round(value, nearest[step]))
            }
            "vector" => self.unnamed(self.eval_scalar(&args[0], steps)?),
            "absent" => self.absent(&args[0], steps),
            "timestamp" | "start_timestamp" => self.sample_times(name, &args[0], steps),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
                self.sort(name, args, steps)
            }
            "label_replace" | "label_join" => self.relabel(name, args, steps),
            "histogram_quantile" => {
                let q = self.eval_scalar(&args[0], steps)?;
                self.check_quantiles(&q, args[0].position);
                let at = args[1].position;
                self.histograms(&args[1], &Question::Quantile { q: &q, at }, steps)
            }
            "histogram_fraction" => {
                let lower = self.eval_scalar(&args[0], steps)?;
                let upper = self.eval_scalar(&args[1], steps)?;
                let at = args[2].position;
                let question = Question::Fraction { lower: &lower, upper: &upper, at };
                self.histograms(&args[2], &question, steps)
            }
            "histogram_quantiles" => self.histogram_quantiles(args, steps),
            "info" => self.info(args, steps, position),
            _ => Err(QueryError::Execution(format!("unknown function with name {name:?}"))),
        }
    }

    fn scalar_call(&self, name: &str, args: &[Node<'_>], steps: Steps) -> Result<Option<Vec<f64>>> {
        let constant = |value: f64| Ok(Some(vec![value; steps.count]));
        match name {
            "pi" => constant(std::f64::consts::PI),
            "start" => constant(seconds(self.times.start)),
            "end" => constant(seconds(self.times.end)),
            "step" => constant(seconds(self.times.step)),
            "range" => constant(seconds(self.times.end.saturating_sub(self.times.start))),
            "time" => Ok(Some((0..steps.count).map(|step| seconds(steps.at(step))).collect())),
            "max_of" | "min_of" => {
                let (one, other) =
                    (self.eval_scalar(&args[0], steps)?, self.eval_scalar(&args[1], steps)?);
                let choose = if name == "max_of" { math::max } else { math::min };
                Ok(Some(one.iter().zip(&other).map(|(&a, &b)| choose(a, b)).collect()))
            }
            "scalar" => {
                let vector = self.eval_vector(&args[0], steps)?;
                let mut values = vec![ABSENT; steps.count];
                for series in vector.series() {
                    for (value, &found) in values.iter_mut().zip(&series.column.floats) {
                        if is_present(found) {
                            *value = if is_present(*value) { f64::NAN } else { found };
                        }
                    }
                }
                // A third series must not make it look absent again.
                for value in &mut values {
                    if !is_present(*value) {
                        *value = f64::NAN;
                    }
                }
                Ok(Some(values))
            }
            _ => Ok(None),
        }
    }

    /// One series without labels.
    fn unnamed(&self, floats: Vec<f64>) -> Result<Value<'_>> {
        let column = Column { floats, histograms: Vec::new() };
        let series = Series { labels: Labels::empty(), drop_name: false, column };
        self.hold(vec![series]).map(Value::Vector)
    }

    /// Drops empty series and joins those that have come to be the same.
    fn tidied<'v>(&'v self, mut vector: Vector<'v>) -> Result<Value<'v>> {
        vector.series_mut().retain(|series| !series.column.is_empty());
        self.merge_same_labels(vector).map(Value::Vector)
    }

    fn map_floats(
        &self,
        arg: &Node<'_>,
        steps: Steps,
        change: impl Fn(usize, f64) -> f64,
    ) -> Result<Value<'_>> {
        let mut vector = self.eval_vector(arg, steps)?;
        for series in vector.series_mut() {
            series.column.only_floats();
            for (step, value) in series.column.floats.iter_mut().enumerate() {
                if is_present(*value) {
                    *value = change(step, *value);
                }
            }
            self.drop_name(series);
        }
        self.tidied(vector)
    }

    fn clamp(&self, name: &str, args: &[Node<'_>], steps: Steps) -> Result<Value<'_>> {
        let infinite = |value: f64| vec![value; steps.count];
        let (least, most) = match name {
            "clamp_min" => (self.eval_scalar(&args[1], steps)?, infinite(f64::INFINITY)),
            "clamp_max" => (infinite(f64::NEG_INFINITY), self.eval_scalar(&args[1], steps)?),
            _ => (self.eval_scalar(&args[1], steps)?, self.eval_scalar(&args[2], steps)?),
        };
        self.map_floats(&args[0], steps, |step, value| {
            if most[step] < least[step] {
                return ABSENT;
            }
            math::max(least[step], math::min(most[step], value))
        })
    }

    fn absent(&self, arg: &Node<'_>, steps: Steps) -> Result<Value<'_>> {
        let vector = self.eval_vector(arg, steps)?;
        let mut column = Column { floats: vec![1.0; steps.count], histograms: Vec::new() };
        for series in vector.series() {
            for step in 0..steps.count {
                if series.column.has(step) {
                    column.clear(step);
                }
            }
        }
        self.absent_series(arg, column)
    }

    fn absent_series(&self, arg: &Node<'_>, column: Column) -> Result<Value<'_>> {
        if column.is_empty() {
            return self.hold(Vec::new()).map(Value::Vector);
        }
        let matchers = match &arg.unmarked().kind {
            Kind::Vector(selector) => &selector.of.matchers[..],
            Kind::Range(range) => &range.selector.of.matchers[..],
            _ => &[],
        };
        let labels = labels::absent_labels(matchers);
        let series = Series { labels, drop_name: false, column };
        self.hold(vec![series]).map(Value::Vector)
    }

    fn sample_times(&self, name: &str, arg: &Node<'_>, steps: Steps) -> Result<Value<'_>> {
        if let Kind::Vector(selector) = &arg.unmarked().kind {
            let take = if name == "timestamp" { Take::Time } else { Take::Start };
            let stream = self.taking(selector, steps, take, Some(name))?;
            return self.materialize(&*stream).map(Value::Vector);
        }
        let mut vector = self.eval_vector(arg, steps)?;
        for series in vector.series_mut() {
            let column = &mut series.column;
            for step in 0..column.len() {
                let has = column.has(step) && name == "timestamp";
                column.floats[step] = if has { seconds(steps.at(step)) } else { ABSENT };
            }
            column.only_floats();
            self.drop_name(series);
        }
        self.tidied(vector)
    }

    fn sort(&self, name: &str, args: &[Node<'_>], steps: Steps) -> Result<Value<'_>> {
        let mut vector = self.eval_vector(&args[0], steps)?;
        if self.times.step != 0 {
            self.note_with(|notes| notes.sort_in_range(args[0].position));
        }
        let by_label = name.starts_with("sort_by_label");
        if !by_label {
            for series in vector.series_mut() {
                series.column.only_floats();
            }
            vector.series_mut().retain(|series| !series.column.is_empty());
        }
        if steps.count == 1 {
            let descending = name.ends_with("_desc");
            if by_label {
                let names: Vec<&str> = args[1..].iter().map(|arg| text(arg)).collect();
                sorting::by_labels(vector.series_mut(), &names, descending);
            } else {
                sorting::by_value(vector.series_mut(), descending);
            }
        }
        Ok(Value::Vector(vector))
    }

    fn relabel(&self, name: &str, args: &[Node<'_>], steps: Steps) -> Result<Value<'_>> {
        let texts: Vec<&str> = args[1..].iter().map(|arg| text(arg)).collect();
        if name == "label_replace" {
            let [target, replacement, source, regex] = texts[..] else {
                return Err(QueryError::Execution("label_replace takes five arguments".to_owned()));
            };
            let replace = labels::Replace::new(target, replacement, source, regex)
                .map_err(QueryError::Execution)?;
            let mut vector = self.eval_vector(&args[0], steps)?;
            vector.series_mut().iter_mut().for_each(|series| replace.apply(series));
            return self.merge_same_labels(vector).map(Value::Vector);
        }
        let (target, separator) = (texts[0], texts[1]);
        for (what, label) in
            texts[2..].iter().map(|source| ("source", *source)).chain([("destination", target)])
        {
            if !labels::is_valid_name(label) {
                return Err(QueryError::Execution(format!(
                    "invalid {what} label name in label_join(): {label}"
                )));
            }
        }
        let mut vector = self.eval_vector(&args[0], steps)?;
        for series in vector.series_mut() {
            let values: Vec<&str> =
                texts[2..].iter().map(|name| series.labels.get(name).unwrap_or_default()).collect();
            let joined = values.join(separator);
            labels::set(series, target, &joined);
        }
        self.merge_same_labels(vector).map(Value::Vector)
    }

    fn check_quantiles(&self, q: &[f64], at: PosRange) {
        if let Some(&q) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            self.note_with(|notes| notes.invalid_quantile(q, at));
        }
    }

    fn histograms(
        &self,
        arg: &Node<'_>,
        question: &Question<'_>,
        steps: Steps,
    ) -> Result<Value<'_>> {
        let series = self.eval_vector(arg, steps)?.into_series();
        let delayed = self.options.delayed_name_removal;
        let mut answers = Vec::new();
        self.note_with(|notes| {
            let histograms = Histograms::new(series, steps.count, arg.position, notes);
            answers = histograms.answer(question, |step| steps.at(step), delayed, notes);
        });
        answers.iter_mut().for_each(|series| self.drop_name(series));
        self.tidied(self.hold(answers)?)
    }

    fn histogram_quantiles(&self, args: &[Node<'_>], steps: Steps) -> Result<Value<'_>> {
        let label = text(&args[1]);
        let mut quantiles = Vec::with_capacity(args.len());
        for arg in &args[2..] {
            let q = self.eval_scalar(arg, steps)?;
            self.check_quantiles(&q, arg.position);
            quantiles.push(q);
        }
        let series = self.eval_vector(&args[0], steps)?.into_series();
        let delayed = self.options.delayed_name_removal;
        let mut answers: Vec<Series> = Vec::new();
        self.note_with(|notes| {
            let at = args[0].position;
            let histograms = Histograms::new(series, steps.count, at, notes);
            for q in &quantiles {
                let question = Question::Quantile { q, at };
                let found = histograms.answer(&question, |step| steps.at(step), delayed, notes);
                for one in found {
                    answers.extend(by_quantile(&one, label, q));
                }
            }
        });
        answers.iter_mut().for_each(|series| self.drop_name(series));
        self.tidied(self.hold(answers)?)
    }

    fn range_call(
        &self,
        kind: RangeFunction,
        function: &Function,
        args: &[Node<'_>],
        steps: Steps,
    ) -> Result<Vector<'_>> {
        let stream = self.range_function_stream(kind, function, args, steps)?;
        if kind != RangeFunction::Absent {
            return self.materialize(&stream);
        }
        let found = self.in_parallel(&stream, |range, scratch| {
            let (mut found, mut column) = (vec![false; steps.count], Column::default());
            for index in range {
                self.control.check()?;
                column.reset(steps.count);
                stream.compute(index, scratch, &mut column)?;
                for (step, found) in found.iter_mut().enumerate() {
                    *found |= column.has(step);
                }
            }
            Ok(found)
        })?;
        let mut column = Column { floats: vec![1.0; steps.count], histograms: Vec::new() };
        for step in (0..steps.count).filter(|&step| found.iter().any(|part| part[step])) {
            column.clear(step);
        }
        match self.absent_series(&args[0], column)? {
            Value::Vector(vector) => Ok(vector),
            _ => self.hold(Vec::new()),
        }
    }

    /// The series of a function of a range, not computed yet.
    pub(crate) fn range_function_stream(
        &self,
        kind: RangeFunction,
        function: &Function,
        args: &[Node<'_>],
        steps: Steps,
    ) -> Result<super::subquery::RangeStream<'_>> {
        let Some(range) = args.iter().find(|arg| arg.value_type == ValueType::Matrix) else {
            return Err(QueryError::Execution("expected a range vector".to_owned()));
        };
        let mut scalars = Vec::new();
        for arg in args.iter().filter(|arg| arg.value_type == ValueType::Scalar) {
            scalars.push(self.eval_scalar(arg, steps)?);
        }
        let extended = match &range.unmarked().kind {
            Kind::Range(range) => range.selector.extended,
            _ => None,
        };
        if let Some(extended) = extended {
            let (word, safe) = match extended {
                Extended::Anchored => ("anchored", ANCHORED),
                Extended::Smoothed => ("smoothed", SMOOTHED),
            };
            if !safe.contains(&function.name) {
                return Err(QueryError::Execution(format!(
                    "{word} modifier can only be used with: {} - not with {}",
                    safe.join(", "),
                    function.name
                )));
            }
        }
        let mut call = RangeCall {
            function: kind,
            args: scalars,
            look: super::select::Look { steps, offset: 0, at: None },
            range: 0,
            extended,
            lookback: self.lookback,
            position: args[0].position,
            type_labels: self.options.type_and_unit_labels,
            use_starts: self.options.use_start_timestamps,
        };
        let (input, look, width) = self.range_input(range, steps, call.margins(), function.name)?;
        call.look = look;
        call.range = width;
        Ok(self.range_stream(input, call))
    }

    /// A part as a stream, when it is one that need not be kept.
    pub(crate) fn stream_of(
        &self,
        node: &Node<'_>,
        steps: Steps,
        function: &str,
    ) -> Result<Option<Box<dyn Stream + '_>>> {
        Ok(match &node.kind {
            Kind::Vector(selector) => Some(self.instant_stream(selector, steps, Some(function))?),
            Kind::Call { function, args } => match RangeFunction::parse(function.name) {
                None | Some(RangeFunction::Absent) => None,
                Some(kind) => {
                    Some(Box::new(self.range_function_stream(kind, function, args, steps)?))
                }
            },
            _ => None,
        })
    }
}

/// Sets the label that says which quantile it is; the quantile may change with the step.
fn by_quantile(series: &Series, label: &str, q: &[f64]) -> Vec<Series> {
    let mut found: Vec<(u64, Series)> = Vec::new();
    for (step, &q) in q.iter().enumerate() {
        if !series.column.has(step) {
            continue;
        }
        let at = match found.iter().position(|(bits, _)| *bits == q.to_bits()) {
            Some(at) => at,
            None => {
                let mut one = Series {
                    column: Column::absent(series.column.len()),
                    labels: series.labels.clone(),
                    drop_name: series.drop_name,
                };
                labels::set(&mut one, label, &format_open_metrics(q));
                found.push((q.to_bits(), one));
                found.len() - 1
            }
        };
        found[at].1.column.floats[step] = series.column.floats[step];
    }
    found.into_iter().map(|(_, series)| series).collect()
}
