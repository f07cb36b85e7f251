//! A YAML document as settings with their places.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};

/// A value of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Nothing.
    Null,
    /// Text, a number or a truth value, as text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values.
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

/// A leaf of the document.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `listen.main`.
    pub(crate) path: String,
    /// `trefoil.yml:3:5`.
    pub(crate) place: String,
    pub(crate) node: Node,
}

/// A parsed document: its root mapping, if it is not empty.
pub(crate) type Document<'a> = Option<MarkedYaml<'a>>;

pub(crate) fn parse<'a>(name: &str, text: &'a str) -> Result<Document<'a>, String> {
    let mut documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let at = error.marker();
        format!("{name}:{}:{}: {}", at.line(), at.col() + 1, error.info())
    })?;
    if documents.len() > 1 {
        return Err(format!("{name}: has {} documents, one is expected", documents.len()));
    }
    Ok(documents.pop())
}

/// A value by itself, as in an environment variable. What YAML would not take as it stands, such
/// as `*`, is text.
pub(crate) fn parse_value(name: &str, text: &str) -> Result<Node, String> {
    let collection = text.trim_start().starts_with(['[', '{']);
    if !collection {
        return Ok(Node::text(text));
    }
    let document = parse(name, text)?;
    Ok(document.map_or(Node::Null, |document| node(&document)))
}

/// The leaves of the document: what settings stand at, and everything that is no mapping.
pub(crate) fn flatten(
    name: &str,
    document: &Document<'_>,
    problems: &mut Vec<String>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    match document {
        None => {}
        Some(root) if matches!(root.data, YamlData::Value(Scalar::Null)) => {}
        Some(root) if matches!(root.data, YamlData::Mapping(_)) => {
            walk(name, "", root, &mut entries, problems);
        }
        Some(root) => problems.push(format!("{}: expected keys and values", place(name, root))),
    }
    entries
}

fn walk(
    name: &str,
    prefix: &str,
    map: &MarkedYaml<'_>,
    entries: &mut Vec<Entry>,
    problems: &mut Vec<String>,
) {
    let YamlData::Mapping(map) = &map.data else { return };
    for (key, value) in map {
        let place = place(name, key);
        let Node::Text(word) = node(key) else {
            problems.push(format!("{place}: a key must be text"));
            continue;
        };
        let path = if prefix.is_empty() { word } else { format!("{prefix}.{word}") };
        let leaf = super::Setting::find(&path).is_some();
        if !leaf && super::Setting::is_section(&path) {
            match &value.data {
                YamlData::Mapping(_) => walk(name, &path, value, entries, problems),
                YamlData::Value(Scalar::Null) => {}
                _ => problems.push(format!("{place}: {path} is a section, it needs keys in it")),
            }
        } else {
            entries.push(Entry { path, place, node: node(value) });
        }
    }
}

fn place(name: &str, node: &MarkedYaml<'_>) -> String {
    let start = node.span.start;
    format!("{name}:{}:{}", start.line(), start.col() + 1)
}

fn node(yaml: &MarkedYaml<'_>) -> Node {
    match &yaml.data {
        YamlData::Value(scalar) => match scalar {
            Scalar::Null => Node::Null,
            Scalar::Boolean(value) => Node::Text(value.to_string()),
            Scalar::Integer(value) => Node::Text(value.to_string()),
            Scalar::FloatingPoint(value) => Node::Text(value.to_string()),
            Scalar::String(value) => Node::Text(value.to_string()),
        },
        YamlData::Representation(text, ..) => Node::Text(text.to_string()),
        YamlData::Sequence(items) => Node::List(items.iter().map(node).collect()),
        YamlData::Mapping(map) => Node::Map(
            map.iter()
                .filter_map(|(key, value)| match node(key) {
                    Node::Text(key) => Some((key, node(value))),
                    _ => None,
                })
                .collect(),
        ),
        _ => Node::Null,
    }
}
