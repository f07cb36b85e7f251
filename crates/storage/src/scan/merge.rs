//! Merges sorted files into one sorted stream: what compaction writes anew.

use std::sync::Arc;

use arrow_schema::{SchemaRef, SortOptions};
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::Result;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan as _;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;

use super::{ReadCache, Survivor, known_url};
use crate::file::SORT_COLUMNS;
use crate::snapshot::FileEntry;

/// Bounds of a merge.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// Rows of a batch of the stream.
    pub batch_rows: usize,
    /// What the merge itself may hold; the readers hold some pages of each file beside it.
    pub memory_bytes: usize,
}

impl Default for MergeOptions {
    fn default() -> MergeOptions {
        MergeOptions { batch_rows: 8_192, memory_bytes: 128 << 20 }
    }
}

/// The rows of `files`, each of which is sorted, in the table's order and with the columns of
/// `schema`; a column that a file lacks is null.
pub fn merge_sorted(
    object_store: Arc<dyn ObjectStore>,
    cache: &ReadCache,
    schema: SchemaRef,
    files: &[Arc<FileEntry>],
    options: &MergeOptions,
) -> Result<SendableRecordBatchStream> {
    let order = sort_order(&schema)?;
    let groups = files.iter().map(|entry| {
        let file = Survivor { entry: Arc::clone(entry), access: None };
        FileGroup::new(vec![file.partitioned(&schema)])
    });
    let groups = groups.collect();
    let source = ParquetSource::new(schema)
        .with_parquet_file_reader_factory(cache.reader_factory(object_store));
    let config = FileScanConfigBuilder::new(known_url(), Arc::new(source))
        .with_file_groups(groups)
        .with_preserve_order(true)
        .build();
    let files = DataSourceExec::from_data_source(config);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .build_arc()?;
    let session = SessionConfig::new().with_batch_size(options.batch_rows);
    let context =
        Arc::new(TaskContext::default().with_session_config(session).with_runtime(runtime));
    let Some(order) = order else { return files.execute(0, context) };
    SortPreservingMergeExec::new(order, files).execute(0, context)
}

/// The table's order, over those of its columns that `schema` has.
fn sort_order(schema: &SchemaRef) -> Result<Option<LexOrdering>> {
    let columns = SORT_COLUMNS.into_iter().filter(|name| schema.index_of(name).is_ok());
    let order = columns
        .map(|name| {
            let column = Arc::new(Column::new_with_schema(name, schema)?);
            Ok(PhysicalSortExpr::new(column, SortOptions { descending: false, nulls_first: true }))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(LexOrdering::new(order))
}
