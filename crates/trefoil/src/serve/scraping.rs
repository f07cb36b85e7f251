//! What `prometheus.yml` says, and what runs by it: scraping, rules, forwarding.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, anyhow};
use api::prometheus::notifications::Notifications;
use ingest::forward::{Forwarder, Forwarding};
use ingest::otlp::metrics::{OtlpMetrics, Translation};
use ingest::prometheus::Config;
use ingest::scrape;
use model::Tenant;
use stdx::clock::{Clock, UnixNanos};
use stdx::memory::Budget;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What it works with.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The `prometheus.yml`.
    pub(super) path: Option<PathBuf>,
    /// Where queues of what is to be forwarded are.
    pub(super) directory: PathBuf,
    /// Where samples go: to the engine, and on from there.
    pub(super) sink: Arc<Forwarding>,
    /// What pages, batches and requests are counted in.
    pub(super) memory: Budget,
    /// What rules ask.
    pub(super) query: Arc<dyn alert::Query>,
    /// Where rules write.
    pub(super) append: Arc<dyn alert::Append>,
    /// `$externalURL` in templates.
    pub(super) external_url: String,
    /// The time.
    pub(super) clock: Clock,
    /// Decides when in an interval things are done; another one for each process.
    pub(super) seed: u64,
    /// What takes OTLP in, by the file's section `otlp`.
    pub(super) otlp: Vec<OtlpMetrics>,
}

/// Everything that runs by a `prometheus.yml`, which may be read again meanwhile.
#[derive(Debug)]
pub(crate) struct Scraping {
    setup: Setup,
    manager: scrape::Manager,
    rules: alert::Manager,
    config: RwLock<Arc<Config>>,
    loaded: AtomicBool,
    loaded_at: AtomicI64,
    notifications: Notifications,
}

/// As Prometheus says it.
const RELOAD_FAILED: &str = "Configuration reload has failed.";
const SHUTTING_DOWN: &str = "The server is shutting down and gracefully stopping all operations.";

impl Scraping {
    /// Starts what `config`, the file as it is now, says.
    pub(super) async fn start(setup: Setup, config: Config) -> anyhow::Result<Scraping> {
        *setup.sink.forwarder.write() = Arc::new(forwarder(&setup, &config)?);
        let scraping = scrape::Setup {
            sink: Arc::clone(&setup.sink) as Arc<dyn ingest::MetricSink>,
            tenant: Tenant::default_tenant(),
            clock: setup.clock.clone(),
            memory: setup.memory.clone(),
            seed: setup.seed,
            options: scrape::Options::default(),
        };
        let options = alert::Options { seed: setup.seed, ..alert::Options::default() };
        let rules = alert::Manager::start(
            Arc::clone(&setup.query),
            Arc::clone(&setup.append),
            setup.clock.clone(),
            options,
            rules_of(&setup, &config),
        );
        let rules = rules.await.map_err(|problems| anyhow!("{}", problems.join("\n")))?;
        let manager = scrape::Manager::start(scraping, &config).await;
        let manager = manager.context("cannot start scraping")?;
        let loaded_at = AtomicI64::new(setup.clock.now());
        let config = RwLock::new(Arc::new(config));
        let notifications = Notifications::new(setup.clock.clone());
        let loaded = AtomicBool::new(true);
        Ok(Scraping { setup, manager, rules, config, loaded, loaded_at, notifications })
    }

    /// Reads the file again. When it is wrong, everything goes on as it was.
    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        let applied = self.apply().await;
        self.loaded.store(applied.is_ok(), Ordering::Relaxed);
        if applied.is_ok() {
            self.loaded_at.store(self.setup.clock.now(), Ordering::Relaxed);
            self.notifications.remove(RELOAD_FAILED);
            tracing::info!("the configuration was read again");
        } else {
            self.notifications.add(RELOAD_FAILED);
        }
        applied
    }

    async fn apply(&self) -> anyhow::Result<()> {
        let config = load(self.setup.path.as_ref())?;
        // All that can fail comes first, so that nothing is taken over by halves.
        let rules = self.rules.prepare(rules_of(&self.setup, &config));
        let rules = rules.map_err(|problems| anyhow!("{}", problems.join("\n")))?;
        let jobs = self.manager.prepare(&config)?;
        self.change_forwarder(&config).await?;
        self.rules.commit(rules).await;
        self.manager.commit(jobs).await;
        for otlp in &self.setup.otlp {
            otlp.translate_by(Translation::from(&config.otlp));
        }
        if config.storage != self.config().storage {
            tracing::warn!("the section storage has changed, which takes effect at the next start");
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    /// Forwards as `config` says; on error as before.
    async fn change_forwarder(&self, config: &Config) -> anyhow::Result<()> {
        let old = self.config();
        let external_labels = config.global.external_labels == old.global.external_labels;
        if config.remote_write == old.remote_write && external_labels {
            return Ok(());
        }
        let before = Arc::clone(&self.setup.sink.forwarder.read());
        // Its queues are those of the new one.
        before.stop().await;
        let (changed, result) = match forwarder(&self.setup, config) {
            Ok(changed) => (changed, Ok(())),
            Err(error) => (forwarder(&self.setup, &old)?, Err(error)),
        };
        *self.setup.sink.forwarder.write() = Arc::new(changed);
        result
    }

    /// What users of the pages should know.
    pub(crate) fn notifications(&self) -> &Notifications {
        &self.notifications
    }

    /// What the file says.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The jobs and their targets.
    pub(crate) fn manager(&self) -> &scrape::Manager {
        &self.manager
    }

    /// The rules.
    pub(crate) fn rules(&self) -> &alert::Manager {
        &self.rules
    }

    /// Whether the file was good when it was last read.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    /// When a good one was last read.
    pub(crate) fn loaded_at(&self) -> UnixNanos {
        self.loaded_at.load(Ordering::Relaxed)
    }

    /// Ends all of it.
    pub(super) async fn stop(&self) {
        self.notifications.add(SHUTTING_DOWN);
        self.manager.stop().await;
        self.rules.stop().await;
        let forwarder = Arc::clone(&self.setup.sink.forwarder.read());
        forwarder.stop().await;
    }
}

/// Reads the file; without one nothing is scraped.
pub(super) fn load(path: Option<&PathBuf>) -> anyhow::Result<Config> {
    #[expect(clippy::disallowed_methods, reason = "external_labels may name variables")]
    let environment = |name: &str| std::env::var(name).ok();
    let config = match path {
        Some(path) => Config::load(path, &environment)?,
        None => Config::parse("", &PathBuf::new(), &environment)?,
    };
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    Ok(config)
}

fn rules_of(setup: &Setup, config: &Config) -> alert::Rules {
    let files = config.rule_files.iter().flat_map(|pattern| ingest::prometheus::glob(pattern));
    alert::Rules {
        files: files.collect(),
        interval: config.global.evaluation_interval,
        query_offset: config.global.rule_query_offset,
        surroundings: alert::Surroundings {
            external_labels: config.global.external_labels.clone(),
            external_url: setup.external_url.clone(),
        },
    }
}

fn forwarder(setup: &Setup, config: &Config) -> anyhow::Result<Forwarder> {
    let forwarding = ingest::forward::Setup {
        directory: setup.directory.clone(),
        clock: setup.clock.clone(),
        seed: setup.seed,
        memory: setup.memory.clone(),
        external_labels: config.global.external_labels.clone(),
        options: ingest::forward::Options::default(),
    };
    Ok(Forwarder::start(&config.remote_write, &forwarding)?)
}

/// Reads the file again at each SIGHUP.
pub(super) fn reload_on_hangup(
    scraping: &Arc<Scraping>,
    stopping: &CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot watch for SIGHUP")?;
    let scraping = Arc::clone(scraping);
    stdx::task::spawn("reload", stopping, async move {
        while hangup.recv().await.is_some() {
            if let Err(error) = scraping.reload().await {
                tracing::error!("the configuration stays as it was: {error:#}");
            }
        }
    });
    Ok(())
}
