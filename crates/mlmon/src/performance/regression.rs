//! Predicted numbers: how far they are from the labels.
//!
//! mae: mean of |e|; rmse: root of the mean of e²; mape: mean of |e| / |label|; smape: mean of
//! 2|e| / (|label| + |prediction|); rmsle: root of the mean of (Δ ln(1 + x))²; r2: 1 − Σe² / Σ(label −
//! mean)².
//! Source: scikit-learn, whose names and edge cases these are: labels below 2.2e-16 count as that in
//! mape, rmsle does not exist with values below −1, r2 not for constant labels.
//! Useful: mae reads in the label's unit; rmse where one large error is worse than many small ones; mape
//! and smape for amounts of very different size; rmsle where the factor counts.
//! Not useful: mape where labels come near 0; r2 across windows whose labels scatter differently.

use serde::Serialize;

use super::same_length;
use crate::Error;

/// Errors of predictions, all from one pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// Mean absolute error.
    pub mae: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Its root.
    pub rmse: f64,
    /// Mean of squared differences of ln(1 + x); `None` with values below −1.
    pub msle: Option<f64>,
    /// Its root.
    pub rmsle: Option<f64>,
    /// Mean of |error| / |label|, labels below 2.2e-16 counted as that, as scikit-learn.
    pub mape: f64,
    /// Mean of 2|error| / (|label| + |prediction|); a row of two zeros counts 0.
    pub smape: f64,
    /// Share of the label's variance that is explained; `None` for constant labels.
    pub r2: Option<f64>,
}

/// Measures predictions against labels.
pub fn errors(labels: &[f64], predictions: &[f64]) -> Result<Errors, Error> {
    same_length(labels.len(), predictions.len())?;
    let n = labels.len() as f64;
    let mean = labels.iter().sum::<f64>() / n;
    let mut sums = [0.0; 6];
    for (label, prediction) in labels.iter().zip(predictions) {
        let error = label - prediction;
        let logs = label.ln_1p() - prediction.ln_1p();
        let scale = label.abs() + prediction.abs();
        let terms = [
            error.abs(),
            error * error,
            logs * logs,
            error.abs() / label.abs().max(f64::EPSILON),
            if scale > 0.0 { 2.0 * error.abs() / scale } else { 0.0 },
            (label - mean) * (label - mean),
        ];
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    let [absolute, square, logs, percent, symmetric, spread] = sums;
    let msle = Some(logs / n).filter(|msle| msle.is_finite());
    Ok(Errors {
        mae: absolute / n,
        mse: square / n,
        rmse: (square / n).sqrt(),
        msle,
        rmsle: msle.map(f64::sqrt),
        mape: percent / n,
        smape: symmetric / n,
        r2: (spread > 0.0).then(|| 1.0 - square / spread),
    })
}
