//! What can go wrong with data or options. Statistics never panic: an input that has no answer
//! gets one of these, and the message names the column's trouble in the user's words.

/// Why a profile, statistic or estimate could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// One side has no usable values: no rows, all null, or all NaN.
    #[error("{0} has no values")]
    Empty(&'static str),
    /// The two sides do not fit together: other edges, other lengths.
    #[error("cannot combine: {0}")]
    Mismatch(String),
    /// The statistic does not exist for this kind of column.
    #[error("not defined for {0}")]
    Undefined(&'static str),
    /// The column's Arrow type has no values to compare (lists, structs, binary).
    #[error("columns of type {0} cannot be profiled")]
    Type(String),
    /// An option is out of its range.
    #[error("invalid option: {0}")]
    Option(String),
    /// A table could not be read to its end, or somebody has stopped it.
    #[error("{0}")]
    Read(String),
    /// Bytes are not a profile of a version this program reads.
    #[error("cannot decode profile: {0}")]
    Decode(String),
}
