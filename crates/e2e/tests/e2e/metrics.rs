//! Metrics from end to end: samples in by remote write and by scraping, out by Prometheus's API,
//! kept through kills.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::prometheus::{data, get, now_ms, value};
use e2e::random::{seeded, show};
use e2e::remote_write::{Series, write};
use e2e::server::{Server, Setup};
use e2e::until;
use rand::Rng as _;
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test]
async fn written_samples_are_answered_on_both_ports_and_after_a_kill() {
    let mut server = Server::start().await;
    let now = now_ms();
    let samples: Vec<(i64, f64)> = (0..5_i32)
        .map(|index| (now - 60_000 + i64::from(index) * 15_000, f64::from(index) * 30.0))
        .collect();
    let series = Series::new("requests_total", &[("job", "api"), ("code", "200")], &samples);
    let reply = write(server.http(), &server.prometheus(), &[series]).await.expect("an answer");
    assert!(reply.is_success(), "{}: {}", reply.status, reply.text());
    for round in 0..2 {
        for base in [server.prometheus(), format!("{}/prometheus", server.main())] {
            let rate = value(server.http(), &base, "rate(requests_total[1m])", now).await;
            let rate = rate.unwrap_or_else(|error| panic!("round {round}: {error:#}"));
            assert!((rate - 2.0).abs() < 1e-9, "{rate}");
            let names = data(server.http(), &base, "label/__name__/values", &[]).await;
            assert_eq!(names.expect("names"), json!(["requests_total"]));
        }
        server.kill().await;
        server.start_again().await;
    }
}

#[tokio::test]
async fn mistakes_are_answered_as_prometheus_does() {
    let server = Server::start().await;
    let base = server.prometheus();
    let (status, answer) =
        get(server.http(), &base, "query", &[("query", "sum(up")]).await.expect("an answer");
    assert_eq!((status, &answer["errorType"]), (400, &json!("bad_data")), "{answer}");
    assert!(answer["error"].as_str().expect("a text").contains("parse error"), "{answer}");
    let url = format!("{base}/api/v1/write");
    let headers = [("content-encoding", "snappy"), ("content-type", "application/x-protobuf")];
    let reply = e2e::otlp::post(server.http(), &url, &headers, "no protobuf").await;
    assert_eq!(reply.expect("an answer").status, 400);
    let reply = e2e::otlp::post(server.http(), &url, &[("content-type", "text/plain")], "").await;
    assert_eq!(reply.expect("an answer").status, 415);
}

/// What was acknowledged: of each series the newest sample. Samples count from 1 and are a second
/// apart, so that the newest tells what must be there.
#[derive(Debug, Default)]
struct Ledger {
    acknowledged: Mutex<BTreeMap<usize, i64>>,
    tried: AtomicI64,
}

const CRASH_SERIES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_keeps_every_acknowledged_sample_exactly_once() {
    let (_, mut random) = seeded();
    let mut server = Setup::new().start().await;
    let start = (now_ms() / 1_000 - 3_000) * 1_000;
    let ledger = Arc::new(Ledger::default());
    for round in 0..6 {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        writers.spawn(count_up(server.prometheus(), start, Arc::clone(&ledger), Arc::clone(&stop)));
        let life = Duration::from_millis(random.random_range(20..700));
        tokio::time::sleep(life).await;
        server.kill().await;
        stop.store(true, Ordering::SeqCst);
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer does not panic");
        }
        server.start_again().await;
        let tried = ledger.tried.load(Ordering::SeqCst);
        let acknowledged = ledger.acknowledged.lock().expect("no panic").clone();
        show(&format!("round {round}: killed after {life:?}, {tried} samples a series tried"));
        check_counts(&server, start, &acknowledged, tried).await;
    }
}

/// Writes sample after sample to all series; a sample that was not acknowledged is sent again, as
/// every sender of remote write does.
async fn count_up(base: String, start: i64, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let first = ledger.acknowledged.lock().expect("no panic").get(&0).copied().unwrap_or(0) + 1;
    for number in first..2_900 {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        ledger.tried.store(number, Ordering::SeqCst);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let sample = [(start + number * 1_000, number as f64)];
        let series: Vec<Series> = (0..CRASH_SERIES)
            .map(|index| Series::new("crash_total", &[("series", &index.to_string())], &sample))
            .collect();
        match write(&http, &base, &series).await {
            Ok(reply) if reply.is_success() => {
                let mut acknowledged = ledger.acknowledged.lock().expect("no panic");
                (0..CRASH_SERIES).for_each(|index| {
                    acknowledged.insert(index, number);
                });
            }
            Ok(_) | Err(_) => return,
        }
    }
}

async fn check_counts(
    server: &Server,
    start: i64,
    acknowledged: &BTreeMap<usize, i64>,
    tried: i64,
) {
    let base = server.prometheus();
    for (series, &newest) in acknowledged {
        let selector = format!("crash_total{{series=\"{series}\"}}[{}s]", newest + 1);
        let at = start + newest * 1_000;
        for (function, expect) in [("count", newest), ("sum", newest * (newest + 1) / 2)] {
            let query = format!("{function}_over_time({selector})");
            let found = value(server.http(), &base, &query, at).await.expect("a value");
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let expect = expect as f64;
            assert!((found - expect).abs() < 0.5, "{query}: {found}, expected {expect}");
        }
    }
    // What was tried and not acknowledged may be there, but not twice.
    let query = "max(count_over_time(crash_total[1h]))";
    if let Ok(found) = value(server.http(), &base, query, start + 3_000_000).await {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let tried = tried as f64;
        assert!(found <= tried + 0.5, "{found} samples, tried {tried}");
    }
}

#[tokio::test]
async fn an_unchanged_prometheus_yml_scrapes_and_records() {
    let server = Setup::new();
    let home = tempfile::TempDir::new().expect("a temporary directory");
    let rules = home.path().join("rules.yml");
    std::fs::write(
        &rules,
        "groups:\n- name: g\n  interval: 1s\n  rules:\n  - record: job:up:sum\n    expr: sum by(job)(up)\n",
    )
    .expect("a file");
    // A target of its own: the metrics that another Trefoil shows.
    let target = Server::start().await;
    let address = target.main().trim_start_matches("http://").to_owned();
    let config = home.path().join("prometheus.yml");
    let text = |job: &str| {
        format!(
            "global:\n  scrape_interval: 1s\n  external_labels: {{cluster: test}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n- job_name: {job}\n  static_configs:\n  - targets: ['{address}', '127.0.0.1:1']\n"
        )
    };
    std::fs::write(&config, text("trefoil")).expect("a file");
    let server = server.set("prometheus.config", config.display().to_string()).start().await;
    let base = server.prometheus();
    let is = async |query: &str, expect: f64| {
        until(query, || async {
            match value(server.http(), &base, query, now_ms()).await {
                Ok(found) if (found - expect).abs() < 1e-9 => Ok(()),
                Ok(found) => Err(found.to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await;
    };
    is("sum(up{job=\"trefoil\"})", 1.0).await;
    is("count(up{job=\"trefoil\"})", 2.0).await;
    is("job:up:sum{job=\"trefoil\"}", 1.0).await;
    is("count(trefoil_memory_limit_bytes)", 1.0).await;
    let targets = data(server.http(), &base, "targets", &[]).await.expect("targets");
    let healths: Vec<_> = targets["activeTargets"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|target| target["health"].as_str().expect("a text").to_owned())
        .collect();
    assert!(
        healths.contains(&"up".to_owned()) && healths.contains(&"down".to_owned()),
        "{targets}"
    );

    std::fs::write(&config, text("renamed")).expect("a file");
    let reload = server.http().post(format!("{base}/-/reload")).send().await.expect("an answer");
    assert!(reload.status().is_success(), "{reload:?}");
    is("sum(up{job=\"renamed\"})", 1.0).await;
    // What is scraped no longer ends at once, not after the lookback.
    is("count(up{job=\"trefoil\"} or vector(9)) ", 1.0).await;

    std::fs::write(&config, "scrape_configs: {}\n").expect("a file");
    let reload = server.http().post(format!("{base}/-/reload")).send().await.expect("an answer");
    assert_eq!(reload.status().as_u16(), 500);
    is("sum(up{job=\"renamed\"})", 1.0).await;
}

#[tokio::test]
async fn promtool_reads_it() {
    let Some(promtool) = e2e::program::debian("promtool") else {
        show("left out: promtool is not installed");
        return;
    };
    let server = Server::start().await;
    let sample = [(now_ms() - 1_000, 42.0)];
    let series = Series::new("answer", &[("of", "everything")], &sample);
    write(server.http(), &server.prometheus(), &[series]).await.expect("an answer");
    let said = async |arguments: &[&str]| {
        let mut command = e2e::program::command(&promtool);
        e2e::program::run(command.args(arguments), Duration::from_secs(30)).await
    };
    let base = server.prometheus();
    let instant = said(&["query", "instant", &base, "answer"]).await.success();
    assert!(instant.contains("answer{of=\"everything\"} => 42"), "{instant}");
    let series = said(&["query", "series", "--match=answer", &base]).await.success();
    assert!(series.contains("everything"), "{series}");
    let labels = said(&["query", "labels", &base, "of"]).await.success();
    assert_eq!(labels.trim(), "everything");
}

#[tokio::test]
async fn prometheus_reads_from_it() {
    let server = Server::start().await;
    let http = server.http();
    let config = format!(
        "global: {{scrape_interval: 1h}}\n\
         remote_read:\n- {{url: '{}/api/v1/read', read_recent: true}}\n",
        server.prometheus()
    );
    let Some(original) = e2e::prometheus::Original::start_with(http, &config).await else {
        show("left out: Prometheus is not installed");
        return;
    };
    let now = now_ms();
    let samples: Vec<(i64, f64)> =
        (0..8_i32).map(|at| (now - 120_000 + i64::from(at) * 15_000, f64::from(at))).collect();
    let series = Series::new("requests_total", &[("job", "api")], &samples);
    write(http, &server.prometheus(), &[series]).await.expect("an answer");
    for query in ["requests_total", "rate(requests_total{job=~\"a.+\"}[1m])"] {
        let own = value(http, &server.prometheus(), query, now).await.expect("a value");
        let read = value(http, &original.base, query, now).await;
        let read = read.unwrap_or_else(|error| panic!("{query}: {error:#}"));
        assert!((own - read).abs() < 1e-9, "{query}: {own} here, {read} there");
    }
}
