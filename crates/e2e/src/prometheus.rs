//! Questions in PromQL to any server that speaks Prometheus's API, and the original itself, where
//! it is installed.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

use crate::program::{command, debian};
use crate::until;

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let now = stdx::clock::Clock::system().now();
    now / 1_000_000
}

/// The whole answer of `path` with these parameters.
///
/// # Errors
/// When there is no answer or it is no JSON.
pub async fn get(
    http: &reqwest::Client,
    base: &str,
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<(u16, Value)> {
    let url = reqwest::Url::parse_with_params(&format!("{base}/api/v1/{path}"), parameters)?;
    let answer = http.get(url).send().await?;
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    Ok((status, serde_json::from_str(&text).with_context(|| format!("{path}: {status}: {text}"))?))
}

/// The `data` of an answer that must be a success.
///
/// # Errors
/// When it is none.
pub async fn data(
    http: &reqwest::Client,
    base: &str,
    path: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<Value> {
    let (status, mut answer) = get(http, base, path, parameters).await?;
    if status != 200 || answer["status"] != "success" {
        bail!("{path} {parameters:?}: {status}: {answer}");
    }
    Ok(answer["data"].take())
}

/// The one value of an instant query.
///
/// # Errors
/// When there is none or more than one.
pub async fn value(
    http: &reqwest::Client,
    base: &str,
    query: &str,
    time_ms: i64,
) -> anyhow::Result<f64> {
    let time = format!("{}.{:03}", time_ms / 1_000, time_ms % 1_000);
    let data = data(http, base, "query", &[("query", query), ("time", &time)]).await?;
    let result = data["result"].as_array().context("no result")?;
    let [one] = result.as_slice() else { bail!("{query}: {} series", result.len()) };
    Ok(one["value"][1].as_str().context("no value")?.parse()?)
}

/// A Prometheus of the system's own, on a free port; it ends with the test.
#[derive(Debug)]
pub struct Original {
    _child: Child,
    _home: TempDir,
    /// Its address, `http://…`.
    pub base: String,
}

impl Original {
    /// Starts one that takes remote writes; `None` where Prometheus is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn start(http: &reqwest::Client) -> Option<Original> {
        Original::start_with(http, "global: {scrape_interval: 1h}\n").await
    }

    /// The same with a configuration.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn start_with(http: &reqwest::Client, text: &str) -> Option<Original> {
        let program = debian("prometheus")?;
        let home = TempDir::with_prefix("trefoil-original-").expect("a temporary directory");
        let config = home.path().join("prometheus.yml");
        std::fs::write(&config, text).expect("a file");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = port.local_addr().expect("its address");
        drop(port);
        let child = command(&program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .arg("--enable-feature=promql-at-modifier,promql-negative-offset")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let base = format!("http://{address}");
        until("the original to be ready", || async {
            let answer = http.get(format!("{base}/-/ready")).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await;
        Some(Original { _child: child, _home: home, base })
    }
}
