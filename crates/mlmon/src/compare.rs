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
use crate::pair::{Pair, Side};
use crate::profile::{Binning, Edges, Profile};
use crate::quality::{self, Finding};
use crate::stat::order;
use crate::threshold::{self, Band, Threshold, Verdict};

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
    profile: Result<Profile, Error>,
    sorted: Option<Vec<f64>>,
}

/// A column that was counted elsewhere: streamed, merged, decoded.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The column.
    pub name: String,
    /// Its profile, or why it has none.
    pub profile: Result<Profile, Error>,
    /// Its finite values ascending, or those of a sample, where they were kept.
    pub sorted: Option<Vec<f64>>,
    /// The type of its values, where it is known: a column that has changed its kind is a finding.
    pub data_type: Option<arrow_schema::DataType>,
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
    /// Both distributions.
    pub bins: Vec<Bin>,
    /// Mean and standard deviation before and now, of numbers.
    pub moments: Option<[(f64, f64); 2]>,
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
    pub fn learn_chunks<'a>(
        &mut self,
        chunks: impl Iterator<Item = &'a [Column]>,
        deviations: f64,
    ) {
        let mut values: HashMap<(String, &'static str), Vec<f64>> = HashMap::new();
        for chunk in chunks {
            for column in self.compare(chunk).columns {
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

    /// A baseline of columns that were counted elsewhere. Without values, only detectors that need
    /// profiles alone give numbers.
    pub fn of_counted(columns: Vec<Counted>, options: Options) -> Baseline {
        let remember =
            |one: Counted| Remembered { name: one.name, profile: one.profile, sorted: one.sorted };
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
        let rows = |one: &Counted| one.profile.as_ref().map_or(0, Profile::rows);
        let rows = current.iter().map(rows).max().unwrap_or(0);
        self.conclude(measured, rows, current.iter().map(|one| one.name.as_str()))
    }

    /// The edges of each column, to count under.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &Arc<Edges>)> {
        self.columns.iter().filter_map(|column| {
            let profile = column.profile.as_ref().ok()?;
            Some((column.name.as_str(), profile.edges()))
        })
    }

    fn conclude<'a>(
        &self,
        mut columns: Vec<ColumnReport>,
        rows: u64,
        current: impl Iterator<Item = &'a str>,
    ) -> Report {
        let measures: Vec<(&Detector, Measure)> = columns
            .iter()
            .flat_map(|column| &column.measures)
            .filter_map(|one| Some((detector::find(one.detector)?, one.measure)))
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
        let past = |column: &Remembered| column.profile.as_ref().map_or(0, Profile::rows);
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
        let profile = Edges::fit(&column.arrays, &options.binning)
            .and_then(|edges| profile_of(&column.arrays, &Arc::new(edges), options.sketches));
        let numeric = profile.as_ref().is_ok_and(|p| p.edges().kind() == Kind::Numeric);
        let sorted = (keep && numeric).then(|| sorted_values(&column.arrays).ok()).flatten();
        Remembered { name: column.name.clone(), profile, sorted }
    }

    fn blank(&self, findings: Vec<Finding>, error: Option<String>) -> ColumnReport {
        ColumnReport::blank(&self.name, findings, error)
    }

    fn compare(&self, current: Option<&Column>, options: &Options) -> ColumnReport {
        let counted = current.zip(self.profile.as_ref().ok()).map(|(current, past)| Counted {
            name: current.name.clone(),
            profile: profile_of(&current.arrays, past.edges(), options.sketches),
            sorted: self.sorted.as_ref().and_then(|_| sorted_values(&current.arrays).ok()),
            data_type: current.arrays.first().map(|array| array.data_type().clone()),
        });
        self.compare_counted(counted.as_ref(), options)
    }

    fn compare_counted(&self, current: Option<&Counted>, options: &Options) -> ColumnReport {
        let past = match &self.profile {
            Ok(profile) => profile,
            Err(error) => return self.blank(Vec::new(), Some(error.to_string())),
        };
        let Some(current) = current else {
            return self.blank(vec![Finding::Gone], None);
        };
        let kind = past.edges().kind();
        let data_type = current.data_type.as_ref();
        if let Some(changed) = data_type.and_then(|now| quality::type_change(kind, now)) {
            return self.blank(vec![changed], None);
        }
        match &current.profile {
            Ok(now) => self.measure(now, current.sorted.as_deref(), &options.detectors),
            Err(error) => self.blank(Vec::new(), Some(error.to_string())),
        }
    }

    fn measure(
        &self,
        now: &Profile,
        sorted: Option<&[f64]>,
        detectors: &[&'static Detector],
    ) -> ColumnReport {
        let past = match &self.profile {
            Ok(profile) => profile,
            Err(error) => return self.blank(Vec::new(), Some(error.to_string())),
        };
        let (mut reference, mut current) = (Side::of(past), Side::of(now));
        if let (Some(before), Some(sorted)) = (&self.sorted, sorted) {
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
            match (detector.measure)(&pair) {
                Ok(measure) => report.measures.push(Measured {
                    detector: detector.name,
                    measure,
                    verdict: Verdict { drifted: false, rule: detector.customary },
                }),
                Err(Error::Undefined(_)) => {}
                Err(error) => report.error = Some(error.to_string()),
            }
        }
        report
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
            error,
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
    let (n, m) = (past.values().max(1) as f64, now.values().max(1) as f64);
    let shares: Vec<(f64, f64)> = past
        .counts()
        .iter()
        .zip(now.counts())
        .map(|(reference, current)| (*reference as f64 / n, *current as f64 / m))
        .collect();
    match past.edges().as_ref() {
        Edges::Numeric(cuts) => shares
            .into_iter()
            .enumerate()
            .map(|(place, (reference, current))| {
                let label = match (place.checked_sub(1).map(|i| cuts[i]), cuts.get(place)) {
                    (None, None) => "all".to_owned(),
                    (None, Some(high)) => format!("≤ {}", short(*high)),
                    (Some(low), Some(high)) => format!("{} – {}", short(low), short(*high)),
                    (Some(low), None) => format!("> {}", short(low)),
                };
                Bin { label, reference, current }
            })
            .collect(),
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
