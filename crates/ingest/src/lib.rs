//! Protocols in: receives requests, checks limits, decodes them straight to columns and hands them
//! to a [`Sink`].
//!
//! It promises that a success means that the sink stored the rows, that memory is counted before it
//! is used, and that what was not taken is counted and said. It stores nothing itself, reads no
//! clock but the one it is given, and leaves authentication to layers around its routers, which put
//! a [`model::Tenant`] into the request's extensions.

#![warn(missing_docs)]
#![cfg_attr(test, recursion_limit = "256")]

mod body;
pub mod discovery;
pub mod exposition;
mod format;
pub mod forward;
mod limits;
mod metric_sink;
mod metrics;
pub mod otlp;
mod outgoing;
pub mod prometheus;
pub mod push;
mod receiver;
mod refusal;
pub mod relabel;
pub mod remote;
mod report;
pub mod scrape;
mod sink;
mod wire;

pub use format::{Format, UnknownFormat};
pub use limits::Limits;
pub use metric_sink::{MetricSink, MetricWrite, Rejection, Written};
pub use metrics::{MetricLimits, MetricReceiver, MetricReceiverOptions};
pub use outgoing::{Outgoing, OutgoingError};
pub use receiver::{Receiver, ReceiverOptions};
pub use report::{Place, Reason, Report};
pub use sink::{Sink, SinkError, Write};
