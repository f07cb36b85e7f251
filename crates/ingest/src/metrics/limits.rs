//! How much of a request with metrics is taken in.

use std::time::Duration;

/// The limits of one request that brings metrics. What is over them is refused, counted and said;
/// nothing is cut but help texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricLimits {
    /// The largest body as it comes over the wire.
    pub body_bytes_max: usize,
    /// The largest body after decompression.
    pub decompressed_bytes_max: usize,
    /// Series taken from one request; more are rejected.
    pub series_per_body_max: usize,
    /// Labels of one series, its name included; series with more are rejected.
    pub labels_per_series_max: usize,
    /// The longest label name; series with a longer one are rejected.
    pub label_name_bytes_max: usize,
    /// The longest label value; series with a longer one are rejected.
    pub label_value_bytes_max: usize,
    /// Characters of names and values of one exemplar's labels; others are dropped.
    pub exemplar_chars_max: usize,
    /// The longest help text; longer ones are cut between two characters.
    pub help_bytes_max: usize,
    /// How far in the future samples may lie; later ones are rejected.
    pub future_max: Duration,
}

impl Default for MetricLimits {
    fn default() -> MetricLimits {
        MetricLimits {
            body_bytes_max: 16 << 20,
            decompressed_bytes_max: 64 << 20,
            series_per_body_max: 500_000,
            labels_per_series_max: 128,
            label_name_bytes_max: 1_024,
            label_value_bytes_max: 16 << 10,
            exemplar_chars_max: 128,
            help_bytes_max: 4 << 10,
            future_max: Duration::from_secs(600),
        }
    }
}
