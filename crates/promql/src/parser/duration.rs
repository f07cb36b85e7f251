//! Lengths of time in selectors: literals and, when they are switched on, expressions.

use super::token::{Kind, Preprocessor, Token};
use super::{Parsed, Parser};
use crate::ast::{
    BinaryOp, DurationExpr, DurationKind, DurationOp, DurationValue, NumberLiteral, PosRange,
};

const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const POWER: u8 = 3;

fn operation(kind: Kind) -> Option<(DurationOp, u8)> {
    let Kind::Binary(op) = kind else { return None };
    Some(match op {
        BinaryOp::Add => (DurationOp::Add, SUM),
        BinaryOp::Sub => (DurationOp::Sub, SUM),
        BinaryOp::Mul => (DurationOp::Mul, PRODUCT),
        BinaryOp::Div => (DurationOp::Div, PRODUCT),
        BinaryOp::Mod => (DurationOp::Mod, PRODUCT),
        BinaryOp::Pow => (DurationOp::Pow, POWER),
        _ => return None,
    })
}

/// A number that stands for itself, not in parentheses.
fn bare_literal(expr: &DurationExpr) -> Option<NumberLiteral> {
    match expr.kind {
        DurationKind::Literal(number) if !expr.wrapped => Some(number),
        _ => None,
    }
}

fn literal(number: NumberLiteral) -> DurationExpr {
    let position = number.position;
    DurationExpr { kind: DurationKind::Literal(number), wrapped: false, position }
}

/// Seconds in whole milliseconds, by way of nanoseconds as in Prometheus.
fn millis(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
    let nanos = (seconds * 1e9).round() as i64;
    nanos / 1_000_000
}

fn value(expr: DurationExpr) -> DurationValue {
    match bare_literal(&expr) {
        Some(number) => DurationValue::Fixed(millis(number.value)),
        None => DurationValue::Expr(Box::new(expr)),
    }
}

impl Parser<'_> {
    /// The length of a range or a step.
    pub(super) fn positive_length(&mut self) -> Parsed<DurationValue> {
        let expr = self.duration(SUM)?;
        // A word that cannot follow is found before the length is refused.
        self.peek()?;
        match bare_literal(&expr) {
            Some(number) if number.value <= 0.0 => {
                Err(self.error(number.position, "duration must be greater than 0"))
            }
            _ => Ok(value(expr)),
        }
    }

    /// The length of an offset. What is no parenthesis is taken alone: in `x offset 1m + 2` the 2
    /// is added to the selected series.
    pub(super) fn offset_length(&mut self) -> Parsed<DurationValue> {
        let token = self.peek()?;
        let sign = match token.kind {
            Kind::Binary(BinaryOp::Add | BinaryOp::Sub) => {
                let sign = self.next()?;
                match self.peek()?.kind {
                    Kind::Binary(BinaryOp::Add | BinaryOp::Sub) => {
                        let operand = self.signed_duration(sign)?;
                        return self.durations(operand, SUM).map(value);
                    }
                    _ => Some(sign),
                }
            }
            Kind::LeftParen => return self.duration(SUM).map(value),
            _ => None,
        };
        let operand = self.duration_operand()?;
        match sign {
            Some(sign) => self.apply_sign(sign, operand).map(value),
            None => Ok(value(operand)),
        }
    }

    /// An expression of operators that bind at least as tightly as `lowest`.
    fn duration(&mut self, lowest: u8) -> Parsed<DurationExpr> {
        let left = self.deeper(|parser| {
            let token = parser.peek()?;
            match token.kind {
                Kind::Binary(BinaryOp::Add | BinaryOp::Sub) => {
                    parser.next()?;
                    parser.signed_duration(token)
                }
                _ => parser.duration_operand(),
            }
        })?;
        self.durations(left, lowest)
    }

    fn durations(&mut self, mut left: DurationExpr, lowest: u8) -> Parsed<DurationExpr> {
        let mut links = 0;
        loop {
            let operator = self.peek()?;
            let Some((op, precedence)) = operation(operator.kind) else { return Ok(left) };
            if precedence < lowest {
                return Ok(left);
            }
            links += 1;
            self.check_chain(links)?;
            self.next()?;
            let right = self.duration(precedence + u8::from(op != DurationOp::Pow))?;
            self.experimental(left.position)?;
            if bare_literal(&right).is_some_and(|number| number.value == 0.0) {
                match op {
                    DurationOp::Div => {
                        return Err(self.error(operator.position, "division by zero"));
                    }
                    DurationOp::Mod => {
                        return Err(self.error(operator.position, "modulo by zero"));
                    }
                    _ => {}
                }
            }
            let position = left.position.to(right.position);
            let kind = DurationKind::Binary(op, Box::new(left), Box::new(right));
            left = DurationExpr { kind, wrapped: false, position };
        }
    }

    /// What follows a sign, which has been taken.
    fn signed_duration(&mut self, sign: Token) -> Parsed<DurationExpr> {
        let operand = self.duration(POWER)?;
        self.apply_sign(sign, operand)
    }

    fn apply_sign(&self, sign: Token, operand: DurationExpr) -> Parsed<DurationExpr> {
        let negative = sign.kind == Kind::Binary(BinaryOp::Sub);
        if let Some(mut number) = bare_literal(&operand) {
            number.value = if negative { -number.value } else { number.value };
            self.check_range(number.value, sign.position)?;
            number.position.start = sign.position.start;
            return Ok(literal(number));
        }
        if !negative {
            return Ok(operand);
        }
        let position = sign.position.to(operand.position);
        let kind = DurationKind::Negative(Box::new(operand));
        Ok(DurationExpr { kind, wrapped: false, position })
    }

    fn duration_operand(&mut self) -> Parsed<DurationExpr> {
        let token = self.peek()?;
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next()?;
                let number = self.number_literal(token)?;
                self.check_range(number.value, number.position)?;
                Ok(literal(number))
            }
            Kind::LeftParen => {
                self.next()?;
                let mut expr = self.duration(SUM)?;
                self.expect(Kind::RightParen)?;
                self.experimental(expr.position)?;
                expr.wrapped = true;
                Ok(expr)
            }
            Kind::Preprocessor(Preprocessor::Step) => self.of_query(token, DurationKind::Step),
            Kind::Preprocessor(Preprocessor::Range) => self.of_query(token, DurationKind::Range),
            Kind::Preprocessor(Preprocessor::MinOf) => self.extreme(token, DurationOp::Min),
            Kind::Preprocessor(Preprocessor::MaxOf) => self.extreme(token, DurationOp::Max),
            _ => Err(self.unexpected_here(token)),
        }
    }

    /// `step()`, `range()`
    fn of_query(&mut self, token: Token, kind: DurationKind) -> Parsed<DurationExpr> {
        self.next()?;
        self.expect(Kind::LeftParen)?;
        let close = self.expect(Kind::RightParen)?;
        let position = token.position.to(close.position);
        self.experimental(position)?;
        Ok(DurationExpr { kind, wrapped: false, position })
    }

    /// `min_of(a, b)`, `max_of(a, b)`
    fn extreme(&mut self, token: Token, op: DurationOp) -> Parsed<DurationExpr> {
        self.next()?;
        self.expect(Kind::LeftParen)?;
        let left = self.duration(SUM)?;
        self.expect(Kind::Comma)?;
        let right = self.duration(SUM)?;
        let close = self.expect(Kind::RightParen)?;
        let position = token.position.to(close.position);
        self.experimental(position)?;
        let kind = DurationKind::Binary(op, Box::new(left), Box::new(right));
        Ok(DurationExpr { kind, wrapped: false, position })
    }

    fn experimental(&self, position: PosRange) -> Parsed<()> {
        if self.options.duration_expressions {
            return Ok(());
        }
        Err(self.error(position, "experimental duration expression is not enabled"))
    }

    /// Refuses seconds that do not fit 63 bits of nanoseconds.
    fn check_range(&self, seconds: f64, position: PosRange) -> Parsed<()> {
        const SECONDS_MAX: f64 = 9_223_372_036.854_776;
        if seconds.abs() > SECONDS_MAX {
            return Err(self.error(position, "duration out of range"));
        }
        Ok(())
    }
}
