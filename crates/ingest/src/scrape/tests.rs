use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use model::metric::{Labels, is_stale};
use tokio::sync::watch;

use super::*;
use crate::metric_sink::{MetricWrite, Written};
use crate::sink::SinkError;

/// Keeps everything that it is given.
#[derive(Debug)]
struct Collected(watch::Sender<Vec<(String, i64, f64)>>);

#[async_trait]
impl MetricSink for Collected {
    async fn write(&self, write: MetricWrite) -> Result<Written, SinkError> {
        let mut samples: Vec<(String, i64, f64)> = Vec::new();
        for series in write.batch.series() {
            let labels = Labels::from_canonical(series.labels).to_string();
            for float in series.floats {
                samples.push((labels.clone(), float.timestamp, float.value));
            }
            // A histogram is told by its sum.
            for sample in series.histograms {
                samples.push((format!("native {labels}"), sample.timestamp, sample.histogram.sum));
            }
        }
        let floats = samples.len();
        self.0.send_modify(|all| all.extend(samples));
        Ok(Written { floats, ..Written::default() })
    }
}

/// A target whose page can be changed.
#[derive(Debug, Clone)]
struct Exporter {
    page: Arc<RwLock<(StatusCode, &'static str, String)>>,
    seen: Arc<RwLock<Vec<(String, HeaderMap)>>>,
    address: String,
}

impl Exporter {
    async fn start(page: &str) -> Exporter {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let exporter = Exporter {
            page: Arc::new(RwLock::new((StatusCode::OK, "text/plain", page.to_owned()))),
            seen: Arc::default(),
            address: listener.local_addr().expect("bound").to_string(),
        };
        async fn answer(
            State(exporter): State<Exporter>,
            uri: Uri,
            headers: HeaderMap,
        ) -> impl IntoResponse {
            exporter.seen.write().push((uri.to_string(), headers));
            let (status, kind, page) = exporter.page.read().clone();
            (status, [("content-type", kind)], page)
        }
        let router = axum::Router::new().fallback(answer).with_state(exporter.clone());
        drop(stdx::task::spawn_to_end("exporter", async move {
            axum::serve(listener, router).await.expect("serves");
        }));
        exporter
    }

    fn set(&self, status: StatusCode, page: &str) {
        *self.page.write() = (status, "text/plain", page.to_owned());
    }
}

fn config(text: &str) -> Config {
    Config::parse(text, Path::new(""), &|_| None).expect(text)
}

struct Run {
    manager: Manager,
    samples: watch::Receiver<Vec<(String, i64, f64)>>,
}

impl Run {
    async fn start(text: &str) -> Run {
        let (sender, samples) = watch::channel(Vec::new());
        let setup = Setup {
            sink: Arc::new(Collected(sender)),
            tenant: Tenant::default(),
            clock: Clock::system(),
            memory: Budget::new("test", 1 << 30),
            seed: 7,
            options: Options::default(),
        };
        let manager = Manager::start(setup, &config(text)).await.expect("starts");
        Run { manager, samples }
    }

    /// Waits for `count` samples of a series, stale markers as text; gives all of them.
    async fn series(&mut self, series: &str, count: usize) -> Vec<String> {
        let found = |all: &Vec<(String, i64, f64)>| -> Vec<String> {
            all.iter()
                .filter(|(labels, ..)| labels.contains(series))
                .map(|(_, _, v)| if is_stale(*v) { "stale".to_owned() } else { v.to_string() })
                .collect()
        };
        let enough = |all: &Vec<(String, i64, f64)>| found(all).len() >= count;
        let wait = self.samples.wait_for(enough);
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok();
        let all = self.samples.borrow().clone();
        assert!(waited, "no {count} samples of {series}: {all:?}");
        found(&all)
    }

    /// Waits for a sample that is as wanted.
    async fn sample(&mut self, series: &str, value: &str) {
        let found = |all: &Vec<(String, i64, f64)>| {
            all.iter().any(|(labels, _, v)| {
                let v = if is_stale(*v) { "stale".to_owned() } else { v.to_string() };
                labels == series && v == value
            })
        };
        let wait = self.samples.wait_for(found);
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok();
        let all = self.samples.borrow().clone();
        assert!(waited, "no {series} {value}: {all:?}");
    }
}

fn job(address: &str, more: &str) -> String {
    format!(
        "scrape_configs:\n- job_name: j\n  scrape_interval: 50ms\n  scrape_timeout: 50ms\n  \
         static_configs: [{{targets: ['{address}']}}]\n{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_target_is_scraped_again_and_again() {
    let exporter = Exporter::start("# TYPE a counter\na{x=\"1\"} 5\nb 6\n").await;
    let mut run = Run::start(&job(&exporter.address, "")).await;
    let at = &exporter.address;
    run.sample(&format!(r#"{{__name__="a", instance="{at}", job="j", x="1"}}"#), "5").await;
    run.sample(&format!(r#"{{__name__="up", instance="{at}", job="j"}}"#), "1").await;
    let added = run.series("scrape_series_added", 2).await;
    assert_eq!(added[..2], ["2", "0"]);
    assert_eq!(run.series("scrape_samples_scraped", 1).await[0], "2");
    assert_eq!(run.series("scrape_samples_post_metric_relabeling", 1).await[0], "2");
    let pools = run.manager.pools();
    assert_eq!((pools.len(), pools[0].active.len()), (1, 1));
    let target = &pools[0].active[0];
    assert_eq!(
        (target.health, target.scrape_url.as_str()),
        (Health::Up, &*format!("http://{at}/metrics"))
    );
    assert_eq!(target.discovered_labels["__address__"], *at);
    let metadata = run.manager.metadata(Some("a"));
    assert_eq!(metadata[0].metadata.kind, model::metric::MetricType::Counter);
    let (_, headers) = exporter.seen.read()[0].clone();
    assert_eq!(headers["x-prometheus-scrape-timeout-seconds"], "0.05");
    assert_eq!(headers["accept-encoding"], "gzip");
    run.manager.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_disappears_ends() {
    let exporter = Exporter::start("a 1\nb 1\n").await;
    let mut run = Run::start(&job(&exporter.address, "")).await;
    let at = exporter.address.clone();
    let of = |name: &str| format!(r#"{{__name__="{name}", instance="{at}", job="j"}}"#);
    run.sample(&of("b"), "1").await;
    exporter.set(StatusCode::OK, "a 2\n");
    run.sample(&of("b"), "stale").await;
    run.sample(&of("a"), "2").await;
    exporter.set(StatusCode::NOT_FOUND, "");
    run.sample(&of("a"), "stale").await;
    run.sample(&of("up"), "0").await;
    assert_eq!(
        run.manager.pools()[0].active[0].last_error,
        "server returned HTTP status 404 Not Found"
    );
    exporter.set(StatusCode::OK, "a 3\n");
    run.sample(&of("a"), "3").await;
    run.manager.reload(&config("scrape_configs: []")).await.expect("reloads");
    run.sample(&of("up"), "stale").await;
    assert!(run.manager.pools().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_leaves_equal_jobs_alone_and_changes_others() {
    let exporter = Exporter::start("a 1\n").await;
    let text = job(&exporter.address, "");
    let mut run = Run::start(&text).await;
    run.series("\"a\"", 1).await;
    run.manager.reload(&config(&text)).await.expect("reloads");
    let changed = job(
        &exporter.address,
        "  metric_relabel_configs: [{source_labels: [__name__], target_label: n}]\n",
    );
    run.manager.reload(&config(&changed)).await.expect("reloads");
    let at = exporter.address.clone();
    run.sample(&format!(r#"{{__name__="a", instance="{at}", job="j", n="a"}}"#), "1").await;
    run.sample(&format!(r#"{{__name__="a", instance="{at}", job="j"}}"#), "stale").await;
    assert!(!run.series("\"up\"", 1).await.contains(&"stale".to_owned()));
    run.manager.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_fail_the_whole_scrape() {
    let exporter = Exporter::start("a{l=\"xxxx\"} 1\nb 1\n").await;
    for (more, error) in [
        ("  sample_limit: 1\n", "sample limit exceeded"),
        ("  body_size_limit: 10B\n", "body size limit exceeded"),
        ("  label_limit: 3\n", "label_limit exceeded (metric: a, number of labels: 4, limit: 3)"),
        ("  label_name_length_limit: 3\n", "label_name_length_limit exceeded"),
        ("  label_value_length_limit: 3\n", "label_value_length_limit exceeded"),
    ] {
        let mut run = Run::start(&job(&exporter.address, more)).await;
        assert_eq!(run.series("\"up\"", 1).await[0], "0", "{more}");
        let last = run.manager.pools()[0].active[0].last_error.clone();
        assert!(last.contains(error), "{more}: {last}");
        assert!(!run.samples.borrow().iter().any(|(labels, ..)| labels.contains("\"a\"")));
        run.manager.stop().await;
    }
    let more = "  target_limit: 1\n  extra_scrape_metrics: true\n";
    let two = job(&exporter.address, more).replace("]}]", ", '127.0.0.1:1']}]");
    let mut run = Run::start(&two).await;
    assert_eq!(run.series("\"up\"", 1).await[0], "0");
    assert_eq!(run.series("scrape_timeout_seconds", 1).await[0], "0.05");
    let expect = "target_limit exceeded (number of targets: 2, limit: 1)";
    let active = run.manager.pools().remove(0).active;
    assert!(active.iter().any(|target| target.last_error == expect), "{active:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_page_and_target_meet_as_in_prometheus() {
    let exporter = Exporter::start("a{job=\"own\",instance=\"\"} 1 1000\n").await;
    let at = exporter.address.clone();
    for (more, labels, staleness) in [
        ("", format!(r#"{{__name__="a", exported_job="own", instance="{at}", job="j"}}"#), 1000),
        (
            "  honor_labels: true\n",
            format!(r#"{{__name__="a", instance="{at}", job="own"}}"#),
            1000,
        ),
        (
            "  honor_timestamps: false\n",
            format!(r#"{{__name__="a", exported_job="own", instance="{at}", job="j"}}"#),
            0,
        ),
    ] {
        let mut run = Run::start(&job(&at, more)).await;
        run.sample(&labels, "1").await;
        let time = run.samples.borrow().iter().find(|(l, ..)| *l == labels).map(|(_, t, _)| *t);
        assert_eq!(time == Some(1000), staleness == 1000, "{more}");
        run.manager.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_carry_what_the_job_says() {
    let exporter = Exporter::start("a 1\n").await;
    let more = "  basic_auth: {username: u, password: p}\n  metrics_path: /m\n  params: {x: [1, 2]}\n  \
                http_headers: {X-Own: {values: [v]}}\n  enable_compression: false\n  \
                relabel_configs: [{target_label: __param_y, replacement: z}]\n";
    let mut run = Run::start(&job(&exporter.address, more)).await;
    run.series("\"up\"", 1).await;
    let (uri, headers) = exporter.seen.read()[0].clone();
    assert_eq!(uri, "/m?x=1&x=2&y=z");
    assert_eq!(headers["authorization"], "Basic dTpw");
    assert_eq!(headers["x-own"], "v");
    assert_eq!(headers["accept-encoding"], "identity");
    run.manager.stop().await;
}

#[test]
fn targets_are_spread_over_the_interval() {
    let text = "scrape_configs: [{job_name: j, static_configs: [{targets: [A]}]}]";
    let job = config(text).jobs.remove(0);
    let mut buckets = BTreeMap::new();
    for n in 0..1000 {
        let group = crate::prometheus::discovery::Group {
            targets: crate::prometheus::discovery::addresses(vec![format!("host{n}:80")]),
            ..Default::default()
        };
        let (outcomes, errors) = of_group(&job, &group);
        assert!(errors.is_empty());
        for outcome in outcomes {
            let target::Outcome::Kept(target) = outcome else { panic!("dropped") };
            *buckets.entry(target.offset(1).as_secs() / 6).or_insert(0) += 1;
        }
    }
    assert_eq!(buckets.len(), 10);
    assert!(buckets.values().all(|count| (60..140).contains(count)), "{buckets:?}");
}

const CLASSIC: &str = "# TYPE h histogram\n\
                       h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 7.5\nh_count 3\nafter 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn classic_histograms_are_converted_where_the_job_says_so() {
    for (keep, buckets) in [(false, 0), (true, 2)] {
        let exporter = Exporter::start(CLASSIC).await;
        let more = format!(
            "  convert_classic_histograms_to_nhcb: true\n  \
             always_scrape_classic_histograms: {keep}\n"
        );
        let mut run = Run::start(&job(&exporter.address, &more)).await;
        let at = exporter.address.clone();
        let of = |name: &str| format!(r#"{{__name__="{name}", instance="{at}", job="j"}}"#);
        run.sample(&format!("native {}", of("h")), "7.5").await;
        run.sample(&of("after"), "1").await;
        let all = run.samples.borrow().clone();
        let found: std::collections::HashSet<_> =
            all.iter().filter(|(labels, ..)| labels.contains("h_bucket")).map(|s| &s.0).collect();
        assert_eq!(found.len(), buckets, "{all:?}");
        // It ends as every series does.
        exporter.set(StatusCode::OK, "after 2\n");
        run.sample(&of("h"), "stale").await;
        run.manager.stop().await;
    }
}
