//! Random queries over random data: nothing panics, and an instant query says what a range query
//! says at that step.

use model::metric::{Histogram, Labels, Span, stale_nan};
use promql::engine::{Engine, Options, Run, Series, Value};
use promql::memory::MemorySource;
use promql::parser;
use proptest::prelude::*;

use crate::grammar::{RANGE_FUNCTIONS, Words};

const RANGES: &[&str] = &["1m", "90s", "5m", "1h"];

#[test]
fn most_random_queries_are_queries() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let source = data(&[3, 7, 11, 40, 22, 90, 13, 54, 77, 5]);
    let (mut parsed, mut found) = (0, 0);
    for _ in 0..500 {
        let query = vector().new_tree(&mut runner).expect("a query").current();
        let Ok(expr) = parser::parse(&query, parser::Options::ALL) else { continue };
        parsed += 1;
        let outcome = Engine::default().instant(&source, &expr, 300_000, &Run::default());
        if let Ok(Value::Vector(vector)) = outcome.map(|outcome| outcome.value) {
            found += usize::from(!vector.is_empty());
        }
    }
    assert!(parsed > 450 && found > 150, "{parsed} parsed, {found} with results");
}

fn selector() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "m",
        "n_total",
        "h",
        "b_bucket",
        "{__name__=~\"m|h\"}",
        "m{i=\"1\"}",
        "nothing",
        "mixed",
    ]);
    let suffix =
        prop::sample::select(vec!["", "", "", " offset 1m", " offset -1m", " @ 300", " @ end()"]);
    (name, suffix).prop_map(|(name, suffix)| format!("{name}{suffix}"))
}

fn matrix() -> impl Strategy<Value = String> {
    let range = prop::sample::select(RANGES.to_vec());
    let name = prop::sample::select(vec!["m", "n_total", "h", "mixed", "{__name__=~\"m|h\"}"]);
    let suffix = prop::sample::select(vec!["", "", " offset 30s", " @ 300"]);
    (name, range, suffix, any::<bool>()).prop_map(|(name, range, suffix, subquery)| {
        if subquery {
            format!("{name}[{range}:30s]{suffix}")
        } else {
            format!("{name}[{range}]{suffix}")
        }
    })
}

const MORE_RANGE_FUNCTIONS: [&str; 6] = [
    "rate",
    "increase",
    "first_over_time",
    "mad_over_time",
    "ts_of_max_over_time",
    "ts_of_last_over_time",
];

const WORDS: Words = Words {
    scalars: &[
        "0",
        "1",
        "-1",
        "0.5",
        "NaN",
        "Inf",
        "-Inf",
        "time()",
        "scalar(m{i=\"1\"})",
        "1e300",
        "2",
    ],
    functions: &[
        "abs",
        "ceil",
        "exp",
        "ln",
        "sgn",
        "sqrt",
        "hour",
        "days_in_month",
        "absent",
        "timestamp",
        "histogram_count",
        "histogram_sum",
        "histogram_avg",
        "histogram_stddev",
        "-",
        "round",
    ],
    operators: &["^", "<=", "atan2", "</", ">/", "+ fill(1)", "> on(i) fill_left(0)"],
};

fn leaf() -> impl Strategy<Value = String> {
    let functions = [&RANGE_FUNCTIONS[..], &MORE_RANGE_FUNCTIONS].concat();
    prop_oneof![
        4 => selector(),
        4 => (prop::sample::select(functions), matrix())
            .prop_map(|(function, range)| format!("{function}({range})")),
        1 => (WORDS.scalar(), matrix())
            .prop_map(|(q, range)| format!("quantile_over_time({q}, {range})")),
        1 => (matrix(), WORDS.scalar())
            .prop_map(|(range, t)| format!("predict_linear({range}, {t})")),
        1 => WORDS.scalar().prop_map(|value| format!("vector({value})")),
    ]
}

fn vector() -> impl Strategy<Value = String> {
    let chosen = &["topk", "bottomk", "limitk", "quantile", "limit_ratio"][..];
    WORDS.vector(leaf(), (4, 24), move |inner| {
        prop_oneof![
            (inner.clone(), WORDS.scalar())
                .prop_map(|(left, right)| format!("({left}) </ {right}")),
            (prop::sample::select(chosen), WORDS.scalar(), inner.clone())
                .prop_map(|(aggregation, param, arg)| format!("{aggregation}({param}, {arg})")),
            (WORDS.scalar(), inner.clone())
                .prop_map(|(q, arg)| format!("histogram_quantile({q}, {arg})")),
            inner.clone().prop_map(|arg| format!("histogram_fraction(0, 1, {arg})")),
            inner.clone().prop_map(|arg| format!("count_values(\"v\", {arg})")),
            inner.clone().prop_map(|arg| format!("sort_by_label({arg}, \"i\")")),
            inner.prop_map(|arg| format!("vector(scalar({arg}))")),
        ]
        .boxed()
    })
}

fn histogram(seed: u8, scale: f64) -> Histogram {
    let custom = seed.is_multiple_of(5);
    let counts: Vec<f64> =
        (0..4u8).map(|at| f64::from(seed.wrapping_mul(at + 3) % 7) * scale).collect();
    let count = counts.iter().sum();
    Histogram {
        schema: if custom { Histogram::CUSTOM_BUCKETS_SCHEMA } else { i32::from(seed % 4) - 1 },
        count,
        sum: if seed.is_multiple_of(31) { f64::NAN } else { count * 1.5 },
        positive_spans: vec![
            Span { offset: if custom { 0 } else { i32::from(seed % 3) - 1 }, length: 2 },
            Span { offset: i32::from(seed % 2), length: 2 },
        ],
        positive_buckets: counts,
        custom_values: if custom {
            vec![1.0, 2.0, 4.0, 8.0, f64::from(seed) + 10.0]
        } else {
            Vec::new()
        },
        ..Histogram::default()
    }
}

fn data(seeds: &[u8]) -> MemorySource {
    let mut source = MemorySource::new();
    let special = [f64::NAN, f64::INFINITY, -1.0, 1e308, stale_nan(), 0.0];
    for (at, &seed) in seeds.iter().enumerate() {
        let time = i64::try_from(at).expect("few") * 30_000 + i64::from(seed % 3) * 7;
        let value = match seed % 23 {
            0 => special[usize::from(seed) / 23 % special.len()],
            _ => f64::from(seed),
        };
        for i in ["1", "2", "3"] {
            let labels =
                |name: &str| Labels::from_pairs(&[("__name__", name), ("i", i), ("j", "x")]);
            if seed % 11 == 1 && i == "2" {
                continue;
            }
            source.float(&labels("m"), time, value, 0);
            source.float(
                &labels("n_total"),
                time,
                f64::from(u16::from(seed) + 40 * u16::try_from(at).expect("few")),
                time - 500,
            );
            source.histogram(&labels("h"), time, histogram(seed, 1.0), 0);
            if seed.is_multiple_of(2) {
                source.float(&labels("mixed"), time, value, 0);
            } else {
                source.histogram(&labels("mixed"), time, histogram(seed, 2.0), 0);
            }
            for le in ["1", "2", "+Inf"] {
                let labels = Labels::from_pairs(&[("__name__", "b_bucket"), ("i", i), ("le", le)]);
                source.float(&labels, time, f64::from(seed), 0);
            }
        }
    }
    source
}

/// The same without its name.
fn nameless(series: &Series) -> Series {
    let labels = series.labels.iter().filter(|(name, _)| *name != "__name__");
    Series { labels: Labels::from_pairs(&labels.collect::<Vec<_>>()), ..series.clone() }
}

fn bits(series: &Series) -> (String, Vec<(i64, u64)>, Vec<String>) {
    let float = |value: f64| if value.is_nan() { 1 } else { value.to_bits() };
    (
        series.labels.to_string(),
        series.floats.iter().map(|&(time, value)| (time, float(value))).collect(),
        series.histograms.iter().map(|(time, one)| format!("{time} {one:?}")).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instant_and_range_agree(query in vector(), seeds in prop::collection::vec(any::<u8>(), 1..24), delayed: bool) {
        let Ok(expr) = parser::parse(&query, parser::Options::ALL) else { return Ok(()) };
        let source = data(&seeds);
        let options = Options { delayed_name_removal: delayed, use_start_timestamps: true, ..Options::default() };
        let engine = Engine::new(options);
        let run = Run::default();
        // Where names go last, a series that `or` takes now from one side and now from the other keeps
        // its name or loses it for all steps, in the original too: as at the step that it is first seen.
        let mixed = delayed && query.contains(" or ");
        let bits = |series: &Series| if mixed { bits(&nameless(series)) } else { bits(series) };
        let whole = engine.range(&source, &expr, (0, 900_000, 37_000), &run);
        if let (Ok(whole), false) = (whole, query.contains("end()")) {
            let time = i64::from(seeds[0] % 25) * 37_000;
            let Value::Matrix(mut matrix) = whole.value else {
                return Err(TestCaseError::fail("no matrix"));
            };
            for series in &mut matrix {
                series.floats.retain(|sample| sample.0 == time);
                series.histograms.retain(|sample| sample.0 == time);
            }
            matrix.retain(|series| !series.floats.is_empty() || !series.histograms.is_empty());
            let instant = engine.instant(&source, &expr, time, &run);
            let instant = instant.map_err(|error| TestCaseError::fail(format!("{query}: {error}")))?;
            let Value::Vector(vector) = &instant.value else {
                return Err(TestCaseError::fail("no vector"));
            };
            let mut one: Vec<_> = vector.iter().map(bits).collect();
            let mut other: Vec<_> = matrix.iter().map(bits).collect();
            one.sort();
            other.sort();
            prop_assert_eq!(one, other, "{} at {}", query, time);
        }
        let instant = engine.instant(&source, &expr, 300_000, &run);
        let range = engine.range(&source, &expr, (300_000, 300_000, 1_000), &run);
        match (instant, range) {
            (Ok(instant), Ok(range)) => {
                let (Value::Vector(vector), Value::Matrix(matrix)) = (&instant.value, &range.value) else {
                    return Err(TestCaseError::fail("no vector"));
                };
                let mut one: Vec<_> = vector.iter().map(bits).collect();
                let mut other: Vec<_> = matrix.iter().map(bits).collect();
                one.sort();
                other.sort();
                prop_assert_eq!(one, other, "{}", query);
            }
            (Err(one), Err(other)) => prop_assert_eq!(one, other),
            (one, other) => prop_assert!(false, "{}: {:?} {:?}", query, one.err(), other.err()),
        }
    }
}
