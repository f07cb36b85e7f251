//! Figures of a table, for people.

use model::Table;
use stdx::clock::UnixNanos;

/// What a table holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStatistics {
    /// Which table.
    pub table: Table,
    /// Rows, in files and buffers.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// The files' size.
    pub file_bytes: u64,
    /// Rows that are in no file yet.
    pub buffered_rows: u64,
    /// What these hold in memory.
    pub buffered_bytes: u64,
    /// Columns, fixed ones and attributes'.
    pub columns: u64,
    /// When rows last came.
    pub received_at: Option<UnixNanos>,
    /// The latest `time` of a row, microseconds since 1970.
    pub time_max_us: Option<i64>,
    /// Rows that came since the start.
    pub rows_appended: u64,
    /// The version of the table's Delta log.
    pub version: u64,
}
