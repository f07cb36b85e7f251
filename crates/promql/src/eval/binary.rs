//! Binary operations.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use model::metric::{Histogram, Labels, ResetHint};

use super::column::{ABSENT, Cell, Column, Series, Steps, is_present};
use super::matching::{Match, changes_metric, matched_labels, matches, result_labels};
use super::plan::Node;
use super::value::{Value, Vector};
use super::{Evaluator, Result};
use crate::annotations::{Annotations, Operation};
use crate::ast::{Binary, BinaryOp, Cardinality, VectorMatching};
use crate::engine::QueryError;
use crate::histogram::{Incompatible, Open, Trim, same, trim};
use crate::position::PosRange;

/// The result of a float operation; of comparisons 1 or 0.
#[expect(clippy::float_cmp, reason = "that is what `==` says")]
fn scalar(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        BinaryOp::Equal => f64::from(left == right),
        BinaryOp::NotEqual => f64::from(left != right),
        BinaryOp::Greater => f64::from(left > right),
        BinaryOp::GreaterEqual => f64::from(left >= right),
        BinaryOp::Less => f64::from(left < right),
        BinaryOp::LessEqual => f64::from(left <= right),
        BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Unless
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => f64::NAN,
    }
}

/// What an operation makes of two samples.
enum Outcome {
    /// A sample, and whether a comparison holds.
    Sample(Cell, bool),
    /// The samples are of kinds that do not go together.
    Nothing,
}

/// An operation, and where it stands.
#[derive(Clone, Copy)]
struct Operator {
    op: BinaryOp,
    position: PosRange,
}

impl Operator {
    fn apply(self, left: &Cell, right: &Cell, notes: &mut Annotations) -> Outcome {
        match (left, right) {
            (Cell::Float(left), Cell::Float(right)) => self.floats(*left, *right, notes),
            (Cell::Float(left), Cell::Histogram(right)) => {
                if self.op == BinaryOp::Mul {
                    return scaled(right, |open| open.multiply(*left));
                }
                self.mismatch(("float", "histogram"), notes)
            }
            (Cell::Histogram(left), Cell::Float(right)) => match self.op {
                BinaryOp::Mul => scaled(left, |open| open.multiply(*right)),
                BinaryOp::Div => scaled(left, |open| open.divide(*right)),
                BinaryOp::TrimUpper => kept(trim(left, Trim::Below, *right)),
                BinaryOp::TrimLower => kept(trim(left, Trim::Above, *right)),
                _ => self.mismatch(("histogram", "float"), notes),
            },
            (Cell::Histogram(left), Cell::Histogram(right)) => match self.op {
                BinaryOp::Add | BinaryOp::Sub => self.histograms(left, right, notes),
                BinaryOp::Equal => {
                    Outcome::Sample(Cell::Histogram(Arc::clone(left)), same(left, right))
                }
                BinaryOp::NotEqual => {
                    Outcome::Sample(Cell::Histogram(Arc::clone(left)), !same(left, right))
                }
                _ => self.mismatch(("histogram", "histogram"), notes),
            },
        }
    }

    fn floats(self, left: f64, right: f64, notes: &mut Annotations) -> Outcome {
        if matches!(self.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
            return self.mismatch(("float", "float"), notes);
        }
        let value = scalar(self.op, left, right);
        if self.op.is_comparison() {
            return Outcome::Sample(Cell::Float(left), value != 0.0);
        }
        Outcome::Sample(Cell::Float(value), true)
    }

    fn mismatch(self, (left, right): (&str, &str), notes: &mut Annotations) -> Outcome {
        notes.incompatible_types((left, self.op.as_str(), right), self.position);
        Outcome::Nothing
    }

    fn histograms(self, left: &Histogram, right: &Histogram, notes: &mut Annotations) -> Outcome {
        let mut open = Open::new(left);
        let (added, operation) = if self.op == BinaryOp::Add {
            (open.add(right), Operation::Addition)
        } else {
            let added = open.subtract(right);
            open.set_hint(ResetHint::Gauge);
            (added, Operation::Subtraction)
        };
        match added {
            Ok(added) => {
                if added.hints_collide {
                    notes.colliding_hints(operation, self.position);
                }
                if added.bounds_differ {
                    notes.bounds_reconciled(operation, self.position);
                }
                kept(open.close())
            }
            Err(Incompatible) => {
                notes.incompatible_layout(self.op.as_str(), self.position);
                Outcome::Nothing
            }
        }
    }
}

fn kept(histogram: Histogram) -> Outcome {
    Outcome::Sample(Cell::Histogram(Arc::new(histogram)), true)
}

fn scaled(histogram: &Histogram, change: impl FnOnce(&mut Open)) -> Outcome {
    let mut open = Open::new(histogram);
    change(&mut open);
    kept(open.close())
}

impl Evaluator<'_> {
    /// Evaluates a binary operation.
    pub(crate) fn binary(
        &self,
        of: &Binary,
        [left, right]: [&Node<'_>; 2],
        steps: Steps,
        position: PosRange,
    ) -> Result<Value<'_>> {
        let operator = Operator { op: of.op, position };
        match (self.eval(left, steps)?, self.eval(right, steps)?) {
            (Value::Scalar(left), Value::Scalar(right)) => Ok(Value::Scalar(
                left.iter().zip(&right).map(|(&a, &b)| scalar(of.op, a, b)).collect(),
            )),
            (Value::Vector(left), Value::Scalar(right)) => {
                self.with_scalar(of, operator, left, (&right, false))
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                self.with_scalar(of, operator, right, (&left, true))
            }
            (Value::Vector(left), Value::Vector(right)) => {
                let none = VectorMatching::default();
                let matching = of.matching.as_ref().unwrap_or(&none);
                if of.op.is_set() {
                    return self.set_operation(of.op, left, right, matching);
                }
                self.vectors(of, operator, matching, (&left, &right), steps)
            }
            _ => Err(QueryError::Execution(
                "binary expression must contain only scalar and instant vector types".to_owned(),
            )),
        }
    }

    /// `swapped` says that the scalar stands on the left.
    fn with_scalar<'v>(
        &'v self,
        of: &Binary,
        operator: Operator,
        mut vector: Vector<'v>,
        (scalars, swapped): (&[f64], bool),
    ) -> Result<Value<'v>> {
        let mut notes = Annotations::default();
        let renames = changes_metric(of.op) || of.return_bool;
        let trims = matches!(of.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        for series in vector.series_mut() {
            self.control.check()?;
            let column = &mut series.column;
            let plain = column.histograms.is_empty() && !trims;
            if plain && (of.return_bool || !of.op.is_comparison()) {
                for (value, &scalar_value) in column.floats.iter_mut().zip(scalars) {
                    if is_present(*value) {
                        let (a, b) =
                            if swapped { (scalar_value, *value) } else { (*value, scalar_value) };
                        *value = scalar(of.op, a, b);
                    }
                }
            } else {
                for (step, &scalar_value) in scalars.iter().enumerate() {
                    let Some(cell) = column.cell(step) else { continue };
                    let number = Cell::Float(scalar_value);
                    let (a, b) = if swapped { (&number, &cell) } else { (&cell, &number) };
                    column.clear(step);
                    match operator.apply(a, b, &mut notes) {
                        Outcome::Nothing => {}
                        Outcome::Sample(_, holds) if of.return_bool => {
                            column.floats[step] = f64::from(holds);
                        }
                        Outcome::Sample(_, false) => {}
                        Outcome::Sample(result, true) => {
                            // A comparison keeps the vector's sample, wherever it stands.
                            let keeps = of.op.is_comparison();
                            column.set(step, if keeps { cell } else { result });
                        }
                    }
                }
            }
            if renames {
                self.drop_name(series);
            }
        }
        self.note(notes);
        vector.series_mut().retain(|series| !series.column.is_empty());
        self.merge_same_labels(vector).map(Value::Vector)
    }

    fn set_operation<'v>(
        &'v self,
        op: BinaryOp,
        left: Vector<'v>,
        right: Vector<'v>,
        matching: &VectorMatching,
    ) -> Result<Value<'v>> {
        let found = matches(left.series(), right.series(), matching);
        let (mut left, mut right) = (left.into_series(), right.into_series());
        for one in &found {
            let (mask, masked, keep) = match op {
                BinaryOp::Or => (presence(&left, &one.left), &one.right, false),
                BinaryOp::And => (presence(&right, &one.right), &one.left, true),
                _ => (presence(&right, &one.right), &one.left, false),
            };
            let side = if op == BinaryOp::Or { &mut right } else { &mut left };
            for &index in masked {
                let column = &mut side[index].column;
                match &mask {
                    None if keep => *column = Column::absent(column.len()),
                    None => {}
                    Some(mask) => {
                        for (step, &there) in mask.iter().enumerate() {
                            if there != keep {
                                column.clear(step);
                            }
                        }
                    }
                }
            }
        }
        if op == BinaryOp::Or {
            left.append(&mut right);
        }
        left.retain(|series| !series.column.is_empty());
        let vector = self.hold(left)?;
        self.merge_same_labels(vector).map(Value::Vector)
    }

    fn vectors(
        &self,
        of: &Binary,
        operator: Operator,
        matching: &VectorMatching,
        (left, right): (&Vector<'_>, &Vector<'_>),
        steps: Steps,
    ) -> Result<Value<'_>> {
        let (left, right) = (left.series(), right.series());
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let filled = matching.fill_left.is_some() || matching.fill_right.is_some();
        let nothing = (left.is_empty() || right.is_empty()) && !filled;
        if nothing {
            return self.hold(Vec::new()).map(Value::Vector);
        }
        let found = matches(left, right, matching);
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        // With `group_right` too the left value fills the "many" side.
        let (fill_many, fill_one) = (matching.fill_left, matching.fill_right);
        // Where a side has nothing at all nothing is compared, not even for being unambiguous.
        let any = |side: &[Series]| {
            let all: Vec<usize> = (0..side.len()).collect();
            presence(side, &all).unwrap_or_else(|| vec![false; steps.count])
        };
        let (any_many, any_one) = (any(many), any(one));
        let active: Vec<bool> = any_many
            .iter()
            .zip(&any_one)
            .map(|(&a, &b)| if filled { a || b } else { a && b })
            .collect();
        let mut joined = Joined {
            evaluator: self,
            of,
            operator,
            matching,
            many,
            one,
            swapped,
            fills: (fill_many, fill_one),
            results: HashMap::new(),
            series: Vec::new(),
            notes: Annotations::default(),
            steps: steps.count,
        };
        for one in &found {
            self.control.check()?;
            if swapped {
                joined.join(&one.right, &one.left, &active)?;
            } else {
                let Match { left, right } = one;
                joined.join(left, right, &active)?;
            }
        }
        let Joined { mut series, notes, .. } = joined;
        self.note(notes);
        series.retain(|series| !series.column.is_empty());
        let vector = self.hold(series)?;
        self.merge_same_labels(vector).map(Value::Vector)
    }
}

/// At which steps any of the series has a sample; `None` when there are no series.
fn presence(series: &[Series], which: &[usize]) -> Option<Vec<bool>> {
    let first = series.first()?;
    if which.is_empty() {
        return None;
    }
    let mut mask = vec![false; first.column.len()];
    for &index in which {
        let column = &series[index].column;
        for (there, value) in mask.iter_mut().zip(&column.floats) {
            *there |= is_present(*value);
        }
        for (there, histogram) in mask.iter_mut().zip(&column.histograms) {
            *there |= histogram.is_some();
        }
    }
    Some(mask)
}

/// A join in the making.
struct Joined<'j> {
    evaluator: &'j Evaluator<'j>,
    of: &'j Binary,
    operator: Operator,
    matching: &'j VectorMatching,
    many: &'j [Series],
    one: &'j [Series],
    swapped: bool,
    fills: (Option<f64>, Option<f64>),
    /// The result of each pair; `usize::MAX` stands for a fill value.
    results: HashMap<(usize, usize), usize>,
    series: Vec<Series>,
    notes: Annotations,
    steps: usize,
}

const FILLED: usize = usize::MAX;

impl Joined<'_> {
    fn join(&mut self, many: &[usize], one: &[usize], active: &[bool]) -> Result<()> {
        if let ([left], [right]) = (many, one)
            && self.fills == (None, None)
            && self.many[*left].column.histograms.is_empty()
            && self.one[*right].column.histograms.is_empty()
            && !matches!(self.of.op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
        {
            self.pair_of_floats(*left, *right);
            return Ok(());
        }
        let mut seen: HashSet<Labels> = HashSet::new();
        for step in (0..self.steps).filter(|&step| active[step]) {
            let partner = self.partner(one, step)?;
            seen.clear();
            let mut matched = 0;
            for &left in many {
                let Some(cell) = self.many[left].column.cell(step) else { continue };
                let (right, other) = match (partner, self.fills.1) {
                    (Some(right), _) => (right, self.one[right].column.cell(step)),
                    (None, Some(fill)) => (FILLED, Some(Cell::Float(fill))),
                    (None, None) => continue,
                };
                let Some(other) = other else { continue };
                self.combine(step, (left, right), (&cell, &other), (&mut matched, &mut seen))?;
            }
            let Some((right, fill)) = partner.zip(self.fills.0) else { continue };
            if matched == 0
                && let Some(other) = self.one[right].column.cell(step)
                && !many.iter().any(|&left| self.many[left].column.has(step))
            {
                let cell = Cell::Float(fill);
                self.combine(step, (FILLED, right), (&cell, &other), (&mut matched, &mut seen))?;
            }
        }
        Ok(())
    }

    /// One series on each side, floats only.
    fn pair_of_floats(&mut self, left: usize, right: usize) {
        let at = self.result(left, right);
        let (many, one) = (&self.many[left].column.floats, &self.one[right].column.floats);
        let op = self.of.op;
        let filters = op.is_comparison() && !self.of.return_bool;
        let into = &mut self.series[at].column.floats;
        for ((into, &many), &one) in into.iter_mut().zip(many).zip(one) {
            if !is_present(many) || !is_present(one) {
                continue;
            }
            let (a, b) = if self.swapped { (one, many) } else { (many, one) };
            let value = scalar(op, a, b);
            *into = match filters {
                true if value == 0.0 => ABSENT,
                true => a,
                false => value,
            };
        }
    }

    /// The one series of the "one" side at a step.
    fn partner(&self, one: &[usize], step: usize) -> Result<Option<usize>> {
        let mut found: Option<usize> = None;
        for &index in one {
            if !self.one[index].column.has(step) {
                continue;
            }
            if let Some(first) = found {
                let side = if self.swapped { "left" } else { "right" };
                let (mut first, mut second) = (&self.one[first].labels, &self.one[index].labels);
                if second < first {
                    std::mem::swap(&mut first, &mut second);
                }
                let group = matched_labels(first, self.matching);
                return Err(QueryError::Execution(format!(
                    "found duplicate series for the match group {group} on the {side} hand-side \
                     of the operation: [{first}, {second}];many-to-many matching not allowed: matching \
                     labels must be unique on one side"
                )));
            }
            found = Some(index);
        }
        Ok(found)
    }

    fn combine(
        &mut self,
        step: usize,
        (left, right): (usize, usize),
        (many, one): (&Cell, &Cell),
        (matched, seen): (&mut usize, &mut HashSet<Labels>),
    ) -> Result<()> {
        let (a, b) = if self.swapped { (one, many) } else { (many, one) };
        let (result, holds) = match self.operator.apply(a, b, &mut self.notes) {
            Outcome::Nothing => return Ok(()),
            Outcome::Sample(result, holds) => (result, holds),
        };
        let at = self.result(left, right);
        *matched += 1;
        if self.matching.cardinality == Cardinality::OneToOne {
            if *matched > 1 {
                return Err(QueryError::Execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)"
                        .to_owned(),
                ));
            }
        } else if !seen.insert(self.series[at].labels.clone()) {
            return Err(QueryError::Execution(
                "multiple matches for labels: grouping labels must ensure unique matches"
                    .to_owned(),
            ));
        }
        if self.of.return_bool {
            self.series[at].column.floats[step] = f64::from(holds);
        } else if holds {
            self.series[at].column.set(step, result);
        }
        Ok(())
    }

    /// The result of a pair.
    fn result(&mut self, left: usize, right: usize) -> usize {
        if let Some(&at) = self.results.get(&(left, right)) {
            return at;
        }
        let filled = |other: &Labels| matched_labels(other, self.matching);
        let (many, one) = match (self.many.get(left), self.one.get(right)) {
            (Some(many), Some(one)) => (many.labels.clone(), one.labels.clone()),
            (Some(many), None) => (many.labels.clone(), filled(&many.labels)),
            (None, Some(one)) => (filled(&one.labels), one.labels.clone()),
            (None, None) => (Labels::empty(), Labels::empty()),
        };
        let delayed = self.evaluator.options.delayed_name_removal;
        let drops = self.of.return_bool;
        let labels = result_labels(&many, &one, self.of.op, self.matching, drops && !delayed);
        let pending = self.many.get(left).is_some_and(|many| many.drop_name);
        self.series.push(Series {
            labels,
            drop_name: drops || pending,
            column: Column::absent(self.steps),
        });
        let at = self.series.len() - 1;
        self.results.insert((left, right), at);
        at
    }
}
