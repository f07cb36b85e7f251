//! How good a model is.

use serde::{Deserialize, Serialize};

/// Figures on transactions that the model has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The probability that a fraud is scored above an honest transaction.
    pub auc: f64,
    /// Of those called fraud, the share that is.
    pub precision: f64,
    /// Of the frauds, the share called so.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Transactions that the figures come from.
    pub rows: usize,
}

/// A scored transaction: the probability and whether it is fraud.
pub(super) type Scored = (f64, bool);

impl Quality {
    pub(super) fn of(scored: &[Scored], threshold: f64) -> Quality {
        let (mut hits, mut false_alarms, mut misses) = (0.0, 0.0, 0.0);
        for &(probability, fraud) in scored {
            match (probability >= threshold, fraud) {
                (true, true) => hits += 1.0,
                (true, false) => false_alarms += 1.0,
                (false, true) => misses += 1.0,
                (false, false) => {}
            }
        }
        let share = |part: f64, rest: f64| if part > 0.0 { part / (part + rest) } else { 0.0 };
        let (precision, recall) = (share(hits, false_alarms), share(hits, misses));
        let f1 = if hits > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        Quality { auc: auc(scored), precision, recall, f1, rows: scored.len() }
    }
}

/// Area under the ROC curve, by the ranks of Mann and Whitney; ties share their ranks.
#[must_use]
pub fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut frauds, mut honest, mut rank_sum) = (0.0, 0.0, 0.0);
    let mut rank = 1.0;
    for tied in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let count = tied.iter().map(|_| 1.0).sum::<f64>();
        let fraud = tied.iter().filter(|(_, fraud)| *fraud).map(|_| 1.0).sum::<f64>();
        rank_sum += fraud * (rank + (count - 1.0) / 2.0);
        frauds += fraud;
        honest += count - fraud;
        rank += count;
    }
    if frauds == 0.0 || honest == 0.0 {
        return 0.5;
    }
    (rank_sum - frauds * (frauds + 1.0) / 2.0) / (frauds * honest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_under_the_curve_is_the_share_of_pairs_in_order() {
        for (scored, expect) in [
            (vec![(0.1, false), (0.9, true)], 1.0),
            (vec![(0.9, false), (0.1, true)], 0.0),
            (vec![(0.5, false), (0.5, true)], 0.5),
            (vec![(0.1, false), (0.2, true), (0.3, false), (0.4, true)], 0.75),
            (vec![(0.1, false)], 0.5),
        ] {
            assert!((auc(&scored) - expect).abs() < 1e-12, "{scored:?}");
        }
    }
}
