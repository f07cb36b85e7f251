//! Samples of one series while they are written: few bytes, appended in place, read in one pass.
//!
//! A sample is a header byte and what it announces. The header's two low bits say how the
//! difference between this distance in time and the one before is written (none, 1, 2 or 8 bytes),
//! the six others how the value is: as before, a whole number's difference, the difference of a
//! number with up to three decimals, the low or high bytes that are not as before or zero, the
//! stale marker. Samples that come at the same distance with the same value are counted in one
//! byte, 32 of them. A chunk stands for itself: its first sample is written as following zeros.

use model::metric::STALE_NAN_BITS;

use crate::varint;

/// At this size a chunk is closed, bytes.
pub(crate) const CHUNK_BYTES: usize = 512;

const SAME: u8 = 0;
/// + number of bytes, 1, 2, 3, 4 or 8.
const WHOLE: u8 = 0;
/// + number of bytes, 1, 2, 3 or 4.
const MILLI: u8 = 8;
/// + number of high bytes, the rest is zero.
const HIGH: u8 = 12;
/// + number of low bytes, the rest is as before.
const LOW: u8 = 20;
const STALE: u8 = 29;
/// A change of the start timestamp; a sample follows.
const START: u8 = 30;
/// + number of repetitions less one.
const RUN: u8 = 32;

/// What the next sample is written against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    /// The series' last timestamp, over all chunks; the least there is when it has no sample.
    pub(crate) timestamp: i64,
    /// The last value's bits, over all chunks.
    pub(crate) bits: u64,
    /// The last distance in this chunk.
    pub(crate) delta: i32,
    /// How many samples this chunk has.
    pub(crate) count: u32,
    /// Whether the last byte counts repetitions.
    pub(crate) run: bool,
}

impl Default for Last {
    fn default() -> Last {
        Last { timestamp: i64::MIN, bits: 0, delta: 0, count: 0, run: false }
    }
}

impl Last {
    /// Begins another chunk.
    pub(crate) fn begin(&mut self) {
        *self = Last { timestamp: self.timestamp, bits: self.bits, ..Last::default() };
    }
}

/// Announces that the samples that follow have another start timestamp.
pub(crate) fn put_start(into: &mut Vec<u8>, last: &mut Last, before: i64, start: i64) {
    into.push(START << 2);
    varint::put_signed(into, start.wrapping_sub(before));
    last.run = false;
}

/// Writes a sample. `last` is the state after the sample before in this chunk.
#[inline]
pub(crate) fn put(into: &mut Vec<u8>, last: &mut Last, timestamp: i64, bits: u64) {
    let (time_before, bits_before) =
        if last.count == 0 { (0, 0) } else { (last.timestamp, last.bits) };
    let distance = timestamp.wrapping_sub(time_before);
    let change = distance.wrapping_sub(i64::from(last.delta));
    if change == 0 && bits == bits_before && last.count > 0 {
        repeat(into, last);
    } else {
        let at = into.len();
        into.push(0);
        let time = put_time(into, change);
        let value = put_value(into, bits_before, bits);
        into[at] = value << 2 | time;
        last.run = false;
        // The first distance is the time itself and says nothing about the next.
        let delta = if last.count == 0 { 0 } else { distance };
        last.delta = i32::try_from(delta).unwrap_or(0);
        last.bits = bits;
    }
    last.timestamp = timestamp;
    last.count += 1;
}

#[inline]
fn repeat(into: &mut Vec<u8>, last: &mut Last) {
    if last.run
        && let Some(run) = into.last_mut()
        && *run < 63 << 2
    {
        *run += 1 << 2;
    } else {
        into.push(RUN << 2);
        last.run = true;
    }
}

#[inline]
fn put_time(into: &mut Vec<u8>, change: i64) -> u8 {
    if change == 0 {
        0
    } else if let Ok(change) = i8::try_from(change) {
        into.push(change.cast_unsigned());
        1
    } else if let Ok(change) = i16::try_from(change) {
        into.extend_from_slice(&change.to_le_bytes());
        2
    } else {
        into.extend_from_slice(&change.to_le_bytes());
        3
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 8")]
fn put_value(into: &mut Vec<u8>, before: u64, bits: u64) -> u8 {
    if bits == before {
        return SAME;
    }
    if bits == STALE_NAN_BITS {
        return STALE;
    }
    let (old, new) = (f64::from_bits(before), f64::from_bits(bits));
    if let Some(value) = varint::whole(new) {
        if let Some(old) = varint::whole(old) {
            return put_whole(into, value.wrapping_sub(old), WHOLE);
        }
        let high = high_bytes(into, bits);
        return HIGH + high;
    }
    if let (Some(new), Some(old)) = (milli(new), milli(old)) {
        let change = new.wrapping_sub(old);
        if i32::try_from(change).is_ok() {
            return put_whole(into, change, MILLI);
        }
    }
    let low = 8 - (bits ^ before).leading_zeros() as usize / 8;
    let high = 8 - bits.trailing_zeros() as usize / 8;
    if low <= high {
        into.extend_from_slice(&bits.to_le_bytes()[..low]);
        LOW + low as u8
    } else {
        HIGH + high_bytes(into, bits)
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 8")]
fn put_whole(into: &mut Vec<u8>, change: i64, code: u8) -> u8 {
    let zeros = (change ^ (change >> 63)).leading_zeros();
    let bytes = match 65 - zeros {
        0..=8 => 1,
        9..=16 => 2,
        17..=24 => 3,
        25..=32 => 4,
        _ => 8,
    };
    into.extend_from_slice(&change.to_le_bytes()[..bytes]);
    code + bytes as u8
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 8")]
fn high_bytes(into: &mut Vec<u8>, bits: u64) -> u8 {
    let count = 8 - (bits.trailing_zeros() as usize / 8).min(7);
    into.extend_from_slice(&bits.to_be_bytes()[..count]);
    count as u8
}

/// `value` in thousandths if it is exactly that many.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn milli(value: f64) -> Option<i64> {
    let scaled = value * 1000.0;
    if !(-1e12..=1e12).contains(&scaled) {
        return None;
    }
    let whole = scaled.round() as i64;
    (from_milli(whole).to_bits() == value.to_bits()).then_some(whole)
}

#[inline]
fn from_milli(value: i64) -> f64 {
    value as f64 / 1000.0
}

/// Reads a chunk, sample by sample, until its end or something that is not in the form.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    timestamp: i64,
    delta: i64,
    bits: u64,
    start: i64,
    first: bool,
    repeat: u8,
}

/// What a [`Reader`] gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) timestamp: i64,
    pub(crate) value: f64,
    pub(crate) start: i64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, timestamp: 0, delta: 0, bits: 0, start: 0, first: true, repeat: 0 }
    }

    #[inline]
    fn step(&mut self, header: u8) -> Option<()> {
        let change = match header & 3 {
            0 => 0,
            1 => i64::from(i8::from_le_bytes(varint::take_array(&mut self.bytes)?)),
            2 => i64::from(i16::from_le_bytes(varint::take_array(&mut self.bytes)?)),
            _ => i64::from_le_bytes(varint::take_array(&mut self.bytes)?),
        };
        let distance = self.delta.wrapping_add(change);
        self.timestamp = self.timestamp.wrapping_add(distance);
        self.delta = if self.first { 0 } else { i64::from(i32::try_from(distance).unwrap_or(0)) };
        self.first = false;
        let code = header >> 2;
        self.bits = match code {
            SAME => self.bits,
            1..=8 => {
                let change = self.take_signed(code)?;
                let old = varint::whole(f64::from_bits(self.bits))?;
                (old.wrapping_add(change) as f64).to_bits()
            }
            9..=12 => {
                let change = self.take_signed(code - MILLI)?;
                from_milli(milli(f64::from_bits(self.bits))?.wrapping_add(change)).to_bits()
            }
            13..=20 => {
                let (high, rest) = self.bytes.split_at_checked(usize::from(code - HIGH))?;
                self.bytes = rest;
                let mut be = [0; 8];
                be[..high.len()].copy_from_slice(high);
                u64::from_be_bytes(be)
            }
            21..=28 => {
                let (low, rest) = self.bytes.split_at_checked(usize::from(code - LOW))?;
                self.bytes = rest;
                let mut le = self.bits.to_le_bytes();
                le[..low.len()].copy_from_slice(low);
                u64::from_le_bytes(le)
            }
            STALE => STALE_NAN_BITS,
            _ => return None,
        };
        Some(())
    }

    #[inline]
    fn take_signed(&mut self, bytes: u8) -> Option<i64> {
        let (taken, rest) = self.bytes.split_at_checked(usize::from(bytes))?;
        self.bytes = rest;
        let mut le = [0; 8];
        le[..taken.len()].copy_from_slice(taken);
        let unused = 64 - 8 * u32::from(bytes);
        Some(i64::from_le_bytes(le) << unused >> unused)
    }
}

impl Iterator for Reader<'_> {
    type Item = Sample;

    #[inline]
    fn next(&mut self) -> Option<Sample> {
        if self.repeat > 0 {
            self.repeat -= 1;
            self.timestamp = self.timestamp.wrapping_add(self.delta);
        } else {
            let (&header, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            match header >> 2 {
                START => {
                    let change = varint::take_signed(&mut self.bytes)?;
                    self.start = self.start.wrapping_add(change);
                    return self.next();
                }
                RUN.. => {
                    self.repeat = (header >> 2) - RUN;
                    self.timestamp = self.timestamp.wrapping_add(self.delta);
                }
                _ => self.step(header)?,
            }
        }
        let value = f64::from_bits(self.bits);
        Some(Sample { timestamp: self.timestamp, value, start: self.start })
    }
}

/// The timestamp of a chunk's first sample.
pub(crate) fn first_timestamp(bytes: &[u8]) -> Option<i64> {
    Reader::new(bytes).next().map(|sample| sample.timestamp)
}

#[cfg(test)]
mod tests {
    use model::metric::stale_nan;
    use proptest::prelude::*;

    use super::*;

    fn check(samples: &[(i64, f64)]) -> usize {
        let (mut bytes, mut last) = (Vec::new(), Last::default());
        for &(timestamp, value) in samples {
            put(&mut bytes, &mut last, timestamp, value.to_bits());
        }
        let read: Vec<_> = Reader::new(&bytes).map(|s| (s.timestamp, s.value.to_bits())).collect();
        let expect: Vec<_> = samples.iter().map(|&(t, value)| (t, value.to_bits())).collect();
        assert_eq!(read, expect);
        bytes.len()
    }

    #[test]
    fn constants_at_a_steady_pace_take_a_byte_for_32() {
        let samples: Vec<_> = (0..1000).map(|at| (1_700_000_000_000 + at * 15_000, 3.5)).collect();
        assert!(check(&samples) < 60);
    }

    #[test]
    fn counters_and_decimals_take_few_bytes() {
        let counter: Vec<_> = (0..100).map(|at| (at * 15_000, (at * at) as f64)).collect();
        assert!(check(&counter) < 320);
        let decimal: Vec<_> = (0..100).map(|at| (at * 15_000, 20.0 + at as f64 / 1000.0)).collect();
        assert!(check(&decimal) < 250);
    }

    #[test]
    fn odd_values_come_back_bit_for_bit() {
        let odd = f64::from_bits(0x7ff8_0000_0000_1234);
        let values = [0.0, -0.0, stale_nan(), odd, 1.0, f64::MAX, 5e-324, f64::INFINITY, 0.1, 0.3];
        let samples: Vec<_> =
            values.iter().enumerate().map(|(at, &v)| (at as i64 - 4, v)).collect();
        check(&samples);
        check(&[(i64::MIN, 1.0), (0, 1.0), (i64::MAX, 2.0)]);
    }

    #[test]
    fn start_timestamps_hold_until_they_change() {
        let (mut bytes, mut last) = (Vec::new(), Last::default());
        put_start(&mut bytes, &mut last, 0, 500);
        put(&mut bytes, &mut last, 1000, 1);
        put(&mut bytes, &mut last, 2000, 1);
        put_start(&mut bytes, &mut last, 500, 0);
        put(&mut bytes, &mut last, 3000, 1);
        let starts: Vec<_> = Reader::new(&bytes).map(|s| (s.timestamp, s.start)).collect();
        assert_eq!(starts, [(1000, 500), (2000, 500), (3000, 0)]);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(
            samples in prop::collection::vec((any::<i64>(), any::<u64>(), 0..4u8), 0..200),
        ) {
            let mut time = 0i64;
            let mut value = 0.0f64;
            let samples: Vec<_> = samples.into_iter().map(|(step, bits, kind)| {
                let small = (bits % 2000) as f64;
                (time, value) = match kind {
                    0 => (time.wrapping_add(15_000), value),
                    1 => (time.wrapping_add(15_000 + step % 6), value + small),
                    2 => (time.wrapping_add(step % 100_000), small / 1000.0),
                    _ => (step, f64::from_bits(bits)),
                };
                (time, value)
            }).collect();
            check(&samples);
        }

        #[test]
        fn reading_rubbish_ends(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Reader::new(&bytes).count() <= bytes.len() * 32);
        }
    }
}
