//! What becomes of blocks: merged into larger ones, thinned out as they age, deleted.
//!
//! [`maintain`] does what is due, one merge at a time, and can be called as often as wanted.
//! Every change is one step for readers and for a crash: either the blocks before are there or the
//! one after. Merging reads and writes series by series and holds one of them at a time.

mod downsample;
mod merge;
mod retention;

pub use retention::SelectorRetention;

use std::sync::Arc;
use std::time::Duration;

use model::metric::Matcher;

use crate::block::{Blocks, Error, Reader};

/// How blocks are merged, thinned out and deleted. Durations of zero and sizes of zero switch the
/// thing off.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Stretches of time that blocks are merged into, ascending.
    pub ranges: Vec<Duration>,
    /// Samples older than this are deleted.
    pub retention: Duration,
    /// When blocks take more bytes than this, the oldest are deleted.
    pub retention_bytes: u64,
    /// Samples of some series are deleted sooner.
    pub selectors: Vec<SelectorRetention>,
    /// From this age on points of 5 minutes are made.
    pub downsample_5m_after: Duration,
    /// From this age on points of 1 hour are made.
    pub downsample_1h_after: Duration,
    /// Samples as they came are deleted from this age on, where points of 5 minutes are there.
    pub raw_retention: Duration,
    /// Points of 5 minutes are deleted from this age on, where points of 1 hour are there.
    pub retention_5m: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            ranges: [2, 8, 24, 7 * 24].map(Duration::from_hours).to_vec(),
            retention: Duration::ZERO,
            retention_bytes: 0,
            selectors: Vec::new(),
            downsample_5m_after: Duration::from_hours(9 * 24),
            downsample_1h_after: Duration::from_hours(30 * 24),
            raw_retention: Duration::ZERO,
            retention_5m: Duration::ZERO,
        }
    }
}

/// What [`maintain`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Merges, of one block or more into one.
    pub merged: usize,
    /// Blocks of downsampled points made.
    pub downsampled: usize,
    /// Blocks deleted.
    pub deleted: usize,
    /// Blocks of which samples of some series were deleted.
    pub trimmed: usize,
}

/// Points of 5 minutes.
pub const FIVE_MINUTES_MS: i64 = 300_000;

/// Points of 1 hour.
pub const HOUR_MS: i64 = 3_600_000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Does all that is due at `now_ms`: deletes what is too old, merges, downsamples.
/// `stop` is asked between blocks.
pub fn maintain(
    blocks: &Blocks,
    policy: &Policy,
    now_ms: i64,
    stop: &dyn Fn() -> bool,
) -> Result<Done, Error> {
    let _merging = blocks.merging.lock();
    let mut done = Done::default();
    blocks.tidy();
    retention::expire(blocks, policy, now_ms, &mut done)?;
    while !stop() {
        let Some(sources) = due(blocks, policy) else { break };
        merge::merge(blocks, &sources)?;
        done.merged += 1;
    }
    downsample::make_due(blocks, policy, now_ms, stop, &mut done)?;
    retention::expire(blocks, policy, now_ms, &mut done)?;
    metrics::counter!("trefoil_tsdb_compactions_total").increment(done.merged as u64);
    metrics::counter!("trefoil_tsdb_blocks_downsampled_total").increment(done.downsampled as u64);
    metrics::counter!("trefoil_tsdb_blocks_deleted_total").increment(done.deleted as u64);
    Ok(done)
}

/// Rewrites every block that has deletions without what they delete. Returns how many.
pub fn clean_tombstones(blocks: &Blocks) -> Result<usize, Error> {
    let _merging = blocks.merging.lock();
    let mut cleaned = 0;
    for block in blocks.all().iter() {
        if !block.tombstones.read().is_empty() {
            merge::merge(blocks, std::slice::from_ref(block))?;
            cleaned += 1;
        }
    }
    Ok(cleaned)
}

/// Merges all blocks of samples as they came into one, as small as can be. For tests, measuring
/// and `--snapshot`.
pub fn merge_all(blocks: &Blocks) -> Result<(), Error> {
    let _merging = blocks.merging.lock();
    let raw = raw_blocks(blocks);
    if raw.is_empty() { Ok(()) } else { merge::merge(blocks, &raw) }
}

fn raw_blocks(blocks: &Blocks) -> Vec<Arc<Reader>> {
    blocks.all().iter().filter(|block| block.meta().resolution_ms == 0).cloned().collect()
}

/// The next blocks to be merged.
fn due(blocks: &Blocks, policy: &Policy) -> Option<Vec<Arc<Reader>>> {
    let raw = raw_blocks(blocks);
    overlapping(&raw)
        .or_else(|| policy.ranges.iter().find_map(|&range| in_window(&raw, millis(range))))
}

/// Blocks that share time, as late samples make them: reading them costs a merge each time.
fn overlapping(raw: &[Arc<Reader>]) -> Option<Vec<Arc<Reader>>> {
    let mut group: Vec<Arc<Reader>> = Vec::new();
    let mut end = i64::MIN;
    for block in raw {
        if block.meta().min_time <= end {
            group.push(Arc::clone(block));
        } else if group.len() > 1 {
            break;
        } else {
            group = vec![Arc::clone(block)];
        }
        end = end.max(block.meta().max_time);
    }
    (group.len() > 1).then_some(group)
}

/// Two or more blocks that lie in one window of `range_ms`, when the newest block lies behind it.
fn in_window(raw: &[Arc<Reader>], range_ms: i64) -> Option<Vec<Arc<Reader>>> {
    let newest = raw.iter().map(|block| block.meta().min_time).max()?;
    let window_of = |block: &Reader| {
        let window = block.meta().min_time.div_euclid(range_ms);
        // Its last sample may lie on the border.
        let fits = block.meta().max_time <= (window + 1).saturating_mul(range_ms);
        fits.then_some(window)
    };
    let mut at = 0;
    while at < raw.len() {
        let window = window_of(&raw[at]);
        let len = raw[at..].iter().take_while(|block| window_of(block) == window).count().max(1);
        let complete = window.is_some_and(|window| newest >= (window + 1).saturating_mul(range_ms));
        if complete && len > 1 {
            return Some(raw[at..at + len].to_vec());
        }
        at += len;
    }
    None
}

/// Deletes the samples before `before_ms` of the series that match, in blocks that lie wholly before
/// it. Used by [`retention`].
fn trim(
    blocks: &Blocks,
    block: &Reader,
    matchers: &[Matcher],
    before_ms: i64,
) -> Result<bool, Error> {
    let time = crate::chunk::TimeRange { start: i64::MIN, end: before_ms };
    if block.meta().max_time < before_ms {
        blocks.delete_in(block, matchers, time)
    } else {
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
