//! What a query's user should know besides the result: warnings and infos, with the texts of
//! Prometheus.

use std::fmt;

use crate::histogram::Forced;
use crate::number::{format_digits, format_short};
use crate::position::PosRange;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The result is probably not what was meant.
    Warning,
    /// The result may not be what was meant.
    Info,
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// How grave.
    pub severity: Severity,
    /// What, without the position.
    pub text: String,
    /// About which part of the query; `None` for those of the store.
    pub position: Option<PosRange>,
    monotonicity: Option<Monotonicity>,
}

/// Occurrences of counts that had to be raised.
#[derive(Debug, Clone, PartialEq)]
struct Monotonicity {
    first: i64,
    last: i64,
    forced: Forced,
    samples: u64,
}

/// Which operation on histograms it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `+`
    Addition,
    /// `-`
    Subtraction,
    /// An aggregation.
    Aggregation,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Addition => "addition",
            Operation::Subtraction => "subtraction",
            Operation::Aggregation => "aggregation",
        })
    }
}

/// Everything to know about one query; the same text only once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations(Vec<Annotation>);

/// ` for metric name "x"`, or nothing.
fn named(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}

impl Annotations {
    /// In the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[Annotation] {
        &self.0
    }

    /// Whether there is nothing to know.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The warnings, as the API shows them.
    #[must_use]
    pub fn warnings(&self, query: &str) -> Vec<String> {
        self.texts(Severity::Warning, query)
    }

    /// The infos, as the API shows them.
    #[must_use]
    pub fn infos(&self, query: &str) -> Vec<String> {
        self.texts(Severity::Info, query)
    }

    fn texts(&self, severity: Severity, query: &str) -> Vec<String> {
        let found = self.0.iter().filter(|annotation| annotation.severity == severity);
        found.map(|annotation| annotation.render(query)).collect()
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: Annotations) {
        for annotation in other.0 {
            self.insert(annotation);
        }
    }

    fn insert(&mut self, annotation: Annotation) {
        let known = self.0.iter_mut().find(|known| known.text == annotation.text);
        let Some(known) = known else {
            self.0.push(annotation);
            return;
        };
        if let (Some(known), Some(new)) = (&mut known.monotonicity, annotation.monotonicity) {
            known.first = known.first.min(new.first);
            known.last = known.last.max(new.last);
            known.forced.lowest = known.forced.lowest.min(new.forced.lowest);
            known.forced.highest = known.forced.highest.max(new.forced.highest);
            known.forced.by = known.forced.by.max(new.forced.by);
            known.samples += new.samples;
        }
    }

    fn warn(&mut self, position: PosRange, text: impl fmt::Display) {
        self.insert(Annotation {
            severity: Severity::Warning,
            text: format!("PromQL warning: {text}"),
            position: Some(position),
            monotonicity: None,
        });
    }

    fn info(&mut self, position: PosRange, text: impl fmt::Display) {
        self.insert(Annotation {
            severity: Severity::Info,
            text: format!("PromQL info: {text}"),
            position: Some(position),
            monotonicity: None,
        });
    }

    /// A warning of the store.
    pub(crate) fn store(&mut self, text: String) {
        self.insert(Annotation {
            severity: Severity::Warning,
            text,
            position: None,
            monotonicity: None,
        });
    }

    pub(crate) fn invalid_quantile(&mut self, q: f64, at: PosRange) {
        let q = format_short(q);
        self.warn(at, format!("quantile value should be between 0 and 1, got {q}"));
    }

    pub(crate) fn invalid_ratio(&mut self, ratio: f64, capped: f64, at: PosRange) {
        let (ratio, capped) = (format_short(ratio), format_short(capped));
        let text = "ratio value should be between -1 and 1, got";
        self.warn(at, format!("{text} {ratio}, capping to {capped}"));
    }

    pub(crate) fn bad_bucket_label(&mut self, name: &str, label: &str, at: PosRange) {
        let text = "bucket label \"le\" is missing or has a malformed value of";
        self.warn(at, format!("{text} {label:?}{}", named(name)));
    }

    pub(crate) fn mixed_range(&mut self, name: &str, at: PosRange) {
        let text = "encountered a mix of histograms and floats for metric name";
        self.warn(at, format!("{text} {name:?}"));
    }

    pub(crate) fn mixed_aggregation(&mut self, at: PosRange) {
        self.warn(at, "encountered a mix of histograms and floats for aggregation");
    }

    pub(crate) fn mixed_classic_native(&mut self, name: &str, at: PosRange) {
        let text = "vector contains a mix of classic and native histograms";
        self.warn(at, format!("{text}{}", named(name)));
    }

    pub(crate) fn not_a_counter(&mut self, name: &str, at: PosRange) {
        self.warn(at, format!("this native histogram metric is not a counter: {name:?}"));
    }

    pub(crate) fn not_a_gauge(&mut self, name: &str, at: PosRange) {
        self.warn(at, format!("this native histogram metric is not a gauge: {name:?}"));
    }

    pub(crate) fn mixed_schemas(&mut self, name: &str, at: PosRange) {
        let text = "vector contains a mix of histograms with exponential and custom buckets \
                    schemas for metric name";
        self.warn(at, format!("{text} {name:?}"));
    }

    pub(crate) fn incompatible_layout(&mut self, operator: &str, at: PosRange) {
        let text = "incompatible bucket layout encountered for binary operator";
        self.warn(at, format!("{text} {operator}"));
    }

    pub(crate) fn sort_in_range(&mut self, at: PosRange) {
        let text = "sort is ineffective for range queries since results are always ordered by \
                    labels";
        self.warn(at, text);
    }

    pub(crate) fn colliding_hints(&mut self, operation: Operation, at: PosRange) {
        self.warn(at, format!("conflicting counter resets during histogram {operation}"));
    }

    pub(crate) fn start_time_overlap(&mut self, name: &str, at: PosRange) {
        let text = "sample has start time that overlaps with previous sample timestamp for metric";
        self.warn(at, format!("{text} {name:?}"));
    }

    pub(crate) fn maybe_no_counter(&mut self, name: &str, at: PosRange) {
        let text = "metric might not be a counter, name does not end in \
                    _total/_sum/_count/_bucket:";
        self.info(at, format!("{text} {name:?}"));
    }

    pub(crate) fn maybe_no_counter_by_type(&mut self, name: &str, kind: &str, at: PosRange) {
        let text = "metric might not be a counter, __type__ label is not set to \"counter\" or \
                    \"histogram\", got";
        self.info(at, format!("{text} {kind:?}: {name:?}"));
    }

    pub(crate) fn incompatible_types(
        &mut self,
        (left, operator, right): (&str, &str, &str),
        at: PosRange,
    ) {
        let text = "incompatible sample types encountered for binary operator";
        self.info(at, format!("{text} {operator:?}: {left} {operator} {right}"));
    }

    pub(crate) fn ignored_in_aggregation(&mut self, aggregation: &str, at: PosRange) {
        self.info(at, format!("ignored histogram in {aggregation} aggregation"));
    }

    pub(crate) fn ignored_in_mixed_range(&mut self, name: &str, at: PosRange) {
        let text = "ignored histograms in a range containing both floats and histograms for \
                    metric name";
        self.info(at, format!("{text} {name:?}"));
    }

    pub(crate) fn quantile_is_nan(&mut self, name: &str, at: PosRange) {
        let text = "input to histogram_quantile has NaN observations, result is NaN";
        self.info(at, format!("{text}{}", named(name)));
    }

    pub(crate) fn quantile_is_skewed(&mut self, name: &str, at: PosRange) {
        let text = "input to histogram_quantile has NaN observations, result is skewed higher";
        self.info(at, format!("{text}{}", named(name)));
    }

    pub(crate) fn fraction_without_nan(&mut self, name: &str, at: PosRange) {
        let text = "input to histogram_fraction has NaN observations, which are excluded from \
                    all fractions";
        self.info(at, format!("{text}{}", named(name)));
    }

    pub(crate) fn bounds_reconciled(&mut self, operation: Operation, at: PosRange) {
        let text = "mismatched custom buckets were reconciled during";
        self.info(at, format!("{text} {operation}"));
    }

    pub(crate) fn forced_monotonicity(
        &mut self,
        name: &str,
        (at_time, forced): (i64, Forced),
        at: PosRange,
    ) {
        let text = "PromQL info: input to histogram_quantile needed to be fixed for \
                    monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/\
                    functions/#histogram_quantile)";
        self.insert(Annotation {
            severity: Severity::Info,
            text: format!("{text}{}", named(name)),
            position: Some(at),
            monotonicity: Some(Monotonicity { first: at_time, last: at_time, forced, samples: 1 }),
        });
    }
}

impl Annotation {
    /// With the position, as the API shows it.
    #[must_use]
    pub fn render(&self, query: &str) -> String {
        let Some(position) = self.position else { return self.text.clone() };
        let mut text = self.text.clone();
        if let Some(found) = &self.monotonicity {
            let (lowest, highest) =
                (format_short(found.forced.lowest), format_short(found.forced.highest));
            let (first, last) = (format_seconds(found.first), format_seconds(found.last));
            text.push_str(&format!(
                ", from buckets {lowest} to {highest}, with a max diff of {}, over {} samples \
                 from {first} to {last}",
                format_digits(found.forced.by, 2),
                found.samples,
            ));
        }
        format!("{text} ({})", position.line_column(query))
    }
}

/// RFC 3339 with seconds, UTC.
fn format_seconds(millis: i64) -> String {
    let time = crate::calendar::Civil::from_seconds(millis / 1000);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    )
}
