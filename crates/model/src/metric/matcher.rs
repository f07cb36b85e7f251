//! What selects series: a label's name, an operator, a value.

use std::fmt;

use regex::Regex;

use super::go_regex::from_go;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// One condition on a label. A label that a series lacks is compared as the empty text.
#[derive(Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what; of the regex operators the expression as it was written.
    pub value: String,
    regex: Option<Regex>,
}

/// A regular expression that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidMatcher {
    /// What is wrong with it.
    pub reason: String,
}

/// The most bytes that a compiled expression may take.
const REGEX_BYTES_MAX: usize = 8 << 20;

/// As Prometheus compiles it.
fn anchored(pattern: &str) -> String {
    format!("^(?s:{})$", from_go(pattern))
}

impl Matcher {
    /// Compiles the expression where there is one; it is anchored at both ends, and `.` matches
    /// line breaks too, as in Prometheus.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Matcher, InvalidMatcher> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                let mut builder = regex::RegexBuilder::new(&anchored(&value));
                let built = builder.size_limit(REGEX_BYTES_MAX).build();
                Some(built.map_err(|error| InvalidMatcher { reason: error.to_string() })?)
            }
        };
        Ok(Matcher { name, op, value, regex })
    }

    /// `name = value`.
    #[must_use]
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Whether a label's value satisfies it.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Regex, Some(regex)) => regex.is_match(value),
            (MatchOp::NotRegex, Some(regex)) => !regex.is_match(value),
            (MatchOp::Regex | MatchOp::NotRegex, None) => false,
        }
    }

    /// Whether series without the label satisfy it.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}

impl Eq for Matcher {}

impl std::hash::Hash for Matcher {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.op, &self.name, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (op, value, text, expect) in [
            (MatchOp::Equal, "a", "a", true),
            (MatchOp::NotEqual, "a", "a", false),
            (MatchOp::Regex, "a|b", "b", true),
            (MatchOp::Regex, "a|b", "ab", false),
            (MatchOp::Regex, "a.c", "a\nc", true),
            (MatchOp::NotRegex, "a.*", "b", true),
            (MatchOp::Regex, "", "", true),
            (MatchOp::Regex, "/users/{id}", "/users/{id}", true),
        ] {
            let matcher = Matcher::new("l", op, value).expect("a matcher");
            assert_eq!(matcher.matches(text), expect, "{matcher} on {text:?}");
        }
        assert!(Matcher::new("l", MatchOp::Regex, "(").is_err());
    }
}
