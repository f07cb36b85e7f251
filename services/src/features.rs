//! What the model looks at: the twelve features of a transaction, in their order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The features' names, in the order of the model's weights.
pub const FEATURES: [&str; 12] = [
    "amount",
    "amount_ratio",
    "velocity_24h",
    "failed_payments_24h",
    "account_age",
    "countries_30d",
    "chargebacks_90d",
    "merchant_risk",
    "payment_risk",
    "night",
    "new_device",
    "email_risk",
];

/// The features of one transaction, each in the unit that the model was trained with.
pub type FeatureVector = [f64; FEATURES.len()];

/// What is known about a user beforehand: the contents of the feature store.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserFeatures {
    /// Average amount of the user's transactions.
    pub avg_amount: f64,
    /// Transactions in the last 24 hours.
    pub velocity_24h: f64,
    /// Failed payments in the last 24 hours.
    pub failed_payments_24h: f64,
    /// Age of the account in days.
    pub account_age_days: f64,
    /// Countries that the user paid from in the last 30 days.
    pub countries_30d: f64,
    /// Chargebacks in the last 90 days.
    pub chargebacks_90d: f64,
    /// How risky the domain of the email address is, 0 to 1.
    pub email_risk: f64,
}

/// One feature of a user: its name in the store, its default and the range it must be in.
#[derive(Debug, Clone, Copy)]
pub struct UserFeature {
    /// Name, part of the key in the store.
    pub name: &'static str,
    /// What is assumed where nothing is known: the value of an unremarkable user.
    pub default: f64,
    /// Least value that can be true.
    pub min: f64,
    /// Greatest value that can be true.
    pub max: f64,
}

const fn feature(name: &'static str, default: f64, min: f64, max: f64) -> UserFeature {
    UserFeature { name, default, min, max }
}

impl UserFeatures {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// Each, in the order of [`UserFeatures::values`].
    pub const ALL: [UserFeature; UserFeatures::COUNT] = [
        feature("avg_amount", 75.0, 0.0, 100_000.0),
        feature("velocity_24h", 2.0, 0.0, 1_000.0),
        feature("failed_payments_24h", 0.0, 0.0, 1_000.0),
        feature("account_age_days", 365.0, 0.0, 36_500.0),
        feature("countries_30d", 1.0, 0.0, 200.0),
        feature("chargebacks_90d", 0.0, 0.0, 1_000.0),
        feature("email_risk", 0.2, 0.0, 1.0),
    ];

    /// As an array.
    #[must_use]
    pub fn values(&self) -> [f64; UserFeatures::COUNT] {
        [
            self.avg_amount,
            self.velocity_24h,
            self.failed_payments_24h,
            self.account_age_days,
            self.countries_30d,
            self.chargebacks_90d,
            self.email_risk,
        ]
    }

    /// From an array.
    #[must_use]
    pub fn from_values(values: [f64; UserFeatures::COUNT]) -> UserFeatures {
        let [
            avg_amount,
            velocity_24h,
            failed_payments_24h,
            account_age_days,
            countries_30d,
            chargebacks_90d,
            email_risk,
        ] = values;
        UserFeatures {
            avg_amount,
            velocity_24h,
            failed_payments_24h,
            account_age_days,
            countries_30d,
            chargebacks_90d,
            email_risk,
        }
    }
}

impl Default for UserFeatures {
    fn default() -> UserFeatures {
        UserFeatures::from_values(UserFeatures::ALL.map(|feature| feature.default))
    }
}

/// What the transaction itself tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransactionFacts {
    /// Amount in the currency's main unit.
    pub amount: f64,
    /// How risky the merchant is, 0 to 1.
    pub merchant_risk: f64,
    /// How risky the way of payment is, 0 to 1.
    pub payment_risk: f64,
    /// Whether it is made at night.
    pub night: bool,
    /// Whether the device is new to the user.
    pub new_device: bool,
}

/// Puts both together. Amounts, ages and counts are taken as logarithms: what matters is the
/// factor, and one extreme value must not decide alone.
#[must_use]
pub fn feature_vector(facts: &TransactionFacts, user: &UserFeatures) -> FeatureVector {
    let flag = |yes: bool| f64::from(u8::from(yes));
    [
        facts.amount.ln_1p(),
        (facts.amount / (user.avg_amount + 1.0)).ln_1p(),
        user.velocity_24h.ln_1p(),
        user.failed_payments_24h.ln_1p(),
        user.account_age_days.ln_1p(),
        user.countries_30d.ln_1p(),
        user.chargebacks_90d.ln_1p(),
        facts.merchant_risk,
        facts.payment_risk,
        flag(facts.night),
        flag(facts.new_device),
        user.email_risk,
    ]
}

/// How risky a way of payment is, 0 to 1; an unknown one is in between.
#[must_use]
pub fn payment_risk(method: &str) -> f64 {
    match method {
        "wallet" | "apple_pay" | "google_pay" => 0.1,
        "card" | "credit" | "visa" | "mastercard" => 0.2,
        "debit" | "bank_transfer" | "paypal" => 0.25,
        "prepaid" | "gift_card" => 0.65,
        "crypto" => 0.8,
        _ => 0.5,
    }
}

/// How risky a merchant is, 0 to 1: made up from its name, mostly low. Names that begin with
/// `risky_` are.
#[must_use]
pub fn merchant_risk(merchant_id: &str) -> f64 {
    if merchant_id.starts_with("risky_") {
        return 0.85;
    }
    // FNV-1a: stable between versions, which the standard library's hash is not.
    let hash = merchant_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let share = f64::from(u32::try_from(hash >> 40).unwrap_or(0)) / f64::from(1_u32 << 24);
    0.05 + 0.4 * share * share
}
