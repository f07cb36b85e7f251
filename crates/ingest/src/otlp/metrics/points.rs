//! Data points and exemplars as they are on the wire.

use crate::metrics::native::{doubles, fixed64s, varints, zigzag};
use crate::wire::{Field, Problem, Read, Reader};

/// "There is no value at this time": the series has ended.
const NO_RECORDED_VALUE: u64 = 1;

/// Buckets of one histogram, on each side.
const BUCKETS_MAX: usize = 20_000;

fn check(buckets: usize) -> Read<()> {
    if buckets <= BUCKETS_MAX {
        return Ok(());
    }
    Err(Problem::TooMany { what: "buckets", max: BUCKETS_MAX }.fault())
}

/// What data points have in common.
#[derive(Debug, Default)]
pub(super) struct Point<'a> {
    pub(super) attributes: Vec<&'a [u8]>,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    pub(super) exemplars: Vec<&'a [u8]>,
    pub(super) is_stale: bool,
    pub(super) data: Data,
}

/// What a data point says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Number(f64),
    Explicit(Explicit),
    Exponential(Exponential),
    Summary { count: u64, sum: f64, quantiles: Vec<(f64, f64)> },
}

impl Default for Data {
    fn default() -> Data {
        Data::Number(0.0)
    }
}

/// A histogram with bounds of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Explicit {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    /// One more than bounds, or none.
    pub(super) counts: Vec<u64>,
    pub(super) bounds: Vec<f64>,
}

/// A histogram whose bounds grow by 2^(2^-scale).
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Exponential {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) scale: i32,
    pub(super) zero_count: u64,
    pub(super) zero_threshold: f64,
    pub(super) positive: Buckets,
    pub(super) negative: Buckets,
}

/// Buckets side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Buckets {
    pub(super) offset: i32,
    pub(super) counts: Vec<u64>,
}

pub(super) fn number(message: &[u8]) -> Read<Point<'_>> {
    let mut point = Point::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (2, Field::Fixed64(value)) => point.start = value,
            (3, Field::Fixed64(value)) => point.time = value,
            (4, Field::Fixed64(bits)) => point.data = Data::Number(f64::from_bits(bits)),
            (5, Field::Bytes(exemplar)) => point.exemplars.push(exemplar),
            (6, Field::Fixed64(value)) => point.data = Data::Number(int_value(value)),
            (7, Field::Bytes(attribute)) => point.attributes.push(attribute),
            (8, Field::Varint(flags)) => point.is_stale = flags & NO_RECORDED_VALUE != 0,
            (2..=8, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(point)
}

#[expect(clippy::cast_precision_loss, reason = "values are floats, exact to 2^53")]
fn int_value(value: u64) -> f64 {
    value.cast_signed() as f64
}

pub(super) fn explicit(message: &[u8]) -> Read<Point<'_>> {
    let mut point = Point::default();
    let mut histogram = Explicit::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (2, Field::Fixed64(value)) => point.start = value,
            (3, Field::Fixed64(value)) => point.time = value,
            (4, Field::Fixed64(value)) => histogram.count = value,
            (5, Field::Fixed64(bits)) => histogram.sum = Some(f64::from_bits(bits)),
            (6, field) => {
                fixed64s(6, &field, &mut histogram.counts)?;
                check(histogram.counts.len())?;
            }
            (7, field) => {
                doubles(7, &field, &mut histogram.bounds)?;
                check(histogram.bounds.len())?;
            }
            (8, Field::Bytes(exemplar)) => point.exemplars.push(exemplar),
            (9, Field::Bytes(attribute)) => point.attributes.push(attribute),
            (10, Field::Varint(flags)) => point.is_stale = flags & NO_RECORDED_VALUE != 0,
            (2..=10, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    point.data = Data::Explicit(histogram);
    Ok(point)
}

pub(super) fn exponential(message: &[u8]) -> Read<Point<'_>> {
    let mut point = Point::default();
    let mut histogram = Exponential::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(attribute)) => point.attributes.push(attribute),
            (2, Field::Fixed64(value)) => point.start = value,
            (3, Field::Fixed64(value)) => point.time = value,
            (4, Field::Fixed64(value)) => histogram.count = value,
            (5, Field::Fixed64(bits)) => histogram.sum = Some(f64::from_bits(bits)),
            (6, Field::Varint(value)) => histogram.scale = sint32(value),
            (7, Field::Fixed64(value)) => histogram.zero_count = value,
            (8, Field::Bytes(message)) => histogram.positive = buckets(message)?,
            (9, Field::Bytes(message)) => histogram.negative = buckets(message)?,
            (10, Field::Varint(flags)) => point.is_stale = flags & NO_RECORDED_VALUE != 0,
            (11, Field::Bytes(exemplar)) => point.exemplars.push(exemplar),
            (14, Field::Fixed64(bits)) => histogram.zero_threshold = f64::from_bits(bits),
            (1..=11 | 14, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    point.data = Data::Exponential(histogram);
    Ok(point)
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf cuts integers to their type")]
fn sint32(value: u64) -> i32 {
    zigzag(value) as i32
}

fn buckets(message: &[u8]) -> Read<Buckets> {
    let mut buckets = Buckets::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => buckets.offset = sint32(value),
            (2, field) => {
                varints(2, &field, |count| {
                    // One more than allowed, not all of them.
                    if buckets.counts.len() <= BUCKETS_MAX {
                        buckets.counts.push(count);
                    }
                })?;
                check(buckets.counts.len())?;
            }
            (1, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(buckets)
}

pub(super) fn summary(message: &[u8]) -> Read<Point<'_>> {
    let mut point = Point::default();
    let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (2, Field::Fixed64(value)) => point.start = value,
            (3, Field::Fixed64(value)) => point.time = value,
            (4, Field::Fixed64(value)) => count = value,
            (5, Field::Fixed64(bits)) => sum = f64::from_bits(bits),
            (6, Field::Bytes(message)) => quantiles.push(quantile(message)?),
            (7, Field::Bytes(attribute)) => point.attributes.push(attribute),
            (8, Field::Varint(flags)) => point.is_stale = flags & NO_RECORDED_VALUE != 0,
            (2..=8, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    point.data = Data::Summary { count, sum, quantiles };
    Ok(point)
}

fn quantile(message: &[u8]) -> Read<(f64, f64)> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Fixed64(bits)) => quantile = f64::from_bits(bits),
            (2, Field::Fixed64(bits)) => value = f64::from_bits(bits),
            (1 | 2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((quantile, value))
}

/// An exemplar.
#[derive(Debug, Default)]
pub(super) struct PointExemplar<'a> {
    pub(super) attributes: Vec<&'a [u8]>,
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    pub(super) value: f64,
    pub(super) span_id: &'a [u8],
    pub(super) trace_id: &'a [u8],
}

pub(super) fn exemplar(message: &[u8]) -> Read<PointExemplar<'_>> {
    let mut exemplar = PointExemplar::default();
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (2, Field::Fixed64(value)) => exemplar.time = value,
            (3, Field::Fixed64(bits)) => exemplar.value = f64::from_bits(bits),
            (4, Field::Bytes(id)) => exemplar.span_id = id,
            (5, Field::Bytes(id)) => exemplar.trace_id = id,
            (6, Field::Fixed64(value)) => exemplar.value = int_value(value),
            (7, Field::Bytes(attribute)) => exemplar.attributes.push(attribute),
            (2..=7, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok(exemplar)
}
