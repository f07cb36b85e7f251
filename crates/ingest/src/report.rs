//! What a decoder did not take as it came: rows rejected, parts dropped, text cut. The client is
//! told, the metrics count it.

use std::fmt::{self, Write as _};

use model::Table;

/// Why something was rejected, dropped, cut or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Reason {
    /// A span whose trace id is not 16 bytes, or all zero.
    TraceId,
    /// A span whose span id is not 8 bytes, or all zero.
    SpanId,
    /// A row over the batch's limit.
    Rows,
    /// Attributes over the limit of one record.
    Attributes,
    /// Attributes with an empty key.
    KeyEmpty,
    /// Attributes whose key is too long.
    KeyLength,
    /// Text that was cut.
    ValueLength,
    /// Values nested too deep.
    Nesting,
    /// Events over the limit of one span.
    Events,
    /// Links over the limit of one span.
    Links,
    /// A key that came twice in one record; the last value was kept.
    KeyTwice,
    /// An id other than a span's own that is not 16 or 8 bytes.
    OptionalId,
    /// A span without start or end time.
    SpanTime,
    /// A value that refers to a table of strings, which only profiles have.
    StringIndex,
    /// An attribute that found no column and went to `rest`; nothing is lost.
    Rest,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 15] = [
        Reason::TraceId,
        Reason::SpanId,
        Reason::Rows,
        Reason::Attributes,
        Reason::KeyEmpty,
        Reason::KeyLength,
        Reason::ValueLength,
        Reason::Nesting,
        Reason::Events,
        Reason::Links,
        Reason::KeyTwice,
        Reason::OptionalId,
        Reason::SpanTime,
        Reason::StringIndex,
        Reason::Rest,
    ];

    /// The word for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::TraceId => "trace_id",
            Reason::SpanId => "span_id",
            Reason::Rows => "rows_per_batch",
            Reason::Attributes => "attributes_per_record",
            Reason::KeyEmpty => "attribute_key_empty",
            Reason::KeyLength => "attribute_key_bytes",
            Reason::ValueLength => "value_bytes",
            Reason::Nesting => "nesting_depth",
            Reason::Events => "events_per_span",
            Reason::Links => "links_per_span",
            Reason::KeyTwice => "attribute_key_twice",
            Reason::OptionalId => "optional_id",
            Reason::SpanTime => "span_time",
            Reason::StringIndex => "string_index",
            Reason::Rest => "attribute_columns",
        }
    }

    /// Whether the whole row was refused.
    #[must_use]
    pub const fn rejects(self) -> bool {
        matches!(self, Reason::TraceId | Reason::SpanId | Reason::Rows)
    }

    /// Whether the client should hear of it.
    const fn told(self) -> bool {
        !matches!(self, Reason::Rest)
    }

    const fn sentence(self) -> &'static str {
        match self {
            Reason::TraceId => "rejected: trace_id is not 16 bytes or is all zero",
            Reason::SpanId => "rejected: span_id is not 8 bytes or is all zero",
            Reason::Rows => "rejected: the request has too many rows, send smaller ones",
            Reason::Attributes => "attributes dropped: too many on one record",
            Reason::KeyEmpty => "attributes dropped: the key is empty",
            Reason::KeyLength => "attributes dropped: the key is too long",
            Reason::ValueLength => "texts cut: too long",
            Reason::Nesting => "values replaced by null: nested too deep",
            Reason::Events => "events dropped: too many on one span",
            Reason::Links => "links dropped: too many on one span",
            Reason::KeyTwice => "attributes given twice: the last one was kept",
            Reason::OptionalId => "trace, span or parent ids of the wrong length dropped",
            Reason::SpanTime => "spans without start or end time: the other one was taken",
            Reason::StringIndex => "values that refer to a profile's string table taken as empty",
            Reason::Rest => "attributes without a column of their own",
        }
    }
}

/// Where in a request something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Index in `resource_spans` or `resource_logs`.
    pub resource: usize,
    /// Index in `scope_spans` or `scope_logs`.
    pub scope: usize,
    /// Index in `spans` or `log_records`.
    pub record: usize,
}

impl Place {
    pub(crate) fn display(self, table: Table) -> impl fmt::Display {
        let (resources, scopes, records) = match table {
            Table::Spans => ("resource_spans", "scope_spans", "spans"),
            Table::Logs => ("resource_logs", "scope_logs", "log_records"),
        };
        let Place { resource, scope, record } = self;
        fmt::from_fn(move |f| {
            write!(f, "{resources}[{resource}].{scopes}[{scope}].{records}[{record}]")
        })
    }
}

/// How often each thing happened, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    counts: [u64; Reason::ALL.len()],
    first: [Place; Reason::ALL.len()],
}

impl Report {
    pub(crate) fn add(&mut self, reason: Reason, count: u64, place: Place) {
        let index = reason as usize;
        if self.counts[index] == 0 {
            self.first[index] = place;
        }
        self.counts[index] += count;
    }

    /// How often this happened.
    #[must_use]
    pub fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// Rows that were refused.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        Reason::ALL.into_iter().filter(|r| r.rejects()).map(|r| self.count(r)).sum()
    }

    /// What happened at all, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().map(|r| (r, self.count(r))).filter(|(_, count)| *count > 0)
    }

    /// What the client should be told, in one sentence per reason; `None` when all was taken as it
    /// came.
    #[must_use]
    pub fn message(&self, table: Table) -> Option<String> {
        let mut message = String::new();
        for (reason, count) in self.iter().filter(|(reason, _)| reason.told()) {
            if !message.is_empty() {
                message.push_str("; ");
            }
            let rows = match (reason.rejects(), table) {
                (false, _) => "",
                (true, Table::Spans) => "spans ",
                (true, Table::Logs) => "log records ",
            };
            let sentence = reason.sentence();
            let first = self.first[reason as usize].display(table);
            write!(message, "{count} {rows}{sentence} (first in {first})")
                .expect("writing to a string does not fail");
        }
        (!message.is_empty()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_in_the_order_of_their_numbers() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
    }

    #[test]
    fn the_message_names_count_reason_and_first_place() {
        let mut report = Report::default();
        assert_eq!(report.message(Table::Spans), None);
        report.add(Reason::Rest, 5, Place::default());
        assert_eq!(report.message(Table::Spans), None);
        report.add(Reason::TraceId, 1, Place { resource: 1, scope: 2, record: 3 });
        report.add(Reason::TraceId, 1, Place::default());
        report.add(Reason::ValueLength, 1, Place::default());
        assert_eq!(report.rejected(), 2);
        assert_eq!(
            report.message(Table::Spans).as_deref(),
            Some(
                "2 spans rejected: trace_id is not 16 bytes or is all zero (first in \
                 resource_spans[1].scope_spans[2].spans[3]); 1 texts cut: too long (first in \
                 resource_spans[0].scope_spans[0].spans[0])"
            )
        );
    }
}
