//! Chi-square test of homogeneity.
//!
//! χ² = Σ (observed − expected)² / expected over the 2 × bins table, bins − 1 degrees of freedom;
//! Yates' correction for two bins, as SciPy's `chi2_contingency`. Few expected rows: drawn, not read off.
//! Source: Pearson (1900). The effect is Cramér's V. NannyML's `chi2`.
//! Useful: for categories: unseen ones count with what is expected of the pooled sample, so that one
//! unseen row does not give p = 0 as in Evidently's one-sample form.
//! Not useful: without a least effect in huge windows; for thousands of rare categories.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::{Counts, Pair};
use crate::stat::{null, special};

pub(super) const DETECTOR: Detector = Detector {
    name: "chi_square",
    title: "Chi-square test",
    applies: Applies::Any,
    needs: Needs::Profile,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

/// Rows expected in a cell below which Cochran's rule forbids the asymptotic distribution.
const COCHRAN: f64 = 5.0;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let counts = pair.counts()?;
    if counts.freedom() == 0.0 {
        return Ok(Measure::of_test(0.0, 1.0, 0.0));
    }
    let value = statistic(&counts.reference, &counts.current);
    let (n, m) = counts.totals();
    let probability = if least_expected(&counts) >= COCHRAN || counts.reference.len() == 2 {
        special::chi_square_sf(value, counts.freedom())
    } else {
        null::of_counts(&counts.reference, &counts.current, value, statistic)
    };
    Ok(Measure::of_test(value, probability, (value / (n + m)).sqrt()))
}

pub(super) fn least_expected(counts: &Counts) -> f64 {
    let (n, m) = counts.totals();
    let smaller = n.min(m) / (n + m);
    let pooled = counts.reference.iter().zip(&counts.current).map(|(r, c)| (r + c) as f64);
    pooled.fold(f64::INFINITY, f64::min) * smaller
}

fn statistic(reference: &[u64], current: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (n, m) = (total(reference), total(current));
    let correction = if reference.len() == 2 { 0.5 } else { 0.0 };
    let cell = |observed: u64, expected: f64| {
        let apart = (observed as f64 - expected).abs();
        let apart = apart - f64::min(correction, apart);
        if expected > 0.0 { apart * apart / expected } else { 0.0 }
    };
    let both = reference.iter().zip(current).map(|(r, c)| {
        let share = (r + c) as f64 / (n + m);
        cell(*r, share * n) + cell(*c, share * m)
    });
    both.sum()
}
