//! Features in Redis: one key a feature, `features:{user}:{feature}`, value `{number}@{time}` with
//! the time in nanoseconds since 1970, gone after two days.

use std::future::Future;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult};
use stdx::clock::UnixNanos;

use super::{Found, StoreError, StoredValue};
use crate::error::Error;
use crate::features::UserFeatures;

/// Longest that a read or write may take, reconnecting included.
const ANSWER_WITHIN: Duration = Duration::from_millis(60);
const CONNECT_WITHIN: Duration = Duration::from_millis(250);
const KEPT_SECONDS: u64 = 2 * 24 * 3600;

pub(super) struct Redis {
    connection: ConnectionManager,
    address: String,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Redis {
    /// Connects at the first use.
    pub(super) fn new(url: &str) -> Result<Redis, Error> {
        let invalid = |source| Error::RedisUrl { url: url.to_owned(), source };
        let client = Client::open(url).map_err(invalid)?;
        let address = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20))
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let connection =
            ConnectionManager::new_lazy_with_config(client, config).map_err(invalid)?;
        Ok(Redis { connection, address })
    }

    /// Host and port, without the password.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let command = redis::cmd("PING");
        within(CONNECT_WITHIN * 2, command.exec_async(&mut connection)).await
    }

    pub(super) async fn get(&self, user_id: u64) -> Result<Found, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("MGET");
        for feature in UserFeatures::ALL {
            command.arg(key(user_id, feature.name));
        }
        let values: Vec<Option<String>> =
            within(ANSWER_WITHIN, command.query_async(&mut connection)).await?;
        let mut found = Found::default();
        for (found, value) in found.iter_mut().zip(values) {
            *found = value.as_deref().and_then(parse);
        }
        Ok(found)
    }

    pub(super) async fn put(
        &self,
        user_id: u64,
        features: &UserFeatures,
        now: UnixNanos,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        for (feature, value) in UserFeatures::ALL.iter().zip(features.values()) {
            let value = format!("{value}@{now}");
            pipeline.set_ex(key(user_id, feature.name), value, KEPT_SECONDS).ignore();
        }
        within(ANSWER_WITHIN, pipeline.exec_async(&mut connection)).await
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(StoreError::Timeout(limit)),
    }
}

fn key(user_id: u64, feature: &str) -> String {
    format!("features:{user_id}:{feature}")
}

/// What is no number at all becomes NaN, which no range contains: a data-quality issue, not a miss.
fn parse(text: &str) -> Option<StoredValue> {
    let (value, written_at) = text.split_once('@').unwrap_or((text, "0"));
    let value = value.parse().unwrap_or(f64::NAN);
    Some(StoredValue { value, written_at: written_at.parse().unwrap_or_default() })
}
