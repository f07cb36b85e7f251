//! The search language of the pages for logs and traces.
//!
//! Terms are joined by AND. A word or a `"quoted phrase"` is looked for in the text (a log's body, a
//! span's name) as whole words, in any case; `*` in a word stands for anything, so `conn*` finds
//! parts of words, at the price of reading every line. `key:value` or `key=value` compares a column or an attribute; `!=`,
//! `>`, `>=`, `<`, `<=` and `=~"regex"` do what they say; `key:*` asks whether it is there; `*` in an
//! unquoted value stands for anything. A `-` before a term turns it around.
//!
//! It becomes a condition in SQL whose values are all parameters.

mod condition;
mod parser;

pub(crate) use condition::{Conditions, Subject, level_word};
pub(crate) use parser::parse;

/// One term.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    pub(crate) negated: bool,
    pub(crate) matcher: Matcher,
    /// Where it starts in the text, from 1, in characters.
    pub(crate) column: u64,
}

/// What a term asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Matcher {
    /// The text has this, as whole words in a row.
    Words(String),
    /// The text has something like this; `*` stands for anything.
    Pattern(String),
    /// The field compares so.
    Compare { key: String, op: Op, value: String },
    /// The field looks like this; `*` was in the value.
    Like { key: String, pattern: String },
    /// The field is there.
    Exists { key: String },
}

/// How a field compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Matches,
}

impl Op {
    /// The operator in SQL; `None` for what is a function there.
    pub(crate) fn sql(self) -> Option<&'static str> {
        Some(match self {
            Op::Equal => "=",
            Op::NotEqual => "<>",
            Op::Greater => ">",
            Op::GreaterOrEqual => ">=",
            Op::Less => "<",
            Op::LessOrEqual => "<=",
            Op::Matches => return None,
        })
    }
}
