//! Two classes: a confusion matrix and what follows from it, and metrics of the score.
//!
//! Of decisions (TP, FP, FN, TN): precision TP / (TP + FP); recall TP / (TP + FN); specificity
//! TN / (TN + FP); accuracy (TP + TN) / all; f1 TP / (TP + (FP + FN)/2); mcc, Matthews' correlation,
//! (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)); value: the mean worth of a decision.
//! Of scores: auroc, the chance that a positive row scores above a negative one, ties counting half;
//! `average_precision`, the precision at each positive, averaged; `log_loss`, the mean of −ln of the
//! probability given to what happened; brier, the mean of (score − label)²; `calibration_error`, the
//! distance of mean score and share of positives in ten equal widths, weighted by rows.
//! Source: scikit-learn, whose names and edge cases these are; Naeini and others (2015) for the last.
//! Useful: precision and recall say what a wrong decision costs whom; auroc and average precision whether
//! scores order rows at all; log loss, Brier and calibration error whether they are probabilities.
//! Not useful: accuracy and auroc where positives are rare: look at average precision and mcc.

use serde::Serialize;

use super::{ratio, same_length};
use crate::Error;
use crate::stat::order;

/// Rows by label and decision; real numbers, so that expected counts (CBPE) are one too.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Confusion {
    /// Positive, and predicted so.
    pub true_positive: f64,
    /// Negative, predicted positive.
    pub false_positive: f64,
    /// Positive, predicted negative.
    pub false_negative: f64,
    /// Negative, and predicted so.
    pub true_negative: f64,
}

impl Confusion {
    /// Counts rows.
    pub fn of(labels: &[bool], decisions: &[bool]) -> Result<Confusion, Error> {
        same_length(labels.len(), decisions.len())?;
        let mut counts = [0_u64; 4];
        for (label, decision) in labels.iter().zip(decisions) {
            counts[usize::from(*label) * 2 + usize::from(*decision)] += 1;
        }
        let [tn, fp, fnn, tp] = counts.map(|count| count as f64);
        Ok(Confusion {
            true_positive: tp,
            false_positive: fp,
            false_negative: fnn,
            true_negative: tn,
        })
    }

    /// All rows.
    pub fn rows(&self) -> f64 {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }

    /// Share of decisions that were right.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positive + self.true_negative, self.rows())
    }

    /// Share of positive decisions that were right.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of positive rows that were found.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Share of negative rows that were left alone.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negative, self.true_negative + self.false_positive)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> Option<f64> {
        let wrong = self.false_positive + self.false_negative;
        ratio(self.true_positive, self.true_positive + 0.5 * wrong)
    }

    /// Matthews' correlation; 0 where a row or column of the matrix is empty, as scikit-learn.
    pub fn mcc(&self) -> f64 {
        let Confusion { true_positive: tp, false_positive: fp, .. } = *self;
        let Confusion { false_negative: fnn, true_negative: tn, .. } = *self;
        let product = (tp + fp) * (tp + fnn) * (tn + fp) * (tn + fnn);
        if product > 0.0 { (tp * tn - fp * fnn) / product.sqrt() } else { 0.0 }
    }

    /// Value of the decisions when each cell is worth this much.
    pub fn value(&self, worth: &Worth) -> f64 {
        self.true_positive * worth.true_positive
            + self.false_positive * worth.false_positive
            + self.false_negative * worth.false_negative
            + self.true_negative * worth.true_negative
    }
}

/// What a row of each kind earns or costs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, serde::Deserialize)]
pub struct Worth {
    /// A positive that was found.
    pub true_positive: f64,
    /// A false alarm.
    pub false_positive: f64,
    /// A positive that was missed.
    pub false_negative: f64,
    /// A negative that was left alone.
    pub true_negative: f64,
}

/// Metrics of scores, whatever the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scored {
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// Average precision: the precision at each positive, averaged.
    pub average_precision: Option<f64>,
    /// Mean −ln of the probability given to what happened, cut at 2.2e-16.
    pub log_loss: f64,
    /// Mean squared distance of score and label.
    pub brier: f64,
    /// Expected calibration error over ten equal widths.
    pub calibration_error: f64,
}

/// A point of the threshold curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Scores from here on count as positive.
    pub threshold: f64,
    /// What follows.
    pub confusion: Confusion,
}

/// Scores of positive and negative rows, each ascending: all curves are one walk over both.
#[derive(Debug)]
pub struct Curve {
    positive: Vec<f64>,
    negative: Vec<f64>,
}

impl Curve {
    /// Sorts the scores. NaN is refused.
    pub fn of(labels: &[bool], scores: &[f64]) -> Result<Curve, Error> {
        same_length(labels.len(), scores.len())?;
        if scores.iter().any(|score| score.is_nan()) {
            return Err(Error::Undefined("scores that are NaN"));
        }
        let count = labels.iter().filter(|label| **label).count();
        let mut positive = Vec::with_capacity(count + 1);
        let mut negative = Vec::with_capacity(labels.len() - count + 1);
        // Written without branches: labels are not predictable.
        positive.resize(count + 1, 0.0);
        negative.resize(labels.len() - count + 1, 0.0);
        let (mut p, mut n) = (0, 0);
        for (label, score) in labels.iter().zip(scores) {
            positive[p] = *score;
            negative[n] = *score;
            p += usize::from(*label);
            n += usize::from(!*label);
        }
        positive.truncate(count);
        negative.truncate(labels.len() - count);
        order::sort(&mut positive);
        order::sort(&mut negative);
        Ok(Curve { positive, negative })
    }

    /// Each distinct score descending, with the positives and negatives that have it.
    fn descend(&self, mut each: impl FnMut(f64, f64, f64)) {
        let (mut i, mut j) = (self.positive.len(), self.negative.len());
        while i > 0 || j > 0 {
            let left = if i > 0 { self.positive[i - 1] } else { f64::NEG_INFINITY };
            let right = if j > 0 { self.negative[j - 1] } else { f64::NEG_INFINITY };
            let score = left.max(right);
            let (from_i, from_j) = (i, j);
            while i > 0 && self.positive[i - 1] >= score {
                i -= 1;
            }
            while j > 0 && self.negative[j - 1] >= score {
                j -= 1;
            }
            each(score, (from_i - i) as f64, (from_j - j) as f64);
        }
    }

    /// Area under the ROC curve: the chance that a positive row scores above a negative one.
    pub fn auroc(&self) -> Option<f64> {
        let (mut above, mut wins) = (0.0, 0.0);
        self.descend(|_, positive, negative| {
            wins += negative * (above + positive / 2.0);
            above += positive;
        });
        ratio(wins, self.positive.len() as f64 * self.negative.len() as f64)
    }

    /// Average precision.
    pub fn average_precision(&self) -> Option<f64> {
        let (mut found, mut rows, mut sum) = (0.0, 0.0, 0.0);
        self.descend(|_, positive, negative| {
            found += positive;
            rows += positive + negative;
            sum += positive * found / rows;
        });
        ratio(sum, self.positive.len() as f64)
    }

    /// The confusion matrix at every distinct score, or at every so-many-th of a long curve.
    pub fn thresholds(&self, limit: usize) -> Vec<AtThreshold> {
        let (all, none) = (self.positive.len() as f64, self.negative.len() as f64);
        let every = ((all + none) / limit.max(1) as f64).max(1.0);
        let (mut tp, mut fp, mut next) = (0.0, 0.0, 0.0);
        let mut points = Vec::new();
        self.descend(|threshold, positive, negative| {
            tp += positive;
            fp += negative;
            if tp + fp >= next {
                next = tp + fp + every;
                let confusion = Confusion {
                    true_positive: tp,
                    false_positive: fp,
                    false_negative: all - tp,
                    true_negative: none - fp,
                };
                points.push(AtThreshold { threshold, confusion });
            }
        });
        points
    }
}

/// Every metric of the score.
pub fn scored(labels: &[bool], scores: &[f64]) -> Result<Scored, Error> {
    let curve = Curve::of(labels, scores)?;
    let n = labels.len() as f64;
    let (mut loss, mut square) = (0.0, 0.0);
    for (label, score) in labels.iter().zip(scores) {
        let given = if *label { *score } else { 1.0 - *score };
        loss -= given.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
        square += (1.0 - given) * (1.0 - given);
    }
    Ok(Scored {
        auroc: curve.auroc(),
        average_precision: curve.average_precision(),
        log_loss: loss / n,
        brier: square / n,
        calibration_error: calibration_error(labels, scores, 10)?,
    })
}

/// A bin of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Reliability {
    /// Rows.
    pub rows: f64,
    /// Mean score.
    pub score: f64,
    /// Share of positive labels.
    pub positive: f64,
}

/// Mean score against share of positives between equal widths of the score.
pub fn reliability(
    labels: &[bool],
    scores: &[f64],
    bins: usize,
) -> Result<Vec<Reliability>, Error> {
    same_length(labels.len(), scores.len())?;
    let mut sums = vec![Reliability::default(); bins.max(1)];
    let width = bins.max(1) as f64;
    for (label, score) in labels.iter().zip(scores) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let place = ((score * width) as usize).min(sums.len() - 1);
        let bin = &mut sums[place];
        bin.rows += 1.0;
        bin.score += score;
        bin.positive += f64::from(u8::from(*label));
    }
    for bin in &mut sums {
        if bin.rows > 0.0 {
            bin.score /= bin.rows;
            bin.positive /= bin.rows;
        }
    }
    Ok(sums)
}

/// Expected calibration error: |mean score − share of positives| of each bin, weighted by rows.
pub fn calibration_error(labels: &[bool], scores: &[f64], bins: usize) -> Result<f64, Error> {
    let bins = reliability(labels, scores, bins)?;
    let apart = bins.iter().map(|bin| bin.rows * (bin.score - bin.positive).abs());
    Ok(apart.sum::<f64>() / labels.len() as f64)
}
