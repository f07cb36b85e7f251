//! The server itself: health, reloading, and the store's administration.

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri};
use model::Tenant;
use serde::Serialize;

use super::Prometheus;
use super::envelope::{Answer, ApiError, Kind, success};
use super::params::{Params, parse_bool};

/// `/-/healthy`
pub(super) async fn healthy() -> &'static str {
    "Prometheus Server is Healthy.\n"
}

/// `/-/ready`
pub(super) async fn ready(State(api): State<Prometheus>) -> Response {
    if api.server.is_ready() {
        "Prometheus Server is Ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response()
    }
}

/// `/-/reload`
pub(super) async fn reload(State(api): State<Prometheus>) -> Response {
    if !api.lifecycle {
        return (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response();
    }
    let done = api.blocking(|api, _| Ok(api.server.reload())).await;
    match done {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(error)) => {
            let message = format!("failed to reload config: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// `/-/quit`
pub(super) async fn quit(State(api): State<Prometheus>) -> Response {
    if api.lifecycle && api.server.quit() {
        "Requesting termination... Goodbye!".into_response()
    } else {
        (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
    }
}

/// What no route answers.
pub(super) async fn not_found(uri: Uri) -> Response {
    let message = format!("there is nothing at {}", uri.path());
    ApiError::new(Kind::NotFound, message).into_response()
}

fn check_admin(api: &Prometheus) -> Result<(), ApiError> {
    if api.admin {
        return Ok(());
    }
    Err(ApiError::new(Kind::Unavailable, "admin APIs disabled"))
}

/// `/api/v1/admin/tsdb/delete_series`
pub(super) async fn delete_series(
    State(api): State<Prometheus>,
    Extension(tenant): Extension<Tenant>,
    params: Params,
) -> Answer {
    check_admin(&api)?;
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let selection = params.selection()?;
    api.blocking(move |api, _| Ok(api.metrics.delete(&tenant, &selection)?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `/api/v1/admin/tsdb/clean_tombstones`
pub(super) async fn clean_tombstones(State(api): State<Prometheus>) -> Answer {
    check_admin(&api)?;
    api.blocking(|api, _| Ok(api.metrics.clean_tombstones()?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize)]
struct Snapshot {
    name: String,
}

/// `/api/v1/admin/tsdb/snapshot`
pub(super) async fn snapshot(State(api): State<Prometheus>, params: Params) -> Answer {
    check_admin(&api)?;
    let skip_head = match params.get("skip_head") {
        "" => false,
        text => parse_bool(text).ok_or_else(|| {
            let message = format!("unable to parse boolean \"{text}\" argument");
            ApiError::parameter("skip_head", message)
        })?,
    };
    let name = api.blocking(move |api, _| Ok(api.metrics.snapshot(skip_head)?)).await?;
    success(&Snapshot { name })
}
