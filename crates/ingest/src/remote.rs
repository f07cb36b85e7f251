//! Prometheus's remote write and remote read.
//!
//! [`router`] takes remote write 1.0 and 2.0 in, straight from protobuf to a
//! [`Batch`](model::metric::Batch); [`encode()`] writes both, for forwarding. What it takes of a
//! request is stored even when other parts of it are not: these are told in a 400, which senders do
//! not repeat, with the numbers of what was written in headers.
//!
//! [`read_router`] answers remote read from a [`ReadSource`].
//!
//! Specifications: <https://prometheus.io/docs/specs/prw/remote_write_spec/>,
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>.

mod decode;
mod encode;
mod histogram_chunk;
mod read;
mod receive;
#[cfg(test)]
mod tests;
mod xor;

pub use self::decode::{WriteError, decode_write};
pub use self::encode::{compress, encode};
pub use self::read::{
    ReadError, ReadLimits, ReadPoints, ReadQuery, ReadSeries, ReadSource, read_router,
};
pub use self::receive::router;
pub(crate) use self::receive::{plain, refuse, rejections};

/// Which message a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

impl Version {
    /// The `Content-Type` of requests.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Version::V1 => "application/x-protobuf",
            Version::V2 => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        }
    }

    /// The `X-Prometheus-Remote-Write-Version` of requests.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Version::V1 => "0.1.0",
            Version::V2 => "2.0.0",
        }
    }

    /// For metrics.
    const fn protocol(self) -> &'static str {
        match self {
            Version::V1 => "remote_write_1",
            Version::V2 => "remote_write_2",
        }
    }
}

/// The header with the number of samples that were written.
pub const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";
/// The same of native histograms.
pub const HISTOGRAMS_WRITTEN: &str = "x-prometheus-remote-write-histograms-written";
/// The same of exemplars.
pub const EXEMPLARS_WRITTEN: &str = "x-prometheus-remote-write-exemplars-written";
