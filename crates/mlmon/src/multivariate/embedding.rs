//! Embeddings: distance of centroids and share of drifted components.
//!
//! Centroids: Euclidean distance of the two mean vectors, and its cosine form. Components: the share
//! of components whose normed Wasserstein distance exceeds 0.1 (Evidently alarms above a share of 0.2).
//! Source: Evidently 0.7.23, embeddings drift methods `distance` and `ratio`; `mmd` has its own file.
//! Useful: as cheap numbers to plot.
//! Not useful: as tests: neither knows the sample size.

use crate::Error;
use crate::stat::{self, order};

/// What was measured of two sets of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Distances {
    /// Euclidean distance of the mean vectors.
    pub euclidean: f64,
    /// One minus the cosine of the mean vectors.
    pub cosine: f64,
    /// Share of components that drifted.
    pub drifted_share: f64,
}

/// A component drifted when its Wasserstein distance in standard deviations exceeds this.
pub const COMPONENT: f64 = 0.1;

/// Measures two sets of vectors of one length.
pub fn distances(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Result<Distances, Error> {
    let width = reference.first().map_or(0, Vec::len);
    if width == 0 || current.is_empty() {
        return Err(Error::Empty("a side"));
    }
    if reference.iter().chain(current).any(|row| row.len() != width) {
        return Err(Error::Mismatch("vectors of different lengths".to_owned()));
    }
    let (mut square, mut dot, mut norms, mut drifted) = (0.0, 0.0, [0.0; 2], 0);
    for component in 0..width {
        let column = |rows: &[Vec<f64>]| -> Vec<f64> {
            let mut values: Vec<f64> = rows.iter().map(|row| row[component]).collect();
            values.retain(|value| value.is_finite());
            order::sort(&mut values);
            values
        };
        let (left, right) = (column(reference), column(current));
        if left.is_empty() || right.is_empty() {
            return Err(Error::Empty("a component"));
        }
        let (x, y) = (stat::mean(&left), stat::mean(&right));
        square += (x - y) * (x - y);
        dot += x * y;
        norms[0] += x * x;
        norms[1] += y * y;
        let spread = stat::deviation(&left, 0).max(0.001);
        drifted += u32::from(wasserstein(&left, &right) / spread > COMPONENT);
    }
    let norm = (norms[0] * norms[1]).sqrt();
    Ok(Distances {
        euclidean: square.sqrt(),
        cosine: if norm > 0.0 { 1.0 - dot / norm } else { 0.0 },
        drifted_share: f64::from(drifted) / width as f64,
    })
}

fn wasserstein(left: &[f64], right: &[f64]) -> f64 {
    let (n, m) = (left.len() as f64, right.len() as f64);
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut last: Option<f64> = None;
    while i < left.len() || j < right.len() {
        let x = left.get(i).copied().unwrap_or(f64::INFINITY);
        let y = right.get(j).copied().unwrap_or(f64::INFINITY);
        let value = x.min(y);
        if let Some(last) = last {
            area += (i as f64 / n - j as f64 / m).abs() * (value - last);
        }
        last = Some(value);
        if x <= y { i += 1 } else { j += 1 }
    }
    area
}

#[cfg(test)]
mod tests {
    use super::super::{domain, mmd};
    use super::*;
    use crate::gbdt::Feature;
    use crate::stat::random::Random;

    /// Two columns that each keep their distribution while their correlation turns.
    fn rows(seed: u64, n: usize, correlation: f64) -> Vec<Vec<f64>> {
        let mut random = Random::new(seed);
        let mut row = || {
            let (x, y) = (random.normal(), random.normal());
            vec![x, correlation * x + (1.0 - correlation * correlation).sqrt() * y]
        };
        (0..n).map(|_| row()).collect()
    }

    fn features(rows: &[Vec<f64>]) -> Vec<Feature> {
        (0..2).map(|i| Feature::Numbers(rows.iter().map(|row| row[i]).collect())).collect()
    }

    #[test]
    fn a_turned_correlation_is_found_by_what_looks_at_columns_together() {
        let (reference, same) = (rows(1, 800, 0.8), rows(2, 800, 0.8));
        let turned = rows(3, 800, -0.8);
        assert!(mmd::quadratic(&reference, &turned).unwrap().probability < 0.01);
        assert!(mmd::quadratic(&reference, &same).unwrap().probability > 0.05);
        assert!(mmd::linear(&reference, &turned).unwrap().probability < 0.01);
        let auroc = |rows: &[Vec<f64>]| {
            domain::classify(&features(&reference), &features(rows)).unwrap().value
        };
        let (apart, alike) = (auroc(&turned), auroc(&same));
        assert!(apart > 0.8 && (0.42..0.58).contains(&alike), "{apart} {alike}");
        assert!(distances(&reference, &turned).unwrap().drifted_share < 0.6);
    }

    #[test]
    fn embeddings_that_moved_are_far_apart() {
        let reference = rows(1, 500, 0.0);
        let moved: Vec<Vec<f64>> =
            rows(2, 500, 0.0).into_iter().map(|row| vec![row[0] + 1.0, row[1]]).collect();
        let found = distances(&reference, &moved).unwrap();
        assert!((found.euclidean - 1.0).abs() < 0.2 && found.drifted_share >= 0.5, "{found:?}");
        assert!(distances(&reference, &[]).is_err());
    }
}
