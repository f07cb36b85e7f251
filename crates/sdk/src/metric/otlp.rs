//! A snapshot as OTLP's protobuf. Only what a registry can say, by hand: the `metrics` features of
//! the opentelemetry crates would bring a second way to count. The names are Prometheus's, which
//! every receiver leaves as they are.
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::Resource;
use prost::{Message, Oneof};

use super::snapshot::{Exemplar, Family, Kind, Sample, Snapshot, Value};

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

/// Empty as far as the sender is concerned.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportResponse {}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<WireResource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct WireResource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "5")]
    Gauge(Points),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(WireHistogram),
}

#[derive(Clone, PartialEq, Message)]
struct Points {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct WireHistogram {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(double, optional, tag = "4")]
    as_double: Option<f64>,
    #[prost(message, repeated, tag = "5")]
    exemplars: Vec<WireExemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramPoint {
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "8")]
    exemplars: Vec<WireExemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct WireExemplar {
    #[prost(fixed64, tag = "2")]
    time_unix_nano: u64,
    #[prost(double, optional, tag = "3")]
    as_double: Option<f64>,
    #[prost(bytes = "vec", tag = "4")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    trace_id: Vec<u8>,
}

const CUMULATIVE: i32 = 2;

pub(super) fn request(snapshot: &Snapshot, resource: &Resource) -> ExportRequest {
    let attributes = resource.iter().map(|(key, value)| attribute(key.as_str(), &value.as_str()));
    let scope =
        Scope { name: "trefoil_sdk".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let families = snapshot.families.iter().filter(|family| !family.samples.is_empty());
    let scope_metrics = ScopeMetrics {
        scope: Some(scope),
        metrics: families.map(|family| metric(family, snapshot)).collect(),
    };
    ExportRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(WireResource { attributes: attributes.collect() }),
            scope_metrics: vec![scope_metrics],
        }],
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { string_value: Some(value.to_owned()) };
    KeyValue { key: key.to_owned(), value: Some(value) }
}

fn metric(family: &Family, snapshot: &Snapshot) -> Metric {
    let unit = match family.unit() {
        "seconds" => "s",
        "bytes" => "By",
        "ratio" => "1",
        _ => "",
    };
    let numbers = || family.samples.iter().filter_map(|sample| number(sample, snapshot)).collect();
    let data = match family.kind {
        Kind::Gauge | Kind::Info => Data::Gauge(Points { data_points: numbers() }),
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Kind::Histogram => Data::Histogram(WireHistogram {
            data_points: family
                .samples
                .iter()
                .filter_map(|sample| histogram(sample, snapshot))
                .collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    let given = sample.labels.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(key, value)| attribute(key, value)).collect()
}

fn number(sample: &Sample, snapshot: &Snapshot) -> Option<NumberPoint> {
    let Value::Number(value, exemplar) = &sample.value else { return None };
    Some(NumberPoint {
        attributes: attributes(sample),
        start_time_unix_nano: unix_nanos(snapshot.started),
        time_unix_nano: unix_nanos(snapshot.now),
        as_double: Some(*value),
        exemplars: exemplar.iter().map(wire_exemplar).collect(),
    })
}

fn histogram(sample: &Sample, snapshot: &Snapshot) -> Option<HistogramPoint> {
    let Value::Histogram { bounds, counts, sum, exemplars } = &sample.value else { return None };
    Some(HistogramPoint {
        attributes: attributes(sample),
        start_time_unix_nano: unix_nanos(snapshot.started),
        time_unix_nano: unix_nanos(snapshot.now),
        count: counts.iter().sum(),
        sum: Some(*sum),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.to_vec(),
        exemplars: exemplars.iter().flatten().map(wire_exemplar).collect(),
    })
}

fn wire_exemplar(exemplar: &Exemplar) -> WireExemplar {
    WireExemplar {
        time_unix_nano: unix_nanos(exemplar.time),
        as_double: Some(exemplar.value),
        span_id: exemplar.span_id.to_be_bytes().to_vec(),
        trace_id: exemplar.trace_id.to_be_bytes().to_vec(),
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
