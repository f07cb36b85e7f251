//! Performance over windows: realised where labels are, estimated where they are not, against the
//! band of the reference.

use arrow_array::Array;
use serde::Serialize;

use super::Monitor;
use super::rows::Table;
use crate::Error;
use crate::column::{self, Kind};
use crate::estimate::Estimate;
use crate::estimate::cbpe::Cbpe;
use crate::estimate::dle::{Dle, Metric};
use crate::gbdt::Feature;
use crate::performance::binary::{Confusion, Curve};
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
    /// A number.
    Regression,
}

/// Performance, metric by metric.
#[derive(Debug, Clone, Serialize)]
pub struct Performance {
    /// The kind of model.
    pub task: Task,
    /// The metrics.
    pub metrics: Vec<MetricSeries>,
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

pub(super) fn measure(
    monitor: &Monitor,
    reference: &Table,
    current: &Table,
    windows: &[(String, Vec<u32>)],
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
    if let Some(score) = &monitor.score {
        return binary(monitor, (reference, current), windows, (target, score)).map(Some);
    }
    if let Some(prediction) = &monitor.prediction
        && reference.kind(target) == Some(Kind::Numeric)
        && reference.kind(prediction) == Some(Kind::Numeric)
    {
        let names = (target.as_str(), prediction.as_str());
        return regression((reference, current), windows, names, features).map(Some);
    }
    notes.push("performance needs a score (two classes) or a numeric prediction".to_owned());
    Ok(None)
}

fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    let array = table.get(name).ok_or_else(|| Error::Option(format!("no column {name:?}")))?;
    column::dense_numbers(&[std::sync::Arc::clone(array)])
}

/// NaN where the column is missing, so that rows without a label are told from others.
fn labels(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    if table.has(name) { numbers(table, name) } else { Ok(vec![f64::NAN; table.rows()]) }
}

const BINARY: [&str; 5] = ["auroc", "f1", "precision", "recall", "accuracy"];

fn of_labels(labels: &[f64], scores: &[f64], decisions: &[bool]) -> [Option<f64>; 5] {
    let known: Vec<usize> = (0..labels.len()).filter(|row| !labels[*row].is_nan()).collect();
    let positive: Vec<bool> = known.iter().map(|row| labels[*row] > 0.5).collect();
    let scores: Vec<f64> = known.iter().map(|row| scores[*row]).collect();
    let decisions: Vec<bool> = known.iter().map(|row| decisions[*row]).collect();
    let auroc = Curve::of(&positive, &scores).ok().and_then(|curve| curve.auroc());
    match Confusion::of(&positive, &decisions) {
        Ok(counts) => [auroc, counts.f1(), counts.precision(), counts.recall(), counts.accuracy()],
        Err(_) => [None; 5],
    }
}

fn binary(
    monitor: &Monitor,
    (reference, current): (&Table, &Table),
    windows: &[(String, Vec<u32>)],
    (target, score): (&str, &str),
) -> Result<Performance, Error> {
    let side = |table: &Table| -> Result<_, Error> {
        let scores = numbers(table, score)?;
        let decisions = match &monitor.prediction {
            Some(prediction) => {
                numbers(table, prediction)?.iter().map(|d| *d > CUT).collect::<Vec<bool>>()
            }
            None => scores.iter().map(|score| *score >= CUT).collect(),
        };
        Ok((scores, decisions, labels(table, target)?))
    };
    let (scores, decisions, known) = side(reference)?;
    let positive: Vec<bool> = known.iter().map(|label| *label > 0.5).collect();
    let cbpe = Cbpe::fit(&scores, &decisions, &positive)?;
    let size = windows.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
    let past: Vec<[Option<f64>; 5]> = chunks(reference.rows(), size)
        .map(|rows| of_labels(&known[rows.clone()], &scores[rows.clone()], &decisions[rows]))
        .collect();
    let (scores, decisions, known) = side(current)?;
    let mut points: [Vec<Point>; 5] = Default::default();
    let mut metrics: Vec<MetricSeries> = Vec::new();
    let bands: Vec<(Band, f64)> = (0..BINARY.len())
        .map(|place| band(past.iter().filter_map(|chunk| chunk[place]), (0.0, 1.0)))
        .collect();
    for (window, rows) in windows {
        let scores: Vec<f64> = pick(&scores, rows);
        let decisions: Vec<bool> = pick(&decisions, rows);
        let known: Vec<f64> = pick(&known, rows);
        let realized = of_labels(&known, &scores, &decisions);
        let all = cbpe.estimate(&scores, &decisions)?;
        let estimates = [all.auroc, all.f1, all.precision, all.recall, all.accuracy];
        let labelled = share_labelled(&known);
        for (place, points) in points.iter_mut().enumerate() {
            let (realized, estimate) = (realized[place], estimates[place]);
            points.push(point(window, realized, labelled, estimate, &bands[place].0));
        }
    }
    for ((name, (band, reference)), points) in BINARY.into_iter().zip(bands).zip(points) {
        metrics.push(MetricSeries { name, band, reference, points });
    }
    Ok(Performance { task: Task::Binary, metrics })
}

fn regression(
    (reference, current): (&Table, &Table),
    windows: &[(String, Vec<u32>)],
    (target, prediction): (&str, &str),
    features: &[String],
) -> Result<Performance, Error> {
    let metrics = [("mae", Metric::Mae), ("rmse", Metric::Rmse)];
    let (known, predicted) = (numbers(reference, target)?, numbers(reference, prediction)?);
    let size = windows.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
    let codes = Codes::of(reference, features);
    let which: Vec<Metric> = metrics.iter().map(|(_, metric)| *metric).collect();
    let dle = Dle::fit(&codes.features(reference)?, &predicted, &known, &which)?;
    let bands: Vec<(Band, f64)> = which
        .iter()
        .map(|metric| {
            let of_chunk = |rows: std::ops::Range<usize>| {
                metric.realized(&known[rows.clone()], &predicted[rows]).ok()
            };
            let past = chunks(reference.rows(), size).filter_map(of_chunk);
            band(past, (0.0, f64::INFINITY))
        })
        .collect();
    let now = numbers(current, prediction)?;
    let losses = dle.losses(&codes.features(current)?, &now)?;
    let known = labels(current, target)?;
    let series = metrics.into_iter().zip(bands).zip(&losses);
    let metrics = series
        .map(|(((name, metric), (band, reference)), losses)| {
            let points = windows.iter().map(|(window, rows)| {
                let labelled: Vec<u32> =
                    rows.iter().copied().filter(|row| !known[*row as usize].is_nan()).collect();
                let realized =
                    metric.realized(&pick(&known, &labelled), &pick(&now, &labelled)).ok();
                let share = labelled.len() as f64 / rows.len().max(1) as f64;
                point(window, realized, share, Some(losses.estimate_of(rows)), &band)
            });
            MetricSeries { name, band, reference, points: points.collect() }
        })
        .collect();
    Ok(Performance { task: Task::Regression, metrics })
}

fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| values[*row as usize]).collect()
}

fn share_labelled(labels: &[f64]) -> f64 {
    labels.iter().filter(|label| !label.is_nan()).count() as f64 / labels.len().max(1) as f64
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

fn band(past: impl Iterator<Item = f64>, limits: (f64, f64)) -> (Band, f64) {
    let past: Vec<f64> = past.collect();
    let mean = past.iter().sum::<f64>() / past.len().max(1) as f64;
    (Band::of(&past, DEVIATIONS, limits), mean)
}

/// Chunks of the reference as large as the windows, since the spread depends on the size; ten where
/// that would leave fewer than three.
fn chunks(rows: usize, window: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let fits = window > 0 && rows / window >= 3;
    let length = if fits { window } else { (rows / REFERENCE_CHUNKS).max(1) };
    (0..rows / length).map(move |chunk| chunk * length..(chunk + 1) * length)
}

/// How texts become codes: by their order of frequency in the reference.
struct Codes {
    columns: Vec<(String, Option<crate::profile::Edges>)>,
}

impl Codes {
    fn of(reference: &Table, features: &[String]) -> Codes {
        let known = features.iter().filter_map(|name| {
            let array = reference.get(name)?;
            let kind = column::kind_of(array.data_type()).ok()?;
            let edges = match kind {
                Kind::Numeric => None,
                Kind::Categorical => Some(
                    crate::profile::Edges::fit(
                        &[std::sync::Arc::clone(array)],
                        &crate::profile::Binning::default(),
                    )
                    .ok()?,
                ),
            };
            Some((name.clone(), edges))
        });
        Codes { columns: known.collect() }
    }

    fn features(&self, table: &Table) -> Result<Vec<Feature>, Error> {
        self.columns
            .iter()
            .map(|(name, edges)| match edges {
                None => labels(table, name).map(Feature::Numbers),
                Some(edges) => codes(table, name, edges),
            })
            .collect()
    }
}

fn codes(table: &Table, name: &str, edges: &crate::profile::Edges) -> Result<Feature, Error> {
    use arrow_array::cast::AsArray;
    let Some(array) = table.get(name) else {
        return Ok(Feature::Codes(vec![u8::MAX; table.rows()]));
    };
    let texts = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    let texts = texts.as_string::<i32>();
    let mut codes = Vec::with_capacity(texts.len());
    for text in texts {
        let place = text.and_then(|text| edges.category(text));
        codes.push(place.map_or(u8::MAX, |place| u8::try_from(place).unwrap_or(u8::MAX - 1)));
    }
    Ok(Feature::Codes(codes))
}
