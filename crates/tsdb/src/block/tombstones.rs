//! What is deleted of a block: selectors and times, beside the block until it is next merged.

use model::metric::{MatchOp, Matcher};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::{Error, Reader};
use crate::chunk::TimeRange;
use crate::points::Points;

/// One deletion: the samples within a time of the series that all matchers accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The selector.
    pub matchers: Vec<DeletionMatcher>,
    /// The first time, milliseconds.
    pub start: i64,
    /// The last time, milliseconds.
    pub end: i64,
}

/// A matcher as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionMatcher {
    /// The label's name.
    pub name: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub op: String,
    /// The value or expression.
    pub value: String,
}

impl Deletion {
    pub(crate) fn new(matchers: &[Matcher], time: TimeRange) -> Deletion {
        let kept = matchers.iter().map(|matcher| DeletionMatcher {
            name: matcher.name.clone(),
            op: matcher.op.as_str().to_owned(),
            value: matcher.value.clone(),
        });
        Deletion { matchers: kept.collect(), start: time.start, end: time.end }
    }

    fn matchers(&self) -> Option<Vec<Matcher>> {
        let compile = |kept: &DeletionMatcher| {
            let op = match kept.op.as_str() {
                "=" => MatchOp::Equal,
                "!=" => MatchOp::NotEqual,
                "=~" => MatchOp::Regex,
                "!~" => MatchOp::NotRegex,
                _ => return None,
            };
            Matcher::new(kept.name.clone(), op, kept.value.clone()).ok()
        };
        self.matchers.iter().map(compile).collect()
    }

    fn time(&self) -> TimeRange {
        TimeRange { start: self.start, end: self.end }
    }
}

/// The deletions of a block with the series they concern.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    deletions: Vec<(Deletion, RoaringBitmap)>,
}

impl Tombstones {
    /// How many deletions.
    pub(crate) fn len(&self) -> usize {
        self.deletions.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deletions.is_empty()
    }

    pub(crate) fn from_json(reader: &Reader, json: &[u8]) -> Result<Tombstones, Error> {
        let damaged = |reason: String| Error::Damaged {
            block: reader.meta().id,
            section: "list of deletions",
            reason,
        };
        let deletions: Vec<Deletion> =
            serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        let mut tombstones = Tombstones::default();
        for deletion in deletions {
            let matchers = deletion.matchers();
            let matchers = matchers.ok_or_else(|| damaged("a matcher is wrong".to_owned()))?;
            let series = reader.select(&matchers)?;
            tombstones.deletions.push((deletion, series));
        }
        Ok(tombstones)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let deletions: Vec<&Deletion> = self.deletions.iter().map(|(one, _)| one).collect();
        // Texts and numbers cannot fail to be written.
        serde_json::to_vec(&deletions).unwrap_or_default()
    }

    /// With one more; `None` when it changes nothing.
    pub(crate) fn with(&self, deletion: Deletion, series: RoaringBitmap) -> Option<Tombstones> {
        let known = self.deletions.iter().any(|(other, covered)| {
            other.time().covers(deletion.time()) && series.is_subset(covered)
        });
        if series.is_empty() || known {
            return None;
        }
        let mut deletions = self.deletions.clone();
        deletions.push((deletion, series));
        Some(Tombstones { deletions })
    }

    /// What is deleted of a series within `time`.
    pub(crate) fn of(&self, series: u32, time: TimeRange) -> Vec<TimeRange> {
        let concerned = self
            .deletions
            .iter()
            .filter(|(deletion, of)| deletion.time().overlaps(time) && of.contains(series));
        concerned.map(|(deletion, _)| deletion.time()).collect()
    }
}

/// Takes the samples within any of `cut` out.
pub(crate) fn remove(cut: &[TimeRange], points: &mut Points) {
    if cut.is_empty() {
        return;
    }
    let deleted = |timestamp: i64| cut.iter().any(|time| time.contains(timestamp));
    let mut kept = Points::default();
    for (at, &timestamp) in points.timestamps.iter().enumerate() {
        if !deleted(timestamp) {
            let start = points.starts.get(at).copied().unwrap_or(0);
            kept.push(timestamp, points.values[at], start);
        }
    }
    kept.histograms = std::mem::take(&mut points.histograms);
    kept.histograms.retain(|point| !deleted(point.timestamp));
    *points = kept;
}
