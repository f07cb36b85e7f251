//! Batches as remote write requests.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use model::metric::{
    Batch, Exemplar, Float, Histogram, HistogramSample, LabelsIter, Metadata, MetricType,
    ResetHint, Span,
};

use super::Version;
use crate::wire::Writer;

/// The message of `version` that carries `batch`, not compressed. Remote write 1 has no start
/// timestamps; remote write 2 has metadata only for series that are there.
#[must_use]
pub fn encode(version: Version, batch: &Batch) -> Vec<u8> {
    match version {
        Version::V1 => encode_v1(batch),
        Version::V2 => encode_v2(batch),
    }
}

/// A block of snappy, as remote write wants it. Bodies over 4 GiB, which nobody takes, come out
/// empty.
#[must_use]
pub fn compress(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap_or_default()
}

fn encode_v1(batch: &Batch) -> Vec<u8> {
    let mut writer = Writer::with_capacity(batch.size_bytes());
    for series in batch.series() {
        let message = writer.open(1);
        put_labels(&mut writer, 1, series.iter_labels());
        for float in series.floats {
            put_float(&mut writer, 2, float, Version::V1);
        }
        for exemplar in series.exemplars {
            let open = writer.open(3);
            put_labels(&mut writer, 1, exemplar.labels.iter());
            put_exemplar_rest(&mut writer, exemplar);
            writer.close(open);
        }
        for histogram in series.histograms {
            put_histogram(&mut writer, 4, histogram, Version::V1);
        }
        writer.close(message);
    }
    for metadata in batch.all_metadata() {
        let message = writer.open(3);
        writer.varint(1, type_number(metadata.kind));
        writer.bytes(2, metadata.metric.as_bytes());
        writer.bytes(4, metadata.help.as_bytes());
        writer.bytes(5, metadata.unit.as_bytes());
        writer.close(message);
    }
    writer.finish()
}

pub(super) fn put_labels(writer: &mut Writer, number: u32, labels: LabelsIter<'_>) {
    for (name, value) in labels {
        let label = writer.open(number);
        writer.bytes(1, name.as_bytes());
        writer.bytes(2, value.as_bytes());
        writer.close(label);
    }
}

pub(super) fn put_float(writer: &mut Writer, number: u32, float: &Float, version: Version) {
    let open = writer.open(number);
    writer.fixed64(1, float.value.to_bits());
    writer.varint(2, float.timestamp.cast_unsigned());
    if version == Version::V2 && float.start != 0 {
        writer.varint(3, float.start.cast_unsigned());
    }
    writer.close(open);
}

fn put_exemplar_rest(writer: &mut Writer, exemplar: &Exemplar) {
    writer.fixed64(2, exemplar.value.to_bits());
    writer.varint(3, exemplar.timestamp.cast_unsigned());
}

/// Texts of a request, each once.
#[derive(Default)]
struct Symbols<'a> {
    numbers: HashMap<&'a str, u64>,
    texts: Vec<&'a str>,
}

impl<'a> Symbols<'a> {
    fn number(&mut self, text: &'a str) -> u64 {
        if self.texts.is_empty() {
            self.numbers.insert("", 0);
            self.texts.push("");
        }
        let next = self.texts.len() as u64;
        let texts = &mut self.texts;
        *self.numbers.entry(text).or_insert_with(|| {
            texts.push(text);
            next
        })
    }
}

fn encode_v2(batch: &Batch) -> Vec<u8> {
    let mut symbols = Symbols::default();
    let mut writer = Writer::with_capacity(batch.size_bytes());
    let described: BTreeMap<&str, &Metadata> =
        batch.all_metadata().iter().map(|metadata| (metadata.metric.as_str(), metadata)).collect();
    for series in batch.series() {
        let message = writer.open(5);
        put_refs(&mut writer, &mut symbols, series.iter_labels());
        for float in series.floats {
            put_float(&mut writer, 2, float, Version::V2);
        }
        for histogram in series.histograms {
            put_histogram(&mut writer, 3, histogram, Version::V2);
        }
        for exemplar in series.exemplars {
            let open = writer.open(4);
            put_refs(&mut writer, &mut symbols, exemplar.labels.iter());
            put_exemplar_rest(&mut writer, exemplar);
            writer.close(open);
        }
        let name = series.iter_labels().find(|(name, _)| *name == model::metric::NAME_LABEL);
        if let Some(metadata) = name.and_then(|(_, name)| describe(&described, name)) {
            let open = writer.open(5);
            writer.varint(1, type_number(metadata.kind));
            writer.varint(3, symbols.number(&metadata.help));
            writer.varint(4, symbols.number(&metadata.unit));
            writer.close(open);
        }
        writer.close(message);
    }
    let mut all =
        Writer::with_capacity(64 + symbols.texts.iter().map(|t| t.len() + 3).sum::<usize>());
    if symbols.texts.is_empty() {
        symbols.texts.push("");
    }
    for text in &symbols.texts {
        all.bytes(4, text.as_bytes());
    }
    let mut body = all.finish();
    body.append(&mut writer.finish());
    body
}

/// What is known about a series: by its own name or by its family's.
fn describe<'a>(described: &BTreeMap<&str, &'a Metadata>, name: &str) -> Option<&'a Metadata> {
    if described.is_empty() {
        return None;
    }
    let suffixes = ["_bucket", "_count", "_sum", "_total", "_gcount", "_gsum"];
    described.get(name).copied().or_else(|| {
        suffixes.iter().find_map(|suffix| described.get(name.strip_suffix(suffix)?).copied())
    })
}

fn put_refs<'a>(writer: &mut Writer, symbols: &mut Symbols<'a>, labels: LabelsIter<'a>) {
    let open = writer.open(1);
    for (name, value) in labels {
        writer.packed_varint(symbols.number(name));
        writer.packed_varint(symbols.number(value));
    }
    writer.close(open);
}

/// A native histogram, as `prometheus.Histogram` has it; whole counts as integers.
pub(super) fn put_histogram(
    writer: &mut Writer,
    number: u32,
    sample: &HistogramSample,
    version: Version,
) {
    let histogram = &sample.histogram;
    let open = writer.open(number);
    let whole = is_whole(histogram);
    if whole {
        writer.varint(1, whole_count(histogram.count));
    } else {
        writer.fixed64(2, histogram.count.to_bits());
    }
    writer.fixed64(3, histogram.sum.to_bits());
    writer.varint(4, zigzag(i64::from(histogram.schema)));
    writer.fixed64(5, histogram.zero_threshold.to_bits());
    if whole {
        writer.varint(6, whole_count(histogram.zero_count));
    } else {
        writer.fixed64(7, histogram.zero_count.to_bits());
    }
    put_spans(writer, 8, &histogram.negative_spans);
    put_buckets(writer, 9, &histogram.negative_buckets, whole);
    put_spans(writer, 11, &histogram.positive_spans);
    put_buckets(writer, 12, &histogram.positive_buckets, whole);
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NoReset => 2,
        ResetHint::Gauge => 3,
    };
    writer.varint(14, hint);
    writer.varint(15, sample.timestamp.cast_unsigned());
    if !histogram.custom_values.is_empty() {
        let bounds = writer.open(16);
        histogram.custom_values.iter().for_each(|bound| writer.packed_fixed64(bound.to_bits()));
        writer.close(bounds);
    }
    if version == Version::V2 && sample.start != 0 {
        writer.varint(17, sample.start.cast_unsigned());
    }
    writer.close(open);
}

fn put_spans(writer: &mut Writer, number: u32, spans: &[Span]) {
    for span in spans {
        let open = writer.open(number);
        writer.varint(1, zigzag(i64::from(span.offset)));
        writer.varint(2, u64::from(span.length));
        writer.close(open);
    }
}

/// Whole counts as deltas in field `number`, others as they are in the next field.
fn put_buckets(writer: &mut Writer, number: u32, buckets: &[f64], whole: bool) {
    if buckets.is_empty() {
        return;
    }
    let open = writer.open(if whole { number } else { number + 1 });
    let mut last = 0;
    for count in buckets {
        if whole {
            let count = whole_count(*count).cast_signed();
            writer.packed_varint(zigzag(count - last));
            last = count;
        } else {
            writer.packed_fixed64(count.to_bits());
        }
    }
    writer.close(open);
}

fn is_whole(histogram: &Histogram) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::float_cmp, reason = "exactness is the point")]
    let whole = |count: &f64| *count >= 0.0 && *count <= EXACT && count.trunc() == *count;
    whole(&histogram.count)
        && whole(&histogram.zero_count)
        && histogram.positive_buckets.iter().all(whole)
        && histogram.negative_buckets.iter().all(whole)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "known to be whole and not negative"
)]
fn whole_count(count: f64) -> u64 {
    count as u64
}

pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(super) fn type_number(kind: MetricType) -> u64 {
    match kind {
        MetricType::Unknown => 0,
        MetricType::Counter => 1,
        MetricType::Gauge => 2,
        MetricType::Histogram => 3,
        MetricType::GaugeHistogram => 4,
        MetricType::Summary => 5,
        MetricType::Info => 6,
        MetricType::StateSet => 7,
    }
}
