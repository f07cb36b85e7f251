//! What is known about the request that is being served: its id, its tenant, its user.
//!
//! It travels in the OpenTelemetry context, so every span and log line below the server span
//! carries it, on whatever task they are made.

use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::trace::Span as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Most bytes of a request id, tenant or user taken from a header; longer ones are not taken.
pub(crate) const ID_LEN_MAX: usize = 128;

/// The id of a request: taken from `X-Request-ID`, else a new UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new random one.
    #[must_use]
    pub fn generate() -> RequestId {
        RequestId(uuid::Uuid::new_v4().to_string().into())
    }

    /// Takes one from outside: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<RequestId> {
        identifier(text).map(RequestId)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text from a header that may go into spans, logs and other headers.
pub(crate) fn identifier(text: &str) -> Option<Arc<str>> {
    let ok =
        !text.is_empty() && text.len() <= ID_LEN_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    ok.then(|| Arc::from(text))
}

/// The request being served. Clones are the same request.
#[derive(Debug, Clone, Default)]
pub struct RequestContext(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    request_id: Option<RequestId>,
    tenant_id: OnceLock<Arc<str>>,
    user_id: OnceLock<Arc<str>>,
}

impl RequestContext {
    pub(crate) fn new(request_id: Option<RequestId>) -> RequestContext {
        RequestContext(Arc::new(Inner { request_id, ..Inner::default() }))
    }

    /// That of the current span, if it is below a server span.
    #[must_use]
    pub fn current() -> Option<RequestContext> {
        RequestContext::of(&tracing::Span::current().context()).cloned()
    }

    pub(crate) fn of(context: &Context) -> Option<&RequestContext> {
        context.get::<RequestContext>()
    }

    /// Its id.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.0.request_id.as_ref()
    }

    /// Whose data it touches.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.tenant_id.get().map(|id| &**id)
    }

    /// Who it is made for.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.0.user_id.get().map(|id| &**id)
    }

    /// Sets the tenant; the first one stays.
    pub(crate) fn set_tenant_id(&self, id: &Arc<str>) {
        self.0.tenant_id.get_or_init(|| Arc::clone(id));
    }

    /// Sets the user; the first one stays.
    pub(crate) fn set_user_id(&self, id: &Arc<str>) {
        self.0.user_id.get_or_init(|| Arc::clone(id));
    }

    /// What every span and log record of the request carries.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, Arc<str>)> + '_ {
        let request_id = self.0.request_id.as_ref().map(|id| Arc::clone(&id.0));
        let tenant_id = self.0.tenant_id.get().map(Arc::clone);
        let user_id = self.0.user_id.get().map(Arc::clone);
        [("request.id", request_id), ("tenant.id", tenant_id), ("user.id", user_id)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
    }
}

/// Writes the request's ids on every span that starts below its server span.
#[derive(Debug)]
pub(crate) struct RequestAttributes;

impl SpanProcessor for RequestAttributes {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if let Some(request) = RequestContext::of(context) {
            for (key, value) in request.attributes() {
                span.set_attribute(KeyValue::new(key, value));
            }
        }
    }

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_forge_a_log_line_is_not_taken() {
        for (text, taken) in [
            ("abc-123-def-456", true),
            ("", false),
            ("a b", false),
            ("a\nINFO forged", false),
            ("ä", false),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(RequestId::parse(text).is_some(), taken, "{text:?}");
        }
    }
}
