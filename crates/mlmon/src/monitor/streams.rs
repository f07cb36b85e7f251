//! Sequential detectors on the current rows in the order of their time, after the reference has gone
//! before: what a monitor would have alarmed at, row by row.
//!
//! Numbers are scaled by the reference's mean and deviation, so that thresholds in the data's unit
//! mean the same for every column. DDM, EDDM and HDDM look at the model's mistakes instead.

use serde::Serialize;

use super::Monitor;
use super::performance::Decisions;
use super::rows::Table;
use crate::Error;
use crate::column::{self, Kind};
use crate::sequential::{Cusum, Entry, Kswin, PageHinkley, Sequential, State};
use crate::stat;

/// Rows of the reference, its last ones, that a detector sees first.
const WARM_UP_ROWS: usize = 20_000;
/// Shift that is tolerated, in standard deviations. River's and frouros' 0.005 is for any unit; here it
/// would be an alarm every 3,000 rows of noise, while 0.1 makes it one in a million.
const TOLERATED: f64 = 0.1;
/// Chance of a false alarm of KSWIN at a row. River's 0.005 alarms every few hundred rows of noise, this
/// not once in 60,000.
const KSWIN_ALPHA: f64 = 1e-5;
/// Alarms listed of one column.
const ALARMS_LISTED: usize = 100;

/// Where a stream changed.
#[derive(Debug, Clone, Serialize)]
pub struct Stream {
    /// The detector.
    pub detector: &'static str,
    /// The column, or `mistakes`.
    pub column: String,
    /// Rows that were looked at.
    pub rows: usize,
    /// Rows that it alarmed at (the first hundred).
    pub alarms: Vec<Alarm>,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// The row in the order of time, from 0.
    pub row: usize,
    /// Its time, where rows have any.
    pub at: Option<String>,
}

/// Whether a detector looks at mistakes (0 and 1) instead of numbers.
fn of_mistakes(entry: &Entry) -> bool {
    matches!(entry.name, "ddm" | "eddm" | "hddm")
}

/// A detector for numbers in standard deviations.
fn scaled(entry: &Entry) -> Box<dyn Sequential> {
    match entry.name {
        "page_hinkley" => {
            let mut detector = PageHinkley::default();
            detector.delta = TOLERATED;
            // Forgetting would forget what is tolerated, too: after 10,000 rows the sum would wander.
            detector.alpha = 1.0;
            Box::new(detector)
        }
        "cusum" => {
            let mut detector = Cusum::default();
            detector.delta = TOLERATED;
            Box::new(detector)
        }
        "kswin" => {
            let mut detector = Kswin::default();
            detector.alpha = KSWIN_ALPHA;
            Box::new(detector)
        }
        _ => (entry.make)(),
    }
}

pub(super) fn watch(
    monitor: &Monitor,
    entries: &[&'static Entry],
    (reference, current): (&Table, &Table),
    columns: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<Stream>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let order = |table: &Table| table.in_time(monitor.time.as_deref().filter(|t| table.has(t)));
    let (past_order, now_order) = (order(reference)?, order(current)?);
    let tail = past_order.len().saturating_sub(WARM_UP_ROWS);
    let mut streams = Vec::new();
    let mut look = |entry: &'static Entry, name: &str, past: Vec<f64>, now: Vec<f64>| {
        let mut detector = scaled(entry);
        for row in &past_order[tail..] {
            detector.update(past[*row as usize]);
        }
        let mut alarms = Vec::new();
        for (place, row) in now_order.iter().enumerate() {
            if detector.update(now[*row as usize]) == State::Drift && alarms.len() < ALARMS_LISTED {
                let at = monitor.time.as_deref().and_then(|time| current.time_of(time, *row));
                alarms.push(Alarm { row: place, at });
            }
        }
        let rows = now_order.len();
        streams.push(Stream { detector: entry.name, column: name.to_owned(), rows, alarms });
    };
    for entry in entries.iter().filter(|entry| !of_mistakes(entry)) {
        for name in columns {
            if reference.kind(name) != Some(Kind::Numeric)
                || current.kind(name) != Some(Kind::Numeric)
            {
                continue;
            }
            let dense = |table: &Table| match table.get(name) {
                Some(array) => column::dense_numbers(&[std::sync::Arc::clone(array)]),
                None => Ok(Vec::new()),
            };
            let (mut past, mut now) = (dense(reference)?, dense(current)?);
            let finite: Vec<f64> = past.iter().copied().filter(|v| v.is_finite()).collect();
            let (mean, spread) = (stat::mean(&finite), stat::deviation(&finite, 0));
            if spread > 0.0 {
                for value in past.iter_mut().chain(&mut now) {
                    *value = (*value - mean) / spread;
                }
            }
            look(entry, name, past, now);
        }
    }
    let about_mistakes: Vec<&&'static Entry> =
        entries.iter().filter(|entry| of_mistakes(entry)).collect();
    if !about_mistakes.is_empty() {
        let mistakes = |table: &Table| Decisions::of(monitor, table).map(|d| d.mistakes());
        match (mistakes(reference), mistakes(current)) {
            (Ok(past), Ok(now)) if now.iter().any(|one| !one.is_nan()) => {
                for entry in about_mistakes {
                    look(entry, "mistakes", past.clone(), now.clone());
                }
            }
            _ => notes.push(
                "ddm, eddm and hddm look at mistakes: they need labels and decisions or scores"
                    .to_owned(),
            ),
        }
    }
    Ok(streams)
}
