//! Maximum mean discrepancy of two clouds of vectors.
//!
//! MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y) over pairs of different rows,
//! k(a, b) = exp(−|a − b|² / σ²), σ the median distance of a row of one side and one of the other; of at
//! most 1,000 rows of each side. Its p-value is the tail of the weighted chi-squares that
//! MMD² · nm/(n+m) is without drift.
//! Source: Gretton and others (2012); Evidently 0.7.23, embeddings method `mmd` (alarm above 0.015).
//! Useful: for any difference of distributions: clouds that grow, split or change their shape around
//! the same centre.
//! Not useful: for small moves of the centroid in many rows: it looks at 1,000 of them, in a second.

use super::{Detector, Pair, above};
use crate::Error;
use crate::detector::{Measure, Needs};
use crate::multivariate::mmd;
use crate::threshold::Custom;

pub(super) const DETECTOR: Detector = Detector {
    name: crate::multivariate::MMD,
    title: "Maximum mean discrepancy",
    needs: Needs::Values,
    custom: Custom { customary: above(0.015), negligible: 0.02 },
    measure,
    text: Detector::BLANK,
};

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    pair.rows()?;
    let past: Vec<&[f64]> = pair.reference.summary().rows_kept().collect();
    let now: Vec<&[f64]> = pair.current.rows_kept().collect();
    if now.is_empty() {
        return Err(Error::Undefined("windows of which no rows were kept"));
    }
    mmd::of_rows(&past, &now)
}
