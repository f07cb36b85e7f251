//! Pushes of jobs that are too short to be scraped: as to a Pushgateway, and as plain text.
//!
//! `PUT`, `POST` and `DELETE` of `/metrics/job/<job>{/<label>/<value>}` mean what they mean to a
//! Pushgateway, with one difference: samples are written with the time of the push. A Pushgateway
//! keeps the last push and shows it at every scrape for ever; here a push is a sample in time, which
//! instant queries see for the lookback of five minutes and `last_over_time` for as long as it is
//! kept. What a push replaces or deletes ends with a stale marker, as far as the group's last push is
//! remembered: [`PushLimits`] say how much is.
//!
//! `POST /api/v1/push` takes a page in any exposition format; each parameter of its query is a label
//! of all its series.

mod decode;
mod group;
mod memory;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use axum::routing::{post, put};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use model::Tenant;
use model::metric::{Batch, Float, stale_nan};

use self::decode::{Push, decode};
use self::group::Group;
use self::memory::Groups;
pub use self::memory::PushLimits;
use crate::body::{self, Encoding, Rules};
use crate::exposition::Format;
use crate::metrics::MetricReceiver;
use crate::metrics::receiver::MetricRequest;
use crate::otlp::http::{content_length, text};
use crate::refusal::Refusal;
use crate::remote::{plain, refuse, rejections};

/// Takes pushes in.
#[derive(Debug, Clone)]
struct Pushes {
    receiver: MetricReceiver,
    groups: Arc<Groups>,
}

/// The routes of a Pushgateway, and `/api/v1/push`. Tenants come from the request's extensions.
pub fn router(receiver: MetricReceiver, limits: PushLimits) -> Router {
    let pushes = Pushes { receiver, groups: Arc::new(Groups::new(limits)) };
    let methods = || put(gateway).post(gateway).delete(delete);
    Router::new()
        .route("/metrics/job/{*labels}", methods())
        .route("/metrics/job@base64/{*labels}", methods())
        .route("/api/v1/push", post(page).put(page))
        .layer(DefaultBodyLimit::disable())
        .with_state(pushes)
}

async fn gateway(State(pushes): State<Pushes>, request: Request) -> Response {
    let group = match Group::of_path(request.uri().path()) {
        Ok(group) => group,
        Err(problem) => return plain(StatusCode::BAD_REQUEST, &problem),
    };
    let replaces = if request.method() == Method::PUT { Replaces::Group } else { Replaces::Names };
    pushes.push(request, group, Some(replaces)).await
}

async fn page(State(pushes): State<Pushes>, request: Request) -> Response {
    match Group::of_query(request.uri().query().unwrap_or("")) {
        Ok(group) => pushes.push(request, group, None).await,
        Err(problem) => plain(StatusCode::BAD_REQUEST, &problem),
    }
}

async fn delete(State(pushes): State<Pushes>, request: Request) -> Response {
    let group = match Group::of_path(request.uri().path()) {
        Ok(group) => group,
        Err(problem) => return plain(StatusCode::BAD_REQUEST, &problem),
    };
    let tenant = request.extensions().get::<Tenant>().cloned().unwrap_or_default();
    let now = pushes.receiver.context().now;
    let mut batch = Batch::new();
    for labels in pushes.groups.take(&tenant, &group) {
        batch.begin_with(&labels);
        batch.float(Float { timestamp: now, value: stale_nan(), start: 0 });
    }
    match pushes.receiver.write("push", tenant, batch).await {
        Ok(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// Which series of a group end when they are not in its next push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaces {
    /// All.
    Group,
    /// Those whose metric is in the push.
    Names,
}

impl Pushes {
    /// Takes a push in; `replaces` makes it one to a gateway.
    async fn push(&self, request: Request, group: Group, replaces: Option<Replaces>) -> Response {
        let (parts, body) = request.into_parts();
        let (format, encoding) = match format(&parts.headers) {
            Ok(found) => found,
            Err(refusal) => return refuse(&refusal),
        };
        let tenant = parts.extensions.get::<Tenant>().cloned().unwrap_or_default();
        let request = MetricRequest {
            protocol: "push",
            tenant: tenant.clone(),
            declared_bytes: content_length(&parts.headers),
            body,
        };
        let (groups, pushed) = (Arc::clone(&self.groups), group.clone());
        let owner = tenant.clone();
        let decoded = self.receiver.receive(request, move |held, context| {
            let rules = Rules {
                bytes_max: context.limits.decompressed_bytes_max,
                timeout: std::time::Duration::ZERO,
                retry_after: context.retry_after,
            };
            let held = body::decompress(held, encoding, &rules)?;
            let (mut into, series) = decode(
                &Push { format, group: &pushed, is_gateway: replaces.is_some() },
                held,
                context,
            )?;
            if let Some(replaces) = replaces {
                let ended = groups.replace(&owner, &pushed, series, replaces == Replaces::Group);
                for labels in ended {
                    into.count(labels.as_bytes().len() + 100)?;
                    into.batch.begin_with(&labels);
                    into.float(Float { timestamp: context.now, value: stale_nan(), start: 0 });
                }
            }
            Ok(into.finish())
        });
        match decoded.await {
            Ok(written) if written.rejected.is_empty() => Response::new(Body::empty()),
            Ok(written) => plain(StatusCode::BAD_REQUEST, &rejections(&written.rejected)),
            Err(refusal) => {
                if replaces.is_some() && matches!(refusal, Refusal::Malformed { .. }) {
                    self.failed(tenant, &group).await;
                }
                refuse(&refusal)
            }
        }
    }

    /// Tells in `push_failure_time_seconds` that a push was not what it should be.
    async fn failed(&self, tenant: Tenant, group: &Group) {
        let now = self.receiver.context().now;
        let mut batch = Batch::new();
        batch.begin_with(&group.labels("push_failure_time_seconds"));
        batch.float(Float { timestamp: now, value: seconds(now), start: 0 });
        if let Err(refusal) = self.receiver.write("push", tenant, batch).await {
            tracing::debug!(%refusal, "the time of a failed push is not stored");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are exact for 285,000 years")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// How a body is written: text when nothing else is said.
fn format(headers: &HeaderMap) -> Result<(Format, Encoding), Refusal> {
    let content_type = text(headers, &CONTENT_TYPE).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    // What clients send that mean nothing by it.
    let unsaid = ["", "application/x-www-form-urlencoded", "application/octet-stream"];
    let format = if unsaid.contains(&essence) {
        Format::Text
    } else {
        Format::of_content_type(content_type, None).map_err(|_| {
            Refusal::Unsupported(format!(
                "content type {content_type:?} is not supported, use text/plain, \
                 application/openmetrics-text or application/vnd.google.protobuf"
            ))
        })?
    };
    let encoding = text(headers, &CONTENT_ENCODING).unwrap_or("");
    if encoding.eq_ignore_ascii_case("snappy") {
        return Ok((format, Encoding::Snappy));
    }
    let encoding = Encoding::parse(encoding).ok_or_else(|| {
        Refusal::Unsupported(format!(
            "content encoding {encoding:?} is not supported, use gzip, zstd, snappy or none"
        ))
    })?;
    Ok((format, encoding))
}
