//! What a body in the write-ahead log is.

use model::Table;

/// How a body is encoded. The numbers are written to disk and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Format {
    /// `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest` as protobuf.
    OtlpTraces = 1,
    /// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest` as protobuf.
    OtlpLogs = 2,
}

/// A number that is no format of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload format {0} is not known to this version")]
pub struct UnknownFormat(pub u8);

impl Format {
    /// The number on disk.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The table that its rows belong to.
    #[must_use]
    pub const fn table(self) -> Table {
        match self {
            Format::OtlpTraces => Table::Spans,
            Format::OtlpLogs => Table::Logs,
        }
    }
}

impl TryFrom<u8> for Format {
    type Error = UnknownFormat;

    fn try_from(number: u8) -> Result<Format, UnknownFormat> {
        match number {
            1 => Ok(Format::OtlpTraces),
            2 => Ok(Format::OtlpLogs),
            other => Err(UnknownFormat(other)),
        }
    }
}
