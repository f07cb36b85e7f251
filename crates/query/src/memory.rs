//! Memory of a statement: inside its own limit, inside what all statements may have, inside what
//! the process gives them.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use stdx::memory::{Budget, Reservation};

/// One statement's view of the shared pool.
#[derive(Debug)]
pub(crate) struct StatementPool {
    shared: Arc<dyn MemoryPool>,
    used_bytes: AtomicUsize,
    peak_bytes: AtomicUsize,
    limit_bytes: usize,
}

impl StatementPool {
    pub(crate) fn new(shared: Arc<dyn MemoryPool>, limit_bytes: usize) -> StatementPool {
        StatementPool {
            shared,
            used_bytes: AtomicUsize::new(0),
            peak_bytes: AtomicUsize::new(0),
            limit_bytes,
        }
    }

    /// The most that was held at once.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        let used = self.used_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak_bytes.fetch_max(used, Ordering::Relaxed);
    }
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement({} of {} bytes)", self.reserved(), self.limit_bytes)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.add(additional);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used_bytes.fetch_sub(shrink, Ordering::Relaxed);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let used = self.used_bytes.load(Ordering::Relaxed);
        if used.saturating_add(additional) > self.limit_bytes {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} wants {additional} bytes on top of {used}, {} is the limit of one query",
                reservation.consumer().name(),
                self.limit_bytes
            )));
        }
        self.shared.try_grow(reservation, additional)?;
        self.add(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes)
    }
}

/// Takes from the process's budget what the shared pool hands out.
#[derive(Debug)]
pub(crate) struct BudgetPool {
    inner: Arc<dyn MemoryPool>,
    budget: Budget,
    held: Mutex<Reservation>,
}

impl BudgetPool {
    pub(crate) fn new(inner: Arc<dyn MemoryPool>, budget: Budget) -> BudgetPool {
        let held = Mutex::new(budget.force(0));
        BudgetPool { inner, budget, held }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Reservation> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for BudgetPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of budget {}", self.inner, self.budget.name())
    }
}

impl MemoryPool for BudgetPool {
    fn name(&self) -> &str {
        "budget"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.held().merge(self.budget.force(additional));
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
        let mut held = self.held();
        let bytes = held.bytes().saturating_sub(shrink);
        held.resize(bytes).expect("giving back needs no room");
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.inner.try_grow(reservation, additional)?;
        let mut held = self.held();
        let bytes = held.bytes().saturating_add(additional);
        if let Err(full) = held.resize(bytes) {
            drop(held);
            self.inner.shrink(reservation, additional);
            return Err(DataFusionError::ResourcesExhausted(full.to_string()));
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::FairSpillPool;

    use super::*;

    #[test]
    fn a_statement_is_refused_at_its_own_limit_and_at_the_process_s() {
        let budget = Budget::new("process", 100);
        let shared: Arc<dyn MemoryPool> =
            Arc::new(BudgetPool::new(Arc::new(FairSpillPool::new(1_000)), budget.clone()));
        let statement = Arc::new(StatementPool::new(Arc::clone(&shared), 60));
        let pool: Arc<dyn MemoryPool> = Arc::clone(&statement) as _;
        let mine = MemoryConsumer::new("sort").register(&pool);
        mine.try_grow(50).expect("room");
        assert!(mine.try_grow(20).expect_err("own limit").to_string().contains("one query"));
        let pool: Arc<dyn MemoryPool> = Arc::new(StatementPool::new(shared, 1_000));
        let other = MemoryConsumer::new("join").register(&pool);
        assert!(other.try_grow(60).expect_err("process").to_string().contains("process"));
        assert_eq!(budget.used_bytes(), 50);
        drop(mine);
        assert_eq!(budget.used_bytes(), 0);
        assert_eq!(statement.peak_bytes(), 50);
    }
}
