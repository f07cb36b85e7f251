//! Chunks of native histograms as Prometheus stores and streams them: what the histograms of a chunk
//! have in common once, then times as deltas of deltas and every number as what changed in it.
//! Counts are floats here, so that chunks are those of float histograms.
//!
//! Format: <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/chunks.md>.

use model::metric::{Histogram, HistogramSample, ResetHint, Span};

use super::xor::{Bits, SAMPLES_MAX};

/// The number of this encoding.
pub(super) const ENCODING: u64 = 3;

/// How many of the first samples belong into one chunk: those with the same buckets whose counts do
/// not fall, for a reader takes it that no counter begins anew within a chunk.
pub(super) fn run(samples: &[HistogramSample]) -> usize {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let more = pairs.take_while(|(last, next)| continues(&last.histogram, &next.histogram));
    more.take(SAMPLES_MAX - 1).count() + usize::from(!samples.is_empty())
}

fn continues(last: &Histogram, next: &Histogram) -> bool {
    let alike = !last.is_stale()
        && !next.is_stale()
        && last.schema == next.schema
        && last.zero_threshold.to_bits() == next.zero_threshold.to_bits()
        && last.positive_spans == next.positive_spans
        && last.negative_spans == next.negative_spans
        && last.custom_values == next.custom_values
        && is_gauge(last) == is_gauge(next);
    let falls = || {
        let sides = [
            (&last.positive_buckets, &next.positive_buckets),
            (&last.negative_buckets, &next.negative_buckets),
        ];
        next.count < last.count
            || next.zero_count < last.zero_count
            || sides.iter().any(|(last, next)| last.iter().zip(next.iter()).any(|(a, b)| b < a))
    };
    alike && (is_gauge(last) || (next.reset_hint != ResetHint::Reset && !falls()))
}

fn is_gauge(histogram: &Histogram) -> bool {
    histogram.reset_hint == ResetHint::Gauge
}

/// Encodes the samples of one [`run`].
pub(super) fn encode(samples: &[HistogramSample]) -> Vec<u8> {
    let count = u16::try_from(samples.len()).unwrap_or(u16::MAX);
    let mut bits = Bits::new(count.to_be_bytes().to_vec());
    let Some(first) = samples.first().map(|sample| &sample.histogram) else { return bits.out };
    bits.put(flags(first.reset_hint), 8);
    if first.is_stale() {
        put_layout(&mut bits, &Histogram::default());
    } else {
        put_layout(&mut bits, first);
    }
    let (mut time, mut delta) = (0_i64, 0_i64);
    let mut last: Vec<(u64, Option<(u32, u32)>)> = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let next = sample.timestamp.wrapping_sub(time);
        bits.varbit_int(if index == 0 { sample.timestamp } else { next.wrapping_sub(delta) });
        delta = if index == 0 { 0 } else { next };
        time = sample.timestamp;
        for (at, number) in numbers(&sample.histogram).enumerate() {
            let now = number.to_bits();
            match last.get_mut(at) {
                Some((value, window)) => {
                    bits.change(*value ^ now, window);
                    *value = now;
                }
                None => {
                    bits.put(now, 64);
                    last.push((now, None));
                }
            }
        }
    }
    bits.out
}

fn flags(hint: ResetHint) -> u64 {
    match hint {
        ResetHint::Gauge => 0b1100_0000,
        ResetHint::Reset => 0b1000_0000,
        // What was before the chunk is not known here.
        ResetHint::NoReset | ResetHint::Unknown => 0,
    }
}

fn put_layout(bits: &mut Bits, histogram: &Histogram) {
    put_threshold(bits, histogram.zero_threshold);
    bits.varbit_int(i64::from(histogram.schema));
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        bits.varbit_uint(spans.len() as u64);
        for Span { offset, length } in spans {
            bits.varbit_uint(u64::from(*length));
            bits.varbit_int(i64::from(*offset));
        }
    }
    if histogram.has_custom_buckets() {
        bits.varbit_uint(histogram.custom_values.len() as u64);
        for bound in &histogram.custom_values {
            put_bound(bits, *bound);
        }
    }
}

/// 0 as 0, powers of two from 2^-243 to 2^10 as 1 to 254, others as 255 and themselves.
fn put_threshold(bits: &mut Bits, threshold: f64) {
    const MANTISSA: u64 = (1 << 52) - 1;
    let raw = threshold.to_bits();
    let exponent = i64::try_from(raw >> 52).unwrap_or(0) - 1023;
    if raw == 0 {
        bits.put(0, 8);
    } else if raw & MANTISSA == 0 && (-243..=10).contains(&exponent) {
        bits.put((exponent + 244).cast_unsigned(), 8);
    } else {
        bits.put(255, 8);
        bits.put(raw, 64);
    }
}

/// Bounds of up to three decimals as thousandths, others as themselves.
fn put_bound(bits: &mut Bits, bound: f64) {
    const THOUSANDTHS_MAX: f64 = 33_554_430.0;
    let thousandths = (bound * 1_000.0).round();
    let exact = (thousandths / 1_000.0).to_bits() == bound.to_bits();
    if exact && (0.0..=THOUSANDTHS_MAX).contains(&thousandths) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        bits.varbit_uint(thousandths as u64 + 1);
    } else {
        bits.put(0, 1);
        bits.put(bound.to_bits(), 64);
    }
}

fn numbers(histogram: &Histogram) -> impl Iterator<Item = f64> {
    let buckets = [&histogram.positive_buckets, &histogram.negative_buckets];
    let buckets = buckets.into_iter().filter(|_| !histogram.is_stale()).flatten().copied();
    [histogram.count, histogram.zero_count, histogram.sum].into_iter().chain(buckets)
}

#[cfg(test)]
mod tests {
    use model::metric::stale_nan;

    use super::*;

    fn sample(timestamp: i64, counts: &[f64]) -> HistogramSample {
        let histogram = Histogram {
            schema: 3,
            count: counts.iter().sum(),
            sum: 1.5,
            positive_spans: vec![Span { offset: 1, length: 2 }],
            positive_buckets: counts.to_vec(),
            ..Histogram::default()
        };
        HistogramSample { timestamp, start: 0, histogram }
    }

    #[test]
    fn a_chunk_ends_where_a_counter_begins_anew_or_buckets_change() {
        let check = |samples: &[HistogramSample], expect| assert_eq!(run(samples), expect);
        check(&[], 0);
        check(&[sample(1, &[1.0, 2.0])], 1);
        check(&[sample(1, &[1.0, 2.0]), sample(2, &[1.0, 2.0]), sample(3, &[1.0, 3.0])], 3);
        check(&[sample(1, &[1.0, 2.0]), sample(2, &[4.0, 1.0])], 1);
        let mut finer = sample(2, &[1.0, 2.0]);
        finer.histogram.schema = 4;
        check(&[sample(1, &[1.0, 2.0]), finer], 1);
        let stale = HistogramSample {
            timestamp: 2,
            start: 0,
            histogram: Histogram { sum: stale_nan(), ..Histogram::default() },
        };
        check(&[sample(1, &[1.0, 2.0]), stale.clone()], 1);
        check(&[stale, sample(3, &[1.0, 2.0])], 1);
        let many: Vec<_> = (0..200).map(|at| sample(at, &[1.0, 2.0])).collect();
        check(&many, SAMPLES_MAX);
        let mut gauges = [sample(1, &[5.0, 2.0]), sample(2, &[1.0, 2.0])];
        for gauge in &mut gauges {
            gauge.histogram.reset_hint = ResetHint::Gauge;
        }
        check(&gauges, 2);
    }

    #[test]
    fn thresholds_that_are_powers_of_two_take_a_byte() {
        let check = |threshold: f64, expect: &[u8]| {
            let mut bits = Bits::new(Vec::new());
            put_threshold(&mut bits, threshold);
            assert_eq!(bits.out, expect, "{threshold}");
        };
        check(0.0, &[0]);
        check(2_f64.powi(-243), &[1]);
        check(2_f64.powi(-128), &[116]);
        check(1.0, &[244]);
        check(1024.0, &[254]);
        check(0.75, &[255, 0x3f, 0xe8, 0, 0, 0, 0, 0, 0]);
        check(2048.0, &[255, 0x40, 0xa0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn bounds_of_three_decimals_are_short() {
        let length = |bound: f64| {
            let mut bits = Bits::new(Vec::new());
            put_bound(&mut bits, bound);
            bits.out.len()
        };
        assert_eq!(length(0.0), 1);
        assert_eq!(length(0.005), 1);
        assert_eq!(length(2.5), 3);
        assert_eq!(length(0.0001), 9);
        assert_eq!(length(-1.0), 9);
    }

    #[test]
    fn a_sample_is_written_as_the_format_says() {
        let bytes = encode(&[sample(0, &[1.0, 2.0])]);
        // One sample, nothing known of what was before, no zero bucket; then schema 3 as 10 011, one
        // span as 10 001, its length as 10 010, its offset as 10 001, no negative spans as 0, the
        // time as 0.
        assert_eq!(bytes[..4], [0, 1, 0, 0]);
        assert_eq!(bytes[4..7], [0b1001_1100, 0b0110_0101, 0b0001_0000 | 0b0000_0001]);
        assert_eq!(bytes.len(), 4 + (22 + 5 * 64_usize).div_ceil(8));
    }
}
