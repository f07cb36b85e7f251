//! Reads what the log says, after a start.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::frame::{BadHeader, FrameReader, Header, Kind, Next, holds_later_frame, number};
use super::io::Io;
use super::record::Record;
use crate::error::Error;

/// The files of the log.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) checkpoint: Option<(u64, PathBuf)>,
    /// By number, from the checkpoint's on.
    pub(crate) segments: Vec<(u64, PathBuf)>,
    /// What a checkpoint has made useless, or was not finished.
    pub(crate) useless: Vec<PathBuf>,
    /// A number that no file has had.
    pub(crate) next_segment: u64,
}

/// Looks for the log's files.
pub(crate) fn find(io: &dyn Io, dir: &Path) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut checkpoints = Vec::new();
    for path in io.list(dir).map_err(Error::io("list", dir))? {
        if let Some(number) = number(&path, Kind::Segment) {
            found.segments.push((number, path));
        } else if let Some(number) = number(&path, Kind::Checkpoint) {
            checkpoints.push((number, path));
        } else if path.extension().is_some_and(|extension| extension == "unfinished") {
            found.useless.push(path);
        }
    }
    found.segments.sort();
    checkpoints.sort();
    let last = |files: &[(u64, PathBuf)]| files.last().map_or(0, |(number, _)| *number);
    found.next_segment = last(&found.segments).max(last(&checkpoints)) + 1;
    found.checkpoint = checkpoints.pop();
    let from = found.checkpoint.as_ref().map_or(0, |(number, _)| *number);
    let (useless, segments) = found.segments.into_iter().partition(|(number, _)| *number < from);
    found.segments = segments;
    let useless: Vec<(u64, PathBuf)> = useless;
    found.useless.extend(checkpoints.into_iter().chain(useless).map(|(_, path)| path));
    Ok(found)
}

/// Hands over all records of a checkpoint.
pub(crate) fn read_checkpoint(
    io: &dyn Io,
    path: &Path,
    apply: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<(), Error> {
    let mut reader = FrameReader::new(io.read(path).map_err(Error::io("open", path))?);
    let header = reader.header(Kind::Checkpoint).map_err(Error::io("read", path))?;
    check_header(path, header.as_ref())?;
    loop {
        let offset = reader.offset;
        match reader.next().map_err(Error::io("read", path))? {
            Next::Frame { records: [], .. } => return Ok(()),
            Next::Frame { records, .. } => apply_all(path, offset, records, apply)?,
            Next::End | Next::Torn => return Err(damaged(path, offset, "a frame is not whole")),
        }
    }
}

/// Hands over all records of the segments; returns the number of the next frame.
pub(crate) fn read_segments(
    io: &dyn Io,
    segments: &[(u64, PathBuf)],
    apply: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<u64, Error> {
    let mut expected: Option<u64> = None;
    let firsts = first_frames(io, segments)?;
    for (at, ((_, path), first)) in segments.iter().zip(&firsts).enumerate() {
        let Some(first) = *first else { continue };
        if let Some(expected) = expected
            && first != expected
        {
            let what = format!("frame {expected} is missing, the file begins with {first}");
            return Err(damaged(path, 0, what));
        }
        let end = firsts[at + 1..].iter().flatten().next().copied();
        expected = Some(read_segment(io, path, first, end, apply)?);
    }
    Ok(expected.unwrap_or(1))
}

/// The number of each segment's first frame; none where a header was not finished.
fn first_frames(io: &dyn Io, segments: &[(u64, PathBuf)]) -> Result<Vec<Option<u64>>, Error> {
    let mut firsts = Vec::new();
    for (_, path) in segments {
        let mut reader = FrameReader::new(io.read(path).map_err(Error::io("open", path))?);
        let header = reader.header(Kind::Segment).map_err(Error::io("read", path))?;
        if header == Some(Err(BadHeader::Damaged)) || header.is_none() {
            let behind = matches!(reader.next(), Ok(Next::Frame { .. }));
            if behind {
                return Err(damaged(path, 0, "the header is damaged"));
            }
            tracing::warn!(path = %path.display(), "a log segment was not begun; passed over");
            firsts.push(None);
            continue;
        }
        firsts.push(Some(check_header(path, header.as_ref())?));
    }
    Ok(firsts)
}

/// Reads one segment up to the frame with which the next begins; returns the next frame's number.
fn read_segment(
    io: &dyn Io,
    path: &Path,
    first: u64,
    end: Option<u64>,
    apply: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<u64, Error> {
    let mut reader = FrameReader::new(io.read(path).map_err(Error::io("open", path))?);
    let header = reader.header(Kind::Segment).map_err(Error::io("read", path))?;
    check_header(path, header.as_ref())?;
    let mut expected = first;
    while end.is_none_or(|end| expected < end) {
        let offset = reader.offset;
        match reader.next().map_err(Error::io("read", path))? {
            Next::Frame { number, records } if number == expected => {
                apply_all(path, offset, records, apply)?;
                expected += 1;
            }
            Next::Frame { number, .. } => {
                let what = format!("frame {expected} is missing, {number} is there");
                return Err(damaged(path, offset, what));
            }
            Next::End => break,
            Next::Torn => {
                torn(io, path, offset, expected, end)?;
                break;
            }
        }
    }
    Ok(expected)
}

/// A torn end is what a crash leaves. It is damage when what comes later was written.
fn torn(io: &dyn Io, path: &Path, offset: u64, frame: u64, end: Option<u64>) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let mut file = io.read(path).map_err(Error::io("open", path))?;
    file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    if end.is_some() || rest.is_some_and(|rest| holds_later_frame(rest, frame)) {
        return Err(damaged(path, offset, format!("frame {frame} is not whole")));
    }
    tracing::warn!(path = %path.display(), offset, "the log ends in a torn frame, which was not acknowledged");
    Ok(())
}

fn check_header(path: &Path, header: Option<&Result<Header, BadHeader>>) -> Result<u64, Error> {
    match header {
        Some(Ok(header)) => Ok(header.first_frame),
        Some(Err(BadHeader::Version(version))) => {
            Err(damaged(path, 8, format!("version {version} is not known")))
        }
        Some(Err(BadHeader::Damaged)) | None => Err(damaged(path, 0, "the header is damaged")),
    }
}

fn apply_all(
    path: &Path,
    offset: u64,
    mut records: &[u8],
    apply: &mut dyn FnMut(Record<'_>) -> Result<(), String>,
) -> Result<(), Error> {
    while !records.is_empty() {
        let record = Record::take(&mut records);
        let record = record.ok_or_else(|| damaged(path, offset, "a record cannot be read"))?;
        apply(record).map_err(|what| damaged(path, offset, what))?;
    }
    Ok(())
}

fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> Error {
    Error::Damaged { path: path.to_owned(), offset, what: what.into() }
}
