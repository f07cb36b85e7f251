//! Kolmogorov–Smirnov windowing.
//!
//! The newest 30 of the last 100 values against 30 drawn from the older 70; drift when the exact
//! two-sample p-value is at most 0.005 (and D above 0.1); then only the newest 30 stay.
//! Source: Raab and others (2020); river's defaults. The draw is seeded: the same stream, the same alarms.
//! Useful: for any change of the distribution, not of the mean alone.
//! Not useful: for slow changes, which fill both windows; it alarms in about one of 200 windows without any.

use std::collections::VecDeque;

use super::{Sequential, State};
use crate::stat::kolmogorov;
use crate::stat::random::Random;

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Kswin {
    /// Chance of a false alarm at a value.
    pub alpha: f64,
    /// Values kept.
    pub window: usize,
    /// Of these the newest.
    pub newest: usize,
    values: VecDeque<f64>,
    random: Random,
}

impl Default for Kswin {
    fn default() -> Kswin {
        Kswin {
            alpha: 0.005,
            window: 100,
            newest: 30,
            values: VecDeque::new(),
            random: Random::new(42),
        }
    }
}

impl Sequential for Kswin {
    fn update(&mut self, value: f64) -> State {
        if !value.is_finite() {
            return State::Stable;
        }
        self.values.push_back(value);
        if self.values.len() > self.window {
            self.values.pop_front();
        }
        if self.values.len() < self.window || self.newest >= self.window {
            return State::Stable;
        }
        let split = self.window - self.newest;
        let mut newest: Vec<f64> = self.values.range(split..).copied().collect();
        let mut older: Vec<f64> = self.values.range(..split).copied().collect();
        self.random.shuffle(&mut older);
        older.truncate(self.newest);
        newest.sort_unstable_by(f64::total_cmp);
        older.sort_unstable_by(f64::total_cmp);
        let distance = distance(&older, &newest);
        let (n, m) = (older.len() as u64, newest.len() as u64);
        if distance > 0.1 && kolmogorov::two_sample_exact(n, m, distance) <= self.alpha {
            self.values.drain(..split);
            return State::Drift;
        }
        State::Stable
    }
}

fn distance(left: &[f64], right: &[f64]) -> f64 {
    let below = |sorted: &[f64], value: f64| {
        sorted.partition_point(|other| *other <= value) as f64 / sorted.len() as f64
    };
    let all = left.iter().chain(right);
    all.map(|value| (below(left, *value) - below(right, *value)).abs()).fold(0.0, f64::max)
}
