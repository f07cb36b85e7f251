//! Descriptions of series, as test scripts and `promtool`'s unit-test files write them:
//! `metric{label="value"} 1 2+3x4 _ stale {{schema:1 count:3 buckets:[1 2]}}x2`.

use std::sync::Arc;

use model::metric::{Histogram, Labels, LabelsBuilder, ResetHint, Span, stale_nan};

use crate::duration::parse_duration;
use crate::error::ParseError;
use crate::histogram::Open;
use crate::parser::{self, parse_number};
use crate::position::PosRange;
use crate::text::{quote, quote_char};

/// A series and its samples, one at each step.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesDescription {
    /// Its labels.
    pub labels: Labels,
    /// Whether `@st` follows the labels: the values are then start timestamps of the series with
    /// the same labels, in seconds relative to the sample they belong to.
    pub start_timestamps: bool,
    /// Its samples.
    pub values: Vec<SequenceValue>,
}

/// What there is at one step.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceValue {
    /// No sample.
    Omitted,
    /// A float; `stale` is the stale marker.
    Float(f64),
    /// A histogram.
    Histogram {
        /// As described.
        histogram: Arc<Histogram>,
        /// Whether the description says what it says about resets; otherwise that is not tested.
        hint_set: bool,
    },
}

/// The most values that one description may have.
pub const VALUES_MAX: usize = 10_000_000;

/// Reads a description. It has to fill the text.
pub fn parse_series_description(text: &str) -> Result<SeriesDescription, ParseError> {
    let (labels, rest_at) = parser::parse_series_labels(text)?;
    let mut cursor = Cursor { text, at: rest_at };
    let start_timestamps = cursor.take("@st");
    let mut values = Vec::new();
    loop {
        let spaces = cursor.skip_spaces();
        if cursor.rest().is_empty() {
            break;
        }
        if !spaces {
            return Err(cursor.unexpected("series values"));
        }
        cursor.item(&mut values)?;
    }
    Ok(SeriesDescription { labels, start_timestamps, values })
}

/// Labels from their pairs, as the parser reads them.
pub(crate) fn labels_of(name: Option<&str>, pairs: &[(String, String)]) -> Labels {
    let mut builder = LabelsBuilder::default();
    for (label, value) in pairs {
        builder.set(label, value);
    }
    if let Some(name) = name {
        builder.set(model::metric::NAME_LABEL, name);
    }
    builder.build()
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A histogram and whether it says something about resets.
struct Described {
    histogram: Histogram,
    hint_set: bool,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn skip_spaces(&mut self) -> bool {
        !self.take_while(|byte| byte.is_ascii_whitespace()).is_empty()
    }

    fn error_at(&self, at: usize, message: impl Into<String>) -> ParseError {
        let position = |at| u32::try_from(at).unwrap_or(u32::MAX);
        let range = PosRange::new(position(at), position(self.text.len()));
        ParseError::new(self.text, range, message)
    }

    fn unexpected(&self, place: &str) -> ParseError {
        let message = match self.peek() {
            None => format!("unexpected end of input in {place}"),
            Some(character) => {
                format!("unexpected {} in {place}", quote(&character.to_string()))
            }
        };
        self.error_at(self.at, message)
    }

    /// One item of the sequence, which may stand for many values.
    fn item(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), ParseError> {
        if self.rest().starts_with("{{") {
            return self.histograms(values);
        }
        if self.take("_") {
            let times = self.times()?.unwrap_or(1);
            return self.repeat(values, times, |_| SequenceValue::Omitted);
        }
        let start = self.at;
        let word = self.word();
        if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let value = match word {
                "stale" => stale_nan(),
                _ if word.eq_ignore_ascii_case("nan") => f64::NAN,
                _ if word.eq_ignore_ascii_case("inf") => f64::INFINITY,
                _ => {
                    let message = format!(
                        "unexpected identifier {} in series values, expected number or \"stale\"",
                        quote(word)
                    );
                    return Err(self.error_at(start, message));
                }
            };
            return self.floats(values, value);
        }
        self.at = start;
        let value = self.signed_number()?;
        self.floats(values, value)
    }

    fn word(&mut self) -> &'a str {
        // `x` ends a word: "NaNx3".
        self.take_while(|byte| byte.is_ascii_alphabetic() && byte != b'x')
    }

    /// A float that was read, and what repeats or increases it.
    fn floats(&mut self, values: &mut Vec<SequenceValue>, value: f64) -> Result<(), ParseError> {
        let increment = match self.peek() {
            Some('+' | '-') => Some(self.signed_number()?),
            _ => None,
        };
        let times = self.times()?;
        match (increment, times) {
            (Some(_), None) => Err(self.unexpected("series values")),
            (_, None) => self.repeat(values, 1, |_| SequenceValue::Float(value)),
            (None, Some(times)) => self.repeat(values, times + 1, |_| SequenceValue::Float(value)),
            (Some(increment), Some(times)) => {
                let mut next = value;
                self.repeat(values, times + 1, |_| {
                    let now = next;
                    next += increment;
                    SequenceValue::Float(now)
                })
            }
        }
    }

    fn repeat(
        &self,
        values: &mut Vec<SequenceValue>,
        times: usize,
        value: impl FnMut(usize) -> SequenceValue,
    ) -> Result<(), ParseError> {
        if values.len().saturating_add(times) > VALUES_MAX {
            return Err(self.error_at(self.at, "series has too many values"));
        }
        values.extend((0..times).map(value));
        Ok(())
    }

    /// `x10`
    fn times(&mut self) -> Result<Option<usize>, ParseError> {
        if !self.take("x") {
            return Ok(None);
        }
        let start = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        let times = digits.parse::<usize>().ok().filter(|&times| times <= VALUES_MAX);
        times.map(Some).ok_or_else(|| {
            let message = format!("invalid repetition in series values: {}", quote(digits));
            self.error_at(start, message)
        })
    }

    /// A number or a duration with or without a sign.
    fn signed_number(&mut self) -> Result<f64, ParseError> {
        let negative = self.take("-");
        if !negative {
            self.take("+");
        }
        let value = self.number()?;
        Ok(if negative { -value } else { value })
    }

    fn number(&mut self) -> Result<f64, ParseError> {
        let start = self.at;
        let word = self.word();
        match word.to_ascii_lowercase().as_str() {
            "inf" => return Ok(f64::INFINITY),
            "nan" => return Ok(f64::NAN),
            "" => {}
            _ => {
                self.at = start;
                return Err(self.unexpected("series values"));
            }
        }
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(&byte) = bytes.get(length) {
            let sign_of_exponent = matches!(byte, b'+' | b'-')
                && length > 0
                && matches!(bytes[length - 1], b'e' | b'E');
            let belongs = byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'e' | b'E');
            if !belongs && !sign_of_exponent {
                break;
            }
            length += 1;
        }
        self.at += length;
        let unit = self.take_while(|byte| b"smhdwy".contains(&byte));
        if !unit.is_empty() {
            self.take_while(|byte| byte.is_ascii_digit() || b"smhdwy".contains(&byte));
            let text = self.text.get(start..self.at).unwrap_or_default();
            let millis = parse_duration(text).map_err(|error| self.error_at(start, error))?;
            #[expect(clippy::cast_precision_loss, reason = "durations are short")]
            return Ok(millis as f64 / 1000.0);
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if text.is_empty() {
            return Err(self.unexpected("series values"));
        }
        parse_number(text)
            .map_err(|error| self.error_at(start, format!("error parsing number: {error}")))
    }

    /// A histogram, and what repeats or increases it.
    fn histograms(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), ParseError> {
        let base = self.histogram()?;
        let sign = match self.peek() {
            Some('+') => Some(true),
            Some('-') => Some(false),
            _ => None,
        };
        let Some(increases) = sign else {
            let count = self.times()?.map_or(1, |times| times + 1);
            let histogram = Arc::new(base.histogram);
            return self.repeat(values, count, |_| SequenceValue::Histogram {
                histogram: Arc::clone(&histogram),
                hint_set: base.hint_set,
            });
        };
        self.at += 1;
        let step = self.histogram()?;
        let Some(times) = self.times()? else { return Err(self.unexpected("series values")) };
        let mut current = Open::new(&base.histogram);
        let mut all = vec![base.histogram];
        for _ in 0..times.min(VALUES_MAX) {
            let schema = all.last().map_or(0, |histogram| histogram.schema);
            if schema > step.histogram.schema {
                let message = format!(
                    "error combining histograms: cannot merge from schema {} to {schema}",
                    step.histogram.schema
                );
                return Err(self.error_at(self.at, message));
            }
            let combined = if increases {
                current.add(&step.histogram)
            } else {
                current.subtract(&step.histogram)
            };
            let _added = combined.map_err(|error| self.error_at(self.at, error.to_string()))?;
            all.push(current.close());
        }
        let mut all = all.into_iter();
        let count = all.len();
        self.repeat(values, count, |_| SequenceValue::Histogram {
            histogram: Arc::new(all.next().unwrap_or_default()),
            hint_set: step.hint_set,
        })
    }

    fn histogram(&mut self) -> Result<Described, ParseError> {
        if !self.take("{{") {
            return Err(self.unexpected("series values"));
        }
        let mut described = Described { histogram: Histogram::default(), hint_set: false };
        let mut parts = Parts::default();
        self.skip_spaces();
        while !self.take("}}") {
            self.property(&mut described, &mut parts)?;
            if !self.skip_spaces() && !self.rest().starts_with("}}") {
                return Err(self.unexpected(
                    "histogram description, expected histogram description key, e.g. buckets:[5 10 7]",
                ));
            }
        }
        let histogram = &mut described.histogram;
        histogram.positive_spans = spans(parts.offset, histogram.positive_buckets.len());
        histogram.negative_spans = spans(parts.n_offset, histogram.negative_buckets.len());
        Ok(described)
    }

    /// `key:value` of a histogram.
    fn property(&mut self, described: &mut Described, parts: &mut Parts) -> Result<(), ParseError> {
        let start = self.at;
        let key = self.take_while(|byte| byte == b'_' || byte.is_ascii_alphabetic());
        if key.is_empty() {
            let message =
                format!("histogram description incomplete unexpected: {}", quote_char(self.peek()));
            return Err(self.error_at(start, message));
        }
        let bad = || format!("bad histogram descriptor found: {}", quote(key));
        let lower = key.to_ascii_lowercase();
        let Some(known) = KEYS.iter().find(|known| **known == lower) else {
            return Err(self.error_at(start, bad()));
        };
        if !self.take(":") {
            return Err(self.error_at(start, "missing `:` for histogram descriptor"));
        }
        if parts.seen.contains(known) {
            let message = format!("duplicate key \"{known}\" in histogram");
            return Err(self.error_at(0, message));
        }
        parts.seen.push(known);
        let histogram = &mut described.histogram;
        match *known {
            "schema" => histogram.schema = self.integer()?,
            "offset" => parts.offset = self.integer()?,
            "n_offset" => parts.n_offset = self.integer()?,
            "sum" => histogram.sum = self.signed_number()?,
            "count" => histogram.count = self.signed_number()?,
            "z_bucket" => histogram.zero_count = self.signed_number()?,
            "z_bucket_w" => histogram.zero_threshold = self.signed_number()?,
            "custom_values" => histogram.custom_values = self.numbers()?,
            "buckets" => histogram.positive_buckets = self.numbers()?,
            "n_buckets" => histogram.negative_buckets = self.numbers()?,
            _ => {
                histogram.reset_hint = self.reset_hint()?;
                described.hint_set = true;
            }
        }
        Ok(())
    }

    fn reset_hint(&mut self) -> Result<ResetHint, ParseError> {
        let start = self.at;
        let word = self.take_while(|byte| byte == b'_' || byte.is_ascii_alphabetic());
        Ok(match word.to_ascii_lowercase().as_str() {
            "unknown" => ResetHint::Unknown,
            "reset" => ResetHint::Reset,
            "not_reset" => ResetHint::NoReset,
            "gauge" => ResetHint::Gauge,
            _ => {
                let message = format!("bad histogram descriptor found: {}", quote(word));
                return Err(self.error_at(start, message));
            }
        })
    }

    fn integer(&mut self) -> Result<i32, ParseError> {
        let start = self.at;
        self.take("-");
        self.take_while(|byte| byte.is_ascii_digit());
        let text = self.text.get(start..self.at).unwrap_or_default();
        text.parse().map_err(|_| {
            self.at = start;
            self.unexpected("series values")
        })
    }

    /// `[1 2 3]`
    fn numbers(&mut self) -> Result<Vec<f64>, ParseError> {
        if !self.take("[") {
            return Err(self.unexpected("series values"));
        }
        let mut numbers = Vec::new();
        loop {
            numbers.push(self.signed_number()?);
            let spaces = self.skip_spaces();
            if self.take("]") {
                return Ok(numbers);
            }
            if !spaces {
                let message = format!(
                    "invalid character in buckets description: {}",
                    quote_char(self.peek())
                );
                return Err(self.error_at(self.at, message));
            }
        }
    }
}

const KEYS: [&str; 11] = [
    "schema",
    "sum",
    "count",
    "offset",
    "n_offset",
    "buckets",
    "n_buckets",
    "z_bucket",
    "z_bucket_w",
    "custom_values",
    "counter_reset_hint",
];

/// What a description has said so far about where its buckets are.
#[derive(Default)]
struct Parts {
    seen: Vec<&'static str>,
    offset: i32,
    n_offset: i32,
}

fn spans(offset: i32, buckets: usize) -> Vec<Span> {
    match u32::try_from(buckets) {
        Ok(length) if length > 0 => vec![Span { offset, length }],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
