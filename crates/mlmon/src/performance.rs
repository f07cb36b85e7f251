//! How good predictions were, once the labels are there.
//!
//! Names and definitions are scikit-learn's. A metric that does not exist for the rows (no positive
//! label, a single class) is `None`, not a number that somebody could alert on.

pub mod binary;
pub mod fairness;
pub mod multiclass;
pub mod quantile;
pub mod ranking;
pub mod regression;
pub mod thresholds;

#[cfg(test)]
mod tests;

use crate::Error;

/// Fails where two columns that belong together row by row have different lengths.
pub(crate) fn same_length(left: usize, right: usize) -> Result<(), Error> {
    match (left, right) {
        (0, _) | (_, 0) => Err(Error::Empty("the data")),
        (left, right) if left != right => {
            Err(Error::Mismatch(format!("{left} rows of one column, {right} of the other")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
