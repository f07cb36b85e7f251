//! Start: what the log says is done again.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hashbrown::HashMap;
use model::Tenant;
use parking_lot::{Mutex, RwLock};
use stdx::clock::{Clock, Stopwatch};

use super::{Inner, TenantStore, Tsdb};
use crate::error::Error;
use crate::options::Options;
use crate::wal::{self, Record, Wal};

impl Tsdb {
    /// Opens the store and replays its log.
    pub fn open(options: Options, clock: Clock) -> Result<Tsdb, Error> {
        let dir = options.dir.clone();
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let lock = lock(&dir)?;
        let watch = Stopwatch::start();
        let io = Arc::clone(&options.wal.io);
        let found = wal::find(&*io, &dir)?;
        let mut replay = Replay { options: &options, tenants: HashMap::new() };
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
            tenants: RwLock::new(tenants),
            maintenance: Mutex::new(()),
            closing: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Tsdb { inner: Arc::new(inner) })
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
    tenants: HashMap<u32, Arc<TenantStore>>,
}

impl Replay<'_> {
    fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::Tenant { tenant, name } => {
                let name = Tenant::parse(name).map_err(|error| error.to_string())?;
                let options = self.options;
                self.tenants
                    .entry(tenant)
                    .or_insert_with(|| Arc::new(TenantStore::new(name, tenant, options)));
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
