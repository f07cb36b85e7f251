//! Bodies in, series out.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::{Value as Json, json};
use stdx::clock::Clock;
use stdx::memory::Budget;
use tower::ServiceExt as _;

use super::*;
use crate::metrics::MetricReceiverOptions;
use crate::metrics::testing::{MemorySink, display};
use crate::otlp::grpc;
use crate::otlp::http as otlp_http;
use crate::{Receiver, ReceiverOptions, Sink, SinkError, Write};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;
const TIME: u64 = START + 10 * SECOND;
const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;

fn attribute(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(value: f64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| attribute(key, *value)).collect(),
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    let description = format!("about {name}");
    Metric {
        name: name.into(),
        description,
        unit: unit.into(),
        data: Some(data),
        ..Metric::default()
    }
}

fn counter(name: &str, temporality: i32, points: Vec<NumberDataPoint>) -> Metric {
    let sum = Sum { data_points: points, aggregation_temporality: temporality, is_monotonic: true };
    metric(name, "1", Data::Sum(sum))
}

fn gauge(name: &str, unit: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, unit, Data::Gauge(Gauge { data_points: points }))
}

fn body_of(resource: &[(&str, &str)], metrics: Vec<Metric>) -> Vec<u8> {
    let attributes = resource.iter().map(|(key, value)| attribute(key, *value)).collect();
    let scope = InstrumentationScope {
        name: "a.scope".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![attribute("x.y", "z")],
        ..InstrumentationScope::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: "u".into() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let resource_metrics =
        vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn decode(translation: &Translation, body: &[u8]) -> (String, usize) {
    let memory = Budget::new("test", 64 << 20).reserve(body.len()).expect("room");
    let decoded = decode_metrics(translation, body, &MetricLimits::default(), memory);
    let (batch, rejected) = decoded.expect("a valid body");
    (display(&batch), rejected)
}

fn check(translation: &Translation, body: &[u8], expected: &str) {
    let (series, rejected) = decode(translation, body);
    let lines = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(&series), lines(expected));
    assert_eq!(rejected, 0);
}

const SERVICE: [(&str, &str); 4] = [
    ("service.name", "api"),
    ("service.namespace", "shop"),
    ("service.instance.id", "a-1"),
    ("host.name", "h"),
];

#[test]
fn numbers_have_names_times_and_a_target() {
    let metrics = vec![
        counter("http.requests", CUMULATIVE, vec![number(3.0, &[("http.method", "GET")])]),
        gauge("temperature", "Cel", vec![number(21.5, &[])]),
    ];
    check(
        &Translation::default(),
        &body_of(&SERVICE, metrics),
        r#"
        {__name__="http_requests_total", http_method="GET", instance="a-1", job="shop/api"} 3@1700000010000(since 1700000000000)
        {__name__="temperature_celsius", instance="a-1", job="shop/api"} 21.5@1700000010000
        {__name__="target_info", host_name="h", instance="a-1", job="shop/api"} 1@1700000010000
        http_requests_total Counter "about http.requests" ""
        temperature_celsius Gauge "about temperature" "celsius"
        "#,
    );
}

#[test]
fn names_follow_the_strategy() {
    let metrics = || vec![gauge("room.temperature", "Cel", vec![number(1.0, &[("a.b", "c")])])];
    for (strategy, expected) in [
        (
            Strategy::UnderscoreEscapingWithSuffixes,
            r#"{__name__="room_temperature_celsius", a_b="c"}"#,
        ),
        (Strategy::UnderscoreEscapingWithoutSuffixes, r#"{__name__="room_temperature", a_b="c"}"#),
        (Strategy::NoUtf8EscapingWithSuffixes, r#"{__name__="room.temperature_celsius", a.b="c"}"#),
        (Strategy::NoTranslation, r#"{__name__="room.temperature", a.b="c"}"#),
    ] {
        let translation = Translation { strategy, ..Translation::default() };
        let (series, _) = decode(&translation, &body_of(&[], metrics()));
        assert!(series.starts_with(expected), "{series}");
    }
}

#[test]
fn attributes_that_become_one_label_are_joined() {
    let points = vec![number(1.0, &[("a_b", "3"), ("a.b", "1"), ("a-b", "2"), ("empty", "")])];
    let (series, _) = decode(&Translation::default(), &body_of(&[], vec![gauge("g", "", points)]));
    assert!(series.starts_with(r#"{__name__="g", a_b="2;1;3"} 1@"#), "{series}");
}

#[test]
fn resource_and_scope_are_promoted_when_asked() {
    let metrics = || vec![gauge("g", "", vec![number(1.0, &[("host.name", "own")])])];
    let translation = Translation {
        resource: Promotion::Listed(vec!["service.name".into(), "host.name".into()]),
        promotes_scope: true,
        keeps_identifying: true,
        ..Translation::default()
    };
    check(
        &translation,
        &body_of(&SERVICE, metrics()),
        r#"
        {__name__="g", host_name="own", instance="a-1", job="shop/api", otel_scope_name="a.scope", otel_scope_schema_url="u", otel_scope_version="1.2", otel_scope_x_y="z", service_name="api"} 1@1700000010000
        {__name__="target_info", host_name="h", instance="a-1", job="shop/api", service_instance_id="a-1", service_name="api", service_namespace="shop"} 1@1700000010000
        g Gauge "about g" ""
        "#,
    );
    let translation = Translation {
        resource: Promotion::AllBut(vec!["service.name".into(), "service.namespace".into()]),
        ..Translation::default()
    };
    let (series, _) = decode(&translation, &body_of(&SERVICE, metrics()));
    assert!(
        series.starts_with(
            r#"{__name__="g", host_name="own", instance="a-1", job="shop/api", service_instance_id="a-1"}"#
        ),
        "{series}"
    );
}

fn explicit_point() -> HistogramDataPoint {
    let exemplar = |value: f64, trace: u8| Exemplar {
        filtered_attributes: vec![attribute("user", "u1")],
        time_unix_nano: TIME - SECOND,
        span_id: vec![2; 8],
        trace_id: vec![trace; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    };
    HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 6,
        sum: Some(9.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 10.0],
        exemplars: vec![exemplar(99.0, 0xab), exemplar(0.25, 0)],
        ..HistogramDataPoint::default()
    }
}

fn explicit(temporality: i32, point: HistogramDataPoint) -> Metric {
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: temporality };
    metric("duration", "s", Data::Histogram(histogram))
}

#[test]
fn explicit_histograms_are_classic_with_exemplars_in_their_buckets() {
    let trace = "ab".repeat(16);
    let span = "02".repeat(8);
    check(
        &Translation::default(),
        &body_of(&[], vec![explicit(CUMULATIVE, explicit_point())]),
        &format!(
            r#"
        {{__name__="duration_seconds_sum"}} 9.5@1700000010000(since 1700000000000)
        {{__name__="duration_seconds_count"}} 6@1700000010000(since 1700000000000)
        {{__name__="duration_seconds_bucket", le="0.5"}} 1@1700000010000(since 1700000000000) # {{span_id="{span}", user="u1"}} 0.25@1700000009000
        {{__name__="duration_seconds_bucket", le="10"}} 3@1700000010000(since 1700000000000)
        {{__name__="duration_seconds_bucket", le="+Inf"}} 6@1700000010000(since 1700000000000) # {{span_id="{span}", trace_id="{trace}", user="u1"}} 99@1700000009000
        duration_seconds Histogram "about duration" "seconds"
        "#
        ),
    );
}

#[test]
fn explicit_histograms_have_custom_buckets_when_asked() {
    let translation = Translation { custom_buckets: true, ..Translation::default() };
    let (series, _) =
        decode(&translation, &body_of(&[], vec![explicit(CUMULATIVE, explicit_point())]));
    assert!(series.contains("schema: -53"), "{series}");
    assert!(series.contains("positive_buckets: [1.0, 2.0, 3.0]"), "{series}");
    assert!(series.contains("custom_values: [0.5, 10.0]"), "{series}");
    assert_eq!(series.matches('#').count(), 2, "{series}");
}

fn exponential(scale: i32) -> Metric {
    let buckets = |offset, counts: &[u64]| Some(Buckets { offset, bucket_counts: counts.to_vec() });
    let point = ExponentialHistogramDataPoint {
        time_unix_nano: TIME,
        start_time_unix_nano: START,
        count: 10,
        sum: Some(5.0),
        scale,
        zero_count: 3,
        positive: buckets(-1, &[1, 2]),
        negative: buckets(4, &[4]),
        ..ExponentialHistogramDataPoint::default()
    };
    let histogram =
        ExponentialHistogram { data_points: vec![point], aggregation_temporality: CUMULATIVE };
    metric("size", "By", Data::ExponentialHistogram(histogram))
}

#[test]
fn exponential_histograms_are_native() {
    let (series, rejected) = decode(&Translation::default(), &body_of(&[], vec![exponential(3)]));
    for part in [
        r#"{__name__="size_bytes"}"#,
        "schema: 3, zero_threshold: 1e-128, zero_count: 3.0, count: 10.0, sum: 5.0",
        "positive_spans: [Span { offset: 0, length: 2 }]",
        "negative_spans: [Span { offset: 5, length: 1 }]",
        "positive_buckets: [1.0, 2.0], negative_buckets: [4.0]",
        "@1700000010000(since 1700000000000)",
    ] {
        assert!(series.contains(part), "{part} in {series}");
    }
    assert_eq!(rejected, 0);
    let (_, rejected) = decode(&Translation::default(), &body_of(&[], vec![exponential(-5)]));
    assert_eq!(rejected, 1);
}

#[test]
fn summaries_have_quantiles_and_no_recorded_value_is_stale() {
    let point = |flags| SummaryDataPoint {
        time_unix_nano: TIME,
        count: 2,
        sum: 3.5,
        quantile_values: vec![ValueAtQuantile { quantile: 0.99, value: 2.5 }],
        flags,
        ..SummaryDataPoint::default()
    };
    let summary =
        |flags| vec![metric("s", "", Data::Summary(Summary { data_points: vec![point(flags)] }))];
    check(
        &Translation::default(),
        &body_of(&[], summary(0)),
        r#"
        {__name__="s_sum"} 3.5@1700000010000
        {__name__="s_count"} 2@1700000010000
        {__name__="s", quantile="0.99"} 2.5@1700000010000
        s Summary "about s" ""
        "#,
    );
    let body = body_of(&[], summary(1));
    let memory = Budget::new("test", 1 << 20).reserve(0).expect("room");
    let decoded = decode_metrics(&Translation::default(), &body, &MetricLimits::default(), memory);
    let (batch, _) = decoded.expect("valid");
    assert!(batch.series().all(|series| model::metric::is_stale(series.floats[0].value)));
    assert_eq!(batch.series_len(), 3);
}

#[test]
fn target_info_lasts_as_long_as_its_points() {
    let point = |seconds: u64| NumberDataPoint {
        time_unix_nano: START + seconds * SECOND,
        ..number(1.0, &[])
    };
    let body = body_of(&SERVICE, vec![gauge("g", "", vec![point(0), point(400)])]);
    let (series, _) = decode(&Translation::default(), &body);
    let target = series.lines().find(|line| line.contains("target_info")).expect("there");
    assert!(
        target.ends_with("1@1700000000000 1@1700000150000 1@1700000300000 1@1700000400000"),
        "{target}"
    );
    // Neither without a name nor with nothing more to say.
    for resource in [&SERVICE[3..], &SERVICE[..3]] {
        let (series, _) = decode(
            &Translation::default(),
            &body_of(resource, vec![gauge("g", "", vec![point(0)])]),
        );
        assert!(!series.contains("target_info"), "{series}");
    }
}

#[derive(Debug)]
struct NoSink;

#[async_trait::async_trait]
impl Sink for NoSink {
    async fn write(&self, _: Write) -> Result<(), SinkError> {
        Err(SinkError::ShuttingDown)
    }
}

struct Server {
    sink: Arc<MemorySink>,
    budget: Budget,
    router: Router,
}

impl Server {
    fn new(deltas: DeltaPolicy) -> Server {
        let sink = Arc::new(MemorySink::default());
        let budget = Budget::new("ingest", 64 << 20);
        let clock = Clock::manual(i64::try_from(TIME).expect("fits"));
        let options =
            MetricReceiverOptions::new(Arc::clone(&sink) as _, budget.clone(), clock.clone());
        let receiver = MetricReceiver::new(options);
        let translation = Translation { deltas, ..Translation::default() };
        let metrics = OtlpMetrics::new(receiver, translation, DeltaLimits::default());
        let strict = metrics.with_translation(Translation::default());
        let mut options = ReceiverOptions::new(Arc::new(NoSink), budget.clone(), clock);
        options.metrics = Some(metrics);
        let receiver = Receiver::new(options);
        let router = otlp_http::router(receiver.clone())
            .merge(grpc::router(receiver))
            .merge(otlp_http::metrics_router(strict));
        Server { sink, budget, router }
    }

    async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let request = Request::post(path).header("content-type", content_type);
        let request = request.body(Body::from(body)).expect("valid");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        (status, response.into_body().collect().await.expect("in memory").to_bytes().to_vec())
    }

    fn written(&self) -> Vec<String> {
        let mut writes = self.sink.writes.lock().expect("not poisoned");
        let lines = writes
            .iter()
            .flat_map(|write| display(&write.batch).lines().map(str::to_owned).collect::<Vec<_>>());
        let lines = lines.filter(|line| line.starts_with('{')).collect();
        writes.clear();
        lines
    }
}

const PROTOBUF: &str = "application/x-protobuf";
const METRICS: &str = "/v1/metrics";

fn delta(from: u64, to: u64, value: f64) -> Vec<u8> {
    let point = NumberDataPoint {
        start_time_unix_nano: START + from * SECOND,
        time_unix_nano: START + to * SECOND,
        ..number(value, &[])
    };
    body_of(&[], vec![counter("c", DELTA, vec![point])])
}

#[tokio::test]
async fn deltas_are_summed_up_over_requests() {
    let server = Server::new(DeltaPolicy::Cumulate);
    for (from, to, value) in [(0, 1, 2.0), (1, 2, 3.0)] {
        let (status, body) = server.post(METRICS, PROTOBUF, delta(from, to, value)).await;
        assert_eq!((status, body), (StatusCode::OK, Vec::new()));
    }
    assert_eq!(
        server.written(),
        [
            r#"{__name__="c_total"} 2@1700000001000(since 1700000000000)"#,
            r#"{__name__="c_total"} 5@1700000002000(since 1700000000000)"#,
        ]
    );
    let (status, body) = server.post(METRICS, PROTOBUF, delta(0, 1, 9.0)).await;
    assert_eq!(status, StatusCode::OK);
    let answer = ExportMetricsServiceResponse::decode(&body[..]).expect("a response");
    let partial = answer.partial_success.expect("partial");
    assert_eq!(partial.rejected_data_points, 1);
    assert!(partial.error_message.contains("begins before"), "{}", partial.error_message);

    // Explicit histograms too.
    let earlier = |seconds: u64| HistogramDataPoint {
        start_time_unix_nano: START + (seconds - 1) * SECOND,
        time_unix_nano: START + seconds * SECOND,
        exemplars: Vec::new(),
        ..explicit_point()
    };
    for seconds in [1, 2] {
        let body = body_of(&[], vec![explicit(DELTA, earlier(seconds))]);
        server.post(METRICS, PROTOBUF, body).await;
    }
    let written = server.written();
    assert_eq!(written.len(), 10);
    assert_eq!(
        written[9],
        r#"{__name__="duration_seconds_bucket", le="+Inf"} 12@1700000002000(since 1700000000000)"#
    );
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn deltas_are_rejected_or_stored_as_they_are() {
    let server = Server::new(DeltaPolicy::Store);
    let (status, _) = server.post(METRICS, PROTOBUF, delta(0, 1, 2.0)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(server.written(), [r#"{__name__="c_total"} 2@1700000001000(since 1700000000000)"#]);
    // Prometheus's path has options of its own.
    let path = "/api/v1/otlp/v1/metrics";
    let (status, body) = server.post(path, PROTOBUF, delta(0, 1, 2.0)).await;
    assert_eq!(status, StatusCode::OK);
    let answer = ExportMetricsServiceResponse::decode(&body[..]).expect("a response");
    let partial = answer.partial_success.expect("partial");
    assert_eq!(
        (partial.rejected_data_points, partial.error_message.as_str()),
        (1, "1 data points: invalid temporality and type combination (first: metric \"c\")")
    );
}

#[tokio::test]
async fn json_and_grpc_mean_the_same() {
    let server = Server::new(DeltaPolicy::Reject);
    let points = |value: Json| json!([{"timeUnixNano": TIME.to_string(), "asInt": value}]);
    let json = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "a", "gauge": {"dataPoints": points(json!("-5"))}},
        {"name": "b", "sum": {"dataPoints": points(json!(7)), "isMonotonic": true,
            "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE"}},
        {"name": "c", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
            "timeUnixNano": TIME.to_string(), "count": "3", "sum": 1.5,
            "bucketCounts": ["1", 2], "explicitBounds": [0.5]}]}},
        {"name": "d", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [{
            "timeUnixNano": TIME.to_string(), "count": 3, "scale": -1, "zeroCount": "0",
            "positive": {"offset": -2, "bucketCounts": ["1", "2"]}}]}},
    ]}]}]});
    let (status, body) =
        server.post(METRICS, "application/json", json.to_string().into_bytes()).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"{}"[..]));
    let written = server.written();
    assert_eq!(
        written[..6],
        [
            r#"{__name__="a"} -5@1700000010000"#,
            r#"{__name__="b_total"} 7@1700000010000"#,
            r#"{__name__="c_sum"} 1.5@1700000010000"#,
            r#"{__name__="c_count"} 3@1700000010000"#,
            r#"{__name__="c_bucket", le="0.5"} 1@1700000010000"#,
            r#"{__name__="c_bucket", le="+Inf"} 3@1700000010000"#,
        ]
    );
    assert!(written[6].contains("schema: -1"), "{}", written[6]);
    assert!(written[6].contains("offset: -1, length: 2"), "{}", written[6]);

    let message = body_of(&[], vec![gauge("g", "", vec![number(1.0, &[])])]);
    let len = u32::try_from(message.len()).expect("short").to_be_bytes();
    let frame = [&[0][..], &len, &message].concat();
    let method = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let (status, body) = server.post(method, "application/grpc", frame).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &[0; 5][..]));
    assert_eq!(server.written(), [r#"{__name__="g"} 1@1700000010000"#]);
}

#[tokio::test]
async fn broken_bodies_are_refused_with_the_place() {
    let server = Server::new(DeltaPolicy::Reject);
    let (status, body) =
        server.post(METRICS, "application/json", b"{\"resourceMetrics\": 1}".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let answer: Json = serde_json::from_slice(&body).expect("JSON");
    let message = answer["message"].as_str().expect("text");
    assert!(message.starts_with("cannot decode metrics: resourceMetrics: 1 found"), "{message}");

    let mut bad = gauge("g", "", vec![number(1.0, &[])]);
    bad.name = "Q".to_owned();
    let mut body = body_of(&[], vec![bad]);
    let at = body.iter().position(|byte| *byte == b'Q').expect("the name");
    body[at] = 0xff;
    let (status, body) = server.post(METRICS, PROTOBUF, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(
        text.contains("resource_metrics[0].scope_metrics[0].metrics[0]: text is not UTF-8"),
        "{text}"
    );
    assert_eq!(server.budget.used_bytes(), 0);
}

#[test]
fn the_section_otlp_of_a_prometheus_yml_decides_what_becomes_of_metrics() {
    let check = |section: &str, expected: &str| {
        let text = format!("otlp:\n{section}");
        let config = prometheus::Config::parse(&text, std::path::Path::new(""), &|_| None);
        let translation = Translation::from(&config.expect("a valid section").otlp);
        let point = number(21.5, &[("room.name", "a")]);
        let body = body_of(&SERVICE, vec![gauge("temperature.now", "Cel", vec![point])]);
        let (series, rejected) = decode(&translation, &body);
        assert_eq!((series.lines().next().unwrap_or("").trim(), rejected), (expected, 0));
    };
    check(
        "  translation_strategy: UnderscoreEscapingWithoutSuffixes\n",
        r#"{__name__="temperature_now", instance="a-1", job="shop/api", room_name="a"} 21.5@1700000010000"#,
    );
    check(
        "  translation_strategy: NoTranslation\n  promote_resource_attributes: [host.name]\n",
        r#"{__name__="temperature.now", host.name="h", instance="a-1", job="shop/api", room.name="a"} 21.5@1700000010000"#,
    );
}

#[tokio::test]
async fn a_translation_that_is_set_anew_holds_in_all_clones_and_keeps_what_becomes_of_deltas() {
    let budget = Budget::new("test", 64 << 20);
    let sink = Arc::new(MemorySink::default());
    let options = MetricReceiverOptions::new(sink, budget, Clock::system());
    let receiver = MetricReceiver::new(options);
    let cumulating = Translation { deltas: DeltaPolicy::Cumulate, ..Translation::default() };
    let metrics = OtlpMetrics::new(receiver, cumulating, DeltaLimits::default());
    let clone = metrics.clone();
    let other = metrics.with_translation(Translation::default());
    metrics.translate_by(Translation { promotes_scope: true, ..Translation::default() });
    let current = |of: &OtlpMetrics| Translation::clone(&of.translation.read());
    assert!(current(&clone).promotes_scope);
    assert_eq!(current(&clone).deltas, DeltaPolicy::Cumulate);
    assert_eq!(current(&other), Translation::default());
}
