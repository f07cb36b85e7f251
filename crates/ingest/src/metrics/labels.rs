//! Label sets on their way into canonical form.

use model::metric::Batch;

use super::limits::MetricLimits;
use super::rejections::Invalid;

/// The labels of one series as they come: borrowed, in any order. Keeps its memory between series.
#[derive(Debug, Default)]
pub(crate) struct LabelSet<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
    canonical: Vec<u8>,
}

impl<'a> LabelSet<'a> {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
    }

    #[inline]
    pub(crate) fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.pairs.push((name, value));
    }

    /// The value of `name`, as it came.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.pairs.iter().find_map(|(found, value)| (*found == name).then_some(*value))
    }

    /// Sorts, checks and writes the labels; [`LabelSet::canonical`] has them then. Labels with empty
    /// values are left out.
    pub(crate) fn canonicalise(&mut self, limits: &MetricLimits) -> Result<(), Invalid> {
        if self.pairs.len() > limits.labels_per_series_max {
            return Err(Invalid::LabelCount);
        }
        if !self.pairs.is_sorted_by(|(one, _), (two, _)| one < two) {
            self.pairs.sort_by_key(|(name, _)| *name);
            if self.pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(Invalid::LabelTwice);
            }
        }
        self.canonical.clear();
        let mut all_short = true;
        let mut named = false;
        for (name, value) in &self.pairs {
            if value.is_empty() {
                continue;
            }
            if name.len() > limits.label_name_bytes_max {
                return Err(Invalid::LabelNameLength);
            }
            if value.len() > limits.label_value_bytes_max {
                return Err(Invalid::LabelValueLength);
            }
            if name.is_empty() {
                return Err(Invalid::Name);
            }
            named |= *name == b"__name__";
            all_short &= name.len() < 0x80 && value.len() < 0x80;
            put_text(&mut self.canonical, name);
            put_text(&mut self.canonical, value);
        }
        if !named {
            return Err(Invalid::Name);
        }
        // Short lengths are ASCII, so that one look over all is a look at each: a character cannot
        // reach over the length that stands between two texts.
        let valid = if all_short {
            simdutf8::basic::from_utf8(&self.canonical).is_ok()
        } else {
            let is_text = |text: &[u8]| simdutf8::basic::from_utf8(text).is_ok();
            self.pairs.iter().all(|(name, value)| is_text(name) && is_text(value))
        };
        if valid { Ok(()) } else { Err(Invalid::Text) }
    }

    /// The labels in canonical form, after [`LabelSet::canonicalise`].
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Begins a series with these labels.
    pub(crate) fn begin(&self, batch: &mut Batch) {
        batch.begin();
        batch.canonical_labels(&self.canonical);
    }

    /// For messages, whatever is wrong with them: `{a="1", b="2"}`.
    pub(crate) fn display(&self) -> String {
        const SHOWN: usize = 20;
        let mut text = String::from("{");
        for (index, (name, value)) in self.pairs.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            text.push_str(&format!("{comma}{name}={value:?}"));
        }
        text.push_str(if self.pairs.len() > SHOWN { ", …}" } else { "}" });
        text
    }
}

fn put_text(into: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        into.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
    into.push(length as u8);
    into.extend_from_slice(text);
}

/// The first `bytes_max` bytes of a text, cut between two characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use model::metric::Labels;

    use super::*;

    #[test]
    fn label_sets_are_sorted_and_checked() {
        let long = "x".repeat(300);
        let check = |pairs: &[(&str, &str)], expected: Result<&str, Invalid>| {
            let mut set = LabelSet::default();
            for (name, value) in pairs {
                set.push(name.as_bytes(), value.as_bytes());
            }
            let limits = MetricLimits { labels_per_series_max: 3, ..MetricLimits::default() };
            let done = set.canonicalise(&limits);
            let labels = Labels::from_canonical(set.canonical()).to_string();
            assert_eq!(done.map(|()| labels.as_str()), expected, "{pairs:?}");
            if done.is_ok() {
                assert_eq!(set.canonical(), Labels::from_pairs(pairs).as_bytes());
            }
        };
        check(&[("__name__", "up"), ("a", "1")], Ok(r#"{__name__="up", a="1"}"#));
        check(&[("b", "é"), ("__name__", "up"), ("a", "")], Ok(r#"{__name__="up", b="é"}"#));
        let longest = format!(r#"{{__name__="up", b="{long}"}}"#);
        check(&[("b", &long), ("__name__", "up")], Ok(&longest));
        check(&[("a", "1"), ("__name__", "up"), ("a", "2")], Err(Invalid::LabelTwice));
        check(&[("a", "1")], Err(Invalid::Name));
        check(&[("__name__", "")], Err(Invalid::Name));
        check(&[("", "1"), ("__name__", "up")], Err(Invalid::Name));
        check(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")], Err(Invalid::LabelCount));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_wherever_it_is() {
        let broken: [&[u8]; 3] = [b"\xff", b"\xc3", &[0xc3; 200]];
        for value in broken {
            let mut set = LabelSet::default();
            set.push(b"__name__", b"up");
            set.push(b"a", value);
            set.push(b"b", b"\xa9");
            assert_eq!(set.canonicalise(&MetricLimits::default()), Err(Invalid::Text));
            assert!(set.display().starts_with(r#"{__name__="up", a="#));
        }
    }
}
