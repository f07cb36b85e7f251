//! Why a model answered as it did: how much each feature moved one answer away from the average.
//!
//! Linear models exactly; tree models of XGBoost (JSON) and LightGBM (text) exactly by `treeshap`; any
//! other model by drawing orders of features (Štrumbelj and Kononenko 2014). In all three the
//! attributions and the base add up to the answer.

use treeshap::{TreeExplainer, TreeModel};

use crate::Error;
use crate::stat::random::Random;

/// What each feature contributed to one answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Attribution {
    /// The answer without knowing any feature.
    pub base: f64,
    /// One contribution a feature.
    pub contributions: Vec<f64>,
}

impl Attribution {
    /// The features by the size of their contribution, largest first.
    pub fn ranked(&self) -> Vec<usize> {
        let size = |place: &usize| self.contributions[*place].abs();
        let mut places: Vec<usize> = (0..self.contributions.len()).collect();
        places.sort_by(|left, right| size(right).total_cmp(&size(left)));
        places
    }
}

/// Of a linear model (the margin, for logistic ones): weight · (value − mean of the reference).
pub fn linear(
    weights: &[f64],
    intercept: f64,
    means: &[f64],
    row: &[f64],
) -> Result<Attribution, Error> {
    crate::performance::same_length(weights.len(), means.len())?;
    crate::performance::same_length(weights.len(), row.len())?;
    let base = intercept + weights.iter().zip(means).map(|(w, mean)| w * mean).sum::<f64>();
    let contribution = |((w, mean), x): ((&f64, &f64), &f64)| w * (x - mean);
    let contributions = weights.iter().zip(means).zip(row).map(contribution).collect();
    Ok(Attribution { base, contributions })
}

/// A tree ensemble from a file.
#[derive(Debug)]
pub struct Trees(TreeModel);

impl Trees {
    /// Reads XGBoost's JSON or LightGBM's text.
    pub fn read(bytes: &[u8]) -> Result<Trees, Error> {
        let refuse = |error: treeshap::ParseError| Error::Decode(format!("tree model: {error}"));
        let model = match std::str::from_utf8(bytes) {
            Ok(text) if !text.trim_start().starts_with('{') => {
                TreeModel::from_lightgbm_text(text).map_err(refuse)?
            }
            _ => TreeModel::from_xgboost_json(bytes).map_err(refuse)?,
        };
        Ok(Trees(model))
    }

    /// Of one row: Shapley values of the margin, along the trees' own covers.
    pub fn explain(&self, row: &[f64]) -> Result<Attribution, Error> {
        if row.len() != self.0.n_features() {
            return Err(Error::Mismatch(format!("the model has {} features", self.0.n_features())));
        }
        let explainer = TreeExplainer::path_dependent(&self.0)
            .map_err(|error| Error::Decode(format!("tree model: {error}")))?;
        let contributions = explainer
            .shap_values(row, 0)
            .map_err(|error| Error::Mismatch(format!("tree model: {error}")))?;
        let base = explainer.base_values().first().copied().unwrap_or(0.0);
        Ok(Attribution { base, contributions })
    }
}

/// Of any model: `orders` random orders of features, each against a row of the background drawn by
/// seed. The contributions add up to the answer less the mean answer over the drawn rows, exactly.
pub fn permutation(
    model: impl Fn(&[f64]) -> f64,
    background: &[Vec<f64>],
    row: &[f64],
    orders: usize,
) -> Result<Attribution, Error> {
    if background.is_empty() || orders == 0 {
        return Err(Error::Empty("the background"));
    }
    if background.iter().any(|other| other.len() != row.len()) {
        return Err(Error::Mismatch("rows of different lengths".to_owned()));
    }
    let mut random = Random::new(42);
    let mut order: Vec<usize> = (0..row.len()).collect();
    let mut attribution = Attribution { base: 0.0, contributions: vec![0.0; row.len()] };
    let part = 1.0 / orders as f64;
    for _ in 0..orders {
        random.shuffle(&mut order);
        let mut mixed = background[random.below(background.len())].clone();
        let mut last = model(&mixed);
        attribution.base += last * part;
        for feature in &order {
            mixed[*feature] = row[*feature];
            let answer = model(&mixed);
            attribution.contributions[*feature] += (answer - last) * part;
            last = answer;
        }
    }
    Ok(attribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_add_up_to_the_answer() {
        let model = |row: &[f64]| 2.0 * row[0] + row[1] * row[2];
        let background = vec![vec![0.0, 0.0, 1.0], vec![1.0, 2.0, 3.0]];
        let row = [3.0, 1.0, -1.0];
        let found = permutation(model, &background, &row, 200).unwrap();
        let sum = found.base + found.contributions.iter().sum::<f64>();
        assert!((sum - model(&row)).abs() < 1e-9, "{sum}");
        assert_eq!(found.ranked()[0], 0);
        let exact = linear(&[2.0, -1.0], 0.5, &[1.0, 1.0], &[2.0, 4.0]).unwrap();
        assert_eq!(exact.contributions, [2.0, -3.0]);
        assert!((exact.base + -1.0 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn tree_models_say_what_their_own_libraries_say() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../testdata/attribution.json")).unwrap();
        let floats = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let check = |name: &str, model: &[u8], tolerance: f64| {
            let trees = Trees::read(model).unwrap();
            let rows = golden["rows"].as_array().unwrap();
            assert!(rows.len() == 20 && golden[name].as_array().unwrap().len() == 20);
            for (row, theirs) in rows.iter().zip(golden[name].as_array().unwrap()) {
                let ours = trees.explain(&floats(row)).unwrap();
                let mut all = ours.contributions.clone();
                all.push(ours.base);
                for (ours, theirs) in all.iter().zip(floats(theirs)) {
                    assert!((ours - theirs).abs() < tolerance, "{name}: {ours} not {theirs}");
                }
            }
            assert!(trees.explain(&[1.0]).is_err());
        };
        // XGBoost computes in single precision.
        check("xgboost", include_bytes!("../testdata/xgboost.json"), 1e-5);
        check("lightgbm", include_bytes!("../testdata/lightgbm.txt"), 1e-9);
    }

    #[test]
    fn what_is_no_tree_model_is_refused() {
        for bytes in [&b""[..], b"{}", b"tree", b"\xff\xfe", b"{\"learner\":1}"] {
            assert!(Trees::read(bytes).is_err());
        }
    }
}
