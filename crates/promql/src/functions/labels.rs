//! `label_replace`, `label_join`, the labels of `absent`.

use model::metric::{Labels, LabelsBuilder, MatchOp, Matcher, NAME_LABEL, from_go};
use regex::Regex;

use crate::eval::Series;

/// Sets `target` from `source` where the expression matches.
pub(crate) struct Replace<'a> {
    pub(crate) target: &'a str,
    pub(crate) replacement: &'a str,
    pub(crate) source: &'a str,
    pub(crate) regex: Regex,
}

impl<'a> Replace<'a> {
    /// From the texts of the call.
    pub(crate) fn new(
        target: &'a str,
        replacement: &'a str,
        source: &'a str,
        regex: &str,
    ) -> Result<Replace<'a>, String> {
        let compiled = Regex::new(&format!("^(?s:{})$", from_go(regex)))
            .map_err(|_| format!("invalid regular expression in label_replace(): {regex}"))?;
        if !is_valid_name(target) {
            return Err(format!("invalid destination label name in label_replace(): {target}"));
        }
        Ok(Replace { target, replacement, source, regex: compiled })
    }

    /// Changes the labels of one series.
    pub(crate) fn apply(&self, series: &mut Series) {
        let source = series.labels.get(self.source).unwrap_or_default();
        let Some(captures) = self.regex.captures(source) else { return };
        let value = expand(self.replacement, &captures);
        set(series, self.target, &value);
    }
}

/// Go's templates: `$1`, `$name`, `${1}`, `$$`; the name is as long as it can be, what does not
/// exist is empty.
fn expand(template: &str, captures: &regex::Captures<'_>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let after = after.strip_prefix('$').unwrap_or(after);
        if let Some(tail) = after.strip_prefix('$') {
            text.push('$');
            rest = tail;
            continue;
        }
        let is_word = |one: char| one.is_alphanumeric() || one == '_';
        let (name, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, tail)) if !name.is_empty() && name.chars().all(is_word) => (name, tail),
            _ => after.split_at(after.find(|one| !is_word(one)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            text.push('$');
            rest = after;
            continue;
        }
        let found = match name.parse::<usize>() {
            Ok(index) => captures.get(index),
            Err(_) => captures.name(name),
        };
        text.push_str(found.map_or("", |found| found.as_str()));
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// Sets a label; a name that is set stays.
pub(crate) fn set(series: &mut Series, target: &str, value: &str) {
    let mut builder = LabelsBuilder::from_labels(&series.labels);
    series.labels = builder.set(target, value).build();
    if target == NAME_LABEL {
        series.drop_name = false;
    }
}

/// Any text but the empty one is a name. Bytes that are no text have become U+FFFD in the parser.
pub(crate) fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('\u{FFFD}')
}

/// The labels that a selector's equality matchers say.
pub(crate) fn absent_labels(matchers: &[Matcher]) -> Labels {
    let mut builder = LabelsBuilder::default();
    for matcher in matchers.iter().filter(|matcher| matcher.name != NAME_LABEL) {
        let others = matchers.iter().filter(|other| other.name == matcher.name).count();
        if matcher.op == MatchOp::Equal && others == 1 {
            builder.set(&matcher.name, &matcher.value);
        }
    }
    builder.build()
}
