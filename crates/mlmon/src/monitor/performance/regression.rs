//! A predicted number: realised errors, and those that a model of the errors expects (DLE).

use super::{Past, Performance, Task, Windows, chunks, labels, longest, numbers, pick, point};
use crate::Error;
use crate::estimate::dle::{Dle, Metric};
use crate::gbdt::Feature;
use crate::monitor::Table;
use crate::multivariate::Codes;
use crate::performance::regression::{Errors, errors};

/// Those with an estimate.
const METRICS: [(&str, Metric); 2] = [("mae", Metric::Mae), ("rmse", Metric::Rmse)];
/// Those that need labels, and how large each can become.
const REALIZED: [Realized; 4] = [
    ("mape", |errors| Some(errors.mape), (0.0, f64::INFINITY)),
    ("smape", |errors| Some(errors.smape), (0.0, 2.0)),
    ("rmsle", |errors| errors.rmsle, (0.0, f64::INFINITY)),
    ("r2", |errors| errors.r2, (f64::NEG_INFINITY, 1.0)),
];

type Realized = (&'static str, fn(&Errors) -> Option<f64>, (f64, f64));

pub(super) fn measure(
    (reference, current): (&Table, &Table),
    windows: &Windows,
    (target, prediction): (&str, &str),
    features: &[String],
) -> Result<Performance, Error> {
    let (known, predicted) = (numbers(reference, target)?, numbers(reference, prediction)?);
    let codes = Codes::of(features.iter().filter_map(|name| Some((name, reference.get(name)?))));
    let of = |table: &Table| -> Result<Vec<Feature>, Error> {
        codes.features(table.rows(), |name| table.get(name))
    };
    let which: Vec<Metric> = METRICS.iter().map(|(_, metric)| *metric).collect();
    let dle = Dle::fit(&of(reference)?, &predicted, &known, &which)?;
    let past: Vec<Past> = which
        .iter()
        .map(|metric| {
            let of_chunk = |rows: std::ops::Range<usize>| {
                metric.realized(&known[rows.clone()], &predicted[rows]).ok()
            };
            let chunks = chunks(reference.rows(), longest(windows)).filter_map(of_chunk);
            Past::of(chunks, (0.0, f64::INFINITY))
        })
        .collect();
    let before: Vec<Errors> = chunks(reference.rows(), longest(windows))
        .filter_map(|rows| errors(&known[rows.clone()], &predicted[rows]).ok())
        .collect();
    let now = numbers(current, prediction)?;
    let losses = dle.losses(&of(current)?, &now)?;
    let known = labels(current, target)?;
    let with_label = |rows: &[u32]| -> Vec<u32> {
        rows.iter().copied().filter(|row| !known[*row as usize].is_nan()).collect()
    };
    let share = |labelled: &[u32], rows: &[u32]| labelled.len() as f64 / rows.len().max(1) as f64;
    let estimated = METRICS.into_iter().zip(past).zip(&losses);
    let estimated = estimated.map(|(((name, metric), past), losses)| {
        let points = windows.iter().map(|(window, rows)| {
            let labelled = with_label(rows);
            let realized = metric.realized(&pick(&known, &labelled), &pick(&now, &labelled)).ok();
            let estimate = Some(losses.estimate_of(rows));
            point(window, realized, share(&labelled, rows), estimate, &past.band)
        });
        let points = points.collect();
        past.series(name, points)
    });
    let realized = REALIZED.into_iter().map(|(name, metric, limits)| {
        let past = Past::of(before.iter().filter_map(metric), limits);
        let points = windows.iter().map(|(window, rows)| {
            let labelled = with_label(rows);
            let realized = errors(&pick(&known, &labelled), &pick(&now, &labelled)).ok();
            let value = realized.as_ref().and_then(metric).filter(|value| value.is_finite());
            point(window, value, share(&labelled, rows), None, &past.band)
        });
        let points = points.collect();
        past.series(name, points)
    });
    Ok(Performance::of(Task::Regression, estimated.chain(realized)))
}
