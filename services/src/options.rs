//! The options that services have in common.

use std::time::Duration;

use axum::http::HeaderMap;
use clap::Args;
use sdk::{Registry, ServerOptions};

use crate::fault::Faults;
use crate::latency::Latency;

/// What every service takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Factor on the played latencies; 0 takes no time.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub latency_scale: f64,
    /// Seed of all that is drawn: latencies, what a model is trained on, experiments.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Where it counts, shown at `/metrics`.
    #[arg(skip)]
    pub metrics: Registry,
}

impl Default for Common {
    fn default() -> Common {
        Common { latency_scale: 1.0, seed: 42, metrics: Registry::new() }
    }
}

impl Common {
    pub(crate) fn latency(&self) -> Latency {
        Latency::new(self.seed, self.latency_scale)
    }
}

/// What a service takes that answers requests.
#[derive(Debug, Clone, Args)]
pub struct Requests {
    /// Requests slower than this are warned of, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub slow_request_ms: u64,
    /// Refuse the `X-Fault` header that makes requests slow or fail.
    #[arg(long)]
    pub no_fault_injection: bool,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests { slow_request_ms: 500, no_fault_injection: false }
    }
}

impl Requests {
    /// How requests are traced, and counted in `metrics`.
    pub(crate) fn server_options(&self, metrics: &Registry) -> ServerOptions {
        ServerOptions {
            slow_request: Duration::from_millis(self.slow_request_ms),
            metrics: Some(metrics.clone()),
            ..ServerOptions::default()
        }
    }

    /// What goes wrong on purpose with a request of these headers.
    pub(crate) fn faults(&self, headers: &HeaderMap) -> Faults {
        Faults::of(headers, !self.no_fault_injection)
    }
}
