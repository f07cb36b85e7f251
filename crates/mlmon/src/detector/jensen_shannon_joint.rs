//! Jensen–Shannon distance as Evidently computes it.
//!
//! The distance with natural logarithms (0 to 0.8326) over equal widths across both samples.
//! Source: Evidently 0.7.23, stattest `jensenshannon`.
//! Useful: to get the numbers that an Evidently report had.
//! Not useful: with outliers, which stretch the bins; see `psi_joint`.

use super::jensen_shannon::{divergence as nats_of, probability};
use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "jensen_shannon_joint",
    title: "Jensen–Shannon distance, joint bins",
    applies: Applies::Any,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = divergence::joint_counts(pair)?;
    let nats = nats_of(&counts.reference, &counts.current);
    Ok(Measure::of_distance(nats.sqrt(), probability(&counts, nats)))
}
