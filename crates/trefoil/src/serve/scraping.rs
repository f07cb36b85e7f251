//! What `prometheus.yml` says, and what runs by it: scraping, rules, forwarding.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, anyhow};
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
}

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
            rules_of(&config),
        );
        let rules = rules.await.map_err(|problems| anyhow!("{}", problems.join("\n")))?;
        let manager = scrape::Manager::start(scraping, &config).await;
        let manager = manager.context("cannot start scraping")?;
        let loaded_at = AtomicI64::new(setup.clock.now());
        let config = RwLock::new(Arc::new(config));
        Ok(Scraping { setup, manager, rules, config, loaded: AtomicBool::new(true), loaded_at })
    }

    /// Reads the file again. When it is wrong, everything goes on as it was.
    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        let applied = self.apply().await;
        self.loaded.store(applied.is_ok(), Ordering::Relaxed);
        if applied.is_ok() {
            self.loaded_at.store(self.setup.clock.now(), Ordering::Relaxed);
            tracing::info!("the configuration was read again");
        }
        applied
    }

    async fn apply(&self) -> anyhow::Result<()> {
        let config = load(self.setup.path.as_ref())?;
        let rules = self.rules.reload(rules_of(&config)).await;
        rules.map_err(|problems| anyhow!("{}", problems.join("\n")))?;
        self.manager.reload(&config).await?;
        for otlp in &self.setup.otlp {
            otlp.translate_by(Translation::from(&config.otlp));
        }
        if config.storage != self.config().storage {
            tracing::warn!("the section storage has changed, which takes effect at the next start");
        }
        let changed = config.remote_write != self.config().remote_write;
        if changed {
            let old = Arc::clone(&self.setup.sink.forwarder.read());
            // Its queues are those of the new one.
            old.stop().await;
            *self.setup.sink.forwarder.write() = Arc::new(forwarder(&self.setup, &config)?);
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
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

fn rules_of(config: &Config) -> alert::Rules {
    let files = config.rule_files.iter().flat_map(|pattern| ingest::prometheus::glob(pattern));
    alert::Rules {
        files: files.collect(),
        interval: config.global.evaluation_interval,
        query_offset: config.global.rule_query_offset,
        surroundings: alert::Surroundings {
            external_labels: config.global.external_labels.clone(),
            ..alert::Surroundings::default()
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
