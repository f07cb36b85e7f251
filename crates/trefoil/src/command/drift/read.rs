//! Files as Arrow batches of one schema.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::source::{Piece, Source};

const BATCH_ROWS: usize = 65_536;
/// Rows of a text file that its types are inferred from.
const INFER_ROWS: usize = 10_000;

/// File formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Apache Parquet.
    Parquet,
    /// Text with separators and a heading.
    Csv(u8),
    /// A JSON object a line.
    Ndjson,
    /// Arrow IPC file (Feather 2).
    Ipc,
}

impl Format {
    /// By the ending of the name.
    pub(super) fn of(name: &str) -> Option<Format> {
        let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match ending.as_str() {
            "parquet" | "pq" | "parq" => Some(Format::Parquet),
            "csv" => Some(Format::Csv(b',')),
            "tsv" => Some(Format::Csv(b'\t')),
            "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
            "arrow" | "ipc" | "feather" => Some(Format::Ipc),
            _ => None,
        }
    }
}

/// All rows of a table. Files whose schemas differ in order are put into the first one's order.
pub(super) fn all(source: &Source, say: &dyn Fn(&str)) -> anyhow::Result<Vec<RecordBatch>> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    for piece in &source.files {
        let name = piece.name();
        say(&format!("reading {name}"));
        let format = Format::of(&name)
            .with_context(|| format!("{name}: not .parquet, .csv, .tsv, .ndjson or .arrow"))?;
        let read = match piece {
            Piece::Local(path) => {
                let open = || File::open(path).with_context(|| format!("cannot open {name}"));
                match format {
                    Format::Parquet => parquet(open()?),
                    _ => text_or_ipc(format, || Ok(BufReader::new(open()?))),
                }
            }
            Piece::Fetched(_, bytes) => match format {
                Format::Parquet => parquet(bytes.clone()),
                _ => text_or_ipc(format, || Ok(Cursor::new(bytes.clone()))),
            },
        };
        let read = read.with_context(|| format!("cannot read {name}"))?;
        for batch in read {
            let batch = match batches.first() {
                Some(first) => aligned(&batch, &first.schema())
                    .with_context(|| format!("{name} does not fit {}", source.name))?,
                None => batch,
            };
            batches.push(batch);
        }
    }
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        bail!("{}: no rows", source.name);
    }
    Ok(batches)
}

fn parquet<R: parquet::file::reader::ChunkReader + 'static>(
    reader: R,
) -> anyhow::Result<Vec<RecordBatch>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader)?;
    let reader = builder.with_batch_size(BATCH_ROWS).build()?;
    Ok(reader.collect::<Result<Vec<_>, _>>()?)
}

fn text_or_ipc<R: Read + Seek + std::io::BufRead>(
    format: Format,
    open: impl Fn() -> anyhow::Result<R>,
) -> anyhow::Result<Vec<RecordBatch>> {
    match format {
        Format::Csv(separator) => {
            let format =
                arrow_csv::reader::Format::default().with_header(true).with_delimiter(separator);
            let (schema, _) = format.infer_schema(open()?, Some(INFER_ROWS))?;
            let schema = Arc::new(lenient(&schema));
            let build = |schema: Arc<Schema>| -> anyhow::Result<Vec<RecordBatch>> {
                let reader = arrow_csv::ReaderBuilder::new(schema)
                    .with_format(format.clone())
                    .with_batch_size(BATCH_ROWS)
                    .build(open()?)?;
                Ok(reader.collect::<Result<Vec<_>, _>>()?)
            };
            // Types inferred from the beginning may not hold further on: then all rows are asked.
            build(schema).or_else(|_| {
                let (schema, _) = format.infer_schema(open()?, None)?;
                build(Arc::new(lenient(&schema)))
            })
        }
        Format::Ndjson => {
            let (schema, _) = arrow_json::reader::infer_json_schema(open()?, Some(INFER_ROWS))?;
            let reader = arrow_json::ReaderBuilder::new(Arc::new(schema))
                .with_batch_size(BATCH_ROWS)
                .build(open()?)?;
            Ok(reader.collect::<Result<Vec<_>, _>>()?)
        }
        Format::Ipc => {
            let reader = arrow_ipc::reader::FileReader::try_new(open()?, None)?;
            Ok(reader.collect::<Result<Vec<_>, _>>()?)
        }
        Format::Parquet => bail!("Parquet is read elsewhere"),
    }
}

/// Integers that a sample shows may be fractions later; as numbers they are the same.
fn lenient(schema: &Schema) -> Schema {
    let field = |field: &Arc<arrow::datatypes::Field>| match field.data_type() {
        DataType::Null => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn aligned(batch: &RecordBatch, schema: &Arc<Schema>) -> anyhow::Result<RecordBatch> {
    if batch.schema() == *schema {
        return Ok(batch.clone());
    }
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type())?,
            None => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    let nullable =
        |field: &Arc<arrow::datatypes::Field>| field.as_ref().clone().with_nullable(true);
    let schema = Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// The current rows with the columns of the labels that they do not have, joined by `id`; rows
/// without a label get nulls.
pub(super) fn join(
    current: &[RecordBatch],
    labels: &[RecordBatch],
    id: &str,
) -> anyhow::Result<Vec<RecordBatch>> {
    let labels = arrow::compute::concat_batches(&labels[0].schema(), labels)?;
    let texts = |batch: &RecordBatch| -> anyhow::Result<ArrayRef> {
        let column =
            batch.column_by_name(id).with_context(|| format!("there is no column {id:?}"))?;
        Ok(arrow::compute::cast(column, &DataType::Utf8)?)
    };
    let of_labels = texts(&labels)?;
    let mut places = std::collections::HashMap::new();
    for (row, text) in of_labels.as_string::<i32>().iter().enumerate() {
        if let (Some(text), Ok(row)) = (text, u32::try_from(row)) {
            places.insert(text, row);
        }
    }
    let mut joined = Vec::new();
    for batch in current {
        let of_rows = texts(batch)?;
        let rows = of_rows.as_string::<i32>().iter();
        let rows: UInt32Array = rows.map(|text| places.get(text?).copied()).collect();
        let mut columns: Vec<(String, ArrayRef)> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(batch.columns().iter().cloned())
            .collect();
        for (field, column) in labels.schema().fields().iter().zip(labels.columns()) {
            if batch.column_by_name(field.name()).is_none() {
                let taken = arrow::compute::take(column, &rows, None)?;
                columns.push((field.name().clone(), taken));
            }
        }
        joined.push(RecordBatch::try_from_iter(columns)?);
    }
    Ok(joined)
}
