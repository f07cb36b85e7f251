//! A queue on disk: segments of records, and a file that says how far they were sent.
//!
//! The format is in `docs/formats/forward-queue.md`. Records are written as they come and synced
//! when a segment is full and at the end: after a crash of the machine the last ones may be
//! missing, which the store itself still has. A record that is torn or damaged ends its segment.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::Options;

const MAGIC: &[u8; 8] = b"TREFFWD\x01";
/// Length, samples, newest timestamp, checksum.
const HEADER_BYTES: u64 = 24;

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    samples: u64,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    segment: u64,
    offset: u64,
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) body: Vec<u8>,
    pub(super) samples: u32,
    /// The newest timestamp in it.
    pub(super) newest: i64,
    /// Where the next one begins.
    pub(super) next: Position,
}

#[derive(Debug)]
pub(super) struct Queue {
    directory: PathBuf,
    options: Options,
    segments: VecDeque<Segment>,
    writer: Option<File>,
    /// What was sent.
    sent: Position,
}

impl Queue {
    pub(super) fn open(directory: &Path, options: &Options) -> io::Result<Queue> {
        std::fs::create_dir_all(directory)?;
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(number) = name.strip_suffix(".fwd").and_then(|n| n.parse().ok()) else {
                continue;
            };
            segments.push(Segment { number, bytes: entry.metadata()?.len(), samples: 0 });
        }
        segments.sort_by_key(|segment| segment.number);
        let sent = read_position(&directory.join("sent"))?;
        let mut queue = Queue {
            directory: directory.to_owned(),
            options: options.clone(),
            segments: segments.into(),
            writer: None,
            sent,
        };
        queue.drop_sent()?;
        Ok(queue)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:020}.fwd"))
    }

    /// How much it holds.
    pub(super) fn bytes(&self) -> u64 {
        let all: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let sent = self.segments.front().filter(|first| first.number == self.sent.segment);
        all - sent.map_or(0, |first| self.sent.offset.min(first.bytes))
    }

    /// Adds a record; how many samples had to go for it.
    pub(super) fn push(&mut self, body: &[u8], samples: u32, newest: i64) -> io::Result<u64> {
        let mut record = Vec::with_capacity(body.len() + 24);
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&samples.to_le_bytes());
        record.extend_from_slice(&newest.to_le_bytes());
        record.extend_from_slice(&xxh3_64(body).to_le_bytes());
        record.extend_from_slice(body);
        let last_bytes = self.segments.back().map_or(u64::MAX, |last| last.bytes);
        if self.writer.is_none() || last_bytes >= self.options.segment_bytes {
            self.roll()?;
        }
        let (Some(writer), Some(last)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(io::Error::other("the queue has no segment"));
        };
        if let Err(error) = writer.write_all(&record) {
            // What is half written ends the segment.
            self.writer = None;
            return Err(error);
        }
        last.bytes += u64::try_from(record.len()).unwrap_or(0);
        last.samples += u64::from(samples);
        self.make_room()
    }

    fn roll(&mut self) -> io::Result<()> {
        self.sync()?;
        let number = self.segments.back().map_or(0, |last| last.number).max(self.sent.segment) + 1;
        let mut file = OpenOptions::new().create_new(true).append(true).open(self.path(number))?;
        file.write_all(MAGIC)?;
        self.writer = Some(file);
        self.segments.push_back(Segment { number, bytes: 8, samples: 0 });
        Ok(())
    }

    /// Drops the oldest segments while there are too many bytes.
    fn make_room(&mut self) -> io::Result<u64> {
        let mut dropped = 0;
        while self.bytes() > self.options.queue_bytes_max && self.segments.len() > 1 {
            let Some(oldest) = self.segments.pop_front() else { break };
            std::fs::remove_file(self.path(oldest.number))?;
            dropped += oldest.samples;
        }
        Ok(dropped)
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        match &self.writer {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }

    /// Where reading goes on.
    pub(super) fn start(&self) -> Position {
        self.sent
    }

    /// The first record at or behind a place.
    pub(super) fn read(&self, mut at: Position) -> io::Result<Option<Record>> {
        for segment in &self.segments {
            if segment.number < at.segment {
                continue;
            }
            if segment.number > at.segment {
                at = Position { segment: segment.number, offset: 0 };
            }
            let offset = at.offset.max(8);
            if offset + HEADER_BYTES > segment.bytes {
                continue;
            }
            if let Some(record) = self.read_at(segment, offset)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// `None` when there is no whole record.
    fn read_at(&self, segment: &Segment, offset: u64) -> io::Result<Option<Record>> {
        let mut file = match File::open(self.path(segment.number)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut magic = [0; 8];
        if file.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut header = [0; 24];
        file.read_exact(&mut header)?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let lengths = number(0);
        let length = lengths & 0xffff_ffff;
        let next = offset + HEADER_BYTES + length;
        if next > segment.bytes {
            return Ok(None);
        }
        let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact(&mut body)?;
        if xxh3_64(&body) != number(16) {
            return Ok(None);
        }
        Ok(Some(Record {
            body,
            samples: u32::try_from(lengths >> 32).unwrap_or(u32::MAX),
            newest: i64::from_le_bytes(number(8).to_le_bytes()),
            next: Position { segment: segment.number, offset: next },
        }))
    }

    /// Everything before `position` was sent.
    pub(super) fn advance(&mut self, position: Position) -> io::Result<()> {
        if position <= self.sent {
            return Ok(());
        }
        self.sent = position;
        let path = self.directory.join("sent");
        let new = self.directory.join("sent.new");
        std::fs::write(&new, format!("{} {}\n", position.segment, position.offset))?;
        std::fs::rename(&new, &path)?;
        self.drop_sent()
    }

    /// Removes segments that were sent whole.
    fn drop_sent(&mut self) -> io::Result<()> {
        while let Some(first) = self.segments.front() {
            let whole = first.number < self.sent.segment;
            if !whole || self.segments.len() == 1 && self.writer.is_some() {
                return Ok(());
            }
            std::fs::remove_file(self.path(first.number))?;
            self.segments.pop_front();
        }
        Ok(())
    }
}

fn read_position(path: &Path) -> io::Result<Position> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap_or(0));
    let (segment, offset) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Ok(Position { segment, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(queue: &Queue) -> Vec<String> {
        let mut at = queue.start();
        let mut all = Vec::new();
        while let Some(record) = queue.read(at).expect("reads") {
            all.push(String::from_utf8(record.body).expect("text"));
            at = record.next;
        }
        all
    }

    #[test]
    fn records_survive_and_what_was_sent_does_not_come_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { segment_bytes: 60, ..Options::default() };
        let mut queue = Queue::open(directory.path(), &options).expect("opens");
        for body in ["one", "two", "three"] {
            queue.push(body.as_bytes(), 1, 5).expect("writes");
        }
        let first = queue.read(queue.start()).expect("reads").expect("a record");
        assert_eq!((first.samples, first.newest), (1, 5));
        queue.advance(first.next).expect("advances");
        assert_eq!(bodies(&queue), ["two", "three"]);
        drop(queue);
        let mut queue = Queue::open(directory.path(), &options).expect("opens");
        queue.push(b"four", 1, 6).expect("writes");
        assert_eq!(bodies(&queue), ["two", "three", "four"]);
    }

    #[test]
    fn a_torn_record_ends_its_segment() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::default();
        let mut queue = Queue::open(directory.path(), &options).expect("opens");
        queue.push(b"one", 1, 0).expect("writes");
        queue.push(b"two", 1, 0).expect("writes");
        drop(queue);
        let path = directory.path().join(format!("{:020}.fwd", 1));
        let bytes = std::fs::read(&path).expect("reads");
        std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("writes");
        let mut queue = Queue::open(directory.path(), &options).expect("opens");
        queue.push(b"three", 1, 0).expect("writes");
        assert_eq!(bodies(&queue), ["one", "three"]);
    }

    #[test]
    fn a_full_queue_lets_the_oldest_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { segment_bytes: 40, queue_bytes_max: 120 };
        let mut queue = Queue::open(directory.path(), &options).expect("opens");
        let mut dropped = 0;
        for n in 0..10 {
            dropped += queue.push(format!("body{n}").as_bytes(), 1, 0).expect("writes");
        }
        let left = bodies(&queue);
        assert_eq!(left.last().map(String::as_str), Some("body9"));
        assert_eq!(left.len() + usize::try_from(dropped).expect("few"), 10);
        assert!(queue.bytes() <= 120 + 40);
    }
}
