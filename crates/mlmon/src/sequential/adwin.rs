//! Adaptive windowing.
//!
//! A window of any length, kept in buckets of powers of two; every 32 values it is cut wherever
//! |mean of the older part − mean of the newer| > sqrt(2 m s² d) + ⅔ d m, with d = ln(2 ln W / δ) and
//! m = 1/(n₀ − 5 + 1) + 1/(n₁ − 5 + 1), and the older buckets are forgotten;
//! after an alarm, as in river, everything is.
//! Source: Bifet and Gavaldà (2007); river 0.23 with its defaults δ 0.002, 5 buckets, 10 values at least.
//! Useful: without choosing a window; its mean is always that of the present.
//! Not useful: for changes that keep the mean.

use std::collections::VecDeque;

use super::{Sequential, State};

/// The detector and its options.
#[derive(Debug, Clone)]
pub struct Adwin {
    /// Chance of a false cut.
    pub delta: f64,
    /// Values between two looks.
    pub clock: u64,
    /// Buckets of one size.
    pub buckets: usize,
    /// Values that either part must have.
    pub part_least: f64,
    /// Values before the first look.
    pub grace: f64,
    /// Rows of buckets (total, squared deviations), oldest first; row i holds 2^i values a bucket.
    rows: Vec<VecDeque<(f64, f64)>>,
    width: f64,
    total: f64,
    square: f64,
    tick: u64,
    drifted: bool,
}

impl Default for Adwin {
    fn default() -> Adwin {
        Adwin {
            delta: 0.002,
            clock: 32,
            buckets: 5,
            part_least: 5.0,
            grace: 10.0,
            rows: vec![VecDeque::new()],
            width: 0.0,
            total: 0.0,
            square: 0.0,
            tick: 0,
            drifted: false,
        }
    }
}

fn size(row: usize) -> f64 {
    (row as f64).exp2()
}

/// What two parts have in squared deviations beyond their own.
fn between((n, sum_n): (f64, f64), (m, sum_m): (f64, f64)) -> f64 {
    n * m * (sum_n / n - sum_m / m).powi(2) / (n + m)
}

impl Adwin {
    /// The mean of the present window.
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.total / self.width)
    }

    fn insert(&mut self, value: f64) {
        self.rows[0].push_back((value, 0.0));
        if self.width > 0.0 {
            self.square += between((self.width, self.total), (1.0, value));
        }
        self.width += 1.0;
        self.total += value;
        let mut row = 0;
        while self.rows[row].len() > self.buckets {
            let (Some(older), Some(newer)) = (self.rows[row].pop_front(), self.rows[row].pop_front())
            else {
                break;
            };
            let n = size(row);
            let square = older.1 + newer.1 + between((n, older.0), (n, newer.0));
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            row += 1;
            self.rows[row].push_back((older.0 + newer.0, square));
        }
    }

    fn forget_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let Some((total, square)) = self.rows[row].pop_front() else { return };
        let n = size(row);
        self.width -= n;
        self.total -= total;
        if self.width > 0.0 {
            self.square -= square + between((n, total), (self.width, self.total));
        }
        while self.rows.len() > 1 && self.rows.last().is_some_and(VecDeque::is_empty) {
            self.rows.pop();
        }
    }

    fn has_cut(&self) -> bool {
        let (mut n, mut sum) = (0.0, 0.0);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for (total, _) in buckets {
                n += size(row);
                sum += total;
                let (m, rest) = (self.width - n, self.total - sum);
                if m <= 0.0 {
                    return false;
                }
                let enough = n >= self.part_least && m >= self.part_least;
                if enough && (sum / n - rest / m).abs() > self.bound(n, m) {
                    return true;
                }
            }
        }
        false
    }

    fn bound(&self, n: f64, m: f64) -> f64 {
        let d = (2.0 * self.width.ln() / self.delta).ln();
        let part = |n: f64| 1.0 / (n - self.part_least + 1.0);
        let inverse = part(n) + part(m);
        let variance = self.square / self.width;
        (2.0 * inverse * variance * d).sqrt() + 2.0 / 3.0 * d * inverse
    }
}

impl Sequential for Adwin {
    fn update(&mut self, value: f64) -> State {
        if !value.is_finite() {
            return State::Stable;
        }
        if self.drifted {
            let Adwin { delta, clock, buckets, part_least, grace, .. } = *self;
            *self = Adwin { delta, clock, buckets, part_least, grace, ..Adwin::default() };
        }
        self.insert(value);
        self.tick += 1;
        let mut state = State::Stable;
        if self.tick.is_multiple_of(self.clock) && self.width > self.grace {
            while self.width > 1.0 && self.has_cut() {
                state = State::Drift;
                self.drifted = true;
                self.forget_oldest();
            }
        }
        state
    }
}
