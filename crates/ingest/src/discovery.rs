//! Discovery: finds out where targets are, and goes on finding out.
//!
//! [`start`] runs all ways of one owner and gives their groups together in [`Found`]. A way that
//! fails keeps what it found last.

mod dns;
mod file;
mod http;
mod kubernetes;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use stdx::clock::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(crate) use self::file::read_file;
use crate::prometheus::discovery::{Discovery, Group};

/// What was found so far.
#[derive(Debug)]
pub struct Found {
    slots: Slots,
    version: watch::Receiver<u64>,
}

/// One for each way; `None` until it has answered.
type Slots = Arc<Mutex<Vec<Option<Vec<Group>>>>>;

impl Found {
    /// All groups.
    #[must_use]
    pub fn groups(&self) -> Arc<Vec<Group>> {
        Arc::new(self.slots.lock().iter().flatten().flatten().cloned().collect())
    }

    /// Waits until something changed; `false` when nothing will any more.
    pub async fn changed(&mut self) -> bool {
        self.version.changed().await.is_ok()
    }

    /// Waits until every way has answered once.
    pub async fn all_answered(&mut self) {
        while !self.slots.lock().iter().all(Option::is_some) {
            if !self.changed().await {
                return;
            }
        }
    }
}

/// Where one way puts what it found.
#[derive(Debug, Clone)]
struct Slot {
    slots: Slots,
    index: usize,
    version: Arc<watch::Sender<u64>>,
    /// For logs.
    way: &'static str,
}

impl Slot {
    fn set(&self, groups: Vec<Group>) {
        {
            let mut slots = self.slots.lock();
            let Some(slot) = slots.get_mut(self.index) else { return };
            if slot.as_ref() == Some(&groups) {
                return;
            }
            *slot = Some(groups);
        }
        self.version.send_modify(|version| *version += 1);
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Display) {
        metrics::counter!("trefoil_discovery_failures_total", "way" => self.way).increment(1);
        warn!(way = self.way, what, %error, "discovery failed");
    }
}

/// Starts all ways; they run until `shutdown`.
#[must_use]
pub fn start(ways: &[Discovery], clock: &Clock, seed: u64, shutdown: &CancellationToken) -> Found {
    let slots: Slots = Arc::new(Mutex::new(vec![None; ways.len()]));
    let (sender, version) = watch::channel(0);
    let sender = Arc::new(sender);
    for (index, way) in ways.iter().enumerate() {
        let slot = |name| Slot {
            slots: Arc::clone(&slots),
            index,
            version: Arc::clone(&sender),
            way: name,
        };
        match way.clone() {
            Discovery::Static(groups) => slot("static").set(groups),
            Discovery::File { files, refresh } => {
                let run = file::run(files, refresh, slot("file"));
                drop(stdx::task::spawn("file discovery", shutdown, run));
            }
            Discovery::Dns { names, record, port, refresh } => {
                let run = dns::run(names, record, port, refresh, slot("dns"));
                drop(stdx::task::spawn("dns discovery", shutdown, run));
            }
            Discovery::Http { url, client, refresh } => {
                let run = http::run(url, *client, refresh, clock.clone(), slot("http"));
                drop(stdx::task::spawn("http discovery", shutdown, run));
            }
            Discovery::Kubernetes(settings) => {
                let run = kubernetes::run(*settings, clock.clone(), seed, slot("kubernetes"));
                drop(stdx::task::spawn("kubernetes discovery", shutdown, run));
            }
        }
    }
    Found { slots, version }
}
