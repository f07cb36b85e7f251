//! What is kept in memory of files that were read: their footers, page indexes and the places of
//! their token filters. Bounded in bytes; the one not used for the longest time goes first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::Result;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;

use super::reader::{ReaderFactory, read_metadata};
use crate::file::index::{self, TokenIndex};
use crate::prune::{self, Access, Condition};
use crate::snapshot::FileEntry;

/// The footers of a store's files. Clones share it.
#[derive(Debug, Clone)]
pub struct ReadCache(Arc<Mutex<Lru>>);

/// A file's footer.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// `None` when the file has no token filters or they are of an unknown version.
    pub(crate) token_index: Option<TokenIndex>,
}

#[derive(Debug)]
struct Lru {
    limit_bytes: usize,
    used_bytes: usize,
    /// Counts uses.
    tick: u64,
    footers: HashMap<Path, Entry>,
}

#[derive(Debug)]
struct Entry {
    footer: Arc<Footer>,
    bytes: usize,
    used_at: u64,
}

impl ReadCache {
    /// An empty cache that keeps at most `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> ReadCache {
        let lru = Lru { limit_bytes, used_bytes: 0, tick: 0, footers: HashMap::new() };
        ReadCache(Arc::new(Mutex::new(lru)))
    }

    /// Bytes in use.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.lru().used_bytes
    }

    /// The footer of a file, from memory or from the store.
    pub(crate) async fn footer(
        &self,
        object_store: &Arc<dyn ObjectStore>,
        path: &Path,
        size_bytes: u64,
    ) -> parquet::errors::Result<Arc<Footer>> {
        if let Some(footer) = self.lru().get(path) {
            return Ok(footer);
        }
        let metadata = read_metadata(object_store, path, size_bytes).await?;
        let token_index = token_index(&metadata, size_bytes);
        let footer = Arc::new(Footer { metadata: Arc::new(metadata), token_index });
        self.lru().insert(path.clone(), Arc::clone(&footer));
        Ok(footer)
    }

    /// What the file's token filters leave of it; `None` for nothing.
    pub(crate) async fn prune(
        &self,
        object_store: &Arc<dyn ObjectStore>,
        file: &FileEntry,
        condition: &Condition,
    ) -> Result<Option<Access>> {
        let footer = self.footer(object_store, &file.path, file.size_bytes).await?;
        let Some(token_index) = &footer.token_index else { return Ok(Some(Access::All)) };
        let groups = footer.metadata.row_groups();
        let rows: Vec<usize> =
            groups.iter().map(|g| usize::try_from(g.num_rows()).unwrap_or_default()).collect();
        let left =
            prune::prune_granules(object_store.as_ref(), &file.path, token_index, &rows, condition)
                .await?;
        Ok(left.map(Access::Some))
    }

    /// Makes readers of files that share this cache.
    pub(crate) fn reader_factory(&self, object_store: Arc<dyn ObjectStore>) -> Arc<ReaderFactory> {
        Arc::new(ReaderFactory { object_store, cache: self.clone() })
    }

    fn lru(&self) -> std::sync::MutexGuard<'_, Lru> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lru {
    fn get(&mut self, path: &Path) -> Option<Arc<Footer>> {
        self.tick += 1;
        let entry = self.footers.get_mut(path)?;
        entry.used_at = self.tick;
        Some(Arc::clone(&entry.footer))
    }

    fn insert(&mut self, path: Path, footer: Arc<Footer>) {
        let index_bytes = footer.token_index.as_ref().map_or(0, TokenIndex::memory_bytes);
        let bytes = footer.metadata.memory_size() + index_bytes + path.as_ref().len() + 128;
        if bytes > self.limit_bytes {
            return;
        }
        self.tick += 1;
        let entry = Entry { footer, bytes, used_at: self.tick };
        self.used_bytes += bytes;
        if let Some(before) = self.footers.insert(path, entry) {
            self.used_bytes -= before.bytes;
        }
        while self.used_bytes > self.limit_bytes {
            // Rare, and a few thousand entries at most: a list in order of use would not pay.
            let oldest = self.footers.iter().min_by_key(|(_, e)| e.used_at);
            let Some(path) = oldest.map(|(path, _)| path.clone()) else { break };
            if let Some(entry) = self.footers.remove(&path) {
                self.used_bytes -= entry.bytes;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("trefoil_storage_footer_cache_bytes").set(self.used_bytes as f64);
    }
}

fn token_index(metadata: &ParquetMetaData, size_bytes: u64) -> Option<TokenIndex> {
    let key_values = metadata.file_metadata().key_value_metadata()?;
    let json = key_values.iter().find(|kv| kv.key == index::KEY)?.value.as_ref()?;
    let rows = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()));
    let rows = rows.collect::<Result<Vec<_>, _>>().ok()?;
    TokenIndex::parse(json, &rows, size_bytes)
}
