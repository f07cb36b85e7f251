//! Two-proportion z test.
//!
//! z = (p − q) / sqrt(P(1 − P)(1/n + 1/m)) with the pooled share P; two sides.
//! Source: textbook; Evidently's default for columns with two values. The effect is |p − q|.
//! Useful: for rates of a flag: approvals, fraud, clicks.
//! Not useful: for more than two values, or fewer than about ten rows of either (`fisher_exact`).

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::special;

pub(super) const DETECTOR: Detector = Detector {
    name: "proportions_z",
    title: "Two-proportion z test",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.01,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    if counts.freedom() == 0.0 {
        return Ok(Measure::of_test(0.0, 1.0, 0.0));
    }
    let ([a, _], [c, _]) = (&counts.reference[..], &counts.current[..]) else {
        return Err(Error::Undefined("other than two categories"));
    };
    let (n, m) = counts.totals();
    let (p, q) = (*a as f64 / n, *c as f64 / m);
    let pooled = (a + c) as f64 / (n + m);
    let z = (p - q) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    Ok(Measure::of_test(z, special::normal_two_sided(z), (p - q).abs()))
}
