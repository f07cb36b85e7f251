//! Whose data a request touches and who it is made for.

use std::sync::Arc;

use http::{Request, Response};
use tower::Service;

use super::Middleware;
use crate::request::{RequestContext, identifier};
use crate::span::set_attribute;

/// Reads `X-Tenant-ID` and `X-User-ID` into `tenant.id` and `user.id` of the server span, of the
/// spans below and of the log lines. It believes the headers: put it behind whatever checks them.
#[derive(Debug, Clone, Copy, Default)]
pub struct TenantContextLayer;

impl Middleware for TenantContextLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        let tenant_id = header(&request, "x-tenant-id");
        let user_id = header(&request, "x-user-id");
        if tenant_id.is_some() || user_id.is_some() {
            let context = RequestContext::current().unwrap_or_default();
            if let Some(tenant_id) = tenant_id {
                context.set_tenant_id(&tenant_id);
                set_attribute("tenant.id", tenant_id);
            }
            if let Some(user_id) = user_id {
                context.set_user_id(&user_id);
                set_attribute("user.id", user_id);
            }
        }
        inner.call(request).await
    }
}

fn header<B>(request: &Request<B>, name: &str) -> Option<Arc<str>> {
    identifier(request.headers().get(name)?.to_str().ok()?)
}
