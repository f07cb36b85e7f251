//! From terms to a condition in SQL. Values become parameters; only names of columns and keys of
//! attributes, both quoted, stand in the text.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Schema};
use model::{AttributeColumn, AttributeType, Scope, Table};
use query::{quote_identifier, quote_text};
use serde_json::{Value, json};

use super::{Matcher, Op, Term};
use crate::Error;
use crate::time::{Range, format};

/// Levels in order.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// What a search is about.
pub(crate) struct Subject<'a> {
    table: Table,
    schema: &'a Schema,
    /// Attributes that may be in `rest`.
    rest: HashMap<String, AttributeType>,
    rest_more: bool,
}

/// Conditions joined by AND, with their parameters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    parts: Vec<String>,
    params: Vec<Value>,
}

/// Where a key's values are.
struct Field {
    places: Vec<String>,
    kind: Kind,
}

/// How a key's values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A column of words that are all in lower case.
    Word,
    Level,
    Number,
    Bool,
    /// Nanoseconds, given with a unit.
    Duration,
    Time,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(table: Table, schema: &'a Schema) -> Subject<'a> {
        let metadata = schema.metadata();
        let keys = metadata.get(query::REST_KEYS);
        Subject {
            table,
            schema,
            rest: keys.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
            rest_more: metadata.get(query::REST_MORE).is_some_and(|word| word == "true"),
        }
    }

    /// The column that words are looked for in.
    fn text(&self) -> &'static str {
        match self.table {
            Table::Logs => "body",
            Table::Spans => "name",
        }
    }

    fn field(&self, key: &str) -> Field {
        if let Some(field) = self.column(key) {
            return field;
        }
        if let Some(AttributeColumn { scope, key, .. }) = AttributeColumn::parse(key) {
            return Field::of(self.place(scope, &key).into_iter().collect());
        }
        Field::of(Scope::ALL.into_iter().filter_map(|scope| self.place(scope, key)).collect())
    }

    fn column(&self, key: &str) -> Option<Field> {
        let (name, kind) = match key {
            "duration" if self.table == Table::Spans => ("duration_ns", Some(Kind::Duration)),
            "level" => ("level", Some(Kind::Level)),
            "kind" | "status" | "trace_id" | "span_id" | "parent_span_id" => {
                (key, Some(Kind::Word))
            }
            "service.name" => ("service", None),
            "deployment.environment.name" | "deployment.environment" => ("environment", None),
            "service.version" => ("release", None),
            key => (key, None),
        };
        let column = self.table.columns().iter().find(|column| column.name == name)?;
        let kind = kind.unwrap_or(match column.column_type {
            model::ColumnType::Text => Kind::Text,
            model::ColumnType::Int | model::ColumnType::Short => Kind::Number,
            model::ColumnType::Timestamp => Kind::Time,
        });
        Some(Field { places: vec![quote_identifier(name)], kind })
    }

    /// An attribute in one scope, if any row may have it there.
    fn place(&self, scope: Scope, key: &str) -> Option<(String, Kind)> {
        let plain = AttributeColumn::plain_name(scope, key);
        let typed = AttributeType::ALL.map(|t| AttributeColumn::typed_name(scope, key, t));
        let mut types: Vec<DataType> = std::iter::once(&plain)
            .chain(&typed)
            .filter_map(|name| self.schema.field_with_name(name).ok())
            .map(|field| field.data_type().clone())
            .collect();
        match self.rest.get(&plain) {
            Some(rest) => types.push(rest.data_type()),
            None if types.is_empty() && self.rest_more => types.push(DataType::Utf8View),
            None => {}
        }
        let kind = if types.is_empty() {
            return None;
        } else if types.iter().all(|t| matches!(t, DataType::Int64 | DataType::Float64)) {
            Kind::Number
        } else if types.iter().all(|t| *t == DataType::Boolean) {
            Kind::Bool
        } else {
            Kind::Text
        };
        Some((format!("{scope}[{}]", quote_text(key), scope = scope.as_str()), kind))
    }
}

impl Field {
    fn of(places: Vec<(String, Kind)>) -> Field {
        let mut kinds = places.iter().map(|(_, kind)| *kind);
        let first = kinds.next().unwrap_or(Kind::Text);
        let kind = if kinds.all(|kind| kind == first) { first } else { Kind::Text };
        Field { places: places.into_iter().map(|(place, _)| place).collect(), kind }
    }

    /// One of the places fits.
    fn any(&self, condition: impl Fn(&str) -> String) -> String {
        match self.places.as_slice() {
            [] => "FALSE".to_owned(),
            [one] => condition(one),
            places => {
                let each: Vec<String> = places.iter().map(|place| condition(place)).collect();
                format!("({})", each.join(" OR "))
            }
        }
    }
}

impl Conditions {
    pub(crate) fn new() -> Conditions {
        Conditions::default()
    }

    /// A parameter with that value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    /// One more condition. Its text must come from this program.
    pub(crate) fn push(&mut self, condition: impl Into<String>) {
        self.parts.push(condition.into());
    }

    /// The rows of a range of time.
    pub(crate) fn within(&mut self, range: Range) {
        // The column has microseconds: what is behind them is cut off on both sides.
        let start = self.bind(format(range.start.div_euclid(1_000) * 1_000));
        let end = self.bind(format(range.end.div_euclid(1_000) * 1_000));
        self.push(format!("time >= {start} AND time < {end}"));
    }

    /// A column has that text.
    pub(crate) fn equal(&mut self, column: &str, value: &str) {
        let value = self.bind(value);
        self.push(format!("{} = {value}", quote_identifier(column)));
    }

    /// Whether nothing is asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What stands behind `WHERE`.
    pub(crate) fn sql(&self) -> String {
        if self.is_empty() { "TRUE".to_owned() } else { self.parts.join(" AND ") }
    }

    pub(crate) fn params(&self) -> &[Value] {
        &self.params
    }

    /// The terms of a search.
    pub(crate) fn search(&mut self, subject: &Subject<'_>, terms: &[Term]) -> Result<(), Error> {
        for term in terms {
            let (condition, turned) = self.matcher(subject, term)?;
            // What is null is not what was asked for, so turned around it is.
            let turned = turned != term.negated;
            self.push(if turned { format!("({condition}) IS NOT TRUE") } else { condition });
        }
        Ok(())
    }

    /// A condition, and whether it has to be turned around.
    fn matcher(&mut self, subject: &Subject<'_>, term: &Term) -> Result<(String, bool), Error> {
        Ok(match &term.matcher {
            Matcher::Words(text) => (self.words(subject.text(), text), false),
            Matcher::Pattern(pattern) => {
                let pattern = escape_pattern(pattern).replace('*', "%");
                let pattern = self.bind(format!("%{pattern}%"));
                (format!("{} ILIKE {pattern}", subject.text()), false)
            }
            Matcher::Exists { key } => {
                (subject.field(key).any(|place| format!("{place} IS NOT NULL")), false)
            }
            Matcher::Like { key, pattern } => {
                let field = subject.field(key);
                let pattern = self.bind(escape_pattern(pattern).replace('*', "%"));
                (field.any(|place| format!("{} LIKE {pattern}", as_text(place, field.kind))), false)
            }
            Matcher::Compare { key, op: Op::NotEqual, value } => {
                (self.compare(&subject.field(key), Op::Equal, value, term)?, true)
            }
            Matcher::Compare { key, op, value } => {
                (self.compare(&subject.field(key), *op, value, term)?, false)
            }
        })
    }

    /// Whole words are found by the files' filters; that they stand in a row, with what is between
    /// them, has to be seen in the text itself.
    fn words(&mut self, column: &str, text: &str) -> String {
        let words = model::token::tokens(text).count();
        let one_word = words == 1 && text.chars().all(model::token::is_token_char);
        let mut conditions = Vec::new();
        if words > 0 {
            let words = self.bind(text);
            conditions.push(format!("match_text({column}, {words})"));
        }
        if !one_word {
            let pattern = self.bind(format!("%{}%", escape_pattern(text)));
            conditions.push(format!("{column} ILIKE {pattern}"));
        }
        conditions.join(" AND ")
    }

    fn compare(
        &mut self,
        field: &Field,
        op: Op,
        value: &str,
        term: &Term,
    ) -> Result<String, Error> {
        if field.places.is_empty() {
            return Ok("FALSE".to_owned());
        }
        let kind = field.kind;
        let Some(sql) = op.sql() else {
            let value = self.bind(value);
            return Ok(field.any(|place| format!("regexp_like({}, {value})", as_text(place, kind))));
        };
        if kind == Kind::Level && op != Op::Equal {
            return self.level_order(op, value, term);
        }
        let parameter = match kind {
            Kind::Word => Some(json!(value.to_ascii_lowercase())),
            Kind::Level => Some(json!(level_word(value))),
            Kind::Number => number(value),
            Kind::Bool => value.to_ascii_lowercase().parse::<bool>().ok().map(Value::Bool),
            Kind::Duration => Some(json!(nanos(value).ok_or_else(|| Error::BadRequest {
                message: format!("{value:?} is no duration"),
                column: Some(term.column),
                hint: Some("write 500ms, 1.5s or 2m".to_owned()),
            })?)),
            Kind::Text if op != Op::Equal => number(value),
            Kind::Text | Kind::Time => None,
        };
        match parameter {
            // Attributes of text compare as numbers with a number; the engine sees to that.
            Some(parameter) => {
                let value = self.bind(parameter);
                Ok(field.any(|place| format!("{place} {sql} {value}")))
            }
            None => {
                let value = self.bind(value);
                let kind = if kind == Kind::Time { Kind::Text } else { kind };
                Ok(field.any(|place| format!("{} {sql} {value}", as_text(place, kind))))
            }
        }
    }

    /// `level>=warn`: the levels from there on.
    fn level_order(&mut self, op: Op, value: &str, term: &Term) -> Result<String, Error> {
        let word = level_word(value);
        let Some(index) = LEVELS.iter().position(|level| *level == word) else {
            return Err(Error::BadRequest {
                message: format!("{value:?} is no level"),
                column: Some(term.column),
                hint: Some(format!("levels are {}", LEVELS.join(", "))),
            });
        };
        let range = match op {
            Op::Greater => index + 1..LEVELS.len(),
            Op::GreaterOrEqual => index..LEVELS.len(),
            Op::Less => 0..index,
            _ => 0..index + 1,
        };
        let levels: Vec<String> = LEVELS[range].iter().map(|level| self.bind(*level)).collect();
        if levels.is_empty() {
            return Ok("FALSE".to_owned());
        }
        Ok(format!("level IN ({})", levels.join(", ")))
    }
}

fn as_text(place: &str, kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Word | Kind::Level => place.to_owned(),
        Kind::Number | Kind::Bool | Kind::Duration | Kind::Time => {
            format!("CAST({place} AS VARCHAR)")
        }
    }
}

/// A text as it stands in a pattern.
fn escape_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// The word of a level, for what people write for it.
pub(crate) fn level_word(value: &str) -> String {
    let word = value.trim().to_ascii_lowercase();
    match word.as_str() {
        "warning" => "warn".to_owned(),
        "err" => "error".to_owned(),
        "information" => "info".to_owned(),
        "critical" | "crit" => "fatal".to_owned(),
        _ => word,
    }
}

fn number(value: &str) -> Option<Value> {
    if let Ok(int) = value.parse::<i64>() {
        return Some(json!(int));
    }
    value.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

/// `500ms`, `1.5s`; milliseconds without a unit.
fn nanos(value: &str) -> Option<i64> {
    let split = value.find(|c: char| c.is_alphabetic() || c == 'µ').unwrap_or(value.len());
    let (digits, unit) = value.split_at(split);
    let factor = match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "" | "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3_600e9,
        _ => return None,
    };
    let nanos = digits.trim().parse::<f64>().ok()? * factor;
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
    (nanos.is_finite() && nanos.abs() < 9e18).then(|| nanos.round() as i64)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field as ArrowField;
    use insta::assert_snapshot;

    use super::*;
    use crate::search::parse;

    fn check(table: Table, text: &str) -> String {
        let mut fields: Vec<ArrowField> =
            table.columns().iter().map(model::Column::field).collect();
        for (name, data_type) in [
            ("attributes.code", DataType::Int64),
            ("attributes.user", DataType::Utf8View),
            ("resource.user", DataType::Utf8View),
            ("attributes.ok", DataType::Boolean),
        ] {
            fields.push(ArrowField::new(name, data_type, true));
        }
        let metadata =
            HashMap::from([(query::REST_KEYS.to_owned(), r#"{"scope.lib":"string"}"#.to_owned())]);
        let schema = Schema::new_with_metadata(fields, metadata);
        let subject = Subject::new(table, &schema);
        let mut conditions = Conditions::new();
        match parse(text).and_then(|terms| conditions.search(&subject, &terms)) {
            Ok(()) => format!("{}\n{}", conditions.sql(), json!(conditions.params())),
            Err(error) => {
                let error = error.body().error;
                format!("error at {}: {}", error.column.unwrap_or_default(), error.message)
            }
        }
    }

    #[test]
    fn words_are_looked_for_in_the_text() {
        assert_snapshot!(check(Table::Logs, "50%_off -\"it's\" -% conn*"), @r#"
        match_text(body, $1) AND body ILIKE $2 AND (match_text(body, $3) AND body ILIKE $4) IS NOT TRUE AND (body ILIKE $5) IS NOT TRUE AND body ILIKE $6
        ["50%_off","%50\\%\\_off%","it's","%it's%","%\\%%","%conn%%"]
        "#);
        assert_snapshot!(check(Table::Spans, "predict"), @r#"
        match_text(name, $1)
        ["predict"]
        "#);
        assert_snapshot!(check(Table::Logs, ""), @r"
        TRUE
        []
        ");
    }

    #[test]
    fn fields_compare_by_their_type() {
        assert_snapshot!(check(Table::Spans, "service:api status:ERROR duration>1.5s kind!=server code:500 ok:true code:x"), @r#"
        "service" = $1 AND "status" = $2 AND "duration_ns" > $3 AND ("kind" = $4) IS NOT TRUE AND attributes['code'] = $5 AND attributes['ok'] = $6 AND CAST(attributes['code'] AS VARCHAR) = $7
        ["api","error",1500000000,"server",500,true,"x"]
        "#);
        assert_snapshot!(check(Table::Logs, "level>=warn level:WARNING level<trace"), @r#"
        level IN ($1, $2, $3) AND "level" = $4 AND FALSE
        ["warn","error","fatal","warn"]
        "#);
    }

    #[test]
    fn attributes_are_looked_for_in_every_scope_that_has_them() {
        assert_snapshot!(check(Table::Logs, "user:u1 -resource.user:* lib=~\"^a\" nope:1 -nope:1 user:a* user>5 service.name:x"), @r#"
        (attributes['user'] = $1 OR resource['user'] = $1) AND (resource['user'] IS NOT NULL) IS NOT TRUE AND regexp_like(scope['lib'], $2) AND FALSE AND (FALSE) IS NOT TRUE AND (attributes['user'] LIKE $3 OR resource['user'] LIKE $3) AND (attributes['user'] > $4 OR resource['user'] > $4) AND "service" = $5
        ["u1","^a","a%",5,"x"]
        "#);
    }

    #[test]
    fn mistakes_have_a_column() {
        assert_snapshot!(check(Table::Spans, "x duration>soon"), @r#"error at 3: "soon" is no duration"#);
        assert_snapshot!(check(Table::Logs, "level>loud"), @r#"error at 1: "loud" is no level"#);
    }
}
