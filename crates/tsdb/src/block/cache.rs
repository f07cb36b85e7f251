//! Parts of blocks kept in memory, at most so many bytes of them.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

const SHARDS: usize = 16;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Contents,
    Series,
    Values,
    Columns,
    Times,
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Of the open block.
    pub(crate) reader: u64,
    pub(crate) kind: Kind,
    pub(crate) number: u64,
}

struct Entry {
    part: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used: AtomicBool,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Key, Entry, Xxh3DefaultBuilder>,
    queue: VecDeque<Key>,
    bytes: usize,
}

/// Parts of all blocks: index pages, timestamps, stretches of data. When it is full, those go that
/// were not used since they were last looked at.
pub struct Cache {
    shards: Vec<Mutex<Shard>>,
    shard_bytes_max: usize,
    readers: AtomicU64,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache of at most `bytes_max`.
    #[must_use]
    pub fn new(bytes_max: usize) -> Arc<Cache> {
        Arc::new(Cache {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shard_bytes_max: bytes_max / SHARDS,
            readers: AtomicU64::new(0),
        })
    }

    /// How much it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes).sum()
    }

    /// A number for an open block, never given twice.
    pub(crate) fn next_reader(&self) -> u64 {
        self.readers.fetch_add(1, Ordering::Relaxed)
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        let mixed =
            key.reader.wrapping_mul(31).wrapping_add(key.number).wrapping_add(key.kind as u64);
        &self.shards[usize::try_from(mixed % SHARDS as u64).unwrap_or(0)]
    }

    /// The part, made by `make` (which says how many bytes it takes) when it is not here.
    pub(crate) fn get<T: Any + Send + Sync, E>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        let shard = self.shard(&key);
        if let Some(entry) = shard.lock().entries.get(&key)
            && let Ok(part) = Arc::clone(&entry.part).downcast::<T>()
        {
            entry.used.store(true, Ordering::Relaxed);
            return Ok(part);
        }
        let (part, bytes) = make()?;
        let part = Arc::new(part);
        let kept: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&part);
        shard.lock().insert(key, kept, bytes + 64, self.shard_bytes_max);
        Ok(part)
    }

    /// Lets everything of a block go.
    pub(crate) fn forget(&self, reader: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut freed = 0;
            shard.entries.retain(|key, entry| {
                let stays = key.reader != reader;
                freed += if stays { 0 } else { entry.bytes };
                stays
            });
            shard.queue.retain(|key| key.reader != reader);
            shard.bytes -= freed;
        }
    }
}

impl Shard {
    fn insert(&mut self, key: Key, part: Arc<dyn Any + Send + Sync>, bytes: usize, max: usize) {
        if bytes > max {
            return;
        }
        while self.bytes + bytes > max {
            let Some(oldest) = self.queue.pop_front() else { break };
            let used = self
                .entries
                .get(&oldest)
                .is_some_and(|entry| entry.used.swap(false, Ordering::Relaxed));
            if used {
                self.queue.push_back(oldest);
            } else if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
            }
        }
        let entry = Entry { part, bytes, used: AtomicBool::new(false) };
        match self.entries.insert(key, entry) {
            Some(before) => self.bytes -= before.bytes,
            None => self.queue.push_back(key),
        }
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_limit_and_keeps_what_is_used() {
        let cache = Cache::new(SHARDS * 1000);
        let key = |number| Key { reader: 0, kind: Kind::Data, number: number * SHARDS as u64 };
        let get = |number: u64| cache.get(key(number), || Ok::<_, ()>((number, 136))).unwrap();
        for number in 0..100 {
            assert_eq!(*get(number), number);
            assert_eq!(*cache.get(key(0), || Ok::<(u64, usize), ()>((77, 136))).unwrap(), 0);
            assert!(cache.bytes() <= 1000);
        }
        cache.forget(0);
        assert_eq!(cache.bytes(), 0);
    }
}
