//! Errors as the API tells them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for a program (`code`) and for a person (`message`, `hint`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// The error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// `bad_request`, `unauthorized`, `not_found`, `too_large`, `timeout`, `overloaded` or
    /// `internal`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// What to try instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line in the statement, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column in the statement or in `q`, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The request is wrong.
    #[error("{message}")]
    BadRequest {
        /// One sentence.
        message: String,
        /// Where in `q`, from 1.
        column: Option<u64>,
        /// What to try instead.
        hint: Option<String>,
    },
    /// No key, or a wrong one.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The body is over its limit.
    #[error("{0}")]
    TooLarge(String),
    /// The query.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// Something here is broken.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub(crate) fn bad_request(message: impl Into<String>) -> Error {
        Error::BadRequest { message: message.into(), column: None, hint: None }
    }

    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Error::BadRequest { .. } | Error::Query(query::Error::Statement(_)) => {
                (StatusCode::BAD_REQUEST, "bad_request")
            }
            Error::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Error::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Error::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Error::Query(query::Error::Timeout(_)) => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Error::Query(query::Error::Memory(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "too_large")
            }
            Error::Query(query::Error::Overloaded) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            Error::Query(query::Error::ShuttingDown) => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
            }
            Error::Query(query::Error::Internal(_)) | Error::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }

    pub(crate) fn body(&self) -> ErrorBody {
        let (_, code) = self.status();
        let mut error =
            ErrorDetail { code, message: self.to_string(), hint: None, line: None, column: None };
        match self {
            Error::BadRequest { column, hint, .. } => {
                error.column = *column;
                error.hint.clone_from(hint);
            }
            Error::Query(query::Error::Statement(problem)) => {
                error.hint.clone_from(&problem.hint);
                error.line = problem.position.map(|p| p.line);
                error.column = problem.position.map(|p| p.column);
            }
            Error::Query(query::Error::Timeout(_)) => {
                error.hint = Some("narrow the time range or add filters".to_owned());
            }
            Error::Query(query::Error::Memory(_)) => {
                error.hint = Some("narrow the time range or group by fewer values".to_owned());
            }
            _ => {}
        }
        ErrorBody { error }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        if status.is_server_error() && code == "internal" {
            tracing::error!(error = %self, "request failed");
        }
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.append(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"trefoil\""),
            );
        }
        if code == "overloaded" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
