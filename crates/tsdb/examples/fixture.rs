//! Writes the files that the test `what_version_1_wrote_is_read` reads:
//! `cargo run -p tsdb --example fixture -- crates/tsdb/testdata/version-1`. Only for another version
//! of the formats, into another directory: what a version wrote is never written again.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use model::Tenant;
use model::metric::{
    Batch, Exemplar, Float, Histogram, HistogramSample, Labels, Metadata, MetricType, Span,
};
use stdx::clock::Clock;
use stdx::memory::Budget;
use tsdb::store::LocalStore;
use tsdb::{Options, Tsdb};

const NOW: i64 = 1_700_000_000_000;

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let mut options = Options::new(&directory);
    (options.maintain_every, options.compact_every) = (Duration::ZERO, Duration::ZERO);
    let store = LocalStore::open(options.dir.join("blocks")).expect("a directory");
    let clock = Clock::manual((NOW + 86_400_000) * 1_000_000);
    let tsdb = Tsdb::open(options, Arc::new(store), clock).expect("a new store");
    // A block, a checkpoint and a log, each with ten samples of every kind.
    append(&tsdb, batch(0));
    tsdb.flush().expect("a block");
    append(&tsdb, batch(10));
    tsdb.checkpoint().expect("a checkpoint");
    append(&tsdb, batch(20));
}

fn batch(from: i32) -> Batch {
    let mut batch = Batch::new();
    for name in ["whole", "decimal", "constant"] {
        batch.begin_with(&Labels::from_pairs(&[("__name__", name), ("job", "fixture")]));
        for at in from..from + 10 {
            let value = match name {
                "whole" => f64::from(at * at),
                "decimal" => f64::from(at) / 100.0,
                _ => 7.0,
            };
            let start = if name == "whole" { NOW - 1000 } else { 0 };
            batch.float(Float { timestamp: time(at), value, start });
        }
        let labels = Labels::from_pairs(&[("trace_id", "4bf92f3577b34da6")]);
        batch.exemplar(Exemplar { labels, value: 0.5, timestamp: time(from) });
    }
    batch.begin_with(&Labels::from_pairs(&[("__name__", "native"), ("job", "fixture")]));
    for at in from..from + 10 {
        let histogram = Histogram {
            schema: 2,
            count: f64::from(at * 3),
            sum: f64::from(at) * 1.5,
            positive_spans: vec![Span { offset: 1, length: 2 }],
            positive_buckets: vec![f64::from(at), f64::from(at * 2)],
            ..Histogram::default()
        };
        batch.histogram(HistogramSample { timestamp: time(at), start: 0, histogram });
    }
    batch.metadata(Metadata {
        metric: "whole".to_owned(),
        kind: MetricType::Counter,
        help: "Squares.".to_owned(),
        unit: String::new(),
    });
    batch
}

fn time(at: i32) -> i64 {
    NOW + i64::from(at) * 15_000
}

fn append(tsdb: &Tsdb, batch: Batch) {
    let (tx, rx) = mpsc::channel();
    let memory = Budget::new("batches", usize::MAX).force(0);
    tsdb.append(&Tenant::default_tenant(), batch, memory, move |result| {
        tx.send(result.map(|written| written.rejected.count())).expect("it is waited for");
    });
    assert_eq!(rx.recv().expect("an answer"), Ok(0));
}
