//! Arithmetic on native histograms: addition, subtraction and scaling across resolutions, zero
//! buckets and custom bounds; resets; quantiles and fractions; trimming; what is printed.
//!
//! The vocabulary is [`model::metric::Histogram`]. Calculations open one ([`Open`]) into lists of
//! buckets by index, which makes the different layouts the same, and close it again in the one
//! canonical layout: no empty bucket, no two spans that touch.

mod average;
mod bounds;
mod bucket;
mod classic;
mod fractions;
mod open;
mod quantile;
mod reset;
mod text;
mod trim;

pub use average::Average;
pub use bounds::bound;
pub use bucket::{Bucket, buckets, negative_buckets, positive_buckets, zero_bucket};
pub use classic::{ClassicBucket, Forced, classic_fraction, classic_quantile};
pub use open::{Added, Incompatible, Open};
pub use quantile::{Observed, fraction, quantile, variance};
pub use reset::is_reset;
pub use text::format_histogram;
pub use trim::{Trim, trim};

use model::metric::Histogram;

/// Whether all counts and bounds are the same; the layout is not compared, nor is the hint about
/// resets. NaN is the same as itself.
#[must_use]
pub fn same(one: &Histogram, other: &Histogram) -> bool {
    #[expect(clippy::float_cmp, reason = "any difference counts")]
    let bits = |left: f64, right: f64| left.to_bits() == right.to_bits() || left == right;
    if one.schema != other.schema
        || !bits(one.count, other.count)
        || !bits(one.sum, other.sum)
        || one.custom_values.len() != other.custom_values.len()
        || !one.custom_values.iter().zip(&other.custom_values).all(|(&a, &b)| bits(a, b))
    {
        return false;
    }
    if !bits(one.zero_threshold, other.zero_threshold) || !bits(one.zero_count, other.zero_count) {
        return false;
    }
    let lists = [
        (
            bucket::listed(&one.positive_spans, &one.positive_buckets),
            bucket::listed(&other.positive_spans, &other.positive_buckets),
        ),
        (
            bucket::listed(&one.negative_spans, &one.negative_buckets),
            bucket::listed(&other.negative_spans, &other.negative_buckets),
        ),
    ];
    lists.into_iter().all(|(left, right)| {
        let mut left = left.filter(|&(_, count)| count != 0.0);
        let mut right = right.filter(|&(_, count)| count != 0.0);
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.0 == b.0 && bits(a.1, b.1) => {}
                _ => return false,
            }
        }
    })
}

/// The histogram in its one canonical layout.
#[must_use]
pub fn compact(histogram: &Histogram) -> Histogram {
    Open::new(histogram).close()
}

/// How many samples a histogram counts as in limits and statistics, as Prometheus estimates it.
#[must_use]
pub fn weight(histogram: &Histogram) -> u64 {
    // Prometheus: the bytes of the histogram and its slices, and 8 for the timestamp, in samples
    // of 16 bytes.
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
    let bytes = 168 + 8 * (spans + buckets + histogram.custom_values.len());
    u64::try_from(bytes / 16).unwrap_or(u64::MAX)
}
