//! Label names and values, and what they cost.

use std::collections::BTreeSet;

use model::Tenant;
use model::metric::{Matcher, NAME_LABEL};
use roaring::RoaringBitmap;

use super::Tsdb;
use crate::error::Error;
use crate::head::Head;
use crate::index::Index;

/// What series cost, of one tenant's head.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cardinality {
    /// Series in the head.
    pub series: usize,
    /// What they and their index take in memory, bytes, about.
    pub bytes: usize,
    /// Different label names.
    pub label_names: usize,
    /// Different pairs of name and value.
    pub label_pairs: usize,
    /// The oldest and newest sample in the head, milliseconds since 1970.
    pub time: Option<(i64, i64)>,
    /// Metrics with the most series.
    pub by_metric: Vec<Cost>,
    /// Label names with the most values; `series` counts the series that have the label.
    pub by_label: Vec<LabelCost>,
    /// Pairs with the most series, as `name=value`.
    pub by_pair: Vec<Cost>,
}

/// How many series have something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// What they have.
    pub name: String,
    /// How many.
    pub series: usize,
    /// Their share of the memory, bytes.
    pub bytes: usize,
}

/// What a label name costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCost {
    /// The label's name.
    pub name: String,
    /// How many different values it has.
    pub values: usize,
    /// How many series have it.
    pub series: usize,
    /// The length of all its different values, bytes.
    pub value_bytes: usize,
}

impl Tsdb {
    /// The label names of series that satisfy one of the lists of matchers, or of all when there
    /// are no lists, in order.
    pub fn label_names(
        &self,
        tenant: &Tenant,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let Some(store) = self.inner.tenant(tenant) else { return Ok(Vec::new()) };
        let mut found = BTreeSet::new();
        let lists = lists(matchers);
        if reaches(&store.head, start) {
            let index = store.head.index.read();
            for matchers in &lists {
                let selected = exact(&store.head, &index, matchers);
                let names = index.names().filter(|(_, values)| meets(&selected, values.series()));
                found.extend(names.map(|(name, _)| name.to_owned()));
            }
        }
        for matchers in &lists {
            self.block_label_names(&store, matchers, start, end, &mut found)?;
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// The values of a label among the series that satisfy one of the lists of matchers, or all
    /// when there are no lists, in order.
    pub fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let Some(store) = self.inner.tenant(tenant) else { return Ok(Vec::new()) };
        let mut found = BTreeSet::new();
        let lists = lists(matchers);
        if reaches(&store.head, start) {
            let index = store.head.index.read();
            if let Some(values) = index.values(name) {
                for matchers in &lists {
                    let selected = exact(&store.head, &index, matchers);
                    let values = values.iter().filter(|(_, postings)| {
                        selected.as_ref().is_none_or(|selected| postings.intersects(selected))
                    });
                    found.extend(values.take(limit).map(|(value, _)| value.to_owned()));
                }
            }
        }
        for matchers in &lists {
            self.block_label_values(&store, name, matchers, start, end, &mut found)?;
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// What series of the head cost, the dearest `limit` of each kind.
    #[must_use]
    pub fn cardinality(&self, tenant: &Tenant, matchers: &[Matcher], limit: usize) -> Cardinality {
        let Some(store) = self.inner.tenant(tenant) else { return Cardinality::default() };
        let head = &store.head;
        let index = head.index.read();
        let list = matchers.to_vec();
        let selected = if matchers.is_empty() { None } else { exact(head, &index, &list) };
        let bytes = head.size_bytes() + index.size_bytes();
        let all = head.series_len();
        let share = bytes.checked_div(all).unwrap_or(0);
        let count = |series: &RoaringBitmap| match &selected {
            None => series.len(),
            Some(selected) => selected.intersection_len(series),
        };
        let (mut by_label, mut by_pair, mut by_metric) = (Vec::new(), Vec::new(), Vec::new());
        let mut label_pairs = 0;
        for (name, values) in index.names() {
            let series = usize::try_from(count(values.series())).unwrap_or(usize::MAX);
            if series == 0 {
                continue;
            }
            let (mut different, mut value_bytes) = (0, 0);
            for (value, postings) in values.iter() {
                let series = match &selected {
                    None => postings.len(),
                    Some(selected) => postings.intersection_len(selected),
                };
                if series == 0 {
                    continue;
                }
                different += 1;
                value_bytes += value.len();
                let cost = |name| Cost { name, series, bytes: series * share };
                if name == NAME_LABEL {
                    keep_largest(&mut by_metric, limit, cost(value.to_owned()), |one| one.series);
                }
                if by_pair.len() < limit || by_pair.last().is_some_and(|l: &Cost| l.series < series)
                {
                    let pair = format!("{name}={value}");
                    keep_largest(&mut by_pair, limit, cost(pair), |one| one.series);
                }
            }
            label_pairs += different;
            let cost = LabelCost { name: name.to_owned(), values: different, series, value_bytes };
            keep_largest(&mut by_label, limit, cost, |one| one.values);
        }
        let series = selected.as_ref().map_or(all, |s| usize::try_from(s.len()).unwrap_or(0));
        let time = head.oldest().zip(head.newest());
        let label_names = index.names().count();
        let bytes = if selected.is_some() { share * series } else { bytes };
        Cardinality { series, bytes, label_names, label_pairs, time, by_metric, by_label, by_pair }
    }
}

/// Keeps `into` sorted, largest first and of the same size by arrival, and at most `limit` long.
fn keep_largest<T>(into: &mut Vec<T>, limit: usize, one: T, size: impl Fn(&T) -> usize) {
    let at = into.partition_point(|kept| size(kept) >= size(&one));
    if at < limit {
        into.insert(at, one);
        into.truncate(limit);
    }
}

fn lists(matchers: &[Vec<Matcher>]) -> Vec<Vec<Matcher>> {
    if matchers.is_empty() { vec![Vec::new()] } else { matchers.to_vec() }
}

fn reaches(head: &Head, start: i64) -> bool {
    head.newest().is_some_and(|newest| newest >= start)
}

fn meets(selected: &Option<RoaringBitmap>, series: &RoaringBitmap) -> bool {
    selected.as_ref().is_none_or(|selected| !selected.is_disjoint(series))
}

/// The series of the head that satisfy all matchers; none when there are no matchers: all do.
fn exact(head: &Head, index: &Index, matchers: &[Matcher]) -> Option<RoaringBitmap> {
    if matchers.is_empty() {
        return None;
    }
    let selected = index.select(matchers);
    let mut series = selected.series;
    if !selected.unchecked.is_empty() {
        series = series
            .into_iter()
            .filter(|&number| {
                head.labels(number).is_some_and(|labels| {
                    let value = |name: &str| labels.get(name).unwrap_or_default();
                    selected.unchecked.iter().all(|m| m.matches(value(&m.name)))
                })
            })
            .collect();
    }
    Some(series)
}
