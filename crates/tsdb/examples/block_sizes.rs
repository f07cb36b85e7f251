//! How small blocks are and how fast they are written and read, for data of known shapes; that all
//! of it comes back is checked on the way: `cargo run -p tsdb --example block_sizes`.
//!
//! The data are those of the comparison with other stores: 30 % constants, 40 % whole counters, 10 %
//! counters of two decimals, 10 % whole gauges, 10 % gauges of three decimals; five labels; every
//! 15 s.

#![expect(clippy::print_stdout, reason = "it is a report")]

use std::sync::Arc;

use model::metric::Labels;
use stdx::clock::Stopwatch;
use tsdb::Points;
use tsdb::block::{Blocks, Cache, Column};
use tsdb::chunk::{Effort, TimeRange};
use tsdb::store::{BlockStore, LocalStore};

fn main() {
    let all = (0, 10);
    for samples in [240, 480, 960, 5760] {
        measure("mix, fast", 2000, samples, Jitter::None, all, Effort::Fast);
        measure("mix", 2000, samples, Jitter::None, all, Effort::Small);
    }
    measure("mix, 10,000 series", 10_000, 960, Jitter::None, all, Effort::Small);
    measure("mix, jitter by target", 10_000, 1440, Jitter::Target, all, Effort::Small);
    measure("mix, jitter by series", 10_000, 1440, Jitter::Series, all, Effort::Small);
    measure("mix, jitter by series, fast", 10_000, 1440, Jitter::Series, all, Effort::Fast);
    for (title, kinds) in [
        ("constants", (0, 3)),
        ("whole counters", (3, 7)),
        ("counters of 2 decimals", (7, 8)),
        ("whole gauges", (8, 9)),
        ("gauges of 3 decimals", (9, 10)),
    ] {
        measure(&format!("{title}, fast"), 1000, 1920, Jitter::None, kinds, Effort::Fast);
        measure(title, 1000, 1920, Jitter::None, kinds, Effort::Small);
    }
}

struct Noise(u64);

impl Noise {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Jitter {
    None,
    Target,
    Series,
}

/// Samples of one series; series of one instance share timestamps unless each has its own.
fn series(number: u64, samples: i64, jitter: Jitter, kinds: (u64, u64)) -> Points {
    let mut noise = Noise(number.wrapping_mul(77) + 1);
    let mut times = Noise(if jitter == Jitter::Series { number } else { number % 200 } + 1000);
    let kind = kinds.0 + number / 200 % (kinds.1 - kinds.0);
    let (mut whole, mut points) = (0u64, Points::default());
    let constant = noise.next(1000) as f64;
    for at in 0..samples {
        let late = if jitter == Jitter::None { 0 } else { times.next(7) as i64 };
        let value = match kind {
            0..3 => constant,
            3..7 => {
                whole += noise.next(100);
                whole as f64
            }
            7 => {
                whole += noise.next(1000);
                whole as f64 / 100.0
            }
            8 => noise.next(1000) as f64,
            _ => noise.next(100_000) as f64 / 1000.0,
        };
        points.push(1_700_000_000_000 + at * 15_000 + late, value, 0);
    }
    points
}

fn name(number: u64) -> Labels {
    let (metric, instance) =
        (format!("node_metric_{}_total", number / 200), format!("host-{:03}:9100", number % 200));
    Labels::from_pairs(&[
        ("__name__", metric.as_str()),
        ("instance", &instance),
        ("job", "node"),
        ("region", ["eu", "us"][(number % 2) as usize]),
        ("zone", &format!("z{}", number % 6)),
    ])
}

fn measure(
    title: &str,
    count: u64,
    samples: i64,
    jitter: Jitter,
    kinds: (u64, u64),
    effort: Effort,
) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = LocalStore::open(directory.path().join("store")).expect("a directory");
    let store: Arc<dyn BlockStore> = Arc::new(store);
    let scratch = directory.path().join("scratch");
    let blocks =
        Blocks::open(store, "metrics/default", &scratch, Cache::new(4 << 20)).expect("no blocks");
    let mut all: Vec<_> =
        (0..count).map(|one| (name(one), series(one, samples, jitter, kinds))).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let mut writer = blocks.writer(effort).expect("a file");
    let watch = Stopwatch::start();
    for (labels, points) in &all {
        writer.add(labels, points).expect("in order");
    }
    let reader = blocks.add(writer).expect("a block").expect("it has samples");
    let written = watch.elapsed().as_secs_f64();
    let total = count as f64 * samples as f64;
    let mut points = Points::default();
    let mut speeds = Vec::new();
    for _ in 0..3 {
        let watch = Stopwatch::start();
        for series in 0..reader.series_len().expect("an index") {
            points.clear();
            reader.read(series, TimeRange::ALL, Column::Last, &mut points).expect("samples");
        }
        speeds.push(total / watch.elapsed().as_secs_f64() / 1e6);
    }
    for (series, (labels, expect)) in all.iter().enumerate() {
        let series = u32::try_from(series).expect("few series");
        points.clear();
        reader.read(series, TimeRange::ALL, Column::Last, &mut points).expect("samples");
        assert_eq!(&reader.labels(series).expect("labels"), labels);
        assert!(points.timestamps == expect.timestamps && points.values == expect.values);
    }
    let stats = reader.meta().stats;
    let of = |bytes: u64| bytes as f64 / total;
    println!(
        "{title:34} {samples:5} samples: {:.3} bytes a sample (values {:.3}, times {:.3}, index {:.3}); write {:.1} M/s, read {:.0} M/s",
        of(stats.bytes),
        of(stats.value_bytes),
        of(stats.time_bytes),
        of(stats.bytes - stats.value_bytes - stats.time_bytes),
        total / written / 1e6,
        speeds[2],
    );
}
