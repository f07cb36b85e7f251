//! The UI's files, as HTTP answers.
//!
//! Promises: `/assets/*` carry a hash in their name and may be kept for a year; every page is
//! `index.html`, asked for again each time and answered 304 when it has not changed; a missing
//! asset or `/api/*` is 404, never a page. Builds and serves without `web/dist`: then each page is
//! one that says how to build the UI.
//!
//! Every build carries the files in the binary. While working on the pages, `npm run dev` in `web/`
//! serves them as they are and hands `/api` to a running server.
//!
//! It knows no API and no authentication: the caller mounts it behind its own routes.

use std::borrow::Cow;

use axum::{Router, body::Body, extract::Request, routing::get};
use http::{HeaderMap, Response, StatusCode, header};

const PLACEHOLDER: &str = include_str!("placeholder.html");

/// The pages run their own scripts only. Inline styles are how React and the chart place things.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

/// A router that answers every GET from the UI's files. Meant as the fallback of the main router.
pub fn router() -> Router {
    Router::new()
        .fallback(get(async |request: Request| respond(request.uri().path(), request.headers())))
}

/// The answer for a path, `/logs` or `/assets/index-3f2a.js`.
pub fn respond(path: &str, headers: &HeaderMap) -> Response<Body> {
    answer(path, headers, &embedded_file)
}

/// Whether the UI was there when the binary was built.
pub fn embedded() -> bool {
    embedded_file("index.html").is_some()
}

struct File {
    bytes: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

#[cfg(feature = "ui")]
fn embedded_file(name: &str) -> Option<File> {
    #[derive(rust_embed::RustEmbed)]
    #[folder = "../../web/dist/"]
    #[allow_missing = true]
    struct Dist;
    let file = Dist::get(name)?;
    Some(File { sha256: file.metadata.sha256_hash(), bytes: file.data })
}

#[cfg(not(feature = "ui"))]
fn embedded_file(_name: &str) -> Option<File> {
    None
}

fn answer(path: &str, headers: &HeaderMap, file: &dyn Fn(&str) -> Option<File>) -> Response<Body> {
    let name = path.trim_start_matches('/');
    if name.split('/').any(|part| part == "..") {
        return not_found();
    }
    if let Some(asset) = name.strip_prefix("assets/") {
        return if asset.is_empty() { not_found() } else { asset_answer(name, headers, file) };
    }
    if name == "api" || name.starts_with("api/") {
        return not_found();
    }
    // The few files beside the assets (the icon, the theme's script) have no hash in their name.
    if !name.is_empty()
        && name != "index.html"
        && !is_compressed(name)
        && let Some(found) = file(name)
    {
        return revalidated(found, content_type(name), headers);
    }
    match file("index.html") {
        Some(index) => revalidated(index, content_type("index.html"), headers),
        None => placeholder(),
    }
}

fn asset_answer(
    name: &str,
    headers: &HeaderMap,
    file: &dyn Fn(&str) -> Option<File>,
) -> Response<Body> {
    if is_compressed(name) {
        return not_found();
    }
    let brotli = accepts_brotli(headers).then(|| file(&format!("{name}.br"))).flatten();
    let encoded = brotli.is_some();
    let Some(found) = brotli.or_else(|| file(name)) else { return not_found() };
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, content_type(name))
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        .header(header::VARY, "accept-encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if encoded {
        response = response.header(header::CONTENT_ENCODING, "br");
    }
    finish(response, Body::from(found.bytes))
}

fn revalidated(file: File, content_type: &'static str, headers: &HeaderMap) -> Response<Body> {
    let etag = etag(&file.sha256);
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().trim_start_matches("W/") == etag);
    let response = Response::builder()
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::ETAG, etag)
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "same-origin");
    if known {
        return finish(response.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    finish(response.header(header::CONTENT_TYPE, content_type), Body::from(file.bytes))
}

fn placeholder() -> Response<Body> {
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    finish(response, Body::from(PLACEHOLDER))
}

fn not_found() -> Response<Body> {
    let response = Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store");
    finish(response, Body::from(r#"{"error":{"code":"not_found","message":"no such resource"}}"#))
}

fn finish(response: http::response::Builder, body: Body) -> Response<Body> {
    response.body(body).expect("every header here is a constant or hexadecimal")
}

fn etag(sha256: &[u8; 32]) -> String {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in &sha256[..16] {
        etag.push_str(&format!("{byte:02x}"));
    }
    etag.push('"');
    etag
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .any(|(coding, weight)| coding.trim() == "br" && weight.trim() != "q=0")
}

fn is_compressed(name: &str) -> bool {
    name.ends_with(".br")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("index.html", "<page>"),
        ("icon.svg", "<svg>"),
        ("assets/index-3f2a.js", "script"),
        ("assets/index-3f2a.js.br", "brotli"),
    ];

    fn built(name: &str) -> Option<File> {
        let (_, text) = FILES.iter().find(|(file, _)| *file == name)?;
        Some(File { bytes: text.as_bytes().into(), sha256: [7; 32] })
    }

    fn get(path: &str, request: &[(&str, &'static str)]) -> Response<Body> {
        let headers = request
            .iter()
            .map(|(name, value)| {
                (name.parse().expect("a header's name"), HeaderValue::from_static(value))
            })
            .collect();
        answer(path, &headers, &built)
    }

    fn header_of(response: &Response<Body>, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
    }

    #[test]
    fn every_page_is_the_index_and_is_asked_for_again() {
        for path in ["/", "/index.html", "/logs", "/services/fraud.api", "/traces/0af7"] {
            let response = get(path, &[]);
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
            assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-cache");
        }
        let etag = "\"07070707070707070707070707070707\"";
        assert_eq!(header_of(&get("/", &[]), header::ETAG), etag);
        assert_eq!(
            get("/logs", &[("if-none-match", "\"a\", W/\"07070707070707070707070707070707\"")])
                .status(),
            304
        );
        assert_eq!(get("/logs", &[("if-none-match", "\"a\"")]).status(), 200);
    }

    #[test]
    fn assets_are_kept_for_a_year_and_compressed_for_those_who_can() {
        let plain = get("/assets/index-3f2a.js", &[]);
        assert!(header_of(&plain, header::CACHE_CONTROL).contains("immutable"));
        assert_eq!(header_of(&plain, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert_eq!(header_of(&plain, header::CONTENT_ENCODING), "");
        let brotli = get("/assets/index-3f2a.js", &[("accept-encoding", "gzip, br;q=0.9")]);
        assert_eq!(header_of(&brotli, header::CONTENT_ENCODING), "br");
        let refused = get("/assets/index-3f2a.js", &[("accept-encoding", "br;q=0")]);
        assert_eq!(header_of(&refused, header::CONTENT_ENCODING), "");
    }

    #[test]
    fn missing_assets_and_apis_are_never_a_page() {
        for path in [
            "/assets/old.js",
            "/assets/",
            "/assets/index-3f2a.js.br",
            "/api",
            "/api/v1/no",
            "/../etc/passwd",
            "/a/../index.html",
        ] {
            assert_eq!(get(path, &[]).status(), 404, "{path}");
        }
        assert_eq!(header_of(&get("/icon.svg", &[]), header::CONTENT_TYPE), "image/svg+xml");
    }

    #[test]
    fn without_the_ui_pages_say_how_to_build_it() {
        let response = answer("/logs", &HeaderMap::new(), &|_| None);
        assert_eq!(response.status(), 200);
        assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-store");
        assert!(PLACEHOLDER.contains("make ui"));
        assert_eq!(answer("/assets/a.js", &HeaderMap::new(), &|_| None).status(), 404);
    }
}
