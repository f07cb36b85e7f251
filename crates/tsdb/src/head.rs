//! The fresh samples of one tenant, in memory.
//!
//! Series lie in shards, each under its own lock, and are found by the hash of their canonical
//! labels. A series has a number: its place in its shard and the shard's; the index and the log
//! know it by this number, which is used again after the series has left. Whoever appends holds the
//! gate open; numbers are given back, and cuts begin, while it is closed.

pub(crate) mod cut;
pub(crate) mod histograms;
mod replay;
pub(crate) mod series;
mod shard;
pub(crate) mod stored;
pub(crate) mod stream;

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};

use model::Tenant;
use model::metric::{
    Batch, Float, HistogramSample, Labels, Matcher, Series as BatchSeries, is_stale,
};
use parking_lot::{Mutex, RwLock};
use stdx::memory::{Budget, Reservation};
use xxhash_rust::xxh3::xxh3_64;

use crate::append::{Reason, Written};
use crate::exemplars::Exemplars;
use crate::index::Index;
use crate::metadata::MetadataStore;
use crate::points::Points;
use crate::wal::{RecordWriter, Wal, put_series};
pub(crate) use replay::Samples;
use series::{Accepted, Bounds, Series};
use shard::Shard;

/// How many locks a tenant's series are under.
pub(crate) const SHARDS: u16 = 16;

/// The head of one tenant.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) tenant: Tenant,
    /// What stands for the tenant in the log.
    pub(crate) number: u32,
    limits: Limits,
    shards: Vec<Mutex<Shard>>,
    pub(crate) index: RwLock<Index>,
    gate: RwLock<()>,
    /// The newest sample; the least there is when there is none.
    newest: AtomicI64,
    /// All before is in blocks.
    cut: AtomicI64,
    epoch: AtomicU32,
    series: AtomicUsize,
    bytes: AtomicUsize,
    memory: Mutex<Reservation>,
    pub(crate) exemplars: Mutex<Exemplars>,
    pub(crate) metadata: RwLock<MetadataStore>,
}

/// What a head may do.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) series_max: usize,
    pub(crate) block_ms: i64,
    pub(crate) lag_ms: i64,
    pub(crate) late_ms: i64,
    pub(crate) exemplars_max: usize,
    pub(crate) metadata_max: usize,
    pub(crate) memory: Budget,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) written: Written,
    /// The oldest sample that was taken; the greatest time when there is none.
    pub(crate) oldest: i64,
    /// Not all series could be made for want of memory.
    pub(crate) full: bool,
}

/// A batch on its way into a head.
struct Appending<'a> {
    head: &'a Head,
    wal: &'a Wal,
    records: &'a mut RecordWriter,
    bounds: Bounds,
    latest: i64,
    newest: i64,
    applied: Applied,
    made: Vec<(u32, Labels)>,
    made_bytes: usize,
    grown: usize,
    reserved: Option<Reservation>,
}

/// What a series costs in the index, about: its place in sets and its share of values.
pub(crate) const SERIES_INDEX_BYTES: usize = 96;

impl Head {
    pub(crate) fn new(tenant: Tenant, number: u32, limits: Limits) -> Head {
        let memory = Mutex::new(limits.memory.force(0));
        Head {
            tenant,
            number,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            index: RwLock::default(),
            gate: RwLock::default(),
            newest: AtomicI64::new(i64::MIN),
            cut: AtomicI64::new(i64::MIN),
            epoch: AtomicU32::new(0),
            series: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            memory,
            exemplars: Mutex::new(Exemplars::new(limits.exemplars_max)),
            metadata: RwLock::new(MetadataStore::new(limits.metadata_max)),
            limits,
        }
    }

    /// Takes what can be taken of a batch, writes what the log has to say to `records` and hands it
    /// to `submit` before a cut or a deletion can come between. Samples after `latest` are refused.
    pub(crate) fn append(
        &self,
        batch: &Batch,
        latest: i64,
        wal: &Wal,
        records: &mut RecordWriter,
        submit: impl FnOnce(Applied, &[u8]),
    ) {
        let _gate = self.gate.read();
        let newest = self.newest_or_first(batch, latest);
        let mut appending = Appending {
            head: self,
            wal,
            records,
            bounds: self.bounds(newest),
            latest,
            newest,
            applied: Applied { written: Written::default(), oldest: i64::MAX, full: false },
            made: Vec::new(),
            made_bytes: 0,
            grown: 0,
            reserved: None,
        };
        for series in batch.series() {
            appending.series(&series);
        }
        for metadata in batch.all_metadata() {
            if self.metadata.write().put(metadata) {
                appending.records.metadata(self.number, metadata);
            }
        }
        let applied = appending.finish();
        submit(applied, &records.bytes);
    }

    /// The newest sample there is, or the first that is coming.
    fn newest_or_first(&self, batch: &Batch, latest: i64) -> i64 {
        let newest = self.newest.load(Ordering::Acquire);
        if newest != i64::MIN {
            return newest;
        }
        let first = |series: BatchSeries<'_>| {
            let float = series.floats.first().map(|float| float.timestamp);
            float.or_else(|| series.histograms.first().map(|sample| sample.timestamp))
        };
        batch.series().find_map(first).filter(|&first| first <= latest).unwrap_or(i64::MIN)
    }

    fn bounds(&self, newest: i64) -> Bounds {
        let lag_from = newest.saturating_sub(self.limits.lag_ms);
        Bounds {
            min_valid: self.cut.load(Ordering::Acquire).max(lag_from),
            lag_from,
            late_from: (self.limits.late_ms > 0)
                .then(|| newest.saturating_sub(self.limits.late_ms)),
            epoch: self.epoch.load(Ordering::Acquire),
            chunk_span: self.limits.block_ms,
        }
    }

    /// The series that satisfy all matchers and may have samples from `start` on.
    pub(crate) fn select(&self, matchers: &[Matcher], start: i64) -> Vec<(u32, Labels)> {
        let index = self.index.read();
        let selected = index.select(matchers);
        let mut found = Vec::with_capacity(usize::try_from(selected.series.len()).unwrap_or(0));
        for number in &selected.series {
            let (shard, place) = place_of(number);
            let shard = self.shards[shard].lock();
            let Some(series) = shard.get(place) else { continue };
            let may_have = series.last_timestamp() >= start || series.has_late();
            if !may_have || series.is_empty() {
                continue;
            }
            let labels = &series.labels;
            let satisfies = |m: &&Matcher| m.matches(labels.get(&m.name).unwrap_or_default());
            if selected.unchecked.iter().all(satisfies) {
                found.push((number, labels.clone()));
            }
        }
        found
    }

    /// Adds the samples of a series that was selected. Nothing when it has left since.
    pub(crate) fn read(
        &self,
        number: u32,
        labels: &Labels,
        start: i64,
        end: i64,
        into: &mut Points,
    ) {
        let (shard, place) = place_of(number);
        let shard = self.shards[shard].lock();
        if let Some(series) = shard.get(place)
            && series.labels.as_bytes().as_ptr() == labels.as_bytes().as_ptr()
        {
            series.read(start, end, into);
        }
    }

    /// Forgets samples of the series that satisfy all matchers, and says so in `records`.
    pub(crate) fn delete(&self, matchers: &[Matcher], start: i64, end: i64, wal: &Wal) -> usize {
        let _gate = self.gate.write();
        let numbers: Vec<u32> =
            self.select(matchers, i64::MIN).iter().map(|(number, _)| *number).collect();
        self.delete_series(&numbers, start, end);
        let mut records = RecordWriter::default();
        records.deleted(self.number, start, end, &numbers);
        wal.push(|queue| queue.extend_from_slice(&records.bytes));
        numbers.len()
    }

    pub(crate) fn delete_series(&self, numbers: &[u32], start: i64, end: i64) {
        for &number in numbers {
            let (shard, place) = place_of(number);
            if let Some(series) = self.shards[shard].lock().get_mut(place) {
                series.delete(start, end);
            }
        }
    }

    /// The newest sample's time.
    pub(crate) fn newest(&self) -> Option<i64> {
        let newest = self.newest.load(Ordering::Acquire);
        (newest != i64::MIN).then_some(newest)
    }

    /// The time before which all is in blocks.
    pub(crate) fn cut(&self) -> i64 {
        self.cut.load(Ordering::Acquire)
    }

    /// The oldest sample's time.
    pub(crate) fn oldest(&self) -> Option<i64> {
        let mut oldest = None;
        self.for_each(|_, series| {
            oldest = [oldest, series.first_timestamp()].into_iter().flatten().min();
        });
        oldest
    }

    /// A series' labels.
    pub(crate) fn labels(&self, number: u32) -> Option<Labels> {
        let (shard, place) = place_of(number);
        self.shards[shard].lock().get(place).map(|series| series.labels.clone())
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// How many series it has.
    pub(crate) fn series_len(&self) -> usize {
        self.series.load(Ordering::Relaxed)
    }

    /// What its series take, bytes, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Calls `each` with every series, shard by shard, each under its shard's lock.
    pub(crate) fn for_each(&self, mut each: impl FnMut(u32, &Series)) {
        for shard in self.shard_numbers() {
            self.for_each_of(shard, &mut each);
        }
    }

    pub(crate) fn shard_numbers(&self) -> std::ops::Range<usize> {
        0..usize::from(SHARDS)
    }

    /// Calls `each` with every series of a shard, under its lock.
    pub(crate) fn for_each_of(&self, shard: usize, mut each: impl FnMut(u32, &Series)) {
        for (place, series) in self.shards[shard].lock().iter() {
            each(number_of(shard, place), series);
        }
    }

    fn grow(&self, bytes: usize) {
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mut memory = self.memory.lock();
        if memory.resize(total).is_err() {
            let more = total.saturating_sub(memory.bytes());
            let forced = self.limits.memory.force(more);
            memory.merge(forced);
        }
    }

    /// Counts anew what the series take.
    fn recount(&self) {
        let mut bytes = 0;
        self.for_each(|_, series| bytes += series.size_bytes() + SERIES_INDEX_BYTES);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.grow(0);
    }
}

/// The shard of a series.
pub(crate) fn shard_of_number(number: u32) -> usize {
    place_of(number).0
}

/// The shard and the place in it.
pub(crate) fn place_of(number: u32) -> (usize, u32) {
    let shards = u32::from(SHARDS);
    ((number % shards) as usize, number / shards)
}

#[expect(clippy::cast_possible_truncation, reason = "a shard's number is below SHARDS")]
fn number_of(shard: usize, place: u32) -> u32 {
    place * u32::from(SHARDS) + shard as u32
}

/// The shard is chosen by bits that the shard's table does not use.
fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % usize::from(SHARDS)
}

/// The hash by which a series is found; part of the log's format, as it decides the shard.
pub(crate) fn hash_of(labels: &[u8]) -> u64 {
    xxh3_64(labels)
}

/// What a series' first chunk takes at once, bytes; counted when the series is made.
const FIRST_CHUNK_BYTES: usize = 64;

/// How much is reserved at a time while series are made, bytes.
const RESERVE_BYTES: usize = 64 << 10;

impl Appending<'_> {
    fn series(&mut self, series: &BatchSeries<'_>) {
        let hash = hash_of(series.labels);
        let shard_number = shard_of(hash);
        let head = self.head;
        let mut shard = head.shards[shard_number].lock();
        let place = match shard.find(hash, series.labels) {
            Some(place) => place,
            None => match self.make(&mut shard, shard_number, hash, series) {
                Ok(place) => place,
                Err(reason) => {
                    drop(shard);
                    self.refuse_series(series, reason);
                    return;
                }
            },
        };
        let Some(found) = shard.get_mut(place) else { return };
        let number = number_of(shard_number, place);
        let capacity = found.open.capacity().max(FIRST_CHUNK_BYTES);
        self.samples(found, number, series);
        let now = found.open.capacity().max(FIRST_CHUNK_BYTES);
        // A chunk that was closed keeps its bytes.
        self.grown += now.checked_sub(capacity).unwrap_or(now + 40);
        if !series.exemplars.is_empty() {
            let labels = found.labels.clone();
            drop(shard);
            self.exemplars(&labels, number, series);
        }
    }

    /// Floats and histograms in order of their time; most series have only one kind.
    #[inline]
    fn samples(&mut self, found: &mut Series, number: u32, series: &BatchSeries<'_>) {
        let mut histograms = series.histograms.iter().peekable();
        for float in series.floats {
            while let Some(sample) = histograms.next_if(|h| h.timestamp < float.timestamp) {
                self.count_histogram(found, number, sample, series.labels);
            }
            if let Err(reason) = self.float(found, number, float) {
                self.applied.written.rejected.add(series.labels, float.timestamp, reason, 1);
            }
        }
        for sample in histograms {
            self.count_histogram(found, number, sample, series.labels);
        }
    }

    fn count_histogram(
        &mut self,
        series: &mut Series,
        number: u32,
        sample: &HistogramSample,
        labels: &[u8],
    ) {
        match self.histogram(series, number, sample) {
            Ok(()) => self.applied.written.histograms += 1,
            Err(reason) => {
                self.applied.written.rejected.add(labels, sample.timestamp, reason, 1);
            }
        }
    }

    #[inline]
    fn float(&mut self, series: &mut Series, number: u32, float: &Float) -> Result<(), Reason> {
        if float.timestamp > self.latest {
            return Err(Reason::TooFarAhead);
        }
        if is_stale(float.value) && series.ends_in_histogram() {
            let &Float { timestamp, start, value } = float;
            let histogram = model::metric::Histogram { sum: value, ..Default::default() };
            self.histogram(series, number, &HistogramSample { timestamp, start, histogram })?;
        } else {
            if series.put_float(float, &self.bounds)? == Accepted::Late {
                self.grown += size_of::<stream::Sample>();
            }
            // What is known already is written too: its log record may not be durable yet.
            self.records.float(number, float);
            self.count_time(float.timestamp);
        }
        self.applied.written.floats += 1;
        Ok(())
    }

    fn histogram(
        &mut self,
        series: &mut Series,
        number: u32,
        sample: &HistogramSample,
    ) -> Result<(), Reason> {
        if sample.timestamp > self.latest {
            return Err(Reason::TooFarAhead);
        }
        series.put_histogram(sample, &self.bounds)?;
        self.records.histogram(self.head.number, number, sample);
        self.count_time(sample.timestamp);
        self.grown += 64;
        Ok(())
    }

    #[inline]
    fn count_time(&mut self, timestamp: i64) {
        self.newest = self.newest.max(timestamp);
        self.applied.oldest = self.applied.oldest.min(timestamp);
    }

    fn exemplars(&mut self, labels: &Labels, number: u32, series: &BatchSeries<'_>) {
        for exemplar in series.exemplars {
            match self.head.exemplars.lock().put(labels, exemplar) {
                Ok(true) => {
                    self.records.exemplar(self.head.number, number, exemplar);
                    self.applied.written.exemplars += 1;
                }
                Ok(false) => self.applied.written.exemplars += 1,
                Err(reason) => {
                    let timestamp = exemplar.timestamp;
                    self.applied.written.rejected.add(series.labels, timestamp, reason, 1);
                }
            }
        }
    }

    fn make(
        &mut self,
        shard: &mut Shard,
        shard_number: usize,
        hash: u64,
        series: &BatchSeries<'_>,
    ) -> Result<u32, Reason> {
        check_labels(series.labels)?;
        self.check_some(series)?;
        let limit = self.head.limits.series_max;
        if self.head.series.load(Ordering::Relaxed) >= limit {
            return Err(Reason::SeriesLimit { limit });
        }
        let labels = Labels::from_canonical(series.labels);
        let made = Series::new(labels.clone(), hash);
        let bytes = made.size_bytes() + SERIES_INDEX_BYTES + FIRST_CHUNK_BYTES;
        self.reserve(bytes)?;
        let place = shard.insert(made);
        self.head.series.fetch_add(1, Ordering::Relaxed);
        let number = number_of(shard_number, place);
        // Before anybody else can find it, so that in the log its name comes before its samples.
        let tenant = self.head.number;
        self.wal.push(|queue| put_series(queue, tenant, number, &labels));
        self.made.push((number, labels));
        Ok(place)
    }

    /// A series is not made for samples that will all be refused.
    fn check_some(&self, series: &BatchSeries<'_>) -> Result<(), Reason> {
        let floats = series.floats.iter().map(|float| float.timestamp);
        let mut first = None;
        for timestamp in floats.chain(series.histograms.iter().map(|sample| sample.timestamp)) {
            let verdict = if timestamp > self.latest {
                Err(Reason::TooFarAhead)
            } else {
                self.bounds.check_first(timestamp)
            };
            match verdict {
                Ok(()) => return Ok(()),
                Err(reason) => first = first.or(Some(reason)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Reason> {
        self.made_bytes += bytes;
        let held = self.reserved.as_ref().map_or(0, Reservation::bytes);
        if self.made_bytes <= held {
            return Ok(());
        }
        let wanted = self.made_bytes + RESERVE_BYTES;
        let result = match &mut self.reserved {
            Some(reserved) => reserved.resize(wanted),
            None => self.head.limits.memory.reserve(wanted).map(|it| self.reserved = Some(it)),
        };
        if result.is_err() {
            self.made_bytes -= bytes;
            self.applied.full = true;
            return Err(Reason::SeriesLimit { limit: self.head.series_len() });
        }
        Ok(())
    }

    fn refuse_series(&mut self, series: &BatchSeries<'_>, reason: Reason) {
        let count = series.floats.len() + series.histograms.len();
        let timestamp = series.floats.first().map_or(0, |float| float.timestamp);
        self.applied.written.rejected.add(series.labels, timestamp, reason, count);
    }

    fn finish(self) -> Applied {
        let Appending { head, records, mut made, .. } = self;
        records.end_floats(head.number);
        if !made.is_empty() {
            made.sort_unstable_by_key(|(number, _)| *number);
            let mut index = head.index.write();
            for (number, labels) in &made {
                index.insert(*number, labels);
            }
        }
        head.newest.fetch_max(self.newest, Ordering::AcqRel);
        drop(self.reserved);
        head.grow(self.made_bytes + self.grown);
        self.applied
    }
}

/// Names ascend and no value is empty.
fn check_labels(canonical: &[u8]) -> Result<(), Reason> {
    if canonical.is_empty() {
        return Err(Reason::NoLabels);
    }
    let mut bytes = 0;
    let mut before = "";
    for (name, value) in model::metric::LabelsIter::new(canonical) {
        if name <= before || value.is_empty() {
            return Err(Reason::InvalidLabels);
        }
        before = name;
        bytes += varint_len(name.len()) + name.len() + varint_len(value.len()) + value.len();
    }
    if bytes == canonical.len() { Ok(()) } else { Err(Reason::InvalidLabels) }
}

fn varint_len(value: usize) -> usize {
    (1..10).find(|&bytes| value >> (7 * bytes) == 0).unwrap_or(10)
}
