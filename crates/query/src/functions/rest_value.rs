//! `rest_value(rest, 'attributes.k', 'int')`: the value of an attribute that has no column of its
//! own, out of the JSON object that holds those. Null where it is absent or of another type;
//! `'string'` takes any scalar as its text and anything else as JSON.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RestValue {
    signature: Signature,
}

impl RestValue {
    /// Takes anything: a literal that is brought to another type is no literal while planning.
    pub(super) fn new() -> RestValue {
        RestValue { signature: Signature::any(3, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RestValue {
    fn name(&self) -> &str {
        "rest_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("rest_value's type depends on its third argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let word = args.scalar_arguments.get(2).copied().flatten();
        let Some(Some(word)) = word.and_then(ScalarValue::try_as_str) else {
            return plan_err!(
                "rest_value: the type must be a literal: 'string', 'int', 'double' or 'bool'"
            );
        };
        Ok(Arc::new(Field::new(self.name(), data_type(word)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [rest, key, _] = args.args.as_slice() else {
            return plan_err!("rest_value takes the column, a key and a type");
        };
        let ColumnarValue::Scalar(key) = key else {
            return plan_err!("rest_value: the key must be a literal");
        };
        let target = args.return_field.data_type();
        let Some(Some(key)) = key.try_as_str() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(target)?));
        };
        let array = cast(&rest.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let values = extract(array.as_string_view().iter(), key, target);
        match rest {
            ColumnarValue::Scalar(_) if args.number_rows > 0 => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?))
            }
            _ => Ok(ColumnarValue::Array(values)),
        }
    }
}

fn data_type(word: &str) -> Result<DataType> {
    match word {
        "string" | "json" | "bytes" => Ok(DataType::Utf8View),
        "int" => Ok(DataType::Int64),
        "double" => Ok(DataType::Float64),
        "bool" => Ok(DataType::Boolean),
        other => {
            plan_err!("rest_value: unknown type '{other}': 'string', 'int', 'double' or 'bool'")
        }
    }
}

fn extract<'a>(
    rests: impl Iterator<Item = Option<&'a str>>,
    key: &str,
    target: &DataType,
) -> ArrayRef {
    let picker = Picker::new(key);
    let values = rests.map(|rest| rest.and_then(|rest| picker.pick(rest)));
    match target {
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            values.for_each(|value| builder.append_option(value.and_then(|v| v.as_i64())));
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::new();
            values.for_each(|value| builder.append_option(value.and_then(|v| v.as_f64())));
            Arc::new(builder.finish())
        }
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            values.for_each(|value| builder.append_option(value.and_then(|v| v.as_bool())));
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringViewBuilder::new();
            values.for_each(|value| builder.append_option(value.map(text)));
            Arc::new(builder.finish())
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Finds one key of a JSON object without building the others.
struct Picker<'a> {
    key: &'a str,
    /// The key as JSON writes it: most rows do not contain it at all.
    quoted: Finder<'static>,
}

impl<'a> Picker<'a> {
    fn new(key: &'a str) -> Picker<'a> {
        let quoted = Value::String(key.to_owned()).to_string();
        Picker { key, quoted: Finder::new(quoted.as_bytes()).into_owned() }
    }

    fn pick(&self, rest: &str) -> Option<Value> {
        self.quoted.find(rest.as_bytes())?;
        let mut deserializer = serde_json::Deserializer::from_str(rest);
        PickOne(self.key).deserialize(&mut deserializer).ok().flatten().filter(|v| !v.is_null())
    }
}

struct PickOne<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for PickOne<'_> {
    type Value = Option<Value>;

    fn deserialize<D>(self, deserializer: D) -> Result<Option<Value>, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PickOne<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str, key: &str, word: &str) -> String {
        let array = extract([Some(rest)].into_iter(), key, &data_type(word).expect("a type"));
        ScalarValue::try_from_array(&array, 0).expect("one value").to_string()
    }

    #[test]
    fn values_come_out_typed() {
        let rest = r#"{"attributes.n":7,"attributes.f":1.5,"attributes.b":true,"attributes.s":"x\"y","attributes.l":[1,{"a":2}],"attributes.z":null}"#;
        assert_eq!(check(rest, "attributes.n", "int"), "7");
        assert_eq!(check(rest, "attributes.n", "double"), "7");
        assert_eq!(check(rest, "attributes.f", "double"), "1.5");
        assert_eq!(check(rest, "attributes.f", "int"), "NULL");
        assert_eq!(check(rest, "attributes.b", "bool"), "true");
        assert_eq!(check(rest, "attributes.s", "string"), "x\"y");
        assert_eq!(check(rest, "attributes.n", "string"), "7");
        assert_eq!(check(rest, "attributes.l", "json"), r#"[1,{"a":2}]"#);
        assert_eq!(check(rest, "attributes.z", "string"), "NULL");
        assert_eq!(check(rest, "attributes.q", "string"), "NULL");
    }

    #[test]
    fn broken_json_is_null() {
        assert_eq!(check(r#"{"attributes.n":7"#, "attributes.n", "int"), "NULL");
        assert_eq!(check("[]", "attributes.n", "int"), "NULL");
    }
}
