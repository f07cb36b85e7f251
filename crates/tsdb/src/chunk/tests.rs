use std::sync::Arc;

use model::metric::{Histogram, ResetHint, STALE_NAN_BITS, Span};
use proptest::prelude::*;

use super::*;
use crate::points::HistogramPoint;

fn check_floats(values: &[f64], starts: &[i64], range: Range<usize>) {
    for effort in [Effort::Fast, Effort::Small] {
        let mut bytes = Vec::new();
        encode_floats(values, starts, effort, &mut bytes);
        let (mut decoded, mut decoded_starts) = (vec![7.0], Vec::new());
        decode_floats(&bytes, values.len(), range.clone(), &mut decoded, &mut decoded_starts)
            .unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&decoded[1..]), bits(&values[range.clone()]), "{effort:?}");
        if starts.iter().any(|&start| start != 0) {
            assert_eq!(decoded_starts, &starts[range.clone()]);
        } else {
            assert!(decoded_starts.is_empty());
        }
    }
}

fn check_ints(values: &[i64], range: Range<usize>) {
    for effort in [Effort::Fast, Effort::Small] {
        let (mut bytes, mut decoded) = (Vec::new(), Vec::new());
        let mut scratch = Scratch::default();
        ints::encode(values, effort, &mut scratch, &mut bytes);
        ints::decode(&bytes, values.len(), range.clone(), &mut scratch, &mut decoded).unwrap();
        assert_eq!(decoded, values[range.clone()], "{effort:?}");
    }
}

/// A number that looks random but is the same every time.
fn noise(at: usize) -> u64 {
    let mut mixed =
        (at as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 29;
    mixed.wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
}

#[test]
fn columns_of_every_shape_come_back() {
    let len = 2500;
    let shapes: [&dyn Fn(usize) -> i64; 9] = [
        &|_| 7,
        &|at| at as i64 * 15_000,
        &|at| at as i64 * 15_000 + (noise(at) % 7) as i64,
        &|at| (0..=at % 50).map(|at| (noise(at) % 100) as i64).sum(),
        &|at| (at / 400) as i64,
        &|at| (at * at) as i64 + (noise(at) % 3) as i64,
        &|at| (noise(at) % 1000) as i64 * 4096,
        &|at| (noise(at) << 30) as i64,
        &|at| if at % 2 == 0 { i64::MIN } else { i64::MAX },
    ];
    for shape in shapes {
        let values: Vec<i64> = (0..len).map(shape).collect();
        for range in [0..len, 0..1, 1..2, 1023..1025, 1024..2048, 2499..2500, 700..700] {
            check_ints(&values, range);
        }
    }
}

#[test]
fn hostile_floats_come_back_bit_for_bit() {
    let odd = [
        0.0,
        -0.0,
        f64::NAN,
        f64::from_bits(STALE_NAN_BITS),
        f64::from_bits(0xfff0_dead_beef_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        9_007_199_254_740_993.0,
        0.1 + 0.2,
        1e15 + 0.3,
        -123.456,
    ];
    check_floats(&odd, &[], 0..odd.len());
    for &one in &odd {
        check_floats(&[one; 300], &[], 10..290);
        let mut counter: Vec<f64> = (0..300).map(|at| f64::from(at) * 3.25).collect();
        counter[100] = one;
        counter[299] = one;
        check_floats(&counter, &[], 0..300);
        check_floats(&counter, &[], 99..101);
    }
    let starts: Vec<i64> = (0..300).map(|at| if at < 100 { 0 } else { 5_000 }).collect();
    check_floats(&[1.5; 300], &starts, 90..120);
}

fn histogram(at: usize) -> HistogramPoint {
    let stale = at % 40 == 39;
    let spans = if at < 30 { 2 } else { 3 };
    let mut histogram = Histogram {
        reset_hint: [ResetHint::Unknown, ResetHint::NoReset, ResetHint::Gauge][at % 3],
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: at as f64,
        count: 3.0 * at as f64,
        sum: 0.1 * at as f64,
        positive_spans: vec![Span { offset: -2, length: spans }, Span { offset: 5, length: 1 }],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: (0..=spans).map(|bucket| f64::from(bucket) * at as f64).collect(),
        negative_buckets: vec![at as f64],
        custom_values: Vec::new(),
    };
    if stale {
        histogram = Histogram { sum: f64::from_bits(STALE_NAN_BITS), ..Histogram::default() };
    } else if at >= 60 {
        histogram.schema = Histogram::CUSTOM_BUCKETS_SCHEMA;
        histogram.custom_values = vec![0.1, 0.5, 1.0];
    }
    let (timestamp, start) = (at as i64 * 10, (at / 50) as i64);
    HistogramPoint { timestamp, start, histogram: Arc::new(histogram) }
}

#[test]
fn histograms_come_back_with_their_layouts_hints_and_starts() {
    let points: Vec<HistogramPoint> = (0..100).map(histogram).collect();
    let timestamps: Vec<i64> = points.iter().map(|point| point.timestamp).collect();
    for effort in [Effort::Fast, Effort::Small] {
        let mut bytes = Vec::new();
        histograms::encode(&points, effort, &mut bytes);
        for range in [0..100, 0..1, 25..45, 99..100, 3..3] {
            let mut decoded = Vec::new();
            histograms::decode(&bytes, &timestamps, range.clone(), &mut decoded).unwrap();
            // Stale markers are NaN, which text compares as equal.
            assert_eq!(format!("{decoded:?}"), format!("{:?}", &points[range]));
        }
    }
}

fn any_column() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1000i64..1000).prop_map(|number| number as f64),
        (-100_000i64..100_000).prop_map(|number| number as f64 / 100.0),
        Just(f64::from_bits(STALE_NAN_BITS)),
        Just(-0.0),
    ];
    let decimals = (0u32..6, prop::collection::vec(-1_000_000i64..1_000_000, 1..400)).prop_map(
        |(digits, numbers)| {
            numbers.into_iter().map(|number| number as f64 / 10f64.powi(digits as i32)).collect()
        },
    );
    let rising = prop::collection::vec(0u32..50, 1..1500).prop_map(|steps| {
        let mut sum = 0.0;
        steps
            .into_iter()
            .map(|step| {
                sum += f64::from(step);
                sum
            })
            .collect()
    });
    prop_oneof![prop::collection::vec(value, 1..200), decimals, rising]
}

proptest! {
    #[test]
    fn any_floats_come_back(values in any_column(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let place = |part: prop::sample::Index| part.index(values.len() + 1);
        check_floats(&values, &[], place(from).min(place(to))..place(to));
    }

    #[test]
    fn any_whole_numbers_come_back(values in prop::collection::vec(any::<i64>(), 1..300)) {
        check_ints(&values, 0..values.len());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 1usize..3000) {
        check_bytes(&bytes, count);
    }

    #[test]
    fn flipped_bits_are_decoded_or_refused(values in any_column(), flips in prop::collection::vec(any::<(u16, u8)>(), 1..4)) {
        let mut bytes = Vec::new();
        encode_floats(&values, &[], Effort::Small, &mut bytes);
        for (at, bit) in flips {
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
        }
        check_bytes(&bytes, values.len());
    }
}
