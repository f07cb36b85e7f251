//! More than two classes, with a score for each: macro averages, realised and estimated by CBPE.

use arrow_array::cast::AsArray;
use serde::Serialize;

use super::{Past, Performance, Point, Task, Windows, chunks, longest, numbers, point};
use crate::Error;
use crate::estimate::cbpe::CbpeMulticlass;
use crate::monitor::Table;
use crate::performance::binary::Confusion;
use crate::performance::multiclass::{Matrix, auroc_macro};

/// Those with an estimate first.
const METRICS: [&str; 7] = ["auroc", "f1", "accuracy", "precision", "recall", "specificity", "mcc"];

/// What each class was taken for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classes {
    /// Their names.
    pub names: Vec<String>,
    /// On the reference: rows by true class (outer) and decision (inner).
    pub reference: Vec<Vec<u64>>,
    /// On the current rows with a label, if there are any.
    pub current: Option<Vec<Vec<u64>>>,
}

/// Where a metric can lie.
fn limits(name: &str) -> (f64, f64) {
    if name == "mcc" { (-1.0, 1.0) } else { (0.0, 1.0) }
}

/// Rows as numbers of classes.
struct Rows {
    /// A column for each class.
    scores: Vec<Vec<f64>>,
    decisions: Vec<usize>,
    /// Without one where it is not known yet.
    labels: Vec<Option<usize>>,
}

impl Rows {
    fn of(
        scores: &[(String, String)],
        table: &Table,
        (target, prediction): (&str, &str),
    ) -> Result<Rows, Error> {
        let classes: Vec<&str> = scores.iter().map(|(class, _)| class.as_str()).collect();
        let decisions = numbered(table, prediction, &classes)?;
        let decisions = decisions.into_iter().map(|class| {
            class.ok_or_else(|| {
                Error::Option(format!("column {prediction:?} has decisions without a class"))
            })
        });
        let labels = match table.has(target) {
            true => numbered(table, target, &classes)?,
            false => vec![None; table.rows()],
        };
        Ok(Rows {
            scores: scores
                .iter()
                .map(|(_, column)| numbers(table, column))
                .collect::<Result<_, Error>>()?,
            decisions: decisions.collect::<Result<_, Error>>()?,
            labels,
        })
    }

    fn rows(&self, rows: &[usize]) -> Rows {
        Rows {
            scores: self.scores.iter().map(|s| rows.iter().map(|r| s[*r]).collect()).collect(),
            decisions: rows.iter().map(|row| self.decisions[*row]).collect(),
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
        }
    }

    fn labelled(&self) -> (Rows, Vec<usize>) {
        let known: Vec<usize> =
            (0..self.labels.len()).filter(|row| self.labels[*row].is_some()).collect();
        let rows = self.rows(&known);
        let labels = rows.labels.iter().copied().flatten().collect();
        (rows, labels)
    }

    /// What each class was taken for, of the rows with a label.
    fn matrix(&self) -> Option<Vec<Vec<u64>>> {
        let (known, labels) = self.labelled();
        Some(Matrix::of(&labels, &known.decisions, self.scores.len()).ok()?.counts)
    }

    fn realized(&self) -> [Option<f64>; METRICS.len()] {
        let (known, labels) = self.labelled();
        let matrix = Matrix::of(&labels, &known.decisions, self.scores.len()).ok();
        let Some(matrix) = matrix.filter(|_| !labels.is_empty()) else {
            return [None; METRICS.len()];
        };
        [
            auroc_macro(&labels, &known.scores).ok().flatten(),
            Some(matrix.macro_mean(Confusion::f1)),
            Some(matrix.accuracy()),
            Some(matrix.macro_mean(Confusion::precision)),
            Some(matrix.macro_mean(Confusion::recall)),
            Some(matrix.macro_mean(Confusion::specificity)),
            Some(matrix.mcc()),
        ]
    }
}

/// The class of each row by its place in the list; one that is not in it is an error.
fn numbered(table: &Table, name: &str, classes: &[&str]) -> Result<Vec<Option<usize>>, Error> {
    let array = table.get(name).ok_or_else(|| Error::Option(format!("no column {name:?}")))?;
    let texts = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    let class = |text: Option<&str>| {
        let Some(text) = text else { return Ok(None) };
        let place = classes.iter().position(|class| *class == text);
        place.map(Some).ok_or_else(|| {
            let known = classes.join(", ");
            Error::Option(format!(
                "column {name:?} has a class without a score: {text} (of {known})"
            ))
        })
    };
    texts.as_string::<i32>().iter().map(class).collect()
}

pub(super) fn measure(
    scores: &[(String, String)],
    (reference, current): (&Table, &Table),
    windows: &Windows,
    names: (&str, &str),
) -> Result<Performance, Error> {
    let before = Rows::of(scores, reference, names)?;
    let (known, labels) = before.labelled();
    let cbpe = CbpeMulticlass::fit(&known.scores, &known.decisions, &labels)?;
    let chunked: Vec<[Option<f64>; METRICS.len()]> = chunks(reference.rows(), longest(windows))
        .map(|rows| before.rows(&rows.collect::<Vec<usize>>()).realized())
        .collect();
    let past: Vec<Past> = METRICS
        .iter()
        .enumerate()
        .map(|(place, name)| {
            Past::of(chunked.iter().filter_map(|chunk| chunk[place]), limits(name))
        })
        .collect();
    let now = Rows::of(scores, current, names)?;
    let mut points: [Vec<Point>; METRICS.len()] = Default::default();
    for (window, rows) in windows {
        let rows: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
        let now = now.rows(&rows);
        let realized = now.realized();
        let all = cbpe.estimate(&now.scores, &now.decisions)?;
        let mut estimates = [None; METRICS.len()];
        let rates = [all.f1, all.accuracy, all.precision, all.recall, all.specificity];
        estimates[0] = all.auroc;
        estimates[1..6].copy_from_slice(&rates.map(Some));
        let labelled = now.labels.iter().flatten().count() as f64 / rows.len().max(1) as f64;
        for (place, points) in points.iter_mut().enumerate() {
            let estimate = estimates[place].filter(|value: &f64| value.is_finite());
            let estimate =
                estimate.map(|value| past[place].estimate(value, limits(METRICS[place])));
            points.push(point(window, realized[place], labelled, estimate, &past[place].band));
        }
    }
    let series = METRICS.into_iter().zip(past).zip(points);
    let series = series.map(|((name, past), points)| past.series(name, points));
    let mut found = Performance::of(Task::Multiclass, series);
    found.classes = before.matrix().map(|reference| Classes {
        names: scores.iter().map(|(class, _)| class.clone()).collect(),
        reference,
        current: now.matrix(),
    });
    Ok(found)
}
