//! `POST /engineer`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use stdx::clock::Stopwatch;
use tracing::{Instrument as _, info, info_span};

use super::{App, Engineered, Transaction};
use crate::fault::{Fault, Faults};
use crate::features::{
    FEATURES, FeatureVector, TransactionFacts, UserFeatures, feature_vector, payment_risk,
};
use crate::http::{ApiError, ErrorBody, JsonBody};
use crate::latency::LatencyModel;
use crate::transaction::user_features;

/// Makes features out of a raw card transaction.
#[utoipa::path(
    post,
    path = "/engineer",
    tag = "features",
    request_body(content = Transaction, example = json!({"TransactionAmt": 150.0, "card1": 13926})),
    responses(
        (status = 200, body = Engineered),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 422, description = "Fields are missing or make no sense", body = ErrorBody),
    )
)]
pub(super) async fn engineer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    JsonBody(transaction): JsonBody<Transaction>,
) -> Result<Json<Engineered>, ApiError> {
    let stopwatch = Stopwatch::start();
    let faults = app.config.requests.faults(&headers);
    sdk::set_attribute("transaction.amount", transaction.amount);
    if transaction.amount <= 0.0 {
        return Err(ApiError::Validation("TransactionAmt must be above 0".to_owned()));
    }
    let features = app.compute(&transaction, &faults).await;
    app.engineering.observe_duration([], stopwatch.elapsed());
    app.engineered.add([], 12.0);
    sdk::set_attribute("features.count", 12_i64);
    sdk::set_attribute("processing.duration_ms", stopwatch.elapsed().as_secs_f64() * 1e3);
    info!(
        amount = transaction.amount,
        features_count = FEATURES.len(),
        "Engineered {} features of card {}",
        FEATURES.len(),
        transaction.card1
    );
    let features = FEATURES.map(str::to_owned).into_iter().zip(features).collect();
    Ok(Json(Engineered { features, features_count: FEATURES.len() }))
}

impl App {
    async fn compute(&self, transaction: &Transaction, faults: &Faults) -> FeatureVector {
        let stopwatch = Stopwatch::start();
        async {
            faults.delay(Fault::PreprocessingTimeout, Duration::from_secs(3)).await;
            faults.delay(Fault::SlowPreprocessing, Duration::from_millis(550)).await;
            self.latency
                .spend(LatencyModel { usual_ms: 2.0, slow_ms: 160.0, slow_share: 0.008 })
                .await;
            let features = features_of(transaction);
            sdk::set_attribute("features.count", 12_i64);
            sdk::set_attribute("processing.duration_ms", stopwatch.elapsed().as_secs_f64() * 1e3);
            features
        }
        .instrument(info_span!("feature_computation"))
        .await
    }
}

/// The card's history, made up from its number, overruled by what the transaction says itself.
fn features_of(transaction: &Transaction) -> FeatureVector {
    let history = user_features(transaction.card1);
    let user = UserFeatures {
        velocity_24h: transaction.recent_count.unwrap_or(history.velocity_24h).max(0.0),
        account_age_days: transaction.age_days.unwrap_or(history.account_age_days).max(0.0),
        email_risk: transaction.email_domain.as_deref().map_or(history.email_risk, email_risk),
        ..history
    };
    let facts = TransactionFacts {
        amount: transaction.amount,
        merchant_risk: transaction.product.as_deref().map_or(0.15, product_risk),
        payment_risk: payment_risk(transaction.card6.as_deref().unwrap_or("card")),
        night: transaction.seconds.is_some_and(|seconds| seconds / 3600 % 24 < 6),
        new_device: transaction.new_device.unwrap_or(false),
    };
    feature_vector(&facts, &user)
}

fn product_risk(product: &str) -> f64 {
    match product {
        "W" => 0.1,
        "H" | "R" => 0.25,
        "S" => 0.35,
        "C" => 0.7,
        _ => 0.3,
    }
}

fn email_risk(domain: &str) -> f64 {
    match domain {
        "gmail.com" | "icloud.com" | "outlook.com" => 0.15,
        "yahoo.com" | "hotmail.com" | "aol.com" => 0.25,
        "protonmail.com" | "mail.com" => 0.6,
        "anonymous.com" | "mailinator.com" => 0.9,
        _ => 0.35,
    }
}
