//! Operators, calls, aggregations, parentheses.

use super::token::{Keyword, Kind, Token};
use super::{Parsed, Parser};
use crate::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, Paren, PosRange,
    StringLiteral, Unary, VectorMatching,
};
use crate::signature;
use crate::text::quote;

/// How tightly operators bind; signs bind like [`PRODUCT`].
const PRODUCT: u8 = 5;
const POWER: u8 = 6;

fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => PRODUCT,
        BinaryOp::Pow => POWER,
    }
}

/// The labels of an aggregation and whether they are dropped.
type Grouping = (Vec<String>, bool);

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.operands(1)
    }

    /// An expression of operators that bind at least as tightly as `lowest`.
    fn operands(&mut self, lowest: u8) -> Parsed<Expr> {
        let mut left = self.deeper(Parser::operand)?;
        let mut links = 0;
        while let Kind::Binary(op) = self.peek()?.kind
            && precedence(op) >= lowest
        {
            links += 1;
            self.check_chain(links)?;
            self.next()?;
            let (matching, return_bool) = self.binary_modifiers()?;
            let right_associative = op == BinaryOp::Pow;
            let right = self.operands(precedence(op) + u8::from(!right_associative))?;
            if !self.options.binop_fill_modifiers
                && (matching.fill_left.is_some() || matching.fill_right.is_some())
            {
                let position = left.position().to(right.position());
                let message = "binop fill modifiers are experimental and not enabled";
                return Err(self.error(position, message));
            }
            let matching = Some(matching);
            left = Expr::Binary(Box::new(Binary { op, left, right, matching, return_bool }));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let token = self.peek()?;
        let negative = match token.kind {
            Kind::Binary(BinaryOp::Sub) => true,
            Kind::Binary(BinaryOp::Add) => false,
            _ => return self.modified(token),
        };
        self.next()?;
        let start = token.position.start;
        Ok(match self.operands(POWER)? {
            Expr::Number(mut number) => {
                number.value = if negative { -number.value } else { number.value };
                number.position.start = start;
                Expr::Number(number)
            }
            expr => Expr::Unary(Box::new(Unary { negative, expr, start })),
        })
    }

    /// An operand with its ranges, offsets and other modifiers.
    fn modified(&mut self, token: Token) -> Parsed<Expr> {
        let mut expr = self.primary(token)?;
        let mut links = 0;
        loop {
            let after = self.peek()?;
            expr = match after.kind {
                Kind::Keyword(Keyword::Offset) => self.offset(expr)?,
                Kind::Keyword(Keyword::Anchored | Keyword::Smoothed) => self.extended(expr)?,
                Kind::At => self.at(expr)?,
                Kind::LeftBracket => self.range(expr)?,
                _ => return Ok(expr),
            };
            links += 1;
            self.check_chain(links)?;
        }
    }

    fn primary(&mut self, token: Token) -> Parsed<Expr> {
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.next()?;
                self.number_literal(token).map(Expr::Number)
            }
            Kind::String => {
                self.next()?;
                let value = self.unquoted(token)?;
                Ok(Expr::String(StringLiteral { value, position: token.position }))
            }
            Kind::LeftParen => {
                self.next()?;
                let expr = self.expression()?;
                let close = self.expect(Kind::RightParen)?;
                let position = token.position.to(close.position);
                Ok(Expr::Paren(Box::new(Paren { expr, position })))
            }
            Kind::LeftBrace => Ok(Expr::Vector(Box::new(self.label_matchers(None)?))),
            Kind::Identifier | Kind::Preprocessor(_) => {
                self.next()?;
                if self.peek()?.kind == Kind::LeftParen {
                    return self.call(token);
                }
                Ok(Expr::Vector(Box::new(self.vector_selector(token)?)))
            }
            Kind::Aggregate(op) => {
                self.next()?;
                if matches!(
                    self.peek()?.kind,
                    Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without)
                ) {
                    return self.within("aggregation", "", |parser| parser.aggregate(token, op));
                }
                Ok(Expr::Vector(Box::new(self.vector_selector(token)?)))
            }
            _ if token.is_metric_name() => {
                self.next()?;
                Ok(Expr::Vector(Box::new(self.vector_selector(token)?)))
            }
            _ => Err(self.unexpected_here(token)),
        }
    }

    fn call(&mut self, token: Token) -> Parsed<Expr> {
        let (args, close) = self.arguments()?;
        let name = self.text(token);
        let Some(function) = signature::function(name) else {
            let message = format!("unknown function with name {}", quote(name));
            return Err(self.error(token.position, message));
        };
        if function.experimental && !self.options.experimental_functions {
            let message = format!("function {} is not enabled", quote(name));
            return Err(self.error(token.position, message));
        }
        Ok(Expr::Call(Call { function, args, position: token.position.to(close) }))
    }

    /// The arguments of a call, and where the parenthesis is that ends them.
    fn arguments(&mut self) -> Parsed<(Vec<Expr>, PosRange)> {
        self.expect(Kind::LeftParen)?;
        let mut args = Vec::new();
        if let Some(close) = self.accept(Kind::RightParen)? {
            return Ok((args, close.position));
        }
        loop {
            args.push(self.expression()?);
            let Some(comma) = self.accept(Kind::Comma)? else {
                return Ok((args, self.expect(Kind::RightParen)?.position));
            };
            if !self.peek()?.begins_expression() {
                let message = "trailing commas not allowed in function call args";
                return Err(self.error(comma.position, message));
            }
        }
    }

    fn aggregate(&mut self, token: Token, op: AggregateOp) -> Parsed<Expr> {
        let before = self.grouping()?;
        let (args, close) = self.arguments()?;
        let mut end = close.end;
        let (grouping, without) = match before {
            Some(grouping) => grouping,
            None => match self.grouping()? {
                Some(grouping) => {
                    end = self.last_closing;
                    grouping
                }
                None => Grouping::default(),
            },
        };
        let position = PosRange::new(token.position.start, end);
        let got = args.len();
        if got == 0 {
            let message = "no arguments for aggregate expression provided";
            return Err(self.error(position, message));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                op.as_str()
            );
            return Err(self.error(position, message));
        }
        let mut args = args.into_iter();
        let param = if op.has_param() { args.next() } else { None };
        let (Some(expr), None) = (args.next(), args.next()) else {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {}, got {got}",
                1 + usize::from(op.has_param())
            );
            return Err(self.error(position, message));
        };
        let aggregate = Aggregate { op, expr, param, grouping, without, position };
        Ok(Expr::Aggregate(Box::new(aggregate)))
    }

    /// `by (…)`, `without (…)` or nothing.
    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = match self.peek()?.kind {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.next()?;
        Ok(Some((self.grouping_labels()?, without)))
    }

    /// `(a, b)`
    fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const PLACE: &str = "grouping opts";
        let open = self.peek()?;
        if open.kind != Kind::LeftParen {
            return Err(self.unexpected(open, PLACE, "\"(\""));
        }
        self.next()?;
        let mut labels = Vec::new();
        if self.accept(Kind::RightParen)?.is_some() {
            return Ok(labels);
        }
        loop {
            let token = self.peek()?;
            let label = if token.kind == Kind::String {
                self.next()?;
                self.unquoted(token)?
            } else if token.is_label() {
                self.next()?;
                self.text(token).to_owned()
            } else {
                return Err(self.unexpected(token, PLACE, "label"));
            };
            if label.is_empty() {
                let message = format!("invalid label name for grouping: {}", quote(&label));
                return Err(self.error(token.position, message));
            }
            labels.push(label);
            let after = self.peek()?;
            match after.kind {
                Kind::RightParen => break,
                Kind::Comma => self.next()?,
                _ => return Err(self.unexpected(after, PLACE, "\",\" or \")\"")),
            };
            if self.peek()?.kind == Kind::RightParen {
                break;
            }
        }
        self.next()?;
        Ok(labels)
    }

    /// What stands between a binary operator and its right operand.
    fn binary_modifiers(&mut self) -> Parsed<(VectorMatching, bool)> {
        let mut matching = VectorMatching::default();
        let return_bool = self.accept(Kind::Keyword(Keyword::Bool))?.is_some();
        let on = match self.peek()?.kind {
            Kind::Keyword(Keyword::On) => Some(true),
            Kind::Keyword(Keyword::Ignoring) => Some(false),
            _ => None,
        };
        if let Some(on) = on {
            self.next()?;
            matching.on = on;
            matching.labels = self.grouping_labels()?;
            self.group_modifier(&mut matching)?;
        }
        match self.peek()?.kind {
            Kind::Keyword(Keyword::Fill) => {
                self.next()?;
                let value = Some(self.fill_value()?);
                (matching.fill_left, matching.fill_right) = (value, value);
            }
            Kind::Keyword(Keyword::FillLeft) => {
                self.next()?;
                matching.fill_left = Some(self.fill_value()?);
                if self.accept(Kind::Keyword(Keyword::FillRight))?.is_some() {
                    matching.fill_right = Some(self.fill_value()?);
                }
            }
            Kind::Keyword(Keyword::FillRight) => {
                self.next()?;
                matching.fill_right = Some(self.fill_value()?);
                if self.accept(Kind::Keyword(Keyword::FillLeft))?.is_some() {
                    matching.fill_left = Some(self.fill_value()?);
                }
            }
            _ => {}
        }
        Ok((matching, return_bool))
    }

    fn group_modifier(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        matching.cardinality = match self.peek()?.kind {
            Kind::Keyword(Keyword::GroupLeft) => Cardinality::ManyToOne,
            Kind::Keyword(Keyword::GroupRight) => Cardinality::OneToMany,
            _ => return Ok(()),
        };
        self.next()?;
        if self.peek()?.kind == Kind::LeftParen {
            matching.include = self.grouping_labels()?;
        }
        Ok(())
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(Kind::LeftParen)?;
        let value = self.signed_number()?;
        self.expect(Kind::RightParen)?;
        Ok(value)
    }

    /// A number with or without a sign.
    pub(super) fn signed_number(&mut self) -> Parsed<f64> {
        let negative = self.accept(Kind::Binary(BinaryOp::Sub))?.is_some();
        if !negative {
            self.accept(Kind::Binary(BinaryOp::Add))?;
        }
        let token = self.peek()?;
        if !matches!(token.kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected_here(token));
        }
        self.next()?;
        let value = self.number_literal(token)?.value;
        Ok(if negative { -value } else { value })
    }
}
