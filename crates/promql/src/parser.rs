//! Reads queries.
//!
//! [`parse`] makes the tree of a query and checks its types. The grammar is that of Prometheus
//! 3.x; its experimental parts have to be switched on ([`Options`]). Of a query with several
//! mistakes the one is told that Prometheus tells first, in its words and at its position.
//!
//! Promises: it never panics, the time is linear in the length of the query, and the depth of the
//! tree is limited ([`NESTING_MAX`], [`CHAIN_MAX`]), so that recursion over it is safe.

mod check;
mod duration;
mod expression;
mod lexer;
mod literal;
mod modifier;
mod selector;
mod token;

pub(crate) use literal::parse_number;
pub(crate) use selector::matcher_text;

use lexer::Lexer;
use model::metric::{Labels, Matcher};
use token::{Kind, Token};

use crate::ast::{Expr, VectorSelector};
use crate::error::ParseError;
use crate::position::PosRange;
use crate::series;

/// The longest query, bytes.
pub const QUERY_BYTES_MAX: usize = 1 << 20;
/// How deeply parentheses, calls and operands may be nested.
pub const NESTING_MAX: u32 = 200;
/// How many operators of the same precedence may follow each other, and how many modifiers.
pub const CHAIN_MAX: u32 = 500;

/// Experimental parts of the language that are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `promql-experimental-functions`
    pub experimental_functions: bool,
    /// `promql-duration-expr`
    pub duration_expressions: bool,
    /// `promql-extended-range-selectors`: `anchored`, `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left`, `fill_right`.
    pub binop_fill_modifiers: bool,
}

impl Options {
    /// Everything is on.
    pub const ALL: Options = Options {
        experimental_functions: true,
        duration_expressions: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
    };
}

/// Reads a query.
pub fn parse(query: &str, options: Options) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(query, options)?;
    if parser.peek()?.kind == Kind::End {
        return Err(ParseError::new(query, PosRange::default(), "no expression found in input"));
    }
    let mut expr = parser.expression()?;
    parser.expect_end()?;
    check::check(query, &mut expr)?;
    Ok(expr)
}

/// Reads a selector without range, as the API takes it in `match[]`.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    parse_vector_selector(text).map(|selector| selector.matchers)
}

/// Reads the labels of a series at the front of a description, and where they end.
pub(crate) fn parse_series_labels(text: &str) -> Result<(Labels, usize), ParseError> {
    let mut parser = Parser::new(text, Options::default())?;
    let (name, pairs) = parser.series_labels()?;
    Ok((series::labels_of(name.as_deref(), &pairs), parser.lexer.offset()))
}

fn parse_vector_selector(text: &str) -> Result<VectorSelector, ParseError> {
    let mut parser = Parser::new(text, Options::default())?;
    let first = parser.peek()?;
    let selector = if first.kind == Kind::LeftBrace {
        parser.label_matchers(None)?
    } else if first.is_metric_name() {
        let name = parser.next()?;
        parser.vector_selector(name)?
    } else {
        return Err(parser.unexpected_here(first));
    };
    parser.expect_end()?;
    Ok(selector)
}

/// What an unexpected word is told to be in, and what was expected.
#[derive(Debug, Clone, Copy)]
struct Context {
    place: &'static str,
    expected: &'static str,
}

type Parsed<T> = Result<T, ParseError>;

#[derive(Debug)]
struct Parser<'a> {
    input: &'a str,
    options: Options,
    lexer: Lexer<'a>,
    /// The word that has been looked at but not taken.
    ahead: Option<Token>,
    /// The end of the last word that can end an expression.
    last_closing: u32,
    /// The innermost is last.
    contexts: Vec<Context>,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn new(input: &'a str, options: Options) -> Parsed<Parser<'a>> {
        if input.len() > QUERY_BYTES_MAX {
            let message = format!("query is longer than {QUERY_BYTES_MAX} bytes");
            return Err(ParseError::new(input, PosRange::default(), message));
        }
        Ok(Parser {
            input,
            options,
            lexer: Lexer::new(input),
            ahead: None,
            last_closing: 0,
            contexts: Vec::new(),
            depth: 0,
        })
    }

    /// The next word, which stays.
    fn peek(&mut self) -> Parsed<Token> {
        if let Some(token) = self.ahead {
            return Ok(token);
        }
        let token = self.lexer.next().map_err(|error| {
            let end = u32::try_from(self.input.len()).unwrap_or(u32::MAX);
            ParseError::new(self.input, PosRange::new(error.start, end), error.message)
        })?;
        if matches!(
            token.kind,
            Kind::RightBrace
                | Kind::RightParen
                | Kind::RightBracket
                | Kind::Duration
                | Kind::Number
        ) {
            self.last_closing = token.position.end;
        }
        self.ahead = Some(token);
        Ok(token)
    }

    /// Takes the next word.
    fn next(&mut self) -> Parsed<Token> {
        let token = self.peek()?;
        self.ahead = None;
        Ok(token)
    }

    /// Takes the next word when it is `kind`.
    fn accept(&mut self, kind: Kind) -> Parsed<Option<Token>> {
        if self.peek()?.kind == kind { self.next().map(Some) } else { Ok(None) }
    }

    /// Takes the next word, which has to be `kind`.
    fn expect(&mut self, kind: Kind) -> Parsed<Token> {
        let token = self.peek()?;
        if token.kind == kind { self.next() } else { Err(self.unexpected_here(token)) }
    }

    fn expect_end(&mut self) -> Parsed<()> {
        self.expect(Kind::End).map(drop)
    }

    fn text(&self, token: Token) -> &'a str {
        token.text(self.input)
    }

    fn error(&self, position: PosRange, message: impl Into<String>) -> ParseError {
        ParseError::new(self.input, position, message)
    }

    fn unexpected(&self, token: Token, place: &str, expected: &str) -> ParseError {
        let mut message = format!("unexpected {}", token.describe(self.input));
        if !place.is_empty() {
            message.push_str(" in ");
            message.push_str(place);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(token.position, message)
    }

    /// `token` does not belong here, as the innermost context says it.
    fn unexpected_here(&self, token: Token) -> ParseError {
        let context = self.contexts.last().copied();
        let Context { place, expected } = context.unwrap_or(Context { place: "", expected: "" });
        self.unexpected(token, place, expected)
    }

    /// Parses in a context. After an error the contexts do not matter any more.
    fn within<T>(
        &mut self,
        place: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        self.contexts.push(Context { place, expected });
        let parsed = parse(self)?;
        self.contexts.pop();
        Ok(parsed)
    }

    /// Parses one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let position = self.peek()?.position;
            return Err(self.error(position, "expression is nested too deeply"));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    /// Refuses the link after the last that is allowed.
    fn check_chain(&mut self, links: u32) -> Parsed<()> {
        if links > CHAIN_MAX {
            let position = self.peek()?.position;
            return Err(self.error(position, "expression has too many operators in a row"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
