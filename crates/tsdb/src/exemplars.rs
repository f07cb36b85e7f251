//! Exemplars of one tenant: as many as its limit says, the oldest go first.

use std::collections::VecDeque;

use hashbrown::HashMap;
use model::metric::{Exemplar, Labels, Matcher};

use crate::append::Reason;

/// The most characters that the names and values of an exemplar's labels may have.
const LABEL_CHARACTERS_MAX: usize = 128;

/// A ring of exemplars.
#[derive(Debug)]
pub(crate) struct Exemplars {
    max: usize,
    ring: VecDeque<(Labels, Exemplar)>,
    /// Of each series in the ring its newest, and how many it has there.
    newest: HashMap<Labels, (i64, u64, usize)>,
}

/// The exemplars of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesExemplars {
    /// The series' labels.
    pub labels: Labels,
    /// In order of time.
    pub exemplars: Vec<Exemplar>,
}

impl Exemplars {
    pub(crate) fn new(max: usize) -> Exemplars {
        Exemplars { max, ring: VecDeque::new(), newest: HashMap::new() }
    }

    /// Takes an exemplar; says whether it is new.
    pub(crate) fn put(&mut self, labels: &Labels, exemplar: &Exemplar) -> Result<bool, Reason> {
        if self.max == 0 {
            return Ok(false);
        }
        let characters = |(name, value): (&str, &str)| name.chars().count() + value.chars().count();
        if exemplar.labels.iter().map(characters).sum::<usize>() > LABEL_CHARACTERS_MAX {
            return Err(Reason::ExemplarTooLong);
        }
        let bits = exemplar.value.to_bits();
        if let Some(&(newest, value, _)) = self.newest.get(labels) {
            if exemplar.timestamp == newest && value == bits {
                return Ok(false);
            }
            if exemplar.timestamp <= newest {
                return Err(Reason::ExemplarOutOfOrder);
            }
        }
        if self.ring.len() >= self.max {
            self.drop_oldest();
        }
        self.ring.push_back((labels.clone(), exemplar.clone()));
        let entry = self.newest.entry_ref(labels).or_insert((0, 0, 0));
        *entry = (exemplar.timestamp, bits, entry.2 + 1);
        Ok(true)
    }

    fn drop_oldest(&mut self) {
        if let Some((labels, _)) = self.ring.pop_front()
            && let Some(entry) = self.newest.get_mut(&labels)
        {
            entry.2 -= 1;
            if entry.2 == 0 {
                self.newest.remove(&labels);
            }
        }
    }

    /// Those between `start` and `end` of the series that satisfy one of the lists of matchers.
    pub(crate) fn select(
        &self,
        matchers: &[Vec<Matcher>],
        start: i64,
        end: i64,
    ) -> Vec<SeriesExemplars> {
        let mut found: Vec<SeriesExemplars> = Vec::new();
        let mut places: HashMap<&Labels, Option<usize>> = HashMap::new();
        for (labels, exemplar) in &self.ring {
            if exemplar.timestamp < start || exemplar.timestamp > end {
                continue;
            }
            let place = *places.entry(labels).or_insert_with(|| {
                let satisfies = |m: &Matcher| m.matches(labels.get(&m.name).unwrap_or_default());
                matchers.iter().any(|all| all.iter().all(satisfies)).then(|| {
                    found.push(SeriesExemplars { labels: labels.clone(), exemplars: Vec::new() });
                    found.len() - 1
                })
            });
            if let Some(place) = place {
                found[place].exemplars.push(exemplar.clone());
            }
        }
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    /// All, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Labels, &Exemplar)> {
        self.ring.iter().map(|(labels, exemplar)| (labels, exemplar))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_refuses_what_prometheus_refuses() {
        let mut exemplars = Exemplars::new(2);
        let labels = Labels::from_pairs(&[("__name__", "m")]);
        let exemplar = |timestamp: i64, trace: &str| Exemplar {
            labels: Labels::from_pairs(&[("trace_id", trace)]),
            value: 1.0,
            timestamp,
        };
        assert_eq!(exemplars.put(&labels, &exemplar(10, "a")), Ok(true));
        assert_eq!(exemplars.put(&labels, &exemplar(10, "a")), Ok(false));
        let older = exemplars.put(&labels, &exemplar(9, "a"));
        assert_eq!(older, Err(Reason::ExemplarOutOfOrder));
        let long = exemplars.put(&labels, &exemplar(11, &"x".repeat(121)));
        assert_eq!(long, Err(Reason::ExemplarTooLong));
        assert_eq!(exemplars.put(&labels, &exemplar(11, "b")), Ok(true));
        assert_eq!(exemplars.put(&labels, &exemplar(12, "c")), Ok(true));
        let all = [vec![Matcher::equal("__name__", "m")]];
        let found = exemplars.select(&all, 0, 100);
        assert_eq!(found[0].exemplars.iter().map(|e| e.timestamp).collect::<Vec<_>>(), [11, 12]);
        assert_eq!(exemplars.select(&all, 12, 100)[0].exemplars.len(), 1);
        assert!(exemplars.select(&[vec![Matcher::equal("a", "b")]], 0, 100).is_empty());
        assert_eq!(exemplars.len(), 2);
    }
}
