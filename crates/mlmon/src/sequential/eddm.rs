//! Early drift detection method, on the distances between errors.
//!
//! With the mean and standard deviation of the rows between two errors, level = (mean + 2 sd) / its
//! maximum: warning below 0.95, drift below 0.9; after 30 rows and errors.
//! Source: Baena-García and others (2006); river 0.23.
//! Useful: for a slow rise of a classifier's error rate.
//! Not useful: with few errors, and in noise, where it is eager.

use super::{Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Eddm {
    /// Rows and errors before the first alarm.
    pub rows_least: f64,
    /// Level of a warning.
    pub warning: f64,
    /// Level of an alarm.
    pub drift: f64,
    rows: f64,
    last: f64,
    errors: f64,
    mean: f64,
    square: f64,
    most: f64,
}

impl Default for Eddm {
    fn default() -> Eddm {
        Eddm {
            rows_least: 30.0,
            warning: 0.95,
            drift: 0.9,
            rows: 0.0,
            last: 0.0,
            errors: 0.0,
            mean: 0.0,
            square: 0.0,
            most: -1.0,
        }
    }
}

impl Sequential for Eddm {
    fn update(&mut self, value: f64) -> State {
        if value.is_nan() {
            return State::Stable;
        }
        self.rows += 1.0;
        if value <= 0.5 {
            return State::Stable;
        }
        self.errors += 1.0;
        let distance = self.rows - self.last;
        self.last = self.rows;
        let before = distance - self.mean;
        self.mean += before / self.errors;
        self.square += before * (distance - self.mean);
        if self.rows <= self.rows_least {
            return State::Stable;
        }
        let variance = if self.errors > 1.0 { self.square / (self.errors - 1.0) } else { 0.0 };
        let level = self.mean + 2.0 * variance.max(0.0).sqrt();
        if level > self.most {
            self.most = level;
        } else if self.errors > self.rows_least {
            if level / self.most < self.drift {
                let Eddm { rows_least, warning, drift, .. } = *self;
                *self = Eddm { rows_least, warning, drift, ..Eddm::default() };
                return State::Drift;
            }
            if level / self.most < self.warning {
                return State::Warning;
            }
        }
        State::Stable
    }
}
