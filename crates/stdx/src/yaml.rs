//! YAML as people write configuration in it: every value knows its line, and reading is strict.
//!
//! [`parse`] gives a tree in which scalars are still the text that was written; what they mean
//! depends on the key, as in Go's `yaml.v2`, whose wording the problems have. A key that is there
//! twice is a problem, aliases and merge keys work, and neither depth nor aliases can make the tree
//! grow without bound. [`Fields`] reads a mapping key by key and ends with what nobody asked for.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The deepest nesting.
pub const DEPTH_MAX: usize = 64;
/// The most values of one document, with aliases expanded.
pub const NODES_MAX: usize = 1_000_000;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Anything written as text.
    Scalar {
        /// Without quotes and escapes.
        text: String,
        /// Written without quotes, so that it may be a number or a truth value.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order in which they are written.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line.
    pub line: usize,
    /// The key's column.
    pub column: usize,
    /// What it stands for.
    pub value: Node,
}

/// The root of a document; `None` when there is nothing in it.
pub fn parse(text: &str) -> Result<Option<Node>, Problem> {
    let mut documents = parse_all(text, 2)?;
    if let Some(second) = documents.get(1) {
        return Err(second.problem("one document is expected, here begins another"));
    }
    Ok(documents.pop().filter(|root| root.value != Value::Null))
}

/// The roots of the first `most` documents.
fn parse_all(text: &str, most: usize) -> Result<Vec<Node>, Problem> {
    let mut builder =
        Builder { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                documents.push(builder.node(event, span, 0)?);
                if documents.len() == most {
                    break;
                }
            }
        }
    }
    Ok(documents)
}

struct Builder<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Problem> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok(pair)) => Ok(Some(pair)),
            Some(Err(error)) => Err(Problem {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                message: error.info().to_owned(),
            }),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        let at = Node { line: span.start.line(), column: span.start.col() + 1, value: Value::Null };
        self.nodes += 1;
        if depth > DEPTH_MAX {
            return Err(at.problem(&format!("more than {DEPTH_MAX} levels of nesting")));
        }
        if self.nodes > NODES_MAX {
            return Err(at.problem(&format!("more than {NODES_MAX} values")));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &at),
            Event::Scalar(text, style, anchor, tag) => {
                let forced = tag.is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !forced;
                (anchor, scalar(text.into_owned(), plain))
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => return Err(at.problem("a value is expected")),
        };
        let node = Node { value, ..at };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: &Node) -> Result<Node, Problem> {
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(at.problem("unknown anchor"));
        };
        self.nodes += target.size();
        if self.nodes > NODES_MAX {
            return Err(at.problem("document contains excessive aliasing"));
        }
        Ok(target.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            let text = match &key.value {
                Value::Scalar { text, .. } => text.clone(),
                Value::Null => "null".to_owned(),
                Value::List(_) | Value::Map(_) => return Err(key.problem("invalid map key")),
            };
            if text == "<<" {
                merged.push(value);
                continue;
            }
            if entries.iter().any(|entry| entry.key == text) {
                return Err(key.problem(&format!("key {text:?} already set in map")));
            }
            entries.push(Entry { key: text, line: key.line, column: key.column, value });
        }
        for source in merged {
            merge(&mut entries, source)?;
        }
        Ok(Value::Map(entries))
    }
}

/// `<<`: what the mapping does not say itself it takes from another, or from several.
fn merge(entries: &mut Vec<Entry>, source: Node) -> Result<(), Problem> {
    match source.value {
        Value::Map(others) => {
            for other in others {
                if !entries.iter().any(|entry| entry.key == other.key) {
                    entries.push(other);
                }
            }
            Ok(())
        }
        Value::List(sources) => sources.into_iter().try_for_each(|source| merge(entries, source)),
        _ => Err(source.problem("map merge requires map or sequence of maps as the value")),
    }
}

fn scalar(text: String, plain: bool) -> Value {
    if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar { text, plain }
}

impl Node {
    /// A problem at this place.
    #[must_use]
    pub fn problem(&self, message: &str) -> Problem {
        Problem { line: self.line, column: self.column, message: message.to_owned() }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Null | Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }

    /// "cannot unmarshal !!seq into string", as Go's library says it.
    #[must_use]
    pub fn mismatch(&self, wanted: &str) -> Problem {
        let (tag, text) = match &self.value {
            Value::Null => ("!!null", None),
            Value::List(_) => ("!!seq", None),
            Value::Map(_) => ("!!map", None),
            Value::Scalar { text, plain } => (tag(text, *plain), Some(text)),
        };
        let text = text.map_or(String::new(), |text| {
            if text.chars().count() > 10 {
                format!(" `{}...`", text.chars().take(7).collect::<String>())
            } else {
                format!(" `{text}`")
            }
        });
        self.problem(&format!("cannot unmarshal {tag}{text} into {wanted}"))
    }

    /// Any scalar as the text that was written.
    pub fn text(&self) -> Result<String, Problem> {
        match &self.value {
            Value::Scalar { text, .. } => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            _ => Err(self.mismatch("string")),
        }
    }

    /// A truth value, in YAML 1.1's words.
    pub fn flag(&self) -> Result<bool, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } => truth(text).ok_or_else(|| self.mismatch("bool")),
            _ => Err(self.mismatch("bool")),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self) -> Result<u64, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } => {
                text.replace('_', "").parse().map_err(|_| self.mismatch("uint"))
            }
            _ => Err(self.mismatch("uint")),
        }
    }

    /// A whole number.
    pub fn integer(&self) -> Result<i64, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } => {
                text.replace('_', "").parse().map_err(|_| self.mismatch("int"))
            }
            _ => Err(self.mismatch("int")),
        }
    }

    /// A number.
    pub fn number(&self) -> Result<f64, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                ".inf" | ".Inf" | ".INF" | "+.inf" => Ok(f64::INFINITY),
                "-.inf" | "-.Inf" | "-.INF" => Ok(f64::NEG_INFINITY),
                ".nan" | ".NaN" | ".NAN" => Ok(f64::NAN),
                text => text.replace('_', "").parse().map_err(|_| self.mismatch("float64")),
            },
            _ => Err(self.mismatch("float64")),
        }
    }

    /// A list; a single value counts as a list of one, as in Go's library, and nothing as none.
    pub fn list(&self, wanted: &str) -> Result<&[Node], Problem> {
        match &self.value {
            Value::List(items) => Ok(items),
            Value::Null => Ok(&[]),
            Value::Scalar { .. } => Err(self.mismatch(wanted)),
            Value::Map(_) => Err(self.mismatch(wanted)),
        }
    }

    /// A list of texts.
    pub fn texts(&self) -> Result<Vec<String>, Problem> {
        self.list("[]string")?.iter().map(Node::text).collect()
    }

    /// The entries of a mapping; nothing has none.
    pub fn entries(&self, wanted: &str) -> Result<&[Entry], Problem> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            _ => Err(self.mismatch(wanted)),
        }
    }

    /// A mapping of texts.
    pub fn text_map(&self) -> Result<Vec<(String, String)>, Problem> {
        self.entries("map[string]string")?
            .iter()
            .map(|entry| Ok((entry.key.clone(), entry.value.text()?)))
            .collect()
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

fn tag(text: &str, plain: bool) -> &'static str {
    if !plain {
        "!!str"
    } else if truth(text).is_some_and(|_| text.len() > 1) {
        "!!bool"
    } else if text.parse::<i64>().is_ok() {
        "!!int"
    } else if text.parse::<f64>().is_ok() {
        "!!float"
    } else {
        "!!str"
    }
}

/// Writes a tree as a document. What stands under a key that `is_secret` is `<secret>`.
#[must_use]
pub fn print(root: &Node, is_secret: &dyn Fn(&str) -> bool) -> String {
    let mut out = String::new();
    print_node(root, 0, false, is_secret, &mut out);
    out
}

fn print_node(
    node: &Node,
    indent: usize,
    secret: bool,
    is_secret: &dyn Fn(&str) -> bool,
    out: &mut String,
) {
    match &node.value {
        Value::Null => out.push_str("null\n"),
        Value::Scalar { .. } if secret => out.push_str("<secret>\n"),
        Value::Scalar { text, plain } => {
            out.push_str(&quoted(text, *plain));
            out.push('\n');
        }
        Value::List(items) if items.is_empty() => out.push_str("[]\n"),
        Value::Map(entries) if entries.is_empty() => out.push_str("{}\n"),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                print_node(item, indent + 2, secret, is_secret, out);
            }
        }
        Value::Map(entries) => {
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&quoted(&entry.key, true));
                out.push(':');
                let covered = secret || is_secret(&entry.key);
                let nested = match &entry.value.value {
                    Value::List(items) => !items.is_empty(),
                    Value::Map(entries) => !entries.is_empty(),
                    _ => false,
                };
                if nested {
                    let map = matches!(entry.value.value, Value::Map(_));
                    let inner = indent + if map { 2 } else { 0 };
                    out.push('\n');
                    out.push_str(&" ".repeat(inner));
                    print_node(&entry.value, inner, covered, is_secret, out);
                } else {
                    out.push(' ');
                    print_node(&entry.value, indent, covered, is_secret, out);
                }
            }
        }
    }
}

/// Text so that it is read as it was.
fn quoted(text: &str, plain: bool) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-./$(){}+".contains(c);
    let start = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_./$(".contains(c));
    let same = scalar(text.to_owned(), true) != Value::Null;
    let safe = start && same && text.chars().all(word) && !text.ends_with('-');
    if safe && (plain || tag(text, true) == "!!str" && truth(text).is_none()) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads a mapping key by key. A key whose value is nothing counts as not there.
#[derive(Debug)]
pub struct Fields<'n> {
    /// The mapping itself, for problems.
    pub node: &'n Node,
    entries: &'n [Entry],
    taken: Vec<bool>,
    type_name: &'static str,
}

impl<'n> Fields<'n> {
    /// Over `node`, which Go would read into `type_name`.
    pub fn of(node: &'n Node, type_name: &'static str) -> Result<Fields<'n>, Problem> {
        let entries = node.entries(type_name)?;
        Ok(Fields { node, entries, taken: vec![false; entries.len()], type_name })
    }

    /// The value of `key`, nothing included.
    pub fn node_or_null(&mut self, key: &str) -> Option<&'n Node> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        self.taken[at] = true;
        Some(&self.entries[at].value)
    }

    /// The value of `key`.
    pub fn node(&mut self, key: &str) -> Option<&'n Node> {
        self.node_or_null(key).filter(|node| !node.is_null())
    }

    /// Whether the key is written.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Text.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, Problem> {
        self.node(key).map(Node::text).transpose()
    }

    /// A truth value.
    pub fn flag(&mut self, key: &str) -> Result<Option<bool>, Problem> {
        self.node(key).map(Node::flag).transpose()
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, key: &str) -> Result<Option<u64>, Problem> {
        self.node(key).map(Node::count).transpose()
    }

    /// A whole number.
    pub fn integer(&mut self, key: &str) -> Result<Option<i64>, Problem> {
        self.node(key).map(Node::integer).transpose()
    }

    /// A number.
    pub fn number(&mut self, key: &str) -> Result<Option<f64>, Problem> {
        self.node(key).map(Node::number).transpose()
    }

    /// Texts; none when the key is not there.
    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, Problem> {
        self.node(key).map_or(Ok(Vec::new()), Node::texts)
    }

    /// A mapping of texts; empty when the key is not there.
    pub fn text_map(&mut self, key: &str) -> Result<Vec<(String, String)>, Problem> {
        self.node(key).map_or(Ok(Vec::new()), Node::text_map)
    }

    /// The items of a list; none when the key is not there.
    pub fn list(&mut self, key: &str, wanted: &str) -> Result<&'n [Node], Problem> {
        self.node(key).map_or(Ok(&[]), |node| node.list(wanted))
    }

    /// The keys that nobody asked for so far.
    pub fn rest(&self) -> impl Iterator<Item = &'n Entry> {
        self.entries.iter().zip(&self.taken).filter_map(|(entry, taken)| (!taken).then_some(entry))
    }

    /// Marks a key as known.
    pub fn ignore(&mut self, key: &str) {
        let _node = self.node_or_null(key);
    }

    /// A key that nobody asked for is a problem.
    pub fn finish(self) -> Result<(), Problem> {
        match self.rest().next() {
            None => Ok(()),
            Some(entry) => Err(Problem {
                line: entry.line,
                column: entry.column,
                message: format!("field {} not found in type {}", entry.key, self.type_name),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn scalars_stay_as_written_and_places_are_known() {
        let root = parse("a: 1.0\nb:\n  - yes\n  - 'no'\n").expect("parses").expect("a root");
        let mut fields = Fields::of(&root, "t").expect("a mapping");
        assert_eq!(fields.text("a"), Ok(Some("1.0".to_owned())));
        let items = fields.list("b", "[]bool").expect("a list");
        assert_eq!((items[0].line, items[0].column), (3, 5));
        assert_eq!(items[0].flag(), Ok(true));
        assert_eq!(
            items[1].flag().expect_err("quoted").to_string(),
            "line 4: cannot unmarshal !!str `no` into bool"
        );
        fields.finish().expect("nothing left");
    }

    #[test]
    fn problems_have_lines() {
        assert_eq!(problem("a: 1\na: 2"), "line 2: key \"a\" already set in map");
        assert_eq!(
            problem("a: 1\n---\nb: 2"),
            "line 3: one document is expected, here begins another"
        );
        let root = parse("a: 1\nzz: 2").expect("parses").expect("a root");
        let mut fields = Fields::of(&root, "config.plain").expect("a mapping");
        fields.ignore("a");
        assert_eq!(
            fields.finish().expect_err("unknown").to_string(),
            "line 2: field zz not found in type config.plain"
        );
    }

    #[test]
    fn what_is_printed_reads_the_same() {
        let text = "a: 1.0\nb: [x, {c: 'yes', d: ''}, [], ~]\npassword: p\nm:\n  k: 'a: b'\n  l:\n  - u: v\n    w: \"#\"\n";
        let root = parse(text).expect("parses").expect("a root");
        let printed = print(&root, &|key| key == "password");
        assert!(printed.contains("password: <secret>"), "{printed}");
        let again = parse(&print(&root, &|_| false)).expect(&printed).expect("a root");
        assert_eq!(print(&again, &|_| false), print(&root, &|_| false));
        assert_eq!(again.entries("t").expect("a mapping").len(), 4);
    }

    #[test]
    fn aliases_and_merges_are_bounded() {
        let root = parse("x: &x {a: 1}\ny: {<<: *x, b: 2}").expect("parses").expect("a root");
        let y = &root.entries("t").expect("a mapping")[1].value;
        assert_eq!(y.text_map().expect("texts").len(), 2);
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..8 {
            let item = format!("*a{}", n - 1);
            text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![item; 10].join(", ")));
        }
        assert!(problem(&text).contains("excessive aliasing"));
        let deep = "[".repeat(10_000);
        assert!(parse(&deep).is_err());
        assert_eq!(parse("# nothing\n"), Ok(None));
    }
}
