//! Limits, cancellation and errors: kinds and texts are Prometheus's.

use std::time::Duration;

use model::metric::Labels;
use promql::control::{Cancel, Control, Limits};
use promql::engine::{Engine, QueryError, Run};
use promql::memory::MemorySource;
use promql::parser;
use promql::source::{Select, SeriesSet, SeriesSource, SourceError};
use stdx::memory::Budget;

fn source() -> MemorySource {
    let mut source = MemorySource::new();
    for series in 0..100 {
        let number = series.to_string();
        let labels = Labels::from_pairs(&[("__name__", "m"), ("i", number.as_str())]);
        for at in 0..100 {
            source.float(&labels, at * 10_000, 1.0, 0);
        }
    }
    source
}

fn range(source: &dyn SeriesSource, query: &str, run: &Run) -> Result<(), QueryError> {
    let expr = parser::parse(query, parser::Options::ALL).expect("a query");
    Engine::default().range(source, &expr, (0, 990_000, 10_000), run).map(drop)
}

fn check(query: &str, run: &Run, kind: &str, text: &str) {
    let error = range(&source(), query, run).expect_err(query);
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, text), "{query}");
}

#[test]
fn too_many_samples_stop_a_query() {
    let text = "query processing would load too many samples into memory in query execution";
    let limits = Limits { max_samples: 5_000, ..Limits::default() };
    let run = Run { limits, ..Run::default() };
    check("m", &run, "execution", text);
    check("sum(abs(m))", &run, "execution", text);
    check("max_over_time(m[1m:1s])", &run, "execution", text);
    range(&source(), "sum(m)", &run).expect("sums do not hold what they add");
}

#[test]
fn memory_of_a_query_and_of_all_is_limited() {
    let all = Budget::new("queries", 1 << 20);
    let limits = Limits { memory: all.child("query", 10_000), ..Limits::default() };
    let run = Run { limits, ..Run::default() };
    let error = range(&source(), "m", &run).expect_err("no memory");
    assert!(error.to_string().starts_with("query memory is full"), "{error}");
    let limits = Limits { memory: all.child("query", 1 << 30), ..Limits::default() };
    range(&source(), "m", &Run { limits, ..Run::default() }).expect("enough");
    assert_eq!(all.used_bytes(), 0);
}

#[test]
fn a_query_is_cancelled_or_times_out() {
    let cancel = Cancel::new();
    cancel.cancel();
    let run = Run { cancel, ..Run::default() };
    check("m", &run, "canceled", "query was canceled in expression evaluation");
    let limits = Limits { timeout: Duration::ZERO, ..Limits::default() };
    let run = Run { limits, ..Run::default() };
    check("m", &run, "timeout", "query timed out in expression evaluation");
}

#[test]
fn wrong_parameters_are_bad_data() {
    let expr = parser::parse("m[5m]", parser::Options::ALL).expect("a query");
    let engine = Engine::default();
    let error = engine.range(&source(), &expr, (0, 1, 1), &Run::default()).expect_err("a matrix");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            "bad_data",
            "invalid expression type \"range vector\" for range query, must be Scalar or instant \
             Vector"
        )
    );
    let expr = parser::parse("m", parser::Options::ALL).expect("a query");
    assert!(engine.range(&source(), &expr, (0, 1, 0), &Run::default()).is_err());
}

struct Broken;

impl SeriesSource for Broken {
    fn select(
        &self,
        _select: &Select,
        _control: &Control,
    ) -> Result<Box<dyn SeriesSet>, SourceError> {
        Err(SourceError::Failed("the disk is on fire".to_owned()))
    }
}

#[test]
fn a_broken_store_is_an_internal_error() {
    let error = range(&Broken, "sum(rate(m[5m]))", &Run::default()).expect_err("broken");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        ("internal", "expanding series: the disk is on fire")
    );
}

#[test]
fn samples_are_counted_for_each_step_as_in_prometheus() {
    let mut source = MemorySource::new();
    for name in ["one", "three"] {
        for series in ["a", "b", "c"].iter().take(if name == "one" { 1 } else { 3 }) {
            let labels = Labels::from_pairs(&[("__name__", name), ("s", series)]);
            for at in 0..100 {
                source.float(&labels, at * 10_000, 1.0, 0);
            }
        }
    }
    for (query, each) in [
        ("one", [1, 1, 1, 1]),
        ("three + three", [6, 6, 6, 6]),
        ("rate(one[60s])", [6, 6, 6, 6]),
        ("sum(rate(three[60s]))", [18, 18, 18, 18]),
        ("one @ 30", [1, 1, 1, 1]),
        ("rate(one[60s] @ 30)", [4, 4, 4, 4]),
        // What the subquery itself reads counts at the end.
        ("sum_over_time(one[20s:5s])", [4, 4, 4, 4 + 7]),
    ] {
        let expr = parser::parse(query, parser::Options::ALL).expect("a query");
        let run = Run { per_step: true, ..Run::default() };
        let outcome = Engine::default().range(&source, &expr, (201_000, 220_000, 5_000), &run);
        let stats = outcome.expect("a result").stats;
        let counts: Vec<u64> = stats.by_step.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, each, "{query}");
        assert_eq!(stats.total_samples, each.iter().sum::<u64>(), "{query}");
        assert_eq!(stats.by_step[0].0, 201_000);
    }
}
