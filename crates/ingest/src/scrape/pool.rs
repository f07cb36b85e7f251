//! The targets of one job.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::metric::Labels;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::runner::{self, End, Running};
use super::state::{PoolState, TargetMetadata, TargetState};
use super::target::{Outcome, Target, of_group};
use super::{Setup, Shared, fetch};
use crate::discovery::{self, Found};
use crate::outgoing::{Outgoing, OutgoingError};
use crate::prometheus::Job;
use crate::prometheus::discovery::Group;

/// What scrapes of a job go by.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) job: Job,
    pub(super) outgoing: Outgoing,
    /// Another one for every change.
    pub(super) generation: u64,
    /// Why nothing is scraped: there are too many targets.
    pub(super) refusal: Mutex<Option<String>>,
}

/// Numbers settings, so that caches know when they are out of date.
static GENERATION: AtomicU64 = AtomicU64::new(1);

impl Settings {
    pub(super) fn new(job: &Job, setup: &Setup) -> Result<Settings, OutgoingError> {
        let outgoing = Outgoing::new(&job.http, setup.clock.clone()).map_err(|error| {
            OutgoingError(format!("error creating HTTP client for job {:?}: {error}", job.name))
        })?;
        Ok(Settings {
            job: job.clone(),
            outgoing,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            refusal: Mutex::new(None),
        })
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    settings: Mutex<Arc<Settings>>,
    targets: Mutex<Targets>,
    discovery: Mutex<CancellationToken>,
}

/// A target by its labels and address.
type Key = (Labels, String);

#[derive(Debug, Default)]
struct Targets {
    running: HashMap<Key, (Arc<Running>, JoinHandle<()>)>,
    dropped: Vec<BTreeMap<String, String>>,
    dropped_count: usize,
    errors: Vec<String>,
    stopped: bool,
    /// What discovery said last.
    groups: Arc<Vec<Group>>,
}

impl Pool {
    pub(super) fn start(shared: Arc<Shared>, settings: Settings) -> Arc<Pool> {
        let pool = Arc::new(Pool {
            shared,
            settings: Mutex::new(Arc::new(settings)),
            targets: Mutex::default(),
            discovery: Mutex::default(),
        });
        pool.discover(false);
        pool
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock())
    }

    /// Takes other settings; nothing happens when the job is the same.
    pub(super) fn reload(self: &Arc<Pool>, settings: Settings) {
        let old = self.settings();
        if old.job == settings.job {
            return;
        }
        let same_discovery = old.job.discovery == settings.job.discovery;
        *self.settings.lock() = Arc::new(settings);
        if same_discovery {
            let groups = Arc::clone(&self.targets.lock().groups);
            self.sync(groups);
        } else {
            self.discover(true);
        }
    }

    /// Starts discovery; what runs goes on until the new one has found everything.
    fn discover(self: &Arc<Pool>, wait_for_all: bool) {
        let setup = &self.shared.setup;
        let settings = self.settings();
        let shutdown = CancellationToken::new();
        std::mem::replace(&mut *self.discovery.lock(), shutdown.clone()).cancel();
        let mut found =
            discovery::start(&settings.job.discovery, &setup.clock, setup.seed, &shutdown);
        if !wait_for_all {
            self.sync(found.groups());
        }
        let pool = Arc::clone(self);
        drop(stdx::task::spawn("scrape discovery", &shutdown, async move {
            if wait_for_all {
                let all = found.all_answered();
                // Whoever has not answered by then has found nothing.
                let _late = tokio::time::timeout(Duration::from_secs(5), all).await;
                pool.sync(found.groups());
            }
            follow(&pool, &mut found).await;
        }));
    }

    /// Starts and stops targets, so that those of `groups` run.
    fn sync(self: &Arc<Pool>, groups: Arc<Vec<Group>>) {
        let settings = self.settings();
        let wanted = Wanted::of(&settings.job, &groups);
        let limit = settings.job.target_limit;
        let count = wanted.targets.len();
        *settings.refusal.lock() = (limit > 0 && u64::try_from(count).unwrap_or(u64::MAX) > limit)
            .then(|| format!("target_limit exceeded (number of targets: {count}, limit: {limit})"));
        for error in &wanted.errors {
            warn!(job = settings.job.name, error, "target not scraped");
        }
        let mut targets = self.targets.lock();
        if targets.stopped {
            return;
        }
        targets.groups = groups;
        targets.dropped = wanted.dropped;
        targets.dropped_count = wanted.dropped_count;
        targets.errors = wanted.errors;
        targets.running.retain(|key, (running, _)| {
            let stays = wanted.targets.contains_key(key);
            if !stays {
                running.stop(End::Vanished);
            }
            stays
        });
        for (key, target) in wanted.targets {
            if let Some((running, _)) = targets.running.get(&key) {
                running.update(target);
                continue;
            }
            let running = Running::new(target);
            let run = runner::run(Arc::clone(&self.shared), Arc::clone(self), Arc::clone(&running));
            let task = stdx::task::spawn_to_end("scrape", run);
            targets.running.insert(key, (running, task));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        metrics::gauge!("trefoil_scrape_targets", "job" => settings.job.name.clone())
            .set(targets.running.len() as f64);
    }

    pub(super) async fn stop(&self, end: End) {
        self.discovery.lock().cancel();
        let running = {
            let mut targets = self.targets.lock();
            targets.stopped = true;
            std::mem::take(&mut targets.running)
        };
        for (running, _) in running.values() {
            running.stop(end);
        }
        for (_, task) in running.into_values() {
            if tokio::time::timeout(fetch::STOP_TIMEOUT, task).await.is_err() {
                warn!("a scrape did not stop in time");
            }
        }
    }

    pub(super) fn state(&self) -> PoolState {
        let name = self.settings().job.name.clone();
        let targets = self.targets.lock();
        let mut active: Vec<TargetState> =
            targets.running.values().map(|(running, _)| state_of(&name, running)).collect();
        active
            .sort_by(|a, b| a.labels.cmp(&b.labels).then_with(|| a.scrape_url.cmp(&b.scrape_url)));
        PoolState {
            active,
            dropped: targets.dropped.clone(),
            dropped_count: targets.dropped_count,
            errors: targets.errors.clone(),
            name,
        }
    }

    pub(super) fn metadata(&self, metric: Option<&str>) -> Vec<TargetMetadata> {
        let targets = self.targets.lock();
        let mut all = Vec::new();
        for (running, _) in targets.running.values() {
            let metadata = Arc::clone(&running.last.lock().metadata);
            let target = label_map(&running.target().labels);
            for one in metadata.iter() {
                if metric.is_none_or(|metric| one.metric == metric) {
                    let (target, metadata) = (target.clone(), one.clone());
                    all.push(TargetMetadata { target, metadata });
                }
            }
        }
        all
    }
}

async fn follow(pool: &Arc<Pool>, found: &mut Found) {
    while found.changed().await {
        pool.sync(found.groups());
    }
}

fn label_map(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn state_of(pool: &str, running: &Running) -> TargetState {
    let target = running.target();
    let last = running.last.lock().clone();
    TargetState {
        discovered_labels: target.discovered.clone(),
        labels: label_map(&target.labels),
        scrape_pool: pool.to_owned(),
        scrape_url: target.url.to_string(),
        health: last.health,
        last_error: last.error,
        last_scrape_ms: last.at.div_euclid(1_000_000),
        last_scrape_duration: last.duration.as_secs_f64(),
        scrape_interval: model::duration::format(target.interval),
        scrape_timeout: model::duration::format(target.timeout),
    }
}

/// The targets that should run.
#[derive(Default)]
struct Wanted {
    targets: HashMap<Key, Target>,
    dropped: Vec<BTreeMap<String, String>>,
    dropped_count: usize,
    errors: Vec<String>,
}

impl Wanted {
    fn of(job: &Job, groups: &[Group]) -> Wanted {
        let mut wanted = Wanted::default();
        let most = match usize::try_from(job.keep_dropped_targets).unwrap_or(usize::MAX) {
            0 => usize::MAX,
            most => most,
        };
        for group in groups {
            let (outcomes, errors) = of_group(job, group);
            wanted.errors.extend(errors);
            for outcome in outcomes {
                match outcome {
                    Outcome::Kept(target) => {
                        wanted.targets.insert(target.key(), *target);
                    }
                    Outcome::Dropped(labels) => {
                        wanted.dropped_count += 1;
                        if wanted.dropped.len() < most {
                            wanted.dropped.push(labels);
                        }
                    }
                }
            }
        }
        wanted
    }
}
