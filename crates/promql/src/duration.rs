//! Durations in milliseconds, as the language has them: `1h30m`, `5d`, `-100ms`.

use std::time::Duration;

use model::duration::{InvalidDuration, format, parse};

use crate::text::quote;

/// Reads a duration into milliseconds. The error is Prometheus's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let duration = parse(text).map_err(|error| match error {
        InvalidDuration::Form(text) => format!("not a valid duration string: {}", quote(&text)),
        InvalidDuration::Unit { unit, text } => {
            format!("unknown unit {} in duration {}", quote(&unit), quote(&text))
        }
        error => error.to_string(),
    })?;
    i64::try_from(duration.as_millis()).map_err(|_| InvalidDuration::Range.to_string())
}

/// Writes milliseconds as Prometheus does: years and weeks only when nothing is left over.
#[must_use]
pub fn format_duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}", format(Duration::from_millis(millis.unsigned_abs())))
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
