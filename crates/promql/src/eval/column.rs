//! One series' results: a column of cells, one for each step.

use std::sync::Arc;

use model::metric::{Histogram, Labels};

/// The NaN that says "no sample at this step". No operation makes it and no store keeps it.
pub(crate) const ABSENT: f64 = f64::from_bits(0x7ff0_dead_beef_0a65);

const ABSENT_BITS: u64 = 0x7ff0_dead_beef_0a65;

/// Whether a float stands in the cell.
#[inline]
pub(crate) fn is_present(value: f64) -> bool {
    value.to_bits() != ABSENT_BITS
}

/// The times at which a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first, milliseconds.
    pub(crate) start: i64,
    /// The distance, milliseconds, at least 1.
    pub(crate) step: i64,
    /// How many.
    pub(crate) count: usize,
}

impl Steps {
    /// One step at `time`.
    pub(crate) fn once(time: i64) -> Steps {
        Steps { start: time, step: 1, count: 1 }
    }

    /// From `start` to `end`, both inclusive.
    pub(crate) fn between(start: i64, end: i64, step: i64) -> Steps {
        let step = step.max(1);
        let count = if end < start { 0 } else { end.saturating_sub(start) / step + 1 };
        Steps { start, step, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    /// The time of the step `index`.
    #[inline]
    pub(crate) fn at(self, index: usize) -> i64 {
        self.start
            .saturating_add(self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }
}

/// What stands in a cell.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// A column of cells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// One for each step; [`ABSENT`] where there is none.
    pub(crate) floats: Vec<f64>,
    /// Empty, or one for each step. Where there is one, the float is absent.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Column {
    /// Nothing at any step.
    pub(crate) fn absent(count: usize) -> Column {
        Column { floats: vec![ABSENT; count], histograms: Vec::new() }
    }

    /// Empties it for `count` steps and keeps its memory.
    pub(crate) fn reset(&mut self, count: usize) {
        self.floats.clear();
        self.floats.resize(count, ABSENT);
        self.histograms.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.floats.len()
    }

    /// The histogram at a step.
    #[inline]
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(step).and_then(Option::as_ref)
    }

    /// What stands at a step.
    #[inline]
    pub(crate) fn cell(&self, step: usize) -> Option<Cell> {
        let value = self.floats[step];
        if is_present(value) {
            return Some(Cell::Float(value));
        }
        self.histogram(step).map(|histogram| Cell::Histogram(Arc::clone(histogram)))
    }

    /// Whether something stands at a step.
    #[inline]
    pub(crate) fn has(&self, step: usize) -> bool {
        is_present(self.floats[step]) || self.histogram(step).is_some()
    }

    /// Puts something into a cell.
    pub(crate) fn set(&mut self, step: usize, cell: Cell) {
        match cell {
            Cell::Float(value) => self.floats[step] = value,
            Cell::Histogram(histogram) => self.set_histogram(step, histogram),
        }
    }

    /// Puts a histogram into a cell.
    pub(crate) fn set_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        if self.histograms.is_empty() {
            self.histograms.resize(self.floats.len(), None);
        }
        self.floats[step] = ABSENT;
        self.histograms[step] = Some(histogram);
    }

    /// Empties a cell.
    pub(crate) fn clear(&mut self, step: usize) {
        self.floats[step] = ABSENT;
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    /// How many cells hold something.
    pub(crate) fn samples(&self) -> usize {
        let floats = self.floats.iter().filter(|value| is_present(**value)).count();
        floats + self.histograms.iter().filter(|cell| cell.is_some()).count()
    }

    /// Whether no cell holds anything.
    pub(crate) fn is_empty(&self) -> bool {
        !self.floats.iter().any(|value| is_present(*value))
            && self.histograms.iter().all(Option::is_none)
    }

    /// Whether any cell holds a histogram.
    pub(crate) fn has_histograms(&self) -> bool {
        self.histograms.iter().any(Option::is_some)
    }

    /// Drops the histograms: many functions ignore them.
    pub(crate) fn only_floats(&mut self) {
        self.histograms = Vec::new();
    }

    /// Changes each float.
    pub(crate) fn map(&mut self, change: impl Fn(f64) -> f64) {
        for value in &mut self.floats {
            if is_present(*value) {
                *value = change(*value);
            }
        }
    }

    /// The same cell at `count` steps.
    pub(crate) fn repeat(&self, count: usize) -> Column {
        let histograms = match self.histograms.first() {
            Some(Some(histogram)) => vec![Some(Arc::clone(histogram)); count],
            _ => Vec::new(),
        };
        Column { floats: vec![self.floats.first().copied().unwrap_or(ABSENT); count], histograms }
    }

    /// About how many bytes it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let histograms = self.histograms.iter().flatten();
        let histograms: usize = histograms.map(|one| 160 + 8 * one.positive_buckets.len()).sum();
        self.floats.capacity() * 8 + self.histograms.capacity() * 8 + histograms
    }
}

/// A series of results.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Its labels.
    pub(crate) labels: Labels,
    /// Whether its name has to go once the query is done (names may be dropped late, so that
    /// functions can still see them).
    pub(crate) drop_name: bool,
    /// Its samples.
    pub(crate) column: Column,
}
