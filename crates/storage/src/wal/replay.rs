//! Reading the log back after a start.
//!
//! A segment may end in a torn or abandoned group: bytes that were never acknowledged. They are
//! told from damage by two marks. Sequences have no gaps, so the next segment's header says how far
//! this one counts. In the last segment, a record behind the torn place that was written when that
//! place was durable already proves damage.

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::{Table, Tenant};
use stdx::clock::UnixNanos;

use super::format::{BadHeader, FIXED_BYTES, HEADER_BYTES, Header, Meta, PREFIX_BYTES};
use super::io::Io;
use super::writer::{Closed, segment_number};
use crate::error::Error;

/// A record read back.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) sequence: u64,
    pub(crate) table: Table,
    pub(crate) format: u8,
    pub(crate) tenant: Tenant,
    pub(crate) received_at: UnixNanos,
    pub(crate) body: Bytes,
}

/// The log, read from its start.
pub(crate) struct Replay {
    io: Arc<dyn Io>,
    waiting: VecDeque<Segment>,
    reading: Option<Reading>,
    /// The sequence that comes next; `None` before the first segment.
    expected: Option<u64>,
    closed: Vec<Closed>,
    segment_last: u64,
}

struct Segment {
    path: PathBuf,
    header: Header,
    len: u64,
}

struct Reading {
    segment: Segment,
    input: BufReader<Box<dyn Read + Send>>,
    offset: u64,
}

impl Replay {
    /// Looks at the segments' headers.
    pub(crate) fn open(io: Arc<dyn Io>, dir: &Path) -> Result<Replay, Error> {
        let files = io.list(dir).map_err(Error::io("list", dir))?;
        let mut numbered: Vec<(u64, PathBuf)> =
            files.into_iter().filter_map(|path| Some((segment_number(&path)?, path))).collect();
        numbered.sort_unstable();
        let segment_last = numbered.last().map_or(0, |(number, _)| *number);
        let mut waiting = VecDeque::new();
        for (_, path) in numbered {
            if let Some(segment) = read_header(io.as_ref(), &path)? {
                waiting.push_back(segment);
            }
        }
        Ok(Replay { io, waiting, reading: None, expected: None, closed: Vec::new(), segment_last })
    }

    /// The next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Replayed>, Error> {
        loop {
            if self.reading.is_none() && !self.start_next()? {
                return Ok(None);
            }
            let Some(reading) = &mut self.reading else { return Ok(None) };
            let expected = self.expected.unwrap_or(reading.segment.header.first_sequence);
            let abandoned_from = self.waiting.front().map(|next| next.header.first_sequence);
            if abandoned_from == Some(expected) {
                self.end_segment(expected);
                continue;
            }
            match reading.record()? {
                Found::Record(meta, body) if meta.sequence == expected => {
                    self.expected = Some(expected + 1);
                    let Meta { sequence, table, format, tenant, received_at, .. } = meta;
                    let found = Replayed { sequence, table, format, tenant, received_at, body };
                    return Ok(Some(found));
                }
                Found::Record(meta, _) => {
                    let reason = format!("sequence {} where {expected} comes", meta.sequence);
                    return Err(reading.corrupt(reason));
                }
                Found::End if abandoned_from.is_none() => {
                    let (path, offset) = (reading.segment.path.clone(), reading.offset);
                    self.cut(path, offset)?;
                    self.end_segment(expected);
                }
                Found::End => {
                    return Err(reading.corrupt(format!("records from {expected} on are missing")));
                }
                Found::Damaged(_) if abandoned_from.is_some() => {
                    return Err(reading.corrupt(format!("record {expected} is damaged")));
                }
                Found::Damaged(rest) => {
                    if let Some(sequence) = later_durable_record(&rest, reading.offset, expected) {
                        let reason =
                            format!("record {expected} is damaged, but {sequence} follows");
                        return Err(reading.corrupt(reason));
                    }
                    let (path, offset) = (reading.segment.path.clone(), reading.offset);
                    tracing::warn!(
                        path = %path.display(), offset, bytes = rest.len(),
                        "torn end of the write-ahead log cut off; it was never acknowledged"
                    );
                    self.cut(path, offset)?;
                    self.end_segment(expected);
                }
            }
        }
    }

    /// What is there now: segments to be removed later, the next sequence and segment number.
    pub(crate) fn end(self) -> (Vec<Closed>, u64, u64) {
        (self.closed, self.expected.unwrap_or(1), self.segment_last + 1)
    }

    /// Ends the last segment, and makes durable what is in it: the process may have died between
    /// writing and syncing, and the next segment goes on from here.
    fn cut(&self, path: PathBuf, len: u64) -> Result<(), Error> {
        self.io.truncate(&path, len).map_err(Error::io("truncate", path))
    }

    fn start_next(&mut self) -> Result<bool, Error> {
        let Some(segment) = self.waiting.pop_front() else { return Ok(false) };
        let first = segment.header.first_sequence;
        if let Some(expected) = self.expected
            && expected != first
        {
            let reason = format!("segment begins with record {first} where {expected} comes");
            return Err(Error::Corrupt { path: segment.path, offset: 0, reason });
        }
        let (input, _) = self.io.read(&segment.path).map_err(Error::io("read", &segment.path))?;
        let mut reading =
            Reading { segment, input: BufReader::with_capacity(1 << 16, input), offset: 0 };
        let mut header = [0; HEADER_BYTES];
        reading.input.read_exact(&mut header).map_err(Error::io("read", &reading.segment.path))?;
        reading.offset = HEADER_BYTES as u64;
        self.expected = Some(first);
        self.reading = Some(reading);
        Ok(true)
    }

    fn end_segment(&mut self, next_sequence: u64) {
        if let Some(Reading { segment, .. }) = self.reading.take() {
            self.closed.push(Closed { path: segment.path, end_sequence: next_sequence });
        }
    }
}

fn read_header(io: &dyn Io, path: &Path) -> Result<Option<Segment>, Error> {
    let (mut input, len) = io.read(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    input
        .by_ref()
        .take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    match Header::decode(&bytes) {
        Ok(header) => Ok(Some(Segment { path: path.to_owned(), header, len })),
        Err(BadHeader::Version(version)) => Err(Error::Version { path: path.to_owned(), version }),
        // The crash came while the segment was made: nothing was ever acknowledged from it.
        Err(BadHeader::Damaged) if len <= HEADER_BYTES as u64 => {
            io.remove(path).map_err(Error::io("remove", path))?;
            Ok(None)
        }
        Err(BadHeader::Damaged) => Err(Error::Corrupt {
            path: path.to_owned(),
            offset: 0,
            reason: "segment's header is damaged".to_owned(),
        }),
    }
}

enum Found {
    Record(Meta, Bytes),
    End,
    /// With everything from the damaged record on.
    Damaged(Vec<u8>),
}

impl Reading {
    fn record(&mut self) -> Result<Found, Error> {
        let left = self.segment.len.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Found::End);
        }
        let mut prefix = [0; PREFIX_BYTES];
        if left < PREFIX_BYTES as u64 {
            return self.damaged(Vec::new());
        }
        self.read_exact(&mut prefix)?;
        let (len, checksum) = split_prefix(prefix);
        if len < FIXED_BYTES || len as u64 > left - PREFIX_BYTES as u64 {
            return self.damaged(prefix.to_vec());
        }
        let mut content = vec![0; len];
        self.read_exact(&mut content)?;
        if crc32fast::hash(&content) != checksum {
            return self.damaged([&prefix[..], &content].concat());
        }
        let content = Bytes::from(content);
        let Some((meta, body)) = Meta::decode(&content) else {
            return Err(self.corrupt("record's fields are not known".to_owned()));
        };
        self.offset += (PREFIX_BYTES + len) as u64;
        Ok(Found::Record(meta, body))
    }

    fn damaged(&mut self, mut read: Vec<u8>) -> Result<Found, Error> {
        let path = &self.segment.path;
        self.input.read_to_end(&mut read).map_err(Error::io("read", path))?;
        Ok(Found::Damaged(read))
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.input.read_exact(bytes).map_err(Error::io("read", &self.segment.path))
    }

    fn corrupt(&self, reason: String) -> Error {
        Error::Corrupt { path: self.segment.path.clone(), offset: self.offset, reason }
    }
}

fn split_prefix(prefix: [u8; PREFIX_BYTES]) -> (usize, u32) {
    let [a, b, c, d, checksum @ ..] = prefix;
    let len = u32::from_le_bytes([a, b, c, d]);
    (usize::try_from(len).unwrap_or(usize::MAX), u32::from_le_bytes(checksum))
}

/// A record in `rest`, which begins at `offset` of the segment, that was written when `offset` was
/// durable already.
fn later_durable_record(rest: &[u8], offset: u64, after: u64) -> Option<u64> {
    (1..rest.len()).find_map(|start| {
        let (prefix, content) = rest.get(start..)?.split_first_chunk::<PREFIX_BYTES>()?;
        let (len, checksum) = split_prefix(*prefix);
        if len < FIXED_BYTES {
            return None;
        }
        let content = content.get(..len)?;
        let sequence = u64::from_le_bytes(*content.first_chunk()?);
        let plausible = sequence > after && sequence - after < 1 << 32;
        if !plausible || crc32fast::hash(content) != checksum {
            return None;
        }
        let (meta, _) = Meta::decode(&Bytes::copy_from_slice(content))?;
        (meta.group_offset > offset).then_some(meta.sequence)
    })
}
