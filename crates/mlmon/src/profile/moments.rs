//! Count, mean, variance and range of finite values, about an origin that never changes, so that
//! two of them add without cancellation.

use serde::Serialize;

/// Sums of finite values about a fixed origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moments {
    pub(super) origin: f64,
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) square: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Moments {
    /// Nothing yet, about this origin (a typical value of the column).
    pub fn about(origin: f64) -> Moments {
        let origin = if origin.is_finite() { origin } else { 0.0 };
        Moments {
            origin,
            count: 0,
            sum: 0.0,
            square: 0.0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
        }
    }

    /// Adds a block; false if it held anything not finite, which is left out.
    pub fn add(&mut self, block: &[f64]) -> bool {
        let (sum, square, least, most) = sums(block, self.origin);
        // An infinity or a NaN makes the sum one.
        if sum.is_finite() {
            self.take(block.len() as u64, sum, square, least, most);
            return true;
        }
        let finite: Vec<f64> = block.iter().copied().filter(|number| number.is_finite()).collect();
        let (sum, square, least, most) = sums(&finite, self.origin);
        self.take(finite.len() as u64, sum, square, least, most);
        finite.len() == block.len()
    }

    fn take(&mut self, count: u64, sum: f64, square: f64, least: f64, most: f64) {
        self.count += count;
        self.sum += sum;
        self.square += square;
        self.least = self.least.min(least);
        self.most = self.most.max(most);
    }

    /// Adds those of another part of the column.
    pub fn merge(&mut self, other: &Moments) {
        self.take(other.count, other.sum, other.square, other.least, other.most);
    }

    /// Finite values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean, if there are any.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.origin + self.sum / self.count as f64)
    }

    /// Their variance with divisor `count - ddof`.
    pub fn variance(&self, ddof: u64) -> Option<f64> {
        let divisor = self.count.checked_sub(ddof).filter(|divisor| *divisor > 0)?;
        let around = self.square - self.sum * self.sum / self.count as f64;
        Some((around / divisor as f64).max(0.0))
    }

    /// Smallest and largest.
    pub fn range(&self) -> Option<(f64, f64)> {
        (self.count > 0).then_some((self.least, self.most))
    }
}

fn sums(block: &[f64], origin: f64) -> (f64, f64, f64, f64) {
    const LANES: usize = 8;
    let mut sum = [0.0_f64; LANES];
    let mut square = [0.0_f64; LANES];
    let mut least = [f64::INFINITY; LANES];
    let mut most = [f64::NEG_INFINITY; LANES];
    let mut take = |lane: usize, number: f64| {
        let from = number - origin;
        sum[lane] += from;
        square[lane] += from * from;
        least[lane] = if number < least[lane] { number } else { least[lane] };
        most[lane] = if number > most[lane] { number } else { most[lane] };
    };
    let chunks = block.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, number) in chunk.iter().enumerate() {
            take(lane, *number);
        }
    }
    for (lane, number) in rest.iter().enumerate() {
        take(lane, *number);
    }
    (
        sum.iter().sum(),
        square.iter().sum(),
        least.iter().copied().fold(f64::INFINITY, f64::min),
        most.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}
