//! Attribute values, read in place: `AnyValue` and `KeyValue` of OTLP's common.proto.

use model::AttributeType;

use crate::wire::{Field, Read, Reader};

/// An `AnyValue`. Nested ones stay encoded until somebody looks into them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Empty,
    /// A reference to a profile's table of strings, which means nothing here.
    StringIndex,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    /// An `ArrayValue` message.
    Array(&'a [u8]),
    /// A `KeyValueList` message.
    KeyValues(&'a [u8]),
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn read(message: &'a [u8]) -> Read<Value<'a>> {
        let mut reader = Reader::new(message);
        let mut value = Value::Empty;
        while let Some((number, field)) = reader.next()? {
            value = match (number, field) {
                (1, Field::Bytes(text)) => Value::Text(text),
                (2, Field::Varint(bool)) => Value::Bool(bool != 0),
                (3, Field::Varint(int)) => Value::Int(int.cast_signed()),
                (4, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
                (5, Field::Bytes(array)) => Value::Array(array),
                (6, Field::Bytes(list)) => Value::KeyValues(list),
                (7, Field::Bytes(bytes)) => Value::Bytes(bytes),
                (8, Field::Varint(_)) => Value::StringIndex,
                (1..=8, field) => return Err(field.unexpected(number)),
                _ => value,
            };
        }
        Ok(value)
    }

    /// The type of the column that holds such values.
    #[inline]
    pub(crate) fn attribute_type(self) -> AttributeType {
        match self {
            Value::Text(_) => AttributeType::String,
            Value::Bool(_) => AttributeType::Bool,
            Value::Int(_) => AttributeType::Int,
            Value::Double(_) => AttributeType::Double,
            Value::Bytes(_) => AttributeType::Bytes,
            Value::Empty | Value::StringIndex | Value::Array(_) | Value::KeyValues(_) => {
                AttributeType::Json
            }
        }
    }
}

/// Reads a `KeyValue`.
#[inline]
pub(crate) fn read_key_value(message: &[u8]) -> Read<(&[u8], Value<'_>)> {
    let mut reader = Reader::new(message);
    let mut key: &[u8] = b"";
    let mut value = Value::Empty;
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => key = text,
            (2, Field::Bytes(message)) => {
                value = Value::read(message).map_err(|fault| fault.in_field("value"))?;
            }
            (1 | 2, field) => return Err(field.unexpected(number)),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The elements of an `ArrayValue` or a `KeyValueList`, both of which have them in field 1.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = Read<&[u8]>> {
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || {
        loop {
            return match reader.next() {
                Ok(Some((1, Field::Bytes(element)))) => Some(Ok(element)),
                Ok(Some((1, field))) => Some(Err(field.unexpected(1))),
                Ok(Some(_)) => continue,
                Ok(None) => None,
                Err(fault) => {
                    reader = Reader::new(&[]);
                    Some(Err(fault))
                }
            };
        }
    })
}
