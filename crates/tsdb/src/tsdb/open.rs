//! Start: what the log says is done again.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use hashbrown::HashMap;
use model::Tenant;
use parking_lot::{Mutex, RwLock};
use stdx::clock::{Clock, Stopwatch};

use super::background::{self, Bell};
use super::{Inner, Places, TenantStore, Tsdb};
use crate::block::Cache;
use crate::error::Error;
use crate::options::Options;
use crate::store::BlockStore;
use crate::wal::{self, Record, Wal};

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
        let mut replay = Replay { options: &options, places: &places, tenants: HashMap::new() };
        if let Some((_, path)) = &found.checkpoint {
            wal::read_checkpoint(&*io, path, &mut |record| replay.apply(record))?;
        }
        let next_frame =
            wal::read_segments(&*io, &found.segments, &mut |record| replay.apply(record))?;
        let tenants = replay.done();
        for path in &found.useless {
            if let Err(error) = io.remove(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove an old log file");
            }
        }
        let seconds = watch.elapsed();
        metrics::gauge!("trefoil_tsdb_replay_seconds").set(seconds.as_secs_f64());
        let series: usize = tenants.values().map(|store| store.head.series_len()).sum();
        tracing::info!(tenants = tenants.len(), series, ?seconds, "the metrics' log is replayed");
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

struct Replay<'a> {
    options: &'a Options,
    places: &'a Places,
    tenants: HashMap<u32, Arc<TenantStore>>,
}

impl Replay<'_> {
    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::Tenant { tenant, name } => {
                let name = Tenant::parse(name).map_err(|error| error.to_string())?;
                if !self.tenants.contains_key(&tenant) {
                    let store = TenantStore::new(name, tenant, self.options, self.places);
                    let store = store.map_err(|error| error.to_string())?;
                    self.tenants.insert(tenant, Arc::new(store));
                }
            }
            Record::Series { tenant, series, labels } => {
                self.tenant(tenant)?.head.replay_series(series, labels)?;
            }
            Record::Floats { tenant, mut floats } => {
                self.tenant(tenant)?.head.replay_floats(|| floats.next())?;
                if !floats.is_done() {
                    return Err("samples cannot be read".to_owned());
                }
            }
            Record::Histogram { tenant, series, sample } => {
                self.tenant(tenant)?.head.replay_histogram(series, &sample)?;
            }
            Record::Exemplar { tenant, series, exemplar } => {
                self.tenant(tenant)?.head.replay_exemplar(series, &exemplar);
            }
            Record::Metadata { tenant, metadata } => {
                self.tenant(tenant)?.head.metadata.write().put(&metadata);
            }
            Record::CutBegun { tenant, cut } => {
                self.tenant(tenant)?.head.cut_begun(cut);
            }
            Record::CutEnded { tenant, cut, epoch } => {
                self.tenant(tenant)?.head.replay_cut_ended(cut, epoch);
            }
            Record::Deleted { tenant, start, end, series } => {
                self.tenant(tenant)?.head.delete_series(&series, start, end);
            }
            Record::State { tenant, epoch, cut, newest } => {
                self.tenant(tenant)?.head.replay_state(epoch, cut, newest);
            }
            Record::Stored { tenant, series, stored } => {
                self.tenant(tenant)?.head.replay_stored(series, stored)?;
            }
        }
        Ok(())
    }

    fn tenant(&self, number: u32) -> Result<&TenantStore, String> {
        let store = self.tenants.get(&number);
        store.map(|store| &**store).ok_or_else(|| format!("tenant {number} is not known"))
    }

    fn done(self) -> HashMap<Tenant, Arc<TenantStore>> {
        let stores = self.tenants.into_values();
        stores
            .map(|store| {
                store.head.replay_done();
                (store.head.tenant.clone(), store)
            })
            .collect()
    }
}
