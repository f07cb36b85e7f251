//! What a distance is when nothing has drifted: a p-value by sample size for statistics that have
//! no textbook test.
//!
//! Binned distances: where every bin expects many rows the theory's chi-square holds; where it does
//! not, counts are drawn from the pooled shares (seeded, so that the answer is always the same) and
//! a scaled chi-square is fitted to their mean and variance. Distances between distribution
//! functions are integrals of a Brownian bridge: mean and variance by quadrature, then the same fit.

use super::random::Random;
use super::special;

/// Rows expected in the emptiest bin from which on asymptotic theory is trusted.
pub const EXPECTED_ENOUGH: f64 = 40.0;
/// Draws for a null distribution.
pub const DRAWS: usize = 600;
const SEED: u64 = 0x7472_6566_6f69_6c31;

/// A scaled chi-square (gamma) distribution with this mean and variance: P(X > x).
pub fn gamma_tail(x: f64, mean: f64, variance: f64) -> f64 {
    if !(mean > 0.0 && variance > 0.0) {
        return if x > mean.max(0.0) { 0.0 } else { 1.0 };
    }
    let shape = mean * mean / variance;
    let scale = variance / mean;
    special::gamma_sf(x / scale, shape)
}

/// P-value of a distance between two rows of counts, by `distance` of counts drawn from what both
/// have in common.
pub fn of_counts(
    reference: &[u64],
    current: &[u64],
    observed: f64,
    distance: impl Fn(&[u64], &[u64]) -> f64,
) -> f64 {
    let (n, m): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    if n == 0 || m == 0 {
        return 1.0;
    }
    let pooled: Vec<f64> =
        reference.iter().zip(current).map(|(r, c)| (r + c) as f64 / (n + m) as f64).collect();
    let mut random = Random::new(SEED);
    let mut left = vec![0; pooled.len()];
    let mut right = vec![0; pooled.len()];
    let draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            multinomial(&mut random, n, &pooled, &mut left);
            multinomial(&mut random, m, &pooled, &mut right);
            distance(&left, &right)
        })
        .collect();
    let beyond = draws.iter().filter(|draw| **draw >= observed).count();
    let mean = super::mean(&draws);
    let variance = super::deviation(&draws, 1).powi(2);
    let fitted = gamma_tail(observed, mean, variance);
    // Where draws lie beyond the observed value they say more than the fit.
    let counted = beyond as f64 / DRAWS as f64;
    if beyond >= 30 { counted } else { fitted.max(if beyond == 0 { 0.0 } else { counted / 2.0 }) }
}

fn multinomial(random: &mut Random, n: u64, shares: &[f64], into: &mut [u64]) {
    let (mut left, mut mass) = (n, 1.0);
    for (count, share) in into.iter_mut().zip(shares) {
        *count = random.binomial(left, (share / mass).clamp(0.0, 1.0));
        left -= *count;
        mass -= share;
        if mass <= 0.0 {
            mass = f64::MIN_POSITIVE;
        }
    }
    if let Some(last) = into.last_mut() {
        *last += left;
    }
}

/// Whether theory for large counts may be used: enough is expected of either side in each bin that
/// is not empty on both.
pub fn counts_are_large(reference: &[u64], current: &[u64]) -> bool {
    let (n, m): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    let smaller = n.min(m) as f64 / (n + m) as f64;
    reference
        .iter()
        .zip(current)
        .filter(|(r, c)| **r + **c > 0)
        .all(|(r, c)| (r + c) as f64 * smaller >= EXPECTED_ENOUGH)
}

/// Mean and variance of the total variation of two samples from these shares, for large counts:
/// half the sum of |N(0, s²)| with multinomial correlation.
pub fn total_variation_moments(shares: &[f64], scale: f64) -> (f64, f64) {
    let deviations: Vec<f64> = shares.iter().map(|p| (scale * p * (1.0 - p)).sqrt()).collect();
    let mean = deviations.iter().sum::<f64>() * (2.0 / std::f64::consts::PI).sqrt() / 2.0;
    let mut square = 0.0;
    for (i, p) in shares.iter().enumerate() {
        for (j, q) in shares.iter().enumerate() {
            let both = deviations[i] * deviations[j];
            let correlation = if i == j { 1.0 } else { -(p * q / ((1.0 - p) * (1.0 - q))).sqrt() };
            square += both * absolute_product(correlation.clamp(-1.0, 1.0));
        }
    }
    (mean, (square / 4.0 - mean * mean).max(0.0))
}

/// E|X||Y| of standard normals with this correlation.
fn absolute_product(correlation: f64) -> f64 {
    let rest = (1.0 - correlation * correlation).max(0.0).sqrt();
    (rest + correlation * correlation.asin()) * 2.0 / std::f64::consts::PI
}

/// Points of the quadrature over quantiles.
const GRID: usize = 96;

/// Mean and variance of ∫|F−G|dx between two samples of one distribution, whose sorted values are
/// given; `scale` is 1/n + 1/m. A heavy tail is cut at the outermost quantiles of the grid.
pub fn bridge_area_moments(sorted: &[f64], scale: f64) -> (f64, f64) {
    bridge(
        sorted,
        |si, sj, covariance| si * sj * absolute_product((covariance / (si * sj)).clamp(-1.0, 1.0)),
        |variance| (variance * 2.0 / std::f64::consts::PI).sqrt(),
        scale.sqrt(),
    )
}

/// P(∫|F−G|dx > area) without drift, from the mean and variance above: a gamma distribution, whose
/// tail is too thin between 5 % and one in a million by a factor of up to two, but not below that of
/// |∫(F−G)dx|, the difference of means, which is normal with this deviation and never larger.
pub fn area_tail(area: f64, (mean, variance): (f64, f64), deviation: f64) -> f64 {
    let fitted = gamma_tail(area, mean, variance);
    if deviation > 0.0 { fitted.max(special::normal_two_sided(area / deviation)) } else { fitted }
}

/// Mean and variance of 2∫(F−G)²dx, the energy distance.
pub fn bridge_square_moments(sorted: &[f64], scale: f64) -> (f64, f64) {
    bridge(
        sorted,
        |si, sj, covariance| 4.0 * (si * si * sj * sj + 2.0 * covariance * covariance),
        |variance| 2.0 * variance,
        scale,
    )
}

fn bridge(
    sorted: &[f64],
    product: impl Fn(f64, f64, f64) -> f64,
    single: impl Fn(f64) -> f64,
    scale: f64,
) -> (f64, f64) {
    let quantile = |part: f64| super::order::quantile_of_sorted(sorted, part).unwrap_or(0.0);
    let cells: Vec<(f64, f64)> = (0..GRID)
        .map(|cell| {
            let (low, high) = (cell as f64 / GRID as f64, (cell + 1) as f64 / GRID as f64);
            (f64::midpoint(low, high), quantile(high) - quantile(low))
        })
        .collect();
    let mut mean = 0.0;
    let mut square = 0.0;
    for (s, width_s) in &cells {
        mean += width_s * single(s * (1.0 - s));
        for (t, width_t) in &cells {
            let covariance = s.min(*t) * (1.0 - s.max(*t));
            let (si, sj) = ((s * (1.0 - s)).sqrt(), (t * (1.0 - t)).sqrt());
            square += width_s * width_t * product(si, sj, covariance);
        }
    }
    (mean * scale, ((square - mean * mean) * scale * scale).max(0.0))
}
