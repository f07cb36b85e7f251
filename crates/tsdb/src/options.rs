//! How the store behaves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stdx::memory::Budget;

use crate::compact::Policy;
use crate::wal::{DiskIo, Io};

/// Settings of a [`crate::Tsdb`]. Every limit has its unit in its name.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the log lies.
    pub dir: PathBuf,
    /// How much time a block of fresh samples covers. The head has as much in memory; small blocks
    /// are merged soon.
    pub block_duration: Duration,
    /// How long after its end a block is cut: series that lag less than this go on as usual, those
    /// that lag more cost memory and a merge.
    pub cut_after: Duration,
    /// How far behind the newest sample of all a series may go on, each of its samples after the one
    /// before. Prometheus: an hour.
    pub lag_max: Duration,
    /// How far behind the newest sample a sample may come out of order. Prometheus: none.
    pub late_window: Duration,
    /// How far ahead of the clock a sample may lie.
    pub ahead_max: Duration,
    /// Active series of one tenant.
    pub series_max_per_tenant: usize,
    /// Exemplars kept of one tenant; the oldest go first. None are kept when it is 0.
    pub exemplars_max_per_tenant: usize,
    /// Metric families of one tenant whose metadata is kept.
    pub metadata_max_per_tenant: usize,
    /// What the head may take.
    pub memory: Budget,
    /// What of blocks' indexes and data is kept in memory, bytes.
    pub cache_bytes: usize,
    /// The part of [`Options::memory`] from which on blocks are cut early, percent.
    pub memory_pressure_percent: usize,
    /// What stays in the head when blocks are cut early.
    pub pressure_window: Duration,
    /// How often cuts and checkpoints that are due are made; never by itself when zero.
    pub maintain_every: Duration,
    /// How often blocks are looked after; never by itself when zero.
    pub compact_every: Duration,
    /// How blocks are merged, thinned out and deleted.
    pub compaction: Policy,
    /// The log.
    pub wal: WalOptions,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// At this size another segment is begun, bytes.
    pub segment_bytes: u64,
    /// At this size of the log since the last checkpoint, another is written, bytes.
    pub checkpoint_bytes: u64,
    /// What may wait to be written, bytes.
    pub queue_bytes_max: usize,
    /// How long nothing is tried after a failure.
    pub retry_after: Duration,
    /// The file system.
    pub io: Arc<dyn Io>,
}

impl Options {
    /// The defaults, with the log in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options {
            dir: dir.into(),
            block_duration: Duration::from_mins(20),
            cut_after: Duration::from_mins(2),
            lag_max: Duration::from_hours(1),
            late_window: Duration::ZERO,
            ahead_max: Duration::from_mins(10),
            series_max_per_tenant: 10_000_000,
            exemplars_max_per_tenant: 100_000,
            metadata_max_per_tenant: 100_000,
            memory: Budget::new("metrics head", 4 << 30),
            cache_bytes: 256 << 20,
            memory_pressure_percent: 75,
            pressure_window: Duration::from_mins(10),
            maintain_every: Duration::from_secs(5),
            compact_every: Duration::from_mins(1),
            compaction: Policy::default(),
            wal: WalOptions::default(),
        }
    }
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        WalOptions {
            segment_bytes: 128 << 20,
            checkpoint_bytes: 512 << 20,
            queue_bytes_max: 64 << 20,
            retry_after: Duration::from_secs(1),
            io: Arc::new(DiskIo),
        }
    }
}
