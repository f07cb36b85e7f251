//! How much processor time and memory a sample takes: `cargo run -p tsdb --example throughput`. An
//! argument chooses the cases whose names begin with it.
//!
//! The data is that of the comparison with other stores: 30 % constants, 40 % whole counters, the
//! rest decimals; five labels a series; batches of 5,000 series every 15 s.

#![expect(clippy::print_stdout, reason = "it is a report")]

use std::fs;
use std::sync::{Arc, mpsc};

use model::Tenant;
use model::metric::{Batch, Float, Labels, MatchOp, Matcher};
use stdx::clock::{Clock, Stopwatch};
use stdx::memory::Budget;
use tsdb::store::{BlockStore, LocalStore};
use tsdb::{Options, Query, Tsdb};

const NOW: i64 = 1_700_000_000_000;
const BATCH: usize = 5_000;
/// How many rounds of samples lie between two looks after cuts: a minute.
const MAINTAIN_ROUNDS: usize = 4;

fn main() {
    run("1,000,000 new series, 5 samples each", 1_000_000, 5, 0);
    run("300,000 new series, 20 samples each", 300_000, 20, 0);
    run("100,000 series, 720 samples each: three hours", 100_000, 720, 0);
    run("10,000 series, 960 samples each", 10_000, 960, 0);
    run("10,000 series, 960 samples each, 0-6 ms jitter", 10_000, 960, 6);
}

fn run(name: &str, series: usize, rounds: usize, jitter_ms: u64) {
    if std::env::args().nth(1).is_some_and(|only| !name.starts_with(&only)) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let rss_before = resident_bytes();
    let mut options = Options::new(dir.path());
    options.maintain_every = std::time::Duration::ZERO;
    options.ahead_max = std::time::Duration::from_hours(1000);
    let clock = Clock::manual(NOW * 1_000_000);
    let blocks = LocalStore::open(dir.path().join("blocks")).expect("a directory");
    let blocks: Arc<dyn BlockStore> = Arc::new(blocks);
    let tsdb = Tsdb::open(options.clone(), Arc::clone(&blocks), clock.clone()).expect("a store");
    let labels: Vec<Labels> = (0..series).map(labels).collect();
    let mut values: Vec<Value> = (0..series).map(Value::new).collect();
    let tenant = Tenant::default_tenant();
    let memory = Budget::new("batches", usize::MAX);
    let making = {
        let begin = cpu_seconds();
        let mut values: Vec<Value> = (0..series).map(Value::new).collect();
        for _ in 0..rounds {
            for (labels, values) in labels.chunks(BATCH).zip(values.chunks_mut(BATCH)) {
                std::hint::black_box(make(labels, values, NOW, jitter_ms));
            }
        }
        cpu_seconds() - begin
    };
    let (begin, watch) = (cpu_seconds(), Stopwatch::start());
    let (tx, rx) = mpsc::channel();
    let mut waiting = 0;
    for round in 0..rounds {
        if round % MAINTAIN_ROUNDS == 0 {
            tsdb.maintain().expect("maintained");
        }
        let time = NOW + i64::try_from(round).unwrap_or(0) * 15_000;
        for (labels, values) in labels.chunks(BATCH).zip(values.chunks_mut(BATCH)) {
            let batch = make(labels, values, time, jitter_ms);
            let tx = tx.clone();
            tsdb.append(&tenant, batch, memory.force(0), move |result| {
                tx.send(result.map(|written| written.floats)).expect("the report waits");
            });
            waiting += 1;
            if waiting == 8 {
                rx.recv().expect("an answer").expect("taken");
                waiting -= 1;
            }
        }
    }
    for _ in 0..waiting {
        rx.recv().expect("an answer").expect("taken");
    }
    let cpu = cpu_seconds() - begin - making;
    let samples = series * rounds;
    let rss = resident_bytes().saturating_sub(rss_before);
    let own: usize = labels.iter().map(|labels| labels.as_bytes().len() + 32 + 16 + 40).sum();
    let log: u64 = fs::read_dir(dir.path())
        .expect("the directory")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum();
    println!(
        "{name}: {:.2} M samples/CPU-s ({cpu:.2} s CPU, {:.2} s), {} resident bytes a series \
         ({} counted), {:.1} log bytes a sample",
        samples as f64 / cpu / 1e6,
        watch.elapsed().as_secs_f64(),
        rss.saturating_sub(own) / series,
        options.memory.used_bytes() / series,
        log as f64 / samples as f64,
    );
    drop(tsdb);
    let begin = cpu_seconds();
    let watch = Stopwatch::start();
    let tsdb = Tsdb::open(options, blocks, clock).expect("a store");
    println!(
        "    opened again in {:.2} s, {:.2} s CPU",
        watch.elapsed().as_secs_f64(),
        cpu_seconds() - begin
    );
    if series == 1_000_000 {
        ask(&tsdb, &tenant);
    }
    drop(tsdb);
}

/// How long finding series takes.
fn ask(tsdb: &Tsdb, tenant: &Tenant) {
    let metric = || Matcher::equal("__name__", "node_metric_1_total");
    let instance = |op, value| Matcher::new("instance", op, value).expect("a matcher");
    let cases = [
        ("one metric", vec![metric()]),
        ("prefix", vec![instance(MatchOp::Regex, "host-0012.*")]),
        ("alternatives", vec![instance(MatchOp::Regex, "host-00(001|002|777).example.com:9100")]),
        ("scan of 20,000 values", vec![instance(MatchOp::Regex, ".*77.*:9100")]),
        ("metric and not", vec![metric(), instance(MatchOp::NotRegex, "host-0.*")]),
        ("not, of all", vec![instance(MatchOp::NotEqual, "host-00001.example.com:9100")]),
    ];
    for (name, matchers) in cases {
        let query = Query { matchers, start: 0, end: i64::MAX, ..Query::default() };
        let watch = Stopwatch::start();
        let found = tsdb.select(tenant, &query).expect("a selection").len();
        println!("    {name}: {found} series in {:.2} ms", watch.elapsed().as_secs_f64() * 1e3);
    }
}

fn make(labels: &[Labels], values: &mut [Value], time: i64, jitter_ms: u64) -> Batch {
    let mut batch = Batch::new();
    for (labels, value) in labels.iter().zip(values) {
        let jitter = i64::try_from(value.random() % (jitter_ms + 1)).unwrap_or(0);
        batch.begin_with(labels);
        batch.float(Float { timestamp: time + jitter, value: value.next(), start: 0 });
    }
    batch
}

fn labels(at: usize) -> Labels {
    Labels::from_pairs(&[
        ("__name__", format!("node_metric_{}_total", at % 50)),
        ("instance", format!("host-{:05}.example.com:9100", at / 50)),
        ("job", "node".to_owned()),
        ("env", "production".to_owned()),
        ("cpu", format!("{}", at % 16)),
    ])
}

struct Value {
    kind: usize,
    state: u64,
    value: f64,
}

impl Value {
    fn new(at: usize) -> Value {
        let state = at as u64 * 7919 + 1;
        Value { kind: at % 10, state, value: (at % 1000) as f64 }
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.state >> 33
    }

    fn next(&mut self) -> f64 {
        let step = (self.random() % 1000) as f64;
        match self.kind {
            0..=2 => {}
            3..=6 => self.value += step,
            7 => self.value = ((self.value + step / 100.0) * 100.0).round() / 100.0,
            8 => self.value = step,
            _ => self.value = step / 1000.0,
        }
        self.value
    }
}

fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap_or(0.0)).sum();
    ticks / 100.0
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
