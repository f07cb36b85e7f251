//! Drift detection method, on errors.
//!
//! p the error rate, s = sqrt(p(1 − p)/n), the least p + s kept after 30 rows: warning when
//! p + s > p_min + 2 s_min, drift when p + s > p_min + 3 s_min.
//! Source: Gama and others (2004); river 0.23.
//! Useful: for an abrupt rise of a classifier's error rate.
//! Not useful: for slow changes (`eddm`), and for anything but zeros and ones.

use super::{Mean, Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Ddm {
    /// Rows before the first alarm.
    pub rows_least: f64,
    /// Standard deviations to a warning.
    pub warning: f64,
    /// Standard deviations to an alarm.
    pub drift: f64,
    rate: Mean,
    least: Option<(f64, f64)>,
}

impl Default for Ddm {
    fn default() -> Ddm {
        Ddm { rows_least: 30.0, warning: 2.0, drift: 3.0, rate: Mean::default(), least: None }
    }
}

impl Sequential for Ddm {
    fn update(&mut self, value: f64) -> State {
        if value.is_nan() {
            return State::Stable;
        }
        self.rate.update(f64::from(u8::from(value > 0.5)));
        let p = self.rate.mean;
        let s = (p * (1.0 - p) / self.rate.n).max(0.0).sqrt();
        if self.rate.n <= self.rows_least {
            return State::Stable;
        }
        let least = match self.least {
            Some(least) if p + s > least.0 + least.1 => least,
            _ => (p, s),
        };
        self.least = Some(least);
        if p + s > least.0 + self.drift * least.1 {
            (self.rate, self.least) = (Mean::default(), None);
            return State::Drift;
        }
        match p + s > least.0 + self.warning * least.1 {
            true => State::Warning,
            false => State::Stable,
        }
    }
}
