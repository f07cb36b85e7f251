//! What the log says.

use model::metric::{Exemplar, Float, HistogramSample, Labels, Metadata, MetricType};

use crate::head::histograms;
use crate::varint;

const TENANT: u8 = 1;
const SERIES: u8 = 2;
const FLOATS: u8 = 3;
const HISTOGRAM: u8 = 4;
const EXEMPLAR: u8 = 5;
const METADATA: u8 = 6;
const CUT_BEGUN: u8 = 7;
const CUT_ENDED: u8 = 8;
const DELETED: u8 = 9;
const STATE: u8 = 10;
const STORED: u8 = 11;
const EXEMPLAR_OF: u8 = 12;

/// One thing that happened, or, in a checkpoint, that is.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    /// A number stands for a tenant from here on.
    Tenant { tenant: u32, name: &'a str },
    /// A number stands for a series from here on.
    Series { tenant: u32, series: u32, labels: &'a [u8] },
    /// Floats, to be read with [`Floats::next`].
    Floats { tenant: u32, floats: Floats<'a> },
    /// A native histogram.
    Histogram { tenant: u32, series: u32, sample: Box<HistogramSample> },
    /// An exemplar.
    Exemplar { tenant: u32, series: u32, exemplar: Exemplar },
    /// Of a checkpoint: an exemplar of a series that may have left.
    ExemplarOf { tenant: u32, labels: &'a [u8], exemplar: Exemplar },
    /// What is known about a metric family.
    Metadata { tenant: u32, metadata: Metadata },
    /// A block takes all before `cut`.
    CutBegun { tenant: u32, cut: i64 },
    /// The block is durable.
    CutEnded { tenant: u32, cut: i64, epoch: u32 },
    /// Samples of some series were deleted.
    Deleted { tenant: u32, start: i64, end: i64, series: Vec<u32> },
    /// Of a checkpoint: how far a tenant's head is.
    State { tenant: u32, epoch: u32, cut: i64, newest: i64 },
    /// Of a checkpoint: a series with its chunks, in the form of [`crate::head`].
    Stored { tenant: u32, series: u32, stored: &'a [u8] },
}

/// Floats of many series, each after the one before.
#[derive(Debug, Clone)]
pub(crate) struct Floats<'a> {
    bytes: &'a [u8],
    series: i64,
    timestamp: i64,
}

impl Floats<'_> {
    /// The next, or nothing at the end or where it is damaged; see [`Floats::is_done`].
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(u32, Float)> {
        if self.bytes.is_empty() {
            return None;
        }
        let head = varint::take(&mut self.bytes)?;
        let step = (head >> 2).cast_signed();
        let step = if head & 2 == 0 { step } else { -step };
        self.series = self.series.wrapping_add(step);
        self.timestamp = self.timestamp.wrapping_add(varint::take_signed(&mut self.bytes)?);
        let start = match head & 1 {
            0 => 0,
            _ => self.timestamp.wrapping_sub(varint::take_signed(&mut self.bytes)?),
        };
        let value = varint::take_float(&mut self.bytes)?;
        let series = u32::try_from(self.series).ok()?;
        Some((series, Float { timestamp: self.timestamp, value, start }))
    }

    /// Whether all was read.
    pub(crate) fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Collects the records of one batch. Floats are gathered and written at the end.
#[derive(Debug, Default)]
pub(crate) struct RecordWriter {
    pub(crate) bytes: Vec<u8>,
    floats: Vec<u8>,
    series: i64,
    timestamp: i64,
}

impl RecordWriter {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.floats.clear();
        (self.series, self.timestamp) = (0, 0);
    }

    #[inline]
    pub(crate) fn float(&mut self, series: u32, float: &Float) {
        let step = i64::from(series) - self.series;
        let sign = u64::from(step < 0) << 1;
        let has_start = u64::from(float.start != 0);
        varint::put(&mut self.floats, step.unsigned_abs() << 2 | sign | has_start);
        varint::put_signed(&mut self.floats, float.timestamp.wrapping_sub(self.timestamp));
        if float.start != 0 {
            varint::put_signed(&mut self.floats, float.timestamp.wrapping_sub(float.start));
        }
        varint::put_float(&mut self.floats, float.value);
        self.series = i64::from(series);
        self.timestamp = float.timestamp;
    }

    pub(crate) fn histogram(&mut self, tenant: u32, series: u32, sample: &HistogramSample) {
        self.head(HISTOGRAM, tenant);
        varint::put(&mut self.bytes, u64::from(series));
        varint::put_signed(&mut self.bytes, sample.timestamp);
        let zero = Default::default();
        histograms::put(&mut self.bytes, &zero, sample.start, &sample.histogram);
    }

    pub(crate) fn exemplar(&mut self, tenant: u32, series: u32, exemplar: &Exemplar) {
        self.head(EXEMPLAR, tenant);
        varint::put(&mut self.bytes, u64::from(series));
        self.exemplar_itself(exemplar);
    }

    pub(crate) fn exemplar_of(&mut self, tenant: u32, labels: &Labels, exemplar: &Exemplar) {
        self.head(EXEMPLAR_OF, tenant);
        varint::put_bytes(&mut self.bytes, labels.as_bytes());
        self.exemplar_itself(exemplar);
    }

    fn exemplar_itself(&mut self, exemplar: &Exemplar) {
        varint::put_signed(&mut self.bytes, exemplar.timestamp);
        varint::put_float(&mut self.bytes, exemplar.value);
        varint::put_bytes(&mut self.bytes, exemplar.labels.as_bytes());
    }

    pub(crate) fn metadata(&mut self, tenant: u32, metadata: &Metadata) {
        self.head(METADATA, tenant);
        for text in [&metadata.metric, metadata.kind.as_str(), &metadata.help, &metadata.unit] {
            varint::put_bytes(&mut self.bytes, text.as_bytes());
        }
    }

    /// Puts the floats in front of nothing else that follows.
    pub(crate) fn end_floats(&mut self, tenant: u32) {
        if !self.floats.is_empty() {
            self.head(FLOATS, tenant);
            let floats = std::mem::take(&mut self.floats);
            varint::put_bytes(&mut self.bytes, &floats);
            self.floats = floats;
            self.floats.clear();
        }
        (self.series, self.timestamp) = (0, 0);
    }

    pub(crate) fn cut_begun(&mut self, tenant: u32, cut: i64) {
        self.head(CUT_BEGUN, tenant);
        varint::put_signed(&mut self.bytes, cut);
    }

    pub(crate) fn cut_ended(&mut self, tenant: u32, cut: i64, epoch: u32) {
        self.head(CUT_ENDED, tenant);
        varint::put_signed(&mut self.bytes, cut);
        varint::put(&mut self.bytes, u64::from(epoch));
    }

    pub(crate) fn deleted(&mut self, tenant: u32, start: i64, end: i64, series: &[u32]) {
        self.head(DELETED, tenant);
        varint::put_signed(&mut self.bytes, start);
        varint::put_signed(&mut self.bytes, end);
        varint::put(&mut self.bytes, series.len() as u64);
        for &series in series {
            varint::put(&mut self.bytes, u64::from(series));
        }
    }

    pub(crate) fn state(&mut self, tenant: u32, epoch: u32, cut: i64, newest: i64) {
        self.head(STATE, tenant);
        varint::put(&mut self.bytes, u64::from(epoch));
        varint::put_signed(&mut self.bytes, cut);
        varint::put_signed(&mut self.bytes, newest);
    }

    pub(crate) fn stored(&mut self, tenant: u32, series: u32, stored: &[u8]) {
        self.head(STORED, tenant);
        varint::put(&mut self.bytes, u64::from(series));
        varint::put_bytes(&mut self.bytes, stored);
    }

    pub(crate) fn tenant(&mut self, tenant: u32, name: &str) {
        self.head(TENANT, tenant);
        varint::put_bytes(&mut self.bytes, name.as_bytes());
    }

    fn head(&mut self, kind: u8, tenant: u32) {
        self.bytes.push(kind);
        varint::put(&mut self.bytes, u64::from(tenant));
    }
}

/// Writes that a number stands for a series.
pub(crate) fn put_series(into: &mut Vec<u8>, tenant: u32, series: u32, labels: &Labels) {
    into.push(SERIES);
    varint::put(into, u64::from(tenant));
    varint::put(into, u64::from(series));
    varint::put_bytes(into, labels.as_bytes());
}

impl<'a> Record<'a> {
    /// Reads a record from the front of `bytes`.
    pub(crate) fn take(bytes: &mut &'a [u8]) -> Option<Record<'a>> {
        let [kind] = varint::take_array(bytes)?;
        let tenant = take_u32(bytes)?;
        Some(match kind {
            TENANT => Record::Tenant { tenant, name: varint::take_text(bytes)? },
            SERIES => {
                let series = take_u32(bytes)?;
                Record::Series { tenant, series, labels: varint::take_bytes(bytes)? }
            }
            FLOATS => {
                let bytes = varint::take_bytes(bytes)?;
                Record::Floats { tenant, floats: Floats { bytes, series: 0, timestamp: 0 } }
            }
            HISTOGRAM => {
                let series = take_u32(bytes)?;
                let timestamp = varint::take_signed(bytes)?;
                let (start, histogram) = histograms::take(bytes, &Default::default())?;
                let sample = Box::new(HistogramSample { timestamp, start, histogram });
                Record::Histogram { tenant, series, sample }
            }
            EXEMPLAR => {
                let series = take_u32(bytes)?;
                Record::Exemplar { tenant, series, exemplar: take_exemplar(bytes)? }
            }
            EXEMPLAR_OF => {
                let labels = varint::take_bytes(bytes)?;
                Record::ExemplarOf { tenant, labels, exemplar: take_exemplar(bytes)? }
            }
            METADATA => {
                let metric = varint::take_text(bytes)?.to_owned();
                let kind = MetricType::parse(varint::take_text(bytes)?)?;
                let help = varint::take_text(bytes)?.to_owned();
                let unit = varint::take_text(bytes)?.to_owned();
                Record::Metadata { tenant, metadata: Metadata { metric, kind, help, unit } }
            }
            CUT_BEGUN => Record::CutBegun { tenant, cut: varint::take_signed(bytes)? },
            CUT_ENDED => {
                let cut = varint::take_signed(bytes)?;
                Record::CutEnded { tenant, cut, epoch: take_u32(bytes)? }
            }
            DELETED => {
                let (start, end) = (varint::take_signed(bytes)?, varint::take_signed(bytes)?);
                let count = varint::take(bytes)?;
                let series = (0..count).map(|_| take_u32(bytes)).collect::<Option<_>>()?;
                Record::Deleted { tenant, start, end, series }
            }
            STATE => {
                let epoch = take_u32(bytes)?;
                let (cut, newest) = (varint::take_signed(bytes)?, varint::take_signed(bytes)?);
                Record::State { tenant, epoch, cut, newest }
            }
            STORED => {
                let series = take_u32(bytes)?;
                Record::Stored { tenant, series, stored: varint::take_bytes(bytes)? }
            }
            _ => return None,
        })
    }
}

fn take_exemplar(bytes: &mut &[u8]) -> Option<Exemplar> {
    let timestamp = varint::take_signed(bytes)?;
    let value = varint::take_float(bytes)?;
    let labels = Labels::from_canonical(varint::take_bytes(bytes)?);
    Some(Exemplar { labels, value, timestamp })
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(varint::take(bytes)?).ok()
}
