//! What the binned distances have in common: their null distribution, and bins over both samples.

use crate::Error;
use crate::column::Kind;
use crate::pair::{Counts, Pair};
use crate::stat::{null, special};

/// P-value of a divergence that is `1/factor` of Pearson's chi-square distance near zero:
/// `factor · D · nm/(n+m)` is chi-square with bins − 1 degrees where counts are large.
pub(super) fn probability(
    counts: &Counts,
    value: f64,
    factor: f64,
    distance: fn(&[u64], &[u64]) -> f64,
) -> f64 {
    if counts.freedom() == 0.0 {
        return 1.0;
    }
    if null::counts_are_large(&counts.reference, &counts.current) {
        let (n, m) = counts.totals();
        return special::chi_square_sf(factor * value * n * m / (n + m), counts.freedom());
    }
    null::of_counts(&counts.reference, &counts.current, value, distance)
}

/// Shares where an empty bin counts as half a row, so that logarithms exist.
pub(super) fn half_row_shares(reference: &[u64], current: &[u64]) -> Vec<(f64, f64)> {
    let half = |counts: &[u64]| -> Vec<f64> {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|count| if *count == 0 { 0.5 } else { *count as f64 } / total).collect()
    };
    half(reference).into_iter().zip(half(current)).collect()
}

/// Evidently's rule for empty bins: 0.0001, or a millionth of the least share where that is smaller.
pub(super) fn evidently_shares(reference: &[u64], current: &[u64]) -> Vec<(f64, f64)> {
    let fill = |counts: &[u64]| -> Vec<f64> {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / total).collect();
        let least = shares.iter().copied().filter(|p| *p > 0.0).fold(f64::INFINITY, f64::min);
        let empty = if least <= 1e-4 { least / 1e6 } else { 1e-4 };
        shares.into_iter().map(|share| if share == 0.0 { empty } else { share }).collect()
    };
    fill(reference).into_iter().zip(fill(current)).collect()
}

/// More distinct values than this are binned by width.
const DISTINCT_LIMIT: usize = 20;

/// Counts as Evidently bins them: Sturges' number of equal widths over *both* samples, or a bin for
/// each distinct value of few; categories by name.
pub(super) fn joint_counts(pair: &Pair<'_>) -> Result<Counts, Error> {
    if pair.kind == Kind::Categorical {
        return pair.counts_by_name();
    }
    let steps = pair.steps()?;
    let distinct = steps.iter().filter(|step| step.reference > 0).take(DISTINCT_LIMIT + 1).count();
    if distinct <= DISTINCT_LIMIT {
        let counts = steps.iter().map(|step| (u64::from(step.reference), u64::from(step.current)));
        return Counts::new(counts);
    }
    let (reference, current) = pair.samples()?;
    let edges = sturges(steps.first(), steps.last(), reference.len() + current.len());
    Counts::new(histogram(reference, &edges).into_iter().zip(histogram(current, &edges)))
}

fn sturges(
    first: Option<&crate::pair::Step>,
    last: Option<&crate::pair::Step>,
    rows: usize,
) -> Vec<f64> {
    let least = first.map_or(0.0, |step| step.value);
    let most = last.map_or(0.0, |step| step.value);
    equal_edges(least, most, (most - least) / ((rows as f64).log2() + 1.0))
}

/// Edges of about this width, both ends included, as NumPy makes them.
pub(super) fn equal_edges(least: f64, most: f64, width: f64) -> Vec<f64> {
    let bins = if width > 0.0 { ((most - least) / width).ceil().clamp(1.0, 1e6) } else { 1.0 };
    let step = (most - least) / bins;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1..=1e6")]
    let bins = bins as usize;
    (0..=bins).map(|i| if i == bins { most } else { least + step * i as f64 }).collect()
}

/// Counts of sorted numbers between edges, left-closed, the last bin closed on both sides.
pub(super) fn histogram(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
    let mut counts = Vec::with_capacity(inner.len() + 1);
    let mut from = 0;
    for edge in inner {
        let to = sorted.partition_point(|value| value < edge);
        counts.push((to - from) as u64);
        from = to;
    }
    counts.push((sorted.len() - from) as u64);
    counts
}
