//! Reading: which series, which samples, which labels.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Tenant;
use model::metric::{Labels, Matcher};

use super::{TenantStore, Tsdb};
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
    series: Vec<Selected>,
    start: i64,
    end: i64,
}

#[derive(Debug)]
struct Selected {
    labels: Labels,
    head: Option<u32>,
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
        if let (Some(store), Some(number)) = (&self.store, series.head) {
            store.head.read(number, &series.labels, self.start, self.end, into);
        }
        Ok(())
    }
}

impl Tsdb {
    /// The series that satisfy the matchers and may have samples in the time.
    pub fn select(&self, tenant: &Tenant, query: &Query) -> Result<Selection, Error> {
        let Query { start, end, .. } = *query;
        let Some(store) = self.inner.tenant(tenant) else {
            return Ok(Selection { store: None, series: Vec::new(), start, end });
        };
        let head = store.head.select(&query.matchers, start);
        let series = head
            .into_iter()
            .map(|(number, labels)| Selected { labels, head: Some(number) })
            .collect();
        Ok(Selection { store: Some(store), series, start, end })
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
