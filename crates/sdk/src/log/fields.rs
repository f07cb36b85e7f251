//! The fields of an event, each with its type.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};

/// Most bytes of one text field; the rest is cut off.
const TEXT_LEN_MAX: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    /// From the field `code.function`, where a span's name would not say it.
    pub(super) function: Option<String>,
    pub(super) values: Vec<(&'static str, FieldValue)>,
}

#[derive(Debug, Clone)]
pub(super) enum FieldValue {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Fields {
    fn push(&mut self, field: &Field, value: FieldValue) {
        self.values.push((field.name(), value));
    }

    fn text(&mut self, field: &Field, mut text: String) {
        truncate(&mut text);
        match field.name() {
            "message" => self.message = text,
            "code.function" => self.function = Some(text),
            _ => self.push(field, FieldValue::Text(text)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, FieldValue::Double(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, FieldValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value)
            .map_or_else(|_| FieldValue::Text(value.to_string()), FieldValue::Int);
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, FieldValue::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, error_chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format!("{value:?}"));
    }
}

/// An error and its causes, outermost first: `cannot fetch: timed out`.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, ": {cause}").expect("writing to a string does not fail");
        source = cause.source();
    }
    text
}

fn truncate(text: &mut String) {
    if text.len() > TEXT_LEN_MAX {
        text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
        text.push('…');
    }
}
