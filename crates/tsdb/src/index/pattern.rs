//! What a matcher asks for, in a form that an index can answer without trying every value.

use model::metric::{MatchOp, Matcher, from_go};
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Hir, HirKind};

/// Most literals that an expression is taken apart into.
const LITERALS_MAX: usize = 4096;

/// What values satisfy a matcher's expression; a negative matcher asks for the others.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// No value.
    Never,
    /// Every value.
    Any,
    /// Every value but the empty one.
    NotEmpty,
    /// These values.
    OneOf(Vec<String>),
    /// All that begin so.
    Prefix(String),
    /// Those that match, which begin with one of the prefixes where any are given.
    Scan {
        /// None begins with another.
        prefixes: Vec<String>,
        /// The expression.
        regex: Matched,
    },
}

/// A matcher's expression, without its negation.
#[derive(Debug)]
pub(crate) struct Matched {
    matcher: Matcher,
    negative: bool,
}

impl Matched {
    pub(crate) fn is_match(&self, value: &str) -> bool {
        self.matcher.matches(value) != self.negative
    }
}

impl Pattern {
    /// The pattern of a matcher, its negation left aside.
    pub(crate) fn of(matcher: &Matcher) -> Pattern {
        match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Pattern::OneOf(vec![matcher.value.clone()]),
            MatchOp::Regex | MatchOp::NotRegex => Pattern::of_regex(matcher),
        }
    }

    fn of_regex(matcher: &Matcher) -> Pattern {
        let negative = matcher.op == MatchOp::NotRegex;
        let scan = |prefixes| {
            let regex = Matched { matcher: matcher.clone(), negative };
            Pattern::Scan { prefixes, regex }
        };
        let parser = regex_syntax::ParserBuilder::new().dot_matches_new_line(true).build();
        let Ok(hir) = { parser }.parse(&from_go(&matcher.value)) else { return scan(Vec::new()) };
        if is_any(&hir, 0) {
            return Pattern::Any;
        }
        if is_any(&hir, 1) {
            return Pattern::NotEmpty;
        }
        if let Some(prefix) = literal_and_rest(&hir) {
            return Pattern::Prefix(prefix);
        }
        // Anchors inside the expression are empty to the extractor, which is then not exact.
        let mut extractor = Extractor::new();
        extractor.limit_class(64).limit_repeat(16).limit_literal_len(512).limit_total(LITERALS_MAX);
        let prefixes = extractor.kind(ExtractKind::Prefix).extract(&hir);
        if prefixes.is_exact() && hir.properties().look_set().is_empty() {
            return literals(&prefixes).map_or_else(|| scan(Vec::new()), Pattern::exactly);
        }
        scan(literals(&prefixes).map(shortest).unwrap_or_default())
    }

    fn exactly(literals: Vec<String>) -> Pattern {
        if literals.is_empty() { Pattern::Never } else { Pattern::OneOf(literals) }
    }
}

/// Whether it is `.*` (at least 0) or `.+` (at least 1).
fn is_any(hir: &Hir, min: u32) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            repetition.min == min && repetition.max.is_none() && is_dot(&repetition.sub)
        }
        HirKind::Capture(capture) => is_any(&capture.sub, min),
        _ => false,
    }
}

fn is_dot(hir: &Hir) -> bool {
    *hir == Hir::dot(regex_syntax::hir::Dot::AnyChar)
}

/// The literal of `literal.*`.
fn literal_and_rest(hir: &Hir) -> Option<String> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [first, rest] = parts.as_slice() else { return None };
    let HirKind::Literal(literal) = first.kind() else { return None };
    if !is_any(rest, 0) {
        return None;
    }
    String::from_utf8(literal.0.to_vec()).ok()
}

/// The literals of a finite sequence, if they are text.
fn literals(seq: &Seq) -> Option<Vec<String>> {
    let literals = seq.literals()?;
    literals.iter().map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok()).collect()
}

/// Leaves out what begins with another; none when one is empty.
fn shortest(mut prefixes: Vec<String>) -> Vec<String> {
    prefixes.sort();
    let mut kept: Vec<String> = Vec::new();
    for prefix in prefixes {
        if !kept.last().is_some_and(|last| prefix.starts_with(last.as_str())) {
            kept.push(prefix);
        }
    }
    if kept.first().is_some_and(String::is_empty) { Vec::new() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str) -> String {
        let matcher = Matcher::new("l", MatchOp::Regex, expression).expect("a matcher");
        match Pattern::of(&matcher) {
            Pattern::Never => "never".to_owned(),
            Pattern::Any => "any".to_owned(),
            Pattern::NotEmpty => "not empty".to_owned(),
            Pattern::OneOf(mut literals) => {
                literals.sort();
                format!("one of {literals:?}")
            }
            Pattern::Prefix(prefix) => format!("prefix {prefix:?}"),
            Pattern::Scan { prefixes, .. } => format!("scan {prefixes:?}"),
        }
    }

    #[test]
    fn expressions_are_taken_apart() {
        let cases = [
            (".*", "any"),
            ("(.*)", "any"),
            (".+", "not empty"),
            ("a|b", r#"one of ["a", "b"]"#),
            ("a|", r#"one of ["", "a"]"#),
            ("foo(bar|baz)[12]", r#"one of ["foobar1", "foobar2", "foobaz1", "foobaz2"]"#),
            ("foo.*", r#"prefix "foo""#),
            ("foo.+", r#"scan ["foo"]"#),
            ("(foo|bar).+", r#"scan ["bar", "foo"]"#),
            (".*foo", "scan []"),
            ("10\\.0\\..*", r#"prefix "10.0.""#),
            ("a?b.*", r#"scan ["ab", "b"]"#),
        ];
        for (expression, expect) in cases {
            assert_eq!(check(expression), expect, "{expression}");
        }
    }
}
