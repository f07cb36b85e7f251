//! Kullback–Leibler divergence of the reference from the current data, in nats.
//!
//! KL(r‖c) = Σ rᵢ · ln(rᵢ / cᵢ) over frozen bins; an empty bin counts as half a row.
//! Source: Kullback and Leibler (1951).
//! Useful: as the expected loss of coding the reference with the current distribution; the direction
//! is the one of Evidently and Arize.
//! Not useful: as a distance: it is not symmetric, and an empty bin decides much of it.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "kullback_leibler",
    title: "Kullback–Leibler divergence",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.005,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let value = nats(&counts.reference, &counts.current);
    Ok(Measure::of_distance(value, divergence::probability(&counts, value, 2.0, nats)))
}

fn nats(reference: &[u64], current: &[u64]) -> f64 {
    entropy(&divergence::half_row_shares(reference, current))
}

/// Relative entropy of shares, which are normalised first, as SciPy's `entropy`.
pub(super) fn entropy(shares: &[(f64, f64)]) -> f64 {
    let (n, m) = shares.iter().fold((0.0, 0.0), |(n, m), (r, c)| (n + r, m + c));
    let terms = shares.iter().map(|(r, c)| {
        let (r, c) = (r / n, c / m);
        if r > 0.0 { r * (r / c).ln() } else { 0.0 }
    });
    terms.sum::<f64>().max(0.0)
}
