//! Why the store cannot do something, beside taking samples.

use std::io;
use std::path::PathBuf;

/// Why the store cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not as it was written.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Another process has the directory.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// Which directory.
        path: PathBuf,
    },
    /// The blocks cannot be read or written.
    #[error(transparent)]
    Block(#[from] crate::block::Error),
    /// The request is not one that can be answered.
    #[error("{0}")]
    Invalid(String),
    /// The log cannot be written.
    #[error("the log cannot be written: {0}")]
    Log(String),
    /// The store is being closed.
    #[error("the store is shutting down")]
    ShuttingDown,
}

impl Error {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { doing, path, source }
    }
}
