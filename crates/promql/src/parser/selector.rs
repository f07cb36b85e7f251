//! Selectors of series.

use model::metric::{MatchOp, Matcher, NAME_LABEL};

use super::token::{Kind, Token};
use super::{Parsed, Parser};
use crate::ast::{BinaryOp, DurationValue, VectorSelector};
use crate::text::quote;

const PLACE: &str = "label matching";

/// The name of a metric and pairs of labels and values.
pub(super) type SeriesLabels = (Option<String>, Vec<(String, String)>);

impl Parser<'_> {
    /// A selector that begins with the name of a metric, which has been taken.
    pub(super) fn vector_selector(&mut self, name: Token) -> Parsed<VectorSelector> {
        if self.peek()?.kind == Kind::LeftBrace {
            return self.label_matchers(Some(name));
        }
        let text = self.text(name);
        Ok(VectorSelector {
            name: Some(text.to_owned()),
            matchers: vec![Matcher::equal(NAME_LABEL, text)],
            offset: DurationValue::default(),
            at: None,
            extended: None,
            bypass_empty_matcher_check: false,
            position: name.position,
        })
    }

    /// `{a="b"}`, after the name of a metric or without.
    pub(super) fn label_matchers(&mut self, name: Option<Token>) -> Parsed<VectorSelector> {
        let open = self.expect(Kind::LeftBrace)?;
        let mut matchers = Vec::new();
        loop {
            let token = self.peek()?;
            if token.kind == Kind::RightBrace {
                break;
            }
            matchers.push(self.label_matcher(token)?);
            let after = self.peek()?;
            match after.kind {
                Kind::RightBrace => break,
                Kind::Comma => self.next()?,
                _ => return Err(self.unexpected(after, PLACE, "\",\" or \"}\"")),
            };
        }
        let close = self.next()?;
        let name_text = name.map(|name| self.text(name).to_owned());
        if let Some(text) = &name_text {
            matchers.push(Matcher::equal(NAME_LABEL, text));
        }
        Ok(VectorSelector {
            name: name_text,
            matchers,
            offset: DurationValue::default(),
            at: None,
            extended: None,
            bypass_empty_matcher_check: false,
            position: name.unwrap_or(open).position.to(close.position),
        })
    }

    fn label_matcher(&mut self, first: Token) -> Parsed<Matcher> {
        let is_string = first.kind == Kind::String;
        let name = match first.kind {
            Kind::String => {
                self.next()?;
                self.unquoted(first)?
            }
            Kind::Identifier => {
                self.next()?;
                self.text(first).to_owned()
            }
            _ => return Err(self.unexpected(first, PLACE, "identifier or \"}\"")),
        };
        let after = self.peek()?;
        let op = match after.kind {
            Kind::Assign => MatchOp::Equal,
            Kind::Binary(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::MatchRegex => MatchOp::Regex,
            Kind::MatchNotRegex => MatchOp::NotRegex,
            _ if is_string => return Ok(Matcher::equal(NAME_LABEL, name)),
            _ => return Err(self.unexpected(after, PLACE, "label matching operator")),
        };
        self.next()?;
        let value = self.peek()?;
        if value.kind != Kind::String {
            return Err(self.unexpected(value, PLACE, "string"));
        }
        self.next()?;
        let text = self.unquoted(value)?;
        Matcher::new(name, op, text.as_str()).map_err(|error| {
            let message = regex_error(&text, &error.reason);
            self.error(first.position.to(value.position), message)
        })
    }
}

/// The words that Go has for what is wrong with a regular expression, as far as ours say enough.
fn regex_error(pattern: &str, reason: &str) -> String {
    let anchored = format!("^(?s:{pattern})$");
    let (words, part) = if reason.contains("unclosed group") {
        ("missing closing )", anchored.as_str())
    } else if reason.contains("unopened group") {
        ("unexpected )", anchored.as_str())
    } else if reason.contains("unclosed character class") {
        let from = anchored.rfind('[').unwrap_or(0);
        ("missing closing ]", anchored.get(from..).unwrap_or_default())
    } else if reason.contains("repetition operator missing expression") {
        ("missing argument to repetition operator", repetition(pattern))
    } else if reason.contains("exceeds size limit") {
        ("expression too large", anchored.as_str())
    } else {
        let last = reason.lines().last().unwrap_or_default();
        let words = last.trim().trim_start_matches("error: ");
        return format!("error parsing regexp: {words}: `{pattern}`");
    };
    format!("error parsing regexp: {words}: `{part}`")
}

/// The first repetition operator that has nothing to repeat.
fn repetition(pattern: &str) -> &str {
    let starts = |before: Option<u8>| matches!(before, None | Some(b'(' | b'|' | b'^'));
    let bytes = pattern.as_bytes();
    let at = (0..bytes.len()).find(|&at| {
        matches!(bytes[at], b'*' | b'+' | b'?') && starts(at.checked_sub(1).map(|at| bytes[at]))
    });
    at.and_then(|at| pattern.get(at..=at)).unwrap_or(pattern)
}

/// A matcher as it is written in a query: names that are no plain names are quoted.
pub(crate) fn matcher_text(matcher: &Matcher) -> String {
    let name = if crate::text::is_legacy_label_name(&matcher.name) {
        matcher.name.clone()
    } else {
        quote(&matcher.name)
    };
    format!("{name}{}{}", matcher.op.as_str(), quote(&matcher.value))
}

impl Parser<'_> {
    /// The labels of a description of a series: `name{a="b"}`, each part of which may be missing.
    pub(super) fn series_labels(&mut self) -> Parsed<SeriesLabels> {
        const PLACE: &str = "label set";
        let mut pairs = Vec::new();
        let mut token = self.peek()?;
        let mut name = None;
        if token.is_metric_name() {
            self.next()?;
            name = Some(self.text(token).to_owned());
            if !self.lexer.brace_follows() {
                return Ok((name, pairs));
            }
            token = self.peek()?;
        }
        if token.kind != Kind::LeftBrace {
            return if token.kind == Kind::End {
                Ok((name, pairs))
            } else {
                Err(self.unexpected(token, "series values", ""))
            };
        }
        self.next()?;
        loop {
            let first = self.peek()?;
            if first.kind == Kind::RightBrace {
                break;
            }
            let is_string = first.kind == Kind::String;
            if !is_string && first.kind != Kind::Identifier {
                return Err(self.unexpected(first, PLACE, "identifier or \"}\""));
            }
            self.next()?;
            let text = if is_string { self.unquoted(first)? } else { self.text(first).to_owned() };
            let equal = self.peek()?;
            if equal.kind == Kind::Assign {
                self.next()?;
                let value = self.peek()?;
                if value.kind != Kind::String {
                    return Err(self.unexpected(value, PLACE, "string"));
                }
                self.next()?;
                pairs.push((text, self.unquoted(value)?));
            } else if is_string {
                pairs.push((NAME_LABEL.to_owned(), text));
            } else {
                return Err(self.unexpected(equal, PLACE, "\"=\""));
            }
            let after = self.peek()?;
            match after.kind {
                Kind::RightBrace => break,
                Kind::Comma => self.next()?,
                _ => return Err(self.unexpected(after, PLACE, "\",\" or \"}\"")),
            };
        }
        self.next()?;
        Ok((name, pairs))
    }
}
