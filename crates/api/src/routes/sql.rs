//! SQL of the user's own.

mod output;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use model::Tenant;
use query::QueryStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::QueryStats;
use crate::{Api, Error};
use output::{Format, Writer};

/// A statement.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SqlRequest {
    /// One statement that only reads.
    pub sql: String,
    /// What stands for `$1`, `$2` … or the `?`s.
    #[serde(default)]
    pub params: Vec<Value>,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SqlAnswer {
    /// In order.
    pub columns: Vec<SqlColumn>,
    /// A list of values a row, in the columns' order.
    pub rows: Vec<Vec<Value>>,
    /// Whether rows beyond the limit were left out.
    pub truncated: bool,
    /// What it cost.
    pub stats: QueryStats,
}

/// A column of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// `string`, `int`, `double`, `decimal`, `bool`, `timestamp`, `date`, `time`, `interval`,
    /// `bytes`, `list`, `struct`, `map` or `null`.
    #[serde(rename = "type")]
    pub column_type: &'static str,
}

/// Runs a statement.
///
/// The body is JSON, or the bare text of the statement. The answer is JSON; NDJSON (an object a
/// row; one more with `truncated` and `stats` under `$end` if rows were left out) for `Accept: application/x-ndjson`; an
/// Arrow IPC stream for `Accept: application/vnd.apache.arrow.stream`.
#[utoipa::path(
    post, path = "/api/v1/sql",
    request_body(content((SqlRequest = "application/json"), (String = "text/plain"))),
    responses(
        (status = 200, content((SqlAnswer = "application/json"), (String = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.arrow.stream"))),
        (status = 400, body = crate::ErrorBody),
        (status = 429, body = crate::ErrorBody, description = "Too many queries are running."),
        (status = 504, body = crate::ErrorBody, description = "The statement ran out of its time.")
    )
)]
pub async fn sql(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    request: Request,
) -> Result<Response, Error> {
    let format = Format::of(request.headers());
    let is_json = is_json(request.headers());
    let body =
        Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
            http::StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge(rejection.body_text()),
            _ => Error::bad_request(rejection.body_text()),
        })?;
    let statement = read(&body, is_json)?;
    let limits = api.engine.limits();
    let stream = api.engine.sql(&tenant, &statement.sql, &statement.params, limits).await?;
    respond(stream, format).await
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/json"))
}

/// A JSON body, or the bare text: also without the right content type, as `curl -d` sends it.
fn read(body: &[u8], is_json: bool) -> Result<SqlRequest, Error> {
    let text =
        std::str::from_utf8(body).map_err(|_| Error::bad_request("the body is not UTF-8"))?;
    if is_json || text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| Error::bad_request(format!("the body is no valid request: {error}")));
    }
    Ok(SqlRequest { sql: text.to_owned(), params: Vec::new() })
}

/// Answers once the first rows are there: until then a mishap still has its status code. After
/// that it ends the body early, so that no client takes a part for the whole.
async fn respond(mut stream: QueryStream, format: Format) -> Result<Response, Error> {
    let mut writer = Writer::new(format, &stream.schema())?;
    let first = stream.next().await.transpose()?;
    let Some(first) = first else {
        let mut body = writer.start()?;
        body.extend(writer.end(stream.stats().unwrap_or_default())?);
        return Ok((content_type(format), body).into_response());
    };
    let mut start = writer.start()?;
    start.extend(writer.batch(&first)?);
    let rest = futures::stream::unfold(Some((stream, writer)), |state| async move {
        let (mut stream, mut writer) = state?;
        let (piece, more) = match stream.next().await {
            Some(Ok(batch)) => (writer.batch(&batch), true),
            Some(Err(error)) => (Err(Error::from(error)), false),
            None => (writer.end(stream.stats().unwrap_or_default()), false),
        };
        if let Err(error) = &piece {
            tracing::warn!(%error, "answer broken off");
        }
        let next = (more && piece.is_ok()).then_some((stream, writer));
        Some((piece.map(Bytes::from), next))
    });
    let start = futures::stream::once(async move { Ok(Bytes::from(start)) });
    // Compression asks a body again after its end, which `unfold` answers with a panic.
    let pieces = start.chain(rest).fuse();
    Ok((content_type(format), Body::from_stream(pieces)).into_response())
}

fn content_type(format: Format) -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()))]
}
