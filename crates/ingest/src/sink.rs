//! Where decoded batches go. Ingest declares what it needs from a store; the wiring joins them.

use std::fmt::Debug;
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use model::{Table, Tenant};
use stdx::clock::UnixNanos;
use stdx::memory::Reservation;

/// One request's rows on their way to the store.
#[derive(Debug)]
pub struct Write {
    /// The table they belong to.
    pub table: Table,
    /// What `body` is: a [`crate::Format`] as a number, kept in the write-ahead log.
    pub format: u8,
    /// Whose rows they are.
    pub tenant: Tenant,
    /// When the request came; decoding `body` again needs the same value.
    pub received_at: UnixNanos,
    /// The uncompressed protobuf body that `batch` was decoded from and points into.
    pub body: Bytes,
    /// The rows.
    pub batch: RecordBatch,
    /// Covers body and batch for as long as it lives.
    pub memory: Reservation,
}

/// Takes batches in. `Ok` means that the rows are on disk, whatever happens next, and that queries
/// see them.
#[async_trait]
pub trait Sink: Send + Sync + Debug {
    /// Stores one batch. Dropping the future may or may not keep the rows.
    async fn write(&self, write: Write) -> Result<(), SinkError>;
}

/// Why a batch was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// There is no room now; the client should come back.
    #[error("the store is full, try again in {} ms", retry_after.as_millis())]
    Full {
        /// How long the client should wait.
        retry_after: Duration,
    },
    /// The store cannot write now.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// What is wrong.
        reason: String,
        /// How long the client should wait.
        retry_after: Duration,
    },
    /// The process is going away; another one may take the data.
    #[error("the server is shutting down")]
    ShuttingDown,
}
