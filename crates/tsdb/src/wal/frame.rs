//! Bytes of the log's files: a header, then frames.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::io::IoFile;

/// The version that is written and read.
const VERSION: u32 = 1;
/// Magic, version, number, first frame, checksum.
pub(super) const HEADER_BYTES: usize = 8 + 4 + 8 + 8 + 4;
/// Length, checksum, number.
pub(super) const PREFIX_BYTES: usize = 4 + 4 + 8;
/// The longest frame that is written, bytes.
pub(super) const FRAME_BYTES_MAX: usize = 256 << 20;

const SEGMENT_MAGIC: [u8; 8] = *b"TREFMWL\n";
const CHECKPOINT_MAGIC: [u8; 8] = *b"TREFMCP\n";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Checkpoint,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Kind::Segment => SEGMENT_MAGIC,
            Kind::Checkpoint => CHECKPOINT_MAGIC,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Kind::Segment => "wal",
            Kind::Checkpoint => "checkpoint",
        }
    }
}

/// A file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    /// The number of its first frame.
    pub(crate) first_frame: u64,
}

/// Why bytes are no header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Damaged,
    Version(u32),
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&self.kind.magic());
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.first_frame.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(kind: Kind, bytes: &[u8; HEADER_BYTES]) -> Result<Header, BadHeader> {
        let checksum = u32::from_le_bytes(array(&bytes[28..]));
        if bytes[..8] != kind.magic() || crc32fast::hash(&bytes[..28]) != checksum {
            return Err(BadHeader::Damaged);
        }
        let version = u32::from_le_bytes(array(&bytes[8..]));
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        let number = u64::from_le_bytes(array(&bytes[12..]));
        Ok(Header { kind, number, first_frame: u64::from_le_bytes(array(&bytes[20..])) })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// What stands before a frame's records.
pub(super) fn prefix(number: u64, records: &[u8]) -> [u8; PREFIX_BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    let len = u32::try_from(records.len()).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    bytes[4..8].copy_from_slice(&checksum(len, number, records).to_le_bytes());
    bytes
}

fn checksum(len: u32, number: u64, records: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&len.to_le_bytes());
    checksum.update(&number.to_le_bytes());
    checksum.update(records);
    checksum.finalize()
}

/// Reads a file's frames.
pub(super) struct FrameReader {
    file: Box<dyn Read + Send>,
    /// Where the next frame begins.
    pub(super) offset: u64,
    records: Vec<u8>,
}

/// What comes next in a file.
pub(super) enum Next<'a> {
    Frame {
        number: u64,
        records: &'a [u8],
    },
    /// The end of the file, right behind a frame.
    End,
    /// Bytes that are no frame, or not all of one.
    Torn,
}

impl FrameReader {
    pub(super) fn new(file: Box<dyn Read + Send>) -> FrameReader {
        FrameReader { file, offset: 0, records: Vec::new() }
    }

    /// The header, or none when the file ends before.
    pub(super) fn header(&mut self, kind: Kind) -> io::Result<Option<Result<Header, BadHeader>>> {
        let mut bytes = [0; HEADER_BYTES];
        if read_full(&mut self.file, &mut bytes)? < HEADER_BYTES {
            return Ok(None);
        }
        self.offset = HEADER_BYTES as u64;
        Ok(Some(Header::decode(kind, &bytes)))
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        let mut prefix = [0; PREFIX_BYTES];
        match read_full(&mut self.file, &mut prefix)? {
            0 => return Ok(Next::End),
            PREFIX_BYTES => {}
            _ => return Ok(Next::Torn),
        }
        let len = u32::from_le_bytes(array(&prefix));
        let number = u64::from_le_bytes(array(&prefix[8..]));
        let bytes = len as usize;
        if bytes > FRAME_BYTES_MAX {
            return Ok(Next::Torn);
        }
        self.records.clear();
        let read = self.file.by_ref().take(u64::from(len)).read_to_end(&mut self.records)?;
        let sum = u32::from_le_bytes(array(&prefix[4..]));
        if read < bytes || checksum(len, number, &self.records) != sum {
            return Ok(Next::Torn);
        }
        self.offset += (PREFIX_BYTES + bytes) as u64;
        Ok(Next::Frame { number, records: &self.records })
    }
}

fn read_full(file: &mut Box<dyn Read + Send>, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read(&mut into[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Whether a whole frame that follows frame `torn` stands anywhere in `bytes`: then what is before
/// was durable once.
pub(super) fn holds_later_frame(bytes: &[u8], torn: u64) -> bool {
    (0..bytes.len().saturating_sub(PREFIX_BYTES)).any(|at| {
        let prefix = &bytes[at..];
        let len = u32::from_le_bytes(array(prefix));
        let number = u64::from_le_bytes(array(&prefix[8..]));
        let later = number > torn && number - torn < 1 << 32;
        later
            && prefix.get(PREFIX_BYTES..PREFIX_BYTES.saturating_add(len as usize)).is_some_and(
                |records| checksum(len, number, records) == u32::from_le_bytes(array(&prefix[4..])),
            )
    })
}

/// Writes frames of a checkpoint.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    file: Box<dyn IoFile>,
    next: u64,
    pub(crate) bytes: u64,
}

impl FrameWriter {
    pub(crate) fn checkpoint(file: Box<dyn IoFile>, number: u64) -> io::Result<FrameWriter> {
        let mut writer = FrameWriter { file, next: 0, bytes: HEADER_BYTES as u64 };
        let header = Header { kind: Kind::Checkpoint, number, first_frame: 0 };
        writer.file.write_all(&header.encode())?;
        Ok(writer)
    }

    pub(crate) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all(&prefix(self.next, records))?;
        self.file.write_all(records)?;
        self.next += 1;
        self.bytes += (PREFIX_BYTES + records.len()) as u64;
        Ok(())
    }

    /// Writes the empty frame that says that all is there, and syncs.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.write(&[])?;
        self.file.sync()?;
        Ok(self.bytes)
    }
}

/// Where a segment lies.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    path(dir, number, Kind::Segment)
}

/// Where a checkpoint lies.
pub(crate) fn checkpoint_path(dir: &Path, number: u64) -> PathBuf {
    path(dir, number, Kind::Checkpoint)
}

fn path(dir: &Path, number: u64, kind: Kind) -> PathBuf {
    dir.join(format!("{number:020}.{}", kind.extension()))
}

/// The number in a file's name.
pub(super) fn number(path: &Path, kind: Kind) -> Option<u64> {
    if path.extension()? != kind.extension() {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}
