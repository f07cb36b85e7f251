//! Jensen–Shannon divergence, base 2, in bits.
//!
//! JSD = ½ KL(r‖m) + ½ KL(c‖m) with m = (r + c) / 2: the square of `jensen_shannon`; 0 to 1 bit.
//! Source: Lin (1991).
//! Useful: where a report or a tool speaks of the divergence; it is additive over independent columns.
//! Not useful: as a distance, since it does not obey the triangle inequality.

use super::jensen_shannon::{divergence, probability};
use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "jensen_shannon_divergence",
    title: "Jensen–Shannon divergence",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ValueAtLeast(0.01),
    negligible: 0.0004,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let nats = divergence(&counts.reference, &counts.current);
    Ok(Measure::of_distance(nats / std::f64::consts::LN_2, probability(&counts, nats)))
}
