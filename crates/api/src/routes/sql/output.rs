//! The forms that an answer can have.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use http::{HeaderMap, header};
use query::Stats;

use super::SqlColumn;
use crate::Error;
use crate::json::{Column, type_name, write_display, write_text};
use crate::record::write_name;
use crate::routes::QueryStats;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Ndjson,
    Arrow,
}

impl Format {
    /// What the client accepts; JSON when it does not say.
    pub(super) fn of(headers: &HeaderMap) -> Format {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let mut kinds = accept.unwrap_or_default().split(',');
        kinds
            .find_map(|kind| match kind.split(';').next().unwrap_or_default().trim() {
                "application/json" | "*/*" | "application/*" => Some(Format::Json),
                "application/x-ndjson" | "application/jsonl" => Some(Format::Ndjson),
                "application/vnd.apache.arrow.stream" => Some(Format::Arrow),
                _ => None,
            })
            .unwrap_or(Format::Json)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// Writes an answer piece by piece.
pub(super) struct Writer {
    schema: SchemaRef,
    form: Form,
}

enum Form {
    Json { rows: usize },
    Ndjson,
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Writer {
    pub(super) fn new(format: Format, schema: &SchemaRef) -> Result<Writer, Error> {
        let form = match format {
            Format::Json => Form::Json { rows: 0 },
            Format::Ndjson => Form::Ndjson,
            Format::Arrow => {
                let writer = StreamWriter::try_new(Vec::new(), schema).map_err(broken)?;
                Form::Arrow(Box::new(writer))
            }
        };
        Ok(Writer { schema: Arc::clone(schema), form })
    }

    /// What stands before the rows.
    pub(super) fn start(&mut self) -> Result<Vec<u8>, Error> {
        Ok(match &mut self.form {
            Form::Json { .. } => {
                let mut out = vec![b'{'];
                write_name(&mut out, "columns");
                write_display(&mut out, columns(&self.schema));
                write_name(&mut out, "rows");
                out.push(b'[');
                out
            }
            Form::Ndjson => Vec::new(),
            Form::Arrow(writer) => std::mem::take(writer.get_mut()),
        })
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, Error> {
        match &mut self.form {
            Form::Json { rows } => {
                let columns = writers(batch)?;
                let mut out = Vec::with_capacity(batch.num_rows() * 64);
                for row in 0..batch.num_rows() {
                    out.extend_from_slice(if *rows > 0 { b",[" } else { b"[" });
                    for (index, column) in columns.iter().enumerate() {
                        if index > 0 {
                            out.push(b',');
                        }
                        column.write(&mut out, row);
                    }
                    out.push(b']');
                    *rows += 1;
                }
                Ok(out)
            }
            Form::Ndjson => {
                let columns = writers(batch)?;
                let mut out = Vec::with_capacity(batch.num_rows() * 96);
                for row in 0..batch.num_rows() {
                    write_object(&mut out, &self.schema, &columns, row);
                }
                Ok(out)
            }
            Form::Arrow(writer) => {
                writer.write(batch).map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    /// What stands behind the rows.
    pub(super) fn end(&mut self, stats: Stats) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        match &mut self.form {
            Form::Json { .. } => {
                out.push(b']');
                write_name(&mut out, "truncated");
                write_display(&mut out, stats.truncated);
                write_name(&mut out, "stats");
                write_display(&mut out, QueryStats::from(stats));
                out.push(b'}');
            }
            Form::Ndjson if !stats.truncated => {}
            Form::Ndjson => {
                out.extend_from_slice(b"{\"$end\":{");
                write_name(&mut out, "truncated");
                write_display(&mut out, stats.truncated);
                write_name(&mut out, "stats");
                write_display(&mut out, QueryStats::from(stats));
                out.extend_from_slice(b"}}\n");
            }
            Form::Arrow(writer) => {
                writer.finish().map_err(broken)?;
                out = std::mem::take(writer.get_mut());
            }
        }
        Ok(out)
    }
}

fn write_object(out: &mut Vec<u8>, schema: &Schema, columns: &[Column], row: usize) {
    out.push(b'{');
    for (index, (field, column)) in schema.fields().iter().zip(columns).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, field.name());
        out.push(b':');
        column.write(out, row);
    }
    out.extend_from_slice(b"}\n");
}

fn columns(schema: &Schema) -> Vec<SqlColumn> {
    let column = |field: &arrow::datatypes::FieldRef| SqlColumn {
        name: field.name().clone(),
        column_type: type_name(field.data_type()),
    };
    schema.fields().iter().map(column).collect()
}

fn writers(batch: &RecordBatch) -> Result<Vec<Column>, Error> {
    batch.columns().iter().map(Column::new).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "shape of map_err")]
fn broken(error: ArrowError) -> Error {
    Error::Internal(format!("cannot write Arrow: {error}"))
}
