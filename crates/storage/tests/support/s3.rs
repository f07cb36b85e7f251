//! As much of S3 as an `object_store` client asks for, in memory. Unlike `s3s-fs`, a conditional
//! put looks and writes under one lock, so that of two writers exactly one wins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const LAST_MODIFIED: &str = "Sat, 21 Nov 2026 12:00:00 GMT";

/// A server with one bucket, gone when dropped.
pub(crate) struct S3 {
    port: u16,
    objects: Objects,
    _end: DropGuard,
}

type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

impl S3 {
    pub(crate) async fn start() -> S3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let objects = Objects::default();
        let end = CancellationToken::new();
        let served = Arc::clone(&objects);
        drop(stdx::task::spawn("s3", &end.clone(), async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let objects = Arc::clone(&served);
                drop(stdx::task::spawn_to_end("s3 connection", async move {
                    let service = service_fn(move |request| answer(Arc::clone(&objects), request));
                    // The client hangs up when it likes.
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                }));
            }
        }));
        S3 { port, objects, _end: end.drop_guard() }
    }

    pub(crate) fn location(&self) -> storage::Location {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let options = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_allow_http", "true"),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", "key"),
            ("aws_secret_access_key", "secret"),
        ];
        storage::Location::Url {
            url: "s3://bucket/some/prefix".parse().expect("a URL"),
            options: options.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.objects.lock().expect("not poisoned").keys().cloned().collect()
    }
}

async fn answer(
    objects: Objects,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let path = object_store::path::Path::from_url_path(head.uri.path()).expect("a path");
    let key = path.as_ref().strip_prefix("bucket").expect("the bucket").trim_start_matches('/');
    let mut objects = objects.lock().expect("not poisoned");
    let response = match head.method {
        Method::GET if key.is_empty() => list(&objects, &query),
        Method::POST if query.contains_key("delete") => delete(&mut objects, &body),
        Method::GET | Method::HEAD => get(&objects, key, &head),
        Method::PUT => put(&mut objects, key, &head, body),
        Method::DELETE => {
            objects.remove(key);
            plain(StatusCode::NO_CONTENT, Bytes::new())
        }
        _ => plain(StatusCode::NOT_IMPLEMENTED, Bytes::new()),
    };
    Ok(response)
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).expect("is well formed")
}

fn put(
    objects: &mut BTreeMap<String, Bytes>,
    key: &str,
    head: &http::request::Parts,
    body: Bytes,
) -> Response<Full<Bytes>> {
    if head.headers.contains_key(header::IF_NONE_MATCH) && objects.contains_key(key) {
        return plain(StatusCode::PRECONDITION_FAILED, Bytes::new());
    }
    objects.insert(key.to_owned(), body);
    let mut response = plain(StatusCode::OK, Bytes::new());
    response.headers_mut().insert(header::ETAG, "\"etag\"".parse().expect("a value"));
    response
}

fn get(
    objects: &BTreeMap<String, Bytes>,
    key: &str,
    head: &http::request::Parts,
) -> Response<Full<Bytes>> {
    let Some(bytes) = objects.get(key) else {
        return plain(StatusCode::NOT_FOUND, Bytes::new());
    };
    let range = head.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let builder = Response::builder()
        .header(header::LAST_MODIFIED, LAST_MODIFIED)
        .header(header::ETAG, "\"etag\"");
    let (builder, bytes) = match range.and_then(|range| range.strip_prefix("bytes=")) {
        None => (builder, bytes.clone()),
        Some(range) => {
            let (start, end) = range.split_once('-').expect("a range");
            let (start, end) = match (start.parse::<usize>(), end.parse::<usize>()) {
                (Ok(start), Ok(end)) => (start, (end + 1).min(bytes.len())),
                (Ok(start), Err(_)) => (start, bytes.len()),
                (Err(_), Ok(last)) => (bytes.len().saturating_sub(last), bytes.len()),
                (Err(_), Err(_)) => panic!("range {range:?}"),
            };
            let range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
            let builder =
                builder.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
            (builder, bytes.slice(start..end))
        }
    };
    let builder = builder.header(header::CONTENT_LENGTH, bytes.len());
    let body = if head.method == Method::HEAD { Bytes::new() } else { bytes };
    builder.body(Full::new(body)).expect("is well formed")
}

fn list(
    objects: &BTreeMap<String, Bytes>,
    query: &HashMap<String, String>,
) -> Response<Full<Bytes>> {
    let word = |name: &str| query.get(name).map_or("", String::as_str);
    let (prefix, after, delimiter) = (word("prefix"), word("start-after"), word("delimiter"));
    let mut xml = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    let mut folders = BTreeSet::new();
    for (key, bytes) in objects.iter().filter(|(k, _)| k.starts_with(prefix) && k.as_str() > after)
    {
        if !delimiter.is_empty()
            && let Some((folder, _)) = key.trim_start_matches(prefix).split_once(delimiter)
        {
            folders.insert(format!("{prefix}{folder}{delimiter}"));
            continue;
        }
        write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified>\
             <ETag>etag</ETag><Size>{}</Size></Contents>",
            bytes.len()
        )
        .expect("in memory");
    }
    for folder in folders {
        write!(xml, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>")
            .expect("in memory");
    }
    xml.push_str("</ListBucketResult>");
    plain(StatusCode::OK, xml)
}

fn delete(objects: &mut BTreeMap<String, Bytes>, body: &Bytes) -> Response<Full<Bytes>> {
    let text = String::from_utf8_lossy(body);
    let mut xml = "<DeleteResult>".to_owned();
    for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
        objects.remove(key);
        write!(xml, "<Deleted><Key>{key}</Key></Deleted>").expect("in memory");
    }
    xml.push_str("</DeleteResult>");
    plain(StatusCode::OK, xml)
}
