//! One target: waits for its moment, scrapes, writes.

use std::sync::Arc;
use std::time::Duration;

use model::metric::{Batch, Labels, Metadata};
use parking_lot::Mutex;
use stdx::clock::{Stopwatch, UnixNanos};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Shared;
use super::cache::Cache;
use super::fetch::{self, NoPage, Page};
use super::page::{self, Counts, Reading, Report};
use super::pool::{Pool, Settings};
use super::state::Health;
use super::target::Target;
use crate::exposition;
use crate::metric_sink::MetricWrite;

/// Why a target is scraped no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is gone: its series end.
    Vanished,
    /// This program goes away: its series stay as they are.
    Shutdown,
}

/// A target that is scraped, as others see it.
#[derive(Debug)]
pub(super) struct Running {
    target: Mutex<Arc<Target>>,
    /// The target has other times now.
    changed: Notify,
    stop: CancellationToken,
    end: Mutex<End>,
    pub(super) last: Mutex<Last>,
}

/// How the last scrape was.
#[derive(Debug, Clone, Default)]
pub(super) struct Last {
    pub(super) health: Health,
    pub(super) error: String,
    pub(super) at: UnixNanos,
    pub(super) duration: Duration,
    pub(super) metadata: Arc<Vec<Metadata>>,
}

impl Running {
    pub(super) fn new(target: Target) -> Arc<Running> {
        Arc::new(Running {
            target: Mutex::new(Arc::new(target)),
            changed: Notify::new(),
            stop: CancellationToken::new(),
            end: Mutex::new(End::Shutdown),
            last: Mutex::default(),
        })
    }

    pub(super) fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target.lock())
    }

    /// The same target as discovered or timed another way.
    pub(super) fn update(&self, target: Target) {
        let mut held = self.target.lock();
        if **held != target {
            *held = Arc::new(target);
            self.changed.notify_one();
        }
    }

    /// Comes back when this program goes away. A target that is gone gets to the end of its scrape.
    async fn shut_down(&self) {
        self.stop.cancelled().await;
        let end = *self.end.lock();
        if end == End::Vanished {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn stop(&self, end: End) {
        *self.end.lock() = end;
        self.stop.cancel();
    }
}

/// Scrapes until it is told to stop.
pub(super) async fn run(shared: Arc<Shared>, pool: Arc<Pool>, running: Arc<Running>) {
    let mut memory = Memory::default();
    loop {
        let target = running.target();
        let setup = &shared.setup;
        let scheduled = next(setup.clock.now(), &target, setup.seed);
        let wait = u64::try_from(scheduled - setup.clock.now()).unwrap_or(0);
        tokio::select! {
            () = running.stop.cancelled() => break,
            () = running.changed.notified() => continue,
            () = tokio::time::sleep(Duration::from_nanos(wait)) => {}
        }
        let settings = pool.settings();
        let scrape = scrape(&shared, &settings, &running, &mut memory, scheduled);
        tokio::select! {
            () = running.shut_down() => break,
            () = scrape => {}
        }
    }
    let end = *running.end.lock();
    if end == End::Vanished {
        end_target(&shared, &pool.settings(), &running, memory).await;
    }
}

/// What a target's task keeps from scrape to scrape.
#[derive(Debug, Default)]
struct Memory {
    cache: Cache,
    batch: Batch,
    report: Vec<Labels>,
    /// Of the report's labels.
    report_generation: u64,
}

/// The next moment after `now` at which the target is scraped.
fn next(now: UnixNanos, target: &Target, seed: u64) -> UnixNanos {
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let interval = nanos(target.interval).max(1);
    let offset = nanos(target.offset(seed));
    now - (now - offset).rem_euclid(interval) + interval
}

/// The timestamp of the samples, milliseconds: the planned one when it is almost kept, because
/// equal distances compress well.
fn timestamp(now: UnixNanos, scheduled: UnixNanos, interval: Duration) -> i64 {
    let tolerance = (interval / 100).min(Duration::from_millis(2));
    let late = now.abs_diff(scheduled);
    let at = if u128::from(late) <= tolerance.as_nanos() { scheduled } else { now };
    at.div_euclid(1_000_000)
}

async fn scrape(
    shared: &Shared,
    settings: &Arc<Settings>,
    running: &Running,
    memory: &mut Memory,
    scheduled: UnixNanos,
) {
    let setup = &shared.setup;
    let target = running.target();
    let Ok(_turn) = shared.turns.acquire().await else { return };
    let now = setup.clock.now();
    let at = timestamp(now, scheduled, target.interval);
    let watch = Stopwatch::start();
    let refusal = settings.refusal.lock().clone();
    let page = match refusal {
        Some(error) => Err(NoPage::Other(error)),
        None => {
            let max = setup.options.body_bytes_max;
            fetch::fetch(&settings.outgoing, &settings.job, &target, max, &setup.memory).await
        }
    };
    let took = watch.elapsed();
    let taken = take(setup, settings, &target, memory, page, at).await;
    let Taken { counts, body_bytes, error, metadata } = taken;
    prepare_report(memory, settings, &target);
    let report = Report { up: error.is_none(), seconds: took.as_secs_f64(), counts, body_bytes };
    report.append(&settings.job, target.timeout, &memory.report, at, &mut memory.batch);
    {
        let mut last = running.last.lock();
        last.health = if error.is_none() { Health::Up } else { Health::Down };
        last.error = error.clone().unwrap_or_default();
        last.at = now;
        last.duration = took;
        if let Some(metadata) = metadata {
            last.metadata = Arc::new(metadata);
        }
    }
    if let Some(error) = &error {
        debug!(job = settings.job.name, target = target.url.as_str(), error, "scrape failed");
    }
    if counts.duplicates > 0 {
        debug!(
            job = settings.job.name,
            target = target.url.as_str(),
            count = counts.duplicates,
            "page has series twice"
        );
    }
    let outcome = if error.is_none() { "ok" } else { "failed" };
    metrics::counter!("trefoil_scrape_scrapes_total", "outcome" => outcome).increment(1);
    metrics::histogram!("trefoil_scrape_duration_seconds").record(took.as_secs_f64());
    write(shared, settings, &target, &mut memory.batch).await;
}

fn prepare_report(memory: &mut Memory, settings: &Settings, target: &Target) {
    if memory.report.is_empty() || memory.report_generation != settings.generation {
        memory.report = page::report_labels(&settings.job, &target.labels);
        memory.report_generation = settings.generation;
    }
}

struct Taken {
    counts: Counts,
    body_bytes: i64,
    error: Option<String>,
    metadata: Option<Vec<Metadata>>,
}

/// Pages of more bytes than this are read on a thread of their own.
const BLOCKING_BYTES: usize = 128 << 10;

/// Reads the page into the batch: all of it, or only the ends of what was there.
async fn take(
    setup: &super::Setup,
    settings: &Arc<Settings>,
    target: &Arc<Target>,
    memory: &mut Memory,
    page: Result<Page, NoPage>,
    at: i64,
) -> Taken {
    memory.batch.clear();
    let page = match page {
        Ok(page) => page,
        Err(no_page) => {
            let Memory { cache, batch, .. } = memory;
            cache.end_all(|labels| page::end_series(labels, at, batch));
            let body_bytes = if no_page == NoPage::TooLarge { -1 } else { 0 };
            let error = Some(no_page.text());
            return Taken { counts: Counts::default(), body_bytes, error, metadata: None };
        }
    };
    let parser = exposition::Options {
        start_timestamps: setup.options.start_timestamps,
        classic_histograms: settings.job.always_classic_histograms,
        no_native_histograms: !settings.job.native_histograms,
        ..exposition::Options::default()
    };
    let large = page.body.len() > BLOCKING_BYTES;
    let mut cache = std::mem::take(&mut memory.cache);
    let mut batch = std::mem::take(&mut memory.batch);
    let (settings, target) = (Arc::clone(settings), Arc::clone(target));
    let read = move || {
        let job = &settings.job;
        let reading = Reading { job, target: &target.labels, timestamp: at, parser };
        let taken = take_page(&reading, &page, settings.generation, &mut cache, &mut batch);
        (taken, cache, batch)
    };
    let done = if large { tokio::task::spawn_blocking(read).await.ok() } else { Some(read()) };
    match done {
        Some((taken, cache, batch)) => {
            memory.cache = cache;
            memory.batch = batch;
            taken
        }
        None => Taken {
            counts: Counts::default(),
            body_bytes: 0,
            error: Some("reading the page was cancelled".to_owned()),
            metadata: None,
        },
    }
}

fn take_page(
    reading: &Reading<'_>,
    page: &Page,
    generation: u64,
    cache: &mut Cache,
    batch: &mut Batch,
) -> Taken {
    let Page { body, format, memory: _ } = page;
    cache.begin(generation);
    let (counts, result) = reading.append(body, *format, cache, batch);
    let body_bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
    match result {
        Ok(()) => {
            let metadata = page::append_metadata(cache, batch);
            cache.commit(|labels| page::end_series(labels, reading.timestamp, batch));
            Taken { counts, body_bytes, error: None, metadata }
        }
        Err(error) => {
            batch.clear();
            cache.end_all(|labels| page::end_series(labels, reading.timestamp, batch));
            let counts = Counts { added: 0, ..counts };
            Taken { counts, body_bytes, error: Some(error), metadata: None }
        }
    }
}

async fn write(shared: &Shared, settings: &Settings, target: &Target, batch: &mut Batch) {
    let setup = &shared.setup;
    let samples = batch.samples_len();
    // The batch is there already; counting it late is better than losing the scrape.
    let memory = setup.memory.force(batch.size_bytes());
    let sent = std::mem::take(batch);
    let write = MetricWrite { tenant: setup.tenant.clone(), batch: sent, memory };
    match setup.sink.write(write).await {
        Ok(written) => {
            metrics::counter!("trefoil_scrape_samples_total")
                .increment(u64::try_from(written.floats + written.histograms).unwrap_or(0));
            for rejection in &written.rejected {
                let count = u64::try_from(rejection.count).unwrap_or(0);
                let reason = rejection.reason.clone();
                metrics::counter!("trefoil_scrape_samples_rejected_total", "reason" => reason)
                    .increment(count);
                debug!(
                    job = settings.job.name,
                    target = target.url.as_str(),
                    reason = rejection.reason,
                    count,
                    example = rejection.example,
                    "samples rejected"
                );
            }
        }
        Err(error) => {
            metrics::counter!("trefoil_scrape_samples_lost_total")
                .increment(u64::try_from(samples).unwrap_or(0));
            warn!(
                job = settings.job.name,
                target = target.url.as_str(),
                samples,
                %error,
                "scrape not stored"
            );
        }
    }
}

/// Ends all series of a target that is gone.
async fn end_target(shared: &Shared, settings: &Settings, running: &Running, mut memory: Memory) {
    let target = running.target();
    let at = shared.setup.clock.now().div_euclid(1_000_000);
    let batch = &mut memory.batch;
    batch.clear();
    memory.cache.end_all(|labels| page::end_series(labels, at, batch));
    for labels in &memory.report {
        page::end_series(labels, at, batch);
    }
    if !batch.is_empty() {
        write(shared, settings, &target, batch).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_that_is_almost_kept_is_kept() {
        let ms = 1_000_000;
        let second = Duration::from_secs(1);
        assert_eq!(timestamp(10_001 * ms, 10_000 * ms, second), 10_000);
        assert_eq!(timestamp(10_003 * ms, 10_000 * ms, second), 10_003);
        assert_eq!(timestamp(10_001 * ms, 10_000 * ms, Duration::from_millis(50)), 10_001);
    }
}
