//! Start: what the log says is done again.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use hashbrown::HashMap;
use model::Tenant;
use parking_lot::{Mutex, RwLock};
use stdx::clock::{Clock, Stopwatch};

use super::background::{self, Bell};
use super::replay::Replay;
use super::{Inner, Places, TenantStore, Tsdb};
use crate::block::Cache;
use crate::error::Error;
use crate::options::Options;
use crate::store::BlockStore;
use crate::wal::{self, Wal};

impl Tsdb {
    /// Opens the store and replays its log.
    pub fn open(options: Options, store: Arc<dyn BlockStore>, clock: Clock) -> Result<Tsdb, Error> {
        let dir = options.dir.clone();
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let lock = lock(&dir)?;
        let watch = Stopwatch::start();
        let io = Arc::clone(&options.wal.io);
        let found = wal::find(&*io, &dir)?;
        let places = Places { store, cache: Cache::new(options.cache_bytes) };
        let (tenants, next_frame) = replay(&options, &places, &found)?;
        for path in &found.useless {
            if let Err(error) = io.remove(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove an old log file");
            }
        }
        let seconds = watch.elapsed();
        metrics::gauge!("trefoil_tsdb_replay_seconds").set(seconds.as_secs_f64());
        let series: usize = tenants.values().map(|store| store.head.series_len()).sum();
        tracing::info!(tenants = tenants.len(), series, ?seconds, "the metrics' log is replayed");
        let number = |segment: Option<&(u64, _)>| segment.map_or(0, |(number, _)| *number);
        let replayed = (number(found.segments.first()), number(found.segments.last()));
        let wal = Wal::start(&dir, options.wal.clone(), found.next_segment, next_frame)?;
        let inner = Inner {
            options,
            clock,
            wal,
            places,
            tenants: RwLock::new(tenants),
            maintenance: Mutex::new(()),
            closing: AtomicBool::new(false),
            checkpoints: AtomicU64::new(0),
            replayed,
            bell: Bell::default(),
            _lock: lock,
        };
        let inner = Arc::new(inner);
        inner.open_others()?;
        let threads = Mutex::new(background::start(&inner)?);
        Ok(Tsdb { inner, threads })
    }
}

impl Inner {
    /// Opens tenants that have blocks and nothing in the log.
    fn open_others(&self) -> Result<(), Error> {
        let names = self.places.store.list("metrics/").map_err(crate::block::Error::from)?;
        let mut before = "";
        for name in &names {
            let tenant = name.split('/').nth(1).unwrap_or_default();
            if tenant != before
                && let Ok(tenant) = Tenant::parse(tenant)
            {
                let opened = self.tenant_or_new(&tenant);
                opened.map_err(|error| Error::Log(error.to_string()))?;
            }
            before = tenant;
        }
        Ok(())
    }
}

/// Reads the log; the tenants, and the number of the next frame.
fn replay(
    options: &Options,
    places: &Places,
    found: &wal::Found,
) -> Result<(HashMap<Tenant, Arc<TenantStore>>, u64), Error> {
    let io = &*options.wal.io;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let mut replay = Replay::start(scope, options, places, threads);
        if let Some((_, path)) = &found.checkpoint {
            wal::read_checkpoint(io, path, &mut |record| replay.apply(record))?;
        }
        let next_frame =
            wal::read_segments(io, &found.segments, &mut |record| replay.apply(record))?;
        let path = options.dir.clone();
        let tenants = replay.done().map_err(|what| Error::Damaged { path, offset: 0, what })?;
        Ok((tenants, next_frame))
    })
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}
