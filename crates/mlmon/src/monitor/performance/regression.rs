//! A predicted number: realised errors, and those that a model of the errors expects (DLE).

use super::{
    MetricSeries, Past, Performance, Task, Windows, chunks, labels, longest, numbers, pick, point,
};
use crate::Error;
use crate::estimate::dle::{Dle, Metric};
use crate::gbdt::Feature;
use crate::monitor::Table;
use crate::multivariate::Codes;

const METRICS: [(&str, Metric); 2] = [("mae", Metric::Mae), ("rmse", Metric::Rmse)];

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
    let now = numbers(current, prediction)?;
    let losses = dle.losses(&of(current)?, &now)?;
    let known = labels(current, target)?;
    let series = METRICS.into_iter().zip(past).zip(&losses);
    let metrics = series
        .map(|(((name, metric), past), losses)| {
            let points = windows.iter().map(|(window, rows)| {
                let labelled: Vec<u32> =
                    rows.iter().copied().filter(|row| !known[*row as usize].is_nan()).collect();
                let realized =
                    metric.realized(&pick(&known, &labelled), &pick(&now, &labelled)).ok();
                let share = labelled.len() as f64 / rows.len().max(1) as f64;
                point(window, realized, share, Some(losses.estimate_of(rows)), &past.band)
            });
            MetricSeries { name, band: past.band, reference: past.mean, points: points.collect() }
        })
        .collect();
    Ok(Performance { task: Task::Regression, metrics })
}
