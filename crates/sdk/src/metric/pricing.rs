//! The metrics of a pricing service, and the functions that count them: latency of its API and of
//! scoring, its models, the loop that learns from outcomes, experiments, competitors' prices.

use std::time::Duration;

use super::{Counter, Gauge, Histogram, Kind, Registry};
use crate::clock;

/// Seconds of an answer, from a cached score to one that is far too slow.
const LATENCY: &[f64] =
    &[0.01, 0.025, 0.05, 0.075, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];
/// Seconds of one prediction.
const PREDICTION: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Seconds of one training.
const RETRAINING: &[f64] =
    &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];

/// All of them. The fields are for what the functions do not cover.
#[derive(Debug, Clone)]
pub struct PricingMetrics {
    /// `pricing_api_latency_seconds` by method, endpoint and status code.
    pub api_latency: Histogram<3>,
    /// `pricing_score_latency_seconds` by pricing method.
    pub score_latency: Histogram<1>,
    /// `pricing_requests_total` by method, endpoint and status code.
    pub requests: Counter<3>,
    /// `pricing_active_requests` by endpoint.
    pub active_requests: Gauge<1>,
    /// `pricing_errors_total` by endpoint and type of error.
    pub errors: Counter<2>,
    /// `pricing_model_prediction_seconds` by property and type of model.
    pub model_prediction: Histogram<2>,
    /// `pricing_model_cache_hits_total`.
    pub model_cache_hits: Counter<0>,
    /// `pricing_model_cache_misses_total`.
    pub model_cache_misses: Counter<0>,
    /// `pricing_models_loaded`.
    pub models_loaded: Gauge<0>,
    /// `pricing_outcomes_ingested_total` by property.
    pub outcomes_ingested: Counter<1>,
    /// `pricing_outcomes_invalid_total` by property and reason.
    pub outcomes_invalid: Counter<2>,
    /// `pricing_retraining_duration_seconds` by property and type of model.
    pub retraining_duration: Histogram<2>,
    /// `pricing_retraining_total` by property, type of model and status.
    pub retraining: Counter<3>,
    /// `pricing_drift_detected_total` by property and whether it triggers a retraining.
    pub drift_detected: Counter<2>,
    /// `pricing_ab_assignments_total` by experiment and variant.
    pub ab_assignments: Counter<2>,
    /// `pricing_ab_outcomes_total` by experiment, variant and whether the price was accepted.
    pub ab_outcomes: Counter<3>,
    /// `pricing_competitor_fetches_total` by property and status.
    pub competitor_fetches: Counter<2>,
    /// `pricing_competitor_staleness_seconds` by property.
    pub competitor_staleness: Gauge<1>,
}

impl PricingMetrics {
    /// Registers all of them, and `pricing_service_info` and `pricing_uptime_seconds`.
    #[must_use]
    pub fn new(registry: &Registry, service: &str, version: &str, environment: &str) -> Self {
        registry.info(
            "pricing_service_info",
            "Service information",
            &[("version", version), ("environment", environment), ("service", service)],
        );
        let started = clock::instant();
        registry.collect(move |snapshot| {
            let uptime = started.elapsed().as_secs_f64();
            snapshot.push(
                "pricing_uptime_seconds",
                "Service uptime in seconds",
                Kind::Gauge,
                uptime,
            );
        });
        let r = registry;
        PricingMetrics {
            api_latency: r.histogram(
                "pricing_api_latency_seconds",
                "API request latency in seconds",
                ["method", "endpoint", "status_code"],
                LATENCY,
            ),
            score_latency: r.histogram(
                "pricing_score_latency_seconds",
                "/score endpoint latency in seconds",
                ["pricing_method"],
                LATENCY,
            ),
            requests: r.counter(
                "pricing_requests_total",
                "Total requests",
                ["method", "endpoint", "status_code"],
            ),
            active_requests: r.gauge(
                "pricing_active_requests",
                "Active concurrent requests",
                ["endpoint"],
            ),
            errors: r.counter("pricing_errors_total", "Total errors", ["endpoint", "error_type"]),
            model_prediction: r.histogram(
                "pricing_model_prediction_seconds",
                "Model prediction latency in seconds",
                ["property_id", "model_type"],
                PREDICTION,
            ),
            model_cache_hits: r.counter("pricing_model_cache_hits_total", "Model cache hits", []),
            model_cache_misses: r.counter(
                "pricing_model_cache_misses_total",
                "Model cache misses",
                [],
            ),
            models_loaded: r.gauge("pricing_models_loaded", "Number of models loaded", []),
            outcomes_ingested: r.counter(
                "pricing_outcomes_ingested_total",
                "Outcomes ingested",
                ["property_id"],
            ),
            outcomes_invalid: r.counter(
                "pricing_outcomes_invalid_total",
                "Invalid outcomes",
                ["property_id", "reason"],
            ),
            retraining_duration: r.histogram(
                "pricing_retraining_duration_seconds",
                "Retraining duration in seconds",
                ["property_id", "model_type"],
                RETRAINING,
            ),
            retraining: r.counter(
                "pricing_retraining_total",
                "Retraining events",
                ["property_id", "model_type", "status"],
            ),
            drift_detected: r.counter(
                "pricing_drift_detected_total",
                "Drift detections",
                ["property_id", "trigger_retrain"],
            ),
            ab_assignments: r.counter(
                "pricing_ab_assignments_total",
                "A/B test assignments",
                ["experiment_id", "variant"],
            ),
            ab_outcomes: r.counter(
                "pricing_ab_outcomes_total",
                "A/B test outcomes",
                ["experiment_id", "variant", "accepted"],
            ),
            competitor_fetches: r.counter(
                "pricing_competitor_fetches_total",
                "Competitor data fetches",
                ["property_id", "status"],
            ),
            competitor_staleness: r.gauge(
                "pricing_competitor_staleness_seconds",
                "Competitor data staleness in seconds",
                ["property_id"],
            ),
        }
    }

    /// A request of the API: its latency, and one more of its kind. Where it failed, an error too.
    pub fn track_request(&self, method: &str, endpoint: &str, status_code: u16, took: Duration) {
        let status = status_code.to_string();
        self.api_latency.observe_duration([method, endpoint, &status], took);
        self.requests.inc([method, endpoint, &status]);
        if status_code >= 400 {
            let kind = if status_code >= 500 { "server_error" } else { "client_error" };
            self.errors.inc([endpoint, kind]);
        }
    }

    /// A score, by the way the price was found.
    pub fn track_score_request(&self, pricing_method: &str, took: Duration) {
        self.score_latency.observe_duration([pricing_method], took);
    }

    /// Outcomes that came in, and how many of them were no good.
    pub fn track_outcomes(&self, property_id: &str, count: u32, invalid_count: u32) {
        self.outcomes_ingested.add([property_id], f64::from(count));
        self.outcomes_invalid.add([property_id, "validation_error"], f64::from(invalid_count));
    }

    /// A prediction of a model.
    pub fn track_model_prediction(&self, property_id: &str, model_type: &str, took: Duration) {
        self.model_prediction.observe_duration([property_id, model_type], took);
    }

    /// Whether a model was found in the cache.
    pub fn track_model_cache(&self, hit: bool) {
        let counter = if hit { &self.model_cache_hits } else { &self.model_cache_misses };
        counter.inc([]);
    }

    /// A training and what became of it: `deployed`, `rejected`, `failed`.
    pub fn track_retraining(
        &self,
        property_id: &str,
        model_type: &str,
        status: &str,
        took: Duration,
    ) {
        self.retraining.inc([property_id, model_type, status]);
        self.retraining_duration.observe_duration([property_id, model_type], took);
    }

    /// A drift that was found, and whether a training follows.
    pub fn track_drift(&self, property_id: &str, trigger_retrain: bool) {
        let trigger = if trigger_retrain { "true" } else { "false" };
        self.drift_detected.inc([property_id, trigger]);
    }

    /// An assignment to a variant of an experiment.
    pub fn track_ab_assignment(&self, experiment_id: &str, variant: &str) {
        self.ab_assignments.inc([experiment_id, variant]);
    }

    /// Whether the price of a variant was accepted.
    pub fn track_ab_outcome(&self, experiment_id: &str, variant: &str, accepted: bool) {
        let accepted = if accepted { "true" } else { "false" };
        self.ab_outcomes.inc([experiment_id, variant, accepted]);
    }

    /// A fetch of competitors' prices, `success` or what it failed of, and how old they are.
    pub fn track_competitor_fetch(&self, property_id: &str, status: &str, staleness: Duration) {
        self.competitor_fetches.inc([property_id, status]);
        self.competitor_staleness.set([property_id], staleness.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, track_latency};
    use super::*;

    #[test]
    fn every_metric_of_the_catalogue_is_there_with_its_labels() {
        let registry = Registry::new();
        let pricing = PricingMetrics::new(&registry, "pricing", "1.0.0", "test");
        let took = Duration::from_millis(25);
        pricing.track_request("POST", "/score", 200, took);
        pricing.track_request("POST", "/score", 500, took);
        pricing.track_score_request("ml_elasticity", took);
        pricing.track_outcomes("prop-123", 100, 5);
        pricing.track_model_prediction("prop-123", "conversion", took);
        pricing.track_model_cache(true);
        pricing.track_model_cache(false);
        pricing.models_loaded.set([], 2.0);
        pricing.track_retraining("prop-123", "conversion", "deployed", Duration::from_secs(120));
        pricing.track_drift("prop-123", true);
        pricing.track_ab_assignment("exp", "a");
        pricing.track_ab_outcome("exp", "a", true);
        pricing.track_competitor_fetch("prop-123", "success", Duration::from_secs(60));
        drop(track_latency(&pricing.api_latency, ["GET", "/models", "200"]));
        let active = pricing.active_requests.in_flight(["/score"]);
        let text = registry.text(Format::Text);
        drop(active);
        for line in [
            r#"pricing_api_latency_seconds_bucket{method="POST",endpoint="/score",status_code="200",le="0.025"} 1"#,
            r#"pricing_api_latency_seconds_count{method="GET",endpoint="/models",status_code="200"} 1"#,
            r#"pricing_score_latency_seconds_count{pricing_method="ml_elasticity"} 1"#,
            r#"pricing_requests_total{method="POST",endpoint="/score",status_code="200"} 1"#,
            r#"pricing_active_requests{endpoint="/score"} 1"#,
            r#"pricing_errors_total{endpoint="/score",error_type="server_error"} 1"#,
            r#"pricing_model_prediction_seconds_count{property_id="prop-123",model_type="conversion"} 1"#,
            "pricing_model_cache_hits_total 1",
            "pricing_model_cache_misses_total 1",
            "pricing_models_loaded 2",
            r#"pricing_outcomes_ingested_total{property_id="prop-123"} 100"#,
            r#"pricing_outcomes_invalid_total{property_id="prop-123",reason="validation_error"} 5"#,
            r#"pricing_retraining_duration_seconds_sum{property_id="prop-123",model_type="conversion"} 120"#,
            r#"pricing_retraining_total{property_id="prop-123",model_type="conversion",status="deployed"} 1"#,
            r#"pricing_drift_detected_total{property_id="prop-123",trigger_retrain="true"} 1"#,
            r#"pricing_ab_assignments_total{experiment_id="exp",variant="a"} 1"#,
            r#"pricing_ab_outcomes_total{experiment_id="exp",variant="a",accepted="true"} 1"#,
            r#"pricing_competitor_fetches_total{property_id="prop-123",status="success"} 1"#,
            r#"pricing_competitor_staleness_seconds{property_id="prop-123"} 60"#,
            r#"pricing_service_info{version="1.0.0",environment="test",service="pricing"} 1"#,
            "# TYPE pricing_uptime_seconds gauge",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let after = registry.text(Format::Text);
        assert!(after.contains("pricing_active_requests{endpoint=\"/score\"} 0\n"));
    }
}
