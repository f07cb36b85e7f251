//! The distribution of the Kolmogorov–Smirnov statistic, one and two samples.
//!
//! Sources: Marsaglia, Tsang, Wang (2003) for the exact matrix form; Pelz, Good (1976) for large n;
//! Birnbaum, Tingey (1951) for the tail; Simard, L'Ecuyer (2011) for which of them where. The same
//! choice as SciPy's `kstwo`, so that p-values are equal to it. The exact two-sample probability
//! counts lattice paths (Hodges 1957), inside out so that small probabilities keep their digits.

use super::special::ln_factorial;
use std::f64::consts::PI;

/// P(D_n > x), both sides, one sample of `n` against a continuous distribution.
pub fn two_sided_sf(n: u64, x: f64) -> f64 {
    if n == 0 || x <= 0.0 || x.is_nan() {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let size = n as f64;
    let t = size * x;
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        return 1.0 - (ln_factorial(size) - size * size.ln() + size * (2.0 * t - 1.0).ln()).exp();
    }
    if t >= size - 1.0 {
        return (2.0 * (1.0 - x).powf(size)).clamp(0.0, 1.0);
    }
    let square = t * x;
    let tail = if n <= 140 { 4.0 } else { 2.2 };
    if x >= 0.5 || square >= tail {
        return if square >= 370.0 { 0.0 } else { (2.0 * one_sided_sf(n, x)).clamp(0.0, 1.0) };
    }
    let below = if n <= 140 || (n <= 100_000 && size * x.powf(1.5) <= 1.4) {
        durbin(n, x)
    } else {
        pelz_good(size, x)
    };
    (1.0 - below).clamp(0.0, 1.0)
}

/// P(D+_n > x): a sum over the place of the crossing. For large n the sum is smooth and vanishes at
/// both ends with all its derivatives, so that every h-th term is enough.
fn one_sided_sf(n: u64, x: f64) -> f64 {
    const TERMS: f64 = 4096.0;
    let size = n as f64;
    let last = (size * (1.0 - x)).floor();
    let top = ln_factorial(size);
    let term = |j: f64| {
        let up = x + j / size;
        let down = 1.0 - up;
        if down <= 0.0 {
            return if j >= size { up.powf(j - 1.0) } else { 0.0 };
        }
        let choose = top - ln_factorial(j) - ln_factorial(size - j);
        (choose + (j - 1.0) * up.ln() + (size - j) * down.ln()).exp()
    };
    let step = if last > TERMS { last / TERMS } else { 1.0 };
    let mut sum = 0.0;
    let mut j = 0.0;
    while j <= last {
        sum += term(j);
        j += step;
    }
    x * sum * step
}

/// P(D_n <= x) by Durbin's matrix.
fn durbin(n: u64, x: f64) -> f64 {
    let t = n as f64 * x;
    let k = t.ceil();
    let h = k - t;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 140")]
    let k = k as usize;
    let m = 2 * k - 1;
    let mut matrix = vec![0.0; m * m];
    let mut factorials = vec![1.0; m + 2];
    for i in 1..factorials.len() {
        factorials[i] = factorials[i - 1] * i as f64;
    }
    for row in 0..m {
        for column in 0..m.min(row + 2) {
            matrix[row * m + column] = 1.0 / factorials[row + 1 - column];
        }
    }
    for i in 0..m {
        let edge = h.powf((i + 1) as f64) / factorials[i + 1];
        matrix[i * m] -= edge;
        matrix[(m - 1) * m + (m - 1 - i)] -= edge;
    }
    let corner = (2.0 * h - 1.0).max(0.0).powf(m as f64) / factorials[m];
    matrix[(m - 1) * m] += corner;
    let (power, exponent) = matrix_power(&matrix, m, n);
    let mut ln = power[(k - 1) * m + k - 1].ln() + f64::from(exponent) * 10.0_f64.ln();
    ln += ln_factorial(n as f64) - n as f64 * (n as f64).ln();
    ln.exp().clamp(0.0, 1.0)
}

fn matrix_power(base: &[f64], m: usize, n: u64) -> (Vec<f64>, i32) {
    let mut result: Vec<f64> = (0..m * m).map(|i| f64::from(i % (m + 1) == 0)).collect();
    let mut result_exponent = 0;
    let (mut square, mut square_exponent) = (base.to_vec(), 0);
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            result = multiply(&result, &square, m);
            result_exponent += square_exponent;
            rescale(&mut result, m, &mut result_exponent);
        }
        left >>= 1;
        if left > 0 {
            square = multiply(&square, &square, m);
            square_exponent *= 2;
            rescale(&mut square, m, &mut square_exponent);
        }
    }
    (result, result_exponent)
}

fn rescale(matrix: &mut [f64], m: usize, exponent: &mut i32) {
    if matrix[(m / 2) * m + m / 2] > 1e140 {
        matrix.iter_mut().for_each(|cell| *cell *= 1e-140);
        *exponent += 140;
    }
}

fn multiply(left: &[f64], right: &[f64], m: usize) -> Vec<f64> {
    let mut product = vec![0.0; m * m];
    for (row, out) in left.chunks_exact(m).zip(product.chunks_exact_mut(m)) {
        for (factor, line) in row.iter().zip(right.chunks_exact(m)) {
            out.iter_mut().zip(line).for_each(|(cell, value)| *cell += factor * value);
        }
    }
    product
}

/// P(D_n <= x) for large n: four terms in powers of 1/sqrt(n).
fn pelz_good(n: f64, x: f64) -> f64 {
    let z = n.sqrt() * x;
    let z2 = z * z;
    if PI * PI / 8.0 / z2 > 708.0 {
        return 0.0;
    }
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let (p2, p4, p6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let mut sums = [0.0_f64; 4];
    #[expect(clippy::cast_possible_truncation, reason = "a few dozen")]
    let terms = (16.0 * z / PI).ceil() as i32;
    let q = (-p2 / 8.0 / z2).exp();
    for k in (1..=terms).rev() {
        let m2 = f64::from(2 * k - 1).powi(2);
        let weight = q.powf(m2);
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        sums[0] += weight;
        sums[1] += weight * (-z2 + p2 / 4.0 * m2);
        sums[2] += weight
            * (6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * p2 / 4.0 * m2
                + p4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        sums[3] += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + p2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + p4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + p6 * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let root = (2.0 * PI).sqrt();
    sums[0] *= root / z;
    sums[1] *= root / (6.0 * z4);
    sums[2] *= root / (72.0 * z.powi(7));
    sums[3] *= root / (6480.0 * z.powi(10));
    let q = (-p2 / 2.0 / z2).exp();
    for k in 1..=terms {
        let k2 = f64::from(k * k);
        let weight = q.powf(k2) * k2;
        sums[2] -= weight * p2 * root / (36.0 * z2 * z);
        sums[3] += weight * (3.0 * z2 - p2 * k2) * p2 * root / (216.0 * z6);
    }
    let root_n = n.sqrt();
    sums[0] + sums[1] / root_n + sums[2] / n + sums[3] / (n * root_n)
}

/// P(D > = d) of two samples of `n` and `m`, exactly: the share of lattice paths from (0,0) to (n,m)
/// that leave the band |i/n - j/m| < d. Costs one step for each lattice point inside the band.
pub fn two_sample_exact(n: u64, m: u64, d: f64) -> f64 {
    let (n, m) = (n.max(m), n.min(m));
    if d <= 0.0 || m == 0 {
        return 1.0;
    }
    let (rows, columns) = (n as f64, m as f64);
    // Half a lattice step below d, so that points at d itself count as outside.
    let limit = d - 0.5 / (rows * columns);
    let width = usize::try_from(m).unwrap_or(usize::MAX);
    let mut outside = vec![1.0_f64; width + 1];
    let inside = |i: f64, j: f64| (i / rows - j / columns).abs() < limit;
    outside[0] = 0.0;
    for (j, cell) in outside.iter_mut().enumerate().skip(1) {
        *cell = f64::from(!inside(0.0, j as f64));
        if *cell > 0.0 {
            break;
        }
    }
    for i in 1..=n {
        let i = i as f64;
        let low = ((i / rows - limit) * columns).floor().max(0.0);
        let high = ((i / rows + limit) * columns).ceil().min(columns);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=m")]
        let (low, high) = (low as usize, high as usize);
        if low > 0 {
            outside[low - 1] = 1.0;
        }
        for j in low..=high {
            let column = j as f64;
            outside[j] = if !inside(i, column) {
                1.0
            } else if j == 0 {
                outside[0]
            } else {
                (outside[j] * i + outside[j - 1] * column) / (i + column)
            };
        }
    }
    outside[width].clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_lattice_is_outside_of_nothing() {
        assert!(two_sample_exact(5, 4, 0.0) >= 1.0);
        // D = 1 means that all of one sample lie before the other: 2 of C(6,3) orders.
        assert!((two_sample_exact(3, 3, 1.0) - 2.0 / 20.0).abs() < 1e-15);
    }
}
