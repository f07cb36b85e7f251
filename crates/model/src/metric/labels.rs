//! Label sets in their one canonical form.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::NAME_LABEL;

/// A label set: sorted by name, no name twice, no empty value.
///
/// It is one allocation in canonical form, so that equality and hashing are those of bytes: for each
/// label the length of the name, the name, the length of the value, the value; lengths are LEB128
/// varints. [`super::Batch`] carries the same bytes, and the engine uses them as its key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

/// Reads a varint that was written by [`put_varint`], at the front of `bytes`.
fn take_varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    let mut shift = 0u32;
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

fn put_varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap_or(0));
}

/// Writes one label in canonical form.
pub(crate) fn put_label(into: &mut Vec<u8>, name: &str, value: &str) {
    put_varint(into, name.len());
    into.extend_from_slice(name.as_bytes());
    put_varint(into, value.len());
    into.extend_from_slice(value.as_bytes());
}

/// The labels of canonical bytes, in order.
#[derive(Debug, Clone)]
pub struct LabelsIter<'a>(&'a [u8]);

impl<'a> LabelsIter<'a> {
    /// Over bytes in canonical form; what is not in that form ends the iteration.
    #[must_use]
    pub fn new(canonical: &'a [u8]) -> LabelsIter<'a> {
        LabelsIter(canonical)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = take_varint(&mut self.0)?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

impl<'a> Iterator for LabelsIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        if self.0.is_empty() {
            return None;
        }
        Some((self.text()?, self.text()?))
    }
}

impl Labels {
    /// No labels.
    #[must_use]
    pub fn empty() -> Labels {
        Labels(Arc::from([]))
    }

    /// Sorts; of the same name the last wins; empty values are left out.
    #[must_use]
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Labels {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Takes bytes that are known to be in canonical form, for example from a [`super::Batch`].
    #[must_use]
    pub fn from_canonical(bytes: &[u8]) -> Labels {
        Labels(Arc::from(bytes))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The labels in order of their names.
    #[must_use]
    pub fn iter(&self) -> LabelsIter<'_> {
        LabelsIter(&self.0)
    }

    /// The value of `name`, if it has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(found, value)| (found == name).then_some(value))
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.get(NAME_LABEL)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = LabelsIter<'a>;

    fn into_iter(self) -> LabelsIter<'a> {
        self.iter()
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Labels) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As Prometheus sorts series: label by label, name then value, a prefix first.
impl Ord for Labels {
    fn cmp(&self, other: &Labels) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

/// As Prometheus prints a label set: `{a="1", b="2"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes label sets. Keeps its memory between uses.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts from what `labels` has.
    #[must_use]
    pub fn from_labels(labels: &Labels) -> LabelsBuilder {
        let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        LabelsBuilder { pairs: pairs.collect() }
    }

    /// Sets or, with an empty value, removes a label.
    pub fn set(&mut self, name: &str, value: &str) -> &mut LabelsBuilder {
        match self.pairs.binary_search_by(|(found, _)| found.as_str().cmp(name)) {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => value.clone_into(&mut self.pairs[at].1),
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut LabelsBuilder {
        self.set(name, "")
    }

    /// The value of `name` so far.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.pairs.binary_search_by(|(found, _)| found.as_str().cmp(name)).ok()?;
        Some(&self.pairs[at].1)
    }

    /// The labels so far, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The label set; the builder keeps its labels.
    #[must_use]
    pub fn build(&self) -> Labels {
        let mut bytes = Vec::new();
        for (name, value) in &self.pairs {
            put_label(&mut bytes, name, value);
        }
        Labels(Arc::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_unique_and_not_empty() {
        let labels = Labels::from_pairs(&[("b", "2"), ("__name__", "up"), ("a", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{__name__="up", b="3"}"#);
        assert_eq!(labels.name(), Some("up"));
        assert_eq!(labels.get("a"), None);
        assert_eq!(labels, Labels::from_canonical(labels.as_bytes()));
    }

    #[test]
    fn long_values_and_order() {
        let long = "x".repeat(300);
        let labels = Labels::from_pairs(&[("a", long.as_str()), ("z", "é")]);
        assert_eq!(labels.get("a"), Some(long.as_str()));
        assert_eq!(labels.get("z"), Some("é"));
        let short = Labels::from_pairs(&[("a", "b")]);
        assert!(short < labels);
        assert!(Labels::empty() < short);
    }
}
