//! What the store can be told, with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Table;
use object_store::ObjectStore;
use stdx::memory::Budget;
use url::Url;

use crate::wal::{DiskIo, Io};

/// Where the tables are.
#[derive(Debug, Clone, Default)]
pub enum Location {
    /// Under the data directory, in `tables/<table>`.
    #[default]
    Local,
    /// At a URL that `object_store` knows, `s3://bucket/prefix` for one, with its options.
    Url {
        /// Under it, each table has its directory.
        url: Url,
        /// Keys as in `object_store`, `aws_access_key_id` for one.
        options: Vec<(String, String)>,
    },
    /// In a store that somebody else made; its root is the URL's root.
    Store {
        /// The store.
        object_store: Arc<dyn ObjectStore>,
        /// What it is called, `memory:///` for one.
        url: Url,
    },
}

/// The write-ahead log's limits.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// A segment that has grown to this is followed by a new one.
    pub segment_bytes: u64,
    /// The most that is written and synced at once.
    pub group_bytes_max: usize,
    /// The most appends that wait for the disk; more wait outside.
    pub queue_len: usize,
    /// The longest body.
    pub body_bytes_max: usize,
    /// How long appends are refused at once after the disk failed, before it is tried again.
    pub retry_after: Duration,
    /// The file system; tests hand in one that fails.
    pub io: Arc<dyn Io>,
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        WalOptions {
            segment_bytes: 64 << 20,
            group_bytes_max: 16 << 20,
            queue_len: 1_024,
            body_bytes_max: 256 << 20,
            retry_after: Duration::from_secs(1),
            io: Arc::new(DiskIo),
        }
    }
}

/// When buffers become files.
#[derive(Debug, Clone)]
pub struct FlushOptions {
    /// A buffer of this size is written.
    pub buffer_bytes: usize,
    /// A buffer with a row of this age is written.
    pub buffer_age: Duration,
    /// The most days that a flush makes a file for; rows of further days share one more.
    pub days_max: usize,
    /// The wait after a first failure; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// The longest wait after failures.
    pub retry_max: Duration,
}

impl Default for FlushOptions {
    fn default() -> FlushOptions {
        FlushOptions {
            buffer_bytes: 64 << 20,
            buffer_age: Duration::from_secs(30),
            days_max: 8,
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// Which attributes become columns.
#[derive(Debug, Clone)]
pub struct ColumnOptions {
    /// Up to this many attribute columns a new key has one at once.
    pub soft_max: usize,
    /// There are never more attribute columns.
    pub hard_max: usize,
    /// Between the two, a key gets a column when so many of a thousand rows of a flush have it.
    pub share_per_mille: usize,
}

impl Default for ColumnOptions {
    fn default() -> ColumnOptions {
        ColumnOptions { soft_max: 200, hard_max: 1_000, share_per_mille: 10 }
    }
}

/// How small files become larger ones, and when old ones go.
#[derive(Debug, Clone)]
pub struct MaintenanceOptions {
    /// How often the tables are looked at.
    pub interval: Duration,
    /// So many files of a day and of about one size are merged.
    pub compact_files_min: usize,
    /// The most files that are merged at once.
    pub compact_files_max: usize,
    /// A file of this size is left alone.
    pub file_bytes_target: u64,
    /// A file of so many rows is left alone.
    pub file_rows_target: u64,
    /// What merges may hold; one takes all of it while it runs.
    pub memory: Budget,
    /// How long files stay that no longer belong to the table, for queries that still read them.
    pub vacuum_grace: Duration,
    /// A checkpoint of the table's log is made every so many commits.
    pub checkpoint_commits: u64,
}

impl Default for MaintenanceOptions {
    fn default() -> MaintenanceOptions {
        MaintenanceOptions {
            interval: Duration::from_secs(10),
            compact_files_min: 8,
            compact_files_max: 32,
            file_bytes_target: 256 << 20,
            file_rows_target: 2_000_000,
            memory: Budget::new("merges", 48 << 20),
            vacuum_grace: Duration::from_secs(15 * 60),
            checkpoint_commits: 10,
        }
    }
}

/// How long the rows of a table stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Files whose newest row is older are removed.
    pub age: Option<Duration>,
    /// The oldest files are removed when the table has more than this.
    pub bytes: Option<u64>,
}

/// Everything the store can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the lock, the write-ahead log and, by default, the tables are.
    pub data_dir: PathBuf,
    /// Where the tables are.
    pub location: Location,
    /// What the buffers may hold.
    pub memory: Budget,
    /// The write-ahead log.
    pub wal: WalOptions,
    /// From buffers to files.
    pub flush: FlushOptions,
    /// Attributes.
    pub columns: ColumnOptions,
    /// Files.
    pub maintenance: MaintenanceOptions,
    /// How long rows stay; for ever in tables that are not named.
    pub retention: BTreeMap<Table, Retention>,
    /// Whether flushes by size and age and maintenance run by themselves. Without, only the
    /// methods do anything, which is what tests want.
    pub background: bool,
    /// What footers of files may hold in memory, per table.
    pub read_cache_bytes: usize,
    /// Batches that a slow live tail may lag behind before it loses some.
    pub tail_len: usize,
}

impl Options {
    /// The defaults for a data directory, with 256 MiB for buffers.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        Options {
            data_dir: data_dir.into(),
            location: Location::Local,
            memory: Budget::new("buffers", 256 << 20),
            wal: WalOptions::default(),
            flush: FlushOptions::default(),
            columns: ColumnOptions::default(),
            maintenance: MaintenanceOptions::default(),
            retention: BTreeMap::new(),
            background: true,
            read_cache_bytes: 16 << 20,
            tail_len: 64,
        }
    }
}
