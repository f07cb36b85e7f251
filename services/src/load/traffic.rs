//! What is sent: the requests, in order, drawn from a seed.

use std::collections::{BTreeSet, VecDeque};

use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use super::LoadOptions;
use crate::transaction::{Kind, draw_transaction, user_features};

/// What kinds of requests, in percent of all.
#[derive(Debug, Clone, Args)]
pub struct Mix {
    /// Transactions of suspicious users, most of which are reviewed.
    #[arg(long = "suspicious", value_name = "PERCENT", default_value_t = 26.0)]
    pub suspicious_percent: f64,
    /// Transactions of fraudulent users, most of which are blocked.
    #[arg(long = "fraudulent", value_name = "PERCENT", default_value_t = 6.0)]
    pub fraudulent_percent: f64,
    /// Requests that are made slow.
    #[arg(long = "slow", value_name = "PERCENT", default_value_t = 1.5)]
    pub slow_percent: f64,
    /// Requests that are made to fail, and bad ones.
    #[arg(long = "failing", value_name = "PERCENT", default_value_t = 2.0)]
    pub failing_percent: f64,
}

impl Default for Mix {
    fn default() -> Mix {
        Mix {
            suspicious_percent: 26.0,
            fraudulent_percent: 6.0,
            slow_percent: 1.5,
            failing_percent: 2.0,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    /// The user whose features the call needs from the store.
    user: Option<u64>,
}

pub(super) struct Traffic {
    rng: StdRng,
    mix: Mix,
    regular: Vec<u64>,
    suspicious: Vec<u64>,
    fraudulent: Vec<u64>,
    /// Users whose features were put into the store.
    populated: BTreeSet<u64>,
    /// Calls that come before the next one that is drawn.
    waiting: VecDeque<Call>,
    drawn: u64,
}

const FIRST_USER: u64 = 12_300;
const TENANTS: [&str; 3] = ["acme-shop", "globex-travel", "initech-games"];
/// A user's is always the same; the API does not know the last.
const COUNTRIES: [&str; 5] = ["DE", "FR", "US", "GB", "NZ"];
const EMAILS: [&str; 5] = ["gmail.com", "yahoo.com", "outlook.com", "protonmail.com", "mail.com"];

impl Traffic {
    pub(super) fn new(options: &LoadOptions) -> Traffic {
        // Under a hundred users some kind would have nobody.
        let users = FIRST_USER..FIRST_USER + options.users.clamp(100, 1_000_000);
        let of = |kind| users.clone().filter(|user| Kind::of_user(*user) == kind).collect();
        Traffic {
            rng: StdRng::seed_from_u64(options.seed),
            mix: options.mix.clone(),
            regular: of(Kind::Regular),
            suspicious: of(Kind::Suspicious),
            fraudulent: of(Kind::Fraudulent),
            populated: BTreeSet::new(),
            waiting: VecDeque::new(),
            drawn: 0,
        }
    }

    pub(super) fn next_call(&mut self) -> Call {
        if let Some(call) = self.waiting.pop_front() {
            return call;
        }
        self.drawn += 1;
        if self.drawn.is_multiple_of(211) {
            return call(Method::GET, "/health/ready".to_owned(), None);
        }
        let luck = self.rng.random_range(0.0..100.0);
        let mut call = if luck < self.mix.failing_percent {
            self.failing_call()
        } else if luck < self.mix.failing_percent + self.mix.slow_percent {
            self.slow_call()
        } else {
            self.plain_call()
        };
        self.identify(&mut call);
        // A user that is new comes into the store first; one in twenty never does.
        match call.user {
            Some(user) if user % 20 != 13 && self.populated.insert(user) => {
                self.waiting.push_back(call);
                self::call(Method::POST, format!("/debug/populate-cache/{user}"), None)
            }
            _ => call,
        }
    }

    fn plain_call(&mut self) -> Call {
        if self.rng.random_bool(0.5) { self.card_call() } else { self.user_call() }
    }

    /// Sometimes the caller has an id for its request already.
    fn identify(&mut self, call: &mut Call) {
        if self.rng.random_bool(0.3) {
            let id = format!("req-{:016x}", self.rng.random::<u64>());
            call.headers.push(("x-request-id", id));
        }
        if self.rng.random_bool(0.6)
            && let Some(tenant) = TENANTS.choose(&mut self.rng)
        {
            call.headers.push(("x-tenant-id", (*tenant).to_owned()));
        }
    }

    fn slow_call(&mut self) -> Call {
        let fault = self.rng.random_range(0..4);
        let (mut call, fault) = match fault {
            0 => (self.user_call(), "slow-feature-store"),
            1 => (self.card_call(), "slow-preprocessing"),
            _ => (self.plain_call(), "slow-model"),
        };
        call.headers.push(("x-fault", fault.to_owned()));
        call
    }

    fn failing_call(&mut self) -> Call {
        let choice = self.rng.random_range(0..8);
        let (mut call, fault) = match choice {
            0 | 1 => (self.user_call(), "feature-store-down"),
            2 => (self.card_call(), "preprocessing-timeout"),
            3 => (self.plain_call(), "model-error"),
            4 => return call(Method::POST, "/predict".to_owned(), Some(json!({}))),
            5 => {
                let mut call = self.user_call();
                if let Some(body) = &mut call.body {
                    body["amount"] = json!(-1.0);
                }
                return call;
            }
            6 => {
                let body = json!({"TransactionAmt": "a lot", "card1": 13926});
                return call(Method::POST, "/predict".to_owned(), Some(body));
            }
            _ => return call(Method::GET, "/v1/models".to_owned(), None),
        };
        call.headers.push(("x-fault", fault.to_owned()));
        call
    }

    fn pick_user(&mut self) -> (u64, Kind) {
        let luck = self.rng.random_range(0.0..100.0);
        let (kind, users) = if luck < self.mix.fraudulent_percent {
            (Kind::Fraudulent, &self.fraudulent)
        } else if luck < self.mix.fraudulent_percent + self.mix.suspicious_percent {
            (Kind::Suspicious, &self.suspicious)
        } else {
            (Kind::Regular, &self.regular)
        };
        (*users.choose(&mut self.rng).expect("every kind has users"), kind)
    }

    /// `POST /v1/predict`.
    fn user_call(&mut self) -> Call {
        let (user, kind) = self.pick_user();
        let facts = draw_transaction(&mut self.rng, kind, &user_features(user));
        let risky = facts.merchant_risk > 0.55;
        let merchant = self.rng.random_range(1..80);
        let body = json!({
            "transaction_id": format!("txn_{:012x}", self.rng.random::<u64>() >> 16),
            "user_id": user,
            "amount": facts.amount,
            "payment_method": payment_method(facts.payment_risk),
            "merchant_id": format!("{}{merchant}", if risky { "risky_" } else { "merchant_" }),
            "hour": self.hour(facts.night),
            "new_device": facts.new_device,
            "transaction_country": COUNTRIES.iter().cycle().nth(usize::from(user.to_le_bytes()[0] % 5)),
        });
        Call { user: Some(user), ..call(Method::POST, "/v1/predict".to_owned(), Some(body)) }
    }

    /// `POST /predict`.
    fn card_call(&mut self) -> Call {
        let (user, kind) = self.pick_user();
        let facts = draw_transaction(&mut self.rng, kind, &user_features(user));
        let mut body = json!({
            "TransactionAmt": facts.amount,
            "card1": user,
            "TransactionDT": u64::from(self.hour(facts.night)) * 3600 + 86_400,
            "ProductCD": if facts.merchant_risk > 0.5 { "C" } else { "W" },
            "card6": payment_method(facts.payment_risk),
            "new_device": facts.new_device,
        });
        if kind == Kind::Regular
            && let Some(email) = EMAILS.choose(&mut self.rng)
        {
            body["P_emaildomain"] = json!(email);
        }
        let mut call = call(Method::POST, "/predict".to_owned(), Some(body));
        call.headers.push(("x-user-id", user.to_string()));
        call
    }

    fn hour(&mut self, night: bool) -> u8 {
        if night { self.rng.random_range(0..6) } else { self.rng.random_range(6..24) }
    }
}

fn call(method: Method, path: String, body: Option<Value>) -> Call {
    Call { method, path, headers: Vec::new(), body, user: None }
}

fn payment_method(risk: f64) -> &'static str {
    if risk < 0.15 {
        "wallet"
    } else if risk < 0.4 {
        "card"
    } else if risk < 0.55 {
        "bank_transfer"
    } else if risk < 0.72 {
        "prepaid"
    } else {
        "crypto"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_sends_the_same_requests() {
        let draw = |seed| {
            let mut traffic = Traffic::new(&LoadOptions { seed, ..LoadOptions::default() });
            (0..200).map(|_| traffic.next_call()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn every_kind_of_request_is_in_the_mix() {
        let mut traffic = Traffic::new(&LoadOptions::default());
        let calls: Vec<Call> = (0..5_000).map(|_| traffic.next_call()).collect();
        let share =
            |matches: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| matches(call)).count();
        assert!(share(&|call| call.path == "/predict") > 1_500);
        assert!(share(&|call| call.path == "/v1/predict") > 1_500);
        assert!(share(&|call| call.path.starts_with("/debug/populate-cache/")) > 400);
        let faulty = share(&|call| call.headers.iter().any(|(name, _)| *name == "x-fault"));
        assert!((50..300).contains(&faulty), "{faulty}");
    }
}
