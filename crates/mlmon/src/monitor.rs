//! A monitor: what to watch, and the way from two tables to the whole outcome.
//!
//! The same description drives `trefoil drift`, the Python package and the server. It is written in
//! YAML ([`read`](Monitor::read)); every key has a default but `name`.

mod performance;
mod rows;
mod yaml;

use arrow_array::RecordBatch;
use serde::Serialize;

pub use performance::{MetricSeries, Performance, Point, Task};
pub use rows::Table;

use crate::Error;
use crate::compare::{Baseline, Options, Report};
use crate::detector::{self, Detector};
use crate::profile::Binning;
use crate::threshold::Threshold;

/// Windows beyond this many are refused: the reader could not look at them.
pub const WINDOWS_LIMIT: usize = 5_000;
/// Segments beyond this many, smallest first, are left out.
pub const SEGMENTS_LIMIT: usize = 50;

/// What to watch and how.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// The name in reports.
    pub name: String,
    /// The columns to compare; all but the special ones where none are named.
    pub columns: Vec<String>,
    /// Detectors by name; `psi` where none are.
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
}

/// Everything that a monitor found.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The monitor.
    pub name: String,
    /// All current rows against the reference.
    pub overall: Report,
    /// Window by window.
    pub windows: Vec<Part>,
    /// Segment by segment, largest first.
    pub segments: Vec<Part>,
    /// Performance, where a target, prediction or score is named.
    pub performance: Option<Performance>,
    /// Rows that occur twice in the current data.
    pub duplicates: u64,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Whether any column drifted: overall, or in any window.
    pub fn drifted(&self) -> bool {
        self.overall.drifted > 0 || self.windows.iter().any(|part| part.report.drifted > 0)
    }

    /// Whether any column has a data-quality finding.
    pub fn has_findings(&self) -> bool {
        self.overall.columns.iter().any(|column| !column.findings.is_empty())
    }

    /// Whether any performance metric left its band.
    pub fn degraded(&self) -> bool {
        let series = self.performance.iter().flat_map(|performance| &performance.metrics);
        series.flat_map(|metric| &metric.points).any(|point| point.alert)
    }
}

impl Monitor {
    /// The detectors by name.
    pub fn chosen(&self) -> Result<Vec<&'static Detector>, Error> {
        let mut chosen = Vec::new();
        for name in &self.detectors {
            if name == "all" {
                return Ok(detector::ALL.to_vec());
            }
            chosen.push(detector::find(name).ok_or_else(|| {
                Error::Option(format!("no detector is called {name:?}; see trefoil drift --list"))
            })?);
        }
        if chosen.is_empty() {
            chosen.extend(detector::find("psi"));
        }
        Ok(chosen)
    }

    fn options(&self) -> Result<Options, Error> {
        Ok(Options {
            detectors: self.chosen()?,
            binning: self.binning.clone(),
            threshold: self.threshold,
            sketches: true,
        })
    }

    fn watched(&self, reference: &Table, current: &Table) -> Result<Vec<String>, Error> {
        for name in &self.columns {
            if !reference.has(name) {
                return Err(Error::Option(format!("the reference has no column {name:?}")));
            }
        }
        if !self.columns.is_empty() {
            return Ok(self.columns.clone());
        }
        let special = |name: &str| {
            [&self.time, &self.target].into_iter().flatten().any(|special| special == name)
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
        for name in [&self.time, &self.by, &self.prediction, &self.score].into_iter().flatten() {
            if !current.has(name) {
                return Err(Error::Option(format!("the current data has no column {name:?}")));
            }
        }
        let watched = self.watched(&reference, &current)?;
        let mut notes = Vec::new();
        for name in reference.names().filter(|name| !watched.iter().any(|w| w == name)) {
            if self.columns.is_empty() && Some(name) != self.target.as_deref() {
                notes.push(format!("{name} is not compared: it is a time or counts rows"));
            }
        }
        let baseline = Baseline::fit(&reference.columns(&watched), self.options()?);
        let overall = baseline.compare(&current.columns(&watched));
        let windows = self.windows(&current)?;
        let parts = windows
            .iter()
            .map(|(name, rows)| Part {
                name: name.clone(),
                report: baseline.compare(&current.rows_of(rows).columns(&watched)),
            })
            .collect();
        let segments = self.segments(&reference, &current, &watched, &mut notes)?;
        let features: Vec<String> = watched
            .iter()
            .filter(|name| Some(*name) != self.prediction.as_ref())
            .filter(|name| Some(*name) != self.score.as_ref())
            .cloned()
            .collect();
        let performance =
            performance::measure(self, &reference, &current, &windows, &features, &mut notes)?;
        Ok(Outcome {
            name: self.name.clone(),
            overall,
            windows: parts,
            segments,
            performance,
            duplicates: current.duplicates(),
            notes,
        })
    }

    fn windows(&self, current: &Table) -> Result<Vec<(String, Vec<u32>)>, Error> {
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
            let before = reference.rows_of(before).columns(&watched);
            let baseline = Baseline::fit(&before, self.options()?);
            let report = baseline.compare(&current.rows_of(&rows).columns(&watched));
            parts.push(Part { name, report });
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests;
