//! Buckets as they are walked through.

use model::metric::{Histogram, Span};

use super::bounds::upper_bound;

/// One bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Whether `lower` itself counts.
    pub lower_inclusive: bool,
    /// Whether `upper` itself counts.
    pub upper_inclusive: bool,
    /// How many observations.
    pub count: f64,
}

/// The indices and counts of buckets in order; spans without counts and counts without spans are
/// left out.
pub(crate) fn listed<'a>(
    spans: &'a [Span],
    counts: &'a [f64],
) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0i32;
    let indices = spans.iter().flat_map(move |span| {
        let first = next.saturating_add(span.offset);
        let length = i32::try_from(span.length).unwrap_or(i32::MAX);
        next = first.saturating_add(length);
        first..next
    });
    indices.zip(counts.iter().copied())
}

/// The positive buckets from zero outwards, with custom bounds all from the lowest up.
pub fn positive_buckets(histogram: &Histogram) -> impl Iterator<Item = Bucket> + '_ {
    let custom = histogram.has_custom_buckets();
    listed(&histogram.positive_spans, &histogram.positive_buckets).map(move |(index, count)| {
        let (lower, upper) =
            (upper_bound(histogram, index.saturating_sub(1)), upper_bound(histogram, index));
        Bucket {
            lower,
            upper,
            lower_inclusive: if custom { index == 0 } else { lower < 0.0 },
            upper_inclusive: custom || upper > 0.0,
            count,
        }
    })
}

/// The negative buckets from zero outwards.
pub fn negative_buckets(histogram: &Histogram) -> impl Iterator<Item = Bucket> + '_ {
    listed(&histogram.negative_spans, &histogram.negative_buckets).map(move |(index, count)| {
        let (lower, upper) =
            (-upper_bound(histogram, index), -upper_bound(histogram, index.saturating_sub(1)));
        Bucket { lower, upper, lower_inclusive: lower < 0.0, upper_inclusive: upper > 0.0, count }
    })
}

/// The bucket around zero.
#[must_use]
pub fn zero_bucket(histogram: &Histogram) -> Bucket {
    Bucket {
        lower: -histogram.zero_threshold,
        upper: histogram.zero_threshold,
        lower_inclusive: true,
        upper_inclusive: true,
        count: histogram.zero_count,
    }
}

/// All buckets from the lowest up; the one around zero only when it has observations. Buckets that
/// reach into that one are cut.
#[must_use]
pub fn buckets(histogram: &Histogram) -> Vec<Bucket> {
    let mut all: Vec<Bucket> =
        Vec::with_capacity(histogram.negative_buckets.len() + histogram.positive_buckets.len() + 1);
    let zero = histogram.zero_threshold;
    let cut = |mut bucket: Bucket| {
        if bucket.upper < 0.0 && bucket.upper > -zero {
            bucket.upper = -zero;
        }
        if bucket.lower > 0.0 && bucket.lower < zero {
            bucket.lower = zero;
        }
        bucket
    };
    if !histogram.has_custom_buckets() {
        all.extend(negative_buckets(histogram).map(cut));
        all.reverse();
        if histogram.zero_count > 0.0 {
            all.push(zero_bucket(histogram));
        }
    }
    all.extend(positive_buckets(histogram).map(cut));
    all
}
