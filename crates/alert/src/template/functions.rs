//! The functions that templates may call: Go's own and Prometheus's.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use model::metric::from_go;

use super::eval::Run;
use super::format::printf;
use super::value::Value;
use super::{Stop, humanize};
use crate::query::{Sample, SampleValue};

const NAMES: &[&str] = &[
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "args",
    "reReplaceAll",
    "safeHtml",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "sortByLabel",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "toTime",
    "toDuration",
    "now",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "urlQueryEscape",
    "tmpl",
];

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn call(
    run: &mut Run<'_>,
    name: &str,
    mut arguments: Vec<Value>,
) -> Result<Value, Stop> {
    match name {
        "query" => return query(run, &arguments),
        "tmpl" => {
            if arguments.len() != 2 {
                return Err(count(name, 2, arguments.len()));
            }
            let value = arguments.pop().unwrap_or(Value::Nil);
            let template = arguments[0].text().map_err(|error| calling(name, &error))?.to_owned();
            return run.template_text(&template, &value).map(Value::Text);
        }
        "externalURL" => return Ok(Value::Text(run.data.external_url.clone())),
        "pathPrefix" => return Ok(Value::Text(path_of(&run.data.external_url))),
        #[expect(clippy::cast_precision_loss, reason = "as Prometheus has it")]
        "now" => return Ok(Value::Float(run.data.time as f64 / 1_000.0)),
        _ => {}
    }
    pure(name, &arguments).map_err(|error| match error {
        Wrong::Count(wanted) => count(name, wanted, arguments.len()),
        Wrong::Message(message) => calling(name, &message),
    })
}

fn count(name: &str, wanted: usize, got: usize) -> Stop {
    Stop::Error(format!("wrong number of args for {name}: want {wanted} got {got}"))
}

fn calling(name: &str, message: &str) -> Stop {
    Stop::Error(format!("error calling {name}: {message}"))
}

enum Wrong {
    Count(usize),
    Message(String),
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong::Message(message)
    }
}

fn query(run: &Run<'_>, arguments: &[Value]) -> Result<Value, Stop> {
    let [text] = arguments else { return Err(count("query", 1, arguments.len())) };
    let text = text.text().map_err(|error| calling("query", &error))?;
    match run.data.answers.get(text) {
        Some(samples) => Ok(Value::List(samples.iter().map(sample).collect())),
        None => Err(Stop::Query(text.to_owned())),
    }
}

fn sample(sample: &Sample) -> Value {
    let labels = sample.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let value = match &sample.value {
        SampleValue::Float(value) => *value,
        SampleValue::Histogram(histogram) => histogram.count,
    };
    Value::Map(BTreeMap::from([
        ("Labels".to_owned(), Value::Texts(labels.collect())),
        ("Value".to_owned(), Value::Float(value)),
    ]))
}

fn path_of(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.find('/').and_then(|at| after.get(at..)).unwrap_or("").trim_end_matches('/').to_owned()
}

fn one(arguments: &[Value]) -> Result<&Value, Wrong> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(Wrong::Count(1)),
    }
}

fn one_text(arguments: &[Value]) -> Result<&str, Wrong> {
    Ok(one(arguments)?.text()?)
}

fn one_number(arguments: &[Value]) -> Result<f64, Wrong> {
    Ok(one(arguments)?.number()?)
}

fn pure(name: &str, arguments: &[Value]) -> Result<Value, Wrong> {
    let text = |text: String| Ok(Value::Text(text));
    match name {
        "not" => Ok(Value::Bool(!one(arguments)?.truth())),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, arguments),
        "len" => length(one(arguments)?),
        "index" => index(arguments),
        "slice" => slice(arguments),
        "print" => text(print(arguments)),
        "println" => {
            let words: Vec<String> = arguments.iter().map(Value::print).collect();
            text(words.join(" ") + "\n")
        }
        "printf" => {
            let (format, rest) = arguments.split_first().ok_or(Wrong::Count(1))?;
            text(printf(format.text()?, rest))
        }
        "html" => text(escape_html(&print(arguments))),
        "js" => text(format!("{:?}", print(arguments)).trim_matches('"').to_owned()),
        "urlquery" | "urlQueryEscape" => text(escape_query(&print(arguments))),
        "first" => match one(arguments)? {
            Value::List(items) => items
                .first()
                .cloned()
                .ok_or_else(|| Wrong::Message("first() called on vector with no elements".into())),
            other => Err(format!("expected a vector; got {}", other.type_name()).into()),
        },
        "label" => {
            let [name, sample] = arguments else { return Err(Wrong::Count(2)) };
            Ok(sample.field("Labels")?.field(name.text()?)?)
        }
        "value" => Ok(one(arguments)?.field("Value")?),
        "strvalue" => Ok(one(arguments)?.field("Labels")?.field("__value__")?),
        "args" => {
            let items = arguments.iter().enumerate();
            let map = items.map(|(at, value)| (format!("arg{at}"), value.clone())).collect();
            Ok(Value::Map(map))
        }
        "reReplaceAll" => replace(arguments),
        "match" => {
            let [pattern, value] = arguments else { return Err(Wrong::Count(2)) };
            let regex =
                regex::Regex::new(&from_go(pattern.text()?)).map_err(|error| error.to_string())?;
            Ok(Value::Bool(regex.is_match(value.text()?)))
        }
        "safeHtml" => text(one_text(arguments)?.to_owned()),
        "title" => text(title(one_text(arguments)?)),
        "toUpper" => text(one_text(arguments)?.to_uppercase()),
        "toLower" => text(one_text(arguments)?.to_lowercase()),
        "graphLink" => text(link(one_text(arguments)?, 0)),
        "tableLink" => text(link(one_text(arguments)?, 1)),
        "sortByLabel" => sort(arguments),
        "stripPort" => text(strip_port(one_text(arguments)?)),
        "stripDomain" => text(strip_domain(one_text(arguments)?)),
        "humanize" => text(humanize::humanize(one_number(arguments)?)),
        "humanize1024" => text(humanize::humanize1024(one_number(arguments)?)),
        "humanizeDuration" => text(humanize::humanize_duration(one_number(arguments)?)),
        "humanizePercentage" => text(humanize::humanize_percentage(one_number(arguments)?)),
        "humanizeTimestamp" => {
            let seconds = one_number(arguments)?;
            if !seconds.is_finite() {
                return text(super::format::general(seconds, Some(4)));
            }
            text(to_time(seconds)?.print())
        }
        "toTime" => to_time(one_number(arguments)?),
        "toDuration" => {
            let nanos = one_number(arguments)? * 1e9;
            if !nanos.is_finite() || nanos.abs() > 9.2e18 {
                return Err("the duration is out of range".to_owned().into());
            }
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
            Ok(Value::Duration(nanos as i64))
        }
        "parseDuration" => {
            let duration =
                model::duration::parse(one_text(arguments)?).map_err(|error| error.to_string())?;
            Ok(Value::Float(duration.as_secs_f64()))
        }
        _ => Err(format!("function {name:?} not defined").into()),
    }
}

fn to_time(seconds: f64) -> Result<Value, Wrong> {
    if !seconds.is_finite() || seconds.abs() > 9e15 {
        return Err(format!(
            "{seconds} cannot be represented as a nanoseconds timestamp since it overflows int64"
        )
        .into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    Ok(Value::Time((seconds * 1e3).round() as i128 * 1_000_000))
}

/// Operands side by side; a space where neither is text.
fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut last_text = true;
    for (at, value) in arguments.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if at > 0 && !is_text && !last_text {
            out.push(' ');
        }
        out.push_str(&value.print());
        last_text = is_text;
    }
    out
}

fn compare(name: &str, arguments: &[Value]) -> Result<Value, Wrong> {
    let Some((left, rest)) = arguments.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Err(Wrong::Message("missing argument for comparison".to_owned()));
    };
    if name == "eq" {
        for right in rest {
            if order(left, right)? == Some(Ordering::Equal) {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    let [right] = rest else { return Err(Wrong::Count(2)) };
    let order = order(left, right)?;
    Ok(Value::Bool(match name {
        "ne" => order != Some(Ordering::Equal),
        "lt" => order == Some(Ordering::Less),
        "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "gt" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }))
}

fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, Wrong> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Duration(left), Value::Duration(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (Value::Nil, Value::Nil) => Ok(Some(Ordering::Equal)),
        (Value::Nil, _) | (_, Value::Nil) => Ok(None),
        _ => Err("incompatible types for comparison".to_owned().into()),
    }
}

fn length(value: &Value) -> Result<Value, Wrong> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Texts(map) => map.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(arguments: &[Value]) -> Result<Value, Wrong> {
    let (value, keys) = arguments.split_first().ok_or(Wrong::Count(1))?;
    let mut value = value.clone();
    for key in keys {
        value = match (&value, key) {
            (Value::Texts(_) | Value::Map(_), Value::Text(name)) => value.field(name)?,
            (Value::List(items), Value::Int(at)) => {
                let found = usize::try_from(*at).ok().and_then(|at| items.get(at)).cloned();
                found.ok_or_else(|| Wrong::Message(format!("index out of range: {at}")))?
            }
            (other, key) => {
                return Err(format!(
                    "can't index item of type {} with {}",
                    other.type_name(),
                    key.type_name()
                )
                .into());
            }
        };
    }
    Ok(value)
}

fn slice(arguments: &[Value]) -> Result<Value, Wrong> {
    let (value, bounds) = arguments.split_first().ok_or(Wrong::Count(1))?;
    let mut bounds = bounds.iter().map(|bound| match bound {
        Value::Int(at) => usize::try_from(*at).map_err(|_| format!("index out of range: {at}")),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    });
    let start = bounds.next().transpose()?.unwrap_or(0);
    let end = bounds.next().transpose()?;
    let out = || Wrong::Message("index out of range".to_owned());
    match value {
        Value::Text(text) => {
            let end = end.unwrap_or(text.len());
            text.get(start..end).map(|part| Value::Text(part.to_owned())).ok_or_else(out)
        }
        Value::List(items) => {
            let end = end.unwrap_or(items.len());
            items.get(start..end).map(|part| Value::List(part.to_vec())).ok_or_else(out)
        }
        other => Err(format!("can't slice item of type {}", other.type_name()).into()),
    }
}

fn replace(arguments: &[Value]) -> Result<Value, Wrong> {
    let [pattern, replacement, text] = arguments else { return Err(Wrong::Count(3)) };
    let regex = regex::Regex::new(&from_go(pattern.text()?)).map_err(|error| error.to_string())?;
    let replaced = regex.replace_all(text.text()?, replacement.text()?);
    Ok(Value::Text(replaced.into_owned()))
}

fn sort(arguments: &[Value]) -> Result<Value, Wrong> {
    let [label, Value::List(items)] = arguments else { return Err(Wrong::Count(2)) };
    let label = label.text()?;
    let key = |sample: &Value| {
        let labels = sample.field("Labels").and_then(|labels| labels.field(label));
        labels.map(|value| value.print()).unwrap_or_default()
    };
    let mut sorted = items.clone();
    sorted.sort_by_key(key);
    Ok(Value::List(sorted))
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

fn link(expression: &str, tab: u8) -> String {
    let query = escape_query(expression);
    format!("/graph?g0.expr={query}&g0.tab={tab}")
}

fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The host of `host:port`, if it is that.
fn strip_port(text: &str) -> String {
    if let Some(inside) = text.strip_prefix('[') {
        return match inside.split_once("]:") {
            Some((host, _)) => host.to_owned(),
            None => text.to_owned(),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => host.to_owned(),
        _ => text.to_owned(),
    }
}

/// The first part of a name; addresses stay as they are.
fn strip_domain(text: &str) -> String {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => (host, Some(port)),
        _ => (text, None),
    };
    if host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    match port {
        Some(port) => format!("{first}:{port}"),
        None => first.to_owned(),
    }
}
