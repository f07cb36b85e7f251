//! `POST /v1/predict`: features from the feature store.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use sdk::KeyValue;
use serde::{Deserialize, Serialize};
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, Span, info, info_span};
use utoipa::ToSchema;

use super::App;
use super::inference::{Prediction, RiskLevel, count};
use super::metrics::{Predicted, country};
use super::rules::{Decision, decide};
use crate::fault::Faults;
use crate::feature_store::Fetched;
use crate::features::{FEATURES, TransactionFacts, feature_vector, merchant_risk, payment_risk};
use crate::http::{ApiError, ErrorBody, JsonBody};
use crate::latency::LatencyModel;

/// As metrics name it.
const ENDPOINT: &str = "/v1/predict";

/// A transaction to be decided upon.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PredictRequest {
    /// Its id, the caller's own.
    #[schema(example = "txn_demo_001")]
    transaction_id: String,
    /// Who pays.
    #[schema(example = 12345)]
    user_id: u64,
    /// How much.
    #[schema(example = 149.99)]
    amount: f64,
    /// How: `card`, `wallet`, `bank_transfer`, `prepaid`, `crypto`, ….
    #[schema(example = "card")]
    payment_method: String,
    /// To whom.
    #[schema(example = "merchant_42")]
    merchant_id: String,
    /// The hour of the day where it is made, 0 to 23; noon where not given.
    hour: Option<u8>,
    /// Whether the device is new to the user; not where not given.
    #[serde(default)]
    new_device: bool,
    /// Where it is made: an ISO 3166 code.
    #[schema(example = "DE")]
    transaction_country: Option<String>,
}

/// The decision.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PredictResponse {
    /// The transaction's id.
    #[schema(example = "txn_demo_001")]
    transaction_id: String,
    /// What is done about it.
    decision: Decision,
    /// The probability that it is fraud.
    #[schema(example = 0.12)]
    fraud_probability: f64,
    /// What to make of it.
    risk_level: RiskLevel,
    /// How long the decision took.
    #[schema(example = 45.2)]
    latency_ms: f64,
    /// The model's version.
    #[schema(example = "1.0.0")]
    model_version: String,
    /// The trace that shows how the decision came about.
    #[schema(example = "26d7f6f0903cecbd9f008563bf45dac3")]
    trace_id: Option<String>,
}

/// Decides upon a transaction with features from the feature store.
#[utoipa::path(
    post,
    path = "/v1/predict",
    tag = "predictions",
    request_body = PredictRequest,
    params(("X-Fault" = Option<String>, Header, description = "Faults to inject")),
    responses(
        (status = 200, description = "Decided", body = PredictResponse),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 422, description = "Fields are missing or make no sense", body = ErrorBody),
        (status = 500, description = "The model failed", body = ErrorBody),
        (status = 503, description = "The model is not there yet", body = ErrorBody),
    )
)]
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<PredictRequest>,
) -> Result<Json<PredictResponse>, ApiError> {
    let stopwatch = Stopwatch::start();
    let faults = app.config.requests.faults(&headers);
    let span = Span::current();
    sdk::set_user_id(&request.user_id.to_string());
    sdk::set_attribute("transaction.id", request.transaction_id.clone());
    sdk::set_attribute("transaction.amount", request.amount);
    let failed = |error: &ApiError| app.metrics.failed(ENDPOINT, error);
    request.validate().inspect_err(failed)?;
    let fetched = app.fetch_features(&request, &faults).await;
    let facts = request.facts();
    let features = feature_vector(&facts, &fetched.features);
    let prediction = app.infer(&features, &faults).await.inspect_err(failed)?;
    let decision = app.apply_business_rules(&request, &prediction, &fetched).await;
    let took = stopwatch.elapsed();
    let latency_ms = took.as_secs_f64() * 1e3;
    app.metrics.predicted(&Predicted {
        endpoint: ENDPOINT,
        prediction: &prediction,
        decision,
        amount: request.amount,
        country: country(request.transaction_country.as_deref()),
        took,
    });
    prediction.write(&span);
    sdk::set_attributes(
        &span,
        [
            KeyValue::new("features.count", count(FEATURES.len())),
            KeyValue::new("processing.duration_ms", latency_ms),
            KeyValue::new("decision", decision.as_str()),
        ],
    );
    log_decision(&request, decision, &prediction, &fetched);
    Ok(Json(PredictResponse {
        transaction_id: request.transaction_id,
        decision,
        fraud_probability: prediction.shown_probability(),
        risk_level: prediction.risk_level,
        latency_ms: (latency_ms * 10.0).round() / 10.0,
        model_version: prediction.model_version,
        trace_id: sdk::current_trace_id(),
    }))
}

impl PredictRequest {
    fn validate(&self) -> Result<(), ApiError> {
        let problem = if !(self.amount > 0.0 && self.amount <= 1e7) {
            format!("amount is {}, not within 0 to 10,000,000", self.amount)
        } else if self.transaction_id.is_empty() || self.transaction_id.len() > 128 {
            "transaction_id must have 1 to 128 bytes".to_owned()
        } else if self.merchant_id.len() > 128 || self.payment_method.len() > 128 {
            "merchant_id and payment_method may have up to 128 bytes".to_owned()
        } else if self.hour.is_some_and(|hour| hour > 23) {
            "hour is not within 0 to 23".to_owned()
        } else {
            return Ok(());
        };
        Err(ApiError::Validation(problem))
    }

    fn facts(&self) -> TransactionFacts {
        TransactionFacts {
            amount: self.amount,
            merchant_risk: merchant_risk(&self.merchant_id),
            payment_risk: payment_risk(&self.payment_method),
            night: self.hour.is_some_and(|hour| hour < 6),
            new_device: self.new_device,
        }
    }
}

impl App {
    async fn fetch_features(&self, request: &PredictRequest, faults: &Faults) -> Fetched {
        let stopwatch = Stopwatch::start();
        let span = info_span!("fetch_features");
        async {
            let fetched = self.store.get_features(request.user_id, faults).await;
            fetched.tell(&Span::current(), self.store.hit_rate());
            self.metrics.fetched(&fetched);
            sdk::set_attribute("features.count", count(FEATURES.len()));
            sdk::set_attribute("processing.duration_ms", stopwatch.elapsed().as_secs_f64() * 1e3);
            fetched
        }
        .instrument(span)
        .await
    }

    async fn apply_business_rules(
        &self,
        request: &PredictRequest,
        prediction: &Prediction,
        fetched: &Fetched,
    ) -> Decision {
        let span = info_span!("apply_business_rules");
        async {
            self.latency
                .spend(LatencyModel { usual_ms: 0.7, slow_ms: 5.0, slow_share: 0.01 })
                .await;
            let degraded = fetched.degraded.is_some();
            let (decision, rule) = decide(prediction, request.amount, &fetched.features, degraded);
            sdk::set_attribute("decision", decision.as_str());
            if let Some(rule) = rule {
                sdk::set_attribute("business_rule", rule);
            }
            decision
        }
        .instrument(span)
        .await
    }
}

fn log_decision(
    request: &PredictRequest,
    decision: Decision,
    prediction: &Prediction,
    fetched: &Fetched,
) {
    info!(
        transaction_id = request.transaction_id,
        amount = request.amount,
        user_id = request.user_id,
        decision = decision.as_str(),
        fraud_probability = prediction.shown_probability(),
        risk_level = prediction.risk_level.as_str(),
        merchant_id = request.merchant_id,
        payment_method = request.payment_method,
        model_version = prediction.model_version,
        degraded = fetched.degraded.is_some(),
        top_feature = prediction.top_feature(),
        feature_importances = prediction.feature_importances(),
        "Decision: {}",
        decision.as_str()
    );
}
