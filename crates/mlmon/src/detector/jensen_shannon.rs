//! Jensen–Shannon distance, base 2.
//!
//! JS = sqrt(½ KL(r‖m) + ½ KL(c‖m)) with m = (r + c) / 2 and logarithms to base 2; 0 to 1.
//! Source: Lin (1991); Endres and Schindelin (2003) for the distance. NannyML's `jensen_shannon` when
//! the bins are Doane's (`binning: doane`).
//! Useful: bounded and symmetric, defined for empty bins and unseen categories without a rule of thumb.
//! Not useful: to compare with numbers of tools that use natural logarithms: those are 0.8326 of it.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::{Counts, Pair};

pub(super) const DETECTOR: Detector = Detector {
    name: "jensen_shannon",
    title: "Jensen–Shannon distance",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let nats = divergence(&counts.reference, &counts.current);
    let value = (nats / std::f64::consts::LN_2).sqrt();
    Ok(Measure::of_distance(value, probability(&counts, nats)))
}

pub(super) fn probability(counts: &Counts, nats: f64) -> f64 {
    divergence::probability(counts, nats, 8.0, divergence)
}

/// The divergence in nats.
pub(super) fn divergence(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (n, m) = (total(reference), total(current));
    let part = |p: f64, middle: f64| if p > 0.0 { p * (p / middle).ln() } else { 0.0 };
    let terms = reference.iter().zip(current).map(|(left, right)| {
        let (r, c) = (*left as f64 / n, *right as f64 / m);
        let middle = f64::midpoint(r, c);
        part(r, middle) + part(c, middle)
    });
    (terms.sum::<f64>() / 2.0).max(0.0)
}
