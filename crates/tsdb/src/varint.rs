//! Numbers of few bytes, in the log and in open chunks.

/// Writes `value` in 7-bit groups, lowest first.
pub(crate) fn put(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push((value & 0x7f) as u8);
}

/// Reads what [`put`] wrote from the front of `bytes`.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    let mut value = u64::from(first & 0x7f);
    for (at, &byte) in rest.iter().enumerate().take(9) {
        let shift = 7 * (at + 1);
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            if shift == 63 && byte > 1 {
                return None;
            }
            *bytes = &rest[at + 1..];
            return Some(value);
        }
    }
    None
}

/// Writes a number of either sign; small ones of both take few bytes.
pub(crate) fn put_signed(into: &mut Vec<u8>, value: i64) {
    put(into, zigzag(value));
}

/// Reads what [`put_signed`] wrote.
#[inline]
pub(crate) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    take(bytes).map(unzigzag)
}

/// Writes a length and bytes.
pub(crate) fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Reads what [`put_bytes`] wrote.
pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// Reads a text that [`put_bytes`] wrote.
pub(crate) fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(bytes)?).ok()
}

/// Reads `N` bytes.
#[inline]
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*array)
}

/// Writes a float: whole numbers in few bytes, others as they are.
pub(crate) fn put_float(into: &mut Vec<u8>, value: f64) {
    match whole(value) {
        Some(whole) => put(into, zigzag(whole) << 1),
        None => {
            into.push(1);
            into.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }
}

/// Reads what [`put_float`] wrote.
pub(crate) fn take_float(bytes: &mut &[u8]) -> Option<f64> {
    let head = take(bytes)?;
    if head & 1 == 0 {
        return Some(unzigzag(head >> 1) as f64);
    }
    take_array(bytes).map(|bits| f64::from_bits(u64::from_le_bytes(bits)))
}

/// The most that a whole number may be away from zero to be treated as one: exact in a float, and
/// differences of two fit easily.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// `value` as a whole number, if it is one, bit for bit (so -0 is none).
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn whole(value: f64) -> Option<i64> {
    if !(-WHOLE_MAX..=WHOLE_MAX).contains(&value) {
        return None;
    }
    let whole = value as i64;
    ((whole as f64).to_bits() == value.to_bits()).then_some(whole)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut bytes = Vec::new();
        let signed = [0, 1, -1, 63, -64, 64, 1 << 40, i64::MAX, i64::MIN];
        let floats = [0.0, -0.0, 1.5, -3.0, 9e15, 1e300, f64::NAN, f64::INFINITY];
        for value in signed {
            put_signed(&mut bytes, value);
            put(&mut bytes, value.cast_unsigned());
        }
        for value in floats {
            put_float(&mut bytes, value);
        }
        put_bytes(&mut bytes, b"text");
        let mut rest = bytes.as_slice();
        for value in signed {
            assert_eq!(take_signed(&mut rest), Some(value));
            assert_eq!(take(&mut rest), Some(value.cast_unsigned()));
        }
        for value in floats {
            assert_eq!(take_float(&mut rest).map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(take_text(&mut rest), Some("text"));
        assert_eq!(take(&mut rest), None);
        assert_eq!(take(&mut [0xff; 20].as_slice()), None);
    }
}
