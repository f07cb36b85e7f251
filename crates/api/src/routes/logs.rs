//! Log records: search page by page, over time, around a line.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use futures::try_join;
use model::{Table, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stdx::clock::UnixNanos;
use utoipa::{IntoParams, ToSchema};

use super::trace::InstrumentationScope;
use super::{QueryStats, schema};
use crate::answer::{Answer, ask};
use crate::extract::Params;
use crate::json::write_display;
use crate::record::{Rows, write_name};
use crate::search::{Conditions, Subject, level_word, parse};
use crate::time::{Range, RangeParams, format};
use crate::{Api, Error};

const LIMIT_DEFAULT: usize = 200;
const LIMIT_MAX: usize = 5_000;
const CONTEXT_DEFAULT: usize = 20;
const CONTEXT_MAX: usize = 500;

/// How far the lines around a line are looked for, nanoseconds: a day.
const CONTEXT_NANOS_MAX: i64 = 86_400_000_000_000;

/// What tells records of one instant apart, so that pages do not overlap.
const TIES: &str = "service, span_id, level, body";

/// What records are looked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogParams {
    /// A search; words are looked for in the body.
    pub q: Option<String>,
    /// Of this service.
    pub service: Option<String>,
    /// Of one of these levels, separated by commas; `unknown` are those without.
    pub level: Option<String>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// Of this span.
    pub span_id: Option<String>,
}

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// 200 when absent, at most 5,000.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// `newest` (first) or `oldest`.
    pub direction: Option<String>,
}

/// A page of log records.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogPage {
    /// In the order asked for.
    pub rows: Vec<LogRow>,
    /// The cursor of the next page; null when this is the last.
    #[schema(required)]
    pub next: Option<String>,
    /// What it cost.
    pub stats: QueryStats,
}

/// A log record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogRow {
    /// A name for it that stays.
    pub id: String,
    /// RFC 3339.
    pub time: String,
    /// Nanoseconds since 1970, as text: a JSON number would lose digits.
    pub time_unix_ns: String,
    /// `trace`, `debug`, `info`, `warn`, `error`, `fatal` or null.
    #[schema(required)]
    pub level: Option<String>,
    /// The severity as the source wrote it.
    #[schema(required)]
    pub severity_text: Option<String>,
    /// The service.
    #[schema(required)]
    pub service: Option<String>,
    /// The environment.
    #[schema(required)]
    pub environment: Option<String>,
    /// The release.
    #[schema(required)]
    pub release: Option<String>,
    /// The line.
    #[schema(required)]
    pub body: Option<String>,
    /// The body's type where it is not text.
    #[schema(required)]
    pub body_type: Option<String>,
    /// The trace.
    #[schema(required)]
    pub trace_id: Option<String>,
    /// The span.
    #[schema(required)]
    pub span_id: Option<String>,
    /// The request.
    #[schema(required)]
    pub request_id: Option<String>,
    /// The event's name.
    #[schema(required)]
    pub event_name: Option<String>,
    /// By key.
    pub attributes: Map<String, Value>,
    /// By key.
    pub resource: Map<String, Value>,
    /// The instrumentation scope.
    pub scope: InstrumentationScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Newest,
    Oldest,
}

impl Direction {
    fn read(word: Option<&str>) -> Result<Direction, Error> {
        match word {
            None | Some("" | "newest") => Ok(Direction::Newest),
            Some("oldest") => Ok(Direction::Oldest),
            Some(other) => {
                Err(Error::bad_request(format!("direction is newest or oldest, not {other:?}")))
            }
        }
    }

    /// `ORDER BY` of a page: by time, then by what tells apart records of one instant.
    fn order(self) -> String {
        match self {
            Direction::Newest => format!("time DESC, time_ns DESC, {TIES}"),
            Direction::Oldest => format!("time, time_ns, {TIES}"),
        }
    }

    /// Records from this time on, in this direction, itself included.
    fn from(self, conditions: &mut Conditions, time: UnixNanos) {
        let micros = conditions.bind(format(time.div_euclid(1_000) * 1_000));
        let nanos = conditions.bind(time.rem_euclid(1_000));
        conditions.push(match self {
            Direction::Newest => {
                format!("time <= {micros} AND (time < {micros} OR time_ns <= {nanos})")
            }
            Direction::Oldest => {
                format!("time >= {micros} AND (time > {micros} OR time_ns >= {nanos})")
            }
        });
    }
}

/// The place behind the last record of a page: its time, and how many records of that time have
/// been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    time: UnixNanos,
    shown: usize,
}

impl Cursor {
    fn read(text: &str) -> Result<Cursor, Error> {
        let read = || {
            let (time, shown) = text.split_once('.')?;
            let cursor = Cursor { time: time.parse().ok()?, shown: shown.parse().ok()? };
            (cursor.shown <= 1_000_000).then_some(cursor)
        };
        read().ok_or_else(|| Error::bad_request(format!("{text:?} is no cursor of this server")))
    }

    fn write(self) -> String {
        format!("{}.{}", self.time, self.shown)
    }
}

/// The conditions of a search, without its range.
pub(crate) fn conditions(
    api: &Api,
    tenant: &Tenant,
    params: &LogParams,
) -> Result<Conditions, Error> {
    let mut conditions = Conditions::new();
    let ids = [("trace_id", &params.trace_id), ("span_id", &params.span_id)];
    for (column, value) in ids {
        if let Some(value) = given(value) {
            conditions.equal(column, &value.to_ascii_lowercase());
        }
    }
    if let Some(service) = given(&params.service) {
        conditions.equal("service", service);
    }
    if let Some(levels) = given(&params.level) {
        let words: Vec<String> =
            levels.split(',').map(level_word).filter(|w| !w.is_empty()).collect();
        let known: Vec<String> =
            words.iter().filter(|w| *w != "unknown").map(|w| conditions.bind(w.as_str())).collect();
        let mut any = Vec::new();
        if !known.is_empty() {
            any.push(format!("level IN ({})", known.join(", ")));
        }
        if known.len() < words.len() {
            any.push("level IS NULL".to_owned());
        }
        if !any.is_empty() {
            conditions.push(format!("({})", any.join(" OR ")));
        }
    }
    if let Some(q) = given(&params.q) {
        let schema = schema(api, Table::Logs, tenant)?;
        conditions.search(&Subject::new(Table::Logs, &schema), &parse(q)?)?;
    }
    Ok(conditions)
}

fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Log records, page by page.
#[utoipa::path(
    get, path = "/api/v1/logs", params(RangeParams, LogParams, PageParams),
    responses((status = 200, body = LogPage), (status = 400, body = crate::ErrorBody))
)]
pub async fn logs(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
    Params(params): Params<LogParams>,
    Params(page): Params<PageParams>,
) -> Result<Response, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let direction = Direction::read(page.direction.as_deref())?;
    let limit = page.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let cursor = given(&page.cursor).map(Cursor::read).transpose()?;
    let mut conditions = conditions(&api, &tenant, &params)?;
    conditions.within(range);
    if let Some(cursor) = cursor {
        direction.from(&mut conditions, cursor.time);
    }
    let skip = cursor.map_or(0, |cursor| cursor.shown);
    let sql = format!(
        "SELECT * FROM logs WHERE {} ORDER BY {} LIMIT {} OFFSET {skip}",
        conditions.sql(),
        direction.order(),
        limit + 1
    );
    let answer = ask(&api, &tenant, &sql, conditions.params()).await?;
    let schema = schema(&api, Table::Logs, &tenant)?;
    let rows = Rows::new(&answer.batch, &schema)?;
    let more = rows.len() > limit;
    let count = rows.len().min(limit);
    let next = more.then(|| next_cursor(&rows, count, cursor).write());
    let mut out = Vec::with_capacity(count * 512);
    out.push(b'{');
    write_name(&mut out, "rows");
    write_rows(&mut out, &rows, 0..count);
    write_name(&mut out, "next");
    write_display(&mut out, &next);
    write_name(&mut out, "stats");
    write_display(&mut out, QueryStats::from(answer.stats));
    out.push(b'}');
    Ok(super::json(out))
}

fn next_cursor(rows: &Rows<'_>, count: usize, before: Option<Cursor>) -> Cursor {
    let time = rows.time(count - 1);
    let mut shown = (0..count).rev().take_while(|row| rows.time(*row) == time).count();
    if shown == count
        && let Some(before) = before.filter(|before| before.time == time)
    {
        shown += before.shown;
    }
    Cursor { time, shown }
}

pub(crate) fn write_rows(out: &mut Vec<u8>, rows: &Rows<'_>, which: impl Iterator<Item = usize>) {
    out.push(b'[');
    for (index, row) in which.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        rows.write_log(out, row);
    }
    out.push(b']');
}

/// Log records over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogHistogram {
    /// The width of a bucket, milliseconds.
    pub step_ms: i64,
    /// Every bucket of the range.
    pub buckets: Vec<LogBucket>,
    /// All records.
    pub total: u64,
}

/// A bucket.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogBucket {
    /// Where it begins, milliseconds since 1970.
    pub time_ms: i64,
    /// Records by level; `unknown` are those without.
    pub counts: Map<String, Value>,
}

/// How many log records of each level, over time.
#[utoipa::path(
    get, path = "/api/v1/logs/histogram", params(RangeParams, LogParams),
    responses((status = 200, body = LogHistogram))
)]
pub async fn histogram(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
    Params(params): Params<LogParams>,
) -> Result<Json<LogHistogram>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let buckets = range.buckets();
    let mut conditions = conditions(&api, &tenant, &params)?;
    conditions.within(range);
    let sql = format!(
        "SELECT CAST(time AS BIGINT) / {} AS bucket, coalesce(level, 'unknown') AS level, \
         count(*) AS records FROM logs WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
        buckets.step_ms * 1_000,
        conditions.sql()
    );
    let answer = ask(&api, &tenant, &sql, conditions.params()).await?;
    let (bucket, levels) = (answer.ints("bucket")?, answer.texts("level")?);
    let records = answer.ints("records")?;
    let mut all: Vec<LogBucket> = (0..buckets.count)
        .map(|index| LogBucket { time_ms: buckets.time_ms(index), counts: Map::new() })
        .collect();
    let mut total = 0;
    for row in answer.rows() {
        total += records.count(row);
        if let Some(index) = buckets.index(bucket.get(row) * buckets.step_ms) {
            all[index].counts.insert(levels.owned(row), records.count(row).into());
        }
    }
    Ok(Json(LogHistogram { step_ms: buckets.step_ms, buckets: all, total }))
}

/// Around which line.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContextParams {
    /// The line's service; without, lines of every service.
    pub service: Option<String>,
    /// The line's time, nanoseconds since 1970.
    pub time_unix_ns: UnixNanos,
    /// Lines before it: 20 when absent, at most 500.
    pub before: Option<usize>,
    /// Lines from it on: 20 when absent, at most 500.
    pub after: Option<usize>,
}

/// The lines around a line.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogContext {
    /// Those before it, oldest first.
    pub before: Vec<LogRow>,
    /// It, and those after it, oldest first.
    pub after: Vec<LogRow>,
}

/// The lines around a line, of the same service.
#[utoipa::path(
    get, path = "/api/v1/logs/context", params(ContextParams),
    responses((status = 200, body = LogContext))
)]
pub async fn context(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(params): Params<ContextParams>,
) -> Result<Response, Error> {
    let time = params.time_unix_ns;
    let count = |n: Option<usize>| n.unwrap_or(CONTEXT_DEFAULT).min(CONTEXT_MAX);
    let before = Side { direction: Direction::Newest, from: time - 1, rows: count(params.before) };
    let after = Side { direction: Direction::Oldest, from: time, rows: count(params.after) + 1 };
    let (before, after) = try_join!(
        before.ask(&api, &tenant, &params.service),
        after.ask(&api, &tenant, &params.service)
    )?;
    let schema = schema(&api, Table::Logs, &tenant)?;
    let (before, after) = (Rows::new(&before.batch, &schema)?, Rows::new(&after.batch, &schema)?);
    let mut out = vec![b'{'];
    write_name(&mut out, "before");
    write_rows(&mut out, &before, (0..before.len()).rev());
    write_name(&mut out, "after");
    write_rows(&mut out, &after, 0..after.len());
    out.push(b'}');
    Ok(super::json(out))
}

/// The lines on one side of a time.
struct Side {
    direction: Direction,
    from: UnixNanos,
    rows: usize,
}

impl Side {
    async fn ask(
        &self,
        api: &Api,
        tenant: &Tenant,
        service: &Option<String>,
    ) -> Result<Answer, Error> {
        let mut conditions = Conditions::new();
        if let Some(service) = given(service) {
            conditions.equal("service", service);
        }
        self.direction.from(&mut conditions, self.from);
        conditions.within(Range {
            start: self.from.saturating_sub(CONTEXT_NANOS_MAX),
            end: self.from.saturating_add(CONTEXT_NANOS_MAX),
        });
        let sql = format!(
            "SELECT * FROM logs WHERE {} ORDER BY {} LIMIT {}",
            conditions.sql(),
            self.direction.order(),
            self.rows
        );
        ask(api, tenant, &sql, conditions.params()).await
    }
}
