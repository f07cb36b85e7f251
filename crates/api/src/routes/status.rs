//! The process: status, health, metrics.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{StatusCode, header};
use model::Tenant;

use crate::{Api, StatusReport};

/// The process: where to send data, what the tables hold, memory.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = StatusReport)))]
pub async fn status(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
) -> Json<StatusReport> {
    let mut report = api.status.report(&tenant);
    report.tenant = tenant.to_string();
    report.auth_required = api.auth.required();
    Json(report)
}

/// Whether the process lives.
pub async fn healthy() -> &'static str {
    "healthy\n"
}

/// Whether requests can be served.
pub async fn ready(State(api): State<Api>) -> Response {
    match api.status.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

/// Metrics of the process, in Prometheus's text format.
pub async fn metrics(State(api): State<Api>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, (api.metrics)()).into_response()
}
