//! Whether a counter has started anew.

use model::metric::{Histogram, ResetHint};

use super::open::Open;

/// Whether the counter was reset between `previous` and `current`.
#[must_use]
pub fn is_reset(current: &Histogram, previous: &Histogram) -> bool {
    match current.reset_hint {
        ResetHint::Reset => return true,
        ResetHint::NoReset => return false,
        ResetHint::Unknown | ResetHint::Gauge => {}
    }
    if current.count < previous.count
        || current.has_custom_buckets() != previous.has_custom_buckets()
    {
        return true;
    }
    let (mut now, mut before) = (Open::new(current), Open::new(previous));
    if current.has_custom_buckets() {
        if current.custom_values != previous.custom_values {
            now.restrict_bounds(&previous.custom_values);
            before.restrict_bounds(&current.custom_values);
        }
        return any_falls(before.positive(), now.positive());
    }
    if current.schema > previous.schema || current.zero_threshold < previous.zero_threshold {
        return true;
    }
    if current.zero_threshold > previous.zero_threshold {
        before.widen_zero_bucket(current.zero_threshold);
        #[expect(clippy::float_cmp, reason = "unchanged unless it ended within a populated bucket")]
        if before.zero_threshold() != current.zero_threshold {
            return true;
        }
    }
    if current.zero_count < before.zero_count() {
        return true;
    }
    before.reduce(current.schema);
    any_falls(before.positive(), now.positive()) || any_falls(before.negative(), now.negative())
}

/// Whether a bucket has less than before or has gone.
fn any_falls(
    before: impl Iterator<Item = (i32, f64)>,
    now: impl Iterator<Item = (i32, f64)>,
) -> bool {
    let mut now = now.peekable();
    for (index, count) in before {
        if count == 0.0 {
            continue;
        }
        while now.next_if(|&(other, _)| other < index).is_some() {}
        let left = now.next_if(|&(other, _)| other == index).map_or(0.0, |(_, left)| left);
        if left < count {
            return true;
        }
    }
    false
}
