//! The learning loop: `POST /outcomes`, what is drawn from them, new models, drift.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, Span, info, info_span, warn};

use super::demand::{Asked, Demand, MODEL_TYPE, Outcome, base_price};
use super::{App, EXPERIMENT, PROPERTIES};
use crate::http::{ApiError, JsonBody};
use crate::latency::LatencyModel;

/// Outcomes that are kept of a property.
const OUTCOMES_MAX: usize = 600;
/// Quotes whose outcome is waited for.
const QUOTES_MAX: usize = 10_000;
/// Outcomes of one body.
const BODY_OUTCOMES_MAX: usize = 1_000;
/// Answers of a model that are compared with what it expected.
const DRIFT_WINDOW: usize = 30;
/// Standard deviations that these may differ by.
const DRIFT_LIMIT: f64 = 2.5;

/// A price that was given out.
#[derive(Debug, Clone)]
pub(super) struct Quote {
    pub(super) property_id: String,
    pub(super) asked: Asked,
    pub(super) price: f64,
    pub(super) variant: &'static str,
    /// How likely the model found it that it is accepted.
    pub(super) expected: Option<f64>,
}

/// What was learned so far.
#[derive(Debug)]
pub(super) struct Learning {
    rng: StdRng,
    quoted: u64,
    quotes: BTreeMap<u64, Quote>,
    properties: BTreeMap<&'static str, Property>,
}

#[derive(Debug, Default)]
struct Property {
    outcomes: VecDeque<Outcome>,
    /// Outcomes since the last training.
    fresh: usize,
    trainings: u32,
    /// What the model expected and what came, the newest last.
    expected: VecDeque<(f64, bool)>,
}

impl Learning {
    /// Begins with the outcomes of a past season, so that there are models from the start.
    pub(super) fn new(seed: u64) -> Learning {
        let mut rng = StdRng::seed_from_u64(seed);
        let properties = PROPERTIES.map(|name| {
            let outcomes = (0..OUTCOMES_MAX / 2).map(|_| past_outcome(&mut rng, name)).collect();
            (name, Property { outcomes, ..Property::default() })
        });
        Learning { rng, quoted: 0, quotes: BTreeMap::new(), properties: properties.into() }
    }

    /// The variant of the next request.
    pub(super) fn assign(&mut self) -> &'static str {
        if self.rng.random() { "ml" } else { "rules" }
    }

    /// Whether something happens that does so with this likelihood.
    pub(super) fn chance(&mut self, likelihood: f64) -> bool {
        self.rng.random_bool(likelihood)
    }

    /// How a competitor's price compares with the property's.
    pub(super) fn factor(&mut self) -> f64 {
        self.rng.random_range(0.8..1.3)
    }

    /// Remembers a quote; gives its id.
    pub(super) fn quote(&mut self, quote: Quote) -> String {
        self.quoted += 1;
        self.quotes.insert(self.quoted, quote);
        if self.quotes.len() > QUOTES_MAX {
            self.quotes.pop_first();
        }
        format!("q-{}", self.quoted)
    }

    fn take(&mut self, told: &Told) -> Option<Quote> {
        let number = told.quote_id.strip_prefix("q-")?.parse().ok()?;
        self.quotes.remove(&number)
    }

    /// Adds an outcome; true when so many came that the model should be trained again.
    fn learn(&mut self, quote: &Quote, accepted: bool, retrain_after: usize) -> bool {
        let Some(property) = self.properties.get_mut(quote.property_id.as_str()) else {
            return false;
        };
        property.outcomes.push_back(Outcome { asked: quote.asked, price: quote.price, accepted });
        if property.outcomes.len() > OUTCOMES_MAX {
            property.outcomes.pop_front();
        }
        property.fresh += 1;
        if let Some(expected) = quote.expected {
            property.expected.push_back((expected, accepted));
        }
        property.fresh >= retrain_after
    }

    /// By how many standard deviations guests accepted more or less than the model expected, once
    /// in each window; none while it is not full.
    fn drift(&mut self, property_id: &str) -> Option<f64> {
        let property = self.properties.get_mut(property_id)?;
        if property.expected.len() < DRIFT_WINDOW {
            return None;
        }
        let (mut difference, mut variance) = (0.0, 1e-9);
        for (expected, accepted) in property.expected.drain(..) {
            difference += if accepted { 1.0 - expected } else { -expected };
            variance += expected * (1.0 - expected);
        }
        Some(difference / variance.sqrt())
    }

    /// What to train with, the newest last, and the number of the training.
    fn training_set(&mut self, property_id: &str) -> (Vec<Outcome>, u32) {
        let Some(property) = self.properties.get_mut(property_id) else { return (vec![], 0) };
        property.fresh = 0;
        property.trainings += 1;
        (property.outcomes.iter().copied().collect(), property.trainings)
    }
}

fn past_outcome(rng: &mut StdRng, property_id: &str) -> Outcome {
    let asked = Asked { weekend: rng.random_bool(0.3), lead_days: rng.random_range(0.0..90.0) };
    let ratio = rng.random_range(0.7..1.5_f64);
    let sum = 0.5 - 3.5 * ratio.ln() + if asked.weekend { 0.4 } else { 0.0 };
    let accepted = rng.random_bool(1.0 / (1.0 + (-sum).exp()));
    Outcome { asked, price: base_price(property_id) * ratio, accepted }
}

/// The body of `POST /outcomes`.
#[derive(Debug, Deserialize)]
pub(super) struct OutcomesRequest {
    outcomes: Vec<Told>,
}

/// What became of a quote.
#[derive(Debug, Deserialize)]
struct Told {
    quote_id: String,
    property_id: String,
    accepted: Option<bool>,
}

/// How many were taken.
#[derive(Debug, Serialize)]
pub(super) struct OutcomesResponse {
    ingested: u32,
    invalid: u32,
}

pub(super) async fn outcomes(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<OutcomesRequest>,
) -> Result<Json<OutcomesResponse>, ApiError> {
    if request.outcomes.len() > BODY_OUTCOMES_MAX {
        return Err(ApiError::Validation(format!("more than {BODY_OUTCOMES_MAX} outcomes")));
    }
    let mut answer = OutcomesResponse { ingested: 0, invalid: 0 };
    for told in &request.outcomes {
        let valid = app.take_outcome(told).await;
        answer.ingested += u32::from(valid);
        answer.invalid += u32::from(!valid);
    }
    sdk::set_attribute("outcomes.ingested", i64::from(answer.ingested));
    sdk::set_attribute("outcomes.invalid", i64::from(answer.invalid));
    if answer.invalid > 0 {
        warn!(invalid = answer.invalid, "Outcomes that make no sense were left out");
    }
    Ok(Json(answer))
}

impl App {
    /// Takes an outcome; false when it makes no sense.
    async fn take_outcome(&self, told: &Told) -> bool {
        let property = PROPERTIES.iter().find(|property| **property == told.property_id);
        let quote = self.learning().take(told);
        let (Some(property), Some(quote), Some(accepted)) = (property, quote, told.accepted) else {
            // What is not known is counted by one name: values are the client's to invent.
            self.metrics.track_outcomes(property.unwrap_or(&"unknown"), 1, 1);
            return false;
        };
        self.metrics.track_outcomes(property, 1, 0);
        self.metrics.track_ab_outcome(EXPERIMENT, quote.variant, accepted);
        let due = self.learning().learn(&quote, accepted, self.config.retrain_after);
        let drift = self.learning().drift(property).filter(|drift| drift.abs() > DRIFT_LIMIT);
        if let Some(drift) = drift {
            self.metrics.track_drift(property, true);
            sdk::add_event("drift_detected", [sdk::KeyValue::new("drift.deviations", drift)]);
            warn!(
                property_id = *property,
                deviations = drift,
                "Drift: guests do not do as expected"
            );
        }
        if due || drift.is_some() {
            self.retrain(property).await;
        }
        true
    }

    /// Trains the property's model again and deploys it if it is no worse on the newest outcomes.
    pub(super) async fn retrain(&self, property_id: &str) {
        async {
            let stopwatch = Stopwatch::start();
            let (outcomes, version) = self.learning().training_set(property_id);
            let usual = LatencyModel { usual_ms: 60.0, slow_ms: 900.0, slow_share: 0.05 };
            self.latency.spend(usual).await;
            let (train, test) = outcomes.split_at(outcomes.len() * 4 / 5);
            let model = Demand::fit(base_price(property_id), train, version);
            let deployed = self.models.deployed(property_id);
            let status = match model {
                None => "failed",
                Some(model) if deployed.is_some_and(|old| model.loss(test) > old.loss(test)) => {
                    "rejected"
                }
                Some(model) => {
                    self.models.deploy(property_id, model);
                    "deployed"
                }
            };
            let took = stopwatch.elapsed();
            self.metrics.track_retraining(property_id, MODEL_TYPE, status, took);
            Span::current().record("training.status", status);
            info!(property_id, status, version, rows = outcomes.len(), "Model trained: {status}");
        }
        .instrument(info_span!(
            "retrain_model",
            property.id = property_id,
            training.status = tracing::field::Empty
        ))
        .await;
    }
}
