//! PromQL against the original: the same samples by remote write, random queries from a grammar,
//! equal answers.
//!
//! Samples lie just behind whole seconds and queries between them, so that nothing lies at the left
//! end of a range: Prometheus 2 counts that in and Prometheus 3 does not. Deviations are left out,
//! because of a NaN or an infinity they are another number since Prometheus 3, and so are
//! dates, which of an infinity are whatever the processor makes of it.

use std::collections::BTreeMap;

use e2e::prometheus::{Original, get, now_ms};
use e2e::random::{seeded, show};
use e2e::remote_write::{Series, write};
use e2e::server::Server;
use e2e::until;
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;

const QUERIES: usize = 400;
const STEP_MS: i64 = 15_000;
const SAMPLES: i64 = 240;

#[tokio::test]
async fn random_queries_are_answered_as_by_the_original() {
    let server = Server::start().await;
    let Some(original) = Original::start(server.http()).await else {
        show("left out: Prometheus is not installed");
        return;
    };
    let (_, mut random) = seeded();
    let now = now_ms() / 60_000 * 60_000;
    let series = series(&mut random, now - SAMPLES * STEP_MS);
    for base in [&server.prometheus(), &original.base] {
        // One time after the other, as a sender does.
        for chunk in &series {
            let reply = write(server.http(), base, chunk).await.expect("an answer");
            assert!(reply.is_success(), "{base}: {}", reply.text());
        }
    }
    until("the original's samples", || async {
        let count = [("query", "count({job=~\".+\"})")];
        let (_, answer) = get(server.http(), &original.base, "query", &count).await.expect("json");
        if answer["data"]["result"][0].is_null() { Err(answer) } else { Ok(()) }
    })
    .await;
    let (mut equal, mut refused, mut with_data) = (0, 0, 0);
    for _ in 0..QUERIES {
        let query = vector(&mut random, 3);
        let end = format!("{}.5", now / 1_000 - random.random_range(0..900));
        let start = format!("{}.5", now / 1_000 - random.random_range(1_000..3_000));
        let step = random.random_range(15..200).to_string();
        let parameters = match random.random_bool(0.5) {
            true => vec![("query", query.as_str()), ("time", end.as_str())],
            false => vec![
                ("query", query.as_str()),
                ("start", start.as_str()),
                ("end", end.as_str()),
                ("step", step.as_str()),
            ],
        };
        let path = if parameters.len() == 2 { "query" } else { "query_range" };
        let (status, ours) =
            get(server.http(), &server.prometheus(), path, &parameters).await.expect("json");
        let (expected, theirs) =
            get(server.http(), &original.base, path, &parameters).await.expect("json");
        assert_eq!(status, expected, "{parameters:?}\n{ours}\n{theirs}");
        if status == 200 {
            let (ours, theirs) = (points(&ours), points(&theirs));
            compare(&ours, &theirs).unwrap_or_else(|why| panic!("{path} {parameters:?}: {why}"));
            equal += 1;
            with_data += usize::from(!theirs.is_empty());
        } else {
            refused += 1;
        }
    }
    show(&format!(
        "{equal} answers equal ({with_data} with data), {refused} queries refused by both"
    ));
    assert!(with_data > QUERIES / 4, "only {with_data} queries found data");
}

/// A few counters, gauges and a classic histogram, with resets, gaps, NaN and infinity; a list of
/// series for every time.
fn series(random: &mut StdRng, start: i64) -> Vec<Vec<Series>> {
    let mut values = BTreeMap::new();
    let mut times = Vec::new();
    for at in 0..SAMPLES {
        let time = start + at * STEP_MS + 3;
        let mut now = Vec::new();
        for host in ["a", "b", "c", "d"] {
            for (metric, job) in
                [("hits_total", "api"), ("load", "api"), ("load", "db"), ("odd", "db")]
            {
                let value: &mut f64 = values.entry((host, metric, job)).or_insert_with(|| {
                    // Far from zero, so that a rate does not depend on where zero may have been.
                    f64::from(random.random_range(500..900)) * 1e3
                });
                match metric {
                    "hits_total" if random.random_bool(0.01) => *value = 5e5,
                    "hits_total" => *value += f64::from(random.random_range(0..100)),
                    _ => *value += f64::from(random.random_range(-2_000..2_000)) / 64.0,
                }
                let shown = match random.random_range(0..200) {
                    0 if metric == "odd" => f64::NAN,
                    1 if metric == "odd" => f64::INFINITY,
                    _ => *value,
                };
                if !random.random_bool(0.05) {
                    let labels = [("host", host), ("job", job)];
                    now.push(Series::new(metric, &labels, &[(time, shown)]));
                }
            }
            let mut below = 0.0;
            for le in ["0.1", "0.5", "1", "+Inf"] {
                let count: &mut f64 = values.entry((host, le, "bucket")).or_insert(1_000.0);
                *count += f64::from(random.random_range(0..20));
                below += *count;
                let labels = [("host", host), ("job", "api"), ("le", le)];
                now.push(Series::new("seconds_bucket", &labels, &[(time, below)]));
            }
        }
        times.push(now);
    }
    times
}

fn pick<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[random.random_range(0..of.len())]
}

fn selector(random: &mut StdRng) -> String {
    let matchers = [
        "",
        "{job=\"api\"}",
        "{host=~\"a|b\"}",
        "{host!=\"c\"}",
        "{job!~\"d.*\"}",
        "{host=~\".*\"}",
        "{nothing=\"\"}",
        "{host=\"a\",job=\"db\"}",
    ];
    format!(
        "{}{}",
        pick(random, &["hits_total", "load", "odd", "seconds_bucket"]),
        pick(random, &matchers)
    )
}

fn offset(random: &mut StdRng) -> &'static str {
    pick(random, &["", "", "", " offset 3m", " offset -2m"])
}

fn range(random: &mut StdRng) -> String {
    let range = pick(random, &["1m", "5m", "13m", "90s", "20s"]);
    if random.random_bool(0.15) {
        let inner = instant(random, 1);
        return format!("({inner})[{range}:{}]", pick(random, &["1m", "30s", "17s"]));
    }
    format!("{}[{range}]{}", selector(random), offset(random))
}

fn instant(random: &mut StdRng, depth: usize) -> String {
    if depth == 0 {
        return format!("{}{}", selector(random), offset(random));
    }
    vector(random, depth - 1)
}

fn vector(random: &mut StdRng, depth: usize) -> String {
    if depth == 0 {
        return instant(random, 0);
    }
    let over_time = [
        "irate",
        "delta",
        "idelta",
        "deriv",
        "resets",
        "changes",
        "avg_over_time",
        "sum_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "last_over_time",
        "present_over_time",
        "absent_over_time",
    ];
    let simple = [
        "abs",
        "ceil",
        "floor",
        "exp",
        "sgn",
        "sqrt",
        "ln",
        "log2",
        "timestamp",
        "absent",
        "scalar",
        "-",
        "+",
    ];
    match random.random_range(0..10) {
        // Of a gauge they depend on where it was zero, which is guessed otherwise since 3.
        9 => format!(
            "{}(hits_total{}[{}]{})",
            pick(random, &["rate", "increase"]),
            pick(random, &["", "{host=~\"a|b\"}", "{job!~\"d.*\"}"]),
            pick(random, &["1m", "5m", "13m"]),
            offset(random)
        ),
        0 | 1 => format!("{}({})", pick(random, &over_time), range(random)),
        2 => format!(
            "quantile_over_time({}, {})",
            pick(random, &["0.5", "0.95", "1.2"]),
            range(random)
        ),
        3 => {
            let operator = pick(random, &["sum", "avg", "min", "max", "count", "group"]);
            let grouping = pick(
                random,
                &["", "by(job)", "by(host)", "without(host)", "by(nothing)", "without()"],
            );
            format!("{operator} {grouping} ({})", instant(random, depth))
        }
        4 => match pick(random, &simple) {
            "scalar" => format!("vector(scalar({}))", instant(random, depth)),
            function => format!("{function}({})", instant(random, depth)),
        },
        5 => {
            let operator = pick(
                random,
                &[
                    "+", "-", "*", "/", "%", "^", ">", "<=", "== bool", "!= bool", "and", "or",
                    "unless",
                ],
            );
            // What a comparison leaves out matched nothing in Prometheus 2 and does in 3.
            let matching = match operator {
                ">" | "<=" => "",
                _ => pick(random, &["", "on(host, job)", "ignoring(le)"]),
            };
            format!(
                "({}) {operator} {matching} ({})",
                instant(random, depth),
                instant(random, depth)
            )
        }
        6 => {
            let operator = pick(random, &["+", "*", "/", ">", "< bool"]);
            format!("({}) {operator} {}", instant(random, depth), random.random_range(-3..2_000))
        }
        7 => format!(
            "histogram_quantile({}, rate(seconds_bucket[{}]))",
            pick(random, &["0.5", "0.9", "0.99"]),
            pick(random, &["2m", "7m"])
        ),
        _ => {
            format!("clamp_max({}, {})", instant(random, depth), random.random_range(0..1_000_000))
        }
    }
}

type Points = BTreeMap<String, Vec<(String, f64)>>;

/// The values of an answer by series.
fn points(answer: &Value) -> Points {
    let result = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let mut series = Points::new();
    for one in result {
        // A scalar is a list of two.
        let Some(labels) = one.get("metric").and_then(Value::as_object) else { continue };
        let labels: BTreeMap<_, _> = labels.iter().collect();
        let values = one.get("values").and_then(Value::as_array).cloned();
        let values = values.unwrap_or_else(|| vec![one["value"].clone()]);
        let values = values.iter().map(|value| {
            let number = value[1].as_str().and_then(|text| text.parse().ok());
            (value[0].to_string(), number.expect("a number"))
        });
        series.insert(format!("{labels:?}"), values.collect());
    }
    series
}

fn compare(ours: &Points, theirs: &Points) -> Result<(), String> {
    if !ours.keys().eq(theirs.keys()) {
        return Err(format!("series {:?}, expected {:?}", ours.keys(), theirs.keys()));
    }
    for (labels, expected) in theirs {
        let found = &ours[labels];
        if found.len() != expected.len() {
            return Err(format!("{labels}: {found:?}, expected {expected:?}"));
        }
        for ((_, found), (time, expect)) in found.iter().zip(expected) {
            if !is_close(*found, *expect) {
                return Err(format!("{labels} at {time}: {found}, expected {expect}"));
            }
        }
    }
    Ok(())
}

fn is_close(a: f64, b: f64) -> bool {
    let scale = a.abs().max(b.abs()).max(1.0);
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-10 * scale
}
