//! A whole table against a reference: the way from columns to a report.
//!
//! [`Baseline::fit`] looks at the reference once and freezes edges, profiles and, where a chosen
//! detector needs them, sorted values; [`Baseline::compare`] measures any window against it. The
//! baseline is what a monitor keeps; windows can be many.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use hashbrown::HashMap;
use rayon::prelude::*;
use serde::Serialize;

use crate::Error;
use crate::column::{self, Kind};
use crate::detector::{self, Detector, Measure, Needs, Rule};
use crate::embedding::{self, Described, Summary};
use crate::pair::{Pair, Side};
use crate::profile::{Binning, Edges, Profile};
use crate::quality::{self, Finding};
use crate::stat::order;
use crate::threshold::{self, Band, Custom, Threshold, Verdict};

/// With more chunks of a reference than this, one of them is too small a part to matter.
const CHUNKS_APART: usize = 20;

/// A column's name and its arrays.
#[derive(Debug, Clone)]
pub struct Column {
    /// The name.
    pub name: String,
    /// Its rows, in parts.
    pub arrays: Vec<ArrayRef>,
}

/// The columns of batches of one schema.
pub fn columns_of(batches: &[RecordBatch]) -> Vec<Column> {
    let Some(first) = batches.first() else { return Vec::new() };
    let column = |(place, field): (usize, &Arc<arrow_schema::Field>)| Column {
        name: field.name().clone(),
        arrays: batches.iter().map(|batch| Arc::clone(batch.column(place))).collect(),
    };
    first.schema().fields().iter().enumerate().map(column).collect()
}

/// What to compute and when to alarm.
#[derive(Debug, Clone)]
pub struct Options {
    /// The detectors; each is used on the columns it applies to.
    pub detectors: Vec<&'static Detector>,
    /// Those of columns of vectors.
    pub embeddings: Vec<&'static embedding::Detector>,
    /// Bins of numeric columns.
    pub binning: Binning,
    /// When a measure is an alert.
    pub threshold: Threshold,
    /// Whether profiles keep sketches (cardinality findings need them).
    pub sketches: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            detectors: detector::find("psi").into_iter().collect(),
            embeddings: embedding::find(embedding::DEFAULT).into_iter().collect(),
            binning: Binning::default(),
            threshold: Threshold::default(),
            sketches: false,
        }
    }
}

/// What is remembered of a reference.
#[derive(Debug)]
pub struct Baseline {
    options: Options,
    columns: Vec<Remembered>,
    /// What a detector's value of a column has to exceed, where chunks of the reference say so.
    limits: HashMap<(String, &'static str), f64>,
}

#[derive(Debug)]
struct Remembered {
    name: String,
    past: Result<Past, Error>,
}

/// What is remembered of a column, by what it holds.
#[derive(Debug)]
enum Past {
    Values { profile: Profile, sorted: Option<Vec<f64>> },
    Vectors(Box<embedding::Past>),
}

/// A column that was counted elsewhere: streamed, merged, decoded.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The column.
    pub name: String,
    /// What was counted, or why nothing was.
    pub seen: Result<Seen, Error>,
    /// The type of its values, where it is known: a column that has changed its kind is a finding.
    pub data_type: Option<arrow_schema::DataType>,
}

/// What was counted of a column, by what it holds.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Numbers or names.
    Values {
        /// Its counters.
        profile: Profile,
        /// Its finite values ascending, or those of a sample, where they were kept.
        sorted: Option<Vec<f64>>,
    },
    /// Vectors.
    Vectors(Box<Summary>),
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Columns that drifted.
    pub drifted: usize,
    /// Columns that were compared.
    pub compared: usize,
    /// Rows of the reference and of the current data.
    pub rows: (u64, u64),
    /// All columns: drifted first, then by effect.
    pub columns: Vec<ColumnReport>,
}

/// The outcome for one column.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnReport {
    /// The column.
    pub name: String,
    /// Numbers or names, if it could be profiled.
    pub kind: Option<Kind>,
    /// Whether any detector says so.
    pub drifted: bool,
    /// Of each detector, what it measured and what follows.
    pub measures: Vec<Measured>,
    /// Data quality.
    pub findings: Vec<Finding>,
    /// Both distributions; of vectors that of their distance from the reference's centroid.
    pub bins: Vec<Bin>,
    /// Mean and standard deviation before and now, of numbers.
    pub moments: Option<[(f64, f64); 2]>,
    /// What changed, of vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Described>,
    /// Why it could not be compared.
    pub error: Option<String>,
}

/// A detector's measure and verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The detector.
    pub detector: &'static str,
    /// What it found.
    #[serde(flatten)]
    pub measure: Measure,
    /// What follows.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Shares of rows in one bin.
#[derive(Debug, Clone, Serialize)]
pub struct Bin {
    /// The bin in words.
    pub label: String,
    /// Share of the reference.
    pub reference: f64,
    /// Share of the current data.
    pub current: f64,
}

impl Baseline {
    /// Learns a reference. Columns that cannot be profiled are remembered with the reason.
    pub fn fit(reference: &[Column], options: Options) -> Baseline {
        let keep = options.needs_values();
        let learn = |column: &Column| Remembered::learn(column, &options, keep);
        let columns = reference.par_iter().map(learn).collect();
        Baseline { options, columns, limits: HashMap::new() }
    }

    /// Learns what values chunks of the reference have: mean and so many standard deviations of them
    /// are what a window is held against from now on.
    pub fn learn_chunks(&mut self, chunks: &[Vec<Column>], deviations: f64) {
        let mut values: HashMap<(String, &'static str), Vec<f64>> = HashMap::new();
        for (place, chunk) in chunks.iter().enumerate() {
            let apart = self.without_chunk(chunks, place).compare(chunk).columns;
            let whole = self.compare(chunk).columns;
            let unknown = |column: &ColumnReport| {
                apart.iter().all(|one| one.name != column.name || one.measures.is_empty())
            };
            for column in apart.iter().chain(whole.iter().filter(|column| unknown(column))) {
                for one in &column.measures {
                    let key = (column.name.clone(), one.detector);
                    values.entry(key).or_default().push(one.measure.value);
                }
            }
        }
        let limit = |(key, values): ((String, &'static str), Vec<f64>)| {
            let band = Band::of(&values, deviations, (f64::NEG_INFINITY, f64::INFINITY));
            // A rule alarms from its number on, and this number itself is within the band.
            Some((key, band.upper?.next_up()))
        };
        self.limits = values.into_iter().filter_map(limit).collect();
    }

    /// The columns of vectors without a chunk, where there are few chunks: a large part of the
    /// reference lies nearer to the whole than any window of that size does.
    fn without_chunk(&self, chunks: &[Vec<Column>], left_out: usize) -> Baseline {
        let vectors = |column: &&Remembered| {
            let few = (2..=CHUNKS_APART).contains(&chunks.len());
            few && matches!(column.past, Ok(Past::Vectors(_)))
        };
        let others = || chunks.iter().enumerate().filter(|(place, _)| *place != left_out);
        let rest = |column: &Remembered| {
            let same = others()
                .flat_map(|(_, chunk)| chunk)
                .filter(|one| one.name == column.name)
                .flat_map(|one| one.arrays.iter().map(Arc::clone));
            Column { name: column.name.clone(), arrays: same.collect() }
        };
        let rest: Vec<Column> = self.columns.iter().filter(vectors).map(rest).collect();
        Baseline::fit(&rest, self.options.clone())
    }

    /// A baseline of columns that were counted elsewhere. Without values, only detectors that need
    /// profiles alone give numbers.
    pub fn of_counted(columns: Vec<Counted>, options: Options) -> Baseline {
        let past = |seen: Seen| match seen {
            Seen::Values { profile, sorted } => Past::Values { profile, sorted },
            Seen::Vectors(summary) => Past::Vectors(Box::new(embedding::Past::of(*summary))),
        };
        let remember = |one: Counted| Remembered { name: one.name, past: one.seen.map(past) };
        let columns = columns.into_iter().map(remember).collect();
        Baseline { options, columns, limits: HashMap::new() }
    }

    /// Measures a window against the reference.
    pub fn compare(&self, current: &[Column]) -> Report {
        let measured: Vec<ColumnReport> = self
            .columns
            .par_iter()
            .map(|past| {
                let now = current.iter().find(|column| column.name == past.name);
                past.compare(now, &self.options)
            })
            .collect();
        let rows = current.first().map_or(0, |c| c.arrays.iter().map(|a| a.len() as u64).sum());
        self.conclude(measured, rows, current.iter().map(|column| column.name.as_str()))
    }

    /// Measures columns that were counted under this baseline's edges.
    pub fn compare_counted(&self, current: &[Counted]) -> Report {
        let measured = self
            .columns
            .par_iter()
            .map(|past| {
                let now = current.iter().find(|one| one.name == past.name);
                past.compare_counted(now, &self.options)
            })
            .collect();
        let rows = |one: &Counted| one.seen.as_ref().map_or(0, Seen::rows);
        let rows = current.iter().map(rows).max().unwrap_or(0);
        self.conclude(measured, rows, current.iter().map(|one| one.name.as_str()))
    }

    fn conclude<'a>(
        &self,
        mut columns: Vec<ColumnReport>,
        rows: u64,
        current: impl Iterator<Item = &'a str>,
    ) -> Report {
        let measures: Vec<(Custom, Measure)> = columns
            .iter()
            .flat_map(|column| &column.measures)
            .filter_map(|one| Some((custom(one.detector)?, one.measure)))
            .collect();
        let mut verdicts = threshold::judge(&measures, &self.options.threshold).into_iter();
        for column in &mut columns {
            for (one, verdict) in column.measures.iter_mut().zip(verdicts.by_ref()) {
                let limit = self.limits.get(&(column.name.clone(), one.detector));
                one.verdict = limit.map_or(verdict, |limit| Verdict {
                    drifted: one.measure.value >= *limit,
                    rule: Rule::ValueAtLeast(*limit),
                });
                column.drifted |= one.verdict.drifted;
            }
        }
        for name in current.filter(|name| self.columns.iter().all(|past| past.name != *name)) {
            columns.push(ColumnReport::blank(name, vec![Finding::New], None));
        }
        in_order(&mut columns);
        let past = |column: &Remembered| column.past.as_ref().map_or(0, Past::rows);
        Report {
            drifted: columns.iter().filter(|column| column.drifted).count(),
            compared: columns.iter().filter(|column| !column.measures.is_empty()).count(),
            rows: (self.columns.iter().map(past).max().unwrap_or(0), rows),
            columns,
        }
    }
}

impl Options {
    /// Whether any detector needs all values.
    pub fn needs_values(&self) -> bool {
        self.detectors.iter().any(|detector| detector.needs == Needs::Values)
    }

    /// Whether any detector of vectors needs rows.
    pub fn needs_vectors(&self) -> bool {
        self.embeddings.iter().any(|detector| detector.needs == Needs::Values)
    }
}

impl Past {
    fn rows(&self) -> u64 {
        match self {
            Past::Values { profile, .. } => profile.rows(),
            Past::Vectors(past) => past.summary().counters().rows,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Past::Values { profile, .. } => profile.edges().kind(),
            Past::Vectors(_) => Kind::Embedding,
        }
    }
}

impl Seen {
    /// Rows counted.
    pub fn rows(&self) -> u64 {
        match self {
            Seen::Values { profile, .. } => profile.rows(),
            Seen::Vectors(summary) => summary.counters().rows,
        }
    }
}

/// What the detector of this name says about alarms.
fn custom(name: &str) -> Option<Custom> {
    let of_values = detector::find(name).map(Detector::custom);
    of_values.or_else(|| embedding::find(name).map(|detector| detector.custom))
}

impl Report {
    /// Adds columns that the reference does not have.
    pub(crate) fn add_new<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let new = names.map(|name| ColumnReport::blank(name, vec![Finding::New], None));
        self.columns.extend(new);
        in_order(&mut self.columns);
    }
}

/// Drifted columns first, then by effect.
fn in_order(columns: &mut [ColumnReport]) {
    let effect =
        |column: &ColumnReport| column.measures.first().map_or(0.0, |one| one.measure.effect);
    columns.sort_by(|left, right| {
        right.drifted.cmp(&left.drifted).then(effect(right).total_cmp(&effect(left)))
    });
}

fn sorted_values(arrays: &[ArrayRef]) -> Result<Vec<f64>, Error> {
    let (mut values, _) = column::collect_numbers(arrays)?;
    values.retain(|value| value.is_finite());
    order::sort(&mut values);
    Ok(values)
}

fn profile_of(arrays: &[ArrayRef], edges: &Arc<Edges>, sketches: bool) -> Result<Profile, Error> {
    let mut profile = Profile::new(Arc::clone(edges));
    if sketches {
        profile = profile.with_sketches();
    }
    for array in arrays {
        profile.update(array.as_ref())?;
    }
    Ok(profile)
}

impl Remembered {
    fn learn(column: &Column, options: &Options, keep: bool) -> Remembered {
        let first = column.arrays.first().map(Array::data_type);
        let past = if first.is_some_and(embedding::is_embedding) {
            embedding::Past::fit(&column.arrays).map(|past| Past::Vectors(Box::new(past)))
        } else {
            let profile = Edges::fit(&column.arrays, &options.binning)
                .and_then(|edges| profile_of(&column.arrays, &Arc::new(edges), options.sketches));
            profile.map(|profile| {
                let keep = keep && profile.edges().kind() == Kind::Numeric;
                let sorted = keep.then(|| sorted_values(&column.arrays).ok()).flatten();
                Past::Values { profile, sorted }
            })
        };
        Remembered { name: column.name.clone(), past }
    }

    fn blank(&self, findings: Vec<Finding>, error: Option<String>) -> ColumnReport {
        ColumnReport::blank(&self.name, findings, error)
    }

    fn compare(&self, current: Option<&Column>, options: &Options) -> ColumnReport {
        let counted = current.zip(self.past.as_ref().ok()).map(|(current, past)| Counted {
            name: current.name.clone(),
            seen: past.look_at(&current.arrays, options),
            data_type: current.arrays.first().map(|array| array.data_type().clone()),
        });
        self.compare_counted(counted.as_ref(), options)
    }

    fn compare_counted(&self, current: Option<&Counted>, options: &Options) -> ColumnReport {
        let past = match &self.past {
            Ok(past) => past,
            Err(error) => return self.blank(Vec::new(), Some(error.to_string())),
        };
        let Some(current) = current else {
            return self.blank(vec![Finding::Gone], None);
        };
        let data_type = current.data_type.as_ref();
        if let Some(changed) = data_type.and_then(|now| quality::type_change(past.kind(), now)) {
            return self.blank(vec![changed], None);
        }
        match (past, &current.seen) {
            (Past::Values { profile, sorted }, Ok(Seen::Values { profile: now, sorted: kept })) => {
                let sorted = sorted.as_deref().zip(kept.as_deref());
                self.measure((profile, now), sorted, &options.detectors)
            }
            (Past::Vectors(past), Ok(Seen::Vectors(now))) => {
                self.measure_vectors(past, now, &options.embeddings)
            }
            (_, Err(error)) => self.blank(Vec::new(), Some(error.to_string())),
            _ => self.blank(Vec::new(), None),
        }
    }

    fn measure(
        &self,
        (past, now): (&Profile, &Profile),
        sorted: Option<(&[f64], &[f64])>,
        detectors: &[&'static Detector],
    ) -> ColumnReport {
        let (mut reference, mut current) = (Side::of(past), Side::of(now));
        if let Some((before, sorted)) = sorted {
            reference = reference.with_sorted(before);
            current = current.with_sorted(sorted);
        }
        let kind = past.edges().kind();
        let mut report = self.blank(quality::check(past, now), None);
        report.kind = Some(kind);
        report.bins = bins(past, now);
        report.moments = moments(past).zip(moments(now)).map(|(past, now)| [past, now]);
        let pair = match Pair::new(kind, reference, current) {
            Ok(pair) => pair,
            Err(error) => return ColumnReport { error: Some(error.to_string()), ..report },
        };
        for detector in detectors.iter().filter(|detector| detector.applies_to(kind)) {
            report.take(detector.name, detector.customary, (detector.measure)(&pair));
        }
        report
    }

    fn measure_vectors(
        &self,
        past: &embedding::Past,
        now: &Summary,
        detectors: &[&'static embedding::Detector],
    ) -> ColumnReport {
        let mut report = self.blank(embedding::check(past.summary(), now), None);
        report.kind = Some(Kind::Embedding);
        if now.vectors() == 0 && !report.findings.is_empty() {
            return report;
        }
        report.embedding = Described::of(past, now);
        let rows = (past.summary().vectors(), now.vectors());
        let counts = (past.summary().counts(), now.counts());
        report.bins = ranges(now.cuts(), &shares(counts, rows));
        let pair = embedding::Pair { reference: past, current: now };
        for detector in detectors {
            report.take(detector.name, detector.custom.customary, (detector.measure)(&pair));
        }
        report
    }
}

impl Past {
    /// Counts a window under what the reference froze.
    fn look_at(&self, arrays: &[ArrayRef], options: &Options) -> Result<Seen, Error> {
        match self {
            Past::Values { profile, sorted } => Ok(Seen::Values {
                profile: profile_of(arrays, profile.edges(), options.sketches)?,
                sorted: sorted.as_ref().and_then(|_| sorted_values(arrays).ok()),
            }),
            Past::Vectors(past) => {
                let frozen = past.summary().frozen().ok_or(Error::Empty("the reference"))?;
                let kept = if options.needs_vectors() { embedding::ROWS_LIMIT } else { 0 };
                let mut summary = Summary::under(frozen, kept);
                for array in arrays {
                    summary.update(array.as_ref())?;
                }
                Ok(Seen::Vectors(Box::new(summary)))
            }
        }
    }
}

impl ColumnReport {
    fn blank(name: &str, findings: Vec<Finding>, error: Option<String>) -> ColumnReport {
        ColumnReport {
            name: name.to_owned(),
            kind: None,
            drifted: false,
            measures: Vec::new(),
            findings,
            bins: Vec::new(),
            moments: None,
            embedding: None,
            error,
        }
    }

    fn take(&mut self, detector: &'static str, rule: Rule, measured: Result<Measure, Error>) {
        match measured {
            Ok(measure) => {
                let verdict = Verdict { drifted: false, rule };
                self.measures.push(Measured { detector, measure, verdict });
            }
            Err(Error::Undefined(_)) => {}
            Err(error) => self.error = Some(error.to_string()),
        }
    }
}

fn moments(profile: &Profile) -> Option<(f64, f64)> {
    let moments = profile.moments();
    Some((moments.mean()?, moments.variance(0)?.sqrt()))
}

/// Categories shown one by one; the others are added up.
const SHOWN: usize = 20;

fn bins(past: &Profile, now: &Profile) -> Vec<Bin> {
    let shares = shares((past.counts(), now.counts()), (past.values(), now.values()));
    match past.edges().as_ref() {
        Edges::Numeric(cuts) => ranges(cuts, &shares),
        Edges::Categories(names, _) => {
            let shown = names.len().min(SHOWN);
            let mut bins: Vec<Bin> = names
                .iter()
                .zip(&shares)
                .take(shown)
                .map(|(name, (reference, current))| Bin {
                    label: name.to_string(),
                    reference: *reference,
                    current: *current,
                })
                .collect();
            let rest = shares[shown..].iter().fold((0.0, 0.0), |(r, c), s| (r + s.0, c + s.1));
            if rest.0 + rest.1 > 0.0 {
                let label = "others".to_owned();
                bins.push(Bin { label, reference: rest.0, current: rest.1 });
            }
            bins
        }
    }
}

/// Counts of both sides as shares of so many rows.
fn shares((past, now): (&[u64], &[u64]), rows: (u64, u64)) -> Vec<(f64, f64)> {
    let (n, m) = (rows.0.max(1) as f64, rows.1.max(1) as f64);
    past.iter().zip(now).map(|(past, now)| (*past as f64 / n, *now as f64 / m)).collect()
}

/// Bins between cuts.
fn ranges(cuts: &[f64], shares: &[(f64, f64)]) -> Vec<Bin> {
    let bin = |(place, (reference, current)): (usize, &(f64, f64))| {
        let label = match (place.checked_sub(1).map(|i| cuts[i]), cuts.get(place)) {
            (None, None) => "all".to_owned(),
            (None, Some(high)) => format!("≤ {}", short(*high)),
            (Some(low), Some(high)) => format!("{} – {}", short(low), short(*high)),
            (Some(low), None) => format!("> {}", short(low)),
        };
        Bin { label, reference: *reference, current: *current }
    };
    shares.iter().enumerate().map(bin).collect()
}

/// Four significant digits.
fn short(number: f64) -> String {
    let text = format!("{number:.3e}");
    match text.parse::<f64>() {
        Ok(rounded) if (1e-4..1e7).contains(&rounded.abs()) || rounded == 0.0 => {
            rounded.to_string()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::random::Random;
    use arrow_array::{Float64Array, StringArray};

    fn table(seed: u64, shift: f64, city: &str) -> Vec<Column> {
        let mut random = Random::new(seed);
        let mut numbers = |shift: f64| -> ArrayRef {
            Arc::new((0..2000).map(|_| Some(random.normal() + shift)).collect::<Float64Array>())
        };
        let cities = (0..2000).map(|i| Some(if i % 3 == 0 { city } else { "b" }));
        let cities: ArrayRef = Arc::new(cities.collect::<StringArray>());
        vec![
            Column { name: "age".to_owned(), arrays: vec![numbers(0.0)] },
            Column { name: "income".to_owned(), arrays: vec![numbers(shift)] },
            Column { name: "city".to_owned(), arrays: vec![cities] },
        ]
    }

    #[test]
    fn what_moved_comes_first() {
        let baseline = Baseline::fit(&table(1, 0.0, "a"), Options::default());
        let report = baseline.compare(&table(2, 0.6, "a"));
        assert_eq!((report.drifted, report.compared, report.rows), (1, 3, (2000, 2000)));
        assert_eq!(report.columns[0].name, "income");
        assert!(baseline.compare(&table(3, 0.0, "a")).drifted == 0);
    }

    #[test]
    fn new_gone_and_changed_columns_are_findings() {
        let baseline = Baseline::fit(&table(1, 0.0, "a"), Options::default());
        let mut now = table(2, 0.0, "z");
        now[0].name = "height".to_owned();
        now[1].arrays = vec![Arc::clone(&now[2].arrays[0])];
        let report = baseline.compare(&now);
        let of = |name: &str| {
            let found = report.columns.iter().find(|column| column.name == name).unwrap();
            found.findings.iter().map(Finding::sentence).collect::<Vec<_>>()
        };
        assert_eq!(of("age"), ["the column is gone"]);
        assert_eq!(of("height"), ["the column is new"]);
        assert_eq!(of("income"), ["type names, was numbers"]);
        assert!(of("city").iter().any(|text| text.contains("does not have: z")));
        assert!(of("city").iter().any(|text| text.contains("did not: a")));
    }

    #[test]
    fn all_detectors_at_once() {
        let detectors = detector::ALL.to_vec();
        let options = Options { detectors, ..Options::default() };
        let baseline = Baseline::fit(&table(1, 0.0, "a"), options);
        let report = baseline.compare(&table(2, 0.6, "a"));
        assert_eq!(report.columns[0].name, "income");
        assert!(report.columns[0].measures.len() >= 20);
        assert_eq!(report.drifted, 1);
    }
}
