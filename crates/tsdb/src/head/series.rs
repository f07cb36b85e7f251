//! One series in memory.

use std::sync::Arc;

use model::metric::{Float, Histogram, HistogramSample, Labels, is_stale};

use super::histograms;
use super::stream::{self, CHUNK_BYTES, Last, Sample};
use crate::append::Reason;
use crate::points::{HistogramPoint, Points};
use crate::varint;

/// The most bytes that one float takes in a chunk, a change of its start timestamp included.
const SAMPLE_BYTES_MAX: usize = 1 + 10 + 1 + 8 + 8;

/// What holds for all samples of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Samples before do not go behind the others.
    pub(crate) min_valid: i64,
    /// Samples between this and `min_valid` may go on with their series all the same: they are kept
    /// with the late ones. Samples before are refused unless they may be late.
    pub(crate) lag_from: i64,
    /// Samples from here on may come late; none may when it is not given.
    pub(crate) late_from: Option<i64>,
    /// Counts the cuts; see [`Late`].
    pub(crate) epoch: u32,
    /// Chunks do not reach over multiples of this, milliseconds.
    pub(crate) chunk_span: i64,
}

/// What became of a sample that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is the last of its series.
    InOrder,
    /// It lies before the last.
    Late,
    /// It was there already, bit for bit.
    Known,
}

/// A chunk that is no longer written.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) bytes: Box<[u8]>,
}

/// A series. Most have nothing but an open chunk of floats.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) hash: u64,
    pub(crate) last: Last,
    pub(crate) open: Vec<u8>,
    pub(crate) more: Option<Box<More>>,
}

/// What not every series has.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) closed: Vec<Closed>,
    /// The start timestamp in force at the end of the open chunk.
    pub(crate) start: i64,
    pub(crate) histograms: Option<Box<Histograms>>,
    pub(crate) late: Option<Box<Late>>,
}

/// A series' native histograms.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) closed: Vec<Closed>,
    pub(crate) open: Vec<u8>,
    pub(crate) open_first: i64,
    pub(crate) last_timestamp: i64,
    pub(crate) last: Histogram,
    pub(crate) open_empty: bool,
}

/// Samples that came late, in order of time. A cut takes those that came before it began: these
/// lie in `early` once a later one arrives.
#[derive(Debug, Default, Clone)]
pub(crate) struct Late {
    pub(crate) epoch: u32,
    pub(crate) early: LatePoints,
    pub(crate) points: LatePoints,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct LatePoints {
    pub(crate) floats: Vec<Sample>,
    pub(crate) histograms: Vec<HistogramPoint>,
}

impl Series {
    pub(crate) fn new(labels: Labels, hash: u64) -> Series {
        Series { labels, hash, last: Last::default(), open: Vec::new(), more: None }
    }

    fn histograms(&self) -> Option<&Histograms> {
        self.more.as_ref()?.histograms.as_deref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The time of its last sample that came in order; the least there is when there is none.
    #[inline]
    pub(crate) fn last_timestamp(&self) -> i64 {
        match self.histograms() {
            None => self.last.timestamp,
            Some(histograms) => self.last.timestamp.max(histograms.last_timestamp),
        }
    }

    /// Whether there are samples that came out of order.
    pub(crate) fn has_late(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.late.is_some())
    }

    /// Whether its last sample is a native histogram.
    pub(crate) fn ends_in_histogram(&self) -> bool {
        self.histograms().is_some_and(|histograms| histograms.last_timestamp > self.last.timestamp)
    }

    /// Takes a float, or says why not.
    #[inline]
    pub(crate) fn put_float(&mut self, float: &Float, bounds: &Bounds) -> Result<Accepted, Reason> {
        let last = self.last_timestamp();
        let timestamp = float.timestamp;
        if timestamp >= bounds.min_valid {
            if timestamp > last {
                self.push_float(float, bounds);
                return Ok(Accepted::InOrder);
            }
            if timestamp == last {
                return self.compare_float(float);
            }
        }
        self.put_late_float(float, bounds)
    }

    #[cold]
    fn put_late_float(&mut self, float: &Float, bounds: &Bounds) -> Result<Accepted, Reason> {
        let timestamp = float.timestamp;
        if !self.goes_on(timestamp, bounds) {
            late_allowed(timestamp, bounds)?;
        }
        let late = self.late(bounds.epoch);
        let floats = &mut late.points.floats;
        match floats.binary_search_by_key(&timestamp, |sample| sample.timestamp) {
            Ok(at) if floats[at].value.to_bits() == float.value.to_bits() => Ok(Accepted::Known),
            Ok(_) => Err(Reason::Duplicate),
            Err(at) => {
                let Float { timestamp, value, start } = *float;
                floats.insert(at, Sample { timestamp, value, start });
                Ok(Accepted::Late)
            }
        }
    }

    fn compare_float(&self, float: &Float) -> Result<Accepted, Reason> {
        let Float { timestamp, value, .. } = *float;
        if self.ends_in_histogram() {
            return Err(Reason::DuplicateOfHistogram { timestamp, value });
        }
        if self.last.bits != value.to_bits() {
            let existing = f64::from_bits(self.last.bits);
            return Err(Reason::DuplicateFloat { timestamp, existing, value });
        }
        Ok(Accepted::Known)
    }

    #[inline]
    fn push_float(&mut self, float: &Float, bounds: &Bounds) {
        if !self.open.is_empty()
            && (self.open.len() >= CHUNK_BYTES
                || bounds.is_other_span(self.last.timestamp, float.timestamp))
        {
            self.close();
        }
        self.push(float.timestamp, float.value, float.start);
    }

    #[inline]
    fn push(&mut self, timestamp: i64, value: f64, start: i64) {
        let needed = self.open.len() + SAMPLE_BYTES_MAX;
        if needed > self.open.capacity() {
            // As large as the allocator makes it anyway: a quarter at a time.
            let room = needed.max(64).next_multiple_of((needed.next_power_of_two() / 8).max(16));
            self.open.reserve_exact(room - self.open.len());
        }
        let before = self.more.as_ref().map_or(0, |more| more.start);
        if start != before {
            stream::put_start(&mut self.open, &mut self.last, before, start);
            self.more().start = start;
        }
        stream::put(&mut self.open, &mut self.last, timestamp, value.to_bits());
    }

    /// Closes the open chunk of floats.
    pub(crate) fn close(&mut self) {
        if self.last.count > 0 {
            let bytes = std::mem::take(&mut self.open);
            let first = stream::first_timestamp(&bytes).unwrap_or(self.last.timestamp);
            let last = self.last.timestamp;
            let more = self.more();
            more.closed.reserve_exact(1);
            more.closed.push(Closed { first, last, bytes: bytes.into_boxed_slice() });
            more.start = 0;
        }
        self.last.begin();
    }

    /// Takes a native histogram, or says why not.
    pub(crate) fn put_histogram(
        &mut self,
        sample: &HistogramSample,
        bounds: &Bounds,
    ) -> Result<Accepted, Reason> {
        if !sample.histogram.is_stale() && !histograms::is_valid(&sample.histogram) {
            return Err(Reason::InvalidHistogram);
        }
        let timestamp = sample.timestamp;
        let last = self.last_timestamp();
        if timestamp >= bounds.min_valid {
            if timestamp > last {
                self.more().histograms.get_or_insert_with(Histograms::empty).put(sample, bounds);
                return Ok(Accepted::InOrder);
            }
            if timestamp == last {
                let same = self.ends_in_histogram()
                    && self.histograms().is_some_and(|h| same(&h.last, &sample.histogram));
                return if same { Ok(Accepted::Known) } else { Err(Reason::Duplicate) };
            }
        }
        if !self.goes_on(timestamp, bounds) {
            late_allowed(timestamp, bounds)?;
        }
        let late = self.late(bounds.epoch);
        let points = &mut late.points.histograms;
        match points.binary_search_by_key(&timestamp, |point| point.timestamp) {
            Ok(at) if same(&points[at].histogram, &sample.histogram) => Ok(Accepted::Known),
            Ok(_) => Err(Reason::Duplicate),
            Err(at) => {
                let HistogramSample { timestamp, start, ref histogram } = *sample;
                let histogram = Arc::new(histogram.clone());
                points.insert(at, HistogramPoint { timestamp, start, histogram });
                Ok(Accepted::Late)
            }
        }
    }

    /// Whether a sample behind the others is its series' newest, or that once more, and not too old.
    fn goes_on(&self, timestamp: i64, bounds: &Bounds) -> bool {
        let late = self.more.as_ref().and_then(|more| more.late.as_ref());
        timestamp >= bounds.lag_from
            && timestamp > self.last_timestamp()
            && late.and_then(|late| late.last_timestamp()).is_none_or(|last| timestamp >= last)
    }

    fn late(&mut self, epoch: u32) -> &mut Late {
        let late = self.more().late.get_or_insert_default();
        if late.epoch != epoch {
            late.epoch = epoch;
            let points = std::mem::take(&mut late.points);
            late.early.add(points);
        }
        late
    }

    /// Adds the samples from `start` to `end`, both included, to `into`, which is empty.
    pub(crate) fn read(&self, start: i64, end: i64, into: &mut Points) {
        if let Some(more) = &self.more {
            for chunk in more.closed.iter().filter(|chunk| chunk.overlaps(start, end)) {
                read_floats(&chunk.bytes, start, end, into);
            }
        }
        if self.last.count > 0 && self.last.timestamp >= start {
            read_floats(&self.open, start, end, into);
        }
        if let Some(histograms) = self.histograms() {
            histograms.read(start, end, into);
        }
        if let Some(late) = self.more.as_ref().and_then(|more| more.late.as_ref()) {
            for part in [&late.early, &late.points] {
                part.read(start, end, into);
            }
        }
    }

    /// Adds what a cut at `cut` that began `epoch` takes.
    pub(crate) fn read_cut(&self, cut: i64, epoch: u32, into: &mut Points) {
        let end = cut - 1;
        if let Some(more) = &self.more {
            for chunk in more.closed.iter().filter(|chunk| chunk.first < cut) {
                read_floats(&chunk.bytes, i64::MIN, end, into);
            }
        }
        read_floats(&self.open, i64::MIN, end, into);
        if let Some(histograms) = self.histograms() {
            histograms.read(i64::MIN, end, into);
        }
        if let Some(late) = self.more.as_ref().and_then(|more| more.late.as_ref()) {
            late.early.read(i64::MIN, end, into);
            if late.epoch < epoch {
                late.points.read(i64::MIN, end, into);
            }
        }
    }

    /// Forgets what [`Series::read_cut`] gives.
    pub(crate) fn truncate(&mut self, cut: i64, epoch: u32) {
        let partly = |chunk: &Closed| chunk.first < cut && chunk.last >= cut;
        let open_first = stream::first_timestamp(&self.open);
        let open_begins_before = open_first.is_some_and(|first| first < cut);
        let any_partly = self.more.as_ref().is_some_and(|more| more.closed.iter().any(partly));
        if any_partly || (open_begins_before && self.last.timestamp >= cut) {
            self.rewrite_floats(|timestamp| timestamp >= cut);
        } else if open_begins_before {
            self.open = Vec::new();
            self.last.begin();
            if let Some(more) = &mut self.more {
                more.start = 0;
            }
        }
        let Some(more) = &mut self.more else { return };
        more.closed.retain(|chunk| chunk.last >= cut);
        more.closed.shrink_to_fit();
        if let Some(histograms) = &mut more.histograms {
            histograms.retain(|timestamp| timestamp >= cut);
        }
        if let Some(late) = &mut more.late {
            late.early.retain(|timestamp| timestamp >= cut);
            if late.epoch < epoch {
                late.points.retain(|timestamp| timestamp >= cut);
            }
            if late.is_empty() {
                more.late = None;
            }
        }
        if more.is_empty() {
            self.more = None;
        }
    }

    /// Forgets the samples from `start` to `end`, both included.
    pub(crate) fn delete(&mut self, start: i64, end: i64) {
        let keep = |timestamp: i64| timestamp < start || timestamp > end;
        self.rewrite_floats(keep);
        let Some(more) = &mut self.more else { return };
        if let Some(histograms) = &mut more.histograms {
            histograms.retain(keep);
        }
        if let Some(late) = &mut more.late {
            late.early.retain(keep);
            late.points.retain(keep);
        }
    }

    fn rewrite_floats(&mut self, keep: impl Fn(i64) -> bool) {
        self.close();
        let Some(more) = &mut self.more else { return };
        let before = std::mem::take(&mut more.closed);
        // The end of the series stays known, whether its last sample is kept or not.
        let last = self.last;
        for chunk in before {
            let mut samples = stream::Reader::new(&chunk.bytes);
            if samples.clone().all(|sample| keep(sample.timestamp)) {
                self.more().closed.push(chunk);
                continue;
            }
            samples.by_ref().filter(|sample| keep(sample.timestamp)).for_each(|sample| {
                self.push(sample.timestamp, sample.value, sample.start);
            });
            self.close();
        }
        self.last = last;
    }

    /// Whether it holds no sample.
    pub(crate) fn is_empty(&self) -> bool {
        self.last.count == 0
            && self.more.as_ref().is_none_or(|more| {
                more.closed.is_empty()
                    && more.late.as_ref().is_none_or(|late| late.is_empty())
                    && more.histograms.as_ref().is_none_or(|histograms| histograms.is_empty())
            })
    }

    /// The memory that it takes, bytes, its own fields included.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Series>()
            + 16
            + self.labels.as_bytes().len()
            + self.open.capacity()
            + self.more.as_ref().map_or(0, |more| more.size_bytes())
    }

    /// The time of the oldest sample that came in order.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        let more = self.more.as_ref();
        let floats = more
            .and_then(|more| more.closed.first())
            .map(|chunk| chunk.first)
            .or_else(|| stream::first_timestamp(&self.open));
        let histograms = self.histograms().and_then(Histograms::first_timestamp);
        let late = more.and_then(|more| more.late.as_ref()).and_then(|late| late.first_timestamp());
        [floats, histograms, late].into_iter().flatten().min()
    }
}

impl Bounds {
    /// Whether a series without samples takes one at this time.
    pub(crate) fn check_first(&self, timestamp: i64) -> Result<(), Reason> {
        if timestamp >= self.lag_from { Ok(()) } else { late_allowed(timestamp, self) }
    }

    #[inline]
    fn is_other_span(&self, last: i64, timestamp: i64) -> bool {
        timestamp - last >= self.chunk_span
            || last.div_euclid(self.chunk_span) != timestamp.div_euclid(self.chunk_span)
    }
}

fn late_allowed(timestamp: i64, bounds: &Bounds) -> Result<(), Reason> {
    match bounds.late_from {
        Some(from) if timestamp >= from => Ok(()),
        Some(_) => Err(Reason::TooOld),
        None if timestamp < bounds.lag_from => Err(Reason::OutOfBounds),
        None => Err(Reason::OutOfOrder),
    }
}

/// Equal bit for bit, reset hints aside.
fn same(a: &Histogram, b: &Histogram) -> bool {
    if is_stale(a.sum) || is_stale(b.sum) {
        return a.sum.to_bits() == b.sum.to_bits();
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let zero = Histogram::default();
    histograms::put(&mut left, &zero, 0, a);
    histograms::put(&mut right, &zero, 0, b);
    left[1..] == right[1..]
}

fn read_floats(bytes: &[u8], start: i64, end: i64, into: &mut Points) {
    for sample in stream::Reader::new(bytes) {
        if sample.timestamp > end {
            return;
        }
        if sample.timestamp >= start {
            into.push(sample.timestamp, sample.value, sample.start);
        }
    }
}

impl Closed {
    fn overlaps(&self, start: i64, end: i64) -> bool {
        self.first <= end && self.last >= start
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.closed.is_empty()
            && self.start == 0
            && self.late.is_none()
            && self.histograms.is_none()
    }

    fn size_bytes(&self) -> usize {
        let closed = |chunks: &[Closed]| {
            chunks.iter().map(|chunk| size_of::<Closed>() + chunk.bytes.len()).sum::<usize>()
        };
        let histograms = self.histograms.as_ref().map_or(0, |histograms| {
            let buckets =
                histograms.last.positive_buckets.len() + histograms.last.positive_spans.len();
            size_of::<Histograms>()
                + histograms.open.capacity()
                + closed(&histograms.closed)
                + buckets * 8
        });
        let late = self.late.as_ref().map_or(0, |late| {
            let floats = late.early.floats.len() + late.points.floats.len();
            let histograms = late.early.histograms.len() + late.points.histograms.len();
            size_of::<Late>() + floats * size_of::<Sample>() + histograms * 512
        });
        size_of::<More>() + closed(&self.closed) + histograms + late
    }
}

impl Histograms {
    fn empty() -> Box<Histograms> {
        let (last_timestamp, open_empty) = (i64::MIN, true);
        Box::new(Histograms { last_timestamp, open_empty, ..Histograms::default() })
    }

    fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open_empty
    }

    fn first_timestamp(&self) -> Option<i64> {
        let open = (!self.open_empty).then_some(self.open_first);
        self.closed.first().map(|chunk| chunk.first).or(open)
    }

    fn put(&mut self, sample: &HistogramSample, bounds: &Bounds) {
        if !self.open_empty
            && (self.open.len() >= CHUNK_BYTES * 4
                || bounds.is_other_span(self.last_timestamp, sample.timestamp))
        {
            self.close();
        }
        self.push(sample.timestamp, sample.start, &sample.histogram);
    }

    fn push(&mut self, timestamp: i64, start: i64, histogram: &Histogram) {
        let zero = Histogram::default();
        if self.open_empty {
            self.open_first = timestamp;
            varint::put_signed(&mut self.open, timestamp);
            histograms::put(&mut self.open, &zero, start, histogram);
        } else {
            varint::put_signed(&mut self.open, timestamp.wrapping_sub(self.last_timestamp));
            histograms::put(&mut self.open, &self.last, start, histogram);
        }
        self.open_empty = false;
        self.last_timestamp = timestamp;
        self.last.clone_from(histogram);
    }

    pub(crate) fn close(&mut self) {
        if !self.open_empty {
            let bytes = std::mem::take(&mut self.open).into_boxed_slice();
            self.closed.push(Closed { first: self.open_first, last: self.last_timestamp, bytes });
            self.open_empty = true;
        }
    }

    fn read(&self, start: i64, end: i64, into: &mut Points) {
        for chunk in self.closed.iter().filter(|chunk| chunk.overlaps(start, end)) {
            read_histograms(&chunk.bytes, start, end, &mut into.histograms);
        }
        if !self.open_empty && self.open_first <= end && self.last_timestamp >= start {
            read_histograms(&self.open, start, end, &mut into.histograms);
        }
    }

    fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        let mut points = Vec::new();
        let last = (self.last_timestamp, self.last.clone());
        self.close();
        for chunk in std::mem::take(&mut self.closed) {
            points.clear();
            read_histograms(&chunk.bytes, i64::MIN, i64::MAX, &mut points);
            if points.iter().all(|point| keep(point.timestamp)) {
                self.closed.push(chunk);
                continue;
            }
            for point in points.iter().filter(|point| keep(point.timestamp)) {
                self.push(point.timestamp, point.start, &point.histogram);
            }
            self.close();
        }
        (self.last_timestamp, self.last) = last;
    }
}

fn read_histograms(mut bytes: &[u8], start: i64, end: i64, into: &mut Vec<HistogramPoint>) {
    let mut before = Arc::new(Histogram::default());
    let mut timestamp = 0i64;
    while let Some(distance) = varint::take_signed(&mut bytes) {
        timestamp = timestamp.wrapping_add(distance);
        let Some((begun, histogram)) = histograms::take(&mut bytes, &before) else { return };
        if timestamp > end {
            return;
        }
        let histogram = Arc::new(histogram);
        before = Arc::clone(&histogram);
        if timestamp >= start {
            into.push(HistogramPoint { timestamp, start: begun, histogram });
        }
    }
}

impl Late {
    fn is_empty(&self) -> bool {
        self.early.is_empty() && self.points.is_empty()
    }

    fn first_timestamp(&self) -> Option<i64> {
        let floats = [&self.early, &self.points].map(|part| part.floats.first());
        let histograms = [&self.early, &self.points].map(|part| part.histograms.first());
        let floats = floats.into_iter().flatten().map(|sample| sample.timestamp);
        floats.chain(histograms.into_iter().flatten().map(|point| point.timestamp)).min()
    }

    fn last_timestamp(&self) -> Option<i64> {
        let floats = [&self.early, &self.points].map(|part| part.floats.last());
        let histograms = [&self.early, &self.points].map(|part| part.histograms.last());
        let floats = floats.into_iter().flatten().map(|sample| sample.timestamp);
        floats.chain(histograms.into_iter().flatten().map(|point| point.timestamp)).max()
    }
}

impl LatePoints {
    fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    fn add(&mut self, other: LatePoints) {
        self.floats.extend(other.floats);
        self.floats.sort_by_key(|sample| sample.timestamp);
        self.floats.dedup_by_key(|sample| sample.timestamp);
        self.histograms.extend(other.histograms);
        self.histograms.sort_by_key(|point| point.timestamp);
        self.histograms.dedup_by_key(|point| point.timestamp);
    }

    fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        self.floats.retain(|sample| keep(sample.timestamp));
        self.histograms.retain(|point| keep(point.timestamp));
    }

    fn read(&self, start: i64, end: i64, into: &mut Points) {
        let inside = |timestamp: i64| timestamp >= start && timestamp <= end;
        let mut late = Points::default();
        for sample in self.floats.iter().filter(|sample| inside(sample.timestamp)) {
            late.push(sample.timestamp, sample.value, sample.start);
        }
        late.histograms =
            self.histograms.iter().filter(|point| inside(point.timestamp)).cloned().collect();
        into.merge(&late);
    }
}
