//! Blocks in a directory of this machine.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{BlockStore, StoreError};

/// A directory. An object is written to a temporary file, synced, renamed to its name, and the
/// directory synced; files whose names begin with `.tmp-` are left-overs of a crash, removed by
/// [`LocalStore::open`].
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
    temporary: AtomicU64,
}

const TEMPORARY: &str = ".tmp-";

impl LocalStore {
    /// Opens or makes the directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<LocalStore, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| StoreError::new("make", "", error))?;
        let store = LocalStore { root, temporary: AtomicU64::new(0) };
        store.remove_left_overs(&store.root)?;
        Ok(store)
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn remove_left_overs(&self, directory: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::new("list", directory.to_string_lossy(), error);
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                self.remove_left_overs(&path)?;
            } else if is_temporary(&path) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> Result<PathBuf, io::Error> {
        let valid = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c))
        };
        if name.split('/').all(valid) {
            Ok(self.root.join(name))
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a name of an object"))
        }
    }

    /// Renames the synced file `from` to `to` and syncs what points to it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        let mut directory = to.parent();
        while let Some(synced) = directory {
            File::open(synced)?.sync_all()?;
            if synced == self.root {
                break;
            }
            directory = synced.parent();
        }
        Ok(())
    }

    fn temporary_beside(&self, path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)?;
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        Ok(parent.join(format!("{TEMPORARY}{number}")))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name)?;
        let temporary = self.temporary_beside(&path)?;
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let renamed = written.and_then(|()| self.rename(&temporary, &path));
        if renamed.is_err() {
            fs::remove_file(&temporary).or_else(ignore_missing)?;
        }
        renamed
    }

    fn take_file(&self, name: &str, file: &Path) -> io::Result<()> {
        let path = self.path(name)?;
        let temporary = self.temporary_beside(&path)?;
        // A rename is for nothing; from another file system it has to be a copy.
        if fs::rename(file, &temporary).is_err() {
            fs::copy(file, &temporary)?;
            fs::remove_file(file)?;
        }
        File::open(&temporary)?.sync_all()?;
        self.rename(&temporary, &path)
    }

    fn read(&self, name: &str, range: Range<u64>) -> io::Result<Bytes> {
        let file = File::open(self.path(name)?)?;
        let length = range.end.saturating_sub(range.start);
        // Before memory is taken: a damaged length must not ask for more than there is.
        if range.start > range.end || range.end > file.metadata()?.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(Bytes::from(bytes))
    }

    fn names(&self, directory: &Path, prefix: &str, into: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(part) = file_name.to_str().filter(|part| !part.starts_with('.')) else {
                continue;
            };
            let name = format!("{prefix}{part}");
            if entry.file_type()?.is_dir() {
                self.names(&entry.path(), &format!("{name}/"), into)?;
            } else {
                into.push(name);
            }
        }
        Ok(())
    }
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(TEMPORARY))
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl BlockStore for LocalStore {
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.write(name, &bytes).map_err(|error| StoreError::new("write", name, error))
    }

    fn put_file(&self, name: &str, file: &Path) -> Result<(), StoreError> {
        self.take_file(name, file).map_err(|error| StoreError::new("write", name, error))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.read(name, range).map_err(|error| StoreError::new("read", name, error))
    }

    fn size(&self, name: &str) -> Result<u64, StoreError> {
        let size = self.path(name).and_then(fs::metadata).map(|metadata| metadata.len());
        size.map_err(|error| StoreError::new("read", name, error))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let failed = |error| StoreError::new("list", prefix, error);
        let directory = match prefix.strip_suffix('/') {
            Some(name) => self.path(name).map_err(failed)?,
            None => self.root.clone(),
        };
        let mut names = Vec::new();
        self.names(&directory, prefix, &mut names).map_err(failed)?;
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        let deleted = self.path(name).and_then(|path| {
            fs::remove_file(&path).or_else(ignore_missing)?;
            // The directory of an object that was the last of its block goes too.
            if let Some(parent) = path.parent().filter(|&parent| parent != self.root) {
                match fs::remove_dir(parent) {
                    Ok(()) => {}
                    Err(_) => File::open(parent)
                        .and_then(|parent| parent.sync_all())
                        .or_else(ignore_missing)?,
                }
            }
            Ok(())
        });
        deleted.map_err(|error| StoreError::new("delete", name, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_listed_read_in_ranges_replaced_and_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path().join("blocks")).unwrap();
        store.put("a/1/data", Bytes::from_static(b"hello")).unwrap();
        store.put("a/1/meta.json", Bytes::from_static(b"{}")).unwrap();
        store.put("a/1/data", Bytes::from_static(b"hello!")).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"moved").unwrap();
        store.put_file("b/2/data", &file).unwrap();
        assert!(!file.try_exists().unwrap());
        assert_eq!(store.list("").unwrap(), ["a/1/data", "a/1/meta.json", "b/2/data"]);
        assert_eq!(store.list("a/").unwrap(), ["a/1/data", "a/1/meta.json"]);
        assert_eq!(store.list("none/").unwrap(), Vec::<String>::new());
        assert_eq!(&store.get_range("a/1/data", 1..6).unwrap()[..], b"ello!");
        assert_eq!(store.size("b/2/data").unwrap(), 5);
        assert!(store.get_range("a/1/data", 1..7).is_err());
        store.delete("a/1/data").unwrap();
        store.delete("a/1/data").unwrap();
        assert!(store.size("a/1/data").unwrap_err().is_missing());
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path()).unwrap();
        for name in ["../x", "/x", "a//b", "", "a/.hidden", "a/../../b"] {
            assert!(store.put(name, Bytes::new()).is_err(), "{name}");
        }
    }

    #[test]
    fn left_overs_of_a_crash_vanish_and_are_never_listed() {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path()).unwrap();
        store.put("a/1", Bytes::from_static(b"x")).unwrap();
        fs::write(directory.path().join("a/.tmp-7"), b"half").unwrap();
        assert_eq!(store.list("").unwrap(), ["a/1"]);
        let store = LocalStore::open(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path().join("a")).unwrap().count(), 1);
        assert_eq!(store.list("").unwrap(), ["a/1"]);
    }
}
