//! Numbers for people, as Prometheus's `humanize…` functions write them.

use super::format::general;

fn four(value: f64) -> String {
    general(value, Some(4))
}

pub(super) fn humanize(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four(value);
    }
    let mut prefix = "";
    if value.abs() >= 1.0 {
        for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
            if value.abs() < 1_000.0 {
                break;
            }
            prefix = next;
            value /= 1_000.0;
        }
    } else {
        for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
            if value.abs() >= 1.0 {
                break;
            }
            prefix = next;
            value *= 1_000.0;
        }
    }
    four(value) + prefix
}

pub(super) fn humanize1024(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four(value);
    }
    let mut prefix = "";
    for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if value.abs() < 1_024.0 {
            break;
        }
        prefix = next;
        value /= 1_024.0;
    }
    four(value) + prefix
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn humanize_duration(mut value: f64) -> String {
    if !value.is_finite() {
        return four(value);
    }
    if value == 0.0 {
        return "0s".to_owned();
    }
    if value.abs() >= 1.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        value = value.abs();
        let whole = value.min(9e18) as i64;
        let (seconds, minutes) = (whole % 60, whole / 60 % 60);
        let (hours, days) = (whole / 3_600 % 24, whole / 86_400);
        return if days > 0 {
            format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
        } else if hours > 0 {
            format!("{sign}{hours}h {minutes}m {seconds}s")
        } else if minutes > 0 {
            format!("{sign}{minutes}m {seconds}s")
        } else {
            format!("{sign}{}s", four(value))
        };
    }
    let mut prefix = "";
    for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1_000.0;
    }
    format!("{}{prefix}s", four(value))
}

pub(super) fn humanize_percentage(value: f64) -> String {
    four(value * 100.0) + "%"
}
