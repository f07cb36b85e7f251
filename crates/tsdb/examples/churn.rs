//! Five million series in an hour's worth of data, each with one sample: that memory does not grow
//! with them is checked. `cargo run -p tsdb --example churn`.

#![expect(clippy::print_stdout, reason = "it is a report")]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use model::Tenant;
use model::metric::{Batch, Float, Labels, Matcher};
use stdx::clock::{Clock, Stopwatch};
use stdx::memory::Budget;
use tsdb::store::LocalStore;
use tsdb::{Options, Query, Tsdb};

const NOW: i64 = 1_700_000_000_000;
/// New series every 15 s, and for how often: an hour.
const SERIES: usize = 20_834;
const ROUNDS: i64 = 240;
/// Series of one batch.
const BATCH: usize = 5_000;
const MEMORY_BYTES: usize = 1 << 30;
/// The most series that may be in the head at once.
const SERIES_LEFT_MAX: usize = 1_700_000;

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::new(dir.path());
    (options.maintain_every, options.compact_every) = (Duration::ZERO, Duration::ZERO);
    options.memory = Budget::new("head", MEMORY_BYTES);
    options.memory_pressure_percent = 30;
    options.pressure_window = Duration::from_mins(1);
    let clock = Clock::manual(NOW * 1_000_000);
    let store = LocalStore::open(dir.path().join("blocks")).expect("a directory");
    let tsdb = Tsdb::open(options.clone(), Arc::new(store), clock.clone()).expect("a store");
    let (mut most_bytes, mut most_series) = (0, 0);
    let watch = Stopwatch::start();
    for round in 0..ROUNDS {
        clock.advance(Duration::from_secs(15));
        for first in (0..SERIES).step_by(BATCH) {
            append(&tsdb, batch(round, first..(first + BATCH).min(SERIES)));
        }
        tsdb.maintain().expect("maintained");
        most_bytes = most_bytes.max(options.memory.used_bytes());
        most_series = most_series.max(tsdb.stats().series);
    }
    println!(
        "at most {most_bytes} bytes of {MEMORY_BYTES}, {most_series} series at once; {:.1} s",
        watch.elapsed().as_secs_f64()
    );
    assert!(most_bytes < MEMORY_BYTES, "{most_bytes} bytes");
    assert!(most_series < SERIES_LEFT_MAX, "{most_series} series");
    let query = Query {
        matchers: vec![Matcher::equal("__name__", "metric_0_0")],
        start: i64::MIN,
        end: i64::MAX,
        ..Query::default()
    };
    let found = tsdb.select(&Tenant::default_tenant(), &query).expect("a selection");
    assert_eq!(found.len(), 1, "the first series is still found");
    drop((found, tsdb));
    assert_eq!(options.memory.used_bytes(), 0, "memory is given back");
}

fn batch(round: i64, series: std::ops::Range<usize>) -> Batch {
    let mut batch = Batch::new();
    for at in series {
        let name = format!("metric_{round}_{at}");
        batch.begin_with(&Labels::from_pairs(&[("__name__", name.as_str()), ("job", "test")]));
        batch.float(Float { timestamp: NOW + round * 15_000, value: 1.0, start: 0 });
    }
    batch
}

fn append(tsdb: &Tsdb, batch: Batch) {
    let (tx, rx) = mpsc::channel();
    let memory = Budget::new("batches", usize::MAX).force(0);
    tsdb.append(&Tenant::default_tenant(), batch, memory, move |result| {
        tx.send(result.map(|written| written.floats)).expect("the report waits");
    });
    rx.recv().expect("an answer").expect("there is room");
}
