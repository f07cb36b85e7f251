//! Health checks, and filling the feature store by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, SERVICE_NAME};
use crate::feature_store::{Source, Status};
use crate::features::UserFeatures;
use crate::http::Live;
use crate::transaction::user_features;

/// The whole state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`, or `starting` while the model is being trained.
    status: &'static str,
    service: &'static str,
    /// The model's version, once there is one.
    model_version: Option<String>,
    /// Area under the ROC curve on transactions that the model has not seen.
    model_auc: Option<f64>,
    feature_store: Status,
}

/// Whether requests can be sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ready` or `not ready`.
    status: &'static str,
    /// `ok` or `training`.
    model: &'static str,
    /// `ok` or `degraded`; requests are answered either way.
    feature_store: &'static str,
}

/// What was put into the feature store.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Populated {
    user_id: u64,
    /// Where it is now.
    stored_in: Source,
    features: UserFeatures,
}

/// The whole state of the service.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    let model = app.model.get();
    Json(Health {
        status: if model.is_some() { "healthy" } else { "starting" },
        service: SERVICE_NAME,
        model_version: model.map(|model| model.version.clone()),
        model_auc: model.map(|model| model.quality.auc),
        feature_store: app.store.status(),
    })
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = Live)))]
pub(super) async fn live() -> Json<Live> {
    Json(Live { status: "alive", service: SERVICE_NAME })
}

/// Whether requests can be sent.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses((status = 200, body = Ready), (status = 503, body = Ready))
)]
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Ready>) {
    readiness(&app)
}

/// Whether the start is over.
#[utoipa::path(
    get,
    path = "/health/startup",
    tag = "health",
    responses((status = 200, body = Ready), (status = 503, body = Ready))
)]
pub(super) async fn startup(State(app): State<Arc<App>>) -> (StatusCode, Json<Ready>) {
    readiness(&app)
}

fn readiness(app: &App) -> (StatusCode, Json<Ready>) {
    let feature_store = app.store.status().status;
    match app.model.get() {
        Some(_) => (StatusCode::OK, Json(Ready { status: "ready", model: "ok", feature_store })),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Ready { status: "not ready", model: "training", feature_store }),
        ),
    }
}

/// Puts made-up features of a user into the feature store, always the same for the same user.
#[utoipa::path(
    post,
    path = "/debug/populate-cache/{user}",
    tag = "debug",
    params(("user" = u64, Path, example = 12345)),
    responses((status = 200, body = Populated))
)]
pub(super) async fn populate_cache(
    State(app): State<Arc<App>>,
    Path(user_id): Path<u64>,
) -> Json<Populated> {
    sdk::set_user_id(&user_id.to_string());
    let features = user_features(user_id);
    let stored_in = app.store.populate(user_id, &features).await;
    tracing::info!("Features of user {user_id} populated");
    Json(Populated { user_id, stored_in, features })
}
