//! Whole numbers in as few bits as the largest of 128 needs.

use super::Damaged;
use super::bytes::{Cursor, put_varint};

/// Numbers that share a width.
const GROUP: usize = 128;

/// The widest that is packed; wider ones take 64 bits.
const WIDTH_MAX: u32 = 56;

fn width_of(max: u64) -> u32 {
    let width = 64 - max.leading_zeros();
    if width > WIDTH_MAX { 64 } else { width }
}

fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

/// Appends `values`; their number is not stored.
pub(crate) fn encode(values: &[u64], into: &mut Vec<u8>) {
    for group in values.chunks(GROUP) {
        let min = group.iter().copied().min().unwrap_or(0);
        let max = group.iter().copied().max().unwrap_or(0);
        let width = width_of(max - min);
        into.push(u8::try_from(width).unwrap_or(64));
        put_varint(into, min);
        pack(group, min, width, into);
    }
}

fn pack(group: &[u64], min: u64, width: u32, into: &mut Vec<u8>) {
    let mut held = 0u128;
    let mut bits = 0u32;
    for &value in group {
        held |= u128::from(value - min) << bits;
        bits += width;
        while bits >= 8 {
            into.push((held & 0xff) as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        into.push((held & 0xff) as u8);
    }
}

/// Appends the first `wanted` of `count` numbers.
pub(crate) fn decode(
    bytes: &[u8],
    count: usize,
    wanted: usize,
    into: &mut Vec<u64>,
) -> Result<(), Damaged> {
    let mut cursor = Cursor::new(bytes);
    let mut at = 0;
    while at < wanted {
        let len = GROUP.min(count - at);
        let width = u32::from(cursor.byte()?);
        if width > WIDTH_MAX && width != 64 {
            return Err(Damaged("packed width is out of range"));
        }
        let min = cursor.varint()?;
        let packed = cursor.take((len * width as usize).div_ceil(8))?;
        unpack(packed, cursor.rest(), min, width, len.min(wanted - at), into);
        at += len;
    }
    Ok(())
}

/// `behind` is what follows `packed` in memory.
fn unpack(packed: &[u8], behind: &[u8], min: u64, width: u32, len: usize, into: &mut Vec<u64>) {
    if width == 0 {
        into.resize(into.len() + len, min);
        return;
    }
    if width == 64 {
        let words = packed.chunks_exact(8).take(len);
        into.extend(words.map(|word| min.wrapping_add(word_at(word, 0))));
        return;
    }
    // A copy with eight bytes of room behind it, so that every number can be read as one word.
    let mut room = [0u8; GROUP * 7 + 8];
    let mask = mask(width);
    let bytes = if behind.len() >= 8 || room.len() < packed.len() + 8 {
        None
    } else {
        room[..packed.len()].copy_from_slice(packed);
        Some(&room[..packed.len() + 8])
    };
    let start = into.len();
    into.resize(start + len, 0);
    let width = width as usize;
    let source = bytes.unwrap_or(packed);
    for (index, slot) in into[start..].iter_mut().enumerate() {
        let bit = index * width;
        let word = match source.get(bit / 8..bit / 8 + 8) {
            Some(word) => word_at(word, 0),
            None => word_at_end(source, behind, bit / 8),
        };
        *slot = min.wrapping_add((word >> (bit % 8)) & mask);
    }
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// A word of which a part lies behind the packed bytes.
#[cold]
fn word_at_end(packed: &[u8], behind: &[u8], at: usize) -> u64 {
    let mut word = [0u8; 8];
    let rest = packed.get(at..).unwrap_or(&[]);
    for (slot, &byte) in word.iter_mut().zip(rest.iter().chain(behind)) {
        *slot = byte;
    }
    u64::from_le_bytes(word)
}
