//! Histograms of the old kind: counters by `le`.

/// One counter: observations up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    /// The bound.
    pub upper: f64,
    /// How many observations up to it.
    pub count: f64,
}

/// What had to be changed so that counts ascend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forced {
    /// The lowest bound whose count was raised.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// By how much at most.
    pub by: f64,
}

/// Relative differences below this are taken for inaccuracy of floats.
const TOLERANCE: f64 = 1e-12;

fn nearly_equal(one: f64, other: f64) -> bool {
    if one.is_nan() && other.is_nan() {
        return true;
    }
    #[expect(clippy::float_cmp, reason = "infinities are equal to themselves")]
    if one == other {
        return true;
    }
    let (sum, difference) = (one.abs() + other.abs(), (one - other).abs());
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// Sorts and joins those of the same bound; whether the last one is `+Inf`.
fn prepare(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|one, other| one.upper.total_cmp(&other.upper));
    buckets.dedup_by(|next, kept| {
        #[expect(clippy::float_cmp, reason = "bounds were parsed from texts")]
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
    buckets.last().is_some_and(|last| last.upper == f64::INFINITY)
}

fn make_monotonic(buckets: &mut [ClassicBucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let (first, rest) = buckets.split_first_mut()?;
    let mut previous = first.count;
    for bucket in rest {
        if nearly_equal(bucket.count, previous) {
            bucket.count = previous;
        } else if bucket.count < previous {
            let by = previous - bucket.count;
            let found =
                forced.get_or_insert(Forced { lowest: bucket.upper, highest: bucket.upper, by });
            found.lowest = found.lowest.min(bucket.upper);
            found.highest = found.highest.max(bucket.upper);
            found.by = found.by.max(by);
            bucket.count = previous;
        } else {
            previous = bucket.count;
        }
    }
    forced
}

/// The `q`-quantile, and what had to be changed to tell it.
pub fn classic_quantile(q: f64, buckets: &mut Vec<ClassicBucket>) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&q) {
        return (if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY }, None);
    }
    if !prepare(buckets) {
        return (f64::NAN, None);
    }
    let forced = make_monotonic(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 || observations.is_nan() {
        return (f64::NAN, forced);
    }
    let rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank);
    if at == last {
        return (buckets[last - 1].upper, forced);
    }
    if at == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, forced);
    }
    let (lower, below) = match at {
        0 => (0.0, 0.0),
        at => (buckets[at - 1].upper, buckets[at - 1].count),
    };
    let bucket = buckets[at];
    (lower + (bucket.upper - lower) * ((rank - below) / (bucket.count - below)), forced)
}

/// The fraction of observations between two values.
pub fn classic_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !prepare(buckets) {
        return f64::NAN;
    }
    let count = buckets.last().map_or(0.0, |last| last.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |value: f64| {
        let mut rank = 0.0;
        let mut begin = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
        for bucket in &*buckets {
            if begin >= value {
                return rank;
            }
            if bucket.upper > value {
                if begin == f64::NEG_INFINITY {
                    return bucket.count;
                }
                return rank + (bucket.count - rank) * (value - begin) / (bucket.upper - begin);
            }
            rank = bucket.count;
            begin = bucket.upper;
        }
        count
    };
    (rank_of(upper).min(count) - rank_of(lower).min(count)) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(of: &[(f64, f64)]) -> Vec<ClassicBucket> {
        of.iter().map(|&(upper, count)| ClassicBucket { upper, count }).collect()
    }

    #[test]
    fn quantiles_and_fractions() {
        let inf = f64::INFINITY;
        for (q, of, expect) in [
            (0.5, &[(1.0, 2.0), (2.0, 4.0), (inf, 4.0)][..], 1.0f64),
            (0.75, &[(inf, 4.0), (1.0, 2.0), (2.0, 4.0)], 1.5),
            (1.0, &[(1.0, 2.0), (inf, 4.0)], 1.0),
            (0.25, &[(-1.0, 2.0), (inf, 4.0)], -1.0),
        ] {
            let found = classic_quantile(q, &mut buckets(of)).0;
            assert_eq!(found.to_bits(), expect.to_bits(), "{q} of {of:?}");
        }
        assert!(classic_quantile(0.5, &mut Vec::new()).0.is_nan());
        let falling = &mut buckets(&[(1.0, 4.0), (2.0, 3.0), (inf, 8.0)]);
        assert_eq!(
            classic_quantile(0.5, falling).1,
            Some(Forced { lowest: 2.0, highest: 2.0, by: 1.0 })
        );
        let half = &mut buckets(&[(1.0, 2.0), (2.0, 4.0), (inf, 4.0)]);
        assert_eq!(classic_fraction(0.5, 1.5, half).to_bits(), 0.5f64.to_bits());
    }
}
