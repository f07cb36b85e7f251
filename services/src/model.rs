//! The fraud model: a logistic regression, trained at the first start on made-up transactions,
//! kept in a file with its version, loaded from there afterwards.

mod file;
mod quality;
mod train;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::features::{FEATURES, FeatureVector};

pub use quality::{Quality, auc};

/// The version of the model that this code trains.
pub const MODEL_VERSION: &str = "1.0.0";

/// Transactions that it is trained, tuned and tested on.
pub const TRAINING_ROWS: usize = 20_000;

/// A trained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FraudModel {
    /// Its version.
    pub version: String,
    /// The features' names, in the order of everything below.
    pub features: Vec<String>,
    /// What is taken from each feature.
    pub means: Vec<f64>,
    /// What each is divided by afterwards.
    pub deviations: Vec<f64>,
    /// The weight of each.
    pub weights: Vec<f64>,
    /// The weight of nothing at all.
    pub intercept: f64,
    /// Probability from which on a transaction counts as fraud: best F1 on transactions that the
    /// model was not trained on.
    pub threshold_fraud: f64,
    /// Probability from which on a person should look: nineteen in twenty frauds are above.
    pub threshold_review: f64,
    /// How good it is on transactions that it was neither trained nor tuned on.
    pub quality: Quality,
}

/// How much one feature contributed to a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The feature.
    pub feature: &'static str,
    /// Its part in the log odds: above 0 speaks for fraud.
    pub log_odds: f64,
}

impl FraudModel {
    /// Loads the model from `directory`, or trains it and saves it there. A file that is damaged
    /// or of another version is replaced.
    pub fn load_or_train(directory: &Path, seed: u64) -> Result<FraudModel, Error> {
        match file::load(directory)? {
            Some(model) => {
                tracing::info!(
                    model_version = model.version,
                    auc = model.quality.auc,
                    "Model loaded"
                );
                Ok(model)
            }
            None => {
                file::save(directory, &FraudModel::train(TRAINING_ROWS, seed)?)?;
                // What is used is what is in the file, from the first start on.
                file::load(directory)?
                    .ok_or_else(|| Error::Train("the saved model cannot be loaded".to_owned()))
            }
        }
    }

    /// Trains on `rows` made-up transactions.
    pub fn train(rows: usize, seed: u64) -> Result<FraudModel, Error> {
        train::train(rows, seed)
    }

    /// The probability of fraud, 0 to 1.
    #[must_use]
    pub fn predict_proba(&self, features: &FeatureVector) -> f64 {
        let log_odds = self.contributions(features).iter().map(|c| c.log_odds).sum::<f64>();
        1.0 / (1.0 + (-(log_odds + self.intercept)).exp())
    }

    /// What each feature contributed, in their order.
    #[must_use]
    pub fn contributions(&self, features: &FeatureVector) -> [Contribution; FEATURES.len()] {
        std::array::from_fn(|i| Contribution {
            feature: FEATURES[i],
            log_odds: self.weights[i] * (features[i] - self.means[i]) / self.deviations[i],
        })
    }

    /// The `count` features that contributed most, either way, most first.
    #[must_use]
    pub fn top_contributions(&self, features: &FeatureVector, count: usize) -> Vec<Contribution> {
        let mut contributions = self.contributions(features).to_vec();
        contributions.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
        contributions.truncate(count);
        contributions
    }

    /// Whether the numbers fit together, so that prediction cannot fail.
    fn is_sound(&self) -> bool {
        let count = FEATURES.len();
        let lengths = [self.means.len(), self.deviations.len(), self.weights.len()];
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        self.features.iter().map(String::as_str).eq(FEATURES)
            && lengths == [count; 3]
            && finite(&self.means)
            && finite(&self.weights)
            && self.deviations.iter().all(|&d| d.is_finite() && d > 0.0)
            && self.intercept.is_finite()
            && 0.0 < self.threshold_review
            && self.threshold_review <= self.threshold_fraud
            && self.threshold_fraud < 1.0
    }
}
