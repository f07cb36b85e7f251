//! The models of all properties: those that were deployed, and the few that are in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tracing::{Instrument as _, info_span};

use super::App;
use super::demand::Demand;
use crate::latency::LatencyModel;

#[derive(Debug)]
pub(super) struct Models {
    inner: Mutex<Inner>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Inner {
    deployed: BTreeMap<String, Arc<Demand>>,
    /// Properties whose models are in memory, the least used first.
    loaded: VecDeque<String>,
}

impl Models {
    pub(super) fn new(capacity: usize) -> Models {
        Models { inner: Mutex::default(), capacity: capacity.max(1) }
    }

    /// What was deployed for a property, in memory or not.
    pub(super) fn deployed(&self, property_id: &str) -> Option<Arc<Demand>> {
        self.lock().deployed.get(property_id).cloned()
    }

    /// Puts a model into its property's place.
    pub(super) fn deploy(&self, property_id: &str, model: Demand) {
        let mut inner = self.lock();
        inner.deployed.insert(property_id.to_owned(), Arc::new(model));
        inner.loaded.retain(|loaded| loaded != property_id);
    }

    /// Notes the use of a property's model: whether it was in memory, and how many are now.
    fn touch(&self, property_id: &str) -> (bool, usize) {
        let mut inner = self.lock();
        let hit = inner.loaded.iter().any(|loaded| loaded == property_id);
        inner.loaded.retain(|loaded| loaded != property_id);
        inner.loaded.push_back(property_id.to_owned());
        while inner.loaded.len() > self.capacity {
            inner.loaded.pop_front();
        }
        (hit, inner.loaded.len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// The property's model, loaded where it is not in memory.
    pub(super) async fn load_model(&self, property_id: &str) -> Option<Arc<Demand>> {
        async {
            let model = self.models.deployed(property_id)?;
            let (hit, loaded) = self.models.touch(property_id);
            self.metrics.track_model_cache(hit);
            self.metrics
                .models_loaded
                .set([], f64::from(u32::try_from(loaded).unwrap_or(u32::MAX)));
            sdk::set_attribute("model.cache_hit", hit);
            sdk::set_attribute("model.version", i64::from(model.version));
            if !hit {
                let load = LatencyModel { usual_ms: 9.0, slow_ms: 90.0, slow_share: 0.02 };
                self.latency.spend(load).await;
            }
            Some(model)
        }
        .instrument(info_span!("load_model", property.id = property_id))
        .await
    }
}

/// A model that was deployed.
#[derive(Debug, Serialize)]
pub(super) struct Deployed {
    property_id: String,
    version: u32,
    loaded: bool,
}

/// `GET /models`.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Vec<Deployed>> {
    let inner = app.models.lock();
    let deployed = inner.deployed.iter().map(|(property_id, model)| Deployed {
        property_id: property_id.clone(),
        version: model.version,
        loaded: inner.loaded.contains(property_id),
    });
    Json(deployed.collect())
}
