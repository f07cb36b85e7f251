//! List and watch.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use reqwest::{Method, Response, Url};
use serde_json::Value;
use stdx::clock::Clock;

use super::super::Slot;
use super::{Cluster, Kind, Objects, credentials};
use crate::outgoing::{Outgoing, describe};
use crate::prometheus::discovery::Kubernetes;

/// The largest answer to a list and the largest event, bytes.
const BODY_BYTES_MAX: usize = 256 << 20;
/// How long a list may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// After this the server ends a watch, and it begins anew where it was.
const WATCH_SECONDS: u64 = 300;
/// Objects of one answer.
const PAGE: u32 = 500;

/// Which objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    pub(super) label: String,
    pub(super) field: String,
}

#[derive(Debug)]
pub(super) struct Api {
    base: Url,
    outgoing: Outgoing,
    seed: u64,
}

impl Api {
    pub(super) fn new(settings: &Kubernetes, clock: Clock, seed: u64) -> Result<Api, String> {
        let (server, client) = credentials::find(settings)?;
        let base = Url::parse(&server).map_err(|error| format!("{server}: {error}"))?;
        let outgoing = Outgoing::new(&client, clock).map_err(|error| error.to_string())?;
        Ok(Api { base, outgoing, seed })
    }

    #[expect(clippy::unused_self, reason = "it is the API's own account")]
    pub(super) fn own_namespace(&self) -> Option<String> {
        credentials::own_namespace()
    }

    fn url(&self, kind: Kind, namespace: Option<&str>, query: &[(&str, String)]) -> Url {
        let (group, plural) = kind.path();
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        let place = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
        url.set_path(&format!("{prefix}{group}{place}/{plural}"));
        url.query_pairs_mut().extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
        url
    }

    async fn get(&self, url: Url, timeout: Duration) -> Result<Response, Failure> {
        let request = self
            .outgoing
            .request(Method::GET, url, timeout)
            .await
            .map_err(|error| Failure::Other(error.to_string()))?
            .header(http::header::ACCEPT, "application/json");
        let answer = request.send().await.map_err(|error| Failure::Other(describe(&error)))?;
        match answer.status() {
            http::StatusCode::OK => Ok(answer),
            http::StatusCode::GONE => Err(Failure::Gone),
            status => Err(Failure::Other(format!("server returned HTTP status {status}"))),
        }
    }
}

#[derive(Debug)]
enum Failure {
    /// The place where the watch was is forgotten: list again.
    Gone,
    Other(String),
}

/// Keeps the objects of a kind in `cluster` up to date, for ever.
pub(super) async fn follow(
    api: &Api,
    kind: Kind,
    namespace: Option<String>,
    selector: Selector,
    cluster: &Cluster,
    slot: &Slot,
) {
    let mut random = rand::rngs::StdRng::seed_from_u64(api.seed);
    let mut listed = false;
    let mut pause = Duration::from_millis(500);
    let namespace = namespace.as_deref();
    loop {
        let failure = match list(api, kind, namespace, &selector).await {
            Err(failure) => failure,
            Ok((objects, version)) => {
                if !listed {
                    *cluster.missing.lock() -= 1;
                    listed = true;
                }
                pause = Duration::from_millis(500);
                cluster.change(kind, |all| replace(all, namespace, objects));
                watch(api, kind, namespace, &selector, version, cluster).await
            }
        };
        match failure {
            Failure::Gone => {}
            Failure::Other(error) => {
                slot.failed(kind.path().1, &error);
                tokio::time::sleep(pause.mul_f64(random.random_range(0.5..1.0))).await;
                pause = (pause * 2).min(Duration::from_secs(30));
            }
        }
    }
}

fn replace(all: &mut Objects, namespace: Option<&str>, objects: Objects) {
    all.retain(|(of, _), _| namespace.is_some_and(|namespace| of != namespace));
    all.extend(objects);
}

async fn list(
    api: &Api,
    kind: Kind,
    namespace: Option<&str>,
    selector: &Selector,
) -> Result<(Objects, String), Failure> {
    let mut objects = Objects::new();
    let mut next = String::new();
    loop {
        let query = [
            ("labelSelector", selector.label.clone()),
            ("fieldSelector", selector.field.clone()),
            ("limit", PAGE.to_string()),
            ("continue", next),
        ];
        let answer = api.get(api.url(kind, namespace, &query), LIST_TIMEOUT).await?;
        let body = read(answer).await?;
        let mut body: Value =
            serde_json::from_slice(&body).map_err(|error| Failure::Other(error.to_string()))?;
        if let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) {
            objects.extend(items.into_iter().map(|item| (key(&item), item)));
        }
        let meta = |name: &str| {
            let text = body.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
            text.unwrap_or("").to_owned()
        };
        next = meta("continue");
        if next.is_empty() {
            return Ok((objects, meta("resourceVersion")));
        }
    }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| Failure::Other(describe(&error)))?
    {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Failure::Other("the list is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn key(object: &Value) -> (String, String) {
    let of = |name: &str| {
        let text = object.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
        text.unwrap_or("").to_owned()
    };
    (of("namespace"), of("name"))
}

/// Takes events until something fails; a watch that ends in time begins again where it was.
async fn watch(
    api: &Api,
    kind: Kind,
    namespace: Option<&str>,
    selector: &Selector,
    mut version: String,
    cluster: &Cluster,
) -> Failure {
    loop {
        let query = [
            ("watch", "true".to_owned()),
            ("allowWatchBookmarks", "true".to_owned()),
            ("resourceVersion", version.clone()),
            ("labelSelector", selector.label.clone()),
            ("fieldSelector", selector.field.clone()),
            ("timeoutSeconds", WATCH_SECONDS.to_string()),
        ];
        let timeout = Duration::from_secs(WATCH_SECONDS + 30);
        let mut answer = match api.get(api.url(kind, namespace, &query), timeout).await {
            Ok(answer) => answer,
            Err(failure) => return failure,
        };
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Failure::Other(describe(&error)),
            };
            rest.extend_from_slice(&chunk);
            if rest.len() > BODY_BYTES_MAX {
                return Failure::Other("an event is too large".to_owned());
            }
            while let Some(end) = memchr::memchr(b'\n', &rest) {
                let line: Vec<u8> = rest.drain(..=end).collect();
                match take_event(&line, kind, cluster) {
                    Ok(Some(newer)) => version = newer,
                    Ok(None) => {}
                    Err(failure) => return failure,
                }
            }
        }
    }
}

/// Takes an event; gives the version that it brings the watch to.
fn take_event(line: &[u8], kind: Kind, cluster: &Cluster) -> Result<Option<String>, Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let mut event: Value =
        serde_json::from_slice(line).map_err(|error| Failure::Other(error.to_string()))?;
    let object = event.get_mut("object").map(Value::take).unwrap_or_default();
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let version = version.map(str::to_owned);
    match event.get("type").and_then(Value::as_str) {
        Some("ADDED" | "MODIFIED") => {
            cluster.change(kind, |all| {
                all.insert(key(&object), object);
            });
        }
        Some("DELETED") => {
            cluster.change(kind, |all| {
                all.remove(&key(&object));
            });
        }
        Some("ERROR") if object.get("code").and_then(Value::as_i64) == Some(410) => {
            return Err(Failure::Gone);
        }
        Some("ERROR") => return Err(Failure::Other(object.to_string())),
        _ => {}
    }
    Ok(version)
}
