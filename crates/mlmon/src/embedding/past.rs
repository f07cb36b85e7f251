//! A reference, with what detectors compute of it once; and what changed, for people.

use std::sync::OnceLock;

use arrow_array::ArrayRef;
use serde::Serialize;

use super::Summary;
use crate::Error;
use crate::stat::quadratic::{self, Weights, dot};
use crate::stat::{self, null, order};

/// Components that are told of.
const TOLD: usize = 10;

/// A summarised reference.
#[derive(Debug)]
pub struct Past {
    summary: Summary,
    weights: OnceLock<Weights>,
    across: OnceLock<(Weights, f64)>,
    sorted: OnceLock<Vec<Sorted>>,
}

/// A component of the rows that are kept.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Its values ascending.
    pub(super) values: Vec<f64>,
    pub(super) deviation: f64,
    /// Mean and variance of its Wasserstein distance without drift, for 1/n + 1/m = 1.
    pub(super) area: (f64, f64),
}

impl Past {
    /// Of a reference that was looked at twice.
    pub fn of(summary: Summary) -> Past {
        Past { summary, weights: OnceLock::new(), across: OnceLock::new(), sorted: OnceLock::new() }
    }

    /// Summarises a column.
    pub fn fit(arrays: &[ArrayRef]) -> Result<Past, Error> {
        Ok(Past::of(Summary::of_reference(arrays, super::ROWS_LIMIT)?))
    }

    /// What was counted.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How the variance of rows is spread over directions.
    pub(super) fn weights(&self) -> Weights {
        *self.weights.get_or_init(|| weights_of(&self.few_rows()).0)
    }

    /// The same at right angles to the centroid, and the share of the variance there.
    pub(super) fn weights_across(&self) -> (Weights, f64) {
        *self.across.get_or_init(|| {
            let mut rows = self.few_rows();
            let centroid = self.summary.centroid();
            let length = dot(centroid, centroid);
            let whole = variance(&rows);
            for row in rows.iter_mut().filter(|_| length > 0.0) {
                let along = dot(row, centroid) / length;
                row.iter_mut().zip(centroid).for_each(|(value, at)| *value -= along * at);
            }
            let (weights, sum) = weights_of(&rows);
            (weights, if whole > 0.0 { sum / whole } else { 1.0 })
        })
    }

    /// Some rows from the centroid.
    fn few_rows(&self) -> Vec<Vec<f64>> {
        let kept = self.summary.rows_kept();
        let step = kept.len().div_ceil(quadratic::ROWS_LIMIT).max(1);
        let centroid = self.summary.centroid();
        let from_there = |row: &[f64]| row.iter().zip(centroid).map(|(x, c)| x - c).collect();
        kept.step_by(step).map(from_there).collect()
    }

    /// The components of the rows that are kept.
    pub(super) fn sorted(&self) -> &[Sorted] {
        self.sorted.get_or_init(|| {
            let sorted = |values: Vec<f64>| Sorted {
                deviation: stat::deviation(&values, 0),
                area: null::bridge_area_moments(&values, 1.0),
                values,
            };
            components(&self.summary).into_iter().map(sorted).collect()
        })
    }
}

/// The components of the rows that are kept, each ascending.
pub(super) fn components(summary: &Summary) -> Vec<Vec<f64>> {
    let rows = summary.rows_kept().len();
    let mut columns = vec![Vec::with_capacity(rows); summary.width()];
    for row in summary.rows_kept() {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
    }
    columns.iter_mut().for_each(|column| order::sort(column));
    columns
}

/// Of rows about nought.
fn variance(rows: &[Vec<f64>]) -> f64 {
    rows.iter().map(|row| dot(row, row)).sum::<f64>() / rows.len().max(1) as f64
}

fn weights_of(rows: &[Vec<f64>]) -> (Weights, f64) {
    let sum = variance(rows);
    let products = rows.iter().flat_map(|x| rows.iter().map(|y| dot(x, y))).collect();
    (Weights::of_products(products, rows.len(), sum), sum)
}

/// What changed in a column of vectors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Described {
    /// Numbers of a vector.
    pub width: usize,
    /// Mean and standard deviation of the rows' distance from the reference's centroid, before and
    /// now.
    pub distances: [(f64, f64); 2],
    /// How far the centroid moved.
    pub moved: f64,
    /// The components whose mean moved most in their standard deviations.
    pub components: Vec<Component>,
}

/// A component of vectors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Component {
    /// Its place, from nought on.
    pub place: usize,
    /// Its mean before.
    pub reference: f64,
    /// And now.
    pub current: f64,
    /// The way between, in standard deviations of the reference.
    pub shift: f64,
}

impl Described {
    /// Of a window beside its reference; nothing where a side has no vectors.
    pub fn of(reference: &Past, current: &Summary) -> Option<Described> {
        let past = reference.summary();
        let distances = |summary: &Summary| {
            let distances = summary.distances();
            Some((distances.mean()?, distances.variance(0)?.sqrt()))
        };
        let rows = past.vectors() as f64;
        let component = |place: usize| {
            let (before, now) = (past.centroid()[place], current.centroid()[place]);
            let deviation = (past.squares()[place] / rows).sqrt();
            let shift = if deviation > 0.0 { (now - before) / deviation } else { 0.0 };
            Component { place, reference: before, current: now, shift }
        };
        let mut components: Vec<Component> = (0..past.width()).map(component).collect();
        let by_shift =
            |left: &Component, right: &Component| right.shift.abs().total_cmp(&left.shift.abs());
        if components.len() > TOLD {
            components.select_nth_unstable_by(TOLD, by_shift);
            components.truncate(TOLD);
        }
        components.sort_by(by_shift);
        Some(Described {
            width: past.width(),
            distances: [distances(past)?, distances(current)?],
            moved: quadratic::square_distance(past.centroid(), current.centroid()).sqrt(),
            components,
        })
    }
}
