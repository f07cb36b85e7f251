//! The layer before routers and gRPC services.

use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::IntoResponse as _;
use futures::future::{Either, Ready, ready};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tower::{Layer, Service};

use super::{Auth, Refusal};
use crate::Error;

/// gRPC's numbers for these.
const GRPC_UNAUTHENTICATED: &str = "16";
const GRPC_INVALID_ARGUMENT: &str = "3";

/// Lets requests through that may, with their tenant.
#[derive(Debug)]
pub struct AuthLayer<R> {
    auth: Auth,
    refuse: fn(&HeaderMap, Refusal) -> Response<R>,
}

impl<R> Clone for AuthLayer<R> {
    fn clone(&self) -> AuthLayer<R> {
        AuthLayer { auth: self.auth.clone(), refuse: self.refuse }
    }
}

impl AuthLayer<Body> {
    /// For axum: refuses in JSON, or as gRPC where the request is gRPC.
    #[must_use]
    pub fn http(auth: Auth) -> AuthLayer<Body> {
        AuthLayer { auth, refuse: refuse_http }
    }
}

impl<R: Default> AuthLayer<R> {
    /// For gRPC services.
    #[must_use]
    pub fn grpc(auth: Auth) -> AuthLayer<R> {
        AuthLayer { auth, refuse: |_, refusal| refuse_grpc(refusal) }
    }
}

impl<S, R> Layer<S> for AuthLayer<R> {
    type Service = AuthService<S, R>;

    fn layer(&self, inner: S) -> AuthService<S, R> {
        AuthService { inner, layer: self.clone() }
    }
}

/// A service behind an [`AuthLayer`].
#[derive(Debug)]
pub struct AuthService<S, R> {
    inner: S,
    layer: AuthLayer<R>,
}

impl<S: Clone, R> Clone for AuthService<S, R> {
    fn clone(&self) -> AuthService<S, R> {
        AuthService { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for AuthService<S, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.layer.auth.tenant(request.headers()) {
            Ok(tenant) => {
                request.extensions_mut().insert(tenant);
                Either::Left(self.inner.call(request))
            }
            Err(refusal) => {
                metrics::counter!("trefoil_api_refused_requests_total").increment(1);
                Either::Right(ready(Ok((self.layer.refuse)(request.headers(), refusal))))
            }
        }
    }
}

fn refuse_http(headers: &HeaderMap, refusal: Refusal) -> Response<Body> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|value| value.starts_with("application/grpc")) {
        return refuse_grpc(refusal);
    }
    match refusal {
        Refusal::Missing => {
            Error::Unauthorized("an API key is needed: send it as 'Authorization: Bearer KEY'")
                .into_response()
        }
        Refusal::Wrong => Error::Unauthorized("the API key is not valid").into_response(),
        Refusal::Tenant => Error::bad_request(refusal.to_string()).into_response(),
    }
}

/// A gRPC answer of headers alone.
fn refuse_grpc<R: Default>(refusal: Refusal) -> Response<R> {
    let status = match refusal {
        Refusal::Missing | Refusal::Wrong => GRPC_UNAUTHENTICATED,
        Refusal::Tenant => GRPC_INVALID_ARGUMENT,
    };
    let message = match refusal {
        Refusal::Missing => "an API key is needed",
        Refusal::Wrong => "the API key is not valid",
        Refusal::Tenant => "X-Scope-OrgID is no valid tenant",
    };
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"trefoil\""));
    response
}
