//! Delimited messages of `io.prometheus.client`: the format that has native histograms.
//!
//! Definition: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.

use std::borrow::Cow;
use std::collections::VecDeque;

use model::metric::{HistogramSample, Labels, LabelsBuilder, MetricType};

use super::labels::{SeriesLabels, Source};
use super::{Entry, Error, Native, Options, PageExemplar, Series, number};
use crate::metrics::native::{Parts, doubles, span, varints, zigzag};
use crate::wire::{Fault, Field, Problem, Read, Reader};

/// Labels, buckets, quantiles and exemplars of one metric: of each at most so many.
const ELEMENTS_MAX: usize = 20_000;

fn room(what: &'static str, count: usize) -> Read<()> {
    if count < ELEMENTS_MAX {
        return Ok(());
    }
    Err(Problem::TooMany { what, max: ELEMENTS_MAX }.fault())
}

#[derive(Debug)]
pub(super) struct ProtobufParser<'b> {
    /// Families that are still to come.
    families: Families<'b>,
    options: Options,
    family: Family<'b>,
    about: VecDeque<About<'b>>,
    metric: Metric<'b>,
    items: VecDeque<Item>,
    labels: Labels,
    exemplars: Vec<PageExemplar>,
    done: bool,
}

/// The messages of a body.
#[derive(Debug)]
struct Families<'b> {
    rest: &'b [u8],
    count: usize,
}

impl<'b> Families<'b> {
    fn next(&mut self) -> Read<Option<&'b [u8]>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        let (message, rest) = Reader::delimited(self.rest)?;
        self.rest = rest;
        Ok(Some(message))
    }
}

/// A `MetricFamily`.
#[derive(Debug)]
struct Family<'b> {
    name: &'b str,
    kind: MetricType,
    rest: Reader<'b>,
}

/// What is said about a family.
#[derive(Debug)]
enum About<'b> {
    Help(&'b str),
    Type,
    Unit(&'b str),
}

/// What the samples of a `Metric` share.
#[derive(Debug, Default)]
struct Metric<'b> {
    labels: Vec<(&'b str, &'b str)>,
    timestamp: Option<i64>,
    start: i64,
}

/// A sample or a native histogram of the metric at hand.
#[derive(Debug)]
struct Item {
    suffix: &'static str,
    extra: Option<(&'static str, String)>,
    value: Value,
    exemplars: Vec<PageExemplar>,
}

#[derive(Debug)]
enum Value {
    Float(f64),
    Native(Box<Parts>),
}

impl Item {
    fn float(suffix: &'static str, value: f64) -> Item {
        Item { suffix, extra: None, value: Value::Float(value), exemplars: Vec::new() }
    }
}

impl<'b> ProtobufParser<'b> {
    pub(super) fn new(body: &'b [u8], options: Options) -> ProtobufParser<'b> {
        ProtobufParser {
            families: Families { rest: body, count: 0 },
            options,
            family: Family { name: "", kind: MetricType::Unknown, rest: Reader::new(&[]) },
            about: VecDeque::new(),
            metric: Metric::default(),
            items: VecDeque::new(),
            labels: Labels::empty(),
            exemplars: Vec::new(),
            done: false,
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        if self.done {
            return None;
        }
        match self.advance() {
            Ok(Some(step)) => Some(Ok(self.entry(step))),
            Ok(None) => {
                self.done = true;
                None
            }
            Err(problem) => {
                self.done = true;
                let Problemed { path, problem } = problem;
                let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
                Some(Err(Error { line: self.families.count, problem: format!("{at}{problem}") }))
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Step<'b>>, Problemed> {
        loop {
            if let Some(about) = self.about.pop_front() {
                return Ok(Some(Step::About(about)));
            }
            if let Some(item) = self.items.pop_front() {
                return self.sample(item).map(Some);
            }
            if let Some(message) = self.next_metric()? {
                self.read_metric(message)?;
                continue;
            }
            match self.families.next()? {
                Some(message) => self.read_family(message)?,
                None => return Ok(None),
            }
        }
    }

    fn next_metric(&mut self) -> Read<Option<&'b [u8]>> {
        while let Some((number, field)) = self.family.rest.next()? {
            match (number, field) {
                (4, Field::Bytes(metric)) => return Ok(Some(metric)),
                (4, field) => return Err(field.unexpected(4)),
                _ => {}
            }
        }
        Ok(None)
    }

    fn read_family(&mut self, message: &'b [u8]) -> Result<(), Problemed> {
        let (mut help, mut unit, mut kind) = (None, "", 0);
        self.family.name = "";
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(text)) => self.family.name = utf8(text)?,
                (2, Field::Bytes(text)) => help = Some(utf8(text)?),
                (3, Field::Varint(value)) => kind = value,
                (5, Field::Bytes(text)) => unit = utf8(text)?,
                (1..=3 | 5, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        if self.family.name.is_empty() {
            return Err(Problemed::new("a metric family has no name"));
        }
        self.family.kind = match kind {
            0 => MetricType::Counter,
            1 => MetricType::Gauge,
            2 => MetricType::Summary,
            3 => MetricType::Unknown,
            4 => MetricType::Histogram,
            5 => MetricType::GaugeHistogram,
            other => return Err(Problemed::new(&format!("unknown metric type {other}"))),
        };
        self.family.rest = Reader::new(message);
        self.about.extend(help.map(About::Help));
        self.about.push_back(About::Type);
        if !unit.is_empty() {
            self.about.push_back(About::Unit(unit));
        }
        Ok(())
    }

    fn read_metric(&mut self, message: &'b [u8]) -> Result<(), Problemed> {
        self.metric.labels.clear();
        self.metric.timestamp = None;
        self.metric.start = 0;
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(pair)) => {
                    room("labels", self.metric.labels.len())?;
                    self.metric.labels.push(label(pair)?);
                }
                (2 | 5, Field::Bytes(value)) => {
                    room("values", self.items.len())?;
                    self.items.push_back(Item::float("", one_double(value)?));
                }
                (3, Field::Bytes(counter)) => self.read_counter(counter)?,
                (4, Field::Bytes(summary)) => self.read_summary(summary)?,
                (6, Field::Varint(value)) => self.metric.timestamp = Some(value.cast_signed()),
                (7, Field::Bytes(histogram)) => {
                    self.read_histogram(histogram).map_err(|fault| fault.in_field("histogram"))?;
                }
                (1..=7, field) => return Err(field.unexpected(number).into()),
                _ => {}
            }
        }
        self.metric.labels.sort_unstable_by_key(|(name, _)| *name);
        let labels = &self.metric.labels;
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let problem = format!("label {:?} of {} comes twice", pair[0].0, self.family.name);
            return Err(Problemed::new(&problem));
        }
        Ok(())
    }

    fn read_counter(&mut self, message: &'b [u8]) -> Read<()> {
        room("values", self.items.len())?;
        let mut item = Item::float("", 0.0);
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Fixed64(bits)) => item.value = Value::Float(f64::from_bits(bits)),
                (2, Field::Bytes(message)) => {
                    room("exemplars", item.exemplars.len())?;
                    item.exemplars.push(exemplar(message)?);
                }
                (3, Field::Bytes(message)) => self.metric.start = millis(message)?,
                (1..=3, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        self.items.push_back(item);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
    fn read_summary(&mut self, message: &'b [u8]) -> Read<()> {
        room("values", self.items.len())?;
        let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
        let mut reader = Reader::new(message);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Varint(value)) => count = value,
                (2, Field::Fixed64(bits)) => sum = f64::from_bits(bits),
                (3, Field::Bytes(message)) => {
                    room("quantiles", quantiles.len())?;
                    let (quantile, value) = two_doubles(message)?;
                    let extra = Some(("quantile", number::openmetrics(quantile)));
                    quantiles.push(Item { extra, ..Item::float("", value) });
                }
                (4, Field::Bytes(message)) => self.metric.start = millis(message)?,
                (1..=4, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        self.items.push_back(Item::float("_count", count as f64));
        self.items.push_back(Item::float("_sum", sum));
        self.items.extend(quantiles);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
    fn read_histogram(&mut self, message: &'b [u8]) -> Read<()> {
        room("values", self.items.len())?;
        let mut parts = Box::<Parts>::default();
        let mut exemplars = Vec::new();
        let mut buckets = Vec::new();
        let mut reader = Reader::new(message);
        let Parts { histogram, positive_deltas, negative_deltas } = &mut *parts;
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Varint(value)) => histogram.count = value as f64,
                (2, Field::Fixed64(bits)) => histogram.sum = f64::from_bits(bits),
                (3, Field::Bytes(message)) => {
                    room("buckets", buckets.len())?;
                    buckets.push(bucket(message)?);
                }
                (4, Field::Fixed64(bits)) if bits != 0 => histogram.count = f64::from_bits(bits),
                (5, Field::Varint(value)) => histogram.schema = schema(value),
                (6, Field::Fixed64(bits)) => histogram.zero_threshold = f64::from_bits(bits),
                (7, Field::Varint(value)) => histogram.zero_count = value as f64,
                (8, Field::Fixed64(bits)) if bits != 0 => {
                    histogram.zero_count = f64::from_bits(bits);
                }
                (9, Field::Bytes(message)) => histogram.negative_spans.push(span(message)?),
                (10, field) => varints(10, &field, |delta| negative_deltas.push(zigzag(delta)))?,
                (11, field) => doubles(11, &field, &mut histogram.negative_buckets)?,
                (12, Field::Bytes(message)) => histogram.positive_spans.push(span(message)?),
                (13, field) => varints(13, &field, |delta| positive_deltas.push(zigzag(delta)))?,
                (14, field) => doubles(14, &field, &mut histogram.positive_buckets)?,
                (15, Field::Bytes(message)) => self.metric.start = millis(message)?,
                (16, Field::Bytes(message)) => {
                    room("exemplars", exemplars.len())?;
                    exemplars.push(exemplar(message)?);
                }
                (4 | 8, Field::Fixed64(_)) => {}
                (1..=16, field) => return Err(field.unexpected(number)),
                _ => {}
            }
        }
        if self.family.kind == MetricType::GaugeHistogram {
            histogram.reset_hint = model::metric::ResetHint::Gauge;
        }
        let is_native = !histogram.positive_spans.is_empty()
            || !histogram.negative_spans.is_empty()
            || histogram.zero_threshold > 0.0
            || histogram.zero_count > 0.0;
        let (count, sum) = (histogram.count, histogram.sum);
        let takes_native = is_native && !self.options.no_native_histograms;
        if takes_native {
            if exemplars.is_empty() {
                // Those of the buckets, of which only some may be placed in time.
                let placed = buckets.iter().filter_map(|(_, _, exemplar)| exemplar.clone());
                exemplars.extend(placed.filter(|exemplar| exemplar.timestamp.is_some()));
            }
            let value = Value::Native(parts);
            self.items.push_back(Item { suffix: "", extra: None, value, exemplars });
        }
        if !takes_native || (self.options.classic_histograms && !buckets.is_empty()) {
            self.classic(count, sum, buckets);
        }
        Ok(())
    }

    fn classic(&mut self, count: f64, sum: f64, buckets: Vec<(f64, f64, Option<PageExemplar>)>) {
        let gauge = self.family.kind == MetricType::GaugeHistogram;
        let (count_suffix, sum_suffix) =
            if gauge { ("_gcount", "_gsum") } else { ("_count", "_sum") };
        self.items.push_back(Item::float(count_suffix, count));
        self.items.push_back(Item::float(sum_suffix, sum));
        let has_last = buckets.last().is_some_and(|(bound, _, _)| *bound == f64::INFINITY);
        let last = (!has_last).then_some((f64::INFINITY, count, None));
        for (bound, count, exemplar) in buckets.into_iter().chain(last) {
            let extra = Some(("le", number::openmetrics(bound)));
            let exemplars = exemplar.into_iter().collect();
            self.items.push_back(Item { extra, exemplars, ..Item::float("_bucket", count) });
        }
    }

    /// Makes the labels of a sample.
    fn sample(&mut self, item: Item) -> Result<Step<'b>, Problemed> {
        let Item { suffix, extra, value, exemplars } = item;
        let mut labels = LabelsBuilder::default();
        for (name, value) in &self.metric.labels {
            labels.set(name, value);
        }
        if let Some((name, value)) = extra {
            labels.set(name, &value);
        }
        if suffix.is_empty() {
            labels.set(model::metric::NAME_LABEL, self.family.name);
        } else {
            labels.set(model::metric::NAME_LABEL, &format!("{}{suffix}", self.family.name));
        }
        self.labels = labels.build();
        self.exemplars = exemplars;
        match value {
            Value::Float(value) if value.is_nan() => {
                Ok(Step::Float(f64::from_bits(number::NORMAL_NAN_BITS)))
            }
            Value::Float(value) => Ok(Step::Float(value)),
            Value::Native(parts) => {
                let histogram = parts
                    .finish()
                    .map_err(|problem| Problemed::new(&format!("{}: {problem}", self.labels)))?;
                Ok(Step::Native(Box::new(histogram)))
            }
        }
    }

    fn entry(&self, step: Step<'b>) -> Entry<'_> {
        let metric = Cow::Borrowed(self.family.name);
        let labels = SeriesLabels(Source::Canonical(self.labels.as_bytes()));
        let Metric { timestamp, start, .. } = self.metric;
        let exemplars = self.exemplars.as_slice();
        match step {
            Step::About(About::Help(help)) => Entry::Help { metric, help: Cow::Borrowed(help) },
            Step::About(About::Type) => Entry::Type { metric, kind: self.family.kind },
            Step::About(About::Unit(unit)) => Entry::Unit { metric, unit: Cow::Borrowed(unit) },
            Step::Float(value) => {
                Entry::Series(Series { labels, value, timestamp, start, exemplars })
            }
            Step::Native(histogram) => Entry::Histogram(Native {
                labels,
                timestamp,
                sample: HistogramSample {
                    timestamp: timestamp.unwrap_or(0),
                    start,
                    histogram: *histogram,
                },
                exemplars,
            }),
        }
    }
}

/// What becomes an entry next.
enum Step<'b> {
    About(About<'b>),
    Float(f64),
    Native(Box<model::metric::Histogram>),
}

/// What is wrong in a message.
struct Problemed {
    path: String,
    problem: String,
}

impl Problemed {
    fn new(problem: &str) -> Problemed {
        Problemed { path: String::new(), problem: problem.to_owned() }
    }
}

impl From<Box<Fault>> for Problemed {
    fn from(fault: Box<Fault>) -> Problemed {
        Problemed { path: fault.path(), problem: fault.problem().to_string() }
    }
}

fn utf8(text: &[u8]) -> Read<&str> {
    std::str::from_utf8(text).map_err(|_| Problem::NotUtf8.fault())
}

fn label(message: &[u8]) -> Read<(&str, &str)> {
    let (mut name, mut value) = ("", "");
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => name = utf8(text)?,
            (2, Field::Bytes(text)) => value = utf8(text)?,
            (1 | 2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((name, value))
}

fn one_double(message: &[u8]) -> Read<f64> {
    two_doubles(message).map(|(one, _)| one)
}

fn two_doubles(message: &[u8]) -> Read<(f64, f64)> {
    let (mut one, mut two) = (0.0, 0.0);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Fixed64(bits)) => one = f64::from_bits(bits),
            (2, Field::Fixed64(bits)) => two = f64::from_bits(bits),
            (1 | 2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((one, two))
}

/// A bucket's bound, count and exemplar.
#[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
fn bucket(message: &[u8]) -> Read<(f64, f64, Option<PageExemplar>)> {
    let (mut bound, mut count, mut found) = (0.0, 0.0, None);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => count = value as f64,
            (2, Field::Fixed64(bits)) => bound = f64::from_bits(bits),
            (3, Field::Bytes(message)) => found = Some(exemplar(message)?),
            (4, Field::Fixed64(bits)) if bits != 0 => count = f64::from_bits(bits),
            (4, Field::Fixed64(_)) => {}
            (1..=4, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((bound, count, found))
}

fn exemplar(message: &[u8]) -> Read<PageExemplar> {
    let mut labels = LabelsBuilder::default();
    let (mut value, mut timestamp) = (0.0, None);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(message)) => {
                let (name, value) = label(message)?;
                labels.set(name, value);
            }
            (2, Field::Fixed64(bits)) => value = f64::from_bits(bits),
            (3, Field::Bytes(message)) => timestamp = Some(millis(message)?),
            (1..=3, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(PageExemplar { labels: labels.build(), value, timestamp })
}

/// A `google.protobuf.Timestamp` in milliseconds.
fn millis(message: &[u8]) -> Read<i64> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => seconds = value.cast_signed(),
            (2, Field::Varint(value)) => nanos = value.cast_signed(),
            (1 | 2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000))
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf cuts integers to their type")]
fn schema(value: u64) -> i32 {
    zigzag(value) as i32
}
