//! Performance over windows: realised where labels are, estimated where they are not, against the
//! band of the reference.

mod classes;
mod quantile;
mod ranking;
mod regression;
mod thresholds;
mod two_classes;

use serde::Serialize;

pub use classes::Classes;
pub use thresholds::{ByThreshold, Thresholds};
pub(super) use two_classes::Decisions;

use super::Monitor;
use super::rows::Table;
use crate::Error;
use crate::column::{self, Kind};
use crate::estimate::Estimate;
use crate::stat;
use crate::threshold::Band;

/// Chunks of the reference that a band is made from where there are no windows.
const REFERENCE_CHUNKS: usize = 10;
const DEVIATIONS: f64 = 3.0;
/// Scores from here on are positive decisions where no prediction is named.
const CUT: f64 = 0.5;

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Two classes, with a score.
    Binary,
    /// More classes, with a score for each.
    Multiclass,
    /// A number.
    Regression,
    /// A quantile of a number.
    Quantile,
    /// An order of the items of each query.
    Ranking,
}

/// Performance, metric by metric.
#[derive(Debug, Clone, Serialize)]
pub struct Performance {
    /// The kind of model.
    pub task: Task,
    /// The metrics.
    pub metrics: Vec<MetricSeries>,
    /// The quantile that is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// The places of a ranking that are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Of two classes: decisions by other thresholds, over all rows of each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// Of more classes: what each was taken for, over all rows of each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
}

impl Performance {
    /// Of the metrics that say anything: some need labels and have no estimate.
    fn of(task: Task, metrics: impl Iterator<Item = MetricSeries>) -> Performance {
        let says = |point: &Point| point.realized.is_some() || point.estimate.is_some();
        let metrics = metrics.filter(|metric| metric.points.iter().any(says)).collect();
        Performance { task, metrics, quantile: None, top: None, thresholds: None, classes: None }
    }
}

/// A metric over windows.
#[derive(Debug, Clone, Serialize)]
pub struct MetricSeries {
    /// Its name.
    pub name: &'static str,
    /// On the reference: mean ± 3 standard deviations over its chunks.
    pub band: Band,
    /// Its mean over the reference's chunks.
    pub reference: f64,
    /// The windows.
    pub points: Vec<Point>,
}

/// A metric of one window.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The window.
    pub window: String,
    /// From labels.
    pub realized: Option<f64>,
    /// Share of the rows that have a label.
    pub labelled: f64,
    /// Without labels.
    pub estimate: Option<Estimate>,
    /// Whether the realised value, or the estimate where there is none, is outside the band.
    pub alert: bool,
}

type Windows = [(String, Vec<u32>)];

pub(super) fn measure(
    monitor: &Monitor,
    reference: &Table,
    current: &Table,
    windows: &Windows,
    features: &[String],
    notes: &mut Vec<String>,
) -> Result<Option<Performance>, Error> {
    let Some(target) = &monitor.target else { return Ok(None) };
    if !reference.has(target) {
        return Err(Error::Option(format!("the reference has no column {target:?}")));
    }
    let all: Vec<u32> = (0..u32::try_from(current.rows()).unwrap_or(u32::MAX)).collect();
    let whole = [("all".to_owned(), all)];
    let windows = if windows.is_empty() { &whole[..] } else { windows };
    let tables = (reference, current);
    if let Some(query) = &monitor.query {
        return ranking::measure(monitor, tables, windows, query).map(Some);
    }
    if let (Some(quantile), Some(prediction)) = (monitor.quantile, &monitor.prediction) {
        let names = (target.as_str(), prediction.as_str());
        return quantile::measure(tables, windows, names, quantile).map(Some);
    }
    if let (false, Some(prediction)) = (monitor.scores.is_empty(), &monitor.prediction) {
        let names = (target.as_str(), prediction.as_str());
        return classes::measure(&monitor.scores, tables, windows, names).map(Some);
    }
    if monitor.score.is_some() {
        return two_classes::measure(monitor, tables, windows).map(Some);
    }
    if let Some(prediction) = &monitor.prediction
        && reference.kind(target) == Some(Kind::Numeric)
        && reference.kind(prediction) == Some(Kind::Numeric)
    {
        let names = (target.as_str(), prediction.as_str());
        return regression::measure(tables, windows, names, features).map(Some);
    }
    notes.push(
        "performance needs a score (two classes), a prediction and scores (more classes), a numeric \
         prediction, or a query and a score (a ranking)"
            .to_owned(),
    );
    Ok(None)
}

fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    let array = table.get(name).ok_or_else(|| Error::Option(format!("no column {name:?}")))?;
    column::dense_numbers(&[std::sync::Arc::clone(array)])
        .map_err(|error| Error::Option(format!("column {name:?}: {error}")))
}

/// NaN where the column is missing, so that rows without a label are told from others.
fn labels(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    if table.has(name) { numbers(table, name) } else { Ok(vec![f64::NAN; table.rows()]) }
}

fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| values[*row as usize]).collect()
}

fn share_labelled(labels: &[f64]) -> f64 {
    labels.iter().filter(|label| !label.is_nan()).count() as f64 / labels.len().max(1) as f64
}

fn longest(windows: &Windows) -> usize {
    windows.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0)
}

fn point(
    window: &str,
    realized: Option<f64>,
    labelled: f64,
    estimate: Option<Estimate>,
    band: &Band,
) -> Point {
    let decided = realized.or(estimate.map(|estimate| estimate.value));
    Point {
        window: window.to_owned(),
        realized,
        labelled,
        estimate,
        alert: decided.is_some_and(|value| band.alerts(value)),
    }
}

/// What a metric was like in the reference's chunks.
struct Past {
    band: Band,
    mean: f64,
    deviation: f64,
}

impl Past {
    fn of(chunks: impl Iterator<Item = f64>, limits: (f64, f64)) -> Past {
        let chunks: Vec<f64> = chunks.filter(|value| value.is_finite()).collect();
        Past {
            band: Band::of(&chunks, DEVIATIONS, limits),
            mean: stat::mean(&chunks),
            deviation: stat::deviation(&chunks, 0),
        }
    }

    fn series(self, name: &'static str, points: Vec<Point>) -> MetricSeries {
        MetricSeries { name, band: self.band, reference: self.mean, points }
    }

    /// An estimate that has no error of its own: the metric scatters as it did.
    fn estimate(&self, value: f64, limits: (f64, f64)) -> Estimate {
        Estimate::of(value, self.deviation, limits)
    }
}

/// Chunks of the reference as large as the windows, since the spread depends on the size; ten where
/// that would leave fewer than three.
pub(super) fn chunks(rows: usize, window: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let fits = window > 0 && rows / window >= 3;
    let length = if fits { window } else { (rows / REFERENCE_CHUNKS).max(1) };
    (0..rows / length).map(move |chunk| chunk * length..(chunk + 1) * length)
}
