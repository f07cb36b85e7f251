//! The files of a Delta table: its newest checkpoint and the commits after it.
//!
//! Reads what is needed to know the live files and the partition each belongs to, whose columns the
//! files do not hold. Tables with deletion vectors, column mapping or checkpoints in several places
//! are refused: their files alone do not say their rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow::array::{Array as _, ArrayRef, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// The directory of a table's log.
pub(super) const LOG: &str = "_delta_log";

/// A column with one value in all rows of a file.
pub(super) type Constant = (Field, ArrayRef);

/// A file that belongs to the table.
#[derive(Debug)]
pub(super) struct LiveFile {
    /// Below the table's directory.
    pub(super) path: String,
    /// The columns that say its partition.
    pub(super) constants: Vec<Constant>,
}

/// Live files of a local table.
pub(super) fn local(table: &Path) -> anyhow::Result<Vec<LiveFile>> {
    let log = table.join(LOG);
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&log)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let mut live = Live::default();
    for name in in_order(&names) {
        let bytes =
            std::fs::read(log.join(&name)).with_context(|| format!("cannot read {name}"))?;
        live.take(&name, Bytes::from(bytes))?;
    }
    live.files()
}

/// Live files of a table in an object store.
pub(super) async fn remote(
    store: &Arc<dyn ObjectStore>,
    table: &ObjectPath,
    objects: &[ObjectPath],
) -> anyhow::Result<Vec<(ObjectPath, Vec<Constant>)>> {
    let names: Vec<String> = objects
        .iter()
        .filter(|object| is_log_of(table, object))
        .filter_map(|object| object.filename().map(str::to_owned))
        .collect();
    let below = |name: &str| match table.as_ref() {
        "" => ObjectPath::parse(name),
        table => ObjectPath::parse(format!("{table}/{name}")),
    };
    let mut live = Live::default();
    for name in in_order(&names) {
        let object = below(&format!("{LOG}/{name}"))?;
        live.take(&name, store.get(&object).await?.bytes().await?)?;
    }
    live.files()?.into_iter().map(|file| Ok((below(&file.path)?, file.constants))).collect()
}

/// Whether an object is in the log of the table in this directory.
pub(super) fn is_log_of(table: &ObjectPath, object: &ObjectPath) -> bool {
    let mut below = object.prefix_match(table).into_iter().flatten();
    below.next().is_some_and(|part| part.as_ref() == LOG)
}

/// The newest checkpoint (all its parts) and the commits after it.
fn in_order(names: &[String]) -> Vec<String> {
    let version = |name: &str| name.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
    let checkpoint = |name: &str| name.contains(".checkpoint.");
    let commit = |name: &str| name.strip_suffix(".json").is_some_and(|v| v.parse::<u64>().is_ok());
    let newest =
        names.iter().filter(|name| checkpoint(name)).filter_map(|name| version(name)).max();
    let mut parts: Vec<String> =
        names.iter().filter(|name| checkpoint(name) && version(name) == newest).cloned().collect();
    let later = |name: &&String| commit(name) && version(name) > newest;
    let mut commits: Vec<String> = names.iter().filter(later).cloned().collect();
    parts.sort();
    commits.sort();
    parts.extend(commits);
    parts
}

/// The value of each partition column of a file.
type Partition = BTreeMap<String, Option<String>>;

#[derive(Debug, Default)]
struct Live {
    files: BTreeMap<String, Partition>,
    /// The table's columns as its metadata says them.
    schema: Value,
}

impl Live {
    fn take(&mut self, name: &str, bytes: Bytes) -> anyhow::Result<()> {
        let taken = match name.ends_with(".json") {
            true => self.commit(&bytes),
            false => self.checkpoint(bytes),
        };
        taken.with_context(|| format!("cannot read {name} of the Delta log"))
    }

    fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let text = std::str::from_utf8(bytes)?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let action: Value = serde_json::from_str(line)?;
            if let Some(path) = action["remove"]["path"].as_str() {
                self.files.remove(&decoded(path));
            }
            let add = &action["add"];
            if let Some(path) = add["path"].as_str() {
                let values = add["partitionValues"].as_object().into_iter().flatten();
                let partition =
                    values.map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned)));
                self.add(path, !add["deletionVector"].is_null(), partition.collect())?;
            }
            let metadata = &action["metaData"];
            self.describe(
                metadata["schemaString"].as_str(),
                metadata["configuration"][MAPPING].as_str(),
            )?;
            if !action["sidecar"].is_null() {
                bail!("checkpoints in several places are not read");
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
        for batch in reader {
            let batch: RecordBatch = batch?;
            let action = |name: &str| batch.column_by_name(name).and_then(AsArray::as_struct_opt);
            if action("sidecar").is_some_and(|sidecar| sidecar.null_count() < sidecar.len()) {
                bail!("checkpoints in several places are not read");
            }
            for row in 0..batch.num_rows() {
                if let Some(add) = action("add").filter(|add| add.is_valid(row)) {
                    let vector = add.column_by_name("deletionVector");
                    let deleted = vector.is_some_and(|vector| vector.is_valid(row));
                    let partition = pairs(add, "partitionValues", row)?;
                    if let Some(path) = text(add, "path", row)? {
                        self.add(&path, deleted, partition)?;
                    }
                }
                if let Some(metadata) = action("metaData").filter(|action| action.is_valid(row)) {
                    let mut configuration = pairs(metadata, "configuration", row)?;
                    let mapping = configuration.remove(MAPPING).flatten();
                    let schema = text(metadata, "schemaString", row)?;
                    self.describe(schema.as_deref(), mapping.as_deref())?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, deleted: bool, partition: Partition) -> anyhow::Result<()> {
        if deleted {
            bail!("the table has deletion vectors, which are not read");
        }
        if path.contains("://") {
            bail!("the table has files elsewhere ({path}), which are not read");
        }
        self.files.insert(decoded(path), partition);
        Ok(())
    }

    fn describe(&mut self, schema: Option<&str>, mapping: Option<&str>) -> anyhow::Result<()> {
        if mapping.is_some_and(|mode| mode != "none") {
            bail!("the table maps column names, which is not read");
        }
        if let Some(schema) = schema {
            self.schema = serde_json::from_str(schema)?;
        }
        Ok(())
    }

    fn files(self) -> anyhow::Result<Vec<LiveFile>> {
        let file = |(path, partition): (String, Partition)| {
            let constant = |(name, value): (String, Option<String>)| {
                let kind = self.kind(&name);
                let value: ArrayRef = Arc::new(StringArray::from(vec![value]));
                let value = arrow::compute::cast(&value, &kind)?;
                Ok((Field::new(name, kind, true), value))
            };
            let constants = partition.into_iter().map(constant).collect::<anyhow::Result<_>>()?;
            Ok(LiveFile { path, constants })
        };
        self.files.clone().into_iter().map(file).collect()
    }

    /// The type of a partition column; the log writes all values as texts.
    fn kind(&self, name: &str) -> DataType {
        let mut fields = self.schema["fields"].as_array().into_iter().flatten();
        let field = fields.find(|field| field["name"] == name);
        match field.and_then(|field| field["type"].as_str()).unwrap_or("string") {
            "long" | "integer" | "short" | "byte" => DataType::Int64,
            "double" | "float" => DataType::Float64,
            decimal if decimal.starts_with("decimal") => DataType::Float64,
            "boolean" => DataType::Boolean,
            "date" => DataType::Date32,
            "timestamp" | "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        }
    }
}

/// Where a table says that its columns have other names in its files.
const MAPPING: &str = "delta.columnMapping.mode";

fn text(action: &StructArray, name: &str, row: usize) -> anyhow::Result<Option<String>> {
    let Some(column) = action.column_by_name(name) else { return Ok(None) };
    let texts = arrow::compute::cast(&column.slice(row, 1), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts.is_valid(0).then(|| texts.value(0).to_owned()))
}

/// A map of texts.
fn pairs(action: &StructArray, name: &str, row: usize) -> anyhow::Result<Partition> {
    let Some(column) = action.column_by_name(name).filter(|column| column.is_valid(row)) else {
        return Ok(Partition::new());
    };
    let entries = column.as_map_opt().with_context(|| format!("{name} is no map"))?.value(row);
    let texts = |place: usize| arrow::compute::cast(entries.column(place), &DataType::Utf8);
    let (keys, values) = (texts(0)?, texts(1)?);
    let keys = keys.as_string::<i32>().iter().flatten().map(str::to_owned);
    Ok(keys.zip(values.as_string::<i32>().iter().map(|value| value.map(str::to_owned))).collect())
}

/// Paths in the log are percent-encoded.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_files_are_not_read() {
        let add = |path: &str| format!("{{\"add\":{{\"path\":\"{path}\"}}}}\n");
        let mut live = Live::default();
        let first = add("a.parquet") + &add("b%20c.parquet");
        live.take("00000000000000000000.json", Bytes::from(first)).unwrap();
        let second = "{\"remove\":{\"path\":\"a.parquet\"}}\n".to_owned() + &add("d.parquet");
        live.take("00000000000000000001.json", Bytes::from(second)).unwrap();
        let names: Vec<String> = live.files().unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(names, ["b c.parquet", "d.parquet"]);
    }

    #[test]
    fn partitions_are_columns_of_their_files() {
        let schema = r#"{\"fields\":[{\"name\":\"day\",\"type\":\"date\"},{\"name\":\"n\",\"type\":\"long\"}]}"#;
        let log = format!(
            "{{\"metaData\":{{\"schemaString\":\"{schema}\",\"configuration\":{{}}}}}}\n{}",
            r#"{"add":{"path":"a","partitionValues":{"day":"2026-11-21","n":null,"to":"x"}}}"#
        );
        let mut live = Live::default();
        live.take("0.json", Bytes::from(log)).unwrap();
        let file = live.files().unwrap().remove(0);
        let kinds: Vec<String> = file.constants.iter().map(|(f, _)| f.to_string()).collect();
        let kinds = kinds.join("; ");
        assert!(kinds.contains("Date32") && kinds.contains("Int64"), "{kinds}");
        assert!(file.constants[0].1.is_valid(0) && file.constants[1].1.is_null(0));
        assert_eq!(file.constants[2].1.as_string::<i32>().value(0), "x");
    }

    #[test]
    fn what_the_files_alone_do_not_say_is_refused() {
        for (log, words) in [
            (r#"{"add":{"path":"a","deletionVector":{"storageType":"u"}}}"#, "deletion vectors"),
            (r#"{"add":{"path":"s3://elsewhere/a"}}"#, "elsewhere"),
            (
                r#"{"metaData":{"configuration":{"delta.columnMapping.mode":"name"}}}"#,
                "column names",
            ),
            (r#"{"sidecar":{"path":"a"}}"#, "several places"),
        ] {
            let refused = Live::default().take("0.json", Bytes::from(log)).unwrap_err();
            assert!(format!("{refused:#}").contains(words), "{refused:#}");
        }
    }

    #[test]
    fn commits_before_the_checkpoint_are_not_read() {
        let names =
            ["0.json", "2.checkpoint.parquet", "2.json", "2.3.compacted.json", "3.json", "_last"];
        let names = names.map(str::to_owned);
        assert_eq!(in_order(&names), ["2.checkpoint.parquet", "3.json"]);
    }
}
