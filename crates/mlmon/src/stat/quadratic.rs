//! Sums of weighted chi-squares, Σ λᵢ (χ²₁ − 1): what squared distances of means are without drift.
//!
//! The weights are the eigenvalues of a covariance or of a kernel. They need not be known: their sums
//! of squares and cubes are enough for a tail probability (Hall, Buckley and Eagleson: a chi-square of
//! the same mean, variance and skewness), and both are estimated from products of pairs and triples of
//! different rows, without bias from rows being as few as columns.

use super::special;

/// Rows that the weights are estimated from.
pub const ROWS_LIMIT: usize = 400;
/// Fewer rows say nothing about them.
const ROWS_LEAST: usize = 8;

/// Σλ² and Σλ³ of weights whose sum is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    second: f64,
    third: f64,
}

impl Weights {
    /// All in one: the widest tail there is.
    pub const ONE: Weights = Weights { second: 1.0, third: 1.0 };

    /// From the products of rows with each other (a kernel's matrix, row by row, without being
    /// centred), and the sum of the weights. The diagonal is not looked at; the matrix is used up.
    pub fn of_products(mut products: Vec<f64>, rows: usize, sum: f64) -> Weights {
        if rows < ROWS_LEAST || products.len() != rows * rows || !(sum > 0.0 && sum.is_finite()) {
            return Weights::ONE;
        }
        centre(&mut products, rows);
        let row = |i: usize| &products[i * rows..(i + 1) * rows];
        let (mut squares, mut cubes) = (0.0, 0.0);
        for i in 0..rows {
            for (j, product) in row(i).iter().enumerate().take(i) {
                squares += product * product;
                cubes += product * dot(row(i), row(j));
            }
        }
        let n = rows as f64;
        let second = 2.0 * squares / (n * (n - 3.0)) / (sum * sum);
        let third = 2.0 * cubes / (n * (n - 1.0) * (n - 2.0)) / (sum * sum * sum);
        let second = second.clamp(0.0, 1.0);
        // No weights have other sums of cubes than these (Cauchy and Schwarz; the largest weight).
        Weights { second, third: third.clamp(second * second, second.powf(1.5)) }
    }

    /// P(Σ λ (χ²₁ − 1) > excess), where the weights add up to `sum`.
    pub fn tail(&self, excess: f64, sum: f64) -> f64 {
        let (second, third) = (self.second * sum * sum, self.third * sum.powi(3));
        if !(second > 0.0 && third > 0.0) {
            return if excess > 0.0 { 0.0 } else { 1.0 };
        }
        let freedom = second * second / third * (second / third);
        let at = freedom + excess * (freedom / second).sqrt();
        special::chi_square_sf(at, freedom)
    }

    /// The same where the sum is an estimate from rows with so many degrees of freedom: the wider of
    /// that tail and of an F distribution, which matters where rows are few.
    pub fn tail_estimated(&self, excess: f64, sum: f64, freedom: f64) -> f64 {
        let numerator = 1.0 / self.second.max(f64::MIN_POSITIVE);
        let ratio = (excess + sum) / sum;
        let few = special::fisher_f_sf(ratio, numerator, numerator * freedom);
        self.tail(excess, sum).max(few)
    }
}

/// Takes the means of rows and columns away so that products of different rows stay unbiased
/// (Székely and Rizzo's U-centring); the diagonal becomes nought.
fn centre(products: &mut [f64], rows: usize) {
    let n = rows as f64;
    let mut sums = Vec::with_capacity(rows);
    for (i, row) in products.chunks_exact_mut(rows).enumerate() {
        row[i] = 0.0;
        sums.push(row.iter().sum::<f64>());
    }
    let total = sums.iter().sum::<f64>() / ((n - 1.0) * (n - 2.0));
    sums.iter_mut().for_each(|sum| *sum /= n - 2.0);
    for (i, row) in products.chunks_exact_mut(rows).enumerate() {
        for (product, sum) in row.iter_mut().zip(&sums) {
            *product += total - sum - sums[i];
        }
        row[i] = 0.0;
    }
}

const LANES: usize = 8;

/// Sum of products, in eight sums that do not wait for each other.
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    lanes(left, right, |x, y| x * y)
}

/// Squared Euclidean distance.
pub(crate) fn square_distance(left: &[f64], right: &[f64]) -> f64 {
    lanes(left, right, |x, y| (x - y) * (x - y))
}

#[inline(always)]
fn lanes(left: &[f64], right: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (mine, theirs) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest = mine.remainder().iter().zip(theirs.remainder());
    let rest: f64 = rest.map(|(x, y)| of(*x, *y)).sum();
    for (x, y) in mine.zip(theirs) {
        for lane in 0..LANES {
            sums[lane] += of(x[lane], y[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::random::Random;

    #[test]
    fn weights_are_found_from_rows_fewer_than_columns() {
        // Forty equal weights and one of as much as ten of them, seen in thirty rows.
        let scales: Vec<f64> = (0..41).map(|i| if i == 0 { 10_f64.sqrt() } else { 1.0 }).collect();
        let (mut second, mut third) = (0.0, 0.0);
        let mut random = Random::new(3);
        const TIMES: usize = 200;
        for _ in 0..TIMES {
            let rows: Vec<Vec<f64>> = (0..30)
                .map(|_| scales.iter().map(|scale| 7.0 + scale * random.normal()).collect())
                .collect();
            let products = rows.iter().flat_map(|x| rows.iter().map(|y| dot(x, y))).collect();
            let weights = Weights::of_products(products, rows.len(), 50.0);
            second += weights.second * 2500.0 / TIMES as f64;
            third += weights.third * 125_000.0 / TIMES as f64;
        }
        assert!((second / 140.0 - 1.0).abs() < 0.1, "{second}");
        assert!((third / 1040.0 - 1.0).abs() < 0.25, "{third}");
    }

    #[test]
    fn tails_are_those_of_chi_square_where_it_is_one() {
        let sure = special::chi_square_sf(1.0 + 3.0, 1.0);
        assert!((Weights::ONE.tail(3.0, 1.0) - sure).abs() < 1e-12);
        let ten = Weights { second: 0.1, third: 0.01 };
        assert!((ten.tail(12.0, 10.0) - special::chi_square_sf(22.0, 10.0)).abs() < 1e-12);
        assert!(ten.tail_estimated(12.0, 10.0, 5.0) > ten.tail(12.0, 10.0));
        assert_eq!(Weights::of_products(Vec::new(), 0, 1.0), Weights::ONE);
    }
}
