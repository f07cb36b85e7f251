//! The ingest pipeline: an API that takes events in, service `wotr-api`, port 8020, and a consumer
//! that carries them on, service `wotr-consumer`, metrics on port 8001. The trace goes through the
//! queue: what the consumer does stands below the request that brought the event.
//!
//! For the object store, the queue, the index and the warehouse stand memory with limits and
//! played latencies, under the names of the engines that such a pipeline has (MinIO, Kafka,
//! PostgreSQL, ClickHouse). The queue, its lag, the context in its records and all failures are
//! real.

pub mod api;
pub mod consumer;
mod topic;

use serde::{Deserialize, Serialize};

/// An event, as clients send it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) payload: serde_json::Value,
}

/// An event in the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) offset: u64,
    /// The span that published it.
    pub(crate) traceparent: Option<String>,
    pub(crate) event: Event,
}

/// An answer of the queue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Polled {
    pub(crate) records: Vec<Record>,
    /// The offset that the next event will have.
    pub(crate) end: u64,
}
