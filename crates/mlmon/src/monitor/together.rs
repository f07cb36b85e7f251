//! What looks at several columns at once: reconstruction error, domain classifier, MMD, and the
//! correlation of every two columns.

use arrow_array::cast::AsArray;
use serde::Serialize;

use super::performance::chunks;
use super::rows::Table;
use crate::Error;
use crate::column::{self, Kind};
use crate::detector::Measure;
use crate::gbdt::Feature;
use crate::multivariate::{self, Codes, domain, mmd, pca};
use crate::quality;
use crate::stat;
use crate::threshold::{self, Band, Correction, Threshold};

/// Rows of each side that are looked at, spread evenly.
const ROWS_LIMIT: usize = 10_000;
/// Columns whose pairs are looked at.
const COLUMNS_LIMIT: usize = 60;
/// A correlation that moved less than this is no change worth telling.
const CORRELATION_CHANGE: f64 = 0.1;
/// With more windows than this MMD is computed in its linear form.
const QUADRATIC_WINDOWS: usize = 20;
/// An AUROC of the domain classifier up to this is too little to matter, however sure.
const TOLD_APART: f64 = 0.55;
const DEVIATIONS: f64 = 3.0;

/// One detector's answer about all columns together.
#[derive(Debug, Clone, Serialize)]
pub struct Multivariate {
    /// The detector.
    pub detector: &'static str,
    /// All current rows.
    pub overall: Together,
    /// Its band on chunks of the reference, where the detector goes by one.
    pub band: Option<Band>,
    /// Window by window.
    pub windows: Vec<Together>,
}

/// The answer for some rows.
#[derive(Debug, Clone, Serialize)]
pub struct Together {
    /// The window.
    pub name: String,
    /// The statistic.
    pub value: f64,
    /// The chance of it without drift, where the detector is a test.
    pub probability: Option<f64>,
    /// Whether it is an alarm.
    pub drifted: bool,
}

/// Two columns whose correlation has changed.
#[derive(Debug, Clone, Serialize)]
pub struct Correlation {
    /// One column.
    pub left: String,
    /// The other.
    pub right: String,
    /// Pearson's coefficient before.
    pub reference: f64,
    /// And now.
    pub current: f64,
    /// The chance of such a change without any (Fisher's transformation).
    pub probability: f64,
}

impl Multivariate {
    /// Whether it alarms, overall or in any window.
    pub fn drifted(&self) -> bool {
        self.overall.drifted || self.windows.iter().any(|window| window.drifted)
    }
}

type Windows = [(String, Vec<u32>)];

/// The answers of the named detectors.
pub(super) fn measure(
    names: &[&'static str],
    (reference, current): (&Table, &Table),
    windows: &Windows,
    columns: &[String],
    alpha: f64,
) -> Result<Vec<Multivariate>, Error> {
    let columns: Vec<String> =
        columns.iter().filter(|name| reference.has(name) && current.has(name)).cloned().collect();
    let all = ("all".to_owned(), (0..row_number(current.rows())).collect::<Vec<u32>>());
    let one = |name: &&'static str| {
        let mut parts: Vec<&(String, Vec<u32>)> = vec![&all];
        parts.extend(windows);
        let (answers, band) = match *name {
            multivariate::PCA => reconstruction((reference, current), &parts, &columns)?,
            multivariate::DOMAIN => classifier((reference, current), &parts, &columns, alpha)?,
            _ => discrepancy((reference, current), &parts, &columns, alpha)?,
        };
        let mut answers = answers.into_iter();
        let overall = answers.next().ok_or(Error::Empty("the current data"))?;
        Ok(Multivariate { detector: name, overall, band, windows: answers.collect() })
    };
    names.iter().map(one).collect()
}

fn row_number(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// At most [`ROWS_LIMIT`] of the rows, evenly spread.
fn spread(rows: &[u32]) -> Vec<u32> {
    let step = rows.len().div_ceil(ROWS_LIMIT).max(1);
    rows.iter().copied().step_by(step).collect()
}

fn all_rows(table: &Table) -> Vec<u32> {
    spread(&(0..row_number(table.rows())).collect::<Vec<u32>>())
}

type Answers = (Vec<Together>, Option<Band>);

fn reconstruction(
    (reference, current): (&Table, &Table),
    parts: &[&(String, Vec<u32>)],
    columns: &[String],
) -> Result<Answers, Error> {
    let past = vectors(reference, reference, columns)?;
    let now = vectors(reference, current, columns)?;
    let learned = pca::Pca::fit(&past)?;
    let size = parts.iter().skip(1).map(|(_, rows)| rows.len()).max().unwrap_or(0);
    let pick = |from: &[Vec<f64>], rows: &[u32]| -> Vec<Vec<f64>> {
        from.iter().map(|c| rows.iter().map(|row| c[*row as usize]).collect()).collect()
    };
    let before: Vec<f64> = chunks(reference.rows(), size)
        .filter_map(|rows| {
            let chunk: Vec<Vec<f64>> = past.iter().map(|c| c[rows.clone()].to_vec()).collect();
            learned.error(&chunk).ok()
        })
        .collect();
    let band = Band::of(&before, DEVIATIONS, (0.0, f64::INFINITY));
    let answer = |(name, rows): &&(String, Vec<u32>)| {
        let value = learned.error(&pick(&now, rows))?;
        let drifted = band.alerts(value);
        Ok(Together { name: name.clone(), value, probability: None, drifted })
    };
    Ok((parts.iter().map(answer).collect::<Result<_, Error>>()?, Some(band)))
}

fn classifier(
    (reference, current): (&Table, &Table),
    parts: &[&(String, Vec<u32>)],
    columns: &[String],
    alpha: f64,
) -> Result<Answers, Error> {
    let codes = Codes::of(columns.iter().filter_map(|name| Some((name, reference.get(name)?))));
    let features = |table: &Table| -> Result<Vec<Feature>, Error> {
        codes.features(table.rows(), |name| table.get(name))
    };
    let past = features(&reference.rows_of(&all_rows(reference)))?;
    let answer = |(name, rows): &&(String, Vec<u32>)| {
        let now = features(&current.rows_of(&spread(rows)))?;
        Ok(tested(name, &domain::classify(&past, &now), alpha, TOLD_APART))
    };
    Ok((parts.iter().map(answer).collect::<Result<_, Error>>()?, None))
}

fn discrepancy(
    (reference, current): (&Table, &Table),
    parts: &[&(String, Vec<u32>)],
    columns: &[String],
    alpha: f64,
) -> Result<Answers, Error> {
    let before = reference.rows_of(&all_rows(reference));
    let past = vectors(&before, &before, columns)?;
    let scales: Vec<(f64, f64)> = past.iter().map(|column| scale(column)).collect();
    let rows = |columns: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let length = columns.first().map_or(0, Vec::len);
        let row = |row: usize| {
            let values = columns.iter().zip(&scales);
            values.map(|(column, (mean, spread))| scaled(column[row], *mean, *spread)).collect()
        };
        (0..length).map(row).collect()
    };
    let past = rows(&past);
    let statistic = if parts.len() > QUADRATIC_WINDOWS { mmd::linear } else { mmd::quadratic };
    let answer = |(name, part): &&(String, Vec<u32>)| {
        let now = vectors(&before, &current.rows_of(&spread(part)), columns)?;
        Ok(tested(name, &statistic(&past, &rows(&now)), alpha, 0.0))
    };
    Ok((parts.iter().map(answer).collect::<Result<_, Error>>()?, None))
}

fn tested(name: &str, measure: &Result<Measure, Error>, alpha: f64, least: f64) -> Together {
    // A window of a few rows has no answer, and no alarm either.
    let (value, probability) = match measure {
        Ok(measure) => (measure.value, Some(measure.probability)),
        Err(_) => (f64::NAN, None),
    };
    let drifted = probability.is_some_and(|p| p < alpha) && value > least;
    Together { name: name.to_owned(), value, probability, drifted }
}

fn scale(column: &[f64]) -> (f64, f64) {
    let finite: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
    (stat::mean(&finite), stat::deviation(&finite, 0))
}

/// In standard deviations of the reference; what is missing lies in the middle.
fn scaled(value: f64, mean: f64, spread: f64) -> f64 {
    if value.is_finite() && spread > 0.0 { (value - mean) / spread } else { 0.0 }
}

/// Columns as numbers: numbers themselves, names as their share of the reference.
fn vectors(reference: &Table, table: &Table, columns: &[String]) -> Result<Vec<Vec<f64>>, Error> {
    let mut vectors = Vec::new();
    for name in columns {
        let (Some(before), Some(now)) = (reference.get(name), table.get(name)) else { continue };
        let Ok(kind) = column::kind_of(before.data_type()) else { continue };
        vectors.push(match kind {
            Kind::Embedding => continue,
            Kind::Numeric => column::dense_numbers(&[std::sync::Arc::clone(now)])?,
            Kind::Categorical => {
                let texts = |array| {
                    arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
                        .map_err(|_| Error::Type(name.clone()))
                };
                let (before, now) = (texts(before)?, texts(now)?);
                let before: Vec<Option<&str>> = before.as_string::<i32>().iter().collect();
                let now: Vec<Option<&str>> = now.as_string::<i32>().iter().collect();
                pca::shares_of(&before, &now)
            }
        });
    }
    Ok(vectors)
}

/// Pairs of numeric columns whose correlation has changed surely and by enough, largest change first.
pub(super) fn correlations(
    (reference, current): (&Table, &Table),
    columns: &[String],
    threshold: &Threshold,
) -> Result<Vec<Correlation>, Error> {
    let numeric = |name: &&String| {
        reference.kind(name) == Some(Kind::Numeric) && current.kind(name) == Some(Kind::Numeric)
    };
    let names: Vec<&String> = columns.iter().filter(numeric).take(COLUMNS_LIMIT).collect();
    let dense = |table: &Table| -> Result<Vec<Vec<f64>>, Error> {
        let arrays = names.iter().filter_map(|name| table.get(name));
        arrays.map(|array| column::dense_numbers(&[std::sync::Arc::clone(array)])).collect()
    };
    let (past, now) = (dense(reference)?, dense(current)?);
    let complete = |left: &[f64], right: &[f64]| {
        left.iter().zip(right).filter(|(x, y)| x.is_finite() && y.is_finite()).count() as u64
    };
    let mut found = Vec::new();
    for i in 0..names.len() {
        for j in 0..i {
            let of = |side: &[Vec<f64>]| {
                let rows = complete(&side[i], &side[j]);
                quality::correlation(&side[i], &side[j]).map(|r| (r, rows))
            };
            if let (Some(before), Some(after)) = (of(&past), of(&now)) {
                found.push(Correlation {
                    left: names[j].clone(),
                    right: names[i].clone(),
                    reference: before.0,
                    current: after.0,
                    probability: quality::correlation_change(before, after),
                });
            }
        }
    }
    let (alpha, correction) = match threshold {
        Threshold::Sampled { alpha, correction } => (*alpha, *correction),
        _ => (0.05, Correction::Holm),
    };
    let probabilities: Vec<f64> = found.iter().map(|pair| pair.probability).collect();
    let mut levels = threshold::levels(&probabilities, alpha, correction).into_iter();
    let change = |pair: &Correlation| (pair.current - pair.reference).abs();
    found.retain(|pair| {
        let level = levels.next().unwrap_or(0.0);
        pair.probability < level && change(pair) >= CORRELATION_CHANGE
    });
    found.sort_by(|left, right| change(right).total_cmp(&change(left)));
    Ok(found)
}
