//! The protobuf wire format, read in place.
//!
//! A [`Reader`] walks over a message's fields and hands out slices of it: nothing is copied or
//! allocated. It never reads outside its slice and never panics; what does not parse is a
//! [`Fault`], to which callers add the path on the way up.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>.

use std::fmt;

/// Result of reading. Faults are boxed: they are rare, and results stay small.
pub(crate) type Read<T> = Result<T, Box<Fault>>;

/// Something that does not parse, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    problem: Problem,
    /// Innermost first.
    path: Vec<(&'static str, Option<usize>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    Truncated {
        needed: u64,
        left: usize,
    },
    VarintTooLong,
    FieldNumber,
    WireType(u8),
    UnexpectedType {
        field: u32,
        wire_type: &'static str,
    },
    Group,
    NotUtf8,
    /// More elements than are read at once; said by who reads them.
    TooMany {
        what: &'static str,
        max: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Truncated { needed, left } => {
                write!(f, "{needed} bytes needed, {left} left")
            }
            Problem::VarintTooLong => f.write_str("variable-length integer is over 64 bits"),
            Problem::FieldNumber => f.write_str("field number is 0 or over 2^29"),
            Problem::WireType(wire_type) => write!(f, "wire type {wire_type} does not exist"),
            Problem::UnexpectedType { field, wire_type } => {
                write!(f, "field {field} is of type {wire_type}")
            }
            Problem::Group => f.write_str("group is not closed, or closed without being open"),
            Problem::NotUtf8 => f.write_str("text is not UTF-8"),
            Problem::TooMany { what, max } => write!(f, "more than {max} {what}"),
        }
    }
}

impl Problem {
    #[cold]
    pub(crate) fn fault(self) -> Box<Fault> {
        Box::new(Fault { problem: self, path: Vec::new() })
    }
}

impl Fault {
    /// Says that the fault lies inside `field`.
    #[cold]
    pub(crate) fn in_field(mut self: Box<Fault>, field: &'static str) -> Box<Fault> {
        self.path.push((field, None));
        self
    }

    /// Says that the fault lies inside the element `index` of `field`.
    #[cold]
    pub(crate) fn in_element(
        mut self: Box<Fault>,
        field: &'static str,
        index: usize,
    ) -> Box<Fault> {
        self.path.push((field, Some(index)));
        self
    }

    /// `resource_spans[0].scope_spans[0].spans[3].trace_id`; empty for the message itself.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for (field, index) in self.path.iter().rev() {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(field);
            if let Some(index) = index {
                path.push_str(&format!("[{index}]"));
            }
        }
        path
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }
}

/// A field's value as the wire has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl Field<'_> {
    /// The error for a known field that comes as another type.
    #[cold]
    pub(crate) fn unexpected(&self, field: u32) -> Box<Fault> {
        let wire_type = match self {
            Field::Varint(_) => "varint",
            Field::Fixed64(_) => "fixed64",
            Field::Bytes(_) => "bytes",
            Field::Fixed32(_) => "fixed32",
        };
        Problem::UnexpectedType { field, wire_type }.fault()
    }
}

/// Walks over the fields of one message.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Read<Option<(u32, Field<'a>)>> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let (number, wire_type) = self.tag()?;
            let field = match wire_type {
                0 => Field::Varint(self.varint()?),
                1 => Field::Fixed64(u64::from_le_bytes(self.fixed()?)),
                2 => Field::Bytes(self.bytes()?),
                5 => Field::Fixed32(u32::from_le_bytes(self.fixed()?)),
                3 => {
                    self.skip_group(number)?;
                    continue;
                }
                4 => return Err(Problem::Group.fault()),
                other => return Err(Problem::WireType(other).fault()),
            };
            return Ok(Some((number, field)));
        }
    }

    /// A message with its length in front, and what comes behind it.
    pub(crate) fn delimited(bytes: &'a [u8]) -> Read<(&'a [u8], &'a [u8])> {
        let mut reader = Reader::new(bytes);
        let message = reader.bytes()?;
        Ok((message, reader.rest))
    }

    /// The next value of packed varints; `None` at the end.
    #[inline]
    pub(crate) fn next_varint(&mut self) -> Read<Option<u64>> {
        if self.rest.is_empty() { Ok(None) } else { self.varint().map(Some) }
    }

    #[inline]
    fn tag(&mut self) -> Read<(u32, u8)> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > FIELD_NUMBER_MAX {
            return Err(Problem::FieldNumber.fault());
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above; three bits")]
        Ok((number as u32, (tag & 7) as u8))
    }

    #[inline]
    fn varint(&mut self) -> Read<u64> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(u64::from(a))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(u64::from(a & 0x7f) | u64::from(b) << 7)
            }
            _ => self.varint_long(),
        }
    }

    #[inline(never)]
    fn varint_long(&mut self) -> Read<u64> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if index == 9 && byte > 1 {
                    break;
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < 10 {
            let left = self.rest.len();
            return Err(Problem::Truncated { needed: left as u64 + 1, left }.fault());
        }
        Err(Problem::VarintTooLong.fault())
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((value, rest)) => {
                self.rest = rest;
                Ok(*value)
            }
            None => Err(truncated(N as u64, self.rest)),
        }
    }

    #[inline]
    fn bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.varint()?;
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        match split {
            Some((value, rest)) => {
                self.rest = rest;
                Ok(value)
            }
            None => Err(truncated(len, self.rest)),
        }
    }

    /// Skips a group, a relic that only unknown fields can be. Groups nest, so the open ones are
    /// counted; their numbers are checked for the outermost alone.
    fn skip_group(&mut self, number: u32) -> Read<()> {
        let mut open = 1_usize;
        while open > 0 {
            if self.rest.is_empty() {
                return Err(Problem::Group.fault());
            }
            let (inner, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.fixed::<8>()?),
                2 => drop(self.bytes()?),
                5 => drop(self.fixed::<4>()?),
                3 => open += 1,
                4 => {
                    open -= 1;
                    if open == 0 && inner != number {
                        return Err(Problem::Group.fault());
                    }
                }
                other => return Err(Problem::WireType(other).fault()),
            }
        }
        Ok(())
    }
}

#[cold]
fn truncated(needed: u64, rest: &[u8]) -> Box<Fault> {
    Problem::Truncated { needed, left: rest.len() }.fault()
}

/// Writes messages: the other direction, for transcoding and for the few answers there are.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

/// Where an open message's content starts.
#[derive(Debug)]
#[must_use = "a message that was opened has to be closed"]
pub(crate) struct Open(usize);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes) }
    }

    /// How many bytes were written.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, 0);
        self.raw_varint(value);
    }

    pub(crate) fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, 5);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.tag(number, 2);
        self.raw_varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A value inside packed ones, which are opened as a message is.
    pub(crate) fn packed_varint(&mut self, value: u64) {
        self.raw_varint(value);
    }

    /// The same of 8 bytes.
    pub(crate) fn packed_fixed64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Starts a message inside this one, to be ended by [`Writer::close`].
    pub(crate) fn open(&mut self, number: u32) -> Open {
        self.tag(number, 2);
        self.out.push(0);
        Open(self.out.len())
    }

    /// Ends a message: its length is put in front of it, which moves it when that takes more than
    /// the one byte left for it.
    #[expect(clippy::needless_pass_by_value, reason = "a message is closed once")]
    pub(crate) fn close(&mut self, open: Open) {
        let Open(start) = open;
        let end = self.out.len();
        self.raw_varint((end - start) as u64);
        let len_bytes = self.out.len() - end;
        if len_bytes == 1 {
            let len = self.out.pop().expect("just written");
            self.out[start - 1] = len;
            return;
        }
        let mut len = [0; 10];
        len[..len_bytes].copy_from_slice(&self.out[end..]);
        self.out.copy_within(start..end, start - 1 + len_bytes);
        self.out[start - 1..start - 1 + len_bytes].copy_from_slice(&len[..len_bytes]);
        self.out.truncate(end - 1 + len_bytes);
    }

    /// Forgets a message that was opened as field `number` and has no content.
    #[expect(clippy::needless_pass_by_value, reason = "a message is closed once")]
    pub(crate) fn take_back(&mut self, open: Open, number: u32) {
        let Open(start) = open;
        assert_eq!(start, self.out.len(), "only what is still empty can be taken back");
        let tag_bytes = if number < 16 { 1 } else { 2 };
        self.out.truncate(start - 1 - tag_bytes);
    }

    fn tag(&mut self, number: u32, wire_type: u8) {
        self.raw_varint(u64::from(number) << 3 | u64::from(wire_type));
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked by the loop")]
        self.out.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, Field<'_>)>, String> {
        let mut reader = Reader::new(message);
        let mut fields = Vec::new();
        while let Some(field) = reader.next().map_err(|fault| fault.problem.to_string())? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn every_wire_type_is_read() {
        let mut writer = Writer::default();
        writer.varint(1, u64::MAX);
        writer.varint(2, 300);
        writer.fixed64(3, 7);
        writer.fixed32(16, 8);
        writer.bytes(5, b"abc");
        assert_eq!(
            read(&writer.finish()),
            Ok(vec![
                (1, Field::Varint(u64::MAX)),
                (2, Field::Varint(300)),
                (3, Field::Fixed64(7)),
                (16, Field::Fixed32(8)),
                (5, Field::Bytes(b"abc")),
            ])
        );
    }

    #[test]
    fn groups_are_skipped() {
        // Field 1 is a group with field 2, which is one too; then field 3 with the value 5.
        let message = [0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x18, 0x05];
        assert_eq!(read(&message), Ok(vec![(3, Field::Varint(5))]));
    }

    #[test]
    fn what_does_not_parse_is_named() {
        let check = |message: &[u8], expected: &str| {
            assert_eq!(read(message), Err(expected.to_owned()), "{message:x?}");
        };
        check(&[0x0a, 0x05, b'a'], "5 bytes needed, 1 left");
        check(&[0x09, 0x05], "8 bytes needed, 1 left");
        check(&[0x0d], "4 bytes needed, 0 left");
        check(&[0x08], "1 bytes needed, 0 left");
        check(&[0x08, 0x80, 0x80], "3 bytes needed, 2 left");
        check(&[0x00, 0x01], "field number is 0 or over 2^29");
        check(&[0x0f], "wire type 7 does not exist");
        check(&[0x0b, 0x08, 0x01], "group is not closed, or closed without being open");
        check(&[0x0b, 0x14], "group is not closed, or closed without being open");
        check(&[0x0c], "group is not closed, or closed without being open");
        let too_long = [&[0x08][..], &[0xff; 10]].concat();
        check(&too_long, "variable-length integer is over 64 bits");
        let over_64_bits = [&[0x08][..], &[0xff; 9], &[0x02]].concat();
        check(&over_64_bits, "variable-length integer is over 64 bits");
        let huge_length = [&[0x0a][..], &[0xff; 9], &[0x01]].concat();
        check(&huge_length, "18446744073709551615 bytes needed, 0 left");
    }

    #[test]
    fn messages_are_closed_with_the_shortest_length() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let content = vec![b'x'; len];
            let mut writer = Writer::default();
            let open = writer.open(1);
            writer.bytes(2, &content);
            writer.close(open);
            writer.varint(3, 1);
            let message = writer.finish();
            let fields = read(&message).expect("well-formed");
            let [(1, Field::Bytes(inner)), (3, Field::Varint(1))] = fields[..] else {
                panic!("{fields:?}")
            };
            assert_eq!(read(inner), Ok(vec![(2, Field::Bytes(&content))]));
        }
    }
}
