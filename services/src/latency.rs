//! How long things take: the real services' computing and networks are played by sleeping.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::transaction::log_normal;

/// Draws latencies, from a seed. Clones draw from the same sequence.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    rng: Arc<Mutex<StdRng>>,
    scale: f64,
}

/// How long one operation takes: mostly about `usual_ms`, now and then up to `slow_ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatencyModel {
    pub(crate) usual_ms: f64,
    pub(crate) slow_ms: f64,
    pub(crate) slow_share: f64,
}

impl Latency {
    /// `scale` 0 takes no time at all.
    pub(crate) fn new(seed: u64, scale: f64) -> Latency {
        Latency { rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))), scale }
    }

    /// Takes as long as such an operation does.
    pub(crate) async fn spend(&self, model: LatencyModel) {
        let ms = self.scale * self.draw_ms(model);
        if ms > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64((ms / 1e3).min(10.0))).await;
        }
    }

    fn draw_ms(&self, model: LatencyModel) -> f64 {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.random::<f64>() < model.slow_share {
            return model.slow_ms * rng.random_range(0.5..1.0);
        }
        model.usual_ms * log_normal(&mut rng, 0.0, 0.4)
    }
}
