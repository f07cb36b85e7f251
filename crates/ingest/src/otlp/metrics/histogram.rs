//! OpenTelemetry's histograms as native ones.

use model::metric::{Histogram, ResetHint, Span, stale_nan};

use super::points::{Buckets, Explicit, Exponential};
use crate::metrics::native::{Layout, with_custom_buckets};

/// The zero bucket's width when the point gives none.
const ZERO_THRESHOLD: f64 = 1e-128;
/// The coarsest scale that native histograms have, and the finest.
const SCALE_MIN: i32 = -4;
const SCALE_MAX: i32 = 8;

/// A stale marker.
pub(super) fn stale() -> Histogram {
    Histogram { sum: stale_nan(), ..Histogram::default() }
}

/// An exponential histogram. Bucket 0 is (1, base] for OpenTelemetry and (1/base, 1] for Prometheus,
/// so that indices go up by one.
#[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
pub(super) fn from_exponential(point: &Exponential, hint: ResetHint) -> Result<Histogram, String> {
    if point.scale < SCALE_MIN {
        return Err(format!(
            "cannot convert exponential to native histogram. Scale must be >= -4, was {}",
            point.scale
        ));
    }
    let schema = point.scale.min(SCALE_MAX);
    let shift = u32::try_from(point.scale - schema).unwrap_or(0).min(31);
    let (positive_spans, positive_buckets) = layout(&point.positive, shift, 1)?;
    let (negative_spans, negative_buckets) = layout(&point.negative, shift, 1)?;
    let given = point.zero_threshold;
    Ok(Histogram {
        reset_hint: hint,
        schema,
        zero_threshold: if given > 0.0 { given } else { ZERO_THRESHOLD },
        zero_count: point.zero_count as f64,
        count: point.count as f64,
        sum: point.sum.unwrap_or(0.0),
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values: Vec::new(),
    })
}

/// An explicit histogram as a native one with custom buckets.
#[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
pub(super) fn from_explicit(point: &Explicit, hint: ResetHint) -> Result<Histogram, String> {
    let counts = point.counts.iter().map(|count| *count as f64);
    let histogram = with_custom_buckets(point.bounds.clone(), counts)?;
    let (count, sum) = (point.count as f64, point.sum.unwrap_or(0.0));
    Ok(Histogram { reset_hint: hint, count, sum, ..histogram })
}

/// Dense buckets as spans; 2^shift of them become one, and the index of the result is `shifted` more.
fn layout(buckets: &Buckets, shift: u32, shifted: i64) -> Result<(Vec<Span>, Vec<f64>), String> {
    #[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
    let float = |count: u64| count as f64;
    let mut out = Layout::default();
    let (mut at, mut count) = (None, 0_u64);
    for (index, added) in buckets.counts.iter().enumerate() {
        let index = i64::try_from(index).map_err(|_| "too many buckets".to_owned())?;
        let index = ((i64::from(buckets.offset) + index) >> shift) + shifted;
        if at.is_some_and(|at| at != index) {
            out.push(at.unwrap_or(index), float(count))?;
            count = 0;
        }
        at = Some(index);
        count = count.saturating_add(*added);
    }
    if let Some(at) = at {
        out.push(at, float(count))?;
    }
    Ok((out.spans, out.counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: i32, counts: &[u64], scale: i32, expected: &str) {
        let point = Exponential {
            scale,
            positive: Buckets { offset, counts: counts.to_vec() },
            ..Exponential::default()
        };
        let histogram = from_exponential(&point, ResetHint::Unknown).expect("valid");
        crate::metrics::native::check(&histogram).expect("valid");
        let spans = histogram.positive_spans.iter().map(|s| format!("{}+{}", s.offset, s.length));
        let text = format!(
            "{} {} {:?}",
            histogram.schema,
            spans.collect::<Vec<_>>().join(","),
            histogram.positive_buckets
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn dense_buckets_become_spans() {
        check(0, &[], 0, "0  []");
        check(0, &[4, 2], 3, "3 1+2 [4.0, 2.0]");
        check(-5, &[1, 0, 0, 1], 0, "0 -4+4 [1.0, 0.0, 0.0, 1.0]");
        check(0, &[1, 0, 0, 0, 1], 0, "0 1+1,3+1 [1.0, 1.0]");
        check(0, &[0, 0, 7, 0], 0, "0 3+1 [7.0]");
        // Two buckets become one for each step of scale.
        check(0, &[1, 2, 3, 4], 9, "8 1+2 [3.0, 7.0]");
        check(-1, &[1, 2, 3, 4], 9, "8 0+3 [1.0, 5.0, 4.0]");
        check(-3, &[1, 2, 3, 4], 10, "8 0+2 [6.0, 4.0]");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let coarse = Exponential { scale: -5, ..Exponential::default() };
        let error = from_exponential(&coarse, ResetHint::Unknown).expect_err("too coarse");
        assert!(error.contains("Scale must be >= -4, was -5"), "{error}");
        let far = Exponential {
            positive: Buckets { offset: i32::MAX, counts: vec![1, 1] },
            ..Exponential::default()
        };
        assert!(from_exponential(&far, ResetHint::Unknown).is_err());
    }

    #[test]
    fn explicit_histograms_have_custom_buckets() {
        let point = Explicit {
            count: 6,
            sum: Some(9.5),
            counts: vec![0, 1, 0, 5],
            bounds: vec![1.0, 2.0, 5.0],
        };
        let histogram = from_explicit(&point, ResetHint::Unknown).expect("valid");
        crate::metrics::native::check(&histogram).expect("valid");
        assert_eq!(histogram.positive_spans, [Span { offset: 1, length: 3 }]);
        assert_eq!(histogram.positive_buckets, [1.0, 0.0, 5.0]);
        assert_eq!(histogram.custom_values, [1.0, 2.0, 5.0]);
    }
}
