//! Native histograms.

/// What a histogram says about a reset of its counter since the sample before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// It says nothing: compare.
    #[default]
    Unknown,
    /// There was a reset.
    Reset,
    /// There was none.
    NoReset,
    /// It is no counter.
    Gauge,
}

/// A run of buckets without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Of the first span the index of its first bucket, of the others the gap to the span before.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// A native histogram with counts as floats (whole numbers are exact to 2⁵³) and absolute, not
/// delta-encoded, bucket counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// About resets.
    pub reset_hint: ResetHint,
    /// The resolution: bucket boundaries grow by 2^(2^-schema), -4 to 8; -53 means custom bounds.
    pub schema: i32,
    /// The width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Their sum; the stale marker here means that the series has ended.
    pub sum: f64,
    /// Where the positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets are.
    pub negative_spans: Vec<Span>,
    /// Counts of the positive buckets.
    pub positive_buckets: Vec<f64>,
    /// Counts of the negative buckets.
    pub negative_buckets: Vec<f64>,
    /// With schema -53 the upper bounds, ascending, without +Inf.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// The schema whose bucket bounds are [`Histogram::custom_values`].
    pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

    /// Whether the bounds are its own.
    #[must_use]
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == Histogram::CUSTOM_BUCKETS_SCHEMA
    }

    /// Whether it is the stale marker.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        super::is_stale(self.sum)
    }
}
