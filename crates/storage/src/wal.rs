//! The write-ahead log: what was acknowledged is here until it is in a table's files.
//!
//! One log serves all tables. Appends that wait are written and synced together; then their rows
//! go to the buffers, in the order of the log, and only then their senders hear of it. After a
//! failed write or sync nothing of that group is acknowledged and its segment is never written
//! again (the state of a file is unknown after a failed sync); the next group starts another.
//!
//! The format is described in `docs/formats/wal.md`.

mod format;
mod io;
mod replay;
mod writer;

pub use io::{DiskIo, Io, IoFile};
pub(crate) use replay::{Replay, Replayed};
pub(crate) use writer::{Apply, Closed, Wal, WalRecord};
