//! The thread that writes the log.

use std::fs::File;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use model::{Table, Tenant};
use stdx::clock::{Stopwatch, UnixNanos};
use stdx::memory::Reservation;
use tokio::sync::{mpsc, oneshot};

use super::format::{HEADER_BYTES, Header, Meta};
use super::io::IoFile;
use crate::error::{AppendError, Error};
use crate::options::WalOptions;

/// When all is committed, a segment is only replaced to be removed if it has this many bytes.
const SEGMENT_WORTH_REMOVING_BYTES: u64 = 1 << 20;

/// What is appended: the body for the log, the batch for the buffers.
#[derive(Debug)]
pub(crate) struct WalRecord {
    pub(crate) table: Table,
    pub(crate) format: u8,
    pub(crate) tenant: Tenant,
    pub(crate) received_at: UnixNanos,
    pub(crate) body: Bytes,
    pub(crate) batch: RecordBatch,
    /// The buffers' memory for the batch.
    pub(crate) memory: Reservation,
}

/// Where records go that are durable.
pub(crate) trait Apply: Send {
    /// Takes a durable record, in the order of the log.
    fn apply(&mut self, sequence: u64, record: WalRecord);
    /// The oldest record that is not in a committed file.
    fn oldest_needed(&self) -> Option<u64>;
}

/// A segment that is no longer written.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) path: PathBuf,
    /// One behind its last record.
    pub(crate) end_sequence: u64,
}

enum Message {
    Append(WalRecord, oneshot::Sender<Result<(), AppendError>>),
    Trim,
    Close(oneshot::Sender<()>),
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Wal(mpsc::Sender<Message>);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Message::Append(..) => "append",
            Message::Trim => "trim",
            Message::Close(_) => "close",
        })
    }
}

impl Wal {
    /// Starts the thread, which writes from `next_sequence` on.
    pub(crate) fn start(
        dir: PathBuf,
        options: WalOptions,
        closed: Vec<Closed>,
        next_sequence: u64,
        next_segment: u64,
        apply: Box<dyn Apply>,
        lock: Arc<File>,
    ) -> Result<Wal, Error> {
        let (tx, rx) = mpsc::channel(options.queue_len.max(1));
        let writer = Writer {
            dir: dir.clone(),
            options,
            closed,
            current: None,
            failed: None,
            next_sequence,
            next_segment,
            apply,
            _lock: lock,
        };
        thread::Builder::new()
            .name("trefoil-wal".to_owned())
            .spawn(move || writer.run(rx))
            .map_err(Error::io("start the writer of", dir))?;
        Ok(Wal(tx))
    }

    /// Writes, syncs, applies.
    pub(crate) async fn append(&self, record: WalRecord) -> Result<(), AppendError> {
        let (reply_tx, reply_rx) = oneshot::channel();
        let message = Message::Append(record, reply_tx);
        self.0.send(message).await.map_err(|_| AppendError::ShuttingDown)?;
        reply_rx.await.unwrap_or(Err(AppendError::ShuttingDown))
    }

    /// Removes segments that are no longer needed, soon. When the queue is full, another time.
    pub(crate) fn trim(&self) {
        drop(self.0.try_send(Message::Trim));
    }

    /// Writes what is queued, trims and ends the thread.
    pub(crate) async fn close(&self) {
        let (reply_tx, reply_rx) = oneshot::channel();
        if self.0.send(Message::Close(reply_tx)).await.is_ok() {
            drop(reply_rx.await);
        }
    }
}

struct Writer {
    dir: PathBuf,
    options: WalOptions,
    closed: Vec<Closed>,
    current: Option<Current>,
    failed: Option<(Stopwatch, String)>,
    next_sequence: u64,
    next_segment: u64,
    apply: Box<dyn Apply>,
    /// The data directory is ours until the last segment is closed.
    _lock: Arc<File>,
}

struct Current {
    path: PathBuf,
    file: Box<dyn IoFile>,
    len: u64,
}

type Waiting = (WalRecord, oneshot::Sender<Result<(), AppendError>>);

impl Writer {
    fn run(mut self, mut rx: mpsc::Receiver<Message>) {
        while let Some(first) = rx.blocking_recv() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut message = Some(first);
            let mut close = None;
            let mut trim = false;
            while let Some(next) = message.take() {
                match next {
                    Message::Append(record, reply) => {
                        bytes += record.body.len();
                        group.push((record, reply));
                    }
                    Message::Trim => trim = true,
                    Message::Close(reply) => close = Some(reply),
                }
                if close.is_none()
                    && bytes < self.options.group_bytes_max
                    && group.len() < self.options.queue_len
                {
                    message = rx.try_recv().ok();
                }
            }
            if !group.is_empty() {
                self.write(group);
            }
            if trim || close.is_some() {
                self.trim();
            }
            if let Some(reply) = close {
                rx.close();
                if reply.send(()).is_err() {
                    tracing::debug!("nobody waits for the log to close");
                }
                return;
            }
        }
    }

    fn write(&mut self, group: Vec<Waiting>) {
        match self.try_write(&group) {
            Ok(()) => {
                metrics::histogram!("trefoil_storage_wal_group_appends")
                    .record(u32::try_from(group.len()).unwrap_or(u32::MAX));
                let first = self.next_sequence;
                self.next_sequence += group.len() as u64;
                let mut replies = Vec::with_capacity(group.len());
                for (sequence, (record, reply)) in (first..).zip(group) {
                    self.apply.apply(sequence, record);
                    replies.push(reply);
                }
                for reply in replies {
                    drop(reply.send(Ok(())));
                }
            }
            Err(reason) => {
                metrics::counter!("trefoil_storage_wal_failures_total").increment(1);
                let retry_after = self.options.retry_after.max(Duration::from_millis(1));
                for (_, reply) in group {
                    let reason = reason.clone();
                    drop(reply.send(Err(AppendError::Unavailable { reason, retry_after })));
                }
            }
        }
    }

    fn try_write(&mut self, group: &[Waiting]) -> Result<(), String> {
        if let Some((since, reason)) = &self.failed
            && since.elapsed() < self.options.retry_after
        {
            return Err(reason.clone());
        }
        let result = self.segment().and_then(|()| self.write_group(group));
        match result {
            Ok(()) => {
                self.failed = None;
                Ok(())
            }
            Err(error) => {
                let reason = reason_of(&error);
                tracing::error!(%reason, "write-ahead log cannot be written");
                self.abandon();
                self.failed = Some((Stopwatch::start(), reason.clone()));
                Err(reason)
            }
        }
    }

    /// Has a segment at hand that has room.
    fn segment(&mut self) -> Result<(), Error> {
        if self.current.as_ref().is_some_and(|c| c.len >= self.options.segment_bytes) {
            self.close_current();
        }
        if self.current.is_some() {
            return Ok(());
        }
        let path = segment_path(&self.dir, self.next_segment);
        let header = Header { segment: self.next_segment, first_sequence: self.next_sequence };
        self.next_segment += 1;
        let file = self.options.io.create(&path).map_err(Error::io("create", &path))?;
        // From here on it is there and has to be removed one day, whether it can be used or not.
        let mut current = Current { path, file, len: HEADER_BYTES as u64 };
        let begun = self.begin(&mut current, header);
        self.current = Some(current);
        begun
    }

    fn begin(&self, current: &mut Current, header: Header) -> Result<(), Error> {
        let path = &current.path;
        let header = header.encode();
        current.file.write_all(&mut [IoSlice::new(&header)]).map_err(Error::io("write", path))?;
        current.file.sync().map_err(Error::io("sync", path))?;
        self.options.io.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))
    }

    fn write_group(&mut self, group: &[Waiting]) -> Result<(), Error> {
        let Some(current) = &mut self.current else { return Err(Error::ShutDown) };
        let group_offset = current.len;
        let heads: Vec<Vec<u8>> = (self.next_sequence..)
            .zip(group)
            .map(|(sequence, (record, _))| head(sequence, group_offset, record))
            .collect();
        let mut slices: Vec<IoSlice<'_>> = heads
            .iter()
            .zip(group)
            .flat_map(|(head, (record, _))| [IoSlice::new(head), IoSlice::new(&record.body)])
            .filter(|slice| !slice.is_empty())
            .collect();
        let bytes: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        current.file.write_all(&mut slices).map_err(Error::io("write", &current.path))?;
        let watch = Stopwatch::start();
        current.file.sync().map_err(Error::io("sync", &current.path))?;
        metrics::histogram!("trefoil_storage_wal_fsync_seconds").record(watch.elapsed());
        metrics::counter!("trefoil_storage_wal_bytes_total").increment(bytes);
        current.len += bytes;
        Ok(())
    }

    /// Never writes the segment again. What the failed group left in it is cut off if that can be
    /// done; if not, the next segment's first sequence says that it does not count.
    fn abandon(&mut self) {
        if let Some(current) = &mut self.current
            && let Err(error) = current.file.truncate(current.len)
        {
            tracing::warn!(path = %current.path.display(), %error, "cannot cut off a failed write");
        }
        self.close_current();
    }

    fn close_current(&mut self) {
        if let Some(current) = self.current.take() {
            self.closed.push(Closed { path: current.path, end_sequence: self.next_sequence });
        }
    }

    fn trim(&mut self) {
        let needed = self.apply.oldest_needed().unwrap_or(self.next_sequence);
        let all_committed = needed == self.next_sequence;
        if all_committed
            && self.current.as_ref().is_some_and(|c| c.len > SEGMENT_WORTH_REMOVING_BYTES)
        {
            self.close_current();
        }
        // Oldest first and never past a failure: a gap in the log would look like a loss.
        while let Some(segment) = self.closed.first()
            && segment.end_sequence <= needed
        {
            match self.options.io.remove(&segment.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let path = segment.path.display();
                    tracing::warn!(%path, %error, "cannot remove a log segment");
                    break;
                }
                _ => self.closed.remove(0),
            };
        }
        let segments = u32::try_from(self.closed.len() + 1).unwrap_or(u32::MAX);
        metrics::gauge!("trefoil_storage_wal_segments").set(segments);
    }
}

fn head(sequence: u64, group_offset: u64, record: &WalRecord) -> Vec<u8> {
    let WalRecord { table, format, ref tenant, received_at, ref body, .. } = *record;
    Meta { sequence, group_offset, table, format, tenant: tenant.clone(), received_at }.encode(body)
}

fn reason_of(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.wal"))
}

/// The number in a segment's file name.
pub(super) fn segment_number(path: &Path) -> Option<u64> {
    if path.extension()? != "wal" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}
