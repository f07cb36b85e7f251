//! `http_sd_configs`: a list of groups as JSON from a URL.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Url};
use serde::Deserialize;
use stdx::clock::Clock;

use super::Slot;
use crate::outgoing::{Outgoing, describe};
use crate::prometheus::discovery::{Group, addresses};
use crate::prometheus::http::HttpClient;

/// The largest list, bytes.
const BODY_BYTES_MAX: usize = 64 << 20;

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

pub(super) async fn run(
    url: String,
    client: HttpClient,
    refresh: Duration,
    clock: Clock,
    slot: Slot,
) {
    let outgoing = match Outgoing::new(&client, clock) {
        Ok(outgoing) => outgoing,
        Err(error) => return slot.failed(&url, &error),
    };
    loop {
        match ask(&outgoing, &url, refresh).await {
            Ok(groups) => slot.set(groups),
            Err(error) => slot.failed(&url, &error),
        }
        tokio::time::sleep(refresh).await;
    }
}

async fn ask(outgoing: &Outgoing, url: &str, refresh: Duration) -> Result<Vec<Group>, String> {
    let address = Url::parse(url).map_err(|error| error.to_string())?;
    let request = outgoing
        .request(Method::GET, address, refresh)
        .await
        .map_err(|error| error.to_string())?
        .header(http::header::ACCEPT, "application/json")
        .header("X-Prometheus-Refresh-Interval-Seconds", refresh.as_secs_f64().to_string());
    let mut answer = request.send().await.map_err(|error| describe(&error))?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("server returned HTTP status {}", answer.status()));
    }
    let kind = answer.headers().get(http::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("").trim().to_owned();
    if !kind.to_lowercase().starts_with("application/json") {
        return Err(format!("unsupported content type {kind:?}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(format!("the list has more than {BODY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    read(&body, url)
}

fn read(body: &[u8], url: &str) -> Result<Vec<Group>, String> {
    let entries: Vec<Option<Entry>> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let group = |(index, entry): (usize, Option<Entry>)| {
        let entry = entry.ok_or_else(|| "nil target group item found".to_owned())?;
        let mut labels = entry.labels;
        labels.insert("__meta_url".to_owned(), url.to_owned());
        Ok(Group { source: format!("{url}:{index}"), targets: addresses(entry.targets), labels })
    };
    entries.into_iter().enumerate().map(group).collect()
}
