//! Features kept in the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use stdx::clock::UnixNanos;

use super::{Found, StoredValue};
use crate::features::UserFeatures;

/// Most users that are kept; the one that was there first goes first. About 200 bytes each.
const USERS_MAX: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Users>);

#[derive(Debug, Default)]
struct Users {
    features: BTreeMap<u64, Found>,
    by_age: VecDeque<u64>,
}

impl Memory {
    pub(super) fn get(&self, user_id: u64) -> Option<Found> {
        self.users().features.get(&user_id).copied()
    }

    pub(super) fn put(&self, user_id: u64, features: &UserFeatures, now: UnixNanos) {
        let found = features.values().map(|value| Some(StoredValue { value, written_at: now }));
        let mut users = self.users();
        if users.features.insert(user_id, found).is_none() {
            users.by_age.push_back(user_id);
        }
        if users.by_age.len() > USERS_MAX
            && let Some(oldest) = users.by_age.pop_front()
        {
            users.features.remove(&oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.users().features.len()
    }

    fn users(&self) -> std::sync::MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_grow_without_bound() {
        let memory = Memory::default();
        let users = u64::try_from(USERS_MAX).unwrap();
        for user_id in 0..users + 10 {
            memory.put(user_id, &UserFeatures::default(), 0);
        }
        assert_eq!(memory.len(), USERS_MAX);
        assert!(memory.get(9).is_none() && memory.get(10).is_some());
    }
}
