//! Training: draw transactions, fit, tune the thresholds, measure. Each step is a span.

use linfa::Dataset;
use linfa::traits::Fit as _;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tracing::info_span;

use super::quality::{Quality, Scored};
use super::{FraudModel, MODEL_VERSION};
use crate::error::Error;
use crate::features::{FEATURES, FeatureVector, feature_vector};
use crate::transaction::{Kind, draw_label, draw_transaction, draw_user};

type Row = (FeatureVector, bool);

pub(super) fn train(rows: usize, seed: u64) -> Result<FraudModel, Error> {
    let _span =
        info_span!("train_model", training.rows = rows, model.version = MODEL_VERSION).entered();
    tracing::info!(rows, "Training the fraud model");
    let rows = info_span!("generate_transactions").in_scope(|| draw_rows(rows, seed));
    let (train, rest) = rows.split_at(rows.len() * 3 / 5);
    let (tune, test) = rest.split_at(rest.len() / 2);
    let mut model = info_span!("fit_model").in_scope(|| fit(train))?;
    info_span!("tune_threshold").in_scope(|| tune_thresholds(&mut model, tune));
    let quality = info_span!("evaluate_model")
        .in_scope(|| Quality::of(&score(&model, test), model.threshold_fraud));
    model.quality = quality;
    let Quality { auc, precision, recall, f1, .. } = quality;
    let (threshold_fraud, threshold_review) = (model.threshold_fraud, model.threshold_review);
    tracing::info!(
        model_version = MODEL_VERSION,
        auc,
        precision,
        recall,
        f1,
        threshold_fraud,
        threshold_review,
        "Model trained"
    );
    Ok(model)
}

fn draw_rows(rows: usize, seed: u64) -> Vec<Row> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..rows)
        .map(|_| {
            let kind = Kind::of_user(rand::Rng::random(&mut rng));
            let user = draw_user(&mut rng, kind);
            let facts = draw_transaction(&mut rng, kind, &user);
            (feature_vector(&facts, &user), draw_label(&mut rng, kind))
        })
        .collect()
}

fn fit(rows: &[Row]) -> Result<FraudModel, Error> {
    let flat: Vec<f64> = rows.iter().flat_map(|(features, _)| *features).collect();
    let mut records = Array2::from_shape_vec((rows.len(), FEATURES.len()), flat)
        .map_err(|error| Error::Train(error.to_string()))?;
    let targets: Array1<bool> = rows.iter().map(|(_, fraud)| *fraud).collect();
    let (mut means, mut deviations) = (Vec::new(), Vec::new());
    for mut column in records.columns_mut() {
        let mean = column.mean().ok_or_else(|| Error::Train("there are no rows".to_owned()))?;
        let deviation = column.std(0.0).max(1e-9);
        column.mapv_inplace(|value| (value - mean) / deviation);
        means.push(mean);
        deviations.push(deviation);
    }
    let fitted = LogisticRegression::default()
        .alpha(1.0)
        .max_iterations(200)
        .gradient_tolerance(1e-3)
        .fit(&Dataset::new(records, targets))
        .map_err(|error| Error::Train(error.to_string()))?;
    // The positive class is the one met first; the probability wanted is that of fraud.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    Ok(FraudModel {
        version: MODEL_VERSION.to_owned(),
        features: FEATURES.map(str::to_owned).to_vec(),
        means,
        deviations,
        weights: fitted.params().iter().map(|weight| sign * weight).collect(),
        intercept: sign * fitted.intercept(),
        threshold_fraud: 0.5,
        threshold_review: 0.5,
        quality: Quality { auc: 0.0, precision: 0.0, recall: 0.0, f1: 0.0, rows: 0 },
    })
}

fn score(model: &FraudModel, rows: &[Row]) -> Vec<Scored> {
    rows.iter().map(|(features, fraud)| (model.predict_proba(features), *fraud)).collect()
}

/// The share of frauds that a person or the model should see.
const REVIEW_RECALL: f64 = 0.95;

fn tune_thresholds(model: &mut FraudModel, rows: &[Row]) {
    let scored = score(model, rows);
    let candidates = (1..100_u32).map(|percent| f64::from(percent) / 100.0);
    let measured: Vec<(f64, Quality)> =
        candidates.map(|threshold| (threshold, Quality::of(&scored, threshold))).collect();
    let best = measured.iter().max_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1));
    let watchful = measured.iter().rev().find(|(_, quality)| quality.recall >= REVIEW_RECALL);
    if let Some((threshold, _)) = best {
        model.threshold_fraud = *threshold;
    }
    model.threshold_review = watchful
        .map_or(model.threshold_fraud, |(threshold, _)| *threshold)
        .min(model.threshold_fraud);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_tells_fraud_from_honest_transactions_it_has_not_seen() {
        let model = train(super::super::TRAINING_ROWS, 7).unwrap();
        let unseen = draw_rows(5_000, 8);
        let quality = Quality::of(&score(&model, &unseen), model.threshold_fraud);
        assert!(quality.auc > 0.8, "{quality:?}");
        assert!(quality.precision > 0.6 && quality.recall > 0.6, "{quality:?}");
        assert!(model.is_sound());
    }

    #[test]
    fn the_same_seed_gives_the_same_model() {
        assert_eq!(train(2_000, 3).unwrap(), train(2_000, 3).unwrap());
    }

    #[test]
    fn too_few_rows_are_an_error_not_a_panic() {
        for rows in [0, 1, 2] {
            assert!(train(rows, 1).is_err(), "{rows}");
        }
    }
}
