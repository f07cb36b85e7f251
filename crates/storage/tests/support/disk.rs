//! A disk in memory that fails on demand and forgets in a crash what was not synced.

use std::collections::BTreeMap;
use std::io::{self, Cursor, IoSlice, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use storage::{Io, IoFile};

/// The disk. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    files: BTreeMap<PathBuf, Contents>,
    /// Handles of earlier lives do nothing.
    life: u64,
    random: StdRng,
    /// Of a hundred operations, so many fail.
    fail_percent: u32,
    /// The next operations of a kind that fail.
    fail_next: Vec<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk is full after so many bytes.
    Write(usize),
    Sync,
    Truncate,
    Create,
}

#[derive(Debug, Default, Clone)]
struct Contents {
    bytes: Vec<u8>,
    synced: usize,
    /// Whether the directory was synced since the file was made.
    named: bool,
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Disk {
        Disk(Arc::new(Mutex::new(Inner {
            files: BTreeMap::new(),
            life: 0,
            random: StdRng::seed_from_u64(seed),
            fail_percent: 0,
            fail_next: Vec::new(),
        })))
    }

    pub(crate) fn fail_percent(&self, percent: u32) {
        self.lock().fail_percent = percent;
    }

    pub(crate) fn fail_next(&self, faults: &[Fault]) {
        self.lock().fail_next.extend_from_slice(faults);
    }

    /// Power goes: what was not synced is lost, or half of it, or comes out wrong.
    pub(crate) fn crash(&self) {
        let mut inner = self.lock();
        let Inner { files, life, random, fail_next, .. } = &mut *inner;
        *life += 1;
        fail_next.clear();
        files.retain(|_, contents| contents.named || random.random_bool(0.5));
        for contents in files.values_mut() {
            let unsynced = contents.bytes.len() - contents.synced;
            let kept = random.random_range(0..=unsynced);
            contents.bytes.truncate(contents.synced + kept);
            if kept > 0 && random.random_bool(0.3) {
                let hole = contents.synced + random.random_range(0..kept);
                contents.bytes[hole] ^= 0x55;
            }
            contents.synced = contents.bytes.len();
        }
    }

    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.lock().files.iter().map(|(path, c)| (path.clone(), c.bytes.clone())).collect()
    }

    pub(crate) fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.lock();
        let contents = inner.files.get_mut(path).expect("file is there");
        change(&mut contents.bytes);
        contents.synced = contents.bytes.len();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics while it holds the disk")
    }
}

impl Inner {
    fn fails(&mut self, matches: impl Fn(Fault) -> bool) -> Option<Fault> {
        if let Some(at) = self.fail_next.iter().position(|&fault| matches(fault)) {
            return Some(self.fail_next.remove(at));
        }
        let fault = [
            Fault::Write(self.random.random_range(0..200)),
            Fault::Sync,
            Fault::Truncate,
            Fault::Create,
        ]
        .into_iter()
        .find(|&fault| matches(fault))?;
        (self.random.random_range(0..100) < self.fail_percent).then_some(fault)
    }
}

fn eio() -> io::Error {
    io::Error::other("injected input/output error")
}

impl Io for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        let mut inner = self.lock();
        if inner.fails(|fault| fault == Fault::Create).is_some() {
            return Err(eio());
        }
        if inner.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.files.insert(path.to_owned(), Contents::default());
        Ok(Box::new(DiskFile { disk: self.clone(), path: path.to_owned(), life: inner.life }))
    }

    fn read(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let inner = self.lock();
        let contents = inner.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let len = contents.bytes.len() as u64;
        Ok((Box::new(Cursor::new(contents.bytes.clone())), len))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = self.lock();
        Ok(inner.files.keys().filter(|path| path.starts_with(dir)).cloned().collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock().files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.change(path, |bytes| bytes.truncate(usize::try_from(len).expect("small")));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.fails(|fault| fault == Fault::Sync).is_some() {
            return Err(eio());
        }
        for (path, contents) in &mut inner.files {
            contents.named |= path.starts_with(dir);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    path: PathBuf,
    life: u64,
}

impl DiskFile {
    fn with<T>(&self, work: impl FnOnce(&mut Inner, &Path) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.disk.lock();
        if inner.life != self.life || !inner.files.contains_key(&self.path) {
            return Err(io::Error::other("this process is dead"));
        }
        work(&mut inner, &self.path)
    }
}

fn file<'a>(inner: &'a mut Inner, path: &Path) -> &'a mut Contents {
    inner.files.get_mut(path).expect("was there a moment ago")
}

impl IoFile for DiskFile {
    fn write_all(&mut self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.with(|inner, path| {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let fault = inner.fails(|fault| matches!(fault, Fault::Write(_)));
            if let Some(Fault::Write(written)) = fault {
                let written = written.min(bytes.len());
                file(inner, path).bytes.extend_from_slice(&bytes[..written]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            file(inner, path).bytes.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|inner, path| {
            if inner.fails(|fault| fault == Fault::Sync).is_some() {
                return Err(eio());
            }
            let contents = file(inner, path);
            contents.synced = contents.bytes.len();
            Ok(())
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|inner, path| {
            if inner.fails(|fault| fault == Fault::Truncate).is_some() {
                return Err(eio());
            }
            let contents = file(inner, path);
            contents.bytes.truncate(usize::try_from(len).expect("small"));
            contents.synced = contents.synced.min(contents.bytes.len());
            Ok(())
        })
    }
}
