//! Hellinger distance.
//!
//! H = sqrt(Σ (√rᵢ − √cᵢ)²) / √2 over frozen bins; 0 to 1.
//! Source: Hellinger (1909); NannyML's `hellinger` when the bins are Doane's (`binning: doane`).
//! Useful: bounded, symmetric, defined for empty bins, and more alive to rare bins than total variation.
//! Not useful: for ordered columns where it matters how far rows moved; see `wasserstein`.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "hellinger",
    title: "Hellinger distance",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let square = square(&counts.reference, &counts.current);
    let probability = divergence::probability(&counts, square, 8.0, self::square);
    Ok(Measure::of_distance(square.sqrt(), probability))
}

fn square(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (n, m) = (total(reference), total(current));
    let roots = |(left, right): (&u64, &u64)| {
        ((*left as f64 / n).sqrt() - (*right as f64 / m).sqrt()).powi(2)
    };
    reference.iter().zip(current).map(roots).sum::<f64>() / 2.0
}
