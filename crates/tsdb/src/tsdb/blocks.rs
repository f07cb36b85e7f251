//! What of a tenant lies in blocks.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use model::metric::{Labels, Matcher};

use super::select::{Query, Selected};
use super::{TenantStore, Tsdb};
use crate::block::{Ask, Part};
use crate::error::Error;

/// The parts of blocks that answer a query.
pub(super) fn plan(store: &TenantStore, query: &Query) -> Vec<Part> {
    let Query { start, end, step, range, .. } = *query;
    let function = query.function.as_deref();
    store.blocks.plan(&Ask { start, end, step, range, function })
}

/// Adds the series of blocks that satisfy the matchers to those of the head.
pub(super) fn add_series(
    parts: &[Part],
    matchers: &[Matcher],
    series: &mut Vec<Selected>,
) -> Result<(), Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let mut places: HashMap<Labels, usize> =
        series.iter().enumerate().map(|(at, one)| (one.labels.clone(), at)).collect();
    for (part, at) in parts.iter().zip(0u32..) {
        for number in part.reader.select(matchers)? {
            let labels = part.reader.labels(number)?;
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                series.push(Selected { labels: labels.clone(), head: None, blocks: Vec::new() });
                series.len() - 1
            });
            series[place].blocks.push((at, number));
        }
    }
    Ok(())
}

impl Tsdb {
    pub(super) fn block_label_names(
        &self,
        store: &TenantStore,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        for part in self.label_parts(store, start, end) {
            let selected = selected(&part, matchers)?;
            into.extend(part.reader.label_names(selected.as_ref())?);
        }
        Ok(())
    }

    pub(super) fn block_label_values(
        &self,
        store: &TenantStore,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        into: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        for part in self.label_parts(store, start, end) {
            let selected = selected(&part, matchers)?;
            into.extend(part.reader.label_values(name, selected.as_ref())?);
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the store")]
    fn label_parts(&self, store: &TenantStore, start: i64, end: i64) -> Vec<Part> {
        plan(store, &Query { start, end, ..Query::default() })
    }
}

fn selected(part: &Part, matchers: &[Matcher]) -> Result<Option<roaring::RoaringBitmap>, Error> {
    if matchers.is_empty() { Ok(None) } else { Ok(Some(part.reader.select(matchers)?)) }
}
