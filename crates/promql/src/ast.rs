//! The tree of a query, as the parser makes it and the evaluator reads it.
//!
//! A tree that the parser returned without error has passed its type checks: an aggregation has
//! its parameter where it needs one, a call has as many arguments of the right types as its
//! [`Function`] says. Every node knows where it stands in the query ([`Expr::position`]).

use model::metric::Matcher;

pub use crate::position::PosRange;
pub use crate::signature::{Function, ValueType};

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `sum by (a) (x)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `rate(x[5m])`
    Call(Call),
    /// `x[5m]`
    Matrix(Box<MatrixSelector>),
    /// `1`, `5m`
    Number(NumberLiteral),
    /// `(a)`
    Paren(Box<Paren>),
    /// `"text"`
    String(StringLiteral),
    /// `x[5m:1m]`
    Subquery(Box<Subquery>),
    /// `-x`
    Unary(Box<Unary>),
    /// `x{a="b"}`
    Vector(Box<VectorSelector>),
}

/// An aggregation.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// What is aggregated.
    pub expr: Expr,
    /// The parameter of those that have one ([`AggregateOp::has_param`]).
    pub param: Option<Expr>,
    /// The labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether the labels are dropped, not kept.
    pub without: bool,
    /// Where.
    pub position: PosRange,
}

/// A binary operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// How series find each other; `Some` exactly when both operands are vectors.
    pub matching: Option<VectorMatching>,
    /// Whether a comparison returns 0 and 1 instead of filtering.
    pub return_bool: bool,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: &'static Function,
    /// The arguments as written; optional ones may be missing.
    pub args: Vec<Expr>,
    /// Where.
    pub position: PosRange,
}

/// A range of a selector.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// What is selected; its offset and `@` belong to the range.
    pub vector: VectorSelector,
    /// How far back.
    pub range: DurationValue,
    /// The byte after the whole, offset and `@` included.
    pub end: u32,
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberLiteral {
    /// Its value; of durations in seconds.
    pub value: f64,
    /// Whether it was written as a duration.
    pub duration: bool,
    /// Where.
    pub position: PosRange,
}

/// Parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct Paren {
    /// What is inside.
    pub expr: Expr,
    /// Where, parentheses included.
    pub position: PosRange,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// Without quotes and escapes.
    pub value: String,
    /// Where.
    pub position: PosRange,
}

/// An expression evaluated over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back.
    pub range: DurationValue,
    /// The distance of evaluations; `Fixed(0)` when none is given: the engine's default.
    pub step: DurationValue,
    /// `offset`; `Fixed(0)` when none is given.
    pub offset: DurationValue,
    /// `@`.
    pub at: Option<At>,
    /// The byte after the whole.
    pub end: u32,
}

/// A sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// Whether the sign is a minus.
    pub negative: bool,
    /// What follows.
    pub expr: Expr,
    /// The byte of the sign.
    pub start: u32,
}

/// A selector of series.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// The metric's name when it stands before the braces.
    pub name: Option<String>,
    /// All conditions, that of the name (last) included.
    pub matchers: Vec<Matcher>,
    /// `offset`; `Fixed(0)` when none is given.
    pub offset: DurationValue,
    /// `@`.
    pub at: Option<At>,
    /// `anchored` or `smoothed`.
    pub extended: Option<Extended>,
    /// Set on the second argument of `info`, which may match the empty text only.
    pub bypass_empty_matcher_check: bool,
    /// Where, offset and `@` included (unless they follow the range of a matrix selector).
    pub position: PosRange,
}

/// What `@` fixes a selector to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// A time, milliseconds.
    Time(i64),
    /// `start()`: the start of the query.
    Start,
    /// `end()`: the end of the query.
    End,
}

/// Selectors that look beyond their range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// `anchored`
    Anchored,
    /// `smoothed`
    Smoothed,
}

/// A length of time in a selector: known, or to be computed when the query's step and range are
/// known.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationValue {
    /// Milliseconds; negative only in offsets.
    Fixed(i64),
    /// An expression (an experimental part of the language).
    Expr(Box<DurationExpr>),
}

impl Default for DurationValue {
    fn default() -> DurationValue {
        DurationValue::Fixed(0)
    }
}

impl DurationValue {
    /// Whether it is the fixed length 0, that is: not given.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == DurationValue::Fixed(0)
    }
}

/// An expression of durations; its value is in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationExpr {
    /// What it computes.
    pub kind: DurationKind,
    /// Whether it stood in parentheses.
    pub wrapped: bool,
    /// Where.
    pub position: PosRange,
}

/// What a duration expression computes.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationKind {
    /// A number of seconds or a duration.
    Literal(NumberLiteral),
    /// `step()`: the step of the query, seconds; 0 of an instant query.
    Step,
    /// `range()`: the end of the query minus its start, seconds.
    Range,
    /// `-x`
    Negative(Box<DurationExpr>),
    /// `+x`
    Positive(Box<DurationExpr>),
    /// `x + y`
    Binary(DurationOp, Box<DurationExpr>, Box<DurationExpr>),
}

/// The operations of duration expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`; by zero is an error of execution.
    Div,
    /// `%`; by zero is an error of execution.
    Mod,
    /// `^`
    Pow,
    /// `min_of(x, y)`
    Min,
    /// `max_of(x, y)`
    Max,
}

impl DurationOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DurationOp::Add => "+",
            DurationOp::Sub => "-",
            DurationOp::Mul => "*",
            DurationOp::Div => "/",
            DurationOp::Mod => "%",
            DurationOp::Pow => "^",
            DurationOp::Min => "min_of",
            DurationOp::Max => "max_of",
        }
    }
}

/// Aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// `avg`
    Avg,
    /// `bottomk`
    Bottomk,
    /// `count`
    Count,
    /// `count_values`
    CountValues,
    /// `group`
    Group,
    /// `limit_ratio` (experimental)
    LimitRatio,
    /// `limitk` (experimental)
    Limitk,
    /// `max`
    Max,
    /// `min`
    Min,
    /// `quantile`
    Quantile,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `sum`
    Sum,
    /// `topk`
    Topk,
}

impl AggregateOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AggregateOp::Avg => "avg",
            AggregateOp::Bottomk => "bottomk",
            AggregateOp::Count => "count",
            AggregateOp::CountValues => "count_values",
            AggregateOp::Group => "group",
            AggregateOp::LimitRatio => "limit_ratio",
            AggregateOp::Limitk => "limitk",
            AggregateOp::Max => "max",
            AggregateOp::Min => "min",
            AggregateOp::Quantile => "quantile",
            AggregateOp::Stddev => "stddev",
            AggregateOp::Stdvar => "stdvar",
            AggregateOp::Sum => "sum",
            AggregateOp::Topk => "topk",
        }
    }

    /// Whether it has a parameter.
    #[must_use]
    pub fn has_param(self) -> bool {
        matches!(
            self,
            AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::CountValues
                | AggregateOp::Quantile
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
        )
    }

    /// Whether it has to be switched on.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `</`: the part of a histogram below a value.
    TrimUpper,
    /// `>/`: the part of a histogram above a value.
    TrimLower,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
        }
    }

    /// `==`, `!=`, `>`, `>=`, `<`, `<=`.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
        )
    }

    /// `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }
}

/// How many series of one side meet how many of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Cardinality {
    /// One on each side.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Set operators.
    ManyToMany,
}

impl Cardinality {
    /// As Prometheus says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        }
    }
}

/// How the series of two vectors find each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorMatching {
    /// How many meet how many.
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether the labels are compared (`on`), not left out (`ignoring`).
    pub on: bool,
    /// The labels of `group_left` or `group_right`: taken from the "one" side.
    pub include: Vec<String>,
    /// What stands for missing series on the left (`fill`, `fill_left`; experimental).
    pub fill_left: Option<f64>,
    /// What stands for missing series on the right (`fill`, `fill_right`; experimental).
    pub fill_right: Option<f64>,
}

impl Expr {
    /// Where it stands in the query.
    #[must_use]
    pub fn position(&self) -> PosRange {
        match self {
            Expr::Aggregate(aggregate) => aggregate.position,
            Expr::Binary(binary) => binary.left.position().to(binary.right.position()),
            Expr::Call(call) => call.position,
            Expr::Matrix(matrix) => PosRange::new(matrix.vector.position.start, matrix.end),
            Expr::Number(number) => number.position,
            Expr::Paren(paren) => paren.position,
            Expr::String(text) => text.position,
            Expr::Subquery(subquery) => PosRange::new(subquery.expr.position().start, subquery.end),
            Expr::Unary(unary) => PosRange::new(unary.start, unary.expr.position().end),
            Expr::Vector(vector) => vector.position,
        }
    }

    /// What it evaluates to.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Expr::Aggregate(_) | Expr::Vector(_) => ValueType::Vector,
            Expr::Binary(binary) => {
                let scalars = binary.left.value_type() == ValueType::Scalar
                    && binary.right.value_type() == ValueType::Scalar;
                if scalars { ValueType::Scalar } else { ValueType::Vector }
            }
            Expr::Call(call) => call.function.returns,
            Expr::Matrix(_) | Expr::Subquery(_) => ValueType::Matrix,
            Expr::Number(_) => ValueType::Scalar,
            Expr::Paren(paren) => paren.expr.value_type(),
            Expr::String(_) => ValueType::String,
            Expr::Unary(unary) => unary.expr.value_type(),
        }
    }

    /// Calls `visit` with every expression below it, itself first, children in the order in which
    /// Prometheus walks them.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Expr)) {
        visit(self);
        match self {
            Expr::Aggregate(aggregate) => {
                aggregate.expr.walk(visit);
                if let Some(param) = &aggregate.param {
                    param.walk(visit);
                }
            }
            Expr::Binary(binary) => {
                binary.left.walk(visit);
                binary.right.walk(visit);
            }
            Expr::Call(call) => call.args.iter().for_each(|arg| arg.walk(visit)),
            Expr::Paren(paren) => paren.expr.walk(visit),
            Expr::Subquery(subquery) => subquery.expr.walk(visit),
            Expr::Unary(unary) => unary.expr.walk(visit),
            Expr::Matrix(_) | Expr::Number(_) | Expr::String(_) | Expr::Vector(_) => {}
        }
    }

    /// Its selectors, those of ranges included, in order.
    #[must_use]
    pub fn selectors(&self) -> Vec<&VectorSelector> {
        let mut found = Vec::new();
        self.walk(&mut |expr| match expr {
            Expr::Vector(vector) => found.push(&**vector),
            Expr::Matrix(matrix) => found.push(&matrix.vector),
            _ => {}
        });
        found
    }
}
