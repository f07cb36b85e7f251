//! Small answers of the engine, read by name.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use model::Tenant;
use query::Stats;
use serde_json::Value;

use crate::{Api, Error};

/// An answer in one piece.
pub(crate) struct Answer {
    pub(crate) batch: RecordBatch,
    pub(crate) stats: Stats,
}

/// Runs a statement of this program's.
pub(crate) async fn ask(
    api: &Api,
    tenant: &Tenant,
    sql: &str,
    params: &[Value],
) -> Result<Answer, Error> {
    let stream = api.engine.sql(tenant, sql, params, api.engine.limits()).await?;
    whole(stream).await
}

pub(crate) async fn whole(stream: query::QueryStream) -> Result<Answer, Error> {
    let collected = stream.collect().await?;
    let batch = concat_batches(&collected.schema, &collected.batches)
        .map_err(|error| Error::Internal(format!("cannot join batches: {error}")))?;
    Ok(Answer { batch, stats: collected.stats })
}

impl Answer {
    pub(crate) fn rows(&self) -> std::ops::Range<usize> {
        0..self.batch.num_rows()
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Texts, Error> {
        self.column(name, &DataType::Utf8View).map(Texts)
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Ints, Error> {
        self.column(name, &DataType::Int64).map(Ints)
    }

    pub(crate) fn doubles(&self, name: &str) -> Result<Doubles, Error> {
        self.column(name, &DataType::Float64).map(Doubles)
    }

    fn column(&self, name: &str, data_type: &DataType) -> Result<ArrayRef, Error> {
        let column = self
            .batch
            .column_by_name(name)
            .ok_or_else(|| Error::Internal(format!("the answer has no column {name}")))?;
        cast(column, data_type)
            .map_err(|error| Error::Internal(format!("cannot read column {name}: {error}")))
    }
}

/// A column of texts.
pub(crate) struct Texts(ArrayRef);

impl Texts {
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        self.0.is_valid(row).then(|| self.0.as_string_view().value(row))
    }

    /// The text, or nothing as an empty one.
    pub(crate) fn owned(&self, row: usize) -> String {
        self.get(row).unwrap_or_default().to_owned()
    }
}

/// A column of integers.
pub(crate) struct Ints(ArrayRef);

impl Ints {
    pub(crate) fn get(&self, row: usize) -> i64 {
        if self.0.is_null(row) { 0 } else { self.0.as_primitive::<Int64Type>().value(row) }
    }

    /// For counts.
    pub(crate) fn count(&self, row: usize) -> u64 {
        u64::try_from(self.get(row)).unwrap_or(0)
    }
}

/// A column of floats.
pub(crate) struct Doubles(ArrayRef);

impl Doubles {
    /// Nanoseconds as milliseconds.
    pub(crate) fn nanos_as_ms(&self, row: usize) -> Option<f64> {
        let valid = self.0.is_valid(row);
        valid.then(|| self.0.as_primitive::<Float64Type>().value(row) / 1e6)
    }
}

/// A share of a whole.
#[expect(clippy::cast_precision_loss, reason = "a share has no more digits than that")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Rows a second.
#[expect(clippy::cast_precision_loss, reason = "a rate has no more digits than that")]
pub(crate) fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
