//! The store against a map: whatever happens to samples on their way, reading gives them all, once.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Tenant;
use model::metric::Matcher;
use proptest::prelude::*;

use super::{NOW, append, batch, clock_at, open_at, options, read};
use crate::compact;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    /// Samples of one series, at these minutes.
    Append(usize, Vec<i64>),
    Cut(i64),
    Delete(usize, i64, i64),
    Checkpoint,
    Reopen,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..NAMES.len(), prop::collection::vec(0..400i64, 1..12))
            .prop_map(|(name, minutes)| Step::Append(name, minutes)),
        2 => (0..400i64).prop_map(Step::Cut),
        1 => (0..NAMES.len(), 0..400i64, 0..60i64).prop_map(|(n, from, for_)| Step::Delete(n, from, from + for_)),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::Reopen),
        1 => Just(Step::Compact),
    ]
}

fn at(minute: i64) -> i64 {
    NOW + minute * 60_000
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn reading_is_like_reading_a_map(steps in prop::collection::vec(step(), 1..30)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut options = options(dir.path());
        options.late_window = Duration::from_hours(1000);
        let clock = clock_at(at(500));
        let mut tsdb = open_at(options.clone(), &clock);
        let tenant = Tenant::default_tenant();
        let mut model: [BTreeMap<i64, f64>; 3] = Default::default();
        let mut sent: [BTreeMap<i64, f64>; 3] = Default::default();
        for step in steps {
            match step {
                Step::Append(name, minutes) => {
                    // Every time once: what Prometheus does with a sample that was deleted and
                    // comes again depends on where it lies.
                    let samples: Vec<(i64, f64)> = minutes
                        .into_iter()
                        .map(|minute| (at(minute), (minute * 7) as f64 / 3.0))
                        .filter(|&(time, value)| sent[name].insert(time, value).is_none())
                        .collect();
                    let written = append(&tsdb, batch(&[(NAMES[name], &samples)])).expect("taken");
                    prop_assert_eq!(written.floats, samples.len(), "{:?}", written.rejected);
                    model[name].extend(samples);
                }
                Step::Cut(minute) => {
                    if let Some(store) = tsdb.inner.tenant(&tenant) {
                        tsdb.inner.cut(&store, at(minute)).expect("cut");
                    }
                }
                Step::Delete(name, from, to) => {
                    let matchers = [vec![Matcher::equal("__name__", NAMES[name])]];
                    tsdb.delete(&tenant, &matchers, at(from), at(to)).expect("deleted");
                    model[name].retain(|&time, _| time < at(from) || time > at(to));
                }
                Step::Checkpoint => tsdb.checkpoint().expect("written"),
                Step::Compact => {
                    if let Some(store) = tsdb.inner.tenant(&tenant) {
                        compact::merge_all(&store.blocks).expect("merged");
                    }
                }
                Step::Reopen => {
                    drop(tsdb);
                    tsdb = open_at(options.clone(), &clock);
                }
            }
            for (name, model) in NAMES.iter().zip(&model) {
                let found: BTreeMap<i64, f64> = read(&tsdb, name).into_iter().collect();
                prop_assert_eq!(&found, model, "{}", name);
                prop_assert_eq!(found.len(), read(&tsdb, name).len());
            }
        }
    }
}
