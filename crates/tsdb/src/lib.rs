//! Metrics kept: an index over labels, a head in memory, a write-ahead log, compressed blocks.
//!
//! It promises that an acknowledged sample survives a crash, exactly once. It knows no protocol and
//! no query language, and it neither waits in an async runtime nor names an engine.

#![warn(missing_docs)]

pub mod block;
pub mod chunk;
pub mod compact;
pub mod store;
