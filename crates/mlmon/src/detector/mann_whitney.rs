//! Mann–Whitney U test, two sides.
//!
//! U = Σ ranks of the reference − n(n+1)/2: pairs in which the reference is greater, ties half.
//! Source: Mann and Whitney (1947); normal tail with continuity and tie correction, exact below nine
//! rows without ties, as SciPy's `mannwhitneyu`. The effect is |2U/nm − 1|, the rank-biserial correlation.
//! Useful: for a shift in location whatever the shape; U/nm is the AUROC of the column telling the
//! two samples apart.
//! Not useful: for changes of spread: a column that widens around its median keeps U.

use super::{Applies, Detector, Measure, Needs, Rule};
use crate::Error;
use crate::pair::Pair;
use crate::stat::special;

pub(super) const DETECTOR: Detector = Detector {
    name: "mann_whitney",
    title: "Mann–Whitney U test",
    applies: Applies::Numeric,
    needs: Needs::Values,
    customary: Rule::ProbabilityBelow(0.05),
    negligible: 0.02,
    measure,
    text: Detector::BLANK,
};

const EXACT_ROWS: usize = 8;
/// Pairs beyond which the exact distribution is not worth its price.
const EXACT_PAIRS: usize = 100_000;

fn measure(pair: &Pair<'_>) -> Result<Measure, Error> {
    let (reference, current) = pair.samples()?;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (mut before, mut ranks, mut ties) = (0.0, 0.0, 0.0);
    for step in pair.steps()? {
        let (r, c) = (f64::from(step.reference), f64::from(step.current));
        let here = r + c;
        ranks += r * (before + f64::midpoint(here, 1.0));
        ties += here * here * here - here;
        before += here;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let greater = u.max(n * m - u);
    let pairs = reference.len().saturating_mul(current.len());
    let small = reference.len().min(current.len()) <= EXACT_ROWS && pairs <= EXACT_PAIRS;
    let probability = if small && ties == 0.0 {
        exact(reference.len(), current.len(), greater)
    } else {
        let total = n + m;
        let spread = (n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)))).sqrt();
        let z = (greater - n * m / 2.0 - 0.5) / spread;
        if spread > 0.0 { (2.0 * special::normal_sf(z)).min(1.0) } else { 1.0 }
    };
    Ok(Measure::of_test(u, probability, (2.0 * u / (n * m) - 1.0).abs()))
}

/// Twice P(U >= u): the coefficients of the Gaussian binomial count the orders for each U.
fn exact(n: usize, m: usize, u: f64) -> f64 {
    let (n, m) = (n.min(m), n.max(m));
    let mut ways = vec![0.0_f64; n * m + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        for at in (m + i..ways.len()).rev() {
            ways[at] -= ways[at - m - i];
        }
        for at in i..ways.len() {
            ways[at] += ways[at - i];
        }
    }
    let all: f64 = ways.iter().sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=nm")]
    let from = (u.ceil() as usize).min(ways.len());
    (2.0 * ways[from..].iter().sum::<f64>() / all).min(1.0)
}
