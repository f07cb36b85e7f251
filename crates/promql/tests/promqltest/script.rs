//! The language of the scripts: `load`, `clear`, `eval`.

use model::metric::Labels;
use promql::duration::parse_duration;
use promql::parser;

use promql::series::{SequenceValue, SeriesDescription, parse_series_description};

/// One command and the line where it begins.
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Load { interval: i64, with_nhcb: bool, series: Vec<SeriesDescription> },
    Clear,
    Eval(Box<Eval>),
}

/// A query and what it is to return.
#[derive(Default)]
pub(crate) struct Eval {
    pub(crate) query: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// 0 for an instant query.
    pub(crate) step: i64,
    pub(crate) ordered: bool,
    pub(crate) fails: bool,
    pub(crate) expects: Vec<Expect>,
    pub(crate) text: Option<String>,
    /// Start and step of an expected range vector.
    pub(crate) range_vector: Option<(i64, i64)>,
    pub(crate) series: Vec<(Labels, Vec<SequenceValue>)>,
    pub(crate) scalar: Option<f64>,
}

/// What is expected besides the result.
pub(crate) struct Expect {
    pub(crate) what: What,
    pub(crate) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Fail,
    Warn,
    Info,
    NoWarn,
    NoInfo,
}

pub(crate) enum How {
    Any,
    Message(String),
    Regex(regex::Regex),
}

impl Command {
    pub(crate) fn is_eval(&self) -> bool {
        matches!(self.kind, Kind::Eval(_))
    }
}

fn duration(text: &str) -> Result<i64, String> {
    match text.strip_prefix('-') {
        Some(rest) => parse_duration(rest).map(|millis| -millis),
        None => parse_duration(text),
    }
}

/// Reads a script.
pub(crate) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = at;
        let head = lines[at];
        at += 1;
        if head.is_empty() {
            continue;
        }
        let mut body = Vec::new();
        if head != "clear" {
            while at < lines.len() && !lines[at].is_empty() {
                body.push(lines[at]);
                at += 1;
            }
        }
        let kind = command(head, &body).map_err(|error| format!("line {}: {error}", line + 1))?;
        commands.push(Command { line: line + 1, kind });
    }
    Ok(commands)
}

fn command(head: &str, body: &[&str]) -> Result<Kind, String> {
    let (word, rest) = head.split_once(' ').unwrap_or((head, ""));
    match word {
        "clear" => Ok(Kind::Clear),
        "load" | "load_with_nhcb" => {
            let interval = duration(rest.trim())?;
            let series = body.iter().map(|line| series(line)).collect::<Result<_, _>>()?;
            Ok(Kind::Load { interval, with_nhcb: word == "load_with_nhcb", series })
        }
        _ if word.starts_with("eval") => eval(word, rest.trim(), body).map(Kind::Eval),
        other => Err(format!("unknown command {other:?}")),
    }
}

fn series(line: &str) -> Result<SeriesDescription, String> {
    parse_series_description(line).map_err(|error| format!("{line}: {error}"))
}

/// A number as Go reads it.
fn number(text: &str) -> Option<f64> {
    let is_number = text.starts_with(|one: char| one.is_ascii_digit() || "+-.".contains(one))
        || ["nan", "inf"].contains(&text.to_ascii_lowercase().as_str());
    text.parse().ok().filter(|_| is_number)
}

/// A text in quotes.
fn quoted(text: &str) -> Result<String, String> {
    match parser::parse(text, parser::Options::default()) {
        Ok(promql::ast::Expr::String(text)) => Ok(text.value),
        other => Err(format!("{text} is no text: {other:?}")),
    }
}

fn eval(word: &str, rest: &str, body: &[&str]) -> Result<Box<Eval>, String> {
    let mut eval = Eval { ordered: word == "eval_ordered", ..Eval::default() };
    for (suffix, what) in [("fail", What::Fail), ("warn", What::Warn), ("info", What::Info)] {
        if word == format!("eval_{suffix}") {
            eval.expects.push(Expect { what, how: How::Any });
        }
    }
    let mut words = rest.splitn(4, ' ');
    let mut next = || words.next().ok_or_else(|| format!("incomplete: {rest:?}"));
    if next()? == "instant" {
        next()?;
        eval.start = duration(next()?)?;
        eval.end = eval.start;
        next()?.trim().clone_into(&mut eval.query);
    } else {
        // range from A to B step C QUERY
        let mut words = rest.splitn(8, ' ');
        let mut next = || words.next().ok_or_else(|| format!("incomplete: {rest:?}"));
        let parts: Vec<&str> = (0..8).map(|_| next()).collect::<Result<_, _>>()?;
        eval.start = duration(parts[2])?;
        eval.end = duration(parts[4])?;
        eval.step = duration(parts[6])?;
        parts[7].trim().clone_into(&mut eval.query);
    }
    for line in body {
        expectation(&mut eval, line)?;
    }
    eval.fails = eval.expects.iter().any(|expect| expect.what == What::Fail);
    Ok(Box::new(eval))
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        let how = How::Message(message.trim().to_owned());
        eval.expects.push(Expect { what: What::Fail, how });
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect(eval, rest.trim());
    }
    if let Some(number) = number(line) {
        eval.scalar = Some(number);
        return Ok(());
    }
    let SeriesDescription { labels, values, .. } = series(line)?;
    eval.series.push((labels, values));
    Ok(())
}

fn expect(eval: &mut Eval, rest: &str) -> Result<(), String> {
    if let Some(text) = rest.strip_prefix("string") {
        eval.text = Some(quoted(text.trim())?);
        return Ok(());
    }
    if let Some(range) = rest.strip_prefix("range vector from") {
        let words: Vec<&str> = range.split_whitespace().collect();
        eval.range_vector = Some((duration(words[0])?, duration(words[4])?));
        return Ok(());
    }
    let (word, how) = match rest.split_once(' ') {
        Some((word, how)) => (word, how.trim()),
        None => (rest, ""),
    };
    let what = match word {
        "ordered" => {
            eval.ordered = true;
            return Ok(());
        }
        "fail" => What::Fail,
        "warn" => What::Warn,
        "info" => What::Info,
        "no_warn" => What::NoWarn,
        "no_info" => What::NoInfo,
        other => return Err(format!("unknown expectation {other:?}")),
    };
    let how = if let Some(message) = how.strip_prefix("msg:") {
        How::Message(message.trim().to_owned())
    } else if let Some(regex) = how.strip_prefix("regex:") {
        How::Regex(regex::Regex::new(regex.trim()).map_err(|error| error.to_string())?)
    } else {
        How::Any
    };
    eval.expects.push(Expect { what, how });
    Ok(())
}
