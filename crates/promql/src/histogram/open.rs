//! A histogram opened for arithmetic.

use std::cmp::Ordering;

use model::metric::{Histogram, ResetHint, Span};

use super::bounds::{bound, coarser};
use super::bucket::listed;
use crate::number::Kahan;

/// Exponential and custom buckets do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas"
)]
pub struct Incompatible;

/// What was noticed during an addition or subtraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Added {
    /// One of them said that there was a reset, the other that there was none.
    pub hints_collide: bool,
    /// Their custom bounds differ; the result has those that both have.
    pub bounds_differ: bool,
}

impl Added {
    /// Either of them.
    pub fn or(self, other: Added) -> Added {
        Added {
            hints_collide: self.hints_collide || other.hints_collide,
            bounds_differ: self.bounds_differ || other.bounds_differ,
        }
    }
}

/// One side's buckets: index and compensated count, ascending.
type Side = Vec<(i32, Kahan)>;

/// A histogram in a form to calculate with. All sums are compensated.
#[derive(Debug, Clone)]
pub struct Open {
    hint: ResetHint,
    schema: i32,
    zero_threshold: f64,
    zero_count: Kahan,
    count: Kahan,
    sum: Kahan,
    positive: Side,
    negative: Side,
    custom_values: Vec<f64>,
}

fn open_side(spans: &[Span], counts: &[f64]) -> Side {
    listed(spans, counts).map(|(index, count)| (index, Kahan::new(count))).collect()
}

fn close_side(side: &Side) -> (Vec<Span>, Vec<f64>) {
    let (mut spans, mut counts): (Vec<Span>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut next = 0i32;
    for &(index, count) in side {
        let count = count.value();
        if count == 0.0 {
            continue;
        }
        match spans.last_mut() {
            Some(last) if next == index => last.length += 1,
            Some(_) => spans.push(Span { offset: index.saturating_sub(next), length: 1 }),
            None => spans.push(Span { offset: index, length: 1 }),
        }
        counts.push(count);
        next = index.saturating_add(1);
    }
    (spans, counts)
}

/// Adds `factor` times each of `from` to `into`; both ascend.
fn add_side(into: &mut Side, from: &Side, factor: f64) {
    let add = |into: &mut Kahan, count: Kahan| {
        into.add(factor * count.sum);
        if count.rest != 0.0 {
            into.add(factor * count.rest);
        }
    };
    if into.len() == from.len() && into.iter().zip(from).all(|(left, right)| left.0 == right.0) {
        for (left, right) in into.iter_mut().zip(from) {
            add(&mut left.1, right.1);
        }
        return;
    }
    let mut merged = Vec::with_capacity(into.len() + from.len());
    let (mut left, mut right) = (0, 0);
    while left < into.len() || right < from.len() {
        let order = match (into.get(left), from.get(right)) {
            (Some(one), Some(other)) => one.0.cmp(&other.0),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let mut bucket =
            if order == Ordering::Greater { (from[right].0, Kahan::default()) } else { into[left] };
        if order != Ordering::Greater {
            left += 1;
        }
        if order != Ordering::Less {
            add(&mut bucket.1, from[right].1);
            right += 1;
        }
        merged.push(bucket);
    }
    *into = merged;
}

/// Joins buckets as a coarser schema has them.
fn reduce_side(side: &mut Side, from: i32, to: i32) {
    let mut reduced: Side = Vec::with_capacity(side.len());
    for &(index, count) in &*side {
        let index = coarser(index, from, to);
        match reduced.last_mut() {
            Some(last) if last.0 == index => last.1.merge(count),
            _ => reduced.push((index, count)),
        }
    }
    *side = reduced;
}

/// The bounds that both have.
fn common_bounds(one: &[f64], other: &[f64]) -> Vec<f64> {
    let mut common = Vec::new();
    let (mut left, mut right) = (0, 0);
    while left < one.len() && right < other.len() {
        match one[left].partial_cmp(&other[right]) {
            Some(Ordering::Equal) => {
                common.push(one[left]);
                left += 1;
                right += 1;
            }
            Some(Ordering::Less) => left += 1,
            _ => right += 1,
        }
    }
    common
}

/// Counts by `from` bounds become counts by `to`, which are some of them.
fn remap_side(side: &mut Side, from: &[f64], to: &[f64]) {
    let mut mapped: Side = Vec::with_capacity(side.len());
    let last = i32::try_from(to.len()).unwrap_or(i32::MAX);
    for &(index, count) in &*side {
        let upper = usize::try_from(index).ok().and_then(|index| from.get(index));
        let target = upper.map_or(last, |upper| {
            let at = to.partition_point(|bound| bound < upper);
            i32::try_from(at).unwrap_or(last)
        });
        match mapped.last_mut() {
            Some(bucket) if bucket.0 == target => bucket.1.merge(count),
            _ => mapped.push((target, count)),
        }
    }
    *side = mapped;
}

impl Open {
    /// Opens one.
    #[must_use]
    pub fn new(histogram: &Histogram) -> Open {
        Open {
            hint: histogram.reset_hint,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero_count: Kahan::new(histogram.zero_count),
            count: Kahan::new(histogram.count),
            sum: Kahan::new(histogram.sum),
            positive: open_side(&histogram.positive_spans, &histogram.positive_buckets),
            negative: open_side(&histogram.negative_spans, &histogram.negative_buckets),
            custom_values: histogram.custom_values.clone(),
        }
    }

    /// An empty one with the layout of `histogram`.
    #[must_use]
    pub fn empty_like(histogram: &Histogram) -> Open {
        Open {
            hint: ResetHint::Unknown,
            schema: histogram.schema,
            zero_threshold: 0.0,
            zero_count: Kahan::default(),
            count: Kahan::default(),
            sum: Kahan::default(),
            positive: Vec::new(),
            negative: Vec::new(),
            custom_values: histogram.custom_values.clone(),
        }
    }

    /// The result, in canonical layout.
    #[must_use]
    pub fn close(&self) -> Histogram {
        let (positive_spans, positive_buckets) = close_side(&self.positive);
        let (negative_spans, negative_buckets) = close_side(&self.negative);
        Histogram {
            reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.value(),
            count: self.count.value(),
            sum: self.sum.value(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom_values.clone(),
        }
    }

    /// What it says about resets.
    pub fn set_hint(&mut self, hint: ResetHint) {
        self.hint = hint;
    }

    /// All observations.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.count.value()
    }

    fn has_custom_buckets(&self) -> bool {
        self.schema == Histogram::CUSTOM_BUCKETS_SCHEMA
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Histogram) -> Result<Added, Incompatible> {
        self.combine(Open::new(other), 1.0)
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: &Histogram) -> Result<Added, Incompatible> {
        self.combine(Open::new(other), -1.0)
    }

    /// Adds another open one.
    pub fn merge(&mut self, other: Open) -> Result<Added, Incompatible> {
        self.combine(other, 1.0)
    }

    fn combine(&mut self, mut other: Open, factor: f64) -> Result<Added, Incompatible> {
        if self.has_custom_buckets() != other.has_custom_buckets() {
            return Err(Incompatible);
        }
        let mut added = Added { hints_collide: self.adjust_hint(other.hint), bounds_differ: false };
        if self.has_custom_buckets() {
            if self.custom_values != other.custom_values {
                added.bounds_differ = true;
                let common = common_bounds(&self.custom_values, &other.custom_values);
                remap_side(&mut self.positive, &self.custom_values, &common);
                remap_side(&mut other.positive, &other.custom_values, &common);
                self.custom_values = common;
            }
        } else {
            self.match_zero_buckets(&mut other);
            let schema = self.schema.min(other.schema);
            self.reduce(schema);
            other.reduce(schema);
            add_side(&mut self.negative, &other.negative, factor);
        }
        for (into, from) in [
            (&mut self.zero_count, other.zero_count),
            (&mut self.count, other.count),
            (&mut self.sum, other.sum),
        ] {
            into.add(factor * from.sum);
            into.add(factor * from.rest);
        }
        add_side(&mut self.positive, &other.positive, factor);
        Ok(added)
    }

    /// The hint of a sum. True when they contradict one another.
    fn adjust_hint(&mut self, other: ResetHint) -> bool {
        use ResetHint::{Gauge, Unknown};
        if self.hint == other || self.hint == Gauge || self.hint == Unknown {
            if other == Gauge {
                self.hint = Gauge;
            }
            return false;
        }
        if other == Gauge || other == Unknown {
            self.hint = other;
            return false;
        }
        self.hint = Unknown;
        true
    }

    /// Lowers the resolution to `schema`; a higher one changes nothing.
    pub fn reduce(&mut self, schema: i32) {
        if schema < self.schema && !self.has_custom_buckets() {
            reduce_side(&mut self.positive, self.schema, schema);
            reduce_side(&mut self.negative, self.schema, schema);
            self.schema = schema;
        }
    }

    /// Widens the zero buckets until both are the same and end at a bucket's bound in both.
    fn match_zero_buckets(&mut self, other: &mut Open) {
        #[expect(clippy::float_cmp, reason = "thresholds are bounds of buckets, copied")]
        while self.zero_threshold != other.zero_threshold {
            let before = (self.zero_threshold, other.zero_threshold);
            if self.zero_threshold > other.zero_threshold {
                other.widen_zero_bucket(self.zero_threshold);
            }
            if other.zero_threshold > self.zero_threshold {
                self.widen_zero_bucket(other.zero_threshold);
            }
            if before == (self.zero_threshold, other.zero_threshold) {
                return; // NaN.
            }
        }
    }

    /// Moves what lies within `threshold` into the zero bucket; when it ends within a populated
    /// bucket, that bucket goes too and the threshold becomes its bound.
    pub(crate) fn widen_zero_bucket(&mut self, threshold: f64) {
        let mut threshold = threshold;
        loop {
            let reached = [&self.positive, &self.negative].into_iter().flatten().find_map(
                |&(index, count)| {
                    let (lower, upper) =
                        (bound(index.saturating_sub(1), self.schema), bound(index, self.schema));
                    (lower < threshold && upper > threshold && count.value() != 0.0)
                        .then_some(upper)
                },
            );
            match reached {
                Some(upper) => threshold = upper,
                None => break,
            }
        }
        let (schema, zero_count) = (self.schema, &mut self.zero_count);
        for side in [&mut self.positive, &mut self.negative] {
            side.retain(|&(index, count)| {
                let inside = bound(index.saturating_sub(1), schema) < threshold;
                if inside {
                    zero_count.merge(count);
                }
                !inside
            });
        }
        self.zero_threshold = threshold;
    }

    pub(crate) fn zero_threshold(&self) -> f64 {
        self.zero_threshold
    }

    pub(crate) fn zero_count(&self) -> f64 {
        self.zero_count.value()
    }

    pub(crate) fn positive(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        self.positive.iter().map(|&(index, count)| (index, count.value()))
    }

    pub(crate) fn negative(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        self.negative.iter().map(|&(index, count)| (index, count.value()))
    }

    /// Maps custom bounds to those that are in `bounds` too.
    pub(crate) fn restrict_bounds(&mut self, bounds: &[f64]) {
        let common = common_bounds(&self.custom_values, bounds);
        remap_side(&mut self.positive, &self.custom_values, &common);
        self.custom_values = common;
    }

    fn each_count(&mut self, change: impl Fn(f64) -> f64) {
        let scalars = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let buckets = self.positive.iter_mut().chain(&mut self.negative).map(|(_, count)| count);
        for count in scalars.into_iter().chain(buckets) {
            count.sum = change(count.sum);
            if count.rest != 0.0 {
                count.rest = change(count.rest);
            }
        }
    }

    /// Multiplies all counts and the sum; a negative factor makes a gauge of it.
    pub fn multiply(&mut self, factor: f64) {
        self.each_count(|count| count * factor);
        if factor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum; division by zero removes the buckets.
    pub fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        self.each_count(|count| count / divisor);
        if divisor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Whether all counts and the sum are smaller.
    pub(crate) fn is_below(&self, limit: f64) -> bool {
        let scalars = [self.zero_count, self.count, self.sum];
        let buckets = self.positive.iter().chain(&self.negative).map(|&(_, count)| count);
        scalars.into_iter().chain(buckets).all(|count| count.sum.abs() < limit)
    }

    /// Whether a count has become infinite.
    pub(crate) fn overflows(&self) -> bool {
        let scalars = [self.zero_count, self.count, self.sum];
        let buckets = self.positive.iter().chain(&self.negative).map(|&(_, count)| count);
        scalars.into_iter().chain(buckets).any(|count| count.sum.is_infinite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(schema: i32, offset: i32, counts: &[f64]) -> Histogram {
        let count = counts.iter().sum();
        Histogram {
            schema,
            count,
            sum: count,
            positive_spans: vec![Span {
                offset,
                length: u32::try_from(counts.len()).expect("few"),
            }],
            positive_buckets: counts.to_vec(),
            ..Histogram::default()
        }
    }

    #[test]
    fn addition_lowers_the_resolution_and_keeps_the_counts() {
        let mut open = Open::new(&exponential(1, 1, &[1.0, 2.0, 0.0, 4.0]));
        let added = open.add(&exponential(0, 1, &[10.0, 20.0])).expect("compatible");
        assert_eq!(added, Added::default());
        let sum = open.close();
        assert_eq!((sum.schema, sum.count), (0, 37.0));
        assert_eq!(sum.positive_buckets, [13.0, 24.0]);
        assert_eq!(sum.positive_spans, [Span { offset: 1, length: 2 }]);
    }

    #[test]
    fn zero_buckets_grow_to_a_common_bound() {
        let mut narrow = exponential(0, 0, &[1.0, 2.0, 3.0]); // Up to 1, 2, 4.
        narrow.zero_threshold = 0.1;
        let mut wide = exponential(0, 3, &[5.0]);
        wide.zero_threshold = 1.5;
        wide.zero_count = 7.0;
        let mut open = Open::new(&narrow);
        let _added = open.add(&wide).expect("compatible");
        let sum = open.close();
        assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 10.0));
        assert_eq!(sum.positive_buckets, [3.0, 5.0]);
    }

    #[test]
    fn custom_bounds_that_differ_are_intersected() {
        let custom = |bounds: &[f64], counts: &[f64]| Histogram {
            custom_values: bounds.to_vec(),
            ..exponential(Histogram::CUSTOM_BUCKETS_SCHEMA, 0, counts)
        };
        let mut open = Open::new(&custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]));
        let added = open.add(&custom(&[2.0, 3.0, 5.0], &[10.0, 20.0, 30.0])).expect("both custom");
        assert!(added.bounds_differ);
        let sum = open.close();
        assert_eq!(sum.custom_values, [2.0, 5.0]);
        assert_eq!(sum.positive_buckets, [13.0, 53.0, 4.0]);
        assert_eq!(open.add(&exponential(0, 0, &[1.0])), Err(Incompatible));
    }
}
