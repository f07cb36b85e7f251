//! What a target's pages have said so far: series by their text, and families.

use std::collections::HashSet;

use hashbrown::HashMap;
use model::metric::{Labels, Metadata, MetricType};

/// The memory of one target.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// By format and text, see [`crate::exposition::SeriesLabels::key`].
    series: HashMap<Box<[u8]>, Entry>,
    families: HashMap<String, Family>,
    /// Counts pages.
    iteration: u64,
    /// Rules under which labels were made.
    generation: u64,
    /// Series of older rules that have not ended yet.
    orphans: HashSet<Labels>,
    /// Metadata that were not written yet.
    changed: bool,
}

/// A series.
#[derive(Debug)]
pub(super) struct Entry {
    /// After relabelling; `None` is dropped.
    pub(super) labels: Option<Labels>,
    /// The page that had it last.
    seen: u64,
    /// It ends when it is not on a page.
    tracked: bool,
    /// It was written and has not ended.
    live: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Family {
    kind: MetricType,
    help: String,
    unit: String,
    written: bool,
    seen: u64,
}

/// What looking up a series gave.
pub(super) enum Found<'c> {
    Known(&'c mut Entry),
    New,
}

impl Cache {
    /// Begins a page that is read under the rules of `generation`.
    pub(super) fn begin(&mut self, generation: u64) {
        self.iteration += 1;
        if self.generation != generation {
            self.generation = generation;
            self.orphan_all();
        }
    }

    /// Forgets how texts become labels; what is live has to be seen again or ends.
    fn orphan_all(&mut self) {
        let live = self.series.drain().filter_map(|(_, entry)| entry.labels.filter(|_| entry.live));
        self.orphans.extend(live);
    }

    pub(super) fn find(&mut self, key: &[u8]) -> Found<'_> {
        match self.series.get_mut(key) {
            Some(entry) => Found::Known(entry),
            None => Found::New,
        }
    }

    /// Adds a series; `labels` is `None` when relabelling drops it.
    pub(super) fn insert(&mut self, key: &[u8], labels: Option<Labels>) -> &mut Entry {
        let entry = Entry { labels, seen: 0, tracked: false, live: false };
        self.series.entry(Box::from(key)).insert(entry).into_mut()
    }

    pub(super) fn iteration(&self) -> u64 {
        self.iteration
    }

    /// The page is taken: ends what is not on it, through `end`, and forgets it.
    pub(super) fn commit(&mut self, mut end: impl FnMut(&Labels)) {
        let iteration = self.iteration;
        let orphans = &mut self.orphans;
        self.series.retain(|_, entry| {
            if entry.seen == iteration {
                entry.live = entry.tracked && entry.labels.is_some();
                if let Some(labels) = &entry.labels
                    && !orphans.is_empty()
                {
                    orphans.remove(labels);
                }
                return true;
            }
            if let Some(labels) = entry.labels.as_ref().filter(|_| entry.live) {
                end(labels);
            }
            false
        });
        for labels in self.orphans.drain() {
            end(&labels);
        }
        self.families.retain(|_, family| family.seen == iteration);
    }

    /// The page is not taken: everything that is live ends, and stays known.
    pub(super) fn end_all(&mut self, mut end: impl FnMut(&Labels)) {
        for entry in self.series.values_mut() {
            if let Some(labels) = entry.labels.as_ref().filter(|_| entry.live) {
                end(labels);
            }
            entry.live = false;
        }
        for labels in self.orphans.drain() {
            end(&labels);
        }
    }

    pub(super) fn set_kind(&mut self, metric: &str, kind: MetricType) {
        let family = self.family(metric);
        if family.kind != kind {
            let known = family.seen > 0 && family.written;
            family.kind = kind;
            family.written = false;
            self.changed = true;
            if known {
                // The kind decides how bounds are written: texts may mean other labels now.
                self.orphan_all();
            }
        }
    }

    pub(super) fn set_help(&mut self, metric: &str, help: &str) {
        let family = self.family(metric);
        if family.help != help {
            help.clone_into(&mut family.help);
            family.written = false;
            self.changed = true;
        }
    }

    pub(super) fn set_unit(&mut self, metric: &str, unit: &str) {
        let family = self.family(metric);
        if family.unit != unit {
            unit.clone_into(&mut family.unit);
            family.written = false;
            self.changed = true;
        }
    }

    fn family(&mut self, metric: &str) -> &mut Family {
        let iteration = self.iteration;
        let family = self.families.entry_ref(metric).or_default();
        family.seen = iteration;
        family
    }

    /// Metadata that changed since the last call; all of it in the second list, if any did.
    pub(super) fn take_changed(&mut self) -> Option<(Vec<Metadata>, Vec<Metadata>)> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut changed = Vec::new();
        let mut all = Vec::with_capacity(self.families.len());
        for (metric, family) in &mut self.families {
            let metadata = Metadata {
                metric: metric.clone(),
                kind: family.kind,
                help: family.help.clone(),
                unit: family.unit.clone(),
            };
            if !std::mem::replace(&mut family.written, true) {
                changed.push(metadata.clone());
            }
            all.push(metadata);
        }
        all.sort_by(|a, b| a.metric.cmp(&b.metric));
        Some((changed, all))
    }
}

impl Entry {
    /// Notes that the page of `iteration` has the series; `false` if it already had it.
    pub(super) fn see(&mut self, iteration: u64, tracked: bool) -> bool {
        let first = self.seen != iteration;
        self.seen = iteration;
        self.tracked = tracked;
        first
    }
}
