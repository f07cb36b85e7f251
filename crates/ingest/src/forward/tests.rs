use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use model::metric::Float;
use tokio::sync::watch;

use super::*;
use crate::metrics::MetricLimits;
use crate::prometheus::Config;
use crate::remote::decode_write;

#[derive(Clone)]
struct Receiver {
    seen: watch::Sender<Vec<(String, i64, f64)>>,
    status: Arc<Mutex<Vec<StatusCode>>>,
    version: Version,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = receiver.status.lock().pop();
    if let Some(status) = status {
        return status;
    }
    assert_eq!(headers["content-encoding"], "snappy");
    assert_eq!(headers["content-type"], receiver.version.content_type());
    assert_eq!(headers["x-prometheus-remote-write-version"], receiver.version.number());
    assert_eq!(headers["x-own"], "v");
    assert_eq!(headers["authorization"], "Bearer t");
    let body = snap::raw::Decoder::new().decompress_vec(&body).expect("snappy");
    let memory = Budget::new("test", 1 << 30).force(0);
    let (batch, rejected) =
        decode_write(receiver.version, &body, &MetricLimits::default(), memory).expect("decodes");
    assert_eq!(rejected, 0);
    receiver.seen.send_modify(|seen| {
        for series in batch.series() {
            let labels = Labels::from_canonical(series.labels).to_string();
            seen.extend(series.floats.iter().map(|f| (labels.clone(), f.timestamp, f.value)));
        }
    });
    StatusCode::NO_CONTENT
}

async fn receiver(
    version: Version,
    status: Vec<StatusCode>,
) -> (String, watch::Receiver<Vec<(String, i64, f64)>>) {
    let (seen, watch) = watch::channel(Vec::new());
    let receiver = Receiver { seen, status: Arc::new(Mutex::new(status)), version };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let router = axum::Router::new().fallback(receive).with_state(receiver);
    drop(stdx::task::spawn_to_end("receiver", async move {
        axum::serve(listener, router).await.expect("serves");
    }));
    (address, watch)
}

fn config(address: &str, message: &str) -> Vec<RemoteWrite> {
    let text = format!(
        "remote_write:\n- url: http://{address}/write\n  protobuf_message: {message}\n  headers: {{X-Own: v}}\n  \
         authorization: {{credentials: t}}\n  queue_config: {{batch_send_deadline: 10ms, max_samples_per_send: 7, max_shards: 3}}\n  \
         write_relabel_configs: [{{source_labels: [__name__], regex: secret, action: drop}}]\n"
    );
    Config::parse(&text, Path::new(""), &|_| None).expect("parses").remote_write
}

fn setup(directory: &Path) -> Setup {
    Setup {
        directory: directory.to_owned(),
        clock: Clock::system(),
        seed: 1,
        memory: Budget::new("test", 1 << 30),
        external_labels: Labels::from_pairs(&[("region", "eu")]),
        options: Options::default(),
    }
}

fn batch(name: &str, times: std::ops::Range<i64>) -> Batch {
    let mut batch = Batch::new();
    for n in 0..3 {
        batch.begin_with(&Labels::from_pairs(&[("__name__", name), ("n", &n.to_string())]));
        for time in times.clone() {
            batch.float(Float { timestamp: time, value: 1.0, start: 0 });
        }
    }
    batch
}

async fn wait(seen: &mut watch::Receiver<Vec<(String, i64, f64)>>, count: usize) {
    let enough = seen.wait_for(|seen| seen.len() >= count);
    let waited = tokio::time::timeout(Duration::from_secs(20), enough).await.is_ok();
    assert!(waited, "{} of {count} samples came", seen.borrow().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_go_on_once_and_in_order_though_the_destination_fails() {
    for (version, message) in
        [(Version::V1, "prometheus.WriteRequest"), (Version::V2, "io.prometheus.write.v2.Request")]
    {
        let failing = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
        let (address, mut seen) = receiver(version, failing).await;
        let directory = tempfile::tempdir().expect("a directory");
        let forwarder =
            Forwarder::start(&config(&address, message), &setup(directory.path())).expect("starts");
        for start in 0..20 {
            forwarder.forward(&batch("a", start * 10..start * 10 + 10));
            forwarder.forward(&batch("secret", 0..10));
        }
        wait(&mut seen, 600).await;
        forwarder.stop().await;
        let seen = seen.borrow().clone();
        assert_eq!(seen.len(), 600);
        for n in 0..3 {
            let series = format!(r#"{{__name__="a", n="{n}", region="eu"}}"#);
            let of = seen.iter().filter(|(labels, ..)| *labels == series);
            let times: Vec<i64> = of.map(|(_, time, _)| *time).collect();
            assert_eq!(times, (0..200).collect::<Vec<i64>>());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_goes_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let configs = config(&address, "prometheus.WriteRequest");
    let forwarder = Forwarder::start(&configs, &setup(directory.path())).expect("starts");
    forwarder.forward(&batch("a", 0..10));
    forwarder.stop().await;
    let (seen, mut watch) = watch::channel(Vec::new());
    let receiver = Receiver { seen, status: Arc::default(), version: Version::V1 };
    let listener = tokio::net::TcpListener::bind(&address).await.expect("still free");
    let router = axum::Router::new().fallback(receive).with_state(receiver);
    drop(stdx::task::spawn_to_end("receiver", async move {
        axum::serve(listener, router).await.expect("serves");
    }));
    let forwarder = Forwarder::start(&configs, &setup(directory.path())).expect("starts");
    wait(&mut watch, 30).await;
    forwarder.stop().await;
    assert_eq!(watch.borrow().len(), 30);
}
