//! What the API needs from outside of the tables.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::Stream;
use model::{Table, Tenant};
use serde::Serialize;
use utoipa::ToSchema;

/// Writes the metrics in Prometheus's text format.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Tells of the process. Called in request handlers: it must not block.
pub trait Status: Send + Sync + Debug {
    /// What the status page shows; the API fills in the tenant and whether keys are needed.
    fn report(&self, tenant: &Tenant) -> StatusReport;

    /// Whether requests can be served; else why not.
    fn ready(&self) -> Result<(), String>;
}

/// Hands out rows as they arrive, after they are safe.
pub trait LiveTail: Send + Sync + Debug {
    /// What arrives from now on, of that tenant. The stream ends with the process.
    fn subscribe(&self, table: Table, tenant: &Tenant) -> TailStream;
}

/// Rows as they arrive.
pub type TailStream = Pin<Box<dyn Stream<Item = TailItem> + Send>>;

/// What a tail gives.
#[derive(Debug, Clone)]
pub enum TailItem {
    /// Rows, for [`query::Engine::sql_over`].
    Rows(RecordBatch),
    /// That many batches came faster than they were taken.
    Missed(u64),
}

/// The process.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct StatusReport {
    /// The program's version.
    pub version: String,
    /// RFC 3339.
    pub started_at: String,
    /// Seconds.
    pub uptime_s: u64,
    /// Whose rows this request sees.
    pub tenant: String,
    /// Whether API keys are configured.
    pub auth_required: bool,
    /// Where to send data.
    pub endpoints: Endpoints,
    /// The tables.
    pub tables: Vec<TableReport>,
    /// Memory of the process.
    pub memory: MemoryReport,
    /// Where the data is, when that is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// Where the data is, when that is an object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// Addresses.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Endpoints {
    /// This port: pages, API, OTLP over HTTP.
    pub main: String,
    /// OTLP over gRPC; null when it is off.
    #[schema(required)]
    pub otlp_grpc: Option<String>,
    /// OTLP over HTTP at its own port; null when it is off.
    #[schema(required)]
    pub otlp_http: Option<String>,
    /// Prometheus's HTTP API at its own port; null when it is off.
    #[schema(required)]
    pub prometheus: Option<String>,
}

/// A table.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct TableReport {
    /// `spans` or `logs`.
    pub name: String,
    /// Rows in files and buffers.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Rows that are not in files yet.
    pub buffered_rows: u64,
    /// Bytes of those.
    pub buffered_bytes: u64,
    /// Columns.
    pub columns: u64,
    /// The time of the newest row, RFC 3339.
    #[schema(required)]
    pub last_time: Option<String>,
    /// Rows received since the start.
    pub rows_received: u64,
    /// Rows received a second, lately.
    pub rows_per_s: f64,
}

/// Memory of the process.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct MemoryReport {
    /// What the system counts.
    pub resident_bytes: u64,
    /// The configured ceiling.
    pub limit_bytes: u64,
}
