//! Energy distance.
//!
//! E = sqrt(2 ∫ (F(x) − G(x))² dx), in the root of the column's unit.
//! Source: Székely and Rizzo (2013); SciPy's `energy_distance`. The p-value is that of 2∫B²dx of a
//! Brownian bridge over the reference's quantiles (mean and variance by quadrature, gamma tail).
//! Useful: like Wasserstein, but large gaps weigh more; generalises to many dimensions.
//! Not useful: to compare columns of different units; with outliers.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::{deviation, null};

pub(super) const DETECTOR: Detector = Detector {
    name: "energy",
    title: "Energy distance",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ValueAtLeast(0.1),
    negligible: 0.01,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (mut left, mut right, mut area) = (0.0, 0.0, 0.0);
    for between in pair.steps()?.windows(2) {
        left += f64::from(between[0].reference);
        right += f64::from(between[0].current);
        let apart: f64 = left / n - right / m;
        area += apart * apart * (between[1].value - between[0].value);
    }
    let square = 2.0 * area;
    let (mean, variance) = null::bridge_square_moments(reference, 1.0 / n + 1.0 / m);
    let probability = null::gamma_tail(square, mean, variance);
    let spread = deviation(reference, 0).max(f64::MIN_POSITIVE);
    Ok(Measure::of_test(square.sqrt(), probability, (square / spread).sqrt()))
}
