//! Confidence-based performance estimation: a calibrated score is the probability of being right.
//!
//! With p the calibrated probability of a positive and y the decision, the expected counts are
//! `E[TP]` = Σ p over y = 1, `E[FP]` = Σ (1 − p) over y = 1, `E[FN]` = Σ p over y = 0, `E[TN]` = Σ (1 − p)
//! over y = 0, and metrics follow from them; AUROC and average precision from the rows ordered by the
//! raw score with weights p and 1 − p; log loss and Brier score as the mean loss of a row, positive with
//! p; calibration error with what chance adds in so many rows.
//! Source: NannyML 0.13.1. Scores are calibrated by isotonic regression where that lowers the
//! calibration error of held-out tenths of the reference.
//! Useful: between prediction and label, which may be months. Assumes that the labels' dependence on
//! the features has not changed: pure concept drift is invisible to it.

use super::Estimate;
use super::isotonic::Isotonic;
use crate::Error;
use crate::performance::binary::{Confusion, Curve, Worth};
use crate::performance::same_length;
use crate::stat;
use crate::stat::random::Random;
use crate::stat::special;

const SPLITS: usize = 10;
const TEST_SHARE: f64 = 0.1;
const BINS: usize = 10;
const SEED: u64 = 42;
/// Above this AUROC there is nothing to calibrate.
const SEPARATED: f64 = 0.999;

/// Whether scores are calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calibration {
    /// Where that lowers the calibration error of held-out rows.
    WhereItHelps,
    /// In any case.
    Always,
    /// Scores are taken as probabilities.
    Never,
}

/// An estimator that has seen labels of the reference.
#[derive(Debug, Clone)]
pub struct Cbpe {
    calibrator: Option<Isotonic>,
    errors: Errors,
}

/// Spread of each metric's single rows on the reference, and the share of rows it concerns.
#[derive(Debug, Clone, Copy, Default)]
struct Errors {
    auroc: (f64, f64),
    f1: (f64, f64),
    precision: (f64, f64),
    recall: (f64, f64),
    specificity: (f64, f64),
    accuracy: (f64, f64),
}

/// Estimated metrics of a window.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimates {
    /// Expected confusion matrix.
    pub confusion: Confusion,
    /// Area under the ROC curve.
    pub auroc: Option<Estimate>,
    /// Average precision, without a band.
    pub average_precision: Option<f64>,
    /// F1.
    pub f1: Option<Estimate>,
    /// Precision.
    pub precision: Option<Estimate>,
    /// Recall.
    pub recall: Option<Estimate>,
    /// Specificity.
    pub specificity: Option<Estimate>,
    /// Accuracy.
    pub accuracy: Option<Estimate>,
    /// Log loss, Brier score and calibration error, without a band; of scores that are probabilities.
    pub of_probabilities: Option<Probable>,
}

/// What is expected of scores as probabilities.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Probable {
    /// Log loss.
    pub log_loss: f64,
    /// Brier score.
    pub brier: f64,
    /// Expected calibration error, with what chance adds to it in so many rows.
    pub calibration_error: f64,
}

impl Estimates {
    /// Expected value of the decisions.
    pub fn value(&self, worth: &Worth) -> f64 {
        self.confusion.value(worth)
    }
}

impl Cbpe {
    /// Learns the calibration and the sampling errors.
    pub fn fit(scores: &[f64], decisions: &[bool], labels: &[bool]) -> Result<Cbpe, Error> {
        Cbpe::fit_with(scores, decisions, labels, Calibration::WhereItHelps)
    }

    /// The same with a say about the calibration.
    pub fn fit_with(
        scores: &[f64],
        decisions: &[bool],
        labels: &[bool],
        calibration: Calibration,
    ) -> Result<Cbpe, Error> {
        same_length(scores.len(), labels.len())?;
        same_length(scores.len(), decisions.len())?;
        let curve = Curve::of(labels, scores)?;
        let auroc = curve.auroc();
        let numbers: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        let mut ordered: Vec<(f64, f64)> =
            scores.iter().copied().zip(numbers.iter().copied()).collect();
        ordered.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        let separable = auroc.is_none_or(|auroc| auroc > SEPARATED);
        let calibrated = match calibration {
            Calibration::WhereItHelps => !separable && calibration_helps(&ordered),
            Calibration::Always => true,
            Calibration::Never => false,
        };
        let calibrator = calibrated.then(|| Isotonic::fit_sorted(&ordered));
        Ok(Cbpe { calibrator, errors: Errors::of(&ordered, decisions, labels) })
    }

    /// The probability that a row with this score is positive.
    pub fn probability(&self, score: f64) -> f64 {
        self.calibrator.as_ref().map_or(score, |calibrator| calibrator.at(score))
    }

    /// Whether scores are calibrated.
    pub fn calibrates(&self) -> bool {
        self.calibrator.is_some()
    }

    /// Estimates the metrics of a window.
    pub fn estimate(&self, scores: &[f64], decisions: &[bool]) -> Result<Estimates, Error> {
        same_length(scores.len(), decisions.len())?;
        let mut confusion = Confusion::default();
        let mut ordered: Vec<(f64, f64)> = Vec::with_capacity(scores.len());
        for (score, decision) in scores.iter().zip(decisions) {
            let p = self.probability(*score);
            ordered.push((*score, p));
            if *decision {
                confusion.true_positive += p;
                confusion.false_positive += 1.0 - p;
            } else {
                confusion.false_negative += p;
                confusion.true_negative += 1.0 - p;
            }
        }
        ordered.sort_unstable_by(|left, right| right.0.total_cmp(&left.0));
        let rows = scores.len() as f64;
        let band = |value: Option<f64>, (spread, share): (f64, f64)| {
            value.map(|value| Estimate::of(value, spread / (rows * share).sqrt(), (0.0, 1.0)))
        };
        Ok(Estimates {
            auroc: band(expected_auroc(&ordered), self.errors.auroc),
            average_precision: expected_precision(&ordered),
            f1: band(confusion.f1(), self.errors.f1),
            precision: band(confusion.precision(), self.errors.precision),
            recall: band(confusion.recall(), self.errors.recall),
            specificity: band(confusion.specificity(), self.errors.specificity),
            accuracy: band(confusion.accuracy(), self.errors.accuracy),
            of_probabilities: Probable::of(&ordered),
            confusion,
        })
    }
}

/// Widths of the score that calibration is looked at in, as in `performance::binary`.
const WIDTHS: usize = 10;

impl Probable {
    /// Of scores with the probability that each row is positive.
    fn of(rows: &[(f64, f64)]) -> Option<Probable> {
        if rows.is_empty() || !rows.iter().all(|row| (0.0..=1.0).contains(&row.0)) {
            return None;
        }
        let n = rows.len() as f64;
        let (mut loss, mut brier) = (0.0, 0.0);
        // Of each width: Σ score, Σ p, Σ p(1 − p).
        let mut widths = [[0.0; 3]; WIDTHS];
        for (score, p) in rows {
            let given = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            loss -= p * given.ln() + (1.0 - p) * (1.0 - given).ln();
            brier += p * (1.0 - score).powi(2) + (1.0 - p) * score * score;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=10")]
            let place = ((score * WIDTHS as f64) as usize).min(WIDTHS - 1);
            let terms = [*score, *p, p * (1.0 - p)];
            widths[place].iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        // |score − share of positives| where the share scatters: the mean of a folded normal.
        let apart = |[scores, positive, variance]: &[f64; 3]| {
            let (mean, spread) = ((scores - positive).abs(), variance.sqrt());
            if spread <= 0.0 {
                return mean;
            }
            let z = mean / spread;
            spread * (2.0 / std::f64::consts::PI).sqrt() * (-z * z / 2.0).exp()
                + mean * (1.0 - 2.0 * special::normal_sf(z))
        };
        let calibration_error = widths.iter().map(apart).sum::<f64>() / n;
        Some(Probable { log_loss: loss / n, brier: brier / n, calibration_error })
    }
}

#[expect(clippy::float_cmp, reason = "equal scores are one point of the curve")]
fn tied(left: &(f64, f64), right: &(f64, f64)) -> bool {
    left.0 == right.0
}

/// AUROC of rows by descending score that are positive with a probability.
fn expected_auroc(ordered: &[(f64, f64)]) -> Option<f64> {
    let (mut above, mut below, mut area) = (0.0, 0.0, 0.0);
    for rows in ordered.chunk_by(tied) {
        let positive: f64 = rows.iter().map(|row| row.1).sum();
        let negative = rows.len() as f64 - positive;
        area += negative * (above + positive / 2.0);
        above += positive;
        below += negative;
    }
    crate::performance::ratio(area, above * below)
}

fn expected_precision(ordered: &[(f64, f64)]) -> Option<f64> {
    let (mut found, mut rows, mut sum) = (0.0, 0.0, 0.0);
    for tied in ordered.chunk_by(tied) {
        let positive: f64 = tied.iter().map(|row| row.1).sum();
        found += positive;
        rows += tied.len() as f64;
        sum += positive * found / rows;
    }
    crate::performance::ratio(sum, found)
}

/// Whether isotonic calibration lowers the calibration error of held-out rows.
fn calibration_helps(ordered: &[(f64, f64)]) -> bool {
    let mut random = Random::new(SEED);
    let mut before: Vec<(f64, f64)> = Vec::new();
    let mut after: Vec<(f64, f64)> = Vec::new();
    for _ in 0..SPLITS {
        let mut train = Vec::with_capacity(ordered.len());
        let mut test = Vec::with_capacity(ordered.len() / 8);
        for pair in ordered {
            if random.unit() < TEST_SHARE { test.push(*pair) } else { train.push(*pair) }
        }
        if train.is_empty() {
            return false;
        }
        let fitted = Isotonic::fit_sorted(&train);
        after.extend(test.iter().map(|(score, label)| (fitted.at(*score), *label)));
        before.extend(test);
    }
    equal_count_error(&mut before) > equal_count_error(&mut after)
}

/// Calibration error between equal counts of rows.
fn equal_count_error(rows: &mut [(f64, f64)]) -> f64 {
    rows.sort_by(|left, right| left.0.total_cmp(&right.0));
    let width = rows.len() / BINS;
    if width == 0 {
        return 0.0;
    }
    let mut error = 0.0;
    for bin in 0..BINS {
        let end = if bin == BINS - 1 { rows.len() } else { (bin + 1) * width };
        let of_bin = &rows[bin * width..end];
        error += of_bin.iter().map(|row| row.0 - row.1).sum::<f64>().abs();
    }
    error / rows.len() as f64
}

impl Errors {
    fn of(ascending: &[(f64, f64)], decisions: &[bool], labels: &[bool]) -> Errors {
        let n = labels.len() as f64;
        let share = |rows: f64| (rows / n).clamp(f64::MIN_POSITIVE, 1.0);
        let Ok(counts) = Confusion::of(labels, decisions) else { return Errors::default() };
        let Confusion { true_positive: tp, false_positive: fp, .. } = counts;
        let Confusion { false_negative: fnn, true_negative: tn, .. } = counts;
        // Spread of a row that is 1 or 0.
        let spread = |ones: f64, zeros: f64| {
            let p = ones / (ones + zeros).max(1.0);
            (p * (1.0 - p)).sqrt()
        };
        let concerned = tp + fp + fnn;
        let f1_factor = concerned / (tp + 0.5 * (fp + fnn)).max(f64::MIN_POSITIVE);
        Errors {
            auroc: auroc_error(ascending),
            f1: (f1_factor * spread(tp, fp + fnn), share(concerned)),
            precision: (spread(tp, fp), share(tp + fp)),
            recall: (spread(tp, fnn), share(tp + fnn)),
            specificity: (spread(tn, fp), share(tn + fp)),
            accuracy: (spread(tp + tn, fp + fnn), 1.0),
        }
    }
}

/// Spread of the share of negatives below each positive (or the other way round where positives are
/// the majority), and the minority's share.
fn auroc_error(ascending: &[(f64, f64)]) -> (f64, f64) {
    let n = ascending.len() as f64;
    let positives: f64 = ascending.iter().map(|row| row.1).sum();
    let minority = if positives / n > 0.5 { 0.0 } else { 1.0 };
    let (mut others, mut below) = (0.0_f64, Vec::new());
    for (_, label) in ascending {
        if (label - minority).abs() < 0.5 {
            below.push(others);
        } else {
            others += 1.0;
        }
    }
    let shares: Vec<f64> = below.iter().map(|count| count / others.max(1.0)).collect();
    if shares.is_empty() {
        return (0.0, 1.0);
    }
    (stat::deviation(&shares, 0), shares.len() as f64 / n)
}

/// The same for several classes: one calibrator a class, probabilities made to sum to one.
#[derive(Debug, Clone)]
pub struct CbpeMulticlass {
    classes: Vec<Cbpe>,
}

impl CbpeMulticlass {
    /// Learns from scores (one column a class), decisions and labels, numbered by class.
    pub fn fit(
        scores: &[Vec<f64>],
        decisions: &[usize],
        labels: &[usize],
    ) -> Result<CbpeMulticlass, Error> {
        let one = |(class, scores): (usize, &Vec<f64>)| {
            let is = |of: &[usize]| of.iter().map(|one| *one == class).collect::<Vec<bool>>();
            Cbpe::fit(scores, &is(decisions), &is(labels))
        };
        let classes = scores.iter().enumerate().map(one).collect::<Result<Vec<Cbpe>, Error>>()?;
        Ok(CbpeMulticlass { classes })
    }

    /// One estimator for each class, fitted apart.
    pub fn of(classes: Vec<Cbpe>) -> CbpeMulticlass {
        CbpeMulticlass { classes }
    }

    /// Macro averages over classes, each against the rest, and accuracy.
    pub fn estimate(
        &self,
        scores: &[Vec<f64>],
        decisions: &[usize],
    ) -> Result<MulticlassEstimates, Error> {
        if scores.len() != self.classes.len() {
            return Err(Error::Mismatch("another number of classes".to_owned()));
        }
        let rows = decisions.len();
        for scores in scores {
            same_length(rows, scores.len())?;
        }
        let mut probabilities: Vec<Vec<f64>> = Vec::new();
        for (calibrated, scores) in self.classes.iter().zip(scores) {
            probabilities.push(scores.iter().map(|score| calibrated.probability(*score)).collect());
        }
        for row in 0..rows {
            let sum: f64 = probabilities.iter().map(|class| class[row]).sum();
            if sum > 0.0 {
                probabilities.iter_mut().for_each(|class| class[row] /= sum);
            }
        }
        let classes = self.classes.len() as f64;
        let (mut auroc, mut right, mut rates) = (0.0, 0.0, [0.0; 4]);
        for (class, (scores, probabilities)) in scores.iter().zip(&probabilities).enumerate() {
            let mut ordered: Vec<(f64, f64)> =
                scores.iter().copied().zip(probabilities.iter().copied()).collect();
            ordered.sort_unstable_by(|left, other| other.0.total_cmp(&left.0));
            auroc += expected_auroc(&ordered).unwrap_or(f64::NAN);
            let mut confusion = Confusion::default();
            for (decision, p) in decisions.iter().zip(probabilities) {
                if *decision == class {
                    confusion.true_positive += p;
                    confusion.false_positive += 1.0 - p;
                } else {
                    confusion.false_negative += p;
                    confusion.true_negative += 1.0 - p;
                }
            }
            right += confusion.true_positive;
            let of_class = [
                confusion.f1(),
                confusion.precision(),
                confusion.recall(),
                confusion.specificity(),
            ];
            rates.iter_mut().zip(of_class).for_each(|(sum, rate)| *sum += rate.unwrap_or(0.0));
        }
        let [f1, precision, recall, specificity] = rates.map(|sum| sum / classes);
        Ok(MulticlassEstimates {
            auroc: Some(auroc / classes).filter(|auroc| auroc.is_finite()),
            f1,
            accuracy: right / rows as f64,
            precision,
            recall,
            specificity,
        })
    }
}

/// Estimated macro averages.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct MulticlassEstimates {
    /// Mean AUROC of each class against the rest.
    pub auroc: Option<f64>,
    /// Mean F1.
    pub f1: f64,
    /// Share of right decisions.
    pub accuracy: f64,
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean specificity.
    pub specificity: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::binary::scored;

    /// Labels drawn by their probability have, on average, the metrics that are expected.
    #[test]
    fn expectations_are_means_over_many_draws() {
        let mut random = Random::new(17);
        let rows: Vec<(f64, f64)> = (0..3000)
            .map(|_| {
                let p = random.unit();
                // Scores that are too sure of themselves.
                (p.powi(2) / (p.powi(2) + (1.0 - p).powi(2)), p)
            })
            .collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let expected = Probable::of(&rows).unwrap();
        let draws = 200;
        let mut sums = [0.0; 3];
        for _ in 0..draws {
            let labels: Vec<bool> = rows.iter().map(|row| random.unit() < row.1).collect();
            let found = scored(&labels, &scores).unwrap();
            let terms = [found.log_loss, found.brier, found.calibration_error];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term / f64::from(draws));
        }
        let ours = [expected.log_loss, expected.brier, expected.calibration_error];
        for (ours, drawn) in ours.into_iter().zip(sums) {
            assert!((ours - drawn).abs() < 0.005 * drawn, "{ours} {drawn}");
        }
        assert_eq!(Probable::of(&[(1.5, 0.5)]), None);
    }
}
