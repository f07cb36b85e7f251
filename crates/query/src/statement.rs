//! From text to a statement that only reads, with its parameters filled in.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Query, SetExpr, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};
use serde_json::Value as Json;

use crate::error::{Error, Position, lower_first};

/// The most bytes that a statement may have. Parsing costs about a hundred times that for a while.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// How deep a statement may nest.
const DEPTH_MAX: usize = 100;

/// Parses one statement, checks that it only reads, and puts the parameters in.
pub(crate) fn parse(sql: &str, params: &[Json]) -> Result<Statement, Error> {
    if sql.len() > TEXT_BYTES_MAX {
        return Err(Error::statement(format!(
            "statement is {} bytes long, at most {TEXT_BYTES_MAX} are allowed",
            sql.len()
        )));
    }
    let tokens = tokenize(sql)?;
    let start = first_location(&tokens);
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(DEPTH_MAX)
        .build()?;
    let mut statements = parser.parse_statements().map_err(|error| at_end(error.into(), sql))?;
    let Some(mut statement) = statements.pop_front() else {
        return Err(Error::statement("there is no statement"));
    };
    if !statements.is_empty() {
        return Err(Error::statement(format!(
            "one statement at a time: here are {}",
            statements.len() + 1
        )));
    }
    check_reads_only(&statement, start)?;
    fill_in(&mut statement, params)?;
    Ok(statement)
}

/// `?` becomes `$1`, `$2` … in the order of the text, so that one way of counting is left.
fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, Error> {
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| Error::at(error.location, lower_first(&error.message)))?;
    let mut count = 0;
    for token in &mut tokens {
        if token.token == Token::Placeholder("?".to_owned()) {
            count += 1;
            token.token = Token::Placeholder(format!("${count}"));
        }
    }
    Ok(tokens)
}

/// The parser has no place for what is missing at the end: there it is.
fn at_end(mut error: Error, sql: &str) -> Error {
    if let Error::Statement(problem) = &mut error
        && problem.position.is_none()
        && problem.message.ends_with("found: EOF")
    {
        let text = sql.trim_end();
        let last = text.lines().last().unwrap_or_default();
        problem.position = Some(Position {
            line: u64::try_from(text.lines().count().max(1)).unwrap_or(1),
            column: u64::try_from(last.chars().count()).unwrap_or_default() + 1,
        });
    }
    error
}

fn first_location(tokens: &[TokenWithSpan]) -> Location {
    tokens
        .iter()
        .find(|t| !matches!(t.token, Token::Whitespace(_) | Token::SemiColon))
        .map_or(Location::empty(), |t| t.span.start)
}

fn check_reads_only(statement: &Statement, start: Location) -> Result<(), Error> {
    let reads = match statement {
        Statement::Explain(explain) => return check_reads_only(&explain.statement, start),
        Statement::Statement(statement) => match statement.as_ref() {
            ast::Statement::Query(query) => query_reads_only(query),
            ast::Statement::ShowTables { .. }
            | ast::Statement::ShowColumns { .. }
            | ast::Statement::ShowVariable { .. }
            | ast::Statement::ShowFunctions { .. }
            | ast::Statement::ExplainTable { .. } => true,
            _ => false,
        },
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    };
    if reads {
        return Ok(());
    }
    Err(Error::at(start, "this statement would change something; tables here are read-only")
        .with_hint("SELECT, WITH, VALUES, EXPLAIN, SHOW and DESCRIBE are allowed"))
}

fn query_reads_only(query: &Query) -> bool {
    let with = query.with.iter().flat_map(|with| &with.cte_tables);
    query.locks.is_empty()
        && with.map(|cte| &cte.query).all(|query| query_reads_only(query))
        && body_reads_only(&query.body)
}

fn body_reads_only(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Query(query) => query_reads_only(query),
        SetExpr::SetOperation { left, right, .. } => {
            body_reads_only(left) && body_reads_only(right)
        }
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}

/// Puts literals in the place of `$1`, `$2` …: the planner then sees what it would see in a
/// statement written out, and prunes by it. The text of a parameter is never parsed.
fn fill_in(statement: &mut Statement, params: &[Json]) -> Result<(), Error> {
    let mut filler = Filler { params, used: vec![false; params.len()] };
    let flow = match inner(statement) {
        Some(statement) => statement.visit(&mut filler),
        None => ControlFlow::Continue(()),
    };
    if let ControlFlow::Break(error) = flow {
        return Err(*error);
    }
    match filler.used.iter().position(|used| !used) {
        Some(index) => {
            Err(Error::statement(format!("parameter ${} is given but not used", index + 1)))
        }
        None => Ok(()),
    }
}

/// The statement under any `EXPLAIN`.
pub(crate) fn inner(statement: &mut Statement) -> Option<&mut ast::Statement> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

struct Filler<'a> {
    params: &'a [Json],
    used: Vec<bool>,
}

impl VisitorMut for Filler<'_> {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), span }) = expr else {
            return ControlFlow::Continue(());
        };
        match self.literal(name, *span) {
            Ok(literal) => {
                *expr = literal;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Filler<'_> {
    fn literal(&mut self, name: &str, span: Span) -> Result<Expr, Error> {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let index = number.and_then(|n| n.checked_sub(1)).ok_or_else(|| {
            Error::at(span.start, format!("a parameter is written $1, $2 … or ?, not {name}"))
        })?;
        let json = self.params.get(index).ok_or_else(|| {
            let given = self.params.len();
            Error::at(span.start, format!("parameter {name} is missing: {given} given"))
        })?;
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
        literal(json, span).ok_or_else(|| {
            Error::at(span.start, format!("parameter {name} is an object; give a scalar or a list"))
        })
    }
}

fn literal(json: &Json, span: Span) -> Option<Expr> {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => Value::Number(number.to_string(), false),
        Json::String(text) => Value::SingleQuotedString(text.clone()),
        Json::Array(items) => {
            let elem = items.iter().map(|item| literal(item, span)).collect::<Option<Vec<_>>>()?;
            return Some(Expr::Array(ast::Array { elem, named: true }));
        }
        Json::Object(_) => return None,
    };
    Some(Expr::Value(ValueWithSpan { value, span }))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn check(sql: &str, params: &[Json]) -> String {
        match parse(sql, params) {
            Ok(statement) => statement.to_string(),
            Err(Error::Statement(problem)) => {
                let at = problem
                    .position
                    .map_or(String::new(), |p| format!(" at {}:{}", p.line, p.column));
                format!("error{at}: {}", problem.message)
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn only_reading_statements_pass() {
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1)",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "DESCRIBE spans",
            "SELECT 1;",
        ] {
            assert!(parse(sql, &[]).is_ok(), "{sql}: {}", check(sql, &[]));
        }
        for sql in [
            "INSERT INTO spans VALUES (1)",
            "DELETE FROM spans",
            "UPDATE spans SET name = 'x'",
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
            "COPY (SELECT 1) TO '/tmp/x.parquet'",
            "SET datafusion.execution.batch_size = 1",
            "RESET datafusion.execution.batch_size",
            "DROP TABLE spans",
            "PREPARE p AS SELECT 1",
            "EXPLAIN INSERT INTO spans VALUES (1)",
            "SELECT * INTO t FROM spans",
            "WITH a AS (INSERT INTO spans VALUES (1)) SELECT 1",
        ] {
            let answer = check(sql, &[]);
            assert!(answer.starts_with("error"), "{sql}: {answer}");
        }
        assert_snapshot!(
            check("\n  DROP TABLE spans", &[]),
            @"error at 2:3: this statement would change something; tables here are read-only"
        );
    }

    #[test]
    fn parameters_become_literals() {
        assert_snapshot!(
            check("SELECT $2, $1, $1 LIMIT $3", &[json!("it's"), json!(-1.5), json!(3)]),
            @"SELECT -1.5, 'it''s', 'it''s' LIMIT 3"
        );
        assert_snapshot!(
            check("SELECT ? WHERE a = ? AND b IN (?)", &[json!(null), json!(true), json!(9_007_199_254_740_993_i64)]),
            @"SELECT NULL WHERE a = true AND b IN (9007199254740993)"
        );
    }

    #[test]
    fn parameters_that_do_not_fit_are_told_with_their_place() {
        assert_snapshot!(check("SELECT\n $2", &[json!(1)]), @"error at 2:2: parameter $2 is missing: 1 given");
        assert_snapshot!(check("SELECT 1", &[json!(1)]), @"error: parameter $1 is given but not used");
        assert_snapshot!(check("SELECT $1", &[json!({})]), @"error at 1:8: parameter $1 is an object; give a scalar or a list");
        assert_snapshot!(check("SELECT :a", &[]), @"error at 1:8: a parameter is written $1, $2 … or ?, not :a");
    }

    #[test]
    fn wrong_syntax_is_told_with_its_place() {
        assert_snapshot!(check("SELECT 1 +\n 2 *  ", &[]), @"error at 2:5: expected: an expression, found: EOF");
        assert_snapshot!(check("SELECT 'abc", &[]), @"error at 1:8: unterminated string literal");
        assert_snapshot!(check("SELECT 1; SELECT 2", &[]), @"error: one statement at a time: here are 2");
        assert_snapshot!(check("  ", &[]), @"error: there is no statement");
    }
}
