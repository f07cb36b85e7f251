//! Texts as Go prints and reads them: error messages and printed queries quote with its rules.

use std::fmt::Write as _;

/// A text in double quotes, as Go's `%q`.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut into = String::with_capacity(text.len() + 2);
    into.push('"');
    for character in text.chars() {
        put_escaped(&mut into, character, '"');
    }
    into.push('"');
    into
}

/// A character in single quotes, as Go's `%q`; none at the end of the input.
pub(crate) fn quote_char(character: Option<char>) -> String {
    let Some(character) = character else { return "'\u{fffd}'".to_owned() };
    let mut into = String::from("'");
    put_escaped(&mut into, character, '\'');
    into.push('\'');
    into
}

fn put_escaped(into: &mut String, character: char, quote: char) {
    let short = match character {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        other if other == quote => other,
        other => {
            put_printable(into, other);
            return;
        }
    };
    into.push('\\');
    into.push(short);
}

fn put_printable(into: &mut String, character: char) {
    let code = u32::from(character);
    let shown = match code {
        0..0x80 => (0x20..0x7f).contains(&code),
        // Queries must not hold the replacement character as it is.
        _ => is_printable(character) && character != char::REPLACEMENT_CHARACTER,
    };
    if shown {
        into.push(character);
        return;
    }
    let written = match code {
        0..0x80 => write!(into, "\\x{code:02x}"),
        0x80..0x1_0000 => write!(into, "\\u{code:04x}"),
        _ => write!(into, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok(), "a string takes everything");
}

/// As far as the standard library knows what can be seen.
fn is_printable(character: char) -> bool {
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().nth(1) == Some(character)
}

/// The text that a quoted text stands for. The quotes are `"`, `'` (escapes are read) or a
/// backquote (nothing is). Bytes that are no UTF-8 become replacement characters.
pub(crate) fn unquote(quoted: &str) -> Option<String> {
    let quote = quoted.chars().next()?;
    let inner = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
    match quote {
        '`' if inner.contains('`') => None,
        '`' => Some(inner.to_owned()),
        '"' | '\'' if inner.contains('\n') => None,
        '"' | '\'' if !inner.contains(['\\', quote]) => Some(inner.to_owned()),
        '"' | '\'' => unescape(inner, quote),
        _ => None,
    }
}

fn unescape(inner: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    let mut buffer = [0; 4];
    while let Some(character) = rest.next() {
        if character == quote {
            return None;
        }
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let plain = match rest.next()? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            other if other == quote => u8::try_from(other).ok()?,
            'x' => u8::try_from(digits(&mut rest, 2, 16, 0)?).ok()?,
            octal @ '0'..='7' => u8::try_from(digits(&mut rest, 2, 8, octal.to_digit(8)?)?).ok()?,
            wide @ ('u' | 'U') => {
                let code = digits(&mut rest, if wide == 'u' { 4 } else { 8 }, 16, 0)?;
                let character = char::from_u32(code)?;
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            _ => return None,
        };
        bytes.push(plain);
    }
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn digits(rest: &mut std::str::Chars<'_>, count: u32, base: u32, start: u32) -> Option<u32> {
    let mut value = start;
    for _ in 0..count {
        value = value.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?)?;
    }
    Some(value)
}

/// Whether a label can be written without quotes.
#[must_use]
pub fn is_legacy_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// Whether a metric can be written without quotes.
#[must_use]
pub fn is_legacy_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_start = |byte: u8| byte == b'_' || byte == b':' || byte.is_ascii_alphabetic();
    bytes.next().is_some_and(is_start) && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_and_back() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\n\t\u{7}\u{0}\u{7f}", r#""\n\t\a\x00\x7f""#),
            ("é世\u{301}", "\"é世\u{301}\""),
            ("\u{200b}\u{e000}\u{10ffff}", r#""\u200b\ue000\U0010ffff""#),
        ] {
            assert_eq!(quote(text), quoted);
            assert_eq!(unquote(quoted).as_deref(), Some(text), "{quoted}");
        }
        assert_eq!(quote_char(Some('\'')), r"'\''");
        assert_eq!(quote_char(Some('"')), "'\"'");
        assert_eq!(quote_char(None), "'\u{fffd}'");
        assert_eq!(unquote(r"'\'\101\x41\u0041'").as_deref(), Some("'AAA"));
        assert_eq!(unquote(r"`\n`").as_deref(), Some(r"\n"));
        assert_eq!(unquote(r#""\'""#), None);
        assert_eq!(unquote("\""), None);
    }
}
