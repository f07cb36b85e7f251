//! Requests and responses: JSON bodies, errors with the ids that lead to them, health.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sdk::{ErrorReport, RequestContext};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

/// What a request can meet.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    /// The body is no JSON.
    #[error("{0}")]
    Malformed(String),
    /// The body is JSON but not what is asked for.
    #[error("{0}")]
    Validation(String),
    /// The model is not there yet.
    #[error("{0}")]
    NotReady(String),
    /// The preprocessing service did not answer in time, or not at all.
    #[error("{0}")]
    PreprocessingUnavailable(String),
    /// The preprocessing service answered with an error.
    #[error("{0}")]
    PreprocessingFailed(String),
    /// The model failed.
    #[error("{0}")]
    Model(String),
}

impl ApiError {
    /// The kind, as it is on spans and in logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ApiError::Malformed(_) => "MalformedRequest",
            ApiError::Validation(_) => "ValueError",
            ApiError::NotReady(_) => "NotReady",
            ApiError::PreprocessingUnavailable(_) => "PreprocessingUnavailable",
            ApiError::PreprocessingFailed(_) => "PreprocessingFailed",
            ApiError::Model(_) => "ModelError",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            ApiError::Malformed(_) => StatusCode::BAD_REQUEST,
            ApiError::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::NotReady(_) | ApiError::PreprocessingUnavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ApiError::PreprocessingFailed(_) => StatusCode::BAD_GATEWAY,
            ApiError::Model(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The kind of error.
    #[schema(example = "ValueError")]
    error: &'static str,
    /// What happened.
    #[schema(example = "TransactionAmt is missing")]
    detail: String,
    /// The id of the trace that shows it.
    trace_id: Option<String>,
    /// The id of the request.
    request_id: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let context = RequestContext::current();
        let request_id = context.as_ref().and_then(RequestContext::request_id);
        let body = ErrorBody {
            error: self.kind(),
            detail: self.to_string(),
            trace_id: sdk::current_trace_id(),
            request_id: request_id.map(ToString::to_string),
        };
        let mut response = (self.status(), Json(body)).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let message: Arc<str> = self.to_string().into();
        response.extensions_mut().insert(ErrorReport { kind: self.kind(), message });
        response
    }
}

/// Most bytes of a request's body.
pub(crate) const BODY_LEN_MAX: usize = 64 * 1024;

/// A JSON body. The content type is not asked for: `curl -d` says something else.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<JsonBody<T>, ApiError> {
        let body = axum::body::to_bytes(request.into_body(), BODY_LEN_MAX)
            .await
            .map_err(|_| ApiError::Malformed(format!("body is over {BODY_LEN_MAX} bytes")))?;
        serde_json::from_slice(&body).map(JsonBody).map_err(|error| {
            if error.is_data() {
                ApiError::Validation(error.to_string())
            } else {
                ApiError::Malformed(format!("body is no JSON: {error}"))
            }
        })
    }
}

/// The answer of `/health/live`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Live {
    /// Always `alive`.
    #[schema(example = "alive")]
    pub(crate) status: &'static str,
    /// Which service it is.
    pub(crate) service: &'static str,
}
