//! Embeddings: columns of vectors, each compared as one thing with what it was.
//!
//! A reference is summarised once ([`Summary`], [`Past`]) and any window measured against it. Each
//! detector is a file that opens with its formula, its source, when it is useful and when not; that
//! text is its documentation (`trefoil drift --list`). All give a p-value at these numbers of rows, so
//! an embedding takes its share of the chance of a false alarm beside the other columns.
//!
//! Rows without a vector, with one of another length, or with components that are no numbers are
//! counted, left out and told as findings.

mod past;
mod quality;
mod summary;
mod vectors;

pub use past::{Component, Described, Past};
pub use quality::check;
pub use summary::{Counters, Frozen, ROWS_LIMIT, Summary, VALUES_LIMIT, rows_kept};
pub(crate) use vectors::for_each_vector;
pub use vectors::{is_embedding, usual_width};

use crate::Error;
use crate::detector::{Measure, Needs, Rule};
use crate::documentation;
use crate::threshold::Custom;

/// Declares the detectors: one line each.
macro_rules! detectors {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// All detectors, in the order of the documentation.
        pub static ALL: &[&Detector] = &[$(&Detector {
            text: include_str!(concat!("embedding/", stringify!($module), ".rs")),
            ..$module::DETECTOR
        }),*];
    };
}

detectors! {
    centroid_euclidean,
    centroid_cosine,
    drifted_components,
    mmd,
}

/// The detector where none is named; its file says why.
pub const DEFAULT: &str = "centroid_euclidean";

/// A detector of embeddings.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// The name in configuration and reports.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it must know of a window.
    pub needs: Needs,
    /// The rule that other tools alarm by, and the least effect that matters.
    pub custom: Custom,
    /// Computes it.
    pub measure: fn(&Pair<'_>) -> Result<Measure, Error>,
    text: &'static str,
}

/// A reference and a window.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What things were like.
    pub reference: &'a Past,
    /// What they are like.
    pub current: &'a Summary,
}

impl Detector {
    const BLANK: &'static str = "";

    /// The documentation: the comment its file opens with.
    pub fn documentation(&self) -> String {
        documentation::text(self.text)
    }
}

/// The detector of this name.
pub fn find(name: &str) -> Option<&'static Detector> {
    ALL.iter().copied().find(|detector| detector.name == name)
}

/// Above a value, as a rule that alarms from a value on.
const fn above(value: f64) -> Rule {
    Rule::ValueAtLeast(value.next_up())
}

impl Pair<'_> {
    /// Both sides' rows. An error where there are too few for a variance.
    fn rows(&self) -> Result<(f64, f64), Error> {
        let (n, m) = (self.reference.summary().vectors(), self.current.vectors());
        match (n, m) {
            (0 | 1, _) => Err(Error::Empty("the reference (two vectors are the least)")),
            (_, 0 | 1) => Err(Error::Empty("the current data (two vectors are the least)")),
            _ => Ok((n as f64, m as f64)),
        }
    }

    /// The variance of rows about their side's centroid, all components together.
    fn variance(&self) -> Result<f64, Error> {
        let (n, m) = self.rows()?;
        let sum = |squares: &[f64]| squares.iter().sum::<f64>();
        let both = sum(self.reference.summary().squares()) + sum(self.current.squares());
        Ok(both / (n + m - 2.0))
    }
}

#[cfg(test)]
mod tests;
