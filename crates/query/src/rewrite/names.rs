//! Names: how they are written, and which attribute one may mean.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use model::{AttributeColumn, Scope};

use crate::Error;

/// Where an attribute sits and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) scope: Scope,
    pub(super) key: String,
}

impl Key {
    /// The name of its column, and of what a select of it puts out.
    pub(super) fn column(&self) -> String {
        AttributeColumn::plain_name(self.scope, &self.key)
    }

    /// The fixed column that holds it, where there is one.
    pub(super) fn alias(&self) -> Option<&'static str> {
        match (self.scope, self.key.as_str()) {
            (Scope::Resource, "service.name") => Some("service"),
            (Scope::Resource, "deployment.environment.name" | "deployment.environment") => {
                Some("environment")
            }
            (Scope::Resource, "service.version") => Some("release"),
            _ => None,
        }
    }

    /// What a bare name may mean, in order.
    pub(super) fn anywhere(name: &str) -> [Key; 3] {
        Scope::ALL.map(|scope| Key { scope, key: name.to_owned() })
    }
}

/// The word of a scope.
pub(super) fn scope_word(word: &str) -> Option<Scope> {
    Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
}

/// A name as the planner will see it: unquoted ones in lower case.
pub(super) fn normal(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// A name, written so that it is read back as it is.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, written as a literal. Values of users go in as parameters instead; this is for keys in
/// `attributes['…']`, which are part of the statement.
#[must_use]
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Parses a piece of SQL that was written here.
pub(super) fn parse_expr(sql: &str) -> Result<Expr, Error> {
    Parser::new(&GenericDialect {})
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_expr())
        .map_err(|error| Error::Internal(format!("cannot rewrite an attribute: {error}")))
}
