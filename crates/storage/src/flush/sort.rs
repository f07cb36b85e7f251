//! The rows of a buffer in the order that files have: tenant, service, time.
//!
//! Only row numbers are sorted; the rows themselves are put together a few thousand at a time, as
//! the file is written. Columns that a batch lacks cost nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int16Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringViewArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};

use crate::registry::Registry;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// A row: which batch, where in it.
type Row = (u32, u32);

/// A buffer's rows, by the file that they go to.
#[derive(Debug)]
pub(crate) struct Sorted {
    pub(crate) schema: SchemaRef,
    /// For each batch, its columns in the schema's order.
    batches: Vec<Vec<Option<ArrayRef>>>,
    /// All nulls, for columns that a batch lacks.
    nulls: HashMap<DataType, ArrayRef>,
    /// The rows of each day in order; those of rare days together at the end.
    pub(crate) parts: Vec<Part>,
}

/// Rows of one file.
#[derive(Debug)]
pub(crate) struct Part {
    /// Days since 1970; `None` when rows of many days are in it.
    pub(crate) day: Option<i64>,
    pub(crate) rows: Vec<Row>,
}

impl Sorted {
    pub(crate) fn new(
        batches: &[&RecordBatch],
        registry: &Registry,
        days_max: usize,
    ) -> Result<Sorted, ArrowError> {
        let physical = registry.physical_schema();
        let all = batches
            .iter()
            .map(|batch| registry.columns_of(batch, &physical))
            .collect::<Result<Vec<_>, _>>()?;
        let present = |index: &usize| {
            !physical.field(*index).is_nullable()
                || all.iter().any(|columns| {
                    columns[*index].as_ref().is_some_and(|c| c.logical_null_count() < c.len())
                })
        };
        let kept: Vec<usize> = (0..physical.fields().len()).filter(present).collect();
        let schema = Arc::new(physical.project(&kept)?);
        let batches: Vec<Vec<Option<ArrayRef>>> = all
            .into_iter()
            .map(|columns| kept.iter().map(|&index| columns[index].clone()).collect())
            .collect();
        let parts = parts(&batches, &schema, days_max)?;
        let longest =
            batches.iter().filter_map(|b| b.iter().flatten().next()).map(Array::len).max();
        let nulls = schema
            .fields()
            .iter()
            .map(|field| field.data_type())
            .map(|data_type| (data_type.clone(), new_null_array(data_type, longest.unwrap_or(0))))
            .collect();
        Ok(Sorted { schema, batches, nulls, parts })
    }

    /// Some rows of a part, put together.
    pub(crate) fn rows(&self, rows: &[Row]) -> Result<RecordBatch, ArrowError> {
        let indices: Vec<(usize, usize)> =
            rows.iter().map(|&(batch, row)| (batch as usize, row as usize)).collect();
        let columns = self
            .schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let nulls = &self.nulls[field.data_type()];
                let sources: Vec<&dyn Array> = self
                    .batches
                    .iter()
                    .map(|columns| columns[index].as_ref().unwrap_or(nulls).as_ref())
                    .collect();
                arrow::compute::interleave(&sources, &indices)
            })
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

fn parts(
    batches: &[Vec<Option<ArrayRef>>],
    schema: &Schema,
    days_max: usize,
) -> Result<Vec<Part>, ArrowError> {
    let column = |name: &str| -> Result<Vec<Option<&ArrayRef>>, ArrowError> {
        match schema.index_of(name) {
            Ok(index) => Ok(batches.iter().map(|columns| columns[index].as_ref()).collect()),
            Err(_) => Ok(vec![None; batches.len()]),
        }
    };
    let mut keys: Vec<(Key, Row)> = Vec::new();
    let tenants = Ranks::new(&column("tenant")?);
    let services = Ranks::new(&column("service")?);
    let (times, nanos) = (column("time")?, column("time_ns")?);
    for (batch, (time, time_ns)) in times.iter().zip(&nanos).enumerate() {
        let (Some(time), Some(time_ns)) = (time, time_ns) else {
            return Err(ArrowError::SchemaError("a batch has no time".to_owned()));
        };
        let time = time.as_primitive::<TimestampMicrosecondType>();
        let time_ns = time_ns.as_primitive::<Int16Type>();
        let batch_id = index(batch)?;
        for row in 0..time.len() {
            let time = time.value(row);
            let key = Key {
                day: Some(time.div_euclid(DAY_US)),
                tenant: tenants.rank(batch, row),
                service: services.rank(batch, row),
                time,
                time_ns: time_ns.value(row),
            };
            keys.push((key, (batch_id, index(row)?)));
        }
    }
    join_rare_days(&mut keys, days_max);
    keys.sort_unstable();
    let parts = keys
        .chunk_by(|(left, _), (right, _)| left.day == right.day)
        .map(|rows| Part { day: rows[0].0.day, rows: rows.iter().map(|(_, row)| *row).collect() })
        .collect();
    Ok(parts)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    day: Option<i64>,
    tenant: u32,
    service: u32,
    time: i64,
    time_ns: i16,
}

fn index(value: usize) -> Result<u32, ArrowError> {
    u32::try_from(value).map_err(|_| ArrowError::ComputeError("too many rows".to_owned()))
}

/// Clocks that are wrong must not make a file each: only the days with most rows get their own.
fn join_rare_days(keys: &mut [(Key, Row)], days_max: usize) {
    let mut counts: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    for (key, _) in keys.iter() {
        *counts.entry(key.day).or_default() += 1;
    }
    if counts.len() <= days_max {
        return;
    }
    let mut days: Vec<(usize, Option<i64>)> = counts.into_iter().map(|(d, n)| (n, d)).collect();
    days.sort_unstable_by(|left, right| right.cmp(left));
    let kept: Vec<Option<i64>> = days.into_iter().take(days_max).map(|(_, day)| day).collect();
    for (key, _) in keys {
        if !kept.contains(&key.day) {
            key.day = None;
        }
    }
}

/// Texts of a column as numbers in the texts' order; null comes first.
struct Ranks {
    rows: Vec<Vec<u32>>,
    ranks: Vec<u32>,
}

impl Ranks {
    fn new(columns: &[Option<&ArrayRef>]) -> Ranks {
        let mut ids: HashMap<&str, u32> = HashMap::new();
        let rows = columns
            .iter()
            .map(|column| column.map_or_else(Vec::new, |c| ids_of(c.as_string_view(), &mut ids)))
            .collect();
        let mut texts: Vec<(&str, u32)> = ids.into_iter().collect();
        texts.sort_unstable();
        let mut ranks = vec![0; texts.len() + 1];
        for (rank, (_, id)) in (1..).zip(texts) {
            ranks[id as usize] = rank;
        }
        Ranks { rows, ranks }
    }

    fn rank(&self, batch: usize, row: usize) -> u32 {
        self.rows[batch].get(row).map_or(0, |&id| self.ranks[id as usize])
    }
}

/// Numbers in order of appearance, from 1; null is 0. Neighbours are mostly the same text.
fn ids_of<'a>(column: &'a StringViewArray, ids: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    let mut last: Option<(&str, u32)> = None;
    let mut next = u32::try_from(ids.len()).unwrap_or(u32::MAX - 1) + 1;
    column
        .iter()
        .map(|text| {
            let Some(text) = text else { return 0 };
            if let Some((last, id)) = last
                && last == text
            {
                return id;
            }
            let id = *ids.entry(text).or_insert_with(|| {
                next += 1;
                next - 1
            });
            last = Some((text, id));
            id
        })
        .collect()
}
