//! Going through a block's series: who they are and what they take, not their samples.

use model::metric::{Labels, Matcher};
use roaring::RoaringBitmap;

use super::pages::{ChunkRef, SERIES_PER_PAGE};
use super::{ChunkKind, Column, Error, Reader};
use crate::chunk::TimeRange;

/// A series with samples within the time.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) labels: &'a Labels,
    /// Samples of chunks that reach into the time; of downsampled blocks the points.
    pub(crate) samples: u64,
    /// What these chunks take, with their share of timestamps and index, bytes.
    pub(crate) bytes: u64,
}

impl Reader {
    /// Calls `each` with the series that satisfy one of the lists of matchers (all when there is no
    /// list), until it says no; says whether it came to the end.
    pub(crate) fn visit(
        &self,
        lists: &[Vec<Matcher>],
        time: TimeRange,
        each: &mut dyn FnMut(Visit<'_>) -> bool,
    ) -> Result<bool, Error> {
        let mut wanted = RoaringBitmap::new();
        if lists.is_empty() {
            wanted.insert_range(0..self.series_len()?);
        }
        for list in lists {
            wanted |= self.select(list)?;
        }
        let stats = self.meta().stats;
        let index_bytes = stats.bytes.saturating_sub(stats.time_bytes + stats.value_bytes);
        let of_series = index_bytes.checked_div(stats.series).unwrap_or(0);
        let of_chunk = stats.time_bytes.checked_div(stats.chunks).unwrap_or(0);
        let mut chunks = Vec::with_capacity(SERIES_PER_PAGE);
        for series in wanted {
            chunks.clear();
            self.with_entry(series, |entry| {
                chunks.extend_from_slice(&entry.chunks);
                Ok(())
            })?;
            let (mut samples, mut bytes, mut inside) = (0, of_series, false);
            for chunk in &chunks {
                if let Some(count) = self.count_in(chunk, time)? {
                    inside = true;
                    samples += count;
                    bytes += u64::from(chunk.length) + of_chunk;
                }
            }
            if inside && !each(Visit { labels: &self.labels(series)?, samples, bytes }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many samples a chunk has that reaches into the time. Of the columns of downsampled
    /// points one counts.
    fn count_in(&self, chunk: &ChunkRef, time: TimeRange) -> Result<Option<u64>, Error> {
        let column = self.column(chunk.column)?;
        if !time.overlaps(TimeRange { start: column.min, end: column.max }) {
            return Ok(None);
        }
        let counted =
            [ChunkKind::Floats, ChunkKind::Histograms, ChunkKind::Downsampled(Column::Last)];
        let counts = counted.iter().any(|kind| kind.code() == chunk.kind);
        Ok(Some(if counts { column.count.into() } else { 0 }))
    }
}
