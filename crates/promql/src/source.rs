//! What the evaluator needs from a store of samples, declared by the one who needs it.
//!
//! A query asks a [`SeriesSource`] for the series that a selector matches and then reads each of
//! them once, from several threads, into scratch columns that the thread keeps ([`Points`]).

use std::fmt;
use std::sync::Arc;

use model::metric::{Histogram, Labels, Matcher};

use crate::control::Control;

/// What a selector asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// All of them have to match.
    pub matchers: Vec<Matcher>,
    /// The first time that counts, milliseconds, inclusive.
    pub start: i64,
    /// The last time that counts, milliseconds, inclusive.
    pub end: i64,
    /// The distance between results, milliseconds; 0 for an instant query. A hint, for example to
    /// choose downsampled data.
    pub step: i64,
    /// The width of a range selector, milliseconds; 0 for an instant vector.
    pub range: i64,
    /// The function or aggregation around the selector. A hint.
    pub function: Option<String>,
    /// The grouping of an aggregation around the selector: `true` is `by`, `false` is `without`.
    /// A hint.
    pub by: Option<(bool, Vec<String>)>,
}

/// Where series come from.
pub trait SeriesSource: Send + Sync {
    /// The series that match, in any order, no label set twice.
    fn select(&self, select: &Select, control: &Control)
    -> Result<Box<dyn SeriesSet>, SourceError>;

    /// A number that changes whenever a sample up to `settled` (milliseconds), or up to what was
    /// asked about before, comes (late, out of order, imported), is deleted, replaced or
    /// downsampled. Results that hang on no later sample may be kept while it stays the same;
    /// `None` means that nothing may be kept.
    fn version(&self, settled: i64) -> Option<u64> {
        let _ = settled;
        None
    }
}

/// The series of one [`Select`]. Nothing is decoded before [`SeriesSet::read`].
pub trait SeriesSet: Send + Sync {
    /// How many series.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of one, `index` from 0 to `len`.
    fn labels(&self, index: usize) -> &Labels;

    /// Replaces `into` by the samples of one between the start and end of the selection; samples
    /// before or after are allowed and ignored. Called from several threads at once.
    fn read(&self, index: usize, into: &mut Points) -> Result<(), SourceError>;

    /// What the user should know about the completeness of the data.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The query was cancelled or ran out of a limit while reading.
    #[error("query was stopped")]
    Stopped,
    /// The matchers cannot be evaluated.
    #[error("{0}")]
    Invalid(String),
    /// Reading failed.
    #[error("{0}")]
    Failed(String),
}

/// The samples of one series, in columns that are reused from series to series. Floats and
/// histograms each ascend in time, no time occurs twice; stale markers are included.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Times of the floats, milliseconds.
    pub timestamps: Vec<i64>,
    /// Their values.
    pub values: Vec<f64>,
    /// Their start timestamps; empty when none of them is known.
    pub starts: Vec<i64>,
    /// Native histograms.
    pub histograms: Vec<HistogramPoint>,
}

/// A native histogram at a time.
#[derive(Clone)]
pub struct HistogramPoint {
    /// Milliseconds.
    pub timestamp: i64,
    /// When the counter began, milliseconds; 0 is unknown.
    pub start: i64,
    /// The histogram.
    pub histogram: Arc<Histogram>,
}

impl fmt::Debug for HistogramPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} @{} st@{}", self.histogram, self.timestamp, self.start)
    }
}

impl Points {
    /// Empties the columns and keeps their memory.
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
    }

    /// How many samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps.len() + self.histograms.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty() && self.histograms.is_empty()
    }
}
