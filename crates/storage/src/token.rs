//! Token filters: which words cannot be in a stretch of rows. See `docs/formats/token-filter.md`.
//!
//! A filter is a split-block Bloom filter over the hashes of the tokens ([`model::token`]) of some
//! columns in one granule of rows. It never says no to a token that is there. It is built without
//! a set of the tokens: all go into one large filter, which is then folded to the size that its
//! fill asks for, so that repeated words cost no memory and the size fits the number of distinct
//! ones.

use arrow_array::{Array, StringViewArray};

pub(crate) mod pattern;

/// Bytes of a block: eight words of 32 bits.
pub(crate) const BLOCK_BYTES: usize = 32;

/// Blocks of the filter that tokens are put in at first. It has many divisors, and each is a
/// possible fold. At 9 bits a token it holds 790,000 distinct tokens; with more the filter gets
/// less selective, never wrong.
const BLOCKS_MAX: usize = 27_720;

/// Folding stops before the share of set bits passes this. With 60 % of the bits set a token takes
/// 8.7 bits, and eight probes let 1.7 to 2.5 % of the other tokens through.
const FILL_MAX: f64 = 0.6;

/// The odd multipliers of Parquet's split-block Bloom filter.
const SALT: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// 2^64 divided by the golden ratio, made odd.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that a hash takes in at once.
const STEP: usize = 8;

/// Calls `each` with the hash of the tokens of `text`.
///
/// The long s and the Kelvin sign are hashed as `s` and `k`, because `ILIKE` takes them for these.
/// Tokens of four bytes with a digit are left out: three of the five parts of a UUID are such, they
/// would take half of the space, and few stretches of rows lack one.
pub(crate) fn hash_tokens(text: &str, each: impl FnMut(u64)) {
    hash_folded(fold(text, &mut Vec::new()), each);
}

/// The bytes of `text` as they are hashed: ASCII letters in lower case, 0 for separators, and so
/// many zeros at the end that the last token can be read in whole steps.
fn fold<'a>(text: &str, folded: &'a mut Vec<u8>) -> &'a [u8] {
    folded.clear();
    let bytes = text.as_bytes();
    let special = bytes.iter().fold(false, |any, &byte| any | (byte == 0xc5) | (byte == 0xe2));
    if special {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let (byte, after) = fold_to_ascii(rest).unwrap_or((fold_byte(byte), after));
            folded.push(byte);
            rest = after;
        }
    } else {
        folded.extend(bytes.iter().map(|&byte| fold_byte(byte)));
    }
    folded.extend([0; STEP]);
    folded
}

/// A byte as it is hashed: what [`model::token::is_token_byte`] says, without branches, so that
/// the compiler does many at once.
fn fold_byte(byte: u8) -> u8 {
    let upper = byte.wrapping_sub(b'A') < 26;
    let lower = byte | (u8::from(upper) << 5);
    let letter = lower.wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let token = letter | digit | (byte == b'_') | (byte >= 0x80);
    lower & u8::from(token).wrapping_neg()
}

/// The hashes of the tokens that stand between zeros. A token has no zero in it, so steps of eight
/// bytes, the last one filled up with zeros, say what it is, its length included.
fn hash_folded(folded: &[u8], mut each: impl FnMut(u64)) {
    const LOW: u64 = u64::from_ne_bytes([0x01; STEP]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; STEP]);
    let mut hash = 0_u64;
    let mut at = 0;
    let mut len = 0;
    let mut has_digit = false;
    while let Some(&bytes) = folded.get(at..).and_then(<[u8]>::first_chunk::<STEP>) {
        let word = u64::from_le_bytes(bytes);
        // The lowest bit that is set marks the first zero byte.
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros == 0 {
            hash = step(hash, word);
            len += STEP;
            at += STEP;
            continue;
        }
        let count = zeros.trailing_zeros() / 8;
        if count > 0 {
            let rest = word & ((1 << (count * 8)) - 1);
            if len == 0 && count == 4 {
                has_digit = bytes[..4].iter().any(u8::is_ascii_digit);
            }
            hash = step(hash, rest);
        }
        len += count as usize;
        if len > 0 && !has_digit {
            each(mix(hash));
        }
        (hash, len, has_digit) = (0, 0, false);
        at += count as usize + 1;
    }
}

fn step(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 32)
}

/// `ſ` and `K` at the start of `bytes`: their ASCII equals, and what follows them.
fn fold_to_ascii(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [0xc5, 0xbf, after @ ..] => Some((b's', after)),
        [0xe2, 0x84, 0xaa, after @ ..] => Some((b'k', after)),
        _ => None,
    }
}

fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The block of a filter of `blocks` blocks that a token's bits are in.
pub(crate) fn block_index(hash: u64, blocks: usize) -> usize {
    let scaled = ((hash >> 32) * blocks as u64) >> 32;
    usize::try_from(scaled).expect("less than the number of blocks")
}

/// The bits of a token in its block.
fn mask(hash: u64) -> [u32; 8] {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    let low = hash as u32;
    SALT.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

/// Whether the token may be in the filter whose block this is.
pub(crate) fn may_contain(block: &[u8], hash: u64) -> bool {
    let (words, _) = block.as_chunks::<4>();
    words.len() == SALT.len()
        && mask(hash).iter().zip(words).all(|(bit, word)| u32::from_le_bytes(*word) & bit != 0)
}

/// Tokens that are put in together: their blocks are far apart in memory, and the processor fetches
/// several at a time when nothing stands between.
const TOGETHER: usize = 256;

/// Collects the tokens of a granule.
#[derive(Debug)]
pub(crate) struct Builder {
    blocks: Vec<[u32; 8]>,
    /// Values of the column at hand that were taken lately, by their views.
    recent: Box<[u128; 256]>,
    seen: Seen,
    /// Hashes that are not in the blocks yet.
    pending: Vec<u64>,
    folded: Vec<u8>,
    empty: bool,
}

/// Tokens of this granule that were taken lately. Most words of a log line are those of the line
/// before, and this is smaller than the blocks and nearer to the processor.
#[derive(Debug)]
struct Seen(Box<[u64; 1024]>);

impl Seen {
    fn new() -> Seen {
        let mut seen = Seen(Box::new([0; 1024]));
        seen.clear();
        seen
    }

    fn clear(&mut self) {
        self.0.fill(0);
        // In each place stands a hash that does not belong there.
        self.0[0] = u64::MAX;
    }

    /// Whether it was certainly taken before; it is noted.
    fn has(&mut self, hash: u64) -> bool {
        let place = usize::try_from(hash >> 54).expect("ten bits");
        std::mem::replace(&mut self.0[place], hash) == hash
    }
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            blocks: vec![[0; 8]; BLOCKS_MAX],
            recent: Box::new([0; 256]),
            seen: Seen::new(),
            pending: Vec::with_capacity(TOGETHER),
            folded: Vec::new(),
            empty: true,
        }
    }

    /// Takes the tokens of every value. Values that repeat are read once.
    pub(crate) fn add_column(&mut self, values: &StringViewArray) {
        self.recent.fill(0);
        for row in 0..values.len() {
            let view = values.views()[row];
            // Views are equal when the values are (short ones) or lie in the same place.
            let slot = &mut self.recent[recent_slot(view)];
            if view == 0 || *slot == view || values.is_null(row) {
                continue;
            }
            *slot = view;
            self.add_text(values.value(row));
        }
    }

    pub(crate) fn add_text(&mut self, text: &str) {
        let Builder { blocks, seen, pending, folded, .. } = self;
        hash_folded(fold(text, folded), |hash| {
            if seen.has(hash) {
                return;
            }
            if pending.len() == TOGETHER {
                put(blocks, pending);
            }
            pending.push(hash);
        });
        self.empty &= self.pending.is_empty();
    }

    /// The filter's bytes, of no token at all none; the builder is empty after that.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        if self.empty {
            return Vec::new();
        }
        put(&mut self.blocks, &mut self.pending);
        let merged = fold_factor(&self.blocks);
        let mut bytes = Vec::with_capacity(BLOCKS_MAX / merged * BLOCK_BYTES);
        for group in self.blocks.chunks_exact(merged) {
            let mut folded = [0_u32; 8];
            for block in group {
                for (word, bits) in folded.iter_mut().zip(block) {
                    *word |= bits;
                }
            }
            bytes.extend(folded.iter().flat_map(|word| word.to_le_bytes()));
        }
        self.blocks.fill([0; 8]);
        self.seen.clear();
        self.empty = true;
        bytes
    }
}

/// Puts the hashes into their blocks.
fn put(blocks: &mut [[u32; 8]], hashes: &mut Vec<u64>) {
    for hash in hashes.drain(..) {
        let block = &mut blocks[block_index(hash, BLOCKS_MAX)];
        for (word, bit) in block.iter_mut().zip(mask(hash)) {
            *word |= bit;
        }
    }
}

/// How many neighbouring blocks may become one. When `f` of the bits are set, `1 - (1 - f)^m` are
/// after merging `m` blocks.
fn fold_factor(blocks: &[[u32; 8]]) -> usize {
    let set: u64 = blocks.iter().flatten().map(|word| u64::from(word.count_ones())).sum();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let fill = set as f64 / (blocks.len() * BLOCK_BYTES * 8) as f64;
    let merged_max = (1.0 - FILL_MAX).ln() / (1.0 - fill).ln();
    (1..=blocks.len())
        .rev()
        .filter(|merged| blocks.len().is_multiple_of(*merged))
        .find(|&merged| {
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let merged = merged as f64;
            merged <= merged_max
        })
        .unwrap_or(1)
}

fn recent_slot(view: u128) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "folding two halves into a hash")]
    let halves = (view as u64) ^ ((view >> 64) as u64).rotate_left(17);
    let hash = halves.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    usize::try_from(hash).expect("eight bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes(text: &str) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash_tokens(text, |hash| hashes.push(hash));
        hashes
    }

    fn filter_has(filter: &[u8], hash: u64) -> bool {
        let blocks = filter.len() / BLOCK_BYTES;
        if blocks == 0 {
            return false;
        }
        let start = block_index(hash, blocks) * BLOCK_BYTES;
        may_contain(&filter[start..start + BLOCK_BYTES], hash)
    }

    #[test]
    fn case_of_ascii_and_the_two_letters_that_ilike_folds_are_one() {
        assert_eq!(hashes("Error TIMEOUT"), hashes("error, timeout"));
        assert_eq!(hashes("ri\u{17f}k"), hashes("risk"));
        assert_eq!(hashes("ris\u{212a}"), hashes("risk"));
        assert_ne!(hashes("Ä"), hashes("ä"));
        assert_eq!(hashes(" ").len(), 0);
    }

    #[test]
    fn bytes_of_tokens_are_those_of_the_vocabulary() {
        for byte in 0..=u8::MAX {
            let token = model::token::is_token_byte(byte);
            assert_eq!(fold_byte(byte), if token { byte.to_ascii_lowercase() } else { 0 });
        }
    }

    #[test]
    fn a_hash_is_new_when_it_comes_first() {
        let mut seen = Seen::new();
        for hash in [0, u64::MAX, 1 << 54, 1] {
            assert!(!seen.has(hash), "{hash}");
            assert!(seen.has(hash), "{hash}");
        }
        seen.clear();
        assert!(!seen.has(0) && !seen.has(u64::MAX));
    }

    #[test]
    fn the_short_parts_of_a_uuid_are_left_out() {
        assert_eq!(hashes("550e8400-e29b-41d4-a716-446655440000").len(), 2);
        assert_eq!(hashes("8080 word 404 \u{212a}7a1"), hashes("word 404"));
    }

    #[test]
    fn hashes_are_those_of_the_format_document() {
        assert_eq!(hashes("timeout"), [0x25b2_e25c_adff_869a]);
        assert_eq!(hashes("Internationalisation"), [0xc635_8cae_b102_f7fc]);
    }

    #[test]
    fn a_filter_has_the_size_of_its_tokens_and_few_false_positives() {
        for count in [1_usize, 100, 5_000, 200_000] {
            let mut builder = Builder::new();
            for n in 0..count {
                builder.add_text(&format!("token{n} common words 7f3a"));
            }
            let filter = builder.finish();
            for n in 0..count {
                for hash in hashes(&format!("TOKEN{n}")) {
                    assert!(filter_has(&filter, hash), "token{n} of {count} is lost");
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let bits = (filter.len() * 8) as f64 / (count + 2) as f64;
            assert!(count < 100 || (8.0..13.0).contains(&bits), "{bits} bits for {count}");
            let others = 100_000;
            let passed = (0..others)
                .filter(|n| filter_has(&filter, hashes(&format!("other{n}"))[0]))
                .count();
            assert!(passed < others / 30, "{passed} of {others} pass with {count}");
        }
    }

    #[test]
    fn a_builder_is_empty_after_finish() {
        let mut builder = Builder::new();
        builder.add_text("a");
        assert_eq!(builder.finish().len(), BLOCK_BYTES);
        assert_eq!(builder.finish().len(), 0);
    }

    proptest! {
        #[test]
        fn no_token_of_a_column_is_ever_missed(
            texts in prop::collection::vec(prop::option::of(".{0,40}"), 0..200)
        ) {
            let mut builder = Builder::new();
            builder.add_column(&texts.iter().map(|t| t.as_deref()).collect::<StringViewArray>());
            let filter = builder.finish();
            for text in texts.iter().flatten() {
                for hash in hashes(text) {
                    prop_assert!(filter_has(&filter, hash));
                }
                let kept = model::token::tokens(text).filter(|token| {
                    let folded = token.replace('\u{17f}', "s").replace('\u{212a}', "k");
                    folded.len() != 4 || !folded.contains(|c: char| c.is_ascii_digit())
                });
                prop_assert_eq!(hashes(text).len(), kept.count());
            }
        }
    }
}
