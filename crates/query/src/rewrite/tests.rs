use datafusion::arrow::datatypes::{DataType, Field, Schema};
use insta::assert_snapshot;
use serde_json::json;

use super::*;

struct Fixture;

impl Lookup for Fixture {
    fn columns(&self, table: &str) -> Option<Arc<Columns>> {
        let names: &[(&str, DataType)] = match table {
            "spans" => &[
                ("time", DataType::Int64),
                ("service", DataType::Utf8View),
                ("environment", DataType::Utf8View),
                ("name", DataType::Utf8View),
                ("attributes.http.status_code", DataType::Int64),
                ("attributes.text", DataType::Utf8View),
                ("attributes.clash", DataType::Int64),
                ("attributes.clash#string", DataType::Utf8View),
                ("attributes.amount", DataType::Float64),
                ("attributes.amount#int", DataType::Int64),
                ("attributes.blob", DataType::Utf8View),
                ("attributes.blob#bytes", DataType::BinaryView),
                ("attributes.sometimes", DataType::Int64),
                ("resource.host.name", DataType::Utf8View),
                ("rest", DataType::Utf8View),
            ],
            "logs" => &[
                ("time", DataType::Int64),
                ("service", DataType::Utf8View),
                ("body", DataType::Utf8View),
                ("attributes.text", DataType::Utf8View),
                ("attributes.logger", DataType::Utf8View),
                ("rest", DataType::Utf8View),
            ],
            _ => return None,
        };
        let fields: Vec<Field> =
            names.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
        let rest = json!({"attributes.sometimes": "int", "attributes.rare": "double"});
        let metadata = if table == "spans" {
            HashMap::from([(crate::REST_KEYS.to_owned(), rest.to_string())])
        } else {
            HashMap::from([(crate::REST_MORE.to_owned(), "true".to_owned())])
        };
        Some(Arc::new(Columns::of_schema(&Schema::new_with_metadata(fields, metadata))))
    }
}

fn check(sql: &str) -> String {
    let result = statement::parse(sql, &[]).and_then(|mut statement| {
        rewrite(&mut statement, &Fixture)?;
        Ok(statement.to_string())
    });
    match result {
        Ok(sql) => sql,
        Err(Error::Statement(problem)) => format!("{problem:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_key_with_a_column_is_that_column() {
    assert_snapshot!(
        check("SELECT attributes['http.status_code'] FROM spans WHERE attributes['http.status_code'] >= 500"),
        @r#"SELECT "attributes.http.status_code" FROM spans WHERE "attributes.http.status_code" >= 500"#
    );
    assert_snapshot!(
        check("SELECT s.resource['host.name'] h FROM spans AS s GROUP BY s.resource['host.name'] ORDER BY s.resource['host.name']"),
        @r#"SELECT s."resource.host.name" AS h FROM spans AS s GROUP BY s."resource.host.name" ORDER BY s."resource.host.name""#
    );
    assert_snapshot!(
        check("SELECT attributes.http.status_code, spans.attributes.text FROM spans"),
        @r#"SELECT "attributes.http.status_code", spans."attributes.text" FROM spans"#
    );
}

#[test]
fn an_alias_is_the_fixed_column() {
    assert_snapshot!(
        check("SELECT resource['service.name'], resource['deployment.environment'] AS env FROM spans"),
        @r#"SELECT "service" AS "resource.service.name", "environment" AS env FROM spans"#
    );
}

#[test]
fn types_that_clash_become_text_and_numbers_one_number() {
    assert_snapshot!(
        check("SELECT attributes['clash'], attributes['amount'] FROM spans"),
        @r#"SELECT coalesce(CAST("attributes.clash" AS VARCHAR), "attributes.clash#string") AS "attributes.clash", coalesce("attributes.amount", CAST("attributes.amount#int" AS DOUBLE)) AS "attributes.amount" FROM spans"#
    );
    assert_snapshot!(
        check("SELECT 1 FROM spans WHERE attributes['clash'] > 400 AND attributes['clash'] = '401'"),
        @r#"SELECT 1 FROM spans WHERE TRY_CAST(coalesce(CAST("attributes.clash" AS VARCHAR), "attributes.clash#string") AS DOUBLE) > 400 AND coalesce(CAST("attributes.clash" AS VARCHAR), "attributes.clash#string") = '401'"#
    );
    assert_snapshot!(
        check("SELECT 1 FROM spans WHERE -1 < attributes['text'] AND attributes['blob'] = 'x'"),
        @r#"SELECT 1 FROM spans WHERE -1 < TRY_CAST("attributes.text" AS DOUBLE) AND coalesce("attributes.blob", TRY_CAST("attributes.blob#bytes" AS VARCHAR)) = 'x'"#
    );
}

#[test]
fn what_may_be_in_rest_is_looked_for_there() {
    assert_snapshot!(
        check("SELECT attributes['sometimes'], attributes['rare'] FROM spans s"),
        @r#"SELECT coalesce("attributes.sometimes", rest_value(rest, 'attributes.sometimes', 'int')) AS "attributes.sometimes", rest_value(rest, 'attributes.rare', 'double') AS "attributes.rare" FROM spans s"#
    );
    assert_snapshot!(
        check("SELECT 1 FROM logs WHERE attributes['it''s'] = 'x'"),
        @r#"SELECT 1 FROM logs WHERE rest_value(rest, 'attributes.it''s', 'string') = 'x'"#
    );
}

#[test]
fn an_unknown_key_is_null() {
    assert_snapshot!(
        check("SELECT attributes['nope'] FROM spans WHERE resource['nope'] IS NULL"),
        @r#"SELECT NULL AS "attributes.nope" FROM spans WHERE NULL IS NULL"#
    );
}

#[test]
fn a_quoted_name_falls_back_to_attributes() {
    assert_snapshot!(
        check(r#"SELECT "http.status_code", "host.name", "service.name", "service", "nope" FROM spans"#),
        @r#"SELECT "attributes.http.status_code" AS "http.status_code", "resource.host.name" AS "host.name", "service" AS "service.name", "service", "nope" FROM spans"#
    );
    assert_snapshot!(
        check(r#"SELECT upper("text") AS "text" FROM spans s WHERE s."text" = 'a' ORDER BY "text""#),
        @r#"SELECT upper("attributes.text") AS "text" FROM spans s WHERE s."attributes.text" = 'a' ORDER BY "text""#
    );
}

#[test]
fn joins_take_the_relation_that_has_the_key() {
    assert_snapshot!(
        check("SELECT attributes['logger'], s.attributes['text'] FROM spans s JOIN logs l ON s.attributes['text'] = l.attributes['text']"),
        @r#"SELECT coalesce("l"."attributes.logger", rest_value("l".rest, 'attributes.logger', 'string')) AS "attributes.logger", s."attributes.text" FROM spans s JOIN logs l ON s."attributes.text" = coalesce("l"."attributes.text", rest_value("l".rest, 'attributes.text', 'string'))"#
    );
    assert_snapshot!(
        check("SELECT attributes['text'] FROM spans s, logs l"),
        @r#"SELECT "attributes.text" FROM spans s, logs l"#
    );
}

#[test]
fn subqueries_and_common_table_expressions_keep_what_they_pass_on() {
    assert_snapshot!(
        check("WITH a AS (SELECT * FROM spans), b AS (SELECT attributes['http.status_code'], count(*) AS n FROM a GROUP BY attributes['http.status_code']) SELECT attributes['http.status_code'], attributes['rare'], n FROM b"),
        @r#"WITH a AS (SELECT * FROM spans), b AS (SELECT "attributes.http.status_code", count(*) AS n FROM a GROUP BY "attributes.http.status_code") SELECT "attributes.http.status_code", NULL AS "attributes.rare", n FROM b"#
    );
    assert_snapshot!(
        check("SELECT x.attributes['rare'] FROM (SELECT name, rest FROM spans) x"),
        @r#"SELECT rest_value("x".rest, 'attributes.rare', 'double') AS "attributes.rare" FROM (SELECT name, rest FROM spans) x"#
    );
    assert_snapshot!(
        check("SELECT 1 FROM spans s WHERE EXISTS (SELECT 1 FROM logs l WHERE l.service = s.service AND l.attributes['logger'] = s.attributes['text'])"),
        @r#"SELECT 1 FROM spans s WHERE EXISTS (SELECT 1 FROM logs l WHERE l.service = s.service AND coalesce("l"."attributes.logger", rest_value("l".rest, 'attributes.logger', 'string')) = s."attributes.text")"#
    );
    assert_snapshot!(
        check("SELECT attributes['text'] FROM spans UNION ALL SELECT attributes['text'] FROM logs ORDER BY attributes['text']"),
        @r#"SELECT "attributes.text" FROM spans UNION ALL SELECT coalesce("attributes.text", rest_value(rest, 'attributes.text', 'string')) AS "attributes.text" FROM logs ORDER BY "attributes.text""#
    );
}

#[test]
fn a_key_must_be_a_text() {
    assert_snapshot!(
        check("SELECT\n  attributes[5] FROM spans"),
        @r#"Problem { message: "the key in attributes[…] must be a text", hint: Some("write attributes['key']"), position: Some(Position { line: 2, column: 3 }) }"#
    );
}

#[test]
fn other_tables_are_left_alone() {
    for sql in [
        r#"SELECT "x.y", a[1] FROM nowhere"#,
        "SELECT * FROM information_schema.tables",
        "SELECT v FROM generate_series(1, 3) AS t (v)",
    ] {
        assert_eq!(check(sql), sql);
    }
}

#[test]
fn time_buckets_take_a_plain_text() {
    assert_snapshot!(
        check("SELECT time_bucket('5 minutes', time) FROM spans"),
        @"SELECT date_bin(INTERVAL '5 minutes', time) FROM spans"
    );
}
