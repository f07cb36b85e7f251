//! Samples of one series as compressed columns.
//!
//! A chunk is the samples of one kind (floats, native histograms) of a series over a stretch of
//! time. Its timestamps are a column of their own, because series that are scraped together share
//! it; what is here is everything else. A chunk promises to give back every bit: NaN payloads,
//! negative zero, any magnitude. Damaged bytes are an error or give other samples, never a panic
//! and never more memory than [`SAMPLES_MAX`] samples may take.
//!
//! Decoding appends to columns that the caller keeps, and passes over what lies outside the range
//! that is asked for. The format is in `docs/formats/metrics-block.md`.

pub(crate) mod bytes;
mod entropy;
pub(crate) mod floats;
pub(crate) mod histograms;
pub(crate) mod ints;
mod packed;

use std::cell::RefCell;
use std::ops::Range;

use bytes::{Cursor, put_bytes};

/// The most samples of a chunk.
pub const SAMPLES_MAX: usize = 1 << 14;

/// A span of time in milliseconds, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time in it.
    pub start: i64,
    /// The last time in it.
    pub end: i64,
}

impl TimeRange {
    /// All times.
    pub const ALL: TimeRange = TimeRange { start: i64::MIN, end: i64::MAX };

    /// Whether a time lies in it.
    #[must_use]
    pub fn contains(&self, timestamp: i64) -> bool {
        (self.start..=self.end).contains(&timestamp)
    }

    /// Whether a time lies in both.
    #[must_use]
    pub fn overlaps(&self, other: TimeRange) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub fn covers(&self, other: TimeRange) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Which of ascending `timestamps` lie in it.
    #[must_use]
    pub fn positions(&self, timestamps: &[i64]) -> Range<usize> {
        let start = timestamps.partition_point(|&timestamp| timestamp < self.start);
        let end = timestamps.partition_point(|&timestamp| timestamp <= self.end);
        start..end.max(start)
    }
}

/// How much time encoding may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Packed bits: for fresh samples, which will be merged later.
    Fast,
    /// Entropy coding where it saves something.
    Small,
}

/// Bytes are not what an encoder wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);

/// Memory that coding uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    narrow: Vec<u32>,
    wide: Vec<u64>,
    numbers: Vec<i64>,
    floats: Vec<f64>,
    pco: pco::DecompressorScratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Calls `work` with the thread's own scratch memory.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        Err(_) => work(&mut Scratch::default()),
    })
}

/// Appends ascending timestamps as a column; their number is not stored.
pub fn encode_times(timestamps: &[i64], effort: Effort, into: &mut Vec<u8>) {
    with_scratch(|scratch| ints::encode(timestamps, effort, scratch, into));
}

/// Appends the `count` timestamps of a column.
pub fn decode_times(column: &[u8], count: usize, into: &mut Vec<i64>) -> Result<(), Damaged> {
    if count > SAMPLES_MAX {
        return Err(Damaged("chunk has too many samples"));
    }
    let start = into.len();
    with_scratch(|scratch| ints::decode(column, count, 0..count, scratch, into))?;
    if into[start..].is_sorted() { Ok(()) } else { Err(Damaged("timestamps do not ascend")) }
}

/// The codec of a column of `count` values and what follows it; `None` when nothing is wanted.
fn begin<'a>(
    column: &'a [u8],
    count: usize,
    range: &Range<usize>,
) -> Result<Option<(u8, Cursor<'a>)>, Damaged> {
    if range.is_empty() {
        return Ok(None);
    }
    if range.end > count {
        return Err(Damaged("range is outside of the column"));
    }
    let mut cursor = Cursor::new(column);
    Ok(Some((cursor.byte()?, cursor)))
}

const HAS_STARTS: u8 = 1;

/// Appends a chunk of floats; `starts` is empty when none is known.
pub fn encode_floats(values: &[f64], starts: &[i64], effort: Effort, into: &mut Vec<u8>) {
    with_scratch(|scratch| {
        if starts.iter().all(|&start| start == 0) {
            into.push(0);
            return floats::encode(values, effort, scratch, into);
        }
        into.push(HAS_STARTS);
        let mut column = Vec::new();
        ints::encode(starts, effort, scratch, &mut column);
        put_bytes(into, &column);
        floats::encode(values, effort, scratch, into);
    });
}

/// Appends the samples at `range` of a chunk of `count` floats. `starts` stays as it is when none is
/// known.
pub fn decode_floats(
    chunk: &[u8],
    count: usize,
    range: Range<usize>,
    values: &mut Vec<f64>,
    starts: &mut Vec<i64>,
) -> Result<(), Damaged> {
    if count > SAMPLES_MAX {
        return Err(Damaged("chunk has too many samples"));
    }
    let mut cursor = Cursor::new(chunk);
    let flags = cursor.byte()?;
    with_scratch(|scratch| {
        if flags & HAS_STARTS != 0 {
            ints::decode(cursor.bytes()?, count, range.clone(), scratch, starts)?;
        }
        floats::decode(cursor.rest(), count, range, scratch, values)
    })
}

/// Decodes bytes as chunks and columns of every kind. For fuzzing: nothing may panic.
#[doc(hidden)]
pub fn check_bytes(bytes: &[u8], count: usize) {
    let (mut values, mut starts) = (Vec::new(), Vec::new());
    let timestamps: Vec<i64> = (0..(count as u64).cast_signed()).collect();
    let refused = [
        decode_floats(bytes, count, 0..count, &mut values, &mut starts).is_err(),
        decode_floats(bytes, count, count / 2..count, &mut values, &mut starts).is_err(),
        decode_times(bytes, count, &mut starts).is_err(),
        histograms::decode(bytes, &timestamps, 0..count, &mut Vec::new()).is_err(),
    ];
    tracing::trace!(?refused, "chunk bytes were decoded");
}

#[cfg(test)]
mod tests;
