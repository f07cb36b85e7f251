//! Gradient boosting of decision trees over histograms, for loss estimation and domain classification.
//!
//! The method and defaults of LightGBM (Ke and others 2017): values in at most 255 bins, trees grown
//! leaf by leaf to 31 leaves, 100 rounds, rate 0.1, at least 20 rows a leaf, the histogram of the
//! larger child by subtraction, categories split by their order of gradient. Why our own:
//! `docs/decisions/0005-own-gradient-boosting.md`. No sampling, so the same rows give the same trees.
//! NaN is a value below all others. It refuses nothing else: constant features are never split on.

use rayon::prelude::*;

use crate::Error;
use crate::stat::order;

const BINS: usize = 255;
/// Rows that cuts are chosen from.
const CUT_ROWS: usize = 50_000;
const CATEGORY_SMOOTH: f64 = 10.0;

/// A feature's column: numbers, or codes of categories (0..255; greater ones share the last).
#[derive(Debug, Clone)]
pub enum Feature {
    /// Ordered values.
    Numbers(Vec<f64>),
    /// Codes without order.
    Codes(Vec<u8>),
}

impl Feature {
    fn len(&self) -> usize {
        match self {
            Feature::Numbers(values) => values.len(),
            Feature::Codes(codes) => codes.len(),
        }
    }
}

/// What the sum of trees is fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Least squares.
    Squares,
    /// Log loss of labels 0 and 1; predictions are probabilities.
    Logistic,
}

/// How trees are grown.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Trees.
    pub rounds: usize,
    /// Leaves of a tree.
    pub leaves: usize,
    /// Share of each tree's answer that counts.
    pub rate: f64,
    /// Rows that a leaf must have.
    pub rows_least: u32,
}

impl Default for Growth {
    fn default() -> Growth {
        Growth { rounds: 100, leaves: 31, rate: 0.1, rows_least: 20 }
    }
}

/// A fitted sum of trees.
#[derive(Debug, Clone)]
pub struct Gbdt {
    objective: Objective,
    base: f64,
    binning: Vec<Vec<f64>>,
    trees: Vec<Tree>,
}

#[derive(Debug, Clone)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    Leaf(f64),
    /// Bins whose bit is set go to the left.
    Split {
        feature: usize,
        left_bins: [u64; 4],
        left: u32,
        right: u32,
    },
}

/// Columns as bins, one byte a value.
struct Binned {
    columns: Vec<Vec<u8>>,
    ordered: Vec<bool>,
}

impl Gbdt {
    /// Fits targets (one a row).
    pub fn fit(
        features: &[Feature],
        targets: &[f64],
        objective: Objective,
        growth: &Growth,
    ) -> Result<Gbdt, Error> {
        for feature in features {
            crate::performance::same_length(feature.len(), targets.len())?;
        }
        if targets.is_empty() || targets.iter().any(|target| !target.is_finite()) {
            return Err(Error::Undefined("targets that are missing or not finite"));
        }
        let binning: Vec<Vec<f64>> = features.par_iter().map(cuts).collect();
        let binned = bin(features, &binning);
        let mean = crate::stat::mean(targets);
        let base = match objective {
            Objective::Squares => mean,
            Objective::Logistic => {
                let mean = mean.clamp(1e-12, 1.0 - 1e-12);
                (mean / (1.0 - mean)).ln()
            }
        };
        let mut scores = vec![base; targets.len()];
        let mut trees = Vec::with_capacity(growth.rounds);
        let mut gradients = vec![(0.0_f32, 0.0_f32); targets.len()];
        for _ in 0..growth.rounds {
            for ((gradient, score), target) in gradients.iter_mut().zip(&scores).zip(targets) {
                *gradient = derivative(objective, *score, *target);
            }
            let (tree, leaves) = Grower::new(&binned, &gradients, growth).grow();
            for (value, rows) in leaves {
                rows.iter().for_each(|row| scores[*row as usize] += value);
            }
            if tree.nodes.len() == 1 {
                break;
            }
            trees.push(tree);
        }
        Ok(Gbdt { objective, base, binning, trees })
    }

    /// Predictions for rows with the same features.
    pub fn predict(&self, features: &[Feature]) -> Result<Vec<f64>, Error> {
        if features.len() != self.binning.len() {
            return Err(Error::Mismatch("another number of features".to_owned()));
        }
        let rows = features.first().map_or(0, Feature::len);
        for feature in features {
            crate::performance::same_length(feature.len(), rows)?;
        }
        let binned = bin(features, &self.binning);
        let mut scores = vec![self.base; rows];
        const BLOCK: usize = 4096;
        scores.par_chunks_mut(BLOCK).enumerate().for_each(|(block, scores)| {
            for tree in &self.trees {
                for (place, score) in scores.iter_mut().enumerate() {
                    *score += tree.answer(&binned, block * BLOCK + place);
                }
            }
        });
        if self.objective == Objective::Logistic {
            scores.iter_mut().for_each(|score| *score = 1.0 / (1.0 + (-*score).exp()));
        }
        Ok(scores)
    }
}

impl Tree {
    fn answer(&self, binned: &Binned, row: usize) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { feature, left_bins, left, right } => {
                    let bin = binned.columns[feature][row];
                    at = if has(&left_bins, bin) { left } else { right } as usize;
                }
            }
        }
    }
}

#[inline]
fn has(bins: &[u64; 4], bin: u8) -> bool {
    bins[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1
}

#[expect(clippy::cast_possible_truncation, reason = "gradients need no more than single precision")]
fn derivative(objective: Objective, score: f64, target: f64) -> (f32, f32) {
    match objective {
        Objective::Squares => ((score - target) as f32, 1.0),
        Objective::Logistic => {
            let p = 1.0 / (1.0 + (-score).exp());
            ((p - target) as f32, (p * (1.0 - p)) as f32)
        }
    }
}

/// Upper bounds of bins: midpoints of distinct values, or quantiles where these are many.
fn cuts(feature: &Feature) -> Vec<f64> {
    let Feature::Numbers(values) = feature else { return Vec::new() };
    let step = values.len().div_ceil(CUT_ROWS).max(1);
    let mut sample: Vec<f64> =
        values.iter().step_by(step).copied().filter(|value| value.is_finite()).collect();
    order::sort(&mut sample);
    let mut cuts = Vec::new();
    // Bin 0 is for NaN.
    let room = BINS - 1;
    let least = sample.len() / room;
    let mut rows = 0;
    #[expect(clippy::float_cmp, reason = "equal values are one")]
    for equal in sample.chunk_by(|left, right| left == right) {
        if rows > least.max(2) {
            let before = cuts.last().copied().unwrap_or(f64::NEG_INFINITY);
            let cut = f64::midpoint(previous(&sample, equal[0]), equal[0]);
            if cut > before && cuts.len() + 1 < room {
                cuts.push(cut);
            }
            rows = 0;
        }
        rows += equal.len();
    }
    cuts
}

fn previous(sorted: &[f64], value: f64) -> f64 {
    let at = sorted.partition_point(|known| *known < value);
    at.checked_sub(1).map_or(value, |before| sorted[before])
}

#[expect(clippy::cast_possible_truncation, reason = "at most 255 bins")]
fn bin(features: &[Feature], binning: &[Vec<f64>]) -> Binned {
    let column =
        |(feature, cuts): (&Feature, &Vec<f64>)| match feature {
            Feature::Codes(codes) => codes.clone(),
            Feature::Numbers(values) => values
                .iter()
                .map(|value| {
                    if value.is_nan() {
                        0
                    } else {
                        cuts.partition_point(|cut| cut < value) as u8 + 1
                    }
                })
                .collect(),
        };
    let columns = features.par_iter().zip(binning).map(column).collect();
    let ordered = features.iter().map(|f| matches!(f, Feature::Numbers(_))).collect();
    Binned { columns, ordered }
}

/// Sum of gradients, sum of second derivatives, rows.
type Cell = (f64, f64, u32);

#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    left_bins: [u64; 4],
}

struct Leaf {
    node: usize,
    rows: Vec<u32>,
    histogram: Vec<Cell>,
    total: Cell,
    best: Option<Split>,
}

struct Grower<'a> {
    binned: &'a Binned,
    gradients: &'a [(f32, f32)],
    growth: &'a Growth,
}

impl<'a> Grower<'a> {
    fn new(binned: &'a Binned, gradients: &'a [(f32, f32)], growth: &'a Growth) -> Grower<'a> {
        Grower { binned, gradients, growth }
    }

    /// Grows a tree; returns it with the rows of each leaf.
    fn grow(&self) -> (Tree, Vec<(f64, Vec<u32>)>) {
        let rows: Vec<u32> = (0..u32::try_from(self.gradients.len()).unwrap_or(u32::MAX)).collect();
        let histogram = self.histogram(&rows);
        let mut leaves = vec![self.leaf(0, rows, histogram)];
        let mut nodes = vec![Node::Leaf(0.0)];
        while leaves.len() < self.growth.leaves {
            let gain = |leaf: &Leaf| leaf.best.map_or(0.0, |split| split.gain);
            let Some(at) = (0..leaves.len())
                .filter(|at| leaves[*at].best.is_some())
                .max_by(|left, right| gain(&leaves[*left]).total_cmp(&gain(&leaves[*right])))
            else {
                break;
            };
            let leaf = leaves.swap_remove(at);
            let Some(split) = leaf.best else { break };
            let children = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            nodes[leaf.node] = Node::Split {
                feature: split.feature,
                left_bins: split.left_bins,
                left: children,
                right: children + 1,
            };
            nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
            leaves.extend(self.divide(leaf, &split, children as usize));
        }
        let rate = self.growth.rate;
        let answers = leaves.into_iter().map(|leaf| {
            let value = -leaf.total.0 / leaf.total.1.max(1e-12) * rate;
            nodes[leaf.node] = Node::Leaf(value);
            (value, leaf.rows)
        });
        let answers: Vec<(f64, Vec<u32>)> = answers.collect();
        (Tree { nodes }, answers)
    }

    fn divide(&self, leaf: Leaf, split: &Split, node: usize) -> [Leaf; 2] {
        let column = &self.binned.columns[split.feature];
        let (left, right): (Vec<u32>, Vec<u32>) =
            leaf.rows.iter().partition(|row| has(&split.left_bins, column[**row as usize]));
        let small_is_left = left.len() < right.len();
        let small = self.histogram(if small_is_left { &left } else { &right });
        let mut large = leaf.histogram;
        for (cell, taken) in large.iter_mut().zip(&small) {
            *cell = (cell.0 - taken.0, cell.1 - taken.1, cell.2 - taken.2);
        }
        let (of_left, of_right) = if small_is_left { (small, large) } else { (large, small) };
        [self.leaf(node, left, of_left), self.leaf(node + 1, right, of_right)]
    }

    fn leaf(&self, node: usize, rows: Vec<u32>, histogram: Vec<Cell>) -> Leaf {
        let total = histogram.iter().take(256).fold((0.0, 0.0, 0), |sum: Cell, cell| {
            (sum.0 + cell.0, sum.1 + cell.1, sum.2 + cell.2)
        });
        let candidate = |feature: usize| {
            let cells = &histogram[feature * 256..(feature + 1) * 256];
            if self.binned.ordered[feature] {
                self.best_cut(feature, cells, total)
            } else {
                self.best_categories(feature, cells, total)
            }
        };
        let best = (0..self.binned.columns.len())
            .filter_map(candidate)
            .max_by(|left, right| left.gain.total_cmp(&right.gain));
        Leaf { node, rows, histogram, total, best }
    }

    fn histogram(&self, rows: &[u32]) -> Vec<Cell> {
        let mut histogram = vec![(0.0, 0.0, 0); self.binned.columns.len() * 256];
        let fill = |(cells, column): (&mut [Cell], &Vec<u8>)| {
            for row in rows {
                let (gradient, second) = self.gradients[*row as usize];
                let cell = &mut cells[usize::from(column[*row as usize])];
                cell.0 += f64::from(gradient);
                cell.1 += f64::from(second);
                cell.2 = cell.2.wrapping_add(1);
            }
        };
        // Two cores are worth their start only for many rows.
        if rows.len() > 8192 {
            histogram.par_chunks_mut(256).zip(&self.binned.columns).for_each(fill);
        } else {
            histogram.chunks_mut(256).zip(&self.binned.columns).for_each(fill);
        }
        histogram
    }

    fn gain(&self, left: Cell, total: Cell) -> Option<f64> {
        let right = (total.0 - left.0, total.1 - left.1, total.2 - left.2);
        let least = self.growth.rows_least;
        if left.2 < least || right.2 < least || left.1 < 1e-3 || right.1 < 1e-3 {
            return None;
        }
        let score = |cell: Cell| cell.0 * cell.0 / cell.1;
        let gain = score(left) + score(right) - score(total);
        (gain > 1e-10).then_some(gain)
    }

    fn best_cut(&self, feature: usize, cells: &[Cell], total: Cell) -> Option<Split> {
        let mut left = (0.0, 0.0, 0);
        let mut best: Option<(f64, usize)> = None;
        for (bin, cell) in cells.iter().enumerate() {
            if cell.2 == 0 {
                continue;
            }
            left = (left.0 + cell.0, left.1 + cell.1, left.2 + cell.2);
            if let Some(gain) = self.gain(left, total)
                && best.is_none_or(|best| gain > best.0)
            {
                best = Some((gain, bin));
            }
        }
        let (gain, last) = best?;
        Some(Split { gain, feature, left_bins: set_of(0..=last) })
    }

    fn best_categories(&self, feature: usize, cells: &[Cell], total: Cell) -> Option<Split> {
        let mut bins: Vec<usize> = (0..cells.len()).filter(|bin| cells[*bin].2 > 0).collect();
        let rank = |bin: usize| cells[bin].0 / (cells[bin].1 + CATEGORY_SMOOTH);
        bins.sort_by(|left, right| rank(*left).total_cmp(&rank(*right)));
        let mut left = (0.0, 0.0, 0);
        let mut best: Option<(f64, usize)> = None;
        for (taken, bin) in bins.iter().enumerate() {
            let cell = cells[*bin];
            left = (left.0 + cell.0, left.1 + cell.1, left.2 + cell.2);
            if let Some(gain) = self.gain(left, total)
                && best.is_none_or(|best| gain > best.0)
            {
                best = Some((gain, taken));
            }
        }
        let (gain, last) = best?;
        Some(Split { gain, feature, left_bins: set_of(bins.into_iter().take(last + 1)) })
    }
}

fn set_of(bins: impl IntoIterator<Item = usize>) -> [u64; 4] {
    let mut set = [0; 4];
    for bin in bins {
        set[bin >> 6] |= 1 << (bin & 63);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::random::Random;

    #[test]
    fn steps_and_categories_are_learned() {
        let mut random = Random::new(1);
        let numbers: Vec<f64> = (0..5000).map(|_| random.unit()).collect();
        let codes: Vec<u8> = (0..5000).map(|i| u8::try_from(i % 7).unwrap()).collect();
        let target: Vec<f64> = numbers
            .iter()
            .zip(&codes)
            .map(|(x, code)| if *x > 0.3 { 2.0 } else { 0.0 } + f64::from(u8::from(*code % 3 == 0)))
            .collect();
        let features = [Feature::Numbers(numbers), Feature::Codes(codes)];
        let growth = Growth::default();
        let model = Gbdt::fit(&features, &target, Objective::Squares, &growth).unwrap();
        let predicted = model.predict(&features).unwrap();
        // The bin that the step falls into holds both sides of it; all others are learned.
        let far = predicted.iter().zip(&target).filter(|(p, t)| (*p - *t).abs() > 0.02).count();
        assert!(far < 250, "{far}");
    }

    #[test]
    fn nothing_to_learn_is_the_mean() {
        let features = [Feature::Numbers(vec![f64::NAN; 100])];
        let target: Vec<f64> = (0..100).map(f64::from).collect();
        let model = Gbdt::fit(&features, &target, Objective::Squares, &Growth::default()).unwrap();
        assert!((model.predict(&features).unwrap()[7] - 49.5).abs() < 1e-12);
    }
}
