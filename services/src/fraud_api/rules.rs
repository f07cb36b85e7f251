//! What is done about a transaction: the model's word, and the rules that stand above it.

use serde::Serialize;
use utoipa::ToSchema;

use super::inference::Prediction;
use crate::features::UserFeatures;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decision {
    /// It goes through.
    Approve,
    /// A person looks first.
    Review,
    /// It does not go through.
    Block,
}

impl Decision {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Decision::Approve => "approve",
            Decision::Review => "review",
            Decision::Block => "block",
        }
    }
}

/// Decides. Returns the rule that changed the model's word, if one did.
pub(super) fn decide(
    prediction: &Prediction,
    amount: f64,
    user: &UserFeatures,
    degraded: bool,
) -> (Decision, Option<&'static str>) {
    match prediction.risk_level.decision() {
        Decision::Approve if degraded && amount > 500.0 => {
            (Decision::Review, Some("large_amount_without_features"))
        }
        Decision::Approve if amount > 1_000.0 => (Decision::Review, Some("large_amount")),
        Decision::Approve if user.account_age_days < 7.0 && amount > 200.0 => {
            (Decision::Review, Some("new_account"))
        }
        Decision::Review if user.chargebacks_90d >= 3.0 && user.failed_payments_24h >= 3.0 => {
            (Decision::Block, Some("repeated_chargebacks"))
        }
        Decision::Block if degraded => (Decision::Review, Some("no_block_without_features")),
        decision => (decision, None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::inference::RiskLevel;
    use super::*;

    fn check(
        risk_level: RiskLevel,
        amount: f64,
        user: UserFeatures,
        degraded: bool,
    ) -> (Decision, Option<&'static str>) {
        let prediction = Prediction {
            probability: 0.5,
            is_fraud: risk_level == RiskLevel::High,
            risk_level,
            model_version: String::new(),
            top: Vec::new(),
        };
        decide(&prediction, amount, &user, degraded)
    }

    #[test]
    fn the_model_decides_unless_a_rule_stands_above_it() {
        use Decision::{Approve, Block, Review};
        use RiskLevel::{High, Low, Medium};
        let plain = UserFeatures::default();
        let fresh = UserFeatures { account_age_days: 1.0, ..plain };
        let known = UserFeatures { chargebacks_90d: 3.0, failed_payments_24h: 4.0, ..plain };
        for (risk, amount, user, degraded, expect) in [
            (Low, 10.0, plain, false, (Approve, None)),
            (Medium, 10.0, plain, false, (Review, None)),
            (High, 10.0, plain, false, (Block, None)),
            (Low, 1_500.0, plain, false, (Review, Some("large_amount"))),
            (Low, 300.0, fresh, false, (Review, Some("new_account"))),
            (Medium, 10.0, known, false, (Block, Some("repeated_chargebacks"))),
            (Low, 600.0, plain, true, (Review, Some("large_amount_without_features"))),
            (High, 10.0, plain, true, (Review, Some("no_block_without_features"))),
        ] {
            assert_eq!(check(risk, amount, user, degraded), expect, "{risk:?} {amount}");
        }
    }
}
