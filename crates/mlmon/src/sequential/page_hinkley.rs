//! Page–Hinkley test, both directions.
//!
//! m⁺ = α m⁺ + (x − mean) − δ, alarm when m⁺ − min m⁺ > λ; m⁻ = α m⁻ + (x − mean) + δ, alarm when
//! max m⁻ − m⁻ > λ; after 30 values.
//! Source: Page (1954); river 0.23 with its defaults δ 0.005, λ 50, α 0.9999.
//! Useful: for a lasting shift of the mean in a long stream.
//! Not useful: without choosing λ, which is in the data's own unit; for changes of spread.

use super::{Mean, Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct PageHinkley {
    /// Values before the first alarm.
    pub rows_least: f64,
    /// A change that is tolerated.
    pub delta: f64,
    /// The sum that alarms.
    pub threshold: f64,
    /// Share of the past that is kept at each step.
    pub alpha: f64,
    mean: Mean,
    up: (f64, f64),
    down: (f64, f64),
}

const FRESH: ((f64, f64), (f64, f64)) = ((0.0, f64::INFINITY), (0.0, -1.0));

impl Default for PageHinkley {
    fn default() -> PageHinkley {
        PageHinkley {
            rows_least: 30.0,
            delta: 0.005,
            threshold: 50.0,
            alpha: 0.9999,
            mean: Mean::default(),
            up: FRESH.0,
            down: FRESH.1,
        }
    }
}

impl Sequential for PageHinkley {
    fn update(&mut self, value: f64) -> State {
        if !value.is_finite() {
            return State::Stable;
        }
        self.mean.update(value);
        let apart = value - self.mean.mean;
        self.up.0 = self.alpha * self.up.0 + apart - self.delta;
        self.down.0 = self.alpha * self.down.0 + apart + self.delta;
        self.up.1 = self.up.1.min(self.up.0);
        self.down.1 = self.down.1.max(self.down.0);
        let most = (self.up.0 - self.up.1).max(self.down.1 - self.down.0);
        if self.mean.n >= self.rows_least && most > self.threshold {
            self.mean = Mean::default();
            (self.up, self.down) = FRESH;
            return State::Drift;
        }
        State::Stable
    }
}
