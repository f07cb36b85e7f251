//! The thread that writes the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use stdx::clock::Stopwatch;

use super::frame::{HEADER_BYTES, Header, Kind, PREFIX_BYTES, prefix, segment_path};
use super::io::IoFile;
use crate::append::AppendError;
use crate::error::Error;
use crate::options::WalOptions;

/// Hears whether all that was queued before is durable. Called once, from the log's thread.
pub(crate) type Done = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Wal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    options: WalOptions,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    records: Vec<u8>,
    done: Vec<Done>,
    rotations: Vec<mpsc::Sender<u64>>,
    closing: bool,
    /// Why nothing can be written now.
    failed: Option<String>,
    /// What the failed writes left to be written, bytes.
    kept_bytes: usize,
    /// Written since the log was opened or a checkpoint asked, bytes.
    written_bytes: u64,
    segments: u64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Wal {
    /// Starts the thread, which begins a segment of its own.
    pub(crate) fn start(
        dir: &Path,
        options: WalOptions,
        next_segment: u64,
        next_frame: u64,
    ) -> Result<Wal, Error> {
        let shared = Arc::new(Shared { options, queue: Mutex::default(), wake: Condvar::new() });
        let writer = Writer {
            shared: Arc::clone(&shared),
            dir: dir.to_owned(),
            current: None,
            kept: Vec::new(),
            next_segment,
            next_frame,
        };
        let thread = thread::Builder::new()
            .name("trefoil-mwal".to_owned())
            .spawn(move || writer.run())
            .map_err(Error::io("start the writer of", dir))?;
        Ok(Wal { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Whether records may be queued: to be asked before anything is done that needs the log.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        let retry_after = self.shared.options.retry_after;
        let queue = self.shared.queue.lock();
        if queue.closing {
            return Err(AppendError::ShuttingDown);
        }
        if let Some(reason) = &queue.failed {
            return Err(AppendError::Unavailable { reason: reason.clone(), retry_after });
        }
        if queue.records.len() >= self.shared.options.queue_bytes_max {
            return Err(AppendError::Full { what: "the log's queue", retry_after });
        }
        Ok(())
    }

    /// Queues records that nobody waits for; they are written before all that is queued later.
    pub(crate) fn push(&self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.shared.queue.lock().records);
    }

    /// Queues records.
    pub(crate) fn submit(&self, records: &[u8], done: Done) {
        let mut queue = self.shared.queue.lock();
        if queue.closing {
            drop(queue);
            done(Err(AppendError::ShuttingDown));
            return;
        }
        queue.records.extend_from_slice(records);
        queue.done.push(done);
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Queues records and waits until they are durable.
    pub(crate) fn submit_and_wait(&self, records: &[u8]) -> Result<(), AppendError> {
        let (tx, rx) = mpsc::channel();
        self.submit(records, Box::new(move |result| drop(tx.send(result))));
        rx.recv().unwrap_or(Err(AppendError::ShuttingDown))
    }

    /// Begins another segment: all that was queued before lies in segments below the number that
    /// is returned, or is still kept to be written.
    pub(crate) fn rotate(&self) -> Option<u64> {
        let (tx, rx) = mpsc::channel();
        let mut queue = self.shared.queue.lock();
        if queue.closing {
            return None;
        }
        queue.rotations.push(tx);
        queue.written_bytes = 0;
        drop(queue);
        self.shared.wake.notify_one();
        rx.recv().ok()
    }

    /// Written since the last rotation, bytes.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.shared.queue.lock().written_bytes
    }

    /// What waits to be written, bytes.
    pub(crate) fn queued_bytes(&self) -> usize {
        let queue = self.shared.queue.lock();
        queue.records.len() + queue.kept_bytes
    }

    /// Why nothing can be written now.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.queue.lock().failed.clone()
    }

    /// Writes what is queued and ends the thread.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the log's thread has panicked");
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    shared: Arc<Shared>,
    dir: PathBuf,
    current: Option<Current>,
    /// Records of failed writes, which come before all others.
    kept: Vec<u8>,
    next_segment: u64,
    next_frame: u64,
}

struct Current {
    path: PathBuf,
    file: Box<dyn IoFile>,
    len: u64,
}

/// What the thread takes from the queue at once.
struct Taken {
    records: Vec<u8>,
    done: Vec<Done>,
    rotations: Vec<mpsc::Sender<u64>>,
    closing: bool,
}

/// A buffer that grew over this is not kept, bytes.
const BUFFER_KEPT_BYTES: usize = 8 << 20;

impl Writer {
    fn run(mut self) {
        let mut buffer = Vec::new();
        let mut failed: Option<(Stopwatch, String)> = None;
        loop {
            let taken = self.take(buffer, failed.is_some());
            let Taken { mut records, done, rotations, closing } = taken;
            let retry_after = self.shared.options.retry_after;
            let wait = failed.as_ref().filter(|(since, _)| since.elapsed() < retry_after);
            let result = match wait {
                Some((_, reason)) if !closing => Err(reason.clone()),
                _ => self.write(&records),
            };
            match &result {
                Ok(()) => failed = None,
                Err(reason) => {
                    self.kept.extend_from_slice(&records);
                    if wait.is_none() {
                        failed = Some((Stopwatch::start(), reason.clone()));
                    }
                }
            }
            self.report(&result);
            let result = result.map_err(|reason| AppendError::Unavailable { reason, retry_after });
            for done in done {
                done(result.clone());
            }
            for rotation in rotations {
                self.current = None;
                // Nobody waits any more when this fails.
                rotation.send(self.next_segment).unwrap_or(());
            }
            if closing {
                return;
            }
            records.clear();
            buffer = if records.capacity() > BUFFER_KEPT_BYTES { Vec::new() } else { records };
        }
    }

    /// Waits for something to do.
    fn take(&self, buffer: Vec<u8>, failed: bool) -> Taken {
        let mut queue = self.shared.queue.lock();
        while queue.done.is_empty() && queue.rotations.is_empty() && !queue.closing {
            if failed {
                self.shared.wake.wait_for(&mut queue, self.shared.options.retry_after);
                break;
            }
            self.shared.wake.wait(&mut queue);
        }
        Taken {
            records: std::mem::replace(&mut queue.records, buffer),
            done: std::mem::take(&mut queue.done),
            rotations: std::mem::take(&mut queue.rotations),
            closing: queue.closing,
        }
    }

    fn report(&self, result: &Result<(), String>) {
        let mut queue = self.shared.queue.lock();
        queue.kept_bytes = self.kept.len();
        queue.failed = result.as_ref().err().cloned();
        drop(queue);
        let kept = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        metrics::gauge!("trefoil_tsdb_wal_unwritten_bytes").set(kept);
    }

    /// Writes what is kept and `records` as one frame, and syncs.
    fn write(&mut self, records: &[u8]) -> Result<(), String> {
        if self.kept.is_empty() && records.is_empty() {
            return Ok(());
        }
        let kept = std::mem::take(&mut self.kept);
        let result = self.segment().and_then(|()| {
            if kept.is_empty() {
                return self.frame(records);
            }
            self.frame(&[&kept, records].concat())
        });
        self.kept = kept;
        match result {
            Ok(()) => {
                self.kept = Vec::new();
                Ok(())
            }
            Err(error) => {
                let reason = match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                tracing::error!(%reason, "the metrics' log cannot be written");
                metrics::counter!("trefoil_tsdb_wal_failures_total").increment(1);
                self.current = None;
                Err(reason)
            }
        }
    }

    /// Has a segment at hand that has room.
    fn segment(&mut self) -> Result<(), Error> {
        let segment_bytes = self.shared.options.segment_bytes;
        if self.current.as_ref().is_some_and(|current| current.len < segment_bytes) {
            return Ok(());
        }
        self.current = None;
        let io = Arc::clone(&self.shared.options.io);
        let path = segment_path(&self.dir, self.next_segment);
        let header =
            Header { kind: Kind::Segment, number: self.next_segment, first_frame: self.next_frame };
        self.next_segment += 1;
        let mut file = io.create(&path).map_err(Error::io("create", &path))?;
        let begin = |file: &mut Box<dyn IoFile>| -> io::Result<()> {
            file.write_all(&header.encode())?;
            file.sync()
        };
        begin(&mut file).map_err(Error::io("write", &path))?;
        io.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
        self.shared.queue.lock().segments += 1;
        self.current = Some(Current { path, file, len: HEADER_BYTES as u64 });
        Ok(())
    }

    fn frame(&mut self, records: &[u8]) -> Result<(), Error> {
        let Some(current) = &mut self.current else { return Err(Error::ShuttingDown) };
        let prefix = prefix(self.next_frame, records);
        let write = |file: &mut Box<dyn IoFile>| -> io::Result<()> {
            file.write_all(&prefix)?;
            file.write_all(records)
        };
        write(&mut current.file).map_err(Error::io("write", &current.path))?;
        let watch = Stopwatch::start();
        current.file.sync().map_err(Error::io("sync", &current.path))?;
        metrics::histogram!("trefoil_tsdb_wal_fsync_seconds").record(watch.elapsed());
        let bytes = (PREFIX_BYTES + records.len()) as u64;
        metrics::counter!("trefoil_tsdb_wal_bytes_total").increment(bytes);
        current.len += bytes;
        self.next_frame += 1;
        self.shared.queue.lock().written_bytes += bytes;
        Ok(())
    }
}
