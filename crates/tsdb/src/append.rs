//! What becomes of a batch of samples.

use std::fmt;
use std::time::Duration;

use model::metric::Labels;

/// Why a sample, a series or an exemplar was not taken. `Display` is what Prometheus says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It lies before the series' last sample, and late samples are not taken.
    OutOfOrder,
    /// It lies before all that the head takes.
    OutOfBounds,
    /// It lies before the window for late samples.
    TooOld,
    /// It lies too far ahead of the clock.
    TooFarAhead,
    /// There is another value at its time.
    Duplicate,
    /// There is another value at its time.
    DuplicateFloat {
        /// Milliseconds since 1970.
        timestamp: i64,
        /// What is there.
        existing: f64,
        /// What came.
        value: f64,
    },
    /// There is a histogram at its time.
    DuplicateOfHistogram {
        /// Milliseconds since 1970.
        timestamp: i64,
        /// What came.
        value: f64,
    },
    /// Its buckets and spans do not fit together.
    InvalidHistogram,
    /// The series has no labels.
    NoLabels,
    /// The series' labels are not in canonical form.
    InvalidLabels,
    /// The tenant has as many series as it may have.
    SeriesLimit {
        /// How many that is.
        limit: usize,
    },
    /// The exemplar is older than the series' last.
    ExemplarOutOfOrder,
    /// The exemplar's labels are too long.
    ExemplarTooLong,
}

impl Reason {
    /// A word for counting by.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Reason::OutOfOrder => "out_of_order",
            Reason::OutOfBounds => "out_of_bounds",
            Reason::TooOld => "too_old",
            Reason::TooFarAhead => "too_far_ahead",
            Reason::Duplicate
            | Reason::DuplicateFloat { .. }
            | Reason::DuplicateOfHistogram { .. } => "duplicate",
            Reason::InvalidHistogram => "invalid_histogram",
            Reason::NoLabels | Reason::InvalidLabels => "invalid_labels",
            Reason::SeriesLimit { .. } => "series_limit",
            Reason::ExemplarOutOfOrder => "exemplar_out_of_order",
            Reason::ExemplarTooLong => "exemplar_too_long",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::OutOfOrder => f.write_str("out of order sample"),
            Reason::OutOfBounds => f.write_str("out of bounds"),
            Reason::TooOld => f.write_str("too old sample"),
            Reason::TooFarAhead => f.write_str("out of bounds: timestamp is too far in the future"),
            Reason::Duplicate => f.write_str("duplicate sample for timestamp"),
            Reason::DuplicateFloat { timestamp, existing, value } => write!(
                f,
                "duplicate sample for timestamp {timestamp}; overrides not allowed: existing {}, \
                 new value {}",
                short(*existing),
                short(*value)
            ),
            Reason::DuplicateOfHistogram { timestamp, value } => write!(
                f,
                "duplicate sample for timestamp {timestamp}; overrides not allowed: existing is a \
                 histogram, new value {}",
                short(*value)
            ),
            Reason::InvalidHistogram => f.write_str("invalid histogram"),
            Reason::NoLabels => f.write_str("empty labelset: invalid sample"),
            Reason::InvalidLabels => {
                f.write_str("labels are not sorted and unique: invalid sample")
            }
            Reason::SeriesLimit { limit } => {
                write!(f, "the tenant's limit of {limit} active series is reached")
            }
            Reason::ExemplarOutOfOrder => f.write_str("out of order exemplar"),
            Reason::ExemplarTooLong => {
                f.write_str("label length for exemplar exceeds maximum of 128 UTF-8 characters")
            }
        }
    }
}

/// A float as Go's `%g` prints it.
fn short(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => value.to_string(),
    }
}

/// What was not taken, by reason.
#[derive(Debug, Clone, Default)]
pub struct Rejections {
    all: Vec<Rejection>,
}

/// Samples not taken for one reason.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// See [`Reason::kind`].
    pub kind: &'static str,
    /// How many.
    pub count: usize,
    /// The first few.
    pub examples: Vec<RejectedSample>,
}

/// One sample that was not taken.
#[derive(Debug, Clone)]
pub struct RejectedSample {
    /// Of which series.
    pub labels: Labels,
    /// When, milliseconds since 1970; 0 where it is about the whole series.
    pub timestamp: i64,
    /// Why.
    pub reason: Reason,
}

/// How many examples a reason keeps.
const EXAMPLES_MAX: usize = 3;

impl Rejections {
    /// Counts `count` samples of a series with the canonical `labels`.
    pub(crate) fn add(&mut self, labels: &[u8], timestamp: i64, reason: Reason, count: usize) {
        let kind = reason.kind();
        let at = match self.all.iter().position(|one| one.kind == kind) {
            Some(at) => at,
            None => {
                self.all.push(Rejection { kind, count: 0, examples: Vec::new() });
                self.all.len() - 1
            }
        };
        let one = &mut self.all[at];
        one.count += count;
        if one.examples.len() < EXAMPLES_MAX {
            let labels = Labels::from_canonical(labels);
            one.examples.push(RejectedSample { labels, timestamp, reason });
        }
    }

    /// By reason, in the order in which they came up.
    pub fn iter(&self) -> impl Iterator<Item = &Rejection> {
        self.all.iter()
    }

    /// Whether all was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many samples were not taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.iter().map(|one| one.count).sum()
    }
}

/// What was taken, and is on disk.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Floats, those that were there already included.
    pub floats: usize,
    /// Native histograms, those that were there already included.
    pub histograms: usize,
    /// Exemplars.
    pub exemplars: usize,
    /// What was not taken.
    pub rejected: Rejections,
}

/// Why a batch is not acknowledged. It may be sent again: what was kept of it counts once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Memory or a queue is full.
    #[error("{what} is full")]
    Full {
        /// What has no room.
        what: &'static str,
        /// When to come again.
        retry_after: Duration,
    },
    /// The log cannot be written.
    #[error("the log cannot be written: {reason}")]
    Unavailable {
        /// What the system said.
        reason: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// The store is being closed.
    #[error("the store is shutting down")]
    ShuttingDown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_in_prometheus() {
        let duplicate = Reason::DuplicateFloat { timestamp: 5, existing: 1.0, value: 2.5 };
        let text =
            "duplicate sample for timestamp 5; overrides not allowed: existing 1, new value 2.5";
        assert_eq!(duplicate.to_string(), text);
        assert_eq!(Reason::OutOfOrder.to_string(), "out of order sample");
    }

    #[test]
    fn floats_read_as_in_go() {
        let cases = [
            (0.0, "0"),
            (-1.25, "-1.25"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.234567e+06"),
            (2.59e-5, "2.59e-05"),
            (0.0001, "0.0001"),
            (1e300, "1e+300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expect) in cases {
            assert_eq!(short(value), expect);
        }
    }

    #[test]
    fn a_reason_keeps_a_few_examples_and_counts_all() {
        let mut rejections = Rejections::default();
        for at in 0..10 {
            rejections.add(&[], at, Reason::OutOfOrder, 1);
        }
        rejections.add(&[], 1, Reason::TooOld, 2);
        let seen: Vec<_> = rejections.iter().map(|r| (r.kind, r.count, r.examples.len())).collect();
        assert_eq!(seen, [("out_of_order", 10, 3), ("too_old", 2, 1)]);
        assert_eq!(rejections.count(), 12);
    }
}
