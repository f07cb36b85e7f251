//! The decoder against a second one, written in the plainest way on prost's structs: for random
//! requests both give the same rows.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Scope;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::{RECEIVED_AT, Row, decode_protobuf, double_value, rows_of};
use crate::{Format, Limits};

/// Sets a column that is null when it has the protobuf default.
fn set(row: &mut Row, column: &str, value: Value) {
    if value != json!("") && value != json!(0) && !value.is_null() {
        row.insert(column.to_owned(), value);
    }
}

fn json_of(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(bool)) => json!(bool),
        Some(Any::IntValue(int)) => json!(int),
        Some(Any::DoubleValue(double)) if double.is_nan() => json!("NaN"),
        Some(Any::DoubleValue(double)) if double.is_infinite() => {
            json!(if *double > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Some(Any::DoubleValue(double)) => json!(double),
        Some(Any::BytesValue(bytes)) => json!({"$bytes": STANDARD.encode(bytes)}),
        Some(Any::ArrayValue(array)) => array.values.iter().map(|v| json_of(Some(v))).collect(),
        Some(Any::KvlistValue(list)) => object_of(&list.values),
    }
}

fn object_of(attributes: &[KeyValue]) -> Value {
    let pairs = attributes.iter().map(|kv| (kv.key.clone(), json_of(kv.value.as_ref())));
    Value::Object(pairs.collect())
}

fn plain_text_of(value: Option<&AnyValue>) -> Option<String> {
    Some(match value.and_then(|value| value.value.as_ref())? {
        Any::StringValueStrindex(_) => return None,
        Any::StringValue(text) => text.clone(),
        Any::BytesValue(bytes) => STANDARD.encode(bytes),
        Any::DoubleValue(double) if double.is_nan() => "NaN".to_owned(),
        Any::DoubleValue(double) if double.is_infinite() => {
            if *double > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        Any::DoubleValue(double) => format!("{double:?}"),
        _ => json_of(value).to_string(),
    })
}

fn set_attributes(row: &mut Row, scope: Scope, attributes: &[KeyValue], dropped: &str, sent: u32) {
    let mut cut = 0;
    let mut last = BTreeMap::new();
    for attribute in attributes {
        if attribute.key.is_empty() {
            cut += 1;
        } else {
            last.insert(attribute.key.as_str(), attribute.value.as_ref());
        }
    }
    set(row, dropped, json!(sent + cut));
    if scope == Scope::Resource {
        let mut alias = |column: &str, keys: &[&str]| {
            let texts = keys.iter().filter_map(|key| plain_text_of(*last.get(key)?)).next();
            last.retain(|key, _| !keys.contains(key));
            if let Some(text) = texts {
                row.insert(column.to_owned(), json!(text));
            }
        };
        alias("service", &["service.name"]);
        alias("environment", &["deployment.environment.name", "deployment.environment"]);
        alias("release", &["service.version"]);
    }
    if scope == Scope::Attributes {
        let mut alias = |column: &str, keys: &[&'static str]| {
            if let Some(text) = keys.iter().filter_map(|key| plain_text_of(*last.get(key)?)).next()
            {
                row.insert(column.to_owned(), json!(text));
            }
        };
        alias("request_id", &["request.id", "request_id", "http.request.id"]);
        alias("user_id", &["user.id", "enduser.id", "user_id"]);
        alias("model_version", &["model.version", "model_version"]);
    }
    for (key, value) in last {
        let (suffix, value) = match value.and_then(|value| value.value.as_ref()) {
            Some(Any::StringValue(text)) => ("string", json!(text)),
            Some(Any::BoolValue(bool)) => ("bool", json!(bool)),
            Some(Any::IntValue(int)) => ("int", json!(int)),
            Some(Any::DoubleValue(double)) => ("double", double_value(*double)),
            Some(Any::BytesValue(bytes)) => ("bytes", json!(STANDARD.encode(bytes))),
            _ => ("json", json_of(value)),
        };
        row.insert(format!("{}.{key}#{suffix}", scope.as_str()), value);
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn valid(id: &[u8], len: usize) -> bool {
    id.len() == len && id.iter().any(|&byte| byte != 0)
}

fn set_origin(row: &mut Row, resource: Option<&Resource>, url: &str) {
    row.insert("tenant".to_owned(), json!("team-a"));
    if let Some(Resource { attributes, dropped_attributes_count: sent, .. }) = resource {
        set_attributes(row, Scope::Resource, attributes, "resource_dropped_attributes", *sent);
    }
    set(row, "resource_schema_url", json!(url));
}

fn set_scope(row: &mut Row, scope: Option<&InstrumentationScope>, url: &str) {
    if let Some(scope) = scope {
        set(row, "scope_name", json!(scope.name));
        set(row, "scope_version", json!(scope.version));
        let sent = scope.dropped_attributes_count;
        set_attributes(row, Scope::Scope, &scope.attributes, "scope_dropped_attributes", sent);
    }
    set(row, "scope_schema_url", json!(url));
}

fn set_time(row: &mut Row, column: &str, nanos: u64) {
    row.insert(column.to_owned(), json!(nanos / 1_000));
    row.insert(format!("{column}_ns"), json!(nanos % 1_000));
}

fn span_rows(request: &ExportTraceServiceRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                if !valid(&span.trace_id, 16) || !valid(&span.span_id, 8) {
                    continue;
                }
                let mut row = Row::new();
                set_origin(&mut row, resource.resource.as_ref(), &resource.schema_url);
                set_scope(&mut row, scope.scope.as_ref(), &scope.schema_url);
                set_span(&mut row, span);
                rows.push(row);
            }
        }
    }
    rows
}

fn set_span(row: &mut Row, span: &Span) {
    let received = u64::try_from(RECEIVED_AT).expect("positive");
    let start = [span.start_time_unix_nano, span.end_time_unix_nano, received];
    let start = start.into_iter().find(|time| *time != 0).expect("the last one is not");
    let end = if span.end_time_unix_nano == 0 { start } else { span.end_time_unix_nano };
    set_time(row, "time", start);
    row.insert("time_ns".to_owned(), json!(start % 1_000));
    row.insert("duration_ns".to_owned(), json!(i128::from(end) - i128::from(start)));
    row.insert("trace_id".to_owned(), json!(hex(&span.trace_id)));
    row.insert("span_id".to_owned(), json!(hex(&span.span_id)));
    if valid(&span.parent_span_id, 8) {
        row.insert("parent_span_id".to_owned(), json!(hex(&span.parent_span_id)));
    }
    row.insert("name".to_owned(), json!(span.name));
    let kind = match span.kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    };
    row.insert("kind".to_owned(), json!(kind));
    let status = span.status.clone().unwrap_or_default();
    let code = match status.code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    };
    row.insert("status".to_owned(), json!(code));
    set(row, "status_message", json!(status.message));
    set(row, "trace_state", json!(span.trace_state));
    set(row, "flags", json!(span.flags));
    set(row, "dropped_events", json!(span.dropped_events_count));
    set(row, "dropped_links", json!(span.dropped_links_count));
    let dropped = span.dropped_attributes_count;
    set_attributes(row, Scope::Attributes, &span.attributes, "dropped_attributes", dropped);
    if !span.events.is_empty() {
        row.insert("events".to_owned(), span.events.iter().map(event_of).collect());
    }
    if !span.links.is_empty() {
        row.insert("links".to_owned(), span.links.iter().map(link_of).collect());
    }
}

fn event_of(event: &span::Event) -> Value {
    let mut object = Row::new();
    object.insert("time_unix_nano".to_owned(), json!(event.time_unix_nano.to_string()));
    object.insert("name".to_owned(), json!(event.name));
    object.insert("attributes".to_owned(), object_of(&event.attributes));
    set(&mut object, "dropped_attributes", json!(event.dropped_attributes_count));
    json!(object)
}

fn link_of(link: &span::Link) -> Value {
    let id = |id: &[u8], len| if id.len() == len { hex(id) } else { String::new() };
    let mut object = Row::new();
    object.insert("trace_id".to_owned(), json!(id(&link.trace_id, 16)));
    object.insert("span_id".to_owned(), json!(id(&link.span_id, 8)));
    set(&mut object, "trace_state", json!(link.trace_state));
    set(&mut object, "flags", json!(link.flags));
    object.insert("attributes".to_owned(), object_of(&link.attributes));
    set(&mut object, "dropped_attributes", json!(link.dropped_attributes_count));
    json!(object)
}

fn log_rows(request: &ExportLogsServiceRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            for record in &scope.log_records {
                let mut row = Row::new();
                set_origin(&mut row, resource.resource.as_ref(), &resource.schema_url);
                set_scope(&mut row, scope.scope.as_ref(), &scope.schema_url);
                set_log(&mut row, record);
                rows.push(row);
            }
        }
    }
    rows
}

fn set_log(row: &mut Row, record: &LogRecord) {
    let received = u64::try_from(RECEIVED_AT).expect("positive");
    let observed = [record.observed_time_unix_nano, received];
    let observed = observed.into_iter().find(|time| *time != 0).expect("the last one is not");
    let time = if record.time_unix_nano == 0 { observed } else { record.time_unix_nano };
    set_time(row, "time", time);
    set_time(row, "observed_time", observed);
    if valid(&record.trace_id, 16) {
        row.insert("trace_id".to_owned(), json!(hex(&record.trace_id)));
    }
    if valid(&record.span_id, 8) {
        row.insert("span_id".to_owned(), json!(hex(&record.span_id)));
    }
    let level = match (record.severity_number, record.severity_text.as_str()) {
        (1..=4, _) => "trace",
        (5..=8, _) => "debug",
        (9..=12, _) => "info",
        (13..=16, _) => "warn",
        (17..=20, _) => "error",
        (21..=24, _) => "fatal",
        (_, "INFO") => "info",
        _ => "",
    };
    set(row, "level", json!(level));
    if (1..=24).contains(&record.severity_number) {
        row.insert("severity_number".to_owned(), json!(record.severity_number));
    }
    set(row, "severity_text", json!(record.severity_text));
    set(row, "event_name", json!(record.event_name));
    set(row, "flags", json!(record.flags));
    if let Some(text) = plain_text_of(record.body.as_ref()) {
        row.insert("body".to_owned(), json!(text));
        let body_type = match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Any::IntValue(_)) => "int",
            Some(Any::DoubleValue(_)) => "double",
            Some(Any::BoolValue(_)) => "bool",
            Some(Any::BytesValue(_)) => "bytes",
            Some(Any::ArrayValue(_) | Any::KvlistValue(_)) => "json",
            _ => "",
        };
        set(row, "body_type", json!(body_type));
    }
    let dropped = record.dropped_attributes_count;
    set_attributes(row, Scope::Attributes, &record.attributes, "dropped_attributes", dropped);
}

/// Few keys, so that they repeat, clash in type and hit the aliases.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[abc]",
        1 => Just("a key of more than twelve bytes".to_owned()),
        1 => Just("ключ".to_owned()),
        1 => Just(String::new()),
        1 => proptest::sample::select(vec![
            "request.id", "request_id", "http.request.id", "user.id", "enduser.id", "user_id",
            "model.version", "model_version", "service.name", "service.version",
            "deployment.environment", "deployment.environment.name",
        ]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,14}",
        "\\PC{0,40}",
        Just("with \"quotes\", \\ and\n\t\u{1} control".to_owned()),
    ]
}

/// Doubles that the JSON parser, which is not exact to the last bit, gives back as they were.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<i32>().prop_map(|n| f64::from(n) / 16.0),
        1 => proptest::sample::select(vec![
            0.0, -0.0, 1e15, 0.25, f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
        ]),
    ]
}

fn any_value_of() -> impl Strategy<Value = Option<AnyValue>> {
    let leaf = prop_oneof![
        3 => text().prop_map(Any::StringValue),
        1 => any::<bool>().prop_map(Any::BoolValue),
        2 => any::<i64>().prop_map(Any::IntValue),
        1 => double().prop_map(Any::DoubleValue),
        1 => vec(any::<u8>(), 0..20).prop_map(Any::BytesValue),
    ];
    let any = leaf.prop_recursive(3, 12, 4, |inner| {
        let value = proptest::option::weighted(0.9, inner);
        let value = value.prop_map(|value| AnyValue { value }).boxed();
        let pair = (key(), proptest::option::weighted(0.9, value.clone()))
            .prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        prop_oneof![
            vec(value, 0..4).prop_map(|values| Any::ArrayValue(ArrayValue { values })),
            vec(pair, 0..4).prop_map(|values| Any::KvlistValue(KeyValueList { values })),
        ]
    });
    proptest::option::weighted(0.95, proptest::option::weighted(0.95, any))
        .prop_map(|value| value.map(|value| AnyValue { value }))
}

/// Attributes in which an alias's key comes at most once: what the last of several empty ones means
/// for the alias is not worth a rule.
fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (key(), any_value_of()).prop_map(|(key, value)| KeyValue {
        key,
        value,
        ..KeyValue::default()
    });
    vec(pair, 0..6).prop_map(|mut pairs| {
        let mut seen = std::collections::BTreeSet::new();
        pairs.retain(|pair| pair.key.len() < 5 || seen.insert(pair.key.clone()));
        pairs
    })
}

fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), len),
        2 => Just(vec![7; len]),
        1 => Just(vec![0; len]),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1_700_000_000_000_000_000..1_700_000_001_000_000_000_u64]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => 1..1_000_000_u32]
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let resource = (attributes(), count()).prop_map(|(attributes, dropped_attributes_count)| {
        Resource { attributes, dropped_attributes_count, ..Resource::default() }
    });
    proptest::option::weighted(0.8, resource)
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes(), count()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    proptest::option::weighted(0.8, scope)
}

fn event() -> impl Strategy<Value = span::Event> {
    (time(), text(), attributes(), count()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| span::Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = span::Link> {
    (id(16), id(8), text(), attributes(), count(), count()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| {
            span::Link {
                trace_id,
                span_id,
                trace_state,
                attributes,
                dropped_attributes_count,
                flags,
            }
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let status = (text(), -1..4).prop_map(|(message, code)| Status { message, code });
    (
        (id(16), id(8), id(8), text(), text()),
        (-1..8, time(), time(), count(), attributes(), count()),
        (vec(event(), 0..3), count(), vec(link(), 0..3), count(), proptest::option::of(status)),
    )
        .prop_map(|(one, two, three)| {
            let (trace_id, span_id, parent_span_id, trace_state, name) = one;
            let (kind, start_time_unix_nano, end_time_unix_nano, flags, attributes, dropped) = two;
            let (events, dropped_events_count, links, dropped_links_count, status) = three;
            Span {
                trace_id,
                span_id,
                trace_state,
                parent_span_id,
                flags,
                name,
                kind,
                start_time_unix_nano,
                end_time_unix_nano,
                attributes,
                dropped_attributes_count: dropped,
                events,
                dropped_events_count,
                links,
                dropped_links_count,
                status,
            }
        })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let severity_text =
        prop_oneof![Just(String::new()), Just("INFO".to_owned()), Just("x".to_owned())];
    (
        (time(), time(), -1..30, severity_text, any_value_of(), attributes()),
        (count(), count(), id(16), id(8), text()),
    )
        .prop_map(|(one, two)| {
            let (time, observed, severity_number, severity_text, body, attributes) = one;
            let (dropped_attributes_count, flags, trace_id, span_id, event_name) = two;
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        })
}

fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url },
    );
    vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (scope(), vec(log_record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text()).prop_map(
        |(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url },
    );
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// Every text of the reference's JSON passes through a parser too, so that numbers have one form.
fn normal(rows: &[Row]) -> Value {
    let text = serde_json::to_string(rows).expect("rows are JSON");
    serde_json::from_str(&text).expect("rows are JSON")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn traces_are_what_the_reference_says(request in traces()) {
        let body = request.encode_to_vec().into();
        let decoded = decode_protobuf(Format::OtlpTraces, &Limits::default(), &body)
            .expect("a valid request");
        let expected = span_rows(&request);
        let sent: usize = request.resource_spans.iter()
            .flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len()).sum();
        prop_assert_eq!(decoded.rejected(), (sent - expected.len()) as u64);
        prop_assert_eq!(normal(&rows_of(&decoded.batch)), normal(&expected));
    }

    #[test]
    fn logs_are_what_the_reference_says(request in logs()) {
        let body = request.encode_to_vec().into();
        let decoded = decode_protobuf(Format::OtlpLogs, &Limits::default(), &body)
            .expect("a valid request");
        prop_assert_eq!(normal(&rows_of(&decoded.batch)), normal(&log_rows(&request)));
    }
}
