//! Two-sample detectors: each a file that opens with its formula, its source, when it is useful and
//! when not. That text is its documentation (`trefoil drift --list`).
//!
//! A detector gives a value, and what chance there is of that value or a greater one when nothing
//! has drifted, at these sample sizes. Whether that is an alert is for [`crate::threshold`].

use serde::Serialize;

use crate::Error;
use crate::column::Kind;
use crate::documentation;
use crate::pair::Pair;
use crate::threshold::Custom;

mod divergence;

/// Declares the detectors: one line each.
macro_rules! detectors {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// All detectors, in the order of the documentation.
        pub static ALL: &[&Detector] = &[$(&Detector {
            text: include_str!(concat!("detector/", stringify!($module), ".rs")),
            ..$module::DETECTOR
        }),*];
    };
}

detectors! {
    psi,
    psi_joint,
    jensen_shannon,
    jensen_shannon_divergence,
    jensen_shannon_joint,
    kullback_leibler,
    kullback_leibler_joint,
    hellinger,
    hellinger_joint,
    total_variation,
    l_infinity,
    kolmogorov_smirnov,
    wasserstein,
    wasserstein_normed,
    cramer_von_mises,
    anderson_darling,
    energy,
    mann_whitney,
    welch_t,
    levene,
    chi_square,
    g_test,
    fisher_exact,
    proportions_z,
}

/// A two-sample detector.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    /// The name in configuration and reports.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it can compare.
    pub applies: Applies,
    /// What it must know of both sides.
    pub needs: Needs,
    /// The rule that other tools alarm by, for those who want the same alarms.
    pub customary: Rule,
    /// An effect below this is too small to matter, however sure it is.
    pub negligible: f64,
    /// Computes it.
    pub measure: fn(&Pair<'_>) -> Result<Measure, Error>,
    /// The source file, which opens with the documentation.
    text: &'static str,
}

/// Columns that a detector compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// Numbers only.
    Numeric,
    /// Categories only, and numbers by their bins.
    Any,
    /// Categories only.
    Categorical,
}

/// What a detector computes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Counters of frozen bins: mergeable, of constant size.
    Profile,
    /// All values, sorted.
    Values,
}

/// A fixed rule on what a detector measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Alarm where the value is at least this.
    ValueAtLeast(f64),
    /// Alarm where the p-value is below this.
    ProbabilityBelow(f64),
}

/// What a detector found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measure {
    /// The statistic.
    pub value: f64,
    /// The chance of this or a greater value without drift, at these sample sizes.
    pub probability: f64,
    /// How large the difference is, on a scale that does not grow with the number of rows.
    pub effect: f64,
}

impl Measure {
    pub(crate) fn of_distance(value: f64, probability: f64) -> Measure {
        Measure { value, probability: probability.clamp(0.0, 1.0), effect: value }
    }

    pub(crate) fn of_test(value: f64, probability: f64, effect: f64) -> Measure {
        Measure { value, probability: probability.clamp(0.0, 1.0), effect }
    }
}

impl Detector {
    const BLANK: &'static str = "";

    /// Whether it can compare columns of this kind.
    pub fn applies_to(&self, kind: Kind) -> bool {
        match self.applies {
            Applies::Any => kind != Kind::Embedding,
            Applies::Numeric => kind == Kind::Numeric,
            Applies::Categorical => kind == Kind::Categorical,
        }
    }

    /// What it says about alarms.
    pub fn custom(&self) -> Custom {
        Custom { customary: self.customary, negligible: self.negligible }
    }

    /// The documentation: the comment its file opens with.
    pub fn documentation(&self) -> String {
        documentation::text(self.text)
    }
}

/// The detector of this name.
pub fn find(name: &str) -> Option<&'static Detector> {
    ALL.iter().copied().find(|detector| detector.name == name)
}

#[cfg(test)]
mod tests;
