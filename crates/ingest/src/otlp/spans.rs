//! Spans: `Span` of OTLP's trace.proto.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use stdx::clock::UnixNanos;

use super::column::{self, Buffers, Sparse};
use super::context::push_hex;
use super::rows::{Columns, Rows, split_time};
use super::text::{self, low_32};
use crate::report::Reason;
use crate::wire::{Field, Read, Reader};

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];

#[derive(Debug)]
pub(crate) struct SpanColumns<'a> {
    time: Vec<i64>,
    time_ns: Vec<i16>,
    duration_ns: Vec<i64>,
    trace_id: Vec<u128>,
    span_id: Vec<u128>,
    parent_span_id: Sparse<u128>,
    name: Vec<u128>,
    kind: Sparse<u32>,
    status: Sparse<u32>,
    status_message: Sparse<u128>,
    trace_state: Sparse<u128>,
    flags: Sparse<i64>,
    dropped_events: Sparse<i64>,
    dropped_links: Sparse<i64>,
    events: Sparse<u128>,
    links: Sparse<u128>,
    span: Span<'a>,
    /// The trace id before: spans of one trace come together and share the text.
    trace_id_before: Option<([u8; 16], u128)>,
}

/// A span's fields as they come; kept between spans so that its vectors are allocated once.
#[derive(Debug, Default)]
struct Span<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a [u8],
    kind: u32,
    start: u64,
    end: u64,
    attributes: Vec<&'a [u8]>,
    dropped_attributes: u32,
    events: Vec<&'a [u8]>,
    dropped_events: u32,
    links: Vec<&'a [u8]>,
    dropped_links: u32,
    status: u32,
    status_message: &'a [u8],
    flags: u32,
}

impl<'a> Span<'a> {
    fn clear(&mut self) {
        let mut vectors = std::mem::take(self);
        vectors.attributes.clear();
        vectors.events.clear();
        vectors.links.clear();
        self.attributes = vectors.attributes;
        self.events = vectors.events;
        self.links = vectors.links;
    }

    #[inline]
    fn read(&mut self, message: &'a [u8]) -> Read<()> {
        self.clear();
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(id)) => self.trace_id = id,
                (2, Field::Bytes(id)) => self.span_id = id,
                (3, Field::Bytes(state)) => self.trace_state = state,
                (4, Field::Bytes(id)) => self.parent_span_id = id,
                (5, Field::Bytes(name)) => self.name = name,
                (6, Field::Varint(kind)) => self.kind = low_32(kind),
                (7, Field::Fixed64(time)) => self.start = time,
                (8, Field::Fixed64(time)) => self.end = time,
                (9, Field::Bytes(attribute)) => self.attributes.push(attribute),
                (10, Field::Varint(count)) => self.dropped_attributes = low_32(count),
                (11, Field::Bytes(event)) => self.events.push(event),
                (12, Field::Varint(count)) => self.dropped_events = low_32(count),
                (13, Field::Bytes(link)) => self.links.push(link),
                (14, Field::Varint(count)) => self.dropped_links = low_32(count),
                (15, Field::Bytes(status)) => {
                    self.read_status(status).map_err(|fault| fault.in_field("status"))?;
                }
                (16, Field::Fixed32(flags)) => self.flags = flags,
                (1..=16, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_status(&mut self, message: &'a [u8]) -> Read<()> {
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (2, Field::Bytes(message)) => self.status_message = message,
                (3, Field::Varint(code)) => self.status = low_32(code),
                (2 | 3, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> SpanColumns<'a> {
    pub(crate) fn new(rows_max: usize) -> SpanColumns<'a> {
        SpanColumns {
            time: Vec::with_capacity(rows_max),
            time_ns: Vec::with_capacity(rows_max),
            duration_ns: Vec::with_capacity(rows_max),
            trace_id: Vec::with_capacity(rows_max),
            span_id: Vec::with_capacity(rows_max),
            parent_span_id: Sparse::new(rows_max),
            name: Vec::with_capacity(rows_max),
            kind: Sparse::new(rows_max),
            status: Sparse::new(rows_max),
            status_message: Sparse::new(rows_max),
            trace_state: Sparse::new(rows_max),
            flags: Sparse::new(rows_max),
            dropped_events: Sparse::new(rows_max),
            dropped_links: Sparse::new(rows_max),
            events: Sparse::new(rows_max),
            links: Sparse::new(rows_max),
            span: Span::default(),
            trace_id_before: None,
        }
    }

    /// Reads a span and adds it as a row, unless its ids are invalid.
    pub(crate) fn push(
        &mut self,
        rows: &mut Rows<'a>,
        received_at: UnixNanos,
        message: &'a [u8],
    ) -> Read<()> {
        self.span.read(message)?;
        let Some(trace_id) = valid_id::<16>(self.span.trace_id) else {
            rows.ctx.add(Reason::TraceId);
            return Ok(());
        };
        let Some(span_id) = valid_id::<8>(self.span.span_id) else {
            rows.ctx.add(Reason::SpanId);
            return Ok(());
        };
        self.push_ids(rows, trace_id, span_id);
        self.push_times(rows, received_at);
        self.push_texts(rows)?;
        self.push_numbers(rows);
        self.push_events(rows)?;
        rows.push(&self.span.attributes, self.span.dropped_attributes)
    }

    #[inline]
    fn push_ids(&mut self, rows: &mut Rows<'a>, trace_id: [u8; 16], span_id: [u8; 8]) {
        let trace_view = match self.trace_id_before {
            Some((before, view)) if before == trace_id => view,
            _ => {
                let start = rows.ctx.scratch.len();
                push_hex(&mut rows.ctx.scratch, &trace_id);
                let view = rows.ctx.scratch_view(start);
                self.trace_id_before = Some((trace_id, view));
                view
            }
        };
        self.trace_id.push(trace_view);
        let start = rows.ctx.scratch.len();
        push_hex(&mut rows.ctx.scratch, &span_id);
        self.span_id.push(rows.ctx.scratch_view(start));
        if let Some(parent) = valid_id::<8>(self.span.parent_span_id) {
            let start = rows.ctx.scratch.len();
            push_hex(&mut rows.ctx.scratch, &parent);
            self.parent_span_id.set(rows.len(), rows.ctx.scratch_view(start));
        } else if !matches!(self.span.parent_span_id.len(), 0 | 8) {
            rows.ctx.add(Reason::OptionalId);
        }
    }

    #[inline]
    fn push_times(&mut self, rows: &mut Rows<'a>, received_at: UnixNanos) {
        let (start, end) = match (self.span.start, self.span.end) {
            (0, 0) => {
                (u64::try_from(received_at).unwrap_or(0), u64::try_from(received_at).unwrap_or(0))
            }
            (0, end) => (end, end),
            (start, 0) => (start, start),
            times => times,
        };
        if self.span.start == 0 || self.span.end == 0 {
            rows.ctx.add(Reason::SpanTime);
        }
        let (time, time_ns) = split_time(start);
        self.time.push(time);
        self.time_ns.push(time_ns);
        let duration = i128::from(end) - i128::from(start);
        let clamped = duration.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        self.duration_ns.push(i64::try_from(clamped).expect("clamped"));
    }

    #[inline]
    fn push_texts(&mut self, rows: &mut Rows<'a>) -> Read<()> {
        let row = rows.len();
        let bytes_max = rows.ctx.limits.attribute_value_bytes_max;
        let name = rows.ctx.text(self.span.name, bytes_max);
        self.name.push(name.map_err(|fault| fault.in_field("name"))?);
        if !self.span.trace_state.is_empty() {
            let state = rows.ctx.text(self.span.trace_state, bytes_max);
            self.trace_state.set(row, state.map_err(|fault| fault.in_field("trace_state"))?);
        }
        if !self.span.status_message.is_empty() {
            let message = rows.ctx.text(self.span.status_message, bytes_max);
            let message = message.map_err(|fault| fault.in_field("status.message"))?;
            self.status_message.set(row, message);
        }
        Ok(())
    }

    #[inline]
    fn push_numbers(&mut self, rows: &Rows<'a>) {
        let row = rows.len();
        let known = |value: u32, words: &[&str]| {
            if (value as usize) < words.len() { value } else { 0 }
        };
        self.kind.set(row, known(self.span.kind, &KINDS));
        self.status.set(row, known(self.span.status, &STATUSES));
        if self.span.flags != 0 {
            self.flags.set(row, i64::from(self.span.flags));
        }
    }

    #[inline]
    fn push_events(&mut self, rows: &mut Rows<'a>) -> Read<()> {
        let row = rows.len();
        let ctx = &mut rows.ctx;
        let events = limited(&self.span.events, ctx.limits.events_per_span_max);
        let links = limited(&self.span.links, ctx.limits.links_per_span_max);
        let events_cut = self.span.events.len() - events.len();
        let links_cut = self.span.links.len() - links.len();
        ctx.add_many(Reason::Events, events_cut);
        ctx.add_many(Reason::Links, links_cut);
        set_count(&mut self.dropped_events, row, self.span.dropped_events, events_cut);
        set_count(&mut self.dropped_links, row, self.span.dropped_links, links_cut);
        if !events.is_empty() {
            self.events.set(row, text::events(ctx, events)?);
        }
        if !links.is_empty() {
            self.links.set(row, text::links(ctx, links)?);
        }
        Ok(())
    }
}

impl Columns for SpanColumns<'_> {
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
        Some(match name {
            "time" => Ok(column::times(take(&mut self.time))),
            "time_ns" => Ok(column::shorts(take(&mut self.time_ns))),
            "duration_ns" => Ok(column::ints(take(&mut self.duration_ns))),
            "trace_id" => column::text(take(&mut self.trace_id), buffers),
            "span_id" => column::text(take(&mut self.span_id), buffers),
            "parent_span_id" => text(&mut self.parent_span_id),
            "name" => column::text(take(&mut self.name), buffers),
            "kind" => replace(&mut self.kind, Sparse::new(0)).into_choice(rows, &KINDS),
            "status" => replace(&mut self.status, Sparse::new(0)).into_choice(rows, &STATUSES),
            "status_message" => text(&mut self.status_message),
            "trace_state" => text(&mut self.trace_state),
            "flags" => Ok(count(&mut self.flags)),
            "dropped_events" => Ok(count(&mut self.dropped_events)),
            "dropped_links" => Ok(count(&mut self.dropped_links)),
            "events" => text(&mut self.events),
            "links" => text(&mut self.links),
            _ => return None,
        })
    }
}

fn limited<'m, 'a>(messages: &'m [&'a [u8]], max: usize) -> &'m [&'a [u8]] {
    messages.get(..max).unwrap_or(messages)
}

fn set_count(column: &mut Sparse<i64>, row: usize, sent: u32, cut: usize) {
    let count = i64::from(sent) + i64::try_from(cut).unwrap_or(i64::MAX);
    if count > 0 {
        column.set(row, count);
    }
}

/// An id of the right length that is not all zero.
#[inline]
pub(crate) fn valid_id<const N: usize>(id: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = id.try_into().ok()?;
    (id != [0; N]).then_some(id)
}
