//! Two classes, told by a score: realised from labels, estimated by CBPE.

use super::{
    CUT, Past, Performance, Point, Task, Windows, chunks, labels, longest, numbers, pick, point,
    share_labelled, thresholds::Thresholds,
};
use crate::Error;
use crate::estimate::Estimate;
use crate::estimate::cbpe::{Cbpe, Estimates};
use crate::monitor::{Monitor, Table};
use crate::performance::binary::{Confusion, Worth, scored};

/// Metrics in the order of the report; [`VALUE`] comes between.
const FIRST: [&str; 5] = ["auroc", "f1", "precision", "recall", "accuracy"];
const LAST: [&str; 6] =
    ["specificity", "mcc", "average_precision", "log_loss", "brier", "calibration_error"];
const VALUE: &str = "value";

/// What a model with two classes decided, and what was right.
pub(in crate::monitor) struct Decisions {
    scores: Option<Vec<f64>>,
    /// Whether a row was decided positively.
    pub(in crate::monitor) decisions: Vec<bool>,
    /// 1 for positives, 0 for negatives, NaN where it is not known yet.
    pub(in crate::monitor) labels: Vec<f64>,
}

impl Decisions {
    /// By the columns that the monitor names.
    pub(in crate::monitor) fn of(monitor: &Monitor, table: &Table) -> Result<Decisions, Error> {
        let scores = match &monitor.score {
            Some(score) => Some(numbers(table, score)?),
            None => None,
        };
        let decisions = match (&monitor.prediction, &scores) {
            (Some(prediction), _) => numbers(table, prediction)?.iter().map(|d| *d > CUT).collect(),
            (None, Some(scores)) => scores.iter().map(|score| *score >= CUT).collect(),
            (None, None) => {
                return Err(Error::Option("decisions need a prediction or a score".to_owned()));
            }
        };
        let labels = match &monitor.target {
            Some(target) => labels(table, target)?,
            None => vec![f64::NAN; table.rows()],
        };
        Ok(Decisions { scores, decisions, labels })
    }

    /// 1 where a decision was wrong, 0 where right, NaN where that is not known.
    pub(in crate::monitor) fn mistakes(&self) -> Vec<f64> {
        let rows = self.labels.iter().zip(&self.decisions);
        let mistake = |(label, decision): (&f64, &bool)| match label.is_nan() {
            true => f64::NAN,
            false => f64::from(u8::from((*label > 0.5) != *decision)),
        };
        rows.map(mistake).collect()
    }

    fn rows(&self, rows: &[u32]) -> Decisions {
        Decisions {
            scores: self.scores.as_ref().map(|scores| pick(scores, rows)),
            decisions: pick(&self.decisions, rows),
            labels: pick(&self.labels, rows),
        }
    }

    fn range(&self, rows: std::ops::Range<usize>) -> Decisions {
        Decisions {
            scores: self.scores.as_ref().map(|scores| scores[rows.clone()].to_vec()),
            decisions: self.decisions[rows.clone()].to_vec(),
            labels: self.labels[rows].to_vec(),
        }
    }

    pub(super) fn scores(&self) -> &[f64] {
        self.scores.as_deref().unwrap_or_default()
    }

    /// Each metric of the rows with a label.
    fn realized(&self, worth: Option<&Worth>) -> Vec<Option<f64>> {
        let known: Vec<usize> =
            (0..self.labels.len()).filter(|row| !self.labels[*row].is_nan()).collect();
        let positive: Vec<bool> = known.iter().map(|row| self.labels[*row] > 0.5).collect();
        let scores: Vec<f64> = known.iter().map(|row| self.scores()[*row]).collect();
        let decisions: Vec<bool> = known.iter().map(|row| self.decisions[*row]).collect();
        let of_scores = scored(&positive, &scores).ok().filter(|_| !known.is_empty());
        // Scores that are no probabilities rank rows, but are neither right nor wrong by how much.
        let probable = scores.iter().all(|score| (0.0..=1.0).contains(score));
        let of_probabilities = of_scores.filter(|_| probable);
        let counts = Confusion::of(&positive, &decisions).ok().filter(|c| c.rows() > 0.0);
        let rate = |metric: fn(&Confusion) -> Option<f64>| counts.as_ref().and_then(metric);
        let mut metrics = vec![
            of_scores.and_then(|scored| scored.auroc),
            rate(Confusion::f1),
            rate(Confusion::precision),
            rate(Confusion::recall),
            rate(Confusion::accuracy),
        ];
        if let Some(worth) = worth {
            metrics.push(counts.map(|counts| counts.value(worth) / counts.rows()));
        }
        metrics.extend([
            rate(Confusion::specificity),
            counts.map(|counts| counts.mcc()),
            of_scores.and_then(|scored| scored.average_precision),
            of_probabilities.map(|scored| scored.log_loss),
            of_probabilities.map(|scored| scored.brier),
            of_probabilities.map(|scored| scored.calibration_error),
        ]);
        metrics
    }
}

/// Where a metric can lie.
fn limits(name: &str) -> (f64, f64) {
    match name {
        VALUE => (f64::NEG_INFINITY, f64::INFINITY),
        "mcc" => (-1.0, 1.0),
        // It shrinks with the rows: what is below its band has more of them, not a better score.
        "calibration_error" => (f64::INFINITY, 1.0),
        "log_loss" => (0.0, f64::INFINITY),
        _ => (0.0, 1.0),
    }
}

/// What is expected without labels, in the order of [`Decisions::realized`]. What has no error of its
/// own scatters as it did on the reference.
fn expected(all: &Estimates, worth: Option<&Worth>, past: &[Past]) -> Vec<Option<Estimate>> {
    let mut estimates = vec![all.auroc, all.f1, all.precision, all.recall, all.accuracy];
    let rows = all.confusion.rows();
    let as_before = |place: usize, value: Option<f64>, name: &str| {
        value.map(|value| past[place].estimate(value, limits(name)))
    };
    if let Some(worth) = worth {
        let value = (rows > 0.0).then(|| all.value(worth) / rows);
        estimates.push(as_before(estimates.len(), value, VALUE));
    }
    estimates.push(all.specificity);
    let mcc = (rows > 0.0).then(|| all.confusion.mcc());
    estimates.push(as_before(estimates.len(), mcc, "mcc"));
    let precision = all.average_precision;
    estimates.push(as_before(estimates.len(), precision, "average_precision"));
    let probable = all.of_probabilities.as_ref();
    for (value, limits) in [
        (probable.map(|one| one.log_loss), (0.0, f64::INFINITY)),
        (probable.map(|one| one.brier), (0.0, 1.0)),
        (probable.map(|one| one.calibration_error), (0.0, 1.0)),
    ] {
        let past = &past[estimates.len()];
        let value = value.filter(|_| past.mean.is_finite());
        estimates.push(value.map(|value| past.estimate(value, limits)));
    }
    estimates
}

pub(super) fn measure(
    monitor: &Monitor,
    (reference, current): (&Table, &Table),
    windows: &Windows,
) -> Result<Performance, Error> {
    let worth = monitor.worth.as_ref();
    let names: Vec<&'static str> =
        FIRST.into_iter().chain(worth.is_some().then_some(VALUE)).chain(LAST).collect();
    let before = Decisions::of(monitor, reference)?;
    let positive: Vec<bool> = before.labels.iter().map(|label| *label > 0.5).collect();
    let cbpe = Cbpe::fit(before.scores(), &before.decisions, &positive)?;
    let chunked: Vec<Vec<Option<f64>>> = chunks(reference.rows(), longest(windows))
        .map(|rows| before.range(rows).realized(worth))
        .collect();
    let past: Vec<Past> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            Past::of(chunked.iter().filter_map(|chunk| chunk[place]), limits(name))
        })
        .collect();
    let now = Decisions::of(monitor, current)?;
    let mut points: Vec<Vec<Point>> = names.iter().map(|_| Vec::new()).collect();
    for (window, rows) in windows {
        let now = now.rows(rows);
        let realized = now.realized(worth);
        let estimates = expected(&cbpe.estimate(now.scores(), &now.decisions)?, worth, &past);
        let labelled = share_labelled(&now.labels);
        for (place, points) in points.iter_mut().enumerate() {
            let (realized, estimate) = (realized[place], estimates[place]);
            points.push(point(window, realized, labelled, estimate, &past[place].band));
        }
    }
    let series = names.into_iter().zip(past).zip(points);
    let series = series.map(|((name, past), points)| past.series(name, points));
    let mut found = Performance::of(Task::Binary, series);
    found.thresholds = Thresholds::of(monitor, &before, &now, &cbpe);
    Ok(found)
}
