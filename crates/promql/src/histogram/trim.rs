//! The part of a histogram below or above a value.

use model::metric::Histogram;

use super::bucket::{Bucket, negative_buckets, positive_buckets, zero_bucket};
use super::open::Open;
use super::quantile::part_below;

/// Which part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// What lies below the value (`</`).
    Below,
    /// What lies above it (`>/`).
    Above,
}

/// What stays of a bucket, and where those observations are taken to be.
#[derive(Debug, Clone, Copy)]
struct Kept {
    count: f64,
    middle: f64,
}

impl Kept {
    const NOTHING: Kept = Kept { count: 0.0, middle: 0.0 };
}

/// The middle of an interval: arithmetic in custom buckets, geometric in exponential ones.
fn middle(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    if lower.is_infinite() {
        return match upper {
            upper if upper.is_infinite() => 0.0,
            upper if upper > 0.0 => upper / 2.0,
            upper => upper,
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    if linear {
        return f64::midpoint(lower, upper);
    }
    let mean = (lower * upper).abs().sqrt();
    if positive { mean } else { -mean }
}

/// Of a bucket without end nobody knows where its observations are: most of the time it goes, or
/// stays, as a whole.
fn cut_infinite(trim: Trim, bucket: Bucket, value: f64) -> Kept {
    let finite = |bound: f64| if bound.is_infinite() { 0.0 } else { bound };
    if bucket.lower == f64::NEG_INFINITY {
        let part = value / bucket.upper;
        return match trim {
            // A first bucket with a positive bound is taken to begin at zero.
            Trim::Below if value > 0.0 && bucket.upper > 0.0 && bucket.upper != f64::INFINITY => {
                Kept { count: bucket.count * part, middle: value / 2.0 }
            }
            Trim::Below if bucket.upper <= 0.0 => Kept { count: bucket.count, middle: value },
            Trim::Above if value >= 0.0 && bucket.upper > value && bucket.upper.is_finite() => {
                let middle = f64::midpoint(value, bucket.upper);
                Kept { count: bucket.count * (1.0 - part), middle }
            }
            _ => Kept { count: 0.0, middle: finite(bucket.upper) },
        };
    }
    match trim {
        Trim::Above if value >= bucket.lower => Kept { count: bucket.count, middle: value },
        _ => Kept { count: 0.0, middle: finite(bucket.lower) },
    }
}

/// What stays of one bucket.
fn cut(trim: Trim, bucket: Bucket, value: f64, (positive, custom): (bool, bool)) -> Kept {
    let (inside, outside) = match trim {
        Trim::Below => (bucket.upper <= value, bucket.lower >= value),
        Trim::Above => (bucket.lower >= value, bucket.upper <= value),
    };
    if inside {
        let middle = middle(bucket.lower, bucket.upper, positive, custom);
        return Kept { count: bucket.count, middle };
    }
    if outside {
        return Kept::NOTHING;
    }
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return cut_infinite(trim, bucket, value);
    }
    let part = if custom {
        (value - bucket.lower) / (bucket.upper - bucket.lower)
    } else {
        part_below(bucket, value)
    };
    let below = bucket.count * part;
    match trim {
        Trim::Below => Kept { count: below, middle: middle(bucket.lower, value, positive, custom) },
        Trim::Above => Kept {
            count: bucket.count - below,
            middle: middle(value, bucket.upper, positive, custom),
        },
    }
}

/// What stays of the bucket around zero, which ends at zero when all others lie on one side.
fn cut_zero(trim: Trim, zero: Bucket, value: f64, (negative, positive): (bool, bool)) -> Kept {
    let upper = if negative && !positive { 0.0 } else { zero.upper };
    let lower = if positive && !negative { 0.0 } else { zero.lower };
    let whole = Kept { count: zero.count, middle: f64::midpoint(lower, upper) };
    match trim {
        Trim::Below if value <= lower => Kept::NOTHING,
        Trim::Above if value >= upper => Kept::NOTHING,
        Trim::Below if value >= upper => whole,
        Trim::Above if value <= lower => whole,
        Trim::Below => Kept {
            count: zero.count * ((value - lower) / (upper - lower)),
            middle: f64::midpoint(lower, value),
        },
        Trim::Above => Kept {
            count: zero.count * ((upper - value) / (upper - lower)),
            middle: f64::midpoint(value, upper),
        },
    }
}

/// The histogram with only those observations on one side of `value`, as far as its buckets tell.
/// Where something is cut off, the sum is estimated anew.
#[must_use]
pub fn trim(histogram: &Histogram, trim: Trim, value: f64) -> Histogram {
    let custom = histogram.has_custom_buckets();
    let mut trimmed = histogram.clone();
    let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
    let mut keep = |old: &mut f64, kept: Kept| {
        count += kept.count;
        sum += kept.middle * kept.count;
        #[expect(clippy::float_cmp, reason = "any change counts")]
        let differs = *old != kept.count;
        changed |= differs;
        *old = kept.count;
    };
    let (mut has_positive, mut has_negative) = (false, false);
    for (old, bucket) in trimmed.positive_buckets.iter_mut().zip(positive_buckets(histogram)) {
        if bucket.count != 0.0 {
            has_positive = true;
            keep(old, cut(trim, bucket, value, (true, custom)));
        }
    }
    for (old, bucket) in trimmed.negative_buckets.iter_mut().zip(negative_buckets(histogram)) {
        if bucket.count != 0.0 {
            has_negative = true;
            keep(old, cut(trim, bucket, value, (false, custom)));
        }
    }
    if trimmed.zero_count > 0.0 {
        let sides = (has_negative, has_positive);
        keep(&mut trimmed.zero_count, cut_zero(trim, zero_bucket(histogram), value, sides));
    }
    if changed {
        trimmed.count = count;
        trimmed.sum = sum;
    }
    Open::new(&trimmed).close()
}
