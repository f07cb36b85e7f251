//! What an SDK says it has sent, compared field by field with what SQL says has come.

use serde_json::{Map, Value};

use crate::Server;
use crate::sql::number;
use crate::wait::until;

/// What was sent: documents with a row's words, as `clients/*/send.*` print them.
#[derive(Debug)]
pub struct Sent {
    /// The spans.
    pub spans: Vec<Value>,
    /// The log records.
    pub logs: Vec<Value>,
}

impl Sent {
    /// Reads what a client printed.
    ///
    /// # Panics
    /// When it is not that.
    #[must_use]
    pub fn parse(printed: &str) -> Sent {
        let mut printed: Value = serde_json::from_str(printed).expect("JSON from the client");
        let mut list = |key: &str| match printed[key].take() {
            Value::Array(list) => list,
            other => panic!("{key}: {other}"),
        };
        Sent { spans: list("spans"), logs: list("logs") }
    }

    /// Checks that the server has exactly these, each with all its values.
    ///
    /// # Panics
    /// When something is missing, twice or different.
    pub async fn check(&self, server: &Server, marker: &str) {
        let spans = rows(server, "spans", marker, self.spans.len()).await;
        for sent in &self.spans {
            let found = spans.iter().find(|row| row["span_id"] == sent["span_id"]);
            check_row(sent, found.unwrap_or_else(|| panic!("{sent} is not there")));
        }
        let logs = rows(server, "logs", marker, self.logs.len()).await;
        for sent in &self.logs {
            let time = sent["time_unix_ns"].as_str().expect("a time");
            let found = logs.iter().find(|row| nanoseconds(row, "time").to_string() == time);
            check_row(sent, found.unwrap_or_else(|| panic!("{sent} is not there: {logs:?}")));
        }
    }
}

/// The rows with that marker, as soon as there are `count` of them.
async fn rows(server: &Server, table: &str, marker: &str, count: usize) -> Vec<Map<String, Value>> {
    let observed =
        if table == "logs" { ", CAST(observed_time AS BIGINT) AS observed_time_us" } else { "" };
    let sql = format!(
        "SELECT *, CAST(time AS BIGINT) AS time_us{observed} FROM {table} \
         WHERE attributes['e2e.marker'] = '{marker}'"
    );
    until(&format!("{count} rows in {table}"), || async {
        let rows = server.ask(&sql).await.map_err(|error| format!("{error:#}"))?.objects();
        if rows.len() == count { Ok(rows) } else { Err(format!("{} rows", rows.len())) }
    })
    .await
}

/// Nanoseconds since 1970 of `time` or `observed_time`.
fn nanoseconds(row: &Map<String, Value>, column: &str) -> i64 {
    number(&row[&format!("{column}_us")]) * 1000 + number(&row[&format!("{column}_ns")])
}

fn check_row(sent: &Value, row: &Map<String, Value>) {
    for (key, want) in sent.as_object().expect("a row") {
        let problem = match key.as_str() {
            "attributes" | "resource" | "scope" => check_attributes(key, want, row),
            "events" | "links" => check_list(want, &row[key]),
            "time_unix_ns" => differs(want, &nanoseconds(row, "time").to_string().into()),
            "observed_time_unix_ns" => {
                differs(want, &nanoseconds(row, "observed_time").to_string().into())
            }
            "body" => check_body(want, row),
            _ => differs(want, row.get(key).unwrap_or(&Value::Null)),
        };
        if let Some(problem) = problem {
            panic!("{key}: {problem}\nsent: {sent}\nrow: {row:?}");
        }
    }
}

/// Text is kept as it is; anything else as JSON, and its type is said.
fn check_body(want: &Value, row: &Map<String, Value>) -> Option<String> {
    if want.is_string() {
        return differs(want, &row["body"]).or_else(|| differs(&Value::Null, &row["body_type"]));
    }
    differs(want, &parsed(&row["body"])).or_else(|| differs(&"json".into(), &row["body_type"]))
}

fn check_attributes(scope: &str, want: &Value, row: &Map<String, Value>) -> Option<String> {
    want.as_object().expect("attributes").iter().find_map(|(key, want)| {
        let found = row.get(&format!("{scope}.{key}")).unwrap_or(&Value::Null);
        let composite = want.is_array() || want.is_object();
        let found = if composite { parsed(found) } else { found.clone() };
        differs(want, &found).map(|problem| format!("{key}: {problem}"))
    })
}

/// Events and links: every word that was sent is in the row's, which may say more.
fn check_list(want: &Value, found: &Value) -> Option<String> {
    let want = want.as_array().expect("a list");
    let found = parsed(found);
    let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
    if want.len() != found.len() {
        return Some(format!("{} were sent, {} have come", want.len(), found.len()));
    }
    want.iter().zip(found).find_map(|(want, found)| {
        want.as_object()?.iter().find_map(|(key, want)| {
            let nothing = matches!(want, Value::Object(map) if map.is_empty()) || want == "";
            if nothing && found[key].is_null() {
                return None;
            }
            differs(want, &found[key]).map(|problem| format!("{key}: {problem}"))
        })
    })
}

/// Text that holds JSON, as that; anything else as it is.
fn parsed(value: &Value) -> Value {
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

fn differs(want: &Value, found: &Value) -> Option<String> {
    let same = match (want, found) {
        (Value::Number(want), Value::Number(found)) => want.as_f64() == found.as_f64(),
        // An empty text may stand for none where the protocol does not tell them apart.
        (Value::String(want), Value::Null) => want.is_empty(),
        (Value::Array(want), Value::Array(found)) => {
            want.len() == found.len()
                && want.iter().zip(found).all(|(want, found)| differs(want, found).is_none())
        }
        (Value::Object(want), Value::Object(found)) => {
            want.len() == found.len()
                && want.iter().all(|(key, want)| {
                    differs(want, found.get(key).unwrap_or(&Value::Null)).is_none()
                })
        }
        (want, found) => want == found,
    };
    (!same).then(|| format!("{want} was sent, {found} has come"))
}
