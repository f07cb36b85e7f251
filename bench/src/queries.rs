//! The questions, each asked again and again with other values where it has any.

use anyhow::bail;
use serde_json::{Value, json};
use stdx::clock::Stopwatch;

use crate::data;

const WARM_UP: u64 = 3;
const TIMES: u64 = 21;

/// A question and what it should take.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// The target for the median on 10 million rows, in milliseconds.
    pub(crate) target_ms: Option<f64>,
    /// The SQL, from a number that changes with every time it is asked.
    sql: fn(u64) -> String,
    /// The rows that must come, so that no question is quick by finding nothing.
    rows: usize,
}

pub(crate) const ABOUT_SPANS: &[Question] = &[
    Question {
        name: "trace by id",
        target_ms: Some(20.0),
        sql: |n| {
            format!("SELECT * FROM spans WHERE trace_id = '{}' ORDER BY time", data::trace_id(n))
        },
        rows: 8,
    },
    Question {
        name: "attribute search, newest 20",
        target_ms: None,
        sql: |_| {
            "SELECT time, trace_id, name, duration_ns FROM spans \
             WHERE attributes['http.response.status_code'] = 500 \
             AND attributes['http.route'] = '/api/v1/search' ORDER BY time DESC LIMIT 20"
                .to_owned()
        },
        rows: 20,
    },
    Question {
        name: "count by service and minute",
        target_ms: None,
        sql: |_| {
            "SELECT service, date_trunc('minute', time) AS minute, count(*) AS n FROM spans \
             GROUP BY 1, 2 ORDER BY 1, 2"
                .to_owned()
        },
        rows: 5,
    },
];

pub(crate) const ABOUT_LOGS: &[Question] = &[
    Question {
        name: "needle in logs",
        target_ms: Some(50.0),
        sql: |n| format!("SELECT * FROM logs WHERE match_text(body, '{}')", data::request_id(n)),
        rows: 1,
    },
    Question {
        // The pattern may begin and end inside a word, so its ends skip nothing.
        name: "needle in logs by LIKE",
        target_ms: None,
        sql: |n| format!("SELECT * FROM logs WHERE body LIKE '%{}%'", data::request_id(n)),
        rows: 1,
    },
    Question {
        name: "count by level and minute",
        target_ms: None,
        sql: |_| {
            "SELECT level, date_trunc('minute', time) AS minute, count(*) AS n FROM logs \
             GROUP BY 1, 2 ORDER BY 1, 2"
                .to_owned()
        },
        rows: 4,
    },
    Question {
        name: "latest 100 lines",
        target_ms: None,
        sql: |_| "SELECT * FROM logs ORDER BY time DESC LIMIT 100".to_owned(),
        rows: 100,
    },
];

/// How long answers took, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

/// Asks a question over HTTP until its answers are warm, and measures the next.
pub(crate) async fn ask(main: &str, question: &Question, batches: u64) -> anyhow::Result<Latency> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{main}/api/v1/sql");
    let mut taken = Vec::new();
    for time in 0..WARM_UP + TIMES {
        // Spread over all that was sent: old rows are asked for as often as new ones.
        let sql = (question.sql)(time * 7_919 % batches);
        let started = Stopwatch::start();
        let answer = http.post(&url).json(&json!({ "sql": sql })).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        let elapsed = started.elapsed();
        if !status.is_success() {
            bail!("{}: {status}: {body}", question.name);
        }
        let answer: Value = serde_json::from_str(&body)?;
        let rows = answer["rows"].as_array().map_or(0, Vec::len);
        if rows < question.rows {
            bail!("{}: {rows} rows, {} or more are there: {sql}", question.name, question.rows);
        }
        if time >= WARM_UP {
            taken.push(elapsed.as_secs_f64() * 1e3);
        }
    }
    taken.sort_by(f64::total_cmp);
    Ok(Latency { p50: taken[taken.len() / 2], p95: taken[taken.len() * 19 / 20] })
}
