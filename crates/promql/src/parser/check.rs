//! The types of a tree: what may stand where.

use model::metric::NAME_LABEL;

use crate::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, PosRange, ValueType, VectorSelector,
};
use crate::error::ParseError;
use crate::text::quote;

type Checked = Result<ValueType, ParseError>;

/// Checks a tree and completes what depends on types: set operations match many to many, and only
/// operations on two vectors keep their matching.
pub(super) fn check(query: &str, expr: &mut Expr) -> Checked {
    Checker { query }.expression(expr)
}

struct Checker<'a> {
    query: &'a str,
}

impl Checker<'_> {
    fn error<T>(&self, position: PosRange, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.query, position, message))
    }

    fn expression(&self, expr: &mut Expr) -> Checked {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::Matrix(matrix) => {
                self.selector(&matrix.vector)?;
                Ok(ValueType::Matrix)
            }
            Expr::Number(_) => Ok(ValueType::Scalar),
            Expr::Paren(paren) => self.expression(&mut paren.expr),
            Expr::String(_) => Ok(ValueType::String),
            Expr::Subquery(subquery) => match self.expression(&mut subquery.expr)? {
                ValueType::Vector => Ok(ValueType::Matrix),
                other => {
                    let message =
                        format!("subquery is only allowed on instant vector, got {other} instead");
                    self.error(expr.position(), message)
                }
            },
            Expr::Unary(unary) => match self.expression(&mut unary.expr)? {
                found @ (ValueType::Scalar | ValueType::Vector) => Ok(found),
                other => {
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {}",
                        quote(other.documented())
                    );
                    self.error(expr.position(), message)
                }
            },
            Expr::Vector(vector) => {
                self.selector(vector)?;
                Ok(ValueType::Vector)
            }
        }
    }

    fn expect(&self, expr: &mut Expr, want: ValueType, place: &str) -> Result<(), ParseError> {
        let found = self.expression(expr)?;
        if found == want {
            return Ok(());
        }
        self.error(expr.position(), wrong_type(want, place, found))
    }

    fn aggregate(&self, aggregate: &mut Aggregate) -> Checked {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
        if let Some(param) = &mut aggregate.param {
            let want = match aggregate.op {
                AggregateOp::CountValues => ValueType::String,
                _ => ValueType::Scalar,
            };
            self.expect(param, want, "aggregation parameter")?;
        }
        Ok(ValueType::Vector)
    }

    fn binary(&self, binary: &mut Binary) -> Checked {
        let left = self.expression(&mut binary.left)?;
        let right = self.expression(&mut binary.right)?;
        let vectors = left == ValueType::Vector && right == ValueType::Vector;
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        if let Some(message) = self.binary_mistake(binary, left, right) {
            return message;
        }
        if !vectors {
            binary.matching = None;
        }
        Ok(if scalars { ValueType::Scalar } else { ValueType::Vector })
    }

    /// The first thing that is wrong with an operation, if there is one.
    fn binary_mistake(
        &self,
        binary: &mut Binary,
        left: ValueType,
        right: ValueType,
    ) -> Option<Checked> {
        let Binary { op, left: left_expr, right: right_expr, matching, return_bool } = binary;
        let op = *op;
        let whole = || left_expr.position().to(right_expr.position());
        let either = |kind: ValueType| left == kind || right == kind;
        if *return_bool && !op.is_comparison() {
            let message = "bool modifier can only be used on comparison operators";
            return Some(self.error(self.operator(left_expr, right_expr), message));
        }
        if op.is_comparison() && !*return_bool && left == ValueType::Scalar && right == left {
            let message = "comparisons between scalars must use BOOL modifier";
            return Some(self.error(self.operator(left_expr, right_expr), message));
        }
        let matching = matching.as_mut()?;
        if op.is_set() && matching.cardinality == Cardinality::OneToOne {
            matching.cardinality = Cardinality::ManyToMany;
        }
        if let Some(label) =
            matching.labels.iter().find(|label| matching.on && matching.include.contains(label))
        {
            let message =
                format!("label {} must not occur in ON and GROUP clause at once", quote(label));
            return Some(self.error(self.operator(left_expr, right_expr), message));
        }
        for (found, expr) in [(left, &*left_expr), (right, &*right_expr)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return Some(self.error(expr.position(), message));
            }
        }
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        let message = if either(ValueType::Scalar) && !matching.labels.is_empty() {
            "vector matching only allowed between instant vectors".to_owned()
        } else if either(ValueType::Scalar) && fills {
            "filling in missing series only allowed between instant vectors".to_owned()
        } else if either(ValueType::Scalar) && op.is_set() {
            format!("set operator {} not allowed in binary scalar expression", quote(op.as_str()))
        } else if op.is_set() && matching.cardinality != Cardinality::ManyToMany {
            format!("no grouping allowed for {} operation", quote(op.as_str()))
        } else if op.is_set() && fills {
            "filling in missing series not allowed for set operators".to_owned()
        } else {
            return None;
        };
        Some(self.error(whole(), message))
    }

    /// The operator and its modifiers, between the operands.
    fn operator(&self, left: &Expr, right: &Expr) -> PosRange {
        let bytes = self.query.as_bytes();
        let is_space = |at: u32| {
            let byte = usize::try_from(at).ok().and_then(|at| bytes.get(at));
            byte.is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        };
        let mut range = PosRange::new(left.position().end, right.position().start);
        while is_space(range.start) {
            range.start += 1;
        }
        while range.end > range.start + 1 && is_space(range.end - 1) {
            range.end -= 1;
        }
        PosRange::new(range.start, range.end.saturating_sub(1))
    }

    fn call(&self, call: &mut Call) -> Checked {
        let function = call.function;
        let (known, got) = (function.args.len(), call.args.len());
        let name = quote(function.name);
        let complaint = match usize::try_from(function.variadic) {
            Ok(0) => (known != got)
                .then(|| format!("expected {known} argument(s) in call to {name}, got {got}")),
            variadic => {
                let least = known.saturating_sub(1);
                let most = variadic.ok().map(|more| least + more);
                if got < least {
                    Some(format!(
                        "expected at least {least} argument(s) in call to {name}, got {got}"
                    ))
                } else {
                    most.filter(|&most| got > most).map(|most| {
                        format!("expected at most {most} argument(s) in call to {name}, got {got}")
                    })
                }
            }
        };
        if let Some(message) = complaint {
            return self.error(call.position, message);
        }
        let place = format!("call to function {name}");
        if function.name == "info" {
            self.info_labels(call, &place)?;
        }
        for (index, arg) in call.args.iter_mut().enumerate() {
            let Some(&want) = function.args.get(index).or(function.args.last()) else { break };
            self.expect(arg, want, &place)?;
        }
        Ok(function.returns)
    }

    /// The second argument of `info` is a selector of labels without a metric.
    fn info_labels(&self, call: &mut Call, place: &str) -> Result<(), ParseError> {
        let Some(arg) = call.args.get_mut(1) else { return Ok(()) };
        let found = arg.value_type();
        if found != ValueType::Vector {
            return self.error(call.position, wrong_type(ValueType::Vector, place, found));
        }
        let position = arg.position();
        match arg {
            Expr::Vector(vector) if vector.name.is_some() => {
                self.error(position, "expected label selectors only, got vector selector instead")
            }
            Expr::Vector(vector) => {
                vector.bypass_empty_matcher_check = true;
                Ok(())
            }
            _ => self.error(position, "expected label selectors only"),
        }
    }

    fn selector(&self, vector: &VectorSelector) -> Result<(), ParseError> {
        if let Some(name) = &vector.name {
            let others = &vector.matchers[..vector.matchers.len().saturating_sub(1)];
            if let Some(other) = others.iter().find(|matcher| matcher.name == NAME_LABEL) {
                let message = format!(
                    "metric name must not be set twice: {} or {}",
                    quote(name),
                    quote(&other.value)
                );
                return self.error(vector.position, message);
            }
            return Ok(());
        }
        if vector.bypass_empty_matcher_check
            || vector.matchers.iter().any(|matcher| !matcher.matches_empty())
        {
            return Ok(());
        }
        let message = "vector selector must contain at least one non-empty matcher";
        self.error(vector.position, message)
    }
}

fn wrong_type(want: ValueType, place: &str, found: ValueType) -> String {
    format!("expected type {} in {place}, got {}", want.documented(), found.documented())
}
