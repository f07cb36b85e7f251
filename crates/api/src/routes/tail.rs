//! Log records as they arrive, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use arrow::array::RecordBatch;
use axum::Extension;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use model::{Table, Tenant};

use super::logs::{LogParams, conditions, write_rows};
use super::schema;
use crate::answer::whole;
use crate::extract::Params;
use crate::record::Rows;
use crate::{Api, Error, TailItem, TailStream};

/// Comment lines, so that proxies keep the connection and its end is noticed.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The most rows of one event.
const ROWS_MAX: usize = 500;

/// Batches that are taken together, if they are there already.
const BATCHES_MAX: usize = 64;

/// Log records as they arrive: events `rows` with a list of records, events `dropped` with a
/// number of those that came too fast.
#[utoipa::path(
    get, path = "/api/v1/logs/tail", params(LogParams),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub async fn tail(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(params): Params<LogParams>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    // Mistakes in the search are told now, not in the stream.
    conditions(&api, &tenant, &params)?;
    let rows = api.tail.subscribe(Table::Logs, &tenant);
    let tail = Tail { api, tenant, params, rows, pending: Vec::new() };
    let events = stream::unfold(tail, |mut tail| async move {
        let events = tail.next().await?;
        Some((stream::iter(events.into_iter().map(Ok)), tail))
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(events.flatten()).keep_alive(keep_alive))
}

struct Tail {
    api: Api,
    tenant: Tenant,
    params: LogParams,
    rows: TailStream,
    pending: Vec<RecordBatch>,
}

impl Tail {
    /// Waits for rows and says what to send; nothing when they do not match. `None` at the end.
    async fn next(&mut self) -> Option<Vec<Event>> {
        let mut missed = 0;
        let mut item = Some(self.rows.next().await?);
        while let Some(next) = item {
            match next {
                TailItem::Rows(batch) => self.pending.push(batch),
                TailItem::Missed(rows) => missed += rows,
            }
            let full = self.pending.len() >= BATCHES_MAX;
            // What is there already is taken with it; nobody waits for more.
            item = if full { None } else { self.rows.next().now_or_never().flatten() };
        }
        let batches = std::mem::take(&mut self.pending);
        let mut events = Vec::new();
        if !batches.is_empty() {
            match matching(&self.api, &self.tenant, &self.params, batches).await {
                Ok((body, dropped)) => {
                    missed += dropped;
                    events.extend(body.map(|body| Event::default().event("rows").data(body)));
                }
                Err(error) => {
                    let body = serde_json::to_string(&error.body()).unwrap_or_default();
                    events.push(Event::default().event("error").data(body));
                }
            }
        }
        if missed > 0 {
            events.push(Event::default().event("dropped").data(format!("{{\"rows\":{missed}}}")));
        }
        Some(events)
    }
}

/// The rows that match, as JSON, and how many more there were.
async fn matching(
    api: &Api,
    tenant: &Tenant,
    params: &LogParams,
    batches: Vec<RecordBatch>,
) -> Result<(Option<String>, u64), Error> {
    // Anew for each: a key may be new, and then mean something.
    let conditions = conditions(api, tenant, params)?;
    let sql =
        format!("SELECT * FROM logs WHERE {} ORDER BY time DESC, time_ns DESC", conditions.sql());
    let engine = &api.engine;
    let params = conditions.params();
    let limits = engine.limits();
    let answer = engine.sql_over(tenant, "logs", batches, &sql, params, limits).await?;
    let answer = whole(answer).await?;
    let schema = schema(api, Table::Logs, tenant)?;
    let rows = Rows::new(&answer.batch, &schema)?;
    if rows.len() == 0 {
        return Ok((None, 0));
    }
    let shown = rows.len().min(ROWS_MAX);
    let mut out = Vec::with_capacity(shown * 512);
    // Oldest first: as they would have been read.
    write_rows(&mut out, &rows, (0..shown).rev());
    let dropped = u64::try_from(rows.len() - shown).unwrap_or(0);
    let body =
        String::from_utf8(out).map_err(|_| Error::Internal("a row is no text".to_owned()))?;
    Ok((Some(body), dropped))
}
