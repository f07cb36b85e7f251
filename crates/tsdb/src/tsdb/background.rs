//! The store's own threads: one cuts and writes checkpoints, one looks after blocks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Inner, Tsdb};
use crate::compact;
use crate::error::Error;

/// Ends threads that wait for their next turn.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock() = true;
        self.bell.notify_all();
    }

    /// Waits for the time; says whether the bell has rung.
    fn wait(&self, time: Duration) -> bool {
        let mut rung = self.rung.lock();
        if !*rung {
            self.bell.wait_for(&mut rung, time);
        }
        *rung
    }
}

/// Starts the threads whose interval is not zero.
pub(super) fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>, Error> {
    let options = &inner.options;
    let mut threads = Vec::new();
    if !options.maintain_every.is_zero() {
        threads.push(spawn("trefoil-mcut", inner, options.maintain_every, Inner::maintain)?);
    }
    if !options.compact_every.is_zero() {
        threads.push(spawn("trefoil-mmerge", inner, options.compact_every, Inner::compact)?);
    }
    Ok(threads)
}

fn spawn(
    name: &'static str,
    inner: &Arc<Inner>,
    every: Duration,
    work: fn(&Inner) -> Result<(), Error>,
) -> Result<JoinHandle<()>, Error> {
    let inner = Arc::clone(inner);
    let dir = inner.options.dir.clone();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            while !inner.bell.wait(every) {
                if let Err(error) = work(&inner) {
                    if inner.closing.load(Ordering::Acquire) {
                        return;
                    }
                    metrics::counter!("trefoil_tsdb_background_failures_total").increment(1);
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(name, %error, source, "work on the metrics' store failed");
                }
            }
        })
        .map_err(Error::io("start a thread for", dir))
}

impl Tsdb {
    /// Merges, thins out and deletes blocks as the policy says. The background thread calls it
    /// again and again.
    pub fn compact(&self) -> Result<(), Error> {
        self.inner.compact()
    }

    /// Writes blocks that have deleted samples anew, without them. Returns how many.
    pub fn clean_tombstones(&self) -> Result<usize, Error> {
        let mut cleaned = 0;
        for store in self.inner.all_tenants() {
            cleaned += compact::clean_tombstones(&store.blocks)?;
        }
        Ok(cleaned)
    }
}

impl Inner {
    fn compact(&self) -> Result<(), Error> {
        let now = self.clock.now() / 1_000_000;
        for store in self.all_tenants() {
            let stop = || self.closing.load(Ordering::Acquire);
            if stop() {
                return Ok(());
            }
            let done = compact::maintain(&store.blocks, &self.options.compaction, now, &stop);
            // Merging alone changes no sample.
            if !done.as_ref().is_ok_and(|done| done.downsampled + done.deleted + done.trimmed == 0)
            {
                store.changes.changed();
            }
            done?;
        }
        Ok(())
    }
}
