//! Levene's test of equal spread, around medians (Brown–Forsythe).
//!
//! W = (N − 2) · Σ nᵢ(z̄ᵢ − z̄)² / ΣΣ(zᵢⱼ − z̄ᵢ)² with zᵢⱼ = |xᵢⱼ − medianᵢ|; F with 1 and N − 2 degrees.
//! Source: Brown and Forsythe (1974); SciPy's `levene(center="median")`. The effect is the logarithm of
//! the ratio of mean deviations.
//! Useful: for a column that became more or less noisy around the same middle.
//! Not useful: for a change of location, which it is blind to.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::{order, special};

pub(super) const DETECTOR: Detector = Detector {
    name: "levene",
    title: "Levene's test",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (left, right) = (deviations(reference), deviations(current));
    let middle = (left.0 * n + right.0 * m) / (n + m);
    let between = n * (left.0 - middle).powi(2) + m * (right.0 - middle).powi(2);
    let within = left.1 + right.1;
    let freedom = n + m - 2.0;
    if freedom <= 0.0 {
        return Err(Error::Undefined("a single row on each side"));
    }
    let effect = match (left.0, right.0) {
        (0.0, 0.0) => 0.0,
        (left, right) => (left / right).ln().abs(),
    };
    if within == 0.0 {
        let probability = if between == 0.0 { 1.0 } else { 0.0 };
        return Ok(Measure::of_test(if between == 0.0 { 0.0 } else { f64::INFINITY }, probability, effect));
    }
    let value = freedom * between / within;
    Ok(Measure::of_test(value, special::fisher_f_sf(value, 1.0, freedom), effect))
}

/// Mean of the absolute deviations from the median, and their squared deviations from that mean.
fn deviations(sorted: &[f64]) -> (f64, f64) {
    let median = order::quantile_of_sorted(sorted, 0.5).unwrap_or(0.0);
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|value| (value - median).abs()).sum::<f64>() / n;
    let square = sorted.iter().map(|value| ((value - median).abs() - mean).powi(2)).sum();
    (mean, square)
}
