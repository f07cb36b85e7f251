//! `trefoil check FILE…`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{print, say_error};
use crate::config;

/// Arguments of `trefoil check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration files of the server.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Says of each file whether it is good, and what is wrong where.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for path in &args.files {
        let checked = config::load_file(path).and_then(|raw| Ok(raw.parse()?));
        match checked {
            Ok(_) => print(&format!("{}: good\n", path.display())),
            Err(error) => {
                say_error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
