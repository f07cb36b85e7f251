//! Pushes through the router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use stdx::clock::Clock;
use stdx::memory::Budget;
use tower::ServiceExt as _;

use super::PushLimits;
use crate::metrics::testing::{MemorySink, display};
use crate::metrics::{MetricReceiver, MetricReceiverOptions};

const NOW_MS: i64 = 1_700_000_000_500;

struct Server {
    sink: Arc<MemorySink>,
    router: Router,
}

impl Server {
    fn new(series_max: usize) -> Server {
        let sink = Arc::new(MemorySink::default());
        let budget = Budget::new("ingest", 16 << 20);
        let clock = Clock::manual(NOW_MS * 1_000_000);
        let options = MetricReceiverOptions::new(Arc::clone(&sink) as _, budget, clock);
        let router = super::router(MetricReceiver::new(options), PushLimits { series_max });
        Server { sink, router }
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::from(body.to_owned())).expect("valid");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("in memory").to_bytes();
        (status, String::from_utf8_lossy(&body).trim_end().to_owned())
    }

    /// What was written since the last time.
    fn written(&self) -> Vec<String> {
        let mut writes = self.sink.writes.lock().expect("not poisoned");
        let text: String = writes.drain(..).map(|write| display(&write.batch)).collect();
        text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_gateway_push_gets_the_labels_of_its_address_and_the_time() {
    let server = Server::new(100);
    let body = "# TYPE done counter\ndone{step=\"1\",job=\"own\"} 3\n";
    let (status, text) = server.call("POST", "/metrics/job/backup/instance/a", body).await;
    assert_eq!((status, text.as_str()), (200, ""));
    assert_eq!(
        server.written(),
        [
            r#"{__name__="done", instance="a", job="backup", step="1"} 3@1700000000500"#,
            r#"{__name__="push_time_seconds", instance="a", job="backup"} 1700000000.5@1700000000500"#,
        ]
    );
}

#[tokio::test]
async fn what_a_push_replaces_ends() {
    let server = Server::new(100);
    let path = "/metrics/job/backup";
    server.call("PUT", path, "a{x=\"1\"} 1\na{x=\"2\"} 1\nb 1\n").await;
    server.written();
    let stale = |lines: Vec<String>| -> Vec<String> {
        let stale = lines
            .into_iter()
            .filter_map(|line| Some(line.strip_suffix(" NaN@1700000000500")?.to_owned()));
        stale.collect()
    };
    // Only series of metrics that are pushed again.
    server.call("POST", path, "a{x=\"2\"} 1\n").await;
    assert_eq!(stale(server.written()), [r#"{__name__="a", job="backup", x="1"}"#]);
    server.call("PUT", path, "c 1\n").await;
    assert_eq!(
        stale(server.written()),
        [r#"{__name__="a", job="backup", x="2"}"#, r#"{__name__="b", job="backup"}"#]
    );
    // Another group is another group.
    assert_eq!(server.call("DELETE", "/metrics/job/other", "").await.0, 202);
    assert_eq!(server.written(), [""; 0]);
    assert_eq!(server.call("DELETE", path, "").await.0, 202);
    assert_eq!(
        stale(server.written()),
        [r#"{__name__="c", job="backup"}"#, r#"{__name__="push_time_seconds", job="backup"}"#]
    );
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let server = Server::new(3);
    for job in ["one", "two"] {
        server.call("PUT", &format!("/metrics/job/{job}"), "a 1\n").await;
    }
    server.written();
    server.call("DELETE", "/metrics/job/one", "").await;
    assert_eq!(server.written(), [""; 0], "forgotten");
    server.call("DELETE", "/metrics/job/two", "").await;
    assert_eq!(server.written().len(), 2);
}

#[tokio::test]
async fn bad_pushes_are_refused_and_leave_a_mark() {
    let server = Server::new(100);
    let check = async |path: &str, body: &str, expected: &str| {
        let (status, text) = server.call("POST", path, body).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(expected), "{text}");
    };
    check("/metrics/job/a/b", "a 1\n", "odd number of components").await;
    assert_eq!(server.written(), [""; 0]);
    check("/metrics/job/a", "a{\n", "text format parsing error in line 1: expected label name")
        .await;
    check("/metrics/job/a", "a 1 1000\n", "pushed metrics must not have timestamps").await;
    let mark = r#"{__name__="push_failure_time_seconds", job="a"} 1700000000.5@1700000000500"#;
    assert_eq!(server.written(), [mark, mark]);
    check("/api/v1/push", "# TYPE a gauge\n# TYPE a gauge\n", "second TYPE line").await;
    check("/api/v1/push", "a 1 1800000000000\n", "out of bounds for series {__name__=\"a\"}").await;
}

#[tokio::test]
async fn a_page_may_have_times_and_labels_from_the_query() {
    let server = Server::new(100);
    let body = "a{b=\"c\"} 1 1600000000000\nd 2\n";
    let (status, _) = server.call("POST", "/api/v1/push?job=x", body).await;
    assert_eq!(status, 200);
    assert_eq!(
        server.written(),
        [
            r#"{__name__="a", b="c", job="x"} 1@1600000000000"#,
            r#"{__name__="d", job="x"} 2@1700000000500"#,
        ]
    );
}
