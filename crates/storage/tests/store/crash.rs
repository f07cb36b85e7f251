//! A random life: appends, faults of the disk and of the object store, crashes. After each of
//! them every acknowledged row is there exactly once, and no row is there twice.
//!
//! `TREFOIL_SEED=7 cargo nextest run -p storage random` repeats one life; without it, some seeds
//! are run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use storage::{Options, Store};

use crate::support::disk::Disk;
use crate::support::objects::Objects;
use crate::support::*;

/// What a life may do.
const STEPS: usize = 60;

fn seeds() -> Vec<u64> {
    #[expect(clippy::disallowed_methods, reason = "a person repeats a failure with it")]
    match std::env::var("TREFOIL_SEED") {
        Ok(seed) => vec![seed.parse().expect("TREFOIL_SEED is a number")],
        Err(_) => (1..=12).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_row_is_there_exactly_once_in_a_random_life() {
    for seed in seeds() {
        eprintln!("TREFOIL_SEED={seed}");
        Life::new(seed).live().await;
    }
}

struct Life {
    random: StdRng,
    dir: tempfile::TempDir,
    disk: Disk,
    objects: Objects,
    store: Option<Store>,
    next_id: u64,
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Life {
    fn new(seed: u64) -> Life {
        Life {
            random: StdRng::seed_from_u64(seed),
            dir: tempfile::tempdir().expect("a directory"),
            disk: Disk::new(seed),
            objects: Objects::new(seed),
            store: None,
            next_id: 0,
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    async fn live(mut self) {
        self.born().await;
        for _ in 0..STEPS {
            self.step().await;
        }
        self.well();
        self.check().await;
        self.die();
        self.born().await;
        self.check().await;
        let store = self.store.take().expect("is alive");
        store.shutdown().await.expect("nothing fails any more");
        assert!(self.disk.files().len() <= 1, "all is in the tables");
        self.born().await;
        self.check().await;
    }

    fn options(&mut self) -> Options {
        let mut options = in_store(options(&self.dir), Arc::new(self.objects.clone()));
        options.wal.io = Arc::new(self.disk.clone());
        options.wal.segment_bytes = self.random.random_range(2_000..40_000);
        options.background = self.random.random_bool(0.3);
        options.flush.retry_min = Duration::from_millis(1);
        options.flush.retry_max = Duration::from_millis(10);
        options.flush.buffer_bytes = self.random.random_range(20_000..400_000);
        options.maintenance.interval = Duration::from_millis(20);
        options.maintenance.compact_files_min = 3;
        options.columns.soft_max = 5;
        options
    }

    async fn born(&mut self) {
        loop {
            let options = self.options();
            match Store::open(options, Arc::new(Ipc), clock()).await {
                Ok(store) => {
                    self.store = Some(store);
                    return;
                }
                Err(storage::Error::Locked { .. }) => tokio::task::yield_now().await,
                Err(error @ (storage::Error::Corrupt { .. } | storage::Error::Version { .. })) => {
                    panic!("{error}");
                }
                // The object store failed.
                Err(_) => self.well(),
            }
        }
    }

    fn die(&mut self) {
        self.store = None;
        self.objects = self.objects.reborn();
        self.disk.crash();
    }

    fn well(&self) {
        self.disk.fail_percent(0);
        self.objects.fail_percent(0);
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..40 => self.append(1).await,
            40..55 => {
                let at_once = self.random.random_range(2..12);
                self.append(at_once).await;
            }
            55..70 => drop(self.store().flush().await),
            70..76 => drop(self.store().compact().await),
            76..79 => drop(self.store().checkpoint().await),
            79..81 => drop(self.store().vacuum().await),
            81..88 => {
                self.disk.fail_percent(self.random.random_range(0..20));
                self.objects.fail_percent(self.random.random_range(0..8));
            }
            88..92 => self.well(),
            92..98 => {
                self.die();
                self.born().await;
                self.check().await;
            }
            _ => self.check().await,
        }
    }

    async fn append(&mut self, at_once: usize) {
        let groups: Vec<Vec<Row>> = (0..at_once).map(|_| self.rows()).collect();
        let appends = groups.iter().map(|rows| append(self.store(), rows));
        let results = futures::future::join_all(appends).await;
        for (rows, result) in groups.into_iter().zip(results) {
            let known = if result.is_ok() { &mut self.acknowledged } else { &mut self.refused };
            known.extend(rows.into_iter().map(|row| row.id));
        }
    }

    fn rows(&mut self) -> Vec<Row> {
        let count = self.random.random_range(1..20);
        (0..count)
            .map(|_| {
                self.next_id += 1;
                let key = format!("key{}", self.random.random_range(0..8));
                let value = match self.random.random_range(0..3) {
                    0 => Value::Int(1),
                    1 => Value::Text("one".to_owned()),
                    _ => Value::Double(1.0),
                };
                let day = self.random.random_range(-1..=1);
                Row { time_us: NOON_US + day * DAY_US, ..row(self.next_id).with(key, value) }
            })
            .collect()
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("is alive")
    }

    /// The disk and the object store are well while we look: a query that fails proves nothing.
    async fn check(&self) {
        self.well();
        let there = ids(self.store()).await;
        for (id, count) in &there {
            assert_eq!(*count, 1, "row {id} is there {count} times");
            let known = self.acknowledged.contains(id) || self.refused.contains(id);
            assert!(known, "row {id} was never sent");
        }
        for id in &self.acknowledged {
            assert!(there.contains_key(id), "row {id} was acknowledged and is gone");
        }
    }
}
