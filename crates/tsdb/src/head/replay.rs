//! What the log says, done again to a head.

use std::sync::atomic::Ordering;

use model::metric::{Exemplar, Float, HistogramSample, Labels};

use super::cut::Cut;
use super::series::{Bounds, Series};
use super::{Head, hash_of, number_of, place_of, shard_of, stored};

impl Head {
    /// A number stands for a series.
    pub(crate) fn replay_series(&self, number: u32, labels: &[u8]) -> Result<(), String> {
        let (shard_number, place) = place_of(number);
        let hash = hash_of(labels);
        if shard_of(hash) != shard_number {
            return Err(format!("series {number} cannot have these labels"));
        }
        let mut shard = self.shards[shard_number].lock();
        if shard.get(place).is_some_and(|known| known.labels.as_bytes() == labels) {
            return Ok(());
        }
        // What has the number now had left before it was given again.
        shard.put(place, Series::new(Labels::from_canonical(labels), hash));
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

    /// Nothing is refused that the log has; what is known already stays as it is. What came behind
    /// a cut that had begun is late, so that the cut's end leaves it.
    fn replay_bounds(&self) -> Bounds {
        Bounds {
            min_valid: self.cut(),
            lag_from: i64::MIN,
            late_from: Some(i64::MIN),
            epoch: self.epoch(),
            chunk_span: self.limits.block_ms,
        }
    }

    /// Floats of many series.
    pub(crate) fn replay_floats(
        &self,
        mut next: impl FnMut() -> Option<(u32, Float)>,
    ) -> Result<(), String> {
        let bounds = self.replay_bounds();
        let mut newest = i64::MIN;
        while let Some((number, float)) = next() {
            let (shard, place) = place_of(number);
            let mut shard = self.shards[shard].lock();
            let series = shard.get_mut(place).ok_or_else(|| unknown(number))?;
            newest = newest.max(float.timestamp);
            // A sample may be in a checkpoint and behind it.
            if series.put_float(&float, &bounds).is_err() {
                tracing::debug!(number, float.timestamp, "another value is there already");
            }
        }
        self.newest.fetch_max(newest, Ordering::AcqRel);
        Ok(())
    }

    /// A native histogram.
    pub(crate) fn replay_histogram(
        &self,
        number: u32,
        sample: &HistogramSample,
    ) -> Result<(), String> {
        let (shard, place) = place_of(number);
        let mut shard = self.shards[shard].lock();
        let series = shard.get_mut(place).ok_or_else(|| unknown(number))?;
        if series.put_histogram(sample, &self.replay_bounds()).is_err() {
            tracing::debug!(number, sample.timestamp, "another value is there already");
        }
        self.newest.fetch_max(sample.timestamp, Ordering::AcqRel);
        Ok(())
    }

    /// An exemplar.
    pub(crate) fn replay_exemplar(&self, number: u32, exemplar: &Exemplar) {
        let (shard, place) = place_of(number);
        let labels = self.shards[shard].lock().get(place).map(|series| series.labels.clone());
        if let Some(labels) = labels
            && let Err(reason) = self.exemplars.lock().put(number, &labels, exemplar)
        {
            tracing::debug!(number, %reason, "an exemplar is there already");
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

    /// After all is replayed: makes the index and counts.
    pub(crate) fn replay_done(&self) {
        let mut index = self.index.write();
        let mut count = 0;
        let cut = self.cut();
        for (number, shard) in self.shards.iter().enumerate() {
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
                index.insert(number_of(number, place), &series.labels);
                count += 1;
            }
            shard.release_empty();
        }
        drop(index);
        self.series.store(count, Ordering::Relaxed);
        self.recount();
    }
}

fn unknown(number: u32) -> String {
    format!("series {number} is not known")
}
