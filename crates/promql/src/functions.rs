//! The functions of the language.

pub(crate) mod extended;
pub(crate) mod histogram_rate;
pub(crate) mod histograms;
pub(crate) mod labels;
pub(crate) mod math;
pub(crate) mod over_time;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod sorted;
pub(crate) mod sorting;
pub(crate) mod trend;
