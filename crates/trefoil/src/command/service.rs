//! `trefoil service …`

use std::io::Read as _;
use std::process::ExitCode;

use services::cli::ServiceCommand;
use tokio_util::sync::CancellationToken;

use crate::stop;

/// Arguments of `trefoil service`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop when standard input is closed: the process that started this one is gone.
    #[arg(long, global = true, hide = true)]
    until_stdin_closes: bool,
    #[command(subcommand)]
    service: ServiceCommand,
}

/// Runs a reference service until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let shutdown = stop::on_signal()?;
    if args.until_stdin_closes {
        stop_with_stdin(shutdown.clone());
    }
    args.service.run(shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

fn stop_with_stdin(shutdown: CancellationToken) {
    // A thread of its own: reading standard input cannot be given up.
    std::thread::spawn(move || {
        let mut sink = [0; 64];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut sink), Ok(1..)) {}
        shutdown.cancel();
    });
}
