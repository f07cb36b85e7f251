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

/// What stays of a bucket, and where those that went are taken to be.
struct Cut {
    kept: f64,
    middle: f64,
}

/// The count of `bucket` below `value`.
fn below(bucket: Bucket, value: f64, linear: bool) -> f64 {
    if value <= bucket.lower {
        0.0
    } else if value >= bucket.upper {
        bucket.count
    } else if linear {
        bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower)
    } else {
        bucket.count * part_below(bucket, value)
    }
}

fn cut_infinite(trim: Trim, bucket: Bucket, value: f64) -> Cut {
    if bucket.lower == f64::NEG_INFINITY {
        // A first bucket with a positive bound is taken to begin at zero.
        let splits = value >= 0.0 && bucket.upper > value && bucket.upper != f64::INFINITY;
        return match trim {
            Trim::Below if value >= bucket.upper => Cut { kept: bucket.count, middle: 0.0 },
            Trim::Below if splits => Cut {
                kept: bucket.count * value / bucket.upper,
                middle: f64::midpoint(value, bucket.upper),
            },
            Trim::Above if value <= bucket.lower => Cut { kept: bucket.count, middle: 0.0 },
            Trim::Above if splits => {
                Cut { kept: bucket.count * (1.0 - value / bucket.upper), middle: value / 2.0 }
            }
            _ => Cut { kept: 0.0, middle: bucket.upper },
        };
    }
    match trim {
        Trim::Above if value <= bucket.lower => Cut { kept: bucket.count, middle: 0.0 },
        _ => Cut { kept: 0.0, middle: bucket.lower },
    }
}

/// Cuts one bucket: `None` keeps all of it.
fn cut(trim: Trim, bucket: Bucket, value: f64, custom: bool) -> Option<Cut> {
    let (outside, inside) = match trim {
        Trim::Below => (bucket.lower >= value, bucket.upper <= value),
        Trim::Above => (bucket.upper <= value, bucket.lower >= value),
    };
    if inside {
        return None;
    }
    let infinite = bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY;
    if outside {
        let middle = if !custom {
            (bucket.lower * bucket.upper).sqrt()
        } else if infinite {
            cut_infinite(trim, bucket, value).middle
        } else {
            f64::midpoint(bucket.lower, bucket.upper)
        };
        return Some(Cut { kept: 0.0, middle });
    }
    if infinite {
        return Some(cut_infinite(trim, bucket, value));
    }
    let under = below(bucket, value, custom);
    let (kept, other) = match trim {
        Trim::Below => (under, bucket.lower),
        Trim::Above => (bucket.count - under, bucket.upper),
    };
    let middle = if custom {
        f64::midpoint(bucket.lower, bucket.upper)
    } else {
        (other.abs() * value.abs()).sqrt().copysign(bucket.upper + bucket.lower)
    };
    Some(Cut { kept, middle })
}

/// The histogram with only those observations on one side of `value`, as far as its buckets tell.
#[must_use]
pub fn trim(histogram: &Histogram, trim: Trim, value: f64) -> Histogram {
    let custom = histogram.has_custom_buckets();
    let (mut count, mut removed) = (0.0, 0.0);
    let (mut has_positive, mut has_negative) = (false, false);
    let mut apply = |kept: &mut f64, bucket: Bucket| {
        match cut(trim, bucket, value, custom) {
            None => {}
            Some(cut) => {
                removed += (bucket.count - cut.kept) * cut.middle;
                *kept = cut.kept;
            }
        }
        count += *kept;
    };
    let mut trimmed = histogram.clone();
    for (kept, bucket) in trimmed.positive_buckets.iter_mut().zip(positive_buckets(histogram)) {
        if bucket.count == 0.0 {
            continue;
        }
        has_negative |= custom && (bucket.upper <= 0.0 || bucket.lower < 0.0);
        has_positive |= !custom || bucket.upper > 0.0;
        apply(kept, bucket);
    }
    for (kept, bucket) in trimmed.negative_buckets.iter_mut().zip(negative_buckets(histogram)) {
        if bucket.count != 0.0 {
            has_negative = true;
            apply(kept, bucket);
        }
    }
    if trimmed.zero_count > 0.0 {
        let under = below(zero_bucket(histogram), value, true);
        let kept = if trim == Trim::Below { under } else { trimmed.zero_count - under };
        trimmed.zero_count = kept;
        count += kept;
    }
    let mut sum = 0.0;
    if count != 0.0 {
        sum = histogram.sum - removed;
        if (!has_negative && sum < 0.0) || (!has_positive && sum > 0.0) {
            sum = 0.0;
        }
    }
    trimmed.count = count;
    trimmed.sum = sum;
    Open::new(&trimmed).close()
}
