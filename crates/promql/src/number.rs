//! Numbers as Go prints them, because label values, annotations and the HTTP API carry them, and
//! sums that keep what rounding takes away.

use std::fmt::Write as _;

/// `strconv.FormatFloat(value, 'f', -1, 64)`: shortest, never an exponent.
#[must_use]
pub fn format_plain(value: f64) -> String {
    match special(value) {
        Some(text) => text.to_owned(),
        None => format!("{value}"),
    }
}

/// `%g`: shortest, with an exponent below 1e-4 and from 1e+06 on.
#[must_use]
pub fn format_short(value: f64) -> String {
    format_general(value, None)
}

/// `%.<digits>g`.
#[must_use]
pub fn format_digits(value: f64, digits: usize) -> String {
    format_general(value, Some(digits.max(1)))
}

/// As `OpenMetrics` writes `le` and `quantile`: always with a dot or an exponent.
#[must_use]
pub fn format_open_metrics(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let mut text = format_general(value, None);
    if !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

fn format_general(value: f64, digits: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let scientific = match digits {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let mut significant: String = mantissa.chars().filter(|&one| one != '.').collect();
    if digits.is_some() {
        let kept = significant.trim_end_matches('0').len().max(1);
        significant.truncate(kept);
    }
    // Go decides by the precision, and by 6 when it prints the shortest text that reads back.
    let limit = digits.map_or(6, |digits| i32::try_from(digits).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        return exponential(sign, &significant, exponent);
    }
    positional(sign, &significant, exponent)
}

fn exponential(sign: &str, significant: &str, exponent: i32) -> String {
    let (first, rest) = significant.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let direction = if exponent < 0 { '-' } else { '+' };
    let mut text = String::new();
    let _written =
        write!(text, "{sign}{first}{dot}{rest}e{direction}{:02}", exponent.unsigned_abs());
    text
}

fn positional(sign: &str, significant: &str, exponent: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if exponent < 0 {
        return format!("{sign}0.{}{significant}", zeros(-exponent - 1));
    }
    let whole = usize::try_from(exponent).unwrap_or(0) + 1;
    if significant.len() <= whole {
        let missing = i32::try_from(whole - significant.len()).unwrap_or(0);
        return format!("{sign}{significant}{}", zeros(missing));
    }
    let (before, after) = significant.split_at(whole);
    format!("{sign}{before}.{after}")
}

/// A sum with what rounding took from it (Neumaier's variant of Kahan's summation).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Kahan {
    /// The sum so far.
    pub sum: f64,
    /// To be added at the end.
    pub rest: f64,
}

impl Kahan {
    /// Starts with `sum`.
    #[must_use]
    pub fn new(sum: f64) -> Kahan {
        Kahan { sum, rest: 0.0 }
    }

    /// Adds `value`.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.rest = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.rest += (self.sum - total) + value;
        } else {
            self.rest += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// Adds another sum.
    #[inline]
    pub fn merge(&mut self, other: Kahan) {
        self.add(other.sum);
        self.add(other.rest);
    }

    /// The sum.
    #[inline]
    #[must_use]
    pub fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_go_prints_them() {
        for (value, short, plain) in [
            (0.0, "0", "0"),
            (1.0, "1", "1"),
            (-1.5, "-1.5", "-1.5"),
            (1e6, "1e+06", "1000000"),
            (123_456.0, "123456", "123456"),
            (1_234_567.0, "1.234567e+06", "1234567"),
            (1e21, "1e+21", "1000000000000000000000"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (f64::NAN, "NaN", "NaN"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!(
                (format_short(value).as_str(), format_plain(value).as_str()),
                (short, plain)
            );
        }
        assert_eq!(format_open_metrics(1.0), "1.0");
        assert_eq!(format_open_metrics(0.99), "0.99");
        assert_eq!(format_digits(0.123, 2), "0.12");
        assert_eq!(format_digits(1234.0, 2), "1.2e+03");
        assert_eq!(format_digits(10.0, 2), "10");
    }
}
