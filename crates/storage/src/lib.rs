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

pub mod file;
mod prune;
pub mod registry;
pub mod scan;
mod snapshot;
mod token;

pub use registry::Registry;
pub use scan::ReadCache;
pub use snapshot::{FileEntry, Snapshot};
