//! When a measure is an alert.
//!
//! The default goes by sample size: a column drifted when what was measured has, without drift, a
//! chance below `alpha` divided among all columns looked at, *and* the effect is not negligible. So
//! twenty undrifted columns alarm in about one window of twenty whatever its size, small windows do
//! not cry wolf, and huge ones do not report differences that nobody could care about.
//! Fixed rules and `mean ± k · deviation` over reference chunks are there for those who want the
//! alarms of another tool.

use serde::{Deserialize, Serialize};

use crate::detector::{Measure, Rule};
use crate::stat;

/// How alerts are decided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// By sample size, the chance of any false alarm shared among all tests.
    Sampled {
        /// Chance of a false alarm a window, all columns together.
        alpha: f64,
        /// How it is shared.
        correction: Correction,
    },
    /// The rule that the detector's origin uses.
    Customary,
    /// One rule for all.
    Fixed(Rule),
    /// Above the mean of chunks of the reference by more than so many standard deviations, as NannyML.
    /// Chunks are as large as the windows: what scatters by chance scatters by size.
    Chunks {
        /// How many.
        deviations: f64,
    },
}

impl Default for Threshold {
    fn default() -> Threshold {
        Threshold::Sampled { alpha: 0.05, correction: Correction::Holm }
    }
}

/// How a chance of false alarms is shared among many tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Not at all: each test has the whole.
    None,
    /// Each test gets an equal part.
    Bonferroni,
    /// Bonferroni, step by step: the same promise, a little more power.
    Holm,
    /// The share of false ones among the alarms instead of the chance of any (Benjamini–Hochberg).
    FalseDiscovery,
}

/// What was decided about one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether it is an alert.
    pub drifted: bool,
    /// The rule it was held against.
    pub rule: Rule,
}

/// What a detector itself says about alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Custom {
    /// The rule that other tools alarm by.
    pub customary: Rule,
    /// An effect below this is too small to matter, however sure it is.
    pub negligible: f64,
}

/// Decides about all measures of one window together.
pub fn judge(measures: &[(Custom, Measure)], threshold: &Threshold) -> Vec<Verdict> {
    match threshold {
        // Chunks are known to the baseline, which holds measures against them itself.
        Threshold::Customary | Threshold::Chunks { .. } => {
            measures.iter().map(|(custom, measure)| hold(custom.customary, measure)).collect()
        }
        Threshold::Fixed(rule) => {
            measures.iter().map(|(_, measure)| hold(*rule, measure)).collect()
        }
        Threshold::Sampled { alpha, correction } => {
            let probabilities: Vec<f64> =
                measures.iter().map(|(_, measure)| measure.probability).collect();
            let levels = levels(&probabilities, *alpha, *correction);
            let verdict = |((custom, measure), level): (&(Custom, Measure), f64)| {
                let rule = Rule::ProbabilityBelow(level);
                let matters = measure.effect >= custom.negligible;
                Verdict { drifted: hold(rule, measure).drifted && matters, rule }
            };
            measures.iter().zip(levels).map(verdict).collect()
        }
    }
}

fn hold(rule: Rule, measure: &Measure) -> Verdict {
    let drifted = match rule {
        Rule::ValueAtLeast(least) => measure.value >= least,
        Rule::ProbabilityBelow(level) => measure.probability < level,
    };
    Verdict { drifted, rule }
}

/// The level that each p-value has to be below.
pub fn levels(probabilities: &[f64], alpha: f64, correction: Correction) -> Vec<f64> {
    let tests = probabilities.len().max(1) as f64;
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_unstable_by(|i, j| probabilities[*i].total_cmp(&probabilities[*j]));
    match correction {
        Correction::None => vec![alpha; probabilities.len()],
        Correction::Bonferroni => vec![alpha / tests; probabilities.len()],
        Correction::Holm => {
            let mut levels = vec![alpha / tests; probabilities.len()];
            for (rank, index) in order.into_iter().enumerate() {
                let level = alpha / (tests - rank as f64);
                levels[index] = level;
                if probabilities[index] >= level {
                    // Where one stops, all greater ones do: none of them may pass.
                    return levels.iter().map(|one| one.min(level)).collect();
                }
            }
            levels
        }
        Correction::FalseDiscovery => {
            let passing = order.iter().enumerate().rev().find_map(|(rank, index)| {
                let level = alpha * (rank + 1) as f64 / tests;
                (probabilities[*index] <= level).then_some(level.next_up())
            });
            vec![passing.unwrap_or(alpha / tests); probabilities.len()]
        }
    }
}

/// NannyML's band: mean ± k standard deviations (divisor n) of a metric over reference chunks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// Below this is an alert, if there is such a bound.
    pub lower: Option<f64>,
    /// Above this is an alert, if there is such a bound.
    pub upper: Option<f64>,
}

impl Band {
    /// The band of these reference values, cut to the metric's own limits: a bound beyond a limit can
    /// never be crossed and is left out.
    pub fn of(reference: &[f64], deviations: f64, limits: (f64, f64)) -> Band {
        let finite: Vec<f64> = reference.iter().copied().filter(|v| v.is_finite()).collect();
        if finite.is_empty() {
            return Band { lower: None, upper: None };
        }
        let mean = stat::mean(&finite);
        let spread = deviations * stat::deviation(&finite, 0);
        Band {
            lower: Some(mean - spread).filter(|bound| *bound > limits.0),
            upper: Some(mean + spread).filter(|bound| *bound < limits.1),
        }
    }

    /// Whether a value is outside.
    pub fn alerts(&self, value: f64) -> bool {
        self.lower.is_some_and(|lower| value < lower)
            || self.upper.is_some_and(|upper| value > upper)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::column::Kind;
    use crate::detector;
    use crate::pair::{Pair, Side};
    use crate::profile::{Binning, Edges, Profile};
    use crate::stat::random::Random;

    const FEATURES: usize = 20;
    const REFERENCE_ROWS: usize = 20_000;

    /// Continuous, small integers, and skewed categories as codes.
    fn draw(random: &mut Random, feature: usize, shift: f64) -> f64 {
        match feature % 5 {
            0..=2 => random.unit() + shift,
            3 => (random.unit() * 6.0).floor(),
            _ => (random.unit().powi(3) * 12.0).floor(),
        }
    }

    /// The chance of a value up to this.
    fn below(feature: usize, value: f64) -> f64 {
        match feature % 5 {
            0..=2 => value,
            3 => (value.floor() + 1.0) / 6.0,
            _ => ((value.floor() + 1.0) / 12.0).cbrt(),
        }
    }

    /// Counts of a window: of small ones row by row, of large ones bin by bin.
    fn counts(random: &mut Random, feature: usize, edges: &Arc<Edges>, rows: usize) -> Vec<u64> {
        if rows < 10_000 {
            let values: Vec<f64> = (0..rows).map(|_| draw(random, feature, 0.0)).collect();
            let mut profile = Profile::new(Arc::clone(edges));
            profile.add_numbers(&values);
            return profile.counts().to_vec();
        }
        let (mut left, mut from) = (rows as u64, 0.0);
        let mut counts = Vec::new();
        for cut in edges.cuts().unwrap() {
            let to = below(feature, *cut);
            let count = random.binomial(left, ((to - from) / (1.0 - from)).clamp(0.0, 1.0));
            counts.push(count);
            left -= count;
            from = to;
        }
        counts.push(left);
        counts
    }

    fn references(random: &mut Random) -> Vec<Profile> {
        let one = |feature: usize| {
            let values: Vec<f64> =
                (0..REFERENCE_ROWS).map(|_| draw(random, feature, 0.0)).collect();
            let binning = if feature % 5 < 3 { Binning::default() } else { Binning::Values };
            let edges = Arc::new(Edges::fit_numbers(&[&values], &binning).unwrap());
            let mut profile = Profile::new(edges);
            profile.add_numbers(&values);
            profile
        };
        (0..FEATURES).map(one).collect()
    }

    const NAMES: [&str; 3] = ["psi", "jensen_shannon", "chi_square"];

    fn false_alarms(rows: usize, windows: usize) -> [f64; 3] {
        let mut random = Random::new(rows as u64);
        let mut alarmed = [0; 3];
        let mut reference = references(&mut random);
        for window in 1..=windows {
            // What a reference has by chance matters the more the larger the window is: large windows
            // get other counts each time, small ones other edges now and then.
            if rows < 10_000 && window % 25 == 0 {
                reference = references(&mut random);
            }
            let past: Vec<Vec<u64>> = reference
                .iter()
                .enumerate()
                .map(|(feature, past)| match rows {
                    0..10_000 => past.counts().to_vec(),
                    _ => counts(&mut random, feature, past.edges(), REFERENCE_ROWS),
                })
                .collect();
            let current: Vec<Vec<u64>> = reference
                .iter()
                .enumerate()
                .map(|(feature, past)| counts(&mut random, feature, past.edges(), rows))
                .collect();
            for (name, alarmed) in NAMES.iter().zip(&mut alarmed) {
                let measure = detector::find(name).unwrap().measure;
                // Without the least effect: the promise must hold by the probabilities alone.
                let probabilities: Vec<f64> = reference
                    .iter()
                    .zip(&current)
                    .zip(&past)
                    .map(|((profile, now), past)| {
                        let [past, now] =
                            [past, now].map(|counts| Side { counts, ..Side::of(profile) });
                        let pair = Pair::new(Kind::Numeric, past, now).unwrap();
                        measure(&pair).unwrap().probability
                    })
                    .collect();
                let levels = levels(&probabilities, 0.05, Correction::Holm);
                *alarmed += usize::from(probabilities.iter().zip(levels).any(|(p, l)| *p < l));
            }
        }
        alarmed.map(|count: usize| count as f64 / windows as f64)
    }

    fn power(rows: usize, windows: usize) -> f64 {
        let psi = detector::find("psi").unwrap();
        let mut random = Random::new(5);
        let reference: Vec<f64> = (0..REFERENCE_ROWS).map(|_| random.normal()).collect();
        let edges = Arc::new(Edges::fit_numbers(&[&reference], &Binning::default()).unwrap());
        let mut past = Profile::new(Arc::clone(&edges));
        past.add_numbers(&reference);
        let found = (0..windows).filter(|_| {
            let values: Vec<f64> = (0..rows).map(|_| random.normal() + 0.5).collect();
            let mut now = Profile::new(Arc::clone(&edges));
            now.add_numbers(&values);
            let measure = (psi.measure)(&Pair::of(&past, &now).unwrap()).unwrap();
            measure.probability < 0.05 / FEATURES as f64 && measure.effect >= psi.negligible
        });
        found.count() as f64 / windows as f64
    }

    #[test]
    fn windows_of_any_size_alarm_seldom_without_drift_and_surely_with() {
        eprintln!("share of windows of {FEATURES} undrifted features with any alarm (at most 7 %)");
        eprintln!("{:>8} {:>8} {:>14} {:>10}", "rows", NAMES[0], NAMES[1], NAMES[2]);
        for (rows, windows) in [(100, 500), (300, 500), (1000, 500), (10_000, 400), (100_000, 400)]
        {
            let shares = false_alarms(rows, windows);
            eprintln!("{rows:>8} {:>8.3} {:>14.3} {:>10.3}", shares[0], shares[1], shares[2]);
            assert!(shares.iter().all(|share| *share <= 0.07), "{rows} rows: {shares:?}");
        }
        let power = power(1000, 500);
        eprintln!("half a standard deviation in 1,000 rows is found in {:.1} %", power * 100.0);
        assert!(power >= 0.99);
    }

    #[test]
    fn corrections_share_the_level() {
        let p = [0.001, 0.02, 0.03, 0.9];
        let passing = |correction| {
            let levels = levels(&p, 0.05, correction);
            p.iter().zip(levels).filter(|(p, level)| **p < *level).count()
        };
        assert_eq!(passing(Correction::None), 3);
        assert_eq!(passing(Correction::Bonferroni), 1);
        assert_eq!(passing(Correction::Holm), 1);
        assert_eq!(passing(Correction::FalseDiscovery), 3);
    }
}
