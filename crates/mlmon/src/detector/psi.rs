//! Population stability index.
//!
//! PSI = Σ (rᵢ − cᵢ) · ln(rᵢ / cᵢ) over the shares of rows per bin; an empty bin counts as half a row.
//! Source: Siddiqi, Credit Risk Scorecards (2006); Yurdakul and Naranjo (2020) for its distribution:
//! without drift PSI · nm/(n+m) is chi-square with bins − 1 degrees of freedom.
//! Useful: the lingua franca of credit and fraud teams. Bins are frozen from the reference (deciles
//! unless chosen otherwise), so one outlier moves nothing and counters of any windows add.
//! A mean shift of d standard deviations gives about d²; the customary 0.1 is a third of one.
//! Not useful: for what happens inside a bin, such as a tail that grows beyond the last cut.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "psi",
    title: "Population stability index",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.01,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let value = index(&counts.reference, &counts.current);
    Ok(Measure::of_distance(value, divergence::probability(&counts, value, 1.0, index)))
}

fn index(reference: &[u64], current: &[u64]) -> f64 {
    let shares = divergence::half_row_shares(reference, current);
    shares.iter().map(|(r, c)| (r - c) * (r / c).ln()).sum()
}
