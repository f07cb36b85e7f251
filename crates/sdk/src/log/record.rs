//! An entry as an OpenTelemetry log record.

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::Level;

use super::Entry;
use super::fields::FieldValue;

fn severity(level: Level) -> (Severity, &'static str) {
    match level {
        Level::ERROR => (Severity::Error, "ERROR"),
        Level::WARN => (Severity::Warn, "WARN"),
        Level::INFO => (Severity::Info, "INFO"),
        Level::DEBUG => (Severity::Debug, "DEBUG"),
        Level::TRACE => (Severity::Trace, "TRACE"),
    }
}

pub(super) fn emit(logger: &SdkLogger, entry: &Entry<'_>) {
    let (severity_number, severity_text) = severity(entry.level);
    let mut record = logger.create_log_record();
    record.set_timestamp(entry.time);
    record.set_observed_timestamp(entry.time);
    record.set_severity_number(severity_number);
    record.set_severity_text(severity_text);
    record.set_body(AnyValue::from(entry.fields.message.clone()));
    if let Some(span) = entry.span_context() {
        record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
    }
    if let Some(request) = entry.request() {
        for (key, value) in request.attributes() {
            record.add_attribute(key, AnyValue::String(value.into()));
        }
    }
    record.add_attribute("code.function.name", entry.function.to_owned());
    record.add_attribute("code.line.number", i64::from(entry.line));
    for (name, value) in &entry.fields.values {
        let value = match value {
            FieldValue::Text(text) => AnyValue::from(text.clone()),
            FieldValue::Int(int) => AnyValue::Int(*int),
            FieldValue::Double(double) => AnyValue::Double(*double),
            FieldValue::Bool(bool) => AnyValue::Boolean(*bool),
        };
        record.add_attribute(*name, value);
    }
    logger.emit(record);
}
