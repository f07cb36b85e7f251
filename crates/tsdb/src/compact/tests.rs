use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use model::metric::Labels;
use proptest::prelude::*;

use super::*;
use crate::block::tests::{Place, add, labels, line, points};
use crate::block::{Ask, Cache, Column};
use crate::chunk::TimeRange;
use crate::points::Points;
use crate::store::{BlockStore, LocalStore, StoreError};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * HOUR_MS;

fn never() -> bool {
    false
}

/// What a query over everything sees, by series.
fn seen(blocks: &Blocks, ask: &Ask<'_>) -> BTreeMap<Labels, Points> {
    let mut all: BTreeMap<Labels, Points> = BTreeMap::new();
    for part in blocks.plan(ask) {
        for series in 0..part.reader.series_len().unwrap() {
            let labels = part.reader.labels(series).unwrap();
            let points = all.entry(labels).or_default();
            part.reader.read(series, part.time, part.column, points).unwrap();
        }
    }
    all.retain(|_, points| !points.is_empty());
    all
}

fn raw(blocks: &Blocks) -> String {
    let ask = Ask { start: i64::MIN, end: i64::MAX, step: 1, range: 1, function: None };
    let all = seen(blocks, &ask);
    all.iter().map(|(labels, points)| format!("{labels} {}\n", line(points))).collect()
}

fn counter(job: &str, times: Range<i64>, step: i64) -> (Labels, Points) {
    let samples = (times.start / step..times.end / step).map(|at| (at * step, (at % 500) as f64));
    (labels(&[("__name__", "m"), ("job", job)]), points(samples))
}

/// Blocks of two hours, of a day's first hours.
fn hours(blocks: &Blocks, count: i64) {
    for block in 0..count {
        let times = block * 2 * HOUR_MS..(block + 1) * 2 * HOUR_MS;
        let mut series = vec![counter("a", times.clone(), MINUTE)];
        if block % 2 == 0 {
            series.push(counter("b", times, 5 * MINUTE));
        }
        add(blocks, series);
    }
}

#[test]
fn merged_blocks_have_what_the_blocks_had() {
    let place = Place::new();
    let blocks = place.open();
    hours(&blocks, 14);
    let before = raw(&blocks);
    let done = maintain(&blocks, &Policy::default(), 28 * HOUR_MS, &never).unwrap();
    assert_eq!((done.merged, blocks.all().len()), (4, 3), "three of 8 hours, then one of a day");
    assert_eq!(blocks.all()[0].meta().max_time, DAY - MINUTE);
    assert_eq!(raw(&blocks), before);
    assert_eq!(blocks.all()[0].meta().origins.len(), 12);
    let again = maintain(&blocks, &Policy::default(), 28 * HOUR_MS, &never).unwrap();
    assert_eq!(again, Done::default());
    drop(blocks);
    assert_eq!(raw(&place.open()), before);
    assert_eq!(place.store.list("").unwrap().len(), 6, "a description and data of each");
}

#[test]
fn late_blocks_are_merged_with_those_they_overlap_and_the_older_sample_stays() {
    let place = Place::new();
    let blocks = place.open();
    let series = || labels(&[("a", "1")]);
    add(&blocks, vec![(series(), points([(10, 1.0), (30, 3.0)]))]);
    add(&blocks, vec![(series(), points([(20, 2.0), (30, 9.0)]))]);
    let expect = "{a=\"1\"} 10:1 20:2 30:3\n";
    assert_eq!(raw(&blocks), expect);
    maintain(&blocks, &Policy::default(), 0, &never).unwrap();
    assert_eq!((raw(&blocks).as_str(), blocks.all().len()), (expect, 1));
}

#[test]
fn deletion_and_merging_keep_the_rest() {
    let place = Place::new();
    let blocks = place.open();
    hours(&blocks, 2);
    let matchers = [Matcher::equal("job", "a")];
    let time = TimeRange { start: HOUR_MS, end: 3 * HOUR_MS };
    blocks.delete(&matchers, time).unwrap();
    let expect = raw(&blocks);
    assert!(!expect.contains(&format!(" {}:", 2 * HOUR_MS)), "{expect}");
    assert!(expect.contains(&format!(" {}:", 3 * HOUR_MS + MINUTE)));
    assert_eq!(clean_tombstones(&blocks).unwrap(), 2);
    assert_eq!(clean_tombstones(&blocks).unwrap(), 0);
    assert_eq!(raw(&blocks), expect);
    merge_all(&blocks).unwrap();
    assert_eq!((raw(&blocks), blocks.all().len()), (expect, 1));
    blocks
        .delete(
            &[Matcher::new("job", model::metric::MatchOp::Regex, ".+").unwrap()],
            TimeRange::ALL,
        )
        .unwrap();
    merge_all(&blocks).unwrap();
    assert!(blocks.all().is_empty(), "nothing was left of it");
    assert!(place.store.list("").unwrap().is_empty());
}

#[test]
fn blocks_go_by_age_by_size_and_by_selector() {
    let place = Place::new();
    let blocks = place.open();
    hours(&blocks, 4);
    let unmerged = Policy { ranges: Vec::new(), ..Policy::default() };
    let policy = Policy { retention: Duration::from_hours(5), ..unmerged.clone() };
    assert_eq!(maintain(&blocks, &policy, 8 * HOUR_MS, &never).unwrap().deleted, 1);
    let bytes: u64 = blocks.all().iter().map(|block| block.meta().stats.bytes).sum();
    let policy = Policy { retention_bytes: bytes - 1, ..unmerged.clone() };
    assert_eq!(maintain(&blocks, &policy, 8 * HOUR_MS, &never).unwrap().deleted, 1);
    assert_eq!(blocks.all()[0].meta().min_time, 4 * HOUR_MS);
    let matchers = vec![Matcher::equal("job", "b")];
    let selectors = vec![SelectorRetention { matchers, keep: Duration::from_hours(1) }];
    let policy = Policy { selectors, ..unmerged };
    assert!(raw(&blocks).contains("job=\"b\""));
    assert_eq!(maintain(&blocks, &policy, 8 * HOUR_MS, &never).unwrap().trimmed, 1);
    assert!(!raw(&blocks).contains("job=\"b\""));
    assert!(raw(&blocks).contains("job=\"a\""));
    assert_eq!(maintain(&blocks, &policy, 8 * HOUR_MS, &never).unwrap(), Done::default());
}

fn downsampled(samples: &[(i64, f64)]) -> (Place, Blocks) {
    let place = Place::new();
    let blocks = place.open();
    add(&blocks, vec![(labels(&[("a", "1")]), points(samples.iter().copied()))]);
    let last = samples.last().map_or(0, |sample| sample.0);
    maintain(&blocks, &Policy::default(), last + 31 * DAY, &never).unwrap();
    (place, blocks)
}

fn values(blocks: &Blocks, ask: &Ask<'_>) -> Points {
    seen(blocks, ask).into_values().next().unwrap_or_default()
}

/// The samples that a range selector sees.
fn window(samples: &[(i64, f64)], end: i64, range: i64) -> Vec<f64> {
    let inside = samples.iter().filter(|sample| sample.0 > end - range && sample.0 <= end);
    inside.map(|sample| sample.1).collect()
}

fn increase(values: &[f64]) -> f64 {
    let risen = |pair: &[f64]| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] };
    values.windows(2).map(risen).sum()
}

/// Compares what functions make of downsampled points with what they make of samples, over whole
/// windows.
fn check_downsampling(samples: &[(i64, f64)], resolution: i64) {
    let (_place, blocks) = downsampled(samples);
    assert_eq!(blocks.all().len(), 3);
    let last = samples.last().unwrap().0;
    let range = 6 * resolution;
    let ends = (1..=last / resolution + 1).map(|window| window * resolution);
    let read = |function| {
        let ask = Ask {
            start: 0,
            end: last + range,
            step: 6 * resolution,
            range,
            function: Some(function),
        };
        let plan = blocks.plan(&ask);
        assert_eq!(plan.len(), 1, "only one resolution answers");
        assert_eq!(plan[0].reader.meta().resolution_ms, resolution, "{function}");
        let points = values(&blocks, &ask);
        points.timestamps.into_iter().zip(points.values).collect::<Vec<_>>()
    };
    let columns: Vec<(&str, Vec<(i64, f64)>)> =
        ["sum_over_time", "count_over_time", "min_over_time", "max_over_time", "increase"]
            .map(|function| (function, read(function)))
            .to_vec();
    for end in ends {
        let expect = window(samples, end, range);
        for (function, points) in &columns {
            let got = window(points, end, range);
            let (got, expect) = match *function {
                "sum_over_time" => (got.iter().sum::<f64>(), expect.iter().sum()),
                "count_over_time" => (got.len() as f64, expect.len() as f64),
                "min_over_time" => {
                    let min = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
                    (min(&got), min(&expect))
                }
                "max_over_time" => {
                    let max =
                        |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    (max(&got), max(&expect))
                }
                // From the last sample before the window, so that no part of a window is missing.
                _ => {
                    let from = |all: &[(i64, f64)]| {
                        let start = all.partition_point(|sample| sample.0 <= end - range);
                        let stop = all.partition_point(|sample| sample.0 <= end);
                        let from = start.saturating_sub(1);
                        increase(&all[from..stop].iter().map(|one| one.1).collect::<Vec<_>>())
                    };
                    (from(points), from(samples))
                }
            };
            assert!(
                (got - expect).abs() <= 1e-9 * expect.abs(),
                "{function} at {end}: {got}, not {expect}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn downsampled_points_give_what_samples_give(
        steps in prop::collection::vec((1i64..90_000, 0u32..100, prop::bool::weighted(0.02)), 300..900),
        hour in any::<bool>(),
    ) {
        let (mut timestamp, mut value) = (0, 0.0);
        let samples: Vec<(i64, f64)> = steps.into_iter().map(|(step, rise, reset)| {
            timestamp += step;
            value = if reset { f64::from(rise) } else { value + f64::from(rise) };
            (timestamp, value)
        }).collect();
        check_downsampling(&samples, if hour { HOUR_MS } else { FIVE_MINUTES_MS });
    }
}

#[test]
fn an_instant_selector_finds_downsampled_points_everywhere() {
    let samples: Vec<(i64, f64)> = (1..2000).map(|at| (at * 15_000, at as f64)).collect();
    let (_place, blocks) = downsampled(&samples);
    for resolution in [FIVE_MINUTES_MS, HOUR_MS] {
        let ask = Ask { start: 0, end: 30_000_000, step: 6 * resolution, range: 0, function: None };
        assert_eq!(blocks.plan(&ask)[0].reader.meta().resolution_ms, resolution);
        let points = values(&blocks, &ask);
        let gaps = points.timestamps.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max().unwrap() < FIVE_MINUTES_MS, "a selector looks back five minutes");
    }
}

#[test]
fn queries_that_need_samples_get_them_as_long_as_they_are_there() {
    let samples: Vec<(i64, f64)> = (1..2000).map(|at| (at * 15_000, at as f64)).collect();
    let (place, blocks) = downsampled(&samples);
    let fine = |step: i64, range: i64, function| {
        let ask = Ask { start: 0, end: 30_000_000, step, range, function: Some(function) };
        blocks.plan(&ask)[0].reader.meta().resolution_ms
    };
    assert_eq!(fine(MINUTE, HOUR_MS, "rate"), 0);
    assert_eq!(fine(HOUR_MS, 5 * MINUTE, "rate"), 0);
    assert_eq!(fine(HOUR_MS, HOUR_MS, "rate"), FIVE_MINUTES_MS);
    assert_eq!(fine(HOUR_MS, HOUR_MS, "quantile_over_time"), 0);
    assert_eq!(fine(DAY, DAY, "max_over_time"), HOUR_MS);
    assert_eq!(fine(0, 30 * DAY, "increase"), HOUR_MS);
    let policy = Policy {
        raw_retention: Duration::from_hours(1),
        retention_5m: Duration::from_hours(1),
        ..Policy::default()
    };
    assert_eq!(maintain(&blocks, &policy, 32 * DAY, &never).unwrap().deleted, 2);
    assert_eq!(blocks.plan(&Ask { end: 20_000, ..Ask::default() }).len(), 1);
    let ask = Ask {
        end: 30_000_000,
        step: MINUTE,
        range: HOUR_MS,
        function: Some("rate"),
        ..Ask::default()
    };
    assert_eq!(blocks.plan(&ask)[0].column, Column::Last);
    // Deletions reach downsampled points as well.
    blocks.delete(&[Matcher::equal("a", "1")], TimeRange { start: 0, end: 10_000_000 }).unwrap();
    clean_tombstones(&blocks).unwrap();
    let left = values(&blocks, &ask);
    assert!(left.timestamps[0] > 10_000_000 && left.timestamps.len() > 4);
    drop(place);
}

#[test]
fn a_stale_marker_stays_the_end_of_a_series() {
    let stale = model::metric::stale_nan();
    let mut samples: Vec<(i64, f64)> = (1..100).map(|at| (at * 15_000, 5.0)).collect();
    samples.push((1_500_000, stale));
    samples.extend((300..400).map(|at| (at * 15_000, 6.0)));
    let (_place, blocks) = downsampled(&samples);
    let ask = Ask { end: 30_000_000, step: HOUR_MS, ..Ask::default() };
    let points = values(&blocks, &ask);
    let marker = points.timestamps.iter().position(|&at| at == 1_500_000).unwrap();
    assert!(model::metric::is_stale(points.values[marker]));
    assert_eq!(points.timestamps[marker + 1], 4_500_000, "nothing is carried on behind it");
}

/// A store whose `left`-th change fails, before or after it is made, and the next ones, before they
/// are made, until `lasting` have failed.
#[derive(Debug)]
struct Failing {
    inner: Arc<LocalStore>,
    left: AtomicUsize,
    after: bool,
    lasting: AtomicUsize,
}

impl Failing {
    fn change(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        let lasting = self.lasting.load(Ordering::Relaxed);
        if left > 1 || lasting == 0 {
            return make();
        }
        self.lasting.store(lasting - 1, Ordering::Relaxed);
        if left == 1 && self.after {
            make()?;
        }
        Err(StoreError::new("write", name, io::Error::other("it is out of reach")))
    }
}

impl BlockStore for Failing {
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.change(name, || self.inner.put(name, bytes))
    }
    fn put_file(&self, name: &str, file: &Path) -> Result<(), StoreError> {
        self.change(name, || self.inner.put_file(name, file))
    }
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.inner.get_range(name, range)
    }
    fn size(&self, name: &str) -> Result<u64, StoreError> {
        self.inner.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.inner.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.change(name, || self.inner.delete(name))
    }
}

#[test]
fn a_crash_at_any_change_leaves_the_blocks_before_or_the_one_after() {
    for left in 0..16 {
        for after in [false, true] {
            let place = Place::new();
            let expect = {
                let blocks = place.open();
                hours(&blocks, 4);
                blocks
                    .delete(&[Matcher::equal("job", "b")], TimeRange { start: 0, end: HOUR_MS })
                    .unwrap();
                raw(&blocks)
            };
            let inner = Arc::clone(&place.store);
            let (left_now, lasting) = (AtomicUsize::new(left + 1), AtomicUsize::new(usize::MAX));
            let store = Arc::new(Failing { inner, left: left_now, after, lasting });
            let cache = Cache::new(1 << 20);
            // Whatever fails here fails as a crash would: nothing is undone afterwards.
            if let Ok(blocks) = Blocks::open(store, "metrics/default", &place.scratch(), cache) {
                let result = merge_all(&blocks);
                assert_eq!(raw(&blocks), expect, "readers go on, {left} {after} {result:?}");
            }
            let blocks = place.open();
            assert_eq!(raw(&blocks), expect, "after a restart, {left} {after}");
            assert!([1, 4].contains(&blocks.all().len()), "{left} {after}");
            merge_all(&blocks).unwrap();
            assert_eq!(raw(&blocks), expect);
            drop(blocks);
            assert_eq!(place.store.list("").unwrap().len(), 2);
        }
    }
}

#[test]
fn what_failed_for_a_while_is_made_up_for() {
    for (left, after, lasting) in (0..16).flat_map(|left| [(left, false, 2), (left, true, 1)]) {
        let place = Place::new();
        hours(&place.open(), 4);
        let inner = Arc::clone(&place.store);
        let (left_now, lasting_now) = (AtomicUsize::new(left + 1), AtomicUsize::new(lasting));
        let store = Arc::new(Failing { inner, left: left_now, after, lasting: lasting_now });
        let again = |what: &dyn Fn() -> bool| assert!((0..9).any(|_| what()), "{left} {after}");
        let cache = Cache::new(1 << 20);
        let blocks = Blocks::open(store, "metrics/default", &place.scratch(), cache).unwrap();
        again(&|| merge_all(&blocks).is_ok());
        let everything = TimeRange { start: 0, end: 8 * HOUR_MS };
        again(&|| blocks.delete(&[Matcher::equal("job", "b")], everything).is_ok());
        again(&|| clean_tombstones(&blocks).is_ok());
        let expect = raw(&blocks);
        assert!(!expect.contains("job=\"b\"") && expect.contains("job="), "{expect}");
        // Also when nothing is tidied up before a crash.
        let copy = place.open();
        assert_eq!(raw(&copy), expect, "after a crash, {left} {after} {lasting}");
        drop(copy);
        blocks.tidy();
        drop(blocks);
        assert_eq!(raw(&place.open()), expect, "after a restart, {left} {after} {lasting}");
        assert_eq!(place.store.list("").unwrap().len(), 2, "{left} {after} {lasting}");
    }
}
