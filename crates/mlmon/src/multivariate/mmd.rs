//! Maximum mean discrepancy with a Gaussian kernel.
//!
//! MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y) over pairs of different rows,
//! k(a, b) = exp(−|a − b|² / σ²), σ the median distance of a row of one side and one of the other.
//! Its p-value is the tail of the weighted chi-squares that MMD² · nm/(n+m) is without drift (their
//! weights from 400 rows). The linear-time form pairs rows and is normal.
//! Source: Gretton and others (2012); σ as Evidently 0.7.23 takes it for embeddings.
//! Useful: for any difference of distributions in many dimensions, embeddings too.
//! Not useful: in its full form beyond some thousand rows (it is quadratic: rows beyond the limit are
//! left out evenly); the linear form needs many rows to see small changes.

use crate::Error;
use crate::detector::Measure;
use crate::stat::quadratic::{self, Weights, square_distance};
use crate::stat::random::Random;
use crate::stat::{self, special};

/// Rows of each side that the full form looks at.
pub const ROWS_LIMIT: usize = 1000;
const ROWS_LEAST: usize = 4;
const SEED: u64 = 42;

/// At most so many of the rows, evenly spread.
fn spread<T: Copy>(rows: &[T], limit: usize) -> Vec<T> {
    let step = rows.len().div_ceil(limit).max(1);
    rows.iter().copied().step_by(step).collect()
}

fn check(left: &[&[f64]], right: &[&[f64]]) -> Result<(), Error> {
    if left.len() < ROWS_LEAST || right.len() < ROWS_LEAST {
        return Err(Error::Empty("a side (four rows are the least)"));
    }
    let mut rows = left.iter().chain(right);
    if rows.clone().any(|row| row.len() != left[0].len()) {
        return Err(Error::Mismatch("rows of different lengths".to_owned()));
    }
    if !rows.all(|row| row.iter().all(|value| value.is_finite())) {
        return Err(Error::Undefined("values that are missing or not finite"));
    }
    Ok(())
}

fn slices(rows: &[Vec<f64>]) -> Vec<&[f64]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// The full form.
pub fn quadratic(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Result<Measure, Error> {
    of_rows(&slices(reference), &slices(current))
}

/// The full form, of rows that lie anywhere.
pub fn of_rows(reference: &[&[f64]], current: &[&[f64]]) -> Result<Measure, Error> {
    let (left, right) = (spread(reference, ROWS_LIMIT), spread(current, ROWS_LIMIT));
    check(&left, &right)?;
    let (n, m) = (left.len(), right.len());
    let all: Vec<&[f64]> = left.into_iter().chain(right).collect();
    let size = all.len();
    // Squared distances first, half of them: the kernel's width comes from those across.
    let mut kernel = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..i {
            kernel[i * size + j] = square_distance(all[i], all[j]);
        }
    }
    let across = (n..size).flat_map(|i| &kernel[i * size..i * size + n]).copied();
    let width = median(across.map(f64::sqrt).collect()).powi(2);
    let mut inside = [0.0; 2];
    let mut between = 0.0;
    for i in 0..size {
        for j in 0..i {
            let value = similarity(kernel[i * size + j], width);
            kernel[i * size + j] = value;
            kernel[j * size + i] = value;
            match (i < n, j < n) {
                (true, _) => inside[0] += 2.0 * value,
                (false, true) => between += value,
                (false, false) => inside[1] += 2.0 * value,
            }
        }
    }
    let mean = (inside[0] + inside[1] + 2.0 * between) / (size * (size - 1)) as f64;
    let (n, m) = (n as f64, m as f64);
    let value = inside[0] / (n * (n - 1.0)) + inside[1] / (m * (m - 1.0)) - 2.0 * between / (n * m);
    let rows = spread(&(0..size).collect::<Vec<usize>>(), quadratic::ROWS_LIMIT);
    let among = |i: &usize| rows.iter().map(|j| kernel[i * size + j]).collect::<Vec<f64>>();
    let some = rows.iter().flat_map(among).collect();
    // What a row is like itself, less what it is like any other.
    let sum = 1.0 - mean;
    let probability =
        Weights::of_products(some, rows.len(), sum).tail(value * n * m / (n + m), sum);
    Ok(Measure::of_test(value, probability, value.max(0.0).sqrt()))
}

fn similarity(square: f64, width: f64) -> f64 {
    if width > 0.0 { (-square / width).exp() } else { f64::from(u8::from(square == 0.0)) }
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if even => f64::midpoint(lower, upper),
        _ => upper,
    }
}

/// The linear-time form: pairs of rows, mean and standard error.
pub fn linear(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Result<Measure, Error> {
    let (left, right) = (slices(reference), slices(current));
    check(&left, &right)?;
    let mut random = Random::new(SEED);
    let mut across = || {
        let (x, y) = (left[random.below(left.len())], right[random.below(right.len())]);
        square_distance(x, y).sqrt()
    };
    let width = median((0..2000).map(|_| across()).collect()).powi(2);
    let k = |a: &[f64], b: &[f64]| similarity(square_distance(a, b), width);
    let pairs = left.chunks_exact(2).zip(right.chunks_exact(2));
    let terms: Vec<f64> =
        pairs.map(|(x, y)| k(x[0], x[1]) + k(y[0], y[1]) - k(x[0], y[1]) - k(x[1], y[0])).collect();
    let value = stat::mean(&terms);
    let error = stat::deviation(&terms, 1) / (terms.len() as f64).sqrt();
    let probability = if error > 0.0 { special::normal_sf(value / error) } else { 1.0 };
    Ok(Measure::of_test(value, probability, value.max(0.0).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::super::domain;
    use super::*;
    use crate::gbdt::Feature;

    /// Two columns that each keep their distribution while their correlation turns.
    fn rows(seed: u64, n: usize, correlation: f64) -> Vec<Vec<f64>> {
        let mut random = Random::new(seed);
        let mut row = || {
            let (x, y) = (random.normal(), random.normal());
            vec![x, correlation * x + (1.0 - correlation * correlation).sqrt() * y]
        };
        (0..n).map(|_| row()).collect()
    }

    fn features(rows: &[Vec<f64>]) -> Vec<Feature> {
        (0..2).map(|i| Feature::Numbers(rows.iter().map(|row| row[i]).collect())).collect()
    }

    #[test]
    fn a_turned_correlation_is_found_by_what_looks_at_columns_together() {
        let (reference, same) = (rows(1, 800, 0.8), rows(2, 800, 0.8));
        let turned = rows(3, 800, -0.8);
        assert!(quadratic(&reference, &turned).unwrap().probability < 1e-6);
        assert!(quadratic(&reference, &same).unwrap().probability > 0.05);
        assert!(linear(&reference, &turned).unwrap().probability < 0.01);
        let auroc = |rows: &[Vec<f64>]| {
            domain::classify(&features(&reference), &features(rows)).unwrap().value
        };
        let (apart, alike) = (auroc(&turned), auroc(&same));
        assert!(apart > 0.8 && (0.42..0.58).contains(&alike), "{apart} {alike}");
    }

    #[test]
    fn rows_that_are_all_the_same_are_no_drift() {
        let same = vec![vec![1.0, 2.0]; 10];
        assert!(quadratic(&same, &same).unwrap().probability > 0.99);
        assert!(quadratic(&same, &[]).is_err());
    }
}
