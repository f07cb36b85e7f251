//! What is kept of a column: counts between frozen edges, exact counters, sketches.
//!
//! A [`Profile`] is made for [`Edges`] that the reference decided once and for all. Profiles with the
//! same edges merge by addition: counters exactly and in any order, sums to the last bits, sketches
//! within their stated error. So windows, segments, shards and files are profiled apart and added.
//! Its bytes are described in `docs/formats/profile.md`.

mod codec;
mod edges;
mod moments;
mod sketches;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;

pub use edges::{Binning, Edges};
pub use moments::Moments;
pub use sketches::Sketches;

use crate::Error;
use crate::column::{self, Kind};

/// Names of categories that the reference did not have, remembered up to this many; all are counted.
pub const UNSEEN_LIMIT: usize = 1024;
/// With more cuts than this a value is placed by binary search instead of by counting comparisons.
const COUNTED_CUTS: usize = 32;

/// Counters and sketches of one column under frozen edges.
#[derive(Debug, Clone)]
pub struct Profile {
    edges: Arc<Edges>,
    /// Rows per bin; for categories the last bin is everything unseen.
    counts: Vec<u64>,
    missing: u64,
    nan: u64,
    infinite: [u64; 2],
    moments: Moments,
    unseen: BTreeMap<Box<str>, u64>,
    sketches: Option<Box<Sketches>>,
}

impl Profile {
    /// An empty profile that counts between these edges.
    pub fn new(edges: Arc<Edges>) -> Profile {
        let bins = edges.bins();
        let origin = edges.origin();
        Profile {
            edges,
            counts: vec![0; bins],
            missing: 0,
            nan: 0,
            infinite: [0; 2],
            moments: Moments::about(origin),
            unseen: BTreeMap::new(),
            sketches: None,
        }
    }

    /// The same with quantile, cardinality and frequent-item sketches, at about 15 ns a value.
    pub fn with_sketches(mut self) -> Profile {
        self.sketches = Some(Box::new(Sketches::new(self.edges.kind())));
        self
    }

    /// Counts the rows of an array.
    pub fn update(&mut self, array: &dyn Array) -> Result<(), Error> {
        match self.edges.kind() {
            Kind::Numeric => {
                self.missing += column::for_each_number(array, |block| self.add_numbers(block))?;
            }
            Kind::Categorical => {
                self.missing += column::for_each_text(array, |text, n| self.add_text(text, n))?;
            }
            Kind::Embedding => return Err(Error::Undefined("vectors")),
        }
        Ok(())
    }

    /// Counts numbers, in blocks that stay in the first cache.
    pub fn add_numbers(&mut self, numbers: &[f64]) {
        let edges = Arc::clone(&self.edges);
        let Some(cuts) = edges.cuts() else { return };
        for block in numbers.chunks(column::BLOCK / 4) {
            let regular = self.moments.add(block);
            let nan = if regular { 0 } else { self.add_irregular(block) };
            if cuts.len() <= COUNTED_CUTS {
                self.count_by_comparison(block, cuts, nan);
            } else {
                for number in block.iter().filter(|number| !number.is_nan()) {
                    self.counts[cuts.partition_point(|cut| cut < number)] += 1;
                }
            }
            if let Some(sketches) = &mut self.sketches {
                sketches.add_numbers(block);
            }
        }
    }

    /// Bins are the differences of how many values lie beyond each cut: no value is looked up, and
    /// the comparisons of one cut with a block are what vector units are for.
    fn count_by_comparison(&mut self, block: &[f64], cuts: &[f64], nan: u64) {
        let mut before = block.len() as u64 - nan;
        for (count, cut) in self.counts.iter_mut().zip(cuts) {
            let beyond = count_above(block, *cut);
            *count += before - beyond;
            before = beyond;
        }
        if let Some(last) = self.counts.last_mut() {
            *last += before;
        }
    }

    fn add_irregular(&mut self, block: &[f64]) -> u64 {
        let mut nan = 0;
        for number in block {
            if number.is_nan() {
                nan += 1;
            } else if number.is_infinite() {
                self.infinite[usize::from(*number > 0.0)] += 1;
            }
        }
        self.nan += nan;
        nan
    }

    fn add_text(&mut self, text: &str, times: u64) {
        if let Some(sketches) = &mut self.sketches {
            sketches.add_text(text, times);
        }
        match self.edges.category(text) {
            Some(category) => self.counts[category] += times,
            None => {
                if let Some(last) = self.counts.last_mut() {
                    *last += times;
                }
                self.remember_unseen(text, times);
            }
        }
    }

    fn remember_unseen(&mut self, text: &str, times: u64) {
        if let Some(count) = self.unseen.get_mut(text) {
            *count += times;
        } else if self.unseen.len() < UNSEEN_LIMIT {
            self.unseen.insert(text.into(), times);
        }
    }

    /// Adds what another profile of the same edges has counted.
    pub fn merge(&mut self, other: &Profile) -> Result<(), Error> {
        if self.edges != other.edges {
            return Err(Error::Mismatch("profiles with different edges".to_owned()));
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.missing += other.missing;
        self.nan += other.nan;
        self.infinite.iter_mut().zip(other.infinite).for_each(|(mine, theirs)| *mine += theirs);
        self.moments.merge(&other.moments);
        for (text, times) in &other.unseen {
            self.remember_unseen(text, *times);
        }
        match (&mut self.sketches, &other.sketches) {
            (Some(mine), Some(theirs)) => mine.merge(theirs)?,
            (mine, None) => *mine = None,
            (None, Some(_)) => {}
        }
        Ok(())
    }

    /// The profile in its versioned compact form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads what [`Profile::encode`] wrote, of this version or an earlier one.
    pub fn decode(bytes: &[u8]) -> Result<Profile, Error> {
        codec::decode(bytes)
    }

    /// The edges it counts between.
    pub fn edges(&self) -> &Arc<Edges> {
        &self.edges
    }

    /// Rows per bin, in the order of the edges; unseen categories last.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All rows: values, missing, NaN.
    pub fn rows(&self) -> u64 {
        self.values() + self.missing + self.nan
    }

    /// Rows with a value (infinities count as values of the outermost bins).
    pub fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Nulls.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// NaN, which is neither a value nor a null.
    pub fn nan(&self) -> u64 {
        self.nan
    }

    /// Negative and positive infinities.
    pub fn infinite(&self) -> [u64; 2] {
        self.infinite
    }

    /// Count, mean, variance, smallest and largest of the finite values.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Categories that the reference did not have (the first [`UNSEEN_LIMIT`]).
    pub fn unseen(&self) -> &BTreeMap<Box<str>, u64> {
        &self.unseen
    }

    /// The sketches, if the profile keeps any.
    pub fn sketches(&self) -> Option<&Sketches> {
        self.sketches.as_deref()
    }
}

#[inline]
fn count_above(block: &[f64], cut: f64) -> u64 {
    // Eight counters, so that additions do not wait for each other.
    let mut lanes = [0_u64; 8];
    let chunks = block.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, number) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(u64::from(*number > cut));
        }
    }
    let rest = rest.iter().filter(|number| **number > cut).count() as u64;
    lanes.iter().sum::<u64>() + rest
}

#[cfg(test)]
mod tests;
