//! L-infinity (Chebyshev) distance.
//!
//! L∞ = max |rᵢ − cᵢ| over bins; 0 to 1.
//! Source: NannyML's `l_infinity`, Vertex AI's default for categories; the p-value adds up the
//! two-sided normal tails of all bins.
//! Useful: for categories, where it names the one that changed most.
//! Not useful: for changes spread thinly over many bins.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::{null, special};

pub(super) const DETECTOR: Detector = Detector {
    name: "l_infinity",
    title: "L-infinity distance",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.01,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let value = distance(&counts.reference, &counts.current);
    if counts.freedom() == 0.0 {
        return Ok(Measure::of_distance(value, 1.0));
    }
    let (reference, current) = (&counts.reference[..], &counts.current[..]);
    let probability = if null::counts_are_large(reference, current) {
        let (n, m) = counts.totals();
        let tail = |(r, c): (&u64, &u64)| {
            let share = (r + c) as f64 / (n + m);
            let spread = (share * (1.0 - share) * (1.0 / n + 1.0 / m)).sqrt();
            special::normal_two_sided(value / spread)
        };
        reference.iter().zip(current).map(tail).sum::<f64>().min(1.0)
    } else {
        null::of_counts(reference, current, value, distance)
    };
    Ok(Measure::of_distance(value, probability))
}

fn distance(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (n, m) = (total(reference), total(current));
    let apart = |(left, right): (&u64, &u64)| (*left as f64 / n - *right as f64 / m).abs();
    reference.iter().zip(current).map(apart).fold(0.0, f64::max)
}
