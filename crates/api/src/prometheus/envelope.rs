//! The envelope of answers and errors: `{"status":"success","data":…}`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use promql::engine::QueryError;
use serde::Serialize;

use super::outside::StoreError;

/// The most warnings, and the most infos, that an answer carries, as in Prometheus.
const ANNOTATIONS_MAX: usize = 10;

/// What an error is called, and its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BadData,
    Execution,
    Canceled,
    Timeout,
    Internal,
    NotFound,
    Unavailable,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::BadData => "bad_data",
            Kind::Execution => "execution",
            Kind::Canceled => "canceled",
            Kind::Timeout => "timeout",
            Kind::Internal => "internal",
            Kind::NotFound => "not_found",
            Kind::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Kind::BadData => StatusCode::BAD_REQUEST,
            Kind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // What nginx has for clients that have gone.
            Kind::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Kind::Timeout | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// An error as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) kind: Kind,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> ApiError {
        ApiError { kind, message: message.into() }
    }

    pub(super) fn bad_data(message: impl Into<String>) -> ApiError {
        ApiError::new(Kind::BadData, message)
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> ApiError {
        ApiError::bad_data(format!("invalid parameter \"{name}\": {message}"))
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        let message = error.to_string();
        match error {
            QueryError::BadData(_) => ApiError::parameter("query", message),
            QueryError::Execution(_) => ApiError::new(Kind::Execution, message),
            QueryError::Canceled(_) => ApiError::new(Kind::Canceled, message),
            QueryError::Timeout(_) => ApiError::new(Kind::Timeout, message),
            QueryError::Internal(_) => ApiError::new(Kind::Internal, message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let message = error.to_string();
        match error {
            StoreError::Invalid(_) => ApiError::new(Kind::Execution, message),
            StoreError::Unavailable(_) => ApiError::new(Kind::Unavailable, message),
            StoreError::Failed(_) => ApiError::new(Kind::Internal, message),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    status: &'static str,
    error_type: &'static str,
    error: &'a str,
}

/// An error as a line of JSON.
pub(super) fn error_json(error: &ApiError) -> Vec<u8> {
    let body =
        ErrorBody { status: "error", error_type: error.kind.as_str(), error: &error.message };
    serde_json::to_vec(&body).unwrap_or_default()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.kind == Kind::Internal {
            tracing::error!(error = %self.message, "request failed");
        }
        let mut response = json(error_json(&self));
        *response.status_mut() = self.kind.status();
        response
    }
}

/// A body that is JSON already.
pub(super) fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Warnings and infos of an answer.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
}

impl Notes {
    pub(super) fn truncated() -> Notes {
        Notes { warnings: vec!["results truncated due to limit".to_owned()], infos: Vec::new() }
    }
}

/// `data`, which is JSON already, in its envelope.
pub(super) fn envelope(data: &[u8], notes: &Notes) -> Vec<u8> {
    if data.is_empty() {
        return close(b"{\"status\":\"success\"".to_vec(), notes);
    }
    let mut body = open(data.len());
    body.extend_from_slice(data);
    close(body, notes)
}

/// Begins an envelope with room for so many bytes of data, which are to be written behind it.
pub(super) fn open(data_bytes: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(data_bytes + 64);
    body.extend_from_slice(b"{\"status\":\"success\",\"data\":");
    body
}

/// Ends an envelope.
pub(super) fn close(mut body: Vec<u8>, notes: &Notes) -> Vec<u8> {
    for (name, word, notes) in
        [("warnings", "warning", &notes.warnings), ("infos", "info", &notes.infos)]
    {
        if notes.is_empty() {
            continue;
        }
        let mut told: Vec<&str> = notes.iter().take(ANNOTATIONS_MAX).map(String::as_str).collect();
        let omitted = notes.len() - told.len();
        let last = format!("{omitted} more {word} annotations omitted");
        if omitted > 0 {
            told.push(&last);
        }
        body.extend_from_slice(format!(",\"{name}\":").as_bytes());
        body.extend_from_slice(&serde_json::to_vec(&told).unwrap_or_default());
    }
    body.push(b'}');
    body
}

/// What a handler has come to.
pub(super) type Answer = Result<Response, ApiError>;

/// Data in its envelope.
pub(super) fn success(data: &impl Serialize) -> Answer {
    success_with(data, &Notes::default())
}

/// Data with notes in its envelope.
pub(super) fn success_with(data: &impl Serialize, notes: &Notes) -> Answer {
    let data = serde_json::to_vec(data)
        .map_err(|error| ApiError::new(Kind::Internal, format!("cannot write answer: {error}")))?;
    Ok(json(envelope(&data, notes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes() {
        let text = |data: &str, notes: &Notes| {
            String::from_utf8(envelope(data.as_bytes(), notes)).expect("text")
        };
        assert_eq!(text("[]", &Notes::default()), r#"{"status":"success","data":[]}"#);
        assert_eq!(text("", &Notes::default()), r#"{"status":"success"}"#);
        let many = (0..12).map(|index| format!("w{index}")).collect();
        let notes = Notes { warnings: many, infos: vec!["i".to_owned()] };
        assert_eq!(
            text("1", &notes),
            r#"{"status":"success","data":1,"warnings":["w0","w1","w2","w3","w4","w5","w6","w7","w8","w9","2 more warning annotations omitted"],"infos":["i"]}"#
        );
        let error = ApiError::parameter("start", "x");
        assert_eq!(
            String::from_utf8(error_json(&error)).expect("text"),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": x"}"#
        );
    }
}
