//! Which fields the tables have, and which values these.

use axum::extract::State;
use axum::{Extension, Json};
use model::{AttributeColumn, Table, Tenant};
use query::{quote_identifier, quote_text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::schema;
use crate::answer::ask;
use crate::extract::Params;
use crate::json::type_name;
use crate::search::Conditions;
use crate::time::{Range, RangeParams};
use crate::{Api, Error};

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 1_000;

/// Of which table.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FieldsParams {
    /// `spans` or `logs`.
    pub table: String,
}

/// The fields of a table.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fields {
    /// Fixed columns first, then attributes by name.
    pub fields: Vec<FieldInfo>,
}

/// A field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldInfo {
    /// The column's name.
    pub name: String,
    /// `string`, `int`, `double`, `bool`, `bytes`, `timestamp`; the first of an attribute that
    /// has several.
    #[serde(rename = "type")]
    pub field_type: String,
    /// `column`, `attributes`, `resource` or `scope`.
    pub scope: &'static str,
    /// What it is called in a search.
    pub key: String,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc: Option<&'static str>,
}

fn table(name: &str) -> Result<Table, Error> {
    Table::parse(name).ok_or_else(|| Error::bad_request(format!("there is no table {name:?}")))
}

/// The fields of a table.
#[utoipa::path(
    get, path = "/api/v1/fields", params(FieldsParams), responses((status = 200, body = Fields))
)]
pub async fn fields(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(params): Params<FieldsParams>,
) -> Result<Json<Fields>, Error> {
    let table = table(&params.table)?;
    let schema = schema(&api, table, &tenant)?;
    let mut fields: Vec<FieldInfo> = table
        .columns()
        .iter()
        .map(|column| FieldInfo {
            name: column.name.to_owned(),
            field_type: type_name(column.field().data_type()).to_owned(),
            scope: "column",
            key: column.name.to_owned(),
            doc: Some(column.doc),
        })
        .collect();
    let mut attributes = BTreeMap::new();
    for field in schema.fields() {
        if let Some(AttributeColumn { scope, key, attribute_type: None }) =
            AttributeColumn::parse(field.name())
        {
            attributes.insert((scope, key), type_name(field.data_type()).to_owned());
        }
    }
    let rest = schema.metadata().get(query::REST_KEYS);
    let rest: Map<String, Value> =
        rest.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    for (name, field_type) in rest {
        if let Some(AttributeColumn { scope, key, .. }) = AttributeColumn::parse(&name) {
            let word = field_type.as_str().unwrap_or("string").to_owned();
            attributes.entry((scope, key)).or_insert(word);
        }
    }
    fields.extend(attributes.into_iter().map(|((scope, key), field_type)| FieldInfo {
        name: AttributeColumn::plain_name(scope, &key),
        field_type,
        scope: scope.as_str(),
        key,
        doc: None,
    }));
    Ok(Json(Fields { fields }))
}

/// Values of which field.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ValuesParams {
    /// `spans` or `logs`.
    pub table: String,
    /// A field's name.
    pub field: String,
    /// What the values begin with, in any case.
    pub prefix: Option<String>,
    /// 20 when absent, at most 1,000.
    pub limit: Option<usize>,
}

/// The values of a field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldValues {
    /// The most frequent first.
    pub values: Vec<FieldValue>,
}

/// A value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldValue {
    /// As text.
    pub value: String,
    /// Rows that have it.
    pub count: u64,
}

/// The most frequent values of a field.
#[utoipa::path(
    get, path = "/api/v1/fields/values", params(ValuesParams, RangeParams),
    responses((status = 200, body = FieldValues))
)]
pub async fn values(
    State(api): State<Api>,
    Extension(tenant): Extension<Tenant>,
    Params(range): Params<RangeParams>,
    Params(params): Params<ValuesParams>,
) -> Result<Json<FieldValues>, Error> {
    let range = Range::read(&range, api.clock.now())?;
    let table = table(&params.table)?;
    let field = field_sql(table, &params.field)?;
    let mut conditions = Conditions::new();
    conditions.within(range);
    conditions.push(format!("{field} IS NOT NULL"));
    if let Some(prefix) = params.prefix.filter(|prefix| !prefix.is_empty()) {
        let prefix = conditions.bind(prefix.to_lowercase());
        conditions.push(format!("starts_with(lower(CAST({field} AS VARCHAR)), {prefix})"));
    }
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let sql = format!(
        "SELECT CAST({field} AS VARCHAR) AS value, count(*) AS frequency FROM {table} WHERE {} \
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}",
        conditions.sql()
    );
    let answer = ask(&api, &tenant, &sql, conditions.params()).await?;
    let (texts, counts) = (answer.texts("value")?, answer.ints("frequency")?);
    let value = |row| FieldValue { value: texts.owned(row), count: counts.count(row) };
    Ok(Json(FieldValues { values: answer.rows().map(value).collect() }))
}

/// A field in SQL: a fixed column by its name, an attribute by its key.
fn field_sql(table: Table, name: &str) -> Result<String, Error> {
    if table.columns().iter().any(|column| column.name == name) {
        return Ok(quote_identifier(name));
    }
    match AttributeColumn::parse(name) {
        Some(AttributeColumn { scope, key, .. }) => {
            Ok(format!("{}[{}]", scope.as_str(), quote_text(&key)))
        }
        None => Err(Error::bad_request(format!("{table} has no field {name:?}"))),
    }
}
