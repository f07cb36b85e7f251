//! `trefoil load`

use std::process::ExitCode;

use services::load::LoadOptions;

use crate::command::print;
use crate::stop;

/// Sends traffic until it is enough or interrupted, and prints what came back.
pub(crate) async fn run(options: LoadOptions) -> anyhow::Result<ExitCode> {
    let report = services::load::run(options, stop::on_signal()?).await?;
    print(&format!("{report}\n"));
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
