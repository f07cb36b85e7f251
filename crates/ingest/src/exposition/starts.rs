//! When counters began: OpenMetrics says it in samples of their own, `…_created`, that stand somewhere
//! in the family.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::labels::SeriesLabels;

/// The creation times of the family at hand.
#[derive(Debug, Default)]
pub(super) struct Starts {
    times: BTreeMap<u64, i64>,
}

impl Starts {
    pub(super) fn clear(&mut self) {
        self.times.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub(super) fn insert(&mut self, labels: SeriesLabels<'_>, start: i64) {
        self.times.insert(group(labels), start);
    }

    /// When a series began; 0 when nobody said.
    pub(super) fn of(&self, labels: SeriesLabels<'_>) -> i64 {
        if self.times.is_empty() {
            return 0;
        }
        self.times.get(&group(labels)).copied().unwrap_or(0)
    }
}

/// Stands for the labels of a metric in whatever order, without the name and what tells buckets and
/// quantiles apart.
fn group(labels: SeriesLabels<'_>) -> u64 {
    let mut sum = 0_u64;
    let mut bytes = Vec::new();
    for (name, value) in labels.as_written().iter().skip(1) {
        if name == "le" || name == "quantile" || value.is_empty() {
            continue;
        }
        bytes.clear();
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0xff);
        bytes.extend_from_slice(value.as_bytes());
        sum = sum.wrapping_add(xxh3_64(&bytes));
    }
    sum
}
