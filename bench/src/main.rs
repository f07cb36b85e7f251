//! Measures a built `trefoil` from outside: what ingest costs in processor time, what the rows weigh
//! on disk, how much memory it takes, how long questions wait. The same load can be given to
//! VictoriaLogs, Loki and Tempo, samples to Prometheus and VictoriaMetrics.
//!
//! Figures are a server's own processor seconds (`utime + stime` of its process, from before the load
//! until it has stopped and so written everything), so that the load generator beside it does not
//! count, and medians of several rounds, each on a fresh directory.

#![expect(clippy::print_stdout, reason = "it reports to whoever runs it")]

mod data;
mod load;
mod measure;
mod metrics;
mod process;
mod queries;
mod report;
mod rivals;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use crate::measure::Plan;

#[derive(Debug, Parser)]
#[command(about = "Measures speed, size and memory of a built trefoil")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures everything and writes the table into bench/RESULTS.md.
    Run(Run),
    /// Only sends load to a server that runs already.
    Load(Load),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// How much.
    #[arg(long, value_enum, default_value = "small")]
    size: Size,
    /// The built server.
    #[arg(long, default_value = "target/quick/trefoil")]
    server: PathBuf,
    /// Where the table goes, between its marks.
    #[arg(long, default_value = "bench/RESULTS.md")]
    results: PathBuf,
    /// Measures only some: ingest, queries, sdk, rivals, metrics.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Spans to load for the questions instead of the size's own number.
    #[arg(long)]
    spans: Option<u64>,
    /// Log lines to load for the questions instead of the size's own number.
    #[arg(long)]
    logs: Option<u64>,
    /// Rounds of each ingest measurement.
    #[arg(long)]
    rounds: Option<usize>,
}

#[derive(Debug, clap::Args)]
struct Load {
    /// The OTLP gRPC address for spans.
    #[arg(long, default_value = "http://127.0.0.1:4317")]
    grpc: String,
    /// The OTLP HTTP address for logs.
    #[arg(long, default_value = "http://127.0.0.1:4318")]
    http: String,
    /// Spans to send.
    #[arg(long, default_value_t = 100_000)]
    spans: u64,
    /// Log lines to send.
    #[arg(long, default_value_t = 100_000)]
    logs: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    /// Under two minutes.
    Small,
    /// 10 million rows.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Ingest,
    Queries,
    Sdk,
    Rivals,
    Metrics,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(run) => measure_all(run).await,
        Command::Load(load) => load_only(load).await,
    }
}

async fn measure_all(run: Run) -> anyhow::Result<()> {
    let server = run.server.canonicalize().with_context(|| {
        format!("{} is not there: `make bench` builds it", run.server.display())
    })?;
    let (mut plan, metrics) = match run.size {
        Size::Small => (Plan::SMALL, metrics::Size::SMALL),
        Size::Full => (Plan::FULL, metrics::Size::FULL),
    };
    plan.spans_asked = run.spans.unwrap_or(plan.spans_asked);
    plan.logs_asked = run.logs.unwrap_or(plan.logs_asked);
    plan.rounds = run.rounds.unwrap_or(plan.rounds);
    process::warn_if_busy();
    let wanted = |part| run.only.is_empty() || run.only.contains(&part);
    let mut table = report::Table::new();
    if wanted(Part::Ingest) {
        measure::ingest(&server, plan, &mut table).await?;
    }
    if wanted(Part::Queries) {
        measure::questions(&server, plan, &mut table).await?;
    }
    if wanted(Part::Sdk) {
        measure::sdk(&mut table).await?;
    }
    if wanted(Part::Rivals) {
        rivals::measure(plan, &mut table).await?;
    }
    if wanted(Part::Metrics) {
        metrics::measure(&server, metrics, &mut table).await?;
    }
    println!("\n{}", table.markdown());
    // A part of the measurements must not replace the table of all.
    if run.only.is_empty() {
        let size = run.size.to_possible_value().expect("it has a name");
        report::write(&run.results, size.get_name(), &table, &process::machine(&server))?;
        println!("written to {}", run.results.display());
    }
    Ok(())
}

async fn load_only(run: Load) -> anyhow::Result<()> {
    let spans = load::spans(&load::Target::Grpc(run.grpc), run.spans).await?;
    println!("spans: {spans}");
    let logs = load::logs(&load::Target::Http(run.http + "/v1/logs"), run.logs).await?;
    println!("logs: {logs}");
    Ok(())
}
