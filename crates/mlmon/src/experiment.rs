//! Experiments: the difference of two variants, with a test that may be looked at every day.
//!
//! `difference`: treatment − control with Welch's interval. Right once, at a number of rows that was
//! fixed before.
//! `always_valid`: the mixture sequential probability ratio test. With v the variance of the difference
//! and τ the scale, Λ = √(v/(v + τ²)) · exp(d²τ² / (2v(v + τ²))), p = 1/Λ, and the interval is
//! d ± √(v(v + τ²)/τ² · (2 ln 1/α + ln((v + τ²)/v))). Both hold at all times together: whoever stops as
//! soon as p < α errs at most α of the time. The price is an interval wider by half and more.
//! `sample_ratio`: chi-square of the rows of each variant against the shares that they should have had.
//! Below p = 0.001 something is wrong with assignment or logging, and no number of the experiment can
//! be believed.
//! Source: Welch (1947); Robbins (1970) and Johari and others (2017); Fabijan and others (2019).
//! Useful: for A/B tests, canaries and shadow models; conversions are means of 0 and 1.
//! Not useful: where a row is not what was assigned (several rows of one user hang together: add them up
//! first), and for means of some hundred rows with a heavy tail.

use serde::Serialize;

use crate::Error;
use crate::stat::special;

/// A variant's rows: how many, their mean and variance (divisor n − 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Arm {
    /// Rows.
    pub rows: f64,
    /// Mean outcome; of conversions, their share.
    pub mean: f64,
    /// Variance of one row.
    pub variance: f64,
}

impl Arm {
    /// An arm of conversions.
    pub fn of_conversions(rows: u64, conversions: u64) -> Arm {
        let n = rows as f64;
        let mean = if rows > 0 { conversions as f64 / n } else { 0.0 };
        let correction = if rows > 1 { n / (n - 1.0) } else { 1.0 };
        Arm { rows: n, mean, variance: mean * (1.0 - mean) * correction }
    }
}

/// A difference of means, treatment minus control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
    /// Chance of such a difference, or a greater one, when there is none.
    pub probability: f64,
}

fn error_of(control: &Arm, treatment: &Arm) -> Result<f64, Error> {
    if control.rows < 2.0 || treatment.rows < 2.0 {
        return Err(Error::Empty("a variant (two rows are the least)"));
    }
    let variance = control.variance / control.rows + treatment.variance / treatment.rows;
    if variance.is_finite() && variance >= 0.0 {
        Ok(variance.sqrt())
    } else {
        Err(Error::Undefined("a variance that is not a number"))
    }
}

/// Welch's test and interval at this level (0.05 for 95 %).
pub fn difference(control: &Arm, treatment: &Arm, level: f64) -> Result<Difference, Error> {
    let error = error_of(control, treatment)?;
    let value = treatment.mean - control.mean;
    let (c, t) = (control.variance / control.rows, treatment.variance / treatment.rows);
    let freedom = (c + t).powi(2) / (c * c / (control.rows - 1.0) + t * t / (treatment.rows - 1.0));
    let half = student_isf(level, freedom) * error;
    let probability = match error > 0.0 {
        true => special::student_two_sided(value / error, freedom),
        false => f64::from(u8::from(value.abs() <= 0.0)),
    };
    Ok(Difference { value, lower: value - half, upper: value + half, probability })
}

/// The t with P(|T| > t) = `level`: bisection.
fn student_isf(level: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e4);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if special::student_two_sided(middle, freedom) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The mixture sequential test: a p-value and an interval that hold at all times together. `scale` is
/// the standard deviation of the differences that one expects, in the outcome's unit.
pub fn always_valid(
    control: &Arm,
    treatment: &Arm,
    level: f64,
    scale: f64,
) -> Result<Difference, Error> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(Error::Option(format!("a scale of {scale}")));
    }
    let variance = error_of(control, treatment)?.powi(2);
    if variance <= 0.0 {
        return Err(Error::Undefined("variants without any spread"));
    }
    let value = treatment.mean - control.mean;
    let prior = scale * scale;
    // ln of the likelihood ratio of "some difference" over "none".
    let ratio = 0.5 * (variance / (variance + prior)).ln()
        + value * value * prior / (2.0 * variance * (variance + prior));
    let probability = (-ratio).exp().min(1.0);
    let inside = -2.0 * level.ln() + ((variance + prior) / variance).ln();
    let half = (variance * (variance + prior) / prior * inside).sqrt();
    Ok(Difference { value, lower: value - half, upper: value + half, probability })
}

/// P-value of these counts of rows when the variants should have these shares.
pub fn sample_ratio(rows: &[u64], shares: &[f64]) -> Result<f64, Error> {
    let total = rows.iter().sum::<u64>() as f64;
    let sum: f64 = shares.iter().sum();
    if rows.len() != shares.len() || rows.len() < 2 {
        return Err(Error::Mismatch("a share for each variant, two at least".to_owned()));
    }
    if total <= 0.0 || shares.iter().any(|share| *share <= 0.0 || !share.is_finite()) {
        return Err(Error::Option("shares and rows must be positive".to_owned()));
    }
    let apart = |(rows, share): (&u64, &f64)| {
        let expected = total * share / sum;
        (*rows as f64 - expected).powi(2) / expected
    };
    let value: f64 = rows.iter().zip(shares).map(apart).sum();
    Ok(special::chi_square_sf(value, rows.len() as f64 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::random::Random;

    #[test]
    fn the_interval_is_welchs() {
        let control = Arm { rows: 20.0, mean: 10.0, variance: 4.0 };
        let treatment = Arm { rows: 30.0, mean: 12.0, variance: 9.0 };
        let found = difference(&control, &treatment, 0.05).unwrap();
        // By hand: t = 2 / sqrt(0.2 + 0.3), 47.995 degrees of freedom, quantile 2.0106.
        assert!((found.lower - 0.5783).abs() < 1e-3 && (found.upper - 3.4217).abs() < 1e-3);
        assert!((found.probability - 0.00684).abs() < 2e-4, "{}", found.probability);
    }

    #[test]
    fn looking_after_every_hundred_rows_does_not_raise_false_alarms() {
        let mut random = Random::new(3);
        let runs = 300;
        let (mut fixed, mut valid) = (0, 0);
        for _ in 0..runs {
            let (mut counts, mut seen) = ([0_u64; 2], [false; 2]);
            for look in 1..=50_u64 {
                for count in &mut counts {
                    *count += random.binomial(100, 0.1);
                }
                let [control, treatment] =
                    counts.map(|count| Arm::of_conversions(look * 100, count));
                let once = difference(&control, &treatment, 0.05).unwrap();
                let always = always_valid(&control, &treatment, 0.05, 0.02).unwrap();
                seen[0] |= once.probability < 0.05;
                seen[1] |= always.probability < 0.05;
            }
            fixed += u32::from(seen[0]);
            valid += u32::from(seen[1]);
        }
        assert!(fixed > runs / 10, "peeking at a fixed test alarms often: {fixed}");
        assert!(valid <= runs / 20, "{valid}");
    }

    #[test]
    fn the_sequential_interval_is_robbins_and_agrees_with_its_p_value() {
        let control = Arm { rows: 1000.0, mean: 10.0, variance: 4.0 };
        let treatment = Arm { rows: 1000.0, mean: 10.4, variance: 4.0 };
        let found = always_valid(&control, &treatment, 0.05, 0.1).unwrap();
        // By hand: v = 0.008, τ² = 0.01; √(0.008 · 0.018 / 0.01 · (5.9915 + ln 2.25)) = 0.31295;
        // ln Λ = ½ ln(0.008 / 0.018) + 0.16 · 0.01 / (2 · 0.008 · 0.018) = 5.15009.
        assert!((found.upper - 0.4 - 0.312_95).abs() < 1e-4, "{found:?}");
        assert!((found.probability.ln() + 5.150_09).abs() < 1e-4, "{}", found.probability.ln());
        // The interval leaves nought out exactly where the p-value is below the level.
        let edge = Arm { mean: 10.0 + found.upper - 0.4, ..treatment };
        let at_edge = always_valid(&control, &edge, 0.05, 0.1).unwrap();
        assert!((at_edge.probability - 0.05).abs() < 1e-9 && at_edge.lower.abs() < 1e-9);
        let still = Arm { variance: 0.0, ..control };
        assert!(always_valid(&still, &still, 0.05, 0.1).is_err());
    }

    #[test]
    fn a_wrong_split_is_found() {
        assert!(sample_ratio(&[50_000, 50_200], &[0.5, 0.5]).unwrap() > 0.1);
        assert!(sample_ratio(&[50_000, 52_000], &[0.5, 0.5]).unwrap() < 1e-6);
        assert!(sample_ratio(&[1], &[1.0]).is_err());
    }
}
