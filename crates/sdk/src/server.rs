//! Tower layers for an HTTP server: request id, spans, tenant and user, slow requests, log lines.
//!
//! [`add_tracing_middleware`] puts them on an axum router in the right order. Each also stands
//! alone on any tower service of HTTP requests; from the outside in they are [`RequestIdLayer`],
//! [`TracingLayer`], [`MetricsLayer`], [`TenantContextLayer`], [`SlowRequestLayer`],
//! [`RequestLogLayer`].

mod id;
mod log;
mod slow;
mod tenant;
mod tracing;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::tracing::Dispatch;
use ::tracing::instrument::WithSubscriber as _;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::metric::{MetricsLayer, Registry};

pub use id::RequestIdLayer;
pub use log::RequestLogLayer;
pub use slow::SlowRequestLayer;
pub use tenant::TenantContextLayer;
pub use tracing::TracingLayer;

/// What [`add_tracing_middleware`] does beyond the obvious.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Requests that take longer are warned of. Default 500 ms.
    pub slow_request: Duration,
    /// Path prefixes whose requests make no spans and no log lines.
    pub excluded_paths: Vec<String>,
    /// Span names for routes that shall not have the usual `POST /route`.
    pub span_names: Vec<(String, String)>,
    /// Whether a line is logged for each request and each response. Default true.
    pub log_requests: bool,
    /// Where requests are counted; not at all without.
    pub metrics: Option<Registry>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            slow_request: Duration::from_millis(500),
            excluded_paths: Vec::new(),
            span_names: Vec::new(),
            log_requests: true,
            metrics: None,
        }
    }
}

/// Puts all layers on `router`. Routes added afterwards do not have them.
pub fn add_tracing_middleware(router: axum::Router, options: &ServerOptions) -> axum::Router {
    let router = if options.log_requests {
        router.layer(RequestLogLayer::new(&options.excluded_paths))
    } else {
        router
    };
    let router =
        router.layer(SlowRequestLayer::new(options.slow_request)).layer(TenantContextLayer);
    let router = match &options.metrics {
        Some(registry) => router.layer(MetricsLayer::new(registry, &options.excluded_paths)),
        None => router,
    };
    router.layer(TracingLayer::new(options)).layer(RequestIdLayer)
}

/// What went wrong, told by a handler in the extensions of its response: the server span gets the
/// status error and an exception event even where the HTTP status alone (4xx) would not say so,
/// and a line is logged.
#[derive(Debug, Clone)]
pub struct ErrorReport {
    /// The kind of error, few in number: `ValidationError`.
    pub kind: &'static str,
    /// What happened.
    pub message: Arc<str>,
}

/// One thing done around each request.
pub trait Middleware: Clone + Send + Sync + 'static {
    /// Answers `request` with the help of `inner`.
    fn call<S, B, R>(
        self,
        inner: S,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<R>, S::Error>> + Send
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static;
}

/// A service with a [`Middleware`] around it.
#[derive(Debug, Clone)]
pub struct Around<M, S> {
    middleware: M,
    inner: S,
}

impl<M, S, B, R> Service<Request<B>> for Around<M, S>
where
    M: Middleware,
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone takes the place of the service that was polled ready, which is used up.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        Box::pin(self.middleware.clone().call(ready, request))
    }
}

macro_rules! layers {
    ($($layer:ty),+ $(,)?) => {$(
        impl<S> Layer<S> for $layer {
            type Service = Around<$layer, S>;

            fn layer(&self, inner: S) -> Self::Service {
                Around { middleware: self.clone(), inner }
            }
        }
    )+};
}

layers!(
    RequestIdLayer,
    TracingLayer,
    TenantContextLayer,
    SlowRequestLayer,
    RequestLogLayer,
    WithDispatchLayer,
    MetricsLayer,
);

/// Runs requests under a subscriber of their own, where several services share one process.
#[derive(Debug, Clone)]
pub struct WithDispatchLayer(Dispatch);

impl WithDispatchLayer {
    /// The subscriber of the task that calls this.
    #[must_use]
    pub fn current() -> WithDispatchLayer {
        WithDispatchLayer(::tracing::dispatcher::get_default(Clone::clone))
    }
}

impl Middleware for WithDispatchLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        async move { inner.call(request).await }.with_subscriber(self.0).await
    }
}

/// The other end of the connection; `-` where the server was not told.
fn client_ip<B>(request: &Request<B>) -> Option<String> {
    let ConnectInfo(address) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_string())
}

/// The route's template, where axum found one.
pub(crate) fn route<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

pub(crate) fn excluded(paths: &[String], path: &str) -> bool {
    paths.iter().any(|excluded| path.starts_with(excluded.as_str()))
}
