//! Kolmogorov–Smirnov test, two samples, two sides.
//!
//! D = max |F(x) − G(x)| over the empirical distribution functions; 0 to 1.
//! Source: Hodges (1957) for the exact probability, used up to 10,000 rows a side as SciPy does, except
//! where the asymptotic one is below 1e-30; beyond that Simard and L'Ecuyer (2011).
//! Useful: without bins or parameters, for any change of shape; D is the effect size.
//! Not useful: for tails, where both functions are near 0 or 1; on sketches, whose error it finds; in
//! huge windows without a least effect, where every p-value is small.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::kolmogorov;

pub(super) const DETECTOR: Detector = Detector {
    name: "kolmogorov_smirnov",
    title: "Kolmogorov–Smirnov test",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

/// Rows of the larger side up to which the probability is exact.
const EXACT_ROWS: usize = 10_000;
/// Smaller than this a probability need not be exact.
const NEVER: f64 = 1e-30;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as u64, current.len() as u64);
    let (mut left, mut right, mut most) = (0_u64, 0_u64, 0_i128);
    for step in pair.steps()? {
        left += u64::from(step.reference);
        right += u64::from(step.current);
        let apart = i128::from(left) * i128::from(m) - i128::from(right) * i128::from(n);
        most = most.max(apart.abs());
    }
    let value = most as f64 / (n as f64 * m as f64);
    let probability = asymptotic(n, m, value);
    let exact = reference.len().max(current.len()) <= EXACT_ROWS && probability > NEVER;
    let probability =
        if exact { kolmogorov::two_sample_exact(n, m, value) } else { probability };
    Ok(Measure::of_distance(value, probability))
}

fn asymptotic(n: u64, m: u64, value: f64) -> f64 {
    // Half to even, as NumPy rounds.
    let rows = (n as f64 * m as f64 / (n as f64 + m as f64)).round_ties_even().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below n")]
    let rows = rows as u64;
    kolmogorov::two_sided_sf(rows, value)
}
