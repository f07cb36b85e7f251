//! How samples leave the head: a cut begins, a block takes them, the cut ends.

use std::sync::atomic::Ordering;

use model::metric::Labels;

use super::{Head, place_of};
use crate::points::Points;
use crate::wal::{RecordWriter, Wal};

/// A cut that has begun: all samples before `at` that came before `epoch` began are to leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) at: i64,
    pub(crate) epoch: u32,
}

/// How many series leave while the gate is closed.
const LEAVE_AT_ONCE: usize = 1024;

impl Head {
    /// Begins a cut: from here on no sample before it comes in order.
    pub(crate) fn begin_cut(&self, at: i64, wal: &Wal) -> Cut {
        let _gate = self.gate.write();
        let cut = self.cut_begun(at);
        let mut records = RecordWriter::default();
        records.cut_begun(self.number, at);
        wal.push(|queue| queue.extend_from_slice(&records.bytes));
        cut
    }

    /// What [`Head::begin_cut`] does to the head.
    pub(crate) fn cut_begun(&self, at: i64) -> Cut {
        self.cut.fetch_max(at, Ordering::AcqRel);
        Cut { at, epoch: self.epoch.fetch_add(1, Ordering::AcqRel) + 1 }
    }

    /// The series that have samples before the cut, by their labels.
    pub(crate) fn cut_series(&self, cut: Cut) -> Vec<(Labels, u32)> {
        let mut found = Vec::new();
        self.for_each(|number, series| {
            if series.first_timestamp().is_some_and(|first| first < cut.at) {
                found.push((series.labels.clone(), number));
            }
        });
        found.sort_unstable();
        found
    }

    /// The samples of one series that leave; `into` is cleared.
    pub(crate) fn read_cut(&self, cut: Cut, number: u32, into: &mut Points) {
        into.clear();
        let (shard, place) = place_of(number);
        if let Some(series) = self.shards[shard].lock().get(place) {
            series.read_cut(cut.at, cut.epoch, into);
        }
    }

    /// Says in the log that the block is durable.
    pub(crate) fn end_cut(&self, cut: Cut, wal: &Wal) {
        let mut records = RecordWriter::default();
        records.cut_ended(self.number, cut.at, cut.epoch);
        wal.push(|queue| queue.extend_from_slice(&records.bytes));
    }

    /// Forgets what the block has.
    pub(crate) fn truncate(&self, cut: Cut) {
        for shard in &self.shards {
            for (_, series) in shard.lock().iter_mut() {
                series.truncate(cut.at, cut.epoch);
            }
        }
    }

    /// Lets series go that have no samples here and none since the cut. Returns how many.
    pub(crate) fn forget_empty(&self) -> usize {
        let cut = self.cut();
        let mut gone = 0;
        for shard in &self.shards {
            let empty: Vec<u32> = shard
                .lock()
                .iter()
                .filter(|(_, series)| series.is_empty() && series.last_timestamp() < cut)
                .map(|(place, _)| place)
                .collect();
            for places in empty.chunks(LEAVE_AT_ONCE) {
                gone += self.forget(shard, places);
            }
            shard.lock().shrink();
        }
        self.recount();
        gone
    }

    fn forget(&self, shard: &parking_lot::Mutex<super::Shard>, places: &[u32]) -> usize {
        let at = self.shards.iter().position(|one| std::ptr::eq(one, shard)).unwrap_or(0);
        let _gate = self.gate.write();
        let mut left = Vec::with_capacity(places.len());
        {
            let mut shard = shard.lock();
            for &place in places {
                if shard.get(place).is_some_and(super::Series::is_empty)
                    && let Some(series) = shard.take(place)
                {
                    left.push((place, series.labels));
                }
            }
        }
        let mut index = self.index.write();
        for (place, labels) in &left {
            index.remove(super::number_of(at, *place), labels);
        }
        drop(index);
        self.series.fetch_sub(left.len(), Ordering::Relaxed);
        let gone = left.len();
        shard.lock().release(left.into_iter().map(|(place, _)| place));
        gone
    }
}
