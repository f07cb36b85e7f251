#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use serde_json::Value;

use super::binary::{Confusion, scored};
use super::multiclass::{Matrix, auroc_macro};
use super::{fairness, ranking, regression};
use crate::estimate::isotonic::Isotonic;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../testdata/performance.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn whole(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn check(case: &Value, ours: &[(&str, f64)]) {
    for (name, ours) in ours {
        let theirs = case["expected"][name].as_f64().unwrap();
        assert!((ours - theirs).abs() <= 1e-6 * theirs.abs().max(1e-9), "{name}: {ours} {theirs}");
    }
}

#[test]
fn binary_metrics_are_scikit_learns() {
    let golden = &golden()["binary"];
    let labels: Vec<bool> = whole(&golden["labels"]).iter().map(|label| *label == 1).collect();
    let scores = numbers(&golden["scores"]);
    let decisions: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
    let counts = Confusion::of(&labels, &decisions).unwrap();
    let of_scores = scored(&labels, &scores).unwrap();
    check(
        golden,
        &[
            ("precision", counts.precision().unwrap()),
            ("recall", counts.recall().unwrap()),
            ("specificity", counts.specificity().unwrap()),
            ("f1", counts.f1().unwrap()),
            ("accuracy", counts.accuracy().unwrap()),
            ("mcc", counts.mcc()),
            ("auroc", of_scores.auroc.unwrap()),
            ("average_precision", of_scores.average_precision.unwrap()),
            ("log_loss", of_scores.log_loss),
            ("brier", of_scores.brier),
        ],
    );
    let curve = super::binary::Curve::of(&labels, &scores).unwrap();
    let at = curve.thresholds(usize::MAX).into_iter().find(|point| point.threshold < 0.505);
    assert_eq!(at.unwrap().confusion, counts);
}

#[test]
fn multiclass_metrics_are_scikit_learns() {
    let golden = &golden()["multiclass"];
    let (labels, decisions) = (whole(&golden["labels"]), whole(&golden["decisions"]));
    let scores: Vec<Vec<f64>> = golden["scores"].as_array().unwrap().iter().map(numbers).collect();
    let matrix = Matrix::of(&labels, &decisions, 3).unwrap();
    check(
        golden,
        &[
            ("precision", matrix.macro_mean(Confusion::precision)),
            ("recall", matrix.macro_mean(Confusion::recall)),
            ("f1", matrix.macro_mean(Confusion::f1)),
            ("accuracy", matrix.accuracy()),
            ("mcc", matrix.mcc()),
            ("auroc", auroc_macro(&labels, &scores).unwrap().unwrap()),
        ],
    );
}

#[test]
fn regression_errors_are_scikit_learns() {
    let golden = &golden()["regression"];
    let (labels, predictions) = (numbers(&golden["labels"]), numbers(&golden["predictions"]));
    let errors = regression::errors(&labels, &predictions).unwrap();
    check(
        golden,
        &[
            ("mae", errors.mae),
            ("mse", errors.mse),
            ("rmse", errors.rmse),
            ("msle", errors.msle.unwrap()),
            ("mape", errors.mape),
            ("r2", errors.r2.unwrap()),
            ("quantile_0.9", regression::quantile_loss(&labels, &predictions, 0.9).unwrap()),
        ],
    );
}

#[test]
fn rankings_are_scikit_learns() {
    let golden = &golden()["ranking"];
    let queries: Vec<u64> = whole(&golden["queries"]).iter().map(|query| *query as u64).collect();
    let (scores, relevance) = (numbers(&golden["scores"]), numbers(&golden["relevance"]));
    let ranking = ranking::ranking(&queries, &scores, &relevance, 10).unwrap();
    check(golden, &[("ndcg", ranking.ndcg)]);
    assert!(ranking.mrr > 0.0 && ranking.hit_rate <= 1.0 && ranking.map <= 1.0);
}

#[test]
fn isotonic_regression_is_scikit_learns() {
    let golden = golden();
    let labels = numbers(&golden["binary"]["labels"]);
    let fitted = Isotonic::fit(&numbers(&golden["binary"]["scores"]), &labels).unwrap();
    let grid = numbers(&golden["isotonic"]["grid"]);
    for (score, theirs) in grid.iter().zip(numbers(&golden["isotonic"]["expected"])) {
        assert!((fitted.at(*score) - theirs).abs() < 1e-9, "{score}");
    }
}

#[test]
fn differences_between_groups_leave_small_groups_out() {
    let labels = vec![true; 70];
    let decisions: Vec<bool> = (0..70).map(|row| row % 2 == 0 || row < 30).collect();
    let groups: Vec<&str> = (0..70)
        .map(|row| match row {
            0..30 => "a",
            30..65 => "b",
            _ => "few",
        })
        .collect();
    let found = fairness::fairness(&labels, &decisions, &groups).unwrap();
    assert_eq!(found.groups.len(), 3);
    let apart = found.equal_opportunity.unwrap();
    assert!((apart - 17.0 / 35.0).abs() < 1e-12, "{apart}");
}

#[test]
fn what_does_not_exist_is_none() {
    assert!(Confusion::default().precision().is_none());
    let single = scored(&[true, true], &[0.5, 0.7]).unwrap();
    assert_eq!(single.auroc, None);
    assert!(scored(&[true], &[f64::NAN]).is_err());
    assert!(scored(&[], &[]).is_err());
}
