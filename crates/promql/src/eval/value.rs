//! What parts of a query evaluate to, and the memory that it takes.

use hashbrown::HashMap;
use model::metric::{Labels, NAME_LABEL};
use stdx::memory::Reservation;

use super::column::{Column, Series, is_present};
use super::{Evaluator, Result};
use crate::control::{Control, Stop};
use crate::engine::QueryError;

/// The label with a metric's type, where the store keeps it as a label.
pub(crate) const TYPE_LABEL: &str = "__type__";
/// The label with a metric's unit.
pub(crate) const UNIT_LABEL: &str = "__unit__";

/// The labels that say what a metric is, and not which.
pub(crate) fn is_metadata(label: &str) -> bool {
    matches!(label, NAME_LABEL | TYPE_LABEL | UNIT_LABEL)
}

/// What a part evaluates to.
pub(crate) enum Value<'a> {
    /// A number at each step.
    Scalar(Vec<f64>),
    /// Series.
    Vector(Vector<'a>),
    /// A text.
    Text(String),
}

/// What is held for a query: given back when dropped.
pub(crate) struct Tally<'a> {
    samples: u64,
    control: &'a Control,
    memory: Option<Reservation>,
}

impl<'a> Tally<'a> {
    /// Nothing yet.
    pub(crate) fn new(control: &'a Control) -> Tally<'a> {
        Tally { samples: 0, control, memory: None }
    }

    /// Counts what is held from now on.
    pub(crate) fn add(&mut self, samples: usize, bytes: usize) -> Result<()> {
        match &mut self.memory {
            Some(memory) => memory.resize(memory.bytes() + bytes).map_err(Stop::from)?,
            None => {
                self.memory = Some(self.control.memory().reserve(bytes).map_err(Stop::from)?);
            }
        }
        let samples = u64::try_from(samples).unwrap_or(u64::MAX);
        self.samples += samples;
        Ok(self.control.hold(samples)?)
    }

    /// Counts a column.
    pub(crate) fn add_column(&mut self, column: &Column) -> Result<()> {
        self.add(column.samples(), column.size_bytes() + 64)
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.control.release(self.samples);
    }
}

/// Series, counted against the limits of the query while they live.
pub(crate) struct Vector<'a> {
    series: Vec<Series>,
    _tally: Tally<'a>,
}

impl<'a> Vector<'a> {
    /// Series that are counted already.
    pub(crate) fn counted(series: Vec<Series>, tally: Tally<'a>) -> Vector<'a> {
        Vector { series, _tally: tally }
    }
}

impl Vector<'_> {
    pub(crate) fn series(&self) -> &[Series] {
        &self.series
    }

    pub(crate) fn series_mut(&mut self) -> &mut Vec<Series> {
        &mut self.series
    }

    /// The series; they no longer count.
    pub(crate) fn into_series(mut self) -> Vec<Series> {
        std::mem::take(&mut self.series)
    }
}

/// `labels` without those that `drop` names.
pub(crate) fn without_labels(labels: &Labels, drop: impl Fn(&str) -> bool) -> Labels {
    if !labels.iter().any(|(name, _)| drop(name)) {
        return labels.clone();
    }
    let mut bytes = Vec::with_capacity(labels.as_bytes().len());
    put_labels(&mut bytes, labels, |name| !drop(name));
    Labels::from_canonical(&bytes)
}

/// Writes some of the labels in canonical form: the key by which series are grouped and matched.
pub(crate) fn put_labels(into: &mut Vec<u8>, labels: &Labels, keep: impl Fn(&str) -> bool) {
    for (name, value) in labels.iter().filter(|(name, _)| keep(name)) {
        for text in [name, value] {
            let mut length = text.len();
            while length >= 0x80 {
                into.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
                length >>= 7;
            }
            into.push(u8::try_from(length).unwrap_or(0));
            into.extend_from_slice(text.as_bytes());
        }
    }
}

/// The text of the error when two series have the same labels.
pub(crate) const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

impl Evaluator<'_> {
    /// Counts series against the limits.
    pub(crate) fn hold(&self, series: Vec<Series>) -> Result<Vector<'_>> {
        let mut tally = Tally::new(self.control);
        for one in &series {
            tally.add_column(&one.column)?;
        }
        Ok(Vector::counted(series, tally))
    }

    /// A function has made another metric of the series: its name goes, now or at the end.
    pub(crate) fn drop_name(&self, series: &mut Series) {
        series.drop_name = true;
        if !self.options.delayed_name_removal {
            series.labels = without_labels(&series.labels, is_metadata);
        }
    }

    /// Series that have come to have the same labels become one. They must not meet at a step.
    pub(crate) fn merge_same_labels<'v>(&self, mut vector: Vector<'v>) -> Result<Vector<'v>> {
        merge_series(&mut vector.series)?;
        Ok(vector)
    }

    /// Drops the names that were to go.
    pub(crate) fn finish_names(&self, series: &mut Vec<Series>) -> Result<()> {
        for one in &mut *series {
            if one.drop_name {
                one.labels = without_labels(&one.labels, is_metadata);
            }
        }
        merge_series(series)
    }
}

/// Series with the same labels become one, or an error where they meet.
pub(crate) fn merge_series(series: &mut Vec<Series>) -> Result<()> {
    if series.len() < 2 {
        return Ok(());
    }
    let mut first: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
    let mut double = Vec::new();
    for (index, one) in series.iter().enumerate() {
        match first.get(&one.labels) {
            None => {
                first.insert(one.labels.clone(), index);
            }
            Some(&target) => double.push((target, index)),
        }
    }
    if double.is_empty() {
        return Ok(());
    }
    for &(target, index) in &double {
        let from = std::mem::take(&mut series[index].column);
        merge_column(&mut series[target].column, &from)?;
    }
    let mut index = 0;
    series.retain(|_| {
        index += 1;
        double.binary_search_by_key(&(index - 1), |&(_, from)| from).is_err()
    });
    Ok(())
}

fn merge_column(into: &mut Column, from: &Column) -> Result<()> {
    for step in 0..from.len() {
        if !from.has(step) {
            continue;
        }
        if into.has(step) {
            return Err(QueryError::Execution(SAME_LABELS.to_owned()));
        }
        if is_present(from.floats[step]) {
            into.floats[step] = from.floats[step];
        } else if let Some(cell) = from.cell(step) {
            into.set(step, cell);
        }
    }
    Ok(())
}
