mod bench;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::metric::Labels;
use stdx::clock::Clock;

use self::bench::{Memory, Store};
use crate::group::Group;
use crate::rule_file::{RuleKind, Strictness, check_file, parse};
use crate::*;

fn groups(text: &str) -> Vec<Group> {
    let store = Store::new(60_000);
    let read = parse(text, &store, Strictness::default()).expect(text);
    let minute = Duration::from_secs(60);
    let group = |group| Group::new(PathBuf::from("r.yml"), group, minute, Duration::ZERO);
    read.into_iter().map(group).collect()
}

fn metric(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let mut all = vec![("__name__", name)];
    all.extend(pairs);
    Labels::from_pairs(&all)
}

async fn evaluate(group: &mut Group, store: &Store, time: i64) {
    let clock = Clock::manual(time * 1_000_000);
    let surroundings = Surroundings::default();
    group.evaluate(time, &clock, store, store, &surroundings).await.expect("evaluates");
}

#[test]
fn rule_files_are_read_as_prometheus_reads_them() {
    let store = Store::new(60_000);
    let text = "
groups:
- name: g
  interval: 30s
  query_offset: 1m
  limit: 5
  labels: {team: a, x: group}
  rules:
  - record: r
    expr: sum by(job)(  up )
    labels: {x: own}
  - alert: A
    expr: up == 0
    for: 5m
    keep_firing_for: 1m
    annotations: {summary: 'down {{ $labels.job }}'}
";
    let groups = parse(text, &store, Strictness::default()).expect("reads");
    let group = &groups[0];
    assert_eq!(group.interval, Some(Duration::from_secs(30)));
    assert_eq!((group.limit, group.query_offset), (5, Some(Duration::from_secs(60))));
    assert_eq!(group.rules[0].expr, "sum by (job) (up)");
    let labels = [("team", "a"), ("x", "own")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(group.rules[0].labels, BTreeMap::from(labels));
    assert_eq!(
        (group.rules[1].kind, group.rules[1].hold),
        (RuleKind::Alert, Duration::from_secs(300))
    );
}

#[test]
fn mistakes_in_rule_files_have_promtools_words() {
    let store = Store::new(60_000);
    let rule = |rule: &str| format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
    for (text, expect) in [
        (
            rule("{record: r, expr: 'test +'}"),
            "4:23: group \"g\", rule 1, \"r\": could not parse expression: 1:7: parse error: unexpected end of input",
        ),
        (rule("{record: r, alert: a, expr: up}"), "only one of 'record' and 'alert' must be set"),
        (rule("{expr: up}"), "one of 'record' or 'alert' must be set"),
        (rule("{record: r}"), "field 'expr' must be set in rule"),
        (rule("{record: r, expr: up, for: 5m}"), "invalid field 'for' in recording rule"),
        (
            rule("{record: 'r{x}', expr: up}"),
            "braces present in the recording rule name; should it be in expr?: r{x}",
        ),
        (rule("{record: r, expr: up, labels: {__name__: x}}"), "invalid label name: __name__"),
        (
            rule("{alert: a, expr: up, for: x}"),
            "yaml: unmarshal errors:\n  line 4: not a valid duration string: \"x\"",
        ),
        (
            rule("{alert: a, expr: up, annotations: {s: '{{ $x }}'}}"),
            "annotation \"s\": template: __alert_a:1: undefined variable \"$x\"",
        ),
        (
            "groups:\n- name: g\n- name: g\n".to_owned(),
            "3:3: groupname: \"g\" is repeated in the same file",
        ),
        ("groups:\n- rules: []\n".to_owned(), "2:3: Groupname must not be empty"),
        (
            "groups:\n- name: g\n  x: 1\n".to_owned(),
            "line 3: field x not found in type rulefmt.RuleGroup",
        ),
    ] {
        let errors = parse(&text, &store, Strictness::default()).expect_err(&text).join("\n");
        assert!(errors.contains(expect), "{text}\n{errors}\n{expect}");
    }
}

#[tokio::test]
async fn a_recording_rule_writes_series_and_ends_them() {
    let store = Store::new(60_000);
    let mut group =
        groups("groups: [{name: g, rules: [{record: r, expr: x > 1, labels: {l: v, job: ''}}]}]")
            .remove(0);
    store.float(&metric("x", &[("a", "1"), ("job", "j")]), 0, 5.0);
    store.float(&metric("x", &[("a", "2")]), 0, 7.0);
    evaluate(&mut group, &store, 0).await;
    assert_eq!(
        store.show("r", 0).await,
        r#"{__name__="r", a="1", l="v"} 5; {__name__="r", a="2", l="v"} 7"#
    );
    store.float(&metric("x", &[("a", "2")]), 60_000, 0.0);
    evaluate(&mut group, &store, 60_000).await;
    assert_eq!(store.show("r", 60_000).await, r#"{__name__="r", a="1", l="v"} 5"#);
    group.end(90_000, &store).await;
    assert_eq!(store.show("r", 90_000).await, "");
}

#[tokio::test]
async fn limits_and_collisions_fail_a_rule() {
    let store = Store::new(60_000);
    let text = "groups: [{name: g, limit: 1, rules: [{record: r, expr: x}, {record: s, expr: x, labels: {a: same}}, {alert: A, expr: x}]}]";
    let mut group = groups(text).remove(0);
    store.float(&metric("x", &[("a", "1")]), 0, 5.0);
    store.float(&metric("x", &[("a", "2")]), 0, 7.0);
    evaluate(&mut group, &store, 0).await;
    let errors: Vec<String> = group.rules.iter().map(|rule| rule.last_error.clone()).collect();
    assert_eq!(
        errors,
        [
            "exceeded limit of 1 with 2 series",
            "vector contains metrics with the same labelset after applying rule labels",
            "exceeded limit of 1 with 2 alerts",
        ]
    );
}

const ALERT: &str = "groups: [{name: g, rules: [{alert: A, expr: x > 0, for: 20m, keep_firing_for: 2m, labels: {s: 'p{{ $value }}'}, annotations: {t: '{{ $labels.a }} {{ query \"x\" | first | value }}'}}]}]";

#[tokio::test]
async fn an_alert_waits_fires_fires_on_and_is_over() {
    let store = Store::new(60_000);
    let mut group = groups(ALERT).remove(0);
    group.rules[0].restored = true;
    let x = metric("x", &[("a", "1")]);
    let mut states = Vec::new();
    for minute in 0..27 {
        let time = minute * 60_000;
        store.float(&x, time, if minute <= 22 { 3.0 } else { 0.0 });
        evaluate(&mut group, &store, time).await;
        states.push(group.state().rules[0].state);
    }
    let at = |minute: usize| states[minute];
    assert_eq!((at(0), at(19), at(20)), (State::Pending, State::Pending, State::Firing));
    assert_eq!((at(23), at(24), at(25)), (State::Firing, State::Firing, State::Inactive));
    assert_eq!(
        store.show("ALERTS", 20 * 60_000).await,
        r#"{__name__="ALERTS", a="1", alertname="A", alertstate="firing", s="p3"} 1"#
    );
    assert_eq!(
        store.show("ALERTS_FOR_STATE", 20 * 60_000).await,
        r#"{__name__="ALERTS_FOR_STATE", a="1", alertname="A", s="p3"} 0"#
    );
    assert_eq!(store.show("ALERTS", 26 * 60_000).await, "");
}

#[tokio::test]
async fn waiting_goes_on_after_a_restart() {
    let store = Store::new(60_000);
    let x = metric("x", &[("a", "1")]);
    let mut before = groups(ALERT).remove(0);
    before.rules[0].restored = true;
    for minute in 0..=5 {
        store.float(&x, minute * 60_000, 3.0);
        evaluate(&mut before, &store, minute * 60_000).await;
    }
    let mut after = groups(ALERT).remove(0);
    let now = 8 * 60_000;
    store.float(&x, now, 3.0);
    evaluate(&mut after, &store, now).await;
    let (tolerance, grace) = (Duration::from_secs(3_600), Duration::from_secs(600));
    after.rules[0].restore(now, tolerance, grace, &store).await.expect("restores");
    let alert = &after.state().rules[0].alerts[0];
    // Five of twenty minutes were waited; the outage does not count.
    assert_eq!(alert.active_at, 3 * 60_000);
    assert_eq!(alert.annotations["t"], "1 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_evaluates_on_time_and_reloads() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("r.yml");
    let write = |text: &str| std::fs::write(&path, text).expect("writes");
    write("groups: [{name: g, interval: 20ms, rules: [{record: r, expr: vector(1)}]}]");
    let store = Arc::new(Store::new(60_000));
    let clock = Clock::system();
    let rules = Rules {
        files: vec![path.clone()],
        interval: Duration::from_secs(60),
        query_offset: Duration::ZERO,
        surroundings: Surroundings::default(),
    };
    let (query, append) =
        (Arc::clone(&store) as Arc<dyn Query>, Arc::clone(&store) as Arc<dyn Append>);
    let manager = Manager::start(query, append, clock.clone(), Options::default(), rules.clone())
        .await
        .expect("starts");
    let now = || clock.now() / 1_000_000;
    let until = async |expression: &str, expect: &str| {
        let wait = async {
            while store.show(expression, now()).await != expect {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect(expression);
    };
    until("r", r#"{__name__="r"} 1"#).await;
    write(
        "groups: [{name: g, interval: 20ms, rules: [{record: s, expr: vector(2)}, {record: r, expr: nonsense(}]}]",
    );
    assert!(manager.reload(rules.clone()).await.is_err());
    write("groups: [{name: g, interval: 20ms, rules: [{record: s, expr: vector(2)}]}]");
    manager.reload(rules).await.expect("reloads");
    until("r", "").await;
    until("s", r#"{__name__="s"} 2"#).await;
    assert_eq!(manager.groups()[0].rules[0].health, Health::Ok);
    assert!(manager.groups()[0].last_evaluation > 0);
    manager.stop().await;
}

/// What promtool says about its own test files.
#[tokio::test]
async fn promtool_verdicts() {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/promtool");
    if !directory.try_exists().unwrap_or(false) {
        eprintln!("left out: {} is not there", directory.display());
        return;
    }
    let run = |pattern: &str| vec![regex::Regex::new(pattern).expect("a pattern")];
    for (file, only, ignore, success) in [
        ("unittest.yml", vec![], false, true),
        ("at-modifier-test.yml", vec![], false, true),
        ("negative-offset-test.yml", vec![], false, true),
        ("long-period.yml", vec![], false, true),
        ("no-test-group-interval.yml", vec![], false, true),
        ("start-time-test.yml", vec![], false, true),
        ("bad-input-series.yml", vec![], false, false),
        ("bad-promql.yml", vec![], false, false),
        ("bad-rules-error-test.yml", vec![], false, false),
        ("bad-rules-syntax-test.yml", vec![], false, false),
        ("failing.yml", vec![], false, false),
        ("rules_run.yml", vec![], false, false),
        ("rules_run.yml", run("correct"), false, true),
        ("rules_run.yml", run("wrong"), false, false),
        ("rules_run_extrafields.yml", vec![], false, false),
        ("rules_run_extrafields.yml", vec![], true, true),
        ("rules_run_fuzzy.yml", run("correct"), false, true),
        ("rules_run_fuzzy.yml", run("wrong"), false, false),
        ("rules_run_no_fuzzy.yml", vec![], false, false),
    ] {
        let options = unit_test::Options { run: only, ignore_unknown_fields: ignore };
        let verdict = unit_test::run(&directory.join(file), &Memory, &options).await;
        assert_eq!(verdict.failures.is_empty(), success, "{file}: {}", verdict.failures.join("\n"));
    }
    let store = Store::new(60_000);
    for (file, success, said) in [
        ("rules.yml", true, "SUCCESS: 5 rules found"),
        (
            "rules-bad.yml",
            false,
            "annotation \"summary\": template: __alert_InstanceDown:1: undefined variable \"$label\"",
        ),
        ("rules_duplicates.yml", true, "1 duplicate rule(s) found."),
        ("rules_extrafields.yml", false, "field namespace not found in type rulefmt.RuleGroup"),
        ("prometheus-rules.lint.yml", true, "1 duplicate rule(s) found."),
        (
            "bad-rules-syntax.yml",
            false,
            "7:15: group \"bad-syntax\", rule 1, \"x\": could not parse expression: 1:7: parse error: unexpected end of input",
        ),
    ] {
        let (lines, failures) = check_file(&directory.join(file), &store, Strictness::default());
        assert_eq!(failures.is_empty(), success, "{file}: {failures:?}");
        let all = lines.join("\n") + &failures.join("\n");
        assert!(all.contains(said), "{file}: {all}");
    }
}
