//! The mathematics under the detectors: order statistics, tail probabilities, null distributions.

pub mod order;
pub mod random;
pub mod special;

pub mod kolmogorov;
pub mod null;
pub mod quadratic;

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with divisor `n - ddof`; 0 where that is not positive.
pub(crate) fn deviation(values: &[f64], ddof: usize) -> f64 {
    if values.len() <= ddof {
        return 0.0;
    }
    let mean = mean(values);
    let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (square / (values.len() - ddof) as f64).sqrt()
}
