//! Runs commands and compares.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::metric::{Histogram, Labels, LabelsBuilder, NAME_LABEL};
use promql::ast::{At, Expr, ValueType};
use promql::engine::{Engine, Options, Outcome, QueryError, Run, Series, Value};
use promql::histogram::compact;
use promql::memory::MemorySource;
use promql::parser;

use promql::series::{SequenceValue, SeriesDescription};

use crate::script::{Command, Eval, How, Kind, What};

/// The state of a script.
pub(crate) struct Runner {
    source: MemorySource,
    engine: Engine,
}

impl Default for Runner {
    fn default() -> Runner {
        let options = Options {
            delayed_name_removal: true,
            use_start_timestamps: true,
            ..Options::default()
        };
        Runner { source: MemorySource::new(), engine: Engine::new(options) }
    }
}

/// Functions whose result depends on the time of evaluation.
const STEP_DEPENDENT: &[&str] = &[
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
    "start_timestamp",
];

impl Runner {
    /// True when the command was an `eval` and passed.
    pub(crate) fn run(&mut self, command: &Command) -> Result<bool, String> {
        match &command.kind {
            Kind::Clear => self.source.clear(),
            Kind::Load { interval, with_nhcb, series } => {
                self.load(*interval, series);
                if *with_nhcb {
                    self.load_custom_buckets(*interval, series);
                }
            }
            Kind::Eval(eval) => return self.eval(eval).map(|()| true),
        }
        Ok(false)
    }

    fn load(&mut self, interval: i64, series: &[SeriesDescription]) {
        let mut starts: BTreeMap<Labels, Vec<SequenceValue>> = BTreeMap::new();
        for one in series.iter().filter(|one| one.start_timestamps) {
            starts.insert(one.labels.clone(), one.values.clone());
        }
        for one in series.iter().filter(|one| !one.start_timestamps) {
            let starts = starts.get(&one.labels);
            for (at, item) in one.values.iter().enumerate() {
                let time = interval * i64::try_from(at).expect("few");
                let start = match starts.and_then(|starts| starts.get(at)) {
                    Some(SequenceValue::Float(seconds)) => time + millis(*seconds),
                    _ => 0,
                };
                match item {
                    SequenceValue::Float(value) => {
                        self.source.float(&one.labels, time, *value, start);
                    }
                    SequenceValue::Histogram { histogram, .. } => {
                        self.source.histogram(&one.labels, time, (**histogram).clone(), start);
                    }
                    SequenceValue::Omitted => {}
                }
            }
        }
    }

    /// Classic histograms become native ones with custom buckets.
    fn load_custom_buckets(&mut self, interval: i64, series: &[SeriesDescription]) {
        let mut found: BTreeMap<Labels, BTreeMap<usize, Classic>> = BTreeMap::new();
        for one in series {
            let name = one.labels.name().unwrap_or_default();
            let kinds = ["_bucket", "_count", "_sum"];
            let Some(kind) = kinds.into_iter().find(|kind| name.ends_with(kind)) else { continue };
            let base = name.strip_suffix(kind).expect("it ends so");
            let mut builder = LabelsBuilder::from_labels(&one.labels);
            let labels = builder.set(NAME_LABEL, base).remove("le").build();
            let steps = found.entry(labels).or_default();
            for (at, item) in one.values.iter().enumerate() {
                let SequenceValue::Float(value) = item else { continue };
                let classic = steps.entry(at).or_default();
                match kind {
                    "_bucket" => {
                        let upper = one.labels.get("le").unwrap_or_default();
                        let upper = upper.parse().expect("a bound");
                        classic.buckets.push((upper, *value));
                    }
                    "_count" => classic.count = Some(*value),
                    _ => classic.sum = *value,
                }
            }
        }
        for (labels, steps) in found {
            for (at, classic) in steps {
                let time = interval * i64::try_from(at).expect("few");
                self.source.histogram(&labels, time, classic.close(), 0);
            }
        }
    }

    fn eval(&self, eval: &Eval) -> Result<(), String> {
        let expr = match parser::parse(&eval.query, parser::Options::ALL) {
            Ok(expr) => expr,
            Err(error) => return checked_failure(eval, &error.to_string()),
        };
        if eval.step != 0 {
            let times = (eval.start, eval.end, eval.step);
            let outcome = self.engine.range(&self.source, &expr, times, &Run::default());
            return check_outcome(eval, outcome, "range");
        }
        let outcome = self.engine.instant(&self.source, &expr, eval.start, &Run::default());
        check_outcome(eval, outcome, "instant")?;
        self.eval_with_at(eval, &expr)?;
        self.eval_as_range(eval, &expr)
    }

    /// With `@` on each selector the time of evaluation does not matter.
    fn eval_with_at(&self, eval: &Eval, expr: &Expr) -> Result<(), String> {
        let mut fixed = expr.clone();
        if !fix(&mut fixed, eval.start) {
            return Ok(());
        }
        let times = if eval.start == 0 {
            vec![-1000, 0, 1000]
        } else {
            vec![-10 * eval.start, 0, eval.start / 5, eval.start, 10 * eval.start]
        };
        for time in times {
            let outcome = self.engine.instant(&self.source, &fixed, time, &Run::default());
            check_outcome(eval, outcome, &format!("@ modifier at {time}"))?;
        }
        Ok(())
    }

    /// The middle step of a range query says the same.
    fn eval_as_range(&self, eval: &Eval, expr: &Expr) -> Result<(), String> {
        let skipped = ["range()", "start()", "end()", "step()"];
        if eval.fails
            || eval.ordered
            || !matches!(expr.value_type(), ValueType::Vector | ValueType::Scalar)
            || skipped.iter().any(|word| eval.query.contains(word))
        {
            return Ok(());
        }
        let times = (eval.start - 60_000, eval.start + 60_000, 60_000);
        let outcome = self
            .engine
            .range(&self.source, expr, times, &Run::default())
            .map_err(|error| format!("as range: {error}"))?;
        let Value::Matrix(mut matrix) = outcome.value else {
            return Err("as range: no matrix".to_owned());
        };
        for series in &mut matrix {
            series.floats.retain(|(time, _)| *time == eval.start);
            series.histograms.retain(|(time, _)| *time == eval.start);
        }
        matrix.retain(|series| !series.floats.is_empty() || !series.histograms.is_empty());
        let value = if expr.value_type() == ValueType::Scalar {
            Value::Scalar(eval.start, matrix[0].floats[0].1)
        } else {
            Value::Vector(matrix)
        };
        compare(eval, &value).map_err(|error| format!("as range: {error}"))
    }
}

#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    fn close(mut self) -> Histogram {
        self.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let total = self.count.or(self.buckets.last().map(|last| last.1)).unwrap_or(0.0);
        let mut counts = Vec::new();
        let mut before = 0.0;
        for &(_, count) in &self.buckets {
            counts.push(count - before);
            before = count;
        }
        let bounds: Vec<f64> =
            self.buckets.iter().map(|one| one.0).filter(|bound| bound.is_finite()).collect();
        if counts.len() == bounds.len() {
            counts.push(total - before);
        }
        compact(&Histogram {
            schema: Histogram::CUSTOM_BUCKETS_SCHEMA,
            count: total,
            sum: self.sum,
            positive_spans: vec![model::metric::Span {
                offset: 0,
                length: u32::try_from(counts.len()).expect("few"),
            }],
            positive_buckets: counts,
            custom_values: bounds,
            ..Histogram::default()
        })
    }
}

/// Puts `@ time` on all selectors outside subqueries and on subqueries; false when the result
/// would still depend on the time of evaluation.
fn fix(expr: &mut Expr, time: i64) -> bool {
    let at = |at: &mut Option<At>| {
        at.get_or_insert(At::Time(time));
    };
    match expr {
        Expr::Vector(vector) => at(&mut vector.at),
        Expr::Matrix(matrix) => at(&mut matrix.vector.at),
        Expr::Subquery(subquery) => {
            at(&mut subquery.at);
            return !contains_dependent(&subquery.expr);
        }
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Paren(paren) => return fix(&mut paren.expr, time),
        Expr::Unary(unary) => return fix(&mut unary.expr, time),
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_mut().is_none_or(|param| fix(param, time));
            return fix(&mut aggregate.expr, time) && param;
        }
        Expr::Binary(binary) => {
            let left = fix(&mut binary.left, time);
            return fix(&mut binary.right, time) && left;
        }
        Expr::Call(call) => {
            let function = call.function.name;
            if STEP_DEPENDENT.contains(&function) || ["start", "end"].contains(&function) {
                return false;
            }
            return call.args.iter_mut().all(|arg| fix(arg, time));
        }
    }
    true
}

fn contains_dependent(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |expr| {
        if let Expr::Call(call) = expr {
            found |= STEP_DEPENDENT.contains(&call.function.name);
        }
    });
    found
}

fn fits(how: &How, text: &str) -> bool {
    match how {
        How::Any => true,
        How::Message(message) => message == text,
        How::Regex(regex) => regex.is_match(text),
    }
}

fn checked_failure(eval: &Eval, error: &str) -> Result<(), String> {
    if !eval.fails {
        return Err(format!("{}: {error}", eval.query));
    }
    let expected = eval.expects.iter().filter(|expect| expect.what == What::Fail);
    for expect in expected {
        if !fits(&expect.how, error) {
            return Err(format!("{}: fails with another error: {error}", eval.query));
        }
    }
    Ok(())
}

fn check_outcome(
    eval: &Eval,
    outcome: Result<Outcome, QueryError>,
    mode: &str,
) -> Result<(), String> {
    let outcome = match outcome {
        Err(error) => {
            return checked_failure(eval, &error.to_string())
                .map_err(|error| format!("{mode}: {error}"));
        }
        Ok(_) if eval.fails => {
            return Err(format!("{mode}: {} should fail", eval.query));
        }
        Ok(outcome) => outcome,
    };
    let warnings = outcome.annotations.warnings(&eval.query);
    let infos = outcome.annotations.infos(&eval.query);
    check_notes(eval, (What::Warn, What::NoWarn), &warnings)
        .and_then(|()| check_notes(eval, (What::Info, What::NoInfo), &infos))
        .and_then(|()| compare(eval, &outcome.value))
        .map_err(|error| format!("{mode}: {}: {error}", eval.query))
}

fn check_notes(eval: &Eval, (some, none): (What, What), found: &[String]) -> Result<(), String> {
    if eval.expects.iter().any(|expect| expect.what == none) && !found.is_empty() {
        return Err(format!("unexpected: {found:?}"));
    }
    let expected: Vec<&How> = eval
        .expects
        .iter()
        .filter(|expect| expect.what == some)
        .map(|expect| &expect.how)
        .collect();
    for how in &expected {
        if !found.iter().any(|text| fits(how, text)) {
            return Err(format!("expected {some:?} is missing, found {found:?}"));
        }
    }
    for text in found {
        if !expected.is_empty() && !expected.iter().any(|how| fits(how, text)) {
            return Err(format!("unexpected {some:?}: {text}"));
        }
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// Relative difference below 1e-6, as promqltest has it.
fn close(one: f64, other: f64) -> bool {
    if one.is_nan() || other.is_nan() {
        return one.is_nan() && other.is_nan();
    }
    #[expect(clippy::float_cmp, reason = "infinities are equal to themselves")]
    if one == other {
        return true;
    }
    let (sum, difference) = (one.abs() + other.abs(), (one - other).abs());
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < 1e-6 * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < 1e-6
}

fn close_histograms(one: &Histogram, other: &Histogram) -> bool {
    let (one, other) = (compact(one), compact(other));
    let lists = |left: &[f64], right: &[f64]| {
        left.len() == right.len() && left.iter().zip(right).all(|(&a, &b)| close(a, b))
    };
    one.schema == other.schema
        && close(one.count, other.count)
        && close(one.sum, other.sum)
        && close(one.zero_count, other.zero_count)
        && close(one.zero_threshold, other.zero_threshold)
        && one.positive_spans == other.positive_spans
        && one.negative_spans == other.negative_spans
        && lists(&one.positive_buckets, &other.positive_buckets)
        && lists(&one.negative_buckets, &other.negative_buckets)
        && lists(&one.custom_values, &other.custom_values)
}

fn same_item(
    item: &SequenceValue,
    float: Option<f64>,
    histogram: Option<&Arc<Histogram>>,
) -> Result<(), String> {
    let fine = match (item, float, histogram) {
        (SequenceValue::Float(expected), Some(found), None) => close(*expected, found),
        (SequenceValue::Histogram { histogram: expected, hint_set: hinted }, None, Some(found)) => {
            if *hinted && expected.reset_hint != found.reset_hint {
                return Err(format!(
                    "hint {:?}, found {:?}",
                    expected.reset_hint, found.reset_hint
                ));
            }
            close_histograms(expected, found)
        }
        (SequenceValue::Omitted, None, None) => true,
        _ => false,
    };
    if fine {
        return Ok(());
    }
    let show = |float: Option<f64>, histogram: Option<&Arc<Histogram>>| match (float, histogram) {
        (Some(float), _) => format!("{float:?}"),
        (_, Some(histogram)) => format!(
            "{} (schema {}, zero {} {})",
            promql::histogram::format_histogram(histogram),
            histogram.schema,
            histogram.zero_threshold,
            histogram.custom_values.len()
        ),
        _ => "nothing".to_owned(),
    };
    let expected = match item {
        SequenceValue::Float(value) => show(Some(*value), None),
        SequenceValue::Histogram { histogram, .. } => show(None, Some(histogram)),
        _ => "nothing".to_owned(),
    };
    Err(format!("expected {expected}, found {}", show(float, histogram)))
}

fn compare(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::String(_, text) => match &eval.text {
            Some(expected) if expected == text => Ok(()),
            other => Err(format!("expected {other:?}, found {text:?}")),
        },
        Value::Scalar(_, found) => match eval.scalar {
            Some(expected) if close(expected, *found) => Ok(()),
            other => Err(format!("expected {other:?}, found {found}")),
        },
        Value::Vector(found) => compare_vector(eval, found),
        Value::Matrix(found) => compare_matrix(eval, found),
    }
}

fn compare_vector(eval: &Eval, found: &[Series]) -> Result<(), String> {
    if let Some(expected) = eval.scalar {
        return Err(format!("expected scalar {expected}, found a vector"));
    }
    let mut seen = vec![false; eval.series.len()];
    for (position, series) in found.iter().enumerate() {
        let at = eval.series.iter().position(|(labels, _)| *labels == series.labels);
        let at = at.ok_or_else(|| format!("unexpected {}", series.labels))?;
        if std::mem::replace(&mut seen[at], true) {
            return Err(format!("twice: {}", series.labels));
        }
        if eval.ordered && at != position {
            return Err(format!("{} at position {position}, expected {at}", series.labels));
        }
        let item = eval.series[at].1.first().ok_or("no value expected")?;
        let float = series.floats.first().map(|(_, value)| *value);
        let histogram = series.histograms.first().map(|(_, histogram)| histogram);
        same_item(item, float, histogram).map_err(|error| format!("{}: {error}", series.labels))?;
    }
    match seen.iter().position(|seen| !seen) {
        Some(missing) => Err(format!("missing {}", eval.series[missing].0)),
        None => Ok(()),
    }
}

fn compare_matrix(eval: &Eval, found: &[Series]) -> Result<(), String> {
    let (start, step) = eval.range_vector.unwrap_or((eval.start, eval.step.max(1)));
    let mut expected: BTreeMap<Labels, &[SequenceValue]> = BTreeMap::new();
    let mut series = eval.series.clone();
    if let Some(scalar) = eval.scalar {
        series.push((Labels::empty(), vec![SequenceValue::Float(scalar)]));
    }
    for (labels, items) in &series {
        expected.insert(labels.clone(), items);
    }
    for one in found {
        let items =
            expected.remove(&one.labels).ok_or_else(|| format!("unexpected {}", one.labels))?;
        let mut left = one.floats.len() + one.histograms.len();
        for (at, item) in items.iter().enumerate() {
            let time = start + step * i64::try_from(at).expect("few");
            let float =
                one.floats.iter().find(|(found, _)| *found == time).map(|(_, value)| *value);
            let histogram =
                one.histograms.iter().find(|(found, _)| *found == time).map(|(_, one)| one);
            left -= usize::from(float.is_some() || histogram.is_some());
            same_item(item, float, histogram)
                .map_err(|error| format!("{} at {time}: {error}", one.labels))?;
        }
        if left > 0 {
            return Err(format!("{left} more samples than expected of {}", one.labels));
        }
    }
    expected.retain(|_, items| items.iter().any(|item| !matches!(item, SequenceValue::Omitted)));
    match expected.keys().next() {
        Some(missing) => Err(format!("missing {missing}")),
        None => Ok(()),
    }
}
