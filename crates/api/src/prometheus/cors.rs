//! Which web pages of other origins may ask (`web.cors.origin`), in Prometheus's headers.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};
use regex::Regex;

/// The default: any.
pub const CORS_ORIGIN_DEFAULT: &str = ".*";

/// The origins that may ask: a regular expression that has to match all of it.
#[derive(Debug, Clone, Default)]
pub struct CorsOrigin {
    /// None is any.
    pattern: Option<Regex>,
}

impl CorsOrigin {
    /// Reads the expression.
    pub fn parse(pattern: &str) -> Result<CorsOrigin, regex::Error> {
        if pattern == CORS_ORIGIN_DEFAULT {
            return Ok(CorsOrigin::default());
        }
        Ok(CorsOrigin { pattern: Some(Regex::new(&format!("^(?:{pattern})$"))?) })
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match &self.pattern {
            None => Some(HeaderValue::from_static("*")),
            Some(pattern) => {
                origin.to_str().is_ok_and(|origin| pattern.is_match(origin)).then(|| origin.clone())
            }
        }
    }

    fn mark(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin else { return };
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(allowed) = self.allowed(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
    }
}

/// Marks answers; a preflight is answered here, before anybody asks for a key.
pub(super) async fn layer(
    State(cors): State<CorsOrigin>,
    request: Request,
    next: Next,
) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    cors.mark(origin.as_ref(), &mut response);
    response
}
