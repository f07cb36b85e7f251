//! Metrics as they were at one moment, for those who write them out.

use std::time::SystemTime;

/// All families of a registry.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// By name.
    pub families: Vec<Family>,
    /// Since when counters count.
    pub started: SystemTime,
    /// When it was taken.
    pub now: SystemTime,
}

impl Snapshot {
    /// Adds a family of one number without labels.
    pub fn push(&mut self, name: &'static str, help: &'static str, kind: Kind, value: f64) {
        let samples = vec![Sample { labels: Vec::new(), value: Value::Number(value, None) }];
        self.families.push(Family { name, help, kind, samples });
    }
}

/// A metric and its samples.
#[derive(Debug, Clone)]
pub struct Family {
    /// As Prometheus writes it, of a counter with `_total`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// One for each set of label values.
    pub samples: Vec<Sample>,
}

impl Family {
    /// The base unit that the name ends in.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "ratio"]
            .into_iter()
            .find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
            .unwrap_or("")
    }
}

/// What kind a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// Labels that do not change, value 1.
    Info,
}

/// One set of label values.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Names and values.
    pub labels: Vec<(&'static str, String)>,
    /// What was counted.
    pub value: Value,
}

/// What was counted.
#[derive(Debug, Clone)]
pub enum Value {
    /// Of a counter, a gauge or an info.
    Number(f64, Option<Exemplar>),
    /// Of a histogram.
    Histogram {
        /// Upper bounds; the last bucket, without a bound, is not among them.
        bounds: &'static [f64],
        /// Values in each bucket, not summed up; one more than bounds.
        counts: Vec<u64>,
        /// The sum of all values.
        sum: f64,
        /// The newest exemplar of each bucket.
        exemplars: Vec<Option<Exemplar>>,
    },
}

/// A single observation and the trace that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// Trace id.
    pub trace_id: u128,
    /// Span id.
    pub span_id: u64,
    /// What was observed.
    pub value: f64,
    /// When.
    pub time: SystemTime,
}
