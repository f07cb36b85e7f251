//! What a request goes through, whichever protocol it came by: read, decompress, decode, store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use model::{Table, Tenant};
use stdx::clock::{Clock, Stopwatch, UnixNanos};
use stdx::memory::Budget;
use tokio::sync::Semaphore;

use crate::Format;
use crate::body::{self, Encoding, Held, Rules};
use crate::limits::Limits;
use crate::otlp::metrics::OtlpMetrics;
use crate::otlp::{self, Decoded};
use crate::refusal::Refusal;
use crate::report::Report;
use crate::sink::{Sink, Write};

/// What a receiver is made of.
#[derive(Debug)]
pub struct ReceiverOptions {
    /// Where the rows go.
    pub sink: Arc<dyn Sink>,
    /// The memory that requests may hold, from their first byte until the sink lets go of them.
    pub budget: Budget,
    /// What is taken in.
    pub limits: Limits,
    /// Tells when a request came.
    pub clock: Clock,
    /// How many large bodies are decoded at once: the number of cores.
    pub decoders: usize,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a client should wait when memory is full.
    pub retry_after: Duration,
    /// Takes metrics in; without it they are refused.
    pub metrics: Option<OtlpMetrics>,
}

impl ReceiverOptions {
    /// Options with the defaults.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>, budget: Budget, clock: Clock) -> ReceiverOptions {
        ReceiverOptions {
            sink,
            budget,
            limits: Limits::default(),
            clock,
            decoders: std::thread::available_parallelism().map_or(2, usize::from),
            body_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            metrics: None,
        }
    }
}

/// Takes requests in. Clones are the same receiver.
#[derive(Debug, Clone)]
pub struct Receiver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: ReceiverOptions,
    decoders: Arc<Semaphore>,
}

/// A body as it came, before anything was done to it.
pub(crate) struct Request<B> {
    /// For metrics: `http` or `grpc`.
    pub(crate) transport: &'static str,
    pub(crate) format: Format,
    pub(crate) tenant: Tenant,
    pub(crate) declared_bytes: Option<usize>,
    pub(crate) body: B,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    Protobuf,
    Json,
}

/// A body that was read, and what it is.
#[derive(Debug)]
struct Job {
    format: Format,
    tenant: Tenant,
    payload: Payload,
    encoding: Encoding,
    received_at: UnixNanos,
    held: Held,
}

/// A body that was decoded.
struct Ready {
    job: Job,
    decoded: Decoded,
}

impl Receiver {
    /// A receiver that hands its rows to the sink of `options`.
    #[must_use]
    pub fn new(options: ReceiverOptions) -> Receiver {
        let decoders = Arc::new(Semaphore::new(options.decoders.max(1)));
        Receiver(Arc::new(Inner { options, decoders }))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.options.limits
    }

    /// What takes metrics in, if they are.
    pub(crate) fn metrics(&self) -> Option<&OtlpMetrics> {
        self.0.options.metrics.as_ref()
    }

    /// Takes one request in; `open` tells, from the bytes as they came, what they are.
    pub(crate) async fn receive<B>(
        &self,
        request: Request<B>,
        open: impl FnOnce(Bytes) -> Result<(Bytes, Payload, Encoding), Refusal>,
    ) -> Result<Report, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let (transport, format) = (request.transport, request.format);
        let received = self.receive_uncounted(request, open).await;
        let outcome = received.as_ref().err().map_or("ok", Refusal::as_str);
        metrics::counter!(
            "trefoil_ingest_requests_total",
            "protocol" => "otlp", "transport" => transport,
            "table" => format.table().as_str(), "outcome" => outcome,
        )
        .increment(1);
        if let Err(refusal) = &received {
            tracing::debug!(transport, table = %format.table(), %refusal, "request refused");
        }
        received
    }

    async fn receive_uncounted<B>(
        &self,
        request: Request<B>,
        open: impl FnOnce(Bytes) -> Result<(Bytes, Payload, Encoding), Refusal>,
    ) -> Result<Report, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let options = &self.0.options;
        let Request { transport: _, format, tenant, declared_bytes, body } = request;
        let rules = self.rules(options.limits.body_bytes_max);
        let held = body::read(body, declared_bytes, &options.budget, &rules).await?;
        let (bytes, payload, encoding) = open(held.bytes)?;
        let held = Held { bytes, memory: held.memory };
        let received_at = options.clock.now();
        let job = Job { format, tenant, payload, encoding, received_at, held };
        let ready = self.decode(job).await?;
        self.store(ready).await
    }

    fn rules(&self, bytes_max: usize) -> Rules {
        let options = &self.0.options;
        Rules { bytes_max, timeout: options.body_timeout, retry_after: options.retry_after }
    }

    /// Decodes small bodies at once and large ones on a thread of their own, so that no body holds
    /// up other requests. Compressed bodies count as large sooner.
    async fn decode(&self, job: Job) -> Result<Ready, Refusal> {
        const IDENTITY: usize = 256 << 10;
        const COMPRESSED: usize = 16 << 10;
        let small = if job.encoding == Encoding::Identity { IDENTITY } else { COMPRESSED };
        if job.held.bytes.len() <= small {
            return self.decode_now(job);
        }
        let decoders = Arc::clone(&self.0.decoders);
        let permit = decoders
            .acquire_owned()
            .await
            .map_err(|_| Refusal::Internal("decoders were closed".to_owned()))?;
        let receiver = self.clone();
        let decoded = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            receiver.decode_now(job)
        });
        decoded.await.map_err(|error| Refusal::Internal(format!("decoder failed: {error}")))?
    }

    fn decode_now(&self, job: Job) -> Result<Ready, Refusal> {
        let options = &self.0.options;
        let Job { format, tenant, payload, encoding, received_at, held } = job;
        let watch = Stopwatch::start();
        let full = |full| Refusal::memory(&full, options.retry_after);

        let rules = self.rules(options.limits.decompressed_bytes_max);
        let mut held = body::decompress(held, encoding, &rules)?;
        if payload == Payload::Json {
            // Protobuf is never longer than the JSON that means the same.
            held.memory.resize(2 * held.bytes.len()).map_err(full)?;
            held.bytes = otlp::transcode_json(format, &held.bytes)?;
            held.memory.resize(held.bytes.len()).map_err(full)?;
        }
        let estimate = otlp::estimate_bytes(format, &options.limits, &held.bytes);
        held.memory.resize(held.bytes.len() + estimate).map_err(full)?;
        let decoded = otlp::decode(format, &tenant, received_at, &options.limits, &held.bytes)?;
        held.memory.resize(decoded.memory_bytes).map_err(full)?;

        metrics::histogram!(
            "trefoil_ingest_decode_seconds", "table" => format.table().as_str(),
        )
        .record(watch.elapsed().as_secs_f64());
        Ok(Ready { job: Job { format, tenant, payload, encoding, received_at, held }, decoded })
    }

    async fn store(&self, ready: Ready) -> Result<Report, Refusal> {
        let Ready { job, decoded } = ready;
        let table = job.format.table();
        let (rows, bytes) = (decoded.rows(), job.held.bytes.len());
        if rows > 0 {
            let write = Write {
                table,
                format: job.format.number(),
                tenant: job.tenant,
                received_at: job.received_at,
                body: job.held.bytes,
                batch: decoded.batch,
                memory: job.held.memory,
            };
            self.0.options.sink.write(write).await?;
        }
        count(table, rows, bytes, &decoded.report);
        Ok(decoded.report)
    }
}

fn count(table: Table, rows: usize, bytes: usize, report: &Report) {
    let table = table.as_str();
    metrics::counter!("trefoil_ingest_rows_total", "table" => table).increment(rows as u64);
    metrics::counter!("trefoil_ingest_bytes_total", "table" => table).increment(bytes as u64);
    for (reason, count) in report.iter() {
        let name = if reason.rejects() {
            "trefoil_ingest_rejected_rows_total"
        } else {
            "trefoil_ingest_limited_total"
        };
        metrics::counter!(name, "table" => table, "reason" => reason.as_str()).increment(count);
    }
}
