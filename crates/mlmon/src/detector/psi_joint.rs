//! Population stability index as Evidently computes it.
//!
//! The same sum as `psi`, but over equal widths by Sturges' rule across the range of *both* samples,
//! one bin per value where the reference has at most 20; an empty bin has the share 0.0001.
//! Source: Evidently 0.7.23, stattests `psi` and `get_binned_data`.
//! Useful: to get the numbers that an Evidently report had.
//! Not useful: as a monitor. One value of 1e6 among 10,000 stretches the bins until all rows share
//! one, and PSI falls from 0.61 to 0.02; heavy tails hide drift the same way.

use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "psi_joint",
    title: "Population stability index, joint bins",
    applies: Applies::Any,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.01,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = divergence::joint_counts(pair)?;
    let value = index(&counts.reference, &counts.current);
    Ok(Measure::of_distance(value, divergence::probability(&counts, value, 1.0, index)))
}

fn index(reference: &[u64], current: &[u64]) -> f64 {
    let shares = divergence::evidently_shares(reference, current);
    shares.iter().map(|(r, c)| (r - c) * (r / c).ln()).sum()
}
