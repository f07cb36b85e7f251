//! Attribution: what each feature adds to the model's answers, and whether that changes.
//!
//! A feature's part in an answer is its Shapley value: the parts and the base add up to the answer (the
//! margin, before a logistic). Linear models exactly, weight · (value − mean of the reference); trees of
//! XGBoost (JSON) and LightGBM (text) exactly, along their own covers, by `treeshap`; any other model by
//! drawing orders of features (permutation). What a feature means to the model is the mean of its parts'
//! sizes; its share, that of all features together.
//! agreement: NDCG of the features in the order of now, each gaining what it meant on the reference: 1
//! when the order is the same. Below 0.9 is attribution drift.
//! Source: Lundberg and others (2020); Štrumbelj and Kononenko (2014); Amazon SageMaker Clarify for the
//! agreement and its limit.
//! Useful: to see which drifted columns the model listens to: a large drift in a column without weight
//! needs no hurry, a small one in the first column does.
//! Not useful: as a cause. Features that hang together share what one of them does, and a model that is
//! wrong has attributions too.

mod importance;
mod model;

use rayon::prelude::*;
use treeshap::{TreeExplainer, TreeModel};

pub use importance::{AGREEMENT_LEAST, Feature, Importance};
pub use model::Model;

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

/// Answers (classes) of one model; a file with more is damaged.
const ANSWERS_LIMIT: usize = 10_000;

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
        if model.n_outputs() > ANSWERS_LIMIT {
            let classes = model.n_outputs();
            return Err(Error::Decode(format!(
                "tree model: {classes} classes, over {ANSWERS_LIMIT}"
            )));
        }
        Ok(Trees(model))
    }

    /// How many features a row has.
    pub fn features(&self) -> usize {
        self.0.n_features()
    }

    /// The size of each feature's contribution to each row, added up over the model's answers.
    fn sizes(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, Error> {
        let explainer = TreeExplainer::path_dependent(&self.0)
            .map_err(|error| Error::Decode(format!("tree model: {error}")))?;
        let of_row = |row: &Vec<f64>| {
            let mut sizes = vec![0.0; self.features()];
            for answer in 0..self.0.n_outputs() {
                let found = explainer
                    .shap_values(row, answer)
                    .map_err(|error| Error::Mismatch(format!("tree model: {error}")))?;
                sizes.iter_mut().zip(found).for_each(|(size, one)| *size += one.abs());
            }
            Ok(sizes)
        };
        rows.par_iter().map(of_row).collect()
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

const SEED: u64 = 42;

/// At most so many rows of these columns, each as likely as any other and always the same.
pub fn sampled(columns: &[Vec<f64>], limit: usize) -> Vec<Vec<f64>> {
    let rows = columns.first().map_or(0, Vec::len);
    let mut random = Random::new(SEED);
    let mut taken = Vec::new();
    let mut wanted = limit.min(rows);
    for row in 0..rows {
        if random.below(rows - row) < wanted {
            wanted -= 1;
            taken.push(columns.iter().map(|column| column[row]).collect());
        }
    }
    taken
}

/// Means over rows, feature by feature.
fn mean_of(rows: &[Vec<f64>], features: usize) -> Vec<f64> {
    let mut means = vec![0.0; features];
    for row in rows {
        means.iter_mut().zip(row).for_each(|(mean, one)| *mean += one / rows.len() as f64);
    }
    means
}

/// Of any model: `orders` random orders of features, each against a row of the background drawn by
/// seed. The contributions add up to the answer less the mean answer over the drawn rows, exactly.
pub fn permutation(
    model: impl Fn(&[f64]) -> f64,
    background: &[Vec<f64>],
    row: &[f64],
    orders: usize,
) -> Result<Attribution, Error> {
    let one = [row.to_vec()];
    let mut all = permutations(
        |rows| Ok(rows.iter().map(|row| model(row)).collect()),
        background,
        &one,
        orders,
    )?;
    all.pop().ok_or(Error::Empty("the rows"))
}

/// The same for several rows, of a model that answers many at once: it is asked once a row, for
/// `orders` · (features + 1) of them.
pub fn permutations(
    mut model: impl FnMut(Vec<Vec<f64>>) -> Result<Vec<f64>, Error>,
    background: &[Vec<f64>],
    rows: &[Vec<f64>],
    orders: usize,
) -> Result<Vec<Attribution>, Error> {
    if background.is_empty() || orders == 0 {
        return Err(Error::Empty("the background"));
    }
    let features = background[0].len();
    if background.iter().chain(rows).any(|other| other.len() != features) {
        return Err(Error::Mismatch("rows of different lengths".to_owned()));
    }
    let part = 1.0 / orders as f64;
    let explain = |row: &Vec<f64>| {
        let mut random = Random::new(SEED);
        let mut order: Vec<usize> = (0..features).collect();
        let mut asked = Vec::with_capacity(orders * (features + 1));
        let mut taken = Vec::with_capacity(orders);
        for _ in 0..orders {
            random.shuffle(&mut order);
            let mut mixed = background[random.below(background.len())].clone();
            asked.push(mixed.clone());
            for feature in &order {
                mixed[*feature] = row[*feature];
                asked.push(mixed.clone());
            }
            taken.push(order.clone());
        }
        let answers = model(asked)?;
        if answers.len() != orders * (features + 1) {
            return Err(Error::Mismatch(format!(
                "the model gave {} answers to {} rows",
                answers.len(),
                orders * (features + 1)
            )));
        }
        let mut attribution = Attribution { base: 0.0, contributions: vec![0.0; features] };
        for (order, answers) in taken.iter().zip(answers.chunks_exact(features + 1)) {
            attribution.base += answers[0] * part;
            for (feature, pair) in order.iter().zip(answers.windows(2)) {
                attribution.contributions[*feature] += (pair[1] - pair[0]) * part;
            }
        }
        Ok(attribution)
    };
    rows.iter().map(explain).collect()
}

/// What features mean to any model, by [`permutations`] against the reference.
pub fn importance(
    mut model: impl FnMut(Vec<Vec<f64>>) -> Result<Vec<f64>, Error>,
    names: &[String],
    (reference, current): (&[Vec<f64>], &[Vec<f64>]),
    orders: usize,
) -> Result<Importance, Error> {
    let mut sizes = |rows: &[Vec<f64>]| {
        let found = permutations(&mut model, reference, rows, orders)?;
        let sizes = found.into_iter().map(|one| one.contributions.into_iter().map(f64::abs));
        Ok::<_, Error>(mean_of(&sizes.map(Iterator::collect).collect::<Vec<_>>(), names.len()))
    };
    let (before, now) = (sizes(reference)?, sizes(current)?);
    let rows = (reference.len(), current.len());
    Ok(Importance::of("permutation", rows, names, (&before, &now)))
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
    fn models_know_their_features_by_name() {
        let said = |bytes: &[u8]| Model::read(bytes).unwrap_err().to_string();
        // Trained on an array without names.
        assert!(said(include_bytes!("../testdata/xgboost.json")).contains("names"));
        let trees = Model::read(include_bytes!("../testdata/lightgbm.txt")).unwrap();
        assert_eq!(trees.features(), ["Column_0", "Column_1", "Column_2", "Column_3"]);
        let linear = Model::read(br#"{"intercept": 1, "weights": {"b": 2, "a": -3}}"#).unwrap();
        assert_eq!(
            (linear.features(), linear.kind()),
            (&["a".to_owned(), "b".to_owned()][..], "linear")
        );
        // By hand: means 1 and 0; a adds 3·1 and 3·1, b adds 2·4 and, without a value, nothing.
        let rows = [vec![0.0, 4.0], vec![2.0, f64::NAN]];
        assert_eq!(linear.mean_sizes(&rows, &[1.0, 0.0]).unwrap(), [3.0, 4.0]);
        for (bytes, words) in [
            (&b"{}"[..], "weights"),
            (b"{\"weights\": {}}", "weights"),
            (b"{\"weights\": {\"a\": \"x\"}}", "x"),
            (b"{\"weights\": {\"a\": 1}, \"bias\": 2}", "bias"),
            (b"\xff\xfe", "binary"),
        ] {
            assert!(said(bytes).contains(words), "{}", said(bytes));
        }
    }

    #[test]
    fn mean_sizes_are_those_of_the_libraries() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../testdata/attribution.json")).unwrap();
        let rows = |name: &str| -> Vec<Vec<f64>> {
            let row = |row: &serde_json::Value| {
                row.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
            };
            golden[name].as_array().unwrap().iter().map(row).collect()
        };
        let named = include_str!("../testdata/xgboost.json")
            .replace("\"feature_names\":[]", "\"feature_names\":[\"a\",\"b\",\"c\",\"d\"]");
        let lightgbm = include_bytes!("../testdata/lightgbm.txt");
        for (name, bytes) in [("xgboost", named.as_bytes()), ("lightgbm", lightgbm)] {
            let model = Model::read(bytes).unwrap();
            let ours = model.mean_sizes(&rows("rows"), &[0.0; 4]).unwrap();
            let theirs: Vec<Vec<f64>> = rows(name)
                .iter()
                .map(|row| row[..4].iter().map(|value| value.abs()).collect())
                .collect();
            for (ours, theirs) in ours.iter().zip(mean_of(&theirs, 4)) {
                assert!((ours - theirs).abs() < 1e-5, "{name}: {ours} {theirs}");
            }
        }
    }

    /// A digit or letter of a model's file that turned into another one: an error or an answer.
    #[test]
    fn damaged_models_are_refused_or_explain() {
        let mut random = Random::new(23);
        let named = include_str!("../testdata/xgboost.json")
            .replace("\"feature_names\":[]", "\"feature_names\":[\"a\",\"b\",\"c\",\"d\"]");
        let lightgbm: &[u8] = include_bytes!("../testdata/lightgbm.txt");
        for (whole, digits) in [(named.as_bytes(), 1500), (lightgbm, 1500)] {
            for _ in 0..digits {
                let mut bytes = whole.to_vec();
                let place = random.below(bytes.len());
                bytes[place] = b"0123456789-.e, "[random.below(15)];
                if let Ok(model) = Model::read(&bytes) {
                    let row = vec![0.5; model.features().len()];
                    drop(model.mean_sizes(&[row], &[0.0; 4]));
                }
            }
        }
    }

    #[test]
    fn what_is_no_tree_model_is_refused() {
        for bytes in [&b""[..], b"{}", b"tree", b"\xff\xfe", b"{\"learner\":1}"] {
            assert!(Trees::read(bytes).is_err());
        }
    }
}
