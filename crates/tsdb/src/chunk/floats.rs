//! A column of floats, bit for bit.
//!
//! Most metrics are decimal numbers of few digits: they become whole numbers by a power of ten
//! that is checked, value by value, to lead back to the same bits; what does not (NaN, -0, an odd
//! value in between) is listed apart. Other columns are runs, or coded as floats.

use std::ops::Range;

use super::bytes::{Cursor, put_len};
use super::{Damaged, Effort, Scratch, entropy, ints};

const DECIMAL: u8 = 0;
const RUNS: u8 = 1;
const PLAIN: u8 = 2;
const ENTROPY: u8 = 3;
/// The decimal codec without values listed apart, one code for each power of ten from here on.
const DECIMAL_CLEAN: u8 = 16;

/// The largest power of ten that values are multiplied by.
const EXPONENT_MAX: usize = 14;

const POWERS: [f64; EXPONENT_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];

/// Whole numbers below this are exact in a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// `value · 10^exponent` as a whole number, if that leads back to the same bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn scaled(value: f64, exponent: usize) -> Option<i64> {
    let power = POWERS[exponent];
    let whole = if exponent == 0 { value } else { (value * power).round_ties_even() };
    // NaN is in no range.
    if !(-WHOLE_MAX..=WHOLE_MAX).contains(&whole) {
        return None;
    }
    let number = whole as i64;
    (unscaled(number, power).to_bits() == value.to_bits()).then_some(number)
}

#[inline]
#[expect(clippy::cast_precision_loss, reason = "scaled numbers are below 2^53")]
fn unscaled(number: i64, power: f64) -> f64 {
    number as f64 / power
}

/// The power of ten for most of `values`; none when too many have none.
fn exponent_of(values: &[f64], apart_max: usize) -> Option<usize> {
    let mut exponent = 0;
    let mut apart = 0;
    for &value in values {
        if scaled(value, exponent).is_some() {
            continue;
        }
        match (exponent + 1..=EXPONENT_MAX).find(|&larger| scaled(value, larger).is_some()) {
            Some(larger) => exponent = larger,
            None => apart += 1,
        }
        if apart > apart_max {
            return None;
        }
    }
    Some(exponent)
}

/// Appends the column.
pub(crate) fn encode(values: &[f64], effort: Effort, scratch: &mut Scratch, into: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let apart_max = values.len() / 16 + 1;
    let mut numbers = std::mem::take(&mut scratch.numbers);
    let decimal = exponent_of(values, apart_max).is_some_and(|exponent| {
        put_decimal(values, exponent, apart_max, &mut numbers, effort, scratch, into)
    });
    scratch.numbers = numbers;
    if !decimal && !put_runs(values, into) {
        put_floats(values, effort, into);
    }
}

fn put_decimal(
    values: &[f64],
    exponent: usize,
    apart_max: usize,
    numbers: &mut Vec<i64>,
    effort: Effort,
    scratch: &mut Scratch,
    into: &mut Vec<u8>,
) -> bool {
    numbers.clear();
    let mut apart = Vec::new();
    let mut previous = values.iter().find_map(|&value| scaled(value, exponent)).unwrap_or(0);
    for (at, &value) in values.iter().enumerate() {
        match scaled(value, exponent) {
            Some(number) => previous = number,
            None => apart.push((at, value)),
        }
        numbers.push(previous);
    }
    // A number of few digits may be too large for the power that another one needs.
    if apart.len() > apart_max || apart.len() == values.len() {
        return false;
    }
    let code = u8::try_from(exponent).unwrap_or(0);
    if apart.is_empty() {
        into.push(DECIMAL_CLEAN + code);
    } else {
        into.extend([DECIMAL, code]);
        put_len(into, apart.len());
        let mut before = 0;
        for (at, value) in apart {
            put_len(into, at - before);
            into.extend_from_slice(&value.to_bits().to_le_bytes());
            before = at;
        }
    }
    ints::encode(numbers, effort, scratch, into);
    true
}

fn put_runs(values: &[f64], into: &mut Vec<u8>) -> bool {
    let runs = values.chunk_by(|one, next| one.to_bits() == next.to_bits());
    let count = runs.clone().count();
    if count * 10 > values.len() + 16 {
        return false;
    }
    into.push(RUNS);
    put_len(into, count);
    for run in runs {
        put_len(into, run.len());
        into.extend_from_slice(&run[0].to_bits().to_le_bytes());
    }
    true
}

fn put_floats(values: &[f64], effort: Effort, into: &mut Vec<u8>) {
    let coded = match effort {
        Effort::Small => entropy::encode(values, ints::PAGE_VALUES, true),
        Effort::Fast => None,
    };
    match coded.filter(|coded| coded.len() < values.len() * 8) {
        Some(coded) => {
            into.push(ENTROPY);
            put_len(into, coded.head.len());
            into.extend_from_slice(&coded.head);
            for page in coded.pages.iter().take(coded.pages.len() - 1) {
                put_len(into, page.len());
            }
            coded.pages.iter().for_each(|page| into.extend_from_slice(page));
        }
        None => {
            into.push(PLAIN);
            into.extend(values.iter().flat_map(|value| value.to_bits().to_le_bytes()));
        }
    }
}

/// Appends the values at `range` of a column of `count` values.
pub(crate) fn decode(
    column: &[u8],
    count: usize,
    range: Range<usize>,
    scratch: &mut Scratch,
    into: &mut Vec<f64>,
) -> Result<(), Damaged> {
    let Some((codec, mut cursor)) = super::begin(column, count, &range)? else { return Ok(()) };
    match codec {
        RUNS => take_runs(&mut cursor, count, range, into),
        PLAIN => {
            let plain = cursor.rest().get(range.start * 8..range.end * 8);
            let plain = plain.ok_or(Damaged("bytes end early"))?;
            into.extend(
                plain.as_chunks().0.iter().map(|&bits| f64::from_bits(u64::from_le_bytes(bits))),
            );
            Ok(())
        }
        ENTROPY => take_floats(cursor, count, range, scratch, into),
        DECIMAL => {
            let exponent = usize::from(cursor.byte()?);
            let start = into.len();
            let listed = cursor.len(count)?;
            let mut apart = Vec::with_capacity(listed);
            let mut at = 0;
            for _ in 0..listed {
                at += cursor.len(count)?;
                apart.push((at, f64::from_bits(cursor.u64()?)));
            }
            take_decimal(cursor.rest(), exponent, count, range.clone(), scratch, into)?;
            for (at, value) in apart {
                if range.contains(&at) {
                    into[start + at - range.start] = value;
                }
            }
            Ok(())
        }
        clean => {
            let exponent = clean.checked_sub(DECIMAL_CLEAN);
            let exponent = exponent.ok_or(Damaged("unknown codec of floats"))?;
            take_decimal(cursor.rest(), exponent.into(), count, range, scratch, into)
        }
    }
}

fn take_decimal(
    column: &[u8],
    exponent: usize,
    count: usize,
    range: Range<usize>,
    scratch: &mut Scratch,
    into: &mut Vec<f64>,
) -> Result<(), Damaged> {
    let power = *POWERS.get(exponent).ok_or(Damaged("exponent is out of range"))?;
    if let Some(constant) = ints::constant(column, count) {
        into.resize(into.len() + range.len(), unscaled(constant, power));
        return Ok(());
    }
    let mut numbers = std::mem::take(&mut scratch.numbers);
    numbers.clear();
    let decoded = ints::decode(column, count, range, scratch, &mut numbers);
    if exponent == 0 {
        into.extend(numbers.iter().map(|&number| unscaled(number, 1.0)));
    } else {
        into.extend(numbers.iter().map(|&number| unscaled(number, power)));
    }
    scratch.numbers = numbers;
    decoded
}

fn take_runs(
    cursor: &mut Cursor<'_>,
    count: usize,
    range: Range<usize>,
    into: &mut Vec<f64>,
) -> Result<(), Damaged> {
    let runs = cursor.len(count)?;
    let mut at = 0;
    for _ in 0..runs {
        let end = at + cursor.len(count - at)?;
        let value = f64::from_bits(cursor.u64()?);
        let wanted = at.max(range.start)..end.min(range.end);
        into.resize(into.len() + wanted.len(), value);
        at = end;
    }
    if at < range.end { Err(Damaged("runs are too short")) } else { Ok(()) }
}

fn take_floats(
    mut cursor: Cursor<'_>,
    count: usize,
    range: Range<usize>,
    scratch: &mut Scratch,
    into: &mut Vec<f64>,
) -> Result<(), Damaged> {
    let mut decoder = entropy::Decoder::<f64>::new(cursor.bytes()?)?;
    let pages = count.div_ceil(ints::PAGE_VALUES);
    let mut lengths = Vec::with_capacity(pages);
    for _ in 1..pages {
        lengths.push(cursor.len(cursor.rest().len())?);
    }
    for page in 0..pages {
        let len = lengths.get(page).copied().unwrap_or(cursor.rest().len());
        let bytes = cursor.take(len)?;
        let start = page * ints::PAGE_VALUES;
        let page_len = ints::PAGE_VALUES.min(count - start);
        let wanted = range.start.max(start)..range.end.min(start + page_len);
        if wanted.is_empty() {
            continue;
        }
        scratch.floats.clear();
        let inside = wanted.start - start..wanted.end - start;
        decoder.page(bytes, page_len, inside.end, &mut scratch.pco, &mut scratch.floats)?;
        into.extend_from_slice(&scratch.floats[inside]);
    }
    Ok(())
}
