//! Go's ways of printing: `%v` and the rest of `printf`, times, durations.

use std::fmt::Write as _;

use stdx::calendar::Date;

use super::value::Value;

/// `%v` of a `float64`.
pub(super) fn go_float(value: f64) -> String {
    general(value, None)
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// `%g` and `%.Ng`; without a precision there is an exponent from 1e+06 on.
pub(super) fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let scientific = match precision {
        Some(precision) => format!("{value:.*e}", precision.max(1) - 1),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let mut digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    while digits.len() > 1 && digits.ends_with('0') {
        digits.pop();
    }
    let limit = precision.map_or(6, |p| i32::try_from(p.max(1)).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{dot}{rest}e{mark}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("{sign}0.{}{digits}", "0".repeat(zeros));
    }
    let whole = usize::try_from(exponent).unwrap_or(0) + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (front, back) = digits.split_at(whole);
    format!("{sign}{front}.{back}")
}

/// `%e`.
fn exponential(value: f64, precision: usize) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let number: i32 = exponent.parse().unwrap_or(0);
            let mark = if number < 0 { '-' } else { '+' };
            format!("{mantissa}e{mark}{:02}", number.abs())
        }
        None => text,
    }
}

/// A duration, as `time.Duration` prints itself.
pub(super) fn go_duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let total = nanos.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let mut text = format!("{}", value / unit);
        let rest = value % unit;
        if rest > 0 {
            let width = unit.ilog10() as usize;
            let digits = format!("{rest:0width$}");
            let _infallible = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        text
    };
    if total < 1_000 {
        return format!("{sign}{total}ns");
    }
    if total < 1_000_000 {
        return format!("{sign}{}µs", fraction(total, 1_000));
    }
    if total < 1_000_000_000 {
        return format!("{sign}{}ms", fraction(total, 1_000_000));
    }
    let seconds = fraction(total % 60_000_000_000, 1_000_000_000);
    let minutes = total / 60_000_000_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A time in UTC, as `time.Time` prints itself.
pub(super) fn go_time(nanos: i128) -> String {
    let seconds = nanos.div_euclid(1_000_000_000);
    let fraction = nanos.rem_euclid(1_000_000_000);
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    let day = i64::try_from(days).unwrap_or(if days < 0 { i64::MIN } else { i64::MAX });
    let Date { year, month, day } = Date::of_day(day);
    let mut text = format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    );
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        let _infallible = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text.push_str(" +0000 UTC");
    text
}

/// A verb of `printf` with its flags.
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest field and the finest precision; Go has the same limit.
const WIDTH_MAX: usize = 1_000_000;

/// Go's `Sprintf`.
pub(super) fn printf(format: &str, arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(&flag) = chars.peek() {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '0' => verb.zero = true,
                ' ' => verb.space = true,
                '#' => verb.sharp = true,
                _ => break,
            }
            chars.next();
        }
        verb.width = digits(&mut chars).unwrap_or(0).min(4_096);
        if chars.peek() == Some(&'.') {
            chars.next();
            verb.precision = Some(digits(&mut chars).unwrap_or(0).min(4_096));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => match arguments.get(next) {
                None => {
                    let _infallible = write!(out, "%!{letter}(MISSING)");
                }
                Some(value) => {
                    next += 1;
                    out.push_str(&verb.print(letter, value));
                }
            },
        }
    }
    if let Some(extra) = arguments.get(next..).filter(|extra| !extra.is_empty()) {
        let extra: Vec<String> =
            extra.iter().map(|value| format!("{}={}", value.type_name(), value.print())).collect();
        let _infallible = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let digit = usize::try_from(digit).unwrap_or(0);
        number = Some((number.unwrap_or(0) * 10 + digit).min(WIDTH_MAX));
    }
    number
}

impl Verb {
    fn print(&self, letter: char, value: &Value) -> String {
        let number = matches!(value, Value::Int(_) | Value::Float(_) | Value::Duration(_));
        let text = match (letter, value) {
            ('v', Value::Float(value)) => general(*value, self.precision),
            ('v', value) => value.print(),
            ('d', Value::Int(value)) => value.to_string(),
            ('d', Value::Duration(value)) => value.to_string(),
            ('x', Value::Int(value)) => format!("{value:x}"),
            ('X', Value::Int(value)) => format!("{value:X}"),
            ('o', Value::Int(value)) => format!("{value:o}"),
            ('b', Value::Int(value)) => format!("{value:b}"),
            ('c', Value::Int(value)) => u32::try_from(*value)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER)
                .to_string(),
            ('f' | 'F', Value::Float(value)) => special(*value)
                .unwrap_or_else(|| format!("{value:.*}", self.precision.unwrap_or(6))),
            ('e', Value::Float(value)) => exponential(*value, self.precision.unwrap_or(6)),
            ('E', Value::Float(value)) => {
                exponential(*value, self.precision.unwrap_or(6)).to_uppercase()
            }
            ('g', Value::Float(value)) => general(*value, self.precision),
            ('t', Value::Bool(value)) => value.to_string(),
            ('s', Value::Text(text)) => self.cut(text),
            ('s', Value::Duration(_) | Value::Time(_) | Value::List(_) | Value::Texts(_)) => {
                value.print()
            }
            ('q', Value::Text(text)) => format!("{text:?}"),
            ('x', Value::Text(text)) => text.bytes().fold(String::new(), |mut hex, byte| {
                let _infallible = write!(hex, "{byte:02x}");
                hex
            }),
            ('T', value) => value.type_name().to_owned(),
            (letter, Value::Nil) => return format!("%!{letter}(<nil>)"),
            (letter, value) => {
                return format!("%!{letter}({}={})", value.type_name(), value.print());
            }
        };
        self.pad(text, number)
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        }
    }

    fn pad(&self, mut text: String, number: bool) -> String {
        if number && !text.starts_with('-') && !text.starts_with('+') {
            if self.plus {
                text.insert(0, '+');
            } else if self.space {
                text.insert(0, ' ');
            }
        }
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        if self.minus {
            return text + &" ".repeat(missing);
        }
        if self.zero && number {
            let signed = text.starts_with(['-', '+', ' ']);
            let (sign, rest) = text.split_at(usize::from(signed));
            return format!("{sign}{}{rest}", "0".repeat(missing));
        }
        " ".repeat(missing) + &text
    }
}
