//! Total variation distance.
//!
//! TV = ½ Σ |rᵢ − cᵢ| over frozen bins; 0 to 1.
//! Source: textbook; the p-value is that of a sum of half-normals with multinomial covariance.
//! Useful: read as it is: the share of rows that would have to move to another bin.
//! Not useful: for rare bins: one that doubles from 0.1 % to 0.2 % changes it by 0.0005.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::null;

pub(super) const DETECTOR: Detector = Detector {
    name: "total_variation",
    title: "Total variation distance",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

/// With more bins the covariance is not summed up but drawn.
const BINS_LIMIT: usize = 512;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let value = distance(&counts.reference, &counts.current);
    let (reference, current) = (&counts.reference[..], &counts.current[..]);
    if counts.freedom() == 0.0 {
        return Ok(Measure::of_distance(value, 1.0));
    }
    let few = reference.len() <= BINS_LIMIT;
    let probability = if few && null::counts_are_large(reference, current) {
        let (n, m) = counts.totals();
        let pooled: Vec<f64> =
            reference.iter().zip(current).map(|(r, c)| (r + c) as f64 / (n + m)).collect();
        let (mean, variance) = null::total_variation_moments(&pooled, 1.0 / n + 1.0 / m);
        null::gamma_tail(value, mean, variance)
    } else {
        null::of_counts(reference, current, value, distance)
    };
    Ok(Measure::of_distance(value, probability))
}

fn distance(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (n, m) = (total(reference), total(current));
    let apart = |(left, right): (&u64, &u64)| (*left as f64 / n - *right as f64 / m).abs();
    reference.iter().zip(current).map(apart).sum::<f64>() / 2.0
}
