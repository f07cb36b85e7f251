//! As much of S3 as an `object_store` client asks for, in memory. Unlike `s3s-fs`, a conditional
//! put looks and writes under one lock, so that of two writers exactly one wins. It refuses what the
//! test says. It knows no crate of ours but `stdx`: the end-to-end tests use it too.

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
    bucket: Arc<Mutex<Bucket>>,
    _end: DropGuard,
}

type Objects = BTreeMap<String, Bytes>;

/// Whether a request is refused, by method and key, with a status that clients do not try again by
/// themselves; `Some(true)`: it is carried out, and the client is told that it is not.
pub(crate) type Refuse = Box<dyn FnMut(&Method, &str) -> Option<bool> + Send>;

struct Bucket {
    objects: Objects,
    /// Uploads in parts, by their number.
    uploads: BTreeMap<usize, BTreeMap<usize, Bytes>>,
    refuse: Refuse,
}

impl S3 {
    /// Refuses nothing when `refuse` always says `None`.
    pub(crate) async fn start(
        refuse: impl FnMut(&Method, &str) -> Option<bool> + Send + 'static,
    ) -> S3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (objects, uploads, refuse) = (Objects::new(), BTreeMap::new(), Box::new(refuse));
        let bucket = Arc::new(Mutex::new(Bucket { objects, uploads, refuse }));
        let end = CancellationToken::new();
        let served = Arc::clone(&bucket);
        drop(stdx::task::spawn("s3", &end.clone(), async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let bucket = Arc::clone(&served);
                drop(stdx::task::spawn_to_end("s3 connection", async move {
                    let service = service_fn(move |request| answer(Arc::clone(&bucket), request));
                    // The client hangs up when it likes.
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                }));
            }
        }));
        S3 { port, bucket, _end: end.drop_guard() }
    }

    /// The URL of a place in the bucket, and the options with which a client finds it.
    pub(crate) fn place(&self) -> (&'static str, Vec<(String, String)>) {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let options = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_allow_http", "true"),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", "key"),
            ("aws_secret_access_key", "secret"),
        ];
        ("s3://bucket/some/prefix", options.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec())
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.bucket.lock().expect("not poisoned").objects.keys().cloned().collect()
    }
}

async fn answer(
    bucket: Arc<Mutex<Bucket>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A client that hangs up in the middle has not sent it.
    let Ok(body) = body.collect().await else { return Ok(plain(StatusCode::BAD_REQUEST, "")) };
    let body = body.to_bytes();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    // Plus signs are no spaces in a path.
    let path = head.uri.path().replace('+', "%2B");
    let path: String = url::form_urlencoded::parse(format!("path={path}").as_bytes())
        .map(|(_, path)| path.into_owned())
        .collect();
    let key = path.strip_prefix("/bucket").expect("the bucket").trim_start_matches('/');
    let mut bucket = bucket.lock().expect("not poisoned");
    let refused = (bucket.refuse)(&head.method, key);
    let refusal = plain(StatusCode::FORBIDDEN, "");
    if refused == Some(false) {
        return Ok(refusal);
    }
    let response = carry_out(&mut bucket, key, &head, &query, body);
    Ok(if refused.is_some() { refusal } else { response })
}

fn carry_out(
    bucket: &mut Bucket,
    key: &str,
    head: &http::request::Parts,
    query: &HashMap<String, String>,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let upload = || query.get("uploadId").and_then(|id| id.parse::<usize>().ok());
    let objects = &mut bucket.objects;
    match head.method {
        Method::GET if key.is_empty() => list(objects, query),
        Method::POST if query.contains_key("delete") => delete(objects, &body),
        Method::POST if query.contains_key("uploads") => {
            let id = bucket.uploads.len();
            bucket.uploads.insert(id, BTreeMap::new());
            let result = "InitiateMultipartUploadResult";
            plain(StatusCode::OK, format!("<{result}><UploadId>{id}</UploadId></{result}>"))
        }
        Method::PUT if query.contains_key("partNumber") => {
            let part = query["partNumber"].parse().expect("a number");
            let id = upload().expect("a number");
            bucket.uploads.get_mut(&id).expect("it was begun").insert(part, body);
            with_etag(plain(StatusCode::OK, ""))
        }
        Method::POST if upload().is_some() => {
            let id = upload().expect("a number");
            let parts = bucket.uploads.remove(&id).expect("it was begun");
            let whole: Vec<u8> = parts.into_values().flatten().collect();
            objects.insert(key.to_owned(), whole.into());
            let result = "CompleteMultipartUploadResult";
            plain(StatusCode::OK, format!("<{result}><ETag>etag</ETag></{result}>"))
        }
        Method::DELETE if upload().is_some() => plain(StatusCode::NO_CONTENT, ""),
        Method::GET | Method::HEAD => get(objects, key, head),
        Method::PUT => put(objects, key, head, body),
        Method::DELETE => {
            objects.remove(key);
            plain(StatusCode::NO_CONTENT, Bytes::new())
        }
        _ => plain(StatusCode::NOT_IMPLEMENTED, Bytes::new()),
    }
}

fn with_etag(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(header::ETAG, "\"etag\"".parse().expect("a value"));
    response
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
    with_etag(plain(StatusCode::OK, Bytes::new()))
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
