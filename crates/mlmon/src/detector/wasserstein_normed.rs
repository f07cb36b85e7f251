//! Wasserstein distance in standard deviations of the reference.
//!
//! W₁ / max(sd(reference), 0.001).
//! Source: Evidently's default for numbers in more than 1,000 rows, alarm from 0.1 on.
//! Useful: comparable across columns; a mean shift of d standard deviations gives d.
//! Not useful: with outliers in the reference, whose standard deviation then hides everything.

use super::wasserstein::distance;
use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::deviation;

pub(super) const DETECTOR: Detector = Detector {
    name: "wasserstein_normed",
    title: "Wasserstein distance, normed",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (value, probability) = distance(pair)?;
    let spread = deviation(pair.samples()?.0, 0).max(0.001);
    Ok(Measure::of_distance(value / spread, probability))
}
