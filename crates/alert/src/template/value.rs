//! Values in templates.

use std::collections::BTreeMap;

use super::format::go_float;

/// What expressions give.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Labels and the like: a key that is not there is empty text.
    Texts(BTreeMap<String, String>),
    /// Keys and values.
    Map(BTreeMap<String, Value>),
    /// A point in time, nanoseconds since 1970.
    Time(i128),
    /// A duration, nanoseconds.
    Duration(i64),
}

impl Value {
    /// What `if` takes for true.
    pub(super) fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) | Value::Duration(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Texts(map) => !map.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Time(_) => true,
        }
    }

    /// As Go's `%v` prints it.
    pub(super) fn print(&self) -> String {
        match self {
            Value::Nil => "<no value>".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => go_float(*number),
            Value::Text(text) => text.clone(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::print).collect();
                format!("[{}]", items.join(" "))
            }
            Value::Texts(map) => {
                let items: Vec<String> =
                    map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("map[{}]", items.join(" "))
            }
            Value::Map(map) => {
                let items: Vec<String> =
                    map.iter().map(|(key, value)| format!("{key}:{}", value.print())).collect();
                format!("map[{}]", items.join(" "))
            }
            Value::Time(nanos) => super::format::go_time(*nanos),
            Value::Duration(nanos) => super::format::go_duration(*nanos),
        }
    }

    /// What Go calls its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::List(_) => "[]interface {}",
            Value::Texts(_) => "map[string]string",
            Value::Map(_) => "map[string]interface {}",
            Value::Time(_) => "*time.Time",
            Value::Duration(_) => "time.Duration",
        }
    }

    /// `.name` of it.
    pub(super) fn field(&self, name: &str) -> Result<Value, String> {
        match self {
            Value::Texts(map) => Ok(Value::Text(map.get(name).cloned().unwrap_or_default())),
            Value::Map(map) => Ok(map.get(name).cloned().unwrap_or(Value::Nil)),
            Value::Nil => Err(format!("nil pointer evaluating interface {{}}.{name}")),
            other => Err(format!("can't evaluate field {name} in type {}", other.type_name())),
        }
    }

    /// A number, from text too.
    pub(super) fn number(&self) -> Result<f64, String> {
        match self {
            Value::Float(number) => Ok(*number),
            #[expect(clippy::cast_precision_loss, reason = "as Go does it")]
            Value::Int(number) => Ok(*number as f64),
            #[expect(clippy::cast_precision_loss, reason = "as Go does it")]
            Value::Duration(nanos) => Ok(*nanos as f64 / 1e9),
            Value::Text(text) => text
                .parse()
                .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
            other => Err(format!("can't convert {} to float", other.type_name())),
        }
    }

    /// Text, of text alone.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Value::Text(text) => Ok(text),
            other => {
                Err(format!("wrong type for value; expected string; got {}", other.type_name()))
            }
        }
    }
}
