//! What each part of a request becomes.
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!(…)` as an argument reads better than `&json!(…)`"
)]

use bytes::Bytes;
use serde_json::{Value, json};

use super::{RECEIVED_AT, decode_json, decode_protobuf, picked, rows_of};
use crate::otlp::{DecodeError, transcode_json};
use crate::{Format, Limits, Reason};

const TRACE_ID: &str = "5b8efff798038103d269b633813fc60c";
const SPAN_ID: &str = "eee19b7ec3c1b174";

/// A request with one span, given by the fields that matter.
fn span(fields: Value) -> Value {
    let mut span = json!({
        "traceId": TRACE_ID, "spanId": SPAN_ID, "name": "GET /",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000001000",
    });
    let (Value::Object(span_fields), Value::Object(fields)) = (&mut span, fields) else {
        panic!("fields are an object");
    };
    span_fields.extend(fields);
    spans(json!([span]))
}

fn spans(spans: Value) -> Value {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
}

fn log(record: Value) -> Value {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
}

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": value})
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

#[track_caller]
fn check_span(fields: Value, columns: &[&str], expected: Value) {
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &span(fields));
    assert_eq!(picked(&decoded.batch, columns), json!([expected]));
}

#[track_caller]
fn check_log(record: Value, columns: &[&str], expected: Value) {
    let decoded = decode_json(Format::OtlpLogs, &Limits::default(), &log(record));
    assert_eq!(picked(&decoded.batch, columns), json!([expected]));
}

#[test]
fn a_whole_span() {
    let request = json!({"resourceSpans": [{
        "resource": {
            "attributes": [
                attribute("service.name", text("fraud-detection-api")),
                attribute("service.version", text("1.4.0")),
                attribute("deployment.environment", text("old-name")),
                attribute("deployment.environment.name", text("production")),
                attribute("host.name", text("a-host-with-a-long-name")),
            ],
            "droppedAttributesCount": 2,
        },
        "schemaUrl": "https://opentelemetry.io/schemas/1.30.0",
        "scopeSpans": [{
            "scope": {
                "name": "http-server-instrumentation", "version": "0.1",
                "attributes": [attribute("library", json!({"boolValue": true}))],
                "droppedAttributesCount": 1,
            },
            "schemaUrl": "https://opentelemetry.io/schemas/1.29.0",
            "spans": [{
                "traceId": TRACE_ID.to_uppercase(), "spanId": SPAN_ID,
                "parentSpanId": "eee19b7ec3c1b173", "traceState": "a=1,b=2", "flags": 257,
                "name": "POST /predict", "kind": 2,
                "startTimeUnixNano": "1700000000000000999",
                "endTimeUnixNano": "1700000000000002000",
                "attributes": [
                    attribute("http.response.status_code", json!({"intValue": "200"})),
                    attribute("score", json!({"doubleValue": 0.25})),
                    attribute("request.id", text("req-1")),
                    attribute("enduser.id", json!({"intValue": 42})),
                    attribute("model.version", text("v3")),
                    attribute("tags", json!({"arrayValue": {"values": [
                        text("a"), {"intValue": 1}, {"doubleValue": 1}, {"boolValue": false}, {},
                        {"bytesValue": "AAE="},
                        {"kvlistValue": {"values": [attribute("k", text("\"v\"\n"))]}},
                    ]}})),
                    attribute("raw", json!({"bytesValue": "AAECAw=="})),
                    attribute("nothing", json!({})),
                ],
                "droppedAttributesCount": 3,
                "events": [{
                    "timeUnixNano": "1700000000000001000", "name": "exception",
                    "attributes": [attribute("exception.message", text("boom"))],
                    "droppedAttributesCount": 4,
                }],
                "droppedEventsCount": 5,
                "links": [{
                    "traceId": TRACE_ID, "spanId": SPAN_ID, "traceState": "c=3", "flags": 1,
                    "attributes": [attribute("why", text("batch"))], "droppedAttributesCount": 6,
                }],
                "droppedLinksCount": 7,
                "status": {"code": 2, "message": "failed"},
            }],
        }],
    }]});
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &request);
    assert_eq!(decoded.report, Default::default());
    let rows = serde_json::to_value(rows_of(&decoded.batch)).expect("rows are JSON");
    let expected = json!([{
        "tenant": "team-a",
        "time": 1_700_000_000_000_000_i64, "time_ns": 999, "duration_ns": 1001,
        "service": "fraud-detection-api", "environment": "production", "release": "1.4.0",
        "trace_id": TRACE_ID, "span_id": SPAN_ID, "parent_span_id": "eee19b7ec3c1b173",
        "name": "POST /predict", "kind": "server", "status": "error", "status_message": "failed",
        "trace_state": "a=1,b=2", "flags": 257,
        "request_id": "req-1", "user_id": "42", "model_version": "v3",
        "scope_name": "http-server-instrumentation", "scope_version": "0.1",
        "resource_schema_url": "https://opentelemetry.io/schemas/1.30.0",
        "scope_schema_url": "https://opentelemetry.io/schemas/1.29.0",
        "dropped_attributes": 3, "dropped_events": 5, "dropped_links": 7,
        "resource_dropped_attributes": 2, "scope_dropped_attributes": 1,
        "events": [{
            "time_unix_nano": "1700000000000001000", "name": "exception",
            "attributes": {"exception.message": "boom"}, "dropped_attributes": 4,
        }],
        "links": [{
            "trace_id": TRACE_ID, "span_id": SPAN_ID, "trace_state": "c=3", "flags": 1,
            "attributes": {"why": "batch"}, "dropped_attributes": 6,
        }],
        "attributes.http.response.status_code#int": 200,
        "attributes.score#double": 0.25,
        "attributes.request.id#string": "req-1",
        "attributes.enduser.id#int": 42,
        "attributes.model.version#string": "v3",
        "attributes.tags#json": ["a", 1, 1.0, false, null, {"$bytes": "AAE="}, {"k": "\"v\"\n"}],
        "attributes.raw#bytes": "AAECAw==",
        "attributes.nothing#json": null,
        "resource.host.name#string": "a-host-with-a-long-name",
        "scope.library#bool": true,
    }]);
    assert_eq!(rows, expected);
}

#[test]
fn a_whole_log_record() {
    let record = json!({
        "timeUnixNano": "1700000000000000001", "observedTimeUnixNano": "1700000000000002002",
        "severityNumber": 18, "severityText": "ERROR2", "body": text("the line"),
        "attributes": [attribute("request_id", text("req-1"))], "droppedAttributesCount": 1,
        "flags": 1, "traceId": TRACE_ID, "spanId": SPAN_ID, "eventName": "payment.failed",
    });
    let decoded = decode_json(Format::OtlpLogs, &Limits::default(), &log(record));
    let rows = serde_json::to_value(rows_of(&decoded.batch)).expect("rows are JSON");
    let expected = json!([{
        "tenant": "team-a",
        "time": 1_700_000_000_000_000_i64, "time_ns": 1,
        "observed_time": 1_700_000_000_000_002_i64, "observed_time_ns": 2,
        "level": "error", "severity_number": 18, "severity_text": "ERROR2", "body": "the line",
        "request_id": "req-1", "dropped_attributes": 1, "flags": 1,
        "trace_id": TRACE_ID, "span_id": SPAN_ID, "event_name": "payment.failed",
        "attributes.request_id#string": "req-1",
    }]);
    assert_eq!(rows, expected);
}

#[test]
fn log_times_fall_back_to_observed_and_to_receipt() {
    let columns = &["time", "time_ns", "observed_time", "observed_time_ns"];
    let received = [json!(RECEIVED_AT / 1_000), json!(789)];
    let [time, ns] = received;
    check_log(json!({}), columns, json!([time, ns, time, ns]));
    check_log(json!({"observedTimeUnixNano": 5_001}), columns, json!([5, 1, 5, 1]));
    check_log(json!({"timeUnixNano": 7_002}), columns, json!([7, 2, time, ns]));
    let max = u64::MAX.to_string();
    check_log(
        json!({"timeUnixNano": max, "observedTimeUnixNano": 1}),
        columns,
        json!([18_446_744_073_709_551_i64, 615, 0, 1]),
    );
}

#[test]
fn span_times_that_are_missing_or_far_apart_do_not_break() {
    let check = |start: u64, end: u64, expected: Value| {
        let fields = json!({
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string(),
        });
        check_span(fields, &["time", "time_ns", "duration_ns"], expected);
    };
    check(2_000, 1_500, json!([2, 0, -500]));
    check(0, 3_001, json!([3, 1, 0]));
    check(3_001, 0, json!([3, 1, 0]));
    check(0, 0, json!([RECEIVED_AT / 1_000, 789, 0]));
    check(1, u64::MAX, json!([0, 1, i64::MAX]));
    check(u64::MAX, 1, json!([18_446_744_073_709_551_i64, 615, i64::MIN]));
}

#[test]
fn bodies_of_every_type() {
    let columns = &["body", "body_type"];
    let check = |body: Value, expected: Value| check_log(json!({"body": body}), columns, expected);
    check(text(""), json!(["", null]));
    check(json!({}), json!([null, null]));
    check(json!({"intValue": "-5"}), json!(["-5", "int"]));
    check(json!({"doubleValue": 2}), json!(["2.0", "double"]));
    check(json!({"doubleValue": "NaN"}), json!(["NaN", "double"]));
    check(json!({"doubleValue": "-Infinity"}), json!(["-Infinity", "double"]));
    check(json!({"boolValue": true}), json!(["true", "bool"]));
    check(json!({"bytesValue": "AAE"}), json!(["AAE=", "bytes"]));
    check(
        json!({"kvlistValue": {"values": [attribute("a", json!({"intValue": 1}))]}}),
        json!([r#"{"a":1}"#, "json"]),
    );
    check_log(json!({}), columns, json!([null, null]));
}

#[test]
fn levels_come_from_the_number_first() {
    let columns = &["level", "severity_number", "severity_text"];
    let check = |number: i32, text: &str, expected: Value| {
        check_log(json!({"severityNumber": number, "severityText": text}), columns, expected);
    };
    check(1, "", json!(["trace", 1, null]));
    check(5, "WARN", json!(["debug", 5, "WARN"]));
    check(24, "", json!(["fatal", 24, null]));
    check(25, "warning", json!(["warn", null, "warning"]));
    check(-1, "Notice", json!(["info", null, "Notice"]));
    check(0, "audit", json!([null, null, "audit"]));
}

#[test]
fn the_best_alias_wins_whatever_the_order() {
    let both = |first: (&str, &str), second: (&str, &str)| json!({"attributes": [attribute(first.0, text(first.1)), attribute(second.0, text(second.1))]});
    let columns = &["request_id", "user_id"];
    check_span(both(("request.id", "a"), ("request_id", "b")), columns, json!(["a", null]));
    check_span(both(("http.request.id", "b"), ("request_id", "a")), columns, json!(["a", null]));
    check_span(both(("user_id", "u"), ("user.id", "v")), columns, json!([null, "v"]));
}

#[test]
fn the_last_of_several_values_of_a_key_is_kept() {
    let attributes = json!({"attributes": [
        attribute("k", json!({"intValue": 1})), attribute("other", text("x")),
        attribute("k", json!({"intValue": 2})), attribute("k", text("three")),
    ]});
    check_span(
        attributes,
        &["attributes.k#int", "attributes.k#string", "attributes.other#string"],
        json!([null, "three", "x"]),
    );
}

#[test]
fn types_of_a_key_have_columns_of_their_own() {
    let one = |value: Value| {
        json!({
            "traceId": TRACE_ID, "spanId": SPAN_ID, "startTimeUnixNano": 1, "endTimeUnixNano": 1,
            "attributes": [attribute("k", value), attribute("z", text("same"))],
        })
    };
    let request =
        spans(json!([one(json!({"intValue": 1})), one(text("two")), one(json!({"intValue": 3})),]));
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &request);
    assert_eq!(
        picked(&decoded.batch, &["attributes.k#int", "attributes.k#string", "attributes.z#string"]),
        json!([[1, null, "same"], [null, "two", "same"], [3, null, "same"]])
    );
}

#[test]
fn spans_with_invalid_ids_are_rejected_and_the_others_are_kept() {
    let span = |trace_id: &str, span_id: &str, name: &str| {
        json!({
            "traceId": trace_id, "spanId": span_id, "name": name,
            "startTimeUnixNano": 1, "endTimeUnixNano": 1,
            "attributes": [attribute("k", text(name))],
        })
    };
    let request = spans(json!([
        span(TRACE_ID, SPAN_ID, "good"),
        span("effff798038103d269b633813fc60c", SPAN_ID, "short"),
        span(TRACE_ID, "0000000000000000", "zero"),
        span("", "", "none"),
        span(TRACE_ID, SPAN_ID, "good too"),
    ]));
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &request);
    assert_eq!(
        picked(&decoded.batch, &["name", "attributes.k#string"]),
        json!([["good", "good"], ["good too", "good too"]])
    );
    assert_eq!(decoded.rejected(), 3);
    assert_eq!(
        decoded.report.message(model::Table::Spans).as_deref(),
        Some(
            "2 spans rejected: trace_id is not 16 bytes or is all zero (first in \
             resource_spans[0].scope_spans[0].spans[1]); 1 spans rejected: span_id is not 8 bytes \
             or is all zero (first in resource_spans[0].scope_spans[0].spans[2])"
        )
    );
}

#[test]
fn log_records_with_invalid_ids_are_kept_without_them() {
    let decoded = decode_json(
        Format::OtlpLogs,
        &Limits::default(),
        &log(json!({"traceId": "abcd", "spanId": "0000000000000000", "body": text("x")})),
    );
    assert_eq!(
        picked(&decoded.batch, &["trace_id", "span_id", "body"]),
        json!([[null, null, "x"]])
    );
    assert_eq!((decoded.rejected(), decoded.report.count(Reason::OptionalId)), (0, 1));
}

#[test]
fn resources_and_scopes_are_those_of_their_rows() {
    let resource = |service: &str, spans: Value| {
        json!({
            "resource": {"attributes": [
                attribute("service.name", text(service)), attribute("pid", json!({"intValue": 1})),
            ]},
            "scopeSpans": [{"scope": {"name": service}, "spans": spans}],
        })
    };
    let span = |name: &str| json!({"traceId": TRACE_ID, "spanId": SPAN_ID, "name": name, "startTimeUnixNano": 1});
    let request = json!({"resourceSpans": [
        resource("a", json!([span("1"), span("2")])),
        resource("empty", json!([])),
        {"scopeSpans": [{"spans": [span("3")]}]},
        resource("b", json!([span("4")])),
    ]});
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &request);
    assert_eq!(
        picked(&decoded.batch, &["name", "service", "scope_name", "resource.pid#int"]),
        json!([
            ["1", "a", "a", 1],
            ["2", "a", "a", 1],
            ["3", null, null, null],
            ["4", "b", "b", 1]
        ])
    );
}

#[test]
fn attributes_without_room_for_a_column_go_to_the_rest() {
    let limits = Limits { attribute_columns_per_batch_max: 2, ..Limits::default() };
    let span = |attributes: Value| {
        json!({"traceId": TRACE_ID, "spanId": SPAN_ID, "startTimeUnixNano": 1, "endTimeUnixNano": 1,
               "attributes": attributes})
    };
    let resource = |attributes: Value, spans: Value| json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]});
    let request = json!({"resourceSpans": [
        resource(
            json!([attribute("service.name", text("s")), attribute("r1", text("column"))]),
            json!([span(json!([attribute("a", text("x"))]))]),
        ),
        resource(
            json!([attribute("r1", text("two")), attribute("r2", json!({"intValue": 5}))]),
            json!([
                span(json!([
                    attribute("request.id", text("req")), attribute("a", json!({"intValue": 1})),
                ])),
                span(json!([])),
                span(json!([
                    attribute("b", json!({"bytesValue": "AAE="})),
                    attribute("b", json!({"doubleValue": 1.5})),
                    attribute("a", json!({"boolValue": true})), attribute("a", text("y")),
                ])),
            ]),
        ),
    ]});
    let decoded = decode_json(Format::OtlpTraces, &limits, &request);
    assert_eq!(
        decoded.report.message(model::Table::Spans).as_deref(),
        Some(
            "2 attributes given twice: the last one was kept (first in \
         resource_spans[1].scope_spans[0].spans[2])"
        )
    );
    assert_eq!(
        picked(
            &decoded.batch,
            &["resource.r1#string", "attributes.a#string", "request_id", "rest"]
        ),
        json!([
            ["column", "x", null, null],
            ["two", null, "req",
             {"attributes.request.id": "req", "attributes.a": 1, "resource.r2": 5}],
            ["two", null, null, {"resource.r2": 5}],
            ["two", "y", null, {"attributes.b": 1.5, "resource.r2": 5}],
        ])
    );
}

#[test]
fn what_is_over_a_limit_is_cut_and_counted() {
    let limits = Limits {
        attributes_per_record_max: 2,
        attribute_key_bytes_max: 5,
        attribute_value_bytes_max: 4,
        log_body_bytes_max: 6,
        events_per_span_max: 1,
        links_per_span_max: 0,
        nesting_depth_max: 1,
        ..Limits::default()
    };
    let nested = json!({"arrayValue": {"values": [{"arrayValue": {"values": []}}]}});
    let request = span(json!({
        "attributes": [
            attribute("k", text("aéé")), attribute("too long", text("x")),
            attribute("third", text("x")),
        ],
        "droppedAttributesCount": 10,
        "events": [{"attributes": [attribute("e", nested)]}, {}, {}],
        "links": [{}],
    }));
    let decoded = decode_json(Format::OtlpTraces, &limits, &request);
    assert_eq!(
        picked(
            &decoded.batch,
            &["attributes.k#string", "dropped_attributes", "dropped_events", "dropped_links"]
        ),
        json!([["aé", 12, 2, 1]])
    );
    assert_eq!(
        picked(&decoded.batch, &["events"]),
        json!([[[{"time_unix_nano": "0", "name": "", "attributes": {"e": null}}]]])
    );
    let counts: Vec<_> = decoded.report.iter().collect();
    assert_eq!(
        counts,
        [
            (Reason::Attributes, 1),
            (Reason::KeyLength, 1),
            (Reason::ValueLength, 2),
            (Reason::Nesting, 1),
            (Reason::Events, 2),
            (Reason::Links, 1),
        ]
    );

    let decoded = decode_json(Format::OtlpLogs, &limits, &log(json!({"body": text("1234567")})));
    assert_eq!(picked(&decoded.batch, &["body"]), json!([["123456"]]));
}

#[test]
fn rows_over_the_limit_are_rejected() {
    let limits = Limits { rows_per_batch_max: 2, ..Limits::default() };
    let span = json!({"traceId": TRACE_ID, "spanId": SPAN_ID, "startTimeUnixNano": 1});
    let decoded =
        decode_json(Format::OtlpTraces, &limits, &spans(json!([span, span, span, span, span])));
    assert_eq!((decoded.rows(), decoded.rejected()), (2, 3));
}

#[test]
fn nothing_in_a_request_is_no_rows() {
    for format in [Format::OtlpTraces, Format::OtlpLogs] {
        let decoded = decode_protobuf(format, &Limits::default(), &Bytes::new()).expect("empty");
        assert_eq!((decoded.rows(), decoded.rejected()), (0, 0));
        assert_eq!(decoded.batch.num_columns(), format.table().columns().len());
    }
}

#[test]
fn text_that_is_not_utf8_is_named() {
    let request = span(json!({"attributes": [attribute("key-of-it", text("0123456789abcdef"))]}));
    let body = transcode_json(Format::OtlpTraces, request.to_string().as_bytes()).expect("JSON");
    let check = |needle: &[u8], expected: &str| {
        let mut body = body.to_vec();
        let at = body.windows(needle.len()).position(|window| window == needle).expect("in it");
        body[at + 3] = 0xff;
        let error = decode_protobuf(Format::OtlpTraces, &Limits::default(), &body.into())
            .expect_err("not UTF-8");
        assert_eq!(error.to_string(), expected);
    };
    let place = "cannot decode traces: resource_spans[0].scope_spans[0].spans[0]";
    check(b"GET /", &format!("{place}.name: text is not UTF-8"));
    check(b"key-of-it", &format!("{place}.attributes[0].key: text is not UTF-8"));
    check(b"0123456789", &format!("{place}.attributes[0].value: text is not UTF-8"));
}

#[test]
fn protobuf_that_does_not_parse_is_named() {
    let check = |body: &[u8], expected: &str| {
        let body = Bytes::copy_from_slice(body);
        let error =
            decode_protobuf(Format::OtlpTraces, &Limits::default(), &body).expect_err("malformed");
        assert_eq!(error.to_string(), expected);
    };
    check(&[0x0a, 0x05], "cannot decode traces: 5 bytes needed, 0 left");
    check(&[0x08, 0x05], "cannot decode traces: field 1 is of type varint");
    check(
        // A span whose field 1 is a number.
        &[0x0a, 6, 0x12, 4, 0x12, 2, 0x08, 1],
        "cannot decode traces: resource_spans[0].scope_spans[0].spans[0]: field 1 is of type varint",
    );
}

#[test]
fn json_in_snake_case_with_names_of_enums_is_read() {
    let request = json!({"resource_spans": [{"scope_spans": [{"spans": [{
        "trace_id": TRACE_ID, "span_id": SPAN_ID, "start_time_unix_nano": 1_000.0,
        "end_time_unix_nano": "2e3", "kind": "SPAN_KIND_CLIENT",
        "status": {"code": "STATUS_CODE_OK"}, "unknown": {"deep": [1, {}]},
        "attributes": [{"key": "b", "value": {"bytes_value": "-_8="}}, {"key": "n", "value": null}],
        "dropped_attributes_count": "4", "links": null,
    }]}]}]});
    let decoded = decode_json(Format::OtlpTraces, &Limits::default(), &request);
    assert_eq!(
        picked(
            &decoded.batch,
            &[
                "time",
                "duration_ns",
                "kind",
                "status",
                "attributes.b#bytes",
                "attributes.n#json",
                "dropped_attributes"
            ]
        ),
        json!([[1, 1000, "client", "ok", "+/8=", null, 4]])
    );
}

#[test]
fn json_errors_name_the_path() {
    let check = |request: &str, path: &str, problem: &str| {
        let error = transcode_json(Format::OtlpTraces, request.as_bytes()).expect_err("malformed");
        let DecodeError::Malformed { path: found, problem: message, .. } = error else {
            panic!("{error:?}")
        };
        let (message, _position) = message.split_once(" at line ").expect("with its position");
        assert_eq!((found.as_str(), message), (path, problem), "{request}");
    };
    check("", "", "EOF while parsing a value");
    check("[]", "", "an array found, an object expected");
    check(
        r#"{"resourceSpans": [{}, {"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}"#,
        "resourceSpans[1].scopeSpans[0].spans[0].traceId",
        "\"xyz\" found, hexadecimal digits expected",
    );
    check(
        r#"{"resourceSpans": [{"scopeSpans": {}}]}"#,
        "resourceSpans[0].scopeSpans",
        "an object found, an array expected",
    );
    check(
        r#"{"resourceSpans": [{"resource": {"droppedAttributesCount": 4294967296}}]}"#,
        "resourceSpans[0].resource.droppedAttributesCount",
        "4294967296 is over 32 bits",
    );
    check(r#"{"resourceSpans": []} x"#, "", "trailing characters");
}

#[test]
fn decoding_again_gives_the_same_batch() {
    let request = span(json!({
        "attributes": [attribute("a", text("a long text that is not inlined")),
                       attribute("b", json!({"arrayValue": {"values": [text("x")]}}))],
        "events": [{"name": "e"}],
    }));
    let body = transcode_json(Format::OtlpTraces, request.to_string().as_bytes()).expect("JSON");
    let decode = || decode_protobuf(Format::OtlpTraces, &Limits::default(), &body).expect("valid");
    let (one, two) = (decode(), decode());
    assert_eq!(one.batch, two.batch);
    assert_eq!(one.memory_bytes, two.memory_bytes);
    assert!(one.memory_bytes > body.len());
}
