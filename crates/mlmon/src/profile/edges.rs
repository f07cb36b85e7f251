//! The frozen bins of a column, decided once from the reference.

use arrow_array::ArrayRef;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::column::{self, Kind};
use crate::stat::order;

/// Categories beyond this many are counted together as unseen ones are.
pub(super) const CATEGORY_LIMIT: usize = 10_000;

/// How the bins of a column are chosen from its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// As many bins, each with the same share of the reference (fewer where values repeat).
    Quantiles(usize),
    /// As many bins of one width between the reference's smallest and largest value.
    EqualWidth(usize),
    /// Equal widths by Doane's rule, which widens with skewness; as NannyML.
    Doane,
    /// One bin for each distinct value: for codes and small integers.
    Values,
    /// These cuts.
    Cuts(Vec<f64>),
}

impl Default for Binning {
    fn default() -> Binning {
        Binning::Quantiles(10)
    }
}

/// Bins of numbers (`(-∞, c₀], (c₀, c₁], … (cₙ, ∞)`) or a list of categories and the rest.
#[derive(Debug, Clone)]
pub enum Edges {
    /// Ascending finite cuts; a value equal to a cut lies below it.
    Numeric(Vec<f64>),
    /// Categories, most frequent first, and where each is.
    Categories(Vec<Box<str>>, HashMap<Box<str>, usize>),
}

impl PartialEq for Edges {
    fn eq(&self, other: &Edges) -> bool {
        match (self, other) {
            (Edges::Numeric(mine), Edges::Numeric(theirs)) => mine == theirs,
            (Edges::Categories(mine, _), Edges::Categories(theirs, _)) => mine == theirs,
            _ => false,
        }
    }
}

impl Edges {
    /// Chooses edges from a reference column.
    pub fn fit(reference: &[ArrayRef], binning: &Binning) -> Result<Edges, Error> {
        let first = reference.first().ok_or(Error::Empty("the reference"))?;
        match column::kind_of(first.data_type())? {
            Kind::Categorical => Edges::fit_categories(reference),
            Kind::Embedding => Err(Error::Undefined("vectors")),
            Kind::Numeric => {
                let mut owned = Vec::new();
                let mut blocks: Vec<&[f64]> = Vec::new();
                for array in reference {
                    match plain_floats(array) {
                        Some(floats) => blocks.push(floats),
                        None => {
                            column::for_each_number(array, |block| owned.extend_from_slice(block))?;
                        }
                    }
                }
                blocks.push(&owned);
                Edges::fit_numbers(&blocks, binning)
            }
        }
    }

    /// Chooses edges from numbers.
    pub fn fit_numbers(blocks: &[&[f64]], binning: &Binning) -> Result<Edges, Error> {
        let empty = Error::Empty("the reference");
        let cuts = match binning {
            Binning::Quantiles(bins) => {
                let bins = at_least_two(*bins)?;
                let parts: Vec<f64> = (1..bins).map(|i| i as f64 / bins as f64).collect();
                order::quantiles(blocks, &parts).ok_or(empty)?
            }
            Binning::EqualWidth(bins) => equal_width(blocks, at_least_two(*bins)?).ok_or(empty)?,
            Binning::Doane => doane(blocks).ok_or(empty)?,
            Binning::Values => {
                let mut values: Vec<f64> = blocks.concat();
                values.retain(|value| value.is_finite());
                order::sort(&mut values);
                values.dedup();
                if values.is_empty() {
                    return Err(empty);
                }
                if values.len() > CATEGORY_LIMIT {
                    return Err(Error::Option(format!(
                        "one bin for each of {} values; the limit is {CATEGORY_LIMIT}",
                        values.len()
                    )));
                }
                values.pop();
                values
            }
            Binning::Cuts(cuts) => cuts.clone(),
        };
        Ok(Edges::from_cuts(cuts))
    }

    /// Edges of these cuts, in order and without repeats; what is not finite is no cut.
    pub fn from_cuts(mut cuts: Vec<f64>) -> Edges {
        cuts.retain(|cut| cut.is_finite());
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        Edges::Numeric(cuts)
    }

    /// Edges of these categories, in this order.
    pub fn from_categories(categories: impl IntoIterator<Item = Box<str>>) -> Edges {
        let categories: Vec<Box<str>> = categories.into_iter().collect();
        let places = categories.iter().cloned().enumerate().map(|(i, name)| (name, i)).collect();
        Edges::Categories(categories, places)
    }

    fn fit_categories(reference: &[ArrayRef]) -> Result<Edges, Error> {
        let mut counts: HashMap<Box<str>, u64> = HashMap::new();
        for array in reference {
            column::for_each_text(array, |text, times| match counts.get_mut(text) {
                Some(count) => *count += times,
                None => {
                    counts.insert(text.into(), times);
                }
            })?;
        }
        Edges::from_counts(counts)
    }

    /// Edges of the most frequent of these names.
    pub(crate) fn from_counts(counts: HashMap<Box<str>, u64>) -> Result<Edges, Error> {
        if counts.is_empty() {
            return Err(Error::Empty("the reference"));
        }
        let mut ranked: Vec<(Box<str>, u64)> = counts.into_iter().collect();
        ranked.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
        ranked.truncate(CATEGORY_LIMIT);
        Ok(Edges::from_categories(ranked.into_iter().map(|(name, _)| name)))
    }

    /// Bins: one more than cuts, or one more than categories.
    pub fn bins(&self) -> usize {
        match self {
            Edges::Numeric(cuts) => cuts.len() + 1,
            Edges::Categories(categories, _) => categories.len() + 1,
        }
    }

    /// What they are edges of.
    pub fn kind(&self) -> Kind {
        match self {
            Edges::Numeric(_) => Kind::Numeric,
            Edges::Categories(..) => Kind::Categorical,
        }
    }

    /// The cuts, if these are edges of numbers.
    pub fn cuts(&self) -> Option<&[f64]> {
        match self {
            Edges::Numeric(cuts) => Some(cuts),
            Edges::Categories(..) => None,
        }
    }

    /// The categories, if these are any.
    pub fn categories(&self) -> Option<&[Box<str>]> {
        match self {
            Edges::Numeric(_) => None,
            Edges::Categories(categories, _) => Some(categories),
        }
    }

    pub(crate) fn category(&self, text: &str) -> Option<usize> {
        match self {
            Edges::Numeric(_) => None,
            Edges::Categories(_, places) => places.get(text).copied(),
        }
    }

    pub(super) fn origin(&self) -> f64 {
        self.cuts().and_then(|cuts| cuts.get(cuts.len() / 2).copied()).unwrap_or(0.0)
    }
}

fn plain_floats(array: &ArrayRef) -> Option<&[f64]> {
    use arrow_array::cast::AsArray;
    let floats = array.as_primitive_opt::<arrow_array::types::Float64Type>()?;
    (arrow_array::Array::null_count(floats) == 0).then(|| &floats.values()[..])
}

fn at_least_two(bins: usize) -> Result<usize, Error> {
    if (2..=CATEGORY_LIMIT).contains(&bins) {
        Ok(bins)
    } else {
        Err(Error::Option(format!("{bins} bins; 2 to {CATEGORY_LIMIT} are possible")))
    }
}

fn finite<'a>(blocks: &'a [&[f64]]) -> impl Iterator<Item = f64> + 'a {
    blocks.iter().flat_map(|block| block.iter().copied()).filter(|number| number.is_finite())
}

fn range(blocks: &[&[f64]]) -> Option<(f64, f64)> {
    let (least, most) = finite(blocks)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    (least <= most).then_some((least, most))
}

fn equal_width(blocks: &[&[f64]], bins: usize) -> Option<Vec<f64>> {
    let (least, most) = range(blocks)?;
    Some(spaced(least, most, bins))
}

/// Inner cuts of `bins` equal widths.
pub(crate) fn spaced(least: f64, most: f64, bins: usize) -> Vec<f64> {
    let step = (most - least) / bins as f64;
    (1..bins).map(|i| least + step * i as f64).collect()
}

/// NumPy's `doane`: the cuts include both ends, so that what lies outside has bins of its own.
fn doane(blocks: &[&[f64]]) -> Option<Vec<f64>> {
    let (least, most) = range(blocks)?;
    let n = finite(blocks).count() as f64;
    let mut bins = 1.0;
    if n > 2.0 && most > least {
        let mean = finite(blocks).sum::<f64>() / n;
        let square = finite(blocks).map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let sigma = square.sqrt();
        let skew = finite(blocks).map(|x| ((x - mean) / sigma).powi(3)).sum::<f64>() / n;
        let spread = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
        let width = (most - least) / (1.0 + n.log2() + (1.0 + skew.abs() / spread).log2());
        bins = ((most - least) / width).ceil().max(1.0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some dozens")]
    let mut cuts = spaced(least, most, bins as usize);
    // NumPy's bins are closed on the left, ours on the right.
    cuts.iter_mut().for_each(|cut| *cut = cut.next_down());
    cuts.push(most);
    cuts.insert(0, least.next_down());
    Some(cuts)
}
