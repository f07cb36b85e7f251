//! Sends from a queue to its destination.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use model::metric::Batch;
use rand::{Rng as _, SeedableRng as _};
use reqwest::{Method, Url};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use xxhash_rust::xxh3::xxh3_64;

use super::Destination;
use super::queue::Position;
use crate::metrics::MetricLimits;
use crate::outgoing::describe;
use crate::remote::{compress, decode_write, encode};

pub(super) async fn run(destination: Arc<Destination>, seed: u64, stop: CancellationToken) {
    let mut shards = destination.config.queue.min_shards;
    loop {
        let filled = destination.filled.notified();
        let taken = match take(&destination, shards) {
            Ok(taken) => taken,
            Err(error) => {
                warn!(destination = destination.name, %error, "queue not read");
                None
            }
        };
        let Some(taken) = taken else {
            shards = destination.config.queue.min_shards;
            tokio::select! {
                () = stop.cancelled() => return,
                () = filled => {}
            }
            // Others may come that can go along.
            let pause = destination.config.queue.batch_send_deadline;
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            continue;
        };
        // More comes than goes: send more at a time.
        if taken.is_full {
            shards = (shards * 2).min(destination.config.queue.max_shards);
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        metrics::gauge!("trefoil_forward_shards", "destination" => destination.name.clone())
            .set(shards as f64);
        let sent = send_all(&destination, taken.parts, seed);
        if stop.run_until_cancelled(sent).await.is_none() {
            return;
        }
        let mut queue = destination.queue.lock();
        if let Err(error) = queue.advance(taken.next) {
            warn!(destination = destination.name, %error, "what was sent is not noted");
        }
        destination.count(&queue);
        drop(queue);
        destination.lag(taken.newest);
    }
}

/// What is sent next.
struct Taken {
    /// Requests that may go at the same time: no series is in two of them.
    parts: Vec<Vec<Batch>>,
    next: Position,
    newest: i64,
    /// There is more.
    is_full: bool,
}

fn take(destination: &Destination, shards: u64) -> std::io::Result<Option<Taken>> {
    let queue_settings = &destination.config.queue;
    let per_send = usize::try_from(queue_settings.max_samples_per_send).unwrap_or(usize::MAX);
    let shards = usize::try_from(shards).unwrap_or(1).max(1);
    let most = per_send.saturating_mul(shards);
    let (mut at, mut samples, mut newest) = (destination.queue.lock().start(), 0, 0);
    let mut bodies = Vec::new();
    while samples < most {
        let Some(record) = destination.queue.lock().read(at)? else { break };
        at = record.next;
        samples += usize::try_from(record.samples).unwrap_or(0);
        newest = newest.max(record.newest);
        bodies.push(record.body);
    }
    if bodies.is_empty() {
        return Ok(None);
    }
    let mut parts: Vec<Part> = (0..shards).map(|_| Part::new(per_send)).collect();
    for body in bodies {
        match decode(destination, &body) {
            Ok(batch) => split(destination, &batch, &mut parts),
            Err(error) => {
                warn!(destination = destination.name, error, "a record of the queue is lost");
            }
        }
    }
    let parts = parts.into_iter().map(Part::close).filter(|part| !part.is_empty()).collect();
    Ok(Some(Taken { parts, next: at, newest, is_full: samples >= most }))
}

fn decode(destination: &Destination, body: &[u8]) -> Result<Batch, String> {
    let body = snap::raw::Decoder::new().decompress_vec(body).map_err(|e| e.to_string())?;
    let limits = MetricLimits::default();
    // What is read from disk to be sent was counted when it was written; this is a small part.
    let memory = destination.memory.force(body.len());
    let decoded = decode_write(destination.version, &body, &limits, memory);
    decoded.map(|(batch, _)| batch).map_err(|error| error.to_string())
}

/// Requests of one shard.
struct Part {
    full: Vec<Batch>,
    open: Batch,
    samples_max: usize,
}

impl Part {
    fn new(samples_max: usize) -> Part {
        Part { full: Vec::new(), open: Batch::new(), samples_max }
    }

    fn room(&mut self) -> &mut Batch {
        if self.open.samples_len() >= self.samples_max {
            self.full.push(std::mem::take(&mut self.open));
        }
        &mut self.open
    }

    fn close(mut self) -> Vec<Batch> {
        if !self.open.is_empty() {
            self.full.push(self.open);
        }
        self.full
    }
}

/// Gives series to shards; samples that are too old go.
fn split(destination: &Destination, batch: &Batch, parts: &mut [Part]) {
    let age_limit = destination.config.queue.sample_age_limit;
    let oldest = if age_limit.is_zero() {
        i64::MIN
    } else {
        let now = destination.clock.now().div_euclid(1_000_000);
        now - i64::try_from(age_limit.as_millis()).unwrap_or(i64::MAX)
    };
    let mut too_old = 0;
    let shards = u64::try_from(parts.len()).unwrap_or(1).max(1);
    for series in batch.series() {
        let shard = usize::try_from(xxh3_64(series.labels) % shards).unwrap_or(0);
        let Some(part) = parts.get_mut(shard) else { continue };
        let into = part.room();
        into.begin();
        into.canonical_labels(series.labels);
        let mut kept = series.exemplars.len();
        for float in series.floats {
            if float.timestamp < oldest {
                too_old += 1;
            } else {
                into.float(*float);
                kept += 1;
            }
        }
        for histogram in series.histograms {
            if histogram.timestamp < oldest {
                too_old += 1;
            } else {
                into.histogram(histogram.clone());
                kept += 1;
            }
        }
        series.exemplars.iter().for_each(|exemplar| into.exemplar(exemplar.clone()));
        if kept == 0 {
            into.undo();
        }
    }
    if let Some(part) = parts.first_mut() {
        batch.all_metadata().iter().for_each(|one| part.open.metadata(one.clone()));
    }
    if too_old > 0 {
        destination.dropped("too_old", too_old);
    }
}

async fn send_all(destination: &Arc<Destination>, parts: Vec<Vec<Batch>>, seed: u64) {
    let stop = CancellationToken::new();
    // Requests end with this future.
    let _guard = stop.clone().drop_guard();
    let mut tasks = Vec::new();
    for (shard, part) in parts.into_iter().enumerate() {
        let destination = Arc::clone(destination);
        let seed = seed ^ u64::try_from(shard).unwrap_or(0);
        tasks.push(stdx::task::spawn("forward shard", &stop, async move {
            for batch in part {
                destination.send(&batch, seed).await;
            }
        }));
    }
    for task in tasks {
        if let Err(error) = task.await {
            warn!(destination = destination.name, %error, "a request was lost");
        }
    }
}

enum Answer {
    Taken,
    /// It never will be.
    Refused(String),
    /// Later, perhaps.
    Later(String, Option<Duration>),
}

impl Destination {
    /// Sends until the destination takes or refuses it.
    async fn send(&self, batch: &Batch, seed: u64) {
        let queue = &self.config.queue;
        let samples = u64::try_from(batch.samples_len()).unwrap_or(0);
        let body = compress(&encode(self.version, batch));
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut pause = queue.min_backoff;
        let counter =
            |name: &'static str| metrics::counter!(name, "destination" => self.name.clone());
        loop {
            match self.try_send(body.clone()).await {
                Answer::Taken => {
                    counter("trefoil_forward_samples_sent_total").increment(samples);
                    return;
                }
                Answer::Refused(error) => {
                    self.dropped("refused", samples);
                    warn!(destination = self.name, samples, error, "samples refused");
                    return;
                }
                Answer::Later(error, wait) => {
                    counter("trefoil_forward_samples_retried_total").increment(samples);
                    debug!(destination = self.name, samples, error, "sending again");
                    let spread = pause.mul_f64(random.random_range(0.8..1.2));
                    tokio::time::sleep(wait.unwrap_or(spread)).await;
                    pause = (pause * 2).min(queue.max_backoff);
                }
            }
        }
    }

    async fn try_send(&self, body: Vec<u8>) -> Answer {
        let url = match Url::parse(&self.config.url) {
            Ok(url) => url,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        let request = self.outgoing.request(Method::POST, url, self.config.timeout).await;
        let mut request = match request {
            Ok(request) => request,
            Err(error) => return Answer::Later(error.to_string(), None),
        };
        for (name, value) in &self.config.headers {
            request = request.header(name, value);
        }
        let request = request
            .header(CONTENT_ENCODING, "snappy")
            .header(CONTENT_TYPE, self.version.content_type())
            .header("X-Prometheus-Remote-Write-Version", self.version.number())
            .body(body);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Answer::Later(describe(&error), None),
        };
        let status = answer.status();
        if status.is_success() {
            return Answer::Taken;
        }
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let mut text = answer.text().await.unwrap_or_default();
        text.truncate(text.floor_char_boundary(256));
        let error = format!("server returned HTTP status {status}: {text}");
        let limited = status == http::StatusCode::TOO_MANY_REQUESTS;
        if status.is_server_error() || (limited && self.config.queue.retry_on_rate_limit) {
            return Answer::Later(error, wait);
        }
        Answer::Refused(error)
    }

    fn lag(&self, newest: i64) {
        let now = self.clock.now().div_euclid(1_000_000);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a lag")]
        metrics::gauge!("trefoil_forward_lag_seconds", "destination" => self.name.clone())
            .set((now - newest).max(0) as f64 / 1_000.0);
    }
}
