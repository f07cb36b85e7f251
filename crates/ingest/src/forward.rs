//! Forwarding: what is written here goes on to other stores by remote write.
//!
//! [`Forwarder`] keeps a queue on disk for each destination (`queue`) and sends from it
//! (`sender`), so that an outage of the destination, and a restart of this program, lose nothing
//! that the queue has room for. It never holds up writing here: when a queue is full, the oldest
//! goes, and is counted. [`Forwarding`] is a [`MetricSink`] that writes and then forwards.
//!
//! A destination gets every sample at least once, those of a series in order.

mod queue;
mod sender;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use model::metric::{Batch, Labels, LabelsBuilder};
use parking_lot::Mutex;
use stdx::clock::Clock;
use stdx::memory::Budget;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use self::queue::Queue;
use crate::metric_sink::{MetricSink, MetricWrite, Written};
use crate::outgoing::{Outgoing, OutgoingError};
use crate::prometheus::{RemoteWrite, WriteMessage};
use crate::relabel;
use crate::remote::{Version, encode};
use crate::sink::SinkError;

/// How much forwarding may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes on disk of one destination's queue; beyond, the oldest goes.
    pub queue_bytes_max: u64,
    /// Bytes of one file of a queue.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { queue_bytes_max: 1 << 30, segment_bytes: 16 << 20 }
    }
}

/// What a [`Forwarder`] works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where queues are.
    pub directory: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Decides how pauses are spread.
    pub seed: u64,
    /// What requests are counted in.
    pub memory: Budget,
    /// Added to series that do not have them.
    pub external_labels: Labels,
    /// Limits.
    pub options: Options,
}

/// Why forwarding cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The queue's directory cannot be used.
    #[error("cannot use the queue in {}: {error}", path.display())]
    Queue {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The destination's settings cannot be used.
    #[error("remote_write to {url}: {error}")]
    Client {
        /// Which.
        url: String,
        /// Why.
        #[source]
        error: OutgoingError,
    },
}

/// Sends on what it is given.
#[derive(Debug)]
pub struct Forwarder {
    destinations: Vec<Arc<Destination>>,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Destination {
    /// For metrics and logs.
    name: String,
    config: RemoteWrite,
    version: Version,
    external_labels: Labels,
    queue: Mutex<Queue>,
    filled: Notify,
    outgoing: Outgoing,
    clock: Clock,
    memory: Budget,
}

/// How a destination is called: by its name, or after its address.
fn name_of(config: &RemoteWrite) -> String {
    if config.name.is_empty() {
        format!("{:06x}", xxh3_64(config.url.as_bytes()) & 0x00ff_ffff)
    } else {
        config.name.clone()
    }
}

/// A name as that of a directory.
fn directory_of(config: &RemoteWrite) -> String {
    let readable: String = name_of(config)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(64)
        .collect();
    // Two destinations never share a queue, nor do the forms of one.
    format!(
        "{readable}-{:016x}",
        xxh3_64(format!("{} {:?}", config.url, config.message).as_bytes())
    )
}

impl Forwarder {
    /// Opens the queues and starts sending.
    pub fn start(configs: &[RemoteWrite], setup: &Setup) -> Result<Forwarder, ForwardError> {
        let mut destinations = Vec::new();
        for config in configs {
            let path = setup.directory.join(directory_of(config));
            let queue = Queue::open(&path, &setup.options)
                .map_err(|error| ForwardError::Queue { path, error })?;
            let outgoing = Outgoing::new(&config.client, setup.clock.clone())
                .map_err(|error| ForwardError::Client { url: config.url.clone(), error })?;
            destinations.push(Arc::new(Destination {
                name: name_of(config),
                version: match config.message {
                    WriteMessage::V1 => Version::V1,
                    WriteMessage::V2 => Version::V2,
                },
                config: config.clone(),
                external_labels: setup.external_labels.clone(),
                queue: Mutex::new(queue),
                filled: Notify::new(),
                outgoing,
                clock: setup.clock.clone(),
                memory: setup.memory.clone(),
            }));
        }
        let stop = CancellationToken::new();
        let start = |destination: &Arc<Destination>| {
            let run = sender::run(Arc::clone(destination), setup.seed, stop.clone());
            stdx::task::spawn_to_end("forward", run)
        };
        let tasks = Mutex::new(destinations.iter().map(start).collect());
        Ok(Forwarder { destinations, stop, tasks })
    }

    /// Puts a batch into the queues.
    pub fn forward(&self, batch: &Batch) {
        for destination in &self.destinations {
            destination.take(batch);
        }
    }

    /// Whether there is nowhere to forward to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.destinations.is_empty()
    }

    /// Stops sending; what was not sent stays in the queues.
    pub async fn stop(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                warn!(%error, "forwarding failed");
            }
        }
        for destination in &self.destinations {
            if let Err(error) = destination.queue.lock().sync() {
                warn!(destination = destination.name, %error, "queue not synced");
            }
        }
    }
}

impl Destination {
    fn take(&self, batch: &Batch) {
        let batch = self.prepare(batch);
        if batch.is_empty() {
            return;
        }
        let body = crate::remote::compress(&encode(self.version, &batch));
        let samples = u32::try_from(batch.samples_len()).unwrap_or(u32::MAX);
        let newest = newest(&batch);
        let pushed = {
            let mut queue = self.queue.lock();
            let pushed = queue.push(&body, samples, newest);
            self.count(&queue);
            pushed
        };
        match pushed {
            Ok(dropped) => {
                if dropped > 0 {
                    self.dropped("queue_full", dropped);
                }
            }
            Err(error) => {
                self.dropped("queue_failed", u64::from(samples));
                warn!(destination = self.name, %error, "queue not written");
            }
        }
        self.filled.notify_one();
    }

    fn count(&self, queue: &Queue) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        metrics::gauge!("trefoil_forward_queue_bytes", "destination" => self.name.clone())
            .set(queue.bytes() as f64);
    }

    fn dropped(&self, reason: &'static str, samples: u64) {
        metrics::counter!(
            "trefoil_forward_samples_dropped_total",
            "destination" => self.name.clone(),
            "reason" => reason
        )
        .increment(samples);
    }

    /// The batch as the destination shall have it.
    fn prepare(&self, batch: &Batch) -> Batch {
        let config = &self.config;
        let mut out = Batch::new();
        for series in batch.series() {
            let mut labels = LabelsBuilder::from_labels(&Labels::from_canonical(series.labels));
            for (name, value) in &self.external_labels {
                if labels.get(name).is_none() {
                    labels.set(name, value);
                }
            }
            if !relabel::apply(&config.relabel, &mut labels) {
                continue;
            }
            out.begin_with(&labels.build());
            series.floats.iter().for_each(|float| out.float(*float));
            if config.send_native_histograms {
                series.histograms.iter().for_each(|one| out.histogram(one.clone()));
            }
            if config.send_exemplars {
                series.exemplars.iter().for_each(|one| out.exemplar(one.clone()));
            }
            let empty = series.floats.is_empty()
                && (series.histograms.is_empty() || !config.send_native_histograms)
                && (series.exemplars.is_empty() || !config.send_exemplars);
            if empty {
                out.undo();
            }
        }
        if config.metadata.send {
            batch.all_metadata().iter().for_each(|one| out.metadata(one.clone()));
        }
        out
    }
}

/// The newest timestamp of a batch.
fn newest(batch: &Batch) -> i64 {
    let times = batch.series().flat_map(|series| {
        let floats = series.floats.iter().map(|float| float.timestamp);
        floats.chain(series.histograms.iter().map(|one| one.timestamp))
    });
    times.max().unwrap_or(0)
}

/// Writes, and forwards what was written.
#[derive(Debug)]
pub struct Forwarding {
    /// Where samples are stored.
    pub sink: Arc<dyn MetricSink>,
    /// Where they go on to; another one after a reload.
    pub forwarder: parking_lot::RwLock<Arc<Forwarder>>,
}

#[async_trait]
impl MetricSink for Forwarding {
    async fn write(&self, write: MetricWrite) -> Result<Written, SinkError> {
        let forwarder = Arc::clone(&self.forwarder.read());
        if forwarder.is_empty() {
            return self.sink.write(write).await;
        }
        let batch = write.batch.clone();
        let written = self.sink.write(write).await?;
        // Compressing and writing to a file take longer than a worker should be held.
        let forward = tokio::task::spawn_blocking(move || forwarder.forward(&batch));
        if let Err(error) = forward.await {
            warn!(%error, "forwarding failed");
        }
        Ok(written)
    }
}
