//! Families: a metric with its cells, one for each set of label values.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::exemplar::{Context, Slot};
use super::snapshot::{Family as FamilySnapshot, Kind, Sample, Value};
use crate::clock;

/// Most sets of label values of one metric; what comes beyond is counted under `other`.
pub const LABEL_SETS_MAX: usize = 2_000;

/// What stands for the values that found no place.
const OVERFLOW: &str = "other";

/// What is said about a metric.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) name: &'static str,
    help: &'static str,
    pub(super) labels: Vec<&'static str>,
}

impl Meta {
    pub(super) fn new(name: &'static str, help: &'static str, labels: &[&'static str]) -> Meta {
        Meta { name, help, labels: labels.to_vec() }
    }
}

/// What is counted for one set of label values.
pub(super) trait Cell: Send + Sync + 'static {
    const KIND: Kind;
    fn value(&self) -> Value;
}

type Buckets<C> = HashMap<u64, Vec<(Box<[Box<str>]>, Arc<C>)>, BuildHasherDefault<DefaultHasher>>;

pub(super) struct Family<C> {
    meta: Meta,
    make: Box<dyn Fn() -> C + Send + Sync>,
    cells: RwLock<Cells<C>>,
}

/// By the hash of their label values, so that looking one up allocates nothing.
struct Cells<C> {
    by_hash: Buckets<C>,
    len: usize,
}

impl<C: Cell> Family<C> {
    pub(super) fn new(meta: Meta, make: impl Fn() -> C + Send + Sync + 'static) -> Family<C> {
        let cells = RwLock::new(Cells { by_hash: Buckets::default(), len: 0 });
        Family { meta, make: Box::new(make), cells }
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    fn cell(&self, values: &[&str]) -> Arc<C> {
        let hash = hash(values);
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.get(hash, values) {
            return cell;
        }
        drop(cells);
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        if cells.len + 1 < LABEL_SETS_MAX || values.is_empty() {
            return cells.get_or_insert(hash, values, &self.make);
        }
        let other = vec![OVERFLOW; values.len()];
        cells
            .get(hash, values)
            .unwrap_or_else(|| cells.get_or_insert(self::hash(&other), &other, &self.make))
    }

    pub(super) fn snapshot(&self) -> FamilySnapshot {
        let cells = self.cells.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = cells.by_hash.values().flatten().cloned().collect();
        drop(cells);
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let sample = |(values, cell): (Box<[Box<str>]>, Arc<C>)| {
            let values = values.into_iter().map(String::from);
            let labels = self.meta.labels.iter().copied().zip(values).collect();
            Sample { labels, value: cell.value() }
        };
        FamilySnapshot {
            name: self.meta.name,
            help: self.meta.help,
            kind: C::KIND,
            samples: found.into_iter().map(sample).collect(),
        }
    }
}

impl<C> Cells<C> {
    fn get(&self, hash: u64, values: &[&str]) -> Option<Arc<C>> {
        let found = self.by_hash.get(&hash)?;
        let same = |kept: &[Box<str>]| kept.iter().map(AsRef::as_ref).eq(values.iter().copied());
        found.iter().find(|(kept, _)| same(kept)).map(|(_, cell)| Arc::clone(cell))
    }

    fn get_or_insert(&mut self, hash: u64, values: &[&str], make: &dyn Fn() -> C) -> Arc<C> {
        if let Some(cell) = self.get(hash, values) {
            return cell;
        }
        let cell = Arc::new(make());
        let values = values.iter().map(|value| Box::from(*value)).collect();
        self.by_hash.entry(hash).or_default().push((values, Arc::clone(&cell)));
        self.len += 1;
        cell
    }
}

fn hash(values: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    values.hash(&mut hasher);
    hasher.finish()
}

/// A float that several threads add to.
#[derive(Debug, Default)]
struct AtomicF64(AtomicU64);

impl AtomicF64 {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    fn add(&self, value: f64) {
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure never declines.
        let _previous = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

#[derive(Debug, Default)]
pub(super) struct CounterCell {
    value: AtomicF64,
    exemplar: Slot,
}

impl Cell for CounterCell {
    const KIND: Kind = Kind::Counter;

    fn value(&self) -> Value {
        Value::Number(self.value.get(), self.exemplar.get())
    }
}

#[derive(Debug, Default)]
pub(super) struct GaugeCell(AtomicF64);

impl Cell for GaugeCell {
    const KIND: Kind = Kind::Gauge;

    fn value(&self) -> Value {
        Value::Number(self.0.get(), None)
    }
}

#[derive(Debug)]
pub(super) struct HistogramCell {
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    sum: AtomicF64,
    exemplars: Box<[Slot]>,
}

impl HistogramCell {
    pub(super) fn new(bounds: &'static [f64]) -> HistogramCell {
        let buckets = bounds.len() + 1;
        HistogramCell {
            bounds,
            counts: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicF64::default(),
            exemplars: (0..buckets).map(|_| Slot::default()).collect(),
        }
    }

    fn observe(&self, value: f64, context: impl FnOnce() -> Option<Context>) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let (Some(count), Some(slot)) = (self.counts.get(bucket), self.exemplars.get(bucket)) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.add(value);
            slot.offer(value, context);
        }
    }
}

impl Cell for HistogramCell {
    const KIND: Kind = Kind::Histogram;

    fn value(&self) -> Value {
        Value::Histogram {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.get(),
            exemplars: self.exemplars.iter().map(Slot::get).collect(),
        }
    }
}

/// A number that only grows, for each set of `N` label values.
pub struct Counter<const N: usize>(pub(super) Arc<Family<CounterCell>>);

impl<const N: usize> Counter<N> {
    /// Adds one.
    pub fn inc(&self, labels: [&str; N]) {
        self.add(labels, 1.0);
    }

    /// Adds `value`; what is negative or not a number is passed over.
    pub fn add(&self, labels: [&str; N], value: f64) {
        let cell = self.0.cell(&labels);
        if value > 0.0 {
            cell.value.add(value);
            cell.exemplar.offer(value, Context::current);
        }
    }
}

/// A number that goes up and down, for each set of `N` label values.
pub struct Gauge<const N: usize>(pub(super) Arc<Family<GaugeCell>>);

impl<const N: usize> Gauge<N> {
    /// Sets it.
    pub fn set(&self, labels: [&str; N], value: f64) {
        self.0.cell(&labels).0.set(value);
    }

    /// Adds `value`, which may be negative.
    pub fn add(&self, labels: [&str; N], value: f64) {
        self.0.cell(&labels).0.add(value);
    }

    /// One more until the guard is dropped.
    #[must_use = "what is in flight ends when the guard is dropped"]
    pub fn in_flight(&self, labels: [&str; N]) -> InFlight {
        let cell = self.0.cell(&labels);
        cell.0.add(1.0);
        InFlight(cell)
    }
}

/// One more in a gauge, for as long as it lives.
#[derive(Debug)]
pub struct InFlight(Arc<GaugeCell>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.add(-1.0);
    }
}

/// How often values fell into buckets, for each set of `N` label values.
pub struct Histogram<const N: usize>(pub(super) Arc<Family<HistogramCell>>);

impl<const N: usize> Histogram<N> {
    /// Counts `value`, with the current trace as its exemplar.
    pub fn observe(&self, labels: [&str; N], value: f64) {
        self.0.cell(&labels).observe(value, Context::current);
    }

    /// Counts a duration in seconds.
    pub fn observe_duration(&self, labels: [&str; N], duration: Duration) {
        self.observe(labels, duration.as_secs_f64());
    }

    pub(super) fn observe_in(
        &self,
        labels: [&str; N],
        value: f64,
        context: impl FnOnce() -> Option<Context>,
    ) {
        self.0.cell(&labels).observe(value, context);
    }
}

/// Measures from now until the timer is dropped: `let _timer = track_latency(&seconds, ["GET"]);`
#[must_use = "the time ends when the timer is dropped"]
pub fn track_latency<const N: usize>(histogram: &Histogram<N>, labels: [&str; N]) -> LatencyTimer {
    LatencyTimer { cell: histogram.0.cell(&labels), started: clock::instant() }
}

/// A time that is being measured.
#[derive(Debug)]
pub struct LatencyTimer {
    cell: Arc<HistogramCell>,
    started: Instant,
}

impl Drop for LatencyTimer {
    fn drop(&mut self) {
        self.cell.observe(self.started.elapsed().as_secs_f64(), Context::current);
    }
}

macro_rules! handles {
    ($($handle:ident),+) => {$(
        impl<const N: usize> Clone for $handle<N> {
            fn clone(&self) -> $handle<N> {
                $handle(Arc::clone(&self.0))
            }
        }

        impl<const N: usize> fmt::Debug for $handle<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($handle)).field(&self.0.meta.name).finish()
            }
        }
    )+};
}

handles!(Counter, Gauge, Histogram);
