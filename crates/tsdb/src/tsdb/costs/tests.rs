use std::cell::Cell;
use std::path::Path;

use model::metric::{Batch, Float};

use super::super::tests::{NOW, append, clock_at, open_at, options};
use super::*;

const HOUR: i64 = 3_600_000;
const MANY: usize = 16 << 20;

/// Appends a sample a minute for each of the series in each of the hours; all but the last hour
/// are in blocks.
fn store(dir: &Path, hours: &[(i64, &[Labels])]) -> Tsdb {
    let tsdb = open_at(options(dir), &clock_at(NOW + 48 * HOUR));
    for (at, (hour, series)) in hours.iter().enumerate() {
        if at > 0 {
            tsdb.flush().expect("a block");
        }
        let mut batch = Batch::new();
        for labels in *series {
            batch.begin_with(labels);
            for minute in 0..60 {
                let timestamp = NOW + hour * HOUR + minute * 60_000;
                batch.float(Float { timestamp, value: 1.0, start: 0 });
            }
        }
        assert_eq!(append(&tsdb, batch).expect("taken").rejected.count(), 0);
    }
    tsdb
}

fn series(metric: &str, count: usize) -> Vec<Labels> {
    let one = |number: usize| {
        let id = format!("{metric}-{number}");
        Labels::from_pairs(&[("__name__", metric), ("id", &id), ("job", "test")])
    };
    (0..count).map(one).collect()
}

fn ask(tsdb: &Tsdb, matchers: &[Vec<Matcher>], hours: (i64, i64), bytes_max: usize) -> Costs {
    let (start, end) = (NOW + hours.0 * HOUR, NOW + hours.1 * HOUR - 1);
    let query = CostQuery { matchers, start, end, limit: 3, bytes_max };
    tsdb.costs(&Tenant::default_tenant(), &query, &|| false).expect("costs")
}

fn names(costs: &Costs) -> Vec<(&str, u64)> {
    costs.by_metric.iter().map(|one| (one.name.as_str(), one.series)).collect()
}

#[test]
fn a_series_in_many_blocks_and_the_head_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (stays, left) = (series("stays", 100), series("left", 150));
    let both = [stays.clone(), left].concat();
    let tsdb = store(dir.path(), &[(0, &both), (1, &stays), (2, &both[..90])]);
    let costs = ask(&tsdb, &[], (0, 3), MANY);
    assert_eq!((costs.series, costs.one_in, costs.complete), (250, 1, true));
    assert_eq!(names(&costs), [("left", 150), ("stays", 100)]);
    assert_eq!(costs.total.head_series, 90);
    assert_eq!(costs.total.samples, (250 + 100) * 60);
    let blocks = tsdb.blocks(&Tenant::default_tenant());
    let bytes: u64 = blocks.iter().map(|(meta, _)| meta.stats.bytes).sum();
    assert!(costs.total.block_bytes <= bytes && costs.total.block_bytes > bytes * 9 / 10);
    let stays = &costs.by_metric[1].price;
    assert_eq!((stays.samples, stays.head_series), (200 * 60, 90));
    assert!(stays.head_bytes > 90 * 100);
    let labels: Vec<_> = costs.by_label.iter().map(|one| (one.name.as_str(), one.values)).collect();
    assert_eq!(labels, [("id", 250), ("__name__", 2), ("job", 1)]);
    assert_eq!((costs.label_names, costs.label_pairs), (3, 253));
    let pairs: Vec<_> = costs.by_pair.iter().map(|one| (one.value.as_str(), one.series)).collect();
    assert_eq!(pairs, [("test", 250), ("left", 150), ("stays", 100)]);
}

#[test]
fn only_the_time_and_the_series_that_are_asked_for_count() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, two) = (series("one", 5), series("two", 7));
    let tsdb = store(dir.path(), &[(0, &one), (3, &two), (6, &one)]);
    assert_eq!(names(&ask(&tsdb, &[], (1, 5), MANY)), [("two", 7)]);
    assert_eq!(names(&ask(&tsdb, &[], (5, 7), MANY)), [("one", 5)]);
    assert_eq!(ask(&tsdb, &[], (5, 7), MANY).total.samples, 0);
    assert_eq!(names(&ask(&tsdb, &[], (9, 10), MANY)), []);
    let matchers = |name: &str| vec![Matcher::equal("id", name)];
    let chosen = [matchers("one-1"), matchers("two-3"), matchers("missing")];
    assert_eq!(names(&ask(&tsdb, &chosen, (0, 7), MANY)), [("one", 1), ("two", 1)]);
    let query = CostQuery { matchers: &[], start: 0, end: i64::MAX, limit: 3, bytes_max: MANY };
    let nobody = Tenant::parse("nobody").expect("a name");
    assert_eq!(tsdb.costs(&nobody, &query, &|| false).expect("costs").series, 0);
}

#[test]
fn with_little_memory_figures_are_estimates() {
    let dir = tempfile::tempdir().expect("a directory");
    let all = [series("large", 24_000), series("small", 6_000)].concat();
    let tsdb = store(dir.path(), &[(0, &all[..20_000]), (1, &all)]);
    let costs = ask(&tsdb, &[], (0, 2), 4_000 * ENTRY_BYTES);
    assert!(costs.one_in > 1);
    let near = |found: u64, expect: u64| {
        let (low, high) = (expect * 9 / 10, expect * 11 / 10);
        assert!((low..=high).contains(&found), "{found} is not near {expect}");
    };
    near(costs.series, 30_000);
    near(costs.by_metric[0].series, 24_000);
    near(costs.by_metric[1].series, 6_000);
    near(costs.by_label[0].values, 30_000);
    near(costs.total.samples, 20_000 * 60);
    near(costs.total.head_series, 30_000);
}

#[test]
fn a_count_that_has_to_end_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, two) = (series("one", 5), series("two", 500));
    let tsdb = store(dir.path(), &[(0, &one), (1, &two), (2, &one[..1])]);
    let asked = Cell::new(0);
    let give_up = || {
        asked.set(asked.get() + 1);
        asked.get() > 100
    };
    let query = CostQuery { matchers: &[], start: 0, end: i64::MAX, limit: 3, bytes_max: MANY };
    let costs = tsdb.costs(&Tenant::default_tenant(), &query, &give_up).expect("costs");
    assert!(!costs.complete);
    // The newest first.
    assert!(costs.by_metric[0].name == "two" && costs.by_metric[0].series < 500, "{costs:?}");
    assert_eq!(asked.get(), 101);
}
