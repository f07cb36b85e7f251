//! Words in text: what a full-text search matches and what token filters store.
//!
//! A token is a maximal run of ASCII letters, digits, `_` and bytes of non-ASCII characters;
//! everything else separates. Upper and lower case of ASCII letters are the same token. No
//! stemming, no stop words, no Unicode case folding: a rule that fits one line is the same in
//! every place that has to agree on it.

/// The tokens of `text`, as written there.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_token_char(c)).filter(|token| !token.is_empty())
}

/// Whether the byte, of UTF-8 text, belongs to a token.
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Whether the character belongs to a token.
#[must_use]
pub const fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The tokens that a text must contain, in any order: a full-text query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    tokens: Vec<String>,
}

impl Words {
    /// Reads the query. One without any token matches every text.
    #[must_use]
    pub fn new(query: &str) -> Words {
        let mut words = Words { tokens: Vec::new() };
        for token in tokens(query) {
            let token = token.to_ascii_lowercase();
            if !words.tokens.contains(&token) {
                words.tokens.push(token);
            }
        }
        // The longest is the rarest, as a rule: most texts are then refused at the first search.
        words.tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
        words
    }

    /// Whether `text` has every token of the query, as a whole token.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        self.tokens.iter().all(|token| contains(text.as_bytes(), token.as_bytes()))
    }

    /// The tokens, ASCII letters in lower case.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(String::as_str)
    }
}

/// Whether `text` has every token of `query`; for many texts make the [`Words`] once.
#[must_use]
pub fn contains_all(text: &str, query: &str) -> bool {
    Words::new(query).are_in(text)
}

/// Whether the token, given in lower case, stands in `text` with a separator or an end on both
/// sides.
fn contains(text: &[u8], token: &[u8]) -> bool {
    let Some((&first, _)) = token.split_first() else { return true };
    let mut from = 0;
    while let Some(rest) = text.get(from..)
        && let Some(found) = memchr::memchr2(first, first.to_ascii_uppercase(), rest)
    {
        let start = from + found;
        let Some(candidate) = text.get(start..start + token.len()) else { return false };
        let bounded_before = start == 0 || !is_token_byte(text[start - 1]);
        let bounded_after = text.get(start + token.len()).is_none_or(|&b| !is_token_byte(b));
        if bounded_before && bounded_after && candidate.eq_ignore_ascii_case(token) {
            return true;
        }
        from = start + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_falls_into_runs_of_letters_digits_underscores_and_non_ascii() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(tokens(text).collect::<Vec<_>>(), expect, "{text:?}");
        };
        check("", &[]);
        check(" -- ", &[]);
        check("GET /api/v1?id=7", &["GET", "api", "v1", "id", "7"]);
        check("user_id=a-b", &["user_id", "a", "b"]);
        check("Grüße, Welt", &["Grüße", "Welt"]);
        check("日本語 ok", &["日本語", "ok"]);
        check("{\"k\":\"v\"}", &["k", "v"]);
    }

    #[test]
    fn words_are_whole_tokens_in_any_case_and_order() {
        let check = |text: &str, query: &str, expect: bool| {
            assert_eq!(contains_all(text, query), expect, "{query:?} in {text:?}");
        };
        check("Connection timed out", "TIMED connection", true);
        check("Connection timed out", "time", false);
        check("Connection timed out", "", true);
        check("Connection timed out", " - ", true);
        check("", "x", false);
        check("aaab aab", "aab", true);
        check("aaab", "aab", false);
        check("xab ab", "ab", true);
        check("ab_c", "ab", false);
        check("abä", "ab", false);
        check("Grüße", "grüße", true);
        check("GRÜSSE", "grüsse", false);
        check("id=7f3a-9b", "7F3A-9B", true);
    }

    #[test]
    fn search_and_tokenizer_agree() {
        let texts = ["a b", "ab a", "a_b", "a-b-ab", "äa a", "A,b", "bab ab", "", "ba"];
        for text in texts {
            for word in ["a", "b", "ab", "ä", "ba"] {
                let expect = tokens(text).any(|token| token.eq_ignore_ascii_case(word));
                assert_eq!(contains_all(text, word), expect, "{word:?} in {text:?}");
            }
        }
    }
}
