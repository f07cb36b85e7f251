//! Traces and logs of the real OpenTelemetry SDKs of Python, Node and Rust come whole.

use std::time::{Duration, SystemTime};

use e2e::program::{command, python, root, run};
use e2e::sent::Sent;
use e2e::server::Server;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    Compression, LogExporter, SpanExporter, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Map, Value, json};

/// Sends with a client of another language and checks that all has come.
async fn check_client(program: tokio::process::Command, endpoint: Endpoint, words: &[&str; 2]) {
    let server = Server::start().await;
    let endpoint = match endpoint {
        Endpoint::Grpc => server.grpc(),
        Endpoint::Http => server.otlp_http(),
        Endpoint::Main => server.main(),
    };
    let [protocol, compression] = words;
    let marker = format!("{protocol}-{compression}");
    let mut program = program;
    program.args([*protocol, &endpoint, &marker, *compression]);
    let printed = run(&mut program, Duration::from_secs(120)).await.success();
    Sent::parse(&printed).check(&server, &marker).await;
}

#[derive(Clone, Copy)]
enum Endpoint {
    Grpc,
    Http,
    Main,
}

fn python_client() -> tokio::process::Command {
    let mut client = command(python());
    client.arg(root().join("crates/e2e/clients/python/send.py"));
    client
}

fn node_client() -> tokio::process::Command {
    let mut client = command("node");
    client.arg(root().join("crates/e2e/clients/node/send.mjs"));
    client
}

#[tokio::test]
async fn python_over_grpc() {
    check_client(python_client(), Endpoint::Grpc, &["grpc", "none"]).await;
}

#[tokio::test]
async fn python_over_grpc_with_gzip() {
    check_client(python_client(), Endpoint::Grpc, &["grpc", "gzip"]).await;
}

#[tokio::test]
async fn python_over_http_with_gzip() {
    check_client(python_client(), Endpoint::Http, &["http", "gzip"]).await;
}

#[tokio::test]
async fn python_over_http_on_the_main_port() {
    check_client(python_client(), Endpoint::Main, &["http", "none"]).await;
}

#[tokio::test]
async fn node_in_json() {
    check_client(node_client(), Endpoint::Http, &["json", "none"]).await;
}

#[tokio::test]
async fn node_in_json_with_gzip_on_the_main_port() {
    check_client(node_client(), Endpoint::Main, &["json", "gzip"]).await;
}

#[tokio::test]
async fn node_in_protobuf() {
    check_client(node_client(), Endpoint::Http, &["proto", "gzip"]).await;
}

#[tokio::test]
async fn node_over_grpc() {
    check_client(node_client(), Endpoint::Grpc, &["grpc", "gzip"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_over_grpc_with_gzip() {
    let server = Server::start().await;
    let spans = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(server.grpc())
        .with_compression(Compression::Gzip)
        .build()
        .expect("a span exporter");
    let logs = LogExporter::builder()
        .with_tonic()
        .with_endpoint(server.grpc())
        .build()
        .expect("a log exporter");
    send_from_rust(spans, logs, "rust-grpc").await.check(&server, "rust-grpc").await;
}

/// Sends the same as the other languages' clients do, as far as Rust's SDK can say it.
async fn send_from_rust(spans: SpanExporter, logs: LogExporter, marker: &'static str) -> Sent {
    let resource = Resource::builder_empty()
        .with_service_name("rust-client")
        .with_attributes([
            KeyValue::new("service.version", "7.8.9"),
            KeyValue::new("deployment.environment.name", "testing"),
            KeyValue::new("host.name", "rust-host"),
            KeyValue::new("process.pid", 4242),
        ])
        .build();
    let sent_spans = InMemorySpanExporter::default();
    let traces = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(spans)
        .with_simple_exporter(sent_spans.clone())
        .build();
    let logs =
        SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(logs).build();

    let tracer = traces.tracer("e2e.rust");
    let elsewhere = SpanContext::new(
        0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10.into(),
        0x1112_1314_1516_1718.into(),
        TraceFlags::SAMPLED,
        true,
        TraceState::from_key_value([("vendor", "value")]).expect("a trace state"),
    );
    let root = tracer
        .span_builder("root operation")
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("e2e.marker", marker),
            KeyValue::new("text", "ünïcödé 🍀 \"quoted\""),
            KeyValue::new("empty", ""),
            KeyValue::new("int", -9_007_199_254_740_991),
            KeyValue::new("double", 0.1),
            KeyValue::new("whole", 3.0),
            KeyValue::new("yes", true),
            KeyValue::new("no", false),
            KeyValue::new("list.int", opentelemetry::Value::Array(vec![1_i64, 2, 3].into())),
            KeyValue::new("user.id", "user-1"),
        ])
        .with_links(vec![Link::new(elsewhere, vec![KeyValue::new("why", "follows")], 0)])
        .start(&tracer);
    let context = Context::current_with_span(root);
    let mut child = tracer
        .span_builder("child client")
        .with_kind(SpanKind::Client)
        .with_attributes([KeyValue::new("e2e.marker", marker)])
        .start_with_context(&tracer, &context);
    child.add_event("cache miss", vec![KeyValue::new("key", "k"), KeyValue::new("size", 12)]);
    child.set_status(Status::Ok);
    child.end();
    let mut failing = tracer
        .span_builder("child failing")
        .with_attributes([KeyValue::new("e2e.marker", marker)])
        .start_with_context(&tracer, &context);
    failing.record_error(&std::io::Error::other("this went wrong"));
    failing.set_status(Status::error("this went wrong"));
    failing.end();

    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(e2e::otlp::now() / 1000 * 1000 + 789);
    let logger = logs.logger("e2e.rust");
    let mut record = logger.create_log_record();
    record.set_timestamp(time);
    record.set_observed_timestamp(time + Duration::from_nanos(1));
    record.set_severity_number(Severity::Error2);
    record.set_severity_text("ERROR");
    record.set_body(AnyValue::from("an error of the Rust client"));
    record.add_attribute("e2e.marker", marker);
    record.add_attribute("n", 1_i64);
    record.add_attribute("ratio", 0.5);
    let span = context.span().span_context().clone();
    record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
    logger.emit(record);
    context.span().end();

    // The SDK's own threads export; this one must not block the runtime they may need.
    tokio::task::spawn_blocking(move || {
        traces.force_flush().expect("the spans are exported");
        logs.force_flush().expect("the logs are exported");
    })
    .await
    .expect("the flush ends");
    let log = json!({
        "service": "rust-client", "release": "7.8.9", "environment": "testing",
        "trace_id": span.trace_id().to_string(), "span_id": span.span_id().to_string(),
        "time_unix_ns": nanoseconds(time).to_string(),
        "observed_time_unix_ns": (nanoseconds(time) + 1).to_string(),
        "severity_number": 18, "severity_text": "ERROR", "level": "error",
        "body": "an error of the Rust client", "scope_name": "e2e.rust",
        "attributes": {"e2e.marker": marker, "n": 1, "ratio": 0.5},
        "resource": {"host.name": "rust-host", "process.pid": 4242},
    });
    let spans = sent_spans.get_finished_spans().expect("the spans are kept");
    Sent { spans: spans.iter().map(span_words).collect(), logs: vec![log] }
}

fn nanoseconds(time: SystemTime) -> i128 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    i128::try_from(since.as_nanos()).expect("a time before the sun's end")
}

fn span_words(span: &SpanData) -> Value {
    let (status, message) = match &span.status {
        Status::Unset => ("unset", None),
        Status::Ok => ("ok", None),
        Status::Error { description } => ("error", Some(description.to_string())),
    };
    let parent = span.parent_span_id.to_string();
    json!({
        "service": "rust-client", "release": "7.8.9", "environment": "testing",
        "trace_id": span.span_context.trace_id().to_string(),
        "span_id": span.span_context.span_id().to_string(),
        "parent_span_id": (parent != "0000000000000000").then_some(parent),
        "name": span.name,
        "kind": format!("{:?}", span.span_kind).to_lowercase(),
        "status": status,
        "status_message": message,
        "time_unix_ns": nanoseconds(span.start_time).to_string(),
        "duration_ns": i64::try_from(nanoseconds(span.end_time) - nanoseconds(span.start_time))
            .expect("a short span"),
        "scope_name": "e2e.rust",
        "attributes": attributes(&span.attributes),
        "resource": {"host.name": "rust-host", "process.pid": 4242},
        "events": span.events.events.iter().map(|event| json!({
            "time_unix_nano": nanoseconds(event.timestamp).to_string(),
            "name": event.name,
            "attributes": attributes(&event.attributes),
        })).collect::<Vec<_>>(),
        "links": span.links.links.iter().map(|link| json!({
            "trace_id": link.span_context.trace_id().to_string(),
            "span_id": link.span_context.span_id().to_string(),
            "trace_state": link.span_context.trace_state().header(),
            "attributes": attributes(&link.attributes),
        })).collect::<Vec<_>>(),
    })
}

fn attributes(attributes: &[KeyValue]) -> Value {
    let words = attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            opentelemetry::Value::Bool(value) => json!(value),
            opentelemetry::Value::I64(value) => json!(value),
            opentelemetry::Value::F64(value) => json!(value),
            opentelemetry::Value::Array(value) => {
                serde_json::from_str(&value.to_string()).expect("a list")
            }
            other => json!(other.as_str()),
        };
        (attribute.key.to_string(), value)
    });
    Value::Object(words.collect::<Map<_, _>>())
}
