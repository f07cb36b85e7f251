//! Files as Arrow batches of one schema, read as often as somebody asks, a batch at a time.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_ipc::reader::{FileReader, StreamReader};
use mlmon::embedding::is_embedding;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;

use super::delta::Constant;
use super::progress::Progress;
use super::source::Source;

/// Rows read at once.
const BATCH_ROWS: usize = 32_768;
/// Fewer where rows are long, such as those of vectors: a batch of Parquet is in memory twice while
/// it is put together.
const BATCH_BYTES: usize = 8 << 20;
/// But not fewer than this.
const BATCH_ROWS_LEAST: usize = 1024;
/// Bytes of a text file read at once.
const READ_BYTES: usize = 1 << 20;
/// Rows of a text file that its types are inferred from, unless they turn out to be wrong.
const INFER_ROWS: usize = 10_000;
/// Bytes a text of a Parquet file is taken to need in memory beside its letters.
const TEXT_BYTES: u64 = 16;

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Apache Parquet.
    Parquet,
    /// Text with separators and a heading.
    Csv(u8),
    /// A JSON object a line.
    Ndjson,
    /// Arrow IPC: a file (Feather 2) or a stream, which the first bytes say.
    Ipc,
}

/// What an Arrow IPC file begins with, and a stream does not.
const IPC_FILE: &[u8; 6] = b"ARROW1";
/// The ending of text files that are compressed.
const GZIP: &str = ".gz";
/// How much larger they are taken to be in memory.
const GZIP_RATIO: u64 = 8;

impl Format {
    /// By the ending of the name.
    pub(super) fn of(name: &str) -> Option<Format> {
        let name = name.to_ascii_lowercase();
        let plain = name.strip_suffix(GZIP);
        let found = Format::of_ending(plain.unwrap_or(&name).rsplit_once('.')?.1)?;
        (plain.is_none() || found.is_text()).then_some(found)
    }

    fn is_text(self) -> bool {
        matches!(self, Format::Csv(_) | Format::Ndjson)
    }

    fn of_ending(ending: &str) -> Option<Format> {
        match ending {
            "parquet" | "pq" | "parq" => Some(Format::Parquet),
            "csv" => Some(Format::Csv(b',')),
            "tsv" => Some(Format::Csv(b'\t')),
            "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Ipc),
            _ => None,
        }
    }
}

/// A table of files.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    files: Vec<Part>,
    schema: SchemaRef,
    progress: Progress,
    /// Whether a value did not have the type that was inferred from the beginning of its file.
    misread: Cell<bool>,
}

/// One file.
#[derive(Debug)]
struct Part {
    name: String,
    path: std::path::PathBuf,
    format: Format,
    compressed: bool,
    /// Of the file.
    schema: SchemaRef,
    /// Columns that it does not hold.
    constants: Vec<Constant>,
    /// On disk.
    bytes: u64,
    /// In memory, about.
    weight: u64,
}

impl Table {
    /// Looks at the files: their columns and how much they hold. Of text files the first rows say the
    /// types, or all rows with `thorough`.
    pub(super) fn open(
        source: &Source,
        progress: &Progress,
        thorough: bool,
    ) -> anyhow::Result<Table> {
        let part = |file: &super::source::File| {
            progress.say(&file.name);
            Part::open(file, thorough).with_context(|| format!("cannot read {}", file.name))
        };
        let files = source.files.iter().map(part).collect::<anyhow::Result<Vec<Part>>>()?;
        let schema = Arc::new(unified(files.iter().map(Part::columns)));
        Ok(Table {
            name: source.name.clone(),
            files,
            schema,
            progress: progress.clone(),
            misread: Cell::new(false),
        })
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|part| part.bytes).sum()
    }

    /// Bytes in memory, about.
    pub(super) fn weight(&self) -> u64 {
        self.files.iter().map(|part| part.weight).sum()
    }

    /// Whether reading failed because types were inferred from too few rows.
    pub(super) fn misread(&self) -> bool {
        self.misread.get()
    }

    /// All rows.
    pub(super) fn all(&self) -> anyhow::Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let columns: Vec<String> = self.schema.fields().iter().map(|f| f.name().clone()).collect();
        self.read(&columns, &mut |batch| {
            batches.push(batch);
            Ok(())
        })?;
        if batches.iter().all(|batch: &RecordBatch| batch.num_rows() == 0) {
            bail!("{}: no rows", self.name);
        }
        Ok(batches)
    }

    fn read(
        &self,
        columns: &[String],
        take: &mut dyn FnMut(RecordBatch) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let fields: Vec<Field> = columns
            .iter()
            .filter_map(|name| self.schema.field_with_name(name).ok())
            .map(|field| field.clone().with_nullable(true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        for part in &self.files {
            self.progress.say(&part.name);
            let failed = |error: anyhow::Error| error.context(format!("cannot read {}", part.name));
            let batches = part.batches(&schema, &self.progress).map_err(failed)?;
            for batch in batches {
                if batch.is_err() && part.format.is_text() {
                    self.misread.set(true);
                }
                let batch =
                    batch.and_then(|batch| part.aligned(&batch, &schema)).map_err(failed)?;
                take(batch)?;
            }
        }
        Ok(())
    }
}

impl mlmon::stream::Rows for Table {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn each(
        &self,
        columns: &[String],
        take: &mut dyn FnMut(&RecordBatch) -> Result<(), mlmon::Error>,
    ) -> Result<(), mlmon::Error> {
        self.read(columns, &mut |batch| Ok(take(&batch)?)).map_err(|error| {
            match error.downcast::<mlmon::Error>() {
                Ok(theirs) => theirs,
                Err(ours) => mlmon::Error::Read(format!("{ours:#}")),
            }
        })
    }
}

type Batches = Box<dyn Iterator<Item = anyhow::Result<RecordBatch>>>;

impl Part {
    fn open(file: &super::source::File, thorough: bool) -> anyhow::Result<Part> {
        let format =
            Format::of(&file.name).context("not .parquet, .csv, .tsv, .ndjson, .json or .arrow")?;
        let compressed = file.name.to_ascii_lowercase().ends_with(GZIP);
        let opened = File::open(&file.path)?;
        let bytes = opened.metadata()?.len();
        let text_bytes = if compressed { bytes.saturating_mul(GZIP_RATIO) } else { bytes };
        let rows = (!thorough).then_some(INFER_ROWS);
        let (schema, weight) = match format {
            Format::Parquet => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(opened)?;
                let weight = weight(&builder);
                (builder.schema().as_ref().clone(), weight)
            }
            Format::Csv(separator) => {
                let text = BufReader::new(plain(opened, compressed));
                let (schema, _) = csv(separator).infer_schema(text, rows)?;
                (lenient(&schema), text_bytes)
            }
            Format::Ndjson => {
                let text = BufReader::new(plain(opened, compressed));
                (arrow_json::reader::infer_json_schema(text, rows)?.0, text_bytes)
            }
            Format::Ipc => {
                let in_one = is_ipc_file(&file.path)?;
                let opened = BufReader::new(opened);
                let schema = match in_one {
                    true => FileReader::try_new(opened, None)?.schema(),
                    false => StreamReader::try_new(opened, None)?.schema(),
                };
                (schema.as_ref().clone(), bytes)
            }
        };
        Ok(Part {
            name: file.name.clone(),
            path: file.path.clone(),
            format,
            compressed,
            schema: Arc::new(schema),
            constants: file.constants.clone(),
            bytes,
            weight,
        })
    }

    /// The file's columns and those that it does not hold.
    fn columns(&self) -> impl Iterator<Item = &Field> {
        let own = self.schema.fields().iter().map(Deref::deref);
        own.chain(self.constants.iter().map(|(field, _)| field))
    }

    /// The rows with these columns, or fewer where the file does not have all, in its own order.
    fn batches(&self, wanted: &Schema, progress: &Progress) -> anyhow::Result<Batches> {
        let has = |field: &Arc<Field>| wanted.field_with_name(field.name()).is_ok();
        let places: Vec<usize> = self
            .schema
            .fields()
            .iter()
            .enumerate()
            .filter_map(|(place, field)| has(field).then_some(place))
            .collect();
        let counted = || -> anyhow::Result<BufReader<Box<dyn Read>>> {
            let file = Counted { file: File::open(&self.path)?, progress: progress.clone() };
            Ok(BufReader::with_capacity(READ_BYTES, plain(file, self.compressed)))
        };
        Ok(match self.format {
            Format::Parquet => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&self.path)?)?;
                let rows = builder.metadata().file_metadata().num_rows().max(1);
                let mask = ProjectionMask::roots(builder.parquet_schema(), places);
                let per_row = usize::try_from(self.weight / u64::try_from(rows)?)?.max(1);
                let batch_rows = (BATCH_BYTES / per_row).clamp(BATCH_ROWS_LEAST, BATCH_ROWS);
                let reader = builder.with_batch_size(batch_rows).with_projection(mask).build()?;
                let (bytes, progress) = (self.bytes as f64, progress.clone());
                Box::new(reader.map(move |batch| {
                    let batch = batch?;
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a share of a file"
                    )]
                    progress.done((bytes * batch.num_rows() as f64 / rows as f64) as u64);
                    Ok(batch)
                }))
            }
            Format::Csv(separator) => {
                let builder = arrow_csv::ReaderBuilder::new(Arc::clone(&self.schema));
                let builder = builder.with_format(csv(separator)).with_batch_size(BATCH_ROWS);
                let reader = builder.with_projection(places).build_buffered(counted()?)?;
                Box::new(reader.map(|batch| Ok(batch?)))
            }
            Format::Ndjson => {
                let schema = Arc::new(self.schema.project(&places)?);
                let builder = arrow_json::ReaderBuilder::new(schema).with_batch_size(BATCH_ROWS);
                let reader = builder.build(counted()?)?;
                Box::new(reader.map(|batch| Ok(batch?)))
            }
            Format::Ipc if !is_ipc_file(&self.path)? => {
                let reader = StreamReader::try_new(counted()?, Some(places))?;
                Box::new(reader.map(|batch| Ok(batch?)))
            }
            Format::Ipc => {
                let file = BufReader::new(File::open(&self.path)?);
                let reader = FileReader::try_new(file, Some(places))?;
                let bytes = self.bytes / (reader.num_batches() as u64).max(1);
                let progress = progress.clone();
                Box::new(reader.map(move |batch| {
                    progress.done(bytes);
                    Ok(batch?)
                }))
            }
        })
    }

    /// Rows of the file as rows of the table.
    fn aligned(&self, batch: &RecordBatch, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |field: &Arc<Field>| -> anyhow::Result<ArrayRef> {
            let constant = self.constants.iter().find(|(known, _)| known.name() == field.name());
            let column = match (batch.column_by_name(field.name()), constant) {
                (Some(column), _) => Arc::clone(column),
                (None, Some((_, value))) => {
                    arrow::compute::take(value, &UInt32Array::from_value(0, rows), None)?
                }
                (None, None) => arrow::array::new_null_array(field.data_type(), rows),
            };
            match column.data_type() == field.data_type() {
                true => Ok(column),
                false => Ok(arrow::compute::cast(&column, field.data_type())?),
            }
        };
        let columns = schema.fields().iter().map(column).collect::<anyhow::Result<_>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

/// A file whose bytes are told to the bar as they are read.
struct Counted {
    file: File,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.done(read as u64);
        Ok(read)
    }
}

/// A text as it was before it was compressed, if it was.
fn plain(file: impl Read + 'static, compressed: bool) -> Box<dyn Read> {
    match compressed {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    }
}

fn is_ipc_file(path: &Path) -> anyhow::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(IPC_FILE.len() as u64).read_to_end(&mut first)?;
    Ok(first == IPC_FILE)
}

fn csv(separator: u8) -> arrow_csv::reader::Format {
    arrow_csv::reader::Format::default().with_header(true).with_delimiter(separator)
}

/// What the rows of a Parquet file take as Arrow: widths times rows, and the letters of texts.
fn weight(builder: &ParquetRecordBatchReaderBuilder<File>) -> u64 {
    let metadata = builder.metadata();
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let fixed = |field: &Arc<Field>| field.data_type().primitive_width().map(|w| w as u64);
    let fields = builder.schema().fields();
    let fixed_bytes: u64 = fields.iter().map(|f| fixed(f).unwrap_or(TEXT_BYTES) * rows).sum();
    let texts = fields.iter().any(|field| fixed(field).is_none());
    let letters = metadata.row_groups().iter().map(RowGroupMetaData::total_byte_size).sum::<i64>();
    fixed_bytes + if texts { u64::try_from(letters).unwrap_or(0) } else { 0 }
}

/// A column without a value in the rows that were looked at may hold any.
fn lenient(schema: &Schema) -> Schema {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Null => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

/// Lists of numbers that hold both of two kinds.
fn vectors(mine: &DataType, theirs: &DataType) -> DataType {
    let number = |list: &DataType| match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().clone()
        }
        other => other.clone(),
    };
    let (left, right) = (number(mine), number(theirs));
    let item = if left == right { left } else { DataType::Float64 };
    DataType::LargeList(Arc::new(Field::new_list_field(item, true)))
}

/// All columns of all files, in the order in which they appear. Where types differ, numbers become
/// floats, lists of numbers such of floats, and everything else texts.
fn unified<'a, F: Iterator<Item = &'a Field>>(files: impl Iterator<Item = F>) -> Schema {
    let mut fields: Vec<Field> = Vec::new();
    for field in files.flatten() {
        let Some(known) = fields.iter_mut().find(|known| known.name() == field.name()) else {
            fields.push(field.clone().with_nullable(true));
            continue;
        };
        let (mine, theirs) = (known.data_type().clone(), field.data_type().clone());
        if mine == theirs || theirs == DataType::Null {
            continue;
        }
        let both = match (mine.is_numeric(), theirs.is_numeric()) {
            _ if mine == DataType::Null => theirs,
            _ if is_embedding(&mine) && is_embedding(&theirs) => vectors(&mine, &theirs),
            (true, true) => DataType::Float64,
            _ => DataType::Utf8,
        };
        known.set_data_type(both);
    }
    Schema::new(fields)
}

#[cfg(test)]
mod tests;
