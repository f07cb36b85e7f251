//! What the log says, done again to a head.

use std::sync::atomic::Ordering;
use std::thread;

use model::metric::{Exemplar, Float, HistogramSample, Labels};
use parking_lot::Mutex;

use super::cut::Cut;
use super::series::{Bounds, Series};
use super::shard::Shard;
use super::{Head, SERIES_INDEX_BYTES, hash_of, number_of, place_of, shard_of, stored};
use crate::index::Builder;

impl Head {
    /// A number stands for a series.
    pub(crate) fn replay_series(&self, number: u32, labels: Labels) -> Result<(), String> {
        let (shard_number, place) = place_of(number);
        let hash = hash_of(labels.as_bytes());
        if shard_of(hash) != shard_number {
            return Err(format!("series {number} cannot have these labels"));
        }
        let mut shard = self.shards[shard_number].lock();
        if shard.get(place).is_some_and(|known| known.labels == labels) {
            return Ok(());
        }
        // What has the number now had left before it was given again.
        shard.put(place, Series::new(labels, hash));
        Ok(())
    }

    /// A series of a checkpoint.
    pub(crate) fn replay_stored(&self, number: u32, bytes: &[u8]) -> Result<(), String> {
        let series = stored::take(bytes).ok_or("a stored series cannot be read")?;
        let (shard_number, place) = place_of(number);
        if shard_of(series.hash) != shard_number {
            return Err(format!("series {number} cannot have these labels"));
        }
        self.shards[shard_number].lock().put(place, series);
        Ok(())
    }

    /// Begins with samples of one stretch of the log, in which no cut begins or ends.
    pub(crate) fn replay_samples(&self) -> Samples<'_> {
        let bounds = Bounds {
            min_valid: self.cut(),
            lag_from: i64::MIN,
            late_from: Some(i64::MIN),
            epoch: self.epoch(),
            chunk_span: self.limits.block_ms,
        };
        Samples { head: self, bounds, newest: i64::MIN }
    }

    /// An exemplar.
    pub(crate) fn replay_exemplar(&self, labels: &Labels, exemplar: &Exemplar) {
        if let Err(reason) = self.exemplars.lock().put(labels, exemplar) {
            tracing::debug!(%labels, %reason, "an exemplar is there already");
        }
    }

    /// How far the head was when a checkpoint began.
    pub(crate) fn replay_state(&self, epoch: u32, cut: i64, newest: i64) {
        self.epoch.store(epoch, Ordering::Release);
        self.cut.store(cut, Ordering::Release);
        self.newest.fetch_max(newest, Ordering::AcqRel);
    }

    /// A block was durable.
    pub(crate) fn replay_cut_ended(&self, at: i64, epoch: u32) {
        self.truncate(Cut { at, epoch });
    }

    /// After all is replayed: makes the index and counts, on so many threads.
    pub(crate) fn replay_done(&self, threads: usize) {
        let parts: Vec<Part> = thread::scope(|scope| {
            let part = |first: usize| {
                let shards = self.shards.iter().enumerate().skip(first).step_by(threads);
                scope.spawn(move || self.part(shards))
            };
            let running: Vec<_> = (0..threads.clamp(1, self.shards.len())).map(part).collect();
            running.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        let count = parts.iter().map(|part| part.series).sum();
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let builders = parts.into_iter().map(|part| part.index).collect();
        *self.index.write() = Builder::build(builders);
        self.series.store(count, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.grow(0);
    }

    /// Lets series of some shards go that have left, and collects the others.
    fn part<'a>(&self, shards: impl Iterator<Item = (usize, &'a Mutex<Shard>)>) -> Part {
        let cut = self.cut();
        let mut part = Part::default();
        for (number, shard) in shards {
            let mut shard = shard.lock();
            let gone: Vec<u32> = shard
                .iter()
                .filter(|(_, s)| s.is_empty() && (s.last_timestamp() < cut || cut == i64::MIN))
                .map(|(place, _)| place)
                .collect();
            for place in gone {
                shard.take(place);
            }
            for (place, series) in shard.iter() {
                part.index.insert(number_of(number, place), &series.labels);
                part.series += 1;
                part.bytes += series.size_bytes() + SERIES_INDEX_BYTES;
            }
            shard.release_empty();
        }
        part
    }
}

/// What some shards hold.
#[derive(Default)]
struct Part {
    index: Builder,
    series: usize,
    bytes: usize,
}

/// Samples done again to a head. Nothing is refused that the log has; what is known already stays
/// as it is. What came behind a cut that had begun is late, so that the cut's end leaves it.
pub(crate) struct Samples<'a> {
    head: &'a Head,
    bounds: Bounds,
    newest: i64,
}

impl Samples<'_> {
    /// A float.
    pub(crate) fn float(&mut self, number: u32, float: &Float) -> Result<(), String> {
        let (shard, place) = place_of(number);
        let mut shard = self.head.shards[shard].lock();
        let series = shard.get_mut(place).ok_or_else(|| unknown(number))?;
        self.newest = self.newest.max(float.timestamp);
        // A sample may be in a checkpoint and behind it.
        if series.put_float(float, &self.bounds).is_err() {
            tracing::debug!(number, float.timestamp, "another value is there already");
        }
        Ok(())
    }

    /// A native histogram.
    pub(crate) fn histogram(
        &mut self,
        number: u32,
        sample: &HistogramSample,
    ) -> Result<(), String> {
        let (shard, place) = place_of(number);
        let mut shard = self.head.shards[shard].lock();
        let series = shard.get_mut(place).ok_or_else(|| unknown(number))?;
        self.newest = self.newest.max(sample.timestamp);
        if series.put_histogram(sample, &self.bounds).is_err() {
            tracing::debug!(number, sample.timestamp, "another value is there already");
        }
        Ok(())
    }
}

impl Drop for Samples<'_> {
    fn drop(&mut self) {
        self.head.newest.fetch_max(self.newest, Ordering::AcqRel);
    }
}

fn unknown(number: u32) -> String {
    format!("series {number} is not known")
}
