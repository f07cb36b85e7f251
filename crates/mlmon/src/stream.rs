//! A monitor on tables that do not fit memory: read batch by batch, the reference twice, the current
//! rows once.
//!
//! Counters are exact: every row of both sides is counted between the frozen edges, overall, by window
//! and by segment. What needs values and not counters is computed from a [`Sample`] of
//! [`SAMPLE_ROWS`] rows of each side, drawn evenly and always the same for the same rows: the edges
//! themselves, rank tests and distances of distribution functions (their p-values are those of the
//! sample's size, so they stay true), and everything that looks at several columns at once. A table
//! of no more rows than that is its own sample, and its outcome is that of [`Monitor::run`]. Of columns
//! of vectors the means, variances and distances from the centroid are of every row; what needs their
//! values sees [`embedding::ROWS_LIMIT`] of them, as in memory (of a window 1,000, of a segment 500).
//!
//! Segments are compared between the edges of the whole reference. Windows of so many rows follow
//! the order of the files. Duplicate rows are not looked for. The columns of performance are kept
//! whole, some 30 bytes a row. Memory is constant otherwise.

mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use hashbrown::HashMap;
use rayon::prelude::*;

pub use sample::{SAMPLE_ROWS, Sample};

use crate::Error;
use crate::column::{self, Kind};
use crate::compare::{Baseline, Counted, Options, Report, Seen};
use crate::embedding::{self, Frozen, Summary};
use crate::monitor::{Every, Monitor, Outcome, Part, Table, Trial, Variant, WINDOWS_LIMIT, trial};
use crate::profile::{Edges, Profile};
use crate::stat::order;
use crate::threshold::Threshold;

/// Rows of a window that rank tests look at.
pub const WINDOW_SAMPLE_ROWS: usize = 2_000;
/// Vectors of a window that are kept where a detector needs them.
const WINDOW_VECTORS: usize = 1_000;
/// Vectors of a segment that are kept: of the reference for the directions in which they vary.
const SEGMENT_VECTORS: usize = 500;
/// Segments counted; further ones are left out.
pub const SEGMENTS_COUNTED: usize = 1_000;
/// Counters of all windows and segments together, eight bytes each.
pub const COUNTERS_LIMIT: usize = 1 << 25;
/// Distinct names of a column that are counted one by one; beyond, the rarest are forgotten.
const NAMES_COUNTED: usize = 1 << 18;

/// A table that can be read again and again.
pub trait Rows {
    /// Its columns.
    fn schema(&self) -> SchemaRef;

    /// Hands its rows, some thousands at a time and in the same order each time, with these columns
    /// in this order.
    fn each(
        &self,
        columns: &[String],
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

impl Rows for Vec<RecordBatch> {
    fn schema(&self) -> SchemaRef {
        self.first().map_or_else(|| Arc::new(arrow_schema::Schema::empty()), RecordBatch::schema)
    }

    fn each(
        &self,
        columns: &[String],
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let schema = self.schema();
        let places: Vec<usize> =
            columns.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        for batch in self {
            let batch = batch.project(&places).map_err(|e| Error::Mismatch(e.to_string()))?;
            take(&batch)?;
        }
        Ok(())
    }
}

impl Monitor {
    /// Compares tables that are read batch by batch.
    pub fn stream(&self, reference: &dyn Rows, current: &dyn Rows) -> Result<Outcome, Error> {
        if matches!(self.threshold, Threshold::Chunks { .. }) {
            return Err(Error::Option(
                "limits by chunks of the reference need tables that fit memory".to_owned(),
            ));
        }
        let heads = (head(reference)?, head(current)?);
        self.check_columns(&heads.0, &heads.1)?;
        let mut notes = vec![format!(
            "the tables were streamed: counters are exact, what needs values is from a sample of \
             {SAMPLE_ROWS} rows of each side; duplicate rows were not looked for"
        )];
        let watched = self.watched(&heads.0, &heads.1)?;
        if watched.iter().any(|name| heads.0.kind(name) == Some(Kind::Embedding)) {
            let limit = embedding::ROWS_LIMIT;
            notes.push(format!("centroids are of every vector, the rest of {limit} at most"));
        }
        self.note_left_out(&heads.0, &watched, &mut notes);
        let options = self.options()?;
        let past = Learned::of(self, reference, &watched, &options)?;
        let mut before = Counting::new(&past, options.sketches, self.by.is_some(), None);
        before.read(self, reference, &watched)?;
        let window = (self.every, options.needs_values());
        let mut now = Counting::new(&past, options.sketches, self.by.is_some(), Some(window));
        let present = now.read_current(self, current, &watched)?;
        let baseline = Baseline::of_counted(before.counted(&past.sample)?, options);
        let overall = self.with_new(baseline.compare_counted(&now.counted(&present)?), &heads);
        let windows = now.windows(&baseline)?;
        let segments = self.segments_of(&before, &now, &mut notes)?;
        let mut outcome = Outcome {
            name: self.name.clone(),
            sources: None,
            overall,
            windows,
            segments,
            performance: None,
            multivariate: Vec::new(),
            correlations: Vec::new(),
            streams: Vec::new(),
            fairness: None,
            experiment: self.try_out(reference, current)?,
            attribution: None,
            duplicates: None,
            notes,
        };
        if self.target.is_some() || self.protected.is_some() {
            let tables = (&self.answers(reference)?, &self.answers(current)?);
            let notes = &mut outcome.notes;
            outcome.performance = self.performance_of_tables(tables, &[], notes)?;
            let alone = |task| task == crate::monitor::Task::Regression;
            if outcome.performance.as_ref().is_some_and(|found| alone(found.task)) {
                notes.push(
                    "the model's error is estimated from its prediction alone: features of \
                     streamed tables are not kept"
                        .to_owned(),
                );
            }
            if outcome.performance.is_some() {
                self.perform_by_segment(tables, &[], &mut outcome.segments)?;
            }
            outcome.fairness = self.fairness_of(tables.0, tables.1)?;
        }
        if let (Some(before), Some(after)) = (past.sample.batch(), present.batch()) {
            let tables =
                (Table::of(std::slice::from_ref(before))?, Table::of(std::slice::from_ref(after))?);
            self.look_at_rows(&mut outcome, (&tables.0, &tables.1), &[], &watched)?;
        }
        Ok(outcome)
    }

    fn with_new(&self, mut report: Report, heads: &(Table, Table)) -> Report {
        if self.columns.is_empty() {
            report.add_new(heads.1.names().filter(|name| !heads.0.has(name)));
        }
        report
    }

    fn segments_of(
        &self,
        before: &Counting<'_>,
        now: &Counting<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Part>, Error> {
        let mut segments: Vec<(&String, &Group)> = now.segments.iter().collect();
        segments.sort_by(|left, right| right.1.rows.cmp(&left.1.rows).then(left.0.cmp(right.0)));
        let left_out = segments.len().saturating_sub(crate::monitor::SEGMENTS_LIMIT);
        if left_out > 0 {
            notes.push(format!("{left_out} small segments are left out"));
            segments.truncate(crate::monitor::SEGMENTS_LIMIT);
        }
        let mut parts = Vec::new();
        for (name, group) in segments {
            let Some(past) = before.segments.get(name) else {
                notes.push(format!("segment {name} is new: nothing to compare it with"));
                continue;
            };
            let without = |counted: Vec<Counted>| -> Vec<Counted> {
                counted.into_iter().filter(|one| Some(&one.name) != self.by.as_ref()).collect()
            };
            let baseline = Baseline::of_counted(without(before.counted_of(past)), self.options()?);
            let report = baseline.compare_counted(&without(now.counted_of(group)));
            parts.push(Part::of(name.clone(), report));
        }
        Ok(parts)
    }

    /// Those of the columns that a table has: the watched ones, then the others.
    fn present(
        &self,
        schema: &SchemaRef,
        watched: &[String],
        others: &[&Option<String>],
    ) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in watched.iter().chain(others.iter().copied().flatten()) {
            if schema.field_with_name(name).is_ok() && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The columns that the model has as features are in the sample as well.
    fn add_features(&self, schema: &SchemaRef, names: &mut Vec<String>) {
        for name in self.model_features() {
            if schema.field_with_name(&name).is_ok() && !names.contains(&name) {
                names.push(name);
            }
        }
    }

    /// The experiment: sums of every row, in one more pass over its few columns.
    fn try_out(&self, reference: &dyn Rows, current: &dyn Rows) -> Result<Option<Trial>, Error> {
        let variant = |rows: &dyn Rows| {
            let Some(mut variant) = Variant::of(self) else { return Ok(None) };
            let columns = self.present(&rows.schema(), &variant.columns(), &[]);
            rows.each(&columns, &mut |batch| {
                variant.take(&Table::of(std::slice::from_ref(batch))?)
            })?;
            Ok::<_, Error>(Some(variant))
        };
        match (variant(reference)?, variant(current)?) {
            (Some(control), Some(treatment)) => trial(&control, &treatment).map(Some),
            _ => Ok(None),
        }
    }

    /// The columns that performance and fairness need, whole.
    fn answers(&self, rows: &dyn Rows) -> Result<Table, Error> {
        let schema = rows.schema();
        let scores: Vec<String> = self.scores.iter().map(|(_, column)| column.clone()).collect();
        let named =
            [&self.target, &self.prediction, &self.score, &self.time, &self.protected, &self.by];
        let named = named.into_iter().chain([&self.query]).collect::<Vec<_>>();
        let columns = self.present(&schema, &scores, &named);
        let mut batches = Vec::new();
        rows.each(&columns, &mut |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        Table::of(&batches)
    }
}

/// The first rows of a table, which say its columns and what kind they are.
fn head(rows: &dyn Rows) -> Result<Table, Error> {
    let all: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut first = None;
    // Reading stops with an error that is none.
    let stop = Error::Read(String::new());
    let read = rows.each(&all, &mut |batch| {
        first = Some(batch.clone());
        if batch.num_rows() > 0 { Err(stop.clone()) } else { Ok(()) }
    });
    match read {
        Err(error) if error != stop => return Err(error),
        _ => {}
    }
    Table::of(&[first.unwrap_or_else(|| RecordBatch::new_empty(rows.schema()))])
}

/// What the first pass over the reference finds out.
struct Learned {
    columns: Vec<(String, Result<Under, Error>)>,
    sample: Sample,
    /// Whether a detector needs the vectors of windows and segments.
    needs_vectors: bool,
}

/// What the reference froze of a column, to count under.
#[derive(Clone)]
enum Under {
    Edges(Arc<Edges>),
    Frozen(Arc<Frozen>),
}

impl Under {
    fn seen(&self, sketches: bool, vectors: usize) -> Seen {
        match self {
            Under::Edges(edges) => {
                let profile = Profile::new(Arc::clone(edges));
                let profile = if sketches { profile.with_sketches() } else { profile };
                Seen::Values { profile, sorted: None }
            }
            Under::Frozen(frozen) => Seen::Vectors(Box::new(Summary::under(frozen, vectors))),
        }
    }

    /// Counters and numbers that it keeps.
    fn counters(&self, vectors: usize) -> usize {
        match self {
            Under::Edges(edges) => edges.bins(),
            Under::Frozen(frozen) => {
                frozen.width() * (4 + embedding::rows_kept(frozen.width(), vectors))
            }
        }
    }
}

/// What the first pass has to know of a column beside a sample.
enum Looking {
    Numbers,
    Names(Names),
    Vectors(Option<Box<Summary>>),
}

impl Looking {
    fn at(schema: &SchemaRef, name: &str) -> Looking {
        let kind = schema.field_with_name(name).ok();
        match kind.and_then(|field| column::kind_of(field.data_type()).ok()) {
            Some(Kind::Categorical) => Looking::Names(Names::default()),
            Some(Kind::Embedding) => Looking::Vectors(None),
            _ => Looking::Numbers,
        }
    }

    fn take(&mut self, array: &ArrayRef) -> Result<(), Error> {
        match self {
            Looking::Numbers => Ok(()),
            Looking::Names(names) => names.take(array.as_ref()),
            Looking::Vectors(Some(summary)) => summary.update(array.as_ref()),
            Looking::Vectors(nothing) => {
                // Vectors are as long as most of the first ones.
                let Ok(width) = embedding::usual_width(std::slice::from_ref(array)) else {
                    return Ok(());
                };
                let mut summary = Summary::new(width, embedding::ROWS_LIMIT);
                summary.update(array.as_ref())?;
                *nothing = Some(Box::new(summary));
                Ok(())
            }
        }
    }

    fn under(self, arrays: &[ArrayRef], options: &Options) -> Result<Under, Error> {
        match self {
            Looking::Numbers => Ok(Under::Edges(Arc::new(Edges::fit(arrays, &options.binning)?))),
            Looking::Names(names) => Ok(Under::Edges(Arc::new(names.edges()?))),
            Looking::Vectors(None) => Err(Error::Type("lists of no usual length".to_owned())),
            Looking::Vectors(Some(summary)) => Ok(Under::Frozen(Arc::new(summary.freeze()))),
        }
    }
}

/// Adds the columns that are no vectors: those are kept by their own summaries.
fn take_plain(sample: &mut Sample, batch: &RecordBatch) -> Result<(), Error> {
    let plain = |place: &usize| !embedding::is_embedding(batch.column(*place).data_type());
    let places: Vec<usize> = (0..batch.num_columns()).filter(plain).collect();
    if places.len() == batch.num_columns() {
        return sample.take(batch);
    }
    if places.is_empty() {
        return Ok(());
    }
    sample.take(&batch.project(&places).map_err(|error| Error::Mismatch(error.to_string()))?)
}

impl Learned {
    fn of(
        monitor: &Monitor,
        reference: &dyn Rows,
        watched: &[String],
        options: &Options,
    ) -> Result<Learned, Error> {
        let schema = reference.schema();
        let known = monitor.present(&schema, watched, &[]);
        let mut read = monitor.present(&schema, watched, &[&monitor.time, &monitor.target]);
        monitor.add_features(&schema, &mut read);
        let mut sample = Sample::new(SAMPLE_ROWS);
        let mut looking: Vec<Looking> =
            known.iter().map(|name| Looking::at(&schema, name)).collect();
        reference.each(&read, &mut |batch| {
            take_plain(&mut sample, batch)?;
            let columns = looking.par_iter_mut().zip(batch.columns());
            columns.try_for_each(|(looking, array)| looking.take(array))
        })?;
        sample.settle()?;
        let under = |(looking, name): (Looking, &String)| {
            let arrays: Vec<ArrayRef> = sample.column(name).into_iter().collect();
            looking.under(&arrays, options)
        };
        let under: Vec<Result<Under, Error>> =
            looking.into_par_iter().zip(&known).map(under).collect();
        let columns = known.into_iter().zip(under).collect();
        Ok(Learned { columns, sample, needs_vectors: options.needs_vectors() })
    }
}

/// Names of a column with their counts: exact up to [`NAMES_COUNTED`] of them.
#[derive(Default)]
struct Names(HashMap<Box<str>, u64>);

impl Names {
    fn take(&mut self, array: &dyn Array) -> Result<(), Error> {
        column::for_each_text(array, |text, times| match self.0.get_mut(text) {
            Some(count) => *count += times,
            None => {
                self.0.insert(text.into(), times);
            }
        })?;
        while self.0.len() > NAMES_COUNTED {
            let mut counts: Vec<u64> = self.0.values().copied().collect();
            let (_, middle, _) = counts.select_nth_unstable(NAMES_COUNTED / 2);
            let middle = *middle;
            self.0.retain(|_, count| *count > middle);
        }
        Ok(())
    }

    fn edges(self) -> Result<Edges, Error> {
        Edges::from_counts(self.0)
    }
}

/// What was counted of some rows, column by column, and a few of the values.
struct Group {
    rows: u64,
    seen: Vec<Option<Result<Seen, Error>>>,
    sample: Option<Sample>,
}

impl Group {
    fn new(past: &Learned, sketches: bool, sample: Option<usize>, vectors: usize) -> Group {
        let seen = |(_, under): &(String, Result<Under, Error>)| {
            Some(under.as_ref().map(|under| under.seen(sketches, vectors)).map_err(Error::clone))
        };
        let seen = past.columns.iter().map(seen).collect();
        Group { rows: 0, seen, sample: sample.map(Sample::new) }
    }

    fn take(&mut self, batch: &RecordBatch, places: &[Option<usize>]) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        self.seen.par_iter_mut().zip(places).for_each(|(slot, place)| {
            let Some(place) = place else {
                *slot = None;
                return;
            };
            let array = batch.column(*place);
            let failed = match slot {
                Some(Ok(Seen::Values { profile, .. })) => profile.update(array.as_ref()).err(),
                Some(Ok(Seen::Vectors(summary))) => summary.update(array.as_ref()).err(),
                _ => None,
            };
            if let Some(error) = failed {
                *slot = Some(Err(error));
            }
        });
        match &mut self.sample {
            Some(sample) => take_plain(sample, batch),
            None => Ok(()),
        }
    }
}

/// The second pass over the reference, and the only one over the current rows.
struct Counting<'a> {
    past: &'a Learned,
    sketches: bool,
    by_segment: bool,
    window: Option<(Option<Every>, bool)>,
    whole: Group,
    windows: BTreeMap<i64, (String, Group)>,
    segments: BTreeMap<String, Group>,
    counters: usize,
    /// Columns as they are read: the watched ones first.
    names: Vec<String>,
    types: Vec<Option<arrow_schema::DataType>>,
}

impl<'a> Counting<'a> {
    fn new(
        past: &'a Learned,
        sketches: bool,
        by_segment: bool,
        window: Option<(Option<Every>, bool)>,
    ) -> Counting<'a> {
        let kept = past.needs_vectors || window.is_none();
        let whole = if kept { embedding::ROWS_LIMIT } else { 0 };
        Counting {
            past,
            sketches,
            by_segment,
            window,
            whole: Group::new(past, sketches, None, whole),
            windows: BTreeMap::new(),
            segments: BTreeMap::new(),
            counters: 0,
            names: Vec::new(),
            types: Vec::new(),
        }
    }

    fn read_current(
        &mut self,
        monitor: &Monitor,
        rows: &dyn Rows,
        watched: &[String],
    ) -> Result<Sample, Error> {
        self.whole.sample = Some(Sample::new(SAMPLE_ROWS));
        self.read(monitor, rows, watched)?;
        let mut sample = self.whole.sample.take().unwrap_or_else(|| Sample::new(0));
        sample.settle()?;
        Ok(sample)
    }

    fn read(
        &mut self,
        monitor: &Monitor,
        rows: &dyn Rows,
        watched: &[String],
    ) -> Result<(), Error> {
        let schema = rows.schema();
        let others = [&monitor.time, &monitor.by, &monitor.target];
        self.names = monitor.present(&schema, watched, &others);
        monitor.add_features(&schema, &mut self.names);
        let places: Vec<Option<usize>> = self
            .past
            .columns
            .iter()
            .map(|(name, _)| self.names.iter().position(|one| one == name))
            .collect();
        let data_type =
            |name: &String| schema.field_with_name(name).ok().map(|f| f.data_type().clone());
        self.types = self.past.columns.iter().map(|(name, _)| data_type(name)).collect();
        let names = self.names.clone();
        rows.each(&names, &mut |batch| {
            let first_row = self.whole.rows;
            self.whole.take(batch, &places)?;
            let table = Table::of(std::slice::from_ref(batch))?;
            if let Some((Some(every), values)) = self.window {
                let parts = match (every, &monitor.time) {
                    (Every::Rows(rows), _) => table.by_place(first_row, rows),
                    (Every::Micros(length), Some(time)) => table.by_start(time, length)?,
                    (Every::Micros(_), None) => {
                        return Err(Error::Option("windows of time need a time column".to_owned()));
                    }
                };
                self.take_windows(&table, parts, values, &places)?;
            }
            match (&monitor.by, self.by_segment) {
                (Some(by), true) => self.take_segments(&table, by, &places),
                _ => Ok(()),
            }
        })
    }

    fn take_windows(
        &mut self,
        table: &Table,
        parts: Vec<(i64, String, Vec<u32>)>,
        values: bool,
        places: &[Option<usize>],
    ) -> Result<(), Error> {
        let vectors = if self.past.needs_vectors { WINDOW_VECTORS } else { 0 };
        for (start, name, rows) in parts {
            let batch = table.rows_of(&rows).batch()?;
            if !self.windows.contains_key(&start) {
                self.reserve(self.windows.len() + 1 > WINDOWS_LIMIT, vectors)?;
                let sample = values.then_some(WINDOW_SAMPLE_ROWS);
                let group = Group::new(self.past, self.sketches, sample, vectors);
                self.windows.insert(start, (name, group));
            }
            if let Some((_, group)) = self.windows.get_mut(&start) {
                group.take(&batch, places)?;
            }
        }
        Ok(())
    }

    fn take_segments(
        &mut self,
        table: &Table,
        by: &str,
        places: &[Option<usize>],
    ) -> Result<(), Error> {
        let kept = self.past.needs_vectors || self.window.is_none();
        let vectors = if kept { SEGMENT_VECTORS } else { 0 };
        for (name, rows) in table.by_value(by)? {
            if !self.segments.contains_key(&name) {
                if self.segments.len() >= SEGMENTS_COUNTED {
                    continue;
                }
                self.reserve(false, vectors)?;
                let group = Group::new(self.past, self.sketches, None, vectors);
                self.segments.insert(name.clone(), group);
            }
            let batch = table.rows_of(&rows).batch()?;
            if let Some(group) = self.segments.get_mut(&name) {
                group.take(&batch, places)?;
            }
        }
        Ok(())
    }

    /// Room for the counters of one more window or segment.
    fn reserve(&mut self, too_many: bool, vectors: usize) -> Result<(), Error> {
        let counters = |under: &Under| under.counters(vectors);
        let columns = self.past.columns.iter();
        self.counters +=
            columns.map(|(_, under)| under.as_ref().map_or(0, counters)).sum::<usize>();
        if too_many || self.counters > COUNTERS_LIMIT {
            return Err(Error::Option(format!(
                "more than {WINDOWS_LIMIT} windows, or {COUNTERS_LIMIT} bins and numbers kept in all \
                 windows and segments together; name fewer columns or take longer windows"
            )));
        }
        Ok(())
    }

    /// Everything that was read.
    fn counted(&self, sample: &Sample) -> Result<Vec<Counted>, Error> {
        let mut counted = self.counted_of(&self.whole);
        counted.par_iter_mut().try_for_each(|one| keep_sorted(one, sample))?;
        Ok(counted)
    }

    fn counted_of(&self, group: &Group) -> Vec<Counted> {
        let columns = self.past.columns.iter().zip(&group.seen).zip(&self.types);
        let counted = columns.filter_map(|(((name, _), seen), data_type)| {
            // A column that is absent was not seen; the comparison says that it is gone.
            let seen = seen.clone()?;
            Some(Counted { name: name.clone(), seen, data_type: data_type.clone() })
        });
        counted.collect()
    }

    fn windows(&mut self, baseline: &Baseline) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        for (_, (name, mut group)) in std::mem::take(&mut self.windows) {
            let sample = group.sample.take();
            let mut counted = self.counted_of(&group);
            if let Some(mut sample) = sample {
                sample.settle()?;
                counted.iter_mut().try_for_each(|one| keep_sorted(one, &sample))?;
            }
            parts.push(Part::of(name, baseline.compare_counted(&counted)));
        }
        Ok(parts)
    }
}

/// The finite values that are in the sample, of numbers.
fn keep_sorted(counted: &mut Counted, sample: &Sample) -> Result<(), Error> {
    let Ok(Seen::Values { sorted, .. }) = &mut counted.seen else { return Ok(()) };
    let Some(array) = sample.column(&counted.name) else { return Ok(()) };
    if column::kind_of(array.data_type()) == Ok(Kind::Numeric) {
        let (mut values, _) = column::collect_numbers(&[array])?;
        values.retain(|value| value.is_finite());
        order::sort(&mut values);
        *sorted = Some(values);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
