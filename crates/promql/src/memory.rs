//! A small store in memory: for tests of queries and for the unit tests of rules.
//!
//! It keeps everything that is appended, in order of time, and says about resets of native
//! histograms what Prometheus's store would say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::metric::{Histogram, Labels, ResetHint};

use crate::control::Control;
use crate::histogram::is_reset;
use crate::source::{HistogramPoint, Points, Select, SeriesSet, SeriesSource, SourceError};

/// Series in memory.
#[derive(Debug, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Arc<Points>>,
    version: AtomicU64,
}

impl MemorySource {
    /// Without series.
    #[must_use]
    pub fn new() -> MemorySource {
        MemorySource::default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.series.clear();
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// How many series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn points(&mut self, labels: &Labels) -> &mut Points {
        Arc::make_mut(self.series.entry(labels.clone()).or_default())
    }

    /// Adds a float; `start` is 0 when it is unknown. A later sample of the same time replaces an
    /// earlier one.
    pub fn float(&mut self, labels: &Labels, timestamp: i64, value: f64, start: i64) {
        let points = self.points(labels);
        let at = points.timestamps.partition_point(|&time| time < timestamp);
        if points.timestamps.get(at) == Some(&timestamp) {
            points.values[at] = value;
        } else {
            points.timestamps.insert(at, timestamp);
            points.values.insert(at, value);
            if !points.starts.is_empty() {
                points.starts.insert(at, 0);
            }
        }
        if start != 0 {
            if points.starts.is_empty() {
                points.starts.resize(points.timestamps.len(), 0);
            }
            points.starts[at] = start;
        }
    }

    /// Adds a native histogram; those of a series come in order of time.
    pub fn histogram(
        &mut self,
        labels: &Labels,
        timestamp: i64,
        mut histogram: Histogram,
        start: i64,
    ) {
        let points = self.points(labels);
        let last_float = points.timestamps.last().copied().unwrap_or(i64::MIN);
        let before = points.histograms.last().filter(|one| one.timestamp > last_float);
        let was_gauge = before.is_some_and(|one| one.histogram.reset_hint == ResetHint::Gauge);
        histogram.reset_hint = match (histogram.reset_hint, before) {
            _ if histogram.is_stale() => ResetHint::Unknown,
            (ResetHint::Gauge, _) => ResetHint::Gauge,
            // A chunk begins: Prometheus says nothing then, not even about what it was told
            // (https://github.com/prometheus/prometheus/issues/15346).
            (ResetHint::Reset, _) | (_, None) => ResetHint::Unknown,
            (_, Some(_)) if was_gauge => ResetHint::Unknown,
            (_, Some(before)) if before.histogram.is_stale() => ResetHint::Unknown,
            (_, Some(before)) => {
                let plain = Histogram { reset_hint: ResetHint::Unknown, ..histogram.clone() };
                hint_after(&plain, &before.histogram)
            }
        };
        let histogram = Arc::new(histogram);
        points.histograms.push(HistogramPoint { timestamp, start, histogram });
    }
}

/// What Prometheus's store says: another layout or a reset begins a chunk, of which it says nothing.
fn hint_after(now: &Histogram, before: &Histogram) -> ResetHint {
    #[expect(clippy::float_cmp, reason = "any change of the layout counts")]
    let layout = now.schema != before.schema
        || now.zero_threshold != before.zero_threshold
        || now.custom_values != before.custom_values;
    if layout || is_reset(now, before) { ResetHint::Unknown } else { ResetHint::NoReset }
}

struct Selected(Vec<(Labels, Arc<Points>)>, i64, i64);

impl SeriesSource for MemorySource {
    fn select(
        &self,
        select: &Select,
        _control: &Control,
    ) -> Result<Box<dyn SeriesSet>, SourceError> {
        let found = self.series.iter().filter(|(labels, _)| {
            select
                .matchers
                .iter()
                .all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
        });
        let found = found.map(|(labels, points)| (labels.clone(), Arc::clone(points)));
        Ok(Box::new(Selected(found.collect(), select.start, select.end)))
    }

    fn version(&self, _settled: i64) -> Option<u64> {
        Some(self.version.load(Ordering::Relaxed))
    }
}

impl SeriesSet for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index].0
    }

    fn read(&self, index: usize, into: &mut Points) -> Result<(), SourceError> {
        let Selected(series, start, end) = self;
        let points = &series[index].1;
        let from = points.timestamps.partition_point(|time| time < start);
        let to = points.timestamps.partition_point(|time| time <= end).max(from);
        into.timestamps.extend_from_slice(&points.timestamps[from..to]);
        into.values.extend_from_slice(&points.values[from..to]);
        if !points.starts.is_empty() {
            into.starts.extend_from_slice(&points.starts[from..to]);
        }
        let inside = |one: &&HistogramPoint| one.timestamp >= *start && one.timestamp <= *end;
        into.histograms.extend(points.histograms.iter().filter(inside).cloned());
        Ok(())
    }
}
