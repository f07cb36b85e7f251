//! Columns in Delta's words.
//!
//! A name tells an attribute's key and, but for the first type of a key, its type. The field's
//! metadata `trefoil.type` tells it always, because text and JSON are both Delta's `string`.

use std::collections::HashSet;

use deltalake::DeltaTableError;
use deltalake::kernel::{DataType, MetadataValue, PrimitiveType, StructField, StructType};
use deltalake::table::state::DeltaTableState;
use model::{AttributeColumn, AttributeType, ColumnType, Table};
use serde_json::{Map, Value};

use crate::registry::{REST_KEYS, REST_MORE, Registered, Registry};

const TYPE: &str = "trefoil.type";

/// The table's schema as Delta keeps it.
pub(super) fn to_delta(registry: &Registry) -> Result<StructType, DeltaTableError> {
    let fixed = registry.table().columns().iter().map(|column| {
        let primitive = match column.column_type {
            ColumnType::Text => PrimitiveType::String,
            ColumnType::Int => PrimitiveType::Long,
            ColumnType::Short => PrimitiveType::Short,
            ColumnType::Timestamp => PrimitiveType::Timestamp,
        };
        StructField::new(column.name, DataType::Primitive(primitive), column.nullable)
    });
    let attributes = registry.columns().iter().map(|column| {
        let primitive = primitive(column.attribute_type);
        let name = MetadataValue::String(column.attribute_type.as_str().to_owned());
        StructField::new(&column.name, DataType::Primitive(primitive), true)
            .with_metadata([(TYPE, name)])
    });
    Ok(StructType::try_new(fixed.chain(attributes))?)
}

fn primitive(attribute_type: AttributeType) -> PrimitiveType {
    match attribute_type {
        AttributeType::String | AttributeType::Json => PrimitiveType::String,
        AttributeType::Int => PrimitiveType::Long,
        AttributeType::Double => PrimitiveType::Double,
        AttributeType::Bool => PrimitiveType::Boolean,
        AttributeType::Bytes => PrimitiveType::Binary,
    }
}

/// The keys in `rest` as the table's configuration keeps them.
pub(super) fn rest_keys_json(registry: &Registry) -> String {
    let keys: Map<String, Value> =
        registry.rest_keys().iter().map(|(k, t)| (k.clone(), t.as_str().into())).collect();
    Value::from(keys).to_string()
}

/// The registry that a table's log holds. Columns that others added and we do not know are passed
/// over.
pub(super) fn from_delta(table: Table, delta: &DeltaTableState) -> Registry {
    let schema = delta.schema();
    let fixed: HashSet<&str> = table.columns().iter().map(|column| column.name).collect();
    let columns = schema
        .fields()
        .filter(|field| !fixed.contains(field.name().as_str()))
        .filter_map(registered);
    let configuration = delta.metadata().configuration();
    let rest: Map<String, Value> = configuration
        .get(REST_KEYS)
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let rest =
        rest.into_iter().filter_map(|(key, value)| Some((key, parse_type(value.as_str()?)?)));
    let rest_more = configuration.get(REST_MORE).is_some_and(|more| more == "true");
    Registry::restored(table, columns, rest, rest_more)
}

fn registered(field: &StructField) -> Option<Registered> {
    let AttributeColumn { scope, key, attribute_type } = AttributeColumn::parse(field.name())?;
    let noted = match field.metadata().get(TYPE) {
        Some(MetadataValue::String(word)) => parse_type(word),
        _ => None,
    };
    let attribute_type = attribute_type.or(noted).or(match field.data_type() {
        DataType::Primitive(PrimitiveType::String) => Some(AttributeType::String),
        DataType::Primitive(PrimitiveType::Long) => Some(AttributeType::Int),
        DataType::Primitive(PrimitiveType::Double) => Some(AttributeType::Double),
        DataType::Primitive(PrimitiveType::Boolean) => Some(AttributeType::Bool),
        DataType::Primitive(PrimitiveType::Binary) => Some(AttributeType::Bytes),
        _ => None,
    })?;
    Some(Registered { scope, key, attribute_type, name: field.name().to_owned() })
}

fn parse_type(word: &str) -> Option<AttributeType> {
    AttributeType::ALL.into_iter().find(|t| t.as_str() == word)
}
