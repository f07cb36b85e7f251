use std::time::Duration;

use arrow::util::pretty::pretty_format_batches;
use insta::assert_snapshot;
use model::Table;
use serde_json::json;

use super::*;
use crate::testing::{START, example};

fn engine() -> Engine {
    let mut options = Options::new(Budget::new("query", 256 * 1024 * 1024));
    options.threads = 2;
    options.clock = Clock::manual(START + 61_000_000_000);
    Engine::new(options, Arc::new(example())).expect("starts")
}

async fn ask(sql: &str, params: &[Json]) -> Result<crate::Collected, Error> {
    let limits = Limits::default();
    engine().sql(&Tenant::default(), sql, params, limits).await?.collect().await
}

#[tokio::main(flavor = "current_thread")]
async fn check(sql: &str, params: &[Json]) -> String {
    match ask(sql, params).await {
        Ok(answer) => pretty_format_batches(&answer.batches).expect("prints").to_string(),
        Err(Error::Statement(problem)) => format!("{problem:#?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn attributes_are_asked_by_key() {
    assert_snapshot!(check(
        "SELECT service, attributes['http.status_code'], attributes['amount'] + 1 AS amount, attributes['retries'] * 2 AS retries, attributes['nope'] FROM spans ORDER BY time", &[]), @"
    +-----------+-----------------------------+--------+---------+-----------------+
    | service   | attributes.http.status_code | amount | retries | attributes.nope |
    +-----------+-----------------------------+--------+---------+-----------------+
    | fraud-api | 200                         | 13.5   |         |                 |
    | features  |                             |        | 6       |                 |
    | fraud-api | 500                         | 8.0    |         |                 |
    | fraud-api |                             |        | 10      |                 |
    +-----------+-----------------------------+--------+---------+-----------------+
    ");
}

#[test]
fn groups_by_an_attribute() {
    assert_snapshot!(check(
        "SELECT attributes['http.status_code'] AS code, count(*) FROM spans WHERE attributes['http.status_code'] >= 200 GROUP BY attributes['http.status_code'] ORDER BY 1", &[]), @"
    +------+----------+
    | code | count(*) |
    +------+----------+
    | 200  | 1        |
    | 500  | 1        |
    +------+----------+
    ");
    assert_snapshot!(check(
        "SELECT resource['nope'], count(*) FROM spans GROUP BY resource['nope']", &[]), @"
    +---------------+----------+
    | resource.nope | count(*) |
    +---------------+----------+
    |               | 4        |
    +---------------+----------+
    ");
    assert_snapshot!(check(
        "SELECT count(*) FROM spans WHERE attributes['nope'] > 5 OR attributes['nope'] LIKE '%x%' OR attributes['note'] LIKE 'sl%'", &[]), @"
    +----------+
    | count(*) |
    +----------+
    | 1        |
    +----------+
    ");
}

#[test]
fn joins_traces_with_logs() {
    assert_snapshot!(check(
        "SELECT s.name, l.body, l.attributes['logger'] FROM spans s JOIN logs l ON s.span_id = l.span_id WHERE match_text(l.body, 'timeout') ORDER BY l.time", &[]), @"
    +---------------+-------------------------------+-------------------+
    | name          | body                          | attributes.logger |
    +---------------+-------------------------------+-------------------+
    | POST /predict | Timeout while asking features | client            |
    | score         | model failed: timeout         | model             |
    +---------------+-------------------------------+-------------------+
    ");
}

#[test]
fn time_is_compared_with_text_and_with_now() {
    assert_snapshot!(check("SELECT count(*) FROM spans WHERE time > '2026-11-21T03:00:30Z'", &[]), @"
    +----------+
    | count(*) |
    +----------+
    | 2        |
    +----------+
    ");
    assert_snapshot!(check("SELECT count(*) FROM spans WHERE time >= now() - interval '1 minute'", &[]), @"
    +----------+
    | count(*) |
    +----------+
    | 2        |
    +----------+
    ");
    assert_snapshot!(check("SELECT time_bucket('1 minute', time) AS minute, count(*) FROM spans GROUP BY 1 ORDER BY 1", &[]), @"
    +----------------------+----------+
    | minute               | count(*) |
    +----------------------+----------+
    | 2026-11-21T03:00:00Z | 2        |
    | 2026-11-21T03:01:00Z | 2        |
    +----------------------+----------+
    ");
}

#[test]
fn the_time_filter_reaches_the_scan_as_a_plain_comparison() {
    let plan = check(
        "EXPLAIN SELECT count(*) FROM spans WHERE time >= now() - interval '1 hour' AND time < $1",
        &[json!("2026-11-21T04:00:00Z")],
    );
    assert!(plan.contains("time@0 >= 17952"), "{plan}");
    assert!(!plan.contains("CAST(time"), "{plan}");
}

#[test]
fn only_the_tenant_s_rows_are_there() {
    assert_snapshot!(check("SELECT DISTINCT tenant FROM spans UNION SELECT DISTINCT tenant FROM logs", &[]), @"
    +---------+
    | tenant  |
    +---------+
    | default |
    +---------+
    ");
}

#[test]
fn tables_and_columns_are_shown() {
    assert_snapshot!(check("SHOW TABLES", &[]), @"
    +---------------+--------------------+-------------+------------+
    | table_catalog | table_schema       | table_name  | table_type |
    +---------------+--------------------+-------------+------------+
    | trefoil       | public             | logs        | BASE TABLE |
    | trefoil       | public             | spans       | BASE TABLE |
    | trefoil       | information_schema | tables      | VIEW       |
    | trefoil       | information_schema | views       | VIEW       |
    | trefoil       | information_schema | columns     | VIEW       |
    | trefoil       | information_schema | df_settings | VIEW       |
    | trefoil       | information_schema | schemata    | VIEW       |
    | trefoil       | information_schema | routines    | VIEW       |
    | trefoil       | information_schema | parameters  | VIEW       |
    +---------------+--------------------+-------------+------------+
    ");
    let columns = check("DESCRIBE logs", &[]);
    assert!(columns.contains("attributes.logger"), "{columns}");
    assert!(check("SHOW COLUMNS FROM spans", &[]).contains("trace_id"));
}

#[test]
fn mistakes_are_told_with_place_and_guess() {
    assert_snapshot!(check("SELECT nam FROM spans", &[]), @r#"
    Problem {
        message: "no field named nam",
        hint: Some(
            "did you mean 'spans.name'?",
        ),
        position: Some(
            Position {
                line: 1,
                column: 8,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT 1\nFROM span", &[]), @r#"
    Problem {
        message: "table 'span' not found",
        hint: Some(
            "tables are logs, spans",
        ),
        position: Some(
            Position {
                line: 2,
                column: 6,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT cuont(1) FROM spans", &[]), @r#"
    Problem {
        message: "invalid function 'cuont'",
        hint: Some(
            "did you mean 'cot'?",
        ),
        position: Some(
            Position {
                line: 1,
                column: 8,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT attributes FROM spans", &[]), @r#"
    Problem {
        message: "no field named attributes",
        hint: Some(
            "an attribute is asked by its key: attributes['key']",
        ),
        position: Some(
            Position {
                line: 1,
                column: 8,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT name, FROM spans WHERE", &[]), @r#"
    Problem {
        message: "expected: an expression, found: EOF",
        hint: None,
        position: Some(
            Position {
                line: 1,
                column: 30,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT service, count(*) FROM spans", &[]), @r#"
    Problem {
        message: "column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"spans.service\" must appear in the GROUP BY clause or must be part of an aggregate function, currently only \"count(Int64(1))\" appears in the SELECT clause satisfies this requirement",
        hint: Some(
            "either add 'spans.service' to GROUP BY clause, or use an aggregate function like ANY_VALUE(spans.service)",
        ),
        position: Some(
            Position {
                line: 1,
                column: 8,
            },
        ),
    }
    "#);
    assert_snapshot!(check("SELECT CAST('x' AS INT)", &[]), @r#"
    Problem {
        message: "cast error: Cannot cast string 'x' to value of Int32 type",
        hint: None,
        position: None,
    }
    "#);
    assert_snapshot!(check("SELECT 1/0", &[]), @r#"
    Problem {
        message: "divide by zero error",
        hint: None,
        position: None,
    }
    "#);
    assert_snapshot!(check("SELECT * FROM '/etc/passwd'", &[]), @r#"
    Problem {
        message: "table '/etc/passwd' not found",
        hint: Some(
            "tables are logs, spans",
        ),
        position: None,
    }
    "#);
    assert_snapshot!(check("SELECT * FROM read_parquet('/x')", &[]), @r#"
    Problem {
        message: "table function 'read_parquet' not found",
        hint: None,
        position: None,
    }
    "#);
    assert_snapshot!(check("SELECT attributes['text'] FROM spans a, logs b WHERE name = 1 AND time = 3", &[]), @r#"
    Problem {
        message: "ambiguous reference to unqualified field time",
        hint: None,
        position: Some(
            Position {
                line: 1,
                column: 67,
            },
        ),
    }
    "#);
}

#[tokio::test]
async fn rows_over_the_limit_are_left_out_and_told() {
    let limits = Limits { rows: 2, ..Limits::default() };
    let engine = engine();
    let tenant = Tenant::default();
    let answer = engine.sql(&tenant, "SELECT name FROM spans", &[], limits).await.expect("runs");
    let answer = answer.collect().await.expect("ends");
    assert_eq!((answer.stats.rows, answer.stats.truncated), (2, true));
    let limits = Limits { rows: 4, ..Limits::default() };
    let answer = engine.sql(&tenant, "SELECT name FROM spans", &[], limits).await.expect("runs");
    let answer = answer.collect().await.expect("ends");
    assert_eq!((answer.stats.rows, answer.stats.truncated), (4, false));
}

#[tokio::test]
async fn rows_looked_at_are_counted() {
    let sql = "SELECT name FROM spans WHERE service = 'features'";
    let answer = ask(sql, &[]).await.expect("runs");
    assert_eq!((answer.stats.rows, answer.stats.rows_scanned), (1, 4));
}

const FOREVER: &str = "SELECT count(*) FROM generate_series(1, 1000000000000) a";

#[tokio::test]
async fn time_runs_out() {
    let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
    let stream = engine().sql(&Tenant::default(), FOREVER, &[], limits).await.expect("runs");
    assert!(matches!(stream.collect().await, Err(Error::Timeout(_))));
}

#[tokio::test]
async fn a_statement_that_nobody_reads_ends_and_gives_its_place_back() {
    let mut options = Options::new(Budget::new("query", 64 * 1024 * 1024));
    options.running_max = 1;
    let engine = Engine::new(options, Arc::new(example())).expect("starts");
    let limits = Limits::default();
    let stream = engine.sql(&Tenant::default(), FOREVER, &[], limits).await.expect("runs");
    drop(stream);
    let next = engine.sql(&Tenant::default(), "SELECT 1", &[], limits).await.expect("gets in");
    assert_eq!(next.collect().await.expect("ends").stats.rows, 1);
}

#[tokio::test]
async fn memory_runs_out() {
    let limits = Limits { memory_bytes: 1024 * 1024, ..Limits::default() };
    let sql = "SELECT count(*) FROM (SELECT DISTINCT value FROM generate_series(1, 3000000))";
    let engine = engine();
    let stream = engine.sql(&Tenant::default(), sql, &[], limits).await.expect("runs");
    let error = stream.collect().await.expect_err("too much");
    assert!(matches!(error, Error::Memory(_)), "{error:?}");
}

#[tokio::test]
async fn a_statement_runs_over_given_rows() {
    let tables = example();
    let rows = tables.batches(Table::Logs)[0].slice(1, 1);
    let sql = "SELECT body FROM logs WHERE attributes['logger'] = $1";
    let stream = engine()
        .sql_over(
            &Tenant::default(),
            "logs",
            vec![rows],
            sql,
            &[json!("client")],
            Limits::default(),
        )
        .await
        .expect("runs");
    let answer = stream.collect().await.expect("ends");
    assert_eq!(answer.stats.rows, 1);
}
