//! What is wrong with a query, and where.

use std::fmt;

use crate::position::PosRange;

/// A query that cannot be parsed. Prints as Prometheus prints it: `1:21: parse error: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where.
    pub position: PosRange,
    /// What, without the position.
    pub message: String,
    /// Line and column of the start, both from 1; none when the position is outside of the query.
    pub line_column: Option<(usize, usize)>,
}

impl ParseError {
    pub(crate) fn new(query: &str, position: PosRange, message: impl Into<String>) -> ParseError {
        let line_column = position.line_column(query).0;
        ParseError { position, message: message.into(), line_column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line_column {
            Some((line, column)) => write!(f, "{line}:{column}: parse error: {}", self.message),
            None => write!(f, "invalid position: parse error: {}", self.message),
        }
    }
}

impl std::error::Error for ParseError {}
