//! Reading downsampled points in the place of samples.

use super::pages::{self, ChunkRef, SeriesEntry};
use super::tombstones::{self, Tombstones};
use super::{ChunkKind, Column, Error, Reader};
use crate::chunk::{Damaged, TimeRange, decode_floats, histograms};
use crate::points::Points;

/// An instant selector looks back 5 minutes; carried points stand well within.
const CARRY_MS: i64 = 120_000;

/// A count beyond this is not spread into samples.
const SPREAD_MAX: f64 = 100_000.0;

impl Reader {
    pub(crate) fn read_downsampled(
        &self,
        series: u32,
        entry: &SeriesEntry,
        time: TimeRange,
        column: Column,
        deleted: &Tombstones,
        into: &mut Points,
    ) -> Result<(), Error> {
        let resolution_ms = self.meta().resolution_ms;
        // A point stands for the window before it, or is carried into the one behind it.
        let reach = TimeRange {
            start: time.start.saturating_sub(resolution_ms),
            end: time.end.saturating_add(resolution_ms),
        };
        let mut points = Points::default();
        match column {
            Column::Last | Column::Instant => {
                self.read_column(entry, Column::Last, reach, &mut points)?;
            }
            Column::Sum | Column::Min | Column::Max | Column::Count => {
                self.read_column(entry, column, reach, &mut points)?;
            }
            Column::Average => {
                self.read_column(entry, Column::Sum, reach, &mut points)?;
                let mut counts = Points::default();
                self.read_column(entry, Column::Count, reach, &mut counts)?;
                for (sum, count) in points.values.iter_mut().zip(&counts.values) {
                    *sum /= count;
                }
            }
        }
        self.read_histograms(entry, reach, &mut points)?;
        tombstones::remove(&deleted.of(series, reach), &mut points);
        match column {
            Column::Instant => points = carried(&points, resolution_ms),
            Column::Count => points = spread(&points, resolution_ms),
            _ => {}
        }
        into.merge(&points);
        Ok(())
    }

    /// A stored column of a series, less what is deleted; histograms come with the last samples.
    pub(crate) fn read_stored(&self, series: u32, column: Column) -> Result<Points, Error> {
        let mut points = Points::default();
        self.with_entry(series, |entry| {
            self.read_column(entry, column, TimeRange::ALL, &mut points)?;
            if column == Column::Last {
                self.read_histograms(entry, TimeRange::ALL, &mut points)?;
            }
            Ok(())
        })?;
        tombstones::remove(&self.tombstones.read().of(series, TimeRange::ALL), &mut points);
        Ok(points)
    }

    fn read_column(
        &self,
        entry: &SeriesEntry,
        column: Column,
        time: TimeRange,
        into: &mut Points,
    ) -> Result<(), Error> {
        let kind = ChunkKind::Downsampled(column).code();
        let no_starts = &mut Vec::new();
        for chunk in entry.chunks.iter().filter(|chunk| chunk.kind == kind) {
            let Some((times, wanted, bytes)) = self.wanted(chunk, time)? else { continue };
            let damaged = |damaged: Damaged| Error::damaged(self.meta().id, "chunk", damaged);
            let body = pages::checked(&bytes).map_err(damaged)?;
            decode_floats(body, times.len(), wanted.clone(), &mut into.values, no_starts)
                .map_err(damaged)?;
            into.timestamps.extend_from_slice(&times[wanted]);
        }
        Ok(())
    }

    fn read_histograms(
        &self,
        entry: &SeriesEntry,
        time: TimeRange,
        into: &mut Points,
    ) -> Result<(), Error> {
        let is_histogram = |chunk: &&ChunkRef| chunk.kind == ChunkKind::Histograms.code();
        for chunk in entry.chunks.iter().filter(is_histogram) {
            let Some((times, wanted, bytes)) = self.wanted(chunk, time)? else { continue };
            let damaged = |damaged: Damaged| Error::damaged(self.meta().id, "chunk", damaged);
            let body = pages::checked(&bytes).map_err(damaged)?;
            histograms::decode(body, &times, wanted, &mut into.histograms).map_err(damaged)?;
        }
        Ok(())
    }
}

/// Repeats points until the next one, for at most a window, unless the series ends.
fn carried(points: &Points, resolution_ms: i64) -> Points {
    let mut all = Points::default();
    for (at, &timestamp) in points.timestamps.iter().enumerate() {
        let value = points.values[at];
        all.push(timestamp, value, 0);
        let window_end = timestamp.saturating_add(resolution_ms);
        // The last point of a block has no next one: it is carried to the end of its window only.
        let Some(&next) = points.timestamps.get(at + 1) else { continue };
        if model::metric::is_stale(value) {
            continue;
        }
        let mut carried = timestamp.saturating_add(CARRY_MS);
        while carried < next && carried <= window_end {
            all.push(carried, value, 0);
            carried = carried.saturating_add(CARRY_MS);
        }
    }
    all.histograms.clone_from(&points.histograms);
    all
}

/// As many samples as each point counts, over its window, so that counting them gives the count.
#[expect(clippy::cast_possible_truncation, reason = "counts are whole, positive and bounded")]
fn spread(points: &Points, resolution_ms: i64) -> Points {
    let mut all = Points::default();
    for (&timestamp, &count) in points.timestamps.iter().zip(&points.values) {
        let count = count.clamp(1.0, SPREAD_MAX) as i64;
        // Windows end at multiples of the resolution, and that end is theirs.
        let start = (timestamp - 1).div_euclid(resolution_ms) * resolution_ms;
        let distance = timestamp - start;
        let count = count.min(distance);
        for one in 1..=count {
            all.push(start + distance * one / count, 1.0, 0);
        }
    }
    all.histograms.clone_from(&points.histograms);
    all
}
