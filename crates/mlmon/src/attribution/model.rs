//! A model from its file, with its features by name.
//!
//! XGBoost's JSON (`save_model("model.json")`) and LightGBM's text (`save_model("model.txt")`) as those
//! libraries write them, trained on named columns; a linear model as
//! `{"intercept": 0.5, "weights": {"income": -0.2, "age": 0.01}}`. A feature without a value goes the
//! way that trees have for it, and adds nothing to a linear answer.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Deserialize;

use super::{Trees, linear};
use crate::Error;
use crate::stat;

/// A model that was read.
#[derive(Debug)]
pub struct Model {
    features: Vec<String>,
    how: How,
}

#[derive(Debug)]
enum How {
    Linear { intercept: f64, weights: Vec<f64> },
    Trees(Box<Trees>),
}

/// A linear model as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Linear {
    #[serde(default)]
    intercept: f64,
    weights: BTreeMap<String, f64>,
}

impl Model {
    /// Reads a model; what it is, its first letters say.
    pub fn read(bytes: &[u8]) -> Result<Model, Error> {
        let refuse = |reason: &str| Error::Decode(format!("model: {reason}"));
        let text = std::str::from_utf8(bytes).map_err(|_| {
            refuse(
                "neither JSON nor text; XGBoost's binary formats (.ubj, .deprecated) are not read",
            )
        })?;
        if !text.trim_start().starts_with('{') {
            let names = text.lines().find_map(|line| line.strip_prefix("feature_names="));
            let names = names.map(|names| names.split(' ').map(str::to_owned).collect());
            return Model::of_trees(Trees::read(bytes)?, names.unwrap_or_default());
        }
        let document: serde_json::Value =
            serde_json::from_str(text).map_err(|error| refuse(&error.to_string()))?;
        if document.get("learner").is_some() {
            let names = document["learner"]["feature_names"].as_array();
            let names = names.into_iter().flatten().filter_map(|name| name.as_str());
            let names = names.map(str::to_owned).collect();
            return Model::of_trees(Trees::read(bytes)?, names);
        }
        let Linear { intercept, weights } =
            serde_json::from_value(document).map_err(|error| refuse(&error.to_string()))?;
        if weights.is_empty() {
            return Err(refuse("no weights"));
        }
        let (features, weights) = weights.into_iter().unzip();
        Ok(Model { features, how: How::Linear { intercept, weights } })
    }

    fn of_trees(trees: Trees, features: Vec<String>) -> Result<Model, Error> {
        if features.len() != trees.features() {
            return Err(Error::Decode(format!(
                "model: {} features and {} names of them; train it on columns with names",
                trees.features(),
                features.len()
            )));
        }
        Ok(Model { features, how: How::Trees(Box::new(trees)) })
    }

    /// The names of the features, in the order of the values of a row.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// What kind of model it is: `linear` or `trees`.
    pub fn kind(&self) -> &'static str {
        match self.how {
            How::Linear { .. } => "linear",
            How::Trees(_) => "trees",
        }
    }

    /// The mean of each feature over its values, as linear models need it.
    pub fn means(columns: &[Vec<f64>]) -> Vec<f64> {
        let mean = |column: &Vec<f64>| {
            let known: Vec<f64> = column.iter().copied().filter(|v| v.is_finite()).collect();
            if known.is_empty() { 0.0 } else { stat::mean(&known) }
        };
        columns.iter().map(mean).collect()
    }

    /// The mean size of each feature's contribution over the rows. Of several answers (classes) the
    /// sizes are added up.
    pub fn mean_sizes(&self, rows: &[Vec<f64>], means: &[f64]) -> Result<Vec<f64>, Error> {
        let sizes = match &self.how {
            How::Trees(trees) => trees.sizes(rows)?,
            How::Linear { intercept, weights } => rows
                .par_iter()
                .map(|row| {
                    let filled: Vec<f64> = row
                        .iter()
                        .zip(means)
                        .map(|(value, mean)| if value.is_finite() { *value } else { *mean })
                        .collect();
                    let found = linear(weights, *intercept, means, &filled)?;
                    Ok(found.contributions.into_iter().map(f64::abs).collect())
                })
                .collect::<Result<Vec<Vec<f64>>, Error>>()?,
        };
        Ok(super::mean_of(&sizes, self.features.len()))
    }
}
