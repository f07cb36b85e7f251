//! The tables and their fixed columns. Attribute columns come behind these as they are seen.

use arrow_schema::{DataType, Field, TimeUnit};

/// A table of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Spans of traces.
    Spans,
    /// Log records.
    Logs,
}

/// The type of a fixed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// 64-bit signed integer.
    Int,
    /// 16-bit signed integer.
    Short,
    /// Microseconds since 1970, UTC: Delta's only timestamp.
    Timestamp,
}

/// A fixed column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in SQL and in the files.
    pub name: &'static str,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// What it means, with its unit.
    pub doc: &'static str,
}

impl Column {
    /// The Arrow field of the column, in memory and in queries.
    #[must_use]
    pub fn field(&self) -> Field {
        let data_type = match self.column_type {
            ColumnType::Text => DataType::Utf8View,
            ColumnType::Int => DataType::Int64,
            ColumnType::Short => DataType::Int16,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(self.name, data_type, self.nullable)
    }
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 2] = [Table::Spans, Table::Logs];

    /// Its name in SQL, in paths, metrics and the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Logs => "logs",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Its fixed columns, in order.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Table::Spans => SPANS,
            Table::Logs => LOGS,
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

const fn text(name: &'static str, doc: &'static str) -> Column {
    Column { name, column_type: ColumnType::Text, nullable: true, doc }
}

const fn int(name: &'static str, doc: &'static str) -> Column {
    Column { name, column_type: ColumnType::Int, nullable: true, doc }
}

const fn required(column: Column) -> Column {
    Column { nullable: false, ..column }
}

const TENANT: Column = required(text("tenant", "Whose row it is."));
const TIME_NS: Column = Column {
    name: "time_ns",
    column_type: ColumnType::Short,
    nullable: false,
    doc: "Nanoseconds, 0 to 999, to be added to `time`, which has microseconds.",
};
const SERVICE: Column = text("service", "The resource's `service.name`.");
const ENVIRONMENT: Column = text(
    "environment",
    "The resource's `deployment.environment.name`, or `deployment.environment` of older SDKs.",
);
const RELEASE: Column = text("release", "The resource's `service.version`.");
const REQUEST_ID: Column = text(
    "request_id",
    "The request's id: the first of the attributes `request.id`, `request_id`, `http.request.id`.",
);
const USER_ID: Column = text(
    "user_id",
    "The user: the first of the attributes `user.id`, `enduser.id`, `user_id`, as text.",
);
const MODEL_VERSION: Column =
    text("model_version", "The model's version: attribute `model.version` or `model_version`.");
const SCOPE_NAME: Column = text("scope_name", "The instrumentation scope's name.");
const SCOPE_VERSION: Column = text("scope_version", "The instrumentation scope's version.");
const RESOURCE_SCHEMA_URL: Column = text("resource_schema_url", "The resource's schema URL.");
const SCOPE_SCHEMA_URL: Column = text("scope_schema_url", "The scope's schema URL.");
const DROPPED_ATTRIBUTES: Column =
    int("dropped_attributes", "Attributes that the sender or a limit here dropped; null for none.");
const RESOURCE_DROPPED: Column =
    int("resource_dropped_attributes", "Resource attributes dropped; null for none.");
const SCOPE_DROPPED: Column =
    int("scope_dropped_attributes", "Scope attributes dropped; null for none.");
const REST: Column = text(
    "rest",
    "A JSON object of the attributes that have no column of their own, by `<scope>.<key>`. \
     Bytes are `{\"$bytes\": \"<base64>\"}`.",
);

const SPANS: &[Column] = &[
    TENANT,
    Column {
        name: "time",
        column_type: ColumnType::Timestamp,
        nullable: false,
        doc: "When the span started, UTC, microseconds.",
    },
    TIME_NS,
    required(int(
        "duration_ns",
        "End minus start, nanoseconds; negative when the clock went back.",
    )),
    SERVICE,
    ENVIRONMENT,
    RELEASE,
    required(text("trace_id", "The trace's id: 32 lower-case hexadecimal digits.")),
    required(text("span_id", "The span's id: 16 lower-case hexadecimal digits.")),
    text("parent_span_id", "The parent's id; null on a root span."),
    required(text("name", "The span's name: the operation.")),
    required(text(
        "kind",
        "`unspecified`, `internal`, `server`, `client`, `producer` or `consumer`.",
    )),
    required(text("status", "`unset`, `ok` or `error`.")),
    text("status_message", "The status's message."),
    text("trace_state", "The W3C `tracestate`."),
    int("flags", "The span's flags, W3C trace flags in the lowest byte; null for none."),
    REQUEST_ID,
    USER_ID,
    MODEL_VERSION,
    SCOPE_NAME,
    SCOPE_VERSION,
    RESOURCE_SCHEMA_URL,
    SCOPE_SCHEMA_URL,
    DROPPED_ATTRIBUTES,
    int("dropped_events", "Events dropped; null for none."),
    int("dropped_links", "Links dropped; null for none."),
    RESOURCE_DROPPED,
    SCOPE_DROPPED,
    text(
        "events",
        "A JSON array of the span's events: `{\"time_unix_nano\": \"…\", \"name\": …, \
         \"attributes\": {…}, \"dropped_attributes\": n}`; null for none.",
    ),
    text(
        "links",
        "A JSON array of the span's links: `{\"trace_id\": …, \"span_id\": …, \"trace_state\": …, \
         \"flags\": n, \"attributes\": {…}, \"dropped_attributes\": n}`; null for none.",
    ),
    REST,
];

const LOGS: &[Column] = &[
    TENANT,
    Column {
        name: "time",
        column_type: ColumnType::Timestamp,
        nullable: false,
        doc: "When it happened, UTC, microseconds; the observed time where the sender gave none.",
    },
    TIME_NS,
    Column {
        name: "observed_time",
        column_type: ColumnType::Timestamp,
        nullable: false,
        doc: "When it was observed, UTC, microseconds; the time of receipt where none was given.",
    },
    Column {
        name: "observed_time_ns",
        column_type: ColumnType::Short,
        nullable: false,
        doc: "Nanoseconds, 0 to 999, to be added to `observed_time`.",
    },
    SERVICE,
    ENVIRONMENT,
    RELEASE,
    text("trace_id", "The trace's id: 32 lower-case hexadecimal digits."),
    text("span_id", "The span's id: 16 lower-case hexadecimal digits."),
    REQUEST_ID,
    USER_ID,
    MODEL_VERSION,
    text(
        "level",
        "`trace`, `debug`, `info`, `warn`, `error` or `fatal`, from the severity number, else \
         from the severity text; null when neither tells.",
    ),
    int("severity_number", "The OpenTelemetry severity, 1 to 24; null for none."),
    text("severity_text", "The severity as the source wrote it."),
    text("body", "The line: text as it is, anything else as JSON."),
    text(
        "body_type",
        "The body's type where it is not text: `int`, `double`, `bool`, `json` or `bytes`.",
    ),
    text("event_name", "The event's name."),
    int("flags", "The record's flags, W3C trace flags in the lowest byte; null for none."),
    SCOPE_NAME,
    SCOPE_VERSION,
    RESOURCE_SCHEMA_URL,
    SCOPE_SCHEMA_URL,
    DROPPED_ATTRIBUTES,
    RESOURCE_DROPPED,
    SCOPE_DROPPED,
    REST,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn column_names_are_unique_and_never_read_as_attributes() {
        for table in Table::ALL {
            let mut seen = HashSet::new();
            for column in table.columns() {
                assert!(seen.insert(column.name), "{table}.{} twice", column.name);
                assert!(crate::AttributeColumn::parse(column.name).is_none());
            }
        }
    }
}
