//! `trefoil drift REFERENCE CURRENT`: drift, data quality and performance of two tables.
//!
//! Reads files, directories, globs and object stores; the comparison is `mlmon`'s. The exit code says
//! the verdict: 0 nothing of what `--fail-on` names, 3 something, 1 it could not be done.

mod delta;
mod read;
mod source;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use arrow::array::RecordBatch;
use clap::ValueEnum;
use mlmon::monitor::{Every, Monitor, Outcome};
use mlmon::profile::Binning;
use mlmon::threshold::{Correction, Threshold};

use crate::command::print;

/// What a verdict of drift ends the program with.
const FOUND: u8 = 3;

/// Arguments of `trefoil drift`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What things were like: Parquet, CSV, NDJSON or Arrow IPC files, a directory or glob of them, a
    /// Delta table; local or `s3://`.
    #[arg(required_unless_present = "list")]
    reference: Option<String>,
    /// What they are like.
    #[arg(required_unless_present = "list")]
    current: Option<String>,
    /// Labels of the current rows that came later: a table with the identifier and the target.
    #[arg(long, value_name = "TABLE", requires = "id")]
    labels: Option<String>,
    /// The column that labels are joined by.
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Compare these columns only.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// Detectors; `all` for all. See `--list`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    detector: Vec<String>,
    /// Bins of numeric columns: a number of quantiles, `doane` or `values`.
    #[arg(long, default_value = "10", value_name = "BINS")]
    bins: String,
    /// Chance of any false alarm a window, all columns together.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// Alarm by each detector's customary rule instead of by sample size.
    #[arg(long)]
    customary: bool,
    /// Compare segment by segment.
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// The column of the rows' time.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Compare window by window: `5000 rows`, `1h`, `1d`, `1w`.
    #[arg(long, value_name = "WINDOW")]
    every: Option<String>,
    /// The column of labels.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// The column of decisions or predicted numbers.
    #[arg(long, value_name = "COLUMN")]
    prediction: Option<String>,
    /// The column of the positive class's score.
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// A file of monitors; the options above are then not looked at.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report as one page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// What ends with exit code 3.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "drift")]
    fail_on: Vec<FailOn>,
    /// List the detectors with what they are for.
    #[arg(long)]
    list: bool,
}

/// What counts as a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A column drifted, overall or in a window.
    Drift,
    /// A column has a data-quality finding.
    Quality,
    /// A performance metric left its band.
    Performance,
    /// Nothing.
    Never,
}

/// Compares and prints.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.list {
        print(&list());
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(reference), Some(current)) = (&args.reference, &args.current) else {
        bail!("two tables are needed");
    };
    let monitors = match &args.config {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Monitor::read(&text).with_context(|| path.display().to_string())?
        }
        None => vec![monitor(&args)?],
    };
    let work = async {
        let reference = source::open(reference).await?;
        let current = source::open(current).await?;
        let labels = match &args.labels {
            Some(labels) => Some(source::open(labels).await?),
            None => None,
        };
        let id = args.id.clone();
        let progress = Progress::new();
        let job = move || {
            let reference = read::all(&reference, &|file| progress.say(file))?;
            let mut current = read::all(&current, &|file| progress.say(file))?;
            if let (Some(labels), Some(id)) = (&labels, &id) {
                let labels = read::all(labels, &|file| progress.say(file))?;
                current = read::join(&current, &labels, id)?;
            }
            progress.say("comparing");
            let outcome = compare(&monitors, &reference, &current);
            progress.end();
            outcome
        };
        tokio::task::spawn_blocking(job).await.context("the comparison stopped")?
    };
    let outcomes = tokio::select! {
        outcomes = work => outcomes?,
        _ = tokio::signal::ctrl_c() => {
            // Nothing was written yet; a thread that still reads ends with the process.
            return Ok(ExitCode::from(130));
        }
    };
    write(&args, &outcomes)?;
    let failed = outcomes.iter().any(|outcome| fails(outcome, &args.fail_on));
    Ok(if failed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn compare(
    monitors: &[Monitor],
    reference: &[RecordBatch],
    current: &[RecordBatch],
) -> anyhow::Result<Vec<Outcome>> {
    let run = |monitor: &Monitor| {
        monitor.run(reference, current).with_context(|| format!("monitor {}", monitor.name))
    };
    monitors.iter().map(run).collect()
}

fn write(args: &Args, outcomes: &[Outcome]) -> anyhow::Result<()> {
    if args.json {
        let text = match outcomes {
            [only] => serde_json::to_string_pretty(only)?,
            many => serde_json::to_string_pretty(many)?,
        };
        print(&format!("{text}\n"));
    } else {
        let colour = std::io::stdout().is_terminal();
        for outcome in outcomes {
            print(&mlmon::report::table(outcome, colour));
        }
    }
    if let Some(path) = &args.html {
        for (place, outcome) in outcomes.iter().enumerate() {
            let path = match place {
                0 => path.clone(),
                n => path.with_extension(format!("{n}.html")),
            };
            std::fs::write(&path, mlmon::report::page(outcome))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn fails(outcome: &Outcome, on: &[FailOn]) -> bool {
    on.iter().any(|what| match what {
        FailOn::Drift => outcome.drifted(),
        FailOn::Quality => outcome.has_findings(),
        FailOn::Performance => outcome.degraded(),
        FailOn::Never => false,
    })
}

fn monitor(args: &Args) -> anyhow::Result<Monitor> {
    let binning = match args.bins.as_str() {
        "doane" => Binning::Doane,
        "values" => Binning::Values,
        number => match number.parse() {
            Ok(bins) if bins >= 2 => Binning::Quantiles(bins),
            _ => bail!("--bins is a number from 2 on, doane or values"),
        },
    };
    if !(args.alpha > 0.0 && args.alpha < 1.0) {
        bail!("--alpha lies between 0 and 1");
    }
    let threshold = match args.customary {
        true => Threshold::Customary,
        false => Threshold::Sampled { alpha: args.alpha, correction: Correction::Holm },
    };
    Ok(Monitor {
        name: "drift".to_owned(),
        columns: args.columns.clone(),
        detectors: args.detector.clone(),
        binning,
        threshold,
        by: args.by.clone(),
        time: args.time.clone(),
        every: args.every.as_deref().map(Every::parse).transpose()?,
        target: args.target.clone(),
        prediction: args.prediction.clone(),
        score: args.score.clone(),
    })
}

fn list() -> String {
    let mut text = String::new();
    for detector in mlmon::detector::ALL {
        text.push_str(detector.name);
        for line in detector.documentation().lines() {
            text.push_str("\n    ");
            text.push_str(line);
        }
        text.push_str("\n\n");
    }
    text
}

/// One line on a terminal that says what is being read; nothing elsewhere.
#[derive(Debug)]
struct Progress {
    shown: bool,
}

impl Progress {
    fn new() -> Progress {
        Progress { shown: std::io::stderr().is_terminal() }
    }

    fn say(&self, what: &str) {
        if self.shown {
            use std::io::Write as _;
            drop(write!(std::io::stderr().lock(), "\r\x1b[K{what}"));
        }
    }

    fn end(&self) {
        self.say("");
    }
}
