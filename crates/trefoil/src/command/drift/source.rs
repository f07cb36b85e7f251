//! What a user names as a table, resolved to files: one file, a directory, a glob, a Delta table;
//! local or in an object store. Objects are copied into a temporary directory first, piece by piece,
//! since most are read more than once; it is gone when the command ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::delta::{self, Constant};
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
    /// Columns that the file does not hold, since they have one value in all of its rows.
    pub(super) constants: Vec<Constant>,
}

impl File {
    fn local(path: PathBuf) -> File {
        File { name: path.display().to_string(), path, constants: Vec::new() }
    }
}

/// Resolves a name. What is not on this machine is copied below `scratch`.
pub(super) async fn open(
    name: &str,
    scratch: &Path,
    progress: &Progress,
) -> anyhow::Result<Source> {
    let files = match name.split_once("://") {
        Some((scheme, _)) if scheme != "file" => {
            let fetched = remote(&address(name)?, scratch, progress).await;
            fetched.with_context(|| format!("cannot read {name}"))?
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

/// The URL of objects; a question mark in it is a wildcard, not a query.
fn address(name: &str) -> anyhow::Result<url::Url> {
    let web = name.starts_with("http://") || name.starts_with("https://");
    let written = if web { name.to_owned() } else { name.replace('?', "%3F") };
    url::Url::parse(&written).with_context(|| format!("{name} is no URL"))
}

fn local(name: &str) -> anyhow::Result<Vec<File>> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(vec![File::local(path.to_owned())]);
    }
    if path.join(delta::LOG).is_dir() {
        let files = delta::local(path)?.into_iter().map(|file| {
            let found = File::local(path.join(&file.path));
            File { constants: file.constants, ..found }
        });
        return Ok(files.collect());
    }
    let mut found = Vec::new();
    if path.is_dir() {
        walk(path, &mut found)?;
        refuse_nested(found.iter().map(|file| file.display().to_string()))?;
        found.retain(|file| is_table(&file.display().to_string()));
    } else if name.contains(['*', '?']) {
        let name = name.strip_prefix("./").unwrap_or(name);
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
    match (fixed_prefix(pattern), pattern.starts_with('/')) {
        ("", true) => PathBuf::from("/"),
        ("", false) => PathBuf::from("."),
        (directories, _) => PathBuf::from(directories),
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

/// The files of a Delta table are not all its rows: below another directory it cannot be read.
fn refuse_nested(mut names: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let inside = format!("/{}/", delta::LOG);
    let within = |name: String| Some(name.split_once(&inside)?.0.to_owned());
    match names.find_map(within) {
        Some(table) => bail!("{table} is a Delta table: name it itself"),
        None => Ok(()),
    }
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
        .context("no object store is known by this address")?;
    let store: Arc<dyn ObjectStore> = Arc::from(store);
    let objects = objects(&store, &path).await?;
    let directory = tempfile::Builder::new().prefix("table-").tempdir_in(scratch)?.keep();
    let mut files = Vec::new();
    for (place, (name, constants)) in objects.into_iter().enumerate() {
        progress.say(&format!("fetching {name}"));
        let path = directory.join(place.to_string());
        copy(store.as_ref(), &name, &path).await?;
        files.push(File { name: name.to_string(), path, constants });
    }
    Ok(files)
}

/// The objects that a path names: itself, those below it or those that match it.
async fn objects(
    store: &Arc<dyn ObjectStore>,
    path: &ObjectPath,
) -> anyhow::Result<Vec<(ObjectPath, Vec<Constant>)>> {
    let pattern = path.to_string();
    let wild = pattern.contains(['*', '?']);
    if !wild && is_table(&pattern) {
        return Ok(vec![(path.clone(), Vec::new())]);
    }
    let prefix = match wild {
        true => ObjectPath::parse(fixed_prefix(&pattern))?,
        false => path.clone(),
    };
    let listed: Vec<_> = store
        .list(Some(&prefix))
        .try_collect()
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut names: Vec<ObjectPath> = listed.into_iter().map(|object| object.location).collect();
    if !wild && names.iter().any(|name| delta::is_log_of(&prefix, name)) {
        return delta::remote(store, &prefix, &names).await;
    }
    if !wild {
        refuse_nested(names.iter().map(ToString::to_string))?;
    }
    names.retain(|name| match wild {
        true => matches(&pattern, name.as_ref()),
        false => is_table(name.as_ref()),
    });
    names.sort();
    Ok(names.into_iter().map(|name| (name, Vec::new())).collect())
}

/// The directories of a path before its first wildcard.
fn fixed_prefix(pattern: &str) -> &str {
    let fixed = pattern.split(['*', '?']).next().unwrap_or_default();
    fixed.rsplit_once('/').map_or("", |(directories, _)| directories)
}

async fn copy(store: &dyn ObjectStore, name: &ObjectPath, to: &Path) -> anyhow::Result<()> {
    // Errors of the store say their causes themselves, and would say them again as a chain.
    let said = |error: object_store::Error| anyhow::anyhow!("{error}");
    let mut parts = store.get(name).await.map_err(said)?.into_stream();
    let mut file = std::fs::File::create(to)?;
    while let Some(part) = parts.try_next().await.map_err(said)? {
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
