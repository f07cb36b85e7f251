//! The log when the disk fails: what was acknowledged is there once, always.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::{NOW, append, batch, open, options, read};
use crate::append::AppendError;
use crate::options::Options;
use crate::wal::{Io, IoFile};

/// A disk in memory that fails when it is told to. What was not synced is lost, wholly or in part,
/// in a crash.
#[derive(Debug, Default, Clone)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    /// Counts down with every operation; at 0 it fails.
    fail_in: Option<u32>,
    /// Operations that fail once failing has begun.
    fail_for: u32,
    /// A failing write leaves this many bytes.
    partial: usize,
}

#[derive(Debug, Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

impl State {
    fn fails(&mut self) -> bool {
        match &mut self.fail_in {
            Some(0) if self.fail_for > 0 => {
                self.fail_for -= 1;
                true
            }
            Some(0) => {
                self.fail_in = None;
                false
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

impl Disk {
    /// What is left after the power went: of each file what was synced and `keep` bytes more.
    fn crash(&self, keep: usize) -> Disk {
        let files = self.0.lock().files.clone();
        let cut = |mut content: Content| {
            content.bytes.truncate(content.synced.saturating_add(keep));
            content.synced = content.bytes.len();
            content
        };
        let files = files.into_iter().map(|(path, content)| (path, cut(content))).collect();
        Disk(Arc::new(Mutex::new(State { files, ..State::default() })))
    }
}

impl Io for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        let mut state = self.0.lock();
        if state.fails() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        assert!(!state.files.contains_key(path), "made twice: {}", path.display());
        state.files.insert(path.to_owned(), Content::default());
        Ok(Box::new(DiskFile(self.clone(), path.to_owned())))
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let state = self.0.lock();
        let content = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(content.bytes.clone())))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.lock().files.keys().filter(|path| path.starts_with(dir)).cloned().collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.fails() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        if self.0.lock().fails() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct DiskFile(Disk, PathBuf);

impl IoFile for DiskFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.0.lock();
        let fails = state.fails();
        let partial = state.partial.min(bytes.len());
        let Some(content) = state.files.get_mut(&self.1) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        content.bytes.extend_from_slice(if fails { &bytes[..partial] } else { bytes });
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.0.lock();
        if state.fails() {
            return Err(io::Error::other("the disk is gone"));
        }
        if let Some(content) = state.files.get_mut(&self.1) {
            content.synced = content.bytes.len();
        }
        Ok(())
    }
}

fn with(disk: &Disk, dir: &Path) -> Options {
    let mut options = options(dir);
    options.wal.io = Arc::new(disk.clone());
    options.wal.retry_after = Duration::from_micros(1);
    options.wal.segment_bytes = 400;
    options
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_good_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::default();
    let mut options = with(&disk, dir.path());
    options.wal.retry_after = Duration::from_hours(1);
    let tsdb = open(options);
    append(&tsdb, batch(&[("m", &[(NOW, 1.0)])])).expect("taken");
    // The next: a write of the prefix, a write of the records, the sync.
    {
        let mut state = disk.0.lock();
        (state.fail_in, state.fail_for) = (Some(2), 1);
    }
    let refused = append(&tsdb, batch(&[("m", &[(NOW + 1, 2.0)])])).expect_err("the disk fails");
    assert!(matches!(&refused, AppendError::Unavailable { reason, .. } if reason.contains("gone")));
    let again = append(&tsdb, batch(&[("m", &[(NOW + 1, 2.0)])])).expect_err("not known good");
    assert!(matches!(again, AppendError::Unavailable { .. }));
    assert_eq!(read(&tsdb, "m"), [(NOW, 1.0), (NOW + 1, 2.0)], "not acknowledged, but there");
    drop(tsdb);
    let disk = disk.crash(0);
    let tsdb = open(with(&disk, dir.path()));
    assert_eq!(read(&tsdb, "m"), [(NOW, 1.0), (NOW + 1, 2.0)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_acknowledged_is_there_once(
        steps in prop::collection::vec((0..6u8, 0..12u32, 1..5u32, 0..200usize), 1..25),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut disk = Disk::default();
        let mut tsdb = Some(open(with(&disk, dir.path())));
        let mut acknowledged: BTreeMap<(usize, i64), f64> = BTreeMap::new();
        let mut sent = acknowledged.clone();
        let names = ["a", "b", "c"];
        let mut time = NOW;
        for (at, (step, fail_in, fail_for, bytes)) in steps.into_iter().enumerate() {
            let store = tsdb.as_ref().expect("open");
            match step {
                0 => {
                    let mut state = disk.0.lock();
                    state.fail_in = Some(fail_in);
                    state.fail_for = fail_for;
                    state.partial = bytes;
                }
                1 => {
                    drop(tsdb.take());
                    disk = disk.crash(bytes);
                    tsdb = Some(open(with(&disk, dir.path())));
                }
                2 => drop(store.checkpoint()),
                _ => {
                    time += 1000;
                    let name = at % names.len();
                    let value = at as f64;
                    sent.insert((name, time), value);
                    let mut tries = 0;
                    loop {
                        let result = append(store, batch(&[(names[name], &[(time, value)])]));
                        if let Ok(written) = &result {
                            prop_assert_eq!(written.floats, 1);
                            acknowledged.insert((name, time), value);
                        }
                        tries += 1;
                        if result.is_ok() || tries > 3 {
                            break;
                        }
                    }
                }
            }
        }
        drop(tsdb);
        let disk = disk.crash(0);
        let store = open(with(&disk, dir.path()));
        for (number, name) in names.iter().enumerate() {
            let found = read(&store, name);
            prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{:?}", found);
            for &(timestamp, value) in &found {
                prop_assert_eq!(sent.get(&(number, timestamp)), Some(&value));
            }
            let found: BTreeMap<_, _> = found.into_iter().collect();
            for ((_, timestamp), value) in acknowledged.iter().filter(|((n, _), _)| *n == number) {
                prop_assert_eq!(found.get(timestamp), Some(value), "{}", name);
            }
        }
    }
}

#[test]
fn damage_in_the_middle_is_told_and_a_torn_end_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Disk::default();
    let mut options = with(&disk, dir.path());
    options.wal.segment_bytes = 1 << 20;
    let tsdb = open(options.clone());
    for at in 0..5 {
        append(&tsdb, batch(&[("m", &[(NOW + at, at as f64)])])).expect("taken");
    }
    drop(tsdb);
    let whole = disk.crash(0);
    let damage = |at_from_end: usize, cut: bool| {
        let disk = whole.crash(0);
        let mut state = disk.0.lock();
        let content = state.files.values_mut().next().expect("a segment");
        let at = content.bytes.len() - at_from_end;
        if cut {
            content.bytes.truncate(at);
        } else {
            content.bytes[at] ^= 1;
        }
        drop(state);
        let mut options = options.clone();
        options.wal.io = Arc::new(disk);
        let memory = super::open_result(options);
        memory.map(|tsdb| read(&tsdb, "m").len())
    };
    assert_eq!(damage(1, true).expect("a torn end"), 4);
    assert_eq!(damage(1, false).expect("a torn end"), 4);
    let error = damage(60, false).expect_err("damage");
    assert!(error.to_string().contains("is damaged at byte"), "{error}");
}
