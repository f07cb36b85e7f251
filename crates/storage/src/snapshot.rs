//! What a query sees: the rows of one table at one moment.
//!
//! A snapshot pins the buffered batches and the list of files that hold every acknowledged row
//! exactly once, however long the query runs and whatever is flushed or compacted meanwhile (the
//! files stay until vacuum's grace period is over). `scan.rs` makes a DataFusion table of it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use model::{Table, Tenant};
use object_store::ObjectStore;
use object_store::path::Path;
use stdx::memory::Reservation;
use url::Url;

use crate::registry::Registry;
use crate::scan::ReadCache;

/// One Parquet file of a table: what Delta's `add` action says and what pruning asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it is, relative to the table's root, which is also the root of
    /// [`Snapshot::object_store`].
    pub path: Path,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The earliest `time`, microseconds since 1970.
    pub time_min_us: i64,
    /// The latest `time`, microseconds since 1970.
    pub time_max_us: i64,
    /// The first tenant in byte order.
    pub tenant_min: String,
    /// The last tenant in byte order.
    pub tenant_max: String,
    /// Whether a row of it has something in `rest`.
    pub has_rest: bool,
    /// Delta's statistics, a JSON object: `numRecords`, `minValues`, `maxValues`, `nullCount`.
    pub stats_json: String,
}

impl FileEntry {
    /// Whether rows of this tenant may be in it.
    #[must_use]
    pub fn may_hold(&self, tenant: &Tenant) -> bool {
        self.tenant_min.as_str() <= tenant.as_str() && tenant.as_str() <= self.tenant_max.as_str()
    }

    /// The one tenant that all its rows belong to, when there is just one.
    #[must_use]
    pub fn single_tenant(&self) -> Option<&str> {
        (self.tenant_min == self.tenant_max).then_some(self.tenant_min.as_str())
    }
}

/// The rows of a tenant in a table at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which table.
    pub table: Table,
    /// Whose rows; all other tenants' are filtered away by the scan.
    pub tenant: Tenant,
    /// The logical schema: `registry.logical_schema()`.
    pub schema: SchemaRef,
    /// Which attributes are columns, as of this moment.
    pub registry: Arc<Registry>,
    /// Rows that are in no file yet, of all tenants, in order of arrival. To be brought to the
    /// logical schema by [`Registry::project`].
    pub buffers: Vec<RecordBatch>,
    /// What these hold, counted for as long as the snapshot lives, even when they are in files by
    /// then.
    pub memory: Vec<Arc<Reservation>>,
    /// The table's files, all days and tenants, in no order that may be relied on.
    pub files: Arc<Vec<Arc<FileEntry>>>,
    /// Where the files are; its root is the table's root.
    pub object_store: Arc<dyn ObjectStore>,
    /// The table's root as a URL: names the object store in plans.
    pub table_url: Url,
    /// The footers of files, shared by all snapshots of a store.
    pub cache: ReadCache,
}
