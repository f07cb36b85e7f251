//! Labels that came later, joined to the rows by an identifier. The labels are held in memory, the rows
//! are not.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mlmon::stream::Rows;

use super::read::Table;

/// The labels by identifier.
#[derive(Debug)]
pub(super) struct Labels {
    id: String,
    rows: RecordBatch,
    places: HashMap<String, u32>,
}

impl Labels {
    /// Of a table with the identifier and the target; of repeated identifiers the last row counts.
    pub(super) fn of(batches: &[RecordBatch], id: &str) -> anyhow::Result<Labels> {
        let first = batches.first().context("there are no labels")?;
        let rows = arrow::compute::concat_batches(&first.schema(), batches)?;
        let texts = texts(&rows, id).context("the labels")?;
        let mut places = HashMap::new();
        for (row, text) in texts.as_string::<i32>().iter().enumerate() {
            if let (Some(text), Ok(row)) = (text, u32::try_from(row)) {
                places.insert(text.to_owned(), row);
            }
        }
        Ok(Labels { id: id.to_owned(), rows, places })
    }

    /// The rows with the columns of the labels that they do not have; nulls where there is no label.
    pub(super) fn join(&self, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let ids = texts(batch, &self.id).context("the current data")?;
        let ids = ids.as_string::<i32>().iter();
        let rows: UInt32Array =
            ids.map(|text| text.and_then(|text| self.places.get(text)).copied()).collect();
        let mut columns = batch.columns().to_vec();
        for field in self.added(&batch.schema()) {
            let place = self.rows.schema().index_of(field.name())?;
            columns.push(arrow::compute::take(self.rows.column(place), &rows, None)?);
        }
        Ok(RecordBatch::try_new(self.schema_with(&batch.schema()), columns)?)
    }

    fn added(&self, known: &Schema) -> Vec<Field> {
        let labels = self.rows.schema();
        let new = labels.fields().iter().filter(|f| known.field_with_name(f.name()).is_err());
        new.map(|field| field.as_ref().clone().with_nullable(true)).collect()
    }

    fn schema_with(&self, known: &Schema) -> SchemaRef {
        let mut fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.extend(self.added(known));
        Arc::new(Schema::new(fields))
    }
}

fn texts(batch: &RecordBatch, id: &str) -> anyhow::Result<ArrayRef> {
    let column = batch.column_by_name(id).with_context(|| format!("there is no column {id:?}"))?;
    Ok(arrow::compute::cast(column, &DataType::Utf8)?)
}

/// A table whose rows get their labels as they are read.
pub(super) struct Joined<'a> {
    pub(super) table: &'a Table,
    pub(super) labels: &'a Labels,
}

impl Rows for Joined<'_> {
    fn schema(&self) -> SchemaRef {
        self.labels.schema_with(&self.table.schema())
    }

    fn each(
        &self,
        columns: &[String],
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), mlmon::Error>,
    ) -> Result<(), mlmon::Error> {
        let schema = self.table.schema();
        let own = |name: &&String| schema.field_with_name(name).is_ok();
        let mut wanted: Vec<String> = columns.iter().filter(own).cloned().collect();
        if wanted.len() == columns.len() {
            return self.table.each(columns, take);
        }
        if !wanted.contains(&self.labels.id) {
            wanted.push(self.labels.id.clone());
        }
        let refuse = |error: anyhow::Error| mlmon::Error::Read(format!("{error:#}"));
        self.table.each(&wanted, &mut |batch| {
            let joined = self.labels.join(batch).map_err(refuse)?;
            let places: Vec<usize> =
                columns.iter().filter_map(|name| joined.schema().index_of(name).ok()).collect();
            let joined = joined.project(&places).map_err(|error| refuse(error.into()))?;
            take(&joined)
        })
    }
}
