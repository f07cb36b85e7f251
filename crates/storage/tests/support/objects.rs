//! An object store in memory that fails on demand: before it does what it was asked, or after.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The store. A new life ([`Objects::reborn`]) sees the same objects; the old one sees nothing.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    inner: Arc<dyn ObjectStore>,
    random: Arc<Mutex<StdRng>>,
    fail_percent: Arc<AtomicU32>,
    dead: Arc<AtomicBool>,
    fail_commits: Arc<AtomicU32>,
}

/// How a commit fails, in [`Objects::fail_commits`].
pub(crate) const NOT: u32 = 0;
pub(crate) const BEFORE: u32 = 1;
pub(crate) const AFTER: u32 = 2;
pub(crate) const DATA: u32 = 3;

impl Objects {
    pub(crate) fn new(seed: u64) -> Objects {
        Objects::over(Arc::new(InMemory::new()), seed)
    }

    pub(crate) fn over(inner: Arc<dyn ObjectStore>, seed: u64) -> Objects {
        Objects {
            inner,
            random: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            fail_percent: Arc::default(),
            dead: Arc::default(),
            fail_commits: Arc::default(),
        }
    }

    /// Of a hundred operations, so many fail.
    pub(crate) fn fail_percent(&self, percent: u32) {
        self.fail_percent.store(percent, Ordering::SeqCst);
    }

    /// Every commit fails: [`BEFORE`] or [`AFTER`] it was done, or [`DATA`] files fail; or [`NOT`].
    pub(crate) fn fail_commits(&self, how: u32) {
        self.fail_commits.store(how, Ordering::SeqCst);
    }

    /// The process that had this is dead; this is what the next one gets.
    pub(crate) fn reborn(&self) -> Objects {
        self.dead.store(true, Ordering::SeqCst);
        Objects { dead: Arc::default(), ..self.clone() }
    }

    fn check(&self) -> Result<()> {
        let random = self.random.lock().expect("never poisoned").random_range(0..100);
        if self.dead.load(Ordering::SeqCst) || random < self.fail_percent.load(Ordering::SeqCst) {
            return Err(injected());
        }
        Ok(())
    }
}

fn injected() -> Error {
    Error::Generic { store: "test", source: "injected".into() }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects that fail")
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.check()?;
        let commit = location.as_ref().ends_with(".json");
        let how = self.fail_commits.load(Ordering::SeqCst);
        if (how == BEFORE && commit) || (how == DATA && !commit) {
            return Err(injected());
        }
        let result = self.inner.put_opts(location, payload, opts).await;
        self.check()?;
        if how == AFTER && commit {
            return Err(injected());
        }
        result
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.check() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.inner.copy_opts(from, to, options).await
    }
}
