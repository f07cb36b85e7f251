//! Questions in SQL over HTTP and their answers.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

/// An answer of `POST /api/v1/sql`.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns' names and types.
    pub columns: Vec<(String, String)>,
    /// The values, row by row.
    pub rows: Vec<Vec<Value>>,
    /// Whether a limit cut the answer short.
    pub truncated: bool,
}

impl Rows {
    fn parse(mut answer: Value) -> anyhow::Result<Rows> {
        let columns = answer["columns"].as_array().context("an answer without columns")?;
        let columns = columns
            .iter()
            .map(|column| {
                let word = |key: &str| column[key].as_str().unwrap_or_default().to_owned();
                (word("name"), word("type"))
            })
            .collect();
        let truncated = answer["truncated"].as_bool().unwrap_or(false);
        let Value::Array(rows) = answer["rows"].take() else { bail!("an answer without rows") };
        let rows = rows
            .into_iter()
            .map(|row| match row {
                Value::Array(values) => Ok(values),
                other => bail!("a row that is no array: {other}"),
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Rows { columns, rows, truncated })
    }

    /// The rows as objects.
    #[must_use]
    pub fn objects(&self) -> Vec<Map<String, Value>> {
        let names = self.columns.iter().map(|(name, _)| name.clone());
        self.rows.iter().map(|row| names.clone().zip(row.iter().cloned()).collect()).collect()
    }

    /// The one value of an answer of one row and one column.
    #[must_use]
    pub fn value(&self) -> &Value {
        match self.rows.as_slice() {
            [row] if row.len() == 1 => &row[0],
            rows => panic!("one value was expected, not {rows:?}"),
        }
    }

    /// [`Rows::value`] as a number.
    #[must_use]
    pub fn number(&self) -> i64 {
        number(self.value())
    }
}

/// A value that must be a whole number; a string of one will do, as JSON numbers end at 2^53.
#[must_use]
pub fn number(value: &Value) -> i64 {
    value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        .unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// Asks the server at `base`.
///
/// # Errors
/// When it cannot be reached or says no; then with its words.
pub async fn ask(http: &reqwest::Client, base: &str, sql: &str) -> anyhow::Result<Rows> {
    let answer = http
        .post(format!("{base}/api/v1/sql"))
        .json(&json!({ "sql": sql }))
        .timeout(Duration::from_secs(60))
        .send()
        .await?;
    let status = answer.status();
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {body}\n{sql}");
    }
    Rows::parse(serde_json::from_str(&body).with_context(|| body.clone())?)
}
