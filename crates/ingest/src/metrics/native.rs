//! Native histograms as `prometheus.Histogram` and `io.prometheus.client.Histogram` write them,
//! made into the model's: absolute counts as floats.

use model::metric::{Histogram, ResetHint, Span};

use crate::wire::{Field, Read, Reader};

/// The finest and the coarsest resolution there is.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// A histogram's parts as they are read.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) histogram: Histogram,
    pub(crate) positive_deltas: Vec<i64>,
    pub(crate) negative_deltas: Vec<i64>,
}

impl Parts {
    /// The histogram, if it does not contradict itself.
    pub(crate) fn finish(mut self) -> Result<Histogram, String> {
        let histogram = &mut self.histogram;
        sum_up(&self.positive_deltas, &mut histogram.positive_buckets);
        sum_up(&self.negative_deltas, &mut histogram.negative_buckets);
        check(histogram)?;
        Ok(self.histogram)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
fn sum_up(deltas: &[i64], into: &mut Vec<f64>) {
    if !into.is_empty() {
        return;
    }
    let mut count = 0_i64;
    into.extend(deltas.iter().map(|delta| {
        count = count.wrapping_add(*delta);
        count as f64
    }));
}

/// What must hold of every histogram, in Prometheus's words.
pub(crate) fn check(histogram: &Histogram) -> Result<(), String> {
    if histogram.is_stale() {
        return Ok(());
    }
    if histogram.has_custom_buckets() {
        check_custom(histogram)?;
    } else if !SCHEMAS.contains(&histogram.schema) {
        return Err(format!("schema {} is not between -4 and 8, or -53", histogram.schema));
    } else if !histogram.custom_values.is_empty() {
        return Err("histogram with exponential schema must not have custom bounds".to_owned());
    }
    if histogram.zero_threshold < 0.0 || histogram.zero_threshold.is_nan() {
        return Err(format!("zero threshold is {}", histogram.zero_threshold));
    }
    check_side("positive", &histogram.positive_spans, &histogram.positive_buckets)?;
    check_side("negative", &histogram.negative_spans, &histogram.negative_buckets)?;
    if histogram.zero_count < 0.0 || histogram.count < 0.0 {
        return Err("a count is negative".to_owned());
    }
    Ok(())
}

fn check_custom(histogram: &Histogram) -> Result<(), String> {
    let bounds = &histogram.custom_values;
    if !bounds.is_sorted_by(|one, two| one < two) || bounds.iter().any(|bound| bound.is_nan()) {
        return Err("custom bounds are not ascending".to_owned());
    }
    if bounds.last().is_some_and(|bound| bound.is_infinite() && *bound > 0.0) {
        return Err("custom bounds end with +Inf, which is implied".to_owned());
    }
    if !histogram.negative_spans.is_empty() || !histogram.negative_buckets.is_empty() {
        return Err("custom buckets: must not have negative spans or buckets".to_owned());
    }
    let end: i64 = histogram
        .positive_spans
        .iter()
        .map(|span| i64::from(span.offset) + i64::from(span.length))
        .sum();
    if end > i64::try_from(bounds.len() + 1).unwrap_or(i64::MAX) {
        return Err(format!("{end} buckets spanned, but there are {} bounds", bounds.len()));
    }
    Ok(())
}

fn check_side(side: &str, spans: &[Span], buckets: &[f64]) -> Result<(), String> {
    if let Some(index) = spans.iter().skip(1).position(|span| span.offset < 0) {
        let (number, offset) = (index + 2, spans[index + 1].offset);
        return Err(format!("{side} side: span number {number} with offset {offset}"));
    }
    let spanned: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if usize::try_from(spanned).ok() != Some(buckets.len()) {
        let given = buckets.len();
        return Err(format!(
            "{side} side: spans need {spanned} buckets, have {given} buckets: histogram spans \
             specify different number of buckets than provided"
        ));
    }
    let mut end = 0_i64;
    for span in spans {
        end += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(end).is_err() {
            return Err(format!("{side} side: spans reach over the last possible bucket"));
        }
    }
    match buckets.iter().position(|count| *count < 0.0) {
        Some(index) => Err(format!(
            "{side} side: bucket number {} has observation count of {}",
            index + 1,
            buckets[index]
        )),
        None => Ok(()),
    }
}

pub(crate) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf cuts integers to their type")]
fn zigzag32(value: u64) -> i32 {
    zigzag(value) as i32
}

/// Doubles of a repeated field: packed or one at a time.
pub(crate) fn doubles(number: u32, field: &Field<'_>, into: &mut Vec<f64>) -> Read<()> {
    match field {
        Field::Fixed64(bits) => into.push(f64::from_bits(*bits)),
        Field::Bytes(packed) => {
            let (chunks, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(field.unexpected(number));
            }
            into.extend(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)));
        }
        field => return Err(field.unexpected(number)),
    }
    Ok(())
}

/// Fixed 64-bit integers of a repeated field: packed or one at a time.
pub(crate) fn fixed64s(number: u32, field: &Field<'_>, into: &mut Vec<u64>) -> Read<()> {
    match field {
        Field::Fixed64(value) => into.push(*value),
        Field::Bytes(packed) => {
            let (chunks, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(field.unexpected(number));
            }
            into.extend(chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)));
        }
        field => return Err(field.unexpected(number)),
    }
    Ok(())
}

/// Varints of a repeated field: packed or one at a time.
pub(crate) fn varints(number: u32, field: &Field<'_>, mut each: impl FnMut(u64)) -> Read<()> {
    match field {
        Field::Varint(value) => each(*value),
        Field::Bytes(packed) => {
            let mut reader = Reader::new(packed);
            while let Some(value) = reader.next_varint()? {
                each(value);
            }
        }
        field => return Err(field.unexpected(number)),
    }
    Ok(())
}

/// A `BucketSpan`.
pub(crate) fn span(message: &[u8]) -> Read<Span> {
    let mut span = Span { offset: 0, length: 0 };
    let mut reader = Reader::new(message);
    while let Some(found) = reader.next()? {
        match found {
            (1, Field::Varint(value)) => span.offset = zigzag32(value),
            (2, Field::Varint(value)) => span.length = u32::try_from(value).unwrap_or(u32::MAX),
            (number @ 1..=2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(span)
}

/// A native histogram of remote write, with its times.
#[derive(Debug)]
pub(crate) struct RemoteHistogram {
    pub(crate) parts: Parts,
    pub(crate) timestamp: i64,
    pub(crate) start: i64,
}

/// Reads `prometheus.Histogram`, which remote write 2 has as well.
#[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
pub(crate) fn remote_histogram(message: &[u8]) -> Read<RemoteHistogram> {
    let mut read = RemoteHistogram { parts: Parts::default(), timestamp: 0, start: 0 };
    let Parts { histogram, positive_deltas, negative_deltas } = &mut read.parts;
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(count)) => histogram.count = count as f64,
            (2, Field::Fixed64(bits)) => histogram.count = f64::from_bits(bits),
            (3, Field::Fixed64(bits)) => histogram.sum = f64::from_bits(bits),
            (4, Field::Varint(value)) => histogram.schema = zigzag32(value),
            (5, Field::Fixed64(bits)) => histogram.zero_threshold = f64::from_bits(bits),
            (6, Field::Varint(count)) => histogram.zero_count = count as f64,
            (7, Field::Fixed64(bits)) => histogram.zero_count = f64::from_bits(bits),
            (8, Field::Bytes(message)) => histogram.negative_spans.push(span(message)?),
            (9, field) => varints(9, &field, |delta| negative_deltas.push(zigzag(delta)))?,
            (10, field) => doubles(10, &field, &mut histogram.negative_buckets)?,
            (11, Field::Bytes(message)) => histogram.positive_spans.push(span(message)?),
            (12, field) => varints(12, &field, |delta| positive_deltas.push(zigzag(delta)))?,
            (13, field) => doubles(13, &field, &mut histogram.positive_buckets)?,
            (14, Field::Varint(hint)) => histogram.reset_hint = reset_hint(hint),
            (15, Field::Varint(value)) => read.timestamp = value.cast_signed(),
            (16, field) => doubles(16, &field, &mut histogram.custom_values)?,
            (17, Field::Varint(value)) => read.start = value.cast_signed(),
            (number @ 1..=17, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(read)
}

fn reset_hint(number: u64) -> ResetHint {
    match number {
        1 => ResetHint::Reset,
        2 => ResetHint::NoReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

/// More empty buckets than these begin a new span instead of being written.
const GAP_MAX: i64 = 2;

/// Buckets that come one after the other, as spans.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) spans: Vec<Span>,
    pub(crate) counts: Vec<f64>,
    /// The index behind the last bucket.
    next: i64,
}

impl Layout {
    /// Adds the bucket at `index`, which is beyond the last one; an empty one is passed over.
    pub(crate) fn push(&mut self, index: i64, count: f64) -> Result<(), String> {
        if count == 0.0 {
            return Ok(());
        }
        let gap = index - self.next;
        match self.spans.last_mut() {
            Some(span) if gap <= GAP_MAX => {
                let added = usize::try_from(gap).unwrap_or(0);
                self.counts.extend(std::iter::repeat_n(0.0, added));
                span.length += u32::try_from(added).unwrap_or(0) + 1;
            }
            _ => {
                let offset = i32::try_from(gap)
                    .map_err(|_| "buckets reach over the last possible one".to_owned())?;
                self.spans.push(Span { offset, length: 1 });
            }
        }
        self.counts.push(count);
        self.next = index + 1;
        Ok(())
    }
}

/// A native histogram with these buckets, each up to its bound; the last bound, infinity, may be
/// left out. Count and sum are the caller's.
pub(crate) fn with_custom_buckets(
    mut bounds: Vec<f64>,
    counts: impl Iterator<Item = f64>,
) -> Result<Histogram, String> {
    let mut layout = Layout::default();
    for (index, count) in (0_i64..).zip(counts) {
        layout.push(index, count)?;
    }
    if bounds.last().is_some_and(|bound| *bound == f64::INFINITY) {
        bounds.pop();
    }
    Ok(Histogram {
        schema: Histogram::CUSTOM_BUCKETS_SCHEMA,
        positive_spans: layout.spans,
        positive_buckets: layout.counts,
        custom_values: bounds,
        ..Histogram::default()
    })
}
