//! What a user names as a table, resolved to files: one file, a directory, a glob, a Delta table;
//! local or in an object store. Objects are copied into a temporary directory first, piece by piece,
//! since most are read more than once; it is gone when the command ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::delta;
use super::progress::Progress;

/// Files that one table may have.
const FILES_LIMIT: usize = 100_000;

/// A table's files in the order of their names.
#[derive(Debug)]
pub(super) struct Source {
    /// What the user wrote, for messages.
    pub(super) name: String,
    /// The files.
    pub(super) files: Vec<File>,
}

/// A file of a table.
#[derive(Debug)]
pub(super) struct File {
    /// Its name, whose ending says the format.
    pub(super) name: String,
    /// Where it lies on this machine.
    pub(super) path: PathBuf,
}

impl File {
    fn local(path: PathBuf) -> File {
        File { name: path.display().to_string(), path }
    }
}

/// Resolves a name. What is not on this machine is copied below `scratch`.
pub(super) async fn open(
    name: &str,
    scratch: &Path,
    progress: &Progress,
) -> anyhow::Result<Source> {
    let files = match url::Url::parse(name) {
        Ok(url) if name.contains("://") && url.scheme() != "file" => {
            remote(&url, scratch, progress).await?
        }
        _ => local(name.strip_prefix("file://").unwrap_or(name))?,
    };
    if files.is_empty() {
        bail!("{name}: no Parquet, CSV, NDJSON or Arrow IPC file");
    }
    if files.len() > FILES_LIMIT {
        bail!("{name}: more than {FILES_LIMIT} files");
    }
    Ok(Source { name: name.to_owned(), files })
}

fn local(name: &str) -> anyhow::Result<Vec<File>> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(vec![File::local(path.to_owned())]);
    }
    if path.join("_delta_log").is_dir() {
        let files = delta::local(path)?;
        return Ok(files.into_iter().map(File::local).collect());
    }
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, &mut found)?;
        found.retain(|file| is_table(&file.display().to_string()));
    } else if name.contains(['*', '?']) {
        walk(&fixed_part(name), &mut found)?;
        found.retain(|file| matches(name, &file.display().to_string()));
    } else {
        bail!("{name}: no such file or directory");
    }
    found.sort();
    Ok(found.into_iter().map(File::local).collect())
}

/// The directory before the first wildcard.
fn fixed_part(pattern: &str) -> PathBuf {
    let end = pattern.find(['*', '?']).unwrap_or(pattern.len());
    let fixed = pattern.get(..end).unwrap_or_default();
    match fixed.rfind('/') {
        Some(slash) => PathBuf::from(fixed.get(..=slash).unwrap_or_default()),
        None => PathBuf::from("."),
    }
}

fn walk(directory: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, into)?;
        } else {
            // A pattern without a directory has none in its matches either.
            into.push(path.strip_prefix("./").map(Path::to_owned).unwrap_or(path));
        }
        if into.len() > FILES_LIMIT {
            bail!("{}: more than {FILES_LIMIT} files", directory.display());
        }
    }
    Ok(())
}

/// Whether a file's ending says that it holds rows.
fn is_table(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let hidden = name.starts_with(['_', '.']);
    !hidden && super::read::Format::of(name).is_some()
}

/// `*` within a name, `**` across directories, `?` one character.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // One row of the table of all prefixes: whether the pattern so far matches the name so far.
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let deep = pattern[at] == '*' && pattern.get(at + 1) == Some(&'*');
        let mut next = vec![false; name.len() + 1];
        if pattern[at] == '*' {
            next[0] = row[0];
            for end in 1..=name.len() {
                next[end] = row[end] || (next[end - 1] && (deep || name[end - 1] != '/'));
            }
            // `**/` also stands for no directory at all.
            if deep && pattern.get(at + 2) == Some(&'/') {
                let mut skipped = vec![false; name.len() + 1];
                for end in 0..=name.len() {
                    let after_slash = end > 0 && name[end - 1] == '/' && next[end - 1];
                    skipped[end] = row[end] || after_slash;
                }
                next = skipped;
                at += 1;
            }
        } else {
            for end in 1..=name.len() {
                let same =
                    pattern[at] == name[end - 1] || (pattern[at] == '?' && name[end - 1] != '/');
                next[end] = same && row[end - 1];
            }
        }
        at += if deep { 2 } else { 1 };
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

async fn remote(url: &url::Url, scratch: &Path, progress: &Progress) -> anyhow::Result<Vec<File>> {
    let (store, path) = object_store::parse_url_opts(url, crate::config::store_credentials())
        .with_context(|| format!("{url} is no object store"))?;
    let store: Arc<dyn ObjectStore> = Arc::from(store);
    let pattern = path.to_string();
    let wild = pattern.contains(['*', '?']);
    let names: Vec<object_store::path::Path> = if wild || !is_table(&pattern) {
        let prefix = match wild {
            true => object_store::path::Path::from(fixed_part(&pattern).display().to_string()),
            false => path.clone(),
        };
        let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await?;
        let names: Vec<_> = listed.into_iter().map(|object| object.location).collect();
        if names.iter().any(|name| name.as_ref().contains("/_delta_log/")) {
            delta::remote(&store, &prefix, &names).await?
        } else {
            let mine = |name: &object_store::path::Path| match wild {
                true => matches(&pattern, name.as_ref()),
                false => is_table(name.as_ref()),
            };
            let mut names: Vec<_> = names.into_iter().filter(mine).collect();
            names.sort();
            names
        }
    } else {
        vec![path]
    };
    let directory = tempfile::Builder::new().prefix("table-").tempdir_in(scratch)?.keep();
    let mut files = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        progress.say(&format!("fetching {name}"));
        let path = directory.join(place.to_string());
        copy(store.as_ref(), &name, &path).await.with_context(|| format!("cannot fetch {name}"))?;
        files.push(File { name: name.to_string(), path });
    }
    Ok(files)
}

async fn copy(
    store: &dyn ObjectStore,
    name: &object_store::path::Path,
    to: &Path,
) -> anyhow::Result<()> {
    let mut parts = store.get(name).await?.into_stream();
    let mut file = std::fs::File::create(to)?;
    while let Some(part) = parts.try_next().await? {
        file.write_all(&part)?;
    }
    Ok(file.flush()?)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stay_within_a_directory_unless_doubled() {
        assert!(matches("a/*.csv", "a/b.csv"));
        assert!(!matches("a/*.csv", "a/b/c.csv"));
        assert!(matches("a/**/*.csv", "a/b/c/d.csv"));
        assert!(matches("a/**/*.csv", "a/d.csv"));
        assert!(matches("a/part-?.parquet", "a/part-1.parquet"));
        assert!(!matches("a/part-?.parquet", "a/part-12.parquet"));
        assert!(!matches("*.csv", "a/b.csv"));
    }
}
