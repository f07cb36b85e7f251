//! What a native histogram says about its observations.

use model::metric::Histogram;

use super::bucket::{Bucket, buckets};
use crate::number::Kahan;

/// Whether observations of NaN have made a result worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// They have not.
    Numbers,
    /// The result lies among them.
    NaN,
    /// They have moved the result.
    Skewed,
}

/// A bucket around zero ends at zero when all observations lie on the other side.
fn one_sided(histogram: &Histogram, mut bucket: Bucket) -> Bucket {
    if histogram.negative_buckets.is_empty() && !histogram.positive_buckets.is_empty() {
        bucket.lower = 0.0;
    } else if histogram.positive_buckets.is_empty() && !histogram.negative_buckets.is_empty() {
        bucket.upper = 0.0;
    }
    bucket
}

/// The `q`-quantile: linear within custom buckets and the one around zero, exponential within the
/// others.
#[must_use]
pub fn quantile(q: f64, histogram: &Histogram) -> (f64, Observed) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, Observed::Numbers);
    }
    if q > 1.0 {
        return (f64::INFINITY, Observed::Numbers);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return (f64::NAN, Observed::Numbers);
    }
    let custom = histogram.has_custom_buckets();
    let forward = histogram.sum.is_nan() || q < 0.5;
    let mut all = buckets(histogram);
    if !forward {
        all.reverse();
    }
    let mut rank = if forward { q } else { 1.0 - q } * histogram.count;
    let mut bucket = Bucket {
        lower: 0.0,
        upper: 0.0,
        lower_inclusive: false,
        upper_inclusive: false,
        count: 0.0,
    };
    let mut count = 0.0;
    let mut rest = all.iter();
    for &one in rest.by_ref() {
        bucket = one;
        count += one.count;
        if one.count != 0.0 && count >= rank {
            break;
        }
    }
    if custom {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return (bucket.upper, Observed::Numbers);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return (bucket.lower, Observed::Numbers);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        bucket = one_sided(histogram, bucket);
    }
    count = count.min(histogram.count);
    if count < rank {
        return if histogram.sum.is_nan() {
            (f64::NAN, Observed::NaN)
        } else {
            (bucket.upper, Observed::Numbers)
        };
    }
    rank = if forward { rank - (count - bucket.count) } else { count - rank };
    let mut observed = Observed::Numbers;
    if histogram.sum.is_nan() {
        let seen: f64 = count + rest.map(|bucket| bucket.count).sum::<f64>();
        if seen < histogram.count {
            observed = Observed::Skewed;
        }
    }
    let fraction = rank / bucket.count;
    (interpolate(bucket, fraction, custom), observed)
}

fn interpolate(bucket: Bucket, fraction: f64, linear: bool) -> f64 {
    if linear || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        return (lower + (upper - lower) * fraction).exp2();
    }
    -(upper + (lower - upper) * (1.0 - fraction)).exp2()
}

/// The fraction of observations between two values.
#[must_use]
pub fn fraction(lower: f64, upper: f64, histogram: &Histogram) -> (f64, Observed) {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, Observed::Numbers);
    }
    if lower >= upper {
        return (0.0, Observed::Numbers);
    }
    let all = buckets(histogram);
    let in_buckets: f64 = all.iter().map(|bucket| bucket.count).sum();
    let (count, observed) = if !histogram.sum.is_nan() {
        (histogram.count, Observed::Numbers)
    } else if in_buckets < histogram.count {
        (in_buckets, Observed::Skewed)
    } else {
        (in_buckets, Observed::Numbers)
    };
    let rank_of = |value: f64| rank_of(histogram, &all, value).unwrap_or(count).min(count);
    ((rank_of(upper) - rank_of(lower)) / histogram.count, observed)
}

/// How many observations lie below `value`; `None` is all.
fn rank_of(histogram: &Histogram, all: &[Bucket], value: f64) -> Option<f64> {
    let custom = histogram.has_custom_buckets();
    let mut rank = 0.0;
    for &bucket in all {
        let around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        let bucket = if around_zero { one_sided(histogram, bucket) } else { bucket };
        if bucket.lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            if custom || around_zero {
                if bucket.lower == f64::NEG_INFINITY {
                    return Some(bucket.count);
                }
                let width = bucket.upper - bucket.lower;
                return Some(rank + bucket.count * (value - bucket.lower) / width);
            }
            return Some(rank + bucket.count * part_below(bucket, value));
        }
        rank += bucket.count;
    }
    None
}

/// The part of an exponential bucket below `value`.
pub(super) fn part_below(bucket: Bucket, value: f64) -> f64 {
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let value_log = value.abs().log2();
    if value > 0.0 {
        (value_log - lower) / (upper - lower)
    } else {
        1.0 - (value_log - upper) / (lower - upper)
    }
}

/// The estimated variance: each observation is taken for the middle of its bucket.
#[must_use]
pub fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut total = Kahan::default();
    for bucket in buckets(histogram) {
        if bucket.count == 0.0 {
            continue;
        }
        let middle = if histogram.has_custom_buckets() {
            f64::midpoint(bucket.upper, bucket.lower)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = middle - mean;
        total.add(bucket.count * delta * delta);
    }
    (total.sum + total.rest) / histogram.count
}
