//! Cumulative sum of deviations from the running mean, upwards.
//!
//! S = max(0, S + x − mean − δ), alarm when S > λ; after 30 values.
//! Source: Page (1954); frouros 0.9 with its defaults δ 0.005, λ 50.
//! Useful: for a rise, such as of an error rate, that must be found soon.
//! Not useful: for falls; without choosing λ, which is in the data's own unit.

use super::{Mean, Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Cusum {
    /// Values before the first alarm.
    pub rows_least: f64,
    /// A change that is tolerated.
    pub delta: f64,
    /// The sum that alarms.
    pub threshold: f64,
    mean: Mean,
    sum: f64,
}

impl Default for Cusum {
    fn default() -> Cusum {
        Cusum { rows_least: 30.0, delta: 0.005, threshold: 50.0, mean: Mean::default(), sum: 0.0 }
    }
}

impl Sequential for Cusum {
    fn update(&mut self, value: f64) -> State {
        if !value.is_finite() {
            return State::Stable;
        }
        self.mean.update(value);
        self.sum = (self.sum + value - self.mean.mean - self.delta).max(0.0);
        if self.mean.n >= self.rows_least && self.sum > self.threshold {
            (self.mean, self.sum) = (Mean::default(), 0.0);
            return State::Drift;
        }
        State::Stable
    }
}
