//! Memory that is counted before it is used.
//!
//! A [`Budget`] is a number of bytes that some purpose may hold at once; a [`Reservation`] is a
//! part of it and gives itself back when dropped. A budget can stand under a parent: then both
//! have to have room. Nothing waits: the caller that gets none tells its client to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A ceiling for one purpose.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    parent: Option<Budget>,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} memory is full: {wanted_bytes} bytes wanted, {limit_bytes} bytes is the limit")]
pub struct Full {
    /// Which budget refused.
    pub name: &'static str,
    /// What was asked for.
    pub wanted_bytes: usize,
    /// The budget's limit.
    pub limit_bytes: usize,
}

impl Budget {
    /// A budget of its own.
    #[must_use]
    pub fn new(name: &'static str, limit_bytes: usize) -> Budget {
        Budget(Arc::new(Inner { name, limit_bytes, used_bytes: AtomicUsize::new(0), parent: None }))
    }

    /// A budget inside this one.
    #[must_use]
    pub fn child(&self, name: &'static str, limit_bytes: usize) -> Budget {
        Budget(Arc::new(Inner {
            name,
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            parent: Some(self.clone()),
        }))
    }

    /// Takes `bytes`, or says which budget is full.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Full> {
        self.take(bytes)?;
        Ok(Reservation { budget: self.clone(), bytes })
    }

    /// Takes `bytes` even when that passes the limit: for memory that is already in use.
    #[must_use]
    pub fn force(&self, bytes: usize) -> Reservation {
        let mut budget = Some(self);
        while let Some(Budget(inner)) = budget {
            inner.used_bytes.fetch_add(bytes, Ordering::Relaxed);
            budget = inner.parent.as_ref();
        }
        Reservation { budget: self.clone(), bytes }
    }

    /// What is taken now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    /// The most that can be taken.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.0.limit_bytes
    }

    /// Its name, for metrics and errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        let Inner { name, limit_bytes, used_bytes, parent } = &*self.0;
        used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= *limit_bytes)
            })
            .map_err(|_| Full { name, wanted_bytes: bytes, limit_bytes: *limit_bytes })?;
        if let Some(parent) = parent
            && let Err(full) = parent.take(bytes)
        {
            used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(full);
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let mut budget = Some(self);
        while let Some(Budget(inner)) = budget {
            inner.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            budget = inner.parent.as_ref();
        }
    }
}

/// A part of a budget, given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Reservation {
    /// How much it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it is a part of.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Makes it smaller or larger; on refusal it stays as it was.
    pub fn resize(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes)?;
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Joins another reservation of the same budget to this one.
    pub fn merge(&mut self, mut other: Reservation) {
        assert!(Arc::ptr_eq(&self.budget.0, &other.budget.0), "reservations of one budget only");
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_parent_refuses_and_the_child_keeps_nothing() {
        let parent = Budget::new("process", 10);
        let child = parent.child("buffers", 100);
        let held = child.reserve(6).expect("room");
        let full = child.reserve(5).expect_err("parent is full");
        assert_eq!(full.name, "process");
        assert_eq!((child.used_bytes(), parent.used_bytes()), (6, 6));
        drop(held);
        assert_eq!((child.used_bytes(), parent.used_bytes()), (0, 0));
    }

    #[test]
    fn resizing_takes_and_gives_back() {
        let budget = Budget::new("bodies", 10);
        let mut held = budget.reserve(4).expect("room");
        assert!(held.resize(11).is_err());
        assert_eq!(held.bytes(), 4);
        held.resize(10).expect("room");
        held.resize(1).expect("smaller always fits");
        assert_eq!(budget.used_bytes(), 1);
        held.merge(budget.force(20));
        assert_eq!(budget.used_bytes(), 21);
        drop(held);
        assert_eq!(budget.used_bytes(), 0);
    }
}
