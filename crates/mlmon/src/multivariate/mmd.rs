//! Maximum mean discrepancy with a Gaussian kernel.
//!
//! MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y), k(a, b) = exp(−|a − b|² / 2σ²), σ the median
//! distance; its p-value by permutations. The linear-time form pairs rows and is normal.
//! Source: Gretton and others (2012).
//! Useful: for any difference of distributions in many dimensions, embeddings too.
//! Not useful: in its full form beyond some thousand rows (it is quadratic: rows beyond the limit are
//! left out evenly); the linear form needs many rows to see small changes.

use crate::Error;
use crate::detector::Measure;
use crate::stat::random::Random;
use crate::stat::{self, special};

/// Rows of each side that the full form looks at.
pub const ROWS_LIMIT: usize = 1000;
const PERMUTATIONS: usize = 200;
const SEED: u64 = 42;

fn square_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn checked(rows: &[Vec<f64>], width: usize) -> Result<Vec<&[f64]>, Error> {
    if rows.len() < 4 {
        return Err(Error::Empty("a side (four rows are the least)"));
    }
    if rows.iter().any(|row| row.len() != width) {
        return Err(Error::Mismatch("rows of different lengths".to_owned()));
    }
    if rows.iter().flatten().any(|value| !value.is_finite()) {
        return Err(Error::Undefined("values that are missing or not finite"));
    }
    let step = rows.len().div_ceil(ROWS_LIMIT);
    Ok(rows.iter().step_by(step).map(Vec::as_slice).collect())
}

fn median_square(rows: &[&[f64]]) -> f64 {
    let mut random = Random::new(SEED);
    let mut squares: Vec<f64> = (0..2000)
        .map(|_| square_distance(rows[random.below(rows.len())], rows[random.below(rows.len())]))
        .filter(|square| *square > 0.0)
        .collect();
    squares.sort_unstable_by(f64::total_cmp);
    squares.get(squares.len() / 2).copied().unwrap_or(1.0)
}

/// The full form.
pub fn quadratic(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Result<Measure, Error> {
    let width = reference.first().map_or(0, Vec::len);
    let (left, right) = (checked(reference, width)?, checked(current, width)?);
    let n = left.len();
    let all: Vec<&[f64]> = left.into_iter().chain(right).collect();
    let sigma = median_square(&all);
    let size = all.len();
    let mut kernel = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let value = (-square_distance(all[i], all[j]) / (2.0 * sigma)).exp();
            kernel[i * size + j] = value;
            kernel[j * size + i] = value;
        }
    }
    let totals: Vec<f64> = kernel.chunks_exact(size).map(|row| row.iter().sum()).collect();
    let mut order: Vec<usize> = (0..size).collect();
    let value = discrepancy(&kernel, &totals, &order, n);
    let mut random = Random::new(SEED);
    let mut beyond = 1.0;
    for _ in 0..PERMUTATIONS {
        random.shuffle(&mut order);
        beyond += f64::from(u8::from(discrepancy(&kernel, &totals, &order, n) >= value));
    }
    let probability = beyond / (PERMUTATIONS as f64 + 1.0);
    Ok(Measure::of_test(value, probability, value.max(0.0).sqrt()))
}

/// The unbiased estimate where the first `n` of the order are one side.
fn discrepancy(kernel: &[f64], totals: &[f64], order: &[usize], n: usize) -> f64 {
    let size = order.len();
    let m = size - n;
    let mut is_left = vec![0.0; size];
    order.iter().take(n).for_each(|row| is_left[*row] = 1.0);
    let (mut inside_left, mut inside_right, mut across) = (0.0, 0.0, 0.0);
    for i in 0..size {
        let row = &kernel[i * size..(i + 1) * size];
        let (all, left) = (totals[i], dot(row, &is_left));
        if is_left[i] > 0.5 {
            inside_left += left - row[i];
            across += all - left;
        } else {
            inside_right += all - left - row[i];
        }
    }
    let (n, m) = (n as f64, m as f64);
    inside_left / (n * (n - 1.0)) + inside_right / (m * (m - 1.0)) - 2.0 * across / (n * m)
}

/// In eight sums that do not wait for each other.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (mine, theirs) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest = mine.remainder().iter().zip(theirs.remainder()).map(|(x, y)| x * y).sum::<f64>();
    for (x, y) in mine.zip(theirs) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The linear-time form: pairs of rows, mean and standard error.
pub fn linear(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Result<Measure, Error> {
    let width = reference.first().map_or(0, Vec::len);
    let some = [checked(reference, width)?, checked(current, width)?].concat();
    let sigma = median_square(&some);
    let k = |a: &[f64], b: &[f64]| (-square_distance(a, b) / (2.0 * sigma)).exp();
    let pairs = reference.chunks_exact(2).zip(current.chunks_exact(2));
    let terms: Vec<f64> = pairs
        .map(|(x, y)| k(&x[0], &x[1]) + k(&y[0], &y[1]) - k(&x[0], &y[1]) - k(&x[1], &y[0]))
        .collect();
    let value = stat::mean(&terms);
    let error = stat::deviation(&terms, 1) / (terms.len() as f64).sqrt();
    let probability = if error > 0.0 { special::normal_sf(value / error) } else { 1.0 };
    Ok(Measure::of_test(value, probability, value.max(0.0).sqrt()))
}
