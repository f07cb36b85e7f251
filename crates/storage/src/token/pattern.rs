//! Which tokens every text that matches a `LIKE` pattern must have.
//!
//! Only tokens whose both ends are fixed by the pattern count: in `%user 42 logged%` that is `42`,
//! for `user` may be the end of `superuser`.

use super::hash_tokens;

/// One step of a pattern.
enum Piece {
    Literal(char),
    /// `%` or `_`.
    Wildcard,
}

/// The hashes of the tokens that `pattern` asks for. In a case-insensitive pattern tokens with
/// other than ASCII letters are left out, because their case is folded by other rules.
pub(crate) fn like_token_hashes(
    pattern: &str,
    escape: Option<char>,
    case_insensitive: bool,
) -> Vec<u64> {
    let mut hashes = Vec::new();
    for token in bounded_tokens(pattern, escape) {
        if token.is_ascii() || !case_insensitive {
            hash_tokens(&token, |hash| hashes.push(hash));
        }
    }
    hashes
}

/// The hashes of the tokens of every text that contains `substring`.
pub(crate) fn substring_token_hashes(substring: &str) -> Vec<u64> {
    // What is before the first separator and behind the last may be a part of a longer token.
    let is_separator = |c| !model::token::is_token_char(c);
    let inner = substring
        .find(is_separator)
        .zip(substring.rfind(is_separator))
        .and_then(|(first, last)| substring.get(first..last));
    let mut hashes = Vec::new();
    hash_tokens(inner.unwrap_or_default(), |hash| hashes.push(hash));
    hashes
}

fn bounded_tokens(pattern: &str, escape: Option<char>) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token = String::new();
    let mut bounded = true;
    for piece in pieces(pattern, escape.unwrap_or('\\')) {
        match piece {
            Piece::Literal(c) if model::token::is_token_char(c) => token.push(c),
            Piece::Literal(_) => {
                if bounded && !token.is_empty() {
                    tokens.push(std::mem::take(&mut token));
                }
                token.clear();
                bounded = true;
            }
            Piece::Wildcard => {
                token.clear();
                bounded = false;
            }
        }
    }
    if bounded && !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

fn pieces(pattern: &str, escape: char) -> impl Iterator<Item = Piece> {
    let mut chars = pattern.chars().peekable();
    std::iter::from_fn(move || {
        let c = chars.next()?;
        if c == escape {
            // Engines differ about what else may be escaped: take it for anything.
            let escaped = chars.next_if(|&next| next == '%' || next == '_');
            return Some(escaped.map_or(Piece::Wildcard, Piece::Literal));
        }
        Some(if c == '%' || c == '_' { Piece::Wildcard } else { Piece::Literal(c) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_with_both_ends_in_the_pattern_are_asked_for() {
        let check = |pattern: &str, expect: &[&str]| {
            assert_eq!(bounded_tokens(pattern, None), expect, "{pattern:?}");
        };
        check("%user 42 logged%", &["42"]);
        check("user 42 logged", &["user", "42", "logged"]);
        check("user%", &[]);
        check("user %", &["user"]);
        check("%error", &[]);
        check("% error", &["error"]);
        check("a_b c", &["c"]);
        check("a\\_b c", &["a_b", "c"]);
        check("100\\% sure", &["100", "sure"]);
        check("%id=7f3a-9b4c-%", &["7f3a", "9b4c"]);
        check("", &[]);
        check("%", &[]);
        check("x\\", &[]);
        check("a\\\\b c", &["c"]);
    }

    #[test]
    fn a_substring_asks_for_its_inner_tokens() {
        let check = |substring: &str, expect: usize| {
            assert_eq!(substring_token_hashes(substring).len(), expect, "{substring:?}");
        };
        check("user 42 logged", 1);
        check("user", 0);
        check("", 0);
        check(" user ", 1);
        check("user 42", 0);
        check("ü-ä-ö", 1);
    }

    #[test]
    fn letters_outside_ascii_are_not_asked_for_when_case_does_not_matter() {
        assert_eq!(like_token_hashes("% Grüße an Welt%", None, true).len(), 1);
        assert_eq!(like_token_hashes("% Grüße an Welt%", None, false).len(), 2);
    }
}
