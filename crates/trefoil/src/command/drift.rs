//! `trefoil drift REFERENCE CURRENT`: drift, data quality and performance of two tables.
//!
//! Reads files, directories, globs and object stores; the comparison is `mlmon`'s. The exit code says
//! the verdict: 0 nothing of what `--fail-on` names, 3 something, 1 it could not be done.

mod delta;
mod labels;
mod list;
mod progress;
mod read;
mod source;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use mlmon::monitor::{Every, Experiment, ModelFile, Monitor, Outcome, Sources, TOP};
use mlmon::performance::binary::Worth;
use mlmon::profile::Binning;
use mlmon::threshold::{Correction, Threshold};

use crate::command::print;
use labels::{Joined, Labels};
use progress::Progress;
use read::Table;
use source::Source;

/// Memory that rows in one piece need, of the memory that they have as files: once as they are read and
/// once put together.
const COPIES: u64 = 2;
/// What a verdict of drift ends the program with.
const FOUND: u8 = 3;
/// What an interruption ends it with, as shells expect.
const INTERRUPTED: u8 = 130;

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
    /// Detectors; `all` for all that look at a column, vectors too. See `--list`.
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
    /// Alarm above the mean of chunks of the reference by more than so many standard deviations.
    #[arg(long, value_name = "K", conflicts_with = "customary")]
    deviations: Option<f64>,
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
    /// Of more than two classes, the column of each one's score.
    #[arg(long, value_name = "CLASS=COLUMN", value_delimiter = ',', value_parser = pair)]
    scores: Vec<(String, String)>,
    /// What decisions are worth: true positives, false positives, false negatives, true negatives.
    #[arg(long, value_name = "TP,FP,FN,TN", value_parser = worth, allow_hyphen_values = true)]
    value: Option<Worth>,
    /// A column of groups of people, whose rates are compared.
    #[arg(long, value_name = "COLUMN")]
    protected: Option<String>,
    /// Of a ranking, the column that says which rows are the items of one query: NDCG, MAP, MRR and hit
    /// rate of the order by `--score`, with the relevance in `--target`.
    #[arg(long, value_name = "COLUMN", requires = "score")]
    query: Option<String>,
    /// The places of a ranking that are looked at.
    #[arg(long, value_name = "K", default_value_t = TOP as u64, value_parser = clap::value_parser!(u64).range(1..))]
    top: u64,
    /// The quantile that `--prediction` is of: its loss and its coverage.
    #[arg(long, value_name = "Q", requires = "prediction")]
    quantile: Option<f64>,
    /// Take the reference as the control and the current rows as the treatment of an experiment, and
    /// compare the means of these columns (conversions: booleans, 0 and 1). Level and scale are options
    /// of `--config`.
    #[arg(long, value_name = "METRIC", value_delimiter = ',')]
    experiment: Vec<String>,
    /// The shares of rows that control and treatment should have; halves where none are named.
    #[arg(long, value_name = "CONTROL,TREATMENT", value_parser = shares, requires = "experiment")]
    shares: Option<Shares>,
    /// The model, whose features are weighed: XGBoost's JSON, LightGBM's text, or of a linear model
    /// `{"intercept": 0, "weights": {"column": 1}}`.
    #[arg(long, value_name = "FILE")]
    model: Option<String>,
    /// Read tables that need more memory than this in pieces: counters are exact then, what needs
    /// values is from a sample of 100,000 rows. 0 reads any table so.
    #[arg(long, default_value = "2GiB", value_name = "SIZE", value_parser = crate::config::bytes)]
    memory: usize,
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
    /// List all that can be computed: formula, source, what it is useful for and what not.
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
    /// An experiment's difference is sure, whenever one looks, or its rows are split wrongly.
    Experiment,
    /// The model listens to its features in another order: agreement below 0.9.
    Attribution,
    /// Nothing.
    Never,
}

/// Compares and prints.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.list {
        print(&list::list());
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
    let monitors = monitors.into_iter().map(with_model).collect::<anyhow::Result<Vec<_>>>()?;
    let scratch = tempfile::Builder::new().prefix("trefoil-drift-").tempdir()?;
    let progress = Progress::new();
    let mut outcomes = tokio::select! {
        outcomes = outcomes(&args, (reference, current), monitors, scratch.path(), &progress) => {
            progress.end();
            outcomes?
        }
        _ = tokio::signal::ctrl_c() => {
            // Nothing was written yet, and the thread that reads ends with the process.
            progress.end();
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    for outcome in &mut outcomes {
        let (reference, current) = (reference.clone(), current.clone());
        outcome.sources = Some(Sources { reference, current });
    }
    write(&args, &outcomes)?;
    let failed = outcomes.iter().any(|outcome| fails(outcome, &args.fail_on));
    Ok(if failed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

async fn outcomes(
    args: &Args,
    (reference, current): (&str, &str),
    monitors: Vec<Monitor>,
    scratch: &Path,
    progress: &Progress,
) -> anyhow::Result<Vec<Outcome>> {
    let job = Job {
        reference: source::open(reference, scratch, progress).await?,
        current: source::open(current, scratch, progress).await?,
        labels: match (&args.labels, &args.id) {
            (Some(labels), Some(id)) => {
                Some((source::open(labels, scratch, progress).await?, id.clone()))
            }
            _ => None,
        },
        monitors,
        memory: args.memory as u64,
        progress: progress.clone(),
    };
    let (done, outcome) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait for one of its pool when somebody interrupts.
    std::thread::Builder::new()
        .name("drift".to_owned())
        .spawn(move || drop(done.send(job.run())))
        .context("cannot start a thread")?;
    outcome.await.context("the comparison stopped")?
}

/// The work, once it is known where the files are.
struct Job {
    reference: Source,
    current: Source,
    labels: Option<(Source, String)>,
    monitors: Vec<Monitor>,
    memory: u64,
    progress: Progress,
}

impl Job {
    fn run(&self) -> anyhow::Result<Vec<Outcome>> {
        let mut thorough = false;
        loop {
            let open = |source: &Source| Table::open(source, &self.progress, thorough);
            let (reference, current) = (open(&self.reference)?, open(&self.current)?);
            match self.compare(&reference, &current) {
                Ok(outcomes) => return Ok(outcomes),
                // The types of text files held for their first rows only: now all rows are asked.
                Err(_) if !thorough && (reference.misread() || current.misread()) => {
                    thorough = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn compare(&self, reference: &Table, current: &Table) -> anyhow::Result<Vec<Outcome>> {
        let labels = match &self.labels {
            Some((labels, id)) => {
                let table = Table::open(labels, &self.progress, true)?;
                Some(Labels::of(&table.all()?, id)?)
            }
            None => None,
        };
        let weight = reference.weight().saturating_add(current.weight());
        let outcomes = if weight.saturating_mul(COPIES) > self.memory {
            self.stream(reference, current, labels.as_ref())?
        } else {
            self.whole(reference, current, labels.as_ref())?
        };
        if outcomes.iter().any(|outcome| outcome.overall.rows.0.min(outcome.overall.rows.1) == 0) {
            let empty = [&self.reference, &self.current];
            let names: Vec<&str> = empty.iter().map(|source| source.name.as_str()).collect();
            bail!("no rows in {}", names.join(" or "));
        }
        Ok(outcomes)
    }

    fn whole(
        &self,
        reference: &Table,
        current: &Table,
        labels: Option<&Labels>,
    ) -> anyhow::Result<Vec<Outcome>> {
        self.progress.begin(reference.bytes() + current.bytes());
        let reference = reference.all()?;
        let mut current = current.all()?;
        if let Some(labels) = labels {
            let joined = current.iter().map(|batch| labels.join(batch));
            current = joined.collect::<anyhow::Result<_>>()?;
        }
        self.progress.say("comparing");
        self.each(|monitor| monitor.run(&reference, &current))
    }

    fn stream(
        &self,
        reference: &Table,
        current: &Table,
        labels: Option<&Labels>,
    ) -> anyhow::Result<Vec<Outcome>> {
        self.each(|monitor| {
            let again = u64::from(monitor.target.is_some() || monitor.protected.is_some())
                + u64::from(monitor.experiment.is_some());
            self.progress.begin((2 + again) * reference.bytes() + (1 + again) * current.bytes());
            match labels {
                Some(labels) => monitor.stream(reference, &Joined { table: current, labels }),
                None => monitor.stream(reference, current),
            }
        })
    }

    fn each(
        &self,
        run: impl Fn(&Monitor) -> Result<Outcome, mlmon::Error>,
    ) -> anyhow::Result<Vec<Outcome>> {
        let run =
            |monitor: &Monitor| run(monitor).with_context(|| format!("monitor {}", monitor.name));
        self.monitors.iter().map(run).collect()
    }
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
        FailOn::Experiment => outcome.decided(),
        FailOn::Attribution => outcome.listens_otherwise(),
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
    let threshold = match args.deviations {
        Some(deviations) => Threshold::Chunks { deviations },
        None if args.customary => Threshold::Customary,
        None => Threshold::Sampled { alpha: args.alpha, correction: Correction::Holm },
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
        scores: args.scores.clone(),
        worth: args.value,
        protected: args.protected.clone(),
        query: args.query.clone(),
        top: usize::try_from(args.top).unwrap_or(usize::MAX),
        quantile: args.quantile,
        experiment: experiment(args)?,
        model: args.model.clone().map(ModelFile::Named),
    })
}

fn experiment(args: &Args) -> anyhow::Result<Option<Experiment>> {
    if args.experiment.is_empty() {
        return Ok(None);
    }
    let mut plan = Experiment::of(args.experiment.clone());
    if let Some(Shares(shares)) = args.shares {
        plan.shares = shares;
    }
    plan.check()?;
    Ok(Some(plan))
}

/// Reads the models that monitors name.
fn with_model(mut monitor: Monitor) -> anyhow::Result<Monitor> {
    if let Some(ModelFile::Named(file)) = &monitor.model {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
        monitor.model = Some(ModelFile::of(&bytes).with_context(|| file.clone())?);
    }
    Ok(monitor)
}

/// As many numbers as it takes.
fn numbers<const N: usize>(text: &str, wanted: &str) -> Result<[f64; N], String> {
    let numbers = text.split(',').map(|one| one.trim().parse().ok()).collect::<Option<Vec<f64>>>();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| format!("write {wanted}: {N} numbers with commas between them"))
}

/// `TP,FP,FN,TN`.
fn worth(text: &str) -> Result<Worth, String> {
    let [true_positive, false_positive, false_negative, true_negative] =
        numbers(text, "TP,FP,FN,TN")?;
    Ok(Worth { true_positive, false_positive, false_negative, true_negative })
}

/// The shares of control and treatment.
#[derive(Debug, Clone, Copy)]
struct Shares([f64; 2]);

fn shares(text: &str) -> Result<Shares, String> {
    numbers(text, "CONTROL,TREATMENT").map(Shares)
}

/// `class=column`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (class, column) = text.split_once('=').ok_or("write class=column")?;
    Ok((class.to_owned(), column.to_owned()))
}
