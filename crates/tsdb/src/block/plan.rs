//! Which blocks answer a query, and which column of downsampled ones.
//!
//! Downsampled points are read where the distance of the query's results allows it and its function
//! has a column; elsewhere samples as they came. What is no longer there as it came is read from
//! what is left.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BlockId, Reader};
use crate::chunk::TimeRange;

/// What a query asks for, as far as the choice of blocks goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask<'a> {
    /// The first time that counts, milliseconds.
    pub start: i64,
    /// The last time that counts, milliseconds.
    pub end: i64,
    /// The distance of results, milliseconds; 0 for an instant query.
    pub step: i64,
    /// The width of the range selector, milliseconds; 0 for an instant vector.
    pub range: i64,
    /// The function around the selector.
    pub function: Option<&'a str>,
}

/// What to read of downsampled points. Blocks of samples as they came have only those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The last sample of each window, with the samples around counter resets: sums of increases
    /// are exact.
    Last,
    /// The same, repeated so that an instant selector finds it anywhere in its window.
    Instant,
    /// Sums.
    Sum,
    /// Counts: as many samples as there were.
    Count,
    /// Smallest values.
    Min,
    /// Largest values.
    Max,
    /// Sums divided by counts.
    Average,
}

impl Column {
    /// The columns that are stored.
    pub(crate) const STORED: [Column; 5] =
        [Column::Sum, Column::Count, Column::Min, Column::Max, Column::Last];

    pub(crate) fn code(self) -> u8 {
        match self {
            Column::Sum => 2,
            Column::Count => 3,
            Column::Min => 4,
            Column::Max => 5,
            Column::Last => 6,
            Column::Instant | Column::Average => u8::MAX,
        }
    }

    /// The column for a query, and whether it stands for the samples themselves.
    #[must_use]
    pub fn of(ask: &Ask<'_>) -> (Column, bool) {
        if ask.range == 0 {
            return (Column::Instant, true);
        }
        match ask.function.unwrap_or("") {
            "sum_over_time" => (Column::Sum, true),
            "count_over_time" => (Column::Count, true),
            "min_over_time" => (Column::Min, true),
            "max_over_time" => (Column::Max, true),
            "avg_over_time" => (Column::Average, true),
            "rate" | "increase" | "delta" | "last_over_time" | "present_over_time"
            | "absent_over_time" => (Column::Last, true),
            "quantile_over_time" | "stddev_over_time" | "stdvar_over_time" | "deriv"
            | "predict_linear" | "mad_over_time" => (Column::Average, false),
            _ => (Column::Last, false),
        }
    }
}

/// A block's part in an answer.
#[derive(Debug, Clone)]
pub struct Part {
    /// The block.
    pub reader: Arc<Reader>,
    /// What to read of it.
    pub time: TimeRange,
    /// What to read if it is downsampled.
    pub column: Column,
}

/// Results at this many times the points' distance may use them.
const STEP_FACTOR: i64 = 5;

/// The same for the one result of an instant query over a range.
const INSTANT_FACTOR: i64 = 60;

fn allows(ask: &Ask<'_>, resolution_ms: i64) -> bool {
    let (_, stands_for_samples) = Column::of(ask);
    let step_allows = if ask.step > 0 {
        ask.step >= resolution_ms * STEP_FACTOR
            && (ask.range == 0 || ask.range >= resolution_ms * STEP_FACTOR)
    } else {
        ask.range >= resolution_ms * INSTANT_FACTOR
    };
    resolution_ms == 0 || (stands_for_samples && step_allows)
}

/// Chooses among `blocks`; the parts are in order of time.
pub(crate) fn plan(blocks: &[Arc<Reader>], ask: &Ask<'_>) -> Vec<Part> {
    let time = TimeRange { start: ask.start, end: ask.end };
    let mut candidates: Vec<&Arc<Reader>> =
        blocks.iter().filter(|reader| reach(reader, ask).overlaps(time)).collect();
    // The coarsest that is allowed, then finer ones, then those that are too coarse.
    candidates.sort_by_key(|reader| {
        let resolution_ms = reader.meta().resolution_ms;
        if allows(ask, resolution_ms) { (false, -resolution_ms) } else { (true, resolution_ms) }
    });
    let mut covered: BTreeSet<BlockId> = BTreeSet::new();
    let mut parts = Vec::new();
    for reader in candidates {
        let origins = &reader.meta().origins;
        if origins.iter().all(|origin| covered.contains(origin)) {
            continue;
        }
        covered.extend(origins);
        let reader = Arc::clone(reader);
        parts.push(Part { reader, time, column: Column::of(ask).0 });
    }
    parts.sort_by_key(|part| (part.reader.meta().min_time, part.reader.meta().id));
    parts
}

/// The time in which a block has something to say: points that are carried on reach further.
fn reach(reader: &Reader, ask: &Ask<'_>) -> TimeRange {
    let mut time = reader.meta().time();
    if ask.range == 0 {
        time.end = time.end.saturating_add(reader.meta().resolution_ms);
    }
    time
}
