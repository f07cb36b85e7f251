//! Metrics: the same samples by remote write 1.0 into Trefoil and, where the environment or the
//! system has them, Prometheus and VictoriaMetrics; then the same questions.

mod contestant;
mod questions;
mod series;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use stdx::clock::Stopwatch;

use crate::measure::float;
use crate::report::{Aim, Table};
use contestant::{CONTESTANTS, Contestant, Running};
use series::{Jitter, Load, Series};

/// One load, and what is looked at after it.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// What tells its rows from those of other loads.
    load: &'static str,
    series: usize,
    samples: usize,
    jitter: Jitter,
    figures: &'static [Figure],
}

/// What is looked at; aims are for our own figures.
#[derive(Debug, Clone, Copy)]
enum Figure {
    /// Samples a CPU-second.
    Speed(Aim),
    /// Resident memory an active series.
    Resident(Aim),
    /// Disk bytes a sample, everything merged.
    Disk(Aim),
    /// The two questions that have targets.
    Ranges,
    /// What dashboards and alerts ask.
    Dashboards,
    /// How long a start takes after `kill -9`. The last figure of a part.
    Restart,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    parts: [Part; 6],
    /// How often each of the two questions is asked.
    asked: usize,
    /// Whether the system's own Prometheus and VictoriaMetrics are measured too, unnamed.
    installed: bool,
}

impl Size {
    pub(crate) const SMALL: Size = Size {
        parts: parts([(2_000, 960), (2_000, 960), (2_000, 960), (50_000, 10), (5_000, 720)]),
        asked: 10,
        installed: false,
    };
    pub(crate) const FULL: Size = Size {
        parts: parts([(10_000, 960), (10_000, 960), (10_000, 960), (300_000, 20), (100_000, 240)]),
        asked: 20,
        installed: true,
    };
}

/// Of series and samples of each: steady, jitter by target, jitter by series, all series new,
/// dashboards. The restart is after ten times the dashboards' series.
const fn parts(loads: [(usize, usize); 5]) -> [Part; 6] {
    use Figure::{Dashboards, Disk, Ranges, Resident, Restart, Speed};
    const fn part(
        load: &'static str,
        (series, samples): (usize, usize),
        jitter: Jitter,
        figures: &'static [Figure],
    ) -> Part {
        Part { load, series, samples, jitter, figures }
    }
    let [steady, target, each, new, dashboards] = loads;
    [
        part(
            "no jitter",
            steady,
            Jitter::None,
            &[Speed(Aim::AtLeast(2.0e6)), Ranges, Disk(Aim::AtMost(0.8))],
        ),
        part("0–6 ms jitter by target", target, Jitter::Target, &[Disk(Aim::AtMost(1.0))]),
        part(
            "0–6 ms jitter by series",
            each,
            Jitter::Series,
            &[Speed(Aim::None), Disk(Aim::AtMost(1.0))],
        ),
        part(
            "all series new",
            new,
            Jitter::None,
            &[Speed(Aim::AtLeast(0.8e6)), Resident(Aim::AtMost(500.0))],
        ),
        part(
            "hours of samples",
            dashboards,
            Jitter::Target,
            &[Resident(Aim::AtMost(500.0)), Dashboards],
        ),
        part("short series", (dashboards.0 * 10, 3), Jitter::None, &[Restart]),
    ]
}

/// Measures everything, one product after the other.
pub(crate) async fn measure(ours: &Path, size: Size, table: &mut Table) -> anyhow::Result<()> {
    for contestant in &CONTESTANTS {
        let Some(binary) = contestant.binary(ours, size.installed) else {
            println!("{}: not measured; {} names no binary", contestant.name, contestant.variable);
            continue;
        };
        println!("{}: {}", contestant.name, binary.display());
        for (part, generation) in size.parts.iter().zip(0..) {
            println!("  {} series × {}, {}", part.series, part.samples, part.load);
            let running = Running::start(contestant, &binary).await.context(contestant.name)?;
            let measured = part.measure(running, generation, size.asked, table).await;
            let measured = measured.with_context(|| format!("{}: {}", contestant.name, part.load));
            match measured {
                // What others cannot do is no reason to end.
                Err(error) if !contestant.ours => println!("  not measured: {error:#}"),
                measured => measured?,
            }
        }
    }
    Ok(())
}

impl Part {
    /// Sends the load to one that has just been started, and looks.
    async fn measure(
        &self,
        mut running: Running,
        generation: usize,
        asked: usize,
        table: &mut Table,
    ) -> anyhow::Result<()> {
        let Part { load, series, samples, jitter, .. } = *self;
        let before = running.anonymous_mib()?;
        let sent = Load::new(Series::many(series, generation), samples, jitter);
        let cpu = ingest(&running, sent).await?;
        let total = float((series * samples) as u64);
        let mut rows = Rows { contestant: running.contestant, load, series, samples, table };
        for figure in self.figures {
            match *figure {
                Figure::Speed(aim) => rows.put("samples a CPU-second", total / cpu, "", aim),
                Figure::Resident(aim) => {
                    let bytes = (running.anonymous_mib()? - before) * 1_048_576.0;
                    let each = bytes / float(series as u64);
                    rows.put("resident memory an active series", each, "B", aim);
                }
                Figure::Disk(aim) => {
                    let each = float(running.block_bytes().await?) / total;
                    rows.put("disk", each, "B/sample", aim);
                }
                Figure::Ranges => ranges(&running, asked, &mut rows).await?,
                Figure::Dashboards => dashboards(&running, generation, &mut rows).await?,
                Figure::Restart => running = restart(running, &mut rows).await?,
            }
        }
        running.stop().await
    }
}

/// The table, for one product and load.
struct Rows<'a> {
    contestant: &'static Contestant,
    load: &'static str,
    series: usize,
    samples: usize,
    table: &'a mut Table,
}

impl Rows<'_> {
    fn put(&mut self, what: &str, value: f64, unit: &'static str, aim: Aim) {
        let Rows { contestant, load, series, samples, .. } = self;
        let name = format!("{}: {what}; {load}, {series} × {samples}", contestant.name);
        println!("    {what}: {value:.3} {unit}");
        let aim = if contestant.ours { aim } else { Aim::None };
        self.table.row(&name, value, unit, aim);
    }
}

async fn ranges(running: &Running, asked: usize, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    for question in questions::RANGES {
        let cpu = questions::cpu_of(running, question, asked).await?;
        let what = format!("{}, CPU", question.name);
        rows.put(&what, cpu * 1e3, "ms", Aim::AtMost(question.target_ms));
    }
    Ok(())
}

async fn dashboards(
    running: &Running,
    generation: usize,
    rows: &mut Rows<'_>,
) -> anyhow::Result<()> {
    let mut all = 0.0;
    for query in questions::DASHBOARD {
        let query = query.replace("-GENERATION", &format!("-{generation}"));
        all += questions::cpu_of_range(running, &query, 1_700, 15, 1).await?;
    }
    rows.put("24 dashboard queries, CPU", all * 1e3, "ms", Aim::None);
    let mut all = 0.0;
    for query in questions::RULES {
        all += questions::cpu_of_instant(running, query, 3).await?;
    }
    rows.put("30 alert rules, CPU", all * 1e3, "ms", Aim::None);
    Ok(())
}

async fn restart(running: Running, rows: &mut Rows<'_>) -> anyhow::Result<Running> {
    let before = questions::series_of_a_metric(&running).await?;
    let stopped = running.kill().await?;
    let waited = Stopwatch::start();
    let running = stopped.start().await?;
    let ready = waited.elapsed().as_secs_f64();
    let cpu = running.cpu_seconds()?;
    let after = questions::series_of_a_metric(&running).await?;
    let ours = rows.contestant.ours;
    let same = (before - after).abs() < 0.5;
    ensure!(!ours || same, "{before} series of a metric were there, now {after}");
    rows.put("ready after kill -9", ready, "s", Aim::None);
    rows.put("ready after kill -9, CPU", cpu, "s", Aim::None);
    rows.put("of a metric's series found again", after / before * 100.0, "%", Aim::None);
    Ok(running)
}

/// Sends it all; the processor seconds until five seconds after the last acknowledgement, so that
/// what follows in the background counts with every product.
async fn ingest(running: &Running, mut load: Load) -> anyhow::Result<f64> {
    let before = running.cpu_seconds()?;
    while let Some(body) = load.next_request() {
        running.write(body).await?;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(running.cpu_seconds()? - before)
}
