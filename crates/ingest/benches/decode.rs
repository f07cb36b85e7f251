//! How fast OTLP is decoded, on one core: `cargo bench -p ingest`.
//!
//! Spans have 11 attributes, as the reference services send them; log lines have 5. For each size of
//! request the best of several rounds is shown. Processor time is measured, not the clock's, so that a
//! busy machine gives about the same figures.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "decode/time.rs"]
mod time;

use bytes::Bytes;
use ingest::{Format, Limits, otlp};
use model::Tenant;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message as _;

fn main() {
    for rows in [64, 512, 8_192] {
        measure("spans", Format::OtlpTraces, rows, &traces(rows));
        measure("logs", Format::OtlpLogs, rows, &logs(rows));
    }
}

fn measure(name: &str, format: Format, rows: usize, body: &Bytes) {
    /// Rows of one round, and rounds.
    const ROWS: usize = 200_000;
    const ROUNDS: usize = 9;
    let (limits, tenant) = (Limits::default(), Tenant::default());
    let mut best = f64::INFINITY;
    let mut memory_bytes = 0;
    for _ in 0..ROUNDS {
        let requests = (ROWS / rows).max(1);
        let start = time::Processor::start();
        for _ in 0..requests {
            let decoded = otlp::decode(format, &tenant, 1, &limits, body).expect("a valid body");
            assert_eq!(decoded.rows(), rows);
            memory_bytes = std::hint::black_box(decoded).memory_bytes;
        }
        let seconds = start.seconds();
        best = best.min(seconds / f64::from(u32::try_from(requests * rows).expect("few rows")));
    }
    println!(
        "{rows:>5} {name:<5} {:>10.0} rows/s {:>6.0} MB/s {:>4} bytes a row, {:>5} held",
        1.0 / best,
        f64::from(u32::try_from(body.len() / rows).expect("short rows")) / best / 1e6,
        body.len() / rows,
        memory_bytes / rows,
    );
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

fn pair(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        text("service.name", "fraud-detection-api"),
        text("service.version", "1.4.0"),
        text("deployment.environment.name", "production"),
        text("host.name", "ip-10-0-13-37.eu-central-1.compute.internal"),
        text("telemetry.sdk.language", "rust"),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let name = "fraud.api".to_owned();
    Some(InstrumentationScope { name, version: "0.1".to_owned(), ..Default::default() })
}

/// A number that looks random, the same for the same index.
fn scattered(index: usize) -> u64 {
    (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn traces(rows: usize) -> Bytes {
    let spans = (0..rows).map(|index| {
        let number = scattered(index);
        let trace = u128::from(scattered(index / 8)) << 64 | 0x1234_5678_9abc_def0;
        let mut attributes = vec![
            text("http.request.method", "POST"),
            text("url.path", "/api/v1/predict"),
            int("http.response.status_code", if number.is_multiple_of(50) { 500 } else { 200 }),
            text("server.address", "fraud-api.internal"),
            int("server.port", 8_000),
            text("network.protocol.version", "1.1"),
            text("request.id", format!("{number:016x}-{:016x}", scattered(index + 7))),
            text("user.id", format!("user-{}", number % 10_000)),
            text("model.version", "logreg-2026-11-01"),
            pair(
                "fraud.score",
                Value::DoubleValue(f64::from(u32::try_from(number >> 32).expect("32 bits")) / 4e9),
            ),
            pair("fraud.flagged", Value::BoolValue(number.is_multiple_of(20))),
        ];
        if index % 7 == 0 {
            // Not all records are alike.
            attributes.remove(5);
        }
        let start_time_unix_nano = 1_700_000_000_000_000_000 + index as u64 * 12_345;
        let mut span = Span {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: number.to_be_bytes().to_vec(),
            parent_span_id: scattered(index / 8).to_be_bytes().to_vec(),
            name: "POST /api/v1/predict".to_owned(),
            kind: 2,
            flags: 257,
            start_time_unix_nano,
            end_time_unix_nano: start_time_unix_nano + number % 10_000_000,
            attributes,
            ..Span::default()
        };
        if index % 20 == 0 {
            let attributes = vec![text("exception.message", "feature store did not answer")];
            span.events = vec![span::Event {
                name: "exception".to_owned(),
                attributes,
                ..Default::default()
            }];
        }
        span
    });
    let scope_spans =
        vec![ScopeSpans { scope: scope(), spans: spans.collect(), ..ScopeSpans::default() }];
    let resource_spans =
        vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn logs(rows: usize) -> Bytes {
    let log_records = (0..rows).map(|index| {
        let number = scattered(index);
        let body = format!(
            "request {number:016x} scored {} for user-{} in {} ms",
            number % 1_000,
            number % 10_000,
            number % 90,
        );
        LogRecord {
            time_unix_nano: 1_700_000_000_000_000_000 + index as u64 * 12_345,
            observed_time_unix_nano: 1_700_000_000_000_000_000 + index as u64 * 12_345,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
            trace_id: (u128::from(number) << 64 | 1).to_be_bytes().to_vec(),
            span_id: number.to_be_bytes().to_vec(),
            attributes: vec![
                text("request.id", format!("{number:016x}")),
                text("user.id", format!("user-{}", number % 10_000)),
                text("code.namespace", "fraud::score"),
                int("code.lineno", 214),
                text("thread.name", "worker-3"),
            ],
            ..LogRecord::default()
        }
    });
    let scope_logs = vec![ScopeLogs {
        scope: scope(),
        log_records: log_records.collect(),
        ..Default::default()
    }];
    let resource_logs =
        vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}
