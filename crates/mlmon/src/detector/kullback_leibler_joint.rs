//! Kullback–Leibler divergence as Evidently computes it.
//!
//! KL(r‖c) in nats over equal widths across both samples, empty bins filled with 0.0001.
//! Source: Evidently 0.7.23, stattest `kl_div`.
//! Useful: to get the numbers that an Evidently report had.
//! Not useful: with outliers, which stretch the bins; see `psi_joint`.

use super::kullback_leibler::entropy;
use super::{Applies, Detector, Measure, Needs, Rule, divergence};
use crate::Error;
use crate::column::Kind;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "kullback_leibler_joint",
    title: "Kullback–Leibler divergence, joint bins",
    applies: Applies::Any,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.005,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = divergence::joint_counts(pair)?;
    // Evidently fills bins that are empty on both sides too, which weighs in the normalisation.
    let mut shares = divergence::evidently_shares(&counts.reference, &counts.current);
    if pair.kind == Kind::Numeric {
        shares.extend(std::iter::repeat_n((1e-4, 1e-4), counts.empty));
    }
    let value = entropy(&shares);
    Ok(Measure::of_distance(value, divergence::probability(&counts, value, 2.0, nats)))
}

fn nats(reference: &[u64], current: &[u64]) -> f64 {
    entropy(&divergence::evidently_shares(reference, current))
}
