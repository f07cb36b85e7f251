//! Metrics: the same samples by remote write 1.0 into Trefoil and, where the environment or the
//! system has them, Prometheus and VictoriaMetrics; then the same questions.

mod contestant;
mod questions;
mod series;

use std::path::Path;

use anyhow::Context as _;
use stdx::clock::Stopwatch;

use crate::measure::float;
use crate::report::{Aim, Table};
use contestant::{CONTESTANTS, Contestant, Running};
use series::{Load, Series};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Series and samples each of the load without jitter.
    steady: (usize, usize),
    /// Of the load with 0–6 ms jitter.
    jittered: (usize, usize),
    /// New series and samples each.
    churn: (usize, usize),
    /// Of the load that dashboards and rules are asked over; none leaves them out.
    dashboards: Option<(usize, usize)>,
    /// Of the load after which the process is killed and started again.
    restart: Option<(usize, usize)>,
    /// How often each question is asked.
    asked: usize,
}

impl Size {
    pub(crate) const SMALL: Size = Size {
        steady: (2_000, 960),
        jittered: (2_000, 960),
        churn: (50_000, 10),
        dashboards: None,
        restart: None,
        asked: 10,
    };
    pub(crate) const FULL: Size = Size {
        steady: (10_000, 960),
        jittered: (20_000, 1_440),
        churn: (300_000, 20),
        dashboards: Some((100_000, 120)),
        restart: Some((1_000_000, 3)),
        asked: 20,
    };
}

/// What is to be reached, from what was measured of the others.
const INGEST: Aim = Aim::AtLeast(2.0e6);
const CHURN: Aim = Aim::AtLeast(0.8e6);

/// Measures everything, one product after the other.
pub(crate) async fn measure(ours: &Path, size: Size, table: &mut Table) -> anyhow::Result<()> {
    for contestant in &CONTESTANTS {
        let Some(binary) = contestant.binary(ours) else {
            println!("{}: not measured; {} names no binary", contestant.name, contestant.variable);
            continue;
        };
        println!("{}: {}", contestant.name, binary.display());
        steady(contestant, &binary, size, table).await.context(contestant.name)?;
        jittered(contestant, &binary, size, table).await.context(contestant.name)?;
        churn(contestant, &binary, size, table).await.context(contestant.name)?;
        if let Some(load) = size.dashboards {
            dashboards(contestant, &binary, load, table).await.context(contestant.name)?;
        }
        if let Some(load) = size.restart {
            restart(contestant, &binary, load, table).await.context(contestant.name)?;
        }
    }
    Ok(())
}

/// Aims are for our own figures.
fn aim(contestant: &Contestant, aim: Aim) -> Aim {
    if contestant.ours { aim } else { Aim::None }
}

async fn steady(
    contestant: &'static Contestant,
    binary: &Path,
    size: Size,
    table: &mut Table,
) -> anyhow::Result<()> {
    let name = contestant.name;
    let (series, samples) = size.steady;
    let running = Running::start(contestant, binary).await?;
    let load = Load::new(Series::many(series, 0), samples, 0);
    let cpu = ingest(&running, load).await?;
    let speed = float((series * samples) as u64) / cpu;
    table.row(&format!("{name}: samples a CPU-second"), speed, "", aim(contestant, INGEST));
    for question in questions::RANGES {
        let cpu = questions::cpu_of(&running, question, size.asked).await?;
        let aim = aim(contestant, Aim::AtMost(question.target_ms));
        table.row(&format!("{name}: {}, CPU", question.name), cpu * 1e3, "ms", aim);
    }
    let bytes = running.block_bytes().await?;
    let each = float(bytes) / float((series * samples) as u64);
    let name = format!("{name}: disk, no jitter");
    table.row(&name, each, "B/sample", aim(contestant, Aim::AtMost(0.8)));
    running.stop().await?;
    Ok(())
}

async fn jittered(
    contestant: &'static Contestant,
    binary: &Path,
    size: Size,
    table: &mut Table,
) -> anyhow::Result<()> {
    let name = contestant.name;
    let (series, samples) = size.jittered;
    let running = Running::start(contestant, binary).await?;
    let cpu = ingest(&running, Load::new(Series::many(series, 0), samples, 6)).await?;
    let total = float((series * samples) as u64);
    table.row(&format!("{name}: samples a CPU-second, jitter"), total / cpu, "", Aim::None);
    let each = float(running.block_bytes().await?) / total;
    let name = format!("{name}: disk, 0–6 ms jitter");
    table.row(&name, each, "B/sample", aim(contestant, Aim::AtMost(1.0)));
    running.stop().await?;
    Ok(())
}

async fn churn(
    contestant: &'static Contestant,
    binary: &Path,
    size: Size,
    table: &mut Table,
) -> anyhow::Result<()> {
    let name = contestant.name;
    let (series, samples) = size.churn;
    let running = Running::start(contestant, binary).await?;
    let before = running.anonymous_mib()?;
    let cpu = ingest(&running, Load::new(Series::many(series, 1), samples, 0)).await?;
    let speed = float((series * samples) as u64) / cpu;
    let resident = (running.anonymous_mib()? - before) * 1_048_576.0 / float(series as u64);
    table.row(
        &format!("{name}: samples a CPU-second while all series are new"),
        speed,
        "",
        aim(contestant, CHURN),
    );
    let name = format!("{name}: resident memory an active series");
    table.row(&name, resident, "B", aim(contestant, Aim::AtMost(500.0)));
    running.stop().await?;
    Ok(())
}

async fn dashboards(
    contestant: &'static Contestant,
    binary: &Path,
    (series, samples): (usize, usize),
    table: &mut Table,
) -> anyhow::Result<()> {
    let name = contestant.name;
    let running = Running::start(contestant, binary).await?;
    ingest(&running, Load::new(Series::many(series, 2), samples, 0)).await?;
    let mut all = 0.0;
    for query in questions::DASHBOARD {
        all += questions::cpu_of_range(&running, query, 1_700, 15, 1).await?;
    }
    table.row(&format!("{name}: 24 dashboard queries, CPU"), all * 1e3, "ms", Aim::None);
    let mut all = 0.0;
    for query in questions::RULES {
        all += questions::cpu_of_instant(&running, query, 3).await?;
    }
    table.row(&format!("{name}: 30 alert rules, CPU"), all * 1e3, "ms", Aim::None);
    running.stop().await?;
    Ok(())
}

async fn restart(
    contestant: &'static Contestant,
    binary: &Path,
    (series, samples): (usize, usize),
    table: &mut Table,
) -> anyhow::Result<()> {
    let name = contestant.name;
    let running = Running::start(contestant, binary).await?;
    ingest(&running, Load::new(Series::many(series, 3), samples, 0)).await?;
    let stopped = running.kill().await?;
    let waited = Stopwatch::start();
    let running = stopped.start().await?;
    let ready = waited.elapsed().as_secs_f64();
    table.row(&format!("{name}: ready after kill -9, 1 M series"), ready, "s", Aim::None);
    running.stop().await?;
    Ok(())
}

/// Sends it all; the processor seconds until five seconds after the last acknowledgement, so that
/// what follows in the background counts with every product.
async fn ingest(running: &Running, mut load: Load) -> anyhow::Result<f64> {
    let before = running.cpu_seconds()?;
    while let Some(body) = load.next_request() {
        running.write(body).await?;
    }
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    Ok(running.cpu_seconds()? - before)
}
