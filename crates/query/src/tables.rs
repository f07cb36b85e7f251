//! What the engine asks the outside for: tables, pinned for one statement.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use model::Tenant;

use crate::rewrite::{Columns, Lookup};

/// Key in a table schema's metadata: a JSON object of the attributes that may be in `rest`, by
/// `<scope>.<key>`, with their types: `{"attributes.k": "int"}`.
pub const REST_KEYS: &str = "trefoil.rest";

/// Key in a table schema's metadata: `true` when [`REST_KEYS`] could not list them all.
pub const REST_MORE: &str = "trefoil.rest_more";

/// Key in a table schema's metadata: a JSON list of the text columns whose texts are JSON, which
/// their plain names do not tell: `["attributes.tags"]`.
pub const JSON_COLUMNS: &str = "trefoil.json";

/// Where tables come from. A table holds one tenant's rows and does not change while it is held.
pub trait Tables: Send + Sync + Debug {
    /// The tables' names.
    fn names(&self) -> Vec<&'static str>;

    /// A table as it is now, for that tenant.
    fn table(&self, name: &str, tenant: &Tenant) -> Option<Arc<dyn TableProvider>>;

    /// A table of that name that has `batches` and nothing else: a live tail asks what it would
    /// ask the whole table.
    fn over(&self, name: &str, batches: Vec<RecordBatch>) -> Option<Arc<dyn TableProvider>>;
}

/// The tables of one statement: each is pinned when it is first named, so that a statement that
/// names it twice sees the same rows twice.
#[derive(Debug)]
pub(crate) struct Pinned {
    tables: Arc<dyn Tables>,
    tenant: Tenant,
    held: Mutex<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl Pinned {
    pub(crate) fn new(tables: Arc<dyn Tables>, tenant: Tenant) -> Pinned {
        Pinned { tables, tenant, held: Mutex::new(BTreeMap::new()) }
    }

    /// Puts a table in the place of the one with that name.
    pub(crate) fn with(self, name: &str, table: Arc<dyn TableProvider>) -> Pinned {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), table);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = held.get(name) {
            return Some(Arc::clone(table));
        }
        let table = self.tables.table(name, &self.tenant)?;
        held.insert(name.to_owned(), Arc::clone(&table));
        Some(table)
    }
}

impl Lookup for Pinned {
    fn columns(&self, table: &str) -> Option<Arc<Columns>> {
        self.get(table).map(|table| Arc::new(Columns::of_schema(&table.schema())))
    }
}

#[async_trait]
impl SchemaProvider for Pinned {
    fn table_names(&self) -> Vec<String> {
        self.tables.names().into_iter().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(self.get(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.names().contains(&name)
    }
}
