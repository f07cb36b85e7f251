//! Small helpers for the span that one is in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::request::{RequestContext, identifier};

/// A span of this name below the current one, with these attributes. Enter it with
/// `trace_span(…).in_scope(|| …)`, or `future.instrument(trace_span(…))`.
#[must_use]
pub fn trace_span(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
) -> Span {
    let name = name.into();
    let span = tracing::info_span!("span", otel.name = &*name);
    set_attributes(&span, attributes);
    span
}

/// Sets an attribute on the current span; its type is that of the value.
pub fn set_attribute(key: impl Into<Key>, value: impl Into<Value>) {
    Span::current().set_attribute(key, value);
}

/// Sets attributes on `span`.
pub fn set_attributes(span: &Span, attributes: impl IntoIterator<Item = KeyValue>) {
    for KeyValue { key, value, .. } in attributes {
        span.set_attribute(key, value);
    }
}

/// Marks a milestone on the current span.
pub fn add_event(
    name: impl Into<Cow<'static, str>>,
    attributes: impl IntoIterator<Item = KeyValue>,
) {
    Span::current().add_event(name, attributes.into_iter().collect());
}

/// Gives the current span the status error.
pub fn set_error(message: impl Into<Cow<'static, str>>) {
    Span::current().set_status(Status::error(message));
}

/// Records an error with its causes on the current span, as an exception event, and gives the span
/// the status error.
pub fn record_error<E: Error + 'static>(error: &E) {
    record_failure(&Span::current(), short_type_name::<E>(), error);
}

/// As [`record_error`], on any span and with a type of one's own naming.
pub fn record_failure(span: &Span, kind: &str, error: &(dyn Error + 'static)) {
    let mut causes = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str("caused by: ");
        causes.push_str(&cause.to_string());
        causes.push('\n');
        source = cause.source();
    }
    record_exception(span, kind, &error.to_string(), &causes);
}

pub(crate) fn record_exception(span: &Span, kind: &str, message: &str, causes: &str) {
    let mut attributes = vec![
        KeyValue::new("exception.type", kind.to_owned()),
        KeyValue::new("exception.message", message.to_owned()),
    ];
    if !causes.is_empty() {
        let stack = format!("{kind}: {message}\n{causes}");
        attributes.push(KeyValue::new("exception.stacktrace", stack));
    }
    span.add_event("exception", attributes);
    span.set_attribute("error.type", kind.to_owned());
    span.set_status(Status::error(message.to_owned()));
}

/// `std::io::Error` of `std::io::error::Error`: the last word is enough to group by.
fn short_type_name<E: ?Sized>() -> &'static str {
    let name = std::any::type_name::<E>();
    let path = name.split('<').next().unwrap_or(name);
    path.rsplit("::").next().unwrap_or(path)
}

/// Says who the request is made for: on the current span, on the spans and log lines that follow.
/// What is no identifier (128 visible ASCII characters) is left out.
pub fn set_user_id(user_id: &str) {
    let Some(user_id) = identifier(user_id) else { return };
    set_attribute("user.id", Arc::clone(&user_id));
    if let Some(request) = RequestContext::current() {
        request.set_user_id(&user_id);
    }
}

/// The current trace's id, 32 hexadecimal digits.
#[must_use]
pub fn current_trace_id() -> Option<String> {
    trace_id_of(&Span::current())
}

/// The id of the trace that `span` belongs to.
#[must_use]
pub fn trace_id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span_context = span.span_context();
    span_context.is_valid().then(|| span_context.trace_id().to_string())
}

/// The current span's id, 16 hexadecimal digits.
#[must_use]
pub fn current_span_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span_context = span.span_context();
    span_context.is_valid().then(|| span_context.span_id().to_string())
}

/// The current span as a W3C `traceparent`, to be sent along with a message.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}

/// Puts `span`, which has not begun, below the span that a W3C `traceparent` names: the sender's
/// of a message. One that is not valid leaves it where it is.
pub fn continue_trace(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if parent.span().span_context().is_valid() {
        // Without a subscriber of ours there is no span to place.
        drop(span.set_parent(parent));
    }
}
