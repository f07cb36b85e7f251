//! Relabelling: rules that rename, drop and compute labels of targets and series.
//!
//! Actions, defaults and error texts are Prometheus's. A rule is checked when it is read, so that
//! applying it cannot fail.

mod md5;

use model::metric::{Labels, LabelsBuilder, from_go};
use regex::Regex;
use serde::Serialize;
use stdx::yaml::{Fields, Node, Problem};

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Writes the replacement into the target label where the sources match.
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops where the target label's value is not that of the sources.
    KeepEqual,
    /// Drops where it is.
    DropEqual,
    /// Writes a hash of the sources, modulo a number.
    HashMod,
    /// Copies labels whose names match to other names.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Writes the sources in lower case.
    Lowercase,
    /// Writes the sources in upper case.
    Uppercase,
}

impl Action {
    const ALL: [(&'static str, Action); 11] = [
        ("replace", Action::Replace),
        ("keep", Action::Keep),
        ("drop", Action::Drop),
        ("keepequal", Action::KeepEqual),
        ("dropequal", Action::DropEqual),
        ("hashmod", Action::HashMod),
        ("labelmap", Action::LabelMap),
        ("labeldrop", Action::LabelDrop),
        ("labelkeep", Action::LabelKeep),
        ("lowercase", Action::Lowercase),
        ("uppercase", Action::Uppercase),
    ];

    fn parse(text: &str) -> Option<Action> {
        let lower = text.to_lowercase();
        Action::ALL.iter().find(|(name, _)| *name == lower).map(|(_, action)| *action)
    }

    fn as_str(self) -> &'static str {
        Action::ALL.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// Which names of labels and metrics are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameScheme {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// Letters, digits and underscores.
    Legacy,
}

impl NameScheme {
    /// Whether `name` may be a label's name.
    #[must_use]
    pub fn allows_label(self, name: &str) -> bool {
        match self {
            NameScheme::Utf8 => !name.is_empty(),
            NameScheme::Legacy => is_legacy_label(name),
        }
    }

    /// Whether `name` may be a metric's name.
    #[must_use]
    pub fn allows_metric(self, name: &str) -> bool {
        match self {
            NameScheme::Utf8 => !name.is_empty(),
            NameScheme::Legacy => is_legacy_label(&name.replace(':', "_")),
        }
    }
}

fn is_legacy_label(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    /// As it is written, without anchors.
    regex_text: String,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.source_labels == other.source_labels
            && self.separator == other.separator
            && self.regex_text == other.regex_text
            && self.modulus == other.modulus
            && self.target_label == other.target_label
            && self.replacement == other.replacement
            && self.action == other.action
    }
}

const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";
const DEFAULT_SEPARATOR: &str = ";";

impl Rule {
    /// Reads one entry of `relabel_configs`.
    pub fn read(node: &Node, scheme: NameScheme) -> Result<Rule, Problem> {
        let mut fields = Fields::of(node, "relabel.plain")?;
        let action = match fields.node_or_null("action") {
            None => Action::Replace,
            Some(node) => {
                let text = node.text()?;
                Action::parse(&text)
                    .ok_or_else(|| node.problem(&format!("unknown relabel action {text:?}")))?
            }
        };
        let has_sources = fields.node("source_labels").is_some();
        let regex_text = match fields.node_or_null("regex") {
            None => DEFAULT_REGEX.to_owned(),
            Some(node) => node.text()?,
        };
        let anchored = format!("^(?s:{})$", from_go(&regex_text));
        let regex = Regex::new(&anchored).map_err(|error| {
            node.problem(&format!("error parsing regexp: {}", last_line(&error.to_string())))
        })?;
        let rule = Rule {
            source_labels: fields.texts("source_labels")?,
            separator: match fields.node_or_null("separator") {
                None => DEFAULT_SEPARATOR.to_owned(),
                Some(node) => node.text()?,
            },
            regex,
            regex_text,
            modulus: fields.count("modulus")?.unwrap_or(0),
            target_label: fields.text("target_label")?.unwrap_or_default(),
            replacement: match fields.node_or_null("replacement") {
                None => DEFAULT_REPLACEMENT.to_owned(),
                Some(node) => node.text()?,
            },
            action,
        };
        fields.finish()?;
        rule.check(scheme, has_sources).map_err(|message| node.problem(&message))?;
        Ok(rule)
    }

    fn check(&self, scheme: NameScheme, has_sources: bool) -> Result<(), String> {
        let (action, target) = (self.action, &self.target_label);
        let name = action.as_str();
        let equal = matches!(action, Action::KeepEqual | Action::DropEqual);
        let case = matches!(action, Action::Lowercase | Action::Uppercase);
        let targeted = equal || case || matches!(action, Action::Replace | Action::HashMod);
        let bad_target = || format!("{target:?} is invalid 'target_label' for {name} action");
        if action == Action::HashMod && self.modulus == 0 {
            return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
        }
        if targeted && target.is_empty() {
            return Err(format!(
                "relabel configuration for {name} action requires 'target_label' value"
            ));
        }
        let template = action == Action::Replace && target.contains('$');
        if template && scheme == NameScheme::Legacy && !is_legacy_template(target) {
            return Err(bad_target());
        }
        if targeted && !template && !scheme.allows_label(target) {
            return Err(bad_target());
        }
        if (equal || case) && self.replacement != DEFAULT_REPLACEMENT {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        let legal_replacement = match scheme {
            NameScheme::Utf8 => !self.replacement.is_empty(),
            NameScheme::Legacy => is_legacy_template(&self.replacement),
        };
        if action == Action::LabelMap && !legal_replacement {
            return Err(format!(
                "{:?} is invalid 'replacement' for {name} action",
                self.replacement
            ));
        }
        let others = self.modulus != 0
            || self.separator != DEFAULT_SEPARATOR
            || self.replacement != DEFAULT_REPLACEMENT;
        if equal && (others || self.regex_text != DEFAULT_REGEX) {
            return Err(format!(
                "{name} action requires only 'source_labels' and `target_label`, and no other \
                 fields"
            ));
        }
        let by_name = matches!(action, Action::LabelDrop | Action::LabelKeep);
        if by_name && (others || has_sources || !target.is_empty()) {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        Ok(())
    }

    /// Changes the labels; `false` drops what they belong to.
    fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        let values: Vec<&str> =
            self.source_labels.iter().map(|name| labels.get(name).unwrap_or("")).collect();
        let value = values.join(&self.separator);
        match self.action {
            Action::Drop => return !self.regex.is_match(&value),
            Action::Keep => return self.regex.is_match(&value),
            Action::DropEqual => return labels.get(&self.target_label).unwrap_or("") != value,
            Action::KeepEqual => return labels.get(&self.target_label).unwrap_or("") == value,
            Action::Replace => self.replace(&value, labels),
            Action::Lowercase => {
                labels.set(&self.target_label, &value.to_lowercase());
            }
            Action::Uppercase => {
                labels.set(&self.target_label, &value.to_uppercase());
            }
            Action::HashMod => {
                let hash = md5::last_u64(value.as_bytes());
                labels.set(&self.target_label, &(hash % self.modulus).to_string());
            }
            Action::LabelMap => self.map_names(labels),
            Action::LabelDrop => remove_where(labels, |name| self.regex.is_match(name)),
            Action::LabelKeep => remove_where(labels, |name| !self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, value: &str, labels: &mut LabelsBuilder) {
        let Some(captures) = self.regex.captures(value) else { return };
        let target = expand(&captures, &self.target_label);
        if target.is_empty() {
            return;
        }
        let replacement = expand(&captures, &self.replacement);
        labels.set(&target, &replacement);
    }

    fn map_names(&self, labels: &mut LabelsBuilder) {
        let mapped: Vec<(String, String)> = labels
            .iter()
            .filter_map(|(name, value)| {
                let captures = self.regex.captures(name)?;
                Some((expand(&captures, &self.replacement), value.to_owned()))
            })
            .collect();
        for (name, value) in mapped.into_iter().filter(|(name, _)| !name.is_empty()) {
            labels.set(&name, &value);
        }
    }
}

fn expand(captures: &regex::Captures<'_>, template: &str) -> String {
    if !template.contains('$') {
        return template.to_owned();
    }
    let mut text = String::new();
    captures.expand(template, &mut text);
    text
}

fn remove_where(labels: &mut LabelsBuilder, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<String> = labels
        .iter()
        .map(|(name, _)| name)
        .filter(|name| unwanted(name))
        .map(str::to_owned)
        .collect();
    for name in names {
        labels.remove(&name);
    }
}

/// Letters, digits, underscores and `$1`, `${1}`, `${name}`.
fn is_legacy_template(text: &str) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        rest = match c {
            '$' if after.starts_with('{') => match after.split_once('}') {
                Some((inside, after)) if inside.len() > 1 => after,
                _ => return false,
            },
            '$' if after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => after,
            c if c.is_ascii_alphanumeric() || c == '_' => after,
            _ => return false,
        };
    }
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim()
}

/// Reads a list of rules; `what` names the list in the problem of an empty entry.
pub fn read_rules(
    fields: &mut Fields<'_>,
    key: &str,
    scheme: NameScheme,
    empty: &str,
) -> Result<Vec<Rule>, Problem> {
    let mut rules = Vec::new();
    for node in fields.list(key, "[]*relabel.Config")? {
        if node.is_null() {
            return Err(node.problem(empty));
        }
        rules.push(Rule::read(node, scheme)?);
    }
    Ok(rules)
}

/// Applies rules in order; `false` means that what the labels belong to is dropped.
#[must_use]
pub fn apply(rules: &[Rule], labels: &mut LabelsBuilder) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

/// A rule as its fields, by the names that Prometheus's API has for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_labels: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    separator: String,
    regex: String,
    #[serde(skip_serializing_if = "is_zero")]
    modulus: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    target_label: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    replacement: String,
    action: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Rule {
    fn describe(&self) -> Described {
        Described {
            source_labels: self.source_labels.clone(),
            separator: self.separator.clone(),
            regex: self.regex_text.clone(),
            modulus: self.modulus,
            target_label: self.target_label.clone(),
            replacement: self.replacement.clone(),
            action: self.action.as_str(),
        }
    }
}

/// What a rule did.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The rule.
    pub rule: Described,
    /// The labels after it; none once they were dropped.
    pub labels: Labels,
    /// Whether they are still there.
    pub keep: bool,
}

/// Applies rules in order and tells what each of them does.
#[must_use]
pub fn trace(rules: &[Rule], labels: &Labels) -> Vec<Step> {
    let mut builder = LabelsBuilder::from_labels(labels);
    let mut keep = true;
    let step = |rule: &Rule| {
        keep = keep && rule.apply(&mut builder);
        let labels = if keep { builder.build() } else { Labels::empty() };
        Step { rule: rule.describe(), labels, keep }
    };
    rules.iter().map(step).collect()
}

#[cfg(test)]
mod tests {

    use super::*;

    fn rules(text: &str) -> Result<Vec<Rule>, Problem> {
        let root = stdx::yaml::parse(&format!("r:\n{text}"))?.expect("a root");
        read_rules(&mut Fields::of(&root, "t")?, "r", NameScheme::Utf8, "empty")
    }

    fn check(text: &str, expect: &str) {
        let rules = rules(text).expect(text);
        let labels = Labels::from_pairs(&[("a", "foo"), ("b", "bar"), ("c", "Baz")]);
        let mut builder = LabelsBuilder::from_labels(&labels);
        let kept = apply(&rules, &mut builder);
        let seen = if kept { builder.build().to_string() } else { "dropped".to_owned() };
        assert_eq!(seen, expect, "{text}");
    }

    #[test]
    fn a_trace_tells_what_each_rule_does() {
        let rules = rules(
            "- source_labels: [a, b]\n  target_label: d\n- regex: Baz\n  source_labels: [c]\n  \
             action: drop\n- regex: a\n  action: labeldrop",
        );
        let labels = Labels::from_pairs(&[("a", "foo"), ("b", "bar"), ("c", "Baz")]);
        let steps = trace(&rules.expect("rules"), &labels);
        let seen: Vec<_> = steps.iter().map(|one| (one.labels.to_string(), one.keep)).collect();
        let replaced = "{a=\"foo\", b=\"bar\", c=\"Baz\", d=\"foo;bar\"}".to_owned();
        assert_eq!(seen, [(replaced, true), ("{}".to_owned(), false), ("{}".to_owned(), false)]);
        assert_eq!(
            serde_json::to_string(&steps[0].rule).expect("JSON"),
            r#"{"sourceLabels":["a","b"],"separator":";","regex":"(.*)","targetLabel":"d","replacement":"$1","action":"replace"}"#
        );
    }

    #[test]
    fn actions_do_what_prometheus_does() {
        let all = r#"{a="foo", b="bar", c="Baz""#;
        check(
            "- {source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-${1}'}",
            &format!(r#"{all}, d="choo-oo"}}"#),
        );
        check("- {source_labels: [a], regex: 'o$', target_label: d}", &format!("{all}}}"));
        check("- {source_labels: [a, b], regex: 'foo;bar', action: drop}", "dropped");
        check("- {source_labels: [a], regex: 'b.*', action: keep}", "dropped");
        check("- {source_labels: [a], target_label: b, action: keepequal}", "dropped");
        check("- {source_labels: [a], target_label: b, action: dropequal}", &format!("{all}}}"));
        check(
            "- {source_labels: [c], target_label: c, action: lowercase}\n- {source_labels: [c], target_label: d, action: hashmod, modulus: 1000}",
            r#"{a="foo", b="bar", c="baz", d="976"}"#,
        );
        check(
            "- {regex: '(b|c)', replacement: 'x_$1', action: labelmap}",
            &format!(r#"{all}, x_b="bar", x_c="Baz"}}"#),
        );
        check("- {regex: 'b|c', action: labeldrop}", r#"{a="foo"}"#);
        check("- {regex: 'b|c', action: labelkeep}", r#"{b="bar", c="Baz"}"#);
        check(
            "- {source_labels: [c], target_label: c, action: LOWERCASE}",
            r#"{a="foo", b="bar", c="baz"}"#,
        );
        check("- {target_label: b, replacement: ''}", r#"{a="foo", c="Baz"}"#);
        check(
            "- {source_labels: [a], regex: '(f).*', target_label: '${1}x', replacement: v}",
            &format!(r#"{all}, fx="v"}}"#),
        );
    }

    #[test]
    fn bad_rules_are_refused_in_prometheus_words() {
        for (text, expect) in [
            ("- {action: bla}", "unknown relabel action \"bla\""),
            ("- {action: hashmod, target_label: x}", "requires non-zero modulus"),
            ("- {source_labels: [a]}", "replace action requires 'target_label' value"),
            (
                "- {regex: x, action: labeldrop, target_label: y}",
                "labeldrop action requires only 'regex'",
            ),
            (
                "- {source_labels: [a], regex: x, target_label: y, action: dropequal}",
                "dropequal action requires only",
            ),
            (
                "- {source_labels: [a], target_label: b, replacement: c, action: lowercase}",
                "'replacement' can not be set for lowercase action",
            ),
            ("- {regex: '(', target_label: x}", "error parsing regexp"),
            ("- {xx: 1}", "field xx not found in type relabel.plain"),
            ("- ", "empty"),
        ] {
            let problem = rules(text).expect_err(text).to_string();
            assert!(problem.contains(expect), "{text}: {problem}");
        }
    }
}
