//! What every part of the decoder needs: the body, the limits, the text made here, the report.

use arrow_array::builder::make_view;
use model::{Scope, Table};

use crate::limits::Limits;
use crate::report::{Place, Reason, Report};
use crate::wire::{Problem, Read};

/// Which buffer of a string column a view points into.
const BODY: u32 = 0;
const SCRATCH: u32 = 1;

#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) table: Table,
    pub(crate) body: &'a [u8],
    pub(crate) limits: &'a Limits,
    /// Text that is not in the body as such: hexadecimal ids, JSON, numbers as text.
    pub(crate) scratch: Vec<u8>,
    pub(crate) report: Report,
    /// The record that is being read.
    pub(crate) place: Place,
    /// How many rows there may be: what columns make room for.
    pub(crate) rows_max: usize,
    /// How many attribute columns may still be opened.
    pub(crate) columns_left: usize,
    /// Checks all text at once. Normally Arrow checks a column when it is complete, which is
    /// quicker, but cannot say where in the request the bad text was; then the request is decoded
    /// again with this.
    pub(crate) check_text: bool,
}

impl<'a> Context<'a> {
    pub(crate) fn add(&mut self, reason: Reason) {
        self.add_many(reason, 1);
    }

    pub(crate) fn add_many(&mut self, reason: Reason, count: usize) {
        if count > 0 {
            self.report.add(reason, count as u64, self.place);
        }
    }

    /// A view of `text`, which must be a part of the body, or short: views of up to 12 bytes hold
    /// the text itself.
    #[inline]
    pub(crate) fn view(&self, text: &[u8]) -> u128 {
        let offset = text.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        #[expect(clippy::cast_possible_truncation, reason = "bodies are under 2 GiB")]
        make_view(text, BODY, offset as u32)
    }

    /// A view of text in the body, cut to `bytes_max`.
    #[inline]
    pub(crate) fn text(&mut self, text: &'a [u8], bytes_max: usize) -> Read<u128> {
        let text = if text.len() > bytes_max { self.cut(text, bytes_max) } else { text };
        if self.check_text {
            checked(text)?;
        }
        Ok(self.view(text))
    }

    /// The beginning of `text`, at most `bytes_max` long, ending between two characters.
    #[cold]
    pub(crate) fn cut(&mut self, text: &'a [u8], bytes_max: usize) -> &'a [u8] {
        self.add(Reason::ValueLength);
        let mut end = bytes_max;
        while end > 0 && bytes_max - end < 3 && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        &text[..end]
    }

    /// A view of what was written to the scratch buffer since `start`.
    #[inline]
    pub(crate) fn scratch_view(&self, start: usize) -> u128 {
        self.scratch_range_view(start, self.scratch.len())
    }

    /// A view of a part of the scratch buffer.
    #[inline]
    pub(crate) fn scratch_range_view(&self, start: usize, end: usize) -> u128 {
        #[expect(clippy::cast_possible_truncation, reason = "the scratch buffer is under 2 GiB")]
        make_view(&self.scratch[start..end], SCRATCH, start as u32)
    }

    /// How large the scratch buffer may become. What is made from a body is about as large as the
    /// body, a few times for tiny events; only a body made for it goes beyond this.
    pub(crate) fn scratch_bytes_max(&self) -> usize {
        (6 * self.body.len() + (1 << 20)).min(i32::MAX as usize)
    }

    pub(crate) fn is_scratch_full(&self) -> bool {
        self.scratch.len() > self.scratch_bytes_max()
    }
}

/// Text, when it is UTF-8.
pub(crate) fn checked(text: &[u8]) -> Read<&str> {
    simdutf8::basic::from_utf8(text).map_err(|_| Problem::NotUtf8.fault())
}

/// Where attributes of a scope sit in the messages, for paths.
pub(crate) fn path_of(scope: Scope) -> &'static str {
    match scope {
        Scope::Attributes => "attributes",
        Scope::Resource => "resource.attributes",
        Scope::Scope => "scope.attributes",
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `N` bytes as hexadecimal digits, written behind `out`.
#[inline]
pub(crate) fn push_hex<const N: usize>(out: &mut Vec<u8>, id: &[u8; N]) {
    let mut digits = [[0_u8; 2]; N];
    for (pair, &byte) in digits.iter_mut().zip(id) {
        *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    }
    out.extend_from_slice(digits.as_flattened());
}

/// Any number of bytes as hexadecimal digits.
pub(crate) fn push_hex_any(out: &mut Vec<u8>, id: &[u8]) {
    for &byte in id {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}
