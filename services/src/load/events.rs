//! Traffic for the ingest pipeline: events of visitors, in order, drawn from a seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use stdx::clock::Stopwatch;
use tokio_util::sync::CancellationToken;

use super::{Arrivals, LoadOptions, connect};
use crate::error::Error;

const KINDS: [&str; 6] = ["page_view", "page_view", "page_view", "search", "booking", "payment"];

/// Sends events to the ingest API at `target`, on average so many a second, until `shutdown`.
pub async fn run_events(
    target: &str,
    requests_per_second: f64,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let options = LoadOptions {
        target: target.trim_end_matches('/').to_owned(),
        requests_per_second,
        ..LoadOptions::default()
    };
    let client = connect(&options, &shutdown).await?;
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut arrivals = Arrivals::new(&options);
    let stopwatch = Stopwatch::start();
    for number in 0_u64.. {
        let request = next_request(&mut rng, number, &client, &options.target);
        tokio::select! {
            () = shutdown.cancelled() => break,
            // An event that does not get through is the API's to count.
            answer = request.send() => drop(answer),
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(arrivals.wait(stopwatch.elapsed())) => {}
        }
    }
    Ok(())
}

fn next_request(
    rng: &mut StdRng,
    number: u64,
    client: &reqwest::Client,
    target: &str,
) -> reqwest::RequestBuilder {
    if number.is_multiple_of(20) {
        return client.get(format!("{target}/health"));
    }
    let mut event = json!({
        "event_id": format!("evt-{:016x}", rng.random::<u64>()),
        "kind": KINDS.choose(rng),
        "payload": {"visitor": rng.random_range(1..500), "page": rng.random_range(1..40)},
    });
    let mut request = client.post(format!("{target}/ingest"));
    match rng.random_range(0..100) {
        // What only the consumer finds out.
        0 | 1 => event["payload"] = json!("nothing"),
        2 => event["kind"] = json!("rumour"),
        3 => request = request.header("x-fault", "model-error"),
        4 => request = request.header("x-fault", "slow-model"),
        5 => event["event_id"] = json!(""),
        _ => {}
    }
    request.json(&event)
}
