//! Queries as text: in one line ([`std::fmt::Display`], as in warnings and in the API's answers).
//!
//! What is printed parses to the same tree.

use std::fmt;

use crate::ast::{
    Aggregate, At, Binary, Cardinality, DurationExpr, DurationKind, DurationOp, DurationValue,
    Expr, Extended, MatrixSelector, NumberLiteral, Subquery, VectorMatching, VectorSelector,
};
use crate::duration::format_duration;
use crate::number::format_plain;
use crate::text::{is_legacy_label_name, is_legacy_metric_name, quote};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Aggregate(aggregate) => write!(f, "{aggregate}"),
            Expr::Binary(binary) => write!(f, "{binary}"),
            Expr::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                put_list(f, &call.args)?;
                f.write_str(")")
            }
            Expr::Matrix(matrix) => write!(f, "{matrix}"),
            Expr::Number(number) => write!(f, "{number}"),
            Expr::Paren(paren) => write!(f, "({})", paren.expr),
            Expr::String(text) => f.write_str(&quote(&text.value)),
            Expr::Subquery(subquery) => write!(f, "{}{}", subquery.expr, Suffix(subquery)),
            Expr::Unary(unary) => {
                write!(f, "{}{}", if unary.negative { '-' } else { '+' }, unary.expr)
            }
            Expr::Vector(vector) => write!(f, "{vector}"),
        }
    }
}

fn put_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, list: &[T]) -> fmt::Result {
    for (index, item) in list.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

/// A label's name, in quotes where it needs them.
struct LabelName<'a>(&'a str);

impl fmt::Display for LabelName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_legacy_label_name(self.0) { f.write_str(self.0) } else { f.write_str(&quote(self.0)) }
    }
}

/// Names of labels, separated.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", LabelName(name))?;
        }
        Ok(())
    }
}

/// An aggregation without its arguments: `sum by (a) `.
pub(crate) struct AggregateHead<'a>(pub(crate) &'a Aggregate);

impl fmt::Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Aggregate { op, grouping, without, .. } = self.0;
        f.write_str(op.as_str())?;
        match without {
            true => write!(f, " without ({}) ", Names(grouping)),
            false if grouping.is_empty() => Ok(()),
            false => write!(f, " by ({}) ", Names(grouping)),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", AggregateHead(self))?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

/// An operator with its modifiers, without operands.
pub(crate) struct Operator<'a>(pub(crate) &'a Binary);

impl fmt::Display for Operator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        self.0.matching.as_ref().map_or(Ok(()), |matching| write!(f, "{matching}"))
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, Operator(self), self.right)
    }
}

impl fmt::Display for VectorMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if !self.labels.is_empty() || self.on || group.is_some() {
            let word = if self.on { "on" } else { "ignoring" };
            write!(f, " {word} ({})", Names(&self.labels))?;
        }
        if let Some(side) = group {
            write!(f, " group_{side} ({})", Names(&self.include))?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(f, " fill ({})", format_plain(left))
            }
            (left, right) => {
                for (word, value) in [("fill_left", left), ("fill_right", right)] {
                    if let Some(value) = value {
                        write!(f, " {word} ({})", format_plain(value))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for NumberLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duration {
            #[expect(clippy::cast_possible_truncation, reason = "durations fit")]
            let millis = (self.value * 1000.0).round() as i64;
            f.write_str(&format_duration(millis))
        } else {
            f.write_str(&format_plain(self.value))
        }
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wrapped {
            f.write_str("(")?;
        }
        match &self.kind {
            DurationKind::Literal(number) => write!(f, "{number}")?,
            DurationKind::Step => f.write_str("step()")?,
            DurationKind::Range => f.write_str("range()")?,
            DurationKind::Negative(expr) => write!(f, "-{expr}")?,
            DurationKind::Positive(expr) => write!(f, "{expr}")?,
            DurationKind::Binary(op @ (DurationOp::Min | DurationOp::Max), left, right) => {
                write!(f, "{}({left}, {right})", op.as_str())?;
            }
            DurationKind::Binary(op, left, right) => {
                write!(f, "{left} {} {right}", op.as_str())?;
            }
        }
        if self.wrapped { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Display for DurationValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DurationValue::Fixed(millis) => f.write_str(&format_duration(*millis)),
            DurationValue::Expr(expr) => write!(f, "{expr}"),
        }
    }
}

fn put_at(f: &mut fmt::Formatter<'_>, at: Option<At>) -> fmt::Result {
    match at {
        None => Ok(()),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        Some(At::Time(millis)) => {
            let sign = if millis < 0 { "-" } else { "" };
            let (whole, fraction) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
            write!(f, " @ {sign}{whole}.{fraction:03}")
        }
    }
}

fn put_offset(f: &mut fmt::Formatter<'_>, offset: &DurationValue) -> fmt::Result {
    if offset.is_zero() { Ok(()) } else { write!(f, " offset {offset}") }
}

fn put_extended(f: &mut fmt::Formatter<'_>, extended: Option<Extended>) -> fmt::Result {
    match extended {
        None => Ok(()),
        Some(Extended::Anchored) => f.write_str(" anchored"),
        Some(Extended::Smoothed) => f.write_str(" smoothed"),
    }
}

/// The name and the matchers of a selector.
struct Series<'a>(&'a VectorSelector);

impl fmt::Display for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name.as_deref().unwrap_or_default();
        debug_assert!(name.is_empty() || is_legacy_metric_name(name), "names before braces are");
        f.write_str(name)?;
        let without_name = self.0.matchers.len() - usize::from(self.0.name.is_some());
        let mut matchers: Vec<String> =
            self.0.matchers[..without_name].iter().map(crate::parser::matcher_text).collect();
        if matchers.is_empty() {
            return if name.is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        matchers.sort_unstable();
        write!(f, "{{{}}}", matchers.join(","))
    }
}

impl fmt::Display for VectorSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Series(self))?;
        put_at(f, self.at)?;
        put_extended(f, self.extended)?;
        put_offset(f, &self.offset)
    }
}

impl fmt::Display for MatrixSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", Series(&self.vector), self.range)?;
        put_extended(f, self.vector.extended)?;
        put_at(f, self.vector.at)?;
        put_offset(f, &self.vector.offset)
    }
}

/// The range of a subquery and what follows it.
pub(crate) struct Suffix<'a>(pub(crate) &'a Subquery);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", self.0.range)?;
        if !self.0.step.is_zero() {
            write!(f, "{}", self.0.step)?;
        }
        f.write_str("]")?;
        put_at(f, self.0.at)?;
        put_offset(f, &self.0.offset)
    }
}
