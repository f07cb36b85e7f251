//! A query with its times resolved: durations computed, `@` turned into times, parentheses gone,
//! and those parts marked that are the same at every step.

use crate::ast::{
    Aggregate, At, Binary, DurationExpr, DurationKind, DurationOp, DurationValue, Expr, Extended,
    Function, ValueType, VectorSelector,
};
use crate::position::PosRange;

/// A part of a query.
#[derive(Debug)]
pub(crate) struct Node<'q> {
    /// What it is.
    pub(crate) kind: Kind<'q>,
    /// Where it stands.
    pub(crate) position: PosRange,
    /// What it evaluates to.
    pub(crate) value_type: ValueType,
}

/// The kinds of parts.
#[derive(Debug)]
pub(crate) enum Kind<'q> {
    Number(f64),
    Text(&'q str),
    Vector(Selector<'q>),
    Range(Range<'q>),
    Subquery(Box<Subquery<'q>>),
    Aggregate {
        of: &'q Aggregate,
        expr: Box<Node<'q>>,
        param: Option<Box<Node<'q>>>,
    },
    Binary {
        of: &'q Binary,
        left: Box<Node<'q>>,
        right: Box<Node<'q>>,
    },
    Call {
        function: &'static Function,
        args: Vec<Node<'q>>,
    },
    Negative(Box<Node<'q>>),
    /// A plus sign: the same values, but no selector any more to functions that look for one.
    Positive(Box<Node<'q>>),
    /// Evaluated once and repeated.
    Invariant(Box<Node<'q>>),
}

/// A selector of series with its times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selector<'q> {
    pub(crate) of: &'q VectorSelector,
    /// Milliseconds.
    pub(crate) offset: i64,
    /// The time of `@`, milliseconds.
    pub(crate) at: Option<i64>,
    pub(crate) extended: Option<Extended>,
    /// Only counts and sums of histograms are read.
    pub(crate) statistics: bool,
}

/// A range of a selector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'q> {
    pub(crate) selector: Selector<'q>,
    /// Milliseconds.
    pub(crate) range: i64,
}

/// A subquery with its times.
#[derive(Debug)]
pub(crate) struct Subquery<'q> {
    pub(crate) expr: Node<'q>,
    pub(crate) range: i64,
    /// 0 is the engine's default.
    pub(crate) step: i64,
    pub(crate) offset: i64,
    pub(crate) at: Option<i64>,
}

/// The times of a query, milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// 0 for an instant query.
    pub(crate) step: i64,
}

impl Node<'_> {
    /// Without the mark that it is evaluated once.
    pub(crate) fn unmarked(&self) -> &Self {
        match &self.kind {
            Kind::Invariant(inner) => inner,
            _ => self,
        }
    }
}

/// Functions whose result depends on the time of the step even when their arguments do not.
const STEP_DEPENDENT: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "start_timestamp",
    "time",
    "timestamp",
    "year",
];

/// What is above a part.
#[derive(Debug, Clone, Copy)]
struct Scope<'t> {
    times: &'t Times,
    /// Functions that read counts and sums of histograms only.
    statistics: bool,
    /// Something that needs their buckets.
    buckets: bool,
}

impl Scope<'_> {
    /// Within a call.
    fn within(self, function: &str) -> Self {
        match function {
            "histogram_count" | "histogram_sum" | "histogram_avg" => {
                Scope { statistics: true, ..self }
            }
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                Scope { buckets: true, ..self }
            }
            _ => self,
        }
    }
}

/// Prepares a query.
pub(crate) fn plan<'q>(expr: &'q Expr, times: &Times) -> Result<Node<'q>, String> {
    let (node, form) = build(expr, Scope { times, statistics: false, buckets: false })?;
    Ok(if form.wrap { invariant(node) } else { node })
}

/// Whether a part is the same at every step, and whether it is worth a mark.
#[derive(Debug, Clone, Copy)]
struct Form {
    invariant: bool,
    wrap: bool,
}

fn invariant(node: Node<'_>) -> Node<'_> {
    let (position, value_type) = (node.position, node.value_type);
    Node { kind: Kind::Invariant(Box::new(node)), position, value_type }
}

fn marked((node, form): (Node<'_>, Form)) -> Node<'_> {
    if form.wrap { invariant(node) } else { node }
}

fn unwrapped(mut expr: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expr {
        expr = &paren.expr;
    }
    expr
}

fn build<'q>(expr: &'q Expr, scope: Scope<'_>) -> Result<(Node<'q>, Form), String> {
    let times = scope.times;
    let (position, value_type) = (expr.position(), expr.value_type());
    let node =
        |kind, invariant, wrap| Ok((Node { kind, position, value_type }, Form { invariant, wrap }));
    match expr {
        Expr::Number(number) => node(Kind::Number(number.value), true, false),
        Expr::String(text) => node(Kind::Text(&text.value), true, false),
        Expr::Paren(paren) => {
            let (mut inner, form) = build(&paren.expr, scope)?;
            inner.position = position;
            Ok((inner, form))
        }
        Expr::Vector(vector) => {
            let selector = selector(vector, scope)?;
            let fixed = selector.at.is_some();
            node(Kind::Vector(selector), fixed, fixed)
        }
        Expr::Matrix(matrix) => {
            let selector = selector(&matrix.vector, scope)?;
            let range = positive(&matrix.range, times)?;
            node(Kind::Range(Range { selector, range }), selector.at.is_some(), false)
        }
        Expr::Subquery(subquery) => {
            let (inner, form) = build(&subquery.expr, Scope { buckets: true, ..scope })?;
            let inner = if form.invariant { invariant(inner) } else { inner };
            let step = if subquery.step.is_zero() { 0 } else { positive(&subquery.step, times)? };
            let at = resolve(subquery.at, times);
            let plan = Subquery {
                expr: inner,
                range: positive(&subquery.range, times)?,
                step,
                offset: duration(&subquery.offset, times)?.0,
                at,
            };
            node(Kind::Subquery(Box::new(plan)), at.is_some(), at.is_some())
        }
        Expr::Unary(unary) => {
            let (inner, form) = build(&unary.expr, scope)?;
            let sign = if unary.negative { Kind::Negative } else { Kind::Positive };
            node(sign(Box::new(inner)), form.invariant, form.invariant)
        }
        Expr::Aggregate(aggregate) => {
            let (inner, form) = build(unwrapped(&aggregate.expr), scope)?;
            let param = match &aggregate.param {
                Some(param) => Some(Box::new(marked(build(unwrapped(param), scope)?))),
                None => None,
            };
            // The parameter may change with the step: then nothing is fixed.
            let fixed = form.invariant
                && aggregate.param.as_ref().is_none_or(|param| is_invariant(param, scope));
            let inner = if fixed { inner } else { marked((inner, form)) };
            node(Kind::Aggregate { of: aggregate, expr: Box::new(inner), param }, fixed, fixed)
        }
        Expr::Binary(binary) => {
            let (left, right) = (build(&binary.left, scope)?, build(&binary.right, scope)?);
            let fixed = left.1.invariant && right.1.invariant;
            let (left, right) =
                if fixed { (left.0, right.0) } else { (marked(left), marked(right)) };
            let (left, right) = (Box::new(left), Box::new(right));
            node(Kind::Binary { of: binary, left, right }, fixed, fixed)
        }
        Expr::Call(call) => {
            let mut args = Vec::with_capacity(call.args.len());
            let mut fixed = STEP_DEPENDENT.binary_search(&call.function.name).is_err();
            for arg in &call.args {
                let arg = build(unwrapped(arg), scope.within(call.function.name))?;
                fixed &= arg.1.invariant;
                args.push(arg);
            }
            let args = args.into_iter();
            let args = if fixed {
                args.map(|(arg, _)| arg).collect()
            } else {
                args.map(|arg| if is_range(&arg.0) { arg.0 } else { marked(arg) }).collect()
            };
            node(Kind::Call { function: call.function, args }, fixed, fixed)
        }
    }
}

/// Arguments of range functions are read by the function itself.
fn is_range(node: &Node<'_>) -> bool {
    matches!(node.kind, Kind::Range(_) | Kind::Subquery(_))
}

fn is_invariant(expr: &Expr, scope: Scope<'_>) -> bool {
    build(expr, scope).is_ok_and(|(_, form)| form.invariant)
}

fn selector<'q>(of: &'q VectorSelector, scope: Scope<'_>) -> Result<Selector<'q>, String> {
    let offset = duration(&of.offset, scope.times)?.0;
    let at = resolve(of.at, scope.times);
    let statistics = scope.statistics && !scope.buckets;
    Ok(Selector { of, offset, at, extended: of.extended, statistics })
}

fn resolve(at: Option<At>, times: &Times) -> Option<i64> {
    Some(match at? {
        At::Time(time) => time,
        At::Start => times.start,
        At::End => times.end,
    })
}

/// Milliseconds, and where the expression stands if it is one.
fn duration(value: &DurationValue, times: &Times) -> Result<(i64, Option<PosRange>), String> {
    match value {
        DurationValue::Fixed(millis) => Ok((*millis, None)),
        DurationValue::Expr(expr) => {
            let seconds = seconds(expr, times)?;
            let PosRange { start, end } = expr.position;
            if !(-9.223_372_036e15..9.223_372_036e15).contains(&seconds) {
                return Err(format!("{start}:{end}: duration is out of range"));
            }
            #[expect(clippy::cast_possible_truncation, reason = "in range: just checked")]
            let millis = (seconds * 1000.0) as i64;
            Ok((millis, Some(expr.position)))
        }
    }
}

fn positive(value: &DurationValue, times: &Times) -> Result<i64, String> {
    match duration(value, times)? {
        (millis, Some(PosRange { start, end })) if millis <= 0 => {
            Err(format!("{start}:{end}: duration must be greater than 0"))
        }
        (millis, _) => Ok(millis),
    }
}

fn to_seconds(millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times are below 2⁵³ milliseconds")]
    let millis = millis as f64;
    millis / 1000.0
}

fn seconds(expr: &DurationExpr, times: &Times) -> Result<f64, String> {
    Ok(match &expr.kind {
        DurationKind::Literal(number) => number.value,
        DurationKind::Step => to_seconds(times.step),
        DurationKind::Range => to_seconds(times.end.saturating_sub(times.start)),
        DurationKind::Negative(inner) => -seconds(inner, times)?,
        DurationKind::Positive(inner) => seconds(inner, times)?,
        DurationKind::Binary(op, left, right) => {
            let (left, right) = (seconds(left, times)?, seconds(right, times)?);
            let PosRange { start, end } = expr.position;
            match op {
                DurationOp::Add => left + right,
                DurationOp::Sub => left - right,
                DurationOp::Mul => left * right,
                DurationOp::Div if right == 0.0 => {
                    return Err(format!("{start}:{end}: division by zero"));
                }
                DurationOp::Div => left / right,
                DurationOp::Mod if right == 0.0 => {
                    return Err(format!("{start}:{end}: modulo by zero"));
                }
                DurationOp::Mod => left % right,
                DurationOp::Pow => left.powf(right),
                DurationOp::Min => left.min(right),
                DurationOp::Max => left.max(right),
            }
        }
    })
}
