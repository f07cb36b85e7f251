//! Which series have which labels.
//!
//! For every label's name and value a set of series numbers; names and values are sorted, so that
//! prefixes are ranges. Numbers are those of [`crate::head`], used again after a series has left.

mod build;
pub(crate) mod pattern;
mod postings;

use std::collections::BTreeMap;
use std::ops::Bound;

use model::metric::{Labels, MatchOp, Matcher};
use roaring::RoaringBitmap;

pub(crate) use build::Builder;
pub(crate) use pattern::Pattern;
pub(crate) use postings::Postings;

/// The values of one label name.
#[derive(Debug, Default)]
pub(crate) struct Values {
    values: BTreeMap<Box<str>, Postings>,
    /// All series that have the label.
    series: RoaringBitmap,
}

/// The index of one tenant's head.
#[derive(Debug, Default)]
pub(crate) struct Index {
    names: BTreeMap<Box<str>, Values>,
    series: RoaringBitmap,
    /// Bytes of names and values.
    text_bytes: usize,
}

/// A condition that would need a look at too many values: it is checked on the labels of the
/// series that the others left.
#[derive(Debug)]
pub(crate) struct Selected<'a> {
    pub(crate) series: RoaringBitmap,
    pub(crate) unchecked: Vec<&'a Matcher>,
}

/// What a value costs beside its text and its postings: a place in a tree.
const VALUE_BYTES: usize = 48;

impl Values {
    /// The values with the series that have them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Postings)> {
        self.values.iter().map(|(value, postings)| (&**value, postings))
    }

    /// All series that have the label.
    pub(crate) fn series(&self) -> &RoaringBitmap {
        &self.series
    }

    /// The series whose value the pattern could be true for, without a look at all values where
    /// that can be avoided.
    fn matching(&self, pattern: &Pattern) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        match pattern {
            Pattern::Never => {}
            Pattern::Any | Pattern::NotEmpty => found |= &self.series,
            Pattern::OneOf(literals) => {
                for literal in literals {
                    if let Some(postings) = self.values.get(literal.as_str()) {
                        postings.add_to(&mut found);
                    }
                }
            }
            Pattern::Prefix(prefix) => {
                for (_, postings) in self.range(prefix) {
                    postings.add_to(&mut found);
                }
            }
            Pattern::Scan { prefixes, regex } => {
                let all = [String::new()];
                let prefixes = if prefixes.is_empty() { &all } else { prefixes.as_slice() };
                for prefix in prefixes {
                    for (value, postings) in self.range(prefix) {
                        if regex.is_match(value) {
                            postings.add_to(&mut found);
                        }
                    }
                }
            }
        }
        found
    }

    fn range(&self, prefix: &str) -> impl Iterator<Item = (&str, &Postings)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.values
            .range::<str, _>(from)
            .take_while(move |(value, _)| value.starts_with(prefix))
            .map(|(value, postings)| (&**value, postings))
    }

    /// About how many values a pattern has to be tried on.
    fn cost(&self, pattern: &Pattern) -> usize {
        match pattern {
            Pattern::Never | Pattern::Any | Pattern::NotEmpty => 0,
            Pattern::OneOf(literals) => literals.len(),
            Pattern::Prefix(prefix) => self.range(prefix).take(COST_MAX).count() / 8,
            Pattern::Scan { prefixes, .. } if prefixes.is_empty() => self.values.len(),
            Pattern::Scan { prefixes, .. } => {
                prefixes.iter().map(|prefix| self.range(prefix).take(COST_MAX).count()).sum()
            }
        }
    }
}

/// Where counting values ends.
const COST_MAX: usize = 10_000;

impl Index {
    /// Adds a series.
    pub(crate) fn insert(&mut self, series: u32, labels: &Labels) {
        self.series.insert(series);
        for (name, value) in labels {
            let values = match self.names.get_mut(name) {
                Some(values) => values,
                None => {
                    self.text_bytes += name.len() + VALUE_BYTES;
                    self.names.entry(Box::from(name)).or_default()
                }
            };
            values.series.insert(series);
            if let Some(postings) = values.values.get_mut(value) {
                postings.insert(series);
            } else {
                self.text_bytes += value.len() + VALUE_BYTES;
                values.values.insert(Box::from(value), Postings::One(series));
            }
        }
    }

    /// Takes a series away.
    pub(crate) fn remove(&mut self, series: u32, labels: &Labels) {
        self.series.remove(series);
        for (name, value) in labels {
            let Some(values) = self.names.get_mut(name) else { continue };
            values.series.remove(series);
            if let Some(postings) = values.values.get_mut(value)
                && postings.remove(series)
            {
                values.values.remove(value);
                self.text_bytes = self.text_bytes.saturating_sub(value.len() + VALUE_BYTES);
            }
            if values.values.is_empty() {
                self.names.remove(name);
                self.text_bytes = self.text_bytes.saturating_sub(name.len() + VALUE_BYTES);
            }
        }
    }

    /// The label names with their values, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.names.iter().map(|(name, values)| (&**name, values))
    }

    /// The values of a label name.
    pub(crate) fn values(&self, name: &str) -> Option<&Values> {
        self.names.get(name)
    }

    /// About what it takes, bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let bitmaps = self.series.serialized_size()
            + self.names.values().map(|v| v.series.serialized_size()).sum::<usize>();
        self.text_bytes + bitmaps
    }

    /// The series that satisfy all `matchers`.
    pub(crate) fn select<'a>(&self, matchers: &'a [Matcher]) -> Selected<'a> {
        let mut plans: Vec<_> = matchers.iter().map(|matcher| self.plan(matcher)).collect();
        plans.sort_by_key(|plan| plan.cost);
        let mut found: Option<RoaringBitmap> = None;
        let mut unchecked = Vec::new();
        for plan in plans {
            let left = found.as_ref().map(RoaringBitmap::len);
            if left == Some(0) {
                break;
            }
            if plan.cost > CHECK_WORTH
                && left.is_some_and(|left| left.saturating_mul(CHECK_COST) < plan.cost as u64)
            {
                unchecked.push(plan.matcher);
                continue;
            }
            self.apply(&plan, &mut found);
        }
        Selected { series: found.unwrap_or_else(|| self.series.clone()), unchecked }
    }

    fn plan<'a>(&self, matcher: &'a Matcher) -> Plan<'a, '_> {
        let pattern = Pattern::of(matcher);
        let values = self.names.get(matcher.name.as_str());
        let cost = values.map_or(0, |values| values.cost(&pattern));
        Plan { matcher, pattern, values, cost }
    }

    /// Narrows `found` to what the plan's matcher allows.
    fn apply(&self, plan: &Plan<'_, '_>, found: &mut Option<RoaringBitmap>) {
        let negative = matches!(plan.matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        let empty_matches_pattern = plan.matcher.matches_empty() != negative;
        let with_label = plan.values;
        // What the pattern is true for, of the series that have the label.
        let matching = with_label.map(|values| values.matching(&plan.pattern)).unwrap_or_default();
        let narrow = |found: &mut Option<RoaringBitmap>, keep: RoaringBitmap| match found {
            Some(found) => *found &= keep,
            None => *found = Some(keep),
        };
        match (negative, empty_matches_pattern) {
            (false, false) => narrow(found, matching),
            (true, false) => {
                let found = found.get_or_insert_with(|| self.series.clone());
                *found -= matching;
            }
            // The empty text is as good as no label: all but those whose value does not match.
            (false, true) => {
                if let Some(values) = with_label {
                    let found = found.get_or_insert_with(|| self.series.clone());
                    *found -= &values.series - matching;
                }
            }
            (true, true) => {
                let keep = with_label.map(|v| &v.series - matching).unwrap_or_default();
                narrow(found, keep);
            }
        }
    }
}

/// Below this many values to look at, looking is cheap.
const CHECK_WORTH: usize = 256;
/// Looking at a series' labels takes as long as looking at this many values.
const CHECK_COST: u64 = 4;

struct Plan<'a, 'b> {
    matcher: &'a Matcher,
    pattern: Pattern,
    values: Option<&'b Values>,
    cost: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(series: &[Labels]) -> Index {
        let mut index = Index::default();
        for (number, labels) in (0..).zip(series) {
            index.insert(number, labels);
        }
        index
    }

    fn check(series: &[Labels], matchers: &[Matcher]) {
        let index = index(series);
        let selected = index.select(matchers);
        let satisfies = |labels: &Labels, matcher: &Matcher| {
            matcher.matches(labels.get(&matcher.name).unwrap_or_default())
        };
        let found: Vec<u32> = selected
            .series
            .iter()
            .filter(|&at| selected.unchecked.iter().all(|m| satisfies(&series[at as usize], m)))
            .collect();
        let expect: Vec<u32> = (0..)
            .zip(series)
            .filter(|(_, labels)| matchers.iter().all(|m| satisfies(labels, m)))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(found, expect, "{matchers:?}");
    }

    fn some_series() -> Vec<Labels> {
        let mut series = Vec::new();
        for job in ["api", "db", ""] {
            for instance in 0..40 {
                let instance = format!("host-{instance}:9100");
                series.push(Labels::from_pairs(&[
                    ("__name__", "up"),
                    ("job", job),
                    ("instance", instance.as_str()),
                ]));
            }
        }
        series
    }

    #[test]
    fn matchers_of_all_kinds() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        let series = some_series();
        let ops = [Equal, NotEqual, Regex, NotRegex];
        let values = [
            "api",
            "",
            "api|db",
            "a.*",
            ".*",
            ".+",
            "host-1.*",
            "host-(1|2):9100",
            ".*9100",
            "x",
            "host-[1-3]:9100",
            "(?i)API",
            "()",
            "|api",
            "host-1",
            "api|",
            "ap.?",
            "up",
            "(?i)a.*",
        ];
        for name in ["job", "instance", "missing", "__name__"] {
            for op in ops {
                for value in values {
                    let matcher = Matcher::new(name, op, value).expect("a matcher");
                    check(&series, std::slice::from_ref(&matcher));
                    check(&series, &[Matcher::equal("job", "db"), matcher.clone()]);
                    check(&series, &[matcher, Matcher::equal("instance", "host-3:9100")]);
                }
            }
        }
    }

    #[test]
    fn a_series_that_left_leaves_nothing_behind() {
        let series = some_series();
        let mut index = index(&series);
        for (number, labels) in (0..).zip(&series) {
            index.remove(number, labels);
        }
        assert_eq!(index.names().count(), 0);
        assert!(index.series.is_empty());
        assert_eq!(index.text_bytes, 0);
    }

    proptest! {
        #[test]
        fn selecting_is_like_looking_at_all(
            series in prop::collection::vec((0..4u8, 0..30u8, 0..3u8), 1..80),
            matchers in prop::collection::vec((0..4u8, 0..4u8, 0..12usize), 1..4),
        ) {
            let series: Vec<_> = series.into_iter().map(|(a, b, c)| {
                let text = |n: u8| if n == 0 { String::new() } else { format!("v{n}") };
                Labels::from_pairs(&[("a", text(a)), ("b", text(b)), ("c", text(c))])
            }).collect();
            let values =
                ["", "v1", "v1|v2", "v.*", ".+", ".*", "v1.*", "v(1|2).?", ".*1", "|v2", "[^v].*", "v1?"];
            let matchers: Vec<_> = matchers.into_iter().map(|(name, op, value)| {
                let op = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]
                    [usize::from(op)];
                let name = ["a", "b", "c", "d"][usize::from(name)];
                Matcher::new(name, op, values[value]).expect("a matcher")
            }).collect();
            check(&series, &matchers);
        }
    }
}
