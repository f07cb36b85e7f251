//! What queries cost, over a store in memory: `cargo run -p promql --example speed`.
//! Each of them has to have a result.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use model::metric::Labels;
use promql::engine::{Engine, Run};
use promql::memory::MemorySource;
use promql::parser;
use stdx::clock::Stopwatch;

const HOUR: i64 = 3_600_000;

fn source() -> MemorySource {
    let mut source = MemorySource::new();
    for series in 0..200 {
        let instance = format!("node-{}", series % 10);
        let device = format!("disk-{series}");
        let labels = Labels::from_pairs(&[
            ("__name__", "m_total"),
            ("instance", instance.as_str()),
            ("device", device.as_str()),
            ("job", "node"),
        ]);
        let (mut value, mut state) = (0.0, 0x9E37_79B9_u64 + series);
        for at in 0..(7 * 240) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            value = if at % 911 == 910 { 0.0 } else { value + (state >> 58) as f64 };
            source.float(&labels, at * 15_000, value, 0);
        }
    }
    source
}

/// Processor time of this process, milliseconds.
fn processor_millis() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) * 10.0
}

fn main() {
    cost_of_queries();
    cost_of_rules_over_many_series();
}

fn cost_of_queries() {
    let source = source();
    let engine = Engine::default();
    for query in [
        "m_total",
        "sum(m_total)",
        "sum by(instance)(rate(m_total[5m]))",
        "rate(m_total[5m])",
        "quantile_over_time(0.95, m_total[1h])",
        "max_over_time(m_total[1h])",
        "avg_over_time(m_total[1h])",
        "sum_over_time(m_total[1h])",
        "stddev_over_time(m_total[1h])",
        "topk(5, m_total)",
        "quantile(0.9, m_total)",
        "m_total / on(device) group_left m_total",
        "m_total > bool 100",
        "sum by (job) (rate(m_total[5m])) / count by (job) (m_total)",
        "max_over_time(rate(m_total[5m])[30m:1m])",
        "label_replace(m_total, \"x\", \"$1\", \"device\", \"disk-(.*)\")",
    ] {
        let expr = parser::parse(query, parser::Options::ALL).expect("a query");
        let run = || {
            let outcome = engine.range(&source, &expr, (HOUR, 7 * HOUR, 60_000), &Run::default());
            outcome.expect("a result")
        };
        run();
        let (before, watch) = (processor_millis(), Stopwatch::start());
        let mut runs = 0.0;
        while watch.elapsed().as_millis() < 600 {
            run();
            runs += 1.0;
        }
        let wall = watch.elapsed().as_secs_f64() * 1000.0 / runs;
        let processor = (processor_millis() - before) / runs;
        println!("{processor:8.2} ms processor {wall:8.2} ms wall  {query}");
    }
}

fn cost_of_rules_over_many_series() {
    let mut source = MemorySource::new();
    for series in 0..100_000u32 {
        let (instance, pod) = (format!("node-{}", series % 500), format!("pod-{series}"));
        let labels = Labels::from_pairs(&[
            ("__name__", "m_total"),
            ("instance", instance.as_str()),
            ("pod", pod.as_str()),
            ("namespace", "shop"),
            ("job", "node"),
        ]);
        for at in 0..21 {
            source.float(&labels, at * 15_000, f64::from(series) * at as f64, 0);
        }
    }
    let engine = Engine::default();
    for query in [
        "sum(m_total)",
        "sum by (instance) (m_total)",
        "sum by (instance) (rate(m_total[5m]))",
        "sum without (pod) (rate(m_total[5m]))",
        "m_total > 1e12",
        "rate(m_total[5m]) > 1e12",
        "m_total / on (pod) m_total > 2",
        "topk(10, rate(m_total[5m]))",
        "count(m_total)",
    ] {
        let expr = parser::parse(query, parser::Options::ALL).expect("a query");
        let run = || engine.instant(&source, &expr, 300_000, &Run::default()).expect("a result");
        run();
        let (before, watch) = (processor_millis(), Stopwatch::start());
        let mut runs = 0.0;
        while watch.elapsed().as_millis() < 800 {
            run();
            runs += 1.0;
        }
        let processor = (processor_millis() - before) / runs;
        println!("{processor:8.2} ms processor  {query}");
    }
}
