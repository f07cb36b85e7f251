//! Blocks of metrics on an object store: what was acknowledged is there exactly once, through kills
//! and while the store refuses requests.

#[path = "../../../storage/tests/support/s3.rs"]
mod s3;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e::prometheus::{get, now_ms, value};
use e2e::random::seeded;
use e2e::remote_write::{Series, write};
use e2e::server::{Server, Setup};
use e2e::until;
use hyper::Method;
use s3::S3;

const SERIES: usize = 20;
/// Between two samples of a series.
const STEP_MS: i64 = 10_000;
/// Samples of an hour, which is three blocks.
const HOUR: i64 = 360;
/// What a block covers.
const BLOCK_MS: i64 = 20 * 60_000;
/// Series of one block that is larger than what is written in one request, and their samples.
const MANY: usize = 12_000;
const MANY_SAMPLES: i64 = 118;

/// What the store has seen and what it refuses.
#[derive(Debug, Default)]
struct Store {
    /// Of what would change blocks, so many requests are still refused: the next ones, and by chance
    /// one that comes later.
    refusals: AtomicUsize,
    /// All that is about blocks is refused.
    away: AtomicBool,
    in_parts: AtomicUsize,
}

impl Store {
    fn refuses(&self, method: &Method, key: &str, random: &mut impl rand::Rng) -> Option<bool> {
        let many = key.is_empty() && method == Method::POST;
        if !key.contains("/blocks/") && !many {
            return None;
        }
        if method == Method::POST && key.ends_with("/data") {
            self.in_parts.fetch_add(1, Ordering::SeqCst);
        }
        if self.away.load(Ordering::SeqCst) {
            return Some(false);
        }
        let changes = ![Method::GET, Method::HEAD].contains(method);
        let left = self.refusals.load(Ordering::SeqCst);
        if left == 0 || !changes || (left == 1 && random.random_bool(0.5)) {
            return None;
        }
        self.refusals.store(left - 1, Ordering::SeqCst);
        Some(random.random_bool(0.5))
    }
}

/// A server whose blocks are on S3, and what was written to it.
struct Written {
    server: Server,
    s3: S3,
    start: i64,
    /// Samples of each series, one after the other from 1 on.
    samples: i64,
    /// A series that is no longer written.
    deleted: Option<usize>,
}

impl Written {
    async fn start(store: &Arc<Store>, seed: u64) -> Written {
        let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
        let asked = Arc::clone(store);
        let s3 = S3::start(move |method, key| asked.refuses(method, key, &mut random)).await;
        let (url, options) = s3.place();
        let options: Vec<String> =
            options.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
        let setup = Setup::new().set("storage.url", url);
        let setup = setup.set("storage.options", format!("{{{}}}", options.join(", ")));
        let start = (now_ms() - 6 * 3_600_000) / BLOCK_MS * BLOCK_MS;
        Written { server: setup.start().await, s3, start, samples: 0, deleted: None }
    }

    async fn send(&self, series: &[Series]) {
        let reply = write(self.server.http(), &self.server.prometheus(), series).await;
        let reply = reply.expect("an answer");
        assert!(reply.is_success(), "{}: {}", reply.status, reply.text());
    }

    /// An hour of samples of every series, the values counting up.
    async fn write_an_hour(&mut self) {
        let numbers = self.samples + 1..=self.samples + HOUR;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let samples: Vec<(i64, f64)> =
            numbers.map(|number| (self.start + number * STEP_MS, number as f64)).collect();
        let series: Vec<Series> = (0..SERIES)
            .filter(|index| Some(*index) != self.deleted)
            .map(|index| Series::new("s3_total", &[("series", &index.to_string())], &samples))
            .collect();
        self.send(&series).await;
        self.samples += HOUR;
    }

    /// Many series whose values have no pattern, before all others: they lie in the first block.
    async fn write_many(&self, random: &mut impl rand::Rng) {
        for part in (0..MANY).collect::<Vec<_>>().chunks(2_000) {
            let series = part.iter().map(|index| {
                let samples: Vec<(i64, f64)> = (1..=MANY_SAMPLES)
                    .map(|number| (self.start + number * STEP_MS, random.random_range(1.0..2.0)))
                    .collect();
                Series::new("s3_many", &[("series", &index.to_string())], &samples)
            });
            self.send(&series.collect::<Vec<_>>()).await;
        }
    }

    fn blocks(&self) -> usize {
        self.s3.keys().iter().filter(|key| key.ends_with("/meta.json")).count()
    }

    async fn wait_for_blocks(&self, more_than: usize) {
        until("another block", async || {
            let blocks = self.blocks();
            if blocks > more_than { Ok(()) } else { Err(blocks) }
        })
        .await;
    }

    async fn kill_and_start_again(&mut self) {
        self.server.kill().await;
        self.server.start_again().await;
    }

    async fn ask(&self, query: &str) -> f64 {
        let at = self.start + self.samples * STEP_MS;
        let found = value(self.server.http(), &self.server.prometheus(), query, at).await;
        found.unwrap_or_else(|error| panic!("{query}: {error:#}"))
    }

    /// Every sample is there, once.
    async fn check(&self, series: usize) {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (count, sum, series) =
            (self.samples as f64, (self.samples * (self.samples + 1) / 2) as f64, series as f64);
        for (query, expect) in [
            ("count(count_over_time(s3_total[12h]))", series),
            ("min(count_over_time(s3_total[12h]))", count),
            ("max(count_over_time(s3_total[12h]))", count),
            ("min(sum_over_time(s3_total[12h]))", sum),
            ("max(sum_over_time(s3_total[12h]))", sum),
        ] {
            let found = self.ask(query).await;
            assert!((found - expect).abs() < 0.5, "{query}: {found}, expected {expect}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_in_blocks_on_s3_survive_kills_and_refusals() {
    let (seed, mut random) = seeded();
    let store = Arc::new(Store::default());
    let mut written = Written::start(&store, seed).await;
    written.write_many(&mut random).await;
    written.write_an_hour().await;
    written.wait_for_blocks(0).await;
    written.kill_and_start_again().await;
    written.check(SERIES).await;
    assert!(store.in_parts.load(Ordering::SeqCst) > 0, "no block was written in parts");

    // Writes and removals fail, and the server is killed as soon as there is a block all the same.
    store.refusals.store(2, Ordering::SeqCst);
    let before = written.blocks();
    written.write_an_hour().await;
    until("refusals and then a block", async || {
        let (left, blocks) = (store.refusals.load(Ordering::SeqCst), written.blocks());
        if left < 2 && blocks > before { Ok(()) } else { Err((left, blocks)) }
    })
    .await;
    store.refusals.store(0, Ordering::SeqCst);
    written.kill_and_start_again().await;
    written.check(SERIES).await;

    // Deleting writes blocks anew; what fails is asked for again.
    let admin = async |path: &str| {
        let url = format!("{}/api/v1/admin/tsdb/{path}", written.server.prometheus());
        until(path, async || {
            let answer =
                written.server.http().post(&url).send().await.map_err(|e| e.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await;
    };
    store.refusals.store(3, Ordering::SeqCst);
    admin("delete_series?match[]=s3_total{series=\"7\"}").await;
    admin("clean_tombstones").await;
    written.deleted = Some(7);
    written.kill_and_start_again().await;
    written.check(SERIES - 1).await;

    // Out of reach: samples are taken, questions get an error and not a part of an answer.
    store.away.store(true, Ordering::SeqCst);
    written.write_an_hour().await;
    let base = written.server.prometheus();
    let at = ((written.start + written.samples * STEP_MS) / 1_000).to_string();
    let question = [("query", "count(stddev_over_time(s3_many[12h]))"), ("time", at.as_str())];
    let (status, answer) =
        get(written.server.http(), &base, "query", &question).await.expect("an answer");
    assert!(status >= 500 && answer["status"] == "error", "{status}: {answer}");
    assert!(written.server.stop().await.success(), "{}", written.server.log());
    store.away.store(false, Ordering::SeqCst);
    written.server.start_again().await;
    written.check(SERIES - 1).await;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let many = (MANY as i64 * MANY_SAMPLES) as f64;
    let found = written.ask("sum(count_over_time(s3_many[12h]))").await;
    assert!((found - many).abs() < 0.5, "{found} of {many}");
}
