//! G-test (likelihood ratio) of homogeneity.
//!
//! G = 2 Σ observed · ln(observed / expected) over the 2 × bins table, bins − 1 degrees of freedom.
//! Source: Woolf (1957); SciPy's `chi2_contingency(lambda_="log-likelihood", correction=False)`.
//! The effect is sqrt(G / N).
//! Useful: where shares differ by factors, since it is additive over nested tables.
//! Not useful: for few expected rows, where it is too eager; then its probability is drawn.

use super::{Applies, Detector, Measure, Needs, Rule, chi_square};
use crate::Error;
use crate::pair::Pair;
use crate::stat::{null, special};

pub(super) const DETECTOR: Detector = Detector {
    name: "g_test",
    title: "G-test",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

/// Rows expected in a cell below which the asymptotic distribution is too eager.
const ENOUGH: f64 = 10.0;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    if counts.freedom() == 0.0 {
        return Ok(Measure::of_test(0.0, 1.0, 0.0));
    }
    let value = statistic(&counts.reference, &counts.current);
    let (n, m) = counts.totals();
    let probability = if chi_square::least_expected(&counts) >= ENOUGH {
        special::chi_square_sf(value, counts.freedom())
    } else {
        null::of_counts(&counts.reference, &counts.current, value, statistic)
    };
    Ok(Measure::of_test(value, probability, (value / (n + m)).sqrt()))
}

fn statistic(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (n, m) = (total(reference), total(current));
    let cell = |observed: u64, expected: f64| {
        if observed > 0 { observed as f64 * (observed as f64 / expected).ln() } else { 0.0 }
    };
    let both = reference.iter().zip(current).map(|(r, c)| {
        let share = (r + c) as f64 / (n + m);
        cell(*r, share * n) + cell(*c, share * m)
    });
    (2.0 * both.sum::<f64>()).max(0.0)
}
