//! What can go wrong, by what a caller may do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::Table;

use crate::file::WriteError;

/// Why the store cannot be opened or a job of it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the data directory.
    #[error("data directory is in use by another process: lock {path} is held")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Acknowledged rows cannot be read back; going on would lose them in silence.
    #[error("write-ahead log is damaged: {path} at byte {offset}: {reason}")]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The log was written by a newer version.
    #[error("write-ahead log {path} has version {version}, this program reads version 1")]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The location of the tables cannot be used.
    #[error("cannot use {url} as the tables' location")]
    Location {
        /// As configured.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table's log cannot be read or written.
    #[error("cannot {action} table {table}")]
    Delta {
        /// What was tried.
        action: &'static str,
        /// Which table.
        table: Table,
        /// Why.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// A file of a table cannot be written.
    #[error("cannot write a file of table {table}")]
    Write {
        /// Which table.
        table: Table,
        /// Why.
        #[source]
        source: WriteError,
    },
    /// A file of a table cannot be read, listed or removed.
    #[error("cannot {action} of table {table}")]
    Files {
        /// What was tried.
        action: &'static str,
        /// Which table.
        table: Table,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The writer of the log has ended.
    #[error("store is shut down")]
    ShutDown,
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn delta(
        action: &'static str,
        table: Table,
    ) -> impl FnOnce(deltalake::DeltaTableError) -> Error {
        move |source| Error::Delta { action, table, source: Box::new(source) }
    }

    pub(crate) fn files<E>(action: &'static str, table: Table) -> impl FnOnce(E) -> Error
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Error::Files { action, table, source: source.into() }
    }
}

/// Why rows were not taken. None of them is kept.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The buffers are full; what is in them is being written.
    #[error("buffers are full")]
    Full {
        /// Which limit.
        #[source]
        source: stdx::memory::Full,
        /// When to try again.
        retry_after: Duration,
    },
    /// The write-ahead log cannot be written just now.
    #[error("write-ahead log cannot be written: {reason}")]
    Unavailable {
        /// What the disk said.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The batch does not fit the table, or the body does not fit the log.
    #[error("rows do not fit the table: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// The store is closing.
    #[error("store is shutting down")]
    ShuttingDown,
}
