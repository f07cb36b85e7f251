//! One Parquet file: sorted rows in, an object with an index and its [`FileEntry`] out.
//!
//! The files are plain Parquet, to be read by anything: zstd, page index, statistics, a Bloom
//! filter on `trace_id`. Columns that are null in every row are left out. Token filters stand
//! between the last row group and the footer, where other readers do not look; see
//! `docs/formats/token-filter.md`.
//!
//! Memory is bounded by one encoded row group, the filters (about 3 bytes a row) and the parts of
//! the upload that are under way.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use bytes::Bytes;
use model::Table;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use tokio::io::AsyncWriteExt as _;

use crate::snapshot::FileEntry;
use row_group::{RowGroup, Shared};

mod encoding;
mod footer;
pub(crate) mod index;
mod row_group;
mod stats;

pub(crate) use encoding::SORT_COLUMNS;

/// What a file is written with.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Rows of a row group; rounded up to whole granules of [`WriteOptions::granule_rows`].
    pub row_group_rows: usize,
    /// Rows that share one set of token filters.
    pub granule_rows: usize,
    /// Uploads larger than this go in parts of this size.
    pub part_bytes: usize,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { row_group_rows: 131_072, granule_rows: 16_384, part_bytes: 5 << 20 }
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The rows cannot be encoded.
    #[error("cannot encode rows as Parquet")]
    Encode(#[from] ParquetError),
    /// The rows do not fit the file's schema.
    #[error("rows do not fit the file's schema")]
    Schema(#[from] ArrowError),
    /// The object store refused.
    #[error("cannot store file {path}")]
    Store {
        /// Where it was to be.
        path: Path,
        /// What the store said.
        #[source]
        source: object_store::Error,
    },
    /// The runtime is shutting down.
    #[error("writing file {0} was interrupted")]
    Interrupted(Path),
    /// There was nothing to write.
    #[error("file {0} would have no rows")]
    Empty(Path),
}

/// Writes a file of rows that are all in memory, sorted over all batches by the table's order.
/// Nothing is left behind on failure, but for the parts of an upload that the store itself keeps.
pub async fn write(
    table: Table,
    object_store: Arc<dyn ObjectStore>,
    path: Path,
    batches: Vec<RecordBatch>,
    options: WriteOptions,
) -> Result<FileEntry, WriteError> {
    let Some(first) = batches.first() else { return Err(WriteError::Empty(path)) };
    let schema = present_columns(&first.schema(), &batches);
    let mut writer = Writer::new(table, object_store, path, schema, options);
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.finish().await
}

/// The fields of `schema` that have a value in some row, and those that may not be null.
fn present_columns(schema: &Schema, batches: &[RecordBatch]) -> SchemaRef {
    let fields = schema.fields().iter().enumerate().filter(|(index, field)| {
        !field.is_nullable()
            || batches.iter().any(|b| b.column(*index).logical_null_count() < b.num_rows())
    });
    Arc::new(Schema::new(fields.map(|(_, field)| Arc::clone(field)).collect::<Vec<_>>()))
}

/// Writes a file as its rows come.
#[derive(Debug)]
pub struct Writer {
    path: Path,
    upload: BufWriter,
    encoder: Option<Box<Encoder>>,
    schema: SchemaRef,
}

impl Writer {
    /// A file with the columns of `schema`; batches may have more and in other order.
    #[must_use]
    pub fn new(
        table: Table,
        object_store: Arc<dyn ObjectStore>,
        path: Path,
        schema: SchemaRef,
        options: WriteOptions,
    ) -> Writer {
        let upload = BufWriter::with_capacity(object_store, path.clone(), options.part_bytes)
            .with_max_concurrency(1);
        let encoder = Encoder::new(table, Arc::clone(&schema), options);
        Writer { path, upload, encoder: Some(Box::new(encoder)), schema }
    }

    /// Adds rows, which stand behind all earlier ones in the table's order.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), WriteError> {
        let batch = select(&batch, &self.schema)?;
        let bytes = self.encode(move |encoder| encoder.write(&batch)).await?;
        self.put(bytes).await
    }

    /// Ends the file. It can be seen in the store when this returns, not earlier.
    pub async fn finish(mut self) -> Result<FileEntry, WriteError> {
        if self.encoder.as_ref().is_none_or(|encoder| encoder.summary.rows == 0) {
            return Err(WriteError::Empty(self.path));
        }
        let bytes = self.encode(Encoder::finish).await?;
        self.put(bytes).await?;
        let shut_down = self.upload.shutdown().await.map_err(|error| {
            let source = Box::new(error);
            object_store::Error::Generic { store: "upload", source }
        });
        // A writer that was shut down, even in vain, cannot be aborted any more.
        shut_down.map_err(|source| WriteError::Store { path: self.path.clone(), source })?;
        let encoder = self.encoder.take().ok_or(WriteError::Interrupted(self.path.clone()))?;
        Ok(encoder.entry(self.path))
    }

    /// Encodes on a thread where it may take its time.
    async fn encode<F>(&mut self, work: F) -> Result<Bytes, WriteError>
    where
        F: FnOnce(&mut Encoder) -> Result<Bytes, WriteError> + Send + 'static,
    {
        let interrupted = || WriteError::Interrupted(self.path.clone());
        let mut encoder = self.encoder.take().ok_or_else(interrupted)?;
        let (encoder, result) = tokio::task::spawn_blocking(move || {
            let result = work(&mut encoder);
            (encoder, result)
        })
        .await
        .map_err(|_| interrupted())?;
        self.encoder = Some(encoder);
        result
    }

    async fn put(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let put = self.upload.put(bytes).await;
        self.abort_on_error(put).await
    }

    async fn abort_on_error(
        &mut self,
        result: Result<(), object_store::Error>,
    ) -> Result<(), WriteError> {
        let Err(source) = result else { return Ok(()) };
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(path = %self.path, %error, "an upload was left behind");
        }
        Err(WriteError::Store { path: self.path.clone(), source })
    }
}

/// The columns of `schema` out of the batch.
fn select(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                ArrowError::SchemaError(format!("column {} is missing", field.name()))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Turns rows into the file's bytes.
#[derive(Debug)]
struct Encoder {
    table: Table,
    schema: SchemaRef,
    options: WriteOptions,
    /// Made with the first rows, which tell what encodings suit.
    file: Option<OpenFile>,
    index: index::Builder,
    summary: Summary,
}

/// The file under way.
struct OpenFile {
    writer: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    row_group: Option<RowGroup>,
    shared: Vec<Shared>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("row_group", &self.row_group).finish_non_exhaustive()
    }
}

/// What the file's entry says.
#[derive(Debug, Default)]
struct Summary {
    rows: u64,
    size_bytes: u64,
    time_us: Option<(i64, i64)>,
    tenant: Option<(String, String)>,
    has_rest: bool,
    stats_json: String,
}

impl Encoder {
    fn new(table: Table, schema: SchemaRef, mut options: WriteOptions) -> Encoder {
        options.granule_rows = options.granule_rows.max(1);
        let granules = options.row_group_rows.div_ceil(options.granule_rows).max(1);
        options.row_group_rows = granules * options.granule_rows;
        let index = index::Builder::new(table, &schema, &options);
        Encoder { table, schema, options, file: None, index, summary: Summary::default() }
    }

    /// Returns the bytes that are ready.
    fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, WriteError> {
        if batch.num_rows() == 0 {
            return Ok(Bytes::new());
        }
        self.summary.add(batch);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open(batch)?,
        };
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = self.index.rows_to_boundary().min(batch.num_rows() - start);
            let slice = batch.slice(start, rows);
            self.index.add(&slice);
            file.write(&self.schema, &slice, self.options.row_group_rows)?;
            start += rows;
        }
        let bytes = file.take_bytes()?;
        self.file = Some(file);
        Ok(self.count(bytes))
    }

    fn finish(&mut self) -> Result<Bytes, WriteError> {
        let Some(mut file) = self.file.take() else { return Ok(Bytes::new()) };
        file.end_row_group()?;
        let (json, filters) = self.index.finish(file.writer.bytes_written() as u64);
        for filter in filters {
            file.writer.write_all(&filter).map_err(ParquetError::from)?;
        }
        file.writer.append_key_value_metadata(KeyValue::new(index::KEY.to_owned(), json));
        let mut bytes = file.take_bytes()?;
        let offset = file.writer.bytes_written();
        let metadata = file.writer.finish()?;
        self.summary.stats_json = stats::delta_stats(self.table, &metadata, &self.summary);
        if file.shared.is_empty() {
            bytes.append(&mut file.take_bytes()?);
        } else {
            let metadata = footer::share(metadata, &file.shared)?;
            bytes.append(&mut footer::encode(&metadata, offset)?);
        }
        Ok(self.count(bytes))
    }

    fn open(&self, sample: &RecordBatch) -> Result<OpenFile, WriteError> {
        let properties = encoding::properties(self.table, sample, &self.options);
        // Without Arrow's own schema in the file, every reader sees plain Parquet types.
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let schema = Arc::clone(&self.schema);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
        let (writer, factory) = writer.into_serialized_writer()?;
        Ok(OpenFile { writer, factory, row_group: None, shared: Vec::new() })
    }

    fn count(&mut self, bytes: Vec<u8>) -> Bytes {
        self.summary.size_bytes += bytes.len() as u64;
        Bytes::from(bytes)
    }

    fn entry(self, path: Path) -> FileEntry {
        let (time_min_us, time_max_us) = self.summary.time_us.unwrap_or_default();
        let (tenant_min, tenant_max) = self.summary.tenant.unwrap_or_default();
        FileEntry {
            path,
            size_bytes: self.summary.size_bytes,
            rows: self.summary.rows,
            time_min_us,
            time_max_us,
            tenant_min,
            tenant_max,
            has_rest: self.summary.has_rest,
            stats_json: self.summary.stats_json,
        }
    }
}

impl OpenFile {
    /// Adds rows that fit into the row group under way.
    fn write(
        &mut self,
        schema: &SchemaRef,
        rows: &RecordBatch,
        row_group_rows: usize,
    ) -> Result<(), ParquetError> {
        let mut row_group = match self.row_group.take() {
            Some(row_group) => row_group,
            None => {
                let number = self.writer.flushed_row_groups().len();
                let columns = self.factory.create_column_writers(number)?;
                RowGroup::new(Arc::clone(schema), columns)
            }
        };
        row_group.write(rows)?;
        let is_full = row_group.rows() >= row_group_rows;
        self.row_group = Some(row_group);
        if is_full { self.end_row_group() } else { Ok(()) }
    }

    fn end_row_group(&mut self) -> Result<(), ParquetError> {
        if let Some(row_group) = self.row_group.take() {
            self.shared.extend(row_group.finish(&mut self.writer)?);
        }
        Ok(())
    }

    /// What was written since the last call.
    fn take_bytes(&mut self) -> Result<Vec<u8>, ParquetError> {
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }
}

impl Summary {
    fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        if let Some(column) = batch.column_by_name("time") {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            let min = arrow::compute::min(times);
            let max = arrow::compute::max(times);
            if let (Some(min), Some(max)) = (min, max) {
                let (low, high) = self.time_us.unwrap_or((min, max));
                self.time_us = Some((low.min(min), high.max(max)));
            }
        }
        if let Some(column) = batch.column_by_name("tenant") {
            let tenants = column.as_string_view();
            let min = arrow::compute::min_string_view(tenants);
            let max = arrow::compute::max_string_view(tenants);
            if let (Some(min), Some(max)) = (min, max) {
                let (low, high) =
                    self.tenant.get_or_insert_with(|| (min.to_owned(), max.to_owned()));
                if min < low.as_str() {
                    min.clone_into(low);
                }
                if max > high.as_str() {
                    max.clone_into(high);
                }
            }
        }
        self.has_rest |= batch
            .column_by_name(crate::registry::REST)
            .is_some_and(|rest| rest.null_count() < rest.len());
    }
}

#[cfg(test)]
mod tests;
