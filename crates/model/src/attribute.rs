//! How an attribute becomes a column.
//!
//! A column of an attribute is named `<scope>.<key>`: `attributes.http.status_code`,
//! `resource.host.name`, `scope.library`. The first type that a key is seen with has that plain
//! name. A key that comes with another type later has one more column for it, named with the type
//! behind a `#`: `attributes.http.status_code#string`. So no value is ever cast or lost.

use std::fmt;

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

/// Where an attribute was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// On the span or the log record itself.
    Attributes,
    /// On the resource: the process, host or pod that sent it.
    Resource,
    /// On the instrumentation scope: the library that made it.
    Scope,
}

impl Scope {
    /// Every scope, in the order of their columns.
    pub const ALL: [Scope; 3] = [Scope::Attributes, Scope::Resource, Scope::Scope];

    /// The word before the dot in a column's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Attributes => "attributes",
            Scope::Resource => "resource",
            Scope::Scope => "scope",
        }
    }
}

/// The type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text.
    String,
    /// A signed 64-bit integer.
    Int,
    /// A 64-bit float.
    Double,
    /// True or false.
    Bool,
    /// Arrays, key-value lists and the empty value, as JSON text.
    Json,
    /// Bytes.
    Bytes,
}

impl AttributeType {
    /// Every type.
    pub const ALL: [AttributeType; 6] = [
        AttributeType::String,
        AttributeType::Int,
        AttributeType::Double,
        AttributeType::Bool,
        AttributeType::Json,
        AttributeType::Bytes,
    ];

    /// The word behind the `#` in a column's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AttributeType::String => "string",
            AttributeType::Int => "int",
            AttributeType::Double => "double",
            AttributeType::Bool => "bool",
            AttributeType::Json => "json",
            AttributeType::Bytes => "bytes",
        }
    }

    /// The Arrow type of such a column, in memory and in queries.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            AttributeType::String | AttributeType::Json => DataType::Utf8View,
            AttributeType::Int => DataType::Int64,
            AttributeType::Double => DataType::Float64,
            AttributeType::Bool => DataType::Boolean,
            AttributeType::Bytes => DataType::BinaryView,
        }
    }

    fn parse(word: &str) -> Option<AttributeType> {
        AttributeType::ALL.into_iter().find(|t| t.as_str() == word)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attribute's column: where, which key, which type. In a record batch straight from a decoder
/// every attribute column carries its type suffix ([`AttributeColumn::typed_name`]); storage gives
/// the plain name to the type that came first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeColumn {
    /// Where the attribute sits.
    pub scope: Scope,
    /// The key, as sent.
    pub key: String,
    /// The type; `None` for a plain name, whose type the schema tells.
    pub attribute_type: Option<AttributeType>,
}

impl AttributeColumn {
    /// `attributes.http.status_code`.
    #[must_use]
    pub fn plain_name(scope: Scope, key: &str) -> String {
        format!("{}.{key}", scope.as_str())
    }

    /// `attributes.http.status_code#int`.
    #[must_use]
    pub fn typed_name(scope: Scope, key: &str, attribute_type: AttributeType) -> String {
        format!("{}.{key}#{}", scope.as_str(), attribute_type.as_str())
    }

    /// Reads a column's name; `None` when it is not an attribute's.
    #[must_use]
    pub fn parse(name: &str) -> Option<AttributeColumn> {
        let (word, key) = name.split_once('.')?;
        let scope = Scope::ALL.into_iter().find(|s| s.as_str() == word)?;
        if let Some((key, suffix)) = key.rsplit_once('#')
            && let Some(attribute_type) = AttributeType::parse(suffix)
        {
            return Some(AttributeColumn {
                scope,
                key: key.to_owned(),
                attribute_type: Some(attribute_type),
            });
        }
        Some(AttributeColumn { scope, key: key.to_owned(), attribute_type: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let name = AttributeColumn::typed_name(Scope::Attributes, "a#b.c", AttributeType::Int);
        assert_eq!(name, "attributes.a#b.c#int");
        assert_eq!(
            AttributeColumn::parse(&name),
            Some(AttributeColumn {
                scope: Scope::Attributes,
                key: "a#b.c".to_owned(),
                attribute_type: Some(AttributeType::Int),
            })
        );
        let plain = AttributeColumn::parse("resource.host.name").expect("an attribute's column");
        assert_eq!((plain.key.as_str(), plain.attribute_type), ("host.name", None));
    }

    #[test]
    fn fixed_columns_are_no_attributes() {
        assert_eq!(AttributeColumn::parse("trace_id"), None);
        assert_eq!(AttributeColumn::parse("other.key"), None);
    }
}
