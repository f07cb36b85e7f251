//! Tail probabilities of the usual distributions, from the special functions of `statrs`.
//!
//! Each returns a probability in 0..=1; arguments outside the distribution's support give its limit,
//! never a panic.

use statrs::function::{beta, erf, gamma};

/// P(X > x) of chi-square with `freedom` degrees.
pub fn chi_square_sf(x: f64, freedom: f64) -> f64 {
    gamma_sf(x / 2.0, freedom / 2.0)
}

/// P(X > x) of a gamma distribution of this shape and scale 1.
pub fn gamma_sf(x: f64, shape: f64) -> f64 {
    if x.is_nan() || shape <= 0.0 {
        return 1.0;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // The incomplete gamma function gives up on huge shapes; there it is normal (Wilson–Hilferty).
    if shape > 1e5 {
        let z = ((x / shape).cbrt() - (1.0 - 1.0 / (9.0 * shape))) * (9.0 * shape).sqrt();
        return normal_sf(z);
    }
    gamma::checked_gamma_ur(shape, x).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// The x with P(X > x) = `tail` of chi-square: bisection, for thresholds.
pub fn chi_square_isf(tail: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, freedom + 10.0);
    while chi_square_sf(high, freedom) > tail && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if chi_square_sf(middle, freedom) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// P(Z > z) of the standard normal.
pub fn normal_sf(z: f64) -> f64 {
    0.5 * erf::erfc(z / std::f64::consts::SQRT_2)
}

/// P(|Z| > |z|).
pub fn normal_two_sided(z: f64) -> f64 {
    if z.is_nan() { 1.0 } else { erf::erfc(z.abs() / std::f64::consts::SQRT_2).min(1.0) }
}

/// The z with P(Z > z) = `tail`.
pub fn normal_isf(tail: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erf::erfc_inv(2.0 * (1.0 - tail))
}

/// P(|T| > |t|) of Student's t.
pub fn student_two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_nan() || freedom <= 0.0 {
        return 1.0;
    }
    if t.is_infinite() {
        return 0.0;
    }
    beta::checked_beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t)).unwrap_or(1.0)
}

/// P(F > f) of Fisher's F.
pub fn fisher_f_sf(f: f64, numerator: f64, denominator: f64) -> f64 {
    if f.is_nan() || f <= 0.0 {
        return 1.0;
    }
    if f.is_infinite() {
        return 0.0;
    }
    let part = denominator / (denominator + numerator * f);
    beta::checked_beta_reg(denominator / 2.0, numerator / 2.0, part).unwrap_or(1.0)
}

/// ln(n!) for real n.
pub fn ln_factorial(n: f64) -> f64 {
    gamma::ln_gamma(n + 1.0)
}
