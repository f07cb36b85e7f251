//! Asking the model, and what its answer means.

use std::time::Duration;

use sdk::KeyValue;
use serde::Serialize;
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, Span, info_span};
use utoipa::ToSchema;

use super::App;
use super::rules::Decision;
use crate::fault::{Fault, Faults};
use crate::features::{FEATURES, FeatureVector};
use crate::http::ApiError;
use crate::latency::LatencyModel;
use crate::model::{Contribution, FraudModel};

/// How risky a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RiskLevel {
    /// Nothing to do.
    Low,
    /// A person should look.
    Medium,
    /// Fraud, as far as the model can tell.
    High,
}

impl RiskLevel {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RiskLevel::Low => "low",
            RiskLevel::Medium => "medium",
            RiskLevel::High => "high",
        }
    }

    /// What the model alone would have done.
    pub(super) fn decision(self) -> Decision {
        match self {
            RiskLevel::Low => Decision::Approve,
            RiskLevel::Medium => Decision::Review,
            RiskLevel::High => Decision::Block,
        }
    }
}

/// The model's answer.
#[derive(Debug, Clone)]
pub(super) struct Prediction {
    pub(super) probability: f64,
    pub(super) is_fraud: bool,
    pub(super) risk_level: RiskLevel,
    pub(super) model_version: String,
    pub(super) top: Vec<Contribution>,
}

impl App {
    pub(super) fn model(&self) -> Result<&FraudModel, ApiError> {
        self.model.get().ok_or_else(|| ApiError::NotReady("the model is being trained".to_owned()))
    }

    /// Asks the model, in a span `model_inference`.
    pub(super) async fn infer(
        &self,
        features: &FeatureVector,
        faults: &Faults,
    ) -> Result<Prediction, ApiError> {
        let span = info_span!("model_inference", model.name = "fraud-logistic-regression");
        let result = self.infer_inside(features, faults).instrument(span.clone()).await;
        if let Err(error) = &result {
            sdk::record_failure(&span, error.kind(), error);
        }
        result
    }

    async fn infer_inside(
        &self,
        features: &FeatureVector,
        faults: &Faults,
    ) -> Result<Prediction, ApiError> {
        let stopwatch = Stopwatch::start();
        let model = self.model()?;
        faults.delay(Fault::SlowModel, Duration::from_millis(600)).await;
        self.latency.spend(LatencyModel { usual_ms: 3.0, slow_ms: 380.0, slow_share: 0.01 }).await;
        if faults.has(Fault::ModelError) {
            return Err(ApiError::Model("model worker died: out of memory".to_owned()));
        }
        let prediction = Prediction::new(model, features);
        sdk::set_attribute("features.count", count(FEATURES.len()));
        prediction.write(&Span::current());
        sdk::set_attribute("processing.duration_ms", stopwatch.elapsed().as_secs_f64() * 1e3);
        Ok(prediction)
    }
}

impl Prediction {
    fn new(model: &FraudModel, features: &FeatureVector) -> Prediction {
        let probability = model.predict_proba(features);
        let risk_level = if probability >= model.threshold_fraud {
            RiskLevel::High
        } else if probability >= model.threshold_review {
            RiskLevel::Medium
        } else {
            RiskLevel::Low
        };
        Prediction {
            probability,
            is_fraud: probability >= model.threshold_fraud,
            risk_level,
            model_version: model.version.clone(),
            top: model.top_contributions(features, 3),
        }
    }

    /// Writes the prediction's attributes on `span`.
    pub(super) fn write(&self, span: &Span) {
        sdk::set_attributes(
            span,
            [
                KeyValue::new("prediction.is_fraud", self.is_fraud),
                KeyValue::new("prediction.risk_level", self.risk_level.as_str()),
                KeyValue::new("prediction.probability", self.probability),
                KeyValue::new("model.version", self.model_version.clone()),
            ],
        );
    }

    /// The probability to four digits, as it is shown to callers.
    pub(super) fn shown_probability(&self) -> f64 {
        (self.probability * 1e4).round() / 1e4
    }

    /// `{"amount": 0.4, "velocity_24h": 0.3, …}`: the three features that contributed most, with
    /// their shares of all three; negative where they spoke against fraud.
    pub(super) fn feature_importances(&self) -> String {
        let sum = self.top.iter().map(|c| c.log_odds.abs()).sum::<f64>().max(1e-12);
        let shares: serde_json::Map<String, serde_json::Value> = self
            .top
            .iter()
            .map(|c| {
                let share = (c.log_odds / sum * 100.0).round() / 100.0;
                (c.feature.to_owned(), share.into())
            })
            .collect();
        serde_json::Value::Object(shares).to_string()
    }

    /// The feature that contributed most.
    pub(super) fn top_feature(&self) -> &'static str {
        self.top.first().map_or("", |c| c.feature)
    }
}

pub(super) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
