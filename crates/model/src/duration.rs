//! Durations as Prometheus writes them: `1h30m`, `15s`, `100ms`.

use std::time::Duration;

/// Why a text is not a duration, in Prometheus's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// Nothing is there.
    #[error("empty duration string")]
    Empty,
    /// It is written some other way.
    #[error("not a valid duration string: {0:?}")]
    Form(String),
    /// A part of it has a unit that does not exist.
    #[error("unknown unit {unit:?} in duration {text:?}")]
    Unit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// It has more than 292 years.
    #[error("duration out of range")]
    Range,
}

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads one. Units come from the largest to the smallest, each once.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    match text {
        "" => return Err(InvalidDuration::Empty),
        "0" => return Ok(Duration::ZERO),
        _ => {}
    }
    let form = || InvalidDuration::Form(text.to_owned());
    let mut rest = text;
    let mut next_unit = 0;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(form());
        }
        let at = UNITS.iter().position(|(name, _)| *name == unit);
        let unknown = || InvalidDuration::Unit { unit: unit.to_owned(), text: text.to_owned() };
        let at = at.ok_or_else(unknown)?;
        if at < next_unit {
            return Err(form());
        }
        let number: u64 = number.parse().map_err(|_| InvalidDuration::Range)?;
        millis = number
            .checked_mul(UNITS[at].1)
            .and_then(|part| millis.checked_add(part))
            .filter(|&sum| sum <= 9_223_372_036_854)
            .ok_or(InvalidDuration::Range)?;
        next_unit = at + 1;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// Writes one, to the millisecond, so that [`parse`] reads it again: `90m` is `1h30m`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        // Years and weeks only where nothing is left over, as Prometheus does it.
        if matches!(unit, "y" | "w") && millis % size != 0 {
            continue;
        }
        let count = millis / size;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            millis %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis, again) in [
            ("0", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("90m", 5_400_000, "1h30m"),
            ("1d12h", 129_600_000, "1d12h"),
            ("1w", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1m0s5ms", 60_005, "1m5ms"),
        ] {
            let duration = parse(text).expect(text);
            assert_eq!((duration.as_millis(), format(duration).as_str()), (millis, again));
        }
    }

    #[test]
    fn others_are_refused_in_prometheus_words() {
        for (text, error) in [
            ("", "empty duration string"),
            ("1", "not a valid duration string: \"1\""),
            ("1s1m", "not a valid duration string: \"1s1m\""),
            ("1.5h", "unknown unit \".\" in duration \"1.5h\""),
            ("5hs", "unknown unit \"hs\" in duration \"5hs\""),
            ("-1s", "not a valid duration string: \"-1s\""),
            ("99999y", "duration out of range"),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), error);
        }
    }
}
