//! Metrics of a service: counters, gauges and histograms with exemplars, shown at `/metrics` and
//! pushed over OTLP when told so.
//!
//! ```
//! use trefoil_sdk::metric::{Format, Registry, LATENCY_BUCKETS};
//! let registry = Registry::new();
//! let predictions = registry.counter("predictions_total", "Predictions made", ["decision"]);
//! let seconds = registry.histogram("prediction_latency_seconds", "How long", [], LATENCY_BUCKETS);
//! predictions.inc(["approve"]);
//! seconds.observe([], 0.012);
//! assert!(registry.text(Format::Text).contains("predictions_total{decision=\"approve\"} 1\n"));
//! ```
//!
//! It promises that counting never waits: a number is an atomic, a set of label values is found
//! under a lock for reading, an exemplar is passed over when another thread is writing one.
//! It is bounded: of a metric at most [`LABEL_SETS_MAX`] sets of label values are kept, what comes
//! beyond is counted together under the value `other`.
//!
//! Own code, because `prometheus-client` 0.25 writes OpenMetrics only and cannot be walked, which
//! text 0.0.4 and OTLP need, and `prometheus` 0.14 and the `metrics` facade have no exemplars.

mod endpoint;
mod exemplar;
mod family;
mod http;
mod otlp;
mod pricing;
mod process;
mod push;
mod snapshot;
mod text;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::clock;

pub use endpoint::{metrics_response, metrics_route};
pub(crate) use exemplar::Context;
pub use family::{
    Counter, Gauge, Histogram, InFlight, LABEL_SETS_MAX, LatencyTimer, track_latency,
};
pub(crate) use http::Call;
pub use http::{ClientMetrics, MetricsLayer, ServerMetrics};
pub use pricing::PricingMetrics;
pub use process::watch_process;
pub(crate) use push::Push;
pub use snapshot::{Exemplar, Family as FamilySnapshot, Kind, Sample, Snapshot, Value};
pub use text::Format;

use family::{Cell, CounterCell, Family, GaugeCell, HistogramCell, Meta};

/// Seconds of requests, as OpenTelemetry's semantic conventions advise.
pub const LATENCY_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Something that is read when metrics are asked for: the process, a pool, a queue.
type Collector = Box<dyn Fn(&mut Snapshot) + Send + Sync>;

/// The metrics of one service. Clones are the same registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    families: RwLock<Vec<Arc<dyn Walk>>>,
    collectors: RwLock<Vec<Collector>>,
    started: SystemTime,
}

/// A family whatever its type and number of labels.
trait Walk: Any + Send + Sync {
    fn name(&self) -> &'static str;
    fn snapshot(&self) -> FamilySnapshot;
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<C: Cell> Walk for Family<C> {
    fn name(&self) -> &'static str {
        self.meta().name
    }

    fn snapshot(&self) -> FamilySnapshot {
        Family::snapshot(self)
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Registry {
        Registry(Arc::new(Inner {
            families: RwLock::default(),
            collectors: RwLock::default(),
            started: clock::wall(),
        }))
    }

    /// A number that only grows. Its name ends in `_total`.
    pub fn counter<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Counter<N> {
        Counter(self.family(Meta::new(name, help, &labels), CounterCell::default))
    }

    /// A number that goes up and down.
    pub fn gauge<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Gauge<N> {
        Gauge(self.family(Meta::new(name, help, &labels), GaugeCell::default))
    }

    /// How often values fell into each of `buckets`, upper bounds in rising order.
    pub fn histogram<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        buckets: &'static [f64],
    ) -> Histogram<N> {
        assert!(buckets.is_sorted(), "the buckets of {name} are in rising order");
        Histogram(self.family(Meta::new(name, help, &labels), move || HistogramCell::new(buckets)))
    }

    /// What does not change while the service runs: its version, its environment. The name ends
    /// in `_info`.
    pub fn info(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) {
        let labels: Vec<(&'static str, String)> =
            labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.collect(move |snapshot| {
            let value = Value::Number(1.0, None);
            let samples = vec![Sample { labels: labels.clone(), value }];
            snapshot.families.push(FamilySnapshot { name, help, kind: Kind::Info, samples });
        });
    }

    /// Reads more families whenever metrics are asked for.
    pub fn collect(&self, collector: impl Fn(&mut Snapshot) + Send + Sync + 'static) {
        let mut collectors = self.0.collectors.write().unwrap_or_else(PoisonError::into_inner);
        collectors.push(Box::new(collector));
    }

    /// Everything as it is now, by name.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let families = self.0.families.read().unwrap_or_else(PoisonError::into_inner);
        let mut snapshot = Snapshot {
            families: families.iter().map(|family| family.snapshot()).collect(),
            started: self.0.started,
            now: clock::wall(),
        };
        drop(families);
        let collectors = self.0.collectors.read().unwrap_or_else(PoisonError::into_inner);
        for collector in collectors.iter() {
            collector(&mut snapshot);
        }
        snapshot.families.sort_by_key(|family| family.name);
        snapshot
    }

    /// The body of an answer to `GET /metrics`.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        text::write(&self.snapshot(), format)
    }

    /// The family of this name; the one that is there where it was asked for before.
    fn family<C: Cell>(
        &self,
        meta: Meta,
        cell: impl Fn() -> C + Send + Sync + 'static,
    ) -> Arc<Family<C>> {
        let mut families = self.0.families.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = families.iter().find(|family| family.name() == meta.name) else {
            let family = Arc::new(Family::new(meta, cell));
            families.push(Arc::clone(&family) as Arc<dyn Walk>);
            return family;
        };
        let known = Arc::clone(known).as_any().downcast::<Family<C>>();
        match known {
            Ok(family) if family.meta().labels == meta.labels => family,
            // Counted, but not shown: a mistake in a name must not stop a service.
            Ok(_) | Err(_) => {
                tracing::warn!(metric = meta.name, "a metric of this name is of another kind");
                Arc::new(Family::new(meta, cell))
            }
        }
    }
}

impl Default for Registry {
    fn default() -> Registry {
        Registry::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = self.0.families.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Registry").field("families", &families.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_metric() {
        let registry = Registry::new();
        registry.counter("a_total", "", ["x"]).inc(["1"]);
        registry.counter("a_total", "", ["x"]).inc(["1"]);
        // Of another kind or with other labels it is counted on its own, unseen.
        registry.gauge("a_total", "", ["x"]).set(["1"], 9.0);
        registry.counter("a_total", "", ["y"]).inc(["1"]);
        assert!(registry.text(Format::Text).contains("a_total{x=\"1\"} 2\n"));
    }

    #[test]
    fn sets_of_label_values_have_a_limit() {
        let registry = Registry::new();
        let counter = registry.counter("a_total", "", ["id"]);
        for id in 0..LABEL_SETS_MAX + 5 {
            counter.inc([&id.to_string()]);
        }
        let text = registry.text(Format::Text);
        assert!(text.contains("a_total{id=\"other\"} 6\n"), "{}", text.len());
        assert_eq!(text.matches("a_total{").count(), LABEL_SETS_MAX);
    }
}
