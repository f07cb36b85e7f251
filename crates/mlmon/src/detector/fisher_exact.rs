//! Fisher's exact test for two categories, two sides.
//!
//! The sum of the hypergeometric probabilities of all 2 × 2 tables that are no more likely than the
//! observed one. The value is the odds ratio, the effect its absolute logarithm (half a row added).
//! Source: Fisher (1934); SciPy's `fisher_exact`.
//! Useful: for flags in small windows, where every approximation fails.
//! Not useful: for more than two categories (`chi_square` draws its probability where counts are small).

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::special::ln_factorial;

pub(super) const DETECTOR: Detector = Detector {
    name: "fisher_exact",
    title: "Fisher's exact test",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.05,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    let ([a, b], [c, d]) = (&counts.reference[..], &counts.current[..]) else {
        return Err(Error::Undefined("other than two categories"));
    };
    let ratio = (*a as f64 * *d as f64) / (*b as f64 * *c as f64);
    let half = |count: &u64| *count as f64 + 0.5;
    let effect = (half(a) * half(d) / (half(b) * half(c))).ln().abs();
    Ok(Measure::of_test(ratio, probability(*a, *b, *c, *d), effect))
}

fn probability(a: u64, b: u64, c: u64, d: u64) -> f64 {
    let (row, column, total) = (a + b, a + c, a + b + c + d);
    let choose = |n: u64, k: u64| {
        let (n, k) = (n as f64, k as f64);
        ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
    };
    let all = choose(total, column);
    let ln = |x: u64| choose(row, x) + choose(total - row, column - x) - all;
    let (least, most) = (column.saturating_sub(total - row), row.min(column));
    let observed = ln(a);
    // The tolerance makes tables equal that differ only by rounding.
    let no_more_likely = |x: &u64| ln(*x) <= observed + 1e-7;
    (least..=most).filter(no_more_likely).map(|x| ln(x).exp()).sum::<f64>().min(1.0)
}
