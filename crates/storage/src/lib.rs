//! Where events are kept: write-ahead log, buffers, Parquet files in Delta tables, and what keeps
//! these small and in order (compaction, vacuum, retention).
//!
//! It promises: a row that was acknowledged is on disk, is seen by every snapshot taken after that
//! exactly once, and survives crashes, failed writes and failed commits. It holds no more memory
//! than its budget: when that is used up, appends are refused, and nothing grows.
//!
//! It refuses to know protocols (bodies in the log are decoded by [`Decode`]), query languages and
//! HTTP.

#![warn(missing_docs)]

mod background;
mod buffer;
mod compact;
mod error;
pub mod file;
mod flush;
mod log;
mod options;
mod prune;
pub mod registry;
mod retention;
pub mod scan;
mod snapshot;
mod statistics;
mod store;
mod token;
mod wal;

pub use error::{AppendError, Error};
pub use options::{
    ColumnOptions, FlushOptions, Location, MaintenanceOptions, Options, Retention, WalOptions,
};
pub use registry::Registry;
pub use scan::ReadCache;
pub use snapshot::{FileEntry, Snapshot};
pub use statistics::TableStatistics;
pub use store::{Append, Decode, Store};
pub use wal::{DiskIo, Io, IoFile};
