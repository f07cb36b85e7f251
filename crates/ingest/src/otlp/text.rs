//! Values as text: JSON for what has no column type of its own, plain text for canonical columns.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context::{Context, checked, push_hex_any};
use super::value::{Value, elements, read_key_value};
use crate::report::Reason;
use crate::wire::{Fault, Field, Read, Reader};

/// A key and its value, both still in the body.
type KeyValue<'a> = (&'a [u8], Value<'a>);

/// Appends `value` as JSON. Text in it is cut to the limit; arrays and objects lose their last
/// elements when they are over it, so that the result stays JSON.
pub(crate) fn push_json<'a>(ctx: &mut Context<'a>, value: Value<'a>) -> Read<()> {
    let end_max = ctx.scratch.len() + ctx.limits.attribute_value_bytes_max;
    push_nested(ctx, value, 0, end_max)
}

/// The same for a log's body, which may be longer.
pub(crate) fn push_body_json<'a>(ctx: &mut Context<'a>, value: Value<'a>) -> Read<()> {
    let end_max = ctx.scratch.len() + ctx.limits.log_body_bytes_max;
    push_nested(ctx, value, 0, end_max)
}

fn push_nested<'a>(
    ctx: &mut Context<'a>,
    value: Value<'a>,
    depth: usize,
    end_max: usize,
) -> Read<()> {
    match value {
        Value::Empty => ctx.scratch.extend_from_slice(b"null"),
        Value::StringIndex => {
            ctx.add(Reason::StringIndex);
            ctx.scratch.extend_from_slice(b"null");
        }
        Value::Text(text) => return push_json_text(ctx, text),
        Value::Bytes(bytes) => {
            ctx.scratch.extend_from_slice(b"{\"$bytes\":\"");
            push_base64(ctx, bytes, ctx.limits.attribute_value_bytes_max);
            ctx.scratch.extend_from_slice(b"\"}");
        }
        Value::Bool(_) | Value::Int(_) => push_scalar(&mut ctx.scratch, value),
        Value::Double(double) => {
            // JSON has no numbers for these; protobuf's JSON mapping writes them as text.
            let quote: &[u8] = if double.is_finite() { b"" } else { b"\"" };
            ctx.scratch.extend_from_slice(quote);
            push_scalar(&mut ctx.scratch, value);
            ctx.scratch.extend_from_slice(quote);
        }
        Value::Array(_) | Value::KeyValues(_) if depth >= ctx.limits.nesting_depth_max => {
            ctx.add(Reason::Nesting);
            ctx.scratch.extend_from_slice(b"null");
        }
        Value::Array(list) => {
            ctx.scratch.push(b'[');
            for (index, element) in elements(list).enumerate() {
                if ctx.scratch.len() > end_max {
                    ctx.add(Reason::ValueLength);
                    break;
                }
                if index > 0 {
                    ctx.scratch.push(b',');
                }
                element
                    .and_then(Value::read)
                    .and_then(|value| push_nested(ctx, value, depth + 1, end_max))
                    .map_err(|fault| fault.in_element("array_value.values", index))?;
            }
            ctx.scratch.push(b']');
        }
        Value::KeyValues(list) => {
            let pairs = elements(list).collect::<Read<Vec<_>>>()?;
            let pairs = last_of_each(ctx, &pairs, "kvlist_value.values")?;
            push_object(ctx, &pairs, depth + 1, end_max)?;
        }
    }
    Ok(())
}

/// Appends the attributes of an event or a link as a JSON object and returns how many were dropped.
pub(crate) fn push_attributes<'a>(ctx: &mut Context<'a>, attributes: &[&'a [u8]]) -> Read<usize> {
    let kept = attributes.len().min(ctx.limits.attributes_per_record_max);
    let dropped = attributes.len() - kept;
    ctx.add_many(Reason::Attributes, dropped);
    let pairs = last_of_each(ctx, &attributes[..kept], "attributes")?;
    // The limit is one of each value, not of all together.
    push_object(ctx, &pairs, 1, usize::MAX)?;
    Ok(dropped)
}

fn push_object<'a>(
    ctx: &mut Context<'a>,
    pairs: &[KeyValue<'a>],
    depth: usize,
    end_max: usize,
) -> Read<()> {
    ctx.scratch.push(b'{');
    for (index, &(key, value)) in pairs.iter().enumerate() {
        if ctx.scratch.len() > end_max {
            ctx.add(Reason::ValueLength);
            break;
        }
        if index > 0 {
            ctx.scratch.push(b',');
        }
        push_json_text(ctx, key).map_err(|fault| fault.in_field("key"))?;
        ctx.scratch.push(b':');
        let end_max = match end_max {
            usize::MAX => ctx.scratch.len() + ctx.limits.attribute_value_bytes_max,
            end_max => end_max,
        };
        push_nested(ctx, value, depth, end_max)?;
    }
    ctx.scratch.push(b'}');
    Ok(())
}

/// Reads pairs and keeps the last one of each key, at the first one's place.
fn last_of_each<'a>(
    ctx: &mut Context<'a>,
    messages: &[&'a [u8]],
    field: &'static str,
) -> Read<Vec<KeyValue<'a>>> {
    /// Up to here comparing each with each is quicker than a map.
    const FEW: usize = 16;
    let mut pairs: Vec<KeyValue<'a>> = Vec::with_capacity(messages.len());
    let mut places = BTreeMap::new();
    for (index, message) in messages.iter().enumerate() {
        let (key, value) = read_key_value(message).map_err(|f| f.in_element(field, index))?;
        let place = if messages.len() <= FEW {
            pairs.iter().position(|(other, _)| *other == key)
        } else {
            places.insert(key, pairs.len())
        };
        match place {
            Some(place) => {
                ctx.add(Reason::KeyTwice);
                pairs[place].1 = value;
                places.insert(key, place);
            }
            None => pairs.push((key, value)),
        }
    }
    Ok(pairs)
}

/// Appends text as a JSON string, cut to the limit of a value.
pub(crate) fn push_json_text<'a>(ctx: &mut Context<'a>, text: &'a [u8]) -> Read<()> {
    let bytes_max = ctx.limits.attribute_value_bytes_max;
    let text = if text.len() > bytes_max { ctx.cut(text, bytes_max) } else { text };
    checked(text)?;
    push_escaped(&mut ctx.scratch, text);
    Ok(())
}

/// Appends a JSON string of UTF-8 text.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut from = 0;
    for (index, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[from..index]);
        from = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                push_hex_any(out, &[byte]);
            }
        }
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}

/// Appends bytes as base64, cut to `bytes_max` bytes before encoding.
fn push_base64(ctx: &mut Context<'_>, bytes: &[u8], bytes_max: usize) {
    let kept = bytes.len().min(bytes_max);
    if kept < bytes.len() {
        ctx.add(Reason::ValueLength);
    }
    ctx.scratch.extend_from_slice(STANDARD.encode(&bytes[..kept]).as_bytes());
}

fn push_scalar(out: &mut Vec<u8>, value: Value<'_>) {
    let written = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Double(value) if value.is_nan() => write!(out, "NaN"),
        Value::Double(value) if value.is_infinite() => {
            write!(out, "{}Infinity", if value < 0.0 { "-" } else { "" })
        }
        // Debug keeps the point of whole numbers, so that a double stays one.
        Value::Double(value) => write!(out, "{value:?}"),
        _ => Ok(()),
    };
    written.expect("writing to a vector does not fail");
}

/// A view of `value` as plain text: text as it is, numbers in decimal, bytes in base64, the rest as
/// JSON; `None` for the empty value.
pub(crate) fn plain_text<'a>(
    ctx: &mut Context<'a>,
    value: Value<'a>,
    bytes_max: usize,
) -> Read<Option<u128>> {
    let start = ctx.scratch.len();
    match value {
        Value::Empty | Value::StringIndex => return Ok(None),
        Value::Text(text) => return ctx.text(text, bytes_max).map(Some),
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => push_scalar(&mut ctx.scratch, value),
        Value::Bytes(bytes) => push_base64(ctx, bytes, bytes_max),
        Value::Array(_) | Value::KeyValues(_) => push_body_json(ctx, value)?,
    }
    Ok(Some(ctx.scratch_view(start)))
}

/// A view of a JSON array of the span's events.
pub(crate) fn events<'a>(ctx: &mut Context<'a>, events: &[&'a [u8]]) -> Read<u128> {
    array(ctx, events, "events", push_event)
}

/// A view of a JSON array of the span's links.
pub(crate) fn links<'a>(ctx: &mut Context<'a>, links: &[&'a [u8]]) -> Read<u128> {
    array(ctx, links, "links", push_link)
}

fn array<'a>(
    ctx: &mut Context<'a>,
    messages: &[&'a [u8]],
    field: &'static str,
    push: impl Fn(&mut Context<'a>, &'a [u8]) -> Read<()>,
) -> Read<u128> {
    let start = ctx.scratch.len();
    for (index, message) in messages.iter().enumerate() {
        ctx.scratch.push(if index == 0 { b'[' } else { b',' });
        push(ctx, message).map_err(|fault: Box<Fault>| fault.in_element(field, index))?;
        if ctx.is_scratch_full() {
            break;
        }
    }
    ctx.scratch.push(b']');
    Ok(ctx.scratch_view(start))
}

fn push_event<'a>(ctx: &mut Context<'a>, message: &'a [u8]) -> Read<()> {
    let mut reader = Reader::new(message);
    let (mut time, mut name, mut dropped): (_, &[u8], _) = (0, b"", 0);
    let mut attributes = Vec::new();
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Fixed64(value)) => time = value,
            (2, Field::Bytes(value)) => name = value,
            (3, Field::Bytes(value)) => attributes.push(value),
            (4, Field::Varint(value)) => dropped = u64::from(low_32(value)),
            (1..=4, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    push_str(ctx, &format!("{{\"time_unix_nano\":\"{time}\",\"name\":"));
    push_json_text(ctx, name).map_err(|fault| fault.in_field("name"))?;
    push_str(ctx, ",\"attributes\":");
    dropped += push_attributes(ctx, &attributes)? as u64;
    push_dropped(ctx, dropped);
    Ok(())
}

fn push_link<'a>(ctx: &mut Context<'a>, message: &'a [u8]) -> Read<()> {
    let mut reader = Reader::new(message);
    let (mut trace_id, mut span_id, mut state): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    let (mut dropped, mut flags) = (0, 0);
    let mut attributes = Vec::new();
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(value)) => trace_id = value,
            (2, Field::Bytes(value)) => span_id = value,
            (3, Field::Bytes(value)) => state = value,
            (4, Field::Bytes(value)) => attributes.push(value),
            (5, Field::Varint(value)) => dropped = u64::from(low_32(value)),
            (6, Field::Fixed32(value)) => flags = value,
            (1..=6, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    push_str(ctx, "{\"trace_id\":\"");
    push_id(ctx, trace_id, 16);
    push_str(ctx, "\",\"span_id\":\"");
    push_id(ctx, span_id, 8);
    push_str(ctx, "\"");
    if !state.is_empty() {
        push_str(ctx, ",\"trace_state\":");
        push_json_text(ctx, state).map_err(|fault| fault.in_field("trace_state"))?;
    }
    if flags != 0 {
        push_str(ctx, &format!(",\"flags\":{flags}"));
    }
    push_str(ctx, ",\"attributes\":");
    dropped += push_attributes(ctx, &attributes)? as u64;
    push_dropped(ctx, dropped);
    Ok(())
}

fn push_id(ctx: &mut Context<'_>, id: &[u8], len: usize) {
    if id.len() == len {
        push_hex_any(&mut ctx.scratch, id);
    } else {
        ctx.add(Reason::OptionalId);
    }
}

fn push_dropped(ctx: &mut Context<'_>, dropped: u64) {
    if dropped > 0 {
        push_str(ctx, &format!(",\"dropped_attributes\":{dropped}"));
    }
    push_str(ctx, "}");
}

fn push_str(ctx: &mut Context<'_>, text: &str) {
    ctx.scratch.extend_from_slice(text.as_bytes());
}

/// A `uint32` or an enum from the wire, which is cut to 32 bits as everywhere in protobuf.
#[expect(clippy::cast_possible_truncation, reason = "that is the rule")]
#[inline]
pub(crate) const fn low_32(value: u64) -> u32 {
    value as u32
}
