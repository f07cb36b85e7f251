//! Whether anything changed that somebody took to be settled: what caches of results go by.
//!
//! It promises that after a change of a sample that is not newer than what was asked about, the
//! version is another one before the change is acknowledged. It may change for nothing.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use model::Tenant;

use super::Tsdb;

/// The changes of one tenant's samples.
#[derive(Debug)]
pub(super) struct Changes {
    /// Somebody keeps results that hang on samples up to here, milliseconds.
    settled: AtomicI64,
    version: AtomicU64,
}

impl Default for Changes {
    fn default() -> Changes {
        Changes { settled: AtomicI64::new(i64::MIN), version: AtomicU64::new(0) }
    }
}

impl Changes {
    /// From here on changes of samples up to `settled` make another version.
    fn watch(&self, settled: i64) -> u64 {
        self.settled.fetch_max(settled, Ordering::SeqCst);
        self.version.load(Ordering::SeqCst)
    }

    /// Samples from `oldest` on have come and can be read.
    pub(super) fn wrote(&self, oldest: i64) {
        if oldest <= self.settled.load(Ordering::SeqCst) {
            self.changed();
        }
    }

    /// Samples of whatever time have changed or gone.
    pub(super) fn changed(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

impl Tsdb {
    /// A number that changes whenever a sample of the tenant up to `settled` (milliseconds) comes,
    /// is deleted, expires or is thinned out, or of any earlier call's `settled`: results that hang
    /// only on such samples hold as long as it stays. None while there is no such tenant.
    #[must_use]
    pub fn version(&self, tenant: &Tenant, settled: i64) -> Option<u64> {
        Some(self.inner.tenant(tenant)?.changes.watch(settled))
    }
}
