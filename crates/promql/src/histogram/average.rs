//! The mean of histograms.

use model::metric::Histogram;

use super::open::{Added, Incompatible, Open};

/// A mean in the making: the sum divided at the end, or, once the sum would overflow, the mean
/// carried along.
#[derive(Debug, Clone)]
pub struct Average {
    total: Open,
    count: f64,
    incremental: bool,
}

/// Below this no sum of two overflows.
const SAFE: f64 = f64::MAX / 4.0;

fn is_safe(histogram: &Histogram) -> bool {
    let scalars = [histogram.zero_count, histogram.count, histogram.sum];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    scalars.iter().chain(buckets).all(|count| count.abs() < SAFE)
}

impl Average {
    /// The mean of one.
    #[must_use]
    pub fn new(first: &Histogram) -> Average {
        Average { total: Open::new(first), count: 1.0, incremental: false }
    }

    /// Takes another one in.
    pub fn add(&mut self, next: &Histogram) -> Result<Added, Incompatible> {
        self.count += 1.0;
        if !self.incremental {
            let before = (!is_safe(next) || !self.total.is_below(SAFE)).then(|| self.total.clone());
            let added = self.total.add(next)?;
            let Some(before) = before else { return Ok(added) };
            if !self.total.overflows() {
                return Ok(added);
            }
            self.total = before;
            self.total.divide(self.count - 1.0);
            self.incremental = true;
        }
        self.total.multiply((self.count - 1.0) / self.count);
        let mut part = Open::new(next);
        part.divide(self.count);
        self.total.merge(part)
    }

    /// Joins two means.
    pub fn merge(&mut self, mut other: Average) -> Result<Added, Incompatible> {
        let count = self.count + other.count;
        let small = self.total.is_below(SAFE) && other.total.is_below(SAFE);
        if !self.incremental && !other.incremental && small {
            self.count = count;
            return self.total.merge(other.total);
        }
        for average in [&mut *self, &mut other] {
            if !average.incremental {
                average.total.divide(average.count);
                average.incremental = true;
            }
            average.total.multiply(average.count / count);
        }
        self.count = count;
        self.total.merge(other.total)
    }

    /// The mean.
    #[must_use]
    pub fn close(mut self) -> Histogram {
        if !self.incremental {
            self.total.divide(self.count);
        }
        self.total.close()
    }
}
