//! Log records: `LogRecord` of OTLP's logs.proto.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use model::AttributeType;
use stdx::clock::UnixNanos;

use super::column::{self, Buffers, Sparse};
use super::context::push_hex;
use super::rows::{Columns, Rows, split_time};
use super::spans::valid_id;
use super::text::{low_32, plain_text};
use super::value::Value;
use crate::report::Reason;
use crate::wire::{Field, Read, Reader};

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
const BODY_TYPES: [&str; 5] = ["int", "double", "bool", "json", "bytes"];

#[derive(Debug)]
pub(crate) struct LogColumns<'a> {
    time: Vec<i64>,
    time_ns: Vec<i16>,
    observed_time: Vec<i64>,
    observed_time_ns: Vec<i16>,
    trace_id: Sparse<u128>,
    span_id: Sparse<u128>,
    level: Sparse<u32>,
    severity_number: Sparse<i64>,
    severity_text: Sparse<u128>,
    body: Sparse<u128>,
    body_type: Sparse<u32>,
    event_name: Sparse<u128>,
    flags: Sparse<i64>,
    attributes: Vec<&'a [u8]>,
    /// The trace id before: lines of one trace come together and share the text.
    trace_id_before: Option<([u8; 16], u128)>,
}

/// A log record's fields as they come, but for its attributes.
#[derive(Debug)]
struct LogRecord<'a> {
    time: u64,
    observed_time: u64,
    severity_number: u32,
    severity_text: &'a [u8],
    body: Value<'a>,
    dropped_attributes: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    event_name: &'a [u8],
}

impl<'a> LogRecord<'a> {
    #[inline]
    fn read(message: &'a [u8], attributes: &mut Vec<&'a [u8]>) -> Read<LogRecord<'a>> {
        attributes.clear();
        let mut record = LogRecord {
            time: 0,
            observed_time: 0,
            severity_number: 0,
            severity_text: b"",
            body: Value::Empty,
            dropped_attributes: 0,
            flags: 0,
            trace_id: b"",
            span_id: b"",
            event_name: b"",
        };
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Fixed64(time)) => record.time = time,
                (2, Field::Varint(severity)) => record.severity_number = low_32(severity),
                (3, Field::Bytes(text)) => record.severity_text = text,
                (5, Field::Bytes(value)) => {
                    record.body = Value::read(value).map_err(|fault| fault.in_field("body"))?;
                }
                (6, Field::Bytes(attribute)) => attributes.push(attribute),
                (7, Field::Varint(count)) => record.dropped_attributes = low_32(count),
                (8, Field::Fixed32(flags)) => record.flags = flags,
                (9, Field::Bytes(id)) => record.trace_id = id,
                (10, Field::Bytes(id)) => record.span_id = id,
                (11, Field::Fixed64(time)) => record.observed_time = time,
                (12, Field::Bytes(name)) => record.event_name = name,
                (1..=3 | 5..=12, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        Ok(record)
    }
}

impl<'a> LogColumns<'a> {
    pub(crate) fn new(rows_max: usize) -> LogColumns<'a> {
        LogColumns {
            time: Vec::with_capacity(rows_max),
            time_ns: Vec::with_capacity(rows_max),
            observed_time: Vec::with_capacity(rows_max),
            observed_time_ns: Vec::with_capacity(rows_max),
            trace_id: Sparse::new(rows_max),
            span_id: Sparse::new(rows_max),
            level: Sparse::new(rows_max),
            severity_number: Sparse::new(rows_max),
            severity_text: Sparse::new(rows_max),
            body: Sparse::new(rows_max),
            body_type: Sparse::new(rows_max),
            event_name: Sparse::new(rows_max),
            flags: Sparse::new(rows_max),
            attributes: Vec::new(),
            trace_id_before: None,
        }
    }

    /// Reads a log record and adds it as a row.
    pub(crate) fn push(
        &mut self,
        rows: &mut Rows<'a>,
        received_at: UnixNanos,
        message: &'a [u8],
    ) -> Read<()> {
        let record = LogRecord::read(message, &mut self.attributes)?;
        self.push_times(&record, received_at);
        self.push_ids(rows, &record);
        self.push_severity(rows, &record)?;
        self.push_body(rows, &record)?;
        rows.push(&self.attributes, record.dropped_attributes)
    }

    #[inline]
    fn push_times(&mut self, record: &LogRecord<'a>, received_at: UnixNanos) {
        let observed_time = match record.observed_time {
            0 => u64::try_from(received_at).unwrap_or(0),
            time => time,
        };
        let time = if record.time == 0 { observed_time } else { record.time };
        let (time, time_ns) = split_time(time);
        self.time.push(time);
        self.time_ns.push(time_ns);
        let (time, time_ns) = split_time(observed_time);
        self.observed_time.push(time);
        self.observed_time_ns.push(time_ns);
    }

    #[inline]
    fn push_ids(&mut self, rows: &mut Rows<'a>, record: &LogRecord<'a>) {
        let row = rows.len();
        let ctx = &mut rows.ctx;
        if let Some(trace_id) = valid_id::<16>(record.trace_id) {
            let view = match self.trace_id_before {
                Some((before, view)) if before == trace_id => view,
                _ => {
                    let start = ctx.scratch.len();
                    push_hex(&mut ctx.scratch, &trace_id);
                    ctx.scratch_view(start)
                }
            };
            self.trace_id_before = Some((trace_id, view));
            self.trace_id.set(row, view);
        } else if !matches!(record.trace_id.len(), 0 | 16) {
            ctx.add(Reason::OptionalId);
        }
        if let Some(span_id) = valid_id::<8>(record.span_id) {
            let start = ctx.scratch.len();
            push_hex(&mut ctx.scratch, &span_id);
            self.span_id.set(row, ctx.scratch_view(start));
        } else if !matches!(record.span_id.len(), 0 | 8) {
            ctx.add(Reason::OptionalId);
        }
        if record.flags != 0 {
            self.flags.set(row, i64::from(record.flags));
        }
    }

    #[inline]
    fn push_severity(&mut self, rows: &mut Rows<'a>, record: &LogRecord<'a>) -> Read<()> {
        let row = rows.len();
        let bytes_max = rows.ctx.limits.attribute_value_bytes_max;
        if (1..=24).contains(&record.severity_number) {
            self.severity_number.set(row, i64::from(record.severity_number));
            self.level.set(row, (record.severity_number - 1) / 4);
        } else if let Some(level) = level_of(record.severity_text) {
            self.level.set(row, level);
        }
        if !record.severity_text.is_empty() {
            let text = rows.ctx.text(record.severity_text, bytes_max);
            self.severity_text.set(row, text.map_err(|fault| fault.in_field("severity_text"))?);
        }
        if !record.event_name.is_empty() {
            let name = rows.ctx.text(record.event_name, bytes_max);
            self.event_name.set(row, name.map_err(|fault| fault.in_field("event_name"))?);
        }
        Ok(())
    }

    #[inline]
    fn push_body(&mut self, rows: &mut Rows<'a>, record: &LogRecord<'a>) -> Read<()> {
        let row = rows.len();
        let bytes_max = rows.ctx.limits.log_body_bytes_max;
        let text = plain_text(&mut rows.ctx, record.body, bytes_max)
            .map_err(|fault| fault.in_field("body"))?;
        let Some(text) = text else { return Ok(()) };
        self.body.set(row, text);
        match record.body.attribute_type() {
            AttributeType::String => {}
            AttributeType::Int => self.body_type.set(row, 0),
            AttributeType::Double => self.body_type.set(row, 1),
            AttributeType::Bool => self.body_type.set(row, 2),
            AttributeType::Json => self.body_type.set(row, 3),
            AttributeType::Bytes => self.body_type.set(row, 4),
        }
        Ok(())
    }
}

impl Columns for LogColumns<'_> {
    fn take(
        &mut self,
        name: &str,
        rows: usize,
        buffers: &Buffers,
    ) -> Option<Result<ArrayRef, ArrowError>> {
        use std::mem::{replace, take};
        let text =
            |column: &mut Sparse<u128>| replace(column, Sparse::new(0)).into_text(rows, buffers);
        let count = |column: &mut Sparse<i64>| replace(column, Sparse::new(0)).into_array(rows);
        let choice = |column: &mut Sparse<u32>, words: &[&str]| {
            replace(column, Sparse::new(0)).into_choice(rows, words)
        };
        Some(match name {
            "time" => Ok(column::times(take(&mut self.time))),
            "time_ns" => Ok(column::shorts(take(&mut self.time_ns))),
            "observed_time" => Ok(column::times(take(&mut self.observed_time))),
            "observed_time_ns" => Ok(column::shorts(take(&mut self.observed_time_ns))),
            "trace_id" => text(&mut self.trace_id),
            "span_id" => text(&mut self.span_id),
            "level" => choice(&mut self.level, &LEVELS),
            "severity_number" => Ok(count(&mut self.severity_number)),
            "severity_text" => text(&mut self.severity_text),
            "body" => text(&mut self.body),
            "body_type" => choice(&mut self.body_type, &BODY_TYPES),
            "event_name" => text(&mut self.event_name),
            "flags" => Ok(count(&mut self.flags)),
            _ => return None,
        })
    }
}

/// The level that a severity's text means, whatever its case: the names of OpenTelemetry, syslog,
/// Python, Java and .NET, also with a number behind them (`INFO2`).
fn level_of(text: &[u8]) -> Option<u32> {
    const NAMES: &[(&str, u32)] = &[
        ("trace", 0),
        ("verbose", 0),
        ("finest", 0),
        ("finer", 0),
        ("debug", 1),
        ("fine", 1),
        ("config", 1),
        ("info", 2),
        ("information", 2),
        ("informational", 2),
        ("notice", 2),
        ("warn", 3),
        ("warning", 3),
        ("error", 4),
        ("err", 4),
        ("severe", 4),
        ("fatal", 5),
        ("critical", 5),
        ("crit", 5),
        ("alert", 5),
        ("emerg", 5),
        ("emergency", 5),
        ("panic", 5),
    ];
    let text = text.trim_ascii();
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let word = &text[..text.len() - digits];
    let (_, level) = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(*level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_text_in_any_case() {
        let check = |text: &str, expected: Option<&str>| {
            let level = level_of(text.as_bytes()).map(|level| LEVELS[level as usize]);
            assert_eq!(level, expected, "{text:?}");
        };
        check("INFO", Some("info"));
        check(" Warning ", Some("warn"));
        check("ERROR2", Some("error"));
        check("emerg", Some("fatal"));
        check("42", None);
        check("", None);
        check("audit", None);
    }
}
