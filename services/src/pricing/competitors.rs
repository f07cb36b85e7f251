//! Competitors' prices: fetched in the background over HTTP, and played where nobody else does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sdk::HttpClient;
use serde::{Deserialize, Serialize};
use stdx::clock::{Clock, UnixNanos};
use tracing::{Instrument as _, info_span, warn};

use super::demand::base_price;
use super::{App, PROPERTIES};
use crate::latency::LatencyModel;

/// The prices of a property's competitors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CompetitorData {
    property_id: String,
    prices: Vec<f64>,
}

#[derive(Debug)]
pub(super) struct Competitors {
    client: HttpClient,
    url: String,
    clock: Clock,
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    median: f64,
    fetched: UnixNanos,
}

impl Competitors {
    pub(super) fn new(client: HttpClient, url: String, clock: Clock) -> Competitors {
        Competitors { client, url, clock, known: Mutex::default() }
    }

    /// The middle of the competitors' prices.
    pub(super) fn median(&self, property_id: &str) -> Option<f64> {
        self.lock().get(property_id).map(|known| known.median)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a property's; `success` or what it failed of.
    async fn fetch(&self, property_id: &str) -> &'static str {
        let url = format!("{}/competitor-data/{property_id}", self.url.trim_end_matches('/'));
        let call = self.client.get(&url).template("/competitor-data/{property_id}");
        let response = match call.send().await {
            Ok(response) if response.status().is_success() => response,
            Ok(_) => return "http_error",
            Err(error) if error.is_timeout() => return "timeout",
            Err(_) => return "connection_error",
        };
        let Ok(data) = response.json::<CompetitorData>().await else { return "invalid" };
        let mut prices = data.prices;
        prices.sort_by(f64::total_cmp);
        let Some(median) = prices.get(prices.len() / 2) else { return "invalid" };
        let known = Known { median: *median, fetched: self.clock.now() };
        self.lock().insert(property_id.to_owned(), known);
        "success"
    }

    /// How old a property's prices are.
    fn staleness(&self, property_id: &str) -> Option<Duration> {
        let fetched = self.lock().get(property_id)?.fetched;
        let nanos = self.clock.now().saturating_sub(fetched);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}

impl App {
    /// Fetches one property's prices after the other, for ever.
    pub(super) async fn fetch_competitors(&self) {
        let pause = Duration::from_millis(self.config.competitor_interval_ms.max(1));
        loop {
            for property_id in PROPERTIES {
                let span = info_span!("fetch_competitor_data", property.id = property_id);
                let status = self.competitors.fetch(property_id).instrument(span).await;
                if status != "success" {
                    warn!(property_id, status, "Competitors' prices could not be fetched");
                }
                self.metrics.competitor_fetches.inc([property_id, status]);
                for property_id in PROPERTIES {
                    if let Some(age) = self.competitors.staleness(property_id) {
                        let gauge = &self.metrics.competitor_staleness;
                        gauge.set([property_id], age.as_secs_f64());
                    }
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// `GET /competitor-data/{property_id}`: plays the backend that knows them; now and then it fails.
pub(super) async fn play(
    State(app): State<Arc<App>>,
    Path(property_id): Path<String>,
) -> Result<Json<CompetitorData>, StatusCode> {
    let usual = LatencyModel { usual_ms: 20.0, slow_ms: 400.0, slow_share: 0.03 };
    app.latency.spend(usual).await;
    if !PROPERTIES.contains(&property_id.as_str()) {
        return Err(StatusCode::NOT_FOUND);
    }
    if app.learning().chance(0.04) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let base = base_price(&property_id);
    let prices = (0..5).map(|_| base * app.learning().factor()).collect();
    Ok(Json(CompetitorData { property_id, prices }))
}
