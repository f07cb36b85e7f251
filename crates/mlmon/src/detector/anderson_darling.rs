//! Anderson–Darling test, two samples.
//!
//! The normalised A² of midranks: squared differences of the distribution functions, weighted by
//! 1 / (H(1 − H)), which gives the tails as much say as the middle.
//! Source: Scholz and Stephens (1987). The p-value is SciPy's interpolation of their table between
//! 0.25 and 0.001; beyond the table it goes on along the tangent, where SciPy stops.
//! Useful: for changes in the tails, such as rare large amounts.
//! Not useful: where p-values outside the table must be accurate.

use std::cell::Cell;

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;

pub(super) const DETECTOR: Detector = Detector {
    name: "anderson_darling",
    title: "Anderson–Darling test",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.0005,
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let steps = pair.steps()?;
    if steps.len() < 2 || total < 4.0 {
        return Ok(Measure::of_test(0.0, 1.0, 0.0));
    }
    let (mut left, mut right, mut sum) = (0.0, 0.0, [0.0; 2]);
    for step in steps {
        let (r, c) = (f64::from(step.reference), f64::from(step.current));
        let here = r + c;
        let middle = left + right + here / 2.0;
        let weight = here / total / (middle * (total - middle) - total * here / 4.0);
        sum[0] += weight * (total * (left + r / 2.0) - middle * n).powi(2);
        sum[1] += weight * (total * (right + c / 2.0) - middle * m).powi(2);
        left += r;
        right += c;
    }
    let square = (sum[0] / n + sum[1] / m) * (total - 1.0) / total;
    let value = (square - 1.0) / variance(n, m).sqrt();
    let effect = (square * (1.0 / n + 1.0 / m)).max(0.0);
    Ok(Measure::of_test(value, probability(value), effect))
}

thread_local! {
    static HARMONICS: Cell<(usize, f64, f64)> = const { Cell::new((0, 0.0, 0.0)) };
}

/// Σ 1/i and the double sum of Scholz and Stephens; the last answer is kept, since all columns of a
/// comparison have about the same number of rows.
fn harmonics(total: usize) -> (f64, f64) {
    let (known, h, g) = HARMONICS.get();
    if known == total {
        return (h, g);
    }
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..total {
        h += 1.0 / (total - i + 1) as f64;
        g += h / i as f64;
    }
    HARMONICS.set((total, h + 1.0, g));
    (h + 1.0, g)
}

fn variance(n: f64, m: f64) -> f64 {
    let total = n + m;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
    let (h, g) = harmonics(total as usize);
    let k = 2.0;
    let inverse = 1.0 / n + 1.0 / m;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k
        + (4.0 * h - 4.0 * g + 6.0) * k
        + (2.0 * h - 6.0) * inverse
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (a * total.powi(3) + b * total.powi(2) + c * total + d)
        / ((total - 1.0) * (total - 2.0) * (total - 3.0))
}

/// Critical values of the table for two samples and their significance.
const TABLE: [(f64, f64); 7] = [
    (0.675 - 0.245 - 0.105, 0.25),
    (1.281 + 0.25 - 0.305, 0.1),
    (1.645 + 0.678 - 0.362, 0.05),
    (1.96 + 1.149 - 0.391, 0.025),
    (2.326 + 1.822 - 0.396, 0.01),
    (2.573 + 2.364 - 0.345, 0.005),
    (3.085 + 3.615 - 0.154, 0.001),
];

fn probability(value: f64) -> f64 {
    let [a, b, c] = parabola();
    let at = |x: f64| a + b * x + c * x * x;
    let slope = |x: f64| b + 2.0 * c * x;
    let (least, most) = (TABLE[0].0, TABLE[6].0);
    let ln = if value < least {
        // Towards 1, which is reached where the tangent does.
        at(least) + slope(least) * (value - least)
    } else if value > most {
        at(most) + slope(most) * (value - most)
    } else {
        at(value)
    };
    ln.exp().min(1.0)
}

/// Least squares of ln(significance) on the critical value, degree two.
fn parabola() -> [f64; 3] {
    let mut matrix = [[0.0_f64; 4]; 3];
    for (x, significance) in TABLE {
        let powers = [1.0, x, x * x];
        for (row, p) in matrix.iter_mut().zip(powers) {
            for (cell, q) in row.iter_mut().zip(powers) {
                *cell += p * q;
            }
            row[3] += p * significance.ln();
        }
    }
    for pivot in 0..3 {
        for row in 0..3 {
            if row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot];
                let above = matrix[pivot];
                matrix[row].iter_mut().zip(above).for_each(|(cell, one)| *cell -= factor * one);
            }
        }
    }
    [0, 1, 2].map(|i| matrix[i][3] / matrix[i][i])
}
