//! Direct loss estimation: a model of the model's errors.
//!
//! A gradient boosting learns the loss of each row (|e|, e², |e|/|y|, (Δ ln(1 + y))²) from the features
//! and the prediction on the labelled reference; a window's metric is the mean of its answers, none
//! below zero.
//! Source: NannyML 0.13.1.
//! Useful: for regression between prediction and label. Assumes, as every such estimate, that the
//! labels' dependence on the features has not changed.

use rayon::prelude::*;

use super::Estimate;
use crate::Error;
use crate::gbdt::{Feature, Gbdt, Growth, Objective};
use crate::performance::same_length;
use crate::stat;

/// A regression metric that is a mean of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Mean absolute error.
    Mae,
    /// Mean squared error.
    Mse,
    /// Its root.
    Rmse,
    /// Mean of |error| / |label|.
    Mape,
    /// Mean squared difference of ln(1 + x).
    Msle,
    /// Its root.
    Rmsle,
}

impl Metric {
    fn loss(self, label: f64, prediction: f64) -> f64 {
        let error = label - prediction;
        match self {
            Metric::Mae => error.abs(),
            Metric::Mse | Metric::Rmse => error * error,
            Metric::Mape => error.abs() / label.abs().max(f64::EPSILON),
            Metric::Msle | Metric::Rmsle => (label.ln_1p() - prediction.ln_1p()).powi(2),
        }
    }

    fn of_mean(self, mean: f64) -> f64 {
        match self {
            Metric::Rmse | Metric::Rmsle => mean.max(0.0).sqrt(),
            _ => mean,
        }
    }

    /// The metric, with labels.
    pub fn realized(self, labels: &[f64], predictions: &[f64]) -> Result<f64, Error> {
        same_length(labels.len(), predictions.len())?;
        let losses = labels.iter().zip(predictions).map(|(y, p)| self.loss(*y, *p));
        Ok(self.of_mean(losses.sum::<f64>() / labels.len() as f64))
    }
}

/// Estimators of some metrics.
#[derive(Debug)]
pub struct Dle {
    models: Vec<(Metric, Gbdt, f64)>,
}

impl Dle {
    /// Learns from a labelled reference.
    pub fn fit(
        features: &[Feature],
        predictions: &[f64],
        labels: &[f64],
        metrics: &[Metric],
    ) -> Result<Dle, Error> {
        same_length(labels.len(), predictions.len())?;
        let inputs = with_prediction(features, predictions);
        let learn = |metric: &Metric| {
            let losses: Vec<f64> =
                labels.iter().zip(predictions).map(|(y, p)| metric.loss(*y, *p)).collect();
            let model = Gbdt::fit(&inputs, &losses, Objective::Squares, &Growth::default())?;
            Ok((*metric, model, stat::deviation(&losses, 0)))
        };
        let models = metrics.par_iter().map(learn).collect::<Result<Vec<_>, Error>>()?;
        Ok(Dle { models })
    }

    /// Estimates the metrics of a window.
    pub fn estimate(
        &self,
        features: &[Feature],
        predictions: &[f64],
    ) -> Result<Vec<(Metric, Estimate)>, Error> {
        let losses = self.losses(features, predictions)?;
        Ok(losses.iter().map(|losses| losses.estimate(0..predictions.len())).collect())
    }

    /// Estimated losses row by row, to be averaged over any windows and segments.
    pub fn losses(&self, features: &[Feature], predictions: &[f64]) -> Result<Vec<Losses>, Error> {
        let inputs = with_prediction(features, predictions);
        let of_model = |(metric, model, spread): &(Metric, Gbdt, f64)| {
            let mut rows = model.predict(&inputs)?;
            rows.iter_mut().for_each(|loss| *loss = loss.max(0.0));
            Ok(Losses { metric: *metric, rows, spread: *spread })
        };
        self.models.par_iter().map(of_model).collect()
    }
}

/// Estimated losses of one metric.
#[derive(Debug)]
pub struct Losses {
    metric: Metric,
    rows: Vec<f64>,
    spread: f64,
}

impl Losses {
    /// The metric over a range of rows, with the band of a window of that size.
    pub fn estimate(&self, range: std::ops::Range<usize>) -> (Metric, Estimate) {
        let rows = &self.rows[range];
        (self.metric, self.of_mean(stat::mean(rows), rows.len()))
    }

    /// The metric over these rows.
    pub fn estimate_of(&self, rows: &[u32]) -> Estimate {
        let sum: f64 = rows.iter().map(|row| self.rows[*row as usize]).sum();
        self.of_mean(sum / rows.len().max(1) as f64, rows.len())
    }

    fn of_mean(&self, mean: f64, rows: usize) -> Estimate {
        let error = self.spread / (rows.max(1) as f64).sqrt();
        let value = self.metric.of_mean(mean);
        // The error of a root, to first order.
        let error = match self.metric {
            Metric::Rmse | Metric::Rmsle if value > 0.0 => error / (2.0 * value),
            _ => error,
        };
        Estimate::of(value, error, (0.0, f64::INFINITY))
    }
}

fn with_prediction(features: &[Feature], predictions: &[f64]) -> Vec<Feature> {
    let mut inputs = features.to_vec();
    inputs.push(Feature::Numbers(predictions.to_vec()));
    inputs
}
