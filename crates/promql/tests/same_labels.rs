//! Series of several metrics that have the same labels once their names are gone: they become one
//! where they do not meet, and are refused where they do, as Prometheus does since 3.13
//! (prometheus/prometheus#18631), within aggregations too.

use model::metric::Labels;
use promql::engine::{Engine, QueryError, Run, Value};
use promql::memory::MemorySource;
use promql::parser::{Options, parse};

const STEP: i64 = 15_000;

/// `a` and `b` have samples at the same times, `early` and `late` never.
fn source() -> MemorySource {
    let mut source = MemorySource::new();
    for (name, steps) in [("a", 0..120), ("b", 0..120), ("early", 0..40), ("late", 80..120)] {
        let labels = Labels::from_pairs(&[("__name__", name), ("job", "x")]);
        for step in steps {
            source.float(&labels, i64::from(step) * STEP, f64::from(step), 0);
        }
    }
    source
}

/// How many series a query has, over all steps and at the last.
fn ask(query: &str) -> [Result<usize, QueryError>; 2] {
    let expr = parse(query, Options::ALL).expect("a query");
    let (engine, source, run) = (Engine::default(), source(), Run::default());
    let count = |value: Value| match value {
        Value::Matrix(series) | Value::Vector(series) => series.len(),
        Value::Scalar(..) | Value::String(..) => 1,
    };
    let end = 119 * STEP;
    let range = engine.range(&source, &expr, (0, end, STEP), &run);
    let instant = engine.instant(&source, &expr, end, &run);
    [range, instant].map(|outcome| outcome.map(|outcome| count(outcome.value)))
}

#[test]
fn series_that_meet_are_refused() {
    for query in [
        "rate({__name__=~'a|b'}[5m])",
        "sum by (job) (rate({__name__=~'a|b'}[5m]))",
        "sum(rate({__name__=~'a|b'}[5m:15s]))",
        "quantile(0.5, max_over_time({__name__=~'a|b'}[5m]))",
        "topk(1, rate({__name__=~'a|b'}[5m]))",
        "count_values('v', rate({__name__=~'a|b'}[5m]))",
        "sum(abs({__name__=~'a|b'}))",
        "sum(-{__name__=~'a|b'})",
        "avg({__name__=~'a|b'} * 2)",
        "count(timestamp({__name__=~'a|b'}))",
    ] {
        for outcome in ask(query) {
            let error = outcome.expect_err(query).to_string();
            assert_eq!(error, "vector cannot contain metrics with the same labelset", "{query}");
        }
    }
}

#[test]
fn series_that_do_not_meet_become_one() {
    for query in [
        "rate({__name__=~'early|late'}[5m])",
        "sum by (job) (rate({__name__=~'early|late'}[5m]))",
        "count(max_over_time({__name__=~'early|late'}[5m]))",
    ] {
        for outcome in ask(query) {
            assert_eq!(outcome.expect(query), 1, "{query}");
        }
    }
}

#[test]
fn names_that_stay_and_absence_tell_them_apart() {
    for (query, series) in [
        ("last_over_time({__name__=~'a|b'}[5m])", 2),
        ("count by (__name__) (last_over_time({__name__=~'a|b'}[5m]))", 2),
        ("sum({__name__=~'a|b'})", 1),
        ("absent_over_time({__name__=~'a|b'}[5m])", 0),
        ("absent_over_time({__name__=~'missing', job='x'}[5m])", 1),
    ] {
        for outcome in ask(query) {
            assert_eq!(outcome.expect(query), series, "{query}");
        }
    }
}
