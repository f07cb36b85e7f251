//! Rows in memory that are in the log but not in a file yet.
//!
//! Batches of a few rows are merged, sixteen at a time, so that a row costs what it holds and not
//! what a batch costs. Every batch holds a reservation of its true size.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use stdx::clock::UnixNanos;
use stdx::memory::Reservation;

/// A batch of so many rows is not merged further.
const SMALL_ROWS: usize = 256;
/// Nor is one of this size.
const SMALL_BYTES: usize = 128 << 10;
/// So many batches of a level are merged to one of the next.
const MERGED: usize = 16;
/// A row passes through at most so many merges.
const LEVELS: usize = 3;
/// What an array costs beside its buffers, about: `Arc`s, buffers' heads, allocator's rounding.
const ARRAY_BYTES: usize = 320;

/// A batch and the memory that it holds.
#[derive(Debug)]
pub(crate) struct Buffered {
    pub(crate) batch: RecordBatch,
    /// Shared with the snapshots that hold the batch: as long as one does, the memory is in use.
    pub(crate) memory: Arc<Reservation>,
}

/// Rows of a table in order of the log, to become files together.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Small batches, by how often they were merged.
    small: [Vec<Buffered>; LEVELS],
    large: Vec<Buffered>,
    pub(crate) rows: usize,
    /// The first and the last record in it.
    pub(crate) sequences: Option<(u64, u64)>,
    /// When the first row came.
    pub(crate) opened_at: UnixNanos,
}

impl Buffer {
    pub(crate) fn new(opened_at: UnixNanos) -> Buffer {
        Buffer {
            small: [const { Vec::new() }; LEVELS],
            large: Vec::new(),
            rows: 0,
            sequences: None,
            opened_at,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sequences.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|buffered| buffered.memory.bytes()).sum()
    }

    /// The batches, small ones last.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.iter().map(|buffered| &buffered.batch)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Buffered> {
        self.large.iter().chain(self.small.iter().rev().flatten())
    }

    /// Adds the rows of a record. Returns by how many bytes the buffer has grown.
    pub(crate) fn push(&mut self, sequence: u64, batch: RecordBatch, memory: Reservation) -> isize {
        let (first, _) = self.sequences.unwrap_or((sequence, sequence));
        self.sequences = Some((first, sequence));
        self.rows += batch.num_rows();
        let mut grown = signed(memory.bytes());
        if batch.num_rows() == 0 {
            return 0;
        }
        self.place(0, Buffered { batch, memory: Arc::new(memory) });
        for level in 0..LEVELS {
            if self.small[level].len() >= MERGED {
                let merging = std::mem::take(&mut self.small[level]);
                let before: usize = merging.iter().map(|b| b.memory.bytes()).sum();
                let after = self.merge(level, merging);
                grown += signed(after) - signed(before);
            }
        }
        grown
    }

    fn place(&mut self, level: usize, buffered: Buffered) {
        let small = buffered.batch.num_rows() < SMALL_ROWS && buffered.memory.bytes() < SMALL_BYTES;
        match self.small.get_mut(level) {
            Some(batches) if small => batches.push(buffered),
            _ => self.large.push(buffered),
        }
    }

    fn merge(&mut self, level: usize, merging: Vec<Buffered>) -> usize {
        let batches: Vec<&RecordBatch> = merging.iter().map(|b| &b.batch).collect();
        let merged = match concat(&batches) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "cannot merge small batches; they stay as they are");
                let bytes = merging.iter().map(|b| b.memory.bytes()).sum();
                self.large.extend(merging);
                return bytes;
            }
        };
        let bytes = batch_bytes(&merged);
        let Some(first) = merging.first() else { return 0 };
        let memory = Arc::new(first.memory.budget().force(bytes));
        drop(merging);
        self.place(level + 1, Buffered { batch: merged, memory });
        bytes
    }
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

/// What a batch holds in memory. Buffers that columns share are counted once, and whole: a view
/// into a body keeps the body.
#[must_use]
pub(crate) fn batch_bytes(batch: &RecordBatch) -> usize {
    let mut seen: Vec<usize> = Vec::new();
    let mut bytes = 0;
    for column in batch.columns() {
        bytes += ARRAY_BYTES;
        bytes += column.nulls().map_or(0, |nulls| nulls.buffer().len());
        let shared = match column.data_type() {
            DataType::Utf8View => {
                let array = column.as_string_view();
                bytes += array.views().len() * 16;
                array.data_buffers()
            }
            DataType::BinaryView => {
                let array = column.as_binary_view();
                bytes += array.views().len() * 16;
                array.data_buffers()
            }
            data_type => {
                bytes += data_type
                    .primitive_width()
                    .map_or_else(|| column.len().div_ceil(8), |width| width * column.len());
                &[]
            }
        };
        for buffer in shared.iter() {
            let start = buffer.data_ptr().as_ptr().addr();
            if !seen.contains(&start) {
                seen.push(start);
                bytes += buffer.capacity().max(buffer.len());
            }
        }
    }
    // The field, its name, its share of the schema.
    bytes + batch.num_columns() * 160 + 512
}

/// The batch without the columns that have no value, which would cost 16 bytes a row each. They
/// are null where they are missing.
pub(crate) fn without_null_columns(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let kept: Vec<usize> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .enumerate()
        .filter(|(_, (field, column))| !field.is_nullable() || column.null_count() < column.len())
        .map(|(index, _)| index)
        .collect();
    batch.project(&kept)
}

/// The batches as one, with the columns of all of them; texts that repeat are kept once.
pub(crate) fn concat(batches: &[&RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for batch in batches {
        for field in batch.schema_ref().fields() {
            known.entry(field.name()).or_insert_with(|| {
                fields.push(Arc::clone(field));
                fields.len() - 1
            });
        }
    }
    let rows = batches.iter().map(|b| b.num_rows()).sum();
    let columns = fields
        .iter()
        .map(|field| {
            let parts: Vec<ArrayRef> = batches
                .iter()
                .map(|batch| match batch.column_by_name(field.name()) {
                    Some(column) => Arc::clone(column),
                    None => new_null_array(field.data_type(), batch.num_rows()),
                })
                .collect();
            concat_column(field.data_type(), &parts, rows)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn concat_column(
    data_type: &DataType,
    parts: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef, ArrowError> {
    match data_type {
        DataType::Utf8View => {
            let values = || parts.iter().flat_map(|part| part.as_string_view().iter());
            let mut builder = StringViewBuilder::with_capacity(rows)
                .with_fixed_block_size(block_bytes(values().flatten().map(str::len)))
                .with_deduplicate_strings();
            values().for_each(|value| builder.append_option(value));
            Ok(Arc::new(builder.finish()))
        }
        DataType::BinaryView => {
            let values = || parts.iter().flat_map(|part| part.as_binary_view().iter());
            let mut builder = BinaryViewBuilder::with_capacity(rows)
                .with_fixed_block_size(block_bytes(values().flatten().map(<[u8]>::len)))
                .with_deduplicate_strings();
            values().for_each(|value| builder.append_option(value));
            Ok(Arc::new(builder.finish()))
        }
        _ => {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            arrow::compute::concat(&parts)
        }
    }
}

/// One block that holds all the values that do not fit into their views.
fn block_bytes(lens: impl Iterator<Item = usize>) -> u32 {
    let bytes: usize = lens.filter(|&len| len > 12).sum();
    u32::try_from(bytes.clamp(64, 1 << 20)).unwrap_or(1 << 20)
}
