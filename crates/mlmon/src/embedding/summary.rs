//! What is remembered of a column of vectors: counters, the mean and variance of each component, how
//! far rows lie from the reference's centroid, and some rows for what needs values.
//!
//! Counters, means and distances are of every row; vectors are looked at once and not kept. The rows
//! are drawn evenly and always the same for the same rows in the same order, so a streamed table
//! gives what a table in memory gives. Memory is constant: four numbers a component and the rows.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};

use super::vectors::{self, for_each_vector};
use crate::Error;
use crate::profile::Moments;
use crate::stat::order;
use crate::stat::quadratic::square_distance;
use crate::stat::random::Random;

/// Rows that are kept of a column.
pub const ROWS_LIMIT: usize = 10_000;
/// Numbers that are kept of a column: of very long vectors fewer rows.
pub const VALUES_LIMIT: usize = 1 << 22;
/// But not fewer than this.
const ROWS_LEAST: usize = 500;
/// Rows after which sums are added to the means: sums stay about the mean, and exact.
const SETTLED_ROWS: u64 = 1024;
/// Bins of distances.
const BINS: usize = 12;
/// Share of the distances of the reference beyond either end of the inner bins.
const TAIL: f64 = 0.005;
/// Numbers of this size and more are taken as infinite: sums of their squares would be.
const GREATEST: f64 = 1e140;
const SEED: u64 = 0x7665_6374;

/// What the reference froze: where its centroid lies, and bins of distances from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    centroid: Vec<f64>,
    cuts: Vec<f64>,
    typical: f64,
}

/// What is known of the vectors of a column.
#[derive(Debug, Clone)]
pub struct Summary {
    width: usize,
    frozen: Option<Arc<Frozen>>,
    counters: Counters,
    means: Means,
    distances: Moments,
    counts: Vec<u64>,
    sample: Reservoir,
}

/// Rows by what is the matter with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// All rows.
    pub rows: u64,
    /// Nulls.
    pub missing: u64,
    /// Vectors of another length.
    pub misfits: u64,
    /// The length of the first of them.
    pub misfit_width: Option<usize>,
    /// Vectors with a component that is NaN or null.
    pub not_a_number: u64,
    /// Vectors with an infinite component, or one whose square is as good as that.
    pub infinite: u64,
}

impl Frozen {
    /// The length of the vectors.
    pub fn width(&self) -> usize {
        self.centroid.len()
    }
}

impl Summary {
    /// Nothing yet of vectors of this length; at most so many rows are kept.
    pub fn new(width: usize, rows_limit: usize) -> Summary {
        Summary {
            width,
            frozen: None,
            counters: Counters::default(),
            means: Means::new(width),
            distances: Moments::about(0.0),
            counts: Vec::new(),
            sample: Reservoir::new(rows_kept(width, rows_limit)),
        }
    }

    /// The same with distances from the centroid of a reference.
    pub fn under(frozen: &Arc<Frozen>, rows_limit: usize) -> Summary {
        Summary {
            distances: Moments::about(frozen.typical),
            counts: vec![0; frozen.cuts.len() + 1],
            frozen: Some(Arc::clone(frozen)),
            ..Summary::new(frozen.centroid.len(), rows_limit)
        }
    }

    /// Looks at the rows of an array.
    pub fn update(&mut self, array: &dyn Array) -> Result<(), Error> {
        let frozen = self.frozen.clone();
        for_each_vector(array, |vector| {
            if let Some(vector) = self.usable(vector) {
                self.means.add(vector);
                self.sample.take(vector);
                if let Some(frozen) = &frozen {
                    self.measure(frozen, vector);
                }
            }
        })?;
        self.means.settle();
        Ok(())
    }

    fn usable<'a>(&mut self, vector: Option<&'a [f64]>) -> Option<&'a [f64]> {
        let counters = &mut self.counters;
        counters.rows += 1;
        let Some(vector) = vector else {
            counters.missing += 1;
            return None;
        };
        if vector.len() != self.width {
            counters.misfits += 1;
            counters.misfit_width.get_or_insert(vector.len());
            return None;
        }
        if vector.iter().fold(true, |usable, value| usable & (value.abs() < GREATEST)) {
            return Some(vector);
        }
        match vector.iter().any(|value| value.is_nan()) {
            true => counters.not_a_number += 1,
            false => counters.infinite += 1,
        }
        None
    }

    fn measure(&mut self, frozen: &Frozen, vector: &[f64]) {
        let distance = square_distance(vector, &frozen.centroid).sqrt();
        self.distances.add(&[distance]);
        self.counts[frozen.cuts.partition_point(|cut| *cut < distance)] += 1;
    }

    /// Looks at the arrays a second time: how far their rows lie from a centroid that was not yet
    /// known the first time.
    fn measure_again(&mut self, frozen: &Arc<Frozen>, arrays: &[ArrayRef]) -> Result<(), Error> {
        let mut again = Summary { sample: Reservoir::new(0), ..Summary::under(frozen, 0) };
        for array in arrays {
            for_each_vector(array.as_ref(), |vector| {
                if let Some(vector) = again.usable(vector) {
                    again.measure(frozen, vector);
                }
            })?;
        }
        self.frozen = again.frozen;
        self.distances = again.distances;
        self.counts = again.counts;
        Ok(())
    }

    /// Summarises a reference, which has to be at hand twice.
    pub fn of_reference(arrays: &[ArrayRef], rows_limit: usize) -> Result<Summary, Error> {
        let mut summary = Summary::new(vectors::usual_width(arrays)?, rows_limit);
        for array in arrays {
            summary.update(array.as_ref())?;
        }
        let frozen = Arc::new(summary.freeze());
        summary.measure_again(&frozen, arrays)?;
        Ok(summary)
    }

    /// What this reference freezes for others and for a second look at itself.
    pub fn freeze(&self) -> Frozen {
        let centroid = self.means.mean.clone();
        let mut distances: Vec<f64> =
            self.rows_kept().map(|row| square_distance(row, &centroid).sqrt()).collect();
        order::sort(&mut distances);
        let quantile = |part| order::quantile_of_sorted(&distances, part).unwrap_or(0.0);
        let (low, high, typical) = (quantile(TAIL), quantile(1.0 - TAIL), quantile(0.5));
        let step = (high - low) / (BINS - 2) as f64;
        let mut cuts: Vec<f64> = (0..BINS - 1).map(|cut| low + step * cut as f64).collect();
        cuts.dedup();
        Frozen { centroid, cuts, typical }
    }

    /// What was frozen, of a reference that has been looked at twice or what was counted under one.
    pub fn frozen(&self) -> Option<&Arc<Frozen>> {
        self.frozen.as_ref()
    }

    /// The length of its vectors.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows by what is the matter with them.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Rows whose vectors are counted.
    pub fn vectors(&self) -> u64 {
        self.means.count
    }

    /// The mean vector.
    pub fn centroid(&self) -> &[f64] {
        &self.means.mean
    }

    /// Of each component the sum of squares about its mean.
    pub fn squares(&self) -> &[f64] {
        &self.means.squares
    }

    /// Distances from the reference's centroid.
    pub fn distances(&self) -> &Moments {
        &self.distances
    }

    /// Rows by distance, between [`Summary::cuts`].
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Where bins of distances end.
    pub fn cuts(&self) -> &[f64] {
        self.frozen.as_ref().map_or(&[], |frozen| &frozen.cuts)
    }

    /// Some of the rows, drawn evenly.
    pub fn rows_kept(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.sample.values.chunks_exact(self.width.max(1))
    }
}

/// Rows kept of vectors so long, where so many are wanted.
pub fn rows_kept(width: usize, wanted: usize) -> usize {
    wanted.min((VALUES_LIMIT / width.max(1)).max(ROWS_LEAST))
}

/// Means and sums of squares about them, component by component.
#[derive(Debug, Clone)]
struct Means {
    count: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
    /// Rows since then, about a row or mean of before.
    since: u64,
    origin: Vec<f64>,
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Means {
    fn new(width: usize) -> Means {
        let none = || vec![0.0; width];
        Means {
            count: 0,
            mean: none(),
            squares: none(),
            since: 0,
            origin: none(),
            sum: none(),
            square: none(),
        }
    }

    fn add(&mut self, vector: &[f64]) {
        if self.count + self.since == 0 {
            self.origin.copy_from_slice(vector);
        }
        let sums = self.sum.iter_mut().zip(&mut self.square);
        for ((value, origin), (sum, square)) in vector.iter().zip(&self.origin).zip(sums) {
            let from = value - origin;
            *sum += from;
            *square += from * from;
        }
        self.since += 1;
        if self.since == SETTLED_ROWS {
            self.settle();
        }
    }

    /// Adds the sums to the means (Chan, Golub and LeVeque).
    fn settle(&mut self) {
        if self.since == 0 {
            return;
        }
        let (n, m) = (self.count as f64, self.since as f64);
        for place in 0..self.mean.len() {
            let apart = self.origin[place] + self.sum[place] / m - self.mean[place];
            let about = self.square[place] - self.sum[place] * self.sum[place] / m;
            self.squares[place] += about.max(0.0) + apart * apart * n * m / (n + m);
            self.mean[place] += apart * m / (n + m);
        }
        self.count += self.since;
        self.since = 0;
        self.origin.copy_from_slice(&self.mean);
        self.sum.fill(0.0);
        self.square.fill(0.0);
    }
}

/// Rows drawn evenly (Vitter's algorithm R), one after the other in one piece of memory.
#[derive(Debug, Clone)]
struct Reservoir {
    limit: usize,
    held: usize,
    seen: usize,
    values: Vec<f64>,
    random: Random,
}

impl Reservoir {
    fn new(limit: usize) -> Reservoir {
        Reservoir { limit, held: 0, seen: 0, values: Vec::new(), random: Random::new(SEED) }
    }

    fn take(&mut self, row: &[f64]) {
        self.seen += 1;
        if self.held < self.limit {
            self.held += 1;
            self.values.extend_from_slice(row);
            return;
        }
        let slot = if self.limit == 0 { 0 } else { self.random.below(self.seen) };
        if slot < self.limit {
            self.values[slot * row.len()..(slot + 1) * row.len()].copy_from_slice(row);
        }
    }
}
