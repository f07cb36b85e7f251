//! What the log says, done again on several threads.
//!
//! One thread reads; the others do what concerns series, each for the shards of its own, in the
//! order of the log. What concerns all shards at once waits until they have done all before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use hashbrown::HashMap;
use model::Tenant;
use model::metric::{Exemplar, Float, HistogramSample, Labels};

use super::{Places, TenantStore};
use crate::head::{SHARDS, shard_of_number};
use crate::options::Options;
use crate::wal::Record;

/// More threads than this find nothing to do.
const THREADS_MAX: usize = SHARDS as usize;

/// What is handed to a thread at once.
const ITEMS: usize = 4096;

/// What may wait for a thread, in such portions.
const PORTIONS_MAX: usize = 4;

type Stores = HashMap<u32, Arc<TenantStore>>;

/// A replay that goes on.
pub(super) struct Replay<'scope> {
    options: &'scope Options,
    places: &'scope Places,
    stores: Arc<Stores>,
    lanes: Vec<Lane<'scope>>,
    /// Counts exemplars.
    exemplars: u64,
    /// Those whose labels are in the log.
    kept: Kept,
}

/// The way to a thread.
struct Lane<'scope> {
    jobs: SyncSender<Job>,
    items: Vec<Item>,
    thread: ScopedJoinHandle<'scope, Result<Kept, String>>,
}

enum Job {
    Do(Arc<Stores>, Vec<Item>),
    /// Answers when all before is done.
    Wait(Sender<()>),
}

/// Something of one series.
struct Item {
    tenant: u32,
    series: u32,
    what: What,
}

enum What {
    Series(Labels),
    Float(Float),
    Histogram(Box<HistogramSample>),
    Stored(Box<[u8]>),
    Exemplar(Box<(u64, Exemplar)>),
}

/// The newest exemplars of each tenant that a thread has come by, with their places in the log: their
/// order counts among all series.
#[derive(Default)]
struct Kept {
    max: usize,
    tenants: HashMap<u32, VecDeque<(u64, Labels, Exemplar)>>,
}

impl Kept {
    fn push(&mut self, tenant: u32, place: u64, labels: Labels, exemplar: Exemplar) {
        let ring = self.tenants.entry(tenant).or_default();
        if ring.len() >= self.max {
            ring.pop_front();
        }
        ring.push_back((place, labels, exemplar));
    }
}

impl<'scope> Replay<'scope> {
    /// Starts the threads.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        options: &'scope Options,
        places: &'scope Places,
        threads: usize,
    ) -> Replay<'scope> {
        let exemplars_max = options.exemplars_max_per_tenant;
        let lane = |_| {
            let (jobs, receiver) = sync_channel(PORTIONS_MAX);
            let thread = scope.spawn(move || work(&receiver, exemplars_max));
            Lane { jobs, items: Vec::with_capacity(ITEMS), thread }
        };
        let lanes = (0..threads.clamp(1, THREADS_MAX)).map(lane).collect();
        let kept = Kept { max: exemplars_max, ..Kept::default() };
        Replay { options, places, stores: Arc::default(), lanes, exemplars: 0, kept }
    }

    /// Does a record again, or has it done.
    pub(super) fn apply(&mut self, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::Tenant { tenant, name } => self.tenant_begins(tenant, name)?,
            Record::Series { tenant, series, labels } => {
                self.put(tenant, series, What::Series(Labels::from_canonical(labels)))?;
            }
            Record::Floats { tenant, mut floats } => {
                self.store(tenant)?;
                while let Some((series, float)) = floats.next() {
                    self.put_known(tenant, series, What::Float(float))?;
                }
                if !floats.is_done() {
                    return Err("samples cannot be read".to_owned());
                }
            }
            Record::Histogram { tenant, series, sample } => {
                self.put(tenant, series, What::Histogram(sample))?;
            }
            Record::Exemplar { tenant, series, exemplar } => {
                self.exemplars += 1;
                let what = What::Exemplar(Box::new((self.exemplars, exemplar)));
                self.put(tenant, series, what)?;
            }
            Record::ExemplarOf { tenant, labels, exemplar } => {
                self.store(tenant)?;
                self.exemplars += 1;
                let labels = Labels::from_canonical(labels);
                self.kept.push(tenant, self.exemplars, labels, exemplar);
            }
            Record::Stored { tenant, series, stored } => {
                self.put(tenant, series, What::Stored(Box::from(stored)))?;
            }
            Record::Metadata { tenant, metadata } => {
                self.store(tenant)?.head.metadata.write().put(&metadata);
            }
            Record::CutBegun { tenant, cut } => {
                self.wait()?;
                self.store(tenant)?.head.cut_begun(cut);
            }
            Record::CutEnded { tenant, cut, epoch } => {
                self.wait()?;
                self.store(tenant)?.head.replay_cut_ended(cut, epoch);
            }
            Record::Deleted { tenant, start, end, series } => {
                self.wait()?;
                self.store(tenant)?.head.delete_series(&series, start, end);
            }
            Record::State { tenant, epoch, cut, newest } => {
                self.wait()?;
                self.store(tenant)?.head.replay_state(epoch, cut, newest);
            }
        }
        Ok(())
    }

    fn tenant_begins(&mut self, number: u32, name: &str) -> Result<(), String> {
        let name = Tenant::parse(name).map_err(|error| error.to_string())?;
        if !self.stores.contains_key(&number) {
            let store = TenantStore::new(name, number, self.options, self.places);
            let store = store.map_err(|error| error.to_string())?;
            Arc::make_mut(&mut self.stores).insert(number, Arc::new(store));
        }
        Ok(())
    }

    fn store(&self, number: u32) -> Result<&TenantStore, String> {
        let store = self.stores.get(&number);
        store.map(|store| &**store).ok_or_else(|| unknown(number))
    }

    fn put(&mut self, tenant: u32, series: u32, what: What) -> Result<(), String> {
        self.store(tenant)?;
        self.put_known(tenant, series, what)
    }

    fn put_known(&mut self, tenant: u32, series: u32, what: What) -> Result<(), String> {
        let at = shard_of_number(series) % self.lanes.len();
        let lane = &mut self.lanes[at];
        lane.items.push(Item { tenant, series, what });
        if lane.items.len() >= ITEMS { lane.send(&self.stores) } else { Ok(()) }
    }

    /// Waits until all threads have done all that was given to them.
    fn wait(&mut self) -> Result<(), String> {
        let (done, all_done) = channel();
        for lane in &mut self.lanes {
            lane.send(&self.stores)?;
            lane.jobs.send(Job::Wait(done.clone())).map_err(|_| ended())?;
        }
        drop(done);
        // The channel ends when the last thread has answered.
        while all_done.recv().is_ok() {}
        Ok(())
    }

    /// Ends the threads; the tenants with all that the log knows.
    pub(super) fn done(self) -> Result<HashMap<Tenant, Arc<TenantStore>>, String> {
        let Replay { stores, lanes, kept, .. } = self;
        let threads = lanes.len();
        let mut exemplars = kept.tenants;
        for mut lane in lanes {
            let sent = lane.send(&stores);
            drop(lane.jobs);
            for (tenant, kept) in lane.thread.join().map_err(|_| ended())??.tenants {
                exemplars.entry(tenant).or_default().extend(kept);
            }
            sent?;
        }
        for (tenant, mut kept) in exemplars {
            let Some(store) = stores.get(&tenant) else { continue };
            kept.make_contiguous().sort_unstable_by_key(|(place, ..)| *place);
            for (_, labels, exemplar) in &kept {
                store.head.replay_exemplar(labels, exemplar);
            }
        }
        let stores = Arc::unwrap_or_clone(stores).into_values();
        Ok(stores
            .map(|store| {
                store.head.replay_done(threads);
                (store.head.tenant.clone(), store)
            })
            .collect())
    }
}

impl Lane<'_> {
    fn send(&mut self, stores: &Arc<Stores>) -> Result<(), String> {
        if self.items.is_empty() {
            return Ok(());
        }
        let items = std::mem::replace(&mut self.items, Vec::with_capacity(ITEMS));
        self.jobs.send(Job::Do(Arc::clone(stores), items)).map_err(|_| ended())
    }
}

fn unknown(tenant: u32) -> String {
    format!("tenant {tenant} is not known")
}

fn ended() -> String {
    "a thread of the replay has ended".to_owned()
}

/// A thread's work. After a failure it does nothing more, but takes what it is given.
fn work(jobs: &Receiver<Job>, exemplars_max: usize) -> Result<Kept, String> {
    let mut kept = Kept { max: exemplars_max, ..Kept::default() };
    let mut result = Ok(());
    for job in jobs {
        match job {
            Job::Do(stores, items) if result.is_ok() => {
                result = apply(&stores, items, &mut kept);
            }
            Job::Do(..) => {}
            Job::Wait(done) => drop(done),
        }
    }
    result.map(|()| kept)
}

fn apply(stores: &Stores, items: Vec<Item>, kept: &mut Kept) -> Result<(), String> {
    let mut current: Option<(u32, &TenantStore, crate::head::Samples<'_>)> = None;
    for Item { tenant, series, what } in items {
        if current.as_ref().is_none_or(|(of, ..)| *of != tenant) {
            let store = stores.get(&tenant).ok_or_else(|| unknown(tenant))?;
            current = Some((tenant, store, store.head.replay_samples()));
        }
        let Some((_, store, samples)) = &mut current else { continue };
        match what {
            What::Series(labels) => store.head.replay_series(series, labels)?,
            What::Float(float) => samples.float(series, &float)?,
            What::Histogram(sample) => samples.histogram(series, &sample)?,
            What::Stored(bytes) => store.head.replay_stored(series, &bytes)?,
            What::Exemplar(exemplar) => {
                let Some(labels) = store.head.labels(series) else { continue };
                let (place, exemplar) = *exemplar;
                kept.push(tenant, place, labels, exemplar);
            }
        }
    }
    Ok(())
}
