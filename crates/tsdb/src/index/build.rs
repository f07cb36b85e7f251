//! An index made at once, of many series: labels are found by their hash and sorted at the end.

use hashbrown::HashTable;
use model::metric::Labels;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Index, Postings, VALUE_BYTES, Values};

/// Collects series. Several of them, each with series of its own, make one index.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    table: HashTable<u32>,
    labels: Vec<Label>,
    series: Vec<u32>,
}

/// A name and a value, and who has them.
#[derive(Debug)]
struct Label {
    name: Box<str>,
    value: Box<str>,
    hash: u64,
    series: Vec<u32>,
}

fn hash_of(name: &str, value: &str) -> u64 {
    xxh3_64_with_seed(value.as_bytes(), xxh3_64(name.as_bytes()))
}

impl Builder {
    /// Adds a series that was not added before.
    pub(crate) fn insert(&mut self, series: u32, labels: &Labels) {
        self.series.push(series);
        for (name, value) in labels {
            let hash = hash_of(name, value);
            let all = &mut self.labels;
            let is_it = |&at: &u32| {
                let label = &all[at as usize];
                label.hash == hash && *label.value == *value && *label.name == *name
            };
            if let Some(&at) = self.table.find(hash, is_it) {
                all[at as usize].series.push(series);
                continue;
            }
            let at = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let (name, value) = (Box::from(name), Box::from(value));
            all.push(Label { name, value, hash, series: vec![series] });
            self.table.insert_unique(hash, at, |&at| all[at as usize].hash);
        }
    }

    /// The index of the series of all builders.
    pub(crate) fn build(builders: Vec<Builder>) -> Index {
        let (mut labels, mut series) = (Vec::new(), Vec::new());
        for builder in builders {
            labels.extend(builder.labels);
            series.extend(builder.series);
        }
        labels.sort_unstable_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
        let mut index = Index { series: bitmap(&mut series), ..Index::default() };
        let mut labels = labels.into_iter().peekable();
        while let Some(label) = labels.peek() {
            let name = label.name.clone();
            let (mut values, mut all) = (Vec::new(), RoaringBitmap::new());
            while let Some(Label { value, mut series, .. }) =
                labels.next_if(|next| next.name == name)
            {
                while let Some(next) =
                    labels.next_if(|next| next.name == name && next.value == value)
                {
                    series.extend(next.series);
                }
                let postings = postings(&mut series, &mut all);
                index.text_bytes += value.len() + VALUE_BYTES;
                values.push((value, postings));
            }
            index.text_bytes += name.len() + VALUE_BYTES;
            let values = Values { values: values.into_iter().collect(), series: all };
            index.names.insert(name, values);
        }
        index
    }
}

/// A set of one label's series, which are added to those of its name.
fn postings(series: &mut [u32], all: &mut RoaringBitmap) -> Postings {
    if let [one] = series[..] {
        all.insert(one);
        return Postings::One(one);
    }
    let found = bitmap(series);
    *all |= &found;
    if series.len() <= super::postings::FEW_MAX {
        return Postings::Few(Box::new(series.to_vec()));
    }
    Postings::Many(Box::new(found))
}

fn bitmap(series: &mut [u32]) -> RoaringBitmap {
    series.sort_unstable();
    RoaringBitmap::from_sorted_iter(series.iter().copied())
        .unwrap_or_else(|_| series.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_if_series_came_one_by_one() {
        let labels = |at: u32| {
            Labels::from_pairs(&[
                ("__name__", format!("metric_{}", at % 3)),
                ("instance", format!("host-{}", at % 40)),
                (if at.is_multiple_of(2) { "even" } else { "odd" }, at.to_string()),
            ])
        };
        let mut expect = Index::default();
        let mut builders = vec![Builder::default(), Builder::default(), Builder::default()];
        for at in 0..500 {
            expect.insert(at, &labels(at));
            builders[(at % 2) as usize].insert(at, &labels(at));
        }
        let mut built = Builder::build(builders);
        let dump = |index: &Index| format!("{:?} {:?}", index.series, index.names);
        assert_eq!(dump(&built), dump(&expect));
        assert_eq!(built.size_bytes(), expect.size_bytes());
        (0..500).for_each(|at| built.remove(at, &labels(at)));
        assert_eq!((built.names.len(), built.text_bytes), (0, 0));
    }
}
