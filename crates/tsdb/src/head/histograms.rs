//! Native histograms while they are written: each against the one before.

use model::metric::{Histogram, ResetHint, Span};

use crate::varint::{self, put_float, take_float};

const SAME_LAYOUT: u8 = 1;
const HAS_START: u8 = 2;
const HINT_SHIFT: u8 = 4;

/// Most buckets that are read back; more are damage.
const BUCKETS_MAX: u64 = 1 << 20;

/// Writes `histogram` against `before`.
pub(crate) fn put(into: &mut Vec<u8>, before: &Histogram, start: i64, histogram: &Histogram) {
    let same = same_layout(before, histogram);
    let mut flags = hint_code(histogram.reset_hint) << HINT_SHIFT;
    flags |= if same { SAME_LAYOUT } else { 0 };
    flags |= if start == 0 { 0 } else { HAS_START };
    into.push(flags);
    if start != 0 {
        varint::put_signed(into, start);
    }
    if !same {
        put_layout(into, histogram);
    }
    let empty = Histogram::default();
    let before = if same { before } else { &empty };
    put_number(into, before.zero_count, histogram.zero_count);
    put_number(into, before.count, histogram.count);
    put_float(into, histogram.sum);
    put_buckets(into, &before.positive_buckets, &histogram.positive_buckets);
    put_buckets(into, &before.negative_buckets, &histogram.negative_buckets);
}

/// Reads what [`put`] wrote against the same `before`.
pub(crate) fn take(bytes: &mut &[u8], before: &Histogram) -> Option<(i64, Histogram)> {
    let [flags] = varint::take_array(bytes)?;
    let start = if flags & HAS_START == 0 { 0 } else { varint::take_signed(bytes)? };
    let same = flags & SAME_LAYOUT != 0;
    let mut histogram = if same { copy_layout(before) } else { take_layout(bytes)? };
    histogram.reset_hint = hint(flags >> HINT_SHIFT)?;
    let empty = Histogram::default();
    let before = if same { before } else { &empty };
    histogram.zero_count = take_number(bytes, before.zero_count)?;
    histogram.count = take_number(bytes, before.count)?;
    histogram.sum = take_float(bytes)?;
    let (positive, negative) =
        (buckets(&histogram.positive_spans), buckets(&histogram.negative_spans));
    histogram.positive_buckets = take_buckets(bytes, &before.positive_buckets, positive)?;
    histogram.negative_buckets = take_buckets(bytes, &before.negative_buckets, negative)?;
    Some((start, histogram))
}

/// Whether it has as many buckets as its spans say, finite bounds that ascend, and a known schema.
pub(crate) fn is_valid(histogram: &Histogram) -> bool {
    let Histogram { schema, positive_spans, negative_spans, .. } = histogram;
    let custom = histogram.has_custom_buckets();
    (custom || (-9..=52).contains(schema))
        && buckets(positive_spans) == histogram.positive_buckets.len() as u64
        && buckets(negative_spans) == histogram.negative_buckets.len() as u64
        && (!custom || negative_spans.is_empty())
        && histogram.custom_values.windows(2).all(|pair| pair[0] < pair[1])
        && positive_spans.iter().skip(1).chain(negative_spans.iter().skip(1)).all(|s| s.offset >= 0)
}

fn same_layout(a: &Histogram, b: &Histogram) -> bool {
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && a.custom_values.len() == b.custom_values.len()
        && a.custom_values.iter().zip(&b.custom_values).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn copy_layout(of: &Histogram) -> Histogram {
    Histogram {
        schema: of.schema,
        zero_threshold: of.zero_threshold,
        positive_spans: of.positive_spans.clone(),
        negative_spans: of.negative_spans.clone(),
        custom_values: of.custom_values.clone(),
        ..Histogram::default()
    }
}

fn put_layout(into: &mut Vec<u8>, histogram: &Histogram) {
    varint::put_signed(into, i64::from(histogram.schema));
    put_float(into, histogram.zero_threshold);
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        varint::put(into, spans.len() as u64);
        for span in spans {
            varint::put_signed(into, i64::from(span.offset));
            varint::put(into, u64::from(span.length));
        }
    }
    varint::put(into, histogram.custom_values.len() as u64);
    for &bound in &histogram.custom_values {
        put_float(into, bound);
    }
}

fn take_layout(bytes: &mut &[u8]) -> Option<Histogram> {
    let schema = i32::try_from(varint::take_signed(bytes)?).ok()?;
    let zero_threshold = take_float(bytes)?;
    let positive_spans = take_spans(bytes)?;
    let negative_spans = take_spans(bytes)?;
    let bounds = varint::take(bytes)?;
    let custom_values = (0..bounds).map(|_| take_float(bytes)).collect::<Option<_>>()?;
    Some(Histogram {
        schema,
        zero_threshold,
        positive_spans,
        negative_spans,
        custom_values,
        ..Histogram::default()
    })
}

fn take_spans(bytes: &mut &[u8]) -> Option<Vec<Span>> {
    let count = varint::take(bytes)?;
    (0..count)
        .map(|_| {
            let offset = i32::try_from(varint::take_signed(bytes)?).ok()?;
            let length = u32::try_from(varint::take(bytes)?).ok()?;
            Some(Span { offset, length })
        })
        .collect()
}

fn buckets(spans: &[Span]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

fn put_buckets(into: &mut Vec<u8>, before: &[f64], buckets: &[f64]) {
    for (at, &bucket) in buckets.iter().enumerate() {
        put_number(into, before.get(at).copied().unwrap_or(0.0), bucket);
    }
}

fn take_buckets(bytes: &mut &[u8], before: &[f64], count: u64) -> Option<Vec<f64>> {
    if count > BUCKETS_MAX || count > bytes.len() as u64 {
        return None;
    }
    let mut buckets = Vec::with_capacity(usize::try_from(count).ok()?);
    for at in 0..usize::try_from(count).ok()? {
        buckets.push(take_number(bytes, before.get(at).copied().unwrap_or(0.0))?);
    }
    Some(buckets)
}

/// A number as its difference where both are whole; else a 1 and its bits.
fn put_number(into: &mut Vec<u8>, before: f64, value: f64) {
    match (varint::whole(before), varint::whole(value)) {
        (Some(before), Some(value)) => varint::put_signed(into, value.wrapping_sub(before) << 1),
        _ => {
            varint::put_signed(into, 1);
            into.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

fn take_number(bytes: &mut &[u8], before: f64) -> Option<f64> {
    let head = varint::take_signed(bytes)?;
    if head & 1 == 0 {
        return Some(varint::whole(before)?.wrapping_add(head >> 1) as f64);
    }
    varint::take_array(bytes).map(|bits| f64::from_bits(u64::from_le_bytes(bits)))
}

fn hint_code(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NoReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn hint(code: u8) -> Option<ResetHint> {
    Some(match code {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NoReset,
        3 => ResetHint::Gauge,
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use model::metric::stale_nan;

    use super::*;

    pub(crate) fn example(seed: u32) -> Histogram {
        Histogram {
            reset_hint: ResetHint::NoReset,
            schema: 3,
            zero_threshold: 1e-128,
            zero_count: f64::from(seed),
            count: f64::from(seed * 4),
            sum: f64::from(seed) * 1.7,
            positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }],
            positive_buckets: vec![f64::from(seed), f64::from(seed), f64::from(seed)],
            ..Histogram::default()
        }
    }

    #[test]
    fn histograms_come_back_and_steady_ones_are_small() {
        let custom = Histogram {
            schema: Histogram::CUSTOM_BUCKETS_SCHEMA,
            custom_values: vec![0.1, 1.0, 2.5],
            positive_spans: vec![Span { offset: 0, length: 2 }],
            positive_buckets: vec![1.5, 2.0],
            ..Histogram::default()
        };
        let stale = Histogram { sum: stale_nan(), ..Histogram::default() };
        let all = [example(5), example(6), custom, stale, example(7)];
        let (mut bytes, mut before, mut sizes) = (Vec::new(), Histogram::default(), Vec::new());
        for (at, histogram) in all.iter().enumerate() {
            let len = bytes.len();
            put(&mut bytes, &before, at as i64, histogram);
            sizes.push(bytes.len() - len);
            before = histogram.clone();
        }
        let (mut rest, mut before) = (bytes.as_slice(), Histogram::default());
        for (at, histogram) in all.iter().enumerate() {
            let (start, read) = take(&mut rest, &before).expect("what was written");
            assert_eq!(start, at as i64);
            assert_eq!(format!("{read:?}"), format!("{histogram:?}"));
            before = read;
        }
        assert!(sizes[1] < 20, "{sizes:?}");
        assert!(all.iter().all(is_valid));
    }
}
