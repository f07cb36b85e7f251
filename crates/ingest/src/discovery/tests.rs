use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::prometheus::Config;

fn ways(text: &str) -> Vec<Discovery> {
    let text = format!("scrape_configs:\n- job_name: j\n{text}");
    let mut config = Config::parse(&text, Path::new(""), &|_| None).expect("parses");
    config.jobs.remove(0).discovery
}

struct Run {
    found: Found,
    shutdown: CancellationToken,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Run {
    fn start(text: &str) -> Run {
        let shutdown = CancellationToken::new();
        Run { found: start(&ways(text), &Clock::system(), 1, &shutdown), shutdown }
    }

    /// Waits until the addresses are as wanted.
    async fn addresses(&mut self, expect: &[&str]) {
        let read = |found: &Found| {
            let groups = found.groups();
            let targets = groups.iter().flat_map(|group| group.targets.clone());
            let mut all: Vec<String> = targets.map(|t| t["__address__"].clone()).collect();
            all.sort();
            all
        };
        let wait = async {
            while read(&self.found) != expect {
                assert!(self.found.changed().await, "discovery ended");
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "{expect:?} expected, found {:?}", read(&self.found));
    }
}

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(stdx::task::spawn_to_end("server", async move {
        axum::serve(listener, router).await.expect("serves");
    }));
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_again_when_they_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.json");
    let pattern = directory.path().join("*.json");
    std::fs::write(&path, r#"[{"targets": ["a:1"], "labels": {"x": "y"}}]"#).expect("writes");
    let text = format!("  file_sd_configs: [{{files: ['{}']}}]", pattern.display());
    let mut run = Run::start(&text);
    run.addresses(&["a:1"]).await;
    let groups = run.found.groups();
    assert_eq!(groups[0].labels["__meta_filepath"], path.display().to_string());
    assert_eq!(groups[0].labels["x"], "y");
    std::fs::write(&path, "[{ nonsense").expect("writes");
    std::fs::write(directory.path().join("b.json"), r#"[{"targets": ["b:22"]}]"#).expect("writes");
    run.addresses(&["a:1", "b:22"]).await;
    std::fs::remove_file(&path).expect("removes");
    run.addresses(&["b:22"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_over_http() {
    async fn answer(headers: axum::http::HeaderMap) -> impl IntoResponse {
        assert_eq!(headers["x-prometheus-refresh-interval-seconds"], "60");
        (
            [("content-type", "application/json; charset=utf-8")],
            r#"[{"targets":["h:1"],"labels":{"a":"b"}}]"#,
        )
    }
    let address = serve(axum::Router::new().fallback(answer)).await;
    let mut run = Run::start(&format!("  http_sd_configs: [{{url: 'http://{address}/t'}}]"));
    run.addresses(&["h:1"]).await;
    assert_eq!(run.found.groups()[0].labels["__meta_url"], format!("http://{address}/t"));
}

/// An API server: lists what it is given and hands on events.
#[derive(Clone)]
struct Cluster {
    objects: Arc<Vec<(&'static str, Value)>>,
    events: Arc<tokio::sync::Mutex<mpsc::Receiver<Value>>>,
    watched: &'static str,
}

async fn kubernetes(State(cluster): State<Cluster>, uri: Uri) -> Response {
    let plural = uri.path().rsplit('/').next().unwrap_or("").to_owned();
    if !uri.query().unwrap_or("").contains("watch=true") {
        let of = |(kind, object): &(&str, Value)| (*kind == plural).then(|| object.clone());
        let items: Vec<Value> = cluster.objects.iter().filter_map(of).collect();
        let list = json!({"metadata": {"resourceVersion": "1"}, "items": items});
        return axum::Json(list).into_response();
    }
    let stream = async_stream(cluster, plural);
    Body::from_stream(stream).into_response()
}

fn async_stream(
    cluster: Cluster,
    plural: String,
) -> impl tokio_stream::Stream<Item = Result<String, std::io::Error>> + Send {
    let (sender, receiver) = mpsc::channel(1);
    drop(stdx::task::spawn_to_end("watch", async move {
        if plural != cluster.watched {
            return std::future::pending::<()>().await;
        }
        let mut events = cluster.events.lock().await;
        while let Some(event) = events.recv().await {
            if sender.send(Ok(format!("{event}\n"))).await.is_err() {
                return;
            }
        }
    }));
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

fn pod(name: &str, ip: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "ns", "uid": "u1", "labels": {"app.x/y": "z"},
            "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": "rs"}]},
        "spec": {"nodeName": "n1", "containers": [
            {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 9000, "protocol": "TCP"},
                {"name": "admin", "containerPort": 9001, "protocol": "TCP"}]}]},
        "status": {"podIP": ip, "hostIP": "10.0.0.9", "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "c", "containerID": "docker://1"}]},
    })
}

async fn cluster(
    objects: Vec<(&'static str, Value)>,
    watched: &'static str,
) -> (String, mpsc::Sender<Value>) {
    let (sender, events) = mpsc::channel(8);
    let events = Arc::new(tokio::sync::Mutex::new(events));
    let cluster = Cluster { objects: Arc::new(objects), events, watched };
    let address = serve(axum::Router::new().fallback(kubernetes).with_state(cluster)).await;
    (address, sender)
}

fn kubernetes_config(role: &str, address: &str) -> String {
    format!("  kubernetes_sd_configs: [{{role: {role}, api_server: 'http://{address}'}}]")
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_listed_and_watched() {
    let (address, events) = cluster(vec![("pods", pod("p1", "10.1.0.1"))], "pods").await;
    let mut run = Run::start(&kubernetes_config("pod", &address));
    run.addresses(&["10.1.0.1:9000", "10.1.0.1:9001"]).await;
    let groups = run.found.groups();
    let labels = &groups[0].labels;
    for (name, value) in [
        ("namespace", "ns"),
        ("pod_name", "p1"),
        ("pod_ip", "10.1.0.1"),
        ("pod_ready", "true"),
        ("pod_phase", "Running"),
        ("pod_node_name", "n1"),
        ("pod_host_ip", "10.0.0.9"),
        ("pod_uid", "u1"),
        ("pod_controller_kind", "ReplicaSet"),
        ("pod_label_app_x_y", "z"),
        ("pod_labelpresent_app_x_y", "true"),
    ] {
        assert_eq!(labels[&format!("__meta_kubernetes_{name}")], value, "{name}");
    }
    assert_eq!(groups[0].targets[0]["__meta_kubernetes_pod_container_port_name"], "http");
    assert_eq!(groups[0].targets[0]["__meta_kubernetes_pod_container_id"], "docker://1");
    let added = json!({"type": "ADDED", "object": pod("p2", "10.1.0.2")});
    events.send(added).await.expect("watched");
    run.addresses(&["10.1.0.1:9000", "10.1.0.1:9001", "10.1.0.2:9000", "10.1.0.2:9001"]).await;
    let deleted = json!({"type": "DELETED", "object": pod("p1", "10.1.0.1")});
    events.send(deleted).await.expect("watched");
    run.addresses(&["10.1.0.2:9000", "10.1.0.2:9001"]).await;
    let gone = json!({"type": "ERROR", "object": {"code": 410}});
    events.send(gone).await.expect("watched");
    run.addresses(&["10.1.0.1:9000", "10.1.0.1:9001"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_roles_have_their_targets() {
    let service = json!({"metadata": {"name": "s", "namespace": "ns"}, "spec": {
        "type": "ClusterIP", "clusterIP": "10.9.9.9",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}});
    let node = json!({"metadata": {"name": "n1"}, "status": {
        "addresses": [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "10.0.0.9"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}});
    let reference = json!({"kind": "Pod", "name": "p1", "namespace": "ns"});
    let endpoints = json!({"metadata": {"name": "s", "namespace": "ns"}, "subsets": [{
        "addresses": [{"ip": "10.1.0.1", "targetRef": reference}],
        "ports": [{"name": "http", "port": 9000, "protocol": "TCP"}]}]});
    let slice = json!({"metadata": {"name": "s-1", "namespace": "ns",
        "labels": {"kubernetes.io/service-name": "s"}}, "addressType": "IPv4",
        "ports": [{"name": "http", "port": 9000, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": true}, "targetRef": reference}]});
    let ingress = json!({"metadata": {"name": "i", "namespace": "ns"}, "spec": {
        "tls": [{"hosts": ["*.example"]}],
        "rules": [{"host": "a.example", "http": {"paths": [{"path": "/x"}]}}]}});
    let objects = vec![
        ("services", service),
        ("nodes", node),
        ("endpoints", endpoints),
        ("endpointslices", slice),
        ("ingresses", ingress),
        ("pods", pod("p1", "10.1.0.1")),
    ];
    let (address, _events) = cluster(objects, "").await;
    for (role, addresses, labels) in [
        ("node", vec!["10.0.0.9:10250"], vec![("node_name", "n1"), ("node_address_Hostname", "h")]),
        (
            "service",
            vec!["s.ns.svc:80"],
            vec![("service_cluster_ip", "10.9.9.9"), ("service_name", "s")],
        ),
        (
            "endpoints",
            vec!["10.1.0.1:9000", "10.1.0.1:9001"],
            vec![
                ("service_name", "s"),
                ("pod_name", "p1"),
                ("endpoint_ready", "true"),
                ("pod_container_name", "c"),
            ],
        ),
        (
            "endpointslice",
            vec!["10.1.0.1:9000", "10.1.0.1:9001"],
            vec![("service_name", "s"), ("endpointslice_endpoint_conditions_ready", "true")],
        ),
        ("ingress", vec!["a.example"], vec![("ingress_scheme", "https"), ("ingress_path", "/x")]),
    ] {
        let mut run = Run::start(&kubernetes_config(role, &address));
        run.addresses(&addresses).await;
        let groups = run.found.groups();
        let mut all = groups[0].targets[0].clone();
        all.extend(groups[0].labels.clone());
        for (name, value) in labels {
            assert_eq!(all[&format!("__meta_kubernetes_{name}")], value, "{role} {name}");
        }
    }
}
