//! `prometheus.WriteRequest` and `io.prometheus.write.v2.Request`, read in place.

use std::collections::BTreeSet;

use model::metric::{
    Exemplar, Float, HistogramSample, Labels, LabelsBuilder, Metadata, MetricType,
};
use stdx::memory::Reservation;

use super::Version;
use crate::metrics::MetricLimits;
use crate::metrics::labels::{LabelSet, cut};
use crate::metrics::native::{self, varints};
use crate::metrics::receiver::{Context, Decoded, Growing};
use crate::metrics::rejections::Invalid;
use crate::metrics::stop::Stop;
use crate::refusal::Refusal;
use crate::wire::{Field, Problem, Read, Reader};

/// What a series, a sample and so on take in a batch, about.
const SERIES_BYTES: usize = 64;
const FLOAT_BYTES: usize = size_of::<Float>();
const EXEMPLAR_BYTES: usize = 128;
const HISTOGRAM_BYTES: usize = size_of::<HistogramSample>();

/// Why a body cannot be decoded at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(String);

/// Decodes a body that is not compressed, for tools, benchmarks and fuzzing: gives the batch and how
/// many samples were refused.
pub fn decode_write(
    version: Version,
    body: &[u8],
    limits: &MetricLimits,
    memory: Reservation,
) -> Result<(model::metric::Batch, usize), WriteError> {
    let context = Context::of_no_request(limits);
    let decoded = decode(version, body, memory, &context);
    let decoded = decoded.map_err(|refusal| WriteError(refusal.to_string()))?;
    let rejected = decoded.rejections.total();
    Ok((decoded.batch, rejected))
}

/// Decodes a body that is not compressed. `memory` covers it.
pub(super) fn decode(
    version: Version,
    body: &[u8],
    memory: Reservation,
    context: &Context,
) -> Result<Decoded, Refusal> {
    let mut decoder = Decoder {
        context,
        into: Growing::new(memory, context),
        labels: LabelSet::default(),
        series: 0,
        carries: false,
    };
    let done = match version {
        Version::V1 => decoder.read_v1(body),
        Version::V2 => decoder.read_v2(body),
    };
    match done {
        Ok(()) => Ok(decoder.into.finish()),
        Err(stop) => Err(stop.refusal("the write request")),
    }
}

struct Decoder<'a> {
    context: &'a Context,
    into: Growing,
    labels: LabelSet<'a>,
    series: usize,
    /// Whether the series at hand carries anything.
    carries: bool,
}

impl<'a> Decoder<'a> {
    fn read_v1(&mut self, body: &'a [u8]) -> Result<(), Stop> {
        let mut reader = Reader::new(body);
        let mut index = 0;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(message)) => {
                    self.series_v1(message).map_err(|stop| stop.in_element("timeseries", index))?;
                    index += 1;
                }
                (3, Field::Bytes(message)) => self.metadata_v1(message)?,
                (1 | 3, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn series_v1(&mut self, message: &'a [u8]) -> Result<(), Stop> {
        self.labels.clear();
        let mut reader = Reader::new(message);
        let mut rest = reader.clone();
        while let Some((1, Field::Bytes(label))) = reader.next()? {
            let (name, value) = label_v1(label)?;
            self.labels.push(name, value);
            rest = reader.clone();
        }
        // Labels that come behind samples, which the format allows and nobody writes.
        let mut later = rest.clone();
        while let Some((number, field)) = later.next()? {
            if let (1, Field::Bytes(label)) = (number, field) {
                let (name, value) = label_v1(label)?;
                self.labels.push(name, value);
            }
        }
        if !self.begin(message, 2, 4)? {
            return Ok(());
        }
        while let Some((number, field)) = rest.next()? {
            match (number, field) {
                (1, Field::Bytes(_)) => {}
                (2, Field::Bytes(message)) => self.sample(message, 0)?,
                (3, Field::Bytes(message)) => {
                    let exemplar = exemplar_v1(message)?;
                    self.exemplar(exemplar)?;
                }
                (4, Field::Bytes(message)) => self.histogram(message, 0)?,
                (number @ 1..=4, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        self.end();
        Ok(())
    }

    /// Begins a series with the labels at hand; `false` when it is refused, with its samples, which
    /// are the fields `floats` and `histograms` of `message`.
    #[inline]
    fn begin(&mut self, message: &[u8], floats: u32, histograms: u32) -> Result<bool, Stop> {
        let limits = &self.context.limits;
        let checked = if self.series >= limits.series_per_body_max {
            Err(Invalid::SeriesCount)
        } else {
            self.labels.canonicalise(limits)
        };
        match checked {
            Ok(()) => {
                self.series += 1;
                self.carries = false;
                self.into.count(SERIES_BYTES + self.labels.canonical().len())?;
                self.labels.begin(&mut self.into.batch);
                Ok(true)
            }
            Err(invalid) => {
                let count = count_fields(message, floats)? + count_fields(message, histograms)?;
                let labels = &self.labels;
                self.into.rejections.add(invalid, count, || labels.display());
                Ok(false)
            }
        }
    }

    /// A series that carries nothing in the end is taken away again.
    #[inline]
    fn end(&mut self) {
        if !self.carries {
            self.into.batch.undo();
        }
    }

    #[inline]
    fn sample(&mut self, message: &[u8], start: i64) -> Result<(), Stop> {
        let mut sample = Float { timestamp: 0, value: 0.0, start };
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Fixed64(bits)) => sample.value = f64::from_bits(bits),
                (2, Field::Varint(value)) => sample.timestamp = value.cast_signed(),
                (3, Field::Varint(value)) => sample.start = value.cast_signed(),
                (number @ 1..=3, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        if self.is_future(sample.timestamp) {
            return Ok(());
        }
        self.carries = true;
        self.into.count(FLOAT_BYTES)?;
        self.into.float(sample);
        Ok(())
    }

    #[inline]
    fn is_future(&mut self, timestamp: i64) -> bool {
        let future = timestamp > self.context.latest;
        if future {
            let labels = &self.labels;
            self.into.rejections.add(Invalid::Future, 1, || labels.display());
        }
        future
    }

    fn histogram(&mut self, message: &[u8], start: i64) -> Result<(), Stop> {
        self.into.count(HISTOGRAM_BYTES + 8 * message.len())?;
        let read = native::remote_histogram(message)?;
        if self.is_future(read.timestamp) {
            return Ok(());
        }
        let start = if read.start == 0 { start } else { read.start };
        match read.parts.finish() {
            Ok(histogram) => {
                self.carries = true;
                let timestamp = read.timestamp;
                self.into.histogram(HistogramSample { timestamp, start, histogram });
            }
            Err(problem) => {
                let labels = &self.labels;
                let example = || format!("{}: {problem}", labels.display());
                self.into.rejections.add(Invalid::Histogram, 1, example);
            }
        }
        Ok(())
    }

    fn exemplar(&mut self, exemplar: Exemplar) -> Result<(), Stop> {
        self.carries = true;
        self.into.count(EXEMPLAR_BYTES + exemplar.labels.as_bytes().len())?;
        self.into.exemplar(exemplar, self.context);
        Ok(())
    }

    fn metadata_v1(&mut self, message: &[u8]) -> Result<(), Stop> {
        let mut kind = MetricType::Unknown;
        let (mut metric, mut help, mut unit) = ("", "", "");
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Varint(value)) => kind = metric_type(value),
                (2, Field::Bytes(text)) => metric = utf8(text)?,
                (4, Field::Bytes(text)) => help = utf8(text)?,
                (5, Field::Bytes(text)) => unit = utf8(text)?,
                (number @ (1 | 2 | 4 | 5), field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        self.metadata(metric, kind, help, unit)
    }

    fn metadata(
        &mut self,
        metric: &str,
        kind: MetricType,
        help: &str,
        unit: &str,
    ) -> Result<(), Stop> {
        let limits = &self.context.limits;
        if metric.is_empty() || metric.len() > limits.label_value_bytes_max {
            return Ok(());
        }
        let help = cut(help, limits.help_bytes_max);
        let unit = cut(unit, limits.help_bytes_max);
        let text = metric.len() + help.len() + unit.len();
        self.into.count(size_of::<Metadata>() + text)?;
        self.into.batch.metadata(Metadata {
            metric: metric.to_owned(),
            kind,
            help: help.to_owned(),
            unit: unit.to_owned(),
        });
        Ok(())
    }

    fn read_v2(&mut self, body: &'a [u8]) -> Result<(), Stop> {
        let mut symbols: Vec<&'a [u8]> = Vec::new();
        let mut reader = Reader::new(body);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (4, Field::Bytes(symbol)) => {
                    self.into.count(size_of::<&[u8]>())?;
                    symbols.push(symbol);
                }
                (4, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        let mut described = Described::default();
        let mut reader = Reader::new(body);
        let mut index = 0;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (5, Field::Bytes(message)) => {
                    self.series_v2(message, &symbols, &mut described)
                        .map_err(|stop| stop.in_element("timeseries", index))?;
                    index += 1;
                }
                (5, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn series_v2(
        &mut self,
        message: &'a [u8],
        symbols: &[&'a [u8]],
        described: &mut Described<'a>,
    ) -> Result<(), Stop> {
        let mut refs = Refs::new(symbols);
        let mut created = 0;
        let mut about = None;
        self.labels.clear();
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, field) => {
                    let labels = &mut self.labels;
                    varints(1, &field, |reference| {
                        if let Some((name, value)) = refs.take(reference) {
                            labels.push(name, value);
                        }
                    })?;
                }
                (5, Field::Bytes(metadata)) => about = Some(metadata),
                // What was `created_timestamp` before samples had one of their own.
                (6, Field::Varint(value)) => created = value.cast_signed(),
                _ => {}
            }
        }
        if !refs.is_whole() {
            let count = count_fields(message, 2)? + count_fields(message, 3)?;
            let labels = &self.labels;
            self.into.rejections.add(Invalid::Symbol, count, || labels.display());
            return Ok(());
        }
        if !self.begin(message, 2, 3)? {
            return Ok(());
        }
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (2, Field::Bytes(message)) => self.sample(message, created)?,
                (3, Field::Bytes(message)) => self.histogram(message, created)?,
                (4, Field::Bytes(message)) => match exemplar_v2(message, symbols)? {
                    Some(exemplar) => self.exemplar(exemplar)?,
                    None => {
                        let labels = &self.labels;
                        self.into.rejections.add(Invalid::Symbol, 1, || labels.display());
                    }
                },
                (number @ (2..=4), field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        self.end();
        match about {
            Some(metadata) => self.metadata_v2(metadata, symbols, described),
            None => Ok(()),
        }
    }

    fn metadata_v2(
        &mut self,
        message: &[u8],
        symbols: &[&'a [u8]],
        described: &mut Described<'a>,
    ) -> Result<(), Stop> {
        let (mut kind, mut help, mut unit) = (MetricType::Unknown, 0, 0);
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Varint(value)) => kind = metric_type(value),
                (3, Field::Varint(value)) => help = value,
                (4, Field::Varint(value)) => unit = value,
                (number @ (1 | 3 | 4), field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        if kind == MetricType::Unknown && help == 0 && unit == 0 {
            return Ok(());
        }
        let Some(name) = self.labels.value(b"__name__") else { return Ok(()) };
        let family = family(name, kind);
        if !described.is_new(family) {
            return Ok(());
        }
        let text = |reference: u64| {
            let symbol = usize::try_from(reference).ok().and_then(|at| symbols.get(at));
            symbol.and_then(|symbol| std::str::from_utf8(symbol).ok()).unwrap_or("")
        };
        let metric = utf8(family)?;
        self.metadata(metric, kind, text(help), text(unit))
    }
}

/// A family's name from that of one of its series: metadata comes with every series in 2.0.
fn family(name: &[u8], kind: MetricType) -> &[u8] {
    let suffixes: &[&[u8]] = match kind {
        MetricType::Histogram => &[b"_bucket", b"_count", b"_sum"],
        MetricType::GaugeHistogram => &[b"_bucket", b"_gcount", b"_gsum"],
        MetricType::Summary => &[b"_count", b"_sum"],
        _ => &[],
    };
    suffixes.iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(name)
}

/// The families whose metadata was taken already.
#[derive(Default)]
struct Described<'a> {
    last: &'a [u8],
    all: BTreeSet<&'a [u8]>,
}

impl<'a> Described<'a> {
    fn is_new(&mut self, family: &'a [u8]) -> bool {
        if family == self.last {
            return false;
        }
        self.last = family;
        self.all.insert(family)
    }
}

/// Pairs of references to symbols.
struct Refs<'s, 'a> {
    symbols: &'s [&'a [u8]],
    name: Option<&'a [u8]>,
    broken: bool,
}

impl<'s, 'a> Refs<'s, 'a> {
    fn new(symbols: &'s [&'a [u8]]) -> Refs<'s, 'a> {
        Refs { symbols, name: None, broken: false }
    }

    #[inline]
    fn take(&mut self, reference: u64) -> Option<(&'a [u8], &'a [u8])> {
        let symbol = usize::try_from(reference).ok().and_then(|at| self.symbols.get(at));
        let Some(symbol) = symbol else {
            self.broken = true;
            return None;
        };
        match self.name.take() {
            Some(name) => Some((name, symbol)),
            None => {
                self.name = Some(symbol);
                None
            }
        }
    }

    fn is_whole(&self) -> bool {
        !self.broken && self.name.is_none()
    }
}

#[inline]
fn label_v1(message: &[u8]) -> Read<(&[u8], &[u8])> {
    // Name, then value, both short: nearly all there is.
    if let [0x0a, name_len, rest @ ..] = message
        && *name_len < 0x80
        && let Some((name, [0x12, value_len, value @ ..])) =
            rest.split_at_checked(usize::from(*name_len))
        && *value_len < 0x80
        && value.len() == usize::from(*value_len)
    {
        return Ok((name, value));
    }
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => name = text,
            (2, Field::Bytes(text)) => value = text,
            (number @ 1..=2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((name, value))
}

fn exemplar_v1(message: &[u8]) -> Read<Exemplar> {
    let mut labels = LabelsBuilder::default();
    let mut exemplar = Exemplar { labels: Labels::empty(), value: 0.0, timestamp: 0 };
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(label)) => {
                let (name, value) = label_v1(label)?;
                labels.set(utf8(name)?, utf8(value)?);
            }
            (2, Field::Fixed64(bits)) => exemplar.value = f64::from_bits(bits),
            (3, Field::Varint(value)) => exemplar.timestamp = value.cast_signed(),
            (number @ 1..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    exemplar.labels = labels.build();
    Ok(exemplar)
}

/// `None` when it refers to symbols that are not there.
fn exemplar_v2(message: &[u8], symbols: &[&[u8]]) -> Read<Option<Exemplar>> {
    let mut refs = Refs::new(symbols);
    let mut pairs = Vec::new();
    let mut exemplar = Exemplar { labels: Labels::empty(), value: 0.0, timestamp: 0 };
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, field) => varints(1, &field, |reference| pairs.extend(refs.take(reference)))?,
            (2, Field::Fixed64(bits)) => exemplar.value = f64::from_bits(bits),
            (3, Field::Varint(value)) => exemplar.timestamp = value.cast_signed(),
            (number @ 2..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    if !refs.is_whole() {
        return Ok(None);
    }
    let mut labels = LabelsBuilder::default();
    for (name, value) in pairs {
        labels.set(utf8(name)?, utf8(value)?);
    }
    exemplar.labels = labels.build();
    Ok(Some(exemplar))
}

fn utf8(text: &[u8]) -> Read<&str> {
    std::str::from_utf8(text).map_err(|_| Problem::NotUtf8.fault())
}

fn metric_type(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}

#[cold]
fn count_fields(message: &[u8], number: u32) -> Read<usize> {
    let mut count = 0;
    let mut reader = Reader::new(message);
    while let Some((found, _)) = reader.next()? {
        count += usize::from(found == number);
    }
    Ok(count)
}
