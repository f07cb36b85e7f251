//! The store: opening, appending, looking, closing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use futures::future::try_join_all;
use model::{AttributeColumn, Table, Tenant};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use stdx::clock::{Clock, UnixNanos};
use stdx::memory::Reservation;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::buffer::{batch_bytes, without_null_columns};
use crate::error::{AppendError, Error};
use crate::log::{DeltaLog, TableLocation};
use crate::options::{Location, Options};
use crate::snapshot::Snapshot;
use crate::statistics::TableStatistics;
use crate::wal::{Apply, Replay, Replayed, Wal, WalRecord};

pub(crate) mod table;

use table::TableStore;

/// When a client whose rows found no room should come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Rows to be kept.
#[derive(Debug)]
pub struct Append {
    /// Which table.
    pub table: Table,
    /// What `body` is; given to [`Decode`] again after a crash.
    pub format: u8,
    /// Whose rows.
    pub tenant: Tenant,
    /// When they came.
    pub received_at: UnixNanos,
    /// What the write-ahead log keeps.
    pub body: Bytes,
    /// The body, decoded: the table's fixed columns in order, then attributes with type suffix.
    pub batch: RecordBatch,
    /// The caller's memory for body and batch, given back when the store has its own.
    pub memory: Reservation,
}

/// Makes rows of a body again, as they were when it was appended.
pub trait Decode: Send + Sync + std::fmt::Debug {
    /// The same body, tenant and time give the same rows.
    fn decode(
        &self,
        format: u8,
        tenant: &Tenant,
        received_at: UnixNanos,
        body: &Bytes,
    ) -> Result<RecordBatch, String>;
}

/// The store. Dropping it without [`Store::shutdown`] is a crash: nothing acknowledged is lost.
#[derive(Debug)]
pub struct Store {
    tables: Tables,
    wal: Wal,
    options: Options,
    stopping: CancellationToken,
    /// Ends the background jobs, when the store is dropped at the latest.
    background: CancellationToken,
    _background: DropGuard,
    /// Held as long as the store is open.
    lock: Arc<File>,
}

type Tables = Arc<BTreeMap<Table, Arc<TableStore>>>;

impl Store {
    /// Opens the data directory, or makes it; reads back what was acknowledged.
    pub async fn open(
        options: Options,
        decode: Arc<dyn Decode>,
        clock: Clock,
    ) -> Result<Store, Error> {
        let data_dir = options.data_dir.clone();
        let wal_dir = data_dir.join("wal");
        fs::create_dir_all(&wal_dir).map_err(Error::io("create", &wal_dir))?;
        let lock = Arc::new(lock(&data_dir)?);
        let node_id = node_id(&data_dir)?;
        let opened = Table::ALL.map(|table| open_table(table, &options, &node_id, &clock));
        let tables = try_join_all(opened).await?.into_iter().map(|t| (t.table, t)).collect();
        let tables: Tables = Arc::new(tables);
        let io = Arc::clone(&options.wal.io);
        let replay = Replay::open(io, &wal_dir)?;
        let (closed, next_sequence, next_segment) =
            Recovery { tables: &tables, decode, options: &options }.run(replay).await?;
        let apply = Box::new(ApplyToTables(Arc::clone(&tables)));
        let wal_options = options.wal.clone();
        let held = Arc::clone(&lock);
        let wal =
            Wal::start(wal_dir, wal_options, closed, next_sequence, next_segment, apply, held)?;
        wal.trim();
        let background = CancellationToken::new();
        if options.background {
            for table in tables.values() {
                crate::background::start(Arc::clone(table), wal.clone(), &background);
            }
        }
        let stopping = CancellationToken::new();
        let _background = background.clone().drop_guard();
        Ok(Store { tables, wal, options, stopping, background, _background, lock })
    }

    /// Keeps rows: when this returns `Ok` they are on disk and in every later snapshot.
    pub async fn append(&self, append: Append) -> Result<(), AppendError> {
        let result = self.try_append(append).await;
        if let Err(error) = &result {
            let reason = match error {
                AppendError::Full { .. } => "full",
                AppendError::Unavailable { .. } => "unavailable",
                AppendError::Invalid { .. } => "invalid",
                AppendError::ShuttingDown => "shutting_down",
            };
            metrics::counter!("trefoil_storage_rejected_appends_total", "reason" => reason)
                .increment(1);
        }
        result
    }

    async fn try_append(&self, append: Append) -> Result<(), AppendError> {
        if self.stopping.is_cancelled() {
            return Err(AppendError::ShuttingDown);
        }
        let Append { table, format, tenant, received_at, body, batch, memory } = append;
        let batch = accept(table, &batch).map_err(|reason| AppendError::Invalid { reason })?;
        if body.len() > self.options.wal.body_bytes_max {
            let reason = format!("body has {} bytes", body.len());
            return Err(AppendError::Invalid { reason });
        }
        let bytes = batch_bytes(&batch);
        let buffer_memory = self.options.memory.reserve(bytes).map_err(|source| {
            self.tables.values().for_each(|table| table.seal_if_idle());
            AppendError::Full { source, retry_after: RETRY_AFTER }
        })?;
        let record =
            WalRecord { table, format, tenant, received_at, body, batch, memory: buffer_memory };
        let result = self.wal.append(record).await;
        drop(memory);
        result
    }

    /// A tenant's rows of a table as of now: a table for queries.
    #[must_use]
    pub fn snapshot(&self, table: Table, tenant: &Tenant) -> Arc<Snapshot> {
        Arc::new(self.table(table).snapshot(tenant))
    }

    /// Every batch from now on, after it is durable, with a decoder's names but without the columns
    /// that have no value. A receiver that is too slow loses the oldest.
    #[must_use]
    pub fn tail(&self, table: Table) -> broadcast::Receiver<(Tenant, RecordBatch)> {
        self.table(table).tail()
    }

    /// Batches from [`Store::tail`], all of one tenant, as a table with the names and types of
    /// [`Store::snapshot`].
    #[must_use]
    pub fn tail_provider(&self, table: Table, batches: Vec<RecordBatch>) -> Arc<dyn TableProvider> {
        let tenant = batches.iter().find_map(first_tenant).unwrap_or_default();
        Arc::new(self.table(table).snapshot_over(&tenant, batches))
    }

    /// What the tables hold.
    #[must_use]
    pub fn statistics(&self) -> Vec<TableStatistics> {
        self.tables.values().map(|table| table.statistics()).collect()
    }

    /// Writes and commits everything that is buffered now. On an error all of it stays buffered
    /// and in the log.
    pub async fn flush(&self) -> Result<(), Error> {
        for table in self.tables.values() {
            table.seal();
            while table.flush_one().await? {}
        }
        self.wal.trim();
        Ok(())
    }

    /// Merges small files as far as there are enough of them. Returns how many files went into
    /// larger ones.
    pub async fn compact(&self) -> Result<usize, Error> {
        let mut merged = 0;
        for table in self.tables.values() {
            while let files @ 1.. = crate::compact::compact_once(table).await? {
                merged += files;
            }
        }
        Ok(merged)
    }

    /// Removes files that are too old or too many. Returns how many.
    pub async fn retain(&self) -> Result<usize, Error> {
        let mut removed = 0;
        for table in self.tables.values() {
            removed += crate::retention::retain(table).await?;
        }
        Ok(removed)
    }

    /// Deletes objects that no longer belong to the tables. Returns how many.
    pub async fn vacuum(&self) -> Result<usize, Error> {
        let mut deleted = 0;
        for table in self.tables.values() {
            deleted += crate::retention::vacuum(table).await?;
        }
        Ok(deleted)
    }

    /// Makes checkpoints of the tables' logs.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        for table in self.tables.values() {
            table.log.checkpoint().await?;
        }
        Ok(())
    }

    /// Takes what other nodes committed.
    pub async fn refresh(&self) -> Result<(), Error> {
        for table in self.tables.values() {
            let _committing = table.committing().await;
            let view = table.log.refresh().await?;
            table.install(view);
        }
        Ok(())
    }

    /// Refuses new rows, writes what is buffered, ends the log's writer and gives up the lock. On
    /// an error everything acknowledged is still in the log.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.stopping.cancel();
        self.background.cancel();
        let flushed = self.flush().await;
        self.wal.close().await;
        let unlocked = self.lock.unlock();
        flushed?;
        unlocked.map_err(Error::io("unlock", self.options.data_dir.join(LOCK)))
    }

    fn table(&self, table: Table) -> &TableStore {
        &self.tables[&table]
    }
}

/// The tenant of a batch's rows, which are all of one.
fn first_tenant(batch: &RecordBatch) -> Option<Tenant> {
    let tenants = batch.column_by_name("tenant")?.as_string_view_opt()?;
    tenants.iter().flatten().next().and_then(|name| Tenant::parse(name).ok())
}

const LOCK: &str = "lock";

fn lock(data_dir: &FilePath) -> Result<File, Error> {
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
    }
}

/// The name of this data directory's log in the tables' logs. It is made once.
fn node_id(data_dir: &FilePath) -> Result<String, Error> {
    let path = data_dir.join("node_id");
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("read", path)(error));
        }
        _ => {}
    }
    let id = uuid::Uuid::new_v4().to_string();
    let new = data_dir.join("node_id.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(id.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(data_dir)?.sync_all()
    };
    write().map_err(Error::io("write", &path))?;
    Ok(id)
}

async fn open_table(
    table: Table,
    options: &Options,
    node_id: &str,
    clock: &Clock,
) -> Result<Arc<TableStore>, Error> {
    let location = locate(table, options)?;
    let log = DeltaLog::open(table, location, node_id, clock.clone()).await?;
    Ok(Arc::new(TableStore::new(log, options.clone(), clock.clone()).await))
}

fn locate(table: Table, options: &Options) -> Result<TableLocation, Error> {
    let (root_store, base, prefix) = match &options.location {
        Location::Local => {
            let dir = options.data_dir.join("tables");
            let make = || -> std::io::Result<PathBuf> {
                fs::create_dir_all(dir.join(table.as_str()))?;
                dir.canonicalize()
            };
            let dir = make().map_err(Error::io("create", &dir))?;
            let url = Url::from_directory_path(&dir)
                .map_err(|()| location_error(&dir.to_string_lossy(), "path is not absolute"))?;
            let prefix = path_of(&url)?;
            let store: Arc<dyn object_store::ObjectStore> = Arc::new(LocalFileSystem::new());
            (store, url, prefix)
        }
        Location::Url { url, options } => {
            let given = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let (store, prefix) = object_store::parse_url_opts(url, given)
                .map_err(|error| location_error(url.as_str(), error))?;
            (Arc::from(store), url.clone(), prefix)
        }
        Location::Store { object_store, url } => {
            (Arc::clone(object_store), url.clone(), path_of(url)?)
        }
    };
    let mut url = base;
    let path = format!("{}/{table}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(TableLocation { root_store, prefix: prefix.join(table.as_str()), url })
}

fn path_of(url: &Url) -> Result<Path, Error> {
    Path::from_url_path(url.path()).map_err(|error| location_error(url.as_str(), error))
}

fn location_error(url: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Location { url: url.to_owned(), source: source.into() }
}

/// What the buffers keep of a batch, or why it is refused.
fn accept(table: Table, batch: &RecordBatch) -> Result<RecordBatch, String> {
    check(table, batch)?;
    without_null_columns(batch).map_err(|error| error.to_string())
}

/// Whether a batch is as a decoder for this table makes it.
fn check(table: Table, batch: &RecordBatch) -> Result<(), String> {
    let schema = batch.schema_ref();
    let fixed = table.columns();
    if schema.fields().len() < fixed.len() {
        return Err(format!("{} columns are too few", schema.fields().len()));
    }
    let (found, attributes) = schema.fields().split_at(fixed.len());
    for ((column, field), array) in fixed.iter().zip(found).zip(batch.columns()) {
        let expected = column.field();
        if expected.name() != field.name() || expected.data_type() != field.data_type() {
            let found = (field.name(), field.data_type());
            return Err(format!("column {:?} where {:?} should be", found, column.name));
        }
        if !column.nullable && array.null_count() > 0 {
            return Err(format!("column {} has nulls", column.name));
        }
    }
    for field in attributes {
        let attribute_type = AttributeColumn::parse(field.name()).and_then(|c| c.attribute_type);
        if attribute_type.is_none_or(|t| t.data_type() != *field.data_type()) {
            return Err(format!("column {:?} is no attribute's", field.name()));
        }
    }
    Ok(())
}

/// Where the log's writer puts what is durable.
struct ApplyToTables(Tables);

impl Apply for ApplyToTables {
    fn apply(&mut self, sequence: u64, record: WalRecord) {
        let WalRecord { table, tenant, received_at, batch, memory, .. } = record;
        self.0[&table].apply(sequence, &tenant, received_at, batch, memory);
    }

    fn oldest_needed(&self) -> Option<u64> {
        self.0.values().filter_map(|table| table.oldest_needed()).min()
    }
}

/// From the log back to the buffers, after a start.
struct Recovery<'a> {
    tables: &'a Tables,
    decode: Arc<dyn Decode>,
    options: &'a Options,
}

impl Recovery<'_> {
    /// Returns the log's segments, the next sequence and the next segment's number.
    async fn run(self, mut replay: Replay) -> Result<(Vec<crate::wal::Closed>, u64, u64), Error> {
        let mut committed = BTreeMap::new();
        for (table, store) in self.tables.iter() {
            committed.insert(*table, store.log.view().await.sequence);
        }
        let mut rows = 0;
        while let Some(record) = replay.next()? {
            if record.sequence <= committed[&record.table] {
                continue;
            }
            rows += self.restore(record).await?;
        }
        if rows > 0 {
            tracing::info!(rows, "rows read back from the write-ahead log");
        }
        let (mut closed, mut next_sequence, next_segment) = replay.end();
        let behind_tables = committed.values().max().map_or(1, |last| last + 1);
        if behind_tables > next_sequence {
            // Somebody put an older log here. What is in it is in the tables after this, and the
            // next record must not have a number that the tables know already.
            self.flush_all().await?;
            for segment in closed.drain(..) {
                let path = segment.path;
                self.options.wal.io.remove(&path).map_err(Error::io("remove", path))?;
            }
            next_sequence = behind_tables;
        }
        Ok((closed, next_sequence, next_segment))
    }

    async fn restore(&self, record: Replayed) -> Result<usize, Error> {
        let Replayed { sequence, table, format, tenant, received_at, body } = record;
        let decoded = self
            .decode
            .decode(format, &tenant, received_at, &body)
            .and_then(|batch| accept(table, &batch));
        let batch = match decoded {
            Ok(batch) => batch,
            Err(reason) => {
                self.set_aside(sequence, &body, &reason)?;
                return Ok(0);
            }
        };
        let bytes = batch_bytes(&batch);
        let memory = match self.options.memory.reserve(bytes) {
            Ok(memory) => memory,
            Err(_) => {
                self.flush_all().await?;
                self.options.memory.force(bytes)
            }
        };
        let rows = batch.num_rows();
        let store = &self.tables[&table];
        if store.apply(sequence, &tenant, received_at, batch, memory) {
            while store.flush_one().await? {}
        }
        Ok(rows)
    }

    async fn flush_all(&self) -> Result<(), Error> {
        for table in self.tables.values() {
            table.seal();
            while table.flush_one().await? {}
        }
        Ok(())
    }

    /// A body that was decoded once and cannot be now must neither be lost nor keep the store from
    /// opening for ever: it is kept in a file of its own, for a person to look at.
    fn set_aside(&self, sequence: u64, body: &Bytes, reason: &str) -> Result<(), Error> {
        let dir = self.options.data_dir.join("set-aside");
        let path = dir.join(format!("{sequence:020}.body"));
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&dir)?;
            let mut file = File::create(&path)?;
            file.write_all(body)?;
            file.sync_all()?;
            File::open(&dir)?.sync_all()
        };
        write().map_err(Error::io("write", &path))?;
        let path = path.display();
        tracing::error!(sequence, %path, reason, "a logged body cannot be decoded; set aside");
        Ok(())
    }
}
