//! What a request with metrics goes through, whichever protocol it came by: read, decode, store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use model::Tenant;
use model::metric::{Batch, Exemplar, Float, HistogramSample};
use stdx::clock::{Clock, Stopwatch};
use stdx::memory::{Budget, Reservation};
use tokio::sync::Semaphore;

use super::limits::MetricLimits;
use super::rejections::{Invalid, Rejections};
use crate::body::{self, Held, Rules};
use crate::metric_sink::{MetricSink, MetricWrite, Written};
use crate::refusal::Refusal;

/// What a [`MetricReceiver`] is made of.
#[derive(Debug)]
pub struct MetricReceiverOptions {
    /// Where the samples go.
    pub sink: Arc<dyn MetricSink>,
    /// The memory that requests may hold, from their first byte until the sink lets go of them.
    pub budget: Budget,
    /// What is taken in.
    pub limits: MetricLimits,
    /// Tells what is in the future, and the time of what says none.
    pub clock: Clock,
    /// How many large bodies are decoded at once: the number of cores.
    pub decoders: usize,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a client should wait when memory is full.
    pub retry_after: Duration,
}

impl MetricReceiverOptions {
    /// Options with the defaults.
    #[must_use]
    pub fn new(sink: Arc<dyn MetricSink>, budget: Budget, clock: Clock) -> MetricReceiverOptions {
        MetricReceiverOptions {
            sink,
            budget,
            limits: MetricLimits::default(),
            clock,
            decoders: std::thread::available_parallelism().map_or(2, usize::from),
            body_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// Takes requests with metrics in: remote write, OTLP, pushes. Clones are the same receiver.
#[derive(Debug, Clone)]
pub struct MetricReceiver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: MetricReceiverOptions,
    decoders: Arc<Semaphore>,
}

/// A body as it came.
pub(crate) struct MetricRequest<B> {
    /// For metrics: `remote_write_1`, `push`, ….
    pub(crate) protocol: &'static str,
    pub(crate) tenant: Tenant,
    pub(crate) declared_bytes: Option<usize>,
    pub(crate) body: B,
}

/// What a decoder needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) limits: MetricLimits,
    pub(crate) retry_after: Duration,
    /// When the request came, milliseconds since 1970.
    pub(crate) now: i64,
    /// Samples after this time are refused.
    pub(crate) latest: i64,
}

impl Context {
    /// For tools, benchmarks and fuzzing: no time is in the future.
    pub(crate) fn of_no_request(limits: &MetricLimits) -> Context {
        let retry_after = Duration::from_secs(1);
        Context { limits: limits.clone(), retry_after, now: 0, latest: i64::MAX }
    }
}

/// A body that was decoded.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) batch: Batch,
    pub(crate) memory: Reservation,
    pub(crate) rejections: Rejections,
}

impl MetricReceiver {
    /// A receiver that hands its samples to the sink of `options`.
    #[must_use]
    pub fn new(options: MetricReceiverOptions) -> MetricReceiver {
        let decoders = Arc::new(Semaphore::new(options.decoders.max(1)));
        MetricReceiver(Arc::new(Inner { options, decoders }))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &MetricLimits {
        &self.0.options.limits
    }

    pub(crate) fn context(&self) -> Context {
        let options = &self.0.options;
        let now = options.clock.now() / 1_000_000;
        let future = i64::try_from(options.limits.future_max.as_millis()).unwrap_or(i64::MAX);
        Context {
            limits: options.limits.clone(),
            retry_after: options.retry_after,
            now,
            latest: now.saturating_add(future),
        }
    }

    /// Takes one request in; `decode` makes a batch of the bytes as they came. What it and the sink
    /// refuse is in the answer.
    pub(crate) async fn receive<B>(
        &self,
        request: MetricRequest<B>,
        decode: impl FnOnce(Held, &Context) -> Result<Decoded, Refusal> + Send + 'static,
    ) -> Result<Written, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let protocol = request.protocol;
        let received = self.receive_uncounted(request, decode).await;
        let outcome = match &received {
            Ok(written) if written.rejected.is_empty() => "ok",
            Ok(_) => "partial",
            Err(refusal) => refusal.as_str(),
        };
        metrics::counter!(
            "trefoil_ingest_metrics_requests_total", "protocol" => protocol, "outcome" => outcome,
        )
        .increment(1);
        if let Err(refusal) = &received {
            tracing::debug!(protocol, %refusal, "request refused");
        }
        received
    }

    /// Stores a batch of this side's own making.
    pub(crate) async fn write(
        &self,
        protocol: &'static str,
        tenant: Tenant,
        batch: Batch,
    ) -> Result<Written, Refusal> {
        let options = &self.0.options;
        let memory = options
            .budget
            .reserve(batch.size_bytes())
            .map_err(|full| Refusal::memory(&full, options.retry_after))?;
        let rejections = Rejections::default();
        self.store(protocol, tenant, Decoded { batch, memory, rejections }).await
    }

    async fn receive_uncounted<B>(
        &self,
        request: MetricRequest<B>,
        decode: impl FnOnce(Held, &Context) -> Result<Decoded, Refusal> + Send + 'static,
    ) -> Result<Written, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let options = &self.0.options;
        let MetricRequest { protocol, tenant, declared_bytes, body } = request;
        let rules = Rules {
            bytes_max: options.limits.body_bytes_max,
            timeout: options.body_timeout,
            retry_after: options.retry_after,
        };
        let held = body::read(body, declared_bytes, &options.budget, &rules).await?;
        let bytes = held.bytes.len() as u64;
        metrics::counter!("trefoil_ingest_metrics_bytes_total", "protocol" => protocol)
            .increment(bytes);
        let decoded = self.decode(protocol, held, decode).await?;
        self.store(protocol, tenant, decoded).await
    }

    /// Decodes small bodies at once and large ones on a thread of their own.
    async fn decode(
        &self,
        protocol: &'static str,
        held: Held,
        decode: impl FnOnce(Held, &Context) -> Result<Decoded, Refusal> + Send + 'static,
    ) -> Result<Decoded, Refusal> {
        const SMALL: usize = 32 << 10;
        let context = self.context();
        let watched = move |held: Held| {
            let watch = Stopwatch::start();
            let decoded = decode(held, &context);
            metrics::histogram!("trefoil_ingest_metrics_decode_seconds", "protocol" => protocol)
                .record(watch.elapsed().as_secs_f64());
            decoded
        };
        if held.bytes.len() <= SMALL {
            return watched(held);
        }
        let permit = Arc::clone(&self.0.decoders)
            .acquire_owned()
            .await
            .map_err(|_| Refusal::Internal("decoders were closed".to_owned()))?;
        let decoded = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            watched(held)
        });
        decoded.await.map_err(|error| Refusal::Internal(format!("decoder failed: {error}")))?
    }

    async fn store(
        &self,
        protocol: &'static str,
        tenant: Tenant,
        decoded: Decoded,
    ) -> Result<Written, Refusal> {
        let Decoded { batch, memory, rejections } = decoded;
        let mut rejected = rejections.finish(protocol);
        let mut written = Written::default();
        if !batch.is_empty() {
            let write = MetricWrite { tenant, batch, memory };
            written = self.0.options.sink.write(write).await?;
        }
        metrics::counter!("trefoil_ingest_metrics_samples_total", "protocol" => protocol)
            .increment((written.floats + written.histograms) as u64);
        rejected.append(&mut written.rejected);
        written.rejected = rejected;
        Ok(written)
    }
}

/// A batch that grows with its memory counted: what is added is added to a reservation, in steps.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) batch: Batch,
    pub(crate) rejections: Rejections,
    memory: Reservation,
    /// What the body takes, beside the batch.
    body_bytes: usize,
    batch_bytes: usize,
    retry_after: Duration,
}

impl Growing {
    /// Memory that is counted at a time.
    const STEP: usize = 64 << 10;

    /// `memory` covers the body so far.
    pub(crate) fn new(memory: Reservation, context: &Context) -> Growing {
        Growing {
            batch: Batch::new(),
            rejections: Rejections::default(),
            body_bytes: memory.bytes(),
            memory,
            batch_bytes: 0,
            retry_after: context.retry_after,
        }
    }

    /// Counts `bytes` more. Vectors grow by doubling, and hold both sizes while they do.
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.batch_bytes += bytes;
        let needed = self.body_bytes + 3 * self.batch_bytes;
        if needed > self.memory.bytes() {
            return self.grow(needed);
        }
        Ok(())
    }

    #[cold]
    fn grow(&mut self, needed: usize) -> Result<(), Refusal> {
        self.memory
            .resize(needed + needed / 2 + Growing::STEP)
            .map_err(|full| Refusal::memory(&full, self.retry_after))
    }

    #[inline]
    pub(crate) fn float(&mut self, sample: Float) {
        self.batch.float(sample);
    }

    pub(crate) fn histogram(&mut self, sample: HistogramSample) {
        self.batch.histogram(sample);
    }

    /// Adds an exemplar, if its labels are not too long.
    pub(crate) fn exemplar(&mut self, exemplar: Exemplar, context: &Context) {
        let chars = |text: &str| text.chars().count();
        let length: usize =
            exemplar.labels.iter().map(|(name, value)| chars(name) + chars(value)).sum();
        if length > context.limits.exemplar_chars_max {
            self.rejections.add(Invalid::Exemplar, 1, || exemplar.labels.to_string());
            return;
        }
        self.batch.exemplar(exemplar);
    }

    /// The batch; its memory covers it alone, the body being gone.
    pub(crate) fn finish(self) -> Decoded {
        let Growing { batch, rejections, mut memory, .. } = self;
        // Cannot fail but when this is more than was counted, and then it is taken anyway.
        if memory.resize(batch.size_bytes()).is_err() {
            let more = batch.size_bytes().saturating_sub(memory.bytes());
            let more = memory.budget().force(more);
            memory.merge(more);
        }
        Decoded { batch, memory, rejections }
    }
}
