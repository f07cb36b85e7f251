//! Numbers and texts.

use super::token::{Kind, Token};
use super::{Parsed, Parser};
use crate::ast::NumberLiteral;
use crate::duration::parse_duration;
use crate::text::{quote, unquote};

impl Parser<'_> {
    /// The value of a number or duration.
    pub(super) fn number_literal(&self, token: Token) -> Parsed<NumberLiteral> {
        let (text, position) = (self.text(token), token.position);
        let duration = token.kind == Kind::Duration;
        let value = if duration {
            let millis = parse_duration(text).map_err(|error| self.error(position, error))?;
            seconds(millis)
        } else {
            parse_number(text)
                .map_err(|error| self.error(position, format!("error parsing number: {error}")))?
        };
        Ok(NumberLiteral { value, duration, position })
    }

    /// The text that a quoted text stands for.
    pub(super) fn unquoted(&self, token: Token) -> Parsed<String> {
        let text = self.text(token);
        unquote(text).ok_or_else(|| {
            let message = format!("error unquoting string {}: invalid syntax", quote(text));
            self.error(token.position, message)
        })
    }
}

/// Milliseconds as Go turns durations into seconds: whole seconds plus the fraction.
fn seconds(millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations have less than 2^53 milliseconds")]
    let (whole, fraction) = ((millis / 1000) as f64, (millis % 1000) as f64);
    whole + fraction / 1000.0
}

/// A number as Go reads it: an integer with the prefixes and underscores of its literals, or else
/// a float. The error is Go's text.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    if let Some(integer) = parse_integer(text) {
        #[expect(clippy::cast_precision_loss, reason = "numbers are floats")]
        return Ok(integer as f64);
    }
    let failed =
        |reason: &str| Err(format!("strconv.ParseFloat: parsing {}: {reason}", quote(text)));
    let is_special = |name: &str| text.eq_ignore_ascii_case(name);
    if is_special("inf") {
        return Ok(f64::INFINITY);
    }
    if is_special("nan") {
        return Ok(f64::NAN);
    }
    let bytes = text.as_bytes();
    let separates = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(at.checked_add(1))
    };
    if bytes.iter().enumerate().any(|(at, &byte)| byte == b'_' && !separates(at)) {
        return failed("invalid syntax");
    }
    let parsed = if bytes.contains(&b'_') {
        text.replace('_', "").parse::<f64>()
    } else {
        text.parse::<f64>()
    };
    match parsed {
        Ok(value) if value.is_infinite() => failed("value out of range"),
        Ok(value) => Ok(value),
        Err(_) => failed("invalid syntax"),
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    if digits.contains('_') {
        let start = if base == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
        if start.starts_with('_') || start.ends_with('_') || start.contains("__") {
            return None;
        }
        return i64::from_str_radix(&digits.replace('_', ""), base).ok();
    }
    i64::from_str_radix(digits, base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_in_go() {
        for (text, value) in [
            ("1", 1.0),
            ("0755", 493.0),
            ("09", 9.0),
            ("0xc", 12.0),
            ("0x_1F", 31.0),
            ("1_000", 1000.0),
            ("1_0.5", 10.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("5e-3", 0.005),
            ("99999999999999999999", 1e20),
            ("Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert!(parse_number("NaN").is_ok_and(f64::is_nan));
        for (text, reason) in [("1e999", "value out of range"), ("0xz", "invalid syntax")] {
            assert_eq!(
                parse_number(text).expect_err("no number"),
                format!("strconv.ParseFloat: parsing \"{text}\": {reason}")
            );
        }
    }
}
