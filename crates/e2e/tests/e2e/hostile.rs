//! Bodies that no SDK sends: each is refused in the protocol's way, and the server goes on.

use std::io::Write as _;

use e2e::otlp::{
    self, PROTOBUF, Reply, log, logs_request, post, post_logs, post_traces, span, traces_request,
};
use e2e::server::{Server, Setup};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message as _;
use tonic::{Code, Request};

async fn send(server: &Server, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    post(server.http(), &format!("{}{path}", server.otlp_http()), headers, body)
        .await
        .expect("an answer")
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// After whatever came before, the server takes a good request and has exactly that row.
async fn still_works(server: &Server) {
    let reply = post_logs(
        server.http(),
        &server.otlp_http(),
        &logs_request("good", vec![log("still here", vec![])]),
    )
    .await
    .expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let rows = server.sql("SELECT count(*) FROM logs").await;
    assert_eq!(rows.number(), 1, "the refused bodies left rows");
}

#[tokio::test]
async fn broken_bodies_are_bad_requests() {
    let server = Server::start().await;
    let good = logs_request("s", vec![log("a line", vec![otlp::text("k", "v")])]).encode_to_vec();
    let cases: [(&str, &str, Vec<u8>); 6] = [
        ("cut short", PROTOBUF, good[..good.len() - 3].to_vec()),
        ("no protobuf", PROTOBUF, vec![0xff; 64]),
        ("text for protobuf", PROTOBUF, b"{\"resourceLogs\":[]}".to_vec()),
        ("no JSON", "application/json", b"{\"resourceLogs\":[".to_vec()),
        ("JSON of another shape", "application/json", b"{\"resourceLogs\":7}".to_vec()),
        ("deep JSON", "application/json", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
    ];
    for (name, content_type, body) in cases {
        let reply = send(&server, "/v1/logs", &[("content-type", content_type)], body).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
        // The specification wants the answer in the request's own encoding.
        assert!(reply.content_type.starts_with(content_type), "{name}: {}", reply.content_type);
        assert!(!reply.body.is_empty(), "{name}: no reason is given");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn ids_of_a_wrong_length_are_rejected_and_the_rest_is_kept() {
    let server = Server::start().await;
    let mut bad = span("bad", vec![]);
    bad.trace_id = vec![1; 15];
    let request = traces_request("s", vec![span("good", vec![]), bad]);
    let reply = post_traces(server.http(), &server.otlp_http(), &request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    // The field numbers of both signals' partial success are the same.
    let response = ExportLogsServiceResponse::decode(reply.body.as_slice()).expect("a response");
    let partial = response.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_log_records, 1);
    assert!(partial.error_message.contains("trace"), "{}", partial.error_message);
    let rows = server.sql("SELECT name FROM spans").await;
    assert_eq!(*rows.value(), "good");
}

#[tokio::test]
async fn other_content_types_and_encodings_are_unsupported() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let reply =
            send(&server, "/v1/logs", &[("content-type", content_type)], b"x".to_vec()).await;
        assert_eq!(reply.status, 415, "{content_type}: {}", reply.text());
    }
    let headers = [("content-type", PROTOBUF), ("content-encoding", "br")];
    let reply = send(&server, "/v1/logs", &headers, b"x".to_vec()).await;
    assert_eq!(reply.status, 415, "{}", reply.text());
    still_works(&server).await;
}

#[tokio::test]
async fn a_body_that_unpacks_to_too_much_is_too_large() {
    let server = Server::start().await;
    let bomb = gzip(&vec![0; 512 << 20]);
    assert!(bomb.len() < 1 << 20, "the bomb is small before it goes off");
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let before = server.memory_kib("VmHWM");
    let reply = send(&server, "/v1/logs", &headers, bomb).await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 256 << 10, "it was unpacked all the same: {grown} KiB more at the peak");
    let broken = send(&server, "/v1/logs", &headers, b"this is no gzip".to_vec()).await;
    assert_eq!(broken.status, 400, "{}", broken.text());
    still_works(&server).await;
}

#[tokio::test]
async fn a_huge_body_is_too_large() {
    let server = Setup::new().set("ingest.body_bytes_max", 1 << 20).start().await;
    let huge = logs_request("s", vec![log(&"x".repeat(2 << 20), vec![])]);
    let reply = post_logs(server.http(), &server.otlp_http(), &huge).await;
    // A server may close the connection on a body it will not read.
    if let Ok(reply) = reply {
        assert_eq!(reply.status, 413, "{}", reply.text());
    }
    let mut client = LogsServiceClient::connect(server.grpc()).await.expect("a connection");
    let status = client.export(huge).await.expect_err("it is too large");
    assert!(
        matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange | Code::InvalidArgument),
        "{status}"
    );
    still_works(&server).await;
}

#[tokio::test]
async fn metrics_are_taken_or_refused_with_words() {
    let server = Server::start().await;
    let gauge = |name: &str| Metric {
        name: name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: (e2e::prometheus::now_ms() * 1_000_000).cast_unsigned(),
                value: Some(number_data_point::Value::AsDouble(7.5)),
                ..NumberDataPoint::default()
            }],
        })),
        ..Metric::default()
    };
    let request = |name: &str| ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![gauge(name)],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let headers = [("content-type", PROTOBUF)];
    for (name, base) in [("own_port", server.otlp_http()), ("main_port", server.main())] {
        let url = format!("{base}/v1/metrics");
        let body = request(name).encode_to_vec();
        let reply = post(server.http(), &url, &headers, body).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = post(server.http(), &url, &headers, vec![0xff; 9]).await.expect("an answer");
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    let mut client = MetricsServiceClient::connect(server.grpc()).await.expect("a connection");
    client.export(request("grpc")).await.expect("it is taken");
    for name in ["own_port", "main_port", "grpc"] {
        let now = e2e::prometheus::now_ms();
        let found = e2e::prometheus::value(server.http(), &server.prometheus(), name, now).await;
        assert!((found.expect("a value") - 7.5).abs() < 1e-9, "{name}");
    }
}

#[tokio::test]
async fn grpc_says_what_is_wrong_and_takes_the_next() {
    let server = Server::start().await;
    let mut client = TraceServiceClient::connect(server.grpc()).await.expect("a connection");
    let mut bad = span("bad", vec![]);
    bad.span_id = vec![1; 3];
    let answer = client.export(traces_request("s", vec![bad])).await.expect("an answer");
    let partial = answer.into_inner().partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    let answer = client.export(traces_request("s", vec![span("good", vec![])])).await;
    assert!(answer.expect("an answer").into_inner().partial_success.is_none());
}

#[tokio::test]
async fn with_keys_configured_nobody_comes_in_without_one() {
    let server = Setup::new().set("auth.keys", "[\"open-sesame\"]").start().await;
    let request = logs_request("s", vec![log("a line", vec![])]);
    let reply = post_logs(server.http(), &server.otlp_http(), &request).await.expect("an answer");
    assert_eq!(reply.status, 401, "{}", reply.text());
    let sql = server.ask("SELECT 1").await.expect_err("no key was given");
    assert!(sql.to_string().contains("401"), "{sql:#}");
    let mut client = LogsServiceClient::connect(server.grpc()).await.expect("a connection");
    let status = client.export(request.clone()).await.expect_err("no key was given");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let mut wrong = Request::new(request.clone());
    wrong.metadata_mut().insert("authorization", "Bearer wrong".parse().expect("a header"));
    let status = client.export(wrong).await.expect_err("the wrong key was given");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");

    let mut right = Request::new(request.clone());
    right.metadata_mut().insert("authorization", "Bearer open-sesame".parse().expect("a header"));
    client.export(right).await.expect("the key opens");
    let headers = [("content-type", PROTOBUF), ("authorization", "Bearer open-sesame")];
    let reply = send(&server, "/v1/logs", &headers, request.encode_to_vec()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}
