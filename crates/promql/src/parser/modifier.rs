//! What may follow a selector: ranges, `offset`, `@`, `anchored`, `smoothed`.

use super::token::{Keyword, Kind, Preprocessor, Token};
use super::{Parsed, Parser};
use crate::ast::{At, DurationValue, Expr, Extended, MatrixSelector, PosRange, Subquery};
use crate::number::format_plain;

const LENGTH: &str = "number, duration, step(), or range()";

/// The places in a selector that modifiers change.
struct Places<'a> {
    offset: &'a mut DurationValue,
    at: &'a mut Option<At>,
    end: &'a mut u32,
}

fn places(expr: &mut Expr) -> Option<Places<'_>> {
    match expr {
        Expr::Vector(vector) => Some(Places {
            offset: &mut vector.offset,
            at: &mut vector.at,
            end: &mut vector.position.end,
        }),
        Expr::Matrix(matrix) => Some(Places {
            offset: &mut matrix.vector.offset,
            at: &mut matrix.vector.at,
            end: &mut matrix.end,
        }),
        Expr::Subquery(subquery) => Some(Places {
            offset: &mut subquery.offset,
            at: &mut subquery.at,
            end: &mut subquery.end,
        }),
        _ => None,
    }
}

impl Parser<'_> {
    pub(super) fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.next()?;
        let offset = self.within("offset", LENGTH, Parser::offset_length)?;
        let position = expr.position();
        let Some(places) = places(&mut expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(self.error(position, message));
        };
        if !places.offset.is_zero() {
            return Err(self.error(position, "offset may not be set multiple times"));
        }
        *places.offset = offset;
        *places.end = self.last_closing;
        Ok(expr)
    }

    pub(super) fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.next()?;
        let position = expr.position();
        let at = self.within("@", "timestamp", |parser| parser.at_time(position))?;
        let Some(places) = places(&mut expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(self.error(position, message));
        };
        if places.at.is_some() {
            return Err(self.error(position, "@ <timestamp> may not be set multiple times"));
        }
        *places.at = Some(at);
        *places.end = self.last_closing;
        Ok(expr)
    }

    fn at_time(&mut self, position: PosRange) -> Parsed<At> {
        let at = match self.peek()?.kind {
            Kind::Preprocessor(Preprocessor::Start) => At::Start,
            Kind::Preprocessor(Preprocessor::End) => At::End,
            _ => {
                let seconds = self.signed_number()?;
                return self.at_millis(position, seconds).map(At::Time);
            }
        };
        self.next()?;
        self.expect(Kind::LeftParen)?;
        self.expect(Kind::RightParen)?;
        Ok(at)
    }

    fn at_millis(&self, position: PosRange, seconds: f64) -> Parsed<i64> {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if !seconds.is_finite() || seconds.abs() >= LIMIT {
            let text =
                if seconds.is_finite() { format!("{seconds:.6}") } else { format_plain(seconds) };
            let message = format!("timestamp out of bounds for @ modifier: {text}");
            return Err(self.error(position, message));
        }
        #[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
        Ok((seconds * 1000.0).round() as i64)
    }

    pub(super) fn extended(&mut self, mut expr: Expr) -> Parsed<Expr> {
        let token = self.next()?;
        let position = expr.position();
        let (word, extended) = match token.kind {
            Kind::Keyword(Keyword::Anchored) => ("anchored", Extended::Anchored),
            _ => ("smoothed", Extended::Smoothed),
        };
        if !self.options.extended_range_selectors {
            let message = format!("{word} modifier is experimental and not enabled");
            return Err(self.error(position, message));
        }
        let place = match &mut expr {
            Expr::Vector(vector) => &mut vector.extended,
            Expr::Matrix(matrix) => &mut matrix.vector.extended,
            Expr::Subquery(_) => {
                let message = format!("{word} modifier is not supported for subqueries");
                return Err(self.error(position, message));
            }
            _ => return Err(self.error(position, format!("{word} modifier not implemented"))),
        };
        if place.is_some_and(|before| before != extended) {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error(position, message));
        }
        *place = Some(extended);
        Ok(expr)
    }

    /// `[5m]` or `[5m:1m]` after an expression.
    pub(super) fn range(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.next()?;
        let range = self.within("subquery or range selector", LENGTH, Parser::positive_length)?;
        let after = self.peek()?;
        match after.kind {
            Kind::RightBracket => {
                self.next()?;
                self.matrix(expr, range, open, after)
            }
            Kind::Colon => {
                self.next()?;
                self.subquery(expr, range)
            }
            _ => Err(self.unexpected(after, "subquery or range", "\":\" or \"]\"")),
        }
    }

    fn matrix(&self, expr: Expr, range: DurationValue, open: Token, close: Token) -> Parsed<Expr> {
        let refuse = |message: &str| Err(self.error(open.position.to(close.position), message));
        let Expr::Vector(vector) = expr else {
            return refuse("ranges only allowed for vector selectors");
        };
        if !vector.offset.is_zero() {
            return refuse("no offset modifiers allowed before range");
        }
        if vector.at.is_some() {
            return refuse("no @ modifiers allowed before range");
        }
        let end = close.position.end;
        Ok(Expr::Matrix(Box::new(MatrixSelector { vector: *vector, range, end })))
    }

    fn subquery(&mut self, expr: Expr, range: DurationValue) -> Parsed<Expr> {
        const PLACE: &str = "subquery selector";
        let mut step = DurationValue::default();
        let mut close = self.peek()?;
        if close.kind != Kind::RightBracket {
            step = self.within(
                PLACE,
                "number, duration, step(), range(), or \"]\"",
                Parser::positive_length,
            )?;
            close = self.peek()?;
            if close.kind != Kind::RightBracket {
                return Err(self.unexpected(close, PLACE, "\"]\""));
            }
        }
        self.next()?;
        Ok(Expr::Subquery(Box::new(Subquery {
            expr,
            range,
            step,
            offset: DurationValue::default(),
            at: None,
            end: close.position.end,
        })))
    }
}
