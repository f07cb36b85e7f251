//! Sending: several connections, each with one request on its way, again until it is taken.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use stdx::clock::Stopwatch;
use tokio::task::JoinSet;
use tonic::Code;

use crate::data::{self, BATCH, Timeline};

const CONNECTIONS: usize = 4;

/// Where load goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// OTLP gRPC at this address.
    Grpc(String),
    /// OTLP HTTP in protobuf at this URL.
    Http(String),
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) rows: u64,
    /// Bytes of the requests.
    pub(crate) bytes: u64,
    /// Requests that were refused for now and sent again.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { rows, bytes, refused, seconds } = self;
        let mebibytes = bytes >> 20;
        write!(f, "{rows} rows, {mebibytes} MiB in {seconds:.1} s, {refused} requests sent again")
    }
}

/// Sends spans until all are acknowledged.
pub(crate) async fn spans(target: &Target, rows: u64) -> anyhow::Result<Sent> {
    send(target, rows, Signal::Spans).await
}

/// Sends log lines until all are acknowledged.
pub(crate) async fn logs(target: &Target, rows: u64) -> anyhow::Result<Sent> {
    send(target, rows, Signal::Logs).await
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    Spans,
    Logs,
}

async fn send(target: &Target, rows: u64, signal: Signal) -> anyhow::Result<Sent> {
    let batches = rows.div_ceil(BATCH);
    let timeline = Timeline::ending_now(rows);
    let next = Arc::new(AtomicU64::new(0));
    let started = Stopwatch::start();
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(target, signal).await?;
        let next = Arc::clone(&next);
        senders.spawn(async move {
            let mut sent = Sent::default();
            loop {
                let batch = next.fetch_add(1, Ordering::Relaxed);
                if batch >= batches {
                    return anyhow::Ok(sent);
                }
                connection.send(batch, timeline, &mut sent).await?;
            }
        });
    }
    let mut all = Sent::default();
    while let Some(ended) = senders.join_next().await {
        let sent = ended.context("a sender panicked")??;
        all.rows += sent.rows;
        all.bytes += sent.bytes;
        all.refused += sent.refused;
    }
    all.seconds = started.elapsed().as_secs_f64();
    Ok(all)
}

enum Connection {
    Spans(TraceServiceClient<tonic::transport::Channel>),
    Logs(LogsServiceClient<tonic::transport::Channel>),
    Http(reqwest::Client, String, Signal),
}

impl Connection {
    async fn open(target: &Target, signal: Signal) -> anyhow::Result<Connection> {
        Ok(match (target, signal) {
            (Target::Grpc(address), Signal::Spans) => {
                Connection::Spans(TraceServiceClient::connect(address.clone()).await?)
            }
            (Target::Grpc(address), Signal::Logs) => {
                Connection::Logs(LogsServiceClient::connect(address.clone()).await?)
            }
            (Target::Http(url), signal) => Connection::Http(
                reqwest::Client::builder().no_proxy().build()?,
                url.clone(),
                signal,
            ),
        })
    }

    async fn send(
        &mut self,
        batch: u64,
        timeline: Timeline,
        sent: &mut Sent,
    ) -> anyhow::Result<()> {
        let bytes = match self {
            Connection::Spans(client) => {
                let request = data::spans(batch, timeline);
                while again(client.export(request.clone()).await)? {
                    sent.refused += 1;
                    wait().await;
                }
                request.encoded_len()
            }
            Connection::Logs(client) => {
                let request = data::logs(batch, timeline);
                while again(client.export(request.clone()).await)? {
                    sent.refused += 1;
                    wait().await;
                }
                request.encoded_len()
            }
            Connection::Http(client, url, signal) => {
                let body = match signal {
                    Signal::Spans => data::spans(batch, timeline).encode_to_vec(),
                    Signal::Logs => data::logs(batch, timeline).encode_to_vec(),
                };
                let bytes = body.len();
                while !post(client, url, body.clone()).await? {
                    sent.refused += 1;
                    wait().await;
                }
                bytes
            }
        };
        sent.rows += BATCH;
        sent.bytes += u64::try_from(bytes)?;
        Ok(())
    }
}

/// Whether a request must be sent again.
fn again<T>(answer: Result<T, tonic::Status>) -> anyhow::Result<bool> {
    match answer {
        Ok(_) => Ok(false),
        Err(status) if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) => {
            Ok(true)
        }
        Err(status) => Err(status.into()),
    }
}

/// Whether it was taken.
async fn post(client: &reqwest::Client, url: &str, body: Vec<u8>) -> anyhow::Result<bool> {
    let request = client.post(url).header("content-type", "application/x-protobuf").body(body);
    let answer = request.send().await?;
    let status = answer.status();
    match status.as_u16() {
        200..=299 => Ok(true),
        429 | 503 => Ok(false),
        _ => bail!("{status}: {}", answer.text().await?),
    }
}

/// A client's patience after a refusal; shorter than `Retry-After`, which counts in whole seconds.
async fn wait() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
