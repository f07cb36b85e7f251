//! Sketches beside the exact counters: quantiles for plots, cardinality, frequent items. They are
//! not what drift is decided by: their error becomes the signal in large windows.

use datasketches::common::SearchCriteria;
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use datasketches::hll::{HllSketch, HllType, HllUnion};
use datasketches::kll::{KllFloat, KllSketch};

use crate::Error;
use crate::column::Kind;

/// Normalised rank error about 0.0133 (one-sided).
const QUANTILE_K: u16 = 200;
const CARDINALITY_LG_K: u8 = 12;
const FREQUENT_MAP: usize = 1024;
/// Values that all go into the quantile sketch; of later ones every eighth does.
const ALL_OF_FIRST: u64 = 4096;
const ONE_OF: usize = 8;

/// Sketches of one column.
#[derive(Debug, Clone)]
pub struct Sketches {
    pub(super) quantiles: Option<KllSketch<KllFloat<f64>>>,
    pub(super) cardinality: Option<HllSketch>,
    pub(super) frequent: Option<FrequentItemsSketch<String>>,
}

impl Sketches {
    pub(super) fn new(kind: Kind) -> Sketches {
        Sketches {
            quantiles: (kind == Kind::Numeric).then(|| KllSketch::new(QUANTILE_K).ok()).flatten(),
            cardinality: HllSketch::new(CARDINALITY_LG_K, HllType::Hll8).ok(),
            frequent: (kind == Kind::Categorical)
                .then(|| FrequentItemsSketch::new(FREQUENT_MAP).ok())
                .flatten(),
        }
    }

    pub(super) fn add_numbers(&mut self, block: &[f64]) {
        if let Some(sketch) = &mut self.quantiles {
            let step = if sketch.n() < ALL_OF_FIRST { 1 } else { ONE_OF };
            for number in block.iter().step_by(step) {
                if let Ok(value) = KllFloat::<f64>::new(*number) {
                    sketch.update(value);
                }
            }
        }
        if let Some(sketch) = &mut self.cardinality {
            for number in block {
                sketch.update(number.to_bits());
            }
        }
    }

    pub(super) fn add_text(&mut self, text: &str, times: u64) {
        if let Some(sketch) = &mut self.cardinality {
            sketch.update(text);
        }
        if let Some(sketch) = &mut self.frequent {
            sketch.update_with_count_ref(text, times);
        }
    }

    pub(super) fn merge(&mut self, other: &Sketches) -> Result<(), Error> {
        if let (Some(mine), Some(theirs)) = (&mut self.quantiles, &other.quantiles) {
            mine.merge(theirs).map_err(|error| Error::Mismatch(error.to_string()))?;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.cardinality, &other.cardinality) {
            let mut union = HllUnion::new(CARDINALITY_LG_K)
                .map_err(|error| Error::Mismatch(error.to_string()))?;
            union.update(mine);
            union.update(theirs);
            *mine = union.to_sketch(HllType::Hll8);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.frequent, &other.frequent) {
            mine.merge(theirs);
        }
        Ok(())
    }

    /// Approximate quantile of the numbers.
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        let sketch = self.quantiles.as_ref()?;
        let value =
            sketch.quantile(probability.clamp(0.0, 1.0), SearchCriteria::Inclusive).ok()??;
        Some(value.into_inner())
    }

    /// Approximate number of distinct values (relative standard error about 1.6 %).
    pub fn distinct(&self) -> Option<f64> {
        Some(self.cardinality.as_ref()?.estimate())
    }

    /// The most frequent texts with their counts, most frequent first.
    pub fn frequent(&self, limit: usize) -> Vec<(String, u64)> {
        let Some(sketch) = &self.frequent else { return Vec::new() };
        let mut rows: Vec<(String, u64)> = sketch
            .frequent_items(ErrorType::NoFalseNegatives)
            .iter()
            .map(|row| (row.item().clone(), row.estimate()))
            .collect();
        rows.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
        rows.truncate(limit);
        rows
    }
}
