//! What series cost over a time, in the head and in blocks.
//!
//! A series that is in many blocks counts once: series are told apart by hashes of their labels. The
//! memory for that is given. When there are more series than it is for, only those are counted whose
//! hash ends with so many zeros, and what was found is multiplied: [`Costs::one_in`] says by what.
//! What was deleted counts until its block is merged.

use hashbrown::{HashMap, HashSet};
use model::Tenant;
use model::metric::{Labels, Matcher, NAME_LABEL};
use xxhash_rust::xxh3::{Xxh3DefaultBuilder, xxh3_64, xxh3_64_with_seed};

use super::{TenantStore, Tsdb};
use crate::block::{Cache, Visit};
use crate::chunk::TimeRange;
use crate::error::Error;
use crate::head::SERIES_INDEX_BYTES;

/// Which series, when, and what counting them may take.
#[derive(Debug, Clone, Copy)]
pub struct CostQuery<'a> {
    /// Series that satisfy all matchers of one of the lists; all series when there is no list.
    pub matchers: &'a [Vec<Matcher>],
    /// The first time, milliseconds since 1970.
    pub start: i64,
    /// The last time, included.
    pub end: i64,
    /// The dearest so many of each kind are told.
    pub limit: usize,
    /// The memory that the count may take, bytes.
    pub bytes_max: usize,
}

/// What series cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    /// Different series with samples in the time.
    pub series: u64,
    /// Different pairs of label and value.
    pub label_pairs: u64,
    /// Different label names.
    pub label_names: usize,
    /// What they cost together; `series` is that of the head.
    pub total: Price,
    /// Metrics with the most series.
    pub by_metric: Vec<MetricCost>,
    /// Label names with the most values.
    pub by_label: Vec<LabelCosts>,
    /// Pairs with the most series.
    pub by_pair: Vec<PairCost>,
    /// One of so many series was looked at; 1 when all were, and all figures are exact.
    pub one_in: u64,
    /// Whether all blocks were looked at. Otherwise there was no time for the oldest.
    pub complete: bool,
}

/// What is paid for some series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// How many of them are in the head.
    pub head_series: u64,
    /// What these take in memory, bytes, about.
    pub head_bytes: u64,
    /// Samples in blocks, in chunks that reach into the time; of downsampled blocks their points.
    pub samples: u64,
    /// What these chunks take in blocks, with their share of the index, bytes.
    pub block_bytes: u64,
}

/// What a metric costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricCost {
    /// Its name; empty for series without one.
    pub name: String,
    /// Its series.
    pub series: u64,
    /// What is paid for them.
    pub price: Price,
}

/// What a label costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelCosts {
    /// Its name.
    pub name: String,
    /// How many different values it has.
    pub values: u64,
    /// The length of these values together, bytes.
    pub value_bytes: u64,
}

/// How many series have a pair of label and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairCost {
    /// The label.
    pub name: String,
    /// Its value; long ones are cut.
    pub value: String,
    /// How many series.
    pub series: u64,
}

/// About what one series, metric, pair or value takes while it is counted, bytes.
const ENTRY_BYTES: usize = 320;
/// So many of each are counted in any case.
const ENTRIES_MIN: usize = 256;
/// Text of pairs that an entry is worth on average, bytes.
const ENTRY_TEXT_BYTES: usize = 64;
/// Values are told up to this length, bytes.
const VALUE_BYTES_MAX: usize = 1_024;
/// By how much the share that is counted shrinks at a time: to a quarter.
const SHIFT: u32 = 2;
/// Where it ends.
const SHIFT_MAX: u32 = 40;
/// What parts of blocks may take while all of them is read, bytes.
const CACHE_BYTES: usize = 2 << 20;

type Hashed<T> = HashMap<u64, T, Xxh3DefaultBuilder>;

impl Tsdb {
    /// What series cost within a time. `give_up` is asked from time to time; when it says so, what
    /// is known by then is told.
    pub fn costs(
        &self,
        tenant: &Tenant,
        query: &CostQuery<'_>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Costs, Error> {
        let Some(store) = self.inner.tenant(tenant) else {
            return Ok(Costs { one_in: 1, complete: true, ..Costs::default() });
        };
        let mut count = Count::new(query.bytes_max);
        loop {
            match count.run(&store, query, give_up) {
                Ok(complete) => return Ok(count.close(query.limit, complete)),
                Err(Stop::Full) => count.begin_with_fewer(),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }
}

/// Why a count does not go on.
enum Stop {
    /// There are more than fit.
    Full,
    Failed(Error),
}

#[derive(Default)]
struct Metric {
    series: u64,
    price: Price,
}

struct Pair {
    name: Box<str>,
    value: Box<str>,
    series: u64,
}

/// A count in the making.
struct Count {
    entries_max: usize,
    /// Series count whose hash ends with so many zeros.
    shift: u32,
    series: HashSet<u64, Xxh3DefaultBuilder>,
    metrics: HashMap<Box<str>, Metric>,
    pairs: Hashed<Pair>,
    text_bytes: usize,
    values: Values,
}

impl Count {
    fn new(bytes_max: usize) -> Count {
        let entries_max = (bytes_max / ENTRY_BYTES).max(ENTRIES_MIN);
        Count {
            entries_max,
            shift: 0,
            series: HashSet::default(),
            metrics: HashMap::new(),
            pairs: HashMap::default(),
            text_bytes: 0,
            values: Values::default(),
        }
    }

    fn begin_with_fewer(&mut self) {
        let (entries_max, shift) = (self.entries_max, self.shift + SHIFT);
        *self = Count { shift, entries_max, ..Count::new(0) };
    }

    /// Looks at everything, the newest first; says whether that was all.
    fn run(
        &mut self,
        store: &TenantStore,
        query: &CostQuery<'_>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<bool, Stop> {
        let time = TimeRange { start: query.start, end: query.end };
        for shard in store.head.shard_numbers() {
            if give_up() {
                return Ok(false);
            }
            self.shard(store, shard, query.matchers, time)?;
        }
        let blocks = store.blocks.all();
        for block in blocks.iter().rev().filter(|block| block.meta().time().overlaps(time)) {
            // All of it is read once: what the cache for queries has stays there.
            let block = block.apart(Cache::new(CACHE_BYTES));
            let mut stop = None;
            let whole = block.visit(query.matchers, time, &mut |visit| {
                stop = self.visit(&visit).err();
                stop.is_none() && !give_up()
            });
            let whole = whole.map_err(|error| Stop::Failed(error.into()))?;
            if let Some(stop) = stop {
                return Err(stop);
            }
            if !whole {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn shard(
        &mut self,
        store: &TenantStore,
        shard: usize,
        matchers: &[Vec<Matcher>],
        time: TimeRange,
    ) -> Result<(), Stop> {
        let mut found: Vec<(Labels, u64)> = Vec::new();
        store.head.for_each_of(shard, |_, series| {
            let from = series.first_timestamp().unwrap_or(i64::MIN);
            let inside = TimeRange { start: from, end: series.last_timestamp() }.overlaps(time);
            if (inside && !series.is_empty()) || series.has_late() {
                let bytes = series.size_bytes() + SERIES_INDEX_BYTES;
                found.push((series.labels.clone(), bytes as u64));
            }
        });
        for (labels, bytes) in &found {
            let satisfies = |list: &Vec<Matcher>| {
                list.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
            };
            if !matchers.is_empty() && !matchers.iter().any(satisfies) {
                continue;
            }
            let price = Price { head_series: 1, head_bytes: *bytes, ..Price::default() };
            let pair = |(name, value)| (hash_of_pair(name, value), name, value);
            self.add(labels.iter().map(pair), price)?;
        }
        Ok(())
    }

    fn visit(&mut self, visit: &Visit<'_>) -> Result<(), Stop> {
        let price = Price { samples: visit.samples, block_bytes: visit.bytes, ..Price::default() };
        let pair = |(name, value)| (hash_of_pair(name, value), name, value);
        self.add(visit.labels.iter().map(pair), price)
    }

    /// Adds what is paid for a series at one place.
    fn add<'l>(
        &mut self,
        labels: impl Iterator<Item = (u64, &'l str, &'l str)> + Clone,
        price: Price,
    ) -> Result<(), Stop> {
        let (mut series, mut metric) = (0, "");
        for (hash, name, value) in labels.clone() {
            series = mix(series, hash);
            if name == NAME_LABEL {
                metric = value;
            }
            self.values.offer(hash, name, value, self.entries_max);
        }
        if series.trailing_zeros() < self.shift {
            return Ok(());
        }
        let is_new = self.series.insert(series);
        let cost = match self.metrics.get_mut(metric) {
            Some(cost) => cost,
            None => self.metrics.entry(Box::from(metric)).or_default(),
        };
        cost.price.add(price);
        if !is_new {
            return Ok(());
        }
        cost.series += 1;
        for (hash, name, value) in labels {
            if let Some(pair) = self.pairs.get_mut(&hash) {
                pair.series += 1;
                continue;
            }
            let value = value.get(..value.floor_char_boundary(VALUE_BYTES_MAX)).unwrap_or("");
            self.text_bytes += name.len() + value.len();
            let pair = Pair { name: Box::from(name), value: Box::from(value), series: 1 };
            self.pairs.insert(hash, pair);
        }
        let full = self.series.len().max(self.pairs.len()) > self.entries_max
            || self.text_bytes > self.entries_max * ENTRY_TEXT_BYTES;
        if full && self.shift < SHIFT_MAX { Err(Stop::Full) } else { Ok(()) }
    }

    fn close(self, limit: usize, complete: bool) -> Costs {
        let one_in = 1u64 << self.shift;
        let mut costs = Costs {
            series: self.series.len() as u64 * one_in,
            one_in,
            complete,
            ..Costs::default()
        };
        for (name, Metric { series, price }) in self.metrics {
            let (series, price) = (series * one_in, price.times(one_in));
            costs.total.add(price);
            let cost = MetricCost { name: name.into(), series, price };
            keep_dearest(&mut costs.by_metric, limit, cost, |one| (one.series, &one.name));
        }
        for Pair { name, value, series } in self.pairs.into_values() {
            let series = series * one_in;
            if costs.by_pair.len() == limit
                && costs.by_pair.last().is_some_and(|last| last.series > series)
            {
                continue;
            }
            let cost = PairCost { name: name.into(), value: value.into(), series };
            keep_dearest(&mut costs.by_pair, limit, cost, |one| (one.series, &one.value));
        }
        let labels = self.values.close();
        costs.label_names = labels.len();
        for cost in labels {
            costs.label_pairs += cost.values;
            keep_dearest(&mut costs.by_label, limit, cost, |one| (one.values, &one.name));
        }
        costs
    }
}

impl Price {
    fn add(&mut self, other: Price) {
        self.head_series += other.head_series;
        self.head_bytes += other.head_bytes;
        self.samples += other.samples;
        self.block_bytes += other.block_bytes;
    }

    fn times(self, by: u64) -> Price {
        Price {
            head_series: self.head_series * by,
            head_bytes: self.head_bytes * by,
            samples: self.samples * by,
            block_bytes: self.block_bytes * by,
        }
    }
}

/// The different values of labels: of all series, so that their number is right also where few
/// series are counted. When they are too many, those stay whose hash ends with so many zeros.
#[derive(Default)]
struct Values {
    shift: u32,
    /// Labels with their numbers.
    names: HashMap<Box<str>, u32>,
    /// The label's number and the length of the value.
    known: Hashed<(u32, u32)>,
}

impl Values {
    fn offer(&mut self, hash: u64, name: &str, value: &str, entries_max: usize) {
        if hash.trailing_zeros() < self.shift || self.known.contains_key(&hash) {
            return;
        }
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let label = match self.names.get(name) {
            Some(&label) => label,
            None => {
                let label = short(self.names.len());
                self.names.insert(Box::from(name), label);
                label
            }
        };
        self.known.insert(hash, (label, short(value.len())));
        while self.known.len() > entries_max && self.shift < SHIFT_MAX {
            self.shift += 1;
            let shift = self.shift;
            self.known.retain(|hash, _| hash.trailing_zeros() >= shift);
        }
    }

    fn close(self) -> Vec<LabelCosts> {
        let one_in = 1u64 << self.shift;
        let mut costs = vec![LabelCosts::default(); self.names.len()];
        for (name, label) in self.names {
            costs[label as usize].name = name.into();
        }
        for (label, bytes) in self.known.into_values() {
            costs[label as usize].values += one_in;
            costs[label as usize].value_bytes += u64::from(bytes) * one_in;
        }
        costs
    }
}

fn hash_of_pair(name: &str, value: &str) -> u64 {
    xxh3_64_with_seed(value.as_bytes(), xxh3_64(name.as_bytes()))
}

/// The hash of a series goes on with a pair.
fn mix(series: u64, pair: u64) -> u64 {
    let mixed = (series.rotate_left(23) ^ pair).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

/// Keeps `into` sorted, largest first and alike ones by name, and at most `limit` long.
fn keep_dearest<T>(
    into: &mut Vec<T>,
    limit: usize,
    one: T,
    key: impl for<'a> Fn(&'a T) -> (u64, &'a String),
) {
    let at = into.partition_point(|kept| {
        let ((kept, kept_name), (new, new_name)) = (key(kept), key(&one));
        kept > new || (kept == new && kept_name <= new_name)
    });
    if at < limit {
        into.insert(at, one);
        into.truncate(limit);
    }
}

#[cfg(test)]
mod tests;
