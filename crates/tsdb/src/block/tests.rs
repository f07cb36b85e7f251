use std::path::PathBuf;
use std::sync::Arc;

use model::metric::{Histogram, Labels, MatchOp, Matcher, STALE_NAN_BITS, Span};
use proptest::prelude::*;

use super::*;
use crate::chunk::{Effort, TimeRange};
use crate::points::{HistogramPoint, Points};
use crate::store::{BlockStore, LocalStore};

/// A set of blocks in a directory that goes with it.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) store: Arc<LocalStore>,
}

impl Place {
    pub(crate) fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalStore::open(directory.path().join("store")).unwrap());
        Place { directory, store }
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
    }

    pub(crate) fn open(&self) -> Blocks {
        let store: Arc<dyn BlockStore> = Arc::<LocalStore>::clone(&self.store);
        Blocks::open(store, "metrics/default", &self.scratch(), Cache::new(4 << 20)).unwrap()
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs)
}

pub(crate) fn points(samples: impl IntoIterator<Item = (i64, f64)>) -> Points {
    let mut points = Points::default();
    for (timestamp, value) in samples {
        points.push(timestamp, value, 0);
    }
    points
}

pub(crate) fn add(blocks: &Blocks, mut series: Vec<(Labels, Points)>) -> Arc<Reader> {
    series.sort_by(|one, other| one.0.cmp(&other.0));
    let mut writer = blocks.writer(Effort::Small).unwrap();
    for (labels, points) in &series {
        writer.add(labels, points).unwrap();
    }
    blocks.add(writer).unwrap().unwrap()
}

/// All that a block has, as text.
pub(crate) fn dump(reader: &Reader, time: TimeRange) -> String {
    let mut text = String::new();
    for series in 0..reader.series_len().unwrap() {
        let mut points = Points::default();
        reader.read(series, time, Column::Last, &mut points).unwrap();
        text.push_str(&format!("{} {}\n", reader.labels(series).unwrap(), line(&points)));
    }
    text
}

pub(crate) fn line(points: &Points) -> String {
    let mut text = String::new();
    for (timestamp, value) in points.timestamps.iter().zip(&points.values) {
        text.push_str(&format!("{timestamp}:{value} "));
    }
    if !points.starts.is_empty() {
        text.push_str(&format!("starts {:?} ", points.starts));
    }
    for point in &points.histograms {
        text.push_str(&format!("{}:h{} ", point.timestamp, point.histogram.count));
    }
    text.trim_end().to_owned()
}

fn histogram(timestamp: i64, count: f64) -> HistogramPoint {
    let histogram = Histogram {
        count,
        sum: count * 2.0,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![count / 2.0, count / 2.0],
        ..Histogram::default()
    };
    HistogramPoint { timestamp, start: 0, histogram: Arc::new(histogram) }
}

fn sample_series() -> Vec<(Labels, Points)> {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let mut with_starts = points([(10, 1.0), (20, 2.0)]);
    with_starts.starts = vec![0, 15];
    let histograms =
        Points { histograms: vec![histogram(10, 2.0), histogram(30, 8.0)], ..Points::default() };
    vec![
        (labels(&[("__name__", "a"), ("job", "x")]), points([(10, 1.0), (20, 2.5), (30, stale)])),
        (labels(&[("__name__", "a"), ("job", "y")]), points([(10, -0.0), (20, f64::INFINITY)])),
        (labels(&[("__name__", "b")]), with_starts),
        (labels(&[("__name__", "c"), ("job", "x")]), histograms),
    ]
}

#[test]
fn a_block_gives_back_what_it_was_given_also_after_a_restart() {
    let place = Place::new();
    let expect = "{__name__=\"a\", job=\"x\"} 10:1 20:2.5 30:NaN\n\
                  {__name__=\"a\", job=\"y\"} 10:-0 20:inf\n\
                  {__name__=\"b\"} 10:1 20:2 starts [0, 15]\n\
                  {__name__=\"c\", job=\"x\"} 10:h2 30:h8\n";
    let blocks = place.open();
    let reader = add(&blocks, sample_series());
    assert_eq!(dump(&reader, TimeRange::ALL), expect);
    let meta = reader.meta().clone();
    assert_eq!((meta.min_time, meta.max_time, meta.stats.floats), (10, 30, 7));
    assert_eq!(meta.stats.time_columns, 3);
    drop((reader, blocks));
    let blocks = place.open();
    assert_eq!(blocks.all().len(), 1);
    assert_eq!(dump(&blocks.all()[0], TimeRange::ALL), expect);
    let cut = dump(&blocks.all()[0], TimeRange { start: 11, end: 20 });
    assert!(cut.starts_with("{__name__=\"a\", job=\"x\"} 20:2.5\n"), "{cut}");
    let read = blocks.writer(Effort::Fast).unwrap();
    assert!(blocks.add(read).unwrap().is_none(), "an empty block is none");
}

#[test]
fn selectors_match_as_prometheus_does() {
    let place = Place::new();
    let blocks = place.open();
    let mut series = Vec::new();
    for instance in 0..300 {
        let name = format!("host-{instance:03}");
        series.push((labels(&[("__name__", "up"), ("instance", &name)]), points([(1, 1.0)])));
    }
    series.push((labels(&[("__name__", "up"), ("job", "x")]), points([(1, 1.0)])));
    series.push((labels(&[("__name__", "down"), ("job", "y")]), points([(1, 1.0)])));
    let reader = add(&blocks, series);
    let check = |matchers: &[(&str, MatchOp, &str)], expect: u64| {
        let matchers: Vec<Matcher> = matchers
            .iter()
            .map(|&(name, op, value)| Matcher::new(name, op, value).unwrap())
            .collect();
        let found = reader.select(&matchers).unwrap();
        let naive = (0..reader.series_len().unwrap()).filter(|&series| {
            let labels = reader.labels(series).unwrap();
            matchers.iter().all(|one| one.matches(labels.get(&one.name).unwrap_or("")))
        });
        assert!(found.iter().eq(naive), "{matchers:?}");
        assert_eq!(found.len(), expect, "{matchers:?}");
    };
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    check(&[], 302);
    check(&[("__name__", Equal, "up")], 301);
    check(&[("instance", Equal, "host-150")], 1);
    check(&[("instance", Equal, "host-999")], 0);
    check(&[("instance", Equal, "")], 2);
    check(&[("instance", NotEqual, "")], 300);
    check(&[("instance", NotEqual, "host-001")], 301);
    check(&[("instance", Regex, "host-1.*")], 100);
    check(&[("instance", Regex, "host-.*7")], 30);
    check(&[("instance", Regex, "host-001|host-002|nope")], 2);
    check(&[("instance", Regex, ".*")], 302);
    check(&[("instance", Regex, ".+")], 300);
    check(&[("instance", Regex, "|host-001")], 3);
    check(&[("instance", NotRegex, "host-1.*")], 202);
    check(&[("instance", NotRegex, ".+")], 2);
    check(&[("instance", NotRegex, "|host-001")], 299);
    check(&[("none", Equal, "")], 302);
    check(&[("none", NotEqual, "")], 0);
    check(&[("job", Regex, "x|y"), ("__name__", NotEqual, "up")], 1);
    assert_eq!(reader.label_names(None).unwrap(), ["__name__", "instance", "job"]);
    assert_eq!(reader.label_values("job", None).unwrap(), ["x", "y"]);
    let down = reader.select(&[Matcher::equal("__name__", "down")]).unwrap();
    assert_eq!(reader.label_values("job", Some(&down)).unwrap(), ["y"]);
    assert_eq!(reader.label_names(Some(&down)).unwrap(), ["__name__", "job"]);
    assert_eq!(reader.label_value_counts("__name__").unwrap()[1], ("up".to_owned(), 301));
}

#[test]
fn deleted_samples_are_gone_at_once_and_after_a_restart() {
    let place = Place::new();
    let blocks = place.open();
    add(&blocks, sample_series());
    let matchers = [Matcher::equal("job", "x")];
    let time = TimeRange { start: 15, end: 40 };
    assert_eq!(blocks.delete(&matchers, time).unwrap(), 1);
    assert_eq!(blocks.delete(&matchers, time).unwrap(), 0, "it is known already");
    let expect = "{__name__=\"a\", job=\"x\"} 10:1\n\
                  {__name__=\"a\", job=\"y\"} 10:-0 20:inf\n\
                  {__name__=\"b\"} 10:1 20:2 starts [0, 15]\n\
                  {__name__=\"c\", job=\"x\"} 10:h2\n";
    assert_eq!(dump(&blocks.all()[0], TimeRange::ALL), expect);
    drop(blocks);
    assert_eq!(dump(&place.open().all()[0], TimeRange::ALL), expect);
}

#[test]
fn series_and_samples_out_of_order_are_refused() {
    let place = Place::new();
    let blocks = place.open();
    let mut writer = blocks.writer(Effort::Fast).unwrap();
    let (a, b) = (labels(&[("a", "1")]), labels(&[("b", "1")]));
    writer.add(&b, &points([(1, 1.0)])).unwrap();
    assert!(matches!(writer.add(&a, &points([(1, 1.0)])), Err(Error::Order(_))));
    drop(writer);
    let mut writer = blocks.writer(Effort::Fast).unwrap();
    assert!(matches!(writer.add(&a, &points([(2, 1.0), (1, 1.0)])), Err(Error::Order(_))));
    drop(writer);
    assert_eq!(std::fs::read_dir(place.scratch()).unwrap().count(), 0, "files were left");
}

#[test]
fn half_made_blocks_and_replaced_ones_are_removed_by_the_next_start() {
    let place = Place::new();
    let blocks = place.open();
    let reader = add(&blocks, sample_series());
    let data = |id: u64| reader::data_name("metrics/default", BlockId(id));
    place.store.put(&data(99), bytes::Bytes::from_static(b"half")).unwrap();
    assert_eq!(reader.meta().id, BlockId(1));
    drop((reader, blocks));
    let blocks = place.open();
    assert_eq!(place.store.list("").unwrap().len(), 2);
    let next = add(&blocks, sample_series());
    assert_eq!(next.meta().id, BlockId(100), "numbers are not used twice");
}

#[test]
fn a_removed_block_can_be_read_by_who_has_it() {
    let place = Place::new();
    let blocks = place.open();
    let reader = add(&blocks, sample_series());
    blocks.remove(&reader).unwrap();
    assert!(blocks.all().is_empty());
    assert!(dump(&reader, TimeRange::ALL).contains("20:2.5"));
    drop(reader);
    assert!(place.store.list("").unwrap().is_empty());
}

/// Reads everything; nothing may panic.
fn exercise(reader: &Reader) -> Result<(), Error> {
    let series = reader.select(&[Matcher::new("job", MatchOp::Regex, ".*x.*").unwrap()])?;
    for name in reader.label_names(Some(&series))? {
        reader.label_values(&name, Some(&series))?;
    }
    for name in reader.label_names(None)? {
        reader.label_value_counts(&name)?;
    }
    reader.label_names(Some(&roaring::RoaringBitmap::from([1])))?;
    for series in 0..reader.series_len()?.min(10_000) {
        reader.labels(series)?;
        reader.read(series, TimeRange::ALL, Column::Last, &mut Points::default())?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_blocks_are_refused_and_name_the_section(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let place = Place::new();
        let blocks = place.open();
        let reader = add(&blocks, sample_series());
        let name = reader::data_name("metrics/default", reader.meta().id);
        let mut data = reader::read_all(&*place.store, &name).unwrap().to_vec();
        drop((reader, blocks));
        let at = at.index(data.len());
        data[at] ^= 1 << bit;
        place.store.put(&name, data.into()).unwrap();
        let blocks = place.open();
        let result = exercise(&blocks.all()[0]);
        // Only the magic number at the front is not covered by a checksum.
        if at >= 8 {
            prop_assert!(matches!(result, Err(Error::Damaged { .. })), "byte {at}: {result:?}");
        }
    }

    #[test]
    fn any_index_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_index(&bytes);
        drop(Meta::from_json(BlockId(1), &bytes));
    }
}
