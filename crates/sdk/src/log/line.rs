//! An entry as a line of text and as a line of JSON.

use std::io::Write as _;

use tracing::Level;

use super::fields::FieldValue;
use super::{Console, Entry};
use crate::clock::Utc;

/// As Python's logging names them, since people grep for these.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// Fields that a line of text leaves to machines: its message already says them in words.
const MACHINE_FIELDS: [&str; 6] = ["http.", "url.", "client.", "server.", "code.", "error."];

/// `2025-11-09 03:22:54 - my_service - INFO - function:94 - message key=value [trace_id=…]`
pub(super) fn text(console: &Console, entry: &Entry<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    let time = Utc::new(entry.time);
    let level = level_name(entry.level);
    put(&mut line, format_args!("{} - {} - {level} - ", time.plain(), console.logger));
    put(&mut line, format_args!("{}:{} - ", entry.function, entry.line));
    put_one_line(&mut line, &entry.fields.message);
    for (name, value) in &entry.fields.values {
        if MACHINE_FIELDS.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        put(&mut line, format_args!(" {name}="));
        match value {
            FieldValue::Text(text) => put_one_line(&mut line, text),
            FieldValue::Int(int) => put(&mut line, format_args!("{int}")),
            FieldValue::Double(double) => put(&mut line, format_args!("{double}")),
            FieldValue::Bool(bool) => put(&mut line, format_args!("{bool}")),
        }
    }
    if let Some(span) = entry.span_context() {
        put(&mut line, format_args!(" [trace_id={}]", span.trace_id()));
    }
    line.push(b'\n');
    line
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("writing to memory does not fail");
}

/// Line breaks are written as `\n`, so that one event stays one line and none can be forged.
fn put_one_line(line: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            _ => line.push(byte),
        }
    }
}

/// Names that an event's own field cannot take; it is written with an underscore in front.
const RESERVED: [&str; 13] = [
    "timestamp",
    "level",
    "logger",
    "message",
    "service",
    "environment",
    "trace_id",
    "span_id",
    "request_id",
    "tenant_id",
    "user_id",
    "function",
    "line",
];

/// `{"timestamp": …, "level": …, "logger": …, "message": …, "service": …, "environment": …,
/// "trace_id": …, "span_id": …, "request_id": …, …the event's fields}`
pub(super) fn json(console: &Console, entry: &Entry<'_>) -> Vec<u8> {
    let mut object = Object::default();
    object.text("timestamp", &Utc::new(entry.time).rfc3339().to_string());
    object.text("level", level_name(entry.level));
    object.text("logger", &console.logger);
    object.text("message", &entry.fields.message);
    object.text("service", &console.service);
    if !console.environment.is_empty() {
        object.text("environment", &console.environment);
    }
    if let Some(span) = entry.span_context() {
        object.text("trace_id", &span.trace_id().to_string());
        object.text("span_id", &span.span_id().to_string());
    }
    let mut user_written = false;
    if let Some(request) = entry.request() {
        for (key, value) in request.attributes() {
            user_written |= key == "user.id";
            object.text(&key.replace('.', "_"), &value);
        }
    }
    object.text("function", entry.function);
    object.int("line", i64::from(entry.line));
    for (name, value) in &entry.fields.values {
        let reserved = RESERVED.contains(name) && (*name != "user_id" || user_written);
        if reserved && *name == "user_id" {
            continue;
        }
        let name = if reserved { &format!("_{name}") } else { *name };
        match value {
            FieldValue::Text(text) => object.text(name, text),
            FieldValue::Int(int) => object.int(name, *int),
            FieldValue::Double(double) => object.double(name, *double),
            FieldValue::Bool(bool) => object.raw(name, format_args!("{bool}")),
        }
    }
    object.finish()
}

#[derive(Default)]
struct Object(Vec<u8>);

impl Object {
    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.string(key);
        self.0.push(b':');
    }

    fn string(&mut self, text: &str) {
        serde_json::to_writer(&mut self.0, text).expect("text is always JSON");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    fn int(&mut self, key: &str, value: i64) {
        self.raw(key, format_args!("{value}"));
    }

    fn double(&mut self, key: &str, value: f64) {
        self.key(key);
        serde_json::to_writer(&mut self.0, &value).expect("a number or null is always JSON");
    }

    fn raw(&mut self, key: &str, value: std::fmt::Arguments<'_>) {
        self.key(key);
        put(&mut self.0, value);
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}
