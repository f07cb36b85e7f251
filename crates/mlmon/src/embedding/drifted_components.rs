//! Share of drifted components.
//!
//! The share of components whose Wasserstein distance is 0.1 standard deviations of the reference or
//! more, in at most 10,000 rows of each side. Its p-value is Simes' of the p-values of all components
//! (areas under Brownian bridges): the chance that some seem to differ so surely where none does.
//! Source: Evidently 0.7.23, embeddings method `ratio` (alarm above a share of 0.2); Simes (1986).
//! Useful: for a change of a few components' spread or shape, and to say how wide a change is.
//! Not useful: as a number to compare between windows of different sizes: of 100 rows chance alone
//! takes most components beyond 0.1, which the p-value knows and the share does not.

use super::past::components;
use super::{Detector, Pair, above};
use crate::Error;
use crate::detector::{Measure, Needs};
use crate::stat::null;
use crate::threshold::Custom;

pub(super) const DETECTOR: Detector = Detector {
    name: "drifted_components",
    title: "Share of drifted components",
    needs: Needs::Values,
    custom: Custom { customary: above(0.2), negligible: 0.02 },
    measure,
    text: Detector::BLANK,
};

/// A component drifted from this distance on, in standard deviations.
const DRIFTED: f64 = 0.1;
/// Deviations are taken to be this at least.
const DEVIATION_LEAST: f64 = 0.001;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    pair.rows()?;
    let past = pair.reference.sorted();
    let (n, m) = (pair.reference.summary().rows_kept().len(), pair.current.rows_kept().len());
    if m == 0 {
        return Err(Error::Undefined("windows of which no rows were kept"));
    }
    let scale = 1.0 / n as f64 + 1.0 / m as f64;
    let mut drifted = 0.0;
    let mut probabilities = Vec::with_capacity(past.len());
    for (before, now) in past.iter().zip(components(pair.current)) {
        let area = wasserstein(&before.values, &now);
        drifted += f64::from(u8::from(area / before.deviation.max(DEVIATION_LEAST) >= DRIFTED));
        let moments = (before.area.0 * scale.sqrt(), before.area.1 * scale);
        probabilities.push(null::area_tail(area, moments, before.deviation * scale.sqrt()));
    }
    let share = drifted / past.len() as f64;
    Ok(Measure::of_test(share, simes(probabilities), share))
}

fn simes(mut probabilities: Vec<f64>) -> f64 {
    probabilities.sort_unstable_by(f64::total_cmp);
    let tests = probabilities.len() as f64;
    let ranked = probabilities.iter().enumerate();
    ranked.map(|(rank, p)| p * tests / (rank + 1) as f64).fold(1.0, f64::min)
}

fn wasserstein(left: &[f64], right: &[f64]) -> f64 {
    let (n, m) = (left.len() as f64, right.len() as f64);
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut last: Option<f64> = None;
    while i < left.len() || j < right.len() {
        let x = left.get(i).copied().unwrap_or(f64::INFINITY);
        let y = right.get(j).copied().unwrap_or(f64::INFINITY);
        let value = x.min(y);
        if let Some(last) = last {
            area += (i as f64 / n - j as f64 / m).abs() * (value - last);
        }
        last = Some(value);
        if x <= y { i += 1 } else { j += 1 }
    }
    area
}
