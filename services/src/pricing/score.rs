//! `POST /score`: a price.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use sdk::RequestContext;
use serde::{Deserialize, Serialize};
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, Span, info, info_span};

use super::demand::{Asked, MODEL_TYPE, base_price};
use super::learning::Quote;
use super::{App, EXPERIMENT, PROPERTIES};
use crate::fault::{Fault, Faults};
use crate::http::{ApiError, JsonBody};
use crate::latency::LatencyModel;

/// What a guest asks for.
#[derive(Debug, Deserialize)]
pub(super) struct ScoreRequest {
    property_id: String,
    #[serde(default)]
    weekend: bool,
    #[serde(default)]
    lead_days: f64,
}

/// The price.
#[derive(Debug, Serialize)]
pub(super) struct ScoreResponse {
    /// To be told with its outcome.
    quote_id: String,
    property_id: String,
    price: f64,
    /// `ml_elasticity` or `rule_based`.
    pricing_method: &'static str,
    experiment_id: &'static str,
    /// `ml` or `rules`.
    variant: &'static str,
    request_id: Option<String>,
    trace_id: Option<String>,
}

pub(super) async fn score(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<ScoreRequest>,
) -> Result<Json<ScoreResponse>, ApiError> {
    let stopwatch = Stopwatch::start();
    let faults = app.config.requests.faults(&headers);
    let asked = request.validate()?;
    let property_id = request.property_id;
    sdk::set_attribute("property.id", property_id.clone());
    let variant = app.learning().assign();
    app.metrics.track_ab_assignment(EXPERIMENT, variant);
    let model = if variant == "ml" { app.load_model(&property_id).await } else { None };
    let (price, expected) = match &model {
        Some(model) => {
            let (price, expected) = app
                .predict(&property_id, &faults, || {
                    let price = model.best_price(asked);
                    (price, model.acceptance(asked, price))
                })
                .await?;
            (price, Some(expected))
        }
        None => (app.apply_rules(&property_id, asked).await, None),
    };
    let price = price.round();
    let pricing_method = if model.is_some() { "ml_elasticity" } else { "rule_based" };
    let quote = Quote { property_id: property_id.clone(), asked, price, variant, expected };
    let quote_id = app.learning().quote(quote);
    app.metrics.track_score_request(pricing_method, stopwatch.elapsed());
    sdk::set_attribute("pricing.price", price);
    sdk::set_attribute("pricing.method", pricing_method);
    info!(property_id, price, pricing_method, variant, "Price: {price}");
    let context = RequestContext::current();
    let request_id = context.as_ref().and_then(RequestContext::request_id).map(ToString::to_string);
    let trace_id = sdk::current_trace_id();
    Ok(Json(ScoreResponse {
        quote_id,
        property_id,
        price,
        pricing_method,
        experiment_id: EXPERIMENT,
        variant,
        request_id,
        trace_id,
    }))
}

impl ScoreRequest {
    fn validate(&self) -> Result<Asked, ApiError> {
        if !PROPERTIES.contains(&self.property_id.as_str()) {
            return Err(ApiError::Validation("property_id is not known".to_owned()));
        }
        if !(0.0..=365.0).contains(&self.lead_days) {
            let problem = format!("lead_days is {}, not within 0 to 365", self.lead_days);
            return Err(ApiError::Validation(problem));
        }
        Ok(Asked { weekend: self.weekend, lead_days: self.lead_days })
    }
}

impl App {
    /// Asks a model, in a span `model_prediction`.
    async fn predict<T>(
        &self,
        property_id: &str,
        faults: &Faults,
        model: impl FnOnce() -> T,
    ) -> Result<T, ApiError> {
        let span = info_span!("model_prediction", property.id = property_id);
        async {
            let stopwatch = Stopwatch::start();
            faults.delay(Fault::SlowModel, Duration::from_millis(600)).await;
            let usual = LatencyModel { usual_ms: 4.0, slow_ms: 140.0, slow_share: 0.01 };
            self.latency.spend(usual).await;
            if faults.has(Fault::ModelError) {
                let error = ApiError::Model("demand model has no weights".to_owned());
                sdk::record_failure(&Span::current(), error.kind(), &error);
                return Err(error);
            }
            let answer = model();
            self.metrics.track_model_prediction(property_id, MODEL_TYPE, stopwatch.elapsed());
            Ok(answer)
        }
        .instrument(span)
        .await
    }

    /// The price by rules: dearer at weekends, cheaper early, and not far from competitors.
    async fn apply_rules(&self, property_id: &str, asked: Asked) -> f64 {
        async {
            let usual = LatencyModel { usual_ms: 1.0, slow_ms: 8.0, slow_share: 0.01 };
            self.latency.spend(usual).await;
            let weekend = if asked.weekend { 1.15 } else { 1.0 };
            let early = if asked.lead_days > 30.0 { 0.92 } else { 1.0 };
            let price = base_price(property_id) * weekend * early;
            match self.competitors.median(property_id) {
                Some(median) => 0.7 * price + 0.3 * median,
                None => price,
            }
        }
        .instrument(info_span!("apply_pricing_rules", property.id = property_id))
        .await
    }
}
