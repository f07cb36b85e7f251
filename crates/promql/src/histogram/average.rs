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
            let before = (!is_safe(next) || !is_safe(&self.total.close())).then(|| self.total.clone());
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

    /// The mean.
    #[must_use]
    pub fn close(mut self) -> Histogram {
        if !self.incremental {
            self.total.divide(self.count);
        }
        self.total.close()
    }
}
