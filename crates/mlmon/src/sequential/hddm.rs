//! Hoeffding's drift detection method with averages (HDDM-A), upwards.
//!
//! The mean of all values against the mean up to the cut at which mean + bound was least; drift when
//! the difference exceeds Hoeffding's bound at 0.001, warning at 0.005.
//! Source: Frías-Blanco and others (2015); river 0.23.
//! Useful: values between 0 and 1 without assumptions on their distribution, abrupt changes.
//! Not useful: for values outside 0 to 1, for which the bound is not one.

use super::{Mean, Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Hddm {
    /// Chance of a false alarm.
    pub drift: f64,
    /// Chance of a false warning.
    pub warning: f64,
    cut: Mean,
    all: Mean,
}

impl Default for Hddm {
    fn default() -> Hddm {
        Hddm { drift: 0.001, warning: 0.005, cut: Mean::default(), all: Mean::default() }
    }
}

impl Hddm {
    fn rose(&self, confidence: f64) -> bool {
        if self.cut.n >= self.all.n {
            return false;
        }
        let m = (self.all.n - self.cut.n) / self.cut.n / self.all.n;
        self.all.mean - self.cut.mean >= (m / 2.0 * (2.0 / confidence).ln()).sqrt()
    }
}

impl Sequential for Hddm {
    fn update(&mut self, value: f64) -> State {
        if !value.is_finite() {
            return State::Stable;
        }
        self.all.update(value);
        if self.cut.n < 1.0 {
            self.cut = self.all;
        }
        let bound = |n: f64| ((1.0 / self.drift).ln() / (2.0 * n)).sqrt();
        if self.cut.mean + bound(self.cut.n) >= self.all.mean + bound(self.all.n) {
            self.cut = self.all;
        }
        if self.rose(self.drift) {
            (self.cut, self.all) = (Mean::default(), Mean::default());
            return State::Drift;
        }
        if self.rose(self.warning) { State::Warning } else { State::Stable }
    }
}
