//! Numbers as the formats and Go write them.

use std::borrow::Cow;

use model::metric::MetricType;

/// The NaN that Prometheus stores for every NaN that is no marker.
pub(crate) const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// Powers of ten that doubles hold exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads a number as Go's `strconv.ParseFloat` does, but for its hexadecimal and underscored forms,
/// which the formats do not have. Every NaN becomes the ordinary one.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_short(text) {
        return Some(value);
    }
    parse_any(text)
}

/// Digits with at most one dot, few enough to be exact: nearly all there is.
#[inline]
fn parse_short(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut mantissa = 0_u64;
    let mut decimals = 0;
    let mut dot = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + u64::from(digit);
            decimals += dot;
        } else if byte == b'.' && dot == 0 {
            dot = 1;
        } else {
            return None;
        }
    }
    // A sole dot is no number; 16 digits may be over 2^53.
    if (dot == 1 && digits.len() == 1) || mantissa > 1 << 53 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "checked right above")]
    let value = mantissa as f64 / POWERS[decimals];
    Some(if negative { -value } else { value })
}

#[cold]
fn parse_any(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    if value.is_nan() {
        // Go knows no sign of NaN.
        return (text.len() == 3).then(|| f64::from_bits(NORMAL_NAN_BITS));
    }
    // What is too large is an error for Go, not infinite.
    let said = text.bytes().any(|byte| matches!(byte, b'i' | b'I'));
    (value.is_finite() || said).then_some(value)
}

/// A whole number of milliseconds.
pub(super) fn parse_integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds as a float, in milliseconds, cut as Prometheus cuts them.
pub(super) fn parse_seconds(text: &[u8]) -> Option<i64> {
    let seconds = parse(text)?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    seconds.is_finite().then_some((seconds * 1_000.0) as i64)
}

/// The bound of a classic bucket, or a summary's quantile, in one way of writing, so that `1` and
/// `1.0` are the same series, as in Prometheus 3.
pub(super) fn normal_bound<'a>(kind: MetricType, label: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    let bound = matches!(
        (kind, label),
        (MetricType::Histogram | MetricType::GaugeHistogram, "le")
            | (MetricType::Summary, "quantile")
    );
    if !bound {
        return value;
    }
    match parse(value.as_bytes()) {
        Some(number) => {
            let written = openmetrics(number);
            if written == value { value } else { Cow::Owned(written) }
        }
        None => value,
    }
}

/// A number as OpenMetrics writes the bounds of buckets: Go's `%g` with at least one decimal.
pub(crate) fn openmetrics(value: f64) -> String {
    let mut text = go_g(value);
    if value.is_finite() && !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 64)`: the fewest digits that read back as the same,
/// with an exponent when that is under -4 or over 5.
pub(crate) fn go_g(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("0", 0.0),
            ("1", 1.0),
            ("-1.5", -1.5),
            ("007", 7.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1e3),
            ("1E+3", 1e3),
            ("+1", 1.0),
            ("9007199254740993", 9_007_199_254_740_993_f64),
            ("0.1234567890123456", 0.123_456_789_012_345_6),
            ("12345678.87654321", 12_345_678.876_543_21),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["NaN", "nan"] {
            let bits = parse(text.as_bytes()).map(f64::to_bits);
            assert_eq!(bits, Some(NORMAL_NAN_BITS));
        }
        for text in
            ["", ".", "-", "+", "1_000", "0x1p3", "1e999", "-nan", "1 ", "--1", "1.2.3", "e5"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_short_number_reads_as_the_standard_library_reads_it() {
        let mut state = 7_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let digits = state >> 8;
            let length = usize::try_from(state % 17).expect("small");
            let mut text = format!("{digits:017}");
            text.truncate(length);
            text.insert(length / 2, '.');
            assert_eq!(parse(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn bounds_are_written_as_openmetrics_does() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.005, "0.005"),
            (1e6, "1e+06"),
            (100_000.0, "100000.0"),
            (1_234_567.0, "1.234567e+06"),
            (2.5e-5, "2.5e-05"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(openmetrics(value), text);
        }
    }
}
