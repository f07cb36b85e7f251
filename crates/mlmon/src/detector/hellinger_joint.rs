//! Hellinger distance as Evidently computes it.
//!
//! H = sqrt(1 − Σ √(pᵢ qᵢ) · w) over densities between equal widths, their number by Sturges' rule on
//! the *distinct* values of both samples; categories by their shares.
//! Source: Evidently 0.7.23, stattest `hellinger`.
//! Useful: to get the numbers that an Evidently report had.
//! Not useful: with outliers, which stretch the bins; see `psi_joint`.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::column::Kind;
use crate::pair::{Counts, Pair};

pub(super) const DETECTOR: Detector = Detector {
    name: "hellinger_joint",
    title: "Hellinger distance, joint bins",
    applies: Applies::Any,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = match pair.kind {
        Kind::Categorical => pair.counts_by_name()?,
        Kind::Numeric => numeric_counts(pair)?,
        Kind::Embedding => return Err(Error::Undefined("vectors")),
    };
    let square = square(&counts.reference, &counts.current);
    let probability = divergence::probability(&counts, square, 8.0, self::square);
    Ok(Measure::of_distance(square.sqrt(), probability))
}

fn numeric_counts(pair: &Pair<'_>) -> Result<Counts, Error> {
    let steps = pair.steps()?;
    let (reference, current) = pair.samples()?;
    let least = steps.first().map_or(0.0, |step| step.value);
    let most = steps.last().map_or(0.0, |step| step.value);
    let width = (most - least) / ((steps.len() as f64).log2() + 1.0);
    let edges = divergence::equal_edges(least, most, width);
    let counts = divergence::histogram(reference, &edges);
    Counts::new(counts.into_iter().zip(divergence::histogram(current, &edges)))
}

fn square(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (n, m) = (total(reference), total(current));
    let roots = |(left, right): (&u64, &u64)| (*left as f64 / n * (*right as f64 / m)).sqrt();
    (1.0 - reference.iter().zip(current).map(roots).sum::<f64>()).clamp(0.0, 1.0)
}
