//! A table's Delta log: which files and columns the table has, and how far the write-ahead log is
//! in it.
//!
//! One change is one commit, and a flush's commit carries the last sequence of the write-ahead log
//! that it holds as Delta's application transaction. So after a failure of unknown outcome, or a
//! crash, the log itself says whether the rows landed: nothing is ever added twice.
//!
//! This is the only module that names `deltalake`.

use std::collections::{HashMap, HashSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, MetadataExt as _, Remove, Transaction};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt as _;
use model::Table;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use stdx::clock::{Clock, Stopwatch};
use tokio::sync::Mutex;
use url::Url;

use crate::error::Error;
use crate::registry::{REST_KEYS, REST_MORE, Registry};
use crate::snapshot::FileEntry;

mod schema;
mod stats;

/// How often a commit is tried again at once when another writer was faster.
const COMMIT_RETRIES: usize = 15;

/// The table as its log has it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) files: Arc<Vec<Arc<FileEntry>>>,
    pub(crate) registry: Registry,
    /// The last sequence of this node's write-ahead log that is in the table.
    pub(crate) sequence: u64,
    pub(crate) version: u64,
}

/// The log of one table.
pub(crate) struct DeltaLog {
    table: Table,
    /// Names this node's write-ahead log in the table's log.
    app_id: String,
    log_store: LogStoreRef,
    pub(crate) object_store: Arc<dyn ObjectStore>,
    pub(crate) url: Url,
    /// The table's directory when it is on this machine's disk, which has to be told to sync.
    local_root: Option<PathBuf>,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    delta: DeltaTableState,
    view: View,
    /// A commit's outcome is not known: read the log before the next.
    uncertain: bool,
}

impl std::fmt::Debug for DeltaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeltaLog").field("table", &self.table).field("url", &self.url).finish()
    }
}

/// Where a table is.
#[derive(Debug, Clone)]
pub(crate) struct TableLocation {
    /// Its root is the root of `url`.
    pub(crate) root_store: Arc<dyn ObjectStore>,
    /// The table's directory under the root.
    pub(crate) prefix: Path,
    /// The table's directory, with a slash at the end.
    pub(crate) url: Url,
}

/// What a commit did.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the log, now or by an earlier try.
    Committed(View),
    /// Another writer changed the names of columns: the files have to be written again.
    Renamed(View),
}

impl DeltaLog {
    /// Opens the table, or makes it.
    pub(crate) async fn open(
        table: Table,
        location: TableLocation,
        node_id: &str,
        clock: Clock,
    ) -> Result<DeltaLog, Error> {
        let TableLocation { root_store, prefix, url } = location;
        let object_store: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&root_store), prefix));
        let log_store = default_logstore(
            Arc::clone(&object_store),
            root_store,
            &url,
            &StorageConfig::default(),
        );
        let local_root = (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten();
        let app_id = format!("trefoil-{node_id}");
        let delta = match load(&log_store).await {
            Err(DeltaTableError::NotATable(_)) => {
                create(table, &log_store).await.map_err(Error::delta("create", table))?
            }
            loaded => loaded.map_err(Error::delta("open", table))?,
        };
        let view = read_view(table, &app_id, &delta, &log_store, &[])
            .await
            .map_err(Error::delta("read", table))?;
        let state = Mutex::new(State { delta, view, uncertain: false });
        Ok(DeltaLog { table, app_id, log_store, object_store, url, local_root, clock, state })
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// The table as of the last commit or refresh.
    pub(crate) async fn view(&self) -> View {
        self.state.lock().await.view.clone()
    }

    /// Adds files with the rows up to `sequence`, written with `registry`, which brings its new
    /// columns along. Does nothing when the log has that sequence already.
    pub(crate) async fn append(
        &self,
        files: &[Arc<FileEntry>],
        registry: &Registry,
        sequence: u64,
    ) -> Result<Outcome, Error> {
        let mut state = self.state.lock().await;
        self.settle(&mut state).await?;
        if state.view.sequence >= sequence {
            return Ok(Outcome::Committed(state.view.clone()));
        }
        let merged = state.view.registry.merged_with(registry);
        if !registry.agrees_with(&merged) {
            return Ok(Outcome::Renamed(state.view.clone()));
        }
        self.sync_files(files).await?;
        let mut actions = self.metadata_change(&state, &merged)?;
        actions.extend(files.iter().map(|file| Action::Add(self.add(file, true))));
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let version = i64::try_from(sequence).unwrap_or(i64::MAX);
        let now = self.now_ms();
        let txn = Transaction::new_with_last_update(&self.app_id, version, Some(now));
        self.commit(&mut state, actions, operation, Some(txn), "commit to").await?;
        state.view.sequence = state.view.sequence.max(sequence);
        Ok(Outcome::Committed(state.view.clone()))
    }

    /// Replaces files by others with the same rows. Returns `None` when another writer has
    /// removed one of them meanwhile.
    pub(crate) async fn replace(
        &self,
        removed: &[Arc<FileEntry>],
        added: &[Arc<FileEntry>],
    ) -> Result<Option<View>, Error> {
        let mut state = self.state.lock().await;
        self.settle(&mut state).await?;
        let live: HashSet<&Path> = state.view.files.iter().map(|file| &file.path).collect();
        if added.iter().all(|file| live.contains(&file.path)) {
            return Ok(Some(state.view.clone()));
        }
        if !removed.iter().all(|file| live.contains(&file.path)) {
            return Ok(None);
        }
        self.sync_files(added).await?;
        let mut actions: Vec<Action> =
            removed.iter().map(|file| Action::Remove(self.remove(file, false))).collect();
        actions.extend(added.iter().map(|file| Action::Add(self.add(file, false))));
        let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
        self.commit(&mut state, actions, operation, None, "compact").await?;
        Ok(Some(state.view.clone()))
    }

    /// Removes files and their rows.
    pub(crate) async fn delete(&self, removed: &[Arc<FileEntry>]) -> Result<View, Error> {
        let mut state = self.state.lock().await;
        self.settle(&mut state).await?;
        let live: HashSet<&Path> = state.view.files.iter().map(|file| &file.path).collect();
        let actions: Vec<Action> = removed
            .iter()
            .filter(|file| live.contains(&file.path))
            .map(|file| Action::Remove(self.remove(file, true)))
            .collect();
        if !actions.is_empty() {
            let operation = DeltaOperation::Delete { predicate: None };
            self.commit(&mut state, actions, operation, None, "remove old files of").await?;
        }
        Ok(state.view.clone())
    }

    /// Reads what other writers did.
    pub(crate) async fn refresh(&self) -> Result<View, Error> {
        let mut state = self.state.lock().await;
        self.reload(&mut state).await?;
        Ok(state.view.clone())
    }

    /// Makes a checkpoint of the last version and removes the log's expired files. Commits go on
    /// meanwhile.
    pub(crate) async fn checkpoint(&self) -> Result<(), Error> {
        let watch = Stopwatch::start();
        let mut table = DeltaTable::new(Arc::clone(&self.log_store));
        table.state = Some(self.state.lock().await.delta.clone());
        let error = Error::delta("make a checkpoint of", self.table);
        deltalake::checkpoints::create_checkpoint(&table, None).await.map_err(error)?;
        let error = Error::delta("clean the log of", self.table);
        deltalake::checkpoints::cleanup_metadata(&table, None).await.map_err(error)?;
        metrics::histogram!("trefoil_storage_checkpoint_seconds", "table" => self.table.as_str())
            .record(watch.elapsed());
        Ok(())
    }

    /// Files that no longer belong to the table, with the time of their removal in milliseconds.
    pub(crate) async fn tombstones(&self) -> Result<HashMap<Path, i64>, Error> {
        let delta = self.state.lock().await.delta.clone();
        let log_store = Arc::clone(&self.log_store);
        delta
            .all_tombstones(log_store.as_ref())
            .map_ok(|tombstone| {
                let removed_at = tombstone.deletion_timestamp().unwrap_or_default();
                (Path::from(tombstone.path().as_ref()), removed_at)
            })
            .try_collect()
            .await
            .map_err(Error::delta("read the removed files of", self.table))
    }

    async fn commit(
        &self,
        state: &mut State,
        actions: Vec<Action>,
        operation: DeltaOperation,
        txn: Option<Transaction>,
        action: &'static str,
    ) -> Result<(), Error> {
        let watch = Stopwatch::start();
        let properties = CommitProperties::default()
            .with_max_retries(COMMIT_RETRIES)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false))
            .with_application_transactions(txn.into_iter().collect());
        state.uncertain = true;
        let finalized = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&state.delta), Arc::clone(&self.log_store), operation)
            .await
            .map_err(Error::delta(action, self.table))?;
        let version = finalized.version();
        state.delta = finalized.snapshot();
        self.read_state(state).await?;
        self.sync_commit(version).await?;
        state.uncertain = false;
        let table = self.table.as_str();
        metrics::counter!("trefoil_storage_commits_total", "table" => table).increment(1);
        metrics::histogram!("trefoil_storage_commit_seconds", "table" => table)
            .record(watch.elapsed());
        Ok(())
    }

    /// Finds out how an earlier commit ended.
    async fn settle(&self, state: &mut State) -> Result<(), Error> {
        if state.uncertain {
            self.reload(state).await?;
            self.sync_commit(state.view.version).await?;
            state.uncertain = false;
        }
        Ok(())
    }

    async fn reload(&self, state: &mut State) -> Result<(), Error> {
        state.delta = load(&self.log_store).await.map_err(Error::delta("read", self.table))?;
        self.read_state(state).await
    }

    async fn read_state(&self, state: &mut State) -> Result<(), Error> {
        let known = Arc::clone(&state.view.files);
        state.view = read_view(self.table, &self.app_id, &state.delta, &self.log_store, &known)
            .await
            .map_err(Error::delta("read", self.table))?;
        Ok(())
    }

    /// The action that adds columns, when there are new ones.
    fn metadata_change(&self, state: &State, registry: &Registry) -> Result<Vec<Action>, Error> {
        let known = &state.view.registry;
        let same = known.columns().len() == registry.columns().len()
            && known.rest_keys() == registry.rest_keys()
            && known.rest_more() == registry.rest_more();
        if same {
            return Ok(Vec::new());
        }
        let change = || -> Result<_, DeltaTableError> {
            let struct_type = schema::to_delta(registry)?;
            Ok(state
                .delta
                .metadata()
                .clone()
                .with_schema(&struct_type)?
                .add_config_key(REST_KEYS.to_owned(), schema::rest_keys_json(registry))?
                .add_config_key(REST_MORE.to_owned(), registry.rest_more().to_string())?)
        };
        let metadata = change().map_err(Error::delta("add columns to", self.table))?;
        Ok(vec![Action::Metadata(metadata)])
    }

    fn add(&self, file: &FileEntry, data_change: bool) -> Add {
        Add {
            path: file.path.to_string(),
            size: i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
            modification_time: self.now_ms(),
            data_change,
            stats: Some(file.stats_json.clone()),
            ..Add::default()
        }
    }

    fn remove(&self, file: &FileEntry, data_change: bool) -> Remove {
        Remove {
            path: file.path.to_string(),
            data_change,
            deletion_timestamp: Some(self.now_ms()),
            extended_file_metadata: Some(true),
            partition_values: Some(HashMap::new()),
            size: i64::try_from(file.size_bytes).ok(),
            ..Remove::default()
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now() / 1_000_000
    }

    /// Files on this machine's disk must be durable before the log says that they are there.
    async fn sync_files(&self, files: &[Arc<FileEntry>]) -> Result<(), Error> {
        let Some(root) = &self.local_root else { return Ok(()) };
        let paths = files.iter().map(|file| root.join(file.path.as_ref())).collect();
        self.sync_paths(paths).await
    }

    /// And the log before the write-ahead log forgets the rows.
    async fn sync_commit(&self, version: u64) -> Result<(), Error> {
        let Some(root) = &self.local_root else { return Ok(()) };
        let path = root.join("_delta_log").join(format!("{version:020}.json"));
        self.sync_paths(vec![path]).await
    }

    async fn sync_paths(&self, paths: Vec<PathBuf>) -> Result<(), Error> {
        let table = self.table;
        tokio::task::spawn_blocking(move || sync_paths(&paths))
            .await
            .map_err(Error::files("sync files", table))?
            .map_err(Error::files("sync files", table))
    }
}

fn sync_paths(paths: &[PathBuf]) -> std::io::Result<()> {
    let mut dirs: HashSet<&FilePath> = HashSet::new();
    for path in paths {
        std::fs::File::open(path)?.sync_all()?;
        if let Some(dir) = path.parent() {
            dirs.insert(dir);
            dirs.extend(dir.parent());
        }
    }
    dirs.into_iter().try_for_each(|dir| std::fs::File::open(dir)?.sync_all())
}

async fn load(log_store: &LogStoreRef) -> Result<DeltaTableState, DeltaTableError> {
    if !log_store.is_delta_table_location().await? {
        return Err(DeltaTableError::NotATable(log_store.root_url().to_string()));
    }
    DeltaTableState::try_new(log_store.as_ref(), None).await
}

async fn create(table: Table, log_store: &LogStoreRef) -> Result<DeltaTableState, DeltaTableError> {
    let struct_type = schema::to_delta(&Registry::new(table))?;
    let properties = [
        ("delta.checkpointInterval", "10"),
        ("delta.logRetentionDuration", "interval 6 hours"),
        ("delta.deletedFileRetentionDuration", "interval 1 days"),
        // Statistics are ours to choose; without this, only the first 32 columns would have any.
        ("delta.dataSkippingStatsColumns", "tenant,time,service,environment,rest"),
    ];
    let created = DeltaTable::new(Arc::clone(log_store))
        .create()
        .with_log_store(Arc::clone(log_store))
        .with_table_name(table.as_str())
        .with_columns(struct_type.fields().cloned())
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_configuration(properties.map(|(key, value)| (key, Some(value))))
        .await;
    match created {
        Ok(created) => Ok(created.snapshot()?.clone()),
        // Another node made it at the same moment.
        Err(error) => load(log_store).await.map_err(|_| error),
    }
}

/// Reads files, columns and the last sequence; files that are `known` are not parsed again.
async fn read_view(
    table: Table,
    app_id: &str,
    delta: &DeltaTableState,
    log_store: &LogStoreRef,
    known: &[Arc<FileEntry>],
) -> Result<View, DeltaTableError> {
    let known: HashMap<&str, &Arc<FileEntry>> =
        known.iter().map(|file| (file.path.as_ref(), file)).collect();
    let files = delta
        .log_data()
        .iter()
        .map(|file| match known.get(file.path().as_ref()) {
            Some(known) => Arc::clone(known),
            None => Arc::new(stats::entry(&file)),
        })
        .collect();
    let sequence = delta.transaction_version(log_store.as_ref(), app_id).await?;
    Ok(View {
        files: Arc::new(files),
        registry: schema::from_delta(table, delta),
        sequence: sequence.and_then(|version| u64::try_from(version).ok()).unwrap_or(0),
        version: delta.version(),
    })
}
