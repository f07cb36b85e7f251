//! Series and their values as the scripts write them: `x{a="b"} 1+2x3 _ stale {{count:1}}`.

use std::sync::Arc;

use model::metric::{Histogram, Labels, LabelsBuilder, NAME_LABEL, ResetHint, Span, stale_nan};
use promql::duration::parse_duration;
use promql::histogram::Open;

/// One sample, or none.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Nothing,
    Float(f64),
    /// And whether the hint about resets was given.
    Histogram(Arc<Histogram>, bool),
    /// Milliseconds relative to the sample's time.
    Start(i64),
}

/// A number as Go reads it.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = match digits.to_ascii_lowercase().as_str() {
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        other => match other.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).map_err(|_| text.to_owned())? as f64,
            None if other.starts_with(|one: char| one.is_ascii_digit() || one == '.') => {
                other.parse().map_err(|_| format!("no number: {text:?}"))?
            }
            None => return Err(format!("no number: {text:?}")),
        },
    };
    Ok(sign * value)
}

/// A text in quotes.
pub(crate) fn quoted(text: &str) -> Result<String, String> {
    take_quoted(text).map(|(value, _)| value)
}

fn take_quoted(text: &str) -> Result<(String, &str), String> {
    let quote = text.chars().next().ok_or("a quote is missing")?;
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, one)) = chars.next() {
        match one {
            '\\' if quote != '`' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => break,
            },
            one if one == quote => return Ok((value, &text[at + 1..])),
            one => value.push(one),
        }
    }
    Err(format!("quote without end: {text:?}"))
}

/// The labels at the front of a line, and the rest.
pub(crate) fn labels(line: &str) -> Result<(Labels, &str), String> {
    let mut builder = LabelsBuilder::default();
    let end = line
        .find(|one: char| !(one.is_alphanumeric() || one == '_' || one == ':'))
        .unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    builder.set(NAME_LABEL, name);
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = if rest.starts_with(['"', '\'', '`']) {
                take_quoted(rest)?
            } else {
                let end = rest.find(['=', '}', ',']).ok_or_else(|| line.to_owned())?;
                (rest[..end].trim().to_owned(), &rest[end..])
            };
            let after = after.trim_start();
            rest = match after.strip_prefix('=') {
                Some(value) => {
                    let (value, after) = take_quoted(value.trim_start())?;
                    builder.set(&label, &value);
                    after
                }
                None => {
                    builder.set(NAME_LABEL, &label);
                    after
                }
            };
            rest = rest.trim_start().trim_start_matches(',').trim_start();
        }
        rest = &rest[1..];
    }
    Ok((builder.build(), rest))
}

/// The items of start timestamps: durations relative to the samples.
pub(crate) fn starts(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for word in text.split_whitespace() {
        let (first, count) = repeated(word)?;
        if first == "_" {
            items.extend(std::iter::repeat_n(Item::Nothing, count.unwrap_or(1)));
            continue;
        }
        let sign = |text: &str| match text.strip_prefix('-') {
            Some(rest) => parse_duration(rest).map(|millis| -millis),
            None => parse_duration(text.trim_start_matches('+')),
        };
        let split = first[1..].find(['+', '-']).map(|at| at + 1);
        let (begin, delta) = match split {
            Some(at) => (sign(&first[..at])?, sign(&first[at..])?),
            None => (sign(first)?, 0),
        };
        let count = count.map_or(1, |count| count + 1);
        items.extend((0..count as i64).map(|at| Item::Start(begin + at * delta)));
    }
    Ok(items)
}

/// `1+2x3` is `1+2` and 3.
fn repeated(word: &str) -> Result<(&str, Option<usize>), String> {
    match word.rsplit_once('x') {
        Some((first, count)) if !first.is_empty() && !count.is_empty() => {
            Ok((first, Some(count.parse().map_err(|_| format!("no count: {word:?}"))?)))
        }
        _ => Ok((word, None)),
    }
}

/// The items of a series.
pub(crate) fn items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        if rest.starts_with("{{") {
            rest = histograms(rest, &mut items)?.trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        floats(&rest[..end], &mut items)?;
        rest = rest[end..].trim_start();
    }
    Ok(items)
}

fn floats(word: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let (first, count) = repeated(word)?;
    match first {
        "_" => {
            items.extend(std::iter::repeat_n(Item::Nothing, count.unwrap_or(1)));
            return Ok(());
        }
        "stale" => {
            items.push(Item::Float(stale_nan()));
            return Ok(());
        }
        _ => {}
    }
    if let Ok(value) = number(first) {
        // `5x3` is 5 and three more.
        let count = count.map_or(1, |count| count + 1);
        items.extend(std::iter::repeat_n(Item::Float(value), count));
        return Ok(());
    }
    let bytes = first.as_bytes();
    let split = (1..bytes.len())
        .find(|&at| matches!(bytes[at], b'+' | b'-') && !matches!(bytes[at - 1], b'e' | b'E'))
        .ok_or_else(|| format!("no value: {word:?}"))?;
    let (mut value, delta) = (number(&first[..split])?, number(&first[split..])?);
    for _ in 0..=count.unwrap_or(0) {
        items.push(Item::Float(value));
        value += delta;
    }
    Ok(())
}

fn histograms<'t>(text: &'t str, items: &mut Vec<Item>) -> Result<&'t str, String> {
    let (first, mut rest) = take_histogram(text)?;
    let mut delta = None;
    for sign in ['+', '-'] {
        if let Some(after) = rest.strip_prefix(sign) {
            let (other, after) = take_histogram(after)?;
            delta = Some((sign, other));
            rest = after;
        }
    }
    let mut count = 1;
    if let Some(after) = rest.strip_prefix('x') {
        let end = after.find(|one: char| !one.is_ascii_digit()).unwrap_or(after.len());
        count += after[..end].parse::<usize>().map_err(|_| format!("no count: {text:?}"))?;
        rest = &after[end..];
    }
    let mut open = Open::new(&first.0);
    for at in 0..count {
        if at > 0
            && let Some((sign, (delta, _))) = &delta
        {
            let added = if *sign == '+' { open.add(delta) } else { open.subtract(delta) };
            let _added = added.map_err(|error| error.to_string())?;
        }
        let mut histogram = if delta.is_some() { open.close() } else { first.0.clone() };
        if at > 0 && delta.is_some() && histogram.reset_hint == ResetHint::Unknown {
            histogram.reset_hint = first.0.reset_hint;
        }
        items.push(Item::Histogram(Arc::new(histogram), first.1));
    }
    Ok(rest)
}

fn take_histogram(text: &str) -> Result<((Histogram, bool), &str), String> {
    let inner = text.strip_prefix("{{").ok_or_else(|| format!("no histogram: {text:?}"))?;
    let end = inner.find("}}").ok_or_else(|| format!("histogram without end: {text:?}"))?;
    let mut histogram = Histogram::default();
    let mut hinted = false;
    let (mut offset, mut negative_offset) = (0, 0);
    let mut rest = inner[..end].trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| format!("no value: {rest:?}"))?;
        let (key, after) = (key.trim(), after.trim_start());
        if let Some(list) = after.strip_prefix('[') {
            let (list, after) = list.split_once(']').ok_or("list without end")?;
            let values =
                list.split_whitespace().map(number).collect::<Result<Vec<f64>, String>>()?;
            match key {
                "buckets" => histogram.positive_buckets = values,
                "n_buckets" => histogram.negative_buckets = values,
                "custom_values" => histogram.custom_values = values,
                other => return Err(format!("unknown list {other:?}")),
            }
            rest = after.trim_start();
            continue;
        }
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let value = &after[..end];
        let whole = || value.parse::<i32>().map_err(|_| format!("no number: {value:?}"));
        match key {
            "schema" => histogram.schema = whole()?,
            "sum" => histogram.sum = number(value)?,
            "count" => histogram.count = number(value)?,
            "z_bucket" => histogram.zero_count = number(value)?,
            "z_bucket_w" => histogram.zero_threshold = number(value)?,
            "offset" => offset = whole()?,
            "n_offset" => negative_offset = whole()?,
            "counter_reset_hint" => {
                hinted = true;
                histogram.reset_hint = match value {
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NoReset,
                    "gauge" => ResetHint::Gauge,
                    _ => ResetHint::Unknown,
                };
            }
            other => return Err(format!("unknown field {other:?}")),
        }
        rest = after[end..].trim_start();
    }
    let spans = |offset: i32, counts: &[f64]| match u32::try_from(counts.len()) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(length) => vec![Span { offset, length }],
    };
    histogram.positive_spans = spans(offset, &histogram.positive_buckets);
    histogram.negative_spans = spans(negative_offset, &histogram.negative_buckets);
    Ok(((histogram, hinted), &inner[end + 2..]))
}
