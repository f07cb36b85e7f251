//! Traffic for the fraud API: a steady stream of transactions as a shop would send them, most
//! honest, some odd, some fraud, and now and then a request that is slow or fails.
//!
//! Bounded in requests in flight, in memory, in time and in number as asked for. The same seed
//! sends the same requests in the same order; when they are sent and answered is the world's.

mod events;
mod guests;
mod report;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use stdx::clock::Stopwatch;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
pub use events::run_events;
pub use guests::run_guests;
pub use report::{Latencies, LoadReport};
pub use traffic::Mix;
use traffic::{Call, Traffic};

/// What traffic to send.
#[derive(Debug, Clone, Args)]
pub struct LoadOptions {
    /// Address of the fraud API.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub target: String,
    /// How many users there are.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub users: u64,
    /// Requests a second, on average.
    #[arg(long = "rps", value_name = "N", default_value_t = 20.0)]
    pub requests_per_second: f64,
    /// Stop after this many seconds; without, at the first Ctrl-C.
    #[arg(long = "duration", value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Stop after this many requests.
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,
    /// Seed of users, amounts and order.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// What kinds of requests, in percent.
    #[command(flatten)]
    pub mix: Mix,
    /// Most requests in flight; those that find no place are skipped and counted.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub concurrency: usize,
    /// Fail when 95 % of the answers are not there within this many milliseconds.
    #[arg(long, value_name = "MS")]
    pub p95_ms_max: Option<f64>,
    /// Wait this many seconds for the API to become ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait_seconds: u64,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            target: format!("http://127.0.0.1:{}", crate::FRAUD_API_PORT),
            users: 500,
            requests_per_second: 20.0,
            duration: None,
            requests: None,
            seed: 42,
            mix: Mix::default(),
            concurrency: 256,
            p95_ms_max: None,
            wait_seconds: 30,
        }
    }
}

/// Longest that a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Sends traffic until `shutdown`, or as long and as much as `options` say. Requests that fail are
/// counted, not errors of this function.
pub async fn run(options: LoadOptions, shutdown: CancellationToken) -> Result<LoadReport, Error> {
    let client = connect(&options, &shutdown).await?;
    let (outcomes, received) = mpsc::channel(1024);
    let collected = tokio::join!(
        send_all(&client, &options, &shutdown, outcomes),
        report::collect(received, options.p95_ms_max),
    );
    let (sent, mut report) = collected;
    report.skipped = sent.skipped;
    report.elapsed = sent.elapsed;
    Ok(report)
}

struct Sent {
    skipped: u64,
    elapsed: Duration,
}

async fn send_all(
    client: &reqwest::Client,
    options: &LoadOptions,
    shutdown: &CancellationToken,
    outcomes: mpsc::Sender<report::Outcome>,
) -> Sent {
    let stopwatch = Stopwatch::start();
    let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
    let mut traffic = Traffic::new(options);
    let mut arrivals = Arrivals::new(options);
    let mut flying = JoinSet::new();
    let mut skipped = 0;
    let until = options.duration.unwrap_or(Duration::MAX);
    while arrivals.more() && stopwatch.elapsed() < until {
        let call = traffic.next_call();
        match Arc::clone(&places).try_acquire_owned() {
            Err(_) => skipped += 1,
            Ok(place) => {
                let (client, outcomes) = (client.clone(), outcomes.clone());
                let target = options.target.clone();
                flying.spawn(async move {
                    let outcome = send(&client, &target, &call).await;
                    drop(place);
                    // The receiver lives until every sender is gone.
                    drop(outcomes.send(outcome).await);
                });
            }
        }
        while flying.try_join_next().is_some() {}
        let left = until.saturating_sub(stopwatch.elapsed());
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(arrivals.wait(stopwatch.elapsed()).min(left)) => {}
        }
    }
    drop(outcomes);
    let finished =
        tokio::time::timeout(ANSWER_WITHIN, async { while flying.join_next().await.is_some() {} });
    drop(finished.await);
    Sent { skipped, elapsed: stopwatch.elapsed() }
}

/// When the next request is due: a Poisson process, as of many users who know nothing of each
/// other, at a steady rate.
struct Arrivals {
    rng: StdRng,
    rate: f64,
    due: Duration,
    left: Option<u64>,
}

impl Arrivals {
    fn new(options: &LoadOptions) -> Arrivals {
        Arrivals {
            rng: StdRng::seed_from_u64(options.seed ^ 0x5eed),
            rate: options.requests_per_second.max(0.01),
            due: Duration::ZERO,
            left: options.requests,
        }
    }

    /// Counts a request; false when there are to be no more.
    fn more(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// How long to wait for the next; none when it is overdue.
    fn wait(&mut self, elapsed: Duration) -> Duration {
        let gap = -(1.0 - self.rng.random::<f64>()).ln() / self.rate;
        self.due += Duration::from_secs_f64(gap.min(60.0));
        self.due.saturating_sub(elapsed)
    }
}

async fn send(client: &reqwest::Client, target: &str, call: &Call) -> report::Outcome {
    let stopwatch = Stopwatch::start();
    let url = format!("{}{}", target.trim_end_matches('/'), call.path);
    let mut request = client.request(call.method.clone(), url);
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    if let Some(body) = &call.body {
        request = request.json(body);
    }
    let Ok(response) = request.send().await else {
        return report::Outcome { status: None, latency: stopwatch.elapsed(), decision: None };
    };
    let status = response.status().as_u16();
    let body: Option<serde_json::Value> = response.json().await.ok();
    let text = |key| body.as_ref().and_then(|body| body.get(key)?.as_str()).map(str::to_owned);
    let decision = text("decision").or_else(|| {
        let risk = text("risk_level")?;
        Some(match risk.as_str() {
            "low" => "approve".to_owned(),
            "medium" => "review".to_owned(),
            _ => "block".to_owned(),
        })
    });
    report::Outcome { status: Some(status), latency: stopwatch.elapsed(), decision }
}

/// A client for the target, as soon as that is ready.
async fn connect(
    options: &LoadOptions,
    shutdown: &CancellationToken,
) -> Result<reqwest::Client, Error> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .user_agent("trefoil-load/1.0")
        .build()
        .map_err(Error::HttpClient)?;
    let stopwatch = Stopwatch::start();
    let url = format!("{}/health/ready", options.target.trim_end_matches('/'));
    while !shutdown.is_cancelled() {
        let answer = client.get(&url).timeout(Duration::from_secs(1)).send().await;
        if answer.is_ok_and(|response| response.status().is_success()) {
            break;
        }
        if stopwatch.elapsed().as_secs() >= options.wait_seconds {
            let (target, seconds) = (options.target.clone(), options.wait_seconds);
            return Err(Error::TargetNotReady { target, seconds });
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    Ok(client)
}
