//! Evaluates groups on time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::metric::{Matcher, NAME_LABEL};
use parking_lot::RwLock;
use stdx::clock::Clock;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::group::Group;
use crate::query::{Append, Query};
use crate::rule::Surroundings;
use crate::rule_file::{self, RuleKind, Strictness};
use crate::state::GroupState;

/// Which rules, and how they are evaluated.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The rule files, wildcards resolved.
    pub files: Vec<PathBuf>,
    /// How often groups are evaluated that do not say.
    pub interval: Duration,
    /// How far before their time they look when they do not say.
    pub query_offset: Duration,
    /// What templates see.
    pub surroundings: Surroundings,
}

/// How the manager works.
#[derive(Debug, Clone)]
pub struct Options {
    /// An alert's waiting time is taken up again after at most such an outage.
    pub outage_tolerance: Duration,
    /// After a restart alerts wait at least so long.
    pub for_grace_period: Duration,
    /// Evaluations of recording rules that an outage prevented are made up for so far back.
    pub catch_up_max: Duration,
    /// Groups evaluated at the same time.
    pub concurrent_groups_max: usize,
    /// Decides when in its interval a group is evaluated.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            outage_tolerance: Duration::from_secs(3_600),
            for_grace_period: Duration::from_secs(600),
            catch_up_max: Duration::from_secs(300),
            concurrent_groups_max: 16,
            seed: 0,
        }
    }
}

/// Evaluates groups until it is stopped.
#[derive(Debug)]
pub struct Manager {
    shared: Arc<Shared>,
    running: Mutex<BTreeMap<(PathBuf, String), Running>>,
}

/// A reload of which nothing can fail any more.
#[derive(Debug)]
pub struct Prepared {
    groups: Vec<Group>,
    surroundings: Surroundings,
}

#[derive(Debug)]
struct Shared {
    query: Arc<dyn Query>,
    append: Arc<dyn Append>,
    clock: Clock,
    options: Options,
    surroundings: RwLock<Surroundings>,
    turns: tokio::sync::Semaphore,
    /// What was last seen of each group.
    states: RwLock<BTreeMap<(PathBuf, String), GroupState>>,
}

#[derive(Debug)]
struct Running {
    group: Arc<Mutex<Group>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Manager {
    /// Reads the files and starts. With any error nothing starts.
    pub async fn start(
        query: Arc<dyn Query>,
        append: Arc<dyn Append>,
        clock: Clock,
        options: Options,
        rules: Rules,
    ) -> Result<Manager, Vec<String>> {
        let turns = tokio::sync::Semaphore::new(options.concurrent_groups_max.max(1));
        let manager = Manager {
            shared: Arc::new(Shared {
                query,
                append,
                clock,
                options,
                surroundings: RwLock::default(),
                turns,
                states: RwLock::default(),
            }),
            running: Mutex::default(),
        };
        let prepared = manager.prepare(rules)?;
        manager.apply(prepared, true).await;
        Ok(manager)
    }

    /// Takes other rules. Groups that are the same go on; others take over what rules of the same
    /// name and labels remember. With any error everything stays as it was.
    pub async fn reload(&self, rules: Rules) -> Result<(), Vec<String>> {
        let prepared = self.prepare(rules)?;
        self.commit(prepared).await;
        Ok(())
    }

    /// Does all of a reload that can fail, and changes nothing.
    pub fn prepare(&self, rules: Rules) -> Result<Prepared, Vec<String>> {
        let groups = load(&rules, &*self.shared.query)?;
        Ok(Prepared { groups, surroundings: rules.surroundings })
    }

    /// Does what was prepared.
    pub async fn commit(&self, prepared: Prepared) {
        self.apply(prepared, false).await;
    }

    async fn apply(&self, prepared: Prepared, restore: bool) {
        let Prepared { groups, surroundings } = prepared;
        *self.shared.surroundings.write() = surroundings;
        let mut running = self.running.lock().await;
        let mut old = std::mem::take(&mut *running);
        for mut group in groups {
            let key = (group.file.clone(), group.name.clone());
            let mut restore = restore;
            if let Some(before) = old.remove(&key) {
                if before.group.lock().await.is_same(&group) {
                    running.insert(key, before);
                    continue;
                }
                if let Some(before) = before.end().await {
                    group.take_over(before);
                }
                restore = false;
            }
            if !restore {
                // What was never stored cannot be restored.
                group.rules.iter_mut().for_each(|rule| rule.restored = true);
            }
            running.insert(key, Running::start(Arc::clone(&self.shared), group, restore));
        }
        for (key, gone) in old {
            if let Some(mut group) = gone.end().await {
                let now = self.shared.clock.now().div_euclid(1_000_000);
                group.end(now, &*self.shared.append).await;
            }
            self.shared.states.write().remove(&key);
        }
    }

    /// All groups, by file and name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupState> {
        self.shared.states.read().values().cloned().collect()
    }

    /// Ends evaluation; series stay as they are.
    pub async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock().await);
        for running in running.into_values() {
            drop(running.end().await);
        }
    }
}

/// Reads all files.
fn load(rules: &Rules, query: &dyn Query) -> Result<Vec<Group>, Vec<String>> {
    let mut groups = Vec::new();
    let mut errors = Vec::new();
    // Several patterns may name the same file.
    let files: BTreeSet<&PathBuf> = rules.files.iter().collect();
    for file in files {
        match rule_file::read_file(file, query, Strictness::default()) {
            Ok(read) => {
                let (interval, offset) = (rules.interval, rules.query_offset);
                let group = |group| Group::new(file.clone(), group, interval, offset);
                groups.extend(read.into_iter().map(group));
            }
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(groups) } else { Err(errors) }
}

impl Running {
    fn start(shared: Arc<Shared>, group: Group, restore: bool) -> Running {
        let stop = CancellationToken::new();
        let key = (group.file.clone(), group.name.clone());
        shared.states.write().insert(key, group.state());
        let group = Arc::new(Mutex::new(group));
        let run = run(shared, Arc::clone(&group), stop.clone(), restore);
        Running { group, stop, task: stdx::task::spawn_to_end("rule group", run) }
    }

    /// Stops after the evaluation that is under way; gives the group back.
    async fn end(self) -> Option<Group> {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            warn!(%error, "a group of rules failed");
        }
        Arc::into_inner(self.group).map(Mutex::into_inner)
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

async fn run(
    shared: Arc<Shared>,
    group: Arc<Mutex<Group>>,
    stop: CancellationToken,
    restore: bool,
) {
    let (interval, slot) = {
        let group = group.lock().await;
        (nanos(group.interval).max(1), group.slot(shared.options.seed))
    };
    let now = shared.clock.now();
    let mut last = now - (now - slot).rem_euclid(interval);
    if restore {
        let caught_up = catch_up(&shared, &group, last, interval);
        if stop.run_until_cancelled(caught_up).await.is_none() {
            return;
        }
    }
    let mut evaluations = 0_u64;
    loop {
        let now = shared.clock.now();
        let wait = u64::try_from(last + interval - now).unwrap_or(0);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_nanos(wait)) => {}
        }
        // Moments that went by during the last evaluation are left out, and counted.
        let late = (shared.clock.now() - last).div_euclid(interval).max(1);
        if late > 1 {
            let missed = u64::try_from(late - 1).unwrap_or(0);
            metrics::counter!("trefoil_rules_iterations_missed_total").increment(missed);
        }
        last += late * interval;
        evaluate(&shared, &group, last.div_euclid(1_000_000)).await;
        evaluations += 1;
        // As Prometheus does it: the first evaluation may be too early for what it depends on.
        if restore && evaluations == 2 {
            restore_alerts(&shared, &group).await;
        }
    }
}

async fn evaluate(shared: &Shared, group: &Mutex<Group>, time: i64) {
    let Ok(_turn) = shared.turns.acquire().await else { return };
    let surroundings = shared.surroundings.read().clone();
    let mut group = group.lock().await;
    let _canceled =
        group.evaluate(time, &shared.clock, &*shared.query, &*shared.append, &surroundings).await;
    let key = (group.file.clone(), group.name.clone());
    shared.states.write().insert(key, group.state());
}

async fn restore_alerts(shared: &Shared, group: &Mutex<Group>) {
    let now = shared.clock.now().div_euclid(1_000_000);
    let options = &shared.options;
    let mut group = group.lock().await;
    for rule in &mut group.rules {
        let (tolerance, grace) = (options.outage_tolerance, options.for_grace_period);
        if let Err(error) = rule.restore(now, tolerance, grace, &*shared.query).await {
            warn!(rule = rule.rule.name, %error, "state of alerts not restored");
            rule.restored = true;
        }
    }
}

/// Makes up for the evaluations of recording rules that were missed while this program was away.
async fn catch_up(shared: &Shared, group: &Mutex<Group>, last: i64, interval: i64) {
    let most = nanos(shared.options.catch_up_max);
    let mut group = group.lock().await;
    let only_records = group.rules.iter().all(|rule| rule.rule.kind == RuleKind::Record);
    if most == 0 || !only_records {
        return;
    }
    let offset = nanos(group.offset);
    let (start, end) = (last - most - offset, last - offset);
    let mut newest = None;
    for rule in &group.rules {
        let matcher = Matcher::equal(NAME_LABEL, rule.rule.name.clone());
        let (start, end) = (start.div_euclid(1_000_000), end.div_euclid(1_000_000));
        let Ok(samples) = shared.query.newest(&[matcher], start, end).await else { return };
        newest = newest.max(samples.iter().map(|sample| sample.timestamp).max());
    }
    let Some(newest) = newest else { return };
    let surroundings = shared.surroundings.read().clone();
    let mut count = 0_u32;
    let mut time = last - (most / interval) * interval;
    while time <= last {
        if (time - offset).div_euclid(1_000_000) > newest {
            let result = group
                .evaluate(
                    time.div_euclid(1_000_000),
                    &shared.clock,
                    &*shared.query,
                    &*shared.append,
                    &surroundings,
                )
                .await;
            if result.is_err() {
                return;
            }
            count += 1;
        }
        time += interval;
    }
    if count > 0 {
        info!(group = group.name, evaluations = count, "evaluations made up for");
    }
}
