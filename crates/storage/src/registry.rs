//! Which attributes of a table are columns, under which names.
//!
//! The first type that a key is seen with has the plain name `attributes.k`; a later type has
//! `attributes.k#string`. A name never changes its meaning, so files, buffers and queries of any
//! age agree. A key that cannot be a column (too many already, or a name that Delta forbids) is
//! folded into the JSON column `rest`.
//!
//! The registry is a value: a table's writer holds the current one behind an `Arc` and replaces
//! it; a snapshot keeps the one that it was made with.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use model::{AttributeColumn, AttributeType, Scope, Table};

mod rest;

/// The schema's metadata key of the attributes that may be in `rest`.
pub const REST_KEYS: &str = "trefoil.rest";
/// The schema's metadata key of the text columns whose texts are JSON, a JSON list: their plain
/// names do not tell.
pub const JSON_COLUMNS: &str = "trefoil.json";
/// The schema's metadata key that says that [`REST_KEYS`] is not complete.
pub const REST_MORE: &str = "trefoil.rest_more";
/// The name of the column of attributes without a column.
pub const REST: &str = "rest";

/// The most keys that [`REST_KEYS`] lists.
const REST_KEYS_MAX: usize = 1_000;
/// The longest name that [`REST_KEYS`] lists, in bytes.
const REST_KEY_BYTES_MAX: usize = 1_000;
/// The longest name that an attribute's column may have, in bytes; longer ones go to `rest`.
const COLUMN_NAME_BYTES_MAX: usize = 200;
/// Delta without column mapping forbids these in names (Parquet once did).
const FORBIDDEN: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// An attribute's column of the table: which key with which type, under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Where the attribute sits.
    pub scope: Scope,
    /// Its key.
    pub key: String,
    /// The type of this column's values.
    pub attribute_type: AttributeType,
    /// The column's name, in SQL and in the files.
    pub name: String,
}

/// Which attributes are columns. See the module.
#[derive(Debug, Clone)]
pub struct Registry {
    table: Table,
    columns: Vec<Registered>,
    /// Scope and key to the indices in `columns`, in order of registration.
    by_key: HashMap<(Scope, String), Vec<usize>>,
    /// The decoder's name, which always has the type behind it, to the index in `columns`.
    typed: HashMap<String, usize>,
    /// All names in lower case: engines that read Delta tables do not tell case apart.
    names: HashSet<String>,
    rest: BTreeMap<String, AttributeType>,
    rest_more: bool,
    schema: SchemaRef,
    physical: SchemaRef,
}

impl Registry {
    /// A table without attributes.
    #[must_use]
    pub fn new(table: Table) -> Registry {
        let mut registry = Registry {
            table,
            columns: Vec::new(),
            by_key: HashMap::new(),
            typed: HashMap::new(),
            names: table.columns().iter().map(|c| c.name.to_lowercase()).collect(),
            rest: BTreeMap::new(),
            rest_more: false,
            schema: Arc::new(Schema::empty()),
            physical: Arc::new(Schema::empty()),
        };
        registry.rebuild();
        registry
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// The attribute columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Registered] {
        &self.columns
    }

    /// What SQL sees: the fixed columns, then the attributes' columns, with the metadata
    /// [`REST_KEYS`] and [`REST_MORE`].
    #[must_use]
    pub fn logical_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What is in files: the same fields without the metadata, so that it only changes with a
    /// new column. A file may lack attribute columns that were added after it.
    #[must_use]
    pub fn physical_schema(&self) -> SchemaRef {
        Arc::clone(&self.physical)
    }

    /// The name of the column of this key with this type; `None` when it has none.
    #[must_use]
    pub fn name_of(&self, scope: Scope, key: &str, attribute_type: AttributeType) -> Option<&str> {
        let indices = self.by_key.get(&(scope, key.to_owned()))?;
        indices
            .iter()
            .map(|&i| &self.columns[i])
            .find(|c| c.attribute_type == attribute_type)
            .map(|c| c.name.as_str())
    }

    /// The logical name of a column of a batch, straight from a decoder or named here before;
    /// `None` when its values belong into `rest`.
    #[must_use]
    pub fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if let Some(&index) = self.typed.get(name) {
            return Some(&self.columns[index].name);
        }
        match AttributeColumn::parse(name) {
            Some(column) if column.attribute_type.is_some() => None,
            _ => Some(name),
        }
    }

    /// Registers a column. Returns whether it is a column now: not when its name may not be one.
    pub fn register(&mut self, scope: Scope, key: &str, attribute_type: AttributeType) -> bool {
        let registered = self.register_quietly(scope, key, attribute_type);
        self.rebuild();
        registered
    }

    /// Takes note of a batch's columns, straight from a decoder: while there are fewer than
    /// `columns_max` attribute columns a new one becomes a column at once; otherwise its values
    /// may end in `rest`, and so may what is there already. Returns whether anything was new.
    pub fn note_batch(
        registry: &mut Arc<Registry>,
        batch: &RecordBatch,
        columns_max: usize,
    ) -> bool {
        let schema = batch.schema_ref();
        let room = registry.columns.len() < columns_max;
        let unknown: Vec<AttributeColumn> = schema
            .fields()
            .iter()
            .filter(|field| registry.resolve(field.name()).is_none())
            .filter_map(|field| AttributeColumn::parse(field.name()))
            .filter(|column| {
                let AttributeColumn { scope, key, attribute_type } = column;
                let listed = registry.may_be_in_rest(&AttributeColumn::plain_name(*scope, key));
                let free = |t: AttributeType| registry.free_name(*scope, key, t).is_some();
                !listed || (room && attribute_type.is_some_and(free))
            })
            .collect();
        let rest_keys =
            if registry.rest_more { Vec::new() } else { rest::keys(batch, &registry.rest) };
        if unknown.is_empty() && rest_keys.is_empty() {
            return false;
        }
        let mut news = false;
        let mut changed = Registry::clone(registry);
        for AttributeColumn { scope, key, attribute_type } in unknown {
            let Some(attribute_type) = attribute_type else { continue };
            let room = changed.columns.len() < columns_max;
            if room && changed.register_quietly(scope, &key, attribute_type) {
                news = true;
            } else {
                let plain = AttributeColumn::plain_name(scope, &key);
                news |= changed.note_rest_key(&plain, attribute_type);
            }
        }
        for (key, attribute_type) in rest_keys {
            news |= changed.note_rest_key(&key, attribute_type);
        }
        if news {
            changed.rebuild();
            *registry = Arc::new(changed);
        }
        news
    }

    /// This registry, as the table's log has it, with what `local` knows beyond it. A column whose
    /// name was taken by another writer gets another name; one that finds no room goes to `rest`.
    #[must_use]
    pub fn merged_with(&self, local: &Registry) -> Registry {
        let mut merged = self.clone();
        for column in &local.columns {
            if !merged.register_quietly(column.scope, &column.key, column.attribute_type) {
                let plain = AttributeColumn::plain_name(column.scope, &column.key);
                merged.note_rest_key(&plain, column.attribute_type);
            }
        }
        for (key, attribute_type) in &local.rest {
            merged.note_rest_key(key, *attribute_type);
        }
        merged.rest_more |= local.rest_more;
        merged.rebuild();
        merged
    }

    /// Whether every column here has the same name there, so that files written with this registry
    /// are right with that one.
    #[must_use]
    pub fn agrees_with(&self, other: &Registry) -> bool {
        self.columns
            .iter()
            .all(|c| other.name_of(c.scope, &c.key, c.attribute_type) == Some(c.name.as_str()))
    }

    /// The registry that a table's log holds, names included.
    pub(crate) fn restored(
        table: Table,
        columns: impl IntoIterator<Item = Registered>,
        rest: impl IntoIterator<Item = (String, AttributeType)>,
        rest_more: bool,
    ) -> Registry {
        let mut registry = Registry::new(table);
        columns.into_iter().for_each(|column| registry.insert(column));
        registry.rest.extend(rest);
        registry.rest_more = rest_more;
        registry.rebuild();
        registry
    }

    /// Notes that values of this attribute may be in `rest`. Returns whether that is news.
    pub fn note_rest(&mut self, plain_name: &str, attribute_type: AttributeType) -> bool {
        let news = self.note_rest_key(plain_name, attribute_type);
        if news {
            self.rebuild();
        }
        news
    }

    /// Whether values of this attribute may be in `rest`.
    #[must_use]
    pub fn may_be_in_rest(&self, plain_name: &str) -> bool {
        self.rest_more || self.rest.contains_key(plain_name)
    }

    /// The keys that may be in `rest`, by plain name.
    #[must_use]
    pub fn rest_keys(&self) -> &BTreeMap<String, AttributeType> {
        &self.rest
    }

    /// Whether there are more keys in `rest` than are listed.
    #[must_use]
    pub fn rest_more(&self) -> bool {
        self.rest_more
    }

    /// Marks the list of keys in `rest` as not complete.
    pub fn set_rest_more(&mut self) {
        self.rest_more = true;
        self.rebuild();
    }

    /// Brings a batch, straight from a decoder or from a buffer, to `schema`, which is the logical
    /// or the physical schema or some columns of it: columns are renamed, missing ones are null,
    /// and when `rest` is among the wanted the columns without a name of their own are folded
    /// into it.
    pub fn project(
        &self,
        batch: &RecordBatch,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, ArrowError> {
        let rows = batch.num_rows();
        let columns = self
            .columns_of(batch, schema)?
            .into_iter()
            .zip(schema.fields())
            .map(|(column, field)| {
                column.unwrap_or_else(|| new_null_array(field.data_type(), rows))
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }

    /// As [`Registry::project`], without the columns that are missing.
    pub(crate) fn columns_of(
        &self,
        batch: &RecordBatch,
        schema: &Schema,
    ) -> Result<Vec<Option<ArrayRef>>, ArrowError> {
        let source = batch.schema_ref();
        let mut at: HashMap<&str, usize> = HashMap::with_capacity(source.fields().len());
        let mut folded = Vec::new();
        for (index, field) in source.fields().iter().enumerate() {
            match self.resolve(field.name()) {
                Some(name) => {
                    at.insert(name, index);
                }
                None => folded.push(index),
            }
        }
        schema
            .fields()
            .iter()
            .map(|field| {
                if field.name() == REST && !folded.is_empty() {
                    return rest::fold(batch, at.get(REST).copied(), &folded).map(Some);
                }
                Ok(at.get(field.name().as_str()).map(|&index| Arc::clone(batch.column(index))))
            })
            .collect()
    }

    fn note_rest_key(&mut self, plain_name: &str, attribute_type: AttributeType) -> bool {
        if self.rest_more || self.rest.contains_key(plain_name) {
            return false;
        }
        if self.rest.len() >= REST_KEYS_MAX || plain_name.len() > REST_KEY_BYTES_MAX {
            self.rest_more = true;
        } else {
            self.rest.insert(plain_name.to_owned(), attribute_type);
        }
        true
    }

    fn free_name(&self, scope: Scope, key: &str, attribute_type: AttributeType) -> Option<String> {
        let plain = AttributeColumn::plain_name(scope, key);
        let ambiguous = AttributeColumn::parse(&plain)
            .is_none_or(|column| column.attribute_type.is_some() || column.key != key);
        if ambiguous
            || key.is_empty()
            || plain.len() > COLUMN_NAME_BYTES_MAX
            || plain.contains(FORBIDDEN)
            || plain.contains(char::is_control)
        {
            return None;
        }
        let first = !self.by_key.contains_key(&(scope, key.to_owned()));
        let name =
            if first { plain } else { AttributeColumn::typed_name(scope, key, attribute_type) };
        (!self.names.contains(&name.to_lowercase())).then_some(name)
    }

    fn register_quietly(&mut self, scope: Scope, key: &str, attribute_type: AttributeType) -> bool {
        if self.name_of(scope, key, attribute_type).is_some() {
            return true;
        }
        let Some(name) = self.free_name(scope, key, attribute_type) else { return false };
        self.insert(Registered { scope, key: key.to_owned(), attribute_type, name });
        true
    }

    fn insert(&mut self, column: Registered) {
        let typed = AttributeColumn::typed_name(column.scope, &column.key, column.attribute_type);
        self.typed.insert(typed, self.columns.len());
        self.names.insert(column.name.to_lowercase());
        self.by_key.entry((column.scope, column.key.clone())).or_default().push(self.columns.len());
        self.columns.push(column);
    }

    /// Makes the schemas anew after a change.
    fn rebuild(&mut self) {
        let fixed = self.table.columns().iter().map(model::Column::field);
        let attributes =
            self.columns.iter().map(|c| Field::new(&c.name, c.attribute_type.data_type(), true));
        let fields: Vec<Field> = fixed.chain(attributes).collect();
        let mut metadata = HashMap::new();
        if !self.rest.is_empty() {
            let keys: serde_json::Map<String, serde_json::Value> =
                self.rest.iter().map(|(k, t)| (k.clone(), t.as_str().into())).collect();
            metadata.insert(REST_KEYS.to_owned(), serde_json::Value::from(keys).to_string());
        }
        if self.rest_more {
            metadata.insert(REST_MORE.to_owned(), "true".to_owned());
        }
        let json = self.columns.iter().filter(|c| c.attribute_type == AttributeType::Json);
        let json: Vec<&str> = json.map(|c| c.name.as_str()).collect();
        if !json.is_empty() {
            metadata.insert(JSON_COLUMNS.to_owned(), serde_json::Value::from(json).to_string());
        }
        let schema = Schema::new(fields);
        self.physical = Arc::new(schema.clone());
        self.schema = Arc::new(schema.with_metadata(metadata));
    }
}
