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
    /// Questions.
    pub(crate) queries: Budget,
    /// Footers of files, per table.
    pub(crate) cache_bytes: usize,
}

impl Shares {
    pub(crate) fn of(limit_bytes: usize) -> Shares {
        Shares {
            limit_bytes,
            requests: Budget::new("requests", limit_bytes / 12),
            buffers: Budget::new("buffers", limit_bytes / 6),
            queries: Budget::new("queries", limit_bytes / 6),
            cache_bytes: limit_bytes / 32 / model::Table::ALL.len(),
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
