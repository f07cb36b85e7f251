//! Bodies made to break the decoder: they are answered with an error or with few rows, in little
//! time and memory, and never with a panic.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use proptest::prelude::*;
use prost::Message as _;

use super::{decode_protobuf, picked, rows_of};
use crate::otlp::{DecodeError, transcode_json};
use crate::{Format, Limits, Reason};

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) })
}

fn key_value(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span_with(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "name".to_owned(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes,
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> Bytes {
    let resource = Some(Resource {
        attributes: vec![key_value("service.name", text("a service with a long name"))],
        ..Resource::default()
    });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn logs(log_records: Vec<LogRecord>) -> Bytes {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn nested(depth: usize) -> Option<AnyValue> {
    let mut value = text("bottom");
    for _ in 0..depth {
        let values = value.into_iter().collect();
        value = Some(AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) });
    }
    value
}

fn rich_trace() -> Bytes {
    let mut span = span_with(vec![
        key_value("a", text("text that is longer than twelve bytes")),
        key_value("b", nested(3)),
        key_value("c", None),
    ]);
    span.events = vec![span::Event { name: "e".to_owned(), ..span::Event::default() }];
    span.links = vec![span::Link { trace_id: vec![3; 16], ..span::Link::default() }];
    traces(vec![span.clone(), span])
}

fn rich_log() -> Bytes {
    let record = LogRecord {
        body: nested(2),
        severity_text: "INFO".to_owned(),
        attributes: vec![key_value("k", text("text that is longer than twelve bytes"))],
        trace_id: vec![1; 16],
        ..LogRecord::default()
    };
    logs(vec![record.clone(), record])
}

#[test]
fn truncation_at_every_byte_is_an_error_or_fewer_rows() {
    for (format, body) in [(Format::OtlpTraces, rich_trace()), (Format::OtlpLogs, rich_log())] {
        for len in 0..body.len() {
            let decoded = decode_protobuf(format, &Limits::default(), &body.slice(..len));
            assert!(decoded.is_err() || len == 0, "{len} of {} bytes", body.len());
        }
        assert_eq!(decode_protobuf(format, &Limits::default(), &body).expect("whole").rows(), 2);
    }
}

#[test]
fn every_byte_may_be_wrong() {
    for (format, body) in [(Format::OtlpTraces, rich_trace()), (Format::OtlpLogs, rich_log())] {
        for index in 0..body.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut body = body.to_vec();
                body[index] ^= flip;
                if let Ok(decoded) = decode_protobuf(format, &Limits::default(), &body.into()) {
                    rows_of(&decoded.batch);
                }
            }
        }
    }
}

#[test]
fn lengths_beyond_the_body_are_errors() {
    for length in
        [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff; 10], &[0x80, 0x80, 0x80, 0x80, 0x10]]
    {
        for prefix in [&[0x0a][..], &[0x0a, 0x0b, 0x12], &[0x0a, 0x0d, 0x12, 0x0b, 0x12]] {
            let body: Bytes = [prefix, length, &[0; 20]].concat().into();
            let decoded = decode_protobuf(Format::OtlpTraces, &Limits::default(), &body);
            assert!(matches!(decoded, Err(DecodeError::Malformed { .. })), "{body:x?}");
        }
    }
}

#[test]
fn deep_nesting_ends_in_null() {
    // Deeper than any stack would bear if it were walked down.
    let mut value = vec![];
    for _ in 0..20_000 {
        // AnyValue { array_value: ArrayValue { values: [value] } }
        let inner = ArrayMessage { values: vec![value.into()] }.encode_to_vec();
        value = AnyMessage { array: inner.into() }.encode_to_vec();
    }
    let attribute = KeyMessage { key: "k".to_owned(), value: value.into() };
    let record = RecordMessage { attributes: vec![attribute] };
    let scope = ScopeMessage { records: vec![record] };
    let resource = ResourceMessage { scopes: vec![scope] };
    let body = RequestMessage { resources: vec![resource] }.encode_to_vec().into();
    let decoded = decode_protobuf(Format::OtlpLogs, &Limits::default(), &body).expect("decoded");
    assert_eq!(decoded.report.count(Reason::Nesting), 1);
    let nested = "[".repeat(16) + "null" + &"]".repeat(16);
    let expected: serde_json::Value = serde_json::from_str(&nested).expect("JSON");
    assert_eq!(picked(&decoded.batch, &["attributes.k#json"]), serde_json::json!([[expected]]));

    let json = format!("{{\"resourceLogs\":{}", "[".repeat(100_000));
    assert!(transcode_json(Format::OtlpLogs, json.as_bytes()).is_err());
}

/// The same messages with nested ones as bytes, because prost stops at 100 levels.
#[derive(Clone, PartialEq, prost::Message)]
struct ArrayMessage {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    values: Vec<Bytes>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct AnyMessage {
    #[prost(bytes = "bytes", tag = "5")]
    array: Bytes,
}
#[derive(Clone, PartialEq, prost::Message)]
struct KeyMessage {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}
#[derive(Clone, PartialEq, prost::Message)]
struct RecordMessage {
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyMessage>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct ScopeMessage {
    #[prost(message, repeated, tag = "2")]
    records: Vec<RecordMessage>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct ResourceMessage {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeMessage>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct RequestMessage {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceMessage>,
}

#[test]
fn ten_thousand_keys_fill_the_columns_and_then_the_rest() {
    let spans = (0..100)
        .map(|span| {
            let key = |index| format!("key-{}", span * 100 + index);
            span_with((0..100).map(|index| key_value(&key(index), text("v"))).collect())
        })
        .collect();
    let decoded =
        decode_protobuf(Format::OtlpTraces, &Limits::default(), &traces(spans)).expect("decoded");
    let fixed = Format::OtlpTraces.table().columns().len();
    assert_eq!(decoded.batch.num_columns(), fixed + 1_000);
    assert_eq!(decoded.report.count(Reason::Rest), 9_000);
    let rows = rows_of(&decoded.batch);
    assert_eq!(rows[0].get("attributes.key-0#string"), Some(&serde_json::json!("v")));
    let rest = rows[99].get("rest").and_then(|rest| rest.as_object()).expect("an object");
    assert_eq!((rest.len(), rest.get("attributes.key-9999")), (100, Some(&serde_json::json!("v"))));
}

#[test]
fn many_rows_and_many_keys_do_not_multiply() {
    // 200,000 rows of a few bytes and 1,000 keys would be 200 million cells.
    let records = (0..200_000)
        .map(|index| LogRecord {
            attributes: if index % 200 == 0 {
                vec![key_value(&format!("k{index}"), text("v"))]
            } else {
                vec![]
            },
            ..LogRecord::default()
        })
        .collect();
    let body = logs(records);
    let decoded = decode_protobuf(Format::OtlpLogs, &Limits::default(), &body).expect("decoded");
    assert_eq!(decoded.rows(), 200_000);
    assert!(decoded.memory_bytes < 120 << 20, "{} bytes", decoded.memory_bytes);
}

#[test]
fn resources_without_rows_take_no_memory() {
    let resource_spans = (0..100_000)
        .map(|index| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![key_value(&format!("k{}", index % 1_000), text("v"))],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans::default()],
            ..ResourceSpans::default()
        })
        .collect();
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
    let decoded = decode_protobuf(Format::OtlpTraces, &Limits::default(), &body).expect("decoded");
    assert_eq!(decoded.rows(), 0);
    assert!(decoded.memory_bytes < 4 * body.len(), "{} bytes", decoded.memory_bytes);
}

#[test]
fn text_that_grows_too_much_is_refused() {
    // Control characters take six bytes each in JSON, and so does each row's share of the rest.
    let limits = Limits { attribute_columns_per_batch_max: 0, ..Limits::default() };
    let control = "\u{1}".repeat(30_000);
    let attributes = (0..100).map(|index| key_value(&format!("k{index}"), text(&control)));
    let span = span_with(attributes.collect());
    let resource_spans = vec![ResourceSpans {
        resource: Some(Resource { attributes: span.attributes.clone(), ..Resource::default() }),
        scope_spans: vec![ScopeSpans {
            spans: vec![span.clone(), span.clone(), span],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }];
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
    let error = decode_protobuf(Format::OtlpTraces, &limits, &body).expect_err("too large");
    assert!(matches!(error, DecodeError::TooLarge { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::OtlpTraces, Format::OtlpLogs] {
            drop(decode_protobuf(format, &Limits::default(), &Bytes::from(bytes.clone())));
            drop(transcode_json(format, &bytes));
        }
    }
}
