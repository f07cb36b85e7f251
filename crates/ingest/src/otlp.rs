//! OTLP: traces, logs and metrics of OpenTelemetry, over gRPC and HTTP, as protobuf and JSON.
//!
//! A body with traces or logs goes straight from protobuf to Arrow columns, without a tree of structs between: string
//! columns are views into the body itself. JSON is transcoded to protobuf first, so that there is
//! one decoder. [`decode`] is a pure function of its arguments; replaying the write-ahead log calls
//! it again with the same ones and gets the same rows.
//!
//! It promises to keep all of OpenTelemetry's data model within [`Limits`], to count and say what it
//! did not keep, and never to panic. Metrics become series, see [`metrics`]; a receiver that has no
//! place for them refuses them, as it does profiles.

mod attributes;
mod column;
mod context;
pub mod grpc;
pub mod http;
mod json;
mod logs;
pub mod metrics;
mod origin;
mod response;
mod rows;
mod spans;
#[cfg(test)]
mod tests;
mod text;
mod value;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{ArrowError, DataType};
use bytes::Bytes;
use model::{Table, Tenant};
use stdx::clock::UnixNanos;

use self::context::Context;
use self::logs::LogColumns;
use self::rows::Rows;
use self::spans::SpanColumns;
use crate::Format;
use crate::limits::Limits;
use crate::report::{Place, Reason, Report};
use crate::wire::{Fault, Field, Read, Reader};

const METRICS_MESSAGE: &str = "metrics are not stored yet, only traces and logs";

/// A decoded body.
#[derive(Debug)]
pub struct Decoded {
    /// The rows: the table's fixed columns in their order, then a column for each attribute, named
    /// by [`model::AttributeColumn::typed_name`].
    pub batch: RecordBatch,
    /// What was rejected, dropped and cut.
    pub report: Report,
    /// The heap that body and batch hold together.
    pub memory_bytes: usize,
}

impl Decoded {
    /// How many rows were taken.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// How many rows were not.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.report.rejected()
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not what it should be.
    #[error("cannot decode {}: {}{problem}", signal(*table), at(path))]
    Malformed {
        /// What it should be.
        table: Table,
        /// Where: `resource_spans[0].scope_spans[0].spans[3].name`; empty for the whole body.
        path: String,
        /// What is wrong there.
        problem: String,
    },
    /// It, or the text made from it, is larger than can be handled.
    #[error("cannot decode {}: {bytes} bytes of text, at most {bytes_max} are allowed", signal(*table))]
    TooLarge {
        /// What it should be.
        table: Table,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
}

fn signal(table: Table) -> &'static str {
    match table {
        Table::Spans => "traces",
        Table::Logs => "logs",
    }
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Decodes an `ExportTraceServiceRequest` or an `ExportLogsServiceRequest`.
pub fn decode(
    format: Format,
    tenant: &Tenant,
    received_at: UnixNanos,
    limits: &Limits,
    body: &Bytes,
) -> Result<Decoded, DecodeError> {
    let table = format.table();
    let bytes_max = i32::MAX as usize;
    if body.len() > bytes_max {
        return Err(DecodeError::TooLarge { table, bytes: body.len(), bytes_max });
    }
    let decode = |check_text| decode_rows(table, tenant, received_at, limits, body, check_text);
    match decode(false) {
        // Once more, to find out where.
        Err(Failure::Text(error)) => match decode(true) {
            Err(failure) => Err(failure.into_error(table)),
            Ok(_) => Err(malformed(table, String::new(), error)),
        },
        Err(failure) => Err(failure.into_error(table)),
        Ok(decoded) => Ok(decoded),
    }
}

/// Transcodes a JSON body to the protobuf body that means the same.
pub fn transcode_json(format: Format, json: &[u8]) -> Result<Bytes, DecodeError> {
    let (table, message) = match format {
        Format::OtlpTraces => (Table::Spans, &json::TRACES),
        Format::OtlpLogs => (Table::Logs, &json::LOGS),
    };
    json::transcode(message, json)
        .map(Bytes::from)
        .map_err(|json::JsonError { path, problem }| malformed(table, path, problem))
}

/// The same for an `ExportMetricsServiceRequest`.
pub(crate) fn transcode_metrics(json: &[u8]) -> Result<Bytes, crate::refusal::Refusal> {
    json::transcode(&json::METRICS, json).map(Bytes::from).map_err(
        |json::JsonError { path, problem }| {
            let message = format!("cannot decode metrics: {}{problem}", at(&path));
            crate::refusal::Refusal::Malformed { path, message }
        },
    )
}

/// About how much memory [`decode`] takes for this body, beside the body: what should be reserved
/// before calling it.
#[must_use]
pub fn estimate_bytes(format: Format, limits: &Limits, body: &[u8]) -> usize {
    let rows = rows::count(body).min(limits.rows_per_batch_max);
    let fixed = rows * row_bytes(format.table());
    // Views of attributes and text made here: about as large as what they are made from.
    fixed + body.len() + 4096
}

/// What the fixed columns take for a row when each is set.
fn row_bytes(table: Table) -> usize {
    table.columns().len() * 16
}

enum Failure {
    Wire(Box<Fault>),
    Text(String),
    Scratch { bytes: usize, bytes_max: usize },
}

impl From<Box<Fault>> for Failure {
    fn from(fault: Box<Fault>) -> Failure {
        Failure::Wire(fault)
    }
}

impl From<ArrowError> for Failure {
    /// All that Arrow finds wrong with a column is text that is not UTF-8.
    fn from(error: ArrowError) -> Failure {
        Failure::Text(error.to_string())
    }
}

impl Failure {
    fn into_error(self, table: Table) -> DecodeError {
        match self {
            Failure::Wire(fault) => malformed(table, fault.path(), fault.problem().to_string()),
            Failure::Text(error) => malformed(table, String::new(), error),
            Failure::Scratch { bytes, bytes_max } => {
                DecodeError::TooLarge { table, bytes, bytes_max }
            }
        }
    }
}

fn malformed(table: Table, path: String, problem: String) -> DecodeError {
    DecodeError::Malformed { table, path, problem }
}

fn decode_rows(
    table: Table,
    tenant: &Tenant,
    received_at: UnixNanos,
    limits: &Limits,
    body: &Bytes,
    check_text: bool,
) -> Result<Decoded, Failure> {
    let rows_sent = rows::count(body);
    let rows_max = rows_sent.min(limits.rows_per_batch_max);
    let ctx = Context {
        table,
        body,
        limits,
        scratch: Vec::with_capacity(rows_max * 64),
        report: Report::default(),
        place: Place::default(),
        rows_max,
        columns_left: columns_max(limits, rows_sent, body.len()),
        check_text,
    };
    let rows = Rows::new(ctx);
    match table {
        Table::Spans => {
            let mut columns = SpanColumns::new(rows_max);
            let rows = read(rows, &FIELDS_OF_TRACES, |rows, message| {
                columns.push(rows, received_at, message)
            })?;
            finish(rows, tenant, body, &mut columns)
        }
        Table::Logs => {
            let mut columns = LogColumns::new(rows_max);
            let rows = read(rows, &FIELDS_OF_LOGS, |rows, message| {
                columns.push(rows, received_at, message)
            })?;
            finish(rows, tenant, body, &mut columns)
        }
    }
}

/// Columns are dense, so a few rows with many different keys, times many rows with none, would take
/// memory that the body does not justify. An attribute that every row has takes at least 8 bytes of
/// the body in each; so with a column for every 8 bytes of a row, dense batches never lose one.
fn columns_max(limits: &Limits, rows: usize, body_bytes: usize) -> usize {
    const CELLS: usize = 1 << 20;
    let cells = CELLS.max(body_bytes / 8);
    (cells / rows.max(1)).min(limits.attribute_columns_per_batch_max)
}

/// What the fields are called; their numbers are the same.
struct Names {
    resources: &'static str,
    scopes: &'static str,
    records: &'static str,
}

const FIELDS_OF_TRACES: Names =
    Names { resources: "resource_spans", scopes: "scope_spans", records: "spans" };
const FIELDS_OF_LOGS: Names =
    Names { resources: "resource_logs", scopes: "scope_logs", records: "log_records" };

/// Walks down to the records.
fn read<'a>(
    mut rows: Rows<'a>,
    names: &Names,
    mut push: impl FnMut(&mut Rows<'a>, &'a [u8]) -> Read<()>,
) -> Result<Rows<'a>, Failure> {
    let mut reader = Reader::new(rows.ctx.body);
    let mut index = 0;
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(message)) => {
                rows.ctx.place = Place { resource: index, ..Place::default() };
                read_resource(&mut rows, names, message, &mut push)
                    .map_err(|fault| fault.in_element(names.resources, index))?;
                index += 1;
            }
            (1, field) => return Err(field.unexpected(1).into()),
            _ => {}
        }
        check_scratch(&rows)?;
    }
    Ok(rows)
}

fn read_resource<'a>(
    rows: &mut Rows<'a>,
    names: &Names,
    message: &'a [u8],
    push: &mut impl FnMut(&mut Rows<'a>, &'a [u8]) -> Read<()>,
) -> Read<()> {
    if !has_records(message)? {
        return Ok(());
    }
    rows.resources.start();
    let mut reader = Reader::new(message);
    let mut index = 0;
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(resource)) => {
                rows.resources.read_resource(&mut rows.ctx, resource)?;
            }
            (2, Field::Bytes(scope)) => {
                rows.ctx.place.scope = index;
                read_scope(rows, names, scope, push)
                    .map_err(|fault| fault.in_element(names.scopes, index))?;
                index += 1;
            }
            (3, Field::Bytes(url)) => {
                rows.resources
                    .set_schema_url(&mut rows.ctx, url)
                    .map_err(|fault| fault.in_field("schema_url"))?;
            }
            (1..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
        if rows.ctx.is_scratch_full() {
            break;
        }
    }
    Ok(())
}

fn read_scope<'a>(
    rows: &mut Rows<'a>,
    names: &Names,
    message: &'a [u8],
    push: &mut impl FnMut(&mut Rows<'a>, &'a [u8]) -> Read<()>,
) -> Read<()> {
    if !rows::has_field(message, 2)? {
        return Ok(());
    }
    rows.scopes.start();
    let mut reader = Reader::new(message);
    let mut index = 0;
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(scope)) => rows.scopes.read_scope(&mut rows.ctx, scope)?,
            (2, Field::Bytes(record)) => {
                rows.ctx.place.record = index;
                if rows.is_full() {
                    rows.ctx.add(Reason::Rows);
                } else {
                    push(rows, record).map_err(|fault| fault.in_element(names.records, index))?;
                }
                index += 1;
            }
            (3, Field::Bytes(url)) => {
                rows.scopes
                    .set_schema_url(&mut rows.ctx, url)
                    .map_err(|fault| fault.in_field("schema_url"))?;
            }
            (1..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
        if rows.ctx.is_scratch_full() {
            break;
        }
    }
    Ok(())
}

/// Whether there is a record in any scope of a resource. Those without are not looked at: there may
/// be millions of them, and columns have room for no more resources and scopes than rows.
fn has_records(resource: &[u8]) -> Read<bool> {
    let mut reader = Reader::new(resource);
    while let Some((number, field)) = reader.next()? {
        if let (2, Field::Bytes(scope)) = (number, field)
            && rows::has_field(scope, 2)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_scratch(rows: &Rows<'_>) -> Result<(), Failure> {
    if rows.ctx.is_scratch_full() {
        let bytes_max = rows.ctx.scratch_bytes_max();
        return Err(Failure::Scratch { bytes: rows.ctx.scratch.len(), bytes_max });
    }
    Ok(())
}

fn finish(
    mut rows: Rows<'_>,
    tenant: &Tenant,
    body: &Bytes,
    columns: &mut impl rows::Columns,
) -> Result<Decoded, Failure> {
    let report = std::mem::take(&mut rows.ctx.report);
    let (batch, scratch_bytes) = rows.finish(tenant, body, columns)?;
    let arrays = batch.columns().iter().map(|array| array_bytes(array.as_ref())).sum::<usize>();
    let memory_bytes = body.len() + scratch_bytes + arrays;
    Ok(Decoded { batch, report, memory_bytes })
}

/// What a column holds for itself: not the buffers that its views point into, which all share.
fn array_bytes(array: &dyn Array) -> usize {
    /// Array, field and name, roughly.
    const OVERHEAD: usize = 300;
    let data = array.to_data();
    let own = match array.data_type() {
        DataType::Utf8View | DataType::BinaryView => &data.buffers()[..1],
        _ => data.buffers(),
    };
    let values: usize = own.iter().map(Buffer::capacity).sum();
    OVERHEAD + values + array.nulls().map_or(0, |nulls| nulls.buffer().capacity())
}
