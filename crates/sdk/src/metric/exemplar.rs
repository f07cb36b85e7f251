//! Which trace an observation belongs to.

use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::snapshot::Exemplar;
use crate::clock;

/// A bucket's exemplar stays at least this long: a scraper sees it at most once in a scrape, and
/// to look up the trace costs more than to count.
const KEPT_FOR: Duration = Duration::from_millis(250);

/// A trace that is kept, by its id and the span's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    trace_id: u128,
    span_id: u64,
}

impl Context {
    /// Of the current span; `None` where there is no trace, or none that is kept.
    pub(crate) fn current() -> Option<Context> {
        Context::of(&Span::current())
    }

    pub(crate) fn of(span: &Span) -> Option<Context> {
        let context = span.context();
        let span = context.span();
        let context = span.span_context();
        (context.is_valid() && context.is_sampled()).then(|| Context {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
        })
    }
}

/// The newest exemplar of a bucket or counter. Writers never wait for each other.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Exemplar>>);

impl Slot {
    /// Takes the exemplar unless the one that is there is young.
    pub(super) fn offer(&self, value: f64, context: impl FnOnce() -> Option<Context>) {
        let mut slot = match self.0.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let now = clock::wall();
        let young = |at: &Exemplar| now.duration_since(at.time).is_ok_and(|age| age < KEPT_FOR);
        if slot.as_ref().is_some_and(young) {
            return;
        }
        if let Some(Context { trace_id, span_id }) = context() {
            *slot = Some(Exemplar { trace_id, span_id, value, time: now });
        }
    }

    pub(super) fn get(&self) -> Option<Exemplar> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
