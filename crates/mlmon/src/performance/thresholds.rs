//! Thresholds: what decisions would be like if scores from each of 101 thresholds on were positive.
//!
//! Rows are counted between the thresholds once, and sums from above give the confusion matrix at each
//! of them exactly: precision, recall, specificity, f1, mcc and the worth of a decision follow. The
//! thresholds are 0, 0.01, …, 1 for probabilities, otherwise equal steps from the least score of the
//! reference to its greatest. Without labels, a row is positive by its calibrated score (CBPE).
//! Source: scikit-learn's `precision_recall_curve`, at fixed thresholds, so that two tables can be
//! compared and counters add.
//! Useful: to choose the threshold for what a wrong decision costs, and to see after a drift whether
//! another threshold would do, or the model is worse at all of them.
//! Not useful: to choose the best threshold of some hundred rows: it is best for those rows.

use serde::Serialize;

use super::binary::{Confusion, Worth};

/// Steps between the least and the greatest threshold.
pub const STEPS: u32 = 100;

/// Rows between thresholds. Two of the same thresholds add.
#[derive(Debug, Clone)]
pub struct Counts {
    thresholds: Vec<f64>,
    /// Positive and negative rows from each threshold up to the next.
    above: Vec<[f64; 2]>,
    /// Those below all thresholds.
    below: [f64; 2],
}

/// What decisions by one threshold are like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Scores from here on count as positive.
    pub threshold: f64,
    /// Rows by label and decision.
    pub confusion: Confusion,
    /// Share of positive decisions that are right.
    pub precision: Option<f64>,
    /// Share of positive rows that are found.
    pub recall: Option<f64>,
    /// Share of negative rows that are left alone.
    pub specificity: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Matthews' correlation.
    pub mcc: f64,
    /// What a decision is worth on average, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

impl Counts {
    /// Nothing counted yet, between thresholds in equal steps; one threshold where both ends are one.
    pub fn between(low: f64, high: f64) -> Counts {
        // Hundredths of probabilities come out as they are written, and no range is too wide.
        let at = |step: u32| {
            let part = f64::from(step) / f64::from(STEPS);
            low * (1.0 - part) + high * part
        };
        let thresholds: Vec<f64> = match low < high {
            true => (0..=STEPS).map(at).collect(),
            false => vec![low],
        };
        Counts { above: vec![[0.0; 2]; thresholds.len()], thresholds, below: [0.0; 2] }
    }

    /// Counts `rows` rows of a score, `positive` of them positive; a score that is none is left out.
    pub fn add(&mut self, score: f64, positive: f64, rows: f64) {
        if score.is_nan() {
            return;
        }
        let place = match self.place(score) {
            Some(place) => &mut self.above[place],
            None => &mut self.below,
        };
        place[0] += positive;
        place[1] += rows - positive;
    }

    /// The last threshold that is no greater than the score.
    fn place(&self, score: f64) -> Option<usize> {
        let (low, last) = (self.thresholds[0], self.thresholds.len() - 1);
        let width = self.thresholds[last] - low;
        if score < low {
            return None;
        }
        let step = (score - low) / width * last as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let mut place = if width > 0.0 { (step as usize).min(last) } else { 0 };
        // A step that was computed may be one off.
        while place < last && self.thresholds[place + 1] <= score {
            place += 1;
        }
        while place > 0 && self.thresholds[place] > score {
            place -= 1;
        }
        Some(place)
    }

    /// Each threshold from the least on, with what a decision is worth where that is given.
    pub fn points(&self, worth: Option<&Worth>) -> Vec<AtThreshold> {
        let sum = |all: [f64; 2], one: &[f64; 2]| [all[0] + one[0], all[1] + one[1]];
        let all = self.above.iter().fold(self.below, sum);
        let mut below = self.below;
        let mut points = Vec::with_capacity(self.thresholds.len());
        for (threshold, rows) in self.thresholds.iter().zip(&self.above) {
            let confusion = Confusion {
                true_positive: all[0] - below[0],
                false_positive: all[1] - below[1],
                false_negative: below[0],
                true_negative: below[1],
            };
            points.push(AtThreshold::of(*threshold, confusion, worth));
            below = sum(below, rows);
        }
        points
    }
}

impl AtThreshold {
    /// What follows from these counts.
    pub fn of(threshold: f64, confusion: Confusion, worth: Option<&Worth>) -> AtThreshold {
        let rows = confusion.rows();
        AtThreshold {
            threshold,
            confusion,
            precision: confusion.precision(),
            recall: confusion.recall(),
            specificity: confusion.specificity(),
            f1: confusion.f1(),
            mcc: confusion.mcc(),
            value: worth.filter(|_| rows > 0.0).map(|worth| confusion.value(worth) / rows),
        }
    }
}
