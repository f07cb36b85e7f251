//! The load: spans of eleven attributes in traces of eight, and JSON log lines of 390 bytes with
//! three random ids. Everything follows from a batch's number, so that a question can name a row
//! that was sent without anybody having kept it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// Rows in a request.
pub(crate) const BATCH: u64 = 1_000;
const SPANS_PER_TRACE: u64 = 8;
/// Rows for each second of the data's own time.
const ROWS_PER_SECOND: u64 = 10_000;
const LINE_BYTES: usize = 390;

pub(crate) const SERVICES: [&str; 5] = ["checkout", "payments", "inventory", "users", "search"];
const ROUTES: [&str; 8] = [
    "/api/v1/orders/{id}",
    "/api/v1/cart",
    "/api/v1/products",
    "/api/v1/users/{id}",
    "/api/v1/payments",
    "/api/v1/stock/{sku}",
    "/api/v1/search",
    "/api/v1/session",
];
const STATUSES: [i64; 8] = [200, 200, 200, 200, 201, 204, 404, 500];
const LEVELS: [(&str, i32); 8] = [
    ("INFO", 9),
    ("INFO", 9),
    ("INFO", 9),
    ("INFO", 9),
    ("INFO", 9),
    ("DEBUG", 5),
    ("WARN", 13),
    ("ERROR", 17),
];

/// The data's clock: its last row happens at `end`, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    start: u64,
}

impl Timeline {
    pub(crate) fn ending_now(rows: u64) -> Timeline {
        let now = stdx::clock::Clock::system().now().unsigned_abs();
        Timeline { start: now - rows * (1_000_000_000 / ROWS_PER_SECOND) }
    }

    fn at(self, row: u64) -> u64 {
        self.start + row * (1_000_000_000 / ROWS_PER_SECOND)
    }
}

fn random(batch: u64) -> SmallRng {
    SmallRng::seed_from_u64(batch)
}

/// The id of a batch's first trace.
pub(crate) fn trace_id(batch: u64) -> String {
    hex(&random(batch).random::<[u8; 16]>())
}

/// The request id in a batch's first log line.
pub(crate) fn request_id(batch: u64) -> String {
    let mut random = random(batch);
    // The line's level is drawn before it.
    pick(&mut random, &LEVELS);
    uuid(&mut random)
}

/// A request of [`BATCH`] spans of one service.
pub(crate) fn spans(batch: u64, timeline: Timeline) -> ExportTraceServiceRequest {
    let mut random = random(batch);
    let service = SERVICES[usize::try_from(batch % 5).expect("small")];
    let mut spans = Vec::with_capacity(usize::try_from(BATCH).expect("small"));
    let (mut trace, mut parent) = ([0; 16], Vec::new());
    for row in 0..BATCH {
        if row % SPANS_PER_TRACE == 0 {
            trace = random.random::<[u8; 16]>();
            parent.clear();
        }
        let span = span(&mut random, trace, parent.clone(), timeline.at(batch * BATCH + row));
        if parent.is_empty() {
            parent.clone_from(&span.span_id);
        }
        spans.push(span);
    }
    let scope =
        InstrumentationScope { name: "bench".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(service, batch)),
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

fn span(random: &mut SmallRng, trace: [u8; 16], parent: Vec<u8>, start: u64) -> Span {
    let route = *pick(random, &ROUTES);
    let status = *pick(random, &STATUSES);
    let root = parent.is_empty();
    let duration_ns = random.random_range(200_000..80_000_000);
    Span {
        trace_id: trace.to_vec(),
        span_id: random.random::<[u8; 8]>().to_vec(),
        parent_span_id: parent,
        name: if root { format!("GET {route}") } else { "call".to_owned() },
        kind: if root { 2 } else { 3 },
        start_time_unix_nano: start,
        end_time_unix_nano: start + duration_ns,
        attributes: vec![
            text("http.request.method", *pick(random, &["GET", "GET", "GET", "POST", "PUT"])),
            text("http.route", route),
            int("http.response.status_code", status),
            text("url.scheme", "https"),
            text("server.address", "api.example.com"),
            int("server.port", 443),
            text(
                "client.address",
                format!("10.{}.{}.7", random.random_range(0..4), random.random_range(0..250)),
            ),
            text("request.uuid", uuid(random)),
            text("customer.id", format!("customer-{}", random.random_range(0..10_000))),
            double("order.amount", f64::from(random.random_range(100..100_000)) / 100.0),
            flag("cache.hit", random.random_bool(0.7)),
        ],
        status: (status == 500).then(|| Status { code: 2, message: "upstream failed".to_owned() }),
        ..Span::default()
    }
}

/// A request of [`BATCH`] log lines of one service.
pub(crate) fn logs(batch: u64, timeline: Timeline) -> ExportLogsServiceRequest {
    let mut random = random(batch);
    let service = SERVICES[usize::try_from(batch % 5).expect("small")];
    let log_records = (0..BATCH)
        .map(|row| {
            let time = timeline.at(batch * BATCH + row);
            let (level, number) = *pick(&mut random, &LEVELS);
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: time,
                severity_number: number,
                severity_text: level.to_owned(),
                body: Some(any(Value::StringValue(line(&mut random, service, level, time)))),
                ..LogRecord::default()
            }
        })
        .collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(service, batch)),
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

fn line(random: &mut SmallRng, service: &str, level: &str, time: u64) -> String {
    let request = uuid(random);
    let route = pick(random, &ROUTES);
    let status = pick(random, &STATUSES);
    let (user, trace) = (hex(&random.random::<[u8; 8]>()), hex(&random.random::<[u8; 16]>()));
    let micros = random.random_range(200..900_000);
    let mut line = format!(
        "{{\"request_id\":\"{request}\",\"ts\":{time},\"level\":\"{level}\",\"service\":\"{service}\",\
         \"msg\":\"request completed\",\"route\":\"{route}\",\"status\":{status},\"user\":\"{user}\",\
         \"trace\":\"{trace}\",\"duration_us\":{micros},\"region\":\"eu-central-1\",\
         \"pool\":\"default\",\"note\":\""
    );
    let rest = LINE_BYTES.saturating_sub(line.len() + 2);
    line.extend(
        "upstream answered within its budget and the cache was warm enough "
            .chars()
            .cycle()
            .take(rest),
    );
    line.push_str("\"}");
    line
}

fn resource(service: &str, batch: u64) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", service),
            text("service.version", "1.4.2"),
            text("deployment.environment.name", "production"),
            text("host.name", format!("host-{}", batch % 20)),
        ],
        ..Resource::default()
    }
}

fn pick<'a, T>(random: &mut SmallRng, of: &'a [T]) -> &'a T {
    &of[random.random_range(0..of.len())]
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn uuid(random: &mut SmallRng) -> String {
    let digits = hex(&random.random::<[u8; 16]>());
    let part = |from, to| digits.get(from..to).expect("32 digits");
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

fn flag(key: &str, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_can_be_named_without_having_been_kept() {
        let timeline = Timeline::ending_now(BATCH);
        let spans = spans(3, timeline);
        let first = &spans.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(hex(&first.trace_id), trace_id(3));
        let logs = logs(3, timeline);
        let first = &logs.resource_logs[0].scope_logs[0].log_records[0];
        let Some(Value::StringValue(line)) = first.body.as_ref().and_then(|b| b.value.as_ref())
        else {
            panic!("no text");
        };
        assert_eq!(line.len(), LINE_BYTES);
        assert!(line.contains(&request_id(3)), "{line}");
    }
}
