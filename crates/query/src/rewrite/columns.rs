//! The columns of a relation, and where in them an attribute is.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::sql::sqlparser::ast::TableAliasColumnDef;
use model::{AttributeColumn, AttributeType};

use super::names::{Key, normal, quote_identifier, quote_text};
use crate::{REST_KEYS, REST_MORE};

/// The column of attributes that have none of their own.
pub(super) const REST: &str = "rest";

/// The columns of a table, a subquery or a common table expression.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    order: Vec<String>,
    types: HashMap<String, Option<DataType>>,
    /// Attributes that may be in `rest`, by `<scope>.<key>`.
    rest: Arc<HashMap<String, AttributeType>>,
    rest_more: bool,
    /// Has columns that are not known here: then a name that is not known may be one of them.
    open: bool,
}

/// Where an attribute's values are.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    /// Columns, the first seen first.
    columns: Vec<(String, Option<DataType>)>,
    rest: Option<AttributeType>,
    /// Nothing says that it exists; only nothing says that it does not.
    guessed: bool,
}

/// An access in SQL.
pub(super) enum Rendered {
    Column(String),
    Sql(String),
}

impl Columns {
    /// Of a table.
    pub(crate) fn of_schema(schema: &Schema) -> Columns {
        let mut columns = Columns::default();
        for field in schema.fields() {
            columns.add(field.name().clone(), Some(field.data_type().clone()));
        }
        let keys = schema.metadata().get(REST_KEYS);
        columns.rest =
            Arc::new(keys.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default());
        columns.rest_more = schema.metadata().get(REST_MORE).is_some_and(|word| word == "true");
        columns
    }

    /// Of something that is not known here.
    pub(super) fn unknown() -> Columns {
        Columns { open: true, ..Columns::default() }
    }

    /// With the names of `AS t (a, b)`.
    pub(super) fn renamed(columns: &Arc<Columns>, names: &[TableAliasColumnDef]) -> Arc<Columns> {
        if names.is_empty() {
            return Arc::clone(columns);
        }
        let mut renamed = Columns { open: columns.open, ..Columns::default() };
        for (index, old) in columns.order.iter().enumerate() {
            let name = names.get(index).map_or_else(|| old.clone(), |def| normal(&def.name));
            renamed.add(name, columns.type_of(old));
        }
        for def in names.iter().skip(columns.order.len()) {
            renamed.add(normal(&def.name), None);
        }
        Arc::new(renamed)
    }

    pub(super) fn add(&mut self, name: String, data_type: Option<DataType>) {
        if self.types.insert(name.clone(), data_type).is_none() {
            self.order.push(name);
        }
    }

    pub(super) fn add_all(&mut self, other: &Columns) {
        for name in &other.order {
            self.add(name.clone(), other.type_of(name));
        }
        self.open |= other.open;
        self.add_rest(other);
    }

    /// What may be in the `rest` of another relation may be in this one's.
    pub(super) fn add_rest(&mut self, other: &Columns) {
        if !other.rest.is_empty() {
            self.rest = Arc::clone(&other.rest);
        }
        self.rest_more |= other.rest_more;
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    pub(super) fn type_of(&self, name: &str) -> Option<DataType> {
        self.types.get(name).cloned().flatten()
    }

    /// Where the attribute is; `None` when no row has it.
    pub(super) fn find(&self, key: &Key) -> Option<Access> {
        if let Some(alias) = key.alias()
            && self.has(alias)
        {
            let columns = vec![(alias.to_owned(), self.type_of(alias))];
            return Some(Access { columns, rest: None, guessed: false });
        }
        let plain = key.column();
        let typed = AttributeType::ALL
            .map(|attribute_type| AttributeColumn::typed_name(key.scope, &key.key, attribute_type));
        let columns: Vec<_> = std::iter::once(plain.clone())
            .chain(typed)
            .filter(|name| self.has(name))
            .map(|name| {
                let data_type = self.type_of(&name);
                (name, data_type)
            })
            .collect();
        let rest = if self.has(REST) { self.rest_type(&plain, &columns) } else { None };
        let guessed = columns.is_empty() && !self.rest.contains_key(&plain);
        (!columns.is_empty() || rest.is_some()).then_some(Access { columns, rest, guessed })
    }

    fn rest_type(
        &self,
        plain: &str,
        columns: &[(String, Option<DataType>)],
    ) -> Option<AttributeType> {
        if let Some(listed) = self.rest.get(plain) {
            return Some(*listed);
        }
        if !self.rest_more {
            return None;
        }
        // The list is full, so that any key may be there; its type is guessed from its column.
        Some(match columns.first() {
            Some((_, Some(DataType::Int64))) => AttributeType::Int,
            Some((_, Some(DataType::Float64))) => AttributeType::Double,
            Some((_, Some(DataType::Boolean))) => AttributeType::Bool,
            _ => AttributeType::String,
        })
    }
}

impl Access {
    /// Whether it is known to exist, rather than not known not to.
    pub(super) fn is_certain(&self) -> bool {
        !self.guessed
    }

    pub(super) fn render(&self, prefix: &str, key: &Key, numeric: bool) -> Rendered {
        let kind = self.kind();
        let text_as_number = numeric && kind == Kind::Text;
        if let ([(name, _)], None, false) = (self.columns.as_slice(), self.rest, text_as_number) {
            return Rendered::Column(name.clone());
        }
        let mut parts: Vec<String> = self
            .columns
            .iter()
            .map(|(name, data_type)| self.part(prefix, name, data_type.as_ref(), kind))
            .collect();
        if let Some(rest_type) = self.rest {
            let word = match kind {
                Kind::Text => AttributeType::String,
                Kind::Number => AttributeType::Double,
                Kind::Same => rest_type,
            };
            parts.push(format!(
                "rest_value({prefix}{REST}, {}, '{word}')",
                quote_text(&key.column())
            ));
        }
        let value = match parts.as_slice() {
            [one] => one.clone(),
            _ => format!("coalesce({})", parts.join(", ")),
        };
        Rendered::Sql(if text_as_number { format!("try_cast({value} AS DOUBLE)") } else { value })
    }

    fn part(&self, prefix: &str, name: &str, data_type: Option<&DataType>, kind: Kind) -> String {
        let column = format!("{prefix}{}", quote_identifier(name));
        match (kind, data_type) {
            (Kind::Same, _)
            | (Kind::Number, Some(DataType::Float64))
            | (Kind::Text, Some(DataType::Utf8View)) => column,
            (Kind::Number, _) => format!("cast({column} AS DOUBLE)"),
            // Bytes that are no text have none to be compared by.
            (Kind::Text, Some(DataType::BinaryView)) => format!("try_cast({column} AS VARCHAR)"),
            (Kind::Text, _) => format!("cast({column} AS VARCHAR)"),
        }
    }

    /// What the values have in common.
    fn kind(&self) -> Kind {
        let rest = self.rest.map(AttributeType::data_type);
        let mut types: Vec<Option<&DataType>> =
            self.columns.iter().map(|(_, data_type)| data_type.as_ref()).collect();
        types.extend(rest.as_ref().map(Some));
        let number = |t: &Option<&DataType>| matches!(t, Some(DataType::Int64 | DataType::Float64));
        if types.iter().all(|t| *t == Some(&DataType::Utf8View)) {
            Kind::Text
        } else if types.iter().all(|t| Some(t) == types.first()) {
            Kind::Same
        } else if types.iter().all(number) {
            Kind::Number
        } else {
            Kind::Text
        }
    }
}

/// The type that the places of an attribute are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// They have one type.
    Same,
    /// Integers and floats.
    Number,
    /// Text, or types that clash: then everything as text.
    Text,
}
