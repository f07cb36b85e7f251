//! The samples of one series in columns, as readers get them.

use std::sync::Arc;

use model::metric::Histogram;

/// A native histogram at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramPoint {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// When the counter began, milliseconds since 1970; 0 is unknown.
    pub start: i64,
    /// The histogram.
    pub histogram: Arc<Histogram>,
}

/// The samples of one series: floats and histograms, each ascending in time, no time twice. Stale
/// markers are among them. To be used again: reading clears it first.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Of the floats, milliseconds since 1970.
    pub timestamps: Vec<i64>,
    /// As many as timestamps.
    pub values: Vec<f64>,
    /// When the counters began; as many as timestamps, or none when none is known.
    pub starts: Vec<i64>,
    /// The native histograms.
    pub histograms: Vec<HistogramPoint>,
}

impl Points {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
    }

    /// Whether it has neither floats nor histograms.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty() && self.histograms.is_empty()
    }

    /// How many samples, histograms included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps.len() + self.histograms.len()
    }

    /// Adds a float behind the others.
    #[inline]
    pub fn push(&mut self, timestamp: i64, value: f64, start: i64) {
        if start != 0 && self.starts.is_empty() {
            self.starts.resize(self.timestamps.len(), 0);
            self.starts.push(start);
        } else if !self.starts.is_empty() {
            self.starts.push(start);
        }
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// Adds `other`, whose samples may lie anywhere in time. At the same time, what was here first
    /// stays.
    pub fn merge(&mut self, other: &Points) {
        if self.timestamps.last() < other.timestamps.first() || self.timestamps.is_empty() {
            for at in 0..other.timestamps.len() {
                self.push(other.timestamps[at], other.values[at], other.start(at));
            }
        } else if !other.timestamps.is_empty() {
            self.merge_floats(other);
        }
        if other.histograms.is_empty() {
            return;
        }
        let in_order = self.histograms.last().map(|last| last.timestamp)
            < other.histograms.first().map(|first| first.timestamp);
        self.histograms.extend_from_slice(&other.histograms);
        if !in_order {
            // The sort is stable: what was here first stays first.
            self.histograms.sort_by_key(|point| point.timestamp);
            self.histograms.dedup_by_key(|point| point.timestamp);
        }
    }

    fn merge_floats(&mut self, other: &Points) {
        let mut merged = Points::default();
        let (mut at, mut from) = (0, 0);
        while at < self.timestamps.len() || from < other.timestamps.len() {
            let here = self.timestamps.get(at).copied();
            let there = other.timestamps.get(from).copied();
            match (here, there) {
                (Some(here), there) if there.is_none_or(|there| here <= there) => {
                    merged.push(here, self.values[at], self.start(at));
                    at += 1;
                    from += usize::from(there == Some(here));
                }
                (_, Some(there)) => {
                    merged.push(there, other.values[from], other.start(from));
                    from += 1;
                }
                (_, None) => break,
            }
        }
        self.timestamps = merged.timestamps;
        self.values = merged.values;
        self.starts = merged.starts;
    }

    fn start(&self, at: usize) -> i64 {
        self.starts.get(at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(samples: &[(i64, f64)]) -> Points {
        let mut points = Points::default();
        for &(timestamp, value) in samples {
            points.push(timestamp, value, 0);
        }
        points
    }

    #[test]
    fn merging_keeps_order_and_the_first_of_two() {
        let mut all = points(&[(1, 1.0), (3, 3.0), (5, 5.0)]);
        all.merge(&points(&[(0, 0.0), (3, 9.0), (4, 4.0), (7, 7.0)]));
        assert_eq!(all.timestamps, [0, 1, 3, 4, 5, 7]);
        assert_eq!(all.values, [0.0, 1.0, 3.0, 4.0, 5.0, 7.0]);
        all.merge(&points(&[(8, 8.0)]));
        assert_eq!(all.timestamps.len(), 7);
        assert!(all.starts.is_empty());
    }

    #[test]
    fn starts_appear_when_the_first_is_known() {
        let mut all = points(&[(1, 1.0)]);
        all.push(2, 2.0, 1);
        all.push(3, 2.0, 0);
        assert_eq!(all.starts, [0, 1, 0]);
    }
}
