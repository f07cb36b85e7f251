//! MD5 (RFC 1321), because `hashmod` is defined by it. Not for anything that needs a safe hash.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The last eight bytes of the hash, big-endian: what Prometheus takes the modulus of.
pub(super) fn last_u64(message: &[u8]) -> u64 {
    let [_, _, c, d] = digest(message);
    (u64::from(c.swap_bytes()) << 32) | u64::from(d.swap_bytes())
}

fn digest(message: &[u8]) -> [u32; 4] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    let bits = u64::try_from(message.len()).unwrap_or(0).wrapping_mul(8);
    padded.extend_from_slice(&bits.to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.as_chunks::<64>().0 {
        round(&mut state, block);
    }
    state
}

fn round(state: &mut [u32; 4], block: &[u8; 64]) {
    let mut words = [0_u32; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for i in 0..64_usize {
        let (mix, at) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
            2 => (b ^ c ^ d, (3 * i + 5) % 16),
            _ => (c ^ (b | !d), (7 * i) % 16),
        };
        let sum = a.wrapping_add(mix).wrapping_add(constant(i)).wrapping_add(words[at]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(add);
    }
}

/// `floor(2^32 × |sin(i + 1)|)`, which RFC 1321 defines the constants as.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ value < 2^32")]
fn constant(i: usize) -> u32 {
    let angle = f64::from(u32::try_from(i).unwrap_or(0) + 1);
    (angle.sin().abs() * 4_294_967_296.0).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1321_test_suite() {
        let hex = |text: &str| {
            digest(text.as_bytes())
                .iter()
                .map(|word| format!("{:08x}", word.swap_bytes()))
                .collect::<String>()
        };
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(
            hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
    }
}
