//! The measurements.

use std::path::Path;
use std::time::Duration;

use crate::data::BATCH;
use crate::load::{self, Sent, Target};
use crate::process::Trefoil;
use crate::queries::{self, ABOUT_LOGS, ABOUT_SPANS};
use crate::report::{Aim, Table};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Spans of each round of ingest.
    pub(crate) spans: u64,
    /// Log lines of each round of ingest.
    pub(crate) logs: u64,
    /// Rounds of ingest, whose medians count.
    pub(crate) rounds: usize,
    /// Spans that are there when questions are asked.
    pub(crate) spans_asked: u64,
    /// Log lines that are there when questions are asked.
    pub(crate) logs_asked: u64,
}

impl Plan {
    pub(crate) const SMALL: Plan = Plan {
        spans: 400_000,
        logs: 400_000,
        rounds: 3,
        spans_asked: 500_000,
        logs_asked: 1_000_000,
    };
    pub(crate) const FULL: Plan = Plan {
        spans: 400_000,
        logs: 1_000_000,
        rounds: 5,
        spans_asked: 10_000_000,
        logs_asked: 10_000_000,
    };
}

/// One way in.
struct Way {
    name: &'static str,
    /// Whether it carries spans; else log lines.
    spans: bool,
    target: fn(&Trefoil) -> Target,
}

const WAYS: [Way; 4] = [
    Way { name: "OTLP/gRPC", spans: true, target: |server| Target::Grpc(server.grpc.clone()) },
    Way {
        name: "OTLP/HTTP",
        spans: true,
        target: |server| Target::Http(format!("{}/v1/traces", server.http)),
    },
    Way { name: "OTLP/gRPC", spans: false, target: |server| Target::Grpc(server.grpc.clone()) },
    Way {
        name: "OTLP/HTTP",
        spans: false,
        target: |server| Target::Http(format!("{}/v1/logs", server.http)),
    },
];

/// One round's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) sent: Sent,
    /// Processor seconds until the last acknowledgement.
    pub(crate) cpu_acknowledged: f64,
    /// Processor seconds until everything was written and the server had stopped.
    pub(crate) cpu_written: f64,
    pub(crate) peak_mib: f64,
    pub(crate) bytes: u64,
}

/// What ingest costs, by every way in.
pub(crate) async fn ingest(server: &Path, plan: Plan, table: &mut Table) -> anyhow::Result<()> {
    let mut peak_mib: f64 = 0.0;
    for way in WAYS {
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let round = ingest_once(server, plan, &way).await?;
            println!("{}: {}, {:.1} CPU-s", way.name, round.sent, round.cpu_written);
            peak_mib = peak_mib.max(round.peak_mib);
            rounds.push(round);
        }
        report_ingest(&way, &rounds, table);
    }
    table.row("peak memory under ingest", peak_mib, "MiB", Aim::AtMost(1024.0));
    Ok(())
}

async fn ingest_once(server: &Path, plan: Plan, way: &Way) -> anyhow::Result<Round> {
    let server = Trefoil::start(server).await?;
    let before = server.process.cpu_seconds()?;
    let target = (way.target)(&server);
    let sent = match way.spans {
        true => load::spans(&target, plan.spans).await?,
        false => load::logs(&target, plan.logs).await?,
    };
    let acknowledged = server.process.cpu_seconds()?;
    let peak_mib = server.process.memory_mib("VmHWM")?;
    let (written, stopped) = server.stop().await?;
    Ok(Round {
        sent,
        cpu_acknowledged: acknowledged - before,
        cpu_written: written - before,
        peak_mib,
        bytes: stopped.bytes()?,
    })
}

fn report_ingest(way: &Way, rounds: &[Round], table: &mut Table) {
    let name = way.name;
    let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    if way.spans {
        let speed = middle(|round| float(round.sent.rows) / round.cpu_written);
        table.row(&format!("spans a CPU-second, {name}"), speed, "", Aim::AtLeast(120_000.0));
        let speed = middle(|round| float(round.sent.rows) / round.cpu_acknowledged);
        table.row(&format!("… until acknowledged only, {name}"), speed, "", Aim::None);
        let bytes = middle(|round| float(round.bytes) / float(round.sent.rows));
        table.row(&format!("disk, {name}"), bytes, "B/span", Aim::AtMost(50.0));
    } else {
        // The lines themselves, as the anchors count them, not the requests around them.
        let megabytes = |rows: u64| float(rows) * 390.0 / 1e6;
        let speed = median(rounds.iter().map(|r| megabytes(r.sent.rows) / r.cpu_written).collect());
        table.row(&format!("log MB a CPU-second, {name}"), speed, "", Aim::AtLeast(100.0));
        let speed =
            median(rounds.iter().map(|r| megabytes(r.sent.rows) / r.cpu_acknowledged).collect());
        table.row(&format!("… until acknowledged only, {name}"), speed, "", Aim::None);
        let bytes = middle(|round| float(round.bytes) / float(round.sent.rows));
        table.row(&format!("disk, {name}"), bytes, "B/line", Aim::AtMost(75.0));
        table.row(&format!("disk, {name}"), bytes / 390.0, "B/log byte", Aim::None);
    }
}

/// How long questions wait, on spans and logs in one store; what memory is held after that.
pub(crate) async fn questions(server: &Path, plan: Plan, table: &mut Table) -> anyhow::Result<()> {
    let loading = Trefoil::start(server).await?;
    let sent = load::spans(&Target::Grpc(loading.grpc.clone()), plan.spans_asked).await?;
    println!("loaded: {sent}");
    let sent =
        load::logs(&Target::Http(format!("{}/v1/logs", loading.http)), plan.logs_asked).await?;
    println!("loaded: {sent}");
    settle(&loading).await?;
    let peak = loading.process.memory_mib("VmHWM")?;
    table.row("peak memory, loading for the questions", peak, "MiB", Aim::AtMost(1024.0));
    // Stopped and started, so that the questions meet files and not buffers.
    let (_, stopped) = loading.stop().await?;
    let bytes = float(stopped.bytes()?);
    table.row("data directory with both tables", bytes / 1e6, "MB", Aim::None);
    let server = stopped.start().await?;
    for (questions, rows) in [(ABOUT_SPANS, plan.spans_asked), (ABOUT_LOGS, plan.logs_asked)] {
        for question in questions {
            let latency = queries::ask(&server.main, question, rows / BATCH).await?;
            println!("{}: {latency:.1?}", question.name);
            let aim = match question.target_ms {
                Some(target) => Aim::AtMost(target),
                // 1 million lines is the size for this one.
                None if question.name == "count by level and minute" && rows <= 1_000_000 => {
                    Aim::AtMost(30.0)
                }
                None => Aim::None,
            };
            let name = format!("{}, {} M rows", question.name, float(rows) / 1e6);
            table.row(&format!("{name}, p50"), latency.p50, "ms", aim);
            table.row(&format!("{name}, p95"), latency.p95, "ms", Aim::None);
        }
    }
    let peak = server.process.memory_mib("VmHWM")?;
    table.row("peak memory under questions", peak, "MiB", Aim::AtMost(1024.0));
    settle(&server).await?;
    // Allocators give memory back with a delay; an idle server has that time.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let resident = server.process.memory_mib("VmRSS")?;
    table.row("memory when idle after that", resident, "MiB", Aim::AtMost(150.0));
    server.stop().await?;
    Ok(())
}

/// Waits until a server has nothing more to do in the background, for a minute at most.
async fn settle(server: &Trefoil) -> anyhow::Result<()> {
    for _ in 0..60 {
        let before = server.process.cpu_seconds()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if server.process.cpu_seconds()? - before < 0.05 {
            break;
        }
    }
    Ok(())
}

/// What being observed costs a service.
pub(crate) async fn sdk(table: &mut Table) -> anyhow::Result<()> {
    let overhead = sdk::overhead::measure(&sdk::overhead::OverheadOptions::default()).await?;
    table.row("SDK: added to a request by tracing", overhead.traced_us, "µs", Aim::None);
    table.row("SDK: by counting a traced one", overhead.counted_us, "µs", Aim::None);
    table.row("SDK: by tracing and two log lines", overhead.logged_us, "µs", Aim::None);
    Ok(())
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count as a float; those here are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
