//! Figures about the store.

use model::Tenant;

use super::{Inner, Tsdb};
use crate::block::Meta;

/// How the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tenants with a head.
    pub tenants: usize,
    /// Series in all heads.
    pub series: usize,
    /// What heads and their indexes take, bytes, about.
    pub head_bytes: usize,
    /// Exemplars kept.
    pub exemplars: usize,
    /// What waits to be written to the log, bytes.
    pub wal_queued_bytes: usize,
    /// Written to the log since the last checkpoint, bytes.
    pub wal_bytes: u64,
    /// Checkpoints since the start.
    pub checkpoints: u64,
    /// Why the log cannot be written, when it cannot.
    pub wal_failure: Option<String>,
}

impl Tsdb {
    /// The blocks of a tenant, by time, and how many deletions each has that its files still have
    /// the samples of.
    #[must_use]
    pub fn blocks(&self, tenant: &Tenant) -> Vec<(Meta, usize)> {
        let Some(store) = self.inner.tenant(tenant) else { return Vec::new() };
        let all = store.blocks.all();
        let of =
            |block: &crate::block::Reader| (block.meta().clone(), block.tombstones.read().len());
        all.iter().map(|block| of(block)).collect()
    }

    /// The first and the last segment of the log that the start has read; 0 for none.
    #[must_use]
    pub fn replayed(&self) -> (u64, u64) {
        self.inner.replayed
    }

    /// How the store is now. The background thread sets the gauges of the metrics facade to it.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl Inner {
    fn stats(&self) -> Stats {
        let stores = self.all_tenants();
        Stats {
            tenants: stores.len(),
            series: stores.iter().map(|store| store.head.series_len()).sum(),
            head_bytes: stores.iter().map(|store| store.head.size_bytes()).sum(),
            exemplars: stores.iter().map(|store| store.head.exemplars.lock().len()).sum(),
            wal_queued_bytes: self.wal.queued_bytes(),
            wal_bytes: self.wal.written_bytes(),
            checkpoints: self.checkpoints.load(std::sync::atomic::Ordering::Relaxed),
            wal_failure: self.wal.failure(),
        }
    }

    /// Sets the gauges of the metrics facade.
    pub(super) fn report(&self) {
        let stats = self.stats();
        let gauge = |name: &'static str, value: usize| metrics::gauge!(name).set(value as f64);
        gauge("trefoil_tsdb_tenants", stats.tenants);
        gauge("trefoil_tsdb_head_series", stats.series);
        gauge("trefoil_tsdb_head_bytes", stats.head_bytes);
        gauge("trefoil_tsdb_exemplars", stats.exemplars);
        gauge("trefoil_tsdb_wal_queued_bytes", stats.wal_queued_bytes);
        metrics::gauge!("trefoil_tsdb_wal_bytes").set(stats.wal_bytes as f64);
        let broken = if stats.wal_failure.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("trefoil_tsdb_wal_broken").set(broken);
    }
}
