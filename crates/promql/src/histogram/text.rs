//! A native histogram as Prometheus prints it.

use std::fmt::Write as _;

use model::metric::Histogram;

use super::bucket::{Bucket, negative_buckets, positive_buckets, zero_bucket};
use crate::number::format_short;

/// `{count:3, sum:4, [-1,-0.5):1, (0.5,1]:2}`
#[must_use]
pub fn format_histogram(histogram: &Histogram) -> String {
    let mut text =
        format!("{{count:{}, sum:{}", format_short(histogram.count), format_short(histogram.sum));
    let mut add = |bucket: Bucket| {
        let (open, close) = (
            if bucket.lower_inclusive { '[' } else { '(' },
            if bucket.upper_inclusive { ']' } else { ')' },
        );
        let (lower, upper) = (format_short(bucket.lower), format_short(bucket.upper));
        let _written =
            write!(text, ", {open}{lower},{upper}{close}:{}", format_short(bucket.count));
    };
    let mut negative: Vec<Bucket> = negative_buckets(histogram).collect();
    negative.reverse();
    negative.into_iter().filter(|bucket| bucket.count != 0.0).for_each(&mut add);
    if histogram.zero_count != 0.0 {
        add(zero_bucket(histogram));
    }
    positive_buckets(histogram).filter(|bucket| bucket.count != 0.0).for_each(&mut add);
    text.push('}');
    text
}
