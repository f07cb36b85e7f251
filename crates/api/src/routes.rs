//! The resources, one file each.

#![expect(unused_qualifications, reason = "utoipa's macros write them")]

pub mod fields;
pub mod logs;
pub mod openapi;
pub mod services;
pub mod sql;
pub mod status;
pub mod tail;
pub mod trace;
pub mod traces;

use std::sync::Arc;

use arrow::datatypes::Schema;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, Uri, header};
use model::{Table, Tenant};
use query::Stats;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ErrorBody, ErrorDetail};
use crate::{Api, Error};

/// What a statement cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueryStats {
    /// From its admission to its last row, milliseconds.
    pub elapsed_ms: f64,
    /// Rows in the answer.
    pub rows: u64,
    /// Rows that the scans looked at.
    pub rows_scanned: u64,
    /// Bytes that the scans read from files.
    pub bytes_scanned: u64,
    /// Files that were opened.
    pub files_scanned: u64,
    /// Files of the tables that were named.
    pub files_total: u64,
}

impl From<Stats> for QueryStats {
    fn from(stats: Stats) -> QueryStats {
        let Stats { elapsed_ms, rows, rows_scanned, bytes_scanned, .. } = stats;
        QueryStats {
            elapsed_ms,
            rows,
            rows_scanned,
            bytes_scanned,
            files_scanned: stats.files_scanned,
            files_total: stats.files_total,
        }
    }
}

/// The spans that a request is counted by: where a service takes one, or a trace begins.
pub(crate) const ENTRY_SPANS: &str = "(kind IN ('server', 'consumer') OR parent_span_id IS NULL)";

/// The columns of a table now.
pub(crate) fn schema(api: &Api, table: Table, tenant: &Tenant) -> Result<Arc<Schema>, Error> {
    api.engine
        .schema(table.as_str(), tenant)
        .ok_or_else(|| Error::NotFound(format!("there is no table {table}")))
}

/// An answer that is JSON already.
pub(crate) fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A path that is there, asked in the wrong way.
pub(crate) async fn wrong_method(uri: Uri) -> Response {
    let error = ErrorDetail {
        code: "bad_request",
        message: format!("{} does not take this method", uri.path()),
        hint: None,
        line: None,
        column: None,
    };
    (StatusCode::METHOD_NOT_ALLOWED, axum::Json(ErrorBody { error })).into_response()
}
