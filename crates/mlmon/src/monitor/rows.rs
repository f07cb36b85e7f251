//! Rows of a table by window and by segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{DataType, TimeUnit};
use stdx::calendar::Date;

use crate::Error;
use crate::column::{self, Kind};
use crate::compare::Column;
use crate::embedding;
use crate::quality;

/// A table with each column in one piece, but for vectors: they are large, and stay as they came.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Vec<ArrayRef>)>,
    rows: usize,
}

impl Table {
    /// Puts the batches of a table together. A single batch is not copied.
    pub fn of(batches: &[RecordBatch]) -> Result<Table, Error> {
        let first = batches.first().ok_or(Error::Empty("the data"))?;
        let mut columns = Vec::new();
        for (place, field) in first.schema().fields().iter().enumerate() {
            let parts: Vec<&dyn Array> =
                batches.iter().map(|batch| batch.column(place).as_ref()).collect();
            if batches.len() > 1 && embedding::is_embedding(field.data_type()) {
                let parts = batches.iter().map(|batch| Arc::clone(batch.column(place)));
                columns.push((field.name().clone(), parts.collect()));
                continue;
            }
            let whole = match batches {
                [only] => Arc::clone(only.column(place)),
                _ => arrow_select::concat::concat(&parts)
                    .map_err(|error| Error::Mismatch(error.to_string()))?,
            };
            columns.push((field.name().clone(), vec![whole]));
        }
        Ok(Table { columns, rows: batches.iter().map(RecordBatch::num_rows).sum() })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.parts(name).is_some()
    }

    fn parts(&self, name: &str) -> Option<&[ArrayRef]> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, parts)| parts.as_slice())
    }

    /// The column of this name; nothing where it holds vectors in several parts.
    pub(crate) fn get(&self, name: &str) -> Option<&ArrayRef> {
        match self.parts(name)? {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_time(&self, name: &str) -> bool {
        let temporal = |array: &ArrayRef| match array.data_type() {
            DataType::Utf8 => array
                .as_string::<i32>()
                .iter()
                .flatten()
                .next()
                .is_some_and(|text| text.len() >= 10 && micros(array).is_ok()),
            other => other.is_temporal(),
        };
        self.get(name).is_some_and(temporal)
    }

    /// Whether a column counts its rows: whole numbers that all go up by one.
    pub(crate) fn is_counter(&self, name: &str) -> bool {
        let Some(array) = self.get(name) else { return false };
        if !array.data_type().is_integer() || array.len() < 2 {
            return false;
        }
        column::dense_numbers(&[Arc::clone(array)]).is_ok_and(|numbers| {
            numbers.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < 1e-9)
        })
    }

    pub(crate) fn columns(&self, names: &[String]) -> Vec<Column> {
        let column =
            |name: &String| Some(Column { name: name.clone(), arrays: self.parts(name)?.to_vec() });
        names.iter().filter_map(column).collect()
    }

    /// The rows at these places; consecutive ones are not copied.
    pub(crate) fn rows_of(&self, rows: &[u32]) -> Table {
        let consecutive = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let start = rows.first().map_or(0, |row| *row as usize);
        let indices = UInt32Array::from_iter_values(rows.iter().copied());
        let part = |parts: &Vec<ArrayRef>| match parts.as_slice() {
            [only] if !consecutive => {
                let taken = arrow_select::take::take(only, &indices, None);
                vec![taken.unwrap_or_else(|_| only.slice(0, 0))]
            }
            parts if consecutive => slices(parts, start, rows.len()),
            parts => scattered(parts, rows),
        };
        let columns =
            self.columns.iter().map(|(name, parts)| (name.clone(), part(parts))).collect();
        Table { columns, rows: rows.len() }
    }

    pub(crate) fn by_count(
        &self,
        length: usize,
        time: Option<&str>,
    ) -> Result<Vec<(String, Vec<u32>)>, Error> {
        let times = match time.and_then(|name| self.get(name)) {
            Some(array) => Some(micros(array)?),
            None => None,
        };
        let rows = self.in_time(time)?;
        let name = |(number, part): (usize, &[u32])| match (&times, part.first()) {
            (Some(times), Some(first)) => {
                times[*first as usize].map_or_else(|| number.to_string(), written)
            }
            _ => format!("rows {}–{}", number * length, number * length + part.len()),
        };
        Ok(rows
            .chunks(length)
            .enumerate()
            .map(|(number, part)| (name((number, part)), part.to_vec()))
            .collect())
    }

    /// Windows of so many rows, numbered from the first row of the whole table, of which this is a
    /// part that begins at row `first`.
    pub(crate) fn by_place(&self, first: u64, length: usize) -> Vec<(i64, String, Vec<u32>)> {
        let length = length as u64;
        let mut parts: Vec<(i64, String, Vec<u32>)> = Vec::new();
        for row in 0..u32::try_from(self.rows).unwrap_or(u32::MAX) {
            let start = (first + u64::from(row)) / length * length;
            let number = i64::try_from(start).unwrap_or(i64::MAX);
            match parts.last_mut() {
                Some((last, _, rows)) if *last == number => rows.push(row),
                _ => parts.push((number, format!("rows {start}–{}", start + length), vec![row])),
            }
        }
        parts
    }

    /// Windows of time with the beginning of each in microseconds.
    pub(crate) fn by_start(
        &self,
        time: &str,
        length: i64,
    ) -> Result<Vec<(i64, String, Vec<u32>)>, Error> {
        let windows = self.windows_of_time(time, length)?;
        Ok(windows.into_iter().map(|(start, rows)| (start, written(start), rows)).collect())
    }

    pub(crate) fn by_time(
        &self,
        time: &str,
        length: i64,
    ) -> Result<Vec<(String, Vec<u32>)>, Error> {
        let windows = self.windows_of_time(time, length)?;
        Ok(windows.into_iter().map(|(start, rows)| (written(start), rows)).collect())
    }

    fn windows_of_time(&self, time: &str, length: i64) -> Result<BTreeMap<i64, Vec<u32>>, Error> {
        let array = self.get(time).ok_or(Error::Empty("the time column"))?;
        let mut windows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in micros(array)?.into_iter().enumerate() {
            if let (Some(time), Ok(row)) = (time, u32::try_from(row)) {
                windows.entry(time.div_euclid(length) * length).or_default().push(row);
            }
        }
        Ok(windows)
    }

    /// All rows in the order of their time, or as they are without one.
    pub(crate) fn in_time(&self, time: Option<&str>) -> Result<Vec<u32>, Error> {
        let mut rows: Vec<u32> = (0..u32::try_from(self.rows).unwrap_or(u32::MAX)).collect();
        if let Some(array) = time.and_then(|name| self.get(name)) {
            let times = micros(array)?;
            rows.sort_by_key(|row| times[*row as usize]);
        }
        Ok(rows)
    }

    /// A row's time in words.
    pub(crate) fn time_of(&self, time: &str, row: u32) -> Option<String> {
        let one = self.get(time)?.slice(row as usize, 1);
        micros(&one).ok()?.first().copied().flatten().map(written)
    }

    /// The columns as a batch.
    pub(crate) fn batch(&self) -> Result<RecordBatch, Error> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (name, parts) in &self.columns {
            let whole = match parts.as_slice() {
                [only] => Arc::clone(only),
                parts => {
                    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                    arrow_select::concat::concat(&parts)
                        .map_err(|error| Error::Mismatch(error.to_string()))?
                }
            };
            fields.push(arrow_schema::Field::new(name.clone(), whole.data_type().clone(), true));
            arrays.push(whole);
        }
        let schema = Arc::new(arrow_schema::Schema::new(fields));
        RecordBatch::try_new(schema, arrays).map_err(|error| Error::Mismatch(error.to_string()))
    }

    pub(crate) fn by_value(&self, name: &str) -> Result<BTreeMap<String, Vec<u32>>, Error> {
        let array = self.get(name).ok_or(Error::Empty("the segment column"))?;
        let texts = arrow_cast::cast(array, &DataType::Utf8)
            .map_err(|_| Error::Type(array.data_type().to_string()))?;
        let mut segments: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (row, text) in texts.as_string::<i32>().iter().enumerate() {
            let Ok(row) = u32::try_from(row) else { break };
            let text = text.unwrap_or("(missing)");
            match segments.get_mut(text) {
                Some(rows) => rows.push(row),
                None => {
                    segments.insert(text.to_owned(), vec![row]);
                }
            }
        }
        Ok(segments)
    }

    pub(crate) fn duplicates(&self) -> u64 {
        let columns: Vec<Vec<ArrayRef>> =
            self.columns.iter().map(|(_, parts)| parts.clone()).collect();
        quality::duplicate_rows(&columns).unwrap_or(0)
    }

    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        column::kind_of(self.parts(name)?.first()?.data_type()).ok()
    }
}

/// Rows of a column in parts, as parts of it.
fn slices(parts: &[ArrayRef], start: usize, rows: usize) -> Vec<ArrayRef> {
    let (mut before, end) = (0, start + rows);
    let mut slices = Vec::new();
    for part in parts {
        let from = start.clamp(before, before + part.len()) - before;
        let to = end.clamp(before, before + part.len()) - before;
        if from < to || parts.len() == 1 {
            slices.push(part.slice(from, to - from));
        }
        before += part.len();
    }
    match (slices.is_empty(), parts.first()) {
        (true, Some(first)) => vec![first.slice(0, 0)],
        _ => slices,
    }
}

/// Any rows of a column in parts, put together.
fn scattered(parts: &[ArrayRef], rows: &[u32]) -> Vec<ArrayRef> {
    let mut ends: Vec<usize> = Vec::new();
    for part in parts {
        ends.push(ends.last().copied().unwrap_or(0) + part.len());
    }
    let place = |row: &u32| {
        let row = *row as usize;
        let part = ends.partition_point(|end| *end <= row);
        (part, row - part.checked_sub(1).map_or(0, |before| ends[before]))
    };
    let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let whole = arrow_select::interleave::interleave(&parts, &places);
    whole.map(|whole| vec![whole]).unwrap_or_default()
}

/// A time column as microseconds since 1970.
fn micros(array: &ArrayRef) -> Result<Vec<Option<i64>>, Error> {
    let refuse = |_| Error::Option(format!("{} is no type of time", array.data_type()));
    let target = DataType::Timestamp(TimeUnit::Microsecond, None);
    let times = match array.data_type() {
        number if number.is_numeric() => {
            let seconds = column::dense_numbers(&[Arc::clone(array)])?;
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            return Ok(seconds
                .into_iter()
                .map(|s| s.is_finite().then_some((s * 1e6) as i64))
                .collect());
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
            arrow_cast::cast_with_options(array, &target, &strict).map_err(refuse)?
        }
        _ => arrow_cast::cast(array, &target).map_err(refuse)?,
    };
    let numbers = arrow_cast::cast(&times, &DataType::Int64).map_err(refuse)?;
    Ok(numbers.as_primitive::<Int64Type>().iter().collect())
}

/// A time as `2018-10-30 18:00`, without a time of day where it is midnight.
fn written(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let Date { year, month, day } = Date::of_day(days);
    let date = format!("{year:04}-{month:02}-{day:02}");
    match of_day {
        0 => date,
        _ => format!("{date} {:02}:{:02}", of_day / 3600, of_day % 3600 / 60),
    }
}
