//! Results as Prometheus writes them in JSON.
//!
//! Times are seconds with up to three decimals, values are texts, because JSON has neither NaN nor
//! infinities.

use std::io::Write as _;

use model::metric::{Histogram, Labels};
use promql::engine::{Series, Value};
use promql::histogram::buckets;
use promql::number::format_plain;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A label set as an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelsJson<'a>(pub(super) &'a Labels);

impl Serialize for LabelsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Writes into memory, which takes everything.
fn put(into: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    let written = into.write_fmt(arguments);
    debug_assert!(written.is_ok(), "memory takes everything");
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(into, text);
    debug_assert!(written.is_ok(), "memory takes everything");
}

pub(super) fn put_labels(into: &mut Vec<u8>, labels: &Labels) {
    into.push(b'{');
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        put_text(into, name);
        into.push(b':');
        put_text(into, value);
    }
    into.push(b'}');
}

/// Milliseconds as seconds: `1435781451.781`, no decimals when there are none.
pub(super) fn put_time(into: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        into.push(b'-');
    }
    let (seconds, fraction) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    into.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
    if fraction != 0 {
        // The thousands keep the zeros in front.
        let text = &mut itoa::Buffer::new();
        let digits = text.format(fraction + 1000).as_bytes();
        into.push(b'.');
        into.extend_from_slice(&digits[1..]);
    }
}

/// Whole numbers below this have all their digits in a float.
const WHOLE_MAX: f64 = 1e15;

/// A value in quotes: shortest digits, an exponent only below 1e-6 and from 1e21 on.
pub(super) fn put_value(into: &mut Vec<u8>, value: f64) {
    into.push(b'"');
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is looked for at once")]
    let whole = value as i64;
    if value.abs() < WHOLE_MAX && (whole as f64).to_bits() == value.to_bits() {
        into.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else if value.is_finite() {
        put_finite(into, value);
    } else {
        into.extend_from_slice(format_plain(value).as_bytes());
    }
    into.push(b'"');
}

fn put_finite(into: &mut Vec<u8>, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let Some((digits, exponent)) = text.split_once('e') else {
        into.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (1e-6..1e21).contains(&value.abs()) {
        put_expanded(into, digits, exponent);
        return;
    }
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    let sign = if exponent < 0 { '-' } else { '+' };
    put(into, format_args!("{digits}e{sign}{:02}", exponent.unsigned_abs()));
}

/// `1.25` and 17 as `125000000000000000`, `1.25` and -6 as `0.00000125`: the exponents are those for
/// which all digits stand on one side of the point.
fn put_expanded(into: &mut Vec<u8>, digits: &str, exponent: i32) {
    let zeros = |into: &mut Vec<u8>, count: usize| into.resize(into.len() + count, b'0');
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    let digits = digits.strip_prefix('-').inspect(|_| into.push(b'-')).unwrap_or(digits);
    if exponent < 0 {
        into.extend_from_slice(b"0.");
        zeros(into, places.saturating_sub(1));
    }
    let start = into.len();
    into.extend(digits.bytes().filter(|&byte| byte != b'.'));
    if exponent >= 0 {
        let missing = (places + 1).saturating_sub(into.len() - start);
        zeros(into, missing);
    }
}

/// `{"count":"…","sum":"…","buckets":[[rule,"left","right","count"],…]}`; the rule says which
/// bounds are inclusive: 0 the right, 1 the left, 2 none, 3 both.
pub(super) fn put_histogram(into: &mut Vec<u8>, histogram: &Histogram) {
    into.extend_from_slice(b"{\"count\":");
    put_value(into, histogram.count);
    into.extend_from_slice(b",\"sum\":");
    put_value(into, histogram.sum);
    let mut before: &[u8] = b",\"buckets\":[";
    for bucket in buckets(histogram) {
        if bucket.count == 0.0 {
            continue;
        }
        into.extend_from_slice(before);
        before = b",";
        let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => b"[0,",
            (true, false) => b"[1,",
            (false, false) => b"[2,",
            (true, true) => b"[3,",
        };
        into.extend_from_slice(rule);
        put_value(into, bucket.lower);
        into.push(b',');
        put_value(into, bucket.upper);
        into.push(b',');
        put_value(into, bucket.count);
        into.push(b']');
    }
    if before == b"," {
        into.push(b']');
    }
    into.push(b'}');
}

fn put_pair(into: &mut Vec<u8>, time: i64, value: impl FnOnce(&mut Vec<u8>)) {
    into.push(b'[');
    put_time(into, time);
    into.push(b',');
    value(into);
    into.push(b']');
}

fn put_list<T>(into: &mut Vec<u8>, items: &[T], mut one: impl FnMut(&mut Vec<u8>, &T)) {
    into.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        one(into, item);
    }
    into.push(b']');
}

fn put_sample(into: &mut Vec<u8>, series: &Series) {
    into.extend_from_slice(b"{\"metric\":");
    put_labels(into, &series.labels);
    if let Some((time, histogram)) = series.histograms.first() {
        into.extend_from_slice(b",\"histogram\":");
        put_pair(into, *time, |into| put_histogram(into, histogram));
    } else if let Some((time, value)) = series.floats.first() {
        into.extend_from_slice(b",\"value\":");
        put_pair(into, *time, |into| put_value(into, *value));
    }
    into.push(b'}');
}

fn put_series(into: &mut Vec<u8>, series: &Series) {
    into.extend_from_slice(b"{\"metric\":");
    put_labels(into, &series.labels);
    if !series.floats.is_empty() {
        into.extend_from_slice(b",\"values\":");
        put_list(into, &series.floats, |into, (time, value)| {
            put_pair(into, *time, |into| put_value(into, *value));
        });
    }
    if !series.histograms.is_empty() {
        into.extend_from_slice(b",\"histograms\":");
        put_list(into, &series.histograms, |into, (time, histogram)| {
            put_pair(into, *time, |into| put_histogram(into, histogram));
        });
    }
    into.push(b'}');
}

/// About how long a result is, bytes.
pub(super) fn size_of_result(value: &Value) -> usize {
    let (Value::Vector(series) | Value::Matrix(series)) = value else { return 64 };
    let one = |series: &Series| {
        64 + series.labels.as_bytes().len() * 2
            + series.floats.len() * SAMPLE_BYTES
            + series.histograms.len() * HISTOGRAM_BYTES
    };
    series.iter().map(one).sum()
}

/// `[1435781451.781,"12.33333333333333"],`
const SAMPLE_BYTES: usize = 32;

/// About as much, with some buckets.
const HISTOGRAM_BYTES: usize = 512;

/// `"resultType":"…","result":…`
pub(super) fn put_result(into: &mut Vec<u8>, value: &Value) {
    let kind = match value {
        Value::Scalar(..) => "scalar",
        Value::String(..) => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    put(into, format_args!("\"resultType\":\"{kind}\",\"result\":"));
    match value {
        Value::Scalar(time, number) => put_pair(into, *time, |into| {
            put(into, format_args!("\"{}\"", format_plain(*number)));
        }),
        Value::String(time, text) => put_pair(into, *time, |into| put_text(into, text)),
        Value::Vector(vector) => put_list(into, vector, put_sample),
        Value::Matrix(matrix) => put_list(into, matrix, put_series),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::metric::Span;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn times() {
        for (millis, expect) in [
            (0, "0"),
            (1, "0.001"),
            (10, "0.010"),
            (100, "0.100"),
            (1_001, "1.001"),
            (1_435_781_451_780, "1435781451.780"),
            (-1, "-0.001"),
            (-1_500, "-1.500"),
        ] {
            assert_eq!(text(|into| put_time(into, millis)), expect);
        }
    }

    #[test]
    fn values() {
        for (value, expect) in [
            (0.0, "\"0\""),
            (-0.0, "\"-0\""),
            (20.0, "\"20\""),
            (-1_500_000.0, "\"-1500000\""),
            (0.1, "\"0.1\""),
            (-2.5, "\"-2.5\""),
            (999_999_999_999_999.0, "\"999999999999999\""),
            (1e15, "\"1000000000000000\""),
            (1e16, "\"10000000000000000\""),
            (1.25e17, "\"125000000000000000\""),
            (-3.000_000_000_000_000_5e20, "\"-300000000000000070000\""),
            (1.25e-6, "\"0.00000125\""),
            // Of two shortest texts that are equally near Go takes the even one.
            (-648_988_991_289_036.0 - 0.25, "\"-648988991289036.2\""),
            (0.000_012_5, "\"0.0000125\""),
            (9.999e-7, "\"9.999e-07\""),
            (5e-324, "\"5e-324\""),
            (-1.5e300, "\"-1.5e+300\""),
            (0.000_001, "\"0.000001\""),
            (0.000_000_1, "\"1e-07\""),
            (1.5e-10, "\"1.5e-10\""),
            (1e20, "\"100000000000000000000\""),
            (1e21, "\"1e+21\""),
            (f64::MAX, "\"1.7976931348623157e+308\""),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"+Inf\""),
            (f64::NEG_INFINITY, "\"-Inf\""),
        ] {
            assert_eq!(text(|into| put_value(into, value)), expect);
        }
    }

    #[test]
    fn values_are_read_back_and_no_shorter_text_is() {
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..50_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            let random = f64::from_bits(bits);
            // Bits at random, and numbers as they are measured.
            for value in [random, (bits >> 40) as f64 / 1000.0, (bits >> 20) as f64 / 3600.0] {
                let text = text(|into| put_value(into, value));
                let text = text.trim_matches('"');
                let read: f64 = text.parse().expect("a number");
                assert!(read.to_bits() == value.to_bits() || value.is_nan(), "{value:e} {text}");
                if (1e-6..1e21).contains(&value.abs()) {
                    assert!(text.len() == format!("{value}").len(), "{value:e} {text}");
                }
            }
        }
    }

    fn histogram() -> Histogram {
        Histogram {
            count: 10.0,
            sum: 20.0,
            schema: 0,
            zero_threshold: 0.001,
            zero_count: 12.0,
            positive_spans: vec![Span { offset: 3, length: 2 }],
            negative_spans: vec![Span { offset: 2, length: 2 }],
            positive_buckets: vec![1.0, 2.0],
            negative_buckets: vec![2.0, 1.0],
            ..Histogram::default()
        }
    }

    #[test]
    fn results() {
        let series = |floats: &[(i64, f64)], histograms: usize| Series {
            labels: Labels::from_pairs(&[("__name__", "foo"), ("b", "\"")]),
            floats: floats.to_vec(),
            histograms: (0..histograms).map(|_| (1000, Arc::new(histogram()))).collect(),
        };
        let h = "{\"count\":\"10\",\"sum\":\"20\",\"buckets\":[[1,\"-8\",\"-4\",\"1\"],[1,\"-4\",\"-2\",\"2\"],[3,\"-0.001\",\"0.001\",\"12\"],[0,\"4\",\"8\",\"1\"],[0,\"8\",\"16\",\"2\"]]}";
        for (value, expect) in [
            (Value::Scalar(123_123, 0.333), r#""resultType":"scalar","result":[123.123,"0.333"]"#.to_owned()),
            (Value::Scalar(0, 1e300), format!("\"resultType\":\"scalar\",\"result\":[0,\"1{}\"]", "0".repeat(300))),
            (Value::String(1_000, "a\n".to_owned()), r#""resultType":"string","result":[1,"a\n"]"#.to_owned()),
            (Value::Vector(vec![]), r#""resultType":"vector","result":[]"#.to_owned()),
            (
                Value::Vector(vec![series(&[(1_500, 1.0)], 0)]),
                r#""resultType":"vector","result":[{"metric":{"__name__":"foo","b":"\""},"value":[1.500,"1"]}]"#.to_owned(),
            ),
            (
                Value::Vector(vec![series(&[], 1)]),
                format!(r#""resultType":"vector","result":[{{"metric":{{"__name__":"foo","b":"\""}},"histogram":[1,{h}]}}]"#),
            ),
            (
                Value::Matrix(vec![series(&[(0, f64::NAN), (1, 2.0)], 1)]),
                format!(r#""resultType":"matrix","result":[{{"metric":{{"__name__":"foo","b":"\""}},"values":[[0,"NaN"],[0.001,"2"]],"histograms":[[1,{h}]]}}]"#),
            ),
        ] {
            assert_eq!(text(|into| put_result(into, &value)), expect);
        }
        let empty = text(|into| put_histogram(into, &Histogram::default()));
        assert_eq!(empty, r#"{"count":"0","sum":"0"}"#);
    }
}
