//! Sends a registry over OTLP again and again, on the exporter's own thread.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use http::uri::PathAndQuery;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use prost::Message as _;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tonic::metadata::MetadataMap;

use super::otlp::{self, ExportRequest, ExportResponse};
use super::{Registry, Snapshot};
use crate::config::{Config, Protocol};
use crate::export::{self, Failures};
use crate::telemetry::Error;

const GRPC_METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// A registry that is being sent.
#[derive(Debug)]
pub(crate) struct Push {
    sender: Arc<Sender>,
    runtime: Handle,
    task: AbortHandle,
}

#[derive(Debug)]
struct Sender {
    registry: Registry,
    resource: Resource,
    way: Way,
    timeout: Duration,
    failures: Arc<Failures>,
}

#[derive(Debug)]
enum Way {
    Http { client: reqwest::Client, url: String, headers: Vec<(String, String)> },
    Grpc { channel: tonic::transport::Channel, metadata: MetadataMap },
}

impl Push {
    /// Begins; the first push comes after one interval. Must run inside `runtime`.
    pub(crate) fn start(
        config: &Config,
        interval: Duration,
        resource: Resource,
        runtime: &Handle,
        failures: &Arc<Failures>,
    ) -> Result<Push, Error> {
        let way = match config.protocol {
            Protocol::HttpProtobuf => Way::Http {
                client: export::http_client(config)?,
                url: export::signal_url(&config.endpoint, "metrics"),
                headers: config.headers.clone(),
            },
            Protocol::Grpc => Way::Grpc {
                channel: tonic::transport::Endpoint::from_shared(config.endpoint.clone())
                    .map_err(Error::Endpoint)?
                    .connect_lazy(),
                metadata: MetadataMap::from_headers(export::headers(config)?),
            },
        };
        let sender = Arc::new(Sender {
            registry: config.metrics.clone(),
            resource,
            way,
            timeout: config.export_timeout,
            failures: Arc::clone(failures),
        });
        let each = Arc::clone(&sender);
        let task = runtime.spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                each.push().await;
            }
        });
        Ok(Push { sender, runtime: runtime.clone(), task: task.abort_handle() })
    }

    /// Sends what there is now; blocks until it is sent or `timeout` has passed.
    pub(crate) fn flush(&self, timeout: Duration) {
        let (done, wait) = mpsc::sync_channel(1);
        let sender = Arc::clone(&self.sender);
        self.runtime.spawn(async move {
            sender.push().await;
            // Nobody may be waiting any more.
            let _unread = done.send(());
        });
        let _late = wait.recv_timeout(timeout);
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sender {
    async fn push(&self) {
        let snapshot = self.registry.snapshot();
        if snapshot.families.is_empty() {
            return;
        }
        let request = otlp::request(&snapshot, &self.resource);
        let sent = tokio::time::timeout(self.timeout, self.way.send(request)).await;
        let result = sent.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        self.failures.note(points(&snapshot), &result.map_err(OTelSdkError::InternalFailure));
    }
}

impl Way {
    async fn send(&self, request: ExportRequest) -> Result<(), String> {
        match self {
            Way::Http { client, url, headers } => {
                let mut post = client.post(url).body(request.encode_to_vec());
                post = post.header(http::header::CONTENT_TYPE, "application/x-protobuf");
                for (name, value) in headers {
                    post = post.header(name, value);
                }
                let response = post.send().await.map_err(|error| error.to_string())?;
                response.error_for_status().map(drop).map_err(|error| error.to_string())
            }
            Way::Grpc { channel, metadata } => {
                let mut client = tonic::client::Grpc::new(channel.clone());
                client.ready().await.map_err(|error| error.to_string())?;
                let mut request = tonic::Request::new(request);
                request.metadata_mut().clone_from(metadata);
                let codec = tonic_prost::ProstCodec::<ExportRequest, ExportResponse>::default();
                let path = PathAndQuery::from_static(GRPC_METHOD);
                let sent = client.unary(request, path, codec).await;
                sent.map(drop).map_err(|status| status.message().to_owned())
            }
        }
    }
}

fn points(snapshot: &Snapshot) -> usize {
    snapshot.families.iter().map(|family| family.samples.len()).sum()
}
