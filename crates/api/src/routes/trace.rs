//! One trace with all of its spans.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use futures::try_join;
use model::{Table, Tenant};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::schema;
use super::traces::ServiceSpans;
use crate::answer::ask;
use crate::json::{write_display, write_text};
use crate::record::{Rows, write_name};
use crate::time::format;
use crate::{Api, Error};

/// The most spans of a trace that are shown.
const SPANS_MAX: usize = 50_000;

/// A trace.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trace {
    /// Its id.
    pub trace_id: String,
    /// When the first span started, RFC 3339.
    pub start: String,
    /// The same in nanoseconds since 1970, as text: a JSON number would lose digits.
    pub start_unix_ns: String,
    /// From the first span's start to the last one's end.
    pub duration_ns: i64,
    /// Spans by service, in order of appearance.
    pub services: Vec<ServiceSpans>,
    /// By start.
    pub spans: Vec<Span>,
    /// Log records with this trace's id.
    pub logs: u64,
    /// Whether there are more spans than shown.
    pub truncated: bool,
}

/// A span.
#[derive(Debug, Serialize, ToSchema)]
pub struct Span {
    /// Its id.
    pub span_id: String,
    /// Its parent's id; null for a root.
    #[schema(required)]
    pub parent_span_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its service.
    #[schema(required)]
    pub service: Option<String>,
    /// `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
    pub kind: String,
    /// `unset`, `ok` or `error`.
    pub status: String,
    /// The status's message.
    #[schema(required)]
    pub status_message: Option<String>,
    /// When it started, behind the trace's start.
    pub offset_ns: i64,
    /// How long it took.
    pub duration_ns: i64,
    /// By key.
    pub attributes: Map<String, Value>,
    /// By key.
    pub resource: Map<String, Value>,
    /// The instrumentation scope.
    pub scope: InstrumentationScope,
    /// In order.
    pub events: Vec<SpanEvent>,
    /// In order.
    pub links: Vec<SpanLink>,
    /// The W3C `tracestate`.
    #[schema(required)]
    pub trace_state: Option<String>,
    /// The request.
    #[schema(required)]
    pub request_id: Option<String>,
    /// The user.
    #[schema(required)]
    pub user_id: Option<String>,
    /// The model's version.
    #[schema(required)]
    pub model_version: Option<String>,
    /// The W3C trace flags and OTLP's own.
    #[schema(required)]
    pub flags: Option<i64>,
    /// What was dropped.
    pub dropped: Dropped,
}

/// An instrumentation scope.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstrumentationScope {
    /// Its name.
    #[schema(required)]
    pub name: Option<String>,
    /// Its version.
    #[schema(required)]
    pub version: Option<String>,
    /// By key.
    pub attributes: Map<String, Value>,
}

/// An event of a span.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanEvent {
    /// When, behind the trace's start.
    pub offset_ns: i64,
    /// Its name.
    pub name: String,
    /// By key.
    pub attributes: Map<String, Value>,
}

/// A link of a span.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanLink {
    /// The other trace.
    pub trace_id: String,
    /// The other span.
    pub span_id: String,
    /// By key.
    pub attributes: Map<String, Value>,
}

/// What the sender or a limit here dropped; null for none.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dropped {
    /// Attributes.
    #[schema(required)]
    pub attributes: Option<i64>,
    /// Events.
    #[schema(required)]
    pub events: Option<i64>,
    /// Links.
    #[schema(required)]
    pub links: Option<i64>,
}

/// A trace with its spans.
#[utoipa::path(
    get, path = "/api/v1/traces/{trace_id}",
    params(("trace_id" = String, Path, description = "32 hexadecimal digits; 16 are taken as the lower half.")),
    responses((status = 200, body = Trace), (status = 404, body = crate::ErrorBody))
)]
pub async fn trace(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Path(trace_id): Path<String>,
) -> Result<Response, Error> {
    let trace_id = read_id(&trace_id)?;
    let params = [json!(trace_id)];
    let spans_sql = format!(
        "SELECT * FROM spans WHERE trace_id = $1 ORDER BY time, time_ns, span_id LIMIT {}",
        SPANS_MAX + 1
    );
    let logs_sql = "SELECT count(*) AS logs FROM logs WHERE trace_id = $1";
    let (spans, logs) =
        try_join!(ask(&api, &tenant, &spans_sql, &params), ask(&api, &tenant, logs_sql, &params))?;
    let rows = Rows::new(&spans.batch, schema(&api, Table::Spans, &tenant)?.as_ref())?;
    if rows.len() == 0 {
        return Err(Error::NotFound(format!("there is no trace {trace_id}")));
    }
    let truncated = rows.len() > SPANS_MAX || spans.stats.truncated;
    let logs = logs.ints("logs")?.count(0);
    Ok(super::json(write(&trace_id, &rows, logs, truncated)))
}

fn read_id(text: &str) -> Result<String, Error> {
    let digits: String =
        text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits.is_empty() || digits.len() > 32 || !hexadecimal {
        return Err(Error::bad_request(format!("{text:?} is no trace id: 32 hexadecimal digits")));
    }
    Ok(format!("{digits:0>32}"))
}

fn write(trace_id: &str, rows: &Rows<'_>, logs: u64, truncated: bool) -> Vec<u8> {
    let count = rows.len().min(SPANS_MAX);
    let start = rows.time(0);
    let mut end = start;
    let mut services: Vec<ServiceSpans> = Vec::new();
    let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
    for row in 0..count {
        let duration = rows.int("duration_ns", row).unwrap_or(0).max(0);
        end = end.max(rows.time(row).saturating_add(duration));
        let service = rows.text("service", row).unwrap_or_default();
        let index = *indices.entry(service).or_insert_with(|| {
            services.push(ServiceSpans { service: service.to_owned(), spans: 0 });
            services.len() - 1
        });
        services[index].spans += 1;
    }
    let mut out = Vec::with_capacity(count * 512);
    out.push(b'{');
    write_name(&mut out, "trace_id");
    write_text(&mut out, trace_id);
    write_name(&mut out, "start");
    write_text(&mut out, &format(start));
    write_name(&mut out, "start_unix_ns");
    write_text(&mut out, &start.to_string());
    write_name(&mut out, "duration_ns");
    write_display(&mut out, end - start);
    write_name(&mut out, "services");
    write_display(&mut out, &services);
    write_name(&mut out, "spans");
    out.push(b'[');
    for row in 0..count {
        if row > 0 {
            out.push(b',');
        }
        rows.write_span(&mut out, row, start);
    }
    out.push(b']');
    write_name(&mut out, "logs");
    write_display(&mut out, logs);
    write_name(&mut out, "truncated");
    write_display(&mut out, truncated);
    out.push(b'}');
    out
}
