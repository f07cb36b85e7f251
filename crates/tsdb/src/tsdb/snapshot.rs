//! A copy of the store that can be opened like it.

use std::fs;
use std::path::PathBuf;

use super::Tsdb;
use crate::error::Error;
use crate::store::{BlockStore, LocalStore};

/// Objects are copied in pieces of this size, bytes.
const PIECE_BYTES: u64 = 8 << 20;

impl Tsdb {
    /// Copies all blocks, and the heads unless they are to be left out, to `snapshots/<name>` in
    /// the store's directory: a directory for [`Tsdb::open`], with a [`LocalStore`] in `blocks`.
    pub fn snapshot(&self, name: &str, skip_head: bool) -> Result<PathBuf, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Error::Invalid(format!("{name:?} is no name for a snapshot")));
        }
        let dir = self.inner.options.dir.join("snapshots").join(name);
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let copy = LocalStore::open(dir.join("blocks")).map_err(crate::block::Error::from)?;
        // No cut in between: what is not in the blocks is in the checkpoint.
        let _maintenance = self.inner.maintenance.lock();
        if !skip_head {
            self.inner.write_checkpoint(&dir, 1)?;
        }
        for store in self.inner.all_tenants() {
            // Blocks that are merged away meanwhile are still there as long as they are held.
            let held = store.blocks.all();
            for block in held.iter() {
                let prefix = format!("metrics/{}/{}/", store.head.tenant, block.meta().id);
                let objects = self.inner.places.store.list(&prefix);
                for object in objects.map_err(crate::block::Error::from)? {
                    self.copy_object(&object, &copy)?;
                }
            }
        }
        Ok(dir)
    }

    fn copy_object(&self, object: &str, into: &LocalStore) -> Result<(), Error> {
        let store = &self.inner.places.store;
        let copy = || -> Result<(), crate::block::Error> {
            let size = store.size(object)?;
            let mut bytes = Vec::new();
            let mut at = 0;
            while at < size {
                let end = (at + PIECE_BYTES).min(size);
                bytes.extend_from_slice(&store.get_range(object, at..end)?);
                at = end;
            }
            into.put(object, bytes.into())?;
            Ok(())
        };
        Ok(copy()?)
    }
}
