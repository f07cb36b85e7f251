//! Delta to cumulative: what a stream's deltas add up to.
//!
//! For each stream the sum so far is kept in memory. A point that begins before the end of the last
//! one is refused, as the collector's `deltatocumulative` does; the same point once more, as clients
//! send it that got no answer, gives the same sum once more. Streams that fell silent are forgotten,
//! as are all of them with the process: their counters begin anew, with a start timestamp that says
//! so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_128;

use super::points::{Buckets, Data, Explicit, Exponential};

/// How much is remembered of delta streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaLimits {
    /// Streams that are remembered; points of others are rejected.
    pub streams_max: usize,
    /// Bytes for them, about.
    pub bytes_max: usize,
    /// A stream without points for so long is forgotten, in milliseconds.
    pub silent_ms_max: i64,
}

impl Default for DeltaLimits {
    fn default() -> DeltaLimits {
        DeltaLimits { streams_max: 100_000, bytes_max: 128 << 20, silent_ms_max: 3_600_000 }
    }
}

/// The streams of one endpoint.
#[derive(Debug)]
pub(super) struct Deltas {
    limits: DeltaLimits,
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 16;

/// Buckets of a summed histogram; when there are more, two become one.
const BUCKETS_MAX: i64 = 320;

#[derive(Debug, Default)]
struct Shard {
    streams: BTreeMap<u128, Stream>,
    bytes: usize,
}

#[derive(Debug)]
struct Stream {
    start: u64,
    /// Of the last point, nanoseconds.
    time: u64,
    /// When the last point came, milliseconds.
    seen: i64,
    sum: Data,
}

/// A point's sum.
#[derive(Debug, PartialEq)]
pub(super) struct Cumulative {
    pub(super) start: u64,
    pub(super) data: Data,
}

/// Why a point does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeltaError {
    /// It begins before the last one ended.
    OutOfOrder,
    /// There are too many streams.
    Full,
}

impl Deltas {
    pub(super) fn new(limits: DeltaLimits) -> Deltas {
        Deltas { limits, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// A stream's key: who it belongs to, what it is called, and its labels.
    pub(super) fn key(tenant: &str, name: &str, labels: &[u8]) -> u128 {
        let mut bytes = Vec::with_capacity(tenant.len() + name.len() + labels.len() + 2);
        for part in [tenant.as_bytes(), name.as_bytes()] {
            bytes.extend_from_slice(part);
            bytes.push(0xff);
        }
        bytes.extend_from_slice(labels);
        xxh3_128(&bytes)
    }

    /// Adds a delta to its stream.
    pub(super) fn add(
        &self,
        key: u128,
        now: i64,
        (start, time): (u64, u64),
        delta: Data,
    ) -> Result<Cumulative, DeltaError> {
        let mut shard = lock(&self.shards[key as usize % SHARDS]);
        if !shard.streams.contains_key(&key) {
            self.make_room(&mut shard, now)?;
            shard.bytes += size_of::<Stream>() + bytes(&delta);
            let stream = Stream { start, time, seen: now, sum: delta.clone() };
            shard.streams.insert(key, stream);
            metrics::gauge!("trefoil_ingest_otlp_delta_streams").increment(1);
            return Ok(Cumulative { start, data: delta });
        }
        let Shard { streams, bytes: held } = &mut *shard;
        let stream = streams.get_mut(&key).expect("looked up above");
        stream.seen = now;
        if time == stream.time {
            return Ok(Cumulative { start: stream.start, data: stream.sum.clone() });
        }
        if time < stream.time || (start != 0 && start < stream.start) {
            return Err(DeltaError::OutOfOrder);
        }
        let before = bytes(&stream.sum);
        if !add_to(&mut stream.sum, &delta) {
            // It became something else: that is a new counter.
            stream.start = start;
            stream.sum = delta;
        }
        stream.time = time;
        *held = (*held + bytes(&stream.sum)).saturating_sub(before);
        Ok(Cumulative { start: stream.start, data: stream.sum.clone() })
    }

    /// Forgets what is silent when there is no room for one more.
    fn make_room(&self, shard: &mut Shard, now: i64) -> Result<(), DeltaError> {
        let full = |shard: &Shard| {
            shard.streams.len() >= self.limits.streams_max.div_ceil(SHARDS)
                || shard.bytes >= self.limits.bytes_max / SHARDS
        };
        if !full(shard) {
            return Ok(());
        }
        let silent_ms_max = self.limits.silent_ms_max;
        let mut freed = 0;
        let before = shard.streams.len();
        shard.streams.retain(|_, stream| {
            let kept = now.saturating_sub(stream.seen) <= silent_ms_max;
            if !kept {
                freed += size_of::<Stream>() + bytes(&stream.sum);
            }
            kept
        });
        shard.bytes = shard.bytes.saturating_sub(freed);
        #[expect(clippy::cast_precision_loss, reason = "counts of streams are small")]
        metrics::gauge!("trefoil_ingest_otlp_delta_streams")
            .decrement((before - shard.streams.len()) as f64);
        if full(shard) { Err(DeltaError::Full) } else { Ok(()) }
    }
}

/// A panic elsewhere leaves sums that are whole.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes(data: &Data) -> usize {
    8 * match data {
        Data::Number(_) => 0,
        Data::Explicit(histogram) => histogram.counts.len() + histogram.bounds.len(),
        Data::Exponential(Exponential { positive, negative, .. }) => {
            positive.counts.len() + negative.counts.len()
        }
        Data::Summary { quantiles, .. } => 2 * quantiles.len(),
    }
}

/// Adds `delta` to `sum`; `false` when they do not go together.
fn add_to(sum: &mut Data, delta: &Data) -> bool {
    match (sum, delta) {
        (Data::Number(sum), Data::Number(delta)) => {
            *sum += delta;
            true
        }
        (Data::Explicit(sum), Data::Explicit(delta)) => add_explicit(sum, delta),
        (Data::Exponential(sum), Data::Exponential(delta)) => {
            add_exponential(sum, delta);
            true
        }
        _ => false,
    }
}

fn add_sums(sum: &mut Option<f64>, delta: Option<f64>) {
    *sum = match (*sum, delta) {
        (Some(sum), Some(delta)) => Some(sum + delta),
        _ => None,
    };
}

fn add_explicit(sum: &mut Explicit, delta: &Explicit) -> bool {
    if sum.bounds != delta.bounds || sum.counts.len() != delta.counts.len() {
        return false;
    }
    sum.count = sum.count.saturating_add(delta.count);
    add_sums(&mut sum.sum, delta.sum);
    for (sum, delta) in sum.counts.iter_mut().zip(&delta.counts) {
        *sum = sum.saturating_add(*delta);
    }
    true
}

fn add_exponential(sum: &mut Exponential, delta: &Exponential) {
    let mut delta = delta.clone();
    let scale = sum.scale.min(delta.scale);
    rescale(sum, scale);
    rescale(&mut delta, scale);
    while is_too_wide(&sum.positive, &delta.positive) || is_too_wide(&sum.negative, &delta.negative)
    {
        let coarser = sum.scale - 1;
        rescale(sum, coarser);
        rescale(&mut delta, coarser);
    }
    sum.count = sum.count.saturating_add(delta.count);
    sum.zero_count = sum.zero_count.saturating_add(delta.zero_count);
    sum.zero_threshold = sum.zero_threshold.max(delta.zero_threshold);
    add_sums(&mut sum.sum, delta.sum);
    add_buckets(&mut sum.positive, &delta.positive);
    add_buckets(&mut sum.negative, &delta.negative);
}

/// Where the buckets begin and end.
fn range(buckets: &Buckets) -> Option<(i64, i64)> {
    let length = i64::try_from(buckets.counts.len()).ok()?;
    (length > 0).then(|| (i64::from(buckets.offset), i64::from(buckets.offset) + length))
}

fn is_too_wide(one: &Buckets, two: &Buckets) -> bool {
    match (range(one), range(two)) {
        (Some(one), Some(two)) => one.1.max(two.1) - one.0.min(two.0) > BUCKETS_MAX,
        (Some(one), None) | (None, Some(one)) => one.1 - one.0 > BUCKETS_MAX,
        (None, None) => false,
    }
}

fn rescale(histogram: &mut Exponential, scale: i32) {
    let shift = u32::try_from(histogram.scale.saturating_sub(scale)).unwrap_or(0).min(31);
    histogram.scale = scale;
    if shift == 0 {
        return;
    }
    for buckets in [&mut histogram.positive, &mut histogram.negative] {
        let offset = buckets.offset >> shift;
        let mut counts = Vec::new();
        for (index, count) in buckets.counts.iter().enumerate() {
            let index = i64::from(buckets.offset) + i64::try_from(index).unwrap_or(0);
            let at = usize::try_from((index >> shift) - i64::from(offset)).unwrap_or(0);
            if at >= counts.len() {
                counts.resize(at + 1, 0_u64);
            }
            counts[at] = counts[at].saturating_add(*count);
        }
        *buckets = Buckets { offset, counts };
    }
}

fn add_buckets(sum: &mut Buckets, delta: &Buckets) {
    let Some(added) = range(delta) else { return };
    let Some(own) = range(sum) else {
        *sum = delta.clone();
        return;
    };
    let (start, end) = (own.0.min(added.0), own.1.max(added.1));
    let place = |from: i64| usize::try_from(from - start).unwrap_or(0);
    let mut counts = vec![0_u64; place(end)];
    for (buckets, from) in [(&*sum, own.0), (delta, added.0)] {
        for (into, count) in counts[place(from)..].iter_mut().zip(&buckets.counts) {
            *into = into.saturating_add(*count);
        }
    }
    *sum = Buckets { offset: sum.offset.min(delta.offset), counts };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(data: &Data) -> f64 {
        match data {
            Data::Number(value) => *value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn deltas_add_up_and_late_ones_are_refused() {
        let deltas = Deltas::new(DeltaLimits::default());
        let key = Deltas::key("t", "n", b"");
        let add = |start, time, value| {
            let sum = deltas.add(key, 0, (start, time), Data::Number(value))?;
            Ok((sum.start, number(&sum.data)))
        };
        assert_eq!(add(10, 20, 1.0), Ok((10, 1.0)));
        assert_eq!(add(20, 30, 2.0), Ok((10, 3.0)));
        // Once more, because nobody answered.
        assert_eq!(add(20, 30, 2.0), Ok((10, 3.0)));
        assert_eq!(add(15, 25, 5.0), Err(DeltaError::OutOfOrder));
        assert_eq!(add(5, 45, 5.0), Err(DeltaError::OutOfOrder));
        // A gap loses nothing that came.
        assert_eq!(add(40, 50, 1.0), Ok((10, 4.0)));
    }

    #[test]
    fn streams_are_bounded_and_silent_ones_forgotten() {
        let limits = DeltaLimits { streams_max: SHARDS, silent_ms_max: 100, ..Default::default() };
        let deltas = Deltas::new(limits);
        let key = |number: u128| number * SHARDS as u128;
        let add = |number, now| deltas.add(key(number), now, (1, 2), Data::Number(1.0)).is_ok();
        assert!(add(1, 0));
        assert!(!add(2, 100));
        assert!(add(1, 150), "the same stream goes on");
        assert!(!add(2, 200));
        assert!(add(2, 251));
    }

    #[test]
    fn explicit_histograms_add_up_until_their_bounds_change() {
        let histogram = |count, counts: &[u64], bounds: &[f64]| {
            let (counts, bounds) = (counts.to_vec(), bounds.to_vec());
            Data::Explicit(Explicit { count, sum: Some(1.5), counts, bounds })
        };
        let mut sum = histogram(3, &[1, 2], &[1.0]);
        assert!(add_to(&mut sum, &histogram(2, &[2, 0], &[1.0])));
        let Data::Explicit(added) = &sum else { panic!() };
        assert_eq!((added.count, added.sum, &added.counts[..]), (5, Some(3.0), &[3, 2][..]));
        assert!(!add_to(&mut sum, &histogram(2, &[2, 0], &[2.0])));
    }

    #[test]
    fn exponential_histograms_meet_at_the_coarser_scale() {
        let histogram = |scale, offset, counts: &[u64]| Exponential {
            count: counts.iter().sum(),
            scale,
            positive: Buckets { offset, counts: counts.to_vec() },
            ..Exponential::default()
        };
        let mut sum = histogram(1, -1, &[1, 2, 3]);
        add_exponential(&mut sum, &histogram(0, 2, &[5]));
        // -1, 0, 1 become -1, 0, 0.
        assert_eq!(sum.positive, Buckets { offset: -1, counts: vec![1, 5, 0, 5] });
        assert_eq!((sum.scale, sum.count), (0, 11));
        let mut sum = histogram(3, 0, &[1]);
        add_exponential(&mut sum, &histogram(3, 1_000, &[1]));
        assert_eq!((sum.scale, sum.positive.counts.len()), (1, 251));
    }
}
