//! Scraping: pages of metrics are fetched from targets at intervals and written to a
//! [`MetricSink`].
//!
//! A [`Manager`] runs the jobs of a [`Config`]. It promises what Prometheus does: targets are spread
//! over the interval, a page is taken whole or not at all, `up` and its companions are written for
//! every attempt, and a series that is gone ends with a stale marker. A reload leaves targets alone
//! whose job did not change. A series that is there again costs no work on labels: its text as it
//! stands on the page is looked up in a cache.

mod cache;
mod custom_buckets;
mod fetch;
mod page;
mod pool;
mod runner;
mod state;
mod target;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Tenant;
use model::metric::Labels;
use parking_lot::RwLock;
use stdx::clock::Clock;
use stdx::memory::Budget;

use self::pool::Pool;
pub use self::state::{Health, PoolState, TargetMetadata, TargetState};
pub(crate) use self::target::of_group;
use crate::MetricSink;
use crate::outgoing::OutgoingError;
use crate::prometheus::Config;
use crate::relabel;

/// How much scraping may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The largest page after decompression, bytes, whatever a job allows.
    pub body_bytes_max: usize,
    /// Scrapes at the same time; others wait their turn.
    pub concurrent_scrapes_max: usize,
    /// `_created` samples become start timestamps instead of series.
    pub start_timestamps: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            body_bytes_max: 256 << 20,
            concurrent_scrapes_max: 1_000,
            start_timestamps: false,
        }
    }
}

/// What a [`Manager`] works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where samples go.
    pub sink: Arc<dyn MetricSink>,
    /// Whose samples they are.
    pub tenant: Tenant,
    /// The time.
    pub clock: Clock,
    /// What pages and batches are counted in.
    pub memory: Budget,
    /// Decides when in an interval targets are scraped; another one for each replica.
    pub seed: u64,
    /// Limits.
    pub options: Options,
}

/// Runs the jobs of a configuration.
#[derive(Debug)]
pub struct Manager {
    shared: Arc<Shared>,
    pools: RwLock<BTreeMap<String, Arc<Pool>>>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
}

/// A reload of which nothing can fail any more.
#[derive(Debug)]
pub struct Prepared(Vec<pool::Settings>);

/// What all scrapes share.
#[derive(Debug)]
struct Shared {
    setup: Setup,
    turns: tokio::sync::Semaphore,
}

impl Manager {
    /// Starts the jobs of `config`.
    pub async fn start(setup: Setup, config: &Config) -> Result<Manager, OutgoingError> {
        let turns = tokio::sync::Semaphore::new(setup.options.concurrent_scrapes_max.max(1));
        let manager = Manager {
            shared: Arc::new(Shared { setup, turns }),
            pools: RwLock::default(),
            reloading: tokio::sync::Mutex::new(()),
        };
        manager.reload(config).await?;
        Ok(manager)
    }

    /// Makes `config` the one that counts. Jobs that are the same go on as if nothing had happened;
    /// series of jobs that are gone end. On error everything stays as it was.
    pub async fn reload(&self, config: &Config) -> Result<(), OutgoingError> {
        let prepared = self.prepare(config)?;
        self.commit(prepared).await;
        Ok(())
    }

    /// Does all of a reload that can fail, and changes nothing.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, OutgoingError> {
        let settings = |job| pool::Settings::new(job, &self.shared.setup);
        Ok(Prepared(config.jobs.iter().map(settings).collect::<Result<_, _>>()?))
    }

    /// Does what was prepared.
    pub async fn commit(&self, prepared: Prepared) {
        let _one = self.reloading.lock().await;
        let mut gone = self.pools.read().clone();
        for settings in prepared.0 {
            let name = settings.job.name.clone();
            if let Some(pool) = gone.remove(&name) {
                pool.reload(settings);
            } else {
                let pool = Pool::start(Arc::clone(&self.shared), settings);
                self.pools.write().insert(name, pool);
            }
        }
        for (name, pool) in gone {
            self.pools.write().remove(&name);
            pool.stop(runner::End::Vanished).await;
        }
    }

    /// The configuration of a job as YAML, without secrets.
    #[must_use]
    pub fn pool_config(&self, name: &str) -> Option<String> {
        Some(self.pools.read().get(name)?.settings().job.text.clone())
    }

    /// What the rules of a job do to the labels of a target.
    #[must_use]
    pub fn relabel_steps(&self, name: &str, labels: &Labels) -> Option<Vec<relabel::Step>> {
        let settings = self.pools.read().get(name)?.settings();
        Some(relabel::trace(&settings.job.relabel, labels))
    }

    /// The jobs with their targets, by name.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolState> {
        self.pools.read().values().map(|pool| pool.state()).collect()
    }

    /// What targets say about their metrics: those with `metric`, or all.
    #[must_use]
    pub fn metadata(&self, metric: Option<&str>) -> Vec<TargetMetadata> {
        self.pools.read().values().flat_map(|pool| pool.metadata(metric)).collect()
    }

    /// Ends all scraping. Series are not marked as ended: the next start goes on with them.
    pub async fn stop(&self) {
        let _one = self.reloading.lock().await;
        let pools = std::mem::take(&mut *self.pools.write());
        for pool in pools.into_values() {
            pool.stop(runner::End::Shutdown).await;
        }
    }
}
