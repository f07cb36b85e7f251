//! Reconstruction error of principal components.
//!
//! Columns are completed (mean), standardised, projected on the components that hold 65 % of the
//! reference's variance and back; the value is the mean Euclidean distance of rows and their image.
//! Source: NannyML 0.13.1, data reconstruction; alert outside mean ± 3 standard deviations of chunks.
//! Useful: for a change of how columns hang together. Linear.
//! Not useful: to say which column; for changes within the components' plane.

use crate::Error;
use crate::performance::same_length;
use crate::stat;

/// Share of the variance that is kept.
pub const KEPT: f64 = 0.65;

/// Components of a reference.
#[derive(Debug, Clone)]
pub struct Pca {
    means: Vec<f64>,
    deviations: Vec<f64>,
    components: Vec<Vec<f64>>,
}

impl Pca {
    /// Learns from columns of equal length; NaN is completed by the column's mean.
    pub fn fit(columns: &[Vec<f64>]) -> Result<Pca, Error> {
        let rows = columns.first().map_or(0, Vec::len);
        for column in columns {
            same_length(column.len(), rows)?;
        }
        if columns.len() < 2 {
            return Err(Error::Undefined("fewer than two columns"));
        }
        let known = |column: &Vec<f64>| -> Vec<f64> {
            column.iter().copied().filter(|value| value.is_finite()).collect()
        };
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for column in columns {
            let known = known(column);
            if known.is_empty() {
                return Err(Error::Empty("a column"));
            }
            let mean = stat::mean(&known);
            let square: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
            // Completed rows lie at the mean and thin the variance out.
            let deviation = (square / rows as f64).sqrt();
            means.push(mean);
            deviations.push(if deviation > 0.0 { deviation } else { 1.0 });
        }
        let mut pca = Pca { means, deviations, components: Vec::new() };
        let size = columns.len();
        let mut covariance = vec![vec![0.0; size]; size];
        for row in 0..rows {
            let scaled = pca.scaled(columns, row);
            for (i, x) in scaled.iter().enumerate() {
                for (cell, y) in covariance[i].iter_mut().zip(&scaled) {
                    *cell += x * y;
                }
            }
        }
        let mut axes = eigen(covariance);
        axes.sort_by(|left, right| right.0.total_cmp(&left.0));
        let total: f64 = axes.iter().map(|axis| axis.0).sum();
        let mut held = 0.0;
        for (variance, axis) in axes {
            pca.components.push(axis);
            held += variance;
            if held > KEPT * total {
                break;
            }
        }
        Ok(pca)
    }

    fn scaled(&self, columns: &[Vec<f64>], row: usize) -> Vec<f64> {
        let scale = |(column, (mean, deviation)): (&Vec<f64>, (&f64, &f64))| {
            let value = column[row];
            if value.is_finite() { (value - mean) / deviation } else { 0.0 }
        };
        columns.iter().zip(self.means.iter().zip(&self.deviations)).map(scale).collect()
    }

    /// Mean reconstruction error of a window with the same columns.
    pub fn error(&self, columns: &[Vec<f64>]) -> Result<f64, Error> {
        if columns.len() != self.means.len() {
            return Err(Error::Mismatch("another number of columns".to_owned()));
        }
        let rows = columns.first().map_or(0, Vec::len);
        for column in columns {
            same_length(column.len(), rows)?;
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let mut sum = 0.0;
        for row in 0..rows {
            let scaled = self.scaled(columns, row);
            let inside: f64 = self.components.iter().map(|axis| dot(axis, &scaled).powi(2)).sum();
            sum += (dot(&scaled, &scaled) - inside).max(0.0).sqrt();
        }
        Ok(sum / rows as f64)
    }
}

/// Eigenvalues and unit eigenvectors of a symmetric matrix (cyclic Jacobi).
fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    const SWEEPS: usize = 60;
    let size = matrix.len();
    let unit = |i: usize| (0..size).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    let mut vectors: Vec<Vec<f64>> = (0..size).map(unit).collect();
    for _ in 0..SWEEPS {
        let scale: f64 = (0..size).map(|i| matrix[i][i].abs()).sum();
        let rest: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| matrix[i][j].abs())
            .sum();
        if rest <= scale * 1e-15 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    vectors.into_iter().enumerate().map(|(i, vector)| (matrix[i][i], vector)).collect()
}

fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let cos = 1.0 / (t * t + 1.0).sqrt();
    let sin = t * cos;
    for row in matrix.iter_mut() {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
    turn(matrix, p, q, cos, sin);
    // Vectors stand in rows.
    turn(vectors, p, q, cos, sin);
}

/// Turns two rows against each other.
fn turn(rows: &mut [Vec<f64>], p: usize, q: usize, cos: f64, sin: f64) {
    let (before, after) = rows.split_at_mut(q);
    for (x, y) in before[p].iter_mut().zip(after[0].iter_mut()) {
        (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
    }
}

/// Each text as its share of the reference; one that the reference does not have as 0, a missing one
/// (`None`) as the most frequent.
pub fn shares_of(reference: &[Option<&str>], texts: &[Option<&str>]) -> Vec<f64> {
    let mut counts: hashbrown::HashMap<&str, f64> = hashbrown::HashMap::new();
    for text in reference.iter().flatten() {
        *counts.entry(text).or_default() += 1.0;
    }
    let missing = (reference.len() - reference.iter().flatten().count()) as f64;
    let most = counts.values().copied().fold(0.0, f64::max) + missing;
    let rows = reference.len().max(1) as f64;
    let share = |text: &Option<&str>| match text {
        Some(text) => counts.get(text).copied().unwrap_or(0.0) / rows,
        None => most / rows,
    };
    texts.iter().map(share).collect()
}
