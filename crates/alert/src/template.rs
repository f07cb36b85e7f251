//! Templates of labels and annotations: Go's `text/template` with Prometheus's functions.
//!
//! The engine is pure: a `query` in a template whose answer is not known ends the expansion with
//! [`Stop::Query`]; the caller asks, adds the answer to the [`Data`] and expands again.

mod eval;
mod format;
mod functions;
mod humanize;
mod lexer;
mod parser;
mod value;

use std::collections::{BTreeMap, HashMap};

pub use self::value::Value;
use crate::query::Sample;

/// A template that was read.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    nodes: Vec<parser::Node>,
    defined: HashMap<String, Vec<parser::Node>>,
}

/// What a template can see.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// `$labels`.
    pub labels: BTreeMap<String, String>,
    /// `$externalLabels`.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL`.
    pub external_url: String,
    /// `$value`.
    pub value: f64,
    /// The time of the evaluation, milliseconds since 1970.
    pub time: i64,
    /// What queries in templates gave so far.
    pub answers: HashMap<String, Vec<Sample>>,
}

/// Why an expansion did not end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The answer to this query is needed.
    #[error("the answer to {0:?} is needed")]
    Query(String),
    /// The template is wrong.
    #[error("{0}")]
    Error(String),
}

/// Variables that every template begins with.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// The most bytes that one template may write.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// The most steps that one template may take.
pub const STEPS_MAX: usize = 1_000_000;

impl Template {
    /// Reads a template; errors have its name and line, as Go prints them.
    pub fn parse(name: &str, text: &str) -> Result<Template, String> {
        let mut defined = HashMap::new();
        let nodes = parser::parse(text, &VARIABLES, &mut defined)
            .map_err(|error| format!("template: {name}:{}: {}", error.line, error.message))?;
        Ok(Template { name: name.to_owned(), nodes, defined })
    }

    /// Whether it is only text.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, parser::Node::Text(_)))
    }

    /// Writes it with `data`.
    pub fn expand(&self, data: &Data) -> Result<String, Stop> {
        match eval::run(&self.nodes, &self.defined, data) {
            Ok(text) => Ok(text),
            Err(Stop::Error(error)) => Err(Stop::Error(format!(
                "error executing template {}: template: {}: {error}",
                self.name, self.name
            ))),
            Err(stop) => Err(stop),
        }
    }
}

#[cfg(test)]
mod tests;
