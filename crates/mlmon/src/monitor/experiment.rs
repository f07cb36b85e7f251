//! An experiment: the reference is the control, the current rows are the treatment.
//!
//! Every row is a unit that was assigned to one variant. Rows are read once, block by block: means and
//! variances of the metrics overall, by segment, and added up window by window.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::Table;
use super::{Every, Monitor, SEGMENTS_LIMIT, WINDOWS_LIMIT};
use crate::Error;
use crate::column;
use crate::experiment::{self, Arm, Difference};
use crate::profile::Moments;

/// The chance of a wrong interval where none is named.
const LEVEL: f64 = 0.05;
/// The scale where none is named, in standard deviations of the control. Of all scales it loses least where
/// one does not know when somebody will look: from 1,000 to 100,000 rows a variant, intervals are at
/// most a sixth wider than those of the best scale for that number of rows.
pub const SCALE_DEVIATIONS: f64 = 0.05;
/// Below this p-value the variants did not get the rows that they should have.
pub const MISMATCH: f64 = 0.001;
/// Segments that are counted; further ones are left out.
const SEGMENTS_COUNTED: usize = 1_000;

/// What to compare of two variants.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Columns whose means are compared: numbers, or conversions as booleans, 0 and 1.
    pub metrics: Vec<String>,
    /// The shares of rows that control and treatment should have.
    pub shares: [f64; 2],
    /// The chance that any interval of the metrics misses its difference.
    pub level: f64,
    /// The standard deviation of differences that one expects, in the metric's unit;
    /// [`SCALE_DEVIATIONS`] of the control where none is named.
    pub scale: Option<f64>,
}

impl Experiment {
    /// Of these metrics, halves, at a level of 5 %.
    pub fn of(metrics: Vec<String>) -> Experiment {
        Experiment { metrics, shares: [0.5, 0.5], level: LEVEL, scale: None }
    }

    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |text: &str| Err(Error::Option(text.to_owned()));
        if self.metrics.is_empty() {
            return refuse("an experiment has one metric at least");
        }
        if self.shares.iter().any(|share| !(*share > 0.0 && share.is_finite())) {
            return refuse("the shares of an experiment are two numbers above 0");
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return refuse("the level of an experiment lies between 0 and 1");
        }
        if self.scale.is_some_and(|scale| !(scale > 0.0 && scale.is_finite())) {
            return refuse("the scale of an experiment is a number above 0");
        }
        Ok(())
    }
}

/// What an experiment says.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// The chance that any interval of the metrics misses its difference.
    pub level: f64,
    /// Whether both variants got the rows that they should have.
    pub sample_ratio: SampleRatio,
    /// The metrics over all rows.
    pub metrics: Vec<Compared>,
    /// The metrics in each segment, largest first, their intervals wider: any of all segments together
    /// misses its difference with the same chance.
    pub segments: Vec<Segment>,
}

/// Rows of the variants against the shares that they should have had.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SampleRatio {
    /// Rows of control and treatment.
    pub rows: (u64, u64),
    /// The share of the treatment as it should be.
    pub expected: f64,
    /// The share of the treatment as it is.
    pub observed: f64,
    /// The chance of such a share, or one further off, when nothing is wrong.
    pub probability: f64,
    /// Whether something is wrong.
    pub mismatch: bool,
}

/// What is certain about a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The treatment's mean is higher.
    Higher,
    /// It is lower.
    Lower,
    /// Neither is sure.
    Undecided,
}

/// A metric of both variants.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The column.
    pub metric: String,
    /// Whether it is 0 or 1 in every row.
    pub conversion: bool,
    /// The control; of rows with a value.
    pub control: Arm,
    /// The treatment; of rows with a value.
    pub treatment: Arm,
    /// What it was tested at: the level divided among the metrics, and the segments.
    pub level: f64,
    /// The scale of the sequential test.
    pub scale: f64,
    /// Welch's: for who looks once. Nothing where a variant has fewer than two rows.
    pub difference: Option<Difference>,
    /// The sequential test's: for who looks again and again.
    pub always_valid: Option<Difference>,
    /// By the sequential test.
    pub verdict: Verdict,
    /// The always-valid difference after each window, where windows are of time and both sides have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
}

/// The difference after so many rows.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// The last window that is counted.
    pub window: String,
    /// Rows so far.
    pub rows: (u64, u64),
    /// The always-valid difference.
    #[serde(flatten)]
    pub difference: Difference,
}

/// A segment's metrics.
#[derive(Debug, Clone, Serialize)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// The metrics.
    pub metrics: Vec<Compared>,
}

impl Trial {
    /// Whether a difference is sure, or the rows are split as they should not be.
    pub fn found(&self) -> bool {
        self.sample_ratio.mismatch
            || self.metrics.iter().any(|metric| metric.verdict != Verdict::Undecided)
    }
}

/// Sums of a metric.
#[derive(Clone)]
struct Sums {
    moments: Moments,
    conversion: bool,
}

impl Sums {
    fn about(origin: f64) -> Sums {
        Sums { moments: Moments::about(origin), conversion: true }
    }

    fn add(&mut self, values: &[f64]) {
        let binary =
            |value: &f64| !value.is_finite() || value.to_bits() == 1_f64.to_bits() || *value == 0.0;
        self.conversion &= values.iter().all(binary);
        self.moments.add(values);
    }

    fn merge(&mut self, other: &Sums) {
        self.conversion &= other.conversion;
        self.moments.merge(&other.moments);
    }

    fn arm(&self) -> Arm {
        Arm {
            rows: self.moments.count() as f64,
            mean: self.moments.mean().unwrap_or(f64::NAN),
            variance: self.moments.variance(1).unwrap_or(f64::NAN),
        }
    }
}

/// One variant, added up as its rows are read.
pub(crate) struct Variant<'a> {
    monitor: &'a Monitor,
    plan: &'a Experiment,
    rows: u64,
    /// About what each metric's values are summed.
    origins: Option<Vec<f64>>,
    whole: Vec<Sums>,
    windows: BTreeMap<i64, (String, u64, Vec<Sums>)>,
    segments: BTreeMap<String, Vec<Sums>>,
}

impl<'a> Variant<'a> {
    /// No rows yet; nothing where the monitor is no experiment.
    pub(crate) fn of(monitor: &'a Monitor) -> Option<Variant<'a>> {
        let plan = monitor.experiment.as_ref()?;
        Some(Variant {
            monitor,
            plan,
            rows: 0,
            origins: None,
            whole: Vec::new(),
            windows: BTreeMap::new(),
            segments: BTreeMap::new(),
        })
    }

    /// The columns that it needs.
    pub(crate) fn columns(&self) -> Vec<String> {
        let others = [&self.monitor.time, &self.monitor.by].into_iter().flatten();
        self.plan.metrics.iter().chain(others).cloned().collect()
    }

    /// Adds rows.
    pub(crate) fn take(&mut self, table: &Table) -> Result<(), Error> {
        let metrics = self.plan.metrics.iter().map(|name| values(table, name));
        let metrics: Vec<Vec<f64>> = metrics.collect::<Result<_, Error>>()?;
        let first = |values: &Vec<f64>| values.iter().copied().find(|v| v.is_finite());
        let origins: Vec<f64> = match &self.origins {
            Some(origins) => origins.clone(),
            None => metrics.iter().map(|values| first(values).unwrap_or(0.0)).collect(),
        };
        let empty = || origins.iter().map(|origin| Sums::about(*origin)).collect::<Vec<Sums>>();
        if self.origins.is_none() {
            self.whole = empty();
            self.origins = Some(origins.clone());
        }
        self.rows += table.rows() as u64;
        add(&mut self.whole, &metrics, None);
        if let (Some(Every::Micros(length)), Some(time)) = (self.monitor.every, &self.monitor.time)
            && table.has(time)
        {
            for (start, name, rows) in table.by_start(time, length)? {
                if self.windows.len() >= WINDOWS_LIMIT && !self.windows.contains_key(&start) {
                    return Err(Error::Option(format!("more than {WINDOWS_LIMIT} windows")));
                }
                let window = self.windows.entry(start).or_insert_with(|| (name, 0, empty()));
                window.1 += rows.len() as u64;
                add(&mut window.2, &metrics, Some(&rows));
            }
        }
        if let Some(by) = &self.monitor.by {
            for (name, rows) in table.by_value(by)? {
                if self.segments.len() < SEGMENTS_COUNTED || self.segments.contains_key(&name) {
                    let segment = self.segments.entry(name).or_insert_with(empty);
                    add(segment, &metrics, Some(&rows));
                }
            }
        }
        Ok(())
    }

    /// Of a table in one piece.
    fn whole(monitor: &'a Monitor, table: &Table) -> Result<Option<Variant<'a>>, Error> {
        let Some(mut variant) = Variant::of(monitor) else { return Ok(None) };
        variant.take(table)?;
        Ok(Some(variant))
    }
}

fn add(sums: &mut [Sums], metrics: &[Vec<f64>], rows: Option<&[u32]>) {
    for (sums, values) in sums.iter_mut().zip(metrics) {
        match rows {
            None => sums.add(values),
            Some(rows) => {
                let values: Vec<f64> = rows.iter().map(|row| values[*row as usize]).collect();
                sums.add(&values);
            }
        }
    }
}

fn values(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    let array = table
        .get(name)
        .ok_or_else(|| Error::Option(format!("the experiment's metric {name:?} is no column")))?;
    column::dense_numbers(&[std::sync::Arc::clone(array)]).map_err(|_| {
        let kind = array.data_type();
        Error::Option(format!(
            "the experiment's metric {name:?} is {kind}: a metric is a number, a boolean, or 0 and 1"
        ))
    })
}

pub(super) fn measure(
    monitor: &Monitor,
    reference: &Table,
    current: &Table,
) -> Result<Option<Trial>, Error> {
    let control = Variant::whole(monitor, reference)?;
    let treatment = Variant::whole(monitor, current)?;
    match (control, treatment) {
        (Some(control), Some(treatment)) => trial(&control, &treatment).map(Some),
        _ => Ok(None),
    }
}

/// Both variants held against each other.
pub(crate) fn trial(control: &Variant<'_>, treatment: &Variant<'_>) -> Result<Trial, Error> {
    let plan = control.plan;
    plan.check()?;
    let sample_ratio = split(plan, (control.rows, treatment.rows))?;
    let level = plan.level / plan.metrics.len() as f64;
    let mut metrics = compare_all(plan, (&control.whole, &treatment.whole), level)?;
    for (place, metric) in metrics.iter_mut().enumerate() {
        metric.looks = looks((control, treatment), place, metric);
    }
    let rows = |name: &String| {
        let of = |side: &Variant<'_>| side.segments.get(name).map(|s| s[0].moments.count());
        of(control).zip(of(treatment)).map(|(before, after)| before + after)
    };
    let mut names: Vec<(u64, &String)> =
        control.segments.keys().filter_map(|name| Some((rows(name)?, name))).collect();
    names.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    names.truncate(SEGMENTS_LIMIT);
    let level = level / names.len().max(1) as f64;
    let segment = |(_, name): &(u64, &String)| {
        let sides = (&control.segments[*name][..], &treatment.segments[*name][..]);
        Ok(Segment { name: (*name).clone(), metrics: compare_all(plan, sides, level)? })
    };
    let segments = names.iter().map(segment).collect::<Result<_, Error>>()?;
    Ok(Trial { level: plan.level, sample_ratio, metrics, segments })
}

fn split(plan: &Experiment, (control, treatment): (u64, u64)) -> Result<SampleRatio, Error> {
    let probability = experiment::sample_ratio(&[control, treatment], &plan.shares)?;
    Ok(SampleRatio {
        rows: (control, treatment),
        expected: plan.shares[1] / (plan.shares[0] + plan.shares[1]),
        observed: treatment as f64 / (control + treatment) as f64,
        probability,
        mismatch: probability < MISMATCH,
    })
}

fn compare_all(
    plan: &Experiment,
    (control, treatment): (&[Sums], &[Sums]),
    level: f64,
) -> Result<Vec<Compared>, Error> {
    let all = plan.metrics.iter().zip(control).zip(treatment);
    all.map(|((metric, control), treatment)| compare(plan, metric, (control, treatment), level))
        .collect()
}

fn compare(
    plan: &Experiment,
    metric: &str,
    (control, treatment): (&Sums, &Sums),
    level: f64,
) -> Result<Compared, Error> {
    let conversion = control.conversion && treatment.conversion;
    let (control, treatment) = (control.arm(), treatment.arm());
    let known = SCALE_DEVIATIONS * control.variance.sqrt();
    let scale = plan.scale.unwrap_or(known);
    let counted = control.rows >= 2.0 && treatment.rows >= 2.0;
    let difference = counted.then(|| experiment::difference(&control, &treatment, level));
    // A constant control has no scale, and a test of it would be of nothing.
    let tested = counted && scale > 0.0;
    let always_valid = tested.then(|| experiment::always_valid(&control, &treatment, level, scale));
    let always_valid = always_valid.transpose()?;
    let verdict = match &always_valid {
        Some(found) if found.lower > 0.0 => Verdict::Higher,
        Some(found) if found.upper < 0.0 => Verdict::Lower,
        _ => Verdict::Undecided,
    };
    Ok(Compared {
        metric: metric.to_owned(),
        conversion,
        control,
        treatment,
        level,
        scale,
        difference: difference.transpose()?,
        always_valid,
        verdict,
        looks: Vec::new(),
    })
}

/// The always-valid difference after each window, as somebody would have seen it then.
fn looks(
    (control, treatment): (&Variant<'_>, &Variant<'_>),
    place: usize,
    metric: &Compared,
) -> Vec<Look> {
    if control.windows.is_empty() || treatment.windows.is_empty() {
        return Vec::new();
    }
    let mut names: BTreeMap<i64, &str> = BTreeMap::new();
    for (start, (name, ..)) in control.windows.iter().chain(&treatment.windows) {
        names.insert(*start, name);
    }
    let empty = |side: &Variant<'_>| Sums::about(side.origins.as_ref().map_or(0.0, |o| o[place]));
    let (mut before, mut after) = (empty(control), empty(treatment));
    let mut rows = (0, 0);
    let mut looks = Vec::new();
    for (start, name) in names {
        if let Some((_, more, sums)) = control.windows.get(&start) {
            before.merge(&sums[place]);
            rows.0 += more;
        }
        if let Some((_, more, sums)) = treatment.windows.get(&start) {
            after.merge(&sums[place]);
            rows.1 += more;
        }
        let found =
            experiment::always_valid(&before.arm(), &after.arm(), metric.level, metric.scale);
        if let Some(difference) = found.ok().filter(|one| one.lower.is_finite()) {
            looks.push(Look { window: name.to_owned(), rows, difference });
        }
    }
    looks
}
