//! Answers: `Export…ServiceResponse` and `google.rpc.Status`, as protobuf and as JSON.

use std::time::Duration;

use bytes::Bytes;
use model::Table;
use serde_json::json;

use crate::metric_sink::{Rejection, Written};
use crate::refusal::Refusal;
use crate::report::Report;
use crate::wire::Writer;

/// An export response as protobuf: empty when all was taken as it came.
pub(crate) fn export_protobuf(table: Table, report: &Report) -> Vec<u8> {
    partial_protobuf(report.rejected(), report.message(table))
}

fn partial_protobuf(rejected: u64, message: Option<String>) -> Vec<u8> {
    let mut writer = Writer::default();
    if let Some(message) = message {
        let partial_success = writer.open(1);
        if rejected > 0 {
            writer.varint(1, rejected);
        }
        writer.bytes(2, message.as_bytes());
        writer.close(partial_success);
    }
    writer.finish()
}

/// An answer to metrics as protobuf.
pub(crate) fn metrics_protobuf(written: &Written) -> Vec<u8> {
    partial_protobuf(written.rejected_len() as u64, metrics_message(written))
}

/// The same as JSON.
pub(crate) fn metrics_json(written: &Written) -> Vec<u8> {
    let rejected = written.rejected_len() as u64;
    partial_json("rejectedDataPoints", rejected, metrics_message(written))
}

/// `2 data points: out of bounds (first: {__name__="up"})`.
fn metrics_message(written: &Written) -> Option<String> {
    let parts = written.rejected.iter().map(|Rejection { reason, count, example }| {
        let first = if example.is_empty() { String::new() } else { format!(" (first: {example})") };
        format!("{count} data points: {reason}{first}")
    });
    let message = parts.collect::<Vec<_>>().join("; ");
    (!message.is_empty()).then_some(message)
}

/// The same as JSON.
pub(crate) fn export_json(table: Table, report: &Report) -> Vec<u8> {
    let rejected_name = match table {
        Table::Spans => "rejectedSpans",
        Table::Logs => "rejectedLogRecords",
    };
    partial_json(rejected_name, report.rejected(), report.message(table))
}

fn partial_json(rejected_name: &str, rejected: u64, message: Option<String>) -> Vec<u8> {
    let answer = match message {
        None => json!({}),
        Some(message) => json!({"partialSuccess": {
            // 64-bit integers are text in protobuf's JSON.
            rejected_name: rejected.to_string(),
            "errorMessage": message,
        }}),
    };
    answer.to_string().into_bytes()
}

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A `google.rpc.Status` as protobuf: HTTP's error body, and gRPC's status details.
pub(crate) fn status_protobuf(code: tonic::Code, refusal: &Refusal) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.varint(1, u64::from(i32::from(code).unsigned_abs()));
    writer.bytes(2, refusal.to_string().as_bytes());
    if let Refusal::Malformed { path, message } = refusal {
        let any = writer.open(3);
        writer.bytes(1, BAD_REQUEST.as_bytes());
        let bad_request = writer.open(2);
        let violation = writer.open(1);
        writer.bytes(1, path.as_bytes());
        writer.bytes(2, message.as_bytes());
        writer.close(violation);
        writer.close(bad_request);
        writer.close(any);
    }
    if let Some(retry_after) = refusal.retry_after() {
        let any = writer.open(3);
        writer.bytes(1, RETRY_INFO.as_bytes());
        let retry_info = writer.open(2);
        let delay = writer.open(1);
        writer.varint(1, retry_after.as_secs());
        writer.varint(2, u64::from(retry_after.subsec_nanos()));
        writer.close(delay);
        writer.close(retry_info);
        writer.close(any);
    }
    writer.finish()
}

/// The same as JSON.
pub(crate) fn status_json(code: tonic::Code, refusal: &Refusal) -> Vec<u8> {
    let mut details = Vec::new();
    if let Refusal::Malformed { path, message } = refusal {
        details.push(json!({
            "@type": BAD_REQUEST,
            "fieldViolations": [{"field": path, "description": message}],
        }));
    }
    if let Some(retry_after) = refusal.retry_after() {
        details.push(json!({"@type": RETRY_INFO, "retryDelay": seconds(retry_after)}));
    }
    let mut status = json!({"code": i32::from(code), "message": refusal.to_string()});
    if !details.is_empty() {
        status["details"] = details.into();
    }
    status.to_string().into_bytes()
}

/// A duration in protobuf's JSON: `1.500s`.
fn seconds(duration: Duration) -> String {
    format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis())
}

/// gRPC's code for a refusal.
///
/// `RESOURCE_EXHAUSTED` is final for OTLP's clients unless it comes with `RetryInfo`, so it serves
/// for both what is too large and what does not fit now.
pub(crate) const fn code(refusal: &Refusal) -> tonic::Code {
    match refusal {
        Refusal::Malformed { .. } => tonic::Code::InvalidArgument,
        Refusal::TooLarge { .. } | Refusal::Busy { .. } => tonic::Code::ResourceExhausted,
        Refusal::Unsupported(_) | Refusal::NotFound(_) => tonic::Code::Unimplemented,
        Refusal::Unavailable { .. } => tonic::Code::Unavailable,
        Refusal::Incomplete(_) => tonic::Code::DeadlineExceeded,
        Refusal::Internal(_) => tonic::Code::Internal,
    }
}

/// The whole gRPC status, with its details.
pub(crate) fn grpc_status(refusal: &Refusal) -> tonic::Status {
    let code = code(refusal);
    let details = Bytes::from(status_protobuf(code, refusal));
    tonic::Status::with_details(code, refusal.to_string(), details)
}
