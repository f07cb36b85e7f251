//! More than two classes: each against the rest, averaged over the classes (macro).
//!
//! precision, recall, specificity, f1: that of each class against all others, averaged, a class that
//! has none counting 0; auroc: of each class's score, averaged; accuracy: share of right decisions; mcc:
//! Matthews' correlation of the whole matrix.
//! The matrix has a row for each true class and a column for each decision.
//! Source: scikit-learn with `average="macro"` and `multi_class="ovr"`; Gorodkin (2004) for mcc.
//! Useful: every class counts the same, so that a rare one that breaks is seen; the matrix says which
//! class it is taken for.
//! Not useful: for hundreds of classes, where a mean hides the one that broke; look by segment.

use serde::Serialize;

use super::binary::{Confusion, Curve};
use super::same_length;
use crate::Error;

/// The full matrix and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// Rows by true class (outer) and predicted class (inner).
    pub counts: Vec<Vec<u64>>,
}

impl Matrix {
    /// Counts rows; classes are numbered from 0.
    pub fn of(labels: &[usize], decisions: &[usize], classes: usize) -> Result<Matrix, Error> {
        same_length(labels.len(), decisions.len())?;
        let mut counts = vec![vec![0; classes]; classes];
        for (label, decision) in labels.iter().zip(decisions) {
            let cell = counts.get_mut(*label).and_then(|row| row.get_mut(*decision));
            *cell.ok_or_else(|| {
                Error::Mismatch("a class beyond the number of classes".to_owned())
            })? += 1;
        }
        Ok(Matrix { counts })
    }

    /// One class against all others.
    pub fn against_rest(&self, class: usize) -> Confusion {
        let total: u64 = self.counts.iter().flatten().sum();
        let found = self.counts[class][class];
        let real: u64 = self.counts[class].iter().sum();
        let predicted: u64 = self.counts.iter().map(|row| row[class]).sum();
        Confusion {
            true_positive: found as f64,
            false_positive: (predicted - found) as f64,
            false_negative: (real - found) as f64,
            true_negative: (total + found - real - predicted) as f64,
        }
    }

    /// The mean of a metric over classes; one that a class does not have counts as 0, as scikit-learn.
    pub fn macro_mean(&self, metric: fn(&Confusion) -> Option<f64>) -> f64 {
        let each = (0..self.counts.len()).map(|class| metric(&self.against_rest(class)));
        each.map(Option::unwrap_or_default).sum::<f64>() / self.counts.len().max(1) as f64
    }

    /// Share of decisions that were right.
    pub fn accuracy(&self) -> f64 {
        let total: u64 = self.counts.iter().flatten().sum();
        let right: u64 = self.counts.iter().enumerate().map(|(i, row)| row[i]).sum();
        right as f64 / total.max(1) as f64
    }

    /// Matthews' correlation of more than two classes (Gorodkin 2004).
    pub fn mcc(&self) -> f64 {
        let rows: Vec<f64> = self.counts.iter().map(|row| row.iter().sum::<u64>() as f64).collect();
        let predicted = |class: usize| self.counts.iter().map(|row| row[class]).sum::<u64>() as f64;
        let columns: Vec<f64> = (0..self.counts.len()).map(predicted).collect();
        let total: f64 = rows.iter().sum();
        let right: f64 = self.counts.iter().enumerate().map(|(i, row)| row[i] as f64).sum();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let square = total * total;
        let spread = (square - dot(&columns, &columns)) * (square - dot(&rows, &rows));
        if spread > 0.0 { (right * total - dot(&rows, &columns)) / spread.sqrt() } else { 0.0 }
    }
}

/// Mean over classes of the AUROC of its score against the rest; `scores` has a column per class.
pub fn auroc_macro(labels: &[usize], scores: &[Vec<f64>]) -> Result<Option<f64>, Error> {
    let mut sum = 0.0;
    for (class, scores) in scores.iter().enumerate() {
        let is: Vec<bool> = labels.iter().map(|label| *label == class).collect();
        match Curve::of(&is, scores)?.auroc() {
            Some(auroc) => sum += auroc,
            None => return Ok(None),
        }
    }
    Ok(Some(sum / scores.len().max(1) as f64))
}
