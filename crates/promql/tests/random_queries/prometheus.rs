//! Random queries give the same results as Prometheus's own engine, to 1e-10, where `promtool` is
//! installed. Its rule unit tests evaluate any expression without a server; asked to expect
//! nothing, it prints what it got.
//!
//! Left out is what has changed since the oldest Prometheus in use (2.42): samples exactly at the
//! start of a range, extrapolation near zero, deviations of NaN and infinities; what no two engines need to
//! agree on: which of equals `topk` takes, the date of NaN, the last digit of a label's value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use model::metric::{Labels, stale_nan};
use promql::engine::{Engine, Run, Value};
use promql::memory::MemorySource;
use promql::parser;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::grammar::{RANGE_FUNCTIONS, Words};

const QUERIES: usize = 1500;
const STEP: i64 = 15_000;
/// Off all multiples of the step, as are the widths of all ranges.
const TIMES: [i64; 3] = [607_000, 1_207_000, 97_000];

fn selector() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["m", "n_total", "m{i=\"1\"}", "m{i!=\"2\"}", "nothing", "s"]);
    let suffix = prop::sample::select(vec!["", "", "", " offset 1m", " @ 67"]);
    (name, suffix).prop_map(|(name, suffix)| format!("{name}{suffix}"))
}

fn matrix() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["m", "n_total", "s", "m{i=\"1\"}"]);
    let range = prop::sample::select(vec!["31s", "64s", "98s", "302s", "908s"]);
    let suffix = prop::sample::select(vec!["", "", " offset 30s", " @ 67"]);
    (name, range, suffix, any::<bool>()).prop_map(|(name, range, suffix, subquery)| {
        let step = if subquery { ":30s" } else { "" };
        format!("{name}[{range}{step}]{suffix}")
    })
}

const WORDS: Words = Words {
    scalars: &["0", "1", "-1", "0.3", "time()", "scalar(m{i=\"1\"})", "2"],
    functions: &["abs", "ceil", "sgn", "sqrt", "absent", "timestamp", "-", "floor", "round"],
    operators: &[],
};

fn leaf() -> impl Strategy<Value = String> {
    let counted = prop::sample::select(vec!["rate", "increase"]);
    let range = prop::sample::select(vec!["64s", "302s", "908s"]);
    prop_oneof![
        4 => selector(),
        4 => (prop::sample::select(&RANGE_FUNCTIONS[..]), matrix())
            .prop_map(|(function, range)| format!("{function}({range})")),
        2 => (counted, range).prop_map(|(function, range)| format!("{function}(n_total[{range}])")),
        1 => (prop::sample::select(vec!["0", "0.3", "1"]), matrix())
            .prop_map(|(q, range)| format!("quantile_over_time({q}, {range})")),
        1 => prop::sample::select(vec!["m[98s]", "s[302s:30s]", "n_total[64s] offset 30s"])
            .prop_map(|range| format!("predict_linear({range}, 60)")),
        1 => WORDS.scalar().prop_map(|value| format!("vector({value})")),
        1 => prop::sample::select(vec!["topk(2, m)", "bottomk by (j) (1, n_total)", "topk(3, s)"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["hour", "minute", "day_of_week", "days_in_month", "year"])
            .prop_map(|function| format!("{function}(m{{i=\"1\"}} * 1e6)")),
    ]
}

fn vector() -> impl Strategy<Value = String> {
    WORDS.vector(leaf(), (3, 16), |inner| {
        prop_oneof![
            inner.clone().prop_map(|arg| format!("count_values(\"v\", round({arg}))")),
            inner.prop_map(|arg| format!("quantile by (j) (0.4, {arg})")),
        ]
        .boxed()
    })
}

/// Series: labels as a selector, and values.
fn series() -> Vec<(String, Labels, Vec<Option<f64>>)> {
    let mut all = Vec::new();
    let mut state = 7u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 20)
    };
    for name in ["m", "n_total", "s"] {
        for (i, j) in [("1", "x"), ("2", "x"), ("3", "y"), ("4", "y")] {
            let mut counter = 1e6;
            let values = (0..90)
                .map(|at| {
                    let value = random();
                    counter = if at == 50 { 5e5 } else { counter + value };
                    match name {
                        "n_total" => Some(counter),
                        "s" if at % 17 == 3 => Some(stale_nan()),
                        "s" if at % 7 == 2 => None,
                        "m" if at == 33 && i == "3" => Some(f64::NAN),
                        _ => Some(value / 8.0 - 200.0),
                    }
                })
                .collect();
            let labels = Labels::from_pairs(&[("__name__", name), ("i", i), ("j", j)]);
            all.push((format!("{name}{{i=\"{i}\",j=\"{j}\"}}"), labels, values));
        }
    }
    all
}

fn unit_test(queries: &[String]) -> String {
    let mut text = "evaluation_interval: 1m\ntests:\n- interval: 15s\n  input_series:\n".to_owned();
    for (selector, _, values) in series() {
        let values: Vec<String> = values
            .into_iter()
            .map(|value| match value {
                None => "_".to_owned(),
                Some(value) if value.to_bits() == stale_nan().to_bits() => "stale".to_owned(),
                Some(value) if value.is_infinite() => "Inf".to_owned(),
                Some(value) => format!("{value}"),
            })
            .collect();
        let _written =
            writeln!(text, "  - series: '{selector}'\n    values: '{}'", values.join(" "));
    }
    text.push_str("  promql_expr_test:\n");
    for query in queries {
        let quoted = query.replace('\'', "''");
        for time in TIMES {
            let _written = writeln!(text, "  - expr: '{quoted}'\n    eval_time: {}s", time / 1000);
        }
    }
    text
}

type Samples = BTreeMap<String, f64>;

/// What promtool printed for each query and time: samples, or that it failed.
fn printed(output: &str) -> BTreeMap<(String, String), Option<Samples>> {
    let sample = regex::Regex::new(r"(\{[^}]*\}) ([^, ]+)").expect("a regex");
    let head =
        regex::Regex::new(r#"expr: ("(?:[^"\\]|\\.)*"), time: ([^,]+),(.*)"#).expect("a regex");
    let mut found = BTreeMap::new();
    let mut last = None;
    for line in output.lines() {
        if let Some(parts) = head.captures(line) {
            let query = parts[1].trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\");
            let key = (query, parts[2].to_owned());
            if parts[3].contains("err:") {
                found.insert(key.clone(), None);
            }
            last = Some(key);
        } else if let (Some(got), Some(key)) = (line.trim().strip_prefix("got:"), &last) {
            let samples = sample
                .captures_iter(got)
                .map(|parts| (parts[1].to_owned(), parts[2].parse().expect("a number")));
            found.insert(key.clone(), Some(samples.collect()));
        }
    }
    found
}

fn close(one: f64, other: f64) -> bool {
    let both_nan = one.is_nan() && other.is_nan();
    both_nan || one.to_bits() == other.to_bits() || {
        let scale = one.abs().max(other.abs()).max(1e-3);
        (one - other).abs() <= 1e-10 * scale
            || (one.is_infinite() && one.signum() == other.signum() && other.is_infinite())
    }
}

#[test]
fn random_queries_give_what_prometheus_gives() {
    let directory = std::env::temp_dir().join(format!("promql-against-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut runner = TestRunner::deterministic();
    let queries: Vec<String> = (0..QUERIES)
        .map(|_| vector().new_tree(&mut runner).expect("a query").current())
        .filter(|query| parser::parse(query, parser::Options::default()).is_ok())
        .collect();
    let file = directory.join("test.yml");
    std::fs::write(&file, unit_test(&queries)).expect("written");
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let Ok(output) = output else {
        eprintln!("left out: promtool is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let _removed = std::fs::remove_dir_all(&directory);
    let theirs = printed(&text);
    assert!(theirs.len() > queries.len(), "{}", text.chars().take(2000).collect::<String>());

    let mut source = MemorySource::new();
    for (_, labels, values) in series() {
        for (at, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                source.float(&labels, i64::try_from(at).expect("few") * STEP, value, 0);
            }
        }
    }
    let engine = Engine::default();
    let (mut same, mut different) = (0, Vec::new());
    for query in &queries {
        let expr = parser::parse(query, parser::Options::default()).expect("it parsed before");
        for time in TIMES {
            let key = (query.clone(), promql::duration::format_duration(time));
            let empty = Some(Samples::new());
            let expected = theirs.get(&key).unwrap_or(&empty);
            let ours = engine.instant(&source, &expr, time, &Run::default());
            let ours = ours.ok().map(|outcome| match outcome.value {
                Value::Vector(vector) => vector
                    .into_iter()
                    .map(|one| (one.labels.to_string(), one.floats[0].1))
                    .collect::<Samples>(),
                _ => Samples::new(),
            });
            let equal = match (&ours, expected) {
                (None, None) => true,
                (Some(ours), Some(theirs)) => {
                    ours.len() == theirs.len()
                        && ours.iter().zip(theirs).all(|(a, b)| a.0 == b.0 && close(*a.1, *b.1))
                }
                _ => false,
            };
            if equal {
                same += 1;
            } else {
                different
                    .push(format!("{query} at {time}\n  ours   {ours:?}\n  theirs {expected:?}"));
            }
        }
    }
    eprintln!("{same} results are the same, {} are not", different.len());
    assert!(different.is_empty(), "{}", different[..different.len().min(25)].join("\n"));
}
