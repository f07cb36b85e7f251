//! Deleting what is too old or too much.

use std::sync::Arc;
use std::time::Duration;

use model::metric::Matcher;

use super::{Done, FIVE_MINUTES_MS, HOUR_MS, Policy, merge, millis, trim};
use crate::block::{Blocks, Error, Reader};

/// Samples of the series that match are kept this long.
#[derive(Debug, Clone)]
pub struct SelectorRetention {
    /// All of them have to match.
    pub matchers: Vec<Matcher>,
    /// How long their samples are kept.
    pub keep: Duration,
}

/// A block whose deleted series are at least this part of it is rewritten at once.
const REWRITE_PART: u64 = 4;

pub(crate) fn expire(
    blocks: &Blocks,
    policy: &Policy,
    now_ms: i64,
    done: &mut Done,
) -> Result<(), Error> {
    for block in blocks.all().iter() {
        if is_expired(blocks, block, policy, now_ms) {
            blocks.remove(block)?;
            done.deleted += 1;
        }
    }
    by_size(blocks, policy, done)?;
    for rule in policy.selectors.iter().filter(|rule| !rule.keep.is_zero()) {
        let before_ms = now_ms.saturating_sub(millis(rule.keep));
        for block in blocks.all().iter() {
            if trim(blocks, block, &rule.matchers, before_ms)? {
                done.trimmed += 1;
                let series = u64::from(block.series_len()?);
                if block.select(&rule.matchers)?.len() * REWRITE_PART >= series {
                    merge::merge(blocks, std::slice::from_ref(block))?;
                }
            }
        }
    }
    Ok(())
}

fn is_expired(blocks: &Blocks, block: &Arc<Reader>, policy: &Policy, now_ms: i64) -> bool {
    let meta = block.meta();
    let older_than =
        |keep: Duration| !keep.is_zero() && meta.max_time < now_ms.saturating_sub(millis(keep));
    // What is thinned out goes only when what was made from it is there.
    let has_coarser = |resolution_ms: i64| {
        blocks.all().iter().any(|other| {
            other.meta().resolution_ms == resolution_ms
                && meta.origins.iter().all(|origin| other.meta().origins.contains(origin))
        })
    };
    older_than(policy.retention)
        || match meta.resolution_ms {
            0 => older_than(policy.raw_retention) && has_coarser(FIVE_MINUTES_MS),
            FIVE_MINUTES_MS => older_than(policy.retention_5m) && has_coarser(HOUR_MS),
            _ => false,
        }
}

/// Deletes the oldest blocks until the others fit.
fn by_size(blocks: &Blocks, policy: &Policy, done: &mut Done) -> Result<(), Error> {
    if policy.retention_bytes == 0 {
        return Ok(());
    }
    let all = blocks.all();
    let mut bytes: u64 = all.iter().map(|block| block.meta().stats.bytes).sum();
    let mut oldest: Vec<&Arc<Reader>> = all.iter().collect();
    oldest.sort_by_key(|block| block.meta().max_time);
    for block in oldest {
        if bytes <= policy.retention_bytes {
            break;
        }
        blocks.remove(block)?;
        bytes -= block.meta().stats.bytes;
        done.deleted += 1;
    }
    Ok(())
}
