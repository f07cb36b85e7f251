//! Cuts a query into words.
//!
//! What a character means depends on where it stands: inside of braces keywords are names, and the
//! beginning of a range (up to its first number) knows durations only. Words are made one at a
//! time, when the parser asks, so that of two mistakes the one is told that Prometheus tells.

use super::token::{Keyword, Kind, Preprocessor, Token, keyword};
use crate::ast::BinaryOp;
use crate::position::PosRange;
use crate::text::{quote, quote_char};

/// Something that is no word.
#[derive(Debug)]
pub(crate) struct LexError {
    pub(crate) start: u32,
    pub(crate) message: String,
}

#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    input: &'a str,
    bytes: &'a [u8],
    position: usize,
    start: usize,
    parens: u32,
    in_braces: bool,
    in_brackets: bool,
    /// Whether no number has been seen since the bracket was opened.
    range_begins: bool,
    got_colon: bool,
    got_duration: bool,
}

type Lexed = Result<Token, LexError>;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_alpha(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

fn is_alphanumeric(byte: u8) -> bool {
    is_alpha(byte) || byte.is_ascii_digit()
}

/// Offsets are 32 bits wide; longer queries are refused before ([`super::QUERY_BYTES_MAX`]).
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str) -> Lexer<'a> {
        Lexer {
            input,
            bytes: input.as_bytes(),
            position: 0,
            start: 0,
            parens: 0,
            in_braces: false,
            in_brackets: false,
            range_begins: false,
            got_colon: false,
            got_duration: false,
        }
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Lexed {
        if self.range_begins {
            return self.range_beginning();
        }
        self.skip_spaces();
        while self.peek() == Some(b'#') {
            while self.peek().is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                self.position += 1;
            }
            self.skip_spaces();
        }
        if self.in_braces { self.inside_braces() } else { self.statement() }
    }

    /// How much of the input has been cut.
    pub(crate) fn offset(&self) -> usize {
        self.position
    }

    /// Whether a brace stands directly after the last word.
    pub(crate) fn brace_follows(&self) -> bool {
        self.peek() == Some(b'{')
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn accept(&mut self, is_wanted: impl Fn(u8) -> bool) -> bool {
        let wanted = self.peek().is_some_and(is_wanted);
        self.position += usize::from(wanted);
        wanted
    }

    fn accept_byte(&mut self, wanted: u8) -> bool {
        self.accept(|byte| byte == wanted)
    }

    fn skip_spaces(&mut self) {
        while self.accept(is_space) {}
        self.start = self.position;
    }

    /// The character at the position.
    fn character(&self) -> Option<char> {
        self.input.get(self.position..).and_then(|rest| rest.chars().next())
    }

    /// Takes the character at the position.
    fn take_character(&mut self) -> Option<char> {
        let character = self.character();
        self.position += character.map_or(0, char::len_utf8);
        character
    }

    #[expect(clippy::unnecessary_wraps, reason = "every way to make a word returns the same type")]
    fn emit(&mut self, kind: Kind) -> Lexed {
        let position = PosRange::new(offset(self.start), offset(self.position));
        self.start = self.position;
        Ok(Token { kind, position })
    }

    fn fail(&self, message: impl Into<String>) -> Lexed {
        Err(LexError { start: offset(self.start), message: message.into() })
    }

    fn word(&self) -> &'a str {
        self.input.get(self.start..self.position).unwrap_or_default()
    }

    fn statement(&mut self) -> Lexed {
        let Some(byte) = self.peek() else {
            return match (self.parens, self.in_brackets) {
                (0, false) => self.emit(Kind::End),
                (0, true) => self.fail("unclosed left bracket"),
                _ => self.fail("unclosed left parenthesis"),
            };
        };
        if byte.is_ascii_digit() || (byte == b'.' && self.digit_follows()) {
            return self.number_or_duration();
        }
        if is_alpha(byte) || byte == b':' {
            return if self.in_brackets { self.word_in_range() } else { self.name() };
        }
        let character = self.take_character();
        match byte {
            b',' => self.emit(Kind::Comma),
            b'*' | b'/' | b'%' | b'+' | b'-' | b'^' => self.emit(arithmetic(byte)),
            b'=' if self.accept_byte(b'=') => self.emit(Kind::Binary(BinaryOp::Equal)),
            b'=' if self.peek() == Some(b'~') => self.fail("unexpected character after '=': '~'"),
            b'=' => self.emit(Kind::Assign),
            b'!' => {
                let after = self.take_character();
                if after == Some('=') {
                    return self.emit(Kind::Binary(BinaryOp::NotEqual));
                }
                self.fail(format!("unexpected character after '!': {}", quote_char(after)))
            }
            b'<' if self.accept_byte(b'=') => self.emit(Kind::Binary(BinaryOp::LessEqual)),
            b'<' if self.accept_byte(b'/') => self.emit(Kind::Binary(BinaryOp::TrimUpper)),
            b'<' => self.emit(Kind::Binary(BinaryOp::Less)),
            b'>' if self.accept_byte(b'=') => self.emit(Kind::Binary(BinaryOp::GreaterEqual)),
            b'>' if self.accept_byte(b'/') => self.emit(Kind::Binary(BinaryOp::TrimLower)),
            b'>' => self.emit(Kind::Binary(BinaryOp::Greater)),
            b'"' | b'\'' => self.string(byte),
            b'`' => self.raw_string(),
            b'(' => self.open_paren(),
            b')' => self.close_paren(),
            b'{' => {
                self.in_braces = true;
                self.emit(Kind::LeftBrace)
            }
            b'[' if self.in_brackets => self.fail("unexpected left bracket '['"),
            b'[' => {
                let token = self.emit(Kind::LeftBracket);
                self.skip_spaces();
                (self.got_colon, self.in_brackets, self.range_begins) = (false, true, true);
                token
            }
            b']' if !self.in_brackets => self.fail("unexpected right bracket ']'"),
            b']' => {
                self.in_brackets = false;
                self.emit(Kind::RightBracket)
            }
            b'@' => self.emit(Kind::At),
            _ => self.fail(format!("unexpected character: {}", quote_char(character))),
        }
    }

    fn digit_follows(&self) -> bool {
        self.bytes.get(self.position + 1).is_some_and(u8::is_ascii_digit)
    }

    fn open_paren(&mut self) -> Lexed {
        self.parens += 1;
        self.emit(Kind::LeftParen)
    }

    fn close_paren(&mut self) -> Lexed {
        let token = self.emit(Kind::RightParen);
        match self.parens.checked_sub(1) {
            Some(parens) => self.parens = parens,
            None => return self.fail("unexpected right parenthesis ')'"),
        }
        token
    }

    /// A word in brackets after the first number.
    fn word_in_range(&mut self) -> Lexed {
        let character = self.take_character();
        match character {
            Some(':') if self.got_colon => self.fail("unexpected colon ':'"),
            Some(':') => {
                self.got_colon = true;
                self.emit(Kind::Colon)
            }
            _ => match self.duration_keyword() {
                Some(kind) => self.emit(kind),
                None => self
                    .fail(format!("unexpected character: {}, expected ':'", quote_char(character))),
            },
        }
    }

    /// `step`, `range`, `min_of`, `max_of`, of which the first letter has been taken.
    fn duration_keyword(&mut self) -> Option<Kind> {
        while self.accept(is_alpha) {}
        match keyword(self.word()) {
            Some(kind @ Kind::Preprocessor(preprocessor)) => {
                let fits = !matches!(preprocessor, Preprocessor::Start | Preprocessor::End);
                fits.then_some(kind)
            }
            _ => None,
        }
    }

    /// In brackets before the first number.
    fn range_beginning(&mut self) -> Lexed {
        self.skip_spaces();
        let Some(byte) = self.peek() else {
            return self.fail("unexpected end of input in duration expression");
        };
        if byte.is_ascii_digit() || (byte == b'.' && self.digit_follows()) {
            (self.got_duration, self.range_begins) = (true, false);
            return self.number_or_duration();
        }
        let character = self.take_character();
        match byte {
            b']' => {
                (self.in_brackets, self.got_colon, self.range_begins) = (false, false, false);
                self.emit(Kind::RightBracket)
            }
            b':' => {
                let token = self.emit(Kind::Colon);
                if !self.got_duration {
                    return self.fail("unexpected colon before duration in duration expression");
                }
                if self.got_colon {
                    return self.fail("unexpected repeated colon in duration expression");
                }
                self.got_colon = true;
                token
            }
            b'(' => self.open_paren(),
            b')' => self.close_paren(),
            b'*' | b'/' | b'%' | b'+' | b'-' | b'^' => self.emit(arithmetic(byte)),
            b',' => self.emit(Kind::Comma),
            _ => {
                if matches!(byte.to_ascii_lowercase(), b's' | b'm' | b'r')
                    && let Some(kind) = self.duration_keyword()
                {
                    return self.emit(kind);
                }
                self.fail(format!(
                    "unexpected character in duration expression: {}",
                    quote_char(character)
                ))
            }
        }
    }

    fn inside_braces(&mut self) -> Lexed {
        let Some(byte) = self.peek() else {
            return self.fail("unexpected end of input inside braces");
        };
        if is_alpha(byte) {
            while self.accept(is_alphanumeric) {}
            return self.emit(Kind::Identifier);
        }
        let character = self.take_character();
        match byte {
            b',' => self.emit(Kind::Comma),
            b'"' | b'\'' => self.string(byte),
            b'`' => self.raw_string(),
            b'=' if self.accept_byte(b'~') => self.emit(Kind::MatchRegex),
            b'=' => self.emit(Kind::Assign),
            b'!' => match self.take_character() {
                Some('~') => self.emit(Kind::MatchNotRegex),
                Some('=') => self.emit(Kind::Binary(BinaryOp::NotEqual)),
                other => self.fail(format!(
                    "unexpected character after '!' inside braces: {}",
                    quote_char(other)
                )),
            },
            b'{' => self.fail("unexpected left brace '{'"),
            b'}' => {
                self.in_braces = false;
                self.emit(Kind::RightBrace)
            }
            _ => {
                self.fail(format!("unexpected character inside braces: {}", quote_char(character)))
            }
        }
    }

    /// A name or a keyword.
    fn name(&mut self) -> Lexed {
        while self.accept(|byte| is_alphanumeric(byte) || byte == b':') {}
        let word = self.word();
        match keyword(word) {
            Some(Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.paren_follows() =>
            {
                self.emit(Kind::Identifier)
            }
            Some(kind) => self.emit(kind),
            None if word.contains(':') => self.emit(Kind::MetricIdentifier),
            None => self.emit(Kind::Identifier),
        }
    }

    fn paren_follows(&self) -> bool {
        let mut rest = self.bytes[self.position..].iter();
        rest.find(|byte| !is_space(**byte)) == Some(&b'(')
    }

    /// A text in quotes, of which the first has been taken.
    fn string(&mut self, quote: u8) -> Lexed {
        loop {
            match self.peek() {
                None | Some(b'\n') => return self.fail("unterminated quoted string"),
                Some(b'\\') => {
                    self.position += 1;
                    self.escape(quote)?;
                }
                Some(byte) => {
                    self.position += 1;
                    if byte == quote {
                        return self.emit(Kind::String);
                    }
                    if byte >= 0x80 {
                        self.position -= 1;
                        self.utf8()?;
                    }
                }
            }
        }
    }

    /// A character beyond ASCII; the replacement character is taken for invalid UTF-8, as
    /// Prometheus takes it.
    fn utf8(&mut self) -> Result<(), LexError> {
        if self.take_character() == Some(char::REPLACEMENT_CHARACTER) {
            return self.fail("invalid UTF-8 rune").map(drop);
        }
        Ok(())
    }

    fn raw_string(&mut self) -> Lexed {
        loop {
            match self.peek() {
                None => return self.fail("unterminated raw string"),
                Some(b'`') => {
                    self.position += 1;
                    return self.emit(Kind::String);
                }
                Some(byte) if byte >= 0x80 => self.utf8()?,
                Some(_) => self.position += 1,
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, quote: u8) -> Result<(), LexError> {
        let Some(character) = self.take_character() else {
            return self.fail("escape sequence not terminated").map(drop);
        };
        let (count, base, max) = match character {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            other if other == char::from(quote) => return Ok(()),
            '0'..='7' => {
                self.position -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, u32::from(char::MAX)),
            'U' => (8, 16, u32::from(char::MAX)),
            other => {
                let name = unicode_name(other);
                return self.fail(format!("unknown escape sequence {name}")).map(drop);
            }
        };
        let mut value = 0u32;
        for _ in 0..count {
            let Some(character) = self.take_character() else {
                return self.fail("escape sequence not terminated").map(drop);
            };
            let Some(digit) = character.to_digit(base) else {
                let name = unicode_name(character);
                let message = format!("illegal character {name} in escape sequence");
                return self.fail(message).map(drop);
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            let message = "escape sequence is an invalid Unicode code point";
            return self.fail(message).map(drop);
        }
        Ok(())
    }

    fn number_or_duration(&mut self) -> Lexed {
        if self.scan_number() {
            return self.emit(Kind::Number);
        }
        if self.scan_duration() {
            return self.emit(Kind::Duration);
        }
        self.fail(format!("bad number or duration syntax: {}", quote(self.word())))
    }

    /// The rest of a duration after its first digits. When it is none, the character that says so
    /// is taken, for the error's text.
    fn scan_duration(&mut self) -> bool {
        if !self.accept(|byte| b"smhdwy".contains(&byte)) {
            return false;
        }
        self.accept_byte(b's');
        while self.accept(|byte| byte.is_ascii_digit()) {
            while self.accept(|byte| byte.is_ascii_digit()) {}
            if !self.accept(|byte| b"smhdw".contains(&byte)) {
                return false;
            }
            self.accept_byte(b's');
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.position += 1;
            return false;
        }
        true
    }

    /// A number: decimal, hexadecimal, with exponent, with underscores. Whether it is a valid one
    /// is found out when it is read.
    fn scan_number(&mut self) -> bool {
        let initial = self.position;
        let mut is_hex = false;
        if self.accept_byte(b'0') && self.accept(|byte| byte == b'x' || byte == b'X') {
            self.accept_byte(b'_');
            is_hex = true;
        }
        let is_digit = |byte: u8| {
            if is_hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() }
        };
        let is_exponent = |byte: u8| byte == b'e' || byte == b'E';
        self.accept_byte(b'.');
        self.accept(is_digit);
        let (mut had_dot, mut had_exponent) = (false, false);
        while let Some(byte) = self.peek() {
            if !is_digit(byte) && byte != b'.' && byte != b'_' && !is_exponent(byte) {
                break;
            }
            if (byte == b'.' && had_dot) || (is_exponent(byte) && had_exponent) {
                self.position += 1;
                return false;
            }
            if byte == b'.' {
                self.position += 1;
                had_dot = true;
                if self.accept(|byte| byte == b'_' || byte == b'.') || is_hex {
                    return false;
                }
            } else if is_exponent(byte) {
                self.position += 1;
                had_exponent = true;
                self.accept(|byte| byte == b'+' || byte == b'-');
                if self.accept(|byte| b"._eE".contains(&byte)) || self.peek().is_none() {
                    return false;
                }
            } else if byte == b'_' {
                self.position += 1;
                if self.accept(|byte| b"._eE".contains(&byte)) || self.peek().is_none() {
                    return false;
                }
            } else {
                while self.accept(is_digit) {}
            }
        }
        self.position != initial && !self.peek().is_some_and(is_alphanumeric)
    }
}

fn arithmetic(byte: u8) -> Kind {
    Kind::Binary(match byte {
        b'*' => BinaryOp::Mul,
        b'/' => BinaryOp::Div,
        b'%' => BinaryOp::Mod,
        b'+' => BinaryOp::Add,
        b'-' => BinaryOp::Sub,
        _ => BinaryOp::Pow,
    })
}

/// As Go's `%#U`: `U+0041 'A'`.
fn unicode_name(character: char) -> String {
    format!("U+{:04X} '{character}'", u32::from(character))
}
