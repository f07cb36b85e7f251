//! Chunks of native histograms.
//!
//! Where the buckets are changes seldom: each such layout is stored once, and every sample has the
//! number of its own. The samples of a layout are columns: what they count, sum, and one column for
//! each bucket.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use model::metric::{Histogram, ResetHint, Span};
use xxhash_rust::xxh3::Xxh3Default;

use super::bytes::{Cursor, put_bytes, put_len, put_signed, put_varint};
use super::{Damaged, Effort, SAMPLES_MAX, Scratch, floats, ints, with_scratch};
use crate::points::HistogramPoint;

/// The most bucket counts of a chunk: buckets of a layout times its samples.
pub(crate) const COUNTS_MAX: usize = 1 << 21;

/// Spans, buckets and custom bounds of one histogram.
const PARTS_MAX: usize = 1 << 16;

/// How many samples of `points` go into one chunk.
pub(crate) fn chunk_len(points: &[HistogramPoint], samples_max: usize) -> usize {
    let mut counts = 0;
    let fits = points.iter().take(samples_max).take_while(|point| {
        counts += buckets(&point.histogram);
        counts <= COUNTS_MAX / 2
    });
    fits.count().max(1).min(points.len())
}

fn buckets(histogram: &Histogram) -> usize {
    histogram.positive_buckets.len() + histogram.negative_buckets.len()
}

/// Whether a histogram can be stored: its buckets are those of its spans, and not too many.
pub(crate) fn is_sound(histogram: &Histogram) -> bool {
    let len = |spans: &[Span]| spans.iter().map(|span| span.length as usize).sum::<usize>();
    len(&histogram.positive_spans) == histogram.positive_buckets.len()
        && len(&histogram.negative_spans) == histogram.negative_buckets.len()
        && [
            buckets(histogram),
            histogram.custom_values.len(),
            histogram.positive_spans.len(),
            histogram.negative_spans.len(),
        ]
        .iter()
        .all(|&parts| parts <= PARTS_MAX)
}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits())
}

fn same_layout(one: &Histogram, other: &Histogram) -> bool {
    one.schema == other.schema
        && one.zero_threshold.to_bits() == other.zero_threshold.to_bits()
        && one.positive_spans == other.positive_spans
        && one.negative_spans == other.negative_spans
        && same_bits(&one.custom_values, &other.custom_values)
}

fn layout_hash(histogram: &Histogram) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.write_i32(histogram.schema);
    hasher.write_u64(histogram.zero_threshold.to_bits());
    for span in histogram.positive_spans.iter().chain(&histogram.negative_spans) {
        hasher.write_i32(span.offset);
        hasher.write_u32(span.length);
    }
    for bound in &histogram.custom_values {
        hasher.write_u64(bound.to_bits());
    }
    hasher.finish()
}

fn put_layout(histogram: &Histogram, into: &mut Vec<u8>) {
    put_signed(into, histogram.schema.into());
    into.extend_from_slice(&histogram.zero_threshold.to_bits().to_le_bytes());
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        put_len(into, spans.len());
        for span in spans {
            put_signed(into, span.offset.into());
            put_varint(into, span.length.into());
        }
    }
    put_len(into, histogram.custom_values.len());
    for bound in &histogram.custom_values {
        into.extend_from_slice(&bound.to_bits().to_le_bytes());
    }
}

fn take_layout(cursor: &mut Cursor<'_>) -> Result<Histogram, Damaged> {
    let out_of_range = |_| Damaged("histogram's layout is out of range");
    let mut layout = Histogram {
        schema: i32::try_from(cursor.signed()?).map_err(out_of_range)?,
        zero_threshold: f64::from_bits(cursor.u64()?),
        ..Histogram::default()
    };
    for side in 0..2 {
        let spans = cursor.len(PARTS_MAX)?;
        let mut buckets = 0usize;
        for _ in 0..spans {
            let offset = i32::try_from(cursor.signed()?).map_err(out_of_range)?;
            let length = u32::try_from(cursor.len(PARTS_MAX)?).map_err(out_of_range)?;
            buckets += length as usize;
            let span = Span { offset, length };
            if side == 0 {
                layout.positive_spans.push(span);
            } else {
                layout.negative_spans.push(span);
            }
        }
        if buckets > PARTS_MAX {
            return Err(Damaged("histogram has too many buckets"));
        }
        let counts =
            if side == 0 { &mut layout.positive_buckets } else { &mut layout.negative_buckets };
        counts.resize(buckets, 0.0);
    }
    for _ in 0..cursor.len(PARTS_MAX)? {
        layout.custom_values.push(f64::from_bits(cursor.u64()?));
    }
    Ok(layout)
}

fn hint_code(hint: ResetHint) -> i64 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NoReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn hint_of(code: i64) -> Result<ResetHint, Damaged> {
    Ok(match code {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NoReset,
        3 => ResetHint::Gauge,
        _ => return Err(Damaged("unknown reset hint")),
    })
}

/// Appends a chunk of histograms, all of them [sound](is_sound).
pub(crate) fn encode(points: &[HistogramPoint], effort: Effort, into: &mut Vec<u8>) {
    with_scratch(|scratch| {
        let (layouts, numbers) = layouts_of(points);
        put_len(into, layouts.len());
        layouts.iter().for_each(|layout| put_layout(layout, into));
        put_ints(&numbers, effort, scratch, into);
        let starts: Vec<i64> = points.iter().map(|point| point.start).collect();
        put_ints(&starts, effort, scratch, into);
        let hints = points.iter().map(|point| hint_code(point.histogram.reset_hint));
        put_ints(&hints.collect::<Vec<_>>(), effort, scratch, into);
        for (number, layout) in layouts.iter().enumerate() {
            let number = (number as u64).cast_signed();
            let members: Vec<&Histogram> = points
                .iter()
                .zip(&numbers)
                .filter(|&(_, &of)| of == number)
                .map(|(point, _)| &*point.histogram)
                .collect();
            put_members(&members, layout, effort, scratch, into);
        }
    });
}

/// Distinct layouts in order of appearance, and each sample's.
fn layouts_of(points: &[HistogramPoint]) -> (Vec<&Histogram>, Vec<i64>) {
    let mut layouts: Vec<(u64, &Histogram)> = Vec::new();
    let mut numbers: Vec<i64> = Vec::with_capacity(points.len());
    let mut last = 0;
    for point in points {
        let histogram = &*point.histogram;
        let is_last = layouts.get(last).is_some_and(|(_, layout)| same_layout(layout, histogram));
        if !is_last {
            let hash = layout_hash(histogram);
            let found = layouts
                .iter()
                .position(|&(other, layout)| other == hash && same_layout(layout, histogram));
            last = found.unwrap_or_else(|| {
                layouts.push((hash, histogram));
                layouts.len() - 1
            });
        }
        numbers.push((last as u64).cast_signed());
    }
    (layouts.into_iter().map(|(_, layout)| layout).collect(), numbers)
}

fn put_members(
    members: &[&Histogram],
    layout: &Histogram,
    effort: Effort,
    scratch: &mut Scratch,
    into: &mut Vec<u8>,
) {
    let mut put = |value: &dyn Fn(&Histogram) -> f64| {
        let values: Vec<f64> = members.iter().map(|member| value(member)).collect();
        let mut column = Vec::new();
        floats::encode(&values, effort, scratch, &mut column);
        put_bytes(into, &column);
    };
    put(&|member| member.count);
    put(&|member| member.sum);
    put(&|member| member.zero_count);
    for bucket in 0..layout.positive_buckets.len() {
        put(&|member| member.positive_buckets[bucket]);
    }
    for bucket in 0..layout.negative_buckets.len() {
        put(&|member| member.negative_buckets[bucket]);
    }
}

fn put_ints(values: &[i64], effort: Effort, scratch: &mut Scratch, into: &mut Vec<u8>) {
    let mut column = Vec::new();
    ints::encode(values, effort, scratch, &mut column);
    put_bytes(into, &column);
}

fn take_ints(
    cursor: &mut Cursor<'_>,
    count: usize,
    scratch: &mut Scratch,
) -> Result<Vec<i64>, Damaged> {
    let mut values = Vec::with_capacity(count);
    ints::decode(cursor.bytes()?, count, 0..count, scratch, &mut values)?;
    Ok(values)
}

/// Appends the samples at `range` of a chunk of histograms at `timestamps`.
pub(crate) fn decode(
    chunk: &[u8],
    timestamps: &[i64],
    range: Range<usize>,
    into: &mut Vec<HistogramPoint>,
) -> Result<(), Damaged> {
    let count = timestamps.len();
    if count > SAMPLES_MAX || range.end > count {
        return Err(Damaged("chunk has too many samples"));
    }
    if range.start >= range.end {
        return Ok(());
    }
    with_scratch(|scratch| {
        let mut cursor = Cursor::new(chunk);
        let layouts = (0..cursor.len(count)?)
            .map(|_| take_layout(&mut cursor))
            .collect::<Result<Vec<_>, _>>()?;
        let numbers = take_ints(&mut cursor, count, scratch)?;
        let starts = take_ints(&mut cursor, count, scratch)?;
        let hints = take_ints(&mut cursor, count, scratch)?;
        let mut histograms: Vec<Option<Histogram>> = vec![None; range.len()];
        let mut counts = 0usize;
        for (number, layout) in layouts.iter().enumerate() {
            let number = (number as u64).cast_signed();
            let members: Vec<usize> = (0..count).filter(|&at| numbers[at] == number).collect();
            let inside = members.partition_point(|&at| at < range.start)
                ..members.partition_point(|&at| at < range.end);
            counts = counts.saturating_add(buckets(layout).saturating_mul(members.len()));
            if counts > COUNTS_MAX {
                return Err(Damaged("chunk has too many bucket counts"));
            }
            for &at in &members[inside.clone()] {
                histograms[at - range.start] = Some(layout.clone());
            }
            let places = Places { members: &members, inside, first: range.start };
            take_members(&mut cursor, layout, &places, scratch, &mut histograms)?;
        }
        for (index, histogram) in histograms.into_iter().enumerate() {
            let at = range.start + index;
            let mut histogram = histogram.ok_or(Damaged("histogram's layout is not there"))?;
            histogram.reset_hint = hint_of(hints[at])?;
            into.push(HistogramPoint {
                timestamp: timestamps[at],
                start: starts[at],
                histogram: Arc::new(histogram),
            });
        }
        Ok(())
    })
}

/// Where the samples of a layout belong.
struct Places<'a> {
    /// Their positions in the chunk.
    members: &'a [usize],
    /// Which of them are wanted.
    inside: Range<usize>,
    /// The position of the first that is wanted.
    first: usize,
}

fn take_members(
    cursor: &mut Cursor<'_>,
    layout: &Histogram,
    places: &Places<'_>,
    scratch: &mut Scratch,
    histograms: &mut [Option<Histogram>],
) -> Result<(), Damaged> {
    let mut values = Vec::new();
    let mut take = |put: &dyn Fn(&mut Histogram, f64)| -> Result<(), Damaged> {
        let column = cursor.bytes()?;
        values.clear();
        let count = places.members.len();
        floats::decode(column, count, places.inside.clone(), scratch, &mut values)?;
        for (&at, &value) in places.members[places.inside.clone()].iter().zip(&values) {
            if let Some(histogram) = &mut histograms[at - places.first] {
                put(histogram, value);
            }
        }
        Ok(())
    };
    take(&|histogram, value| histogram.count = value)?;
    take(&|histogram, value| histogram.sum = value)?;
    take(&|histogram, value| histogram.zero_count = value)?;
    for bucket in 0..layout.positive_buckets.len() {
        take(&|histogram, value| histogram.positive_buckets[bucket] = value)?;
    }
    for bucket in 0..layout.negative_buckets.len() {
        take(&|histogram, value| histogram.negative_buckets[bucket] = value)?;
    }
    Ok(())
}
