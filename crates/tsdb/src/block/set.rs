//! The blocks of one tenant.
//!
//! A block is there when its description is. Replacing blocks is one step: the new description
//! names the blocks that it replaces, and from then on these are not there, whether or not their
//! own objects could be removed already. What a crash leaves behind is removed by the next start.
//!
//! A store far away fails for a while and goes on. A description that could not be removed is kept
//! in mind and tried again, and every new block names it until then. A description that failed to be
//! written may be there all the same, so that nothing is written before it is removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use model::metric::Matcher;
use parking_lot::{Mutex, RwLock};

use super::plan::{self, Ask, Part};
use super::reader::{self, Reader};
use super::tombstones::Deletion;
use super::{BlockId, Cache, Error, Finished, Writer, WriterOptions};
use crate::chunk::{Effort, TimeRange};
use crate::store::BlockStore;

/// The blocks of one tenant: any number of readers; changes one after the other.
#[derive(Debug)]
pub struct Blocks {
    store: Arc<dyn BlockStore>,
    prefix: String,
    scratch: PathBuf,
    cache: Arc<Cache>,
    next_id: AtomicU64,
    current: RwLock<Arc<Vec<Arc<Reader>>>>,
    /// Held while the set changes.
    changing: Mutex<Unfinished>,
    /// Held while blocks are merged: one merge at a time.
    pub(crate) merging: Mutex<()>,
}

/// What the store has not done yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// Blocks that are gone for queries and whose descriptions are still there.
    removals: Vec<Arc<Reader>>,
    /// Blocks whose descriptions may be there although writing them failed.
    doubtful: Vec<BlockId>,
}

impl Blocks {
    /// Opens what is there and removes what a crash left behind. `prefix` is where the tenant's
    /// blocks are in the store, for example `metrics/default`; `scratch` is a local directory of
    /// this set's own.
    pub fn open(
        store: Arc<dyn BlockStore>,
        prefix: &str,
        scratch: &Path,
        cache: Arc<Cache>,
    ) -> Result<Blocks, Error> {
        if scratch.try_exists()? {
            std::fs::remove_dir_all(scratch)?;
        }
        std::fs::create_dir_all(scratch)?;
        let names = store.list(&format!("{prefix}/"))?;
        let mut last_id = 0;
        let mut described = BTreeSet::new();
        for name in &names {
            let Some((id, object)) = parse_name(prefix, name) else { continue };
            last_id = last_id.max(id.0);
            if object == "meta.json" {
                described.insert(id);
            }
        }
        let mut readers = Vec::new();
        for &id in &described {
            let reader = Reader::open(Arc::clone(&store), prefix, id, Arc::clone(&cache))?;
            readers.push(Arc::new(reader));
        }
        let replaced: BTreeSet<BlockId> =
            readers.iter().flat_map(|reader| reader.meta().sources.iter().copied()).collect();
        let is_replaced = |reader: &Arc<Reader>| replaced.contains(&reader.meta().id);
        let (removals, readers) = readers.into_iter().partition(is_replaced);
        let unfinished = Unfinished { removals, doubtful: Vec::new() };
        let blocks = Blocks {
            store,
            prefix: prefix.to_owned(),
            scratch: scratch.to_owned(),
            cache,
            next_id: AtomicU64::new(last_id + 1),
            current: RwLock::default(),
            changing: Mutex::new(unfinished),
            merging: Mutex::default(),
        };
        blocks.remove_what_is_gone(&mut blocks.changing.lock());
        blocks.remove_orphans(&names, &described);
        blocks.publish(readers);
        Ok(blocks)
    }

    /// What has no description is no block; nobody minds when it stays a little longer.
    fn remove_orphans(&self, names: &[String], described: &BTreeSet<BlockId>) {
        for name in names {
            let Some((id, _)) = parse_name(&self.prefix, name) else { continue };
            if !described.contains(&id)
                && let Err(error) = self.store.delete(name)
            {
                tracing::warn!(name, %error, "what a crash left behind stays for now");
            }
        }
    }

    fn publish(&self, mut readers: Vec<Arc<Reader>>) {
        readers.sort_by_key(|reader| (reader.meta().min_time, reader.meta().id));
        let bytes: u64 = readers.iter().map(|reader| reader.meta().stats.bytes).sum();
        metrics::gauge!("trefoil_tsdb_blocks", "prefix" => self.prefix.clone())
            .set(readers.len() as f64);
        metrics::gauge!("trefoil_tsdb_blocks_bytes", "prefix" => self.prefix.clone())
            .set(bytes as f64);
        *self.current.write() = Arc::new(readers);
    }

    /// The blocks as they are now, in order of their first samples.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Arc<Reader>>> {
        Arc::clone(&self.current.read())
    }

    /// Which blocks answer a query, and what to read of each.
    #[must_use]
    pub fn plan(&self, ask: &Ask<'_>) -> Vec<Part> {
        plan::plan(&self.all(), ask)
    }

    /// Begins a block of fresh samples; [`Blocks::add`] makes it part of the set.
    pub fn writer(&self, effort: Effort) -> Result<Writer, Error> {
        self.writer_of(WriterOptions {
            scratch: self.scratch.clone(),
            effort,
            resolution_ms: 0,
            level: 1,
            sources: Vec::new(),
            origins: Vec::new(),
        })
    }

    pub(crate) fn writer_of(&self, options: WriterOptions) -> Result<Writer, Error> {
        Writer::create(BlockId(self.next_id.fetch_add(1, Ordering::Relaxed)), options)
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Finishes a block. When this returns it is durable and read by queries; `None` when it has no
    /// samples.
    pub fn add(&self, writer: Writer) -> Result<Option<Arc<Reader>>, Error> {
        let Some(finished) = writer.finish()? else { return Ok(None) };
        self.add_finished(finished, &[], &mut self.changing.lock()).map(Some)
    }

    /// Puts the block where `sources` were, in one step. Without a block the sources just go.
    pub(crate) fn replace(
        &self,
        sources: &[Arc<Reader>],
        block: Option<Finished>,
    ) -> Result<Option<Arc<Reader>>, Error> {
        let mut unfinished = self.changing.lock();
        let added = match block {
            Some(finished) => Some(self.add_finished(finished, sources, &mut unfinished)?),
            None => None,
        };
        let ids: Vec<BlockId> = sources.iter().map(|source| source.meta().id).collect();
        let current = self.all();
        let kept = current.iter().filter(|reader| !ids.contains(&reader.meta().id)).cloned();
        self.publish(kept.collect());
        unfinished.removals.extend_from_slice(sources);
        self.remove_what_is_gone(&mut unfinished);
        Ok(added)
    }

    /// Takes a block out of the set; its data goes when the last reader lets it go.
    pub(crate) fn remove(&self, block: &Arc<Reader>) -> Result<(), Error> {
        self.replace(std::slice::from_ref(block), None).map(|_| ())
    }

    /// Tries again what the store has failed to remove.
    pub(crate) fn tidy(&self) {
        let mut unfinished = self.changing.lock();
        self.remove_what_is_gone(&mut unfinished);
        if let Err(error) = self.remove_doubtful(&mut unfinished) {
            tracing::warn!(%error, "the rest of a block that was not written stays for now");
        }
    }

    /// What cannot be removed now waits for the next time: nobody reads it any more.
    fn remove_what_is_gone(&self, unfinished: &mut Unfinished) {
        unfinished.removals.retain(|block| match self.remove_description(block.meta().id) {
            Ok(()) => {
                block.doom();
                false
            }
            Err(error) => {
                tracing::warn!(block = %block.meta().id, %error, "a block is not removed yet");
                metrics::counter!("trefoil_tsdb_block_removals_failed_total").increment(1);
                true
            }
        });
    }

    /// Were such a block there after the next start, its samples would be there twice.
    fn remove_doubtful(&self, unfinished: &mut Unfinished) -> Result<(), Error> {
        while let Some(&id) = unfinished.doubtful.last() {
            self.remove_description(id)?;
            self.store.delete(&reader::data_name(&self.prefix, id))?;
            unfinished.doubtful.pop();
        }
        Ok(())
    }

    fn add_finished(
        &self,
        finished: Finished,
        sources: &[Arc<Reader>],
        unfinished: &mut Unfinished,
    ) -> Result<Arc<Reader>, Error> {
        self.remove_doubtful(unfinished)?;
        let Finished { mut meta, data } = finished;
        let replaced = sources.iter().chain(&unfinished.removals);
        meta.sources.extend(replaced.map(|source| source.meta().id));
        meta.sources.sort_unstable();
        meta.sources.dedup();
        self.store.put_file(&reader::data_name(&self.prefix, meta.id), &data.0)?;
        let description = Bytes::from(meta.to_json());
        let written = self.store.put(&reader::meta_name(&self.prefix, meta.id), description);
        if let Err(error) = written {
            unfinished.doubtful.push(meta.id);
            drop(self.remove_doubtful(unfinished));
            return Err(error.into());
        }
        let ids = meta.sources.clone();
        let (store, cache) = (Arc::clone(&self.store), Arc::clone(&self.cache));
        let added = Arc::new(Reader::new(store, self.prefix.clone(), meta, cache));
        let current = self.all();
        let kept = current.iter().filter(|reader| !ids.contains(&reader.meta().id)).cloned();
        self.publish(kept.chain([Arc::clone(&added)]).collect());
        Ok(added)
    }

    /// The description goes first: without it the rest is no block.
    fn remove_description(&self, id: BlockId) -> Result<(), Error> {
        self.store.delete(&reader::meta_name(&self.prefix, id))?;
        self.store.delete(&reader::tombstones_name(&self.prefix, id))?;
        Ok(())
    }

    /// Deletes the samples within `time` of the series that `matchers` accept. They are gone for
    /// queries at once, and from the store when blocks are merged or cleaned. Returns from how many
    /// blocks something was deleted.
    pub fn delete(&self, matchers: &[Matcher], time: TimeRange) -> Result<usize, Error> {
        let _merging = self.merging.lock();
        let mut changed = 0;
        for block in self.all().iter() {
            changed += usize::from(self.delete_in(block, matchers, time)?);
        }
        Ok(changed)
    }

    pub(crate) fn delete_in(
        &self,
        block: &Reader,
        matchers: &[Matcher],
        time: TimeRange,
    ) -> Result<bool, Error> {
        if !block.meta().time().overlaps(time) {
            return Ok(false);
        }
        let series = block.select(matchers)?;
        let _unfinished = self.changing.lock();
        let before = Arc::clone(&block.tombstones.read());
        let Some(after) = before.with(Deletion::new(matchers, time), series) else {
            return Ok(false);
        };
        let name = reader::tombstones_name(&self.prefix, block.meta().id);
        self.store.put(&name, Bytes::from(after.to_json()))?;
        *block.tombstones.write() = Arc::new(after);
        Ok(true)
    }
}

/// The block and the object within it that a name stands for.
fn parse_name<'a>(prefix: &str, name: &'a str) -> Option<(BlockId, &'a str)> {
    let (id, object) = name.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
    Some((BlockId::parse(id)?, object))
}
