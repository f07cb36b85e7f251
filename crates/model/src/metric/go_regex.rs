//! Go's regular expressions (RE2) for an engine that reads some of them otherwise.
//!
//! Both speak the same language but for corners: in Go a brace that counts nothing stands for
//! itself, `\d`, `\w`, `\s` and `\b` know ASCII only, `\Q…\E` quotes, any other escaped sign is
//! itself, and classes neither nest nor intersect.

use std::iter::Peekable;
use std::str::Chars;

/// The expression that means here what `pattern` means in Go. What is wrong stays wrong.
#[must_use]
pub fn from_go(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out, false),
            '[' => class(&mut rest, &mut out),
            '{' => match counted(rest.clone()) {
                Some(count) => {
                    out.push('{');
                    out.push_str(&count);
                    rest.nth(count.chars().count() - 1);
                }
                None => out.push_str("\\{"),
            },
            c => out.push(c),
        }
    }
    out
}

/// What follows a brace, up to the closing one, when it is `{2}`, `{2,}` or `{2,5}`.
fn counted(rest: Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    for c in rest {
        text.push(c);
        if c == '}' {
            break;
        }
    }
    let inner = text.strip_suffix('}')?;
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(text)
}

/// What a backslash begins.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String, in_class: bool) {
    let Some(c) = rest.next() else {
        out.push('\\');
        return;
    };
    let ascii = match c {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => "\\t\\n\\x0C\\r ",
        _ => "",
    };
    match c {
        'd' | 'w' | 's' if in_class => out.push_str(ascii),
        'd' | 'w' | 's' => out.extend(["[", ascii, "]"]),
        'D' | 'W' | 'S' => out.extend(["[^", ascii, "]"]),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'Q' if !in_class => quoted(rest, out),
        'p' | 'P' | 'x' => {
            out.extend(['\\', c]);
            if rest.peek() == Some(&'{') {
                out.extend(rest.by_ref().take_while(|c| *c != '}'));
                out.push('}');
            }
        }
        '0'..='7' => octal(c, rest, out),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => put_literal(c, out),
        c => out.extend(['\\', c]),
    }
}

/// `\012`; a single digit but zero is a reference back, which neither has.
fn octal(first: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let is_octal = |c: &char| ('0'..='7').contains(c);
    if first != '0' && !rest.peek().is_some_and(is_octal) {
        out.extend(['\\', first]);
        return;
    }
    let mut code = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        let Some(digit) = rest.next_if(is_octal) else { break };
        code = code * 8 + digit.to_digit(8).unwrap_or(0);
    }
    out.push_str(&format!("\\x{{{code:X}}}"));
}

/// Everything up to `\E` stands for itself.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        put_literal(c, out);
    }
}

fn put_literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}

/// What stands between brackets.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // At the beginning a closing bracket stands for itself.
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '[' if rest.peek() == Some(&':') => {
                let mut name = String::from("[");
                let mut ahead = rest.clone();
                name.extend(ahead.by_ref().take_while(|c| *c != ']'));
                if name.ends_with(':') && name.len() > 2 {
                    out.push_str(&name);
                    out.push(']');
                    *rest = ahead;
                } else {
                    out.push_str("\\[");
                }
            }
            '[' | '&' | '~' => out.extend(['\\', c]),
            '\\' => escape(rest, out, true),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_in_go() {
        for (pattern, matching, other) in [
            ("a{", "a{", "a"),
            ("a{,2}", "a{,2}", "aa"),
            ("{a}", "{a}", "a"),
            ("a{2}", "aa", "a{2}"),
            ("a{1,}b{0,1}", "aaab", "b"),
            ("a{1,b}", "a{1,b}", "a"),
            ("a{1", "a{1", "a"),
            (r"\d+\w\s", "12a ", "٣a "),
            (r"[\d.]+[\w-]", "1.2-", "٣-"),
            (r"[^\D]", "7", "٣"),
            (r"\<a\>", "<a>", "a"),
            (r"\Qa.b{\Ec", "a.b{c", "axb{c"),
            (r"[[a]", "[", "]"),
            ("[]a]", "]", "["),
            ("[a&&b]", "&", "c"),
            ("[[:alpha:]_]", "x", "1"),
            (r"\p{Greek}\pL\x{41}\x41", "αβAA", "aβAA"),
            (r"\101\0?", "A", "101"),
            (r"a\-b\_\%\/", "a-b_%/", "ab"),
            ("(?i)ab|c.d", "AB", "ac"),
        ] {
            let read = from_go(pattern);
            let regex = Regex::new(&format!("^(?:{read})$")).expect(&read);
            assert!(regex.is_match(matching), "{pattern} as {read} on {matching:?}");
            assert!(!regex.is_match(other), "{pattern} as {read} on {other:?}");
        }
        for pattern in ["(", "[b-a]", "[a", "\\", r"\1", "(?=a)", "{1}"] {
            assert!(Regex::new(&from_go(pattern)).is_err(), "{pattern}");
        }
    }
}
