//! Why a request was not taken: one variant for each thing a client may do about it. HTTP and gRPC
//! each have their own answer for it.

use std::time::Duration;

use stdx::memory::Full;

use crate::otlp::DecodeError;
use crate::sink::SinkError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The body is not what it should be; sending it again is no use.
    #[error("{message}")]
    Malformed { path: String, message: String },
    /// The body is too large; smaller ones are welcome.
    #[error("{what} is over {bytes_max} bytes, send smaller requests")]
    TooLarge { what: &'static str, bytes_max: usize },
    /// A content type or encoding that is not known here.
    #[error("{0}")]
    Unsupported(String),
    /// There is no room for it now.
    #[error("{message}")]
    Busy { message: String, retry_after: Duration },
    /// It cannot be stored now.
    #[error("{message}")]
    Unavailable { message: String, retry_after: Duration },
    /// The client did not send all of it in time, or went away.
    #[error("{0}")]
    Incomplete(String),
    /// There is no such thing here.
    #[error("{0}")]
    NotFound(&'static str),
    /// A bug on this side.
    #[error("{0}")]
    Internal(String),
}

impl Refusal {
    /// The word for metrics.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Refusal::Malformed { .. } => "malformed",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::Unsupported(_) => "unsupported",
            Refusal::Busy { .. } => "busy",
            Refusal::Unavailable { .. } => "unavailable",
            Refusal::Incomplete(_) => "incomplete",
            Refusal::NotFound(_) => "not_found",
            Refusal::Internal(_) => "internal",
        }
    }

    /// How long the client should wait before it tries again; `None` when it should not.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Busy { retry_after, .. } | Refusal::Unavailable { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    pub(crate) fn memory(full: &Full, retry_after: Duration) -> Refusal {
        Refusal::Busy { message: full.to_string(), retry_after }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Refusal {
        let message = error.to_string();
        match error {
            DecodeError::Malformed { path, .. } => Refusal::Malformed { path, message },
            DecodeError::TooLarge { bytes_max, .. } => {
                Refusal::TooLarge { what: "the text in the request", bytes_max }
            }
        }
    }
}

impl From<SinkError> for Refusal {
    fn from(error: SinkError) -> Refusal {
        let message = error.to_string();
        match error {
            SinkError::Full { retry_after } => Refusal::Busy { message, retry_after },
            SinkError::Unavailable { retry_after, .. } => {
                Refusal::Unavailable { message, retry_after }
            }
            SinkError::ShuttingDown => {
                Refusal::Unavailable { message, retry_after: Duration::from_secs(1) }
            }
        }
    }
}
