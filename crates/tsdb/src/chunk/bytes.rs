//! Numbers in bytes: LEB128 varints, zigzag for signed ones, and a cursor that never runs past the
//! end.

use super::Damaged;

/// Maps signed numbers so that small ones of either sign are small.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Appends a varint.
pub(crate) fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    into.push(low_byte(value));
}

/// Appends a signed varint.
pub(crate) fn put_signed(into: &mut Vec<u8>, value: i64) {
    put_varint(into, zigzag(value));
}

/// Appends a length or count.
pub(crate) fn put_len(into: &mut Vec<u8>, len: usize) {
    put_varint(into, len as u64);
}

/// Appends bytes with their length before them.
pub(crate) fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_len(into, bytes.len());
    into.extend_from_slice(bytes);
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is what is wanted")]
fn low_byte(value: u64) -> u8 {
    value as u8
}

/// Reads from the front of bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (&byte, rest) = self.rest.split_first().ok_or(Damaged("bytes end early"))?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Damaged("bytes end early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        let mut shift = 0u32;
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 63 {
                return Err(Damaged("varint is too long"));
            }
        }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        Ok(unzigzag(self.varint()?))
    }

    /// A length or count of at most `max`.
    pub(crate) fn len(&mut self, max: usize) -> Result<usize, Damaged> {
        let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if len > max { Err(Damaged("length is out of range")) } else { Ok(len) }
    }

    /// What [`put_bytes`] wrote.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.len(self.rest.len())?;
        self.take(len)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damaged> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| Damaged("bytes end early"))?))
    }
}
