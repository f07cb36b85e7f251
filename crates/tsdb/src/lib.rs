//! Metrics kept: an index over labels, a head in memory, a write-ahead log, compressed blocks.
//!
//! It promises that an acknowledged sample survives a crash, exactly once. It knows no protocol and
//! no query language, and it neither waits in an async runtime nor names an engine.
//!
//! The way of a sample: [`Tsdb::append`] finds its series and puts it into the tenant's head, where
//! it can be read at once, and into the log's queue; the log's thread writes and syncs what waits
//! and says that it is done. Later a cut takes all samples before a time out of the head into a
//! block, and a checkpoint makes the log before it useless.

#![warn(missing_docs)]

mod append;
pub mod block;
pub mod chunk;
pub mod compact;
mod error;
mod exemplars;
mod head;
mod index;
mod metadata;
mod options;
mod points;
pub mod store;
mod tsdb;
mod varint;
mod wal;

pub use append::{AppendError, Reason, RejectedSample, Rejection, Rejections, Written};
pub use error::Error;
pub use exemplars::SeriesExemplars;
pub use options::{Options, WalOptions};
pub use points::{HistogramPoint, Points};
pub use tsdb::{
    Cardinality, Cost, CostQuery, Costs, LabelCost, LabelCosts, MetricCost, PairCost, Price, Query,
    Selection, Stats, Tsdb,
};
pub use wal::{DiskIo, Io, IoFile};
