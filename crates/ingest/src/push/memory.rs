//! Which series the last push of each group had, so that they can be ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use model::Tenant;
use model::metric::Labels;

use super::group::Group;

/// How much is remembered of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushLimits {
    /// Series of all groups together. When there are more, the groups that were pushed the longest
    /// ago are forgotten, and their series just cease.
    pub series_max: usize,
}

impl Default for PushLimits {
    fn default() -> PushLimits {
        PushLimits { series_max: 100_000 }
    }
}

#[derive(Debug)]
pub(super) struct Groups {
    limits: PushLimits,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    groups: BTreeMap<(Tenant, Group), Remembered>,
    series: usize,
    /// Counts pushes.
    clock: u64,
}

#[derive(Debug)]
struct Remembered {
    series: BTreeSet<Labels>,
    pushed: u64,
}

impl Groups {
    pub(super) fn new(limits: PushLimits) -> Groups {
        Groups { limits, known: Mutex::default() }
    }

    /// Remembers a push and gives the series that it ends: all that are not in it, or only those
    /// whose metric is.
    pub(super) fn replace(
        &self,
        tenant: &Tenant,
        group: &Group,
        series: Vec<Labels>,
        whole: bool,
    ) -> Vec<Labels> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clock += 1;
        let pushed = known.clock;
        let names: BTreeSet<String> =
            series.iter().filter_map(|labels| labels.name().map(str::to_owned)).collect();
        let mut now: BTreeSet<Labels> = series.into_iter().collect();
        let key = (tenant.clone(), group.clone());
        let before = known.groups.remove(&key).map(|group| group.series).unwrap_or_default();
        known.series -= before.len();
        let mut ended = Vec::new();
        for labels in before {
            if now.contains(&labels) {
                continue;
            }
            if whole || labels.name().is_some_and(|name| names.contains(name)) {
                ended.push(labels);
            } else {
                now.insert(labels);
            }
        }
        known.series += now.len();
        known.groups.insert(key, Remembered { series: now, pushed });
        while known.series > self.limits.series_max {
            let oldest = known.groups.iter().min_by_key(|(_, group)| group.pushed);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(forgotten) = known.groups.remove(&oldest) {
                known.series -= forgotten.series.len();
            }
        }
        ended
    }

    /// Forgets a group and gives its series.
    pub(super) fn take(&self, tenant: &Tenant, group: &Group) -> BTreeSet<Labels> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = known.groups.remove(&(tenant.clone(), group.clone()));
        let series = taken.map(|group| group.series).unwrap_or_default();
        known.series -= series.len();
        series
    }
}
