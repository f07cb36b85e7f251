//! Welch's t test of two means, variances apart.
//!
//! t = (mean(reference) − mean(current)) / sqrt(s²ᵣ/n + s²꜀/m), Welch–Satterthwaite degrees of freedom.
//! Source: Welch (1947); SciPy's `ttest_ind(equal_var=False)`. The effect is the difference in pooled
//! standard deviations (Cohen's d).
//! Useful: when the mean is what matters (amounts, durations); computed from counters alone.
//! Not useful: for heavy tails in small samples, and for any change that keeps the mean.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::column::Kind;
use crate::pair::Pair;
use crate::stat::special;

pub(super) const DETECTOR: Detector = Detector {
    name: "welch_t",
    title: "Welch's t test",
    applies: Applies::Numeric,
    needs: Needs::Profile,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    if pair.kind != Kind::Numeric {
        return Err(Error::Undefined("categories"));
    }
    let (reference, current) = (pair.reference.moments, pair.current.moments);
    let left = reference.mean().ok_or(Error::Empty("the reference"))?;
    let right = current.mean().ok_or(Error::Empty("the current data"))?;
    let (n, m) = (reference.count() as f64, current.count() as f64);
    let (Some(r), Some(c)) = (reference.variance(1), current.variance(1)) else {
        return Err(Error::Undefined("a single row"));
    };
    let apart = left - right;
    let (r_mean, c_mean) = (r / n, c / m);
    let error = (r_mean + c_mean).sqrt();
    if error == 0.0 {
        let probability = if apart == 0.0 { 1.0 } else { 0.0 };
        let t = if apart == 0.0 { 0.0 } else { apart.signum() * f64::INFINITY };
        return Ok(Measure::of_test(t, probability, t.abs()));
    }
    let freedom = (r_mean + c_mean).powi(2)
        / (r_mean * r_mean / (n - 1.0) + c_mean * c_mean / (m - 1.0));
    let t = apart / error;
    let pooled = (((n - 1.0) * r + (m - 1.0) * c) / (n + m - 2.0)).sqrt();
    Ok(Measure::of_test(t, special::student_two_sided(t, freedom), (apart / pooled).abs()))
}
