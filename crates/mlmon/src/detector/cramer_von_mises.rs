//! Cramér–von Mises test, two samples.
//!
//! T = U / (nm(n+m)) − (4nm − 1) / (6(n+m)) with U from the ranks of both samples.
//! Source: Anderson (1962); the p-value is the limit distribution at the standardised T, as SciPy's
//! `cramervonmises_2samp(method="asymptotic")`, also for small samples.
//! Useful: like Kolmogorov–Smirnov, but it adds up the whole difference and so sees broad small shifts.
//! Not useful: for tails; below 20 rows, where its probability is only near.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use std::f64::consts::PI;

pub(super) const DETECTOR: Detector = Detector {
    name: "cramer_von_mises",
    title: "Cramér–von Mises test",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.0001,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let (mut left, mut right) = (0.0, 0.0);
    let (mut of_left, mut of_right) = (0.0, 0.0);
    for step in pair.steps()? {
        let (r, c) = (f64::from(step.reference), f64::from(step.current));
        let rank = left + right + f64::midpoint(r + c, 1.0);
        // Σ (rank − i)² over the i of this value, in closed form.
        of_left += squares(rank - left, r);
        of_right += squares(rank - right, c);
        left += r;
        right += c;
    }
    let u = n * of_left + m * of_right;
    let product = n * m;
    let value = u / (product * total) - (4.0 * product - 1.0) / (6.0 * total);
    let expected = (1.0 + 1.0 / total) / 6.0;
    let variance = (total + 1.0)
        * (4.0 * product * total - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * total * total * 4.0 * product);
    let standard = 1.0 / 6.0 + (value - expected) / (45.0 * variance).sqrt();
    let probability = if !standard.is_finite() || standard < 0.003 {
        1.0
    } else {
        (1.0 - limit(standard)).max(0.0)
    };
    let effect = value * (1.0 / n + 1.0 / m);
    Ok(Measure::of_test(value, probability, effect.max(0.0)))
}

/// Σ over k = 1..=count of (from − k)².
fn squares(from: f64, count: f64) -> f64 {
    let sum = count * (count + 1.0) / 2.0;
    let square = sum * (2.0 * count + 1.0) / 3.0;
    count * from * from - 2.0 * from * sum + square
}

/// The limit distribution of Cramér and von Mises.
fn limit(x: f64) -> f64 {
    let mut sum = 0.0;
    // Γ(k + ½) / k!
    let mut weight = PI.sqrt();
    for k in 0..100 {
        let k = f64::from(k);
        let odd = 4.0 * k + 1.0;
        let q = odd * odd / (16.0 * x);
        let term = weight * odd.sqrt() * (-2.0 * q).exp() * scaled_bessel_k_quarter(q);
        sum += term;
        weight *= (k + 0.5) / (k + 1.0);
        if term < 1e-17 {
            break;
        }
    }
    sum / (PI.powf(1.5) * x.sqrt())
}

/// e^y · K_¼(y) = ∫₀^∞ exp(−y (cosh t − 1)) cosh(t/4) dt; the trapezoid rule converges doubly fast.
fn scaled_bessel_k_quarter(y: f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    // Beyond t = 40 the integrand has vanished for any y that a statistic can give.
    const STEPS: i32 = 40 * 32;
    let mut sum = 0.5;
    for step in 1..STEPS {
        let t = f64::from(step) * STEP;
        let exponent = y * (t.cosh() - 1.0);
        if exponent > 745.0 {
            break;
        }
        sum += (-exponent).exp() * (t / 4.0).cosh();
    }
    sum * STEP
}
