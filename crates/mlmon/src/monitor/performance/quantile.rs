//! A predicted quantile: what its errors cost, and how many labels it covers.

use super::{
    Past, Performance, Point, Task, Windows, chunks, labels, longest, numbers, pick, point,
};
use crate::Error;
use crate::monitor::Table;
use crate::performance::quantile::{self, Quantile};

type Metric = (&'static str, fn(&Quantile) -> Option<f64>, (f64, f64));

const METRICS: [Metric; 3] = [
    ("quantile_loss", |found| Some(found.loss), (0.0, f64::INFINITY)),
    ("coverage", |found| Some(found.coverage), (0.0, 1.0)),
    ("d2_pinball", |found| found.d2_pinball, (f64::NEG_INFINITY, 1.0)),
];

pub(super) fn measure(
    (reference, current): (&Table, &Table),
    windows: &Windows,
    (target, prediction): (&str, &str),
    alpha: f64,
) -> Result<Performance, Error> {
    quantile::valid(alpha)?;
    let realized = |known: &[f64], predicted: &[f64], rows: &[u32]| -> Option<Quantile> {
        let has = |row: &u32| !(known[*row as usize].is_nan() || predicted[*row as usize].is_nan());
        let rows: Vec<u32> = rows.iter().copied().filter(has).collect();
        quantile::quantile(&pick(known, &rows), &pick(predicted, &rows), alpha).ok()
    };
    let (known, predicted) = (numbers(reference, target)?, numbers(reference, prediction)?);
    let before: Vec<Quantile> = chunks(reference.rows(), longest(windows))
        .filter_map(|rows| {
            let rows: Vec<u32> = rows.filter_map(|row| u32::try_from(row).ok()).collect();
            realized(&known, &predicted, &rows)
        })
        .collect();
    let (known, predicted) = (labels(current, target)?, numbers(current, prediction)?);
    let mut points: [Vec<Point>; METRICS.len()] = Default::default();
    let past =
        METRICS.map(|(_, metric, limits)| Past::of(before.iter().filter_map(metric), limits));
    for (window, rows) in windows {
        let found = realized(&known, &predicted, rows);
        let labelled = super::share_labelled(&pick(&known, rows));
        for (place, (_, metric, _)) in METRICS.iter().enumerate() {
            let value = found.as_ref().and_then(metric).filter(|value| value.is_finite());
            points[place].push(point(window, value, labelled, None, &past[place].band));
        }
    }
    let series = METRICS.into_iter().zip(past).zip(points);
    let series = series.map(|(((name, ..), past), points)| past.series(name, points));
    let mut found = Performance::of(Task::Quantile, series);
    found.quantile = Some(alpha);
    Ok(found)
}
