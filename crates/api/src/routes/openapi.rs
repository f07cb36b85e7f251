//! The API's description, made from the handlers.

use axum::Json;
use utoipa::OpenApi;

/// The description. `docs/openapi.json` is a copy that a test keeps fresh.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Trefoil",
        description = "Traces and logs, asked over HTTP. Errors are `{\"error\": {\"code\", \
            \"message\", \"hint\", \"line\", \"column\"}}`. Where API keys are configured, send one \
            as `Authorization: Bearer KEY`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/")),
    paths(
        super::status::status,
        super::services::services,
        super::services::operations,
        super::traces::traces,
        super::traces::histogram,
        super::trace::trace,
        super::logs::logs,
        super::logs::histogram,
        super::logs::context,
        super::tail::tail,
        super::fields::fields,
        super::fields::values,
        super::sql::sql,
    ),
    components(schemas(crate::ErrorBody, crate::ErrorDetail))
)]
pub struct Description;

/// The API's description.
pub async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
