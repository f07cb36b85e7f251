//! Text and actions, and the words of actions.

/// What is wrong, and on which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) message: String,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action { line: usize, tokens: Vec<Token> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `if`, `humanize`, `true`.
    Word(String),
    /// `$x`; `$`.
    Variable(String),
    /// `.Name`, directly after something or alone.
    Field {
        name: String,
        spaced: bool,
    },
    /// `.`
    Dot,
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Comma,
    Declare,
    Assign,
    Open,
    Close,
}

pub(super) fn split(text: &str) -> Result<Vec<Piece>, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut trim_next = false;
    loop {
        let (before, action) = match rest.split_once("{{") {
            Some((before, action)) => (before, Some(action)),
            None => (rest, None),
        };
        line += before.matches('\n').count();
        let mut shown = before;
        if trim_next {
            shown = shown.trim_start();
        }
        let Some(mut action) = action else {
            pieces.push(Piece::Text(shown.to_owned()));
            return Ok(pieces);
        };
        if let Some(after) = action.strip_prefix('-').filter(|a| a.starts_with(char::is_whitespace))
        {
            shown = shown.trim_end();
            action = after;
        }
        if !shown.is_empty() {
            pieces.push(Piece::Text(shown.to_owned()));
        }
        let start_line = line;
        let trimmed = action.trim_start();
        if let Some(comment) = trimmed.strip_prefix("/*") {
            let (inside, after) = comment
                .split_once("*/")
                .ok_or_else(|| Wrong { line, message: "unclosed comment".to_owned() })?;
            line += inside.matches('\n').count();
            let after = after.trim_start();
            trim_next = after.starts_with('-');
            rest = after.trim_start_matches('-').strip_prefix("}}").ok_or_else(|| Wrong {
                line,
                message: "comment ends before closing delimiter".to_owned(),
            })?;
            continue;
        }
        let mut lexer = Lexer { rest: action, line, tokens: Vec::new() };
        trim_next = lexer.action()?;
        line = lexer.line;
        rest = lexer.rest;
        pieces.push(Piece::Action { line: start_line, tokens: lexer.tokens });
    }
}

struct Lexer<'t> {
    rest: &'t str,
    line: usize,
    tokens: Vec<Token>,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Lexer<'_> {
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { line: self.line, message: message.into() })
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    /// Reads to the end of the action; whether text after it loses its leading space.
    fn action(&mut self) -> Result<bool, Wrong> {
        let mut spaced = true;
        loop {
            if let Some(rest) = self.rest.strip_prefix("}}") {
                self.rest = rest;
                return Ok(false);
            }
            if spaced && let Some(rest) = self.rest.strip_prefix("-}}") {
                self.rest = rest;
                return Ok(true);
            }
            let Some(c) = self.rest.chars().next() else { return self.wrong("unclosed action") };
            if c.is_whitespace() {
                self.line += usize::from(c == '\n');
                self.skip(c.len_utf8());
                spaced = true;
                continue;
            }
            self.token(c, spaced)?;
            spaced = false;
        }
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let word = self.rest.get(..end).unwrap_or("").to_owned();
        self.skip(end);
        word
    }

    fn token(&mut self, c: char, spaced: bool) -> Result<(), Wrong> {
        let token = match c {
            '|' => self.one(Token::Pipe),
            ',' => self.one(Token::Comma),
            '(' => self.one(Token::Open),
            ')' => self.one(Token::Close),
            '=' => self.one(Token::Assign),
            ':' if self.rest.starts_with(":=") => {
                self.skip(2);
                Token::Declare
            }
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '\'' => self.character()?,
            '$' => {
                self.skip(1);
                Token::Variable(format!("${}", self.word()))
            }
            '.' => {
                self.skip(1);
                if self.rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                    Token::Field { name: self.word(), spaced }
                } else if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
                    self.number("0.")?
                } else {
                    Token::Dot
                }
            }
            c if c.is_ascii_digit() => self.number("")?,
            '-' | '+' => {
                self.skip(1);
                if !self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                    return self.wrong(format!("unexpected {c:?} in command"));
                }
                self.number(if c == '-' { "-" } else { "" })?
            }
            c if c.is_alphabetic() || c == '_' => Token::Word(self.word()),
            c => return self.wrong(format!("unexpected {c:?} in command")),
        };
        self.tokens.push(token);
        Ok(())
    }

    fn one(&mut self, token: Token) -> Token {
        self.skip(1);
        token
    }

    fn number(&mut self, sign: &str) -> Result<Token, Wrong> {
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        while end < bytes.len() {
            let exponent =
                end > 0 && matches!(bytes[end - 1], b'e' | b'E') && !self.rest.starts_with("0x");
            let sign = matches!(bytes[end], b'+' | b'-') && exponent;
            if bytes[end].is_ascii_alphanumeric() || matches!(bytes[end], b'.' | b'_') || sign {
                end += 1;
            } else {
                break;
            }
        }
        let text = self.rest.get(..end).unwrap_or("").to_owned();
        self.skip(end);
        let plain = format!("{sign}{}", text.replace('_', ""));
        if let Some(hex) = plain.trim_start_matches('-').strip_prefix("0x")
            && let Ok(number) = i64::from_str_radix(hex, 16)
        {
            return Ok(Token::Int(if sign == "-" { -number } else { number }));
        }
        if let Ok(number) = plain.parse::<i64>() {
            return Ok(Token::Int(number));
        }
        match plain.parse::<f64>() {
            Ok(number) => Ok(Token::Float(number)),
            Err(_) => self.wrong(format!("bad number syntax: {:?}", format!("{sign}{text}"))),
        }
    }

    fn raw(&mut self) -> Result<Token, Wrong> {
        let inside = self.rest.get(1..).unwrap_or("");
        let Some((text, after)) = inside.split_once('`') else {
            return self.wrong("unterminated raw quoted string");
        };
        let token = Token::Text(text.to_owned());
        self.line += text.matches('\n').count();
        self.rest = after;
        Ok(token)
    }

    fn character(&mut self) -> Result<Token, Wrong> {
        let mut chars = self.rest.chars();
        chars.next();
        match (chars.next(), chars.next()) {
            (Some(c), Some('\'')) if c != '\\' => {
                self.skip(2 + c.len_utf8());
                Ok(Token::Int(i64::from(u32::from(c))))
            }
            _ => self.wrong("unterminated character constant"),
        }
    }

    fn quoted(&mut self) -> Result<Token, Wrong> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.skip(at + 1);
                    return Ok(Token::Text(text));
                }
                '\n' => break,
                '\\' => {
                    let Some((_, escaped)) = chars.next() else { break };
                    let c = match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '\\' | '"' | '\'' => escaped,
                        'x' | 'u' | 'U' => {
                            let digits = match escaped {
                                'x' => 2,
                                'u' => 4,
                                _ => 8,
                            };
                            let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                            let code = u32::from_str_radix(&hex, 16).ok();
                            match code.and_then(char::from_u32) {
                                Some(c) => c,
                                None => return self.wrong("invalid syntax"),
                            }
                        }
                        _ => return self.wrong("invalid syntax"),
                    };
                    text.push(c);
                }
                c => text.push(c),
            }
        }
        self.wrong("unterminated quoted string")
    }
}
