//! The store as its users see it.

mod cuts;
mod faults;
mod fixtures;
mod naive;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use model::Tenant;
use model::metric::{
    Batch, Exemplar, Float, HistogramSample, Labels, MatchOp, Matcher, Metadata, MetricType,
};
use stdx::clock::Clock;
use stdx::memory::Budget;

use super::{Query, Tsdb};
use crate::append::{AppendError, Written};
use crate::error::Error;
use crate::head::histograms::tests::example;
use crate::options::Options;
use crate::points::Points;
use crate::store::LocalStore;

/// The time of most tests, milliseconds.
pub(in crate::tsdb) const NOW: i64 = 1_700_000_000_000;

pub(in crate::tsdb) fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir);
    (options.maintain_every, options.compact_every) = (Duration::ZERO, Duration::ZERO);
    options
}

pub(in crate::tsdb) fn clock_at(time: i64) -> Clock {
    Clock::manual(time * 1_000_000)
}

pub(in crate::tsdb) fn open_at(options: Options, clock: &Clock) -> Tsdb {
    let store = LocalStore::open(options.dir.join("blocks")).expect("a directory");
    Tsdb::open(options, Arc::new(store), clock.clone()).expect("a store")
}

pub(in crate::tsdb) fn open_result(options: Options) -> Result<Tsdb, Error> {
    let store = LocalStore::open(options.dir.join("blocks")).expect("a directory");
    Tsdb::open(options, Arc::new(store), clock_at(NOW))
}

pub(in crate::tsdb) fn open(options: Options) -> Tsdb {
    open_result(options).expect("a store")
}

pub(in crate::tsdb) fn append(tsdb: &Tsdb, batch: Batch) -> Result<Written, AppendError> {
    let (tx, rx) = mpsc::channel();
    let memory = Budget::new("test", usize::MAX).force(0);
    tsdb.append(&Tenant::default_tenant(), batch, memory, move |result| {
        tx.send(result).expect("the test waits");
    });
    rx.recv().expect("an answer")
}

pub(in crate::tsdb) fn batch(series: &[(&str, &[(i64, f64)])]) -> Batch {
    let mut batch = Batch::new();
    for (name, samples) in series {
        batch.begin_with(&Labels::from_pairs(&[("__name__", *name), ("job", "test")]));
        for &(timestamp, value) in *samples {
            batch.float(Float { timestamp, value, start: 0 });
        }
    }
    batch
}

pub(in crate::tsdb) fn read(tsdb: &Tsdb, name: &str) -> Vec<(i64, f64)> {
    let query = Query {
        matchers: vec![Matcher::equal("__name__", name)],
        start: i64::MIN,
        end: i64::MAX,
        ..Query::default()
    };
    let selection = tsdb.select(&Tenant::default_tenant(), &query).expect("a selection");
    let mut points = Points::default();
    assert!(selection.len() <= 1, "{selection:?}");
    if selection.is_empty() {
        return Vec::new();
    }
    selection.read(0, &mut points).expect("samples");
    points.timestamps.iter().copied().zip(points.values.iter().copied()).collect()
}

fn rejected(written: &Written) -> Vec<String> {
    written.rejected.iter().map(|r| format!("{} {}", r.count, r.examples[0].reason)).collect()
}

#[test]
fn what_is_acknowledged_is_read_and_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = open(options(dir.path()));
    let samples = [(NOW, 1.0), (NOW + 15_000, 2.0), (NOW + 30_000, 2.5)];
    let written =
        append(&tsdb, batch(&[("up", &samples), ("down", &samples[..1])])).expect("taken");
    assert_eq!((written.floats, written.rejected.count()), (4, 0));
    assert_eq!(read(&tsdb, "up"), samples);
    drop(tsdb);
    for _ in 0..2 {
        let tsdb = open(options(dir.path()));
        assert_eq!(read(&tsdb, "up"), samples);
        assert_eq!(read(&tsdb, "down"), samples[..1]);
    }
    let tsdb = open(options(dir.path()));
    append(&tsdb, batch(&[("up", &[(NOW + 45_000, 7.0)]), ("new", &[(NOW, 1.0)])])).expect("taken");
    drop(tsdb);
    let tsdb = open(options(dir.path()));
    assert_eq!(read(&tsdb, "up").len(), 4);
    assert_eq!(read(&tsdb, "new").len(), 1);
}

#[test]
fn samples_are_refused_as_prometheus_refuses_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = open(options(dir.path()));
    append(&tsdb, batch(&[("m", &[(NOW, 1.0)])])).expect("taken");
    let hour = 3_600_000;
    type Case<'a> = (&'a [(i64, f64)], usize, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        (&[(NOW, 1.0)], 1, &[]),
        (
            &[(NOW, 2.0)],
            0,
            &[
                "1 duplicate sample for timestamp 1700000000000; overrides not allowed: existing 1, \
               new value 2",
            ],
        ),
        (&[(NOW - 1, 1.0)], 0, &["1 out of order sample"]),
        (&[(NOW - hour - 1, 1.0)], 0, &["1 out of bounds"]),
        (&[(NOW + 600_001, 1.0)], 0, &["1 out of bounds: timestamp is too far in the future"]),
        (&[(NOW + 1, 1.0), (NOW - 5, 1.0), (NOW + 2, 1.0)], 2, &["1 out of order sample"]),
    ];
    for (samples, floats, expect) in cases {
        let written = append(&tsdb, batch(&[("m", samples)])).expect("taken");
        assert_eq!((written.floats, rejected(&written)), (floats, strings(expect)), "{samples:?}");
    }
    let mut nothing = Batch::new();
    nothing.begin();
    nothing.float(Float { timestamp: NOW, value: 1.0, start: 0 });
    let written = append(&tsdb, nothing).expect("taken");
    assert_eq!(rejected(&written), ["1 empty labelset: invalid sample"]);
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn late_samples_are_merged_and_too_late_ones_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.late_window = Duration::from_mins(10);
    let tsdb = open(options.clone());
    append(&tsdb, batch(&[("m", &[(NOW, 1.0), (NOW + 20, 3.0)])])).expect("taken");
    let late = [(NOW + 10, 2.0), (NOW - 5, 0.0), (NOW - 600_000, 9.0), (NOW + 10, 2.5)];
    let written = append(&tsdb, batch(&[("m", &late)])).expect("taken");
    assert_eq!(written.floats, 2);
    assert_eq!(rejected(&written), ["1 too old sample", "1 duplicate sample for timestamp"]);
    let expect = [(NOW - 5, 0.0), (NOW, 1.0), (NOW + 10, 2.0), (NOW + 20, 3.0)];
    assert_eq!(read(&tsdb, "m"), expect);
    drop(tsdb);
    assert_eq!(read(&open(options), "m"), expect);
}

#[test]
fn histograms_exemplars_and_metadata_survive_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let tenant = Tenant::default_tenant();
    let mut batch = Batch::new();
    let labels = Labels::from_pairs(&[("__name__", "latency")]);
    batch.begin_with(&labels);
    for at in 0..3u32 {
        let (timestamp, histogram) = (NOW + i64::from(at) * 1000, example(at + 1));
        batch.histogram(HistogramSample { timestamp, start: NOW - 5, histogram });
    }
    batch.float(Float { timestamp: NOW + 3000, value: model::metric::stale_nan(), start: 0 });
    let trace = Labels::from_pairs(&[("trace_id", "abc")]);
    batch.exemplar(Exemplar { labels: trace, value: 0.5, timestamp: NOW });
    batch.metadata(Metadata {
        metric: "latency".to_owned(),
        kind: MetricType::Histogram,
        help: "How long.".to_owned(),
        unit: "seconds".to_owned(),
    });
    let tsdb = open(options(dir.path()));
    let written = append(&tsdb, batch).expect("taken");
    assert_eq!((written.floats, written.histograms, written.exemplars), (1, 3, 1));
    let check = |tsdb: &Tsdb| {
        let matchers = vec![Matcher::equal("__name__", "latency")];
        let query =
            Query { matchers: matchers.clone(), start: 0, end: i64::MAX, ..Query::default() };
        let selection = tsdb.select(&tenant, &query).expect("a selection");
        let mut points = Points::default();
        selection.read(0, &mut points).expect("samples");
        assert_eq!(points.histograms.len(), 4);
        assert_eq!(*points.histograms[2].histogram, example(3));
        assert_eq!(points.histograms[2].start, NOW - 5);
        assert!(points.histograms[3].histogram.is_stale());
        assert_eq!(tsdb.exemplars(&tenant, &[matchers], 0, i64::MAX)[0].exemplars.len(), 1);
        assert_eq!(tsdb.metadata(&tenant, Some("latency"), 1)[0].unit, "seconds");
    };
    check(&tsdb);
    drop(tsdb);
    check(&open(options(dir.path())));
}

#[test]
fn a_float_behind_histograms_marks_them_stale() {
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = open(options(dir.path()));
    let mut batch = Batch::new();
    batch.begin_with(&Labels::from_pairs(&[("__name__", "h")]));
    batch.histogram(HistogramSample { timestamp: NOW, start: 0, histogram: example(1) });
    append(&tsdb, batch).expect("taken");
    let mut batch = Batch::new();
    batch.begin_with(&Labels::from_pairs(&[("__name__", "h")]));
    batch.float(Float { timestamp: NOW + 1, value: model::metric::stale_nan(), start: 0 });
    append(&tsdb, batch).expect("taken");
    let matchers = vec![Matcher::equal("__name__", "h")];
    let query = Query { matchers, start: 0, end: i64::MAX, ..Query::default() };
    let selection = tsdb.select(&Tenant::default_tenant(), &query).expect("a selection");
    let mut points = Points::default();
    selection.read(0, &mut points).expect("samples");
    assert!(points.timestamps.is_empty());
    assert!(points.histograms[1].histogram.is_stale());
}

#[test]
fn labels_are_listed_and_costs_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = open(options(dir.path()));
    let tenant = Tenant::default_tenant();
    let mut batch = Batch::new();
    for instance in 0..20 {
        for metric in ["a", "b"] {
            let instance = format!("host-{instance:02}");
            batch.begin_with(&Labels::from_pairs(&[
                ("__name__", metric),
                ("instance", instance.as_str()),
                (metric, "yes"),
            ]));
            batch.float(Float { timestamp: NOW, value: 1.0, start: 0 });
        }
    }
    append(&tsdb, batch).expect("taken");
    let names = |matchers: &[Vec<Matcher>]| {
        tsdb.label_names(&tenant, matchers, 0, i64::MAX, 100).expect("names")
    };
    assert_eq!(names(&[]), ["__name__", "a", "b", "instance"]);
    assert_eq!(names(&[vec![Matcher::equal("__name__", "a")]]), ["__name__", "a", "instance"]);
    let values = |name: &str, matchers: &[Vec<Matcher>], limit| {
        tsdb.label_values(&tenant, name, matchers, 0, i64::MAX, limit).expect("values")
    };
    assert_eq!(values("instance", &[], 2), ["host-00", "host-01"]);
    let regex = Matcher::new("instance", MatchOp::Regex, "host-1.*").expect("a matcher");
    assert_eq!(values("instance", &[vec![regex.clone()]], 100).len(), 10);
    assert_eq!(values("none", &[], 100), Vec::<String>::new());
    let found = tsdb.series(&tenant, &[vec![regex.clone()]], 0, i64::MAX, 15).expect("series");
    assert_eq!(found.len(), 15);
    let after = tsdb.label_names(&tenant, &[], NOW + 1, i64::MAX, 10).expect("names");
    assert!(after.is_empty());
    let all = tsdb.cardinality(&tenant, &[], 3);
    assert_eq!((all.series, all.label_names, all.label_pairs), (40, 4, 24));
    assert_eq!((all.by_metric[0].name.as_str(), all.by_metric[0].series), ("a", 20));
    assert_eq!((all.by_label[0].name.as_str(), all.by_label[0].values), ("instance", 20));
    assert!(all.by_pair[0].series == 20 && all.bytes > 40 * 100, "{all:?}");
    assert_eq!(all.time, Some((NOW, NOW)));
    let some = tsdb.cardinality(&tenant, &[Matcher::equal("a", "yes"), regex], 3);
    assert_eq!((some.series, some.label_pairs), (10, 12));
}

#[test]
fn limits_refuse_and_tenants_do_not_meet() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.series_max_per_tenant = 2;
    let tsdb = open(options);
    let one = [(NOW, 1.0)];
    let written = append(&tsdb, batch(&[("a", &one), ("b", &one), ("c", &one)])).expect("taken");
    assert_eq!(rejected(&written), ["1 the tenant's limit of 2 active series is reached"]);
    let other = Tenant::parse("other").expect("valid");
    let query = Query { start: 0, end: i64::MAX, ..Query::default() };
    assert_eq!(tsdb.select(&other, &query).expect("a selection").len(), 0);
    assert_eq!(tsdb.select(&Tenant::default_tenant(), &query).expect("a selection").len(), 2);
}

#[test]
fn a_full_memory_refuses_the_batch_and_a_second_try_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.memory = Budget::new("head", 200 << 10);
    let tsdb = open(options.clone());
    let names: Vec<_> = (0..2000).map(|at| format!("metric_{at}")).collect();
    let one = [(NOW, 1.0)];
    let series: Vec<(&str, &[(i64, f64)])> =
        names.iter().map(|name| (name.as_str(), one.as_slice())).collect();
    let full = append(&tsdb, batch(&series)).expect_err("full");
    assert!(matches!(full, AppendError::Full { .. }), "{full}");
    assert!(options.memory.used_bytes() <= 210 << 10, "{}", options.memory.used_bytes());
    let twice = append(&tsdb, batch(&series[..100]));
    assert!(twice.is_ok() || matches!(twice, Err(AppendError::Full { .. })));
    assert_eq!(read(&tsdb, "metric_0"), one);
}

#[test]
fn a_change_of_what_is_settled_makes_another_version() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.late_window = Duration::from_hours(1);
    let tsdb = open(options);
    let tenant = Tenant::default_tenant();
    let settled = NOW - 600_000;
    assert_eq!(tsdb.version(&tenant, settled), None, "no tenant yet");
    append(&tsdb, batch(&[("up", &[(NOW - 900_000, 1.0), (NOW, 1.0)])])).expect("taken");
    let version = || tsdb.version(&tenant, settled).expect("a tenant");
    let mut before = version();
    let mut changed = || {
        let after = version();
        std::mem::replace(&mut before, after) != after
    };
    append(&tsdb, batch(&[("up", &[(NOW + 15_000, 2.0)])])).expect("taken");
    append(&tsdb, batch(&[("up", &[(settled + 1, 2.0)])])).expect("taken");
    assert!(!changed(), "newer than what is settled");
    append(&tsdb, batch(&[("up", &[(settled, 2.0)])])).expect("taken");
    assert!(changed(), "late");
    append(&tsdb, batch(&[("down", &[(settled - 5, 2.0)])])).expect("taken");
    assert!(changed(), "late, of a new series");
    append(&tsdb, batch(&[("up", &[(NOW - 100_000_000, 2.0)])])).expect("answered");
    assert!(!changed(), "too late and refused");
    tsdb.flush().expect("cut");
    assert!(!changed(), "a cut changes no sample");
    tsdb.delete(&tenant, &[vec![Matcher::equal("__name__", "up")]], settled, NOW).expect("deleted");
    assert!(changed(), "deleted");
    tsdb.compact().expect("compacted");
    assert!(!changed(), "merging changes no sample");
}
