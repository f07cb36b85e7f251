//! What a Rust service is instrumented with: traces and logs over OTLP by one call, tower layers
//! for its server, an HTTP client that carries the context on, metrics with exemplars.
//!
//! ```no_run
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! let _guard = trefoil_sdk::init(trefoil_sdk::Config::from_env().service_name("my-service"))?;
//! let app = axum::Router::new().route("/models", axum::routing::get(|| async { "[]" }));
//! let app = trefoil_sdk::add_tracing_middleware(app, &trefoil_sdk::ServerOptions::default());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(()) }
//! ```
//!
//! It promises that telemetry never stands in the way: no call waits for the network, queues are
//! bounded, a collector that does not answer is reported once a minute and otherwise ignored.
//! It speaks only OTLP and W3C trace context, so any collector will do, and it depends on none of
//! Trefoil's other crates.

mod client;
mod clock;
mod config;
mod export;
mod log;
pub mod metric;
pub mod overhead;
mod request;
mod server;
mod span;
mod telemetry;

/// The OpenTelemetry API that attributes and events are written with.
pub use opentelemetry;
pub use opentelemetry::KeyValue;
/// A finished span, as [`MemoryExporter::spans`] returns it.
pub use opentelemetry_sdk::trace::SpanData;
/// Makes a function a span, errors recorded: `#[traced(name = "ml_pipeline", err)]`.
pub use tracing::instrument as traced;

pub use client::{HttpCall, HttpClient};
pub use config::{Batch, Config, Exporter, LogFormat, Protocol, Sampling};
pub use export::MemoryExporter;
pub use log::{LogWriter, MemoryLog};
pub use metric::{Registry, metrics_response, metrics_route};
pub use request::{RequestContext, RequestId};
pub use server::{
    Around, ErrorReport, Middleware, RequestIdLayer, RequestLogLayer, ServerOptions,
    SlowRequestLayer, TenantContextLayer, TracingLayer, WithDispatchLayer, add_tracing_middleware,
};
pub use span::{
    add_event, continue_trace, current_span_id, current_trace_id, current_traceparent,
    record_error, record_failure, set_attribute, set_attributes, set_error, set_user_id,
    trace_id_of, trace_span,
};
pub use telemetry::{Error, Guard, Telemetry, configure_tracing, init};
