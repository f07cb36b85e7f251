//! The request's id: taken from `X-Request-ID` or made, and returned in the same header.

use http::{HeaderName, HeaderValue, Request, Response};
use tower::Service;

use super::Middleware;
use crate::request::RequestId;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives each request a [`RequestId`] extension and each response an `X-Request-ID` header.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestIdLayer;

impl Middleware for RequestIdLayer {
    async fn call<S, B, R>(
        self,
        mut inner: S,
        mut request: Request<B>,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let request_id = given.and_then(RequestId::parse).unwrap_or_else(RequestId::generate);
        let header = HeaderValue::from_str(request_id.as_str());
        request.extensions_mut().insert(request_id);
        let mut response = inner.call(request).await?;
        if let Ok(header) = header {
            response.headers_mut().insert(X_REQUEST_ID, header);
        }
        Ok(response)
    }
}
