//! One table of the store: its buffers, its files, and the jobs that turn one into the other.
//!
//! Rows are in exactly one of three places: the active buffer, a sealed buffer, the files. They
//! move between these under one lock, which a snapshot takes as well.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use model::{Table, Tenant};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use stdx::clock::{Clock, Stopwatch, UnixNanos};
use stdx::memory::Reservation;
use tokio::sync::{Notify, broadcast};

use crate::buffer::Buffer;
use crate::error::Error;
use crate::flush;
use crate::log::{DeltaLog, Outcome, View};
use crate::options::Options;
use crate::registry::Registry;
use crate::scan::ReadCache;
use crate::snapshot::{FileEntry, Snapshot};
use crate::statistics::TableStatistics;

/// A table of the store.
#[derive(Debug)]
pub(crate) struct TableStore {
    pub(crate) table: Table,
    pub(crate) log: DeltaLog,
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) cache: ReadCache,
    /// Rings when a buffer was sealed.
    pub(crate) sealed: Notify,
    tail: broadcast::Sender<(Tenant, RecordBatch)>,
    state: Mutex<State>,
    /// Held while the oldest sealed buffer is written; files that wait for their commit.
    flushing: tokio::sync::Mutex<Option<Written>>,
    /// Held from a commit until its result is in `state`.
    committing: tokio::sync::Mutex<()>,
    /// Files that are being written or wait for their commit: not to be taken for orphans.
    pending: Mutex<HashSet<Path>>,
}

#[derive(Debug)]
struct State {
    registry: Arc<Registry>,
    active: Buffer,
    active_bytes: isize,
    sealed: VecDeque<Arc<Buffer>>,
    files: Arc<Vec<Arc<FileEntry>>>,
    version: u64,
    received_at: Option<UnixNanos>,
    /// The latest `time` of a row that came since the start.
    time_max_us: Option<i64>,
    rows_appended: u64,
}

#[derive(Debug)]
struct Written {
    sequence: u64,
    registry: Arc<Registry>,
    files: Vec<Arc<FileEntry>>,
}

impl TableStore {
    pub(crate) async fn new(log: DeltaLog, options: Options, clock: Clock) -> TableStore {
        let view = log.view().await;
        let (tail, _) = broadcast::channel(options.tail_len.max(1));
        let state = State {
            registry: Arc::new(view.registry),
            active: Buffer::new(clock.now()),
            active_bytes: 0,
            sealed: VecDeque::new(),
            files: view.files,
            version: view.version,
            received_at: None,
            time_max_us: None,
            rows_appended: 0,
        };
        TableStore {
            table: log.table(),
            log,
            cache: ReadCache::new(options.read_cache_bytes),
            options,
            clock,
            sealed: Notify::new(),
            tail,
            state: Mutex::new(state),
            flushing: tokio::sync::Mutex::new(None),
            committing: tokio::sync::Mutex::new(()),
            pending: Mutex::new(HashSet::new()),
        }
    }

    /// Takes a record that is durable. Returns whether the buffer is full with it.
    pub(crate) fn apply(
        &self,
        sequence: u64,
        tenant: &Tenant,
        received_at: UnixNanos,
        batch: RecordBatch,
        memory: Reservation,
    ) -> bool {
        if self.tail.receiver_count() > 0 {
            // Nobody listening any more is no loss.
            drop(self.tail.send((tenant.clone(), batch.clone())));
        }
        let mut state = self.state();
        Registry::note_batch(&mut state.registry, &batch, self.options.columns.soft_max);
        if state.active.is_empty() {
            state.active.opened_at = self.clock.now();
        }
        let rows = batch.num_rows() as u64;
        state.rows_appended += rows;
        state.received_at = Some(received_at);
        state.time_max_us = state.time_max_us.max(time_max_us(&batch));
        state.active_bytes += state.active.push(sequence, batch, memory);
        metrics::counter!("trefoil_storage_rows_total", "table" => self.table.as_str())
            .increment(rows);
        let full = usize::try_from(state.active_bytes).unwrap_or(0) >= self.buffer_bytes();
        if full {
            self.seal_locked(&mut state);
        }
        full
    }

    /// A quarter of the memory at most, so that there is room while a buffer is written.
    fn buffer_bytes(&self) -> usize {
        self.options.flush.buffer_bytes.min(self.options.memory.limit_bytes() / 4)
    }

    /// Closes the active buffer, to be written.
    pub(crate) fn seal(&self) {
        self.seal_locked(&mut self.state());
    }

    /// Closes the active buffer unless one is being written, which will make room soon enough.
    pub(crate) fn seal_if_idle(&self) {
        let mut state = self.state();
        if state.sealed.is_empty() {
            self.seal_locked(&mut state);
        }
    }

    /// Closes the active buffer when its oldest row has the age.
    pub(crate) fn seal_aged(&self) {
        let mut state = self.state();
        let age = self.clock.now().saturating_sub(state.active.opened_at);
        let age_max = i64::try_from(self.options.flush.buffer_age.as_nanos()).unwrap_or(i64::MAX);
        if age >= age_max {
            self.seal_locked(&mut state);
        }
    }

    fn seal_locked(&self, state: &mut State) {
        if state.active.is_empty() {
            return;
        }
        let active = std::mem::replace(&mut state.active, Buffer::new(self.clock.now()));
        state.active_bytes = 0;
        if active.rows > 0 {
            state.sealed.push_back(Arc::new(active));
            self.sealed.notify_one();
        }
    }

    /// The oldest record that is in no committed file.
    pub(crate) fn oldest_needed(&self) -> Option<u64> {
        let state = self.state();
        let oldest = state.sealed.front().map_or(&state.active, AsRef::as_ref);
        oldest.sequences.map(|(first, _)| first)
    }

    /// Writes the oldest sealed buffer. Returns whether there was one.
    pub(crate) async fn flush_one(&self) -> Result<bool, Error> {
        let mut flushing = self.flushing.lock().await;
        loop {
            let Some(buffer) = self.state().sealed.front().cloned() else { return Ok(false) };
            let Some((_, sequence)) = buffer.sequences else { return Ok(false) };
            let watch = Stopwatch::start();
            if flushing.as_ref().is_none_or(|written| written.sequence != sequence) {
                *flushing = Some(self.write(&buffer, sequence).await?);
            }
            let Some(written) = flushing.as_ref() else { return Ok(false) };
            let committing = self.committing.lock().await;
            let outcome = self.log.append(&written.files, &written.registry, sequence).await?;
            let files = flushing.take().map(|written| written.files).unwrap_or_default();
            match outcome {
                Outcome::Committed(view) => {
                    self.install(view);
                    drop(committing);
                    self.settle(&files);
                    self.count_flush(&buffer, &files, watch);
                    return Ok(true);
                }
                Outcome::Renamed(view) => {
                    self.install(view);
                    drop(committing);
                    self.discard(&files).await;
                }
            }
        }
    }

    async fn write(&self, buffer: &Buffer, sequence: u64) -> Result<Written, Error> {
        let batches: Vec<RecordBatch> = buffer.batches().cloned().collect();
        let registry = {
            let mut state = self.state();
            let references: Vec<&RecordBatch> = batches.iter().collect();
            let promoted = flush::promote(&state.registry, &references, &self.options.columns);
            state.registry = Arc::clone(&promoted);
            promoted
        };
        let files = flush::write_files(
            self.table,
            &self.log.object_store,
            batches,
            Arc::clone(&registry),
            &self.options.flush,
            |day| self.new_path(day),
        )
        .await?;
        Ok(Written { sequence, registry, files })
    }

    fn count_flush(&self, buffer: &Buffer, files: &[Arc<FileEntry>], watch: Stopwatch) {
        let table = self.table.as_str();
        let bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
        let seconds = watch.elapsed();
        metrics::counter!("trefoil_storage_flush_rows_total", "table" => table)
            .increment(buffer.rows as u64);
        metrics::counter!("trefoil_storage_flush_bytes_total", "table" => table).increment(bytes);
        metrics::histogram!("trefoil_storage_flush_seconds", "table" => table).record(seconds);
        let millis = u64::try_from(seconds.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(table, rows = buffer.rows, bytes, millis, "buffer flushed");
    }

    /// A new name for a file, which counts as pending from here on.
    pub(crate) fn new_path(&self, day: Option<i64>) -> Path {
        let dir = day.map_or_else(|| "mixed".to_owned(), day_name);
        let path = Path::from_iter([dir, format!("{}.parquet", uuid::Uuid::new_v4())]);
        self.pending().insert(path.clone());
        path
    }

    /// Files that are in the log now.
    pub(crate) fn settle(&self, files: &[Arc<FileEntry>]) {
        let mut pending = self.pending();
        for file in files {
            pending.remove(&file.path);
        }
    }

    /// Files that will never be in the log.
    pub(crate) async fn discard(&self, files: &[Arc<FileEntry>]) {
        for file in files {
            if let Err(error) = self.log.object_store.delete(&file.path).await {
                tracing::debug!(path = %file.path, %error, "left for vacuum");
            }
        }
        self.settle(files);
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, HashSet<Path>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held around a commit and [`TableStore::install`] of its result.
    pub(crate) async fn committing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.committing.lock().await
    }

    /// Takes over the table as its log has it. Buffers that are in it are let go in the same
    /// moment.
    pub(crate) fn install(&self, view: View) {
        let mut state = self.state();
        while let Some(front) = state.sealed.front()
            && front.sequences.is_none_or(|(_, last)| last <= view.sequence)
        {
            state.sealed.pop_front();
        }
        if !view.registry.agrees_with(&state.registry)
            || view.registry.rest_keys().len() > state.registry.rest_keys().len()
        {
            state.registry = Arc::new(view.registry.merged_with(&state.registry));
        }
        state.files = view.files;
        state.version = view.version;
    }

    pub(crate) fn files(&self) -> Arc<Vec<Arc<FileEntry>>> {
        Arc::clone(&self.state().files)
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.state().registry)
    }

    pub(crate) fn tail(&self) -> broadcast::Receiver<(Tenant, RecordBatch)> {
        self.tail.subscribe()
    }

    pub(crate) fn snapshot(&self, tenant: &Tenant) -> Snapshot {
        let state = self.state();
        let sealed = state.sealed.iter().flat_map(|buffer| buffer.iter());
        let buffered = sealed.chain(state.active.iter());
        let (buffers, memory) = buffered.map(|b| (b.batch.clone(), Arc::clone(&b.memory))).unzip();
        let snapshot = self.snapshot_of(tenant, &state, buffers, Arc::clone(&state.files));
        Snapshot { memory, ..snapshot }
    }

    /// The same names and types over these batches alone.
    pub(crate) fn snapshot_over(&self, tenant: &Tenant, batches: Vec<RecordBatch>) -> Snapshot {
        let state = self.state();
        self.snapshot_of(tenant, &state, batches, Arc::default())
    }

    fn snapshot_of(
        &self,
        tenant: &Tenant,
        state: &State,
        buffers: Vec<RecordBatch>,
        files: Arc<Vec<Arc<FileEntry>>>,
    ) -> Snapshot {
        Snapshot {
            table: self.table,
            tenant: tenant.clone(),
            schema: state.registry.logical_schema(),
            registry: Arc::clone(&state.registry),
            buffers,
            memory: Vec::new(),
            files,
            object_store: Arc::clone(&self.log.object_store),
            table_url: self.log.url.clone(),
            cache: self.cache.clone(),
        }
    }

    pub(crate) fn statistics(&self) -> TableStatistics {
        let state = self.state();
        let buffers = || state.sealed.iter().map(AsRef::as_ref).chain([&state.active]);
        let buffered_rows: usize = buffers().map(|buffer| buffer.rows).sum();
        let buffered_bytes: usize = buffers().map(Buffer::bytes).sum();
        let file_rows: u64 = state.files.iter().map(|file| file.rows).sum();
        TableStatistics {
            table: self.table,
            rows: file_rows + buffered_rows as u64,
            files: state.files.len() as u64,
            file_bytes: state.files.iter().map(|file| file.size_bytes).sum(),
            buffered_rows: buffered_rows as u64,
            buffered_bytes: buffered_bytes as u64,
            columns: state.registry.logical_schema().fields().len() as u64,
            received_at: state.received_at,
            time_max_us: state.files.iter().map(|f| f.time_max_us).max().max(state.time_max_us),
            rows_appended: state.rows_appended,
            version: state.version,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `2026-11-21` for days since 1970.
fn day_name(day: i64) -> String {
    let us = day.saturating_mul(86_400_000_000);
    arrow::temporal_conversions::timestamp_us_to_datetime(us)
        .map_or_else(|| "mixed".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

fn time_max_us(batch: &RecordBatch) -> Option<i64> {
    let times = batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    arrow::compute::max(times)
}
