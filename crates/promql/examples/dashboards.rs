//! What typical dashboards and alert rules cost over 100,000 series in the store of metrics, each
//! query by itself: `cargo run -p promql --example dashboards [PART OF A QUERY]`.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::sync::{Arc, mpsc};

use model::Tenant;
use model::metric::{Batch, Float, Labels};
use promql::control::Control;
use promql::engine::{Engine, Run};
use promql::parser;
use promql::source::{Points, Select, SeriesSet, SeriesSource, SourceError};
use stdx::clock::{Clock, Stopwatch};
use stdx::memory::Budget;
use tsdb::Tsdb;
use tsdb::store::LocalStore;

const SERIES: usize = 100_000;
const METRICS: usize = 50;
const ROUNDS: i64 = 140;
/// Milliseconds.
const NOW: i64 = 1_700_000_000_000;

struct Source(Tsdb);

struct Selected(tsdb::Selection);

impl SeriesSource for Source {
    fn select(&self, select: &Select, _: &Control) -> Result<Box<dyn SeriesSet>, SourceError> {
        let query = tsdb::Query {
            matchers: select.matchers.clone(),
            start: select.start,
            end: select.end,
            step: select.step,
            range: select.range,
            function: select.function.clone(),
            by: select.by.clone(),
        };
        let selection = self.0.select(&Tenant::default_tenant(), &query);
        Ok(Box::new(Selected(selection.map_err(|error| SourceError::Failed(error.to_string()))?)))
    }
}

impl SeriesSet for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        self.0.labels(index)
    }

    fn read(&self, index: usize, into: &mut Points) -> Result<(), SourceError> {
        let mut read = tsdb::Points {
            timestamps: std::mem::take(&mut into.timestamps),
            values: std::mem::take(&mut into.values),
            starts: std::mem::take(&mut into.starts),
            histograms: Vec::new(),
        };
        let result = self.0.read(index, &mut read);
        (into.timestamps, into.values, into.starts) = (read.timestamps, read.values, read.starts);
        result.map_err(|error| SourceError::Failed(error.to_string()))
    }
}

fn labels(series: usize) -> Labels {
    let (metric, place) = (series % METRICS, series / METRICS);
    let kind = match metric % 10 {
        0..=2 => "info",
        3..=7 => "total",
        8 => "bytes",
        _ => "ratio",
    };
    Labels::from_pairs(&[
        ("__name__", format!("node_metric_{metric}_{kind}")),
        ("device", format!("disk-{}", place % 10)),
        ("instance", format!("host-{}:9100", place / 10)),
        ("job", "node".to_owned()),
        ("zone", ["a", "b", "c"][place % 3].to_owned()),
    ])
}

fn fill(dir: &std::path::Path) -> Source {
    let mut options = tsdb::Options::new(dir);
    options.ahead_max = std::time::Duration::from_hours(1000);
    let blocks = LocalStore::open(dir.join("blocks")).expect("a directory");
    let clock = Clock::manual(NOW * 1_000_000);
    let tsdb = Tsdb::open(options, Arc::new(blocks), clock).expect("a store");
    let labels: Vec<Labels> = (0..SERIES).map(labels).collect();
    let mut state = 7u64;
    let memory = Budget::new("batches", usize::MAX);
    let mut values = vec![0.0; SERIES];
    for round in 0..ROUNDS {
        for (labels, values) in labels.chunks(5_000).zip(values.chunks_mut(5_000)) {
            let mut batch = Batch::new();
            for (at, (labels, value)) in labels.iter().zip(values).enumerate() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let random = (state >> 54) as f64;
                match at % 10 {
                    0..=2 => *value = 1.0,
                    3..=7 => *value += random,
                    8 => *value = random,
                    _ => *value = random / 1_000.0,
                }
                batch.begin_with(labels);
                batch.float(Float { timestamp: NOW + round * 15_000, value: *value, start: 0 });
            }
            let (done, answer) = mpsc::channel();
            tsdb.append(&Tenant::default_tenant(), batch, memory.force(0), move |written| {
                done.send(written.is_ok()).expect("it waits");
            });
            assert!(answer.recv().expect("an answer"));
        }
    }
    Source(tsdb)
}

/// Processor time of this process, milliseconds.
fn processor_millis() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let own: f64 = stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0)
    };
    tasks.map(of_task).sum::<f64>().max(own) / 1e6
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let dir = tempfile::tempdir().expect("a directory");
    let source = fill(dir.path());
    let (engine, end) = (Engine::default(), NOW + (ROUNDS - 5) * 15_000);
    let (mut sums, mut costs) = ([0.0; 2], Vec::new());
    for (part, queries) in [&DASHBOARD[..], &RULES].into_iter().enumerate() {
        for query in queries.iter().filter(|query| query.contains(&wanted)) {
            let expr = parser::parse(query, parser::Options::default()).expect("a query");
            let ask = || match part {
                0 => engine.range(&source, &expr, (end - 1_700_000, end, 15_000), &Run::default()),
                _ => engine.instant(&source, &expr, end, &Run::default()),
            };
            ask().expect("a result");
            let (before, watch, mut runs) = (processor_millis(), Stopwatch::start(), 0.0);
            while watch.elapsed().as_millis() < 300 {
                ask().expect("a result");
                runs += 1.0;
            }
            let cost = (processor_millis() - before) / runs;
            sums[part] += cost;
            costs.push((cost, *query));
        }
    }
    costs.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (cost, query) in costs {
        println!("{cost:8.2} ms  {query}");
    }
    println!(
        "24 dashboard queries {:.1} ms, 30 alert rules {:.1} ms of processor time",
        sums[0], sums[1]
    );
}

/// What dashboards of machines and services ask, over half an hour at 15 seconds.
const DASHBOARD: [&str; 24] = [
    "sum(rate(node_metric_3_total[5m]))",
    "sum by(instance)(rate(node_metric_4_total[5m]))",
    "sum by(zone)(rate(node_metric_5_total[2m]))",
    "sum without(device)(irate(node_metric_6_total[5m]))",
    "avg(node_metric_8_bytes)",
    "max by(zone)(node_metric_8_bytes)",
    "min by(zone)(node_metric_9_ratio)",
    "topk(5, rate(node_metric_13_total[5m]))",
    "bottomk(5, node_metric_18_bytes)",
    "count(node_metric_0_info)",
    "count by(zone)(node_metric_1_info == 1)",
    "node_metric_8_bytes{instance=\"host-7:9100\"}",
    "rate(node_metric_14_total{instance=~\"host-[12].*\"}[5m])",
    "sum(rate(node_metric_3_total[5m])) / sum(rate(node_metric_4_total[5m]))",
    "node_metric_8_bytes / on(instance, device) node_metric_18_bytes",
    "avg_over_time(node_metric_9_ratio[10m])",
    "max_over_time(node_metric_8_bytes[10m])",
    "stddev(node_metric_9_ratio)",
    "quantile(0.9, node_metric_19_ratio)",
    "quantile_over_time(0.9, node_metric_19_ratio[5m])",
    "increase(node_metric_23_total{zone=\"a\"}[10m])",
    "deriv(node_metric_28_bytes[5m])",
    "delta(node_metric_28_bytes[5m])",
    "sum by(job)(rate({__name__=~\"node_metric_1[3-6]_total\"}[5m]))",
];

/// What alerts ask, at one time.
const RULES: [&str; 30] = [
    "sum(rate(node_metric_3_total[5m])) > 1e9",
    "rate(node_metric_4_total[5m]) > 1e6",
    "sum by(instance)(rate(node_metric_5_total[5m])) > 1e6",
    "avg by(zone)(node_metric_8_bytes) > 1e9",
    "node_metric_9_ratio > 1e6",
    "max_over_time(node_metric_9_ratio[10m]) > 1e6",
    "min_over_time(node_metric_8_bytes[10m]) < -1e9",
    "absent(node_metric_0_info)",
    "count(node_metric_1_info) < 1",
    "predict_linear(node_metric_18_bytes[10m], 3600) < -1e9",
    "deriv(node_metric_18_bytes[10m]) > 1e6",
    "changes(node_metric_2_info[10m]) > 3",
    "resets(node_metric_13_total[10m]) > 3",
    "increase(node_metric_14_total[10m]) > 1e9",
    "rate(node_metric_15_total[5m]) / rate(node_metric_16_total[5m]) > 1e6",
    "sum(rate(node_metric_17_seconds_total[5m])) by(instance) > 1e6",
    "topk(1, node_metric_28_bytes) > 1e9",
    "quantile(0.99, node_metric_29_ratio) > 1e6",
    "avg_over_time(node_metric_29_ratio[5m]) > 1e6",
    "stddev_over_time(node_metric_29_ratio[5m]) > 1e6",
    "node_metric_8_bytes and on(instance) node_metric_9_ratio > 1e6",
    "node_metric_8_bytes unless on(instance) node_metric_9_ratio < -1e6",
    "sum(node_metric_10_info) by(zone) != 0 and sum(node_metric_11_info) by(zone) < 0",
    "delta(node_metric_38_bytes[5m]) > 1e9",
    "irate(node_metric_23_total[5m]) > 1e6",
    "count_over_time(node_metric_20_info[5m]) < 1",
    "present_over_time(node_metric_21_info[5m]) != 1",
    "last_over_time(node_metric_22_info[5m]) < 0",
    "histogram_quantile(0.9, node_metric_24_total) > 1",
    "sum({__name__=~\"node_metric_3.*\", zone=\"a\"}) < -1e12",
];
