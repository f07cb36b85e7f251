//! The part of the server that is about metrics: the engine and what writes to it and asks it.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use stdx::clock::Clock;
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use super::scraping::{Scraping, reload_on_hangup};
use crate::config::Config;
use crate::memory::Shares;
use crate::wiring::series::MetricsSink;

/// The engine with its protocols.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) tsdb: Arc<Tsdb>,
    receiver: ingest::MetricReceiver,
    scraping: Arc<Scraping>,
}

impl Metrics {
    /// Opens the engine and replays its log.
    pub(super) async fn open(
        config: &Config,
        shares: &Shares,
        clock: &Clock,
        stopping: &CancellationToken,
    ) -> anyhow::Result<Metrics> {
        let options = options(config, shares);
        let opening = clock.clone();
        let tsdb = tokio::task::spawn_blocking(move || Tsdb::open(options, opening)).await?;
        let tsdb = Arc::new(tsdb.context("cannot open the store of metrics")?);
        let sink = Arc::new(MetricsSink(Arc::clone(&tsdb)));
        let mut options = ingest::MetricReceiverOptions::new(
            sink.clone(),
            shares.requests.clone(),
            clock.clone(),
        );
        options.body_timeout = config.ingest.body_timeout;
        let path = config.metrics.prometheus.clone();
        let memory = shares.requests.clone();
        let scraping = Arc::new(Scraping::start(path, sink, memory, clock.clone()).await?);
        reload_on_hangup(&scraping, stopping)?;
        let receiver = ingest::MetricReceiver::new(options);
        Ok(Metrics { tsdb, receiver, scraping })
    }

    /// Prometheus's HTTP API, under whatever prefix it is mounted.
    pub(super) fn router(&self, auth: &api::Auth) -> Router {
        ingest::remote::router(self.receiver.clone()).layer(api::AuthLayer::http(auth.clone()))
    }

    /// Writes all that waits to the log. Requests are refused from here on.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.scraping.manager().stop().await;
        tokio::task::spawn_blocking(move || self.tsdb.shutdown()).await?;
        Ok(())
    }
}

fn options(config: &Config, shares: &Shares) -> tsdb::Options {
    let mut options = tsdb::Options::new(config.data_dir.join("metrics"));
    options.memory = shares.metrics.clone();
    options.late_window = config.metrics.out_of_order_window;
    options.series_max_per_tenant = config.metrics.series_max;
    options
}
