//! What is known about metric families of one tenant.

use std::collections::BTreeMap;

use model::metric::Metadata;

/// Metadata by metric; the last word counts.
#[derive(Debug)]
pub(crate) struct MetadataStore {
    max: usize,
    families: BTreeMap<String, Metadata>,
}

impl MetadataStore {
    pub(crate) fn new(max: usize) -> MetadataStore {
        MetadataStore { max, families: BTreeMap::new() }
    }

    /// Takes it; says whether it is news. Over the limit what is not known stays unknown.
    pub(crate) fn put(&mut self, metadata: &Metadata) -> bool {
        let count = self.families.len();
        match self.families.get_mut(&metadata.metric) {
            Some(known) if known == metadata => false,
            Some(known) => {
                known.clone_from(metadata);
                true
            }
            None if count >= self.max => {
                metrics::counter!("trefoil_tsdb_metadata_refused_total").increment(1);
                false
            }
            None => {
                self.families.insert(metadata.metric.clone(), metadata.clone());
                true
            }
        }
    }

    /// That of one family, or of all, in order of their names.
    pub(crate) fn select(&self, metric: Option<&str>, limit: usize) -> Vec<Metadata> {
        match metric {
            Some(metric) => self.families.get(metric).into_iter().cloned().collect(),
            None => self.families.values().take(limit).cloned().collect(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Metadata> {
        self.families.values()
    }
}

#[cfg(test)]
mod tests {
    use model::metric::MetricType;

    use super::*;

    #[test]
    fn the_last_word_counts_and_the_limit_holds() {
        let mut store = MetadataStore::new(1);
        let metadata = |metric: &str, help: &str| Metadata {
            metric: metric.to_owned(),
            kind: MetricType::Counter,
            help: help.to_owned(),
            unit: String::new(),
        };
        assert!(store.put(&metadata("a", "first")));
        assert!(!store.put(&metadata("a", "first")));
        assert!(store.put(&metadata("a", "second")));
        assert!(!store.put(&metadata("b", "too many")));
        assert_eq!(store.select(None, 10), [metadata("a", "second")]);
        assert!(store.select(Some("b"), 10).is_empty());
    }
}
