//! `POST /predict`: features made by the preprocessing service.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use sdk::KeyValue;
use serde::{Deserialize, Serialize};
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, Span, info, info_span};
use utoipa::ToSchema;

use super::App;
use super::inference::{Prediction, RiskLevel, count};
use super::metrics::{Predicted, country};
use crate::fault::{Faults, X_FAULT};
use crate::features::FEATURES;
use crate::http::{ApiError, ErrorBody, JsonBody};
use crate::preprocessing::{Engineered, Transaction};

/// As metrics name it.
const ENDPOINT: &str = "/predict";

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PredictResponse {
    /// Whether the model takes it for fraud.
    is_fraud: bool,
    /// The probability that it is.
    #[schema(example = 0.0312)]
    fraud_probability: f64,
    /// What to make of it.
    risk_level: RiskLevel,
    /// How many features were made of the transaction.
    #[schema(example = 12)]
    features_count: usize,
    /// How long it took.
    #[schema(example = 14.2)]
    processing_time_ms: f64,
    /// The model's version.
    #[schema(example = "1.0.0")]
    model_version: String,
    /// The trace that shows how the answer came about.
    #[schema(example = "26d7f6f0903cecbd9f008563bf45dac3")]
    trace_id: Option<String>,
}

/// Scores a transaction with features made by the preprocessing service.
#[utoipa::path(
    post,
    path = "/predict",
    tag = "predictions",
    request_body(content = Transaction, example = json!({"TransactionAmt": 150.0, "card1": 13926})),
    params(("X-Fault" = Option<String>, Header, description = "Faults to inject")),
    responses(
        (status = 200, description = "Scored", body = PredictResponse),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 422, description = "Fields are missing or make no sense", body = ErrorBody),
        (status = 503, description = "The model or the preprocessing service is not there", body = ErrorBody),
    )
)]
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<serde_json::Value>,
) -> Result<Response, ApiError> {
    let faults = app.config.requests.faults(&headers);
    let stopwatch = Stopwatch::start();
    let span = info_span!("predict_fraud");
    let result = predict_fraud(&app, body, &faults).instrument(span.clone()).await;
    let took = stopwatch.elapsed();
    let elapsed_ms = took.as_secs_f64() * 1e3;
    let scored = result.inspect_err(|error| {
        sdk::record_failure(&span, error.kind(), error);
        app.metrics.failed(ENDPOINT, error);
    })?;
    app.metrics.predicted(&Predicted {
        endpoint: ENDPOINT,
        prediction: &scored.prediction,
        decision: scored.prediction.risk_level.decision(),
        amount: scored.amount,
        country: country(None),
        took,
    });
    for span in [&span, &Span::current()] {
        scored.write(span, elapsed_ms);
    }
    drop(span);
    Ok(info_span!("Response").in_scope(|| Json(scored.response(elapsed_ms)).into_response()))
}

struct Scored {
    amount: f64,
    features_count: usize,
    prediction: Prediction,
}

async fn predict_fraud(
    app: &App,
    body: serde_json::Value,
    faults: &Faults,
) -> Result<Scored, ApiError> {
    let transaction = Transaction::validate(body)?;
    let engineered = app.preprocess(&transaction, faults).await?;
    let features = engineered.vector()?;
    let prediction = app.infer(&features, faults).await?;
    let scored = Scored { amount: transaction.amount, features_count: features.len(), prediction };
    scored.log(transaction.card1);
    Ok(scored)
}

impl App {
    /// Has the preprocessing service make the features, in a span `preprocess_features`.
    async fn preprocess(
        &self,
        transaction: &Transaction,
        faults: &Faults,
    ) -> Result<Engineered, ApiError> {
        let span = info_span!("preprocess_features");
        let result = self.call_preprocessing(transaction, faults).instrument(span.clone()).await;
        if let Err(error) = &result {
            sdk::record_failure(&span, error.kind(), error);
        }
        result
    }

    async fn call_preprocessing(
        &self,
        transaction: &Transaction,
        faults: &Faults,
    ) -> Result<Engineered, ApiError> {
        let stopwatch = Stopwatch::start();
        let url = format!("{}/engineer", self.config.preprocessing_url.trim_end_matches('/'));
        let timeout_ms = self.config.preprocessing_timeout_ms;
        let mut call = self.client.post(&url).json(transaction);
        call = call.timeout(Duration::from_millis(timeout_ms));
        if let Some(faults) = faults.header() {
            call = call.header(X_FAULT, &faults);
        }
        let response = call.send().await.map_err(|error| unavailable(&error, timeout_ms))?;
        let status = response.status();
        if !status.is_success() {
            let message = format!("preprocessing service answered {status}");
            return Err(ApiError::PreprocessingFailed(message));
        }
        let engineered: Engineered = response.json().await.map_err(|error| {
            ApiError::PreprocessingFailed(format!("preprocessing service's answer: {error}"))
        })?;
        sdk::set_attribute("transaction.amount", transaction.amount);
        sdk::set_attribute("features.count", count(engineered.features_count));
        sdk::set_attribute("processing.duration_ms", stopwatch.elapsed().as_secs_f64() * 1e3);
        Ok(engineered)
    }
}

fn unavailable(error: &reqwest::Error, timeout_ms: u64) -> ApiError {
    ApiError::PreprocessingUnavailable(if error.is_timeout() {
        format!("preprocessing service did not answer within {timeout_ms} ms")
    } else {
        "preprocessing service cannot be reached".to_owned()
    })
}

impl Scored {
    fn write(&self, span: &Span, elapsed_ms: f64) {
        sdk::set_attributes(
            span,
            [
                KeyValue::new("transaction.amount", self.amount),
                KeyValue::new("features.count", count(self.features_count)),
                KeyValue::new("processing.duration_ms", elapsed_ms),
            ],
        );
        self.prediction.write(span);
    }

    fn log(&self, card1: u64) {
        let Scored { amount, prediction, .. } = self;
        let verdict = if prediction.is_fraud { "fraud" } else { "legitimate" };
        info!(
            amount,
            card1,
            fraud_probability = prediction.shown_probability(),
            risk_level = prediction.risk_level.as_str(),
            is_fraud = prediction.is_fraud,
            model_version = prediction.model_version,
            top_feature = prediction.top_feature(),
            feature_importances = prediction.feature_importances(),
            "Prediction: {verdict}"
        );
    }

    fn response(&self, elapsed_ms: f64) -> PredictResponse {
        debug_assert_eq!(self.features_count, FEATURES.len());
        PredictResponse {
            is_fraud: self.prediction.is_fraud,
            fraud_probability: self.prediction.shown_probability(),
            risk_level: self.prediction.risk_level,
            features_count: self.features_count,
            processing_time_ms: (elapsed_ms * 10.0).round() / 10.0,
            model_version: self.prediction.model_version.clone(),
            trace_id: sdk::current_trace_id(),
        }
    }
}

/// The features in the model's order.
impl Engineered {
    fn vector(&self) -> Result<[f64; FEATURES.len()], ApiError> {
        let mut vector = [0.0; FEATURES.len()];
        for (value, name) in vector.iter_mut().zip(FEATURES) {
            *value = *self.features.get(name).ok_or_else(|| {
                ApiError::PreprocessingFailed(format!("preprocessing service left out {name}"))
            })?;
        }
        Ok(vector)
    }
}

/// Fields that are needed, checked one by one, so that the answer names all that is wrong.
impl Transaction {
    fn validate(body: serde_json::Value) -> Result<Transaction, ApiError> {
        let missing: Vec<&str> = ["TransactionAmt", "card1"]
            .into_iter()
            .filter(|name| body.get(name).is_none_or(serde_json::Value::is_null))
            .collect();
        if !missing.is_empty() {
            return Err(ApiError::Validation(format!("{} missing", missing.join(" and "))));
        }
        let transaction = Transaction::deserialize(body)
            .map_err(|error| ApiError::Validation(error.to_string()))?;
        if !(transaction.amount > 0.0 && transaction.amount <= 1e7) {
            let message =
                format!("TransactionAmt is {}, not within 0 to 10,000,000", transaction.amount);
            return Err(ApiError::Validation(message));
        }
        Ok(transaction)
    }
}
