//! `trefoil test rules FILE…`

use std::path::PathBuf;
use std::process::ExitCode;

use alert::unit_test;

use crate::command::features::Enabled;
use crate::command::{print, say_error};
use crate::wiring::rule_tests::MemoryBench;

/// Arguments of `trefoil test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Run unit tests of rules, files as `promtool test rules` takes them.
    Rules {
        /// Only groups of tests whose names match this regular expression; may be repeated.
        #[arg(long, value_name = "REGEX")]
        run: Vec<regex::Regex>,
        /// Leave keys out that are not known.
        #[arg(long)]
        ignore_unknown_fields: bool,
        #[command(flatten)]
        features: Enabled,
        /// Files of tests.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs the tests; a failure if any fails.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let What::Rules { run, ignore_unknown_fields, features, files } = args.what;
    let options = unit_test::Options { run, ignore_unknown_fields };
    let bench = MemoryBench { features: features.features()? };
    let mut code = ExitCode::SUCCESS;
    for path in &files {
        let verdict = unit_test::run(path, &bench, &options).await;
        print(&(verdict.lines.join("\n") + "\n"));
        if !verdict.failures.is_empty() {
            say_error(&anyhow::anyhow!("{}", verdict.failures.join("\n")));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
