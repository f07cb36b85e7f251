//! Sorting and selecting numbers, the costliest part of exact two-sample tests.

/// Below this length the standard sort wins over counting digits.
const SMALL: usize = 2048;
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;

/// A key that orders as the number does (IEEE 754 total order).
#[inline]
fn key_of(number: f64) -> u64 {
    let bits = number.to_bits();
    bits ^ (((bits.cast_signed() >> 63).cast_unsigned()) | (1 << 63))
}

#[inline]
fn number_of(key: u64) -> f64 {
    let mask = if key >> 63 == 1 { 1 << 63 } else { u64::MAX };
    f64::from_bits(key ^ mask)
}

/// Sorts numbers without NaN ascending.
///
/// Three passes by eleven bits order the leading 33 bits of the key, which for most data is nearly
/// everything; the rest is put right by insertion, and where that is much the standard sort does it.
pub fn sort(numbers: &mut [f64]) {
    if numbers.len() < SMALL {
        numbers.sort_unstable_by(f64::total_cmp);
        return;
    }
    let mut keys: Vec<u64> = numbers.iter().map(|number| key_of(*number)).collect();
    let mut spare = vec![0_u64; keys.len()];
    let mut counts = [[0_u32; DIGITS]; 3];
    for key in &keys {
        for (pass, counts) in counts.iter_mut().enumerate() {
            let slot = &mut counts[digit(*key, pass)];
            *slot = slot.wrapping_add(1);
        }
    }
    for (pass, counts) in counts.iter_mut().enumerate() {
        if counts[digit(keys[0], pass)] as usize == keys.len() {
            continue;
        }
        let mut at = 0_u32;
        for count in counts.iter_mut() {
            let here = *count;
            *count = at;
            at = at.wrapping_add(here);
        }
        for key in &keys {
            let slot = &mut counts[digit(*key, pass)];
            spare[*slot as usize] = *key;
            *slot = slot.wrapping_add(1);
        }
        std::mem::swap(&mut keys, &mut spare);
    }
    finish(&mut keys);
    for (number, key) in numbers.iter_mut().zip(keys) {
        *number = number_of(key);
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "eleven bits")]
fn digit(key: u64, pass: usize) -> usize {
    (key >> (31 + DIGIT_BITS * pass as u32)) as usize & (DIGITS - 1)
}

fn finish(keys: &mut [u64]) {
    let mut budget = keys.len() * 2;
    for index in 1..keys.len() {
        let key = keys[index];
        let mut at = index;
        while at > 0 && keys[at - 1] > key {
            keys[at] = keys[at - 1];
            at -= 1;
            budget = budget.saturating_sub(1);
        }
        keys[at] = key;
        if budget == 0 {
            keys.sort_unstable();
            return;
        }
    }
}

/// The numbers at these ranks (0-based, ascending) of all blocks together, without sorting them
/// all: one pass counts by the leading 16 bits, a second gathers the buckets that are asked for.
/// NaN is left out, and ranks are cut to what is there. `None` where no number is.
pub fn select(blocks: &[&[f64]], ranks: &[u64]) -> Option<Vec<f64>> {
    let mut counts = vec![0_u32; 1 << 16];
    for number in blocks.iter().flat_map(|block| block.iter()) {
        let slot = &mut counts[bucket(key_of(*number))];
        *slot = slot.wrapping_add(1);
    }
    // NaN of either sign lies beyond the infinities.
    let lowest = bucket(key_of(f64::NEG_INFINITY));
    let highest = bucket(key_of(f64::INFINITY));
    let total: u64 = counts[lowest..=highest].iter().map(|count| u64::from(*count)).sum();
    let total = total - nan_beside_infinity(blocks, &counts, lowest, highest);
    if total == 0 {
        return None;
    }
    let mut wanted = vec![false; 1 << 16];
    let mut places = Vec::with_capacity(ranks.len());
    for rank in ranks {
        let mut left = (*rank).min(total - 1);
        let mut at = lowest;
        while left >= u64::from(counts[at]) {
            left -= u64::from(counts[at]);
            at += 1;
        }
        wanted[at] = true;
        places.push((at, usize::try_from(left).unwrap_or(usize::MAX)));
    }
    let mut gathered: std::collections::BTreeMap<usize, Vec<f64>> =
        std::collections::BTreeMap::new();
    for (at, _) in &places {
        gathered.entry(*at).or_insert_with(|| Vec::with_capacity(counts[*at] as usize));
    }
    let mut slots: Vec<Vec<f64>> = gathered.values_mut().map(std::mem::take).collect();
    let mut slot_of = vec![u16::MAX; 1 << 16];
    for (slot, at) in gathered.keys().enumerate() {
        slot_of[*at] = u16::try_from(slot).unwrap_or(u16::MAX);
    }
    for number in blocks.iter().flat_map(|block| block.iter()) {
        let slot = slot_of[bucket(key_of(*number))];
        if slot != u16::MAX && !number.is_nan() {
            slots[usize::from(slot)].push(*number);
        }
    }
    slots.iter_mut().for_each(|slot| sort(slot));
    Some(places.into_iter().map(|(at, left)| slots[usize::from(slot_of[at])][left]).collect())
}

#[inline]
fn bucket(key: u64) -> usize {
    (key >> 48) as usize
}

/// NaN with a small payload may share a bucket with an infinity.
fn nan_beside_infinity(blocks: &[&[f64]], counts: &[u32], lowest: usize, highest: usize) -> u64 {
    if counts[lowest] == 0 && counts[highest] == 0 {
        return 0;
    }
    let shared = |number: &&f64| {
        let at = bucket(key_of(**number));
        number.is_nan() && (at == lowest || at == highest)
    };
    blocks.iter().flat_map(|block| block.iter()).filter(shared).count() as u64
}

/// Quantiles by linear interpolation between order statistics (NumPy's default, Hyndman–Fan 7).
pub fn quantiles(blocks: &[&[f64]], probabilities: &[f64]) -> Option<Vec<f64>> {
    let total: usize =
        blocks.iter().map(|block| block.iter().filter(|number| !number.is_nan()).count()).sum();
    let last = total.checked_sub(1)? as f64;
    let mut ranks = Vec::with_capacity(probabilities.len() * 2);
    for probability in probabilities {
        let place = probability.clamp(0.0, 1.0) * last;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..len")]
        ranks.extend([place.floor() as u64, place.ceil() as u64]);
    }
    let found = select(blocks, &ranks)?;
    let between = |(pair, probability): (&[f64], &f64)| {
        let place = probability.clamp(0.0, 1.0) * last;
        interpolate(pair[0], pair[1], place - place.floor())
    };
    Some(found.chunks_exact(2).zip(probabilities).map(between).collect())
}

/// The quantile of numbers that are sorted already.
pub fn quantile_of_sorted(sorted: &[f64], probability: f64) -> Option<f64> {
    let place = probability.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..len")]
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    Some(interpolate(sorted[low], sorted[high], place - place.floor()))
}

fn interpolate(low: f64, high: f64, part: f64) -> f64 {
    // NumPy's order of operations, so that edges are the same to the last bit.
    let step = high - low;
    if part == 0.0 || step == 0.0 || !step.is_finite() {
        low
    } else if part >= 0.5 {
        high - step * (1.0 - part)
    } else {
        low + step * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::random::Random;

    fn some_numbers(n: usize) -> Vec<f64> {
        let mut random = Random::new(7);
        (0..n).map(|i| if i % 5 == 0 { (i % 7) as f64 } else { random.normal() * 1e3 }).collect()
    }

    #[test]
    fn sorts_as_the_standard_library() {
        for n in [0, 1, 2, 100, 5000, 70_000] {
            for scale in [1.0, 1e-300, 1e300] {
                let mut ours: Vec<f64> = some_numbers(n).iter().map(|v| v * scale).collect();
                let mut theirs = ours.clone();
                sort(&mut ours);
                theirs.sort_unstable_by(f64::total_cmp);
                assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn keys_that_agree_in_their_leading_bits_are_sorted_too() {
        let mut numbers: Vec<f64> = (0..5000_u64).rev().map(|i| 1.0 + i as f64 * 1e-13).collect();
        sort(&mut numbers);
        assert!(numbers.is_sorted());
    }

    #[test]
    fn selects_without_sorting() {
        let mut numbers = some_numbers(20_000);
        numbers.extend([f64::NAN, f64::INFINITY, -f64::NAN]);
        let found = select(&[&numbers], &[0, 10_000, 20_000, 99_999]).unwrap();
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|n| !n.is_nan()).collect();
        sort(&mut sorted);
        assert_eq!(found, [sorted[0], sorted[10_000], sorted[20_000], sorted[20_000]]);
        assert_eq!(select(&[&[f64::NAN]], &[0]), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        let numbers = [3.0, 1.0, 2.0, 10.0];
        assert_eq!(quantiles(&[&numbers], &[0.0, 0.25, 0.5, 1.0]).unwrap(), [1.0, 1.75, 2.5, 10.0]);
    }
}
