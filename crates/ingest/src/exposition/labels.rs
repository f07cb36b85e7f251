//! The labels of a series, found but not decoded.

use std::borrow::Cow;

use model::metric::{LabelsIter, MetricType, NAME_LABEL};

use super::number;

/// Where a label is in the text: its name and its value, without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LabelSpan {
    pub(super) name: (usize, usize),
    pub(super) value: (usize, usize),
}

/// The labels of a series.
#[derive(Debug, Clone, Copy)]
pub struct SeriesLabels<'p>(pub(super) Source<'p>);

#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'p> {
    Text {
        body: &'p str,
        /// From the start of the line to the end of the labels.
        key: &'p str,
        name: (usize, usize),
        spans: &'p [LabelSpan],
        /// Of the family: bounds and quantiles are given in one way of writing.
        kind: MetricType,
    },
    Canonical(&'p [u8]),
}

impl<'p> SeriesLabels<'p> {
    /// Bytes that are the same only if the labels are the same, on pages of the same format and
    /// under the same `# TYPE`. The other way round it is not so: labels may be written in several
    /// ways.
    #[must_use]
    pub fn key(&self) -> &'p [u8] {
        match self.0 {
            Source::Text { key, .. } => key.as_bytes(),
            Source::Canonical(bytes) => bytes,
        }
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> Cow<'p, str> {
        match self.0 {
            Source::Text { body, name, .. } => unescape(slice(body, name)),
            Source::Canonical(bytes) => {
                let name = LabelsIter::new(bytes).find(|(name, _)| *name == NAME_LABEL);
                Cow::Borrowed(name.map_or("", |(_, value)| value))
            }
        }
    }

    /// The same labels with bounds and quantiles as they are written.
    pub(super) fn as_written(self) -> SeriesLabels<'p> {
        match self.0 {
            Source::Text { body, key, name, spans, .. } => {
                let kind = MetricType::Unknown;
                SeriesLabels(Source::Text { body, key, name, spans, kind })
            }
            Source::Canonical(_) => self,
        }
    }

    /// Names and values without escapes, the metric's name first, the others as they come: not
    /// sorted, perhaps twice, perhaps empty.
    #[must_use]
    pub fn iter(&self) -> SeriesLabelsIter<'p> {
        let canonical = match self.0 {
            Source::Text { .. } => LabelsIter::new(&[]),
            Source::Canonical(bytes) => LabelsIter::new(bytes),
        };
        SeriesLabelsIter { labels: *self, index: 0, canonical }
    }
}

impl<'p> IntoIterator for SeriesLabels<'p> {
    type Item = (Cow<'p, str>, Cow<'p, str>);
    type IntoIter = SeriesLabelsIter<'p>;

    fn into_iter(self) -> SeriesLabelsIter<'p> {
        self.iter()
    }
}

/// The labels of a [`SeriesLabels`].
#[derive(Debug, Clone)]
pub struct SeriesLabelsIter<'p> {
    labels: SeriesLabels<'p>,
    /// Of the next label, the name being the first.
    index: usize,
    /// The labels that are still to come, when they are in canonical form.
    canonical: LabelsIter<'p>,
}

impl<'p> Iterator for SeriesLabelsIter<'p> {
    type Item = (Cow<'p, str>, Cow<'p, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        self.index += 1;
        if index == 0 {
            return Some((Cow::Borrowed(NAME_LABEL), self.labels.name()));
        }
        match &self.labels.0 {
            Source::Text { body, spans, kind, .. } => {
                let span = spans.get(index - 1)?;
                let name = unescape(slice(body, span.name));
                let value = number::normal_bound(*kind, &name, unescape(slice(body, span.value)));
                Some((name, value))
            }
            Source::Canonical(_) => {
                let (name, value) = self.canonical.find(|(name, _)| *name != NAME_LABEL)?;
                Some((Cow::Borrowed(name), Cow::Borrowed(value)))
            }
        }
    }
}

pub(super) fn slice(body: &str, (start, end): (usize, usize)) -> &str {
    body.get(start..end).unwrap_or("")
}

/// Takes the escapes `\\`, `\"` and `\n` out; what else comes after a backslash stays with it.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    replace_escapes(text, true)
}

/// The same for the text of `# HELP` in Prometheus's format, where quotes are not escaped.
pub(super) fn unescape_help(text: &str) -> Cow<'_, str> {
    replace_escapes(text, false)
}

fn replace_escapes(text: &str, quotes: bool) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len());
    out.push_str(plain);
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.clone().next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quotes => out.push('"'),
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, label, help) in [
            ("plain", "plain", "plain"),
            (r"a\nb", "a\nb", "a\nb"),
            (r#"say \"x\""#, r#"say "x""#, r#"say \"x\""#),
            (r"C:\\dir\x", r"C:\dir\x", r"C:\dir\x"),
            (r"end\", r"end\", r"end\"),
            (r"\\n", r"\n", r"\n"),
        ] {
            assert_eq!(unescape(text), label);
            assert_eq!(unescape_help(text), help);
        }
    }
}
