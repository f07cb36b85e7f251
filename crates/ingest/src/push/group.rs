//! Grouping keys: the labels in a push's address, which all its series get.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use model::metric::{Labels, LabelsBuilder, NAME_LABEL};

/// The labels of a push, by name. Empty values take a label away from its series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group(BTreeMap<String, String>);

const SUFFIX: &str = "@base64";

impl Group {
    /// Of `/metrics/job/<job>{/<label>/<value>}`, where names may end with `@base64`.
    pub(super) fn of_path(path: &str) -> Result<Group, String> {
        let rest = path.strip_prefix("/metrics/").unwrap_or(path);
        // A slash at the end is none, unless an empty value stands before it.
        let even = |rest: &str| rest.split('/').count().is_multiple_of(2);
        let rest = rest.strip_suffix('/').filter(|rest| even(rest)).unwrap_or(rest);
        let parts: Vec<&str> = rest.split('/').collect();
        let (pairs, left) = parts.as_chunks::<2>();
        if !left.is_empty() {
            return Err(format!("odd number of components in label string {rest:?}"));
        }
        let mut labels = BTreeMap::new();
        for [name, value] in pairs {
            let name = percent_decode(name)?;
            let (name, value) = match name.strip_suffix(SUFFIX) {
                Some(name) => (name.to_owned(), decode_base64(name, value)?),
                None => (name.into_owned(), percent_decode(value)?.into_owned()),
            };
            check(&name)?;
            if labels.insert(name.clone(), value).is_some() {
                return Err(format!("duplicate label {name:?} in the grouping key"));
            }
        }
        if labels.get("job").is_none_or(String::is_empty) {
            return Err("job name is required".to_owned());
        }
        Ok(Group(labels))
    }

    /// Of a query: `job=backup&instance=a`.
    pub(super) fn of_query(query: &str) -> Result<Group, String> {
        let mut labels = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode(&name.replace('+', " "))?.into_owned();
            check(&name)?;
            let value = percent_decode(&value.replace('+', " "))?.into_owned();
            labels.insert(name, value);
        }
        Ok(Group(labels))
    }

    /// Gives the labels to a series.
    pub(super) fn put_on(&self, labels: &mut LabelsBuilder) {
        for (name, value) in &self.0 {
            labels.set(name, value);
        }
    }

    /// The labels of a series of the group's own.
    pub(super) fn labels(&self, name: &str) -> Labels {
        let mut labels = LabelsBuilder::default();
        self.put_on(&mut labels);
        labels.set(NAME_LABEL, name);
        labels.build()
    }
}

fn check(name: &str) -> Result<(), String> {
    let valid = !name.is_empty()
        && !name.starts_with("__")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid { Ok(()) } else { Err(format!("improper label name {name:?}")) }
}

/// The URL-safe alphabet with or without padding; a sole `=` is the empty text, which has no place
/// in a path otherwise.
fn decode_base64(name: &str, value: &str) -> Result<String, String> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let value = percent_decode(value)?;
    let decoded = ENGINE.decode(value.trim_end_matches('=')).ok();
    decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| format!("invalid base64 encoding for label {name:?}, value {value:?}"))
}

fn percent_decode(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let pair = digit(rest.first()).zip(digit(rest.get(1)));
        let value = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(value.ok_or_else(|| format!("invalid escape in {text:?}"))?);
        rest = rest.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| format!("{text:?} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |path: &str, expected: Result<&str, &str>| {
            let labels = Group::of_path(path).map(|group| group.labels("m").to_string());
            assert_eq!(labels.as_deref().map_err(String::as_str), expected, "{path}");
        };
        check("/metrics/job/backup", Ok(r#"{__name__="m", job="backup"}"#));
        check(
            "/metrics/job/a%2Fb/instance/x%20y",
            Ok(r#"{__name__="m", instance="x y", job="a/b"}"#),
        );
        check(
            "/metrics/job@base64/L3Zhci90bXA/path@base64/L3Zhci90bXA=",
            Ok(r#"{__name__="m", job="/var/tmp", path="/var/tmp"}"#),
        );
        check("/metrics/job/a/b@base64/=", Ok(r#"{__name__="m", job="a"}"#));
        check("/metrics/job/a/", Ok(r#"{__name__="m", job="a"}"#));
        check("/metrics/job/a/b", Err("odd number of components in label string \"job/a/b\""));
        check("/metrics/job//b/c", Err("job name is required"));
        check("/metrics/job/a/__x/c", Err("improper label name \"__x\""));
        check("/metrics/job/a/x-y/c", Err("improper label name \"x-y\""));
        check("/metrics/job/a/x/1/x/2", Err("duplicate label \"x\" in the grouping key"));
        check(
            "/metrics/job@base64/!",
            Err("invalid base64 encoding for label \"job\", value \"!\""),
        );
        check("/metrics/job/%zz", Err("invalid escape in \"%zz\""));
    }

    #[test]
    fn queries() {
        let group = Group::of_query("job=a+b&instance=%C3%A9&empty=").expect("valid");
        assert_eq!(group.labels("m").to_string(), r#"{__name__="m", instance="é", job="a b"}"#);
        assert!(Group::of_query("1x=a").is_err());
    }
}
