//! What is counted of predictions, beside the requests that every service counts. The names are
//! those that dashboards of such services ask for.

use std::time::Duration;

use sdk::Registry;
use sdk::metric::{Counter, Gauge, Histogram, watch_process};

use super::inference::Prediction;
use super::rules::Decision;
use crate::feature_store::Fetched;
use crate::features::UserFeatures;
use crate::http::ApiError;

/// Seconds of a prediction, fine about the objective of 100 ms.
const LATENCY: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.5];
/// Probabilities, fine where decisions change.
const PROBABILITY: &[f64] = &[0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/// The counters of the API.
#[derive(Debug)]
pub(super) struct FraudMetrics {
    predictions: Counter<5>,
    latency: Histogram<1>,
    probability: Histogram<1>,
    errors: Counter<2>,
    revenue: Gauge<1>,
    blocked_amount: Counter<1>,
    store_reads: Counter<1>,
    store_hits: Counter<0>,
    store_misses: Counter<0>,
    store_degraded: Counter<0>,
    models_loaded: Gauge<0>,
}

/// A prediction that was made.
pub(super) struct Predicted<'a> {
    /// Which way it was asked for: the route.
    pub(super) endpoint: &'static str,
    pub(super) prediction: &'a Prediction,
    pub(super) decision: Decision,
    pub(super) amount: f64,
    /// Where the transaction was made, as [`country`] knows it.
    pub(super) country: &'static str,
    pub(super) took: Duration,
}

/// The countries that are counted by name.
const COUNTRIES: [&str; 8] = ["AT", "CH", "DE", "ES", "FR", "GB", "IT", "US"];

/// A country for a label: values are the client's to invent, so that only known ones are taken.
pub(super) fn country(given: Option<&str>) -> &'static str {
    let Some(given) = given else { return "unknown" };
    COUNTRIES.into_iter().find(|known| *known == given).unwrap_or("other")
}

impl FraudMetrics {
    pub(super) fn new(registry: &Registry) -> FraudMetrics {
        watch_process(registry);
        FraudMetrics {
            predictions: registry.counter(
                "predictions_total",
                "Predictions made, by what was decided.",
                ["endpoint", "decision", "risk_level", "model_version", "transaction_country"],
            ),
            latency: registry.histogram(
                "prediction_latency_seconds",
                "How long a prediction took, features included.",
                ["endpoint"],
                LATENCY,
            ),
            probability: registry.histogram(
                "prediction_fraud_probability",
                "The model's answers.",
                ["model_version"],
                PROBABILITY,
            ),
            errors: registry.counter(
                "prediction_errors_total",
                "Predictions that failed, by the kind of error.",
                ["endpoint", "error_type"],
            ),
            revenue: registry.gauge(
                "revenue_per_model_version",
                "Amounts of the transactions that were approved.",
                ["model_version"],
            ),
            blocked_amount: registry.counter(
                "fraud_blocked_amount_total",
                "Amounts of the transactions that were blocked.",
                ["model_version"],
            ),
            store_reads: registry.counter(
                "feature_store_reads_total",
                "Reads of a user's features, by where they came from.",
                ["source"],
            ),
            store_hits: registry.counter(
                "feature_store_hits_total",
                "Features that were found.",
                [],
            ),
            store_misses: registry.counter(
                "feature_store_misses_total",
                "Features that were not found.",
                [],
            ),
            store_degraded: registry.counter(
                "feature_store_degraded_total",
                "Reads that the store did not answer.",
                [],
            ),
            models_loaded: registry.gauge("models_loaded", "Models that are ready.", []),
        }
    }

    pub(super) fn model_loaded(&self) {
        self.models_loaded.set([], 1.0);
    }

    pub(super) fn predicted(&self, predicted: &Predicted<'_>) {
        let Predicted { endpoint, prediction, decision, amount, country, took } = *predicted;
        let version = prediction.model_version.as_str();
        let risk_level = prediction.risk_level.as_str();
        let labels = [endpoint, decision.as_str(), risk_level, version, country];
        self.predictions.inc(labels);
        self.latency.observe_duration([endpoint], took);
        self.probability.observe([version], prediction.probability);
        match decision {
            Decision::Approve => self.revenue.add([version], amount),
            Decision::Block => self.blocked_amount.add([version], amount),
            Decision::Review => {}
        }
    }

    pub(super) fn failed(&self, endpoint: &'static str, error: &ApiError) {
        self.errors.inc([endpoint, error.kind()]);
    }

    pub(super) fn fetched(&self, fetched: &Fetched) {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        self.store_reads.inc([fetched.source.as_str()]);
        self.store_hits.add([], count(fetched.hits));
        self.store_misses.add([], count(UserFeatures::COUNT - fetched.hits));
        if fetched.degraded.is_some() {
            self.store_degraded.inc([]);
        }
    }
}
