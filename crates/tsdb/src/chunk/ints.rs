//! A column of whole numbers.
//!
//! The numbers are turned into residuals (differences of order 0, 1, 2 or from a straight line,
//! whichever are smallest), and the residuals are stored as runs, as bits packed by the 128, or by
//! `pco`'s entropy coder. All arithmetic wraps, so that every column of `i64` comes back.
//! The number of values is not stored: the caller knows it.

use std::ops::Range;

use super::bytes::{Cursor, put_len, put_signed, put_varint};
use super::{Damaged, Effort, Scratch, entropy, packed};

/// Values between two places where decoding can begin.
pub(crate) const PAGE_VALUES: usize = 1024;

const RUNS: u8 = 0;
const PACKED: u8 = 1;
const ENTROPY_32: u8 = 2;
const ENTROPY_64: u8 = 3;

/// How residuals come from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The values themselves.
    Zero,
    /// Differences.
    One,
    /// Differences of differences.
    Two,
    /// The distance from a straight line.
    Line { first: i64, step: i64 },
}

impl Order {
    fn put(self, into: &mut Vec<u8>) {
        match self {
            Order::Zero => into.push(0),
            Order::One => into.push(1),
            Order::Two => into.push(2),
            Order::Line { first, step } => {
                into.push(3);
                put_signed(into, first);
                put_signed(into, step);
            }
        }
    }

    fn take(cursor: &mut Cursor<'_>) -> Result<Order, Damaged> {
        Ok(match cursor.byte()? {
            0 => Order::Zero,
            1 => Order::One,
            2 => Order::Two,
            3 => Order::Line { first: cursor.signed()?, step: cursor.signed()? },
            _ => return Err(Damaged("unknown order of differences")),
        })
    }

    /// How many numbers a page needs to begin with.
    fn states(self) -> usize {
        match self {
            Order::Zero | Order::Line { .. } => 0,
            Order::One => 1,
            Order::Two => 2,
        }
    }
}

fn difference(values: &[i64], at: usize) -> i64 {
    if at == 0 { 0 } else { values[at].wrapping_sub(values[at - 1]) }
}

fn on_line(first: i64, step: i64, at: usize) -> i64 {
    first.wrapping_add(step.wrapping_mul((at as u64).cast_signed()))
}

/// Appends the column.
pub(crate) fn encode(values: &[i64], effort: Effort, scratch: &mut Scratch, into: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let run_bytes_max = 4 + values.len() / 16;
    if put_runs(values, run_bytes_max, into) {
        return;
    }
    let order = cheapest_order(values);
    put_residuals(values, order, effort, scratch, into);
}

/// Writes values or differences as runs when that takes few bytes.
fn put_runs(values: &[i64], bytes_max: usize, into: &mut Vec<u8>) -> bool {
    let level = run_count(values.iter().copied());
    let slope = run_count((1..values.len()).map(|at| difference(values, at)));
    let (order, runs) = if level <= slope + 1 { (0u8, level) } else { (1, slope) };
    if runs * 2 > bytes_max {
        return false;
    }
    into.push(RUNS);
    into.push(order);
    let mut rest = values;
    if order == 1 {
        put_signed(into, values[0]);
        rest = &values[1..];
    }
    put_len(into, runs);
    let at = |index: usize| if order == 0 { rest[index] } else { difference(values, index + 1) };
    let (mut start, mut previous) = (0, 0i64);
    while start < rest.len() {
        let value = at(start);
        let end = (start..rest.len()).find(|&index| at(index) != value).unwrap_or(rest.len());
        put_len(into, end - start);
        put_signed(into, value.wrapping_sub(previous));
        (start, previous) = (end, value);
    }
    true
}

fn run_count(values: impl Iterator<Item = i64>) -> usize {
    let mut previous = None;
    let mut runs = 0;
    for value in values {
        runs += usize::from(previous != Some(value));
        previous = Some(value);
    }
    runs
}

/// The order whose residuals have the fewest bits, judged by their distance from their middle.
fn cheapest_order(values: &[i64]) -> Order {
    let len = values.len();
    let step = middle_step(values);
    let line = Order::Line { first: values[0], step };
    let mut orders = vec![Order::Zero, Order::One];
    if len > 2 {
        orders.extend([Order::Two, line]);
    }
    let cost = |order: Order| {
        let mut sum = 0i128;
        for at in 1..len {
            sum += i128::from(residual(values, order, at));
        }
        let middle = i64::try_from(sum / i128::from(len.max(2) as u64 - 1)).unwrap_or(0);
        let mut bits = 0u64;
        for at in 1..len {
            let apart = residual(values, order, at).wrapping_sub(middle).unsigned_abs();
            // Twice the distance plus one: half a bit finer than the distance's own bits.
            let wide = apart.saturating_mul(apart.min(1 << 20)).saturating_add(1);
            bits += u64::from(64 - wide.leading_zeros());
        }
        bits
    };
    let costs = orders.iter().map(|&order| (cost(order), order));
    costs.min_by_key(|&(cost, _)| cost).map_or(Order::Zero, |(_, order)| order)
}

/// A typical difference: the average of those near the median, so that gaps do not count.
fn middle_step(values: &[i64]) -> i64 {
    let stride = (values.len() / 33).max(1);
    let mut steps: Vec<i64> =
        (1..values.len()).step_by(stride).map(|at| difference(values, at)).collect();
    steps.sort_unstable();
    let median = steps.get(steps.len() / 2).copied().unwrap_or(0);
    let near = median.unsigned_abs() / 64 + 8;
    let (mut apart, mut count) = (0i128, 0i128);
    for at in 1..values.len() {
        let step = difference(values, at);
        if step.abs_diff(median) <= near {
            apart += i128::from(step) - i128::from(median);
            count += 1;
        }
    }
    let count = count.max(1);
    let average = (2 * apart + count).div_euclid(2 * count);
    median.saturating_add(i64::try_from(average).unwrap_or(0))
}

fn residual(values: &[i64], order: Order, at: usize) -> i64 {
    match order {
        Order::Zero => values[at],
        Order::One => difference(values, at),
        Order::Two => difference(values, at).wrapping_sub(difference(values, at - 1)),
        Order::Line { first, step } => values[at].wrapping_sub(on_line(first, step, at)),
    }
}

/// Residuals less their smallest, divided by what all are multiples of.
struct Shifted {
    base: i64,
    divisor: u64,
    max: u64,
}

fn shift(values: &[i64], order: Order, residuals: &mut Vec<u64>) -> Shifted {
    // The first value of a page is its state; what stands in its place is the smallest residual.
    let is_state = |at: usize| order.states() > 0 && at.is_multiple_of(PAGE_VALUES);
    let at_all = || (0..values.len()).filter(|&at| !is_state(at));
    let base = at_all().map(|at| residual(values, order, at)).min().unwrap_or(0);
    residuals.clear();
    let (mut max, mut divisor) = (0u64, 0u64);
    for at in 0..values.len() {
        let apart = if is_state(at) {
            0
        } else {
            residual(values, order, at).wrapping_sub(base).cast_unsigned()
        };
        max = max.max(apart);
        if divisor != 1 {
            divisor = common_divisor(divisor, apart);
        }
        residuals.push(apart);
    }
    let divisor = divisor.max(1);
    if divisor > 1 {
        residuals.iter_mut().for_each(|apart| *apart /= divisor);
    }
    Shifted { base, divisor, max: max / divisor }
}

fn common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

fn put_residuals(
    values: &[i64],
    order: Order,
    effort: Effort,
    scratch: &mut Scratch,
    into: &mut Vec<u8>,
) {
    let mut residuals = std::mem::take(&mut scratch.wide);
    let shifted = shift(values, order, &mut residuals);
    let codec_at = into.len();
    into.push(PACKED);
    order.put(into);
    put_signed(into, shifted.base);
    put_varint(into, shifted.divisor);
    let body_at = into.len();
    put_pages(values, order, into, &packed_pages(&residuals));
    if effort == Effort::Small {
        let packed_len = into.len() - body_at;
        let (codec, coded) = if let Ok(max) = u32::try_from(shifted.max) {
            scratch.narrow.clear();
            let narrow = residuals.iter().map(|&apart| u32::try_from(apart).unwrap_or(max));
            scratch.narrow.extend(narrow);
            (ENTROPY_32, entropy::encode(&scratch.narrow, PAGE_VALUES, false))
        } else {
            (ENTROPY_64, entropy::encode(&residuals, PAGE_VALUES, false))
        };
        // Packed bits are decoded several times as fast: entropy coding has to earn its place.
        if let Some(coded) = coded
            && coded.len() + coded.len() / 64 < packed_len
        {
            into.truncate(body_at);
            into[codec_at] = codec;
            put_len(into, coded.head.len());
            into.extend_from_slice(&coded.head);
            put_pages(values, order, into, &coded.pages);
        }
    }
    scratch.wide = residuals;
}

fn packed_pages(residuals: &[u64]) -> Vec<Vec<u8>> {
    residuals
        .chunks(PAGE_VALUES)
        .map(|page| {
            let mut bytes = Vec::new();
            packed::encode(page, &mut bytes);
            bytes
        })
        .collect()
}

/// First what each page begins with and how long it is, then the pages.
fn put_pages(values: &[i64], order: Order, into: &mut Vec<u8>, pages: &[Vec<u8>]) {
    for (number, page) in pages.iter().enumerate() {
        let start = number * PAGE_VALUES;
        if order.states() > 0 {
            put_signed(into, values[start]);
        }
        if order.states() > 1 {
            put_signed(into, difference(values, start));
        }
        if number + 1 < pages.len() {
            put_len(into, page.len());
        }
    }
    for page in pages {
        into.extend_from_slice(page);
    }
}

/// What a column of one run holds everywhere.
pub(crate) fn constant(column: &[u8], count: usize) -> Option<i64> {
    let mut cursor = Cursor::new(column);
    let one_run = cursor.byte().ok()? == RUNS
        && cursor.byte().ok()? == 0
        && cursor.len(count).ok()? == 1
        && cursor.len(count).ok()? == count;
    if one_run { cursor.signed().ok() } else { None }
}

/// Appends the values at `range` of a column of `count` values.
pub(crate) fn decode(
    column: &[u8],
    count: usize,
    range: Range<usize>,
    scratch: &mut Scratch,
    into: &mut Vec<i64>,
) -> Result<(), Damaged> {
    let Some((codec, mut cursor)) = super::begin(column, count, &range)? else { return Ok(()) };
    match codec {
        RUNS => take_runs(&mut cursor, count, range, into),
        PACKED | ENTROPY_32 | ENTROPY_64 => {
            let order = Order::take(&mut cursor)?;
            let base = cursor.signed()?;
            let divisor = cursor.varint()?;
            let shifted = Shifted { base, divisor, max: 0 };
            take_pages(codec, order, &shifted, cursor, count, range, scratch, into)
        }
        _ => Err(Damaged("unknown codec of whole numbers")),
    }
}

fn take_runs(
    cursor: &mut Cursor<'_>,
    count: usize,
    range: Range<usize>,
    into: &mut Vec<i64>,
) -> Result<(), Damaged> {
    let order = cursor.byte()?;
    let mut at = 0;
    let mut value = 0i64;
    match order {
        0 => {}
        1 => {
            value = cursor.signed()?;
            if range.start == 0 {
                into.push(value);
            }
            at = 1;
        }
        _ => return Err(Damaged("unknown order of runs")),
    }
    let runs = cursor.len(count)?;
    let mut level = 0i64;
    for _ in 0..runs {
        let len = cursor.len(count - at)?;
        level = level.wrapping_add(cursor.signed()?);
        let wanted = at.max(range.start)..(at + len).min(range.end);
        if order == 0 {
            into.resize(into.len() + wanted.len(), level);
        } else {
            let before = value;
            into.extend(wanted.map(|index| on_line(before, level, index + 1 - at)));
            value = on_line(before, level, len);
        }
        at += len;
        if at >= range.end {
            return Ok(());
        }
    }
    Err(Damaged("runs are too short"))
}

#[expect(clippy::too_many_arguments, reason = "the parts of one column's header")]
fn take_pages(
    codec: u8,
    order: Order,
    shifted: &Shifted,
    mut cursor: Cursor<'_>,
    count: usize,
    range: Range<usize>,
    scratch: &mut Scratch,
    into: &mut Vec<i64>,
) -> Result<(), Damaged> {
    let head = if codec == PACKED { &[][..] } else { cursor.bytes()? };
    let mut narrow = match codec {
        ENTROPY_32 => Some(entropy::Decoder::<u32>::new(head)?),
        _ => None,
    };
    let mut wide = match codec {
        ENTROPY_64 => Some(entropy::Decoder::<u64>::new(head)?),
        _ => None,
    };
    let pages = count.div_ceil(PAGE_VALUES);
    let mut directory = Vec::with_capacity(pages);
    for page in 0..pages {
        let state = if order.states() > 0 { cursor.signed()? } else { 0 };
        let slope = if order.states() > 1 { cursor.signed()? } else { 0 };
        let len = if page + 1 < pages { cursor.len(cursor.rest().len())? } else { usize::MAX };
        directory.push((state, slope, len));
    }
    for (page, &(state, slope, len)) in directory.iter().enumerate() {
        let bytes = cursor.take(if len == usize::MAX { cursor.rest().len() } else { len })?;
        let start = page * PAGE_VALUES;
        let page_len = PAGE_VALUES.min(count - start);
        let wanted = range.start.max(start)..range.end.min(start + page_len);
        if wanted.is_empty() {
            continue;
        }
        let inside = wanted.start - start..wanted.end - start;
        let restore = Restore { order, shifted, state, slope, start, inside };
        if let Some(decoder) = &mut narrow {
            scratch.narrow.clear();
            decoder.page(
                bytes,
                page_len,
                restore.inside.end,
                &mut scratch.pco,
                &mut scratch.narrow,
            )?;
            restore.append(&scratch.narrow, into)?;
        } else {
            scratch.wide.clear();
            match &mut wide {
                Some(decoder) => {
                    decoder.page(
                        bytes,
                        page_len,
                        restore.inside.end,
                        &mut scratch.pco,
                        &mut scratch.wide,
                    )?;
                }
                None => packed::decode(bytes, page_len, restore.inside.end, &mut scratch.wide)?,
            }
            restore.append(&scratch.wide, into)?;
        }
    }
    Ok(())
}

/// One page's way from residuals back to values.
struct Restore<'a> {
    order: Order,
    shifted: &'a Shifted,
    state: i64,
    slope: i64,
    start: usize,
    /// What is wanted of the page.
    inside: Range<usize>,
}

impl Restore<'_> {
    fn append<T: Copy + Into<u64>>(
        &self,
        residuals: &[T],
        into: &mut Vec<i64>,
    ) -> Result<(), Damaged> {
        let Range { start, end } = self.inside;
        let residuals = residuals.get(..end).ok_or(Damaged("page is too short"))?;
        let Shifted { base, divisor, .. } = *self.shifted;
        // A division's inverse is a multiplication for all but the rare columns.
        if divisor == 1 {
            self.run(
                residuals,
                start,
                |apart: T| base.wrapping_add(apart.into().cast_signed()),
                into,
            );
        } else {
            let scaled =
                |apart: T| base.wrapping_add(apart.into().wrapping_mul(divisor).cast_signed());
            self.run(residuals, start, scaled, into);
        }
        Ok(())
    }

    fn run<T: Copy>(
        &self,
        residuals: &[T],
        skip: usize,
        residual: impl Fn(T) -> i64,
        into: &mut Vec<i64>,
    ) {
        let (before, wanted) = residuals.split_at(skip);
        match self.order {
            Order::Zero => into.extend(wanted.iter().map(|&one| residual(one))),
            Order::Line { first, step } => {
                let mut line = on_line(first, step, self.start + skip);
                into.extend(wanted.iter().map(|&one| {
                    let value = line.wrapping_add(residual(one));
                    line = line.wrapping_add(step);
                    value
                }));
            }
            Order::One => {
                // The state is the first value; the residual in its place says nothing.
                let mut value = self.state;
                if let Some((_, before)) = before.split_first() {
                    for &one in before {
                        value = value.wrapping_add(residual(one));
                    }
                    into.extend(wanted.iter().map(|&one| {
                        value = value.wrapping_add(residual(one));
                        value
                    }));
                } else if let Some((_, wanted)) = wanted.split_first() {
                    into.push(value);
                    into.extend(wanted.iter().map(|&one| {
                        value = value.wrapping_add(residual(one));
                        value
                    }));
                }
            }
            Order::Two => {
                let (mut value, mut slope) = (self.state, self.slope);
                for (at, &one) in residuals.iter().enumerate() {
                    if at > 0 {
                        slope = slope.wrapping_add(residual(one));
                        value = value.wrapping_add(slope);
                    }
                    if at >= skip {
                        into.push(value);
                    }
                }
            }
        }
    }
}
