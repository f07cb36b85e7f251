//! Chunks of floats as Prometheus stores and streams them: times as deltas of deltas, values as what
//! changed in them. Here they are only written, for remote read.
//!
//! Format: <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/chunks.md>.

use model::metric::Float;

/// Samples of one chunk.
pub(super) const SAMPLES_MAX: usize = 120;

/// The number of this encoding.
pub(super) const ENCODING: u64 = 1;

/// Encodes up to [`SAMPLES_MAX`] samples.
pub(super) fn encode(floats: &[Float]) -> Vec<u8> {
    let count = u16::try_from(floats.len()).unwrap_or(u16::MAX);
    let mut bits = Bits::new(count.to_be_bytes().to_vec());
    let (mut time, mut delta, mut value) = (0_i64, 0_i64, 0_u64);
    // Zeros in front of and behind what changed in a value; none yet.
    let mut window = None;
    for (index, float) in floats.iter().enumerate() {
        let now = float.value.to_bits();
        match index {
            0 => {
                bits.varint(zigzag(float.timestamp));
                bits.put(now, 64);
            }
            1 => {
                delta = float.timestamp.wrapping_sub(time);
                bits.varint(delta.cast_unsigned());
                bits.change(value ^ now, &mut window);
            }
            _ => {
                let next = float.timestamp.wrapping_sub(time);
                bits.delta_of_delta(next.wrapping_sub(delta));
                delta = next;
                bits.change(value ^ now, &mut window);
            }
        }
        time = float.timestamp;
        value = now;
    }
    bits.out
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Bits behind each other, the highest of a byte first.
pub(super) struct Bits {
    pub(super) out: Vec<u8>,
    /// Bits of the last byte that are not used.
    free: u32,
}

/// How many bits a number of variable length has behind each number of ones.
const VARBIT_SIZES: [u32; 8] = [3, 6, 9, 12, 18, 25, 56, 64];

impl Bits {
    /// Bits behind whole bytes.
    pub(super) fn new(out: Vec<u8>) -> Bits {
        Bits { out, free: 0 }
    }

    /// A signed number: the shorter the nearer to zero.
    pub(super) fn varbit_int(&mut self, value: i64) {
        let fits = |bits: u32| {
            let half = 1_i64 << (bits - 1);
            bits == 64 || (-(half - 1) <= value && value <= half)
        };
        self.varbit(value.cast_unsigned(), fits);
    }

    /// A number: the shorter the smaller.
    pub(super) fn varbit_uint(&mut self, value: u64) {
        self.varbit(value, |bits| bits == 64 || value >> bits == 0);
    }

    /// As many ones as sizes are too small, a zero but behind the last, and the number.
    fn varbit(&mut self, value: u64, fits: impl Fn(u32) -> bool) {
        if value == 0 {
            self.put(0, 1);
            return;
        }
        for (index, size) in VARBIT_SIZES.into_iter().enumerate() {
            self.put(1, 1);
            if fits(size) {
                if index + 1 < VARBIT_SIZES.len() {
                    self.put(0, 1);
                }
                self.put(value, size);
                return;
            }
        }
    }

    /// Appends the lowest `count` bits of `value`.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.out.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (value >> (left - taken)) & ((1 << taken) - 1);
            if let Some(last) = self.out.last_mut() {
                #[expect(clippy::cast_possible_truncation, reason = "at most eight bits")]
                let part = part as u8;
                // In two steps: all eight bits may be free.
                *last |= part << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    fn delta_of_delta(&mut self, value: i64) {
        let fits = |bits: u32| {
            let half = 1_i64 << (bits - 1);
            -(half - 1) <= value && value <= half
        };
        let bits = value.cast_unsigned();
        if value == 0 {
            self.put(0, 1);
        } else if fits(14) {
            self.put(0b10, 2);
            self.put(bits, 14);
        } else if fits(17) {
            self.put(0b110, 3);
            self.put(bits, 17);
        } else if fits(20) {
            self.put(0b1110, 4);
            self.put(bits, 20);
        } else {
            self.put(0b1111, 4);
            self.put(bits, 64);
        }
    }

    pub(super) fn change(&mut self, change: u64, window: &mut Option<(u32, u32)>) {
        if change == 0 {
            self.put(0, 1);
            return;
        }
        self.put(1, 1);
        // Five bits have to do for the zeros in front.
        let leading = change.leading_zeros().min(31);
        let trailing = change.trailing_zeros();
        if let Some((lead, trail)) = *window
            && leading >= lead
            && trailing >= trail
        {
            self.put(0, 1);
            self.put(change >> trail, 64 - lead - trail);
            return;
        }
        *window = Some((leading, trailing));
        let significant = 64 - leading - trailing;
        self.put(1, 1);
        self.put(u64::from(leading), 5);
        // 64 is written as 0, which it cannot be.
        self.put(u64::from(significant & 63), 6);
        self.put(change >> trailing, significant);
    }
}

/// Castagnoli's checksum.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        TABLE[usize::from(low ^ byte)] ^ (sum >> 8)
    };
    !bytes.iter().fold(!0, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "under 256")]
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    /// Reads what is written: the other direction, for this test alone.
    struct Reader<'c> {
        bytes: &'c [u8],
        at: usize,
    }

    impl Reader<'_> {
        fn take(&mut self, count: u32) -> u64 {
            (0..count).fold(0, |value, _| {
                let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
                self.at += 1;
                value << 1 | u64::from(bit)
            })
        }

        fn varint(&mut self) -> u64 {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = self.take(8);
                value |= (byte & 0x7f) << shift;
                if byte < 0x80 {
                    return value;
                }
                shift += 7;
            }
        }

        fn signed(&mut self, bits: u32) -> i64 {
            let value = self.take(bits);
            let half = 1_u64 << (bits - 1);
            if value > half { value.cast_signed() - (1 << bits) } else { value.cast_signed() }
        }

        fn delta_of_delta(&mut self) -> i64 {
            for bits in [0, 14, 17, 20] {
                if self.take(1) == 0 {
                    return if bits == 0 { 0 } else { self.signed(bits) };
                }
            }
            self.take(64).cast_signed()
        }
    }

    fn decode(chunk: &[u8]) -> Vec<(i64, u64)> {
        let mut reader = Reader { bytes: chunk, at: 0 };
        let count = reader.take(16);
        let mut samples = Vec::new();
        let (mut time, mut delta, mut value, mut window) = (0_i64, 0_i64, 0_u64, (0, 0));
        for index in 0..count {
            match index {
                0 => {
                    let raw = reader.varint();
                    time = (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed());
                    value = reader.take(64);
                }
                _ => {
                    delta = match index {
                        1 => reader.varint().cast_signed(),
                        _ => delta.wrapping_add(reader.delta_of_delta()),
                    };
                    time = time.wrapping_add(delta);
                    if reader.take(1) == 1 {
                        if reader.take(1) == 1 {
                            let leading = u32::try_from(reader.take(5)).expect("five bits");
                            let mut significant = u32::try_from(reader.take(6)).expect("six bits");
                            if significant == 0 {
                                significant = 64;
                            }
                            window = (leading, 64 - leading - significant);
                        }
                        value ^= reader.take(64 - window.0 - window.1) << window.1;
                    }
                }
            }
            samples.push((time, value));
        }
        samples
    }

    #[test]
    fn chunks_read_as_they_were_written() {
        let mut state = 1_u64;
        for round in 0..200 {
            let mut time = 1_700_000_000_000_i64;
            let floats: Vec<Float> = (0..SAMPLES_MAX)
                .map(|index| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    time += match round % 4 {
                        0 => 15_000,
                        1 => i64::try_from(state >> 50).expect("small"),
                        2 => i64::try_from(state >> 42).expect("small"),
                        _ => i64::try_from(state >> 24).expect("small"),
                    };
                    let value = match round % 3 {
                        0 => f64::from_bits(state),
                        1 => f64::from(u32::try_from(index).expect("few")),
                        _ => 1.0,
                    };
                    Float { timestamp: time, value, start: 0 }
                })
                .collect();
            let expected: Vec<_> =
                floats.iter().map(|float| (float.timestamp, float.value.to_bits())).collect();
            assert_eq!(decode(&encode(&floats)), expected);
        }
        assert_eq!(encode(&[]), [0, 0]);
    }
}
