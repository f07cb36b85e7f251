//! What came back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

/// The answer to one request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `None` when there was no answer.
    pub(super) status: Option<u16>,
    pub(super) latency: Duration,
    pub(super) decision: Option<String>,
}

/// What came back, summed up.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoadReport {
    /// Requests that were sent and ended.
    pub requests: u64,
    /// Requests that were due while too many were in flight.
    pub skipped: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Decisions of predictions, by name.
    pub decisions: BTreeMap<String, u64>,
    /// How long the answers took.
    pub latencies: Latencies,
    /// How long it all took.
    #[serde(serialize_with = "as_seconds", rename = "elapsed_s")]
    pub elapsed: Duration,
    /// What 95 % of the answers had to be within.
    pub p95_ms_max: Option<f64>,
}

impl LoadReport {
    /// Whether the limit on the latency was kept and the service answered at all.
    #[must_use]
    pub fn passed(&self) -> bool {
        let p95_ms = self.latencies.percentile_ms(95.0);
        self.requests > self.unanswered && self.p95_ms_max.is_none_or(|max| p95_ms <= max)
    }

    /// Requests that ended, a second.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        number(self.requests) / self.elapsed.as_secs_f64().max(1e-3)
    }

    fn add(&mut self, outcome: Outcome) {
        self.requests += 1;
        self.latencies.add(outcome.latency);
        match outcome.status {
            Some(status) => *self.statuses.entry(status).or_default() += 1,
            None => self.unanswered += 1,
        }
        if let Some(decision) = outcome.decision {
            *self.decisions.entry(decision).or_default() += 1;
        }
    }
}

pub(super) async fn collect(
    mut outcomes: mpsc::Receiver<Outcome>,
    p95_ms_max: Option<f64>,
) -> LoadReport {
    let mut report = LoadReport { p95_ms_max, ..LoadReport::default() };
    while let Some(outcome) = outcomes.recv().await {
        report.add(outcome);
    }
    report
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let per_second = self.requests_per_second();
        writeln!(f, "{} requests in {seconds:.1} s, {per_second:.1}/s", self.requests)?;
        write!(f, "latency")?;
        for percent in [50.0, 90.0, 95.0, 99.0, 100.0] {
            write!(f, "  p{percent} {:.1} ms", self.latencies.percentile_ms(percent))?;
        }
        writeln!(f)?;
        write!(f, "status ")?;
        for (status, count) in &self.statuses {
            write!(f, "  {status}: {count}")?;
        }
        writeln!(f, "  none: {}  skipped: {}", self.unanswered, self.skipped)?;
        write!(f, "decision")?;
        let decided = number(self.decisions.values().sum::<u64>()).max(1.0);
        for (decision, count) in &self.decisions {
            write!(f, "  {decision}: {count} ({:.1} %)", number(*count) / decided * 100.0)?;
        }
        if let Some(max) = self.p95_ms_max {
            let word = if self.passed() { "passed" } else { "failed" };
            write!(f, "\n{word}: p95 has to be within {max} ms")?;
        }
        Ok(())
    }
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A histogram of latencies, exact to 3 %: each power of two of microseconds is cut into 32.
#[derive(Debug, Clone)]
pub struct Latencies {
    buckets: Vec<u64>,
    max: Duration,
}

const BUCKETS: usize = 32 * 32;

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { buckets: vec![0; BUCKETS], max: Duration::ZERO }
    }
}

impl Latencies {
    fn add(&mut self, latency: Duration) {
        self.max = self.max.max(latency);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)] += 1;
    }

    /// The time that `percent` of the answers came within, in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let total = number(self.buckets.iter().sum());
        let wanted = total * percent / 100.0;
        let mut seen = 0.0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += number(*count);
            if seen >= wanted && *count > 0 {
                return upper_bound_ms(index).min(self.max.as_secs_f64() * 1e3);
            }
        }
        self.max.as_secs_f64() * 1e3
    }
}

/// Below 32 µs each microsecond has its own.
fn bucket(micros: u64) -> usize {
    let octave = micros.max(32).ilog2() - 5;
    let within = micros >> octave;
    let index = if micros < 32 { micros } else { u64::from(octave) * 32 + within };
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

fn upper_bound_ms(index: usize) -> f64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    if index < 32 {
        return number(index) / 1e3;
    }
    let (octave, within) = (index / 32 - 1, index % 32 + 32);
    // Octave `o` holds what is `within << o`; its indexes begin at `32 * (o + 1)`.
    let micros = (within + 1) << octave;
    f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1e3
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            [
                ("p50_ms", 50.0),
                ("p90_ms", 90.0),
                ("p95_ms", 95.0),
                ("p99_ms", 99.0),
                ("max_ms", 100.0),
            ]
            .map(|(name, percent)| (name, self.percentile_ms(percent))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_percent() {
        let mut latencies = Latencies::default();
        for micros in 1..=100_000_u64 {
            latencies.add(Duration::from_micros(micros));
        }
        for percent in [1.0, 50.0, 95.0, 99.0, 100.0] {
            let (got, expect) = (latencies.percentile_ms(percent), percent);
            assert!((got / expect - 1.0).abs() < 0.035, "p{percent}: {got} ms");
        }
        assert!(Latencies::default().percentile_ms(99.0).abs() < 1e-9);
    }
}
