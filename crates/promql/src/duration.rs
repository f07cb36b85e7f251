//! Durations as Prometheus writes them: `1h30m`, `5d`, `100ms`.

use crate::text::quote;

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration, milliseconds: what fits 63 bits of nanoseconds.
const MILLIS_MAX: u64 = 9_223_372_036_854;

/// Reads a duration into milliseconds. The error is Prometheus's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("not a valid duration string: {}", quote(text));
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS.as_slice());
    while !rest.is_empty() {
        let (number, after) = split_run(rest, |byte| byte.is_ascii_digit());
        if number.is_empty() {
            return Err(invalid());
        }
        let (unit, after) = split_run(after, |byte| !byte.is_ascii_digit());
        if unit.is_empty() {
            return Err(invalid());
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("unknown unit {} in duration {}", quote(unit), quote(text)));
        }
        let at = units.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let count: Option<u64> = number.parse().ok();
        let millis = count.and_then(|count| count.checked_mul(units[at].1));
        total = millis
            .and_then(|millis| total.checked_add(millis))
            .filter(|&total| total <= MILLIS_MAX)
            .ok_or_else(|| "duration out of range".to_owned())?;
        units = &units[at + 1..];
        rest = after;
    }
    i64::try_from(total).map_err(|_| "duration out of range".to_owned())
}

fn split_run(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Writes milliseconds as Prometheus does: years and weeks only when nothing is left over.
#[must_use]
pub fn format_duration(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::from(if millis < 0 { "-" } else { "" });
    let mut left = millis.unsigned_abs();
    for (index, (unit, size)) in UNITS.into_iter().enumerate() {
        let exact_only = index < 2;
        if left < size || (exact_only && !left.is_multiple_of(size)) {
            continue;
        }
        text.push_str(&(left / size).to_string());
        text.push_str(unit);
        left %= size;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_there_and_back() {
        for (text, millis, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("7d", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1y", 31_536_000_000, "1y"),
            ("366d", 31_622_400_000, "366d"),
            ("1s500ms", 1_500, "1s500ms"),
        ] {
            assert_eq!(parse_duration(text), Ok(millis), "{text}");
            assert_eq!(format_duration(millis), printed);
        }
        assert_eq!(format_duration(-90_000), "-1m30s");
    }

    #[test]
    fn bad_durations() {
        for (text, error) in [
            ("", "empty duration string"),
            ("1", r#"not a valid duration string: "1""#),
            ("1m1h", r#"not a valid duration string: "1m1h""#),
            ("5hs", r#"unknown unit "hs" in duration "5hs""#),
            ("999999y", "duration out of range"),
        ] {
            assert_eq!(parse_duration(text).expect_err("bad"), error, "{text}");
        }
    }
}
