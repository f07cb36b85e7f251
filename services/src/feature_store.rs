//! The feature store: what is known about users, in Redis, with a copy in the process.
//!
//! It promises an answer within a tenth of a second whatever Redis does. Where Redis does not
//! answer, the process's own copy does; where that has nothing, the defaults of an unremarkable
//! user do; both are said, on the span and in the log. A circuit breaker spares a Redis that is
//! down, and the requests that would wait for it. Values out of range are not believed.

mod breaker;
mod memory;
mod redis;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use stdx::clock::{Clock, UnixNanos};
use tracing::{Instrument as _, Span, field::Empty, info_span};
use utoipa::ToSchema;

use crate::error::Error;
use crate::fault::{Fault, Faults};
use crate::features::UserFeatures;
use crate::latency::{Latency, LatencyModel};
use breaker::Breaker;
use memory::Memory;
use redis::Redis;

/// A stored value and when it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
struct StoredValue {
    value: f64,
    written_at: UnixNanos,
}

/// The values found for one user, in the order of [`UserFeatures::ALL`].
type Found = [Option<StoredValue>; UserFeatures::COUNT];

/// The store.
#[derive(Debug)]
pub struct FeatureStore {
    redis: Option<Redis>,
    memory: Memory,
    breaker: Breaker,
    clock: Clock,
    latency: Latency,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Where a user's features came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Redis.
    Redis,
    /// The process's own store.
    Memory,
    /// Nowhere: an unremarkable user was assumed.
    Defaults,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Source::Redis => "redis",
            Source::Memory => "memory",
            Source::Defaults => "defaults",
        }
    }
}

/// The answer to a batch read.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The features, complete.
    pub features: UserFeatures,
    /// Where they came from.
    pub source: Source,
    /// How many were in the store.
    pub hits: usize,
    /// Age of the oldest.
    pub staleness: Option<Duration>,
    /// Why the answer is not what it should be; `None` when all is well.
    pub degraded: Option<String>,
    /// Values that were not believed, in words.
    pub quality_issues: Vec<String>,
}

/// The store's state, for health checks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Status {
    /// `redis` or `memory`.
    pub backend: &'static str,
    /// `ok`, or `degraded` while Redis does not answer.
    pub status: &'static str,
    /// Share of features that were found since the start; 1 before the first read.
    pub hit_rate: f64,
    /// Users in the process's own store.
    pub users_in_memory: usize,
}

/// Older values are still used, but said to be stale.
const STALE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("Redis did not answer within {0:?}")]
    Timeout(Duration),
    #[error("Redis failed")]
    Redis(#[from] ::redis::RedisError),
    #[error("circuit breaker is open")]
    BreakerOpen,
    #[error("made to fail by the request")]
    Injected,
}

impl StoreError {
    fn kind(&self) -> &'static str {
        match self {
            StoreError::Timeout(_) => "TimeoutError",
            StoreError::Redis(_) => "RedisError",
            StoreError::BreakerOpen => "CircuitBreakerOpen",
            StoreError::Injected => "InjectedFault",
        }
    }
}

impl FeatureStore {
    /// Opens the store. Redis need not be there; it is taken up when it comes.
    pub(crate) async fn open(
        redis_url: Option<&str>,
        clock: Clock,
        latency: Latency,
    ) -> Result<FeatureStore, Error> {
        let redis = redis_url.map(Redis::new).transpose()?;
        let store = FeatureStore {
            redis,
            memory: Memory::default(),
            breaker: Breaker::default(),
            clock,
            latency,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        };
        match &store.redis {
            None => tracing::info!("Feature store is in memory"),
            Some(redis) => match redis.ping().await {
                Ok(()) => tracing::info!(url = redis.address(), "Feature store is on Redis"),
                Err(error) => {
                    store.breaker.open(store.clock.now());
                    tracing::warn!(
                        url = redis.address(),
                        error = &error as &(dyn std::error::Error + 'static),
                        "Redis does not answer, features are kept in memory"
                    );
                }
            },
        }
        Ok(store)
    }

    /// Reads all features of a user in one batch. Never fails.
    pub(crate) async fn get_features(&self, user_id: u64, faults: &Faults) -> Fetched {
        let span = info_span!(
            "feature_store.get",
            otel.kind = "client",
            db.system.name = self.backend(),
            db.operation.name = "MGET",
            db.operation.batch.size = UserFeatures::COUNT,
            feature_store.source = Empty,
            feature_store.hits = Empty,
        );
        let read = self.read(user_id, faults).instrument(span.clone()).await;
        let (found, source, degraded) = match read {
            Ok((found, source)) => (found, source, None),
            Err(error) => {
                sdk::record_failure(&span, error.kind(), &error);
                let found = self.memory.get(user_id);
                let source = if found.is_some() { Source::Memory } else { Source::Defaults };
                (found.unwrap_or_default(), source, Some(error.to_string()))
            }
        };
        let fetched = self.judge(found, source, degraded);
        span.record("feature_store.source", fetched.source.as_str());
        span.record("feature_store.hits", fetched.hits);
        fetched
    }

    /// Writes the features of a user. Says where they are now.
    pub(crate) async fn populate(&self, user_id: u64, features: &UserFeatures) -> Source {
        let span = info_span!(
            "feature_store.set",
            otel.kind = "client",
            db.system.name = self.backend(),
            db.operation.name = "SET",
            db.operation.batch.size = UserFeatures::COUNT,
        );
        let now = self.clock.now();
        self.memory.put(user_id, features, now);
        let Some(redis) = &self.redis else { return Source::Memory };
        if !self.breaker.allows(now) {
            return Source::Memory;
        }
        let written = redis.put(user_id, features, now).instrument(span.clone()).await;
        self.breaker.note(written.is_ok(), self.clock.now());
        match written {
            Ok(()) => Source::Redis,
            Err(error) => {
                sdk::record_failure(&span, error.kind(), &error);
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "Features are kept in memory only"
                );
                Source::Memory
            }
        }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        let degraded = self.redis.is_some() && self.breaker.is_open(self.clock.now());
        Status {
            backend: self.backend(),
            status: if degraded { "degraded" } else { "ok" },
            hit_rate: self.hit_rate(),
            users_in_memory: self.memory.len(),
        }
    }

    /// Share of features that were found since the start; 1 before the first read.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        let number = |count: &AtomicU64| {
            f64::from(u32::try_from(count.load(Ordering::Relaxed)).unwrap_or(u32::MAX))
        };
        let (hits, misses) = (number(&self.hits), number(&self.misses));
        if hits + misses == 0.0 { 1.0 } else { hits / (hits + misses) }
    }

    fn backend(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "memory" }
    }

    async fn read(&self, user_id: u64, faults: &Faults) -> Result<(Found, Source), StoreError> {
        faults.delay(Fault::SlowFeatureStore, Duration::from_millis(300)).await;
        if faults.has(Fault::FeatureStoreDown) {
            return Err(StoreError::Injected);
        }
        let Some(redis) = &self.redis else {
            let model = LatencyModel { usual_ms: 0.6, slow_ms: 140.0, slow_share: 0.008 };
            self.latency.spend(model).await;
            return Ok((self.memory.get(user_id).unwrap_or_default(), Source::Memory));
        };
        if !self.breaker.allows(self.clock.now()) {
            return Err(StoreError::BreakerOpen);
        }
        let found = redis.get(user_id).await;
        self.breaker.note(found.is_ok(), self.clock.now());
        Ok((found?, Source::Redis))
    }

    /// Completes what was found, and says what is wrong with it.
    fn judge(&self, found: Found, source: Source, degraded: Option<String>) -> Fetched {
        let now = self.clock.now();
        let mut values = UserFeatures::default().values();
        let (mut hits, mut quality_issues, mut oldest) = (0_usize, Vec::new(), None::<UnixNanos>);
        for ((value, feature), found) in values.iter_mut().zip(UserFeatures::ALL).zip(found) {
            let Some(found) = found else { continue };
            hits += 1;
            oldest = Some(oldest.map_or(found.written_at, |at| at.min(found.written_at)));
            if (feature.min..=feature.max).contains(&found.value) {
                *value = found.value;
            } else {
                quality_issues.push(format!(
                    "{} is {}, not within {} to {}",
                    feature.name, found.value, feature.min, feature.max
                ));
            }
        }
        let staleness = oldest.map(|at| {
            Duration::from_nanos(u64::try_from(now.saturating_sub(at)).unwrap_or_default())
        });
        if let Some(age) = staleness.filter(|age| *age > STALE_AFTER) {
            quality_issues.push(format!("features are {} s old", age.as_secs()));
        }
        let count = |n: usize| u64::try_from(n).unwrap_or_default();
        self.hits.fetch_add(count(hits), Ordering::Relaxed);
        self.misses.fetch_add(count(UserFeatures::COUNT - hits), Ordering::Relaxed);
        let source = if hits == 0 { Source::Defaults } else { source };
        let features = UserFeatures::from_values(values);
        Fetched { features, source, hits, staleness, degraded, quality_issues }
    }
}

impl Fetched {
    /// Writes what people will ask for on `span`, and warns of what is wrong.
    pub(crate) fn tell(&self, span: &Span, hit_rate: f64) {
        use sdk::KeyValue;
        let mut attributes = vec![
            KeyValue::new("feature_store.source", self.source.as_str()),
            KeyValue::new("feature_store.hit", self.hits == UserFeatures::COUNT),
            KeyValue::new("feature_store.hit_rate", hit_rate),
            KeyValue::new("feature_store.degraded", self.degraded.is_some()),
            KeyValue::new(
                "feature_store.quality_issues",
                i64::try_from(self.quality_issues.len()).unwrap_or(i64::MAX),
            ),
        ];
        if let Some(staleness) = self.staleness {
            attributes.push(KeyValue::new("feature_store.staleness_s", staleness.as_secs_f64()));
        }
        sdk::set_attributes(span, attributes);
        if let Some(reason) = &self.degraded {
            tracing::warn!(
                feature_store.source = self.source.as_str(),
                feature_store.degraded = true,
                "Feature store degraded, using {}: {reason}",
                match self.source {
                    Source::Defaults => "defaults",
                    Source::Memory | Source::Redis => "the process's own copy",
                }
            );
        }
        for issue in &self.quality_issues {
            tracing::warn!(feature_store.quality_issue = true, "Feature not believed: {issue}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    async fn store(clock: &Clock) -> FeatureStore {
        FeatureStore::open(None, clock.clone(), Latency::new(1, 0.0)).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_put_is_found_and_counted() {
        let clock = Clock::manual(0);
        let store = store(&clock).await;
        let features = crate::transaction::user_features(12_345);
        assert_eq!(store.populate(12_345, &features).await, Source::Memory);
        clock.advance(DAY / 2);
        let fetched = store.get_features(12_345, &Faults::default()).await;
        assert_eq!((fetched.features, fetched.source, fetched.hits), (features, Source::Memory, 7));
        assert_eq!(fetched.staleness, Some(DAY / 2));
        assert_eq!((fetched.degraded, fetched.quality_issues), (None, vec![]));
        let unknown = store.get_features(1, &Faults::default()).await;
        assert_eq!((unknown.features, unknown.source), (UserFeatures::default(), Source::Defaults));
        assert!((store.hit_rate() - 0.5).abs() < 1e-9);
    }

    #[tokio::test]
    async fn values_that_cannot_be_true_are_replaced_and_old_ones_told() {
        let clock = Clock::manual(0);
        let store = store(&clock).await;
        let broken =
            UserFeatures { avg_amount: -1.0, email_risk: f64::NAN, ..UserFeatures::default() };
        store.populate(7, &broken).await;
        clock.advance(DAY * 2);
        let fetched = store.get_features(7, &Faults::default()).await;
        assert_eq!(fetched.features, UserFeatures::default());
        assert_eq!(fetched.quality_issues.len(), 3, "{:?}", fetched.quality_issues);
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_costs_only_the_copy_in_memory() {
        let clock = Clock::manual(0);
        // Port 1 of loopback: nothing listens there.
        let url = Some("redis://127.0.0.1:1");
        let store = FeatureStore::open(url, clock.clone(), Latency::new(1, 0.0)).await.unwrap();
        assert_eq!(store.status().status, "degraded");
        let features = crate::transaction::user_features(5);
        assert_eq!(store.populate(5, &features).await, Source::Memory);
        let fetched = store.get_features(5, &Faults::default()).await;
        assert_eq!((fetched.features, fetched.source), (features, Source::Memory));
        assert_eq!(fetched.degraded.as_deref(), Some("circuit breaker is open"));
        let unknown = store.get_features(6, &Faults::default()).await;
        assert_eq!((unknown.features, unknown.source), (UserFeatures::default(), Source::Defaults));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        let latency = Latency::new(1, 0.0);
        let store = FeatureStore::open(Some("nonsense"), Clock::manual(0), latency).await;
        assert!(matches!(store, Err(Error::RedisUrl { .. })));
    }
}
