//! Isotonic regression: the non-decreasing function nearest to the labels in squares.
//!
//! Pool adjacent violators (Ayer and others 1955). Equal scores are averaged first; between scores
//! the function is linear, beyond them constant, as scikit-learn with `out_of_bounds="clip"`.

use crate::Error;

/// A fitted function.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    scores: Vec<f64>,
    values: Vec<f64>,
}

impl Isotonic {
    /// Fits pairs of score and label.
    pub fn fit(scores: &[f64], labels: &[f64]) -> Result<Isotonic, Error> {
        crate::performance::same_length(scores.len(), labels.len())?;
        let mut pairs: Vec<(f64, f64)> =
            scores.iter().copied().zip(labels.iter().copied()).collect();
        pairs.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        Ok(Isotonic::fit_sorted(&pairs))
    }

    /// The same for pairs that ascend by score.
    pub(crate) fn fit_sorted(pairs: &[(f64, f64)]) -> Isotonic {
        // Pools: mean, weight, index of its last distinct score.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        let mut distinct: Vec<f64> = Vec::new();
        #[expect(clippy::float_cmp, reason = "equal scores are one point")]
        for tied in pairs.chunk_by(|left, right| left.0 == right.0) {
            let weight = tied.len() as f64;
            let mean = tied.iter().map(|pair| pair.1).sum::<f64>() / weight;
            distinct.push(tied[0].0);
            let mut pool = (mean, weight, distinct.len() - 1);
            while let Some(last) = pools.last().filter(|last| last.0 >= pool.0) {
                let weight = last.1 + pool.1;
                pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, pool.2);
                pools.pop();
            }
            pools.push(pool);
        }
        // A pool is flat: its first and last score say all.
        let (mut scores, mut values) = (Vec::new(), Vec::new());
        let mut first = 0;
        for (mean, _, last) in pools {
            scores.push(distinct[first]);
            values.push(mean);
            if last > first {
                scores.push(distinct[last]);
                values.push(mean);
            }
            first = last + 1;
        }
        Isotonic { scores, values }
    }

    /// The function at a score.
    pub fn at(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|known| *known < score);
        match (after.checked_sub(1), self.scores.get(after)) {
            (None, _) => self.values.first().copied().unwrap_or(f64::NAN),
            (Some(_), None) => self.values.last().copied().unwrap_or(f64::NAN),
            (Some(before), Some(next)) => {
                let (low, high) = (self.values[before], self.values[after]);
                let from = self.scores[before];
                low + (high - low) * (score - from) / (next - from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_and_gaps_are_linear() {
        let fitted = Isotonic::fit(&[1.0, 2.0, 3.0, 4.0, 4.0], &[0.0, 3.0, 1.0, 5.0, 7.0]).unwrap();
        let at = [0.0, 1.0, 1.5, 2.0, 2.5, 3.5, 9.0].map(|score| fitted.at(score));
        let expected = [0.0, 0.0, 1.0, 2.0, 2.0, 4.0, 6.0];
        assert!(at.iter().zip(expected).all(|(ours, theirs)| (ours - theirs).abs() < 1e-12));
    }
}
