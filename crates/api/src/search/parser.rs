//! From text to terms.

use super::{Matcher, Op, Term};
use crate::Error;

/// The most terms of a search.
const TERMS_MAX: usize = 50;

/// Reads a search.
pub(crate) fn parse(text: &str) -> Result<Vec<Term>, Error> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0 };
    let mut terms = Vec::new();
    loop {
        parser.skip_blanks();
        if parser.peek().is_none() {
            return Ok(terms);
        }
        if terms.len() == TERMS_MAX {
            return Err(parser.error(parser.at, format!("more than {TERMS_MAX} terms")));
        }
        if let Some(term) = parser.term()? {
            terms.push(term);
        }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn term(&mut self) -> Result<Option<Term>, Error> {
        let start = self.at;
        let column = u64::try_from(start).unwrap_or_default() + 1;
        let negated = self.peek() == Some('-')
            && self.chars.get(start + 1).is_some_and(|c| !c.is_whitespace());
        if negated {
            self.at += 1;
        }
        let term = |matcher| Term { negated, matcher, column };
        if self.peek() == Some('"') {
            let phrase = self.quoted()?;
            let key_follows = self.peek().is_some_and(|c| matches!(c, ':' | '=' | '!' | '<' | '>'));
            if !key_follows {
                return Ok((!phrase.is_empty()).then(|| term(Matcher::Words(phrase))));
            }
            return self.comparison(phrase).map(|matcher| Some(term(matcher)));
        }
        let word_start = self.at;
        let key = self
            .take_while(|c| !c.is_whitespace() && !matches!(c, ':' | '=' | '<' | '>' | '!' | '"'));
        match self.peek() {
            Some(':' | '=' | '<' | '>') => {
                if key.is_empty() {
                    return Err(
                        self.error(self.at, "a field's name must stand before the operator")
                    );
                }
                self.comparison(key).map(|matcher| Some(term(matcher)))
            }
            Some('!') if self.chars.get(self.at + 1) == Some(&'=') => {
                if key.is_empty() {
                    return Err(
                        self.error(self.at, "a field's name must stand before the operator")
                    );
                }
                self.comparison(key).map(|matcher| Some(term(matcher)))
            }
            _ => {
                // A `!` or a quote inside a word is part of it.
                self.at = word_start;
                let word = self.take_while(|c| !c.is_whitespace());
                let matcher = if word.contains('*') { Matcher::Pattern } else { Matcher::Words };
                Ok((!word.is_empty()).then(|| term(matcher(word))))
            }
        }
    }

    fn comparison(&mut self, key: String) -> Result<Matcher, Error> {
        let op = self.operator()?;
        self.skip_blanks_if(op != Op::Equal);
        let start = self.at;
        if self.peek() == Some('"') {
            let value = self.quoted()?;
            return Ok(Matcher::Compare { key, op, value });
        }
        let value = self.take_while(|c| !c.is_whitespace());
        if value.is_empty() {
            return Err(self.error(start, format!("a value for {key} is missing")));
        }
        Ok(match op {
            Op::Equal if value == "*" => Matcher::Exists { key },
            Op::Equal if value.contains('*') => Matcher::Like { key, pattern: value },
            op => Matcher::Compare { key, op, value },
        })
    }

    fn operator(&mut self) -> Result<Op, Error> {
        let start = self.at;
        let next = (self.peek(), self.chars.get(self.at + 1).copied());
        let (op, length) = match next {
            (Some('='), Some('~')) => (Op::Matches, 2),
            (Some('!'), Some('=')) => (Op::NotEqual, 2),
            (Some('>'), Some('=')) => (Op::GreaterOrEqual, 2),
            (Some('<'), Some('=')) => (Op::LessOrEqual, 2),
            (Some('>'), _) => (Op::Greater, 1),
            (Some('<'), _) => (Op::Less, 1),
            (Some(':' | '='), _) => (Op::Equal, 1),
            _ => {
                return Err(self.error(start, "an operator is missing: one of : = != > >= < <= =~"));
            }
        };
        self.at += length;
        // `key:>5` and `key:=5` mean what they look like.
        if length == 1
            && self.chars[start] == ':'
            && self.peek().is_some_and(|c| matches!(c, '>' | '<' | '='))
        {
            return self.operator();
        }
        Ok(op)
    }

    /// A text in quotes; `\"` and `\\` stand for themselves.
    fn quoted(&mut self) -> Result<String, Error> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match (c, self.peek()) {
                ('"', _) => return Ok(text),
                ('\\', Some(next @ ('"' | '\\'))) => {
                    text.push(next);
                    self.at += 1;
                }
                (c, _) => text.push(c),
            }
        }
        Err(self.error(start, "the quote is not closed"))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = &self.chars[self.at..];
        let taken: String = rest.iter().copied().take_while(|&c| wanted(c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn skip_blanks_if(&mut self, wanted: bool) {
        if wanted {
            self.skip_blanks();
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    #[expect(clippy::unused_self, reason = "reads better at the call")]
    fn error(&self, at: usize, message: impl Into<String>) -> Error {
        let column = u64::try_from(at).unwrap_or_default() + 1;
        Error::BadRequest { message: message.into(), column: Some(column), hint: None }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(text: &str) -> String {
        match parse(text) {
            Ok(terms) => terms
                .iter()
                .map(|t| {
                    format!("{}{}{:?}", t.column, if t.negated { " not " } else { " " }, t.matcher)
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) => {
                let error = error.body().error;
                format!("error at {}: {}", error.column.unwrap_or_default(), error.message)
            }
        }
    }

    #[test]
    fn words_and_phrases() {
        assert_snapshot!(check(r#"time-out  "connection refused" -debug -"a \"b\"" wow! a"b conn*"#), @r#"
        1 Words("time-out")
        11 Words("connection refused")
        32 not Words("debug")
        39 not Words("a \"b\"")
        50 Words("wow!")
        55 Words("a\"b")
        59 Pattern("conn*")
        "#);
        assert_snapshot!(check("  - \"\" "), @r#"3 Words("-")"#);
    }

    #[test]
    fn fields() {
        assert_snapshot!(check(r#"service:api http.status_code>=500 -level=info x!=1 a<2 b<=3 c>4 user:* path:/api/* "my key":"my value" msg=~"^a.*b$" n:>5"#), @r#"
        1 Compare { key: "service", op: Equal, value: "api" }
        13 Compare { key: "http.status_code", op: GreaterOrEqual, value: "500" }
        35 not Compare { key: "level", op: Equal, value: "info" }
        47 Compare { key: "x", op: NotEqual, value: "1" }
        52 Compare { key: "a", op: Less, value: "2" }
        56 Compare { key: "b", op: LessOrEqual, value: "3" }
        61 Compare { key: "c", op: Greater, value: "4" }
        65 Exists { key: "user" }
        72 Like { key: "path", pattern: "/api/*" }
        84 Compare { key: "my key", op: Equal, value: "my value" }
        104 Compare { key: "msg", op: Matches, value: "^a.*b$" }
        118 Compare { key: "n", op: Greater, value: "5" }
        "#);
    }

    #[test]
    fn mistakes_have_a_column() {
        assert_snapshot!(check(r#"ab "cd"#), @"error at 4: the quote is not closed");
        assert_snapshot!(check("a :b"), @"error at 3: a field's name must stand before the operator");
        assert_snapshot!(check("level: x"), @"error at 7: a value for level is missing");
        assert_snapshot!(check(&"a ".repeat(60)), @"error at 101: more than 50 terms");
    }
}
