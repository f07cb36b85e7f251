//! How the process's ceiling is shared out.

use stdx::memory::Budget;

/// The parts of the ceiling. What is not here is the program itself, and its work on files.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    /// All of it.
    pub(crate) limit_bytes: usize,
    /// Requests that bring data, while they are decoded and wait for the disk.
    pub(crate) requests: Budget,
    /// Rows that are in no file yet.
    pub(crate) buffers: Budget,
    /// The series and samples of metrics that are in no block yet.
    pub(crate) metrics: Budget,
    /// Questions.
    pub(crate) queries: Budget,
    /// Footers of files, per table.
    pub(crate) cache_bytes: usize,
}

/// What the program takes of the ceiling before it holds anybody's data: its code, its threads, what
/// the engine sets up.
const PROGRAM_BYTES: usize = 100 << 20;

impl Shares {
    pub(crate) fn of(limit_bytes: usize) -> Shares {
        let shared = limit_bytes - PROGRAM_BYTES.min(limit_bytes / 5 * 2);
        Shares {
            limit_bytes,
            requests: Budget::new("requests", shared / 12),
            buffers: Budget::new("buffers", shared / 8),
            metrics: Budget::new("metrics", shared / 4),
            queries: Budget::new("queries", shared / 6),
            cache_bytes: shared / 32 / model::Table::ALL.len(),
        }
    }

    /// A table's buffer is written to a file when it has grown to this, if nobody said otherwise:
    /// while one is written, others still have room.
    pub(crate) fn flush_bytes(&self) -> usize {
        (self.buffers.limit_bytes() / 3).min(64 << 20)
    }
}

/// What the system counts as resident, bytes; 0 where it does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
