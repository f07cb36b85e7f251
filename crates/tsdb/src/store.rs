//! Where blocks are kept: named objects that are written once, whole, and read in ranges.
//!
//! A store promises that an object is there whole or not at all, also after a crash, and that what
//! was put is read by the next get. Names are paths of `/`-separated parts of letters, digits and
//! `!-_.*'()`; a part does not begin with a dot.

mod local;

pub use local::LocalStore;

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

/// A store of blocks. Calls block; they come from the engine's own threads.
pub trait BlockStore: Send + Sync + Debug {
    /// Makes `name` hold `bytes`, durably, in one step; what was there is replaced.
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes `name` hold what is in the local file, as [`BlockStore::put`] does, and takes the file
    /// away.
    fn put_file(&self, name: &str, file: &Path) -> Result<(), StoreError>;

    /// The bytes at `range`; a range that passes the end is an error.
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// How many bytes `name` holds.
    fn size(&self, name: &str) -> Result<u64, StoreError>;

    /// The names that begin with `prefix`, which ends with `/` or is empty, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Takes `name` away; that it is not there is no error.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// A store could not do it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {name}")]
pub struct StoreError {
    /// What was tried: "read", "write", "list", "delete".
    pub doing: &'static str,
    /// With which object.
    pub name: String,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl StoreError {
    /// An error of `doing` something with `name`.
    pub fn new(doing: &'static str, name: impl Into<String>, source: io::Error) -> StoreError {
        StoreError { doing, name: name.into(), source }
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}
