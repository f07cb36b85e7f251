//! The blocks of metrics on an object store: where the tables are, when `storage.url` says so.
//!
//! Each data directory has a place of its own there, named by its node, because the log in the
//! directory and the blocks belong together and two nodes must not number blocks alike.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, mpsc};

use anyhow::Context as _;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::{Builder, Runtime};
use tsdb::store::{BlockStore, StoreError};
use url::Url;

/// Files up to this size are written in one request, larger ones in parts of it.
const PART_BYTES: usize = 8 << 20;

/// A place in an object store.
#[derive(Debug)]
pub(crate) struct ObjectBlocks {
    store: Arc<dyn ObjectStore>,
    root: ObjectPath,
    /// A thread of its own: callers block, and must not keep the answer from coming.
    runtime: Option<Runtime>,
}

impl ObjectBlocks {
    /// The place of a node under a URL that `object_store` knows.
    pub(crate) fn open(
        url: &Url,
        options: &[(String, String)],
        node: &str,
    ) -> anyhow::Result<ObjectBlocks> {
        let options = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let (store, prefix) = object_store::parse_url_opts(url, options)
            .with_context(|| format!("cannot use {url} for blocks of metrics"))?;
        ObjectBlocks::at(Arc::from(store), prefix.join("blocks").join(node))
    }

    fn at(store: Arc<dyn ObjectStore>, root: ObjectPath) -> anyhow::Result<ObjectBlocks> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("trefoil-mblocks")
            .enable_all()
            .build()
            .context("cannot start a thread for blocks of metrics")?;
        Ok(ObjectBlocks { store, root, runtime: Some(runtime) })
    }

    fn path(&self, doing: &'static str, name: &str) -> Result<ObjectPath, StoreError> {
        ObjectPath::parse(format!("{}/{name}", self.root))
            .map_err(|error| StoreError::new(doing, name, io::Error::other(error)))
    }

    /// Waits for a request.
    fn wait<T: Send + 'static>(
        &self,
        doing: &'static str,
        name: &str,
        request: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let ended = || io::Error::other("the thread for blocks has ended");
        let result = match &self.runtime {
            Some(runtime) => {
                drop(runtime.spawn(async move { drop(answer.send(request.await)) }));
                answered.recv().unwrap_or_else(|_| Err(ended()))
            }
            None => Err(ended()),
        };
        result.map_err(|error| StoreError::new(doing, name, error))
    }
}

impl Drop for ObjectBlocks {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped where nothing may block.
            runtime.shutdown_background();
        }
    }
}

fn io_error(error: object_store::Error) -> io::Error {
    match error {
        object_store::Error::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, error),
        error => io::Error::other(error),
    }
}

impl BlockStore for ObjectBlocks {
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let (store, path) = (Arc::clone(&self.store), self.path("write", name)?);
        self.wait("write", name, async move {
            store.put(&path, bytes.into()).await.map(drop).map_err(io_error)
        })
    }

    fn put_file(&self, name: &str, file: &Path) -> Result<(), StoreError> {
        let (store, path) = (Arc::clone(&self.store), self.path("write", name)?);
        let source = file.to_owned();
        self.wait("write", name, async move {
            let mut source = tokio::fs::File::open(source).await?;
            let mut upload = BufWriter::with_capacity(store, path, PART_BYTES);
            match tokio::io::copy(&mut source, &mut upload).await {
                Ok(_) => upload.shutdown().await,
                Err(error) => {
                    // What was uploaded so far is no object; that it stays behind is no harm.
                    drop(upload.abort().await);
                    Err(error)
                }
            }
        })?;
        std::fs::remove_file(file).map_err(|error| StoreError::new("write", name, error))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let (store, path) = (Arc::clone(&self.store), self.path("read", name)?);
        self.wait("read", name, async move {
            if range.is_empty() {
                let size = store.head(&path).await.map_err(io_error)?.size;
                let inside = range.start <= size;
                return if inside { Ok(Bytes::new()) } else { Err(too_short()) };
            }
            let length = range.end - range.start;
            let bytes = store.get_range(&path, range).await.map_err(io_error)?;
            if bytes.len() as u64 == length { Ok(bytes) } else { Err(too_short()) }
        })
    }

    fn size(&self, name: &str) -> Result<u64, StoreError> {
        let (store, path) = (Arc::clone(&self.store), self.path("read", name)?);
        self.wait("read", name, async move {
            store.head(&path).await.map(|found| found.size).map_err(io_error)
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let below = self.path("list", prefix.trim_end_matches('/'))?;
        let (store, root) = (Arc::clone(&self.store), format!("{}/", self.root));
        self.wait("list", prefix, async move {
            let found = store.list(Some(&below)).try_collect::<Vec<_>>().await.map_err(io_error)?;
            let name = |path: &ObjectPath| path.as_ref().strip_prefix(&root).map(str::to_owned);
            let mut names: Vec<_> = found.iter().filter_map(|meta| name(&meta.location)).collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        let (store, path) = (Arc::clone(&self.store), self.path("delete", name)?);
        self.wait("delete", name, async move {
            match store.delete(&path).await {
                Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
                Err(error) => Err(io_error(error)),
            }
        })
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the object is too short")
}

#[cfg(test)]
mod tests {
    use model::Tenant;
    use model::metric::{Batch, Float, Labels, Matcher};
    use object_store::memory::InMemory;
    use stdx::clock::Clock;
    use stdx::memory::Budget;
    use tsdb::Tsdb;

    use super::*;

    fn place(store: &Arc<InMemory>, node: &str) -> ObjectBlocks {
        let store: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(store);
        ObjectBlocks::at(store, ObjectPath::from("some/prefix/blocks").join(node))
            .expect("a runtime")
    }

    #[test]
    fn it_is_a_store_of_blocks() {
        let memory = Arc::new(InMemory::new());
        let (store, other) = (place(&memory, "one"), place(&memory, "two"));
        let name = "metrics/a!b-c_(d)/0000000000000001/data";
        store.put(name, Bytes::from_static(b"0123456789")).expect("written");
        other.put("metrics/x/1/data", Bytes::from_static(b"x")).expect("written");
        assert_eq!(store.size(name).expect("a size"), 10);
        assert_eq!(store.get_range(name, 2..5).expect("a range"), "234");
        assert_eq!(store.get_range(name, 10..10).expect("nothing"), "");
        let error = store.get_range(name, 5..11).expect_err("it ends before");
        assert!(!error.is_missing(), "{error:?}");
        assert_eq!(store.list("metrics/").expect("names"), [name]);
        assert_eq!(store.list("").expect("names"), [name]);
        assert!(store.list("metrics/a/").expect("names").is_empty());
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::write(&file, vec![7; 3 * PART_BYTES]).expect("a file");
        store.put_file("metrics/large", &file).expect("written");
        assert_eq!(store.size("metrics/large").expect("a size"), 3 * PART_BYTES as u64);
        assert!(!file.try_exists().expect("a look"));
        for _ in 0..2 {
            store.delete(name).expect("deleted");
        }
        assert!(store.size(name).expect_err("it is gone").is_missing());
        assert!(store.get_range(name, 0..1).expect_err("it is gone").is_missing());
    }

    #[test]
    fn the_engine_keeps_its_blocks_there() {
        let memory = Arc::new(InMemory::new());
        let dir = tempfile::tempdir().expect("a directory");
        let tenant = Tenant::default_tenant();
        let now = 1_700_000_000_000;
        for round in 0..3 {
            let blocks = Arc::new(place(&memory, "node"));
            let clock = Clock::manual((now + 1_000) * 1_000_000);
            let tsdb = Tsdb::open(tsdb::Options::new(dir.path()), blocks, clock).expect("it opens");
            let query = tsdb::Query {
                matchers: vec![Matcher::equal("__name__", "m")],
                end: i64::MAX,
                ..tsdb::Query::default()
            };
            if round > 0 {
                let mut points = tsdb::Points::default();
                let found = tsdb.select(&tenant, &query).expect("a selection");
                found.read(0, &mut points).expect("samples");
                assert_eq!(points.values.len(), round);
            }
            let mut batch = Batch::new();
            batch.begin_with(&Labels::from_pairs(&[("__name__", "m")]));
            let timestamp = now + i64::try_from(round).expect("few");
            batch.float(Float { timestamp, value: 1.0, start: 0 });
            let (done, written) = mpsc::channel();
            let reserved = Budget::new("test", usize::MAX).force(0);
            tsdb.append(&tenant, batch, reserved, move |result| {
                done.send(result.map(|written| written.floats)).expect("it is waited for");
            });
            assert_eq!(written.recv().expect("an answer"), Ok(1));
            tsdb.flush().expect("a block");
        }
    }
}
