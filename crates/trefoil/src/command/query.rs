//! `trefoil query LANGUAGE QUERY`

mod promql;

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;

use crate::command::print;

/// Arguments of `trefoil query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The language of the query.
    language: Language,
    /// The query.
    query: String,
    /// What the answer looks like.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The server's main port.
    #[arg(long, env = "TREFOIL_URL", value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// PromQL: the time, seconds since 1970 or RFC 3339; now when nothing is said.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["start", "end"])]
    time: Option<String>,
    /// PromQL: the first time of a range.
    #[arg(long, value_name = "TIME", requires = "end")]
    start: Option<String>,
    /// PromQL: the last time of a range.
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<String>,
    /// PromQL: the distance of a range's points, such as 30s.
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    step: String,
    /// API key, where the server wants one.
    #[arg(long, env = "TREFOIL_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// Languages.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// SQL over the tables `spans`, `logs` and `metrics`.
    Sql,
    /// `PromQL` over the metrics.
    Promql,
}

/// Shapes of the answer.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Aligned columns.
    Table,
    /// The server's answer.
    Json,
    /// Comma-separated values with a heading.
    Csv,
}

#[derive(Debug, Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
}

/// Asks and prints.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (text, parse): (_, fn(&str) -> anyhow::Result<Answer>) = match args.language {
        Language::Sql => (ask(&args).await?, parse),
        Language::Promql => (promql::ask(&args).await?, promql::parse),
    };
    let printed = match args.format {
        Format::Json => text + "\n",
        Format::Table => table(&parse(&text)?),
        Format::Csv => csv(&parse(&text)?),
    };
    print(&printed);
    Ok(ExitCode::SUCCESS)
}

async fn ask(args: &Args) -> anyhow::Result<String> {
    let url = format!("{}/api/v1/sql", args.url.trim_end_matches('/'));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.post(&url).json(&serde_json::json!({ "sql": args.query }));
    if let Some(key) = &args.api_key {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.with_context(|| format!("cannot reach {url}"))?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{}", message_of(&text).unwrap_or_else(|| format!("{status}: {text}")));
    }
    Ok(text)
}

/// The message out of the server's error, with its place.
fn message_of(text: &str) -> Option<String> {
    let body: Value = serde_json::from_str(text).ok()?;
    let error = body.get("error")?;
    let mut message = error.get("message")?.as_str()?.to_owned();
    if let (Some(line), Some(column)) = (error.get("line"), error.get("column")) {
        write!(message, " (line {line}, column {column})").ok()?;
    }
    if let Some(hint) = error.get("hint").and_then(Value::as_str) {
        write!(message, "; {hint}").ok()?;
    }
    Some(message)
}

fn parse(text: &str) -> anyhow::Result<Answer> {
    serde_json::from_str(text).context("the server's answer is not what was expected")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(answer: &Answer) -> String {
    let printable = |text: String| text.replace('\n', "\\n").replace('\t', "\\t");
    let heading: Vec<String> = answer.columns.iter().map(|column| column.name.clone()).collect();
    let rows: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| row.iter().map(|value| printable(cell(value))).collect())
        .collect();
    let mut widths: Vec<usize> = heading.iter().map(|name| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    let mut out = line(&heading) + &line(&rule);
    rows.iter().for_each(|row| out.push_str(&line(row)));
    if answer.truncated {
        out.push_str("… there are more rows\n");
    }
    out
}

fn csv(answer: &Answer) -> String {
    let field = |text: String| {
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut out = line(answer.columns.iter().map(|column| field(column.name.clone())).collect());
    for row in &answer.rows {
        out.push_str(&line(row.iter().map(|value| field(cell(value))).collect()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        parse(
            r#"{"columns":[{"name":"a"},{"name":"b,c"}],"rows":[["x\ny",1],[null,"q\"q"]],
               "truncated":true,"stats":{}}"#,
        )
        .expect("an answer")
    }

    #[test]
    fn tables_are_aligned_and_say_when_rows_are_missing() {
        assert_eq!(
            table(&answer()),
            "a     b,c\n----  ---\nx\\ny  1\n      q\"q\n… there are more rows\n"
        );
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(csv(&answer()), "a,\"b,c\"\n\"x\ny\",1\n,\"q\"\"q\"\n");
    }

    #[test]
    fn errors_are_told_with_their_place() {
        let body = r#"{"error":{"code":"bad_request","message":"no","line":1,"column":7}}"#;
        assert_eq!(message_of(body).as_deref(), Some("no (line 1, column 7)"));
    }
}
