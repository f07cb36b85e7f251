//! Log lines: one layer that writes each event to the console, as text or JSON, and hands the same
//! to OpenTelemetry, both with the ids of the trace and the request.

mod fields;
mod line;
mod record;

use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::dispatcher::WeakDispatch;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::config::{Config, LogFormat};
use crate::request::RequestContext;
use fields::Fields;

/// Where log lines go beside OTLP.
#[derive(Debug, Clone, Default)]
pub enum LogWriter {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Memory, for tests.
    Memory(MemoryLog),
    /// Nowhere: OTLP alone.
    Discard,
}

/// Log lines kept in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Mutex<Vec<u8>>>);

impl MemoryLog {
    /// Everything written so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl LogWriter {
    /// Writes a whole line at once, so that lines of several threads do not mix. A console that is
    /// gone is no reason to stop.
    fn write(&self, line: &[u8]) {
        let result = match self {
            LogWriter::Stdout => std::io::stdout().lock().write_all(line),
            LogWriter::Stderr => std::io::stderr().lock().write_all(line),
            LogWriter::Memory(MemoryLog(bytes)) => {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
                Ok(())
            }
            LogWriter::Discard => Ok(()),
        };
        drop(result);
    }
}

/// The console and what all its lines have in common.
#[derive(Debug)]
pub(crate) struct Console {
    writer: LogWriter,
    format: LogFormat,
    logger: String,
    service: String,
    environment: String,
}

impl Console {
    pub(crate) fn new(config: &Config) -> Console {
        Console {
            writer: config.log_writer.clone(),
            format: config.log_format,
            logger: config.logger_name(),
            service: config.service_name.clone(),
            environment: config.environment.clone(),
        }
    }

    /// Writes a warning of the SDK itself, on the console alone.
    pub(crate) fn warn(&self, message: &str) {
        let fields = Fields { message: message.to_owned(), ..Fields::default() };
        self.write(&Entry {
            time: clock::wall(),
            level: Level::WARN,
            function: "trefoil_sdk",
            line: 0,
            fields: &fields,
            context: &Context::new(),
        });
    }

    fn write(&self, entry: &Entry<'_>) {
        if matches!(self.writer, LogWriter::Discard) {
            return;
        }
        let line = match self.format {
            LogFormat::Text => line::text(self, entry),
            LogFormat::Json => line::json(self, entry),
        };
        self.writer.write(&line);
    }
}

/// One event, before it is given a shape.
struct Entry<'a> {
    time: SystemTime,
    level: Level,
    function: &'a str,
    line: u32,
    fields: &'a Fields,
    context: &'a Context,
}

impl Entry<'_> {
    fn span_context(&self) -> Option<SpanContext> {
        let span = self.context.span();
        let span_context = span.span_context();
        span_context.is_valid().then(|| span_context.clone())
    }

    fn request(&self) -> Option<&RequestContext> {
        RequestContext::of(self.context)
    }
}

/// The layer.
pub(crate) struct LogLayer {
    console: Arc<Console>,
    level: LevelFilter,
    logger: Option<SdkLogger>,
    /// The subscriber that this layer is part of, to ask it for a span's ids: while an event is
    /// being handled, the usual way to it is closed.
    dispatch: OnceLock<WeakDispatch>,
}

impl LogLayer {
    pub(crate) fn new(
        console: Arc<Console>,
        level: LevelFilter,
        logger: Option<SdkLogger>,
    ) -> LogLayer {
        LogLayer { console, level, logger, dispatch: OnceLock::new() }
    }
}

impl fmt::Debug for LogLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer").field("console", &self.console).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.dispatch.get_or_init(|| subscriber.downgrade());
    }

    fn on_event(&self, event: &Event<'_>, layers: LayerContext<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > self.level {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = layers.event_span(event);
        let context = span.as_ref().and_then(|span| {
            let dispatch = self.dispatch.get()?.upgrade()?;
            tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)
        });
        let module = metadata.module_path().unwrap_or_default();
        let function = match (&fields.function, &span) {
            (Some(function), _) => function.as_str(),
            (None, Some(span)) => span.metadata().name(),
            (None, None) => module.rsplit("::").next().unwrap_or_default(),
        };
        let context = context.unwrap_or_default();
        let entry = Entry {
            time: clock::wall(),
            level: *metadata.level(),
            function,
            line: metadata.line().unwrap_or_default(),
            fields: &fields,
            context: &context,
        };
        self.console.write(&entry);
        if let Some(logger) = &self.logger {
            record::emit(logger, &entry);
        }
    }
}
