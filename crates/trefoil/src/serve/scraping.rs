//! What `prometheus.yml` says, and what runs by it: scraping.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use ingest::MetricSink;
use ingest::prometheus::Config;
use ingest::scrape::{Manager, Options, Setup};
use model::Tenant;
use stdx::clock::Clock;
use stdx::memory::Budget;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The jobs of a `prometheus.yml`, which may be read again while they run.
#[derive(Debug)]
pub(crate) struct Scraping {
    path: Option<PathBuf>,
    manager: Manager,
    config: std::sync::RwLock<Arc<Config>>,
}

impl Scraping {
    /// Starts the jobs of the file, if one is named.
    pub(crate) async fn start(
        path: Option<PathBuf>,
        sink: Arc<dyn MetricSink>,
        memory: Budget,
        clock: Clock,
    ) -> anyhow::Result<Scraping> {
        let config = load(path.as_ref())?;
        let setup = Setup {
            sink,
            tenant: Tenant::default_tenant(),
            clock,
            memory,
            seed: u64::from(uuid::Uuid::new_v4().as_fields().0),
            options: Options::default(),
        };
        let manager = Manager::start(setup, &config).await.context("cannot start scraping")?;
        Ok(Scraping { path, manager, config: std::sync::RwLock::new(Arc::new(config)) })
    }

    /// Reads the file again. When it is wrong, everything goes on as it was.
    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        let config = load(self.path.as_ref())?;
        self.manager.reload(&config).await?;
        *self.config.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(config);
        tracing::info!("the configuration was read again");
        Ok(())
    }

    /// What the file says.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The jobs and their targets.
    pub(crate) fn manager(&self) -> &Manager {
        &self.manager
    }
}

fn load(path: Option<&PathBuf>) -> anyhow::Result<Config> {
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
