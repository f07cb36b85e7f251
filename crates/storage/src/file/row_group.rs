//! One row group while its rows come.
//!
//! `request_id`, `user_id` and `model_version` are copies of attributes. Where an attribute's
//! column equals such a column in all rows of a row group, its values are written once and both
//! columns point to them; see [`super::footer`]. Random ids are most of a log line's bytes, so
//! that this saves a fifth of the file.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, RecordBatch, StringViewArray, new_null_array};
use arrow_schema::{DataType, Schema, SchemaRef};
use model::{AttributeColumn, Scope};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::errors::Result;
use parquet::file::writer::SerializedFileWriter;

/// Columns that are copies of an attribute.
const COPIES: [&str; 3] = ["request_id", "user_id", "model_version"];

/// Two columns of a row group with the same values, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) row_group: usize,
    /// The column whose values are written.
    pub(super) source: usize,
    /// The column that points to them.
    pub(super) copy: usize,
}

/// Encodes the columns of a row group.
pub(super) struct RowGroup {
    schema: SchemaRef,
    writers: Vec<ArrowColumnWriter>,
    /// Pairs that were equal so far. `None` before the first rows.
    pairs: Option<Vec<Pair>>,
    rows: usize,
}

/// A column that equals another so far.
struct Pair {
    source: usize,
    copy: usize,
    /// The copy's values, to be written if it differs later.
    pending: Vec<ArrayRef>,
}

impl std::fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowGroup").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl RowGroup {
    pub(super) fn new(schema: SchemaRef, writers: Vec<ArrowColumnWriter>) -> RowGroup {
        RowGroup { schema, writers, pairs: None, rows: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let pairs = self.pairs.take().unwrap_or_else(|| equal_pairs(&self.schema, rows));
        let mut equal = Vec::with_capacity(pairs.len());
        for mut pair in pairs {
            if same(rows.column(pair.source), rows.column(pair.copy)) {
                pair.pending.push(Arc::clone(rows.column(pair.copy)));
                equal.push(pair);
            } else {
                for values in &pair.pending {
                    self.write_column(pair.copy, values)?;
                }
            }
        }
        for (index, values) in rows.columns().iter().enumerate() {
            if !equal.iter().any(|pair| pair.copy == index) {
                self.write_column(index, values)?;
            }
        }
        self.pairs = Some(equal);
        self.rows += rows.num_rows();
        Ok(())
    }

    /// Ends the row group and says which of its columns share their values.
    pub(super) fn finish(
        mut self,
        file: &mut SerializedFileWriter<Vec<u8>>,
    ) -> Result<Vec<Shared>> {
        let row_group = file.flushed_row_groups().len();
        let mut shared = Vec::new();
        for Pair { source, copy, .. } in self.pairs.take().unwrap_or_default() {
            // Parquet's writer wants some chunk here. Of nulls it is a few bytes, which nothing
            // points to in the end.
            let nulls = new_null_array(self.schema.field(copy).data_type(), self.rows);
            self.write_column(copy, &nulls)?;
            shared.push(Shared { row_group, source, copy });
        }
        let mut target = file.next_row_group()?;
        for writer in self.writers {
            writer.close()?.append_to_row_group(&mut target)?;
        }
        target.close()?;
        Ok(shared)
    }

    fn write_column(&mut self, index: usize, values: &ArrayRef) -> Result<()> {
        for leaf in compute_leaves(self.schema.field(index), values)? {
            self.writers[index].write(&leaf)?;
        }
        Ok(())
    }
}

/// Each attribute column that equals a column of [`COPIES`] in these rows.
fn equal_pairs(schema: &Schema, rows: &RecordBatch) -> Vec<Pair> {
    let sources: Vec<usize> = COPIES.iter().filter_map(|name| schema.index_of(name).ok()).collect();
    let mut pairs = Vec::new();
    for (copy, field) in schema.fields().iter().enumerate() {
        let is_attribute = AttributeColumn::parse(field.name())
            .is_some_and(|column| column.scope == Scope::Attributes);
        if !is_attribute || *field.data_type() != DataType::Utf8View {
            continue;
        }
        let source = sources.iter().find(|&&source| same(rows.column(source), rows.column(copy)));
        if let Some(&source) = source {
            pairs.push(Pair { source, copy, pending: Vec::new() });
        }
    }
    pairs
}

/// Whether both columns, of text, have the same values and nulls.
fn same(left: &ArrayRef, right: &ArrayRef) -> bool {
    let (left, right): (&StringViewArray, &StringViewArray) =
        (left.as_string_view(), right.as_string_view());
    left.iter().eq(right.iter())
}
