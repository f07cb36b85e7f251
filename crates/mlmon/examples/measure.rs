//! What the detectors cost: `cargo run --release -p mlmon --example measure`. Prints a line for each
//! row of the table in `bench/RESULTS.md`, with the argument `vectors` those of embeddings; processor time and peak memory are Linux's own counts.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Float64Array};
use arrow_schema::{DataType, Field};
use mlmon::compare::{Baseline, Column, Options};
use mlmon::detector;
use mlmon::embedding;
use mlmon::estimate::cbpe::Cbpe;
use mlmon::estimate::dle::{Dle, Metric};
use mlmon::gbdt::Feature;
use mlmon::performance::binary;
use mlmon::profile::{Edges, Profile};
use mlmon::stat::random::Random;
use stdx::clock::Stopwatch;

fn main() {
    println!("{:<58}{:>9}{:>9}{:>9}", "", "wall s", "CPU s", "peak MB");
    // Alone: the memory of a process never goes down again.
    if std::env::args().nth(1).is_some_and(|only| only == "vectors") {
        vectors();
        return;
    }
    counters();
    let (reference, current) = (table(1, 200_000, 20, 0.0), table(2, 200_000, 20, 0.1));
    let psi = || run(&reference, &current, Options::default());
    measure("200,000 × 20 twice, PSI", psi);
    let all: Vec<_> =
        detector::ALL.iter().copied().filter(|d| !d.name.ends_with("_joint")).collect();
    let options = || Options { detectors: all.clone(), ..Options::default() };
    measure("200,000 × 20 twice, every univariate detector", || {
        run(&reference, &current, options())
    });
    drop((reference, current));
    performance();
    estimates();
    let (reference, current) = (table(3, 1_000_000, 50, 0.0), table(4, 1_000_000, 50, 0.1));
    measure("1,000,000 × 50 twice, defaults", || run(&reference, &current, Options::default()));
}

fn vectors() {
    let (reference, current) = (cloud(7, 0.0), cloud(8, 0.1));
    println!("{:<76}{:>9.0}", "the vectors", peak_megabytes());
    for one in embedding::ALL {
        let options = Options { embeddings: vec![one], ..Options::default() };
        let what = format!("100,000 × 384 twice, {}", one.name);
        measure(&what, || run(&reference, &current, options));
    }
}

fn cloud(seed: u64, shift: f64) -> Vec<Column> {
    const WIDTH: usize = 384;
    let mut random = Random::new(seed);
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are of 32 bits")]
    let values: Vec<f32> = (0..100_000 * WIDTH).map(|_| (random.normal() + shift) as f32).collect();
    let values = Float32Array::from(values);
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let vectors = FixedSizeListArray::new(item, 384, Arc::new(values), None);
    vec![Column { name: "vector".to_owned(), arrays: vec![Arc::new(vectors)] }]
}

fn run(reference: &[Column], current: &[Column], options: Options) -> usize {
    Baseline::fit(reference, options).compare(current).drifted
}

fn table(seed: u64, rows: usize, columns: usize, shift: f64) -> Vec<Column> {
    let mut random = Random::new(seed);
    (0..columns)
        .map(|place| {
            let values: Vec<f64> = (0..rows)
                .map(|_| match place % 4 {
                    0 => random.normal() + shift,
                    1 => (random.normal() + shift).powi(3),
                    2 => (random.normal() + shift).exp(),
                    _ => random.unit() + shift / 10.0,
                })
                .collect();
            let array: ArrayRef = Arc::new(Float64Array::from(values));
            Column { name: format!("c{place}"), arrays: vec![array] }
        })
        .collect()
}

fn counters() {
    let mut random = Random::new(9);
    let values: Vec<f64> = (0..4_000_000).map(|_| random.normal()).collect();
    let cuts: Vec<f64> = (-4..5).map(|cut| f64::from(cut) / 3.0).collect();
    let edges = Arc::new(Edges::from_cuts(cuts));
    let mut plain = Profile::new(Arc::clone(&edges));
    let spent = measure("4,000,000 values into counters", || plain.add_numbers(&values));
    println!("    {:.1} ns of processor time a value", spent * 1e9 / 4e6);
    let mut sketched = Profile::new(edges).with_sketches();
    let spent =
        measure("4,000,000 values into counters and sketches", || sketched.add_numbers(&values));
    println!("    {:.1} ns of processor time a value", spent * 1e9 / 4e6);
}

fn performance() {
    let mut random = Random::new(5);
    let scores: Vec<f64> = (0..10_000_000).map(|_| random.unit()).collect();
    let labels: Vec<bool> = scores.iter().map(|score| random.unit() < *score).collect();
    let all = || binary::scored(&labels, &scores).map(|scored| scored.auroc);
    measure("AUROC, average precision, calibration of 10,000,000 rows", all);
}

fn estimates() {
    let mut random = Random::new(6);
    let scores: Vec<f64> = (0..50_000).map(|_| (random.unit() * 100.0).round() / 100.0).collect();
    let labels: Vec<bool> = scores.iter().map(|score| random.unit() < *score).collect();
    let decisions: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
    measure("CBPE, 50,000 rows learned and 50,000 estimated", || {
        Cbpe::fit(&scores, &decisions, &labels).map(|cbpe| {
            for chunk in 0..10 {
                let rows = chunk * 5000..(chunk + 1) * 5000;
                drop(cbpe.estimate(&scores[rows.clone()], &decisions[rows]));
            }
        })
    });
    let rows = 60_000;
    let features: Vec<Feature> =
        (0..7).map(|_| Feature::Numbers((0..rows).map(|_| random.normal()).collect())).collect();
    let predictions: Vec<f64> = (0..rows).map(|_| random.normal() * 100.0 + 500.0).collect();
    let labels: Vec<f64> =
        predictions.iter().map(|prediction| prediction + random.normal() * 50.0).collect();
    let metrics = [Metric::Mae, Metric::Rmse];
    measure("DLE, 60,000 rows learned and 60,000 estimated, 2 metrics", || {
        Dle::fit(&features, &predictions, &labels, &metrics)
            .and_then(|dle| dle.estimate(&features, &predictions))
            .map(|estimates| estimates.len())
    });
}

/// Runs and prints; returns the processor time.
fn measure<T>(name: &str, work: impl FnOnce() -> T) -> f64 {
    let (before, watch) = (processor_seconds(), Stopwatch::start());
    std::hint::black_box(work());
    let spent = processor_seconds() - before;
    let wall = watch.elapsed().as_secs_f64();
    println!("{name:<58}{wall:>9.3}{spent:>9.3}{:>9.0}", peak_megabytes());
    spent
}

/// Of all threads, from the scheduler's own nanosecond count.
fn processor_seconds() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| -> Option<f64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.filter_map(of_task).sum::<f64>() / 1e9
}

fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
