//! Data quality: what is wrong with a column apart from its distribution.
//!
//! missing, `not_a_number`, infinite: the share of such rows changed; `out_of_range`: values beyond the
//! reference's least and greatest; unseen, vanished: categories that are new or gone; constant: one
//! value only, where there were more; empty: no value at all; cardinality: another number of distinct
//! values; type, gone, new: of the column; duplicates: rows that occur before in the same table.
//! Findings come from two profiles (counters of any window) and carry the rows concerned. Changes of
//! shares must be surer than chance (two-proportion z test below 0.1 %) and of some size; what cannot
//! be chance, such as a category that did not exist, is always said.
//! Source: the checks of Deequ (Schelter and others 2018), Evidently and NannyML.
//! Useful: most broken models are broken data, and this says where, without a label.
//! Not useful: for values that are wrong and look like any other.

use serde::Serialize;

use crate::Error;
use crate::column::{self, Kind};
use crate::embedding;
use crate::profile::Profile;
use crate::report::short;
use crate::stat::special;

/// A changed share is a finding when its p-value is below this.
pub const SURE: f64 = 0.001;
/// And when it changed by at least this.
pub const SHARE_CHANGE: f64 = 0.01;
/// Names listed in one finding.
const NAMES: usize = 10;

/// One finding about a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Finding {
    /// The share of nulls changed.
    Missing {
        /// Share before.
        reference: f64,
        /// Share now.
        current: f64,
    },
    /// NaN appeared or became more.
    NotANumber {
        /// Share before.
        reference: f64,
        /// Share now.
        current: f64,
    },
    /// Infinite values appeared.
    Infinite {
        /// Rows now.
        rows: u64,
    },
    /// Values beyond the reference's smallest and largest.
    OutOfRange {
        /// The reference's range.
        reference: (f64, f64),
        /// The present range.
        current: (f64, f64),
    },
    /// Categories that the reference did not have.
    Unseen {
        /// Rows with any of them.
        rows: u64,
        /// Share of the rows.
        share: f64,
        /// The most frequent ones.
        examples: Vec<String>,
    },
    /// Categories that should have occurred and did not.
    Vanished {
        /// How many.
        categories: usize,
        /// The most frequent ones.
        examples: Vec<String>,
    },
    /// All values are the same, and were not.
    Constant,
    /// The column has no values any more.
    Empty,
    /// The number of distinct values changed by more than half.
    Cardinality {
        /// Before, approximately.
        reference: f64,
        /// Now, approximately.
        current: f64,
    },
    /// The column changed between numbers and names.
    Type {
        /// Before.
        reference: String,
        /// Now.
        current: String,
    },
    /// Vectors of another length.
    Length {
        /// Rows with such.
        rows: u64,
        /// Their share.
        share: f64,
        /// The length that the reference's vectors have.
        expected: usize,
        /// The length of the first that differs.
        found: usize,
    },
    /// The column is gone.
    Gone,
    /// The column is new.
    New,
}

impl Finding {
    /// The finding in words.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        match self {
            Finding::Missing { reference, current } => {
                format!("missing in {} of the rows, was {}", percent(*current), percent(*reference))
            }
            Finding::NotANumber { reference, current } => {
                format!("NaN in {} of the rows, was {}", percent(*current), percent(*reference))
            }
            Finding::Infinite { rows } => format!("{rows} infinite values"),
            Finding::OutOfRange { reference, current } => format!(
                "values from {} to {}, the reference had {} to {}",
                short(current.0),
                short(current.1),
                short(reference.0),
                short(reference.1)
            ),
            Finding::Unseen { rows, share, examples } => format!(
                "{rows} rows ({}) with categories that the reference does not have: {}",
                percent(*share),
                examples.join(", ")
            ),
            Finding::Vanished { categories, examples } => format!(
                "{categories} categories that should have occurred did not: {}",
                examples.join(", ")
            ),
            Finding::Constant => "all values are the same".to_owned(),
            Finding::Empty => "no values at all".to_owned(),
            Finding::Cardinality { reference, current } => {
                format!("about {current:.0} distinct values, was {reference:.0}")
            }
            Finding::Type { reference, current } => format!("type {current}, was {reference}"),
            Finding::Length { rows, share, expected, found } => format!(
                "{rows} rows ({}) hold vectors of another length than {expected}, such as {found}",
                percent(*share)
            ),
            Finding::Gone => "the column is gone".to_owned(),
            Finding::New => "the column is new".to_owned(),
        }
    }
}

/// Compares the counters of a column.
pub fn check(reference: &Profile, current: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if current.values() == 0 {
        if reference.values() > 0 {
            findings.push(Finding::Empty);
        }
        return findings;
    }
    let share = |count: fn(&Profile) -> u64| {
        changed((count(reference), reference.rows()), (count(current), current.rows()))
    };
    if let Some((reference, current)) = share(Profile::missing) {
        findings.push(Finding::Missing { reference, current });
    }
    if let Some((reference, current)) = share(Profile::nan) {
        findings.push(Finding::NotANumber { reference, current });
    }
    let infinite = |profile: &Profile| profile.infinite().iter().sum::<u64>();
    if infinite(reference) == 0 && infinite(current) > 0 {
        findings.push(Finding::Infinite { rows: infinite(current) });
    }
    match reference.edges().kind() {
        Kind::Numeric => numbers(reference, current, &mut findings),
        Kind::Categorical => categories(reference, current, &mut findings),
        Kind::Embedding => {}
    }
    cardinality(reference, current, &mut findings);
    findings
}

/// The shares of so many of so many rows, where they changed surely and by enough.
pub(crate) fn changed(reference: (u64, u64), current: (u64, u64)) -> Option<(f64, f64)> {
    let (n, m) = (reference.1 as f64, current.1 as f64);
    let (p, q) = (reference.0 as f64 / n.max(1.0), current.0 as f64 / m.max(1.0));
    let pooled = (reference.0 + current.0) as f64 / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let sure = error > 0.0 && special::normal_two_sided((p - q) / error) < SURE;
    (sure && (p - q).abs() >= SHARE_CHANGE).then_some((p, q))
}

fn numbers(reference: &Profile, current: &Profile, findings: &mut Vec<Finding>) {
    let (Some(past), Some(now)) = (reference.moments().range(), current.moments().range()) else {
        return;
    };
    // A new extreme by a little is what every sample has; a tenth of the range is not.
    let slack = (past.1 - past.0) * 0.1;
    if now.0 < past.0 - slack || now.1 > past.1 + slack {
        findings.push(Finding::OutOfRange { reference: past, current: now });
    }
    #[expect(clippy::float_cmp, reason = "a constant column has one value exactly")]
    if now.0 == now.1 && past.0 != past.1 && current.values() > 1 {
        findings.push(Finding::Constant);
    }
}

fn categories(reference: &Profile, current: &Profile, findings: &mut Vec<Finding>) {
    let names = reference.edges().categories().unwrap_or_default();
    let unseen = current.counts().last().copied().unwrap_or_default();
    let rest = reference.counts().last().copied().unwrap_or_default();
    if unseen > 0 && rest == 0 {
        let mut named: Vec<_> = current.unseen().iter().collect();
        named.sort_by(|left, right| right.1.cmp(left.1));
        findings.push(Finding::Unseen {
            rows: unseen,
            share: unseen as f64 / current.rows().max(1) as f64,
            examples: named.iter().take(NAMES).map(|(name, _)| name.to_string()).collect(),
        });
    }
    let (n, m) = (reference.values() as f64, current.values() as f64);
    let vanished: Vec<String> = names
        .iter()
        .zip(reference.counts().iter().zip(current.counts()))
        // Absent although so many were expected that chance does it once in a thousand.
        .filter(|(_, (past, now))| **now == 0 && **past as f64 / n * m > -SURE.ln())
        .map(|(name, _)| name.to_string())
        .collect();
    if !vanished.is_empty() {
        let categories = vanished.len();
        let examples = vanished.into_iter().take(NAMES).collect();
        findings.push(Finding::Vanished { categories, examples });
    }
    let kinds = |profile: &Profile| profile.counts().iter().filter(|count| **count > 0).count();
    if kinds(current) == 1 && kinds(reference) > 1 && current.values() > 1 {
        findings.push(Finding::Constant);
    }
}

fn cardinality(reference: &Profile, current: &Profile, findings: &mut Vec<Finding>) {
    let distinct = |profile: &Profile| profile.sketches()?.distinct();
    let (Some(past), Some(now)) = (distinct(reference), distinct(current)) else { return };
    // Continuous columns have as many values as rows.
    let unique = |profile: &Profile, distinct: f64| distinct > 0.5 * profile.values() as f64;
    if unique(reference, past) || unique(current, now) || past < 20.0 {
        return;
    }
    if now > past * 1.5 || now < past / 1.5 {
        findings.push(Finding::Cardinality { reference: past, current: now });
    }
}

/// Pearson's correlation of two columns row by row; rows with a missing value are left out.
pub fn correlation(left: &[f64], right: &[f64]) -> Option<f64> {
    let pairs = || left.iter().zip(right).filter(|(x, y)| x.is_finite() && y.is_finite());
    let n = pairs().count() as f64;
    if n < 2.0 {
        return None;
    }
    let (sum_x, sum_y) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    (xx > 0.0 && yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// What the comparison of correlations is, for the list of detectors.
pub const CORRELATION_TEXT: &str = "Change of correlations.\n\
    Pearson's coefficient of every two numeric columns before and now, held together by Fisher's\n\
    transformation z = atanh r, whose difference is normal with variance 1/(n − 3) + 1/(m − 3).\n\
    A pair is an alarm when its p-value survives the correction for all pairs and r moved by 0.1 or more.\n\
    Source: Fisher (1921).\n\
    Useful: names the two columns that no longer belong together.\n\
    Not useful: for dependence that is not linear; beyond some dozens of columns.";

/// P-value of two correlations being one, by Fisher's transformation.
pub fn correlation_change(reference: (f64, u64), current: (f64, u64)) -> f64 {
    let ((r, n), (s, m)) = (reference, current);
    if n < 4 || m < 4 {
        return 1.0;
    }
    let bounded = |correlation: f64| correlation.clamp(-0.999_999, 0.999_999).atanh();
    let error = (1.0 / (n as f64 - 3.0) + 1.0 / (m as f64 - 3.0)).sqrt();
    special::normal_two_sided((bounded(r) - bounded(s)) / error)
}

/// Rows that occur before, counted over all columns together by a hash of 128 bits.
pub fn duplicate_rows(columns: &[Vec<arrow_array::ArrayRef>]) -> Result<u64, Error> {
    let mut hashes: Vec<u128> = Vec::new();
    for (place, arrays) in columns.iter().enumerate() {
        let mut row = 0;
        let mut add = |bytes: Option<&[u8]>| {
            let seed = (place as u64) << 1 | u64::from(bytes.is_some());
            let hash = xxhash_rust::xxh3::xxh3_128_with_seed(bytes.unwrap_or_default(), seed);
            match hashes.get_mut(row) {
                Some(known) => *known = known.rotate_left(23) ^ hash,
                None => hashes.push(hash),
            }
            row += 1;
        };
        for array in arrays {
            hash_rows(array, &mut add)?;
        }
    }
    hashes.sort_unstable();
    Ok(hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64)
}

/// Hands the bytes of each value to `add`; nothing for a null.
fn hash_rows(
    array: &arrow_array::ArrayRef,
    add: &mut impl FnMut(Option<&[u8]>),
) -> Result<(), Error> {
    use arrow_array::Array as _;
    if let Some(width) = array.data_type().primitive_width() {
        // The values as they lie in memory: writing numbers out as texts would take most of the time.
        let data = array.to_data();
        let values = data.buffers().first().map(arrow_buffer::Buffer::as_slice).unwrap_or_default();
        for row in 0..array.len() {
            let at = (data.offset() + row) * width;
            let bytes = values.get(at..at + width).filter(|_| array.is_valid(row));
            add(bytes);
        }
        return Ok(());
    }
    if embedding::is_embedding(array.data_type()) {
        return embedding::for_each_vector(array.as_ref(), |vector| {
            add(vector.map(bytes_of));
        });
    }
    let texts = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    for text in arrow_array::cast::AsArray::as_string::<i32>(&texts) {
        add(text.map(str::as_bytes));
    }
    Ok(())
}

/// Numbers as they lie in memory.
fn bytes_of(numbers: &[f64]) -> &[u8] {
    arrow_buffer::ToByteSlice::to_byte_slice(numbers)
}

/// Whether a column of this type can be compared with edges of that kind.
pub(crate) fn type_change(kind: Kind, data_type: &arrow_schema::DataType) -> Option<Finding> {
    let now = column::kind_of(data_type).ok()?;
    let name = |kind| match kind {
        Kind::Numeric => "numbers".to_owned(),
        Kind::Categorical => "names".to_owned(),
        Kind::Embedding => "vectors".to_owned(),
    };
    (now != kind).then(|| Finding::Type { reference: name(kind), current: name(now) })
}
