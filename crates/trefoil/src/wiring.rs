//! How the parts are joined. Each declares what it needs from outside as a small trait of its own;
//! here these meet what provides it. This file is the architecture in code.

pub(crate) mod blocks;
pub(crate) mod prometheus;
pub(crate) mod rule_tests;
pub(crate) mod rules;
pub(crate) mod series;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use model::{Table, Tenant};
use query::TableProvider;
use stdx::clock::{Clock, Stopwatch, UnixNanos};
use storage::{AppendError, Store};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use crate::memory::{self, Shares};
use series::MetricsSource;

/// What ingest hands its rows to: the store.
#[derive(Debug)]
pub(crate) struct StoreSink(pub(crate) Arc<Store>);

#[async_trait]
impl ingest::Sink for StoreSink {
    async fn write(&self, write: ingest::Write) -> Result<(), ingest::SinkError> {
        let ingest::Write { table, format, tenant, received_at, body, batch, memory } = write;
        let append = storage::Append { table, format, tenant, received_at, body, batch, memory };
        self.0.append(append).await.map_err(|error| match error {
            AppendError::Full { retry_after, .. } => ingest::SinkError::Full { retry_after },
            AppendError::Unavailable { reason, retry_after } => {
                ingest::SinkError::Unavailable { reason, retry_after }
            }
            AppendError::Invalid { reason } => {
                ingest::SinkError::Unavailable { reason, retry_after: Duration::from_secs(60) }
            }
            AppendError::ShuttingDown => ingest::SinkError::ShuttingDown,
        })
    }
}

/// What the store reads its write-ahead log with after a crash: ingest's decoders.
#[derive(Debug)]
pub(crate) struct Decoders {
    pub(crate) limits: ingest::Limits,
}

impl storage::Decode for Decoders {
    fn decode(
        &self,
        format: u8,
        tenant: &Tenant,
        received_at: UnixNanos,
        body: &Bytes,
    ) -> Result<RecordBatch, String> {
        let format = ingest::Format::try_from(format).map_err(|error| error.to_string())?;
        ingest::otlp::decode(format, tenant, received_at, &self.limits, body)
            .map(|decoded| decoded.batch)
            .map_err(|error| error.to_string())
    }
}

/// What queries ask: the store's tables, and the samples of metrics.
#[derive(Debug)]
pub(crate) struct StoreTables {
    pub(crate) store: Arc<Store>,
    pub(crate) tsdb: Arc<Tsdb>,
}

/// The table of samples.
const METRICS: &str = "metrics";

impl query::Tables for StoreTables {
    fn names(&self) -> Vec<&'static str> {
        Table::ALL.iter().map(|table| table.as_str()).chain([METRICS]).collect()
    }

    fn table(&self, name: &str, tenant: &Tenant) -> Option<Arc<dyn TableProvider>> {
        if name == METRICS {
            let (tsdb, tenant) = (Arc::clone(&self.tsdb), tenant.clone());
            return Some(query::samples_table(Arc::new(MetricsSource { tsdb, tenant })));
        }
        Some(self.store.snapshot(Table::parse(name)?, tenant))
    }

    fn over(&self, name: &str, batches: Vec<RecordBatch>) -> Option<Arc<dyn TableProvider>> {
        Some(self.store.tail_provider(Table::parse(name)?, batches))
    }
}

/// Rows as they arrive, for the API: the store's tail until the process stops.
#[derive(Debug)]
pub(crate) struct StoreTail {
    pub(crate) store: Arc<Store>,
    pub(crate) stopping: CancellationToken,
}

impl api::LiveTail for StoreTail {
    fn subscribe(&self, table: Table, tenant: &Tenant) -> api::TailStream {
        let tenant = tenant.clone();
        let items = BroadcastStream::new(self.store.tail(table)).filter_map(move |item| {
            let item = match item {
                Ok((owner, batch)) => (owner == tenant).then_some(api::TailItem::Rows(batch)),
                Err(BroadcastStreamRecvError::Lagged(missed)) => {
                    Some(api::TailItem::Missed(missed))
                }
            };
            std::future::ready(item)
        });
        Box::pin(items.take_until(self.stopping.clone().cancelled_owned()))
    }
}

/// What the API says of the process.
#[derive(Debug)]
pub(crate) struct ProcessStatus {
    store: Arc<Store>,
    endpoints: api::Endpoints,
    shares: Shares,
    place: Place,
    clock: Clock,
    started_at: UnixNanos,
    running: Stopwatch,
    rates: Rates,
    stopping: CancellationToken,
}

/// Where the data is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Directory(String),
    ObjectStore(String),
}

impl ProcessStatus {
    pub(crate) fn new(
        store: Arc<Store>,
        endpoints: api::Endpoints,
        shares: Shares,
        place: Place,
        clock: Clock,
        stopping: CancellationToken,
    ) -> ProcessStatus {
        let started_at = clock.now();
        let running = Stopwatch::start();
        let rates = Rates::default();
        ProcessStatus {
            store,
            endpoints,
            shares,
            place,
            clock,
            started_at,
            running,
            rates,
            stopping,
        }
    }

    /// Notes how many rows have come; called every second.
    pub(crate) fn observe(&self) {
        let rows = self.store.statistics().iter().map(|table| table.rows_appended).collect();
        self.rates.observe(self.clock.now(), rows);
        let gauges = [
            ("requests", self.shares.requests.used_bytes()),
            ("buffers", self.shares.buffers.used_bytes()),
            ("metrics", self.shares.metrics.used_bytes()),
            ("queries", self.shares.queries.used_bytes()),
            ("merges", self.shares.merges.used_bytes()),
        ];
        for (part, bytes) in gauges {
            metrics::gauge!("trefoil_memory_used_bytes", "part" => part).set(bytes as f64);
        }
        metrics::gauge!("trefoil_memory_limit_bytes").set(self.shares.limit_bytes as f64);
        metrics::gauge!("process_resident_memory_bytes").set(memory::resident_bytes() as f64);
        for table in self.store.statistics() {
            let name = table.table.as_str();
            metrics::gauge!("trefoil_table_rows", "table" => name).set(table.rows as f64);
            metrics::gauge!("trefoil_table_files", "table" => name).set(table.files as f64);
            metrics::gauge!("trefoil_table_bytes", "table" => name).set(table.file_bytes as f64);
            metrics::gauge!("trefoil_table_columns", "table" => name).set(table.columns as f64);
        }
    }
}

impl api::Status for ProcessStatus {
    fn report(&self, _tenant: &Tenant) -> api::StatusReport {
        let tables = self.store.statistics();
        let tables = tables.iter().enumerate().map(|(index, table)| api::TableReport {
            name: table.table.as_str().to_owned(),
            rows: table.rows,
            files: table.files,
            bytes: table.file_bytes,
            buffered_rows: table.buffered_rows,
            buffered_bytes: table.buffered_bytes,
            columns: table.columns,
            last_time: table.time_max_us.map(|us| api::rfc3339(us.saturating_mul(1_000))),
            rows_received: table.rows_appended,
            rows_per_s: self.rates.per_second(index),
        });
        let (data_dir, store) = match self.place.clone() {
            Place::Directory(path) => (Some(path), None),
            Place::ObjectStore(url) => (None, Some(url)),
        };
        api::StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: api::rfc3339(self.started_at),
            uptime_s: self.running.elapsed().as_secs(),
            endpoints: self.endpoints.clone(),
            tables: tables.collect(),
            memory: api::MemoryReport {
                resident_bytes: memory::resident_bytes(),
                limit_bytes: self.shares.limit_bytes as u64,
            },
            data_dir,
            store,
            ..api::StatusReport::default()
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.stopping.is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) }
    }
}

/// Rows a second over the last seconds, by table.
#[derive(Debug, Default)]
struct Rates(Mutex<VecDeque<(UnixNanos, Vec<u64>)>>);

impl Rates {
    const SECONDS: usize = 10;

    fn observe(&self, now: UnixNanos, rows: Vec<u64>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push_back((now, rows));
        while seen.len() > Rates::SECONDS {
            seen.pop_front();
        }
    }

    fn per_second(&self, index: usize) -> f64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((from, before)), Some((to, after))) = (seen.front(), seen.back()) else {
            return 0.0;
        };
        let seconds = (to - from) as f64 / 1e9;
        let rows = after.get(index).zip(before.get(index)).map_or(0, |(a, b)| a.saturating_sub(*b));
        if seconds > 0.0 { rows as f64 / seconds } else { 0.0 }
    }
}
