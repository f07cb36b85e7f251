//! A reference and a current column, seen the same way: what a two-sample detector looks at.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::Error;
use crate::column::Kind;
use crate::profile::{Moments, Profile};

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Rows per bin; of categories the last bin is everything unseen.
    pub counts: &'a [u64],
    /// Count, mean and variance of the finite values.
    pub moments: &'a Moments,
    /// Categories that the reference did not have.
    pub unseen: Option<&'a BTreeMap<Box<str>, u64>>,
    /// The finite values ascending, where the caller kept them.
    pub sorted: Option<&'a [f64]>,
}

impl<'a> Side<'a> {
    /// A side of which only the profile is known.
    pub fn of(profile: &'a Profile) -> Side<'a> {
        Side {
            counts: profile.counts(),
            moments: profile.moments(),
            unseen: Some(profile.unseen()),
            sorted: None,
        }
    }

    /// With the finite values, ascending.
    pub fn with_sorted(self, sorted: &'a [f64]) -> Side<'a> {
        Side { sorted: Some(sorted), ..self }
    }

    /// Rows counted in bins.
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Rows of both sides at one value.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The value.
    pub value: f64,
    /// Rows of the reference with it.
    pub reference: u32,
    /// Rows of the current side with it.
    pub current: u32,
}

/// Two sides with the same bins.
#[derive(Debug)]
pub struct Pair<'a> {
    /// Numbers or categories.
    pub kind: Kind,
    /// What things were like.
    pub reference: Side<'a>,
    /// What they are like.
    pub current: Side<'a>,
    steps: OnceCell<Vec<Step>>,
}

impl<'a> Pair<'a> {
    /// Pairs two sides; they must have been counted between the same edges.
    pub fn new(kind: Kind, reference: Side<'a>, current: Side<'a>) -> Result<Pair<'a>, Error> {
        if reference.counts.len() != current.counts.len() {
            return Err(Error::Mismatch("sides with different bins".to_owned()));
        }
        Ok(Pair { kind, reference, current, steps: OnceCell::new() })
    }

    /// Pairs two profiles.
    pub fn of(reference: &'a Profile, current: &'a Profile) -> Result<Pair<'a>, Error> {
        if reference.edges() != current.edges() {
            return Err(Error::Mismatch("profiles with different edges".to_owned()));
        }
        Pair::new(reference.edges().kind(), Side::of(reference), Side::of(current))
    }

    /// Counts of the bins that are not empty on both sides. An error where a side has no rows.
    pub fn counts(&self) -> Result<Counts, Error> {
        Counts::new(self.reference.counts.iter().copied().zip(self.current.counts.iter().copied()))
    }

    /// The same with each unseen category in a bin of its own.
    pub fn counts_by_name(&self) -> Result<Counts, Error> {
        let known = self.reference.counts.len().saturating_sub(1);
        let paired = self.reference.counts.iter().copied().zip(self.current.counts.iter().copied());
        let named = self.current.unseen.into_iter().flat_map(|unseen| unseen.values());
        let named: Vec<u64> = named.copied().collect();
        let (reference, current) = paired.clone().next_back().unwrap_or_default();
        let unnamed = current.saturating_sub(named.iter().sum());
        let tail = named.into_iter().map(|times| (0, times)).chain([(reference, unnamed)]);
        Counts::new(paired.take(known).chain(tail))
    }

    /// Both sorted samples. An error where the caller kept none, or one is empty.
    pub fn samples(&self) -> Result<(&'a [f64], &'a [f64]), Error> {
        if self.kind != Kind::Numeric {
            return Err(Error::Undefined("categories"));
        }
        match (self.reference.sorted, self.current.sorted) {
            (Some([]), _) => Err(Error::Empty("the reference")),
            (_, Some([])) => Err(Error::Empty("the current data")),
            (Some(reference), Some(current)) => Ok((reference, current)),
            _ => Err(Error::Undefined("profiles alone: it needs the values")),
        }
    }

    /// Both samples merged: the distinct values ascending with their rows on each side. Computed
    /// once for all detectors.
    pub fn steps(&self) -> Result<&[Step], Error> {
        let (reference, current) = self.samples()?;
        Ok(self.steps.get_or_init(|| merge(reference, current)))
    }
}

fn merge(reference: &[f64], current: &[f64]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(reference.len() + current.len());
    let (mut i, mut j) = (0, 0);
    while i < reference.len() || j < current.len() {
        let left = reference.get(i).copied().unwrap_or(f64::INFINITY);
        let right = current.get(j).copied().unwrap_or(f64::INFINITY);
        let value = if left < right { left } else { right };
        // Zero and minus zero are one value.
        let (from_i, from_j) = (i, j);
        while i < reference.len() && reference[i] <= value {
            i += 1;
        }
        while j < current.len() && current[j] <= value {
            j += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "samples are shorter than 2^32")]
        let (reference, current) = ((i - from_i) as u32, (j - from_j) as u32);
        steps.push(Step { value, reference, current });
    }
    steps
}

/// Counts of two sides without the bins that both have empty.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Of the reference.
    pub reference: Vec<u64>,
    /// Of the current data.
    pub current: Vec<u64>,
    /// Bins left out because both sides have them empty.
    pub empty: usize,
}

impl Counts {
    /// Leaves out what is empty on both sides.
    pub fn new(counts: impl IntoIterator<Item = (u64, u64)>) -> Result<Counts, Error> {
        let mut empty = 0;
        let kept = counts.into_iter().filter(|(left, right)| {
            empty += usize::from(left + right == 0);
            left + right > 0
        });
        let (reference, current): (Vec<u64>, Vec<u64>) = kept.unzip();
        if reference.iter().all(|count| *count == 0) {
            return Err(Error::Empty("the reference"));
        }
        if current.iter().all(|count| *count == 0) {
            return Err(Error::Empty("the current data"));
        }
        Ok(Counts { reference, current, empty })
    }

    /// Shares of both sides, bin by bin.
    pub fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (n, m) = self.totals();
        self.reference
            .iter()
            .zip(&self.current)
            .map(move |(left, right)| (*left as f64 / n, *right as f64 / m))
    }

    /// Rows of either side.
    pub fn totals(&self) -> (f64, f64) {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        (sum(&self.reference), sum(&self.current))
    }

    /// Degrees of freedom: bins less one.
    pub fn freedom(&self) -> f64 {
        self.reference.len().saturating_sub(1) as f64
    }
}
