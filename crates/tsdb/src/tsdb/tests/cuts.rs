//! Samples on their way into blocks.

use std::sync::Arc;
use std::time::Duration;

use model::Tenant;
use model::metric::{Exemplar, Labels, Matcher};
use stdx::memory::Budget;

use super::{NOW, append, batch, clock_at, open, open_at, options, read};
use crate::tsdb::{Query, Tsdb};

const MINUTE: i64 = 60_000;

fn minutes(from: i64, to: i64) -> Vec<(i64, f64)> {
    (from..to).map(|minute| (NOW + minute * MINUTE, minute as f64)).collect()
}

#[test]
fn a_cut_moves_samples_and_nobody_notices() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.wal.checkpoint_bytes = 1 << 10;
    let clock = clock_at(NOW + 400 * MINUTE);
    let tsdb = open_at(options.clone(), &clock);
    let all = minutes(0, 300);
    append(&tsdb, batch(&[("m", &all), ("old", &all[..10])])).expect("taken");
    let bytes = tsdb.stats().head_bytes;
    tsdb.maintain().expect("maintained");
    assert_eq!(read(&tsdb, "m"), all);
    assert_eq!(read(&tsdb, "old"), all[..10]);
    let stats = tsdb.stats();
    assert_eq!((stats.series, stats.checkpoints), (1, 1), "the series that ended has left");
    assert!(stats.head_bytes < bytes);
    let next = [(NOW + 300 * MINUTE, 300.0), (NOW + MINUTE, 7.0)];
    let written = append(&tsdb, batch(&[("m", &next)])).expect("taken");
    assert_eq!((written.floats, written.rejected.count()), (1, 1));
    assert_eq!(read(&tsdb, "m").len(), 301);
    drop(tsdb);
    let tsdb = open_at(options, &clock);
    assert_eq!(read(&tsdb, "m").len(), 301);
    assert_eq!(read(&tsdb, "old"), all[..10]);
    assert_eq!(tsdb.stats().series, 1);
}

#[test]
fn late_samples_reach_blocks_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.late_window = Duration::from_hours(10);
    let clock = clock_at(NOW + 400 * MINUTE);
    let tsdb = open_at(options.clone(), &clock);
    append(&tsdb, batch(&[("m", &minutes(200, 300))])).expect("taken");
    append(&tsdb, batch(&[("m", &minutes(0, 100))])).expect("taken");
    tsdb.maintain().expect("maintained");
    append(&tsdb, batch(&[("m", &minutes(100, 200))])).expect("taken");
    assert_eq!(read(&tsdb, "m"), minutes(0, 300));
    tsdb.flush().expect("flushed");
    assert_eq!(read(&tsdb, "m"), minutes(0, 300));
    assert_eq!(tsdb.stats().series, 0);
    drop(tsdb);
    assert_eq!(read(&open_at(options, &clock), "m"), minutes(0, 300));
}

#[test]
fn a_series_that_lags_behind_a_cut_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = options(dir.path());
    let clock = clock_at(NOW + 400 * MINUTE);
    let mut tsdb = open_at(options.clone(), &clock);
    append(&tsdb, batch(&[("m", &minutes(0, 100)), ("slow", &minutes(0, 50))])).expect("taken");
    tsdb.maintain().expect("maintained");
    assert!(tsdb.inner.all_tenants()[0].head.cut() > NOW + 70 * MINUTE, "the cut is ahead of it");
    let behind = [minutes(50, 70), minutes(45, 46), minutes(60, 62), minutes(70, 100)].concat();
    let fresh = minutes(55, 60);
    let old = minutes(20, 22);
    let written = append(&tsdb, batch(&[("slow", &behind), ("fresh", &fresh), ("m", &old)]));
    let written = written.expect("taken");
    assert_eq!(written.floats, 20 + 30 + 5);
    assert_eq!(super::rejected(&written), ["3 out of order sample", "2 out of bounds"]);
    for _ in 0..2 {
        assert_eq!(read(&tsdb, "slow"), minutes(0, 100));
        assert_eq!(read(&tsdb, "fresh"), fresh);
        drop(tsdb);
        tsdb = open_at(options.clone(), &clock);
    }
    tsdb.flush().expect("flushed");
    assert_eq!(read(&tsdb, "slow"), minutes(0, 100));
    assert_eq!(read(&tsdb, "m"), minutes(0, 100));
    drop(tsdb);
    let tsdb = open_at(options, &clock);
    assert_eq!(read(&tsdb, "slow"), minutes(0, 100));
    assert_eq!(read(&tsdb, "fresh"), fresh);
}

#[test]
fn exemplars_stay_when_their_series_leaves_the_head() {
    let dir = tempfile::tempdir().expect("a directory");
    let tenant = Tenant::default_tenant();
    let tsdb = open(options(dir.path()));
    let mut before = batch(&[("m", &[(NOW, 1.0)])]);
    let trace = Labels::from_pairs(&[("trace_id", "abc")]);
    before.exemplar(Exemplar { labels: trace, value: 0.5, timestamp: NOW });
    append(&tsdb, before).expect("taken");
    tsdb.flush().expect("flushed");
    assert_eq!(tsdb.stats().series, 0);
    // It gets the number that the series had.
    append(&tsdb, batch(&[("n", &[(NOW + 1, 1.0)])])).expect("taken");
    let check = |tsdb: &Tsdb| {
        let of = |name| vec![Matcher::equal("__name__", name)];
        let found = tsdb.exemplars(&tenant, &[of("m"), of("n")], 0, i64::MAX);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].labels.get("__name__"), Some("m"));
        assert_eq!(found[0].exemplars.len(), 1);
    };
    check(&tsdb);
    tsdb.checkpoint().expect("written");
    check(&tsdb);
    drop(tsdb);
    check(&open(options(dir.path())));
}

#[test]
fn a_selection_outlives_a_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = clock_at(NOW + 400 * MINUTE);
    let tsdb = Arc::new(open_at(options(dir.path()), &clock));
    append(&tsdb, batch(&[("m", &minutes(0, 300))])).expect("taken");
    let matchers = vec![Matcher::equal("__name__", "m")];
    let query = Query { matchers, start: 0, end: i64::MAX, ..Query::default() };
    let selection = tsdb.select(&Tenant::default_tenant(), &query).expect("a selection");
    let cutting = Arc::clone(&tsdb);
    let cut = std::thread::spawn(move || cutting.flush());
    let mut points = crate::points::Points::default();
    selection.read(0, &mut points).expect("samples");
    assert_eq!(points.len(), 300);
    drop(selection);
    cut.join().expect("the thread ends").expect("flushed");
    assert_eq!(read(&tsdb, "m").len(), 300);
}

#[test]
fn deleted_samples_stay_deleted() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = clock_at(NOW + 400 * MINUTE);
    let tsdb = open_at(options(dir.path()), &clock);
    let tenant = Tenant::default_tenant();
    append(&tsdb, batch(&[("m", &minutes(0, 50)), ("n", &minutes(0, 50))])).expect("taken");
    let matchers = [vec![Matcher::equal("__name__", "m")]];
    tsdb.delete(&tenant, &matchers, NOW + 10 * MINUTE, NOW + 39 * MINUTE).expect("deleted");
    let expect = [minutes(0, 10), minutes(40, 50)].concat();
    assert_eq!(read(&tsdb, "m"), expect);
    assert_eq!(read(&tsdb, "n").len(), 50);
    append(&tsdb, batch(&[("m", &minutes(50, 60))])).expect("taken");
    tsdb.delete(&tenant, &matchers, NOW + 45 * MINUTE, i64::MAX).expect("deleted");
    let expect = [minutes(0, 10), minutes(40, 45)].concat();
    assert_eq!(read(&tsdb, "m"), expect);
    drop(tsdb);
    assert_eq!(read(&open_at(options(dir.path()), &clock), "m"), expect);
}

#[test]
fn a_snapshot_opens_like_the_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = clock_at(NOW + 400 * MINUTE);
    let tsdb = open_at(options(dir.path()), &clock);
    append(&tsdb, batch(&[("m", &minutes(0, 50))])).expect("taken");
    tsdb.flush().expect("flushed");
    append(&tsdb, batch(&[("m", &minutes(50, 60)), ("n", &minutes(50, 60))])).expect("taken");
    let matchers = [vec![Matcher::equal("__name__", "m")]];
    tsdb.delete(&Tenant::default_tenant(), &matchers, NOW, NOW).expect("deleted");
    let whole = tsdb.snapshot("whole", false).expect("copied");
    let blocks = tsdb.snapshot("blocks", true).expect("copied");
    assert_eq!(tsdb.clean_tombstones().expect("cleaned"), 1);
    assert!(tsdb.snapshot("../out", true).is_err());
    append(&tsdb, batch(&[("m", &minutes(60, 70))])).expect("taken");
    assert_eq!(read(&tsdb, "m"), minutes(1, 70));
    drop(tsdb);
    let snapshot = open_at(options(&whole), &clock);
    assert_eq!(read(&snapshot, "m"), minutes(1, 60));
    assert_eq!(read(&snapshot, "n"), minutes(50, 60));
    let snapshot = open_at(options(&blocks), &clock);
    assert_eq!(read(&snapshot, "m"), minutes(1, 50));
}

/// How many series a round of the churn test makes, and how many rounds: half a million series in an
/// hour's worth of data. Five million take the example `churn` a minute.
const CHURN: (usize, i64) = (2_084, 240);

/// Every 15 s all series are other ones; memory is short, so that blocks are cut early.
#[test]
fn churn_does_not_grow_memory() {
    let ((series, rounds), memory_bytes, series_left_max) = (CHURN, 128 << 20, 180_000);
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path());
    options.memory = Budget::new("head", memory_bytes);
    options.memory_pressure_percent = 30;
    options.pressure_window = Duration::from_mins(1);
    let clock = clock_at(NOW);
    let tsdb = open_at(options.clone(), &clock);
    let (mut most_bytes, mut most_series) = (0, 0);
    for round in 0..rounds {
        clock.advance(Duration::from_secs(15));
        let time = NOW + round * 15_000;
        let names: Vec<_> = (0..series).map(|at| format!("metric_{round}_{at}")).collect();
        let sample = [(time, round as f64)];
        let all: Vec<(&str, &[(i64, f64)])> =
            names.iter().map(|name| (name.as_str(), sample.as_slice())).collect();
        for part in all.chunks(5_000) {
            append(&tsdb, batch(part)).expect("there is room");
        }
        tsdb.maintain().expect("maintained");
        most_bytes = most_bytes.max(options.memory.used_bytes());
        most_series = most_series.max(tsdb.stats().series);
    }
    assert!(most_bytes < memory_bytes, "{most_bytes} bytes");
    assert!(most_series < series_left_max, "{most_series} series");
    assert_eq!(read(&tsdb, "metric_0_0"), [(NOW, 0.0)]);
    drop(tsdb);
    let tsdb = open(options);
    assert_eq!(read(&tsdb, &format!("metric_{}_0", rounds - 1)).len(), 1);
    assert_memory_is_given_back(tsdb);
}

fn assert_memory_is_given_back(tsdb: Tsdb) {
    let memory = tsdb.inner.options.memory.clone();
    drop(tsdb);
    assert_eq!(memory.used_bytes(), 0);
}
