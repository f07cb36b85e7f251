//! Rule files as Prometheus reads them, with promtool's errors.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use stdx::yaml::{Fields, Node, Problem};

use crate::query::Query;
use crate::template::Template;

/// A group of rules, evaluated one after the other at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name, unique in the file.
    pub name: String,
    /// How often; as configured for all when it does not say.
    pub interval: Option<Duration>,
    /// How far before its time it looks.
    pub query_offset: Option<Duration>,
    /// The most series or alerts of one rule; 0 is any number.
    pub limit: usize,
    /// The rules; labels of the group are in them.
    pub rules: Vec<Rule>,
}

/// What a rule makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// A series under the rule's name.
    Record,
    /// Alerts.
    Alert,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it makes.
    pub kind: RuleKind,
    /// `record` or `alert`.
    pub name: String,
    /// As the language prints it.
    pub expr: String,
    /// How long before an alert fires.
    pub hold: Duration,
    /// How long an alert fires on.
    pub keep_firing: Duration,
    /// Labels; of alerts they are templates.
    pub labels: BTreeMap<String, String>,
    /// Annotations; they are templates.
    pub annotations: BTreeMap<String, String>,
    /// The line of the rule in its file.
    pub line: usize,
}

/// How strict reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strictness {
    /// Unknown keys are left out without an error.
    pub ignore_unknown_fields: bool,
}

/// Reads a file. All errors of it, each beginning with its name.
pub fn read_file(
    path: &Path,
    query: &dyn Query,
    strictness: Strictness,
) -> Result<Vec<Group>, Vec<String>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{name}: open {name}: {error}")])?;
    parse(&text, query, strictness)
        .map_err(|errors| errors.iter().map(|error| format!("{name}: {error}")).collect())
}

/// Reads a text.
pub fn parse(
    text: &str,
    query: &dyn Query,
    strictness: Strictness,
) -> Result<Vec<Group>, Vec<String>> {
    let unmarshal = |problem: Problem| {
        vec![format!("yaml: unmarshal errors:\n  line {}: {}", problem.line, problem.message)]
    };
    let syntax = |problem: Problem| vec![format!("yaml: {problem}")];
    let Some(root) = stdx::yaml::parse(text).map_err(syntax)? else { return Ok(Vec::new()) };
    let mut reader = Reader { query, strictness, errors: Vec::new() };
    let groups = reader.groups(&root).map_err(unmarshal)?;
    if reader.errors.is_empty() { Ok(groups) } else { Err(reader.errors) }
}

struct Reader<'q> {
    query: &'q dyn Query,
    strictness: Strictness,
    errors: Vec<String>,
}

impl Reader<'_> {
    fn finish(&self, fields: Fields<'_>) -> Result<(), Problem> {
        if self.strictness.ignore_unknown_fields { Ok(()) } else { fields.finish() }
    }

    fn groups(&mut self, root: &Node) -> Result<Vec<Group>, Problem> {
        let mut fields = Fields::of(root, "rulefmt.RuleGroups")?;
        let mut groups = Vec::new();
        let mut names = HashSet::new();
        for node in fields.list("groups", "[]rulefmt.RuleGroup")? {
            let group = self.group(node)?;
            let place = format!("{}:{}", node.line, node.column);
            if group.name.is_empty() {
                self.errors.push(format!("{place}: Groupname must not be empty"));
            }
            if !names.insert(group.name.clone()) {
                self.errors.push(format!(
                    "{place}: groupname: \"{}\" is repeated in the same file",
                    group.name
                ));
            }
            groups.push(group);
        }
        self.finish(fields)?;
        Ok(groups)
    }

    fn group(&mut self, node: &Node) -> Result<Group, Problem> {
        let mut fields = Fields::of(node, "rulefmt.RuleGroup")?;
        let name = fields.text("name")?.unwrap_or_default();
        let interval = duration(&mut fields, "interval")?.filter(|d| !d.is_zero());
        let query_offset = duration(&mut fields, "query_offset")?;
        let limit = fields.integer("limit")?.unwrap_or(0);
        let labels: BTreeMap<String, String> = fields.text_map("labels")?.into_iter().collect();
        for label in labels.keys() {
            if label.is_empty() || label == "__name__" {
                self.errors.push(format!("invalid label name: {label}"));
            }
        }
        let mut rules = Vec::new();
        for (index, node) in fields.list("rules", "[]rulefmt.Rule")?.iter().enumerate() {
            let mut rule = self.rule(node, &name, index + 1)?;
            for (label, value) in &labels {
                rule.labels.entry(label.clone()).or_insert_with(|| value.clone());
            }
            rules.push(rule);
        }
        self.finish(fields)?;
        let limit = usize::try_from(limit).unwrap_or(0);
        Ok(Group { name, interval, query_offset, limit, rules })
    }

    fn rule(&mut self, node: &Node, group: &str, number: usize) -> Result<Rule, Problem> {
        let mut fields = Fields::of(node, "rulefmt.Rule")?;
        let record_node = fields.node("record");
        let alert_node = fields.node("alert");
        let expr_node = fields.node("expr");
        let text = |node: Option<&Node>| node.map_or(Ok(String::new()), Node::text);
        let (record, alert, expr) = (text(record_node)?, text(alert_node)?, text(expr_node)?);
        let mut rule = Rule {
            kind: if alert.is_empty() { RuleKind::Record } else { RuleKind::Alert },
            name: if alert.is_empty() { record.clone() } else { alert.clone() },
            expr: expr.clone(),
            hold: duration(&mut fields, "for")?.unwrap_or_default(),
            keep_firing: duration(&mut fields, "keep_firing_for")?.unwrap_or_default(),
            labels: fields.text_map("labels")?.into_iter().collect(),
            annotations: fields.text_map("annotations")?.into_iter().collect(),
            line: node.line,
        };
        self.finish(fields)?;
        let place = |node: Option<&Node>| node.map_or((0, 0), |node| (node.line, node.column));
        let (record_at, alert_at) = (place(record_node), place(alert_node));
        let name = if alert.is_empty() { &record } else { &alert };
        let about = format!("group {group:?}, rule {number}, {name:?}");
        let both = format!("{}:{}: {}:{}: ", record_at.0, record_at.1, alert_at.0, alert_at.1);
        if !record.is_empty() && !alert.is_empty() {
            self.errors
                .push(format!("{both}{about}: only one of 'record' and 'alert' must be set"));
        }
        if record.is_empty() && alert.is_empty() {
            self.errors.push(format!("{both}{about}: one of 'record' or 'alert' must be set"));
        }
        let (line, column) = place(expr_node);
        if expr.is_empty() {
            let message = format!("{line}:{column}: {about}: field 'expr' must be set in rule");
            self.errors.push(message);
        } else {
            match self.query.check(&expr) {
                Ok(printed) => rule.expr = printed,
                Err(error) => self
                    .errors
                    .push(format!("{line}:{column}: {about}: could not parse expression: {error}")),
            }
        }
        if !record.is_empty() {
            self.check_record(&rule, &record, &about, record_at);
        }
        self.check_texts(&rule, &about);
        Ok(rule)
    }

    fn check_record(&mut self, rule: &Rule, record: &str, about: &str, at: (usize, usize)) {
        let place = format!("{}:{}: {about}", at.0, at.1);
        let mut refuse = |wrong: bool, message: String| {
            if wrong {
                self.errors.push(format!("{place}: {message}"));
            }
        };
        for (wrong, field) in [
            (!rule.annotations.is_empty(), "annotations"),
            (!rule.hold.is_zero(), "for"),
            (!rule.keep_firing.is_zero(), "keep_firing_for"),
        ] {
            refuse(wrong, format!("invalid field '{field}' in recording rule"));
        }
        refuse(
            record.contains(['{', '}']),
            format!("braces present in the recording rule name; should it be in expr?: {record}"),
        );
    }

    fn check_texts(&mut self, rule: &Rule, about: &str) {
        for label in rule.labels.keys() {
            if label.is_empty() || label == "__name__" {
                self.errors.push(format!("{about}: invalid label name: {label}"));
            }
        }
        for annotation in rule.annotations.keys().filter(|name| name.is_empty()) {
            self.errors.push(format!("{about}: invalid annotation name: {annotation}"));
        }
        if rule.kind != RuleKind::Alert {
            return;
        }
        let name = format!("__alert_{}", rule.name);
        for (what, texts) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
            for (key, text) in texts {
                if let Err(error) = Template::parse(&name, text) {
                    self.errors.push(format!("{about}: {what} {key:?}: {error}"));
                }
            }
        }
    }
}

fn duration(fields: &mut Fields<'_>, key: &str) -> Result<Option<Duration>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(None) };
    let text = node.text()?;
    model::duration::parse(&text).map(Some).map_err(|error| node.problem(&error.to_string()))
}

/// Rules that make the same series twice, as `promtool check rules` lists them: name and labels.
#[must_use]
pub fn duplicates(groups: &[Group]) -> Vec<(String, BTreeMap<String, String>)> {
    let mut seen = HashSet::new();
    let mut twice: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for rule in groups.iter().flat_map(|group| &group.rules) {
        let key = (rule.name.clone(), rule.labels.clone());
        if !seen.insert(key.clone()) && !twice.contains(&key) {
            twice.push(key);
        }
    }
    twice
}

/// `promtool check rules` for one file: lines for standard output, lines for standard error.
#[must_use]
pub fn check_file(
    path: &Path,
    query: &dyn Query,
    strictness: Strictness,
) -> (Vec<String>, Vec<String>) {
    let mut out = vec![format!("Checking {}", path.display())];
    let mut failures = Vec::new();
    match read_file(path, query, strictness) {
        Err(errors) => {
            failures.push("  FAILED:".to_owned());
            failures.extend(errors);
        }
        Ok(groups) => {
            let count: usize = groups.iter().map(|group| group.rules.len()).sum();
            out.push(format!("  SUCCESS: {count} rules found"));
            let twice = duplicates(&groups);
            if !twice.is_empty() {
                out.push(format!("{} duplicate rule(s) found.", twice.len()));
                for (name, labels) in twice {
                    out.push(format!("Metric: {name}"));
                    out.push("Label(s):".to_owned());
                    for (label, value) in labels {
                        out.push(format!("\t{label}: {value}"));
                    }
                }
                out.push("Might cause inconsistency while recording expressions".to_owned());
            }
        }
    }
    (out, failures)
}
