//! Where buckets end.

use model::metric::Histogram;

use super::fractions::FRACTIONS;

/// `fraction * 2^exponent`, without overflow on the way.
fn scale(fraction: f64, exponent: i32) -> f64 {
    if exponent > 1020 {
        fraction * 2f64.powi(1020) * 2f64.powi((exponent - 1020).min(1020))
    } else if exponent < -1000 {
        fraction * 2f64.powi(-1000) * 2f64.powi((exponent + 1000).max(-1000))
    } else {
        fraction * 2f64.powi(exponent)
    }
}

/// The upper bound of the positive bucket `index` at an exponential `schema`.
#[must_use]
pub fn bound(index: i32, schema: i32) -> f64 {
    if schema <= 0 {
        let exponent = i64::from(index) << (-schema).clamp(0, 30);
        if exponent == 1024 {
            return f64::MAX;
        }
        let exponent = exponent.clamp(-3000, 3000);
        return scale(1.0, i32::try_from(exponent).unwrap_or(0));
    }
    let schema = schema.min(8);
    let place = (index & ((1 << schema) - 1)) << (8 - schema);
    let fraction = FRACTIONS[usize::try_from(place).unwrap_or(0)];
    let exponent = (index >> schema) + 1;
    #[expect(clippy::float_cmp, reason = "a half is exact")]
    if fraction == 0.5 && exponent == 1025 {
        // The last bucket of finite numbers ends with the largest of them.
        return f64::MAX;
    }
    scale(fraction, exponent.clamp(-3000, 3000))
}

/// The upper bound of the bucket `index` with custom bounds.
pub(crate) fn custom_bound(index: i32, bounds: &[f64]) -> f64 {
    match usize::try_from(index) {
        Err(_) => f64::NEG_INFINITY,
        Ok(index) => bounds.get(index).copied().unwrap_or(f64::INFINITY),
    }
}

/// The upper bound of the positive bucket `index` of `histogram`.
pub(crate) fn upper_bound(histogram: &Histogram, index: i32) -> f64 {
    if histogram.has_custom_buckets() {
        custom_bound(index, &histogram.custom_values)
    } else {
        bound(index, histogram.schema)
    }
}

/// The index at the coarser schema `to` of what has `index` at `from`.
pub(crate) fn coarser(index: i32, from: i32, to: i32) -> i32 {
    ((index.saturating_sub(1)) >> (from - to).clamp(0, 31)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_by_the_schema() {
        for (index, schema, expect) in [
            (0, 0, 1.0f64),
            (1, 0, 2.0),
            (-1, 0, 0.5),
            (1, -1, 4.0),
            (1024, 0, f64::MAX),
            (1025, 0, f64::INFINITY),
            (2, 1, 2.0),
            (-2, 1, 0.5),
            (0, 8, 1.0),
            (-1074, 0, 5e-324),
        ] {
            assert_eq!(
                bound(index, schema).to_bits(),
                expect.to_bits(),
                "index {index}, schema {schema}"
            );
        }
        // As Prometheus prints them, which is not what is nearest to the root of two.
        for (index, schema, expect) in [
            (1, 1, "1.414213562373095"),
            (3, 2, "1.6817928305074288"),
            (-1, 8, "0.9972960560854698"),
        ] {
            assert_eq!(bound(index, schema).to_string(), expect, "index {index}, schema {schema}");
        }
        for (k, fraction) in (0u8..=255).zip(FRACTIONS) {
            let exact = (f64::from(k) / 256.0).exp2() / 2.0;
            assert!((fraction - exact).abs() < 6e-16, "{k}");
        }
        assert_eq!((coarser(3, 1, 0), coarser(4, 1, 0), coarser(-3, 1, 0)), (2, 2, -1));
    }
}
