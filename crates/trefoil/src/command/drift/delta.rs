//! The files of a Delta table: its newest checkpoint and the commits after it.
//!
//! Reads what is needed to know the live files and no more. Tables with deletion vectors or column
//! mapping are refused: their files alone do not say their rows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// Live files of a local table.
pub(super) fn local(table: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let log = table.join("_delta_log");
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
    Ok(live.files.into_iter().map(|file| table.join(file)).collect())
}

/// Live files of a table in an object store.
pub(super) async fn remote(
    store: &Arc<dyn ObjectStore>,
    table: &object_store::path::Path,
    objects: &[object_store::path::Path],
) -> anyhow::Result<Vec<object_store::path::Path>> {
    let log = format!("{table}/_delta_log/");
    let names: Vec<String> = objects
        .iter()
        .filter_map(|object| object.as_ref().strip_prefix(&log))
        .map(str::to_owned)
        .collect();
    let mut live = Live::default();
    for name in in_order(&names) {
        let object = object_store::path::Path::from(format!("{log}{name}"));
        live.take(&name, store.get(&object).await?.bytes().await?)?;
    }
    let files = live.files.into_iter();
    Ok(files.map(|file| object_store::path::Path::from(format!("{table}/{file}"))).collect())
}

/// The newest checkpoint (all its parts) and the commits after it.
fn in_order(names: &[String]) -> Vec<String> {
    let version = |name: &str| name.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
    let checkpoint = |name: &str| name.contains(".checkpoint.") && name.ends_with(".parquet");
    let newest =
        names.iter().filter(|name| checkpoint(name)).filter_map(|name| version(name)).max();
    let mut parts: Vec<String> =
        names.iter().filter(|name| checkpoint(name) && version(name) == newest).cloned().collect();
    let mut commits: Vec<String> = names
        .iter()
        .filter(|name| name.ends_with(".json") && version(name).is_some())
        .filter(|name| version(name) > newest)
        .cloned()
        .collect();
    parts.sort();
    commits.sort();
    parts.extend(commits);
    parts
}

#[derive(Debug, Default)]
struct Live {
    files: BTreeSet<String>,
}

impl Live {
    fn take(&mut self, name: &str, bytes: Bytes) -> anyhow::Result<()> {
        if name.ends_with(".json") { self.commit(name, &bytes) } else { self.checkpoint(bytes) }
    }

    fn commit(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let text = std::str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let action: Value =
                serde_json::from_str(line).with_context(|| format!("{name} is not JSON"))?;
            if let Some(path) = action["remove"]["path"].as_str() {
                self.files.remove(&decoded(path));
            }
            if let Some(path) = action["add"]["path"].as_str() {
                if !action["add"]["deletionVector"].is_null() {
                    bail!("the Delta table has deletion vectors, which are not read");
                }
                self.files.insert(decoded(path));
            }
            if !action["metaData"]["configuration"]["delta.columnMapping.mode"].is_null() {
                bail!("the Delta table maps column names, which is not read");
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
        for batch in reader {
            let batch: RecordBatch = batch?;
            let Some(added) = batch.column_by_name("add") else { continue };
            let Some(paths) = added.as_struct_opt().and_then(|add| add.column_by_name("path"))
            else {
                continue;
            };
            let paths = arrow::compute::cast(paths, &arrow::datatypes::DataType::Utf8)?;
            for (row, path) in paths.as_string::<i32>().iter().enumerate() {
                if let (true, Some(path)) = (added.is_valid(row), path) {
                    self.files.insert(decoded(path));
                }
            }
        }
        Ok(())
    }
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
        assert_eq!(live.files.into_iter().collect::<Vec<_>>(), ["b c.parquet", "d.parquet"]);
    }

    #[test]
    fn commits_before_the_checkpoint_are_not_read() {
        let names = ["0.json", "2.checkpoint.parquet", "2.json", "3.json", "_last_checkpoint"];
        let names = names.map(str::to_owned);
        assert_eq!(in_order(&names), ["2.checkpoint.parquet", "3.json"]);
    }
}
