//! Traffic for the pricing service: guests who ask for prices, and accept them or not.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use stdx::clock::Stopwatch;
use tokio_util::sync::CancellationToken;

use super::{Arrivals, LoadOptions, connect};
use crate::error::Error;
use crate::pricing::PROPERTIES;

/// Outcomes that are told at a time.
const TOLD_TOGETHER: usize = 8;

/// Asks for prices at `target`, on average so many times a second, until `shutdown`. One guest
/// comes after the other: what is behind time is not made up for by asking faster than that.
pub async fn run_guests(
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
    let mut guests = Guests {
        rng: StdRng::seed_from_u64(options.seed),
        client,
        target: options.target.clone(),
        outcomes: Vec::new(),
        asked: 0,
    };
    let mut arrivals = Arrivals::new(&options);
    let stopwatch = Stopwatch::start();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = guests.next() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(arrivals.wait(stopwatch.elapsed())) => {}
        }
    }
}

struct Guests {
    rng: StdRng,
    client: reqwest::Client,
    target: String,
    outcomes: Vec<Value>,
    asked: u64,
}

impl Guests {
    async fn next(&mut self) {
        self.asked += 1;
        let property = PROPERTIES[self.rng.random_range(0..PROPERTIES.len())];
        let weekend = self.rng.random_bool(0.3);
        let mut body = json!({
            "property_id": property,
            "weekend": weekend,
            "lead_days": self.rng.random_range(0..90),
        });
        let mut fault = None;
        match self.rng.random_range(0..200) {
            0 => fault = Some("slow-model"),
            1 => fault = Some("model-error"),
            2 => body["lead_days"] = json!(-1),
            _ => {}
        }
        let headers = [fault.map(|fault| ("x-fault", fault)), Some(("x-user-id", "guest"))];
        if let Some(quote) = self.post("/score", &headers, &body).await {
            let price = quote["price"].as_f64().unwrap_or(f64::MAX);
            let accepted = self.accepts(property, weekend, price);
            let mut told = json!({
                "quote_id": quote["quote_id"],
                "property_id": property,
                "accepted": accepted,
            });
            // Now and then somebody tells what makes no sense.
            if self.rng.random_bool(0.03) {
                told["accepted"] = Value::Null;
            }
            self.outcomes.push(told);
        }
        if self.outcomes.len() >= TOLD_TOGETHER {
            let outcomes = std::mem::take(&mut self.outcomes);
            self.post("/outcomes", &[], &json!({"outcomes": outcomes})).await;
        }
    }

    /// Guests care about the price, and more or less so as time goes on: models get old.
    fn accepts(&mut self, property: &str, weekend: bool, price: f64) -> bool {
        let number: u32 = property.bytes().map(u32::from).sum();
        let base = 80.0 + f64::from(number % 97);
        let phase = f64::from(u32::try_from(self.asked % 1_000_000).unwrap_or(0)) / 400.0;
        let mood = 1.2 * (phase + f64::from(number)).sin();
        let sum = 0.5 + mood - 3.5 * (price / base).ln() + if weekend { 0.4 } else { 0.0 };
        self.rng.random_bool(1.0 / (1.0 + (-sum).exp()))
    }

    async fn post(
        &self,
        path: &str,
        headers: &[Option<(&str, &str)>],
        body: &Value,
    ) -> Option<Value> {
        let mut request = self.client.post(format!("{}{path}", self.target)).json(body);
        for (name, value) in headers.iter().flatten() {
            request = request.header(*name, *value);
        }
        let response = request.send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        response.json().await.ok()
    }
}
