//! Filters as conditions on tokens.

use arrow_schema::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast};
use model::Table;
use model::token::Words;

use crate::file::index::Set;
use crate::token::hash_tokens;
use crate::token::pattern::{like_token_hashes, substring_token_hashes};

/// Longer `IN` lists and `OR` chains rule nothing out: each element is a read of its own.
const ALTERNATIVES_MAX: usize = 64;

/// What the tokens of a stretch of rows must be like for a filter to accept one of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Nothing is asked.
    Anything,
    /// A column of the set has the token.
    Token {
        /// Which columns.
        set: Set,
        /// The token's hash.
        hash: u64,
    },
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
}

impl Condition {
    /// What the filters, which must all accept a row, ask of its tokens.
    pub(crate) fn of_filters(table: Table, schema: &Schema, filters: &[Expr]) -> Condition {
        let reader = Reader { table, schema };
        Condition::all(filters.iter().map(|filter| reader.read(filter)))
    }

    /// Whether nothing is asked.
    pub(crate) fn is_anything(&self) -> bool {
        *self == Condition::Anything
    }

    fn all(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let mut left: Vec<Condition> =
            conditions.into_iter().filter(|condition| !condition.is_anything()).collect();
        match left.len() {
            0 => Condition::Anything,
            1 => left.remove(0),
            _ => Condition::All(left),
        }
    }

    fn any(conditions: Vec<Condition>) -> Condition {
        if conditions.len() > ALTERNATIVES_MAX || conditions.iter().any(Condition::is_anything) {
            return Condition::Anything;
        }
        Condition::Any(conditions)
    }
}

struct Reader<'a> {
    table: Table,
    schema: &'a Schema,
}

impl Reader<'_> {
    fn read(&self, filter: &Expr) -> Condition {
        match filter {
            Expr::Alias(alias) => self.read(&alias.expr),
            Expr::BinaryExpr(binary) => self.read_binary(binary),
            Expr::InList(list) if !list.negated => self.read_in_list(list),
            Expr::Like(like) if !like.negated => self.read_like(like),
            Expr::ScalarFunction(function) => self.read_function(function),
            _ => Condition::Anything,
        }
    }

    fn read_binary(&self, binary: &BinaryExpr) -> Condition {
        let BinaryExpr { left, op, right } = binary;
        match op {
            Operator::And => Condition::all([self.read(left), self.read(right)]),
            Operator::Or => Condition::any(vec![self.read(left), self.read(right)]),
            Operator::Eq => match (literal_text(left), literal_text(right)) {
                (None, Some(text)) => self.equals(left, text),
                (Some(text), None) => self.equals(right, text),
                _ => Condition::Anything,
            },
            _ => Condition::Anything,
        }
    }

    fn read_in_list(&self, list: &InList) -> Condition {
        let equals = |item| match literal_text(item) {
            Some(text) => self.equals(&list.expr, text),
            None => Condition::Anything,
        };
        Condition::any(list.list.iter().map(equals).collect())
    }

    fn read_like(&self, like: &Like) -> Condition {
        let Some(pattern) = literal_text(&like.pattern) else { return Condition::Anything };
        let hashes = like_token_hashes(pattern, like.escape_char, like.case_insensitive);
        self.tokens(&like.expr, hashes)
    }

    fn read_function(&self, function: &ScalarFunction) -> Condition {
        let [column, argument] = function.args.as_slice() else { return Condition::Anything };
        let Some(text) = literal_text(argument) else { return Condition::Anything };
        match function.name() {
            "match_text" => {
                let mut hashes = Vec::new();
                for token in Words::new(text).tokens() {
                    hash_tokens(token, |hash| hashes.push(hash));
                }
                self.tokens(column, hashes)
            }
            "contains" => self.tokens(column, substring_token_hashes(text)),
            _ => Condition::Anything,
        }
    }

    fn equals(&self, column: &Expr, text: &str) -> Condition {
        let mut hashes = Vec::new();
        hash_tokens(text, |hash| hashes.push(hash));
        self.tokens(column, hashes)
    }

    /// The column has all these tokens.
    fn tokens(&self, column: &Expr, mut hashes: Vec<u64>) -> Condition {
        let Some(set) = self.set_of(column) else { return Condition::Anything };
        hashes.dedup();
        Condition::all(hashes.into_iter().map(|hash| Condition::Token { set, hash }))
    }

    fn set_of(&self, column: &Expr) -> Option<Set> {
        match column {
            Expr::Alias(alias) => self.set_of(&alias.expr),
            // Text stays what it is in any of the types for text.
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                if field.data_type().is_string() { self.set_of(expr) } else { None }
            }
            Expr::Column(column) => {
                let field = self.schema.field_with_name(&column.name).ok()?;
                Set::of_column(self.table, field.name(), field.data_type())
            }
            _ => None,
        }
    }
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field};
    use datafusion::prelude::{col, ident, lit};

    use super::*;

    fn of(filter: Expr) -> Condition {
        let mut fields: Vec<Field> =
            Table::Logs.columns().iter().map(model::Column::field).collect();
        fields.push(Field::new("attributes.url", DataType::Utf8View, true));
        fields.push(Field::new("attributes.n", DataType::Int64, true));
        Condition::of_filters(Table::Logs, &Schema::new(fields), &[filter])
    }

    fn token(set: Set, text: &str) -> Condition {
        let mut condition = Condition::Anything;
        hash_tokens(text, |hash| condition = Condition::Token { set, hash });
        condition
    }

    #[test]
    fn filters_ask_for_the_tokens_that_every_match_has() {
        let check = |filter: Expr, expect: Condition| {
            assert_eq!(of(filter.clone()), expect, "{filter}");
        };
        let text = |word| token(Set::Text, word);
        check(col("body").like(lit("%user 42 in%")), text("42"));
        check(col("body").ilike(lit("%User 42X in%")), text("42x"));
        check(col("body").not_like(lit("% 42 %")), Condition::Anything);
        check(col("body").like(lit("%timeout%")), Condition::Anything);
        check(col("body").eq(lit("a b")), Condition::All(vec![text("a"), text("b")]));
        check(lit("a").eq(col("body")), text("a"));
        check(col("body").not_eq(lit("a")), Condition::Anything);
        check(col("level").eq(lit("error")), Condition::Anything);
        check(ident("attributes.n").eq(lit(7)), Condition::Anything);
        check(ident("attributes.url").eq(lit("/")), Condition::Anything);
        check(col("trace_id").eq(lit("7F")), token(Set::Ids, "7f"));
        check(
            ident("attributes.url").eq(lit("x")).or(col("body").eq(lit("y"))),
            Condition::Any(vec![token(Set::Attributes, "x"), text("y")]),
        );
        check(
            ident("attributes.url").eq(lit("x")).or(col("level").eq(lit("y"))),
            Condition::Anything,
        );
        check(
            ident("attributes.url").eq(lit("x")).and(col("level").eq(lit("y"))),
            token(Set::Attributes, "x"),
        );
        check(
            col("trace_id").in_list(vec![lit("a"), lit("b")], false),
            Condition::Any(vec![token(Set::Ids, "a"), token(Set::Ids, "b")]),
        );
        check(col("trace_id").in_list(vec![lit("a")], true), Condition::Anything);
        check(
            col("trace_id").in_list((0..100).map(|n| lit(n.to_string())).collect(), false),
            Condition::Anything,
        );
    }
}
