//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the series of each group.

use std::cmp::Ordering;

use model::metric::Labels;

use super::aggregate::Groups;
use super::column::{Column, Series, Steps, is_present};
use super::plan::Node;
use super::value::Value;
use super::{Evaluator, Result};
use crate::ast::{Aggregate, AggregateOp};
use crate::engine::QueryError;
use crate::position::PosRange;

/// NaN is worse than everything; otherwise larger is better.
fn compare(one: f64, other: f64, op: AggregateOp) -> Ordering {
    match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = other.partial_cmp(&one).unwrap_or(Ordering::Equal);
            if op == AggregateOp::Topk { order } else { order.reverse() }
        }
    }
}

/// Where a series lies between 0 and 1: a hash of its labels in the form in which Prometheus keeps
/// them, so that both choose the same series.
fn sample_offset(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    for (name, value) in labels {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length) if length < 255 => bytes.push(length),
                _ => {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
                    bytes.extend_from_slice(&[255, length[0], length[1], length[2]]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a fraction, as Prometheus computes it")]
    let offset = xxh64(&bytes) as f64 / u64::MAX as f64;
    offset
}

/// XXH64 with seed 0 (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>).
fn xxh64(bytes: &[u8]) -> u64 {
    const P1: u64 = 0x9E37_79B1_85EB_CA87;
    const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
    const P3: u64 = 0x1656_67B1_9E37_79F9;
    const P4: u64 = 0x85EB_CA77_C2B2_AE63;
    const P5: u64 = 0x27D4_EB2F_1656_67C5;
    let round = |lane: u64, word: u64| {
        lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
    };
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, &b| (word << 8) | u64::from(b));
    let mut rest = bytes;
    let mut hash = if bytes.len() >= 32 {
        let mut lanes = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
        while let Some((stripe, tail)) = rest.split_at_checked(32) {
            for (lane, chunk) in lanes.iter_mut().zip(stripe.chunks(8)) {
                *lane = round(*lane, word(chunk));
            }
            rest = tail;
        }
        let turned = lanes.iter().zip([1, 7, 12, 18]).map(|(lane, by)| lane.rotate_left(by));
        let joined = turned.fold(0u64, u64::wrapping_add);
        lanes
            .iter()
            .fold(joined, |hash, &lane| (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4))
    } else {
        P5
    };
    hash = hash.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));
    while let Some((chunk, tail)) = rest.split_at_checked(8) {
        hash = (hash ^ round(0, word(chunk))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        rest = tail;
    }
    if let Some((chunk, tail)) = rest.split_at_checked(4) {
        let mixed = hash ^ word(chunk).wrapping_mul(P1);
        hash = mixed.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = tail;
    }
    for &byte in rest {
        hash = (hash ^ u64::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}

/// How many to take: at most all, none for what is less than one.
fn limit(param: f64, most: usize) -> usize {
    if param.is_nan() || param < 1.0 {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates, then limited")]
    #[expect(clippy::cast_sign_loss, reason = "at least one")]
    let count = param as usize;
    count.min(most)
}

impl Evaluator<'_> {
    /// Chooses series of each group at each step.
    pub(crate) fn choose(
        &self,
        of: &Aggregate,
        grouping: &[&str],
        expr: &Node<'_>,
        (params, at): (&[f64], PosRange),
        steps: Steps,
    ) -> Result<Value<'_>> {
        self.check_params(of.op, params, at)?;
        let vector = self.eval_vector(expr, steps)?;
        let series = vector.series();
        let groups = Groups::new(series.iter().map(|one| &one.labels), grouping, of.without);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.labels.len()];
        for (index, &group) in groups.of.iter().enumerate() {
            members[group].push(index);
        }
        let offsets: Vec<f64> = if of.op == AggregateOp::LimitRatio {
            series.iter().map(|one| sample_offset(&one.labels)).collect()
        } else {
            Vec::new()
        };
        let mut columns: Vec<Option<Column>> = vec![None; series.len()];
        let mut order = Vec::new();
        let mut ignored = false;
        for step in 0..steps.count {
            self.control.check()?;
            let param = params.get(step).copied().unwrap_or(f64::NAN);
            for members in &members {
                let choice = Choice { op: of.op, series, offsets: &offsets };
                for index in choice.at(step, param, members, &mut ignored) {
                    let column = columns[index].get_or_insert_with(|| {
                        order.push(index);
                        Column::absent(steps.count)
                    });
                    if let Some(cell) = series[index].column.cell(step) {
                        column.set(step, cell);
                    }
                }
            }
        }
        if ignored {
            self.note_with(|notes| notes.ignored_in_aggregation(of.op.as_str(), of.position));
        }
        let chosen = order.into_iter().filter_map(|index| {
            let column = columns[index].take()?;
            let Series { labels, drop_name, .. } = &series[index];
            Some(Series { labels: labels.clone(), drop_name: *drop_name, column })
        });
        self.hold(chosen.collect()).map(Value::Vector)
    }

    fn check_params(&self, op: AggregateOp, params: &[f64], at: PosRange) -> Result<()> {
        for &param in params {
            if op == AggregateOp::LimitRatio {
                if param.is_nan() {
                    return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
                }
                if param.abs() > 1.0 {
                    let capped = param.signum();
                    self.note_with(|notes| notes.invalid_ratio(param, capped, at));
                }
                continue;
            }
            if param.is_nan() {
                return Err(QueryError::Execution("Parameter value is NaN".to_owned()));
            }
            let text = crate::number::format_short(param);
            if param <= -9_223_372_036_854_775_808.0 {
                return Err(QueryError::Execution(format!("Scalar value {text} underflows int64")));
            }
            if param >= 9_223_372_036_854_774_784.0 {
                return Err(QueryError::Execution(format!("Scalar value {text} overflows int64")));
            }
        }
        Ok(())
    }
}

/// The choice within one group.
struct Choice<'a> {
    op: AggregateOp,
    series: &'a [Series],
    offsets: &'a [f64],
}

impl Choice<'_> {
    /// The indices that are chosen at a step, best first.
    fn at(&self, step: usize, param: f64, members: &[usize], ignored: &mut bool) -> Vec<usize> {
        let present = members.iter().copied().filter(|&one| self.series[one].column.has(step));
        match self.op {
            AggregateOp::Limitk => present.take(limit(param, members.len())).collect(),
            AggregateOp::LimitRatio => {
                let ratio = param.clamp(-1.0, 1.0);
                let chosen = |offset: f64| {
                    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
                };
                present.filter(|&one| ratio != 0.0 && chosen(self.offsets[one])).collect()
            }
            op => {
                let count = limit(param, self.series.len());
                if count == 0 {
                    return Vec::new();
                }
                let mut floats = Vec::with_capacity(members.len());
                for one in present {
                    let value = self.series[one].column.floats[step];
                    if is_present(value) {
                        floats.push((value, one));
                    } else {
                        *ignored = true;
                    }
                }
                // Of equals those that come first stay; members ascend.
                let better = |one: &(f64, usize), other: &(f64, usize)| {
                    compare(one.0, other.0, op).then(one.1.cmp(&other.1))
                };
                if count < floats.len() {
                    floats.select_nth_unstable_by(count, better);
                    floats.truncate(count);
                }
                floats.sort_unstable_by(better);
                floats.into_iter().map(|(_, one)| one).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(xxh64(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(xxh64(b"a"), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(xxh64(b"abc"), 0x44BC_2CF5_AD77_0999);
    }
}
