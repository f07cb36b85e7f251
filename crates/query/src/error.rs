//! What can go wrong with a statement, in the words of the one who wrote it.

use std::time::Duration;

use datafusion::common::{Diagnostic, Span};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::Location;

/// Why a statement has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The statement itself is wrong: its syntax, a name, a type, a value.
    #[error("{}", .0.message)]
    Statement(Box<Problem>),
    /// It ran out of its time.
    #[error("query ran longer than {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// It ran out of its memory, or all queries together did.
    #[error("query needs more memory than it may have: {0}")]
    Memory(String),
    /// Too many queries are running and waiting.
    #[error("too many queries are running")]
    Overloaded,
    /// The engine is going down.
    #[error("the query engine is shutting down")]
    ShuttingDown,
    /// Reading failed, or something here is broken.
    #[error("query failed: {0}")]
    Internal(String),
}

/// What is wrong with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// One sentence.
    pub message: String,
    /// What to try instead.
    pub hint: Option<String>,
    /// Where, if the parser or planner knew.
    pub position: Option<Position>,
}

/// A place in the statement's text. Both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl Error {
    /// A wrong statement, without a place.
    pub(crate) fn statement(message: impl Into<String>) -> Error {
        Error::Statement(Box::new(Problem { message: message.into(), hint: None, position: None }))
    }

    /// A wrong statement at a place.
    pub(crate) fn at(location: Location, message: impl Into<String>) -> Error {
        Error::Statement(Box::new(Problem {
            message: message.into(),
            hint: None,
            position: Position::from_location(location),
        }))
    }

    /// Adds a hint to a wrong statement.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Error {
        if let Error::Statement(problem) = &mut self {
            problem.hint = Some(hint.into());
        }
        self
    }

    /// Names a table that is not there as its writer did, and those that are.
    pub(crate) fn with_tables(mut self, names: &[&str]) -> Error {
        if let Error::Statement(problem) = &mut self
            && problem.message.starts_with("table '")
            && problem.message.ends_with("' not found")
        {
            problem.message = problem.message.replacen("trefoil.public.", "", 1);
            problem.hint = Some(format!("tables are {}", names.join(", ")));
        }
        self
    }

    /// The word for it in metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Statement(_) => "statement",
            Error::Timeout(_) => "timeout",
            Error::Memory(_) => "memory",
            Error::Overloaded => "overloaded",
            Error::ShuttingDown => "shutting_down",
            Error::Internal(_) => "internal",
        }
    }
}

impl Position {
    fn from_location(location: Location) -> Option<Position> {
        (location.line > 0).then_some(Position { line: location.line, column: location.column })
    }

    fn from_span(span: Span) -> Option<Position> {
        (span.start.line > 0)
            .then_some(Position { line: span.start.line, column: span.start.column })
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Error {
        translate(&error, None)
    }
}

fn translate(error: &DataFusionError, diagnostic: Option<&Diagnostic>) -> Error {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => translate(inner, Some(diagnostic)),
        DataFusionError::Context(_, inner) => translate(inner, diagnostic),
        DataFusionError::Shared(inner) => translate(inner, diagnostic),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => translate(first, diagnostic),
            None => Error::Internal("the engine reported an empty list of errors".to_owned()),
        },
        DataFusionError::ResourcesExhausted(message) => Error::Memory(first_line(message)),
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Configuration(_)
        | DataFusionError::Execution(_)
        | DataFusionError::ArrowError(..) => problem(error, diagnostic),
        DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => translate(inner, diagnostic),
            None => internal(&inner.to_string()),
        },
        other => internal(&other.strip_backtrace()),
    }
}

/// A mishap, unless it is a regular expression: those are the statement's, and come in several
/// guises.
fn internal(text: &str) -> Error {
    let lower = text.to_lowercase();
    if lower.contains("regular expression") || lower.contains("regex") {
        return Error::statement(format!(
            "the regular expression is not valid: {}",
            text.lines().last().unwrap_or(text).trim_start_matches("error: ")
        ));
    }
    Error::Internal(first_line(text))
}

fn problem(error: &DataFusionError, diagnostic: Option<&Diagnostic>) -> Error {
    let text = error.strip_backtrace();
    let (message, found) = split_position(strip_prefixes(&text));
    let (message, guess) = split_guess(message);
    let hint = attribute_hint(message).or(guess).or_else(|| {
        diagnostic.and_then(|d| d.helps.first()).map(|help| lower_first(&help.message))
    });
    let position = diagnostic.and_then(|d| d.span).and_then(Position::from_span).or(found);
    Error::Statement(Box::new(Problem { message: lower_first(message), hint, position }))
}

/// DataFusion says what kind of error it is before it says the error.
fn strip_prefixes(text: &str) -> &str {
    const PREFIXES: [&str; 9] = [
        "SQL error: ParserError(\"",
        "SQL error: TokenizerError(\"",
        "SQL error: ",
        "Error during planning: ",
        "This feature is not implemented: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "Invalid or Unsupported Configuration: ",
    ];
    let mut rest = text;
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    rest.strip_suffix("\")").unwrap_or(rest)
}

/// The parser writes the place behind the sentence: `… at Line: 1, Column: 8`.
fn split_position(message: &str) -> (&str, Option<Position>) {
    let Some((head, tail)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let Some((line, column)) = tail.split_once(", Column: ") else { return (message, None) };
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    match (line.parse(), digits.parse()) {
        (Ok(line), Ok(column)) => (head, Some(Position { line, column })),
        _ => (message, None),
    }
}

/// The planner ends with `Did you mean 'x'?` and the like: that is a hint.
fn split_guess(message: &str) -> (&str, Option<String>) {
    for mark in ["Did you mean ", "Valid fields are ", "Possible Function"] {
        if let Some(start) = message.find(mark) {
            let (head, guess) = message.split_at(start);
            let head = head.trim_end().trim_end_matches('.').trim_end_matches(',');
            // The list of all fields is long; it only helps where there is no guess.
            let guess = match guess.split_once("Valid fields are ") {
                Some((guess, _)) if !guess.is_empty() => guess,
                _ => guess,
            };
            let guess: String =
                guess.trim().trim_end_matches(['.', '\n']).chars().take(300).collect();
            return (head, Some(lower_first(&guess)));
        }
    }
    (first_line_str(message), None)
}

fn attribute_hint(message: &str) -> Option<String> {
    ["attributes", "resource", "scope"]
        .into_iter()
        .find(|word| message.ends_with(&format!("No field named {word}")))
        .map(|word| format!("an attribute is asked by its key: {word}['key']"))
}

pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn first_line(text: &str) -> String {
    first_line_str(text).to_owned()
}

fn first_line_str(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
