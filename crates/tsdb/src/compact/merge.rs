//! Blocks into one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use model::metric::Labels;

use crate::block::{
    BlockId, Blocks, Cache, ChunkKind, Column, Error, Reader, Writer, WriterOptions,
};
use crate::chunk::{Effort, TimeRange};
use crate::points::Points;

/// A series' labels, and which sources have it under which number.
type Found = (Labels, Vec<(usize, u32)>);

/// What each source may keep in memory while it is read from front to back.
const CACHE_BYTES: usize = 8 << 20;

/// The series of some blocks, in order of labels, each with the blocks that have it.
pub(crate) struct Series<'a> {
    sources: &'a [Reader],
    next: BinaryHeap<Reverse<(Labels, usize, u32)>>,
}

impl<'a> Series<'a> {
    pub(crate) fn of(sources: &'a [Reader]) -> Result<Series<'a>, Error> {
        let mut series = Series { sources, next: BinaryHeap::new() };
        for source in 0..sources.len() {
            series.push(source, 0)?;
        }
        Ok(series)
    }

    fn push(&mut self, source: usize, number: u32) -> Result<(), Error> {
        let reader = &self.sources[source];
        if number < reader.series_len()? {
            self.next.push(Reverse((reader.labels(number)?, source, number)));
        }
        Ok(())
    }

    /// The next series: its labels, and which source has it under which number.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Error> {
        let Some(Reverse((labels, source, number))) = self.next.pop() else { return Ok(None) };
        let mut places = vec![(source, number)];
        self.push(source, number + 1)?;
        while let Some(Reverse((other, _, _))) = self.next.peek()
            && *other == labels
            && let Some(Reverse((_, source, number))) = self.next.pop()
        {
            places.push((source, number));
            self.push(source, number + 1)?;
        }
        Ok(Some((labels, places)))
    }
}

/// The same blocks through caches of their own, so that those of queries stay as they are.
pub(crate) fn apart(sources: &[Arc<Reader>]) -> Vec<Reader> {
    sources.iter().map(|source| source.apart(Cache::new(CACHE_BYTES))).collect()
}

pub(crate) fn origins(sources: &[Arc<Reader>]) -> Vec<BlockId> {
    let all: BTreeSet<BlockId> =
        sources.iter().flat_map(|source| source.meta().origins.iter().copied()).collect();
    all.into_iter().collect()
}

/// Puts one block in the place of `sources`, all of one resolution, less what is deleted of them.
/// Downsampled blocks that were made from a part of it only are replaced as well.
pub(crate) fn merge(blocks: &Blocks, sources: &[Arc<Reader>]) -> Result<(), Error> {
    let resolution_ms = sources.first().map_or(0, |source| source.meta().resolution_ms);
    let level = sources.iter().map(|source| source.meta().level).max().unwrap_or(0);
    let origins = origins(sources);
    // In order of age: of two samples at one time the one that came first stays.
    let mut readers = apart(sources);
    readers.sort_by_key(|reader| reader.meta().id);
    let mut writer = blocks.writer_of(WriterOptions {
        scratch: blocks.scratch().to_owned(),
        effort: Effort::Small,
        resolution_ms,
        level: level + 1,
        sources: Vec::new(),
        origins: origins.clone(),
    })?;
    writer.set_mark(sources.iter().map(|source| source.meta().mark).max().unwrap_or(0));
    let mut series = Series::of(&readers)?;
    let mut points = Points::default();
    while let Some((labels, places)) = series.next()? {
        if resolution_ms > 0 {
            copy_downsampled(&readers, &labels, &places, &mut writer)?;
            continue;
        }
        points.clear();
        for (source, number) in places {
            readers[source].read(number, TimeRange::ALL, Column::Last, &mut points)?;
        }
        if !points.is_empty() {
            writer.add(&labels, &points)?;
        }
    }
    let mut replaced = sources.to_vec();
    if resolution_ms == 0 {
        // A coarser block of other origins would answer together with this one.
        replaced.extend(blocks.all().iter().filter(|&other| is_partly(other, &origins)).cloned());
    }
    blocks.replace(&replaced, writer.finish()?)?;
    Ok(())
}

fn is_partly(block: &Arc<Reader>, origins: &[BlockId]) -> bool {
    let own = &block.meta().origins;
    block.meta().resolution_ms > 0
        && own.iter().any(|origin| origins.contains(origin))
        && own.as_slice() != origins
}

/// Deletions are all that changes in downsampled blocks.
fn copy_downsampled(
    readers: &[Reader],
    labels: &Labels,
    places: &[(usize, u32)],
    writer: &mut Writer,
) -> Result<(), Error> {
    let mut columns = Vec::new();
    let mut raw_samples = 0.0;
    for column in Column::STORED {
        let mut points = Points::default();
        for &(source, number) in places {
            points.merge(&readers[source].read_stored(number, column)?);
        }
        if column == Column::Count {
            raw_samples = points.values.iter().sum();
        }
        columns.push((ChunkKind::Downsampled(column), points));
    }
    let histograms = columns.last_mut().map(|(_, last)| std::mem::take(&mut last.histograms));
    let parts: Vec<(ChunkKind, &[i64], &[f64])> = columns
        .iter()
        .filter(|(_, points)| !points.timestamps.is_empty())
        .map(|(kind, points)| (*kind, &points.timestamps[..], &points.values[..]))
        .collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts")]
    let raw_samples = raw_samples as u64;
    writer.add_columns(labels, &parts, &histograms.unwrap_or_default(), raw_samples)
}
