//! `trefoil serve`: the server's life, from the configuration to a clean end.

mod flags;
mod listeners;
mod metrics;
mod own_metrics;
mod scraping;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::print;
use crate::config::{self, RawConfig};
use crate::stop;

pub(crate) use listeners::{Listeners, Taken};
pub(crate) use scraping::Scraping;
pub(crate) use server::Server;

/// Arguments of `trefoil serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file; every setting has a default, and `TREFOIL_…` variables go over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the data; over the setting data_dir.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Allow listening beyond loopback without keys.
    #[arg(long)]
    insecure: bool,
}

impl Args {
    /// The settings of the file, the environment and these arguments.
    fn settings(&self) -> anyhow::Result<RawConfig> {
        let mut raw = config::load(self.config.as_deref())?;
        if let Some(path) = &self.data_dir {
            raw.set("data_dir", "--data-dir", &path.display().to_string());
        }
        if self.insecure {
            raw.set("insecure", "--insecure", "true");
        }
        Ok(raw)
    }
}

/// Runs the server until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.settings()?.parse()?;
    let shutdown = stop::on_signal()?;
    let listeners = Listeners::bind(&config.listen, Taken::Refuse).await?;
    let server = Server::start(config, listeners, shutdown.clone()).await?;
    print(&server.greeting());
    shutdown.cancelled().await;
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}
