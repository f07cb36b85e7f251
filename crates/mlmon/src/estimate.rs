//! How good predictions probably are while the labels are missing.

pub mod cbpe;
pub mod dle;
pub mod isotonic;

use serde::Serialize;

/// An estimated metric of one window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Standard error of a window of this size.
    pub sampling_error: f64,
    /// Value − 3 standard errors.
    pub lower: f64,
    /// Value + 3 standard errors.
    pub upper: f64,
}

impl Estimate {
    pub(crate) fn of(value: f64, sampling_error: f64, limits: (f64, f64)) -> Estimate {
        Estimate {
            value,
            sampling_error,
            lower: (value - 3.0 * sampling_error).max(limits.0),
            upper: (value + 3.0 * sampling_error).min(limits.1),
        }
    }
}
