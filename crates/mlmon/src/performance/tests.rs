#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use serde_json::Value;

use super::binary::{Confusion, scored};
use super::multiclass::{Matrix, auroc_macro};
use super::{fairness, quantile, ranking, regression, thresholds};
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
            ("quantile_0.9", quantile::quantile_loss(&labels, &predictions, 0.9).unwrap()),
        ],
    );
}

#[test]
fn rankings_are_scikit_learns() {
    let golden = &golden()["ranking"];
    let queries: Vec<u64> = whole(&golden["queries"]).iter().map(|query| *query as u64).collect();
    let (scores, relevance) = (numbers(&golden["scores"]), numbers(&golden["relevance"]));
    let ranking = ranking::ranking(&queries, &scores, &relevance, 10).unwrap();
    check(
        golden,
        &[
            ("ndcg", ranking.ndcg),
            ("map", ranking.map),
            ("mrr", ranking.mrr),
            ("hit_rate", ranking.hit_rate),
        ],
    );
    let tied =
        ranking::ranking(&queries, &numbers(&golden["tied_scores"]), &relevance, 10).unwrap();
    check(golden, &[("ndcg_tied", tied.ndcg)]);
}

/// All orders of equal scores, one by one, have the mean that the formula says.
#[test]
fn equal_scores_get_the_mean_over_all_their_orders() {
    let scores = [0.9, 0.5, 0.5, 0.5, 0.5, 0.1];
    let relevance = [0.0, 2.0, 0.0, 1.0, 0.0, 1.0];
    for k in 1..=6 {
        let tied = scores.into_iter().zip(relevance).collect();
        let found = ranking::Answer::of(tied, k).unwrap();
        let (mut sums, mut orders) = ([0.0; 4], 0.0);
        for code in 0..256 {
            let places = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
            if (1..4).any(|i| places[..i].contains(&places[i])) {
                continue;
            }
            let mut items: Vec<(f64, f64)> = scores.into_iter().zip(relevance).collect();
            for (item, place) in items[1..5].iter_mut().zip(places) {
                item.0 -= f64::from(place) * 1e-3;
            }
            let one = ranking::Answer::of(items, k).unwrap();
            let all = [one.ndcg, one.average_precision, one.reciprocal_rank, one.hit];
            sums.iter_mut().zip(all).for_each(|(sum, term)| *sum += term);
            orders += 1.0;
        }
        let all = [found.ndcg, found.average_precision, found.reciprocal_rank, found.hit];
        for (ours, sum) in all.into_iter().zip(sums) {
            assert!((ours - sum / orders).abs() < 1e-12, "k {k}: {ours} {}", sum / orders);
        }
    }
}

#[test]
fn queries_that_nothing_is_known_of_are_left_out() {
    let answer = |items: &[(f64, f64)]| ranking::Answer::of(items.to_vec(), 10);
    assert_eq!(answer(&[(0.3, 0.0), (0.2, 0.0)]), None);
    assert_eq!(answer(&[(0.3, f64::NAN), (0.2, -1.0)]), None);
    assert_eq!(answer(&[]), None);
    // Relevant, and without a score: below all others.
    let last = answer(&[(f64::NAN, 1.0), (0.3, 0.0), (-1e300, 0.0)]).unwrap();
    assert!((last.reciprocal_rank - 1.0 / 3.0).abs() < 1e-12);
    assert!(ranking::Answer::of(vec![(0.3, 0.0), (0.2, 1.0)], 1).unwrap().hit.abs() < 1e-12);
}

#[test]
fn quantiles_are_scikit_learns() {
    let golden = &golden()["regression"];
    let (labels, predictions) = (numbers(&golden["labels"]), numbers(&golden["predictions"]));
    let found = quantile::quantile(&labels, &predictions, 0.9).unwrap();
    check(
        golden,
        &[
            ("quantile_0.9", found.loss),
            ("coverage_0.9", found.coverage),
            ("d2_pinball_0.9", found.d2_pinball.unwrap()),
        ],
    );
    assert_eq!(quantile::quantile(&[1.0; 3], &[2.0; 3], 0.5).unwrap().d2_pinball, None);
    for wrong in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(quantile::quantile(&labels, &predictions, wrong).is_err());
    }
}

#[test]
fn counts_at_every_threshold_are_those_of_each_one_alone() {
    let golden = &golden()["binary"];
    let labels: Vec<bool> = whole(&golden["labels"]).iter().map(|label| *label == 1).collect();
    let scores = numbers(&golden["scores"]);
    let mut all = thresholds::Counts::between(0.0, 1.0);
    for (label, score) in labels.iter().zip(&scores) {
        all.add(*score, f64::from(u8::from(*label)), 1.0);
    }
    let points = all.points(None);
    assert_eq!(points.len(), 101);
    for point in &points {
        let decisions: Vec<bool> = scores.iter().map(|score| *score >= point.threshold).collect();
        let alone = Confusion::of(&labels, &decisions).unwrap();
        assert_eq!(point.confusion, alone, "at {}", point.threshold);
        assert_eq!((point.f1, point.mcc), (alone.f1(), alone.mcc()));
    }
    let theirs = &golden["thresholds"];
    for (place, point) in points.iter().enumerate().step_by(10) {
        let expected = numbers(&theirs[place / 10]);
        let ours = [
            point.precision.unwrap_or(0.0),
            point.recall.unwrap_or(0.0),
            point.f1.unwrap_or(0.0),
            point.mcc,
        ];
        for (ours, theirs) in ours.into_iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-9, "{}: {ours} {theirs}", point.threshold);
        }
    }
}

#[test]
fn scores_beyond_the_thresholds_and_a_single_score_are_counted() {
    let mut counts = thresholds::Counts::between(2.0, 2.0);
    let mut wide = thresholds::Counts::between(-1e308, 1e308);
    for score in [f64::NEG_INFINITY, -1e308, 0.0, 1e308, f64::INFINITY] {
        wide.add(score, 1.0, 1.0);
    }
    let found: Vec<f64> =
        wide.points(None).iter().map(|point| point.confusion.true_positive).collect();
    assert_eq!((found[0], found[1], found[100]), (4.0, 3.0, 2.0));
    for score in [-5.0, 2.0, 9.0, f64::NAN] {
        counts.add(score, 1.0, 1.0);
    }
    let points = counts.points(None);
    assert_eq!(points.len(), 1);
    let counts = points[0].confusion;
    assert!((counts.true_positive - 2.0).abs() + (counts.rows() - 3.0).abs() < 1e-12);
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
