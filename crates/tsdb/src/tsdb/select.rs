//! Reading: which series, which samples, which labels.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::Tenant;
use model::metric::{Labels, Matcher};

use super::readers::Reading;
use super::{TenantStore, Tsdb, blocks};
use crate::block::Part;
use crate::error::Error;
use crate::exemplars::SeriesExemplars;
use crate::points::Points;

/// What to read; times are milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// All have to be satisfied.
    pub matchers: Vec<Matcher>,
    /// The first time.
    pub start: i64,
    /// The last time, included.
    pub end: i64,
    /// The distance of evaluations, 0 for one evaluation.
    pub step: i64,
    /// How far each evaluation looks back, 0 for the newest sample.
    pub range: i64,
    /// The function around the selector.
    pub function: Option<String>,
    /// What it is grouped by (true) or without (false).
    pub by: Option<(bool, Vec<String>)>,
}

/// Series that were selected. It sees a state of the store: blocks that are replaced or removed
/// while it lives are still read. The series are in no order.
#[derive(Debug)]
pub struct Selection {
    store: Option<Arc<TenantStore>>,
    parts: Vec<Part>,
    series: Vec<Selected>,
    start: i64,
    end: i64,
    _reading: Option<Reading>,
}

#[derive(Debug)]
pub(super) struct Selected {
    pub(super) labels: Labels,
    /// Its number in the head.
    pub(super) head: Option<u32>,
    /// Places in the parts, and its numbers there.
    pub(super) blocks: Vec<(u32, u32)>,
}

thread_local! {
    /// What a head has beside blocks.
    static FRESH: RefCell<Points> = RefCell::default();
}

impl Selection {
    /// How many series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// A series' labels.
    #[must_use]
    pub fn labels(&self, index: usize) -> &Labels {
        &self.series[index].labels
    }

    /// A series' samples in the time that was asked for.
    pub fn read(&self, index: usize, into: &mut Points) -> Result<(), Error> {
        into.clear();
        let series = &self.series[index];
        for (part, number) in &series.blocks {
            let part = &self.parts[*part as usize];
            part.reader.read(*number, part.time, part.column, into)?;
        }
        let (Some(store), Some(number)) = (&self.store, series.head) else { return Ok(()) };
        if into.is_empty() {
            store.head.read(number, &series.labels, self.start, self.end, into);
            return Ok(());
        }
        FRESH.with_borrow_mut(|fresh| {
            fresh.clear();
            store.head.read(number, &series.labels, self.start, self.end, fresh);
            into.merge(fresh);
        });
        Ok(())
    }
}

impl Tsdb {
    /// The series that satisfy the matchers and may have samples in the time.
    pub fn select(&self, tenant: &Tenant, query: &Query) -> Result<Selection, Error> {
        let Query { start, end, .. } = *query;
        let Some(store) = self.inner.tenant(tenant) else {
            let (parts, series) = (Vec::new(), Vec::new());
            return Ok(Selection { store: None, parts, series, start, end, _reading: None });
        };
        let reading = store.readers.begin();
        // The head first: what leaves it in between is found in a block.
        let head = store.head.select(&query.matchers, start);
        let mut series = head
            .into_iter()
            .map(|(number, labels)| Selected { labels, head: Some(number), blocks: Vec::new() })
            .collect();
        let parts = blocks::plan(&store, query);
        blocks::add_series(&parts, &query.matchers, &mut series)?;
        let _reading = Some(reading);
        Ok(Selection { store: Some(store), parts, series, start, end, _reading })
    }

    /// The label sets of series that satisfy one of the lists of matchers, in order.
    pub fn series(
        &self,
        tenant: &Tenant,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, Error> {
        let mut found = BTreeSet::new();
        for matchers in matchers {
            let query = Query { matchers: matchers.clone(), start, end, ..Query::default() };
            let selection = self.select(tenant, &query)?;
            found.extend(selection.series.into_iter().map(|series| series.labels));
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// The exemplars of series that satisfy one of the lists of matchers.
    #[must_use]
    pub fn exemplars(
        &self,
        tenant: &Tenant,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
    ) -> Vec<SeriesExemplars> {
        let store = self.inner.tenant(tenant);
        store
            .map(|store| store.head.exemplars.lock().select(matchers, start, end))
            .unwrap_or_default()
    }
}
