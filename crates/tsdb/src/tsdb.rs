//! The store: heads of tenants, one log, blocks.

mod background;
mod blocks;
mod changes;
mod costs;
mod labels;
mod maintain;
mod open;
mod readers;
mod replay;
mod select;
mod snapshot;
mod stats;

use std::cell::RefCell;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hashbrown::HashMap;
use model::Tenant;
use model::metric::{Batch, Metadata};
use parking_lot::{Mutex, RwLock};
use stdx::clock::Clock;
use stdx::memory::Reservation;

use crate::append::{AppendError, Written};
use crate::block::{Blocks, Cache};
use crate::error::Error;
use crate::head::{Applied, Head, Limits};
use crate::options::Options;
use crate::store::BlockStore;
use crate::wal::{RecordWriter, Wal};

use background::Bell;
use changes::Changes;
use readers::Readers;

pub use costs::{CostQuery, Costs, LabelCosts, MetricCost, PairCost, Price};
pub use labels::{Cardinality, Cost, LabelCost};
pub use select::{Query, Selection};
pub use stats::Stats;

/// The store of all tenants' metrics. Dropping it closes it.
#[derive(Debug)]
pub struct Tsdb {
    inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) wal: Wal,
    places: Places,
    tenants: RwLock<HashMap<Tenant, Arc<TenantStore>>>,
    /// Only one checkpoint, cut or deletion at a time.
    maintenance: Mutex<()>,
    closing: AtomicBool,
    checkpoints: AtomicU64,
    /// The first and the last segment of the log that were read at the start.
    replayed: (u64, u64),
    bell: Bell,
    /// The directory is ours as long as this is open.
    _lock: File,
}

/// Where blocks lie.
#[derive(Debug)]
struct Places {
    store: Arc<dyn BlockStore>,
    cache: Arc<Cache>,
}

/// What belongs to one tenant.
#[derive(Debug)]
pub(crate) struct TenantStore {
    pub(crate) head: Head,
    pub(crate) blocks: Blocks,
    readers: Arc<Readers>,
    changes: Changes,
    /// The last cut whose block is durable.
    cut_done: AtomicI64,
}

thread_local! {
    static RECORDS: RefCell<RecordWriter> = RefCell::default();
}

/// How long a client is told to wait when memory is full.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(5);

impl Tsdb {
    /// Takes a batch. What is taken can be read at once; `done` is called once it is durable, or
    /// with the reason why that is not known, from the log's thread: it must be quick. Samples
    /// that are not valid are counted in [`Written::rejected`] and are no error.
    pub fn append(
        &self,
        tenant: &Tenant,
        batch: Batch,
        memory: Reservation,
        done: impl FnOnce(Result<Written, AppendError>) + Send + 'static,
    ) {
        if let Err(error) = self.inner.append(tenant, &batch, done) {
            let (error, done) = *error;
            done(Err(error));
        }
        drop((batch, memory));
    }

    /// What is known about one metric family, or about all of them, up to `limit`.
    #[must_use]
    pub fn metadata(&self, tenant: &Tenant, metric: Option<&str>, limit: usize) -> Vec<Metadata> {
        let store = self.inner.tenant(tenant);
        store.map(|store| store.head.metadata.read().select(metric, limit)).unwrap_or_default()
    }

    /// Writes all that is queued to the log, then no more. Appends are refused from here on.
    pub fn shutdown(&self) {
        self.inner.closing.store(true, Ordering::Release);
        self.inner.bell.ring();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("a thread of the metrics' store has panicked");
            }
        }
        let _maintenance = self.inner.maintenance.lock();
        self.inner.wal.close();
    }
}

impl Drop for Tsdb {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Inner {
    fn append<D>(
        &self,
        tenant: &Tenant,
        batch: &Batch,
        done: D,
    ) -> Result<(), Box<(AppendError, D)>>
    where
        D: FnOnce(Result<Written, AppendError>) + Send + 'static,
    {
        let store = match self.admit(tenant) {
            Ok(store) => store,
            Err(error) => return Err(Box::new((error, done))),
        };
        RECORDS.with_borrow_mut(|records| {
            records.clear();
            let ahead = i64::try_from(self.options.ahead_max.as_millis()).unwrap_or(i64::MAX);
            let latest = (self.clock.now() / 1_000_000).saturating_add(ahead);
            store.head.append(batch, latest, &self.wal, records, |applied, records| {
                store.changes.wrote(applied.oldest);
                self.submit(applied, records, done);
            });
        });
        Ok(())
    }

    /// What was taken goes to the log, the batch acknowledged or not.
    fn submit<D>(&self, applied: Applied, records: &[u8], done: D)
    where
        D: FnOnce(Result<Written, AppendError>) + Send + 'static,
    {
        let Applied { written, full, .. } = applied;
        count(&written);
        let answer = move |result: Result<(), AppendError>| {
            done(result.and_then(|()| if full { Err(full_error()) } else { Ok(written) }));
        };
        self.wal.submit(records, Box::new(answer));
    }

    fn admit(&self, tenant: &Tenant) -> Result<Arc<TenantStore>, AppendError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(AppendError::ShuttingDown);
        }
        self.wal.check()?;
        let memory = &self.options.memory;
        if memory.used_bytes() >= memory.limit_bytes() {
            return Err(full_error());
        }
        self.tenant_or_new(tenant)
    }

    pub(crate) fn tenant(&self, tenant: &Tenant) -> Option<Arc<TenantStore>> {
        self.tenants.read().get(tenant).cloned()
    }

    /// All tenants, by name.
    pub(crate) fn all_tenants(&self) -> Vec<Arc<TenantStore>> {
        let mut all: Vec<_> = self.tenants.read().values().cloned().collect();
        all.sort_by(|a, b| a.head.tenant.cmp(&b.head.tenant));
        all
    }

    fn tenant_or_new(&self, tenant: &Tenant) -> Result<Arc<TenantStore>, AppendError> {
        if let Some(store) = self.tenant(tenant) {
            return Ok(store);
        }
        let mut tenants = self.tenants.write();
        if let Some(store) = tenants.get(tenant) {
            return Ok(Arc::clone(store));
        }
        let number = u32::try_from(tenants.len()).unwrap_or(u32::MAX);
        let made = TenantStore::new(tenant.clone(), number, &self.options, &self.places);
        let store = Arc::new(made.map_err(|error| AppendError::Unavailable {
            reason: error.to_string(),
            retry_after: FULL_RETRY_AFTER,
        })?);
        let mut records = RecordWriter::default();
        records.tenant(number, tenant.as_str());
        self.wal.push(|queue| queue.extend_from_slice(&records.bytes));
        tenants.insert(tenant.clone(), Arc::clone(&store));
        Ok(store)
    }
}

impl TenantStore {
    fn new(
        tenant: Tenant,
        number: u32,
        options: &Options,
        places: &Places,
    ) -> Result<TenantStore, Error> {
        let limits = Limits {
            series_max: options.series_max_per_tenant,
            block_ms: millis(options.block_duration).max(1),
            lag_ms: millis(options.lag_max),
            late_ms: millis(options.late_window),
            exemplars_max: options.exemplars_max_per_tenant,
            metadata_max: options.metadata_max_per_tenant,
            memory: options.memory.clone(),
        };
        let prefix = format!("metrics/{tenant}");
        let scratch = options.dir.join("scratch").join(tenant.as_str());
        let store = Arc::clone(&places.store);
        let blocks = Blocks::open(store, &prefix, &scratch, Arc::clone(&places.cache))?;
        Ok(TenantStore {
            head: Head::new(tenant, number, limits),
            blocks,
            readers: Arc::default(),
            changes: Changes::default(),
            cut_done: AtomicI64::new(i64::MIN),
        })
    }
}

fn full_error() -> AppendError {
    metrics::counter!("trefoil_tsdb_full_total").increment(1);
    AppendError::Full { what: "the metrics' memory", retry_after: FULL_RETRY_AFTER }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(written: &Written) {
    let count = |name: &'static str, count: usize| {
        if count > 0 {
            metrics::counter!(name).increment(count as u64);
        }
    };
    count("trefoil_tsdb_samples_total", written.floats);
    count("trefoil_tsdb_histograms_total", written.histograms);
    count("trefoil_tsdb_exemplars_total", written.exemplars);
    for rejection in written.rejected.iter() {
        metrics::counter!("trefoil_tsdb_rejected_total", "reason" => rejection.kind)
            .increment(rejection.count as u64);
    }
}

#[cfg(test)]
mod tests;
