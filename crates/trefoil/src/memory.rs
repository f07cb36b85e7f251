//! How the process's ceiling is shared out, and what keeps it: memory is counted before it is used,
//! and what nobody counted is measured and counts as well.

use std::time::Duration;

use stdx::memory::{Budget, Reservation};
use tokio_util::sync::CancellationToken;

/// The parts of the ceiling. What is not here is the program itself.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    /// All of it.
    pub(crate) limit_bytes: usize,
    /// What the parts below stand under, and what was measured beside them.
    process: Budget,
    /// Requests that bring data, while they are decoded and wait for the disk.
    pub(crate) requests: Budget,
    /// Rows that are in no file yet.
    pub(crate) buffers: Budget,
    /// The series and samples of metrics that are in no block yet.
    pub(crate) metrics: Budget,
    /// Questions.
    pub(crate) queries: Budget,
    /// Files that are made into larger ones.
    pub(crate) merges: Budget,
    /// Footers of files, per table.
    pub(crate) cache_bytes: usize,
}

/// What the program takes of the ceiling before it holds anybody's data: its code, its threads, what
/// the engine sets up.
const PROGRAM_BYTES: usize = 100 << 20;
/// One part in so many stays free for what is taken between two measurements.
const SPARE: usize = 8;
/// One part in so many can be reserved whatever was measured, so that work goes on.
const WORKING: usize = 32;

impl Shares {
    pub(crate) fn of(limit_bytes: usize) -> Shares {
        let shared = limit_bytes - PROGRAM_BYTES.min(limit_bytes / 5 * 2);
        let process = Budget::new("process", limit_bytes - limit_bytes / SPARE);
        Shares {
            limit_bytes,
            requests: process.child("requests", shared / 12),
            buffers: process.child("buffers", shared / 8),
            metrics: process.child("metrics", shared / 4),
            queries: process.child("queries", shared / 6),
            merges: process.child("merges", limit_bytes / 16),
            cache_bytes: shared / 32 / model::Table::ALL.len(),
            process,
        }
    }

    /// A table's buffer is written to a file when it has grown to this, if nobody said otherwise:
    /// while one is written, others still have room.
    pub(crate) fn flush_bytes(&self) -> usize {
        (self.buffers.limit_bytes() / 3).min(64 << 20)
    }

    /// Measures the process until it stops. What is resident and reserved by nobody takes room from
    /// everybody, so that near the ceiling clients are told to come back.
    pub(crate) fn watch(&self, stopping: CancellationToken) -> std::io::Result<()> {
        let mut uncounted = Uncounted::new(&self.process);
        let watch = move || {
            while !stopping.is_cancelled() {
                if uncounted.measure() > uncounted.process.limit_bytes() / 8 * 7 {
                    give_back_free_pages();
                    uncounted.measure();
                }
                std::thread::park_timeout(uncounted.pause());
            }
        };
        std::thread::Builder::new().name("memory".to_owned()).spawn(watch).map(drop)
    }
}

/// The part of the resident memory that no reservation stands for.
struct Uncounted {
    process: Budget,
    held: Reservation,
    resident_bytes: usize,
}

impl Uncounted {
    fn new(process: &Budget) -> Uncounted {
        Uncounted { process: process.clone(), held: process.force(0), resident_bytes: 0 }
    }

    fn measure(&mut self) -> usize {
        self.measured(usize::try_from(resident_bytes()).unwrap_or(usize::MAX));
        self.resident_bytes
    }

    fn measured(&mut self, resident_bytes: usize) {
        self.resident_bytes = resident_bytes;
        let reserved = self.process.used_bytes().saturating_sub(self.held.bytes());
        let limit = self.process.limit_bytes();
        let uncounted = resident_bytes.saturating_sub(reserved).min(limit - limit / WORKING);
        if let Some(more) = uncounted.checked_sub(self.held.bytes()) {
            self.held.merge(self.process.force(more));
        } else {
            self.held.resize(uncounted).expect("giving back needs no room");
        }
    }

    /// Until the next measurement: short where there is little room.
    fn pause(&self) -> Duration {
        let near = self.resident_bytes > self.process.limit_bytes() / 4 * 3;
        Duration::from_millis(if near { 10 } else { 100 })
    }
}

/// Pages that the allocator keeps for a while after they were freed go back to the system at once.
#[expect(unsafe_code, reason = "the allocator has no other interface")]
fn give_back_free_pages() {
    // Of all arenas: their number as jemalloc's manual has it, MALLCTL_ARENAS_ALL.
    const PURGE: &std::ffi::CStr = c"arena.4096.purge";
    let none = std::ptr::null_mut();
    // SAFETY: the name ends with a zero, and this control reads and writes nothing of ours.
    let refused =
        unsafe { tikv_jemalloc_sys::mallctl(PURGE.as_ptr(), none, std::ptr::null_mut(), none, 0) };
    debug_assert_eq!(refused, 0, "a control of every jemalloc");
}

/// What the system counts as resident, bytes; 0 where it does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reserved_takes_room_from_everybody() {
        let shares = Shares::of(1 << 30);
        let mut uncounted = Uncounted::new(&shares.process);
        let wanted = 32 << 20;
        let held = shares.queries.reserve(wanted).expect("room");
        uncounted.measured(300 << 20);
        assert_eq!(shares.process.used_bytes(), 300 << 20, "reserved and measured are one");
        drop(shares.requests.reserve(wanted).expect("room"));

        uncounted.measured(950 << 20);
        let full = shares.requests.reserve(wanted).expect_err("too little room");
        assert_eq!(full.name, "process");

        drop(held);
        uncounted.measured(300 << 20);
        assert_eq!(shares.process.used_bytes(), 300 << 20);
        drop(shares.requests.reserve(wanted).expect("room again"));
    }

    #[test]
    fn a_little_can_be_reserved_whatever_was_measured() {
        let shares = Shares::of(256 << 20);
        let mut uncounted = Uncounted::new(&shares.process);
        uncounted.measured(400 << 20);
        drop(shares.requests.reserve(4 << 20).expect("room to work in"));
    }
}
