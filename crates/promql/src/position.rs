//! Where something stands in the text of a query.

use std::fmt;

/// A range of bytes in the text of a query, `start` inclusive, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PosRange {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl PosRange {
    /// From `start` to before `end`.
    #[must_use]
    pub fn new(start: u32, end: u32) -> PosRange {
        PosRange { start, end }
    }

    /// From the start of `self` to the end of `last`.
    #[must_use]
    pub fn to(self, last: PosRange) -> PosRange {
        PosRange { start: self.start, end: last.end }
    }

    /// The start as line and column of `query`, both from 1; columns count bytes, as Prometheus
    /// counts them.
    #[must_use]
    pub fn line_column(self, query: &str) -> LineColumn {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        if start > query.len() {
            return LineColumn(None);
        }
        let before = query.as_bytes().get(..start).unwrap_or_default();
        let (mut line, mut line_start) = (1, 0);
        for (at, &byte) in before.iter().enumerate() {
            if byte == b'\n' {
                (line, line_start) = (line + 1, at + 1);
            }
        }
        LineColumn(Some((line, start - line_start + 1)))
    }
}

/// A line and a column, as Prometheus prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn(pub Option<(usize, usize)>);

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, "{line}:{column}"),
            None => f.write_str("unknown position"),
        }
    }
}
