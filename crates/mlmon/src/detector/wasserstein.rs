//! Wasserstein (earth mover's) distance, in the column's own unit.
//!
//! W₁ = ∫ |F(x) − G(x)| dx.
//! Source: Vallender (1974) for one dimension; the p-value is that of ∫|B(F(x))|dx of a Brownian
//! bridge over the reference's quantiles (mean and variance by quadrature, gamma tail, not below
//! that of the difference of means).
//! Useful: says how far rows moved on average, in euros or seconds.
//! Not useful: to compare columns of different units (`wasserstein_normed` does), or with outliers:
//! one value far away moves it as much as all others together.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::{deviation, null};

pub(super) const DETECTOR: Detector = Detector {
    name: "wasserstein",
    title: "Wasserstein distance",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (value, probability) = distance(pair)?;
    let spread = deviation(pair.samples()?.0, 0);
    Ok(Measure::of_test(value, probability, value / spread.max(f64::MIN_POSITIVE)))
}

pub(super) fn distance(pair: &Pair<'_>) -> Result<(f64, f64), Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let steps = pair.steps()?;
    let (mut left, mut right, mut area) = (0.0, 0.0, 0.0);
    for between in steps.windows(2) {
        left += f64::from(between[0].reference);
        right += f64::from(between[0].current);
        area += (left / n - right / m).abs() * (between[1].value - between[0].value);
    }
    let scale = 1.0 / n + 1.0 / m;
    let moments = null::bridge_area_moments(reference, scale);
    let of_means = deviation(reference, 0) * scale.sqrt();
    Ok((area, null::area_tail(area, moments, of_means)))
}
