//! Made-up users and transactions: what the model is trained on and what the load generator sends.
//!
//! There are three kinds. Most users are regular; suspicious ones look odd and are mostly honest;
//! fraudulent ones are mostly not. The kinds overlap, so that no model can be perfect.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::features::{TransactionFacts, UserFeatures};

/// What kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing odd.
    Regular,
    /// Odd, mostly honest.
    Suspicious,
    /// Mostly fraud.
    Fraudulent,
}

impl Kind {
    /// The kind of a user: the last two digits of the id tell, 78 % regular, 16 % suspicious.
    #[must_use]
    pub fn of_user(user_id: u64) -> Kind {
        match user_id % 100 {
            0..78 => Kind::Regular,
            78..94 => Kind::Suspicious,
            _ => Kind::Fraudulent,
        }
    }

    /// The share of transactions of this kind that are fraud.
    fn fraud_share(self) -> f64 {
        match self {
            Kind::Regular => 0.002,
            Kind::Suspicious => 0.12,
            Kind::Fraudulent => 0.93,
        }
    }

    fn pick<T>(self, regular: T, suspicious: T, fraudulent: T) -> T {
        match self {
            Kind::Regular => regular,
            Kind::Suspicious => suspicious,
            Kind::Fraudulent => fraudulent,
        }
    }
}

/// The features of a user, always the same for the same id.
#[must_use]
pub fn user_features(user_id: u64) -> UserFeatures {
    draw_user(&mut StdRng::seed_from_u64(user_id), Kind::of_user(user_id))
}

/// Draws the features of some user of this kind.
pub fn draw_user(rng: &mut StdRng, kind: Kind) -> UserFeatures {
    let count = |rng: &mut StdRng, mean: f64| (-mean * (1.0 - rng.random::<f64>()).ln()).floor();
    UserFeatures {
        avg_amount: log_normal(rng, kind.pick(4.2, 4.3, 4.1), 0.5),
        velocity_24h: count(rng, kind.pick(1.8, 5.0, 9.0)),
        failed_payments_24h: count(rng, kind.pick(0.15, 1.0, 2.4)),
        account_age_days: log_normal(rng, kind.pick(6.3, 5.0, 3.2), 0.8).round(),
        countries_30d: 1.0 + count(rng, kind.pick(0.2, 0.9, 1.6)),
        chargebacks_90d: count(rng, kind.pick(0.08, 0.5, 1.3)),
        email_risk: share(rng, kind.pick(0.15, 0.4, 0.65)),
    }
}

/// Draws a transaction of some user of this kind.
pub fn draw_transaction(rng: &mut StdRng, kind: Kind, user: &UserFeatures) -> TransactionFacts {
    let factor = log_normal(rng, kind.pick(-0.1, 0.7, 1.5), 0.6);
    let amount = (user.avg_amount * factor).clamp(1.0, 9_999.0);
    TransactionFacts {
        amount: (amount * 100.0).round() / 100.0,
        merchant_risk: share(rng, kind.pick(0.15, 0.3, 0.5)),
        payment_risk: share(rng, kind.pick(0.2, 0.35, 0.5)),
        night: rng.random_bool(kind.pick(0.12, 0.25, 0.45)),
        new_device: rng.random_bool(kind.pick(0.06, 0.3, 0.6)),
    }
}

/// Draws whether a transaction of this kind is fraud.
pub fn draw_label(rng: &mut StdRng, kind: Kind) -> bool {
    rng.random_bool(kind.fraud_share())
}

/// A number near `mean`, between 0 and 1.
fn share(rng: &mut StdRng, mean: f64) -> f64 {
    (mean + 0.15 * standard_normal(rng)).clamp(0.0, 1.0)
}

/// `exp` of a normal number.
pub(crate) fn log_normal(rng: &mut StdRng, mean: f64, deviation: f64) -> f64 {
    (mean + deviation * standard_normal(rng)).exp()
}

/// Box and Muller's method.
fn standard_normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
