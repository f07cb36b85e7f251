//! A monitor: what to watch, and the way from two tables to the whole outcome.
//!
//! The same description drives `trefoil drift`, the Python package and the server. It is written in
//! YAML ([`read`](Monitor::read)); every key has a default but `name`.

mod attribution;
mod experiment;
mod groups;
mod performance;
mod rows;
mod streams;
mod together;
mod yaml;

use arrow_array::RecordBatch;
use serde::Serialize;

pub use attribution::{EXPLAINED_ROWS, ModelFile};
pub use experiment::{
    Compared, Experiment, Look, MISMATCH, SCALE_DEVIATIONS, SampleRatio, Segment, Trial, Verdict,
};
pub(crate) use experiment::{Variant, trial};
pub use groups::{Group, Groups, Rates};
pub use performance::{ByThreshold, Classes, MetricSeries, Performance, Point, Task, Thresholds};
pub use rows::Table;
pub use streams::{Alarm, Stream};
pub use together::{Correlation, Multivariate, Together};

use crate::Error;
use crate::attribution::Importance;
use crate::column::Kind;
use crate::compare::{Baseline, Column, Options, Report};
use crate::detector::{self, Detector};
use crate::embedding;
use crate::multivariate;
use crate::performance::binary::Worth;
use crate::profile::Binning;
use crate::sequential;
use crate::threshold::Threshold;

/// The name of the comparison of correlations among detectors.
pub const CORRELATION: &str = "correlation_change";

/// Windows beyond this many are refused: the reader could not look at them.
pub const WINDOWS_LIMIT: usize = 5_000;
/// Segments beyond this many, smallest first, are left out.
pub const SEGMENTS_LIMIT: usize = 50;
/// The places of a ranking that are looked at where nobody says how many.
pub const TOP: usize = 10;

/// What to watch and how.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// The name in reports.
    pub name: String,
    /// The columns to compare; all but the special ones where none are named.
    pub columns: Vec<String>,
    /// Detectors by name, of any kind: two-sample ones (`psi` where none of them is named, `all` for
    /// all of them), those of vectors ([`embedding::DEFAULT`] where none of them is named), those of
    /// several columns, [`CORRELATION`], sequential ones.
    pub detectors: Vec<String>,
    /// Bins of numeric columns.
    pub binning: Binning,
    /// When a measure is an alert.
    pub threshold: Threshold,
    /// A column whose values are segments.
    pub by: Option<String>,
    /// The column of the rows' time.
    pub time: Option<String>,
    /// The length of a window.
    pub every: Option<Every>,
    /// The column of labels.
    pub target: Option<String>,
    /// The column of decisions or predicted numbers.
    pub prediction: Option<String>,
    /// The column of the positive class's score.
    pub score: Option<String>,
    /// Of more than two classes, each with the column of its score; the prediction is then a class.
    pub scores: Vec<(String, String)>,
    /// What a decision of each kind is worth.
    pub worth: Option<Worth>,
    /// A column of groups of people, whose rates are compared.
    pub protected: Option<String>,
    /// Of a ranking, the column that says which rows are the items of one query.
    pub query: Option<String>,
    /// The places of a ranking that are looked at.
    pub top: usize,
    /// The quantile that the prediction is of.
    pub quantile: Option<f64>,
    /// What is compared of two variants, of which the reference is the control.
    pub experiment: Option<Experiment>,
    /// The model whose features are attributed.
    pub model: Option<ModelFile>,
}

/// The length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// So many rows.
    Rows(usize),
    /// So many microseconds.
    Micros(i64),
}

impl Every {
    /// Reads `5000 rows`, `30m`, `1h`, `1d`, `1w`.
    pub fn parse(text: &str) -> Result<Every, Error> {
        let text = text.trim();
        let refuse =
            || Error::Option(format!("{text:?} is no window; write 5000 rows, 30m, 1h, 1d or 1w"));
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end).ok_or_else(refuse)?;
        let number: i64 = number.parse().ok().filter(|n| *n > 0).ok_or_else(refuse)?;
        let second = 1_000_000;
        let unit = match unit.trim() {
            "rows" | "row" | "" => {
                return usize::try_from(number).map(Every::Rows).map_err(|_| refuse());
            }
            "s" => second,
            "m" | "min" => 60 * second,
            "h" => 3600 * second,
            "d" => 86_400 * second,
            "w" => 7 * 86_400 * second,
            _ => return Err(refuse()),
        };
        number.checked_mul(unit).map(Every::Micros).ok_or_else(refuse)
    }
}

impl Default for Monitor {
    fn default() -> Monitor {
        Monitor {
            name: "drift".to_owned(),
            columns: Vec::new(),
            detectors: Vec::new(),
            binning: Binning::default(),
            threshold: Threshold::default(),
            by: None,
            time: None,
            every: None,
            target: None,
            prediction: None,
            score: None,
            scores: Vec::new(),
            worth: None,
            protected: None,
            query: None,
            top: TOP,
            quantile: None,
            experiment: None,
            model: None,
        }
    }
}

/// A comparison of a part of the current data.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// The window's beginning or the segment's value.
    pub name: String,
    /// Its comparison with the reference (a segment with the same segment of it).
    pub report: Report,
    /// Of a segment: the model's performance in it against that in the same segment of the reference,
    /// each metric with one point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
}

impl Part {
    pub(crate) fn of(name: String, report: Report) -> Part {
        Part { name, report, performance: None }
    }
}

/// What was compared, as the user names it.
#[derive(Debug, Clone, Serialize)]
pub struct Sources {
    /// What things were like.
    pub reference: String,
    /// What they are like.
    pub current: String,
}

/// Everything that a monitor found.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The monitor.
    pub name: String,
    /// The tables' names, where they have any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Sources>,
    /// All current rows against the reference.
    pub overall: Report,
    /// Window by window.
    pub windows: Vec<Part>,
    /// Segment by segment, largest first.
    pub segments: Vec<Part>,
    /// Performance, where a target, prediction or score is named.
    pub performance: Option<Performance>,
    /// What detectors of several columns say.
    pub multivariate: Vec<Multivariate>,
    /// Two columns each whose correlation has changed.
    pub correlations: Vec<Correlation>,
    /// What sequential detectors say.
    pub streams: Vec<Stream>,
    /// Rates by group.
    pub fairness: Option<Groups>,
    /// What an experiment says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Trial>,
    /// What features mean to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Importance>,
    /// Rows that occur before in the current data, where they were looked for.
    pub duplicates: Option<u64>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Whether anything drifted: a column overall or in any window, several columns together, a
    /// correlation, or a stream.
    pub fn drifted(&self) -> bool {
        self.overall.drifted > 0
            || self.windows.iter().any(|part| part.report.drifted > 0)
            || self.multivariate.iter().any(Multivariate::drifted)
            || !self.correlations.is_empty()
            || self.streams.iter().any(|stream| !stream.alarms.is_empty())
    }

    /// Whether any column has a data-quality finding.
    pub fn has_findings(&self) -> bool {
        self.overall.columns.iter().any(|column| !column.findings.is_empty())
    }

    /// Whether an experiment found a difference, or rows split as they should not be.
    pub fn decided(&self) -> bool {
        self.experiment.as_ref().is_some_and(Trial::found)
    }

    /// Whether the model listens to its features in another order than it did.
    pub fn listens_otherwise(&self) -> bool {
        self.attribution.as_ref().is_some_and(|found| found.drifted)
    }

    /// Whether any performance metric left its band, in a window or a segment.
    pub fn degraded(&self) -> bool {
        let in_segments = self.segments.iter().filter_map(|part| part.performance.as_ref());
        let all = self.performance.iter().chain(in_segments);
        let series = all.flat_map(|performance| &performance.metrics);
        series.flat_map(|metric| &metric.points).any(|point| point.alert)
    }
}

/// Detectors by kind.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Two-sample detectors, column by column.
    pub columns: Vec<&'static Detector>,
    /// Those of columns of vectors.
    pub embeddings: Vec<&'static embedding::Detector>,
    /// Detectors of several columns.
    pub together: Vec<&'static str>,
    /// Whether correlations are compared.
    pub correlation: bool,
    /// Sequential detectors.
    pub streams: Vec<&'static sequential::Entry>,
}

impl Monitor {
    /// The detectors by name.
    pub fn chosen(&self) -> Result<Chosen, Error> {
        let mut chosen = Chosen {
            columns: Vec::new(),
            embeddings: Vec::new(),
            together: Vec::new(),
            correlation: false,
            streams: Vec::new(),
        };
        for name in &self.detectors {
            let of_vectors = embedding::find(name);
            let known = |one: &&'static embedding::Detector| {
                chosen.embeddings.iter().all(|known| known.name != one.name)
            };
            chosen.embeddings.extend(of_vectors.filter(known));
            if name == "all" {
                chosen.columns = detector::ALL.to_vec();
                chosen.embeddings = embedding::ALL.to_vec();
            } else if name == CORRELATION {
                chosen.correlation = true;
            } else if let Some(found) = detector::find(name) {
                if chosen.columns.iter().all(|known| known.name != found.name) {
                    chosen.columns.push(found);
                }
            } else if let Some(found) = multivariate::ALL.iter().find(|one| one.name == name) {
                chosen.together.push(found.name);
            } else if let Some(found) = sequential::ALL.iter().find(|one| one.name == name) {
                chosen.streams.push(found);
            } else if of_vectors.is_none() {
                return Err(Error::Option(format!(
                    "no detector is called {name:?}; see trefoil drift --list"
                )));
            }
        }
        if chosen.columns.is_empty() {
            chosen.columns.extend(detector::find("psi"));
        }
        if chosen.embeddings.is_empty() {
            chosen.embeddings.extend(embedding::find(embedding::DEFAULT));
        }
        Ok(chosen)
    }

    pub(crate) fn options(&self) -> Result<Options, Error> {
        let chosen = self.chosen()?;
        Ok(Options {
            detectors: chosen.columns,
            embeddings: chosen.embeddings,
            binning: self.binning.clone(),
            threshold: self.threshold,
            sketches: true,
        })
    }

    /// Refuses columns that are named and not there.
    pub(crate) fn check_columns(&self, reference: &Table, current: &Table) -> Result<(), Error> {
        let scores = self.scores.iter().map(|(_, column)| column);
        let named =
            [&self.time, &self.by, &self.prediction, &self.score, &self.protected, &self.query];
        for name in named.into_iter().flatten().chain(scores) {
            if !current.has(name) {
                return Err(Error::Option(format!("the current data has no column {name:?}")));
            }
            if current.kind(name) == Some(Kind::Embedding) {
                return Err(Error::Option(format!(
                    "{name:?} holds vectors, which say no such thing"
                )));
            }
        }
        for name in [&self.by, &self.protected].into_iter().flatten() {
            if !reference.has(name) {
                return Err(Error::Option(format!("the reference has no column {name:?}")));
            }
        }
        Ok(())
    }

    pub(crate) fn note_left_out(
        &self,
        reference: &Table,
        watched: &[String],
        notes: &mut Vec<String>,
    ) {
        for name in reference.names().filter(|name| !watched.iter().any(|w| w == name)) {
            let known = [&self.target, &self.query];
            if self.columns.is_empty() && known.iter().all(|one| one.as_deref() != Some(name)) {
                notes.push(format!("{name} is not compared: it is a time or counts rows"));
            }
        }
    }

    pub(crate) fn watched(&self, reference: &Table, current: &Table) -> Result<Vec<String>, Error> {
        for name in &self.columns {
            if !reference.has(name) {
                return Err(Error::Option(format!("the reference has no column {name:?}")));
            }
        }
        if !self.columns.is_empty() {
            return Ok(self.columns.clone());
        }
        let special = |name: &str| {
            let special = [&self.time, &self.target, &self.query];
            special.into_iter().flatten().any(|special| special == name)
        };
        let mut names: Vec<String> = reference.names().map(str::to_owned).collect();
        names.extend(current.names().filter(|name| !reference.has(name)).map(str::to_owned));
        names.retain(|name| !special(name));
        // A time that goes on is no drift, and neither is an identifier that counts up.
        names.retain(|name| !(reference.is_time(name) || reference.is_counter(name)));
        Ok(names)
    }

    /// Compares the tables.
    pub fn run(
        &self,
        reference: &[RecordBatch],
        current: &[RecordBatch],
    ) -> Result<Outcome, Error> {
        let (reference, current) = (Table::of(reference)?, Table::of(current)?);
        self.check_columns(&reference, &current)?;
        let watched = self.watched(&reference, &current)?;
        let mut notes = Vec::new();
        self.note_left_out(&reference, &watched, &mut notes);
        let windows = self.windows(&current)?;
        let longest = windows.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
        let baseline = self.baseline(&reference, &watched, longest)?;
        let overall = baseline.compare(&current.columns(&watched));
        let parts = windows
            .iter()
            .map(|(name, rows)| {
                let report = baseline.compare(&current.rows_of(rows).columns(&watched));
                Part::of(name.clone(), report)
            })
            .collect();
        let mut segments = self.segments(&reference, &current, &watched, &mut notes)?;
        let features = self.features(&watched);
        let performance =
            performance::measure(self, &reference, &current, &windows, &features, &mut notes)?;
        if performance.is_some() {
            self.perform_by_segment((&reference, &current), &features, &mut segments)?;
        }
        let mut outcome = Outcome {
            name: self.name.clone(),
            sources: None,
            overall,
            windows: parts,
            segments,
            performance,
            multivariate: Vec::new(),
            correlations: Vec::new(),
            streams: Vec::new(),
            fairness: groups::measure(self, &reference, &current)?,
            experiment: experiment::measure(self, &reference, &current)?,
            attribution: None,
            duplicates: Some(current.duplicates()),
            notes,
        };
        self.look_at_rows(&mut outcome, (&reference, &current), &windows, &watched)?;
        Ok(outcome)
    }

    /// What windows of at most so many rows are held against.
    fn baseline(
        &self,
        reference: &Table,
        watched: &[String],
        longest: usize,
    ) -> Result<Baseline, Error> {
        let mut baseline = Baseline::fit(&reference.columns(watched), self.options()?);
        if let Threshold::Chunks { deviations } = self.threshold {
            let order = reference.in_time(self.time.as_deref().filter(|t| reference.has(t)))?;
            let chunks = performance::chunks(reference.rows(), longest)
                .map(|rows| reference.rows_of(&order[rows]).columns(watched));
            let chunks: Vec<Vec<Column>> = chunks.collect();
            baseline.learn_chunks(&chunks, deviations);
        }
        Ok(baseline)
    }

    /// What needs whole rows: several columns together, and their order.
    pub(crate) fn look_at_rows(
        &self,
        outcome: &mut Outcome,
        (reference, current): (&Table, &Table),
        windows: &[(String, Vec<u32>)],
        watched: &[String],
    ) -> Result<(), Error> {
        let chosen = self.chosen()?;
        let tables = (reference, current);
        let vectors = |name: &String| reference.kind(name) == Some(Kind::Embedding);
        let mut features = self.features(watched);
        features.retain(|name| !vectors(name));
        let mut together = chosen.together;
        if features.is_empty() && watched.iter().any(vectors) {
            for name in together.drain(..).filter(|name| *name != multivariate::MMD) {
                outcome.notes.push(format!("{name} is not computed: there are only vectors"));
            }
        }
        let alpha = match self.threshold {
            Threshold::Sampled { alpha, .. } => alpha,
            _ => 0.05,
        };
        if !together.is_empty() {
            outcome.multivariate = together::measure(&together, tables, windows, &features, alpha)?;
        }
        if chosen.correlation {
            outcome.correlations = together::correlations(tables, &features, &self.threshold)?;
        }
        outcome.streams =
            streams::watch(self, &chosen.streams, tables, watched, &mut outcome.notes)?;
        self.attribute(outcome, tables)
    }

    /// The watched columns that are not the model's own answers.
    fn features(&self, watched: &[String]) -> Vec<String> {
        let scores = self.scores.iter().map(|(_, column)| column);
        let answers: Vec<&String> =
            [&self.prediction, &self.score].into_iter().flatten().chain(scores).collect();
        watched.iter().filter(|name| !answers.contains(name)).cloned().collect()
    }

    pub(crate) fn performance_of_tables(
        &self,
        (reference, current): (&Table, &Table),
        features: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Option<Performance>, Error> {
        let windows = self.windows(current)?;
        performance::measure(self, reference, current, &windows, features, notes)
    }

    pub(crate) fn fairness_of(
        &self,
        reference: &Table,
        current: &Table,
    ) -> Result<Option<Groups>, Error> {
        groups::measure(self, reference, current)
    }

    pub(crate) fn windows(&self, current: &Table) -> Result<Vec<(String, Vec<u32>)>, Error> {
        let windows = match (self.every, &self.time) {
            (None, _) => Vec::new(),
            (Some(Every::Rows(rows)), time) => current.by_count(rows, time.as_deref())?,
            (Some(Every::Micros(length)), Some(time)) => current.by_time(time, length)?,
            (Some(Every::Micros(_)), None) => {
                return Err(Error::Option("windows of time need a time column".to_owned()));
            }
        };
        if windows.len() > WINDOWS_LIMIT {
            return Err(Error::Option(format!(
                "{} windows; at most {WINDOWS_LIMIT} are possible",
                windows.len()
            )));
        }
        Ok(windows)
    }

    fn segments(
        &self,
        reference: &Table,
        current: &Table,
        watched: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Vec<Part>, Error> {
        let Some(by) = &self.by else { return Ok(Vec::new()) };
        if !reference.has(by) {
            return Err(Error::Option(format!("the reference has no column {by:?}")));
        }
        let watched: Vec<String> = watched.iter().filter(|name| *name != by).cloned().collect();
        let past = reference.by_value(by)?;
        let mut now: Vec<(String, Vec<u32>)> = current.by_value(by)?.into_iter().collect();
        now.sort_by(|left, right| right.1.len().cmp(&left.1.len()).then(left.0.cmp(&right.0)));
        if now.len() > SEGMENTS_LIMIT {
            notes.push(format!("{} small segments are left out", now.len() - SEGMENTS_LIMIT));
            now.truncate(SEGMENTS_LIMIT);
        }
        let mut parts = Vec::new();
        for (name, rows) in now {
            let Some(before) = past.get(&name) else {
                notes.push(format!("segment {name} is new: nothing to compare it with"));
                continue;
            };
            let baseline = self.baseline(&reference.rows_of(before), &watched, rows.len())?;
            let report = baseline.compare(&current.rows_of(&rows).columns(&watched));
            parts.push(Part::of(name, report));
        }
        Ok(parts)
    }

    /// Adds the performance in each segment, where it has rows enough for one.
    pub(crate) fn perform_by_segment(
        &self,
        (reference, current): (&Table, &Table),
        features: &[String],
        segments: &mut [Part],
    ) -> Result<(), Error> {
        let Some(by) = &self.by else { return Ok(()) };
        let (past, now) = (reference.by_value(by)?, current.by_value(by)?);
        for part in segments {
            let (Some(before), Some(rows)) = (past.get(&part.name), now.get(&part.name)) else {
                continue;
            };
            let (before, rows) = (reference.rows_of(before), current.rows_of(rows));
            let measured =
                performance::measure(self, &before, &rows, &[], features, &mut Vec::new());
            part.performance = measured.ok().flatten();
            if let Some(performance) = &mut part.performance {
                // A table for each segment would be longer than all else.
                performance.thresholds = None;
                performance.classes = None;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
