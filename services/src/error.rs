//! Why a service cannot run.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a service or the load generator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
    /// Telemetry could not be set up.
    #[error("cannot set up telemetry")]
    Telemetry(#[from] sdk::Error),
    /// The address of Redis is no address.
    #[error("{url:?} is no Redis address")]
    RedisUrl {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        #[source]
        source: redis::RedisError,
    },
    /// The model could not be trained.
    #[error("cannot train the model: {0}")]
    Train(String),
    /// The model's file could not be read or written.
    #[error("cannot use the model file {path}")]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The HTTP client could not be made.
    #[error("cannot build the HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// The service to be loaded does not answer.
    #[error("{target} is not ready after {seconds} s")]
    TargetNotReady {
        /// Its address.
        target: String,
        /// How long it was waited for.
        seconds: u64,
    },
}
