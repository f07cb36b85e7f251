//! Functions of single numbers and of dates.

use stdx::calendar::days_in_month;

use crate::calendar::Civil;

/// A function from number to number, by its name.
pub(crate) fn simple(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}

/// A part of a date, by the function's name.
pub(crate) fn date(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "day_of_month" => |at| civil(at, |time| time.day),
        "day_of_week" => |at| civil(at, |time| time.weekday),
        "day_of_year" => |at| civil(at, |time| time.day_of_year),
        "days_in_month" => |at| civil(at, |time| days_in_month(time.year, time.month)),
        "hour" => |at| civil(at, |time| time.hour),
        "minute" => |at| civil(at, |time| time.minute),
        "month" => |at| civil(at, |time| time.month),
        "year" => |at| civil(at, |time| time.year),
        _ => return None,
    })
}

fn civil(seconds: f64, part: impl Fn(Civil) -> i64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; the calendar ends before")]
    let seconds = seconds as i64;
    #[expect(clippy::cast_precision_loss, reason = "years are far below 2⁵³")]
    let part = part(Civil::from_seconds(seconds)) as f64;
    part
}

/// The larger; NaN when one is.
pub(crate) fn max(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

/// The smaller; NaN when one is.
pub(crate) fn min(one: f64, other: f64) -> f64 {
    if one == f64::NEG_INFINITY || other == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.min(other)
    }
}

/// To the nearest multiple; ties go up.
pub(crate) fn round(value: f64, nearest: f64) -> f64 {
    // The inverse seems to cause fewer inaccuracies.
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}
