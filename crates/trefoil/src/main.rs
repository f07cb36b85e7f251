//! The program: its command line. What the commands do stands in the modules; how the parts are
//! joined, in [`wiring`].

mod command;
mod config;
mod demo;
mod memory;
mod serve;
mod stop;
mod wiring;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// jemalloc gives memory back sooner and fragments less than the system's allocator, which matters
/// to a process with a ceiling.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Few arenas and a quick return of unused pages: resident memory follows what is in use.
#[expect(unsafe_code, reason = "jemalloc reads its options from a symbol of this name")]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8] =
    b"background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0,narenas:2\0";

/// Observability for machine-learning services in one program: traces and logs in over OTLP, kept
/// in open tables, asked by SQL, shown live.
#[derive(Debug, Parser)]
#[command(name = "trefoil", version = version(), propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Args),
    /// Run the server, the reference services and traffic on them: a living system to look at.
    Demo(demo::Args),
    /// Ask a running server.
    Query(command::query::Args),
    /// Check configuration files.
    Check(command::check::Args),
    /// Compare two tables: drift, data quality and model performance.
    Drift(Box<command::drift::Args>),
    /// Run unit tests of rules.
    Test(command::test::Args),
    /// Send traffic to the fraud-detection API.
    Load(services::load::LoadOptions),
    /// Run one of the reference services.
    Service(command::service::Args),
    /// Print the configuration's reference page.
    #[command(hide = true)]
    Docs,
}

fn version() -> &'static str {
    if web::embedded() {
        concat!(env!("CARGO_PKG_VERSION"), " (ui: embedded)")
    } else {
        concat!(env!("CARGO_PKG_VERSION"), " (ui: placeholder)")
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            command::say_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Query(args) => command::query::run(args).await,
        Command::Check(args) => command::check::run(&args),
        Command::Drift(args) => command::drift::run(*args).await,
        Command::Test(args) => command::test::run(args).await,
        Command::Load(options) => command::load::run(options).await,
        Command::Service(args) => command::service::run(args).await,
        Command::Docs => {
            command::print(&config::reference::page());
            Ok(ExitCode::SUCCESS)
        }
    }
}
