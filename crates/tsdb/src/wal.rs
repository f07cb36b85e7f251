//! The write-ahead log: what was acknowledged is here until it is in a block.
//!
//! One log serves all tenants. Records that wait are written and synced together, as one frame;
//! only then their senders hear of it. After a failed write or sync the segment is never written
//! again (the state of a file is unknown after a failed sync) and nothing is acknowledged until
//! the same records, kept in memory, are durable in another segment: the head has their samples
//! already, and what comes later relies on them.
//!
//! A checkpoint holds all that the head knew when its segment began; older segments are removed.
//! The format is described in `docs/formats/metrics-log.md`.

mod frame;
mod io;
mod record;
mod replay;
mod writer;

pub(crate) use frame::{FrameWriter, checkpoint_path};
pub use io::{DiskIo, Io, IoFile};
pub(crate) use record::{Record, RecordWriter, put_series};
pub(crate) use replay::{Found, find, read_checkpoint, read_segments};
pub(crate) use writer::Wal;
