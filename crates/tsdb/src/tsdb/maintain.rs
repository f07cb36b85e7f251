//! What happens in the background: cuts and checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Tenant;
use model::metric::Matcher;
use stdx::clock::Stopwatch;

use super::{Inner, TenantStore, Tsdb};
use crate::chunk::{Effort, TimeRange};
use crate::error::Error;
use crate::head::stored;
use crate::points::Points;
use crate::wal::{self, FrameWriter, RecordWriter};

/// Records of a checkpoint are written in frames of about this size, bytes.
const FRAME_BYTES: usize = 1 << 20;

/// Above this part of what a tenant may have, percent, series that ended leave early.
const SERIES_PRESSURE_PERCENT: usize = 75;

/// After a cut a checkpoint is written when the log has grown to this part of its limit.
const CHECKPOINT_AFTER_CUT: u64 = 4;

impl Tsdb {
    /// Cuts what is due and writes a checkpoint when the log has grown. The background thread calls
    /// it again and again; tests call it themselves.
    pub fn maintain(&self) -> Result<(), Error> {
        self.inner.maintain()
    }

    /// Writes all that the heads know into one file, so that the next start is quick, and removes
    /// the log before it.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let _maintenance = self.inner.maintenance.lock();
        self.inner.checkpoint()
    }

    /// Cuts all samples of all tenants into blocks and makes the log short.
    pub fn flush(&self) -> Result<(), Error> {
        let _maintenance = self.inner.maintenance.lock();
        for store in self.inner.all_tenants() {
            if let Some(newest) = store.head.newest() {
                self.inner.cut(&store, newest.saturating_add(1))?;
            }
        }
        self.inner.checkpoint()
    }

    /// Deletes the samples from `start` to `end`, both included, of all series that satisfy one of
    /// the lists of matchers.
    pub fn delete(
        &self,
        tenant: &Tenant,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
    ) -> Result<(), Error> {
        let Some(store) = self.inner.tenant(tenant) else { return Ok(()) };
        let _maintenance = self.inner.maintenance.lock();
        let deleted = matchers.iter().try_for_each(|matchers| {
            store.blocks.delete(matchers, TimeRange { start, end })?;
            store.head.delete(matchers, start, end, &self.inner.wal);
            Ok::<_, Error>(())
        });
        // Some may be gone even where others could not be deleted.
        store.changes.changed();
        deleted?;
        // The deletion is durable when it is answered.
        self.inner.wal.submit_and_wait(&[]).map_err(|error| Error::Log(error.to_string()))
    }
}

impl Inner {
    pub(super) fn maintain(&self) -> Result<(), Error> {
        let _maintenance = self.maintenance.lock();
        let mut any = false;
        for store in self.all_tenants() {
            if let Some(at) = self.due(&store) {
                any |= self.cut(&store, at)?;
            }
        }
        let written = self.wal.written_bytes();
        let limit = self.options.wal.checkpoint_bytes;
        // What a cut made useless in the log is worth removing sooner.
        if written >= limit || (any && written >= limit / CHECKPOINT_AFTER_CUT) {
            self.checkpoint()?;
        }
        self.report();
        Ok(())
    }

    /// Where a tenant's head is to be cut now, if at all.
    fn due(&self, store: &TenantStore) -> Option<i64> {
        let newest = store.head.newest()?;
        let block = super::millis(self.options.block_duration).max(1);
        let after = super::millis(self.options.cut_after);
        let regular = newest.saturating_sub(after).div_euclid(block) * block;
        let done = store.cut_done.load(Ordering::Acquire);
        if regular > done {
            return Some(regular);
        }
        let memory = &self.options.memory;
        let percent = self.options.memory_pressure_percent;
        let full = memory.used_bytes() / 100 >= memory.limit_bytes() / 10_000 * percent;
        let series_max = self.options.series_max_per_tenant;
        let crowded =
            store.head.series_len() / 100 >= series_max / 10_000 * SERIES_PRESSURE_PERCENT;
        let window = super::millis(self.options.pressure_window);
        let early = newest - window;
        ((full || crowded) && early.saturating_sub(done) > window / 2).then_some(early)
    }

    /// Takes all samples before `at` out of the head into a block. Says whether there were any.
    pub(super) fn cut(&self, store: &TenantStore, at: i64) -> Result<bool, Error> {
        let watch = Stopwatch::start();
        let cut = store.head.begin_cut(at, &self.wal);
        let series = store.head.cut_series(cut);
        if !series.is_empty() {
            let mut writer = store.blocks.writer(Effort::Fast)?;
            let mut points = Points::default();
            for (labels, number) in &series {
                store.head.read_cut(cut, *number, &mut points);
                if !points.is_empty() {
                    writer.add(labels, &points)?;
                }
            }
            store.blocks.add(writer)?;
        }
        let count = series.len();
        drop(series);
        store.head.end_cut(cut, &self.wal);
        store.cut_done.fetch_max(at, Ordering::AcqRel);
        if store.readers.wait(|| self.closing.load(Ordering::Acquire)) {
            store.head.truncate(cut);
            let gone = store.head.forget_empty();
            metrics::counter!("trefoil_tsdb_series_removed_total").increment(gone as u64);
            tracing::debug!(tenant = %store.head.tenant, at, series = count, gone, "a block is cut");
        }
        metrics::counter!("trefoil_tsdb_cuts_total").increment(1);
        metrics::histogram!("trefoil_tsdb_cut_seconds").record(watch.elapsed());
        Ok(count > 0)
    }

    /// Writes all that the heads know, and removes the log before.
    fn checkpoint(&self) -> Result<(), Error> {
        let watch = Stopwatch::start();
        let Some(number) = self.wal.rotate() else { return Err(Error::ShuttingDown) };
        let dir = &self.options.dir;
        let bytes = self.write_checkpoint(dir, number)?;
        let found = wal::find(&*self.options.wal.io, dir)?;
        for path in &found.useless {
            let removed = self.options.wal.io.remove(path);
            removed.map_err(Error::io("remove", path))?;
        }
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("trefoil_tsdb_checkpoints_total").increment(1);
        metrics::gauge!("trefoil_tsdb_checkpoint_bytes").set(bytes as f64);
        metrics::histogram!("trefoil_tsdb_checkpoint_seconds").record(watch.elapsed());
        Ok(())
    }

    /// Writes a checkpoint into a directory.
    pub(super) fn write_checkpoint(&self, dir: &Path, number: u64) -> Result<u64, Error> {
        let io = &self.options.wal.io;
        let path = wal::checkpoint_path(dir, number);
        let unfinished = path.with_extension("unfinished");
        // What a checkpoint that failed left behind.
        drop(io.remove(&unfinished));
        let file = io.create(&unfinished).map_err(Error::io("create", &unfinished))?;
        let write = || -> std::io::Result<u64> {
            let mut frames = FrameWriter::checkpoint(file, number)?;
            for store in self.all_tenants() {
                write_tenant(&store, &mut frames)?;
            }
            frames.finish()
        };
        let bytes = write().map_err(Error::io("write", &unfinished))?;
        io.rename(&unfinished, &path).map_err(Error::io("rename", &unfinished))?;
        io.sync_dir(dir).map_err(Error::io("sync", dir))?;
        Ok(bytes)
    }
}

fn write_tenant(store: &Arc<TenantStore>, frames: &mut FrameWriter) -> std::io::Result<()> {
    let head = &store.head;
    let mut records = RecordWriter::default();
    records.tenant(head.number, head.tenant.as_str());
    // The state first: what comes later than it is in the log.
    let newest = head.newest().unwrap_or(i64::MIN);
    records.state(head.number, head.epoch(), head.cut(), newest);
    for metadata in head.metadata.read().iter() {
        records.metadata(head.number, metadata);
    }
    let mut bytes = Vec::new();
    for shard in head.shard_numbers() {
        let mut result = Ok(());
        head.for_each_of(shard, |number, series| {
            bytes.clear();
            stored::put(&mut bytes, series);
            records.stored(head.number, number, &bytes);
            if records.bytes.len() >= FRAME_BYTES && result.is_ok() {
                result = frames.write(&records.bytes);
                records.clear();
            }
        });
        result?;
    }
    // With their labels: their series may have left.
    for (labels, exemplar) in head.exemplars.lock().iter() {
        records.exemplar_of(head.number, labels, exemplar);
    }
    if records.bytes.is_empty() { Ok(()) } else { frames.write(&records.bytes) }
}
