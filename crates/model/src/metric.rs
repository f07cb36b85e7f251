//! The vocabulary of metrics: labels, matchers, samples, native histograms, exemplars, and the
//! batch in which protocols hand them to the engine.

mod batch;
mod go_regex;
mod histogram;
mod labels;
mod matcher;

pub use batch::{Batch, Exemplar, Float, HistogramSample, Metadata, MetricType, Series};
pub use go_regex::from_go;
pub use histogram::{Histogram, ResetHint, Span};
pub use labels::{Labels, LabelsBuilder, LabelsIter};
pub use matcher::{InvalidMatcher, MatchOp, Matcher};

/// The label that holds a series' metric name.
pub const NAME_LABEL: &str = "__name__";

/// The bits of the NaN that says "this series has ended", as Prometheus writes it.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the stale marker and not just some NaN.
#[inline]
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// The stale marker.
#[must_use]
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}
